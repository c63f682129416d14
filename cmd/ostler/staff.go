package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/identity"
	"ostler/controlplane/policy"
)

// staffCommand makes the first person, on the machine itself: whoever can read
// the keyring may do this, and nobody else.
func staffCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "staff", Short: "Add the hosting company's own people, on this machine",
		Long: `Staff works on the database itself, as whoever may read the data folder: it makes
the first person, and a way back in for somebody who lost theirs (the same address
again gives a new link, and the old one ends). On SQLite stop "ostler serve" first.`}
	var config, name string
	add := &cobra.Command{
		Use:   "add EMAIL --name NAME",
		Short: "Add a person and print the link by which they set a password and a second factor",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withIdentity(cmd.Context(), config, func(ctx context.Context, c Config, s *identity.Store) error {
				p, link, err := s.Bootstrap(ctx, args[0], name)
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s (%s)\n%s%s\nThe link works once, until %s.\n", p.Name, p.ID, c.Portal.URL, link.Path, link.ExpiresAt.Format(time.RFC1123))
				return err
			})
		},
	}
	add.Flags().StringVar(&name, "name", "", "the person's name")
	_ = add.MarkFlagRequired("name")
	var days int
	token := &cobra.Command{
		Use:   "token PERSON-ID",
		Short: "Print an API token of a staff member, for the first command line",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withIdentity(cmd.Context(), config, func(ctx context.Context, _ Config, s *identity.Store) error {
				p, err := s.Person(ctx, controlplane.Actor{Kind: controlplane.ActorStaff, ID: args[0]})
				if controlplane.ErrorCode(err) == controlplane.CodeNotFound {
					return controlplane.Errorf(controlplane.CodeNotFound, "Give the id that ostler staff add printed: stf_...", "There is no member of staff of this id").Because(err)
				}
				if err != nil {
					return err
				}
				a := controlplane.Actor{Kind: p.Kind, ID: p.ID, Role: string(p.Role), Session: "on the machine itself"}
				secret, _, err := s.MakeToken(controlplane.WithActor(ctx, a), identity.NewToken{Name: "made on the machine itself",
					Permissions: policy.Permissions(p.Role), ExpiresAt: time.Now().AddDate(0, 0, days)})
				if err != nil {
					return err
				}
				_, err = fmt.Fprintln(cmd.OutOrStdout(), secret)
				return err
			})
		},
	}
	token.Flags().IntVar(&days, "days", 30, "how long the token is good, at most 365")
	cmd.PersistentFlags().StringVar(&config, "config", "", "configuration file (default "+defaultConfigFile+")")
	cmd.AddCommand(add, token)
	return cmd
}

// withIdentity opens the database and the keys for one action on people.
func withIdentity(ctx context.Context, config string, do func(context.Context, Config, *identity.Store) error) error {
	return withKeeper(ctx, config, func(ctx context.Context, h *house) error {
		s, err := identity.New(ctx, h.db, h.keeper, h.ledger, customers.New(h.db, h.keeper, h.ledger), identity.Options{})
		if err != nil {
			return err
		}
		return do(ctx, h.config, s)
	})
}
