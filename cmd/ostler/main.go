// Command ostler is the control plane and its command line: it serves the
// portal, the API and the agents, signs jobs in a process of its own, shows
// itself in a demo, and asks a running control plane by its API.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// version is set by the linker.
var version = "unversioned"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := newRoot().ExecuteContext(ctx)
	stop()
	writeError(os.Stderr, err)
	os.Exit(exitCode(err))
}

// newRoot returns the whole command tree.
func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "ostler",
		Short: "Looks after customers' servers, and can prove how",
		Long: `Looks after customers' servers, and can prove how.

Exit codes: 0 done · 1 failed, or not well · 2 used wrongly · 3 not there ·
4 not signed in · 5 does not fit the state of things · 8 waited long enough.`,
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(serveCommand(), signerCommand(), migrateCommand(), staffCommand(), secretsCommand(), demoCommand())
	addClientCommands(root)
	markUsage(root)
	return root
}
