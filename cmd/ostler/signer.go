package main

import (
	"os"

	"github.com/spf13/cobra"

	"ostler/controlplane/signer"
)

// signerCommand holds the key that hosts trust, in a process without network.
func signerCommand() *cobra.Command {
	var config string
	cmd := &cobra.Command{
		Use:   "signer",
		Short: "Sign jobs for hosts, in a process of its own",
		Long: `Signer holds the Ed25519 key that hosts trust, and signs jobs for "ostler serve"
over a unix socket. It has no database, and no network unless the key was moved to
Vault: whoever can write to the database still cannot make a host do what this
process does not sign.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(config)
			if err != nil {
				return err
			}
			log := c.Log.logger(os.Stderr)
			key, closeKey, err := c.signingKey(cmd.Context(), log)
			if err != nil {
				return err
			}
			defer closeKey()
			ln, err := signer.Listen(c.Signer.Socket)
			if err != nil {
				return err
			}
			log.InfoContext(cmd.Context(), "signer.listening", "socket", c.Signer.Socket)
			return signer.Serve(cmd.Context(), ln, key, log)
		},
	}
	cmd.Flags().StringVar(&config, "config", "", "configuration file (default "+defaultConfigFile+")")
	return cmd
}
