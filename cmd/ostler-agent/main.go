// Command ostler-agent is the agent on a customer's server: it enrols the
// server with a control plane, and then runs the plane's signed jobs as far as
// the server's own policy allows. What it keeps true stands in package host.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"ostler/controlplane"
)

// version is set by the linker.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	code := Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// Exit codes.
const (
	exitOK = iota
	exitError
	exitUsage
	exitNotFound
	exitSignIn
	exitConflict
)

// usageError is a command line that cannot be understood.
type usageError struct{ error }

// Run runs one command line and returns its exit code.
func Run(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	root := &cobra.Command{
		Use:           "ostler-agent",
		Short:         "The Ostler agent on this server",
		SilenceErrors: true, SilenceUsage: true, Args: noArgs,
		RunE:              func(c *cobra.Command, _ []string) error { return c.Help() },
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.AddCommand(enrolCommand(), runCommand(), checkCommand(), snippetCommand(), &cobra.Command{
		Use: "version", Short: "Print the agent's version", Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(c.OutOrStdout(), version)
			return err
		},
	})
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	return report(root.ExecuteContext(ctx), errOut)
}

// noArgs refuses arguments that no flag stands before.
func noArgs(c *cobra.Command, args []string) error {
	if err := cobra.NoArgs(c, args); err != nil {
		return usageError{err}
	}
	return nil
}

// report tells a person what went wrong and what to do, and picks the exit code.
func report(err error, w io.Writer) int {
	var known *controlplane.Error
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &known):
		fmt.Fprintf(w, "Error: %s.\n", known.Message)
		if known.Err != nil {
			fmt.Fprintf(w, "Cause: %v\n", known.Err)
		}
		if known.Next != "" {
			fmt.Fprintf(w, "Next: %s\n", known.Next)
		}
	case errors.As(err, &usage):
		fmt.Fprintf(w, "Error: %v\nNext: see ostler-agent --help\n", err)
		return exitUsage
	default:
		fmt.Fprintf(w, "Error: %v\n", err)
		return exitError
	}
	switch known.Code {
	case controlplane.CodeInvalid:
		return exitUsage
	case controlplane.CodeNotFound:
		return exitNotFound
	case controlplane.CodeUnauthorized, controlplane.CodeForbidden, controlplane.CodeExpired:
		return exitSignIn
	case controlplane.CodeConflict:
		return exitConflict
	}
	return exitError
}
