package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"ostler/controlplane"
)

// The exit codes of the command line. Scripts rely on them: they do not change.
const (
	exitOK       = 0
	exitError    = 1
	exitUsage    = 2 // used wrongly, or cancelled
	exitNotFound = 3
	exitSignIn   = 4
	exitConflict = 5
	exitPartial  = 6 // some of it was done, and the rest is named
	exitTimedOut = 8 // --wait-timeout passed; the work goes on
)

// usageError is a command that was written wrongly.
type usageError struct{ error }

// Unwrap returns what is wrong.
func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// requestError is an error of the API with the request to ask us about.
type requestError struct {
	error
	request string
}

// Unwrap makes the plain error visible to errors.As.
func (e *requestError) Unwrap() error { return e.error }

var (
	errTimedOut  = errors.New("wait timed out")
	errCancelled = errors.New("cancelled")
	// errNotWell ends a command that asked whether all is well, and it is not.
	errNotWell = errors.New("not well: see above")
	// errPartial is beneath what says that some of it was done.
	errPartial = errors.New("done in part")
)

// timedOut says that waiting is over and how to go on.
func timedOut(what, next string) error {
	return controlplane.Errorf(controlplane.CodeUnavailable, next, "%s has not ended within --wait-timeout; it goes on", what).Because(errTimedOut)
}

// exitCode maps an error to the process's exit code.
func exitCode(err error) int {
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errTimedOut):
		return exitTimedOut
	case errors.Is(err, errPartial):
		return exitPartial
	case errors.As(err, &usage), errors.Is(err, errCancelled), errors.Is(err, context.Canceled), cobraUsage(err):
		return exitUsage
	}
	switch controlplane.ErrorCode(err) {
	case controlplane.CodeInvalid:
		return exitUsage
	case controlplane.CodeUnauthorized:
		return exitSignIn
	case controlplane.CodeNotFound, controlplane.CodeExpired:
		return exitNotFound
	case controlplane.CodeConflict:
		return exitConflict
	}
	return exitError
}

// cobraUsage knows the mistakes that cobra reports without a type.
func cobraUsage(err error) bool {
	s := err.Error()
	return strings.HasPrefix(s, "unknown command ") || strings.HasPrefix(s, "required flag(s) ") || strings.HasPrefix(s, "if any flags in the group ")
}

// markUsage has every verb below cmd report wrong arguments as usage errors.
func markUsage(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usageError{fmt.Errorf("%s\nUsage: %s", wrongArgs(cmd, args, err), cmd.UseLine())}
			}
			return nil
		}
	}
	for _, c := range cmd.Commands() {
		markUsage(c)
	}
}

// wrongArgs says which word a command misses, or has too much.
func wrongArgs(cmd *cobra.Command, args []string, err error) string {
	_, use, _ := strings.Cut(cmd.Use, " ")
	var wanted []string
	for _, w := range strings.Fields(use) {
		if w == "|" {
			return err.Error() // two forms
		}
		if strings.HasPrefix(w, "[") || strings.HasPrefix(w, "-") {
			break
		}
		wanted = append(wanted, w)
	}
	switch {
	case len(args) < len(wanted):
		return strings.Join(wanted[len(args):], " and ") + " is missing"
	case cmd.HasSubCommands() || len(args) == len(wanted):
		return err.Error()
	}
	return fmt.Sprintf("%q is one word too many", args[len(wanted)])
}

// missingFlags says in one line what cobra says with its own quotes.
func missingFlags(s string) string {
	s = strings.TrimSuffix(strings.TrimPrefix(s, "required flag(s) "), " not set")
	names := strings.Split(strings.ReplaceAll(s, `"`, ""), ", ")
	return "required flag missing: --" + strings.Join(names, ", --")
}

// writeError prints an error for people: the cause, the fields, the next step,
// the request. Nothing of it can steer a terminal.
func writeError(w io.Writer, err error) {
	if err == nil {
		return
	}
	if errors.Is(err, context.Canceled) {
		err = errCancelled
	}
	var lines []string
	var e *controlplane.Error
	if errors.As(err, &e) {
		lines = append(lines, e.Message)
		for _, f := range e.Fields {
			lines = append(lines, "  "+f.Pointer+": "+f.Message)
		}
		if e.Next != "" {
			lines = append(lines, "Next: "+e.Next)
		}
	} else {
		s := err.Error()
		if strings.HasPrefix(s, "required flag(s) ") {
			s = missingFlags(s) + "\nNext: --help after the command says what it is."
		}
		lines = strings.Split(s, "\n")
	}
	var r *requestError
	if errors.As(err, &r) && r.request != "" {
		lines = append(lines, "Request: "+r.request)
	}
	for _, l := range lines {
		_, _ = fmt.Fprintln(w, safe(strings.ReplaceAll(l, "\t", "  ")))
	}
}
