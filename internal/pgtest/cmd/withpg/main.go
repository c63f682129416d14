// Command withpg runs a command with a temporary PostgreSQL cluster, so that
// all packages of one test run share one:
//
//	go run ./internal/pgtest/cmd/withpg go test ./...
//
// With OSTLERTEST_POSTGRES set it only runs the command. Without PostgreSQL on
// the machine it does too, and the tests say what they leave out.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"

	"ostler/internal/pgtest"
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	if len(args) == 0 {
		fmt.Fprintln(os.Stderr, "usage: withpg COMMAND [ARGUMENT...]")
		return 2
	}
	// The terminal sends Ctrl-C to the command as well; wait for it to end.
	signal.Notify(make(chan os.Signal, 1), os.Interrupt)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if os.Getenv(pgtest.Env) == "" {
		url, stop, err := pgtest.Start(pgtest.Options{Unsafe: true})
		switch {
		case errors.Is(err, pgtest.ErrMissing):
			fmt.Fprintln(os.Stderr, err)
		case err != nil:
			fmt.Fprintln(os.Stderr, err)
			return 1
		default:
			defer stop()
			cmd.Env = append(os.Environ(), pgtest.Env+"="+url)
		}
	}
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() > 0:
		return exit.ExitCode()
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
