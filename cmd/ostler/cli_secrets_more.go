package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"ostler/controlplane"
	"ostler/controlplane/secrets"
)

// partly names what was left and why, and is the error of a command that did the
// rest; nil where nothing was left.
func partly(w io.Writer, left []secrets.Left, again string) error {
	if len(left) == 0 {
		return nil
	}
	const most = 20
	for i, l := range left {
		if i == most {
			fmt.Fprintf(w, "… and %d more.\n", len(left)-most)
			break
		}
		why, next := troubleWords(l.Err)
		if errors.Is(l.Err, secrets.ErrOpen) {
			why, next = "It does not open", "Put its row or its key back from a copy."
		}
		fmt.Fprintf(w, "Left: %s. %s. %s\n", l, why, next)
	}
	return controlplane.Errorf(controlplane.CodeUnavailable, fmt.Sprintf("See to what is named above, then run it again: %s.", again),
		"%d left where they were; everything else is done", len(left)).Because(errPartial)
}

// compact takes the forms of before out of SQLite's file. Where there is no room
// for it, it is said: the move is none the worse for it.
func (h *house) compact(ctx context.Context, w io.Writer) {
	if _, err := h.db.Compact(ctx); err != nil {
		fmt.Fprintf(w, "The database's file still holds the keys as they were wrapped before: it could not be rewritten (%s). Next: make room for it once more, and run this again.\n", controlplane.Line(err.Error(), 200))
	}
}

func secretsRetireCommand(config *string) *cobra.Command {
	var sure bool
	cmd := &cobra.Command{Use: "retire-file", Short: "Destroy the key files that no key needs after a move to Vault",
		Long: `Retire-file destroys the kek files of the keyring, once every data key is in Vault.
Until then a copy of the database from before the move opens with them, without
Vault, and with the keys of customers who were erased since. Afterwards no such copy
opens: do it when none is wanted for a restore any more, and destroy other copies of
the files too. Without --destroy it only says what it would do. The rest of the
keyring stays and is needed.`, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withKeeper(cmd.Context(), *config, func(ctx context.Context, h *house) error {
				return h.retire(ctx, sure, cmd.OutOrStdout(), cmd.ErrOrStderr())
			})
		}}
	cmd.Flags().BoolVar(&sure, "destroy", false, "do it: copies of the database from before the move never open again")
	return cmd
}

func (h *house) retire(ctx context.Context, sure bool, out, progress io.Writer) error {
	if !sure {
		s, err := h.keeper.Status(ctx)
		if err != nil {
			return err
		}
		if n := s.Keys[secrets.HomeFile]; n > 0 || s.Active != secrets.HomeVault {
			_, err = fmt.Fprintf(out, "Nothing was done. The key files are still needed: in the keyring, %s; new ones go to %s.\nNext: ostler secrets move --to vault.\n", keys(n), placeOf(s.Active))
			return err
		}
		_, err = fmt.Fprint(out, "Nothing was done. No key needs the kek files of the keyring.\nWith --destroy they are destroyed here: copies of the database from before the move never open again.\n")
		return err
	}
	files, err := h.keeper.RetireFile(ctx, holder(h.config.Replica))
	for _, f := range files {
		fmt.Fprintf(out, "Destroyed: %s\n", f)
	}
	if err != nil {
		return err
	}
	h.compact(ctx, progress)
	if len(files) == 0 {
		_, err = fmt.Fprintln(out, "There were no such files here.")
		return err
	}
	_, err = fmt.Fprintln(out, "Copies of the database from before the move do not open any more, unless somebody has a copy of these files: destroy those too. The rest of the keyring is needed.")
	return err
}
