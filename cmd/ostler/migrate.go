package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"ostler/controlplane/db"
)

// migrateCommand brings a PostgreSQL database to this program's tables; serve
// does it by itself on SQLite.
func migrateCommand() *cobra.Command {
	var config string
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Bring the database to the tables of this version",
		Long: `Migrate brings the database to the tables of this version. On SQLite "ostler serve"
does it by itself when it starts; on PostgreSQL run this first, with serve stopped.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(config)
			if err != nil {
				return err
			}
			d, err := db.Open(cmd.Context(), db.Options{URL: c.Database.URL})
			if err != nil {
				return err
			}
			defer func() { _ = d.Close() }()
			v, err := d.Migrate(cmd.Context())
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "The tables are at version %d.\n", v)
			return err
		},
	}
	cmd.Flags().StringVar(&config, "config", "", "configuration file (default "+defaultConfigFile+")")
	return cmd
}
