package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
)

// client is the command line's side of the API: what flags and environment
// say, where data and progress go, and the connection. A command reads it
// after its flags are parsed.
//
// Data goes to out, everything else to errw; only out's content is for programs.
type client struct {
	serverURL, tokenFile, caFile string
	output                       string
	waitTimeout                  time.Duration

	in         io.Reader
	out, errw  io.Writer
	outTerm    bool // out is a terminal: colour is welcome
	errTerm    bool // errw is a terminal: progress may rewrite its line
	inTerm     bool // a person can be asked
	connection *connection
	retryWait  time.Duration // before the second try; doubles
}

// addClientCommands adds the commands that ask a control plane by its API.
func addClientCommands(root *cobra.Command) {
	c := &client{retryWait: 500 * time.Millisecond}
	c.addTo(root)
}

func (c *client) addTo(root *cobra.Command) {
	nouns := []*cobra.Command{
		c.customerCommand(), c.contactCommand(), c.serverCommand(), c.tenancyCommand(), c.storeCommand(), c.planCommand(),
		c.backupCommand(), c.snapshotCommand(), c.fileCommand(), c.restoreCommand(), c.askCommand(), c.assistCommand(), c.mailCommand(), c.certCommand(), c.accessCommand(), c.sessionCommand(), c.incidentCommand(), c.advisoryCommand(), c.jobCommand(), c.findingCommand(),
		c.ledgerCommand(), c.windowCommand(), c.inventoryCommand(), c.tokenCommand(), c.doctorCommand(),
	}
	root.AddGroup(&cobra.Group{ID: "api", Title: "Ask a control plane (over its API):"})
	for _, n := range nouns {
		n.GroupID = "api"
		f := n.PersistentFlags()
		f.StringVar(&c.serverURL, "server-url", "", "the control plane's address (default $OSTLER_URL, or "+defaultServerURL+")")
		f.StringVar(&c.tokenFile, "token-file", "", "file with the API token, mode 0600 (without it: the token itself in $OSTLER_TOKEN, or the file that “ostler token save” keeps)")
		f.StringVar(&c.caFile, "ca-file", "", "PEM file of the authority that signed the control plane's certificate")
		f.StringVar(&c.output, "output", "table", "table or json")
		_ = n.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json"}, cobra.ShellCompDirectiveNoFileComp))
		root.AddCommand(n)
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
}

// noun returns a command that only groups verbs.
func noun(use, short string, verbs ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(verbs...)
	return cmd
}

// verb returns a command that runs fn with the client ready.
func (c *client) verb(use, short string, args cobra.PositionalArgs, fn func(ctx context.Context, args []string) error) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Args: args, RunE: func(cmd *cobra.Command, args []string) error {
		c.in, c.out, c.errw = cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr()
		c.outTerm, c.errTerm, c.inTerm = isTerminal(c.out), isTerminal(c.errw), isTerminal(c.in)
		if c.output != "table" && c.output != "json" {
			return usagef("--output is table or json")
		}
		return fn(cmd.Context(), args)
	}}
}

// waits adds --wait and --wait-timeout to a command that makes a job.
func (c *client) waits(cmd *cobra.Command, wait *bool) *cobra.Command {
	if wait != nil {
		cmd.Flags().BoolVar(wait, "wait", false, "wait until it has ended, with progress on standard error")
	}
	cmd.Flags().DurationVar(&c.waitTimeout, "wait-timeout", 0, "give up waiting after this long, exit code 8 (0: no limit)")
	return cmd
}

// isTerminal reports whether a stream is a terminal, by the kind of file alone:
// a character device that is not /dev/null.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, null)
}

// configDir is where the command line keeps its own: $OSTLER_CONFIG_DIR, or
// the person's configuration folder.
func configDir() (string, error) {
	if dir := os.Getenv("OSTLER_CONFIG_DIR"); dir != "" {
		return dir, nil
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "ostler"), nil
}
