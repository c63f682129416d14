package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/spf13/cobra"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/ledger"
	"ostler/controlplane/secrets"
	"ostler/controlplane/secrets/vault"
	"ostler/controlplane/signer"
)

// secretsCommand works on keys where they are: on this machine, as whoever may
// read the keyring.
func secretsCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "secrets", Short: "See, move and rotate the keys, on this machine",
		Long: `Secrets works on the database and the keys themselves, as whoever may read the
data folder. On SQLite stop "ostler serve" first; on PostgreSQL it may run, if every
replica's configuration names the same Vault.`}
	var config string
	cmd.PersistentFlags().StringVar(&config, "config", "", "configuration file (default "+defaultConfigFile+")")
	status := &cobra.Command{Use: "status", Short: "Say where keys and credentials are", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		return withKeeper(cmd.Context(), config, func(ctx context.Context, h *house) error { return h.status(ctx, cmd.OutOrStdout()) })
	}}
	rotate := &cobra.Command{Use: "rotate", Short: "Make new key-encryption keys, and wrap every data key with them", Args: cobra.NoArgs,
		Long: `Rotate makes a new version of the key-encryption key in the keyring, or of each
customer's key in Vault, and wraps every data key anew. Older versions stay: older
copies of the database need them.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withKeeper(cmd.Context(), config, func(ctx context.Context, h *house) error {
				r, err := h.keeper.Rotate(ctx)
				if err != nil {
					return err
				}
				if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%s wrapped anew.\n", keys(r.Keys)); err != nil {
					return err
				}
				return partly(cmd.ErrOrStderr(), r.Left, "ostler secrets rotate")
			})
		}}
	cmd.AddCommand(status, secretsPolicyCommand(&config), secretsMoveCommand(&config), secretsRetireCommand(&config), signerMoveCommand(&config), rotate)
	return cmd
}

func secretsPolicyCommand(config *string) *cobra.Command {
	part := string(vault.PartPlane)
	cmd := &cobra.Command{Use: "policy", Short: "Print the policy that Vault needs for us, and nothing more",
		Long: `Policy prints what a role of ours may do in Vault, for "vault policy write":
plane for ostler serve and this command, signer for ostler signer, import for the
person who moves the signer's key, once, drill for a copy of the control plane that
is tried and changes nothing.`, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !vault.Part(part).Valid() {
				return usagef("--for is plane, signer, import or drill")
			}
			c, err := loadConfig(*config)
			if err != nil {
				return err
			}
			_, err = fmt.Fprint(cmd.OutOrStdout(), c.vaultOptions(nil).Policy(vault.Part(part)))
			return err
		}}
	cmd.Flags().StringVar(&part, "for", part, "plane, signer, import or drill")
	return cmd
}

func secretsMoveCommand(config *string) *cobra.Command {
	var to string
	cmd := &cobra.Command{Use: "move --to vault|file", Short: "Move data keys and credentials to Vault, or back",
		Long: `Move has new keys go to Vault, or back to the keyring, and brings every data key and
every DNS provider's credential there: each is opened from its new home before the
old form is given up, and each is entered in the ledger. It can be stopped at any
time, and run again. What data keys sealed stays as it is. One that cannot be moved
is named and keeps back no other; the exit code is 6 then.`, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !secrets.HomeName(to).Valid() {
				return usagef("--to is vault or file")
			}
			return withKeeper(cmd.Context(), *config, func(ctx context.Context, h *house) error {
				return h.move(ctx, secrets.HomeName(to), cmd.OutOrStdout(), cmd.ErrOrStderr())
			})
		}}
	cmd.Flags().StringVar(&to, "to", "", "vault or file")
	_ = cmd.MarkFlagRequired("to")
	return cmd
}

func signerMoveCommand(config *string) *cobra.Command {
	var to string
	cmd := &cobra.Command{Use: "move-signer --to vault|file", Short: "Move the key that signs jobs to Vault, or back",
		Long: `Move-signer brings the key that hosts trust into Vault's transit engine, with your
own token in VAULT_TOKEN (its policy: ostler secrets policy --for import), and proves
it by a signature. Vault does not give the key out again: keep the file that is put
aside, away from this machine; it is the only way back. Then start ostler signer again.`, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !secrets.HomeName(to).Valid() {
				return usagef("--to is vault or file")
			}
			return withKeeper(cmd.Context(), *config, func(ctx context.Context, h *house) error {
				if secrets.HomeName(to) == secrets.HomeVault {
					return h.signerToVault(ctx, os.Getenv("VAULT_TOKEN"), cmd.OutOrStdout())
				}
				return h.signerToFile(ctx, cmd.OutOrStdout())
			})
		}}
	cmd.Flags().StringVar(&to, "to", "", "vault or file")
	_ = cmd.MarkFlagRequired("to")
	return cmd
}

// house is what works on this machine's own keys.
type house struct {
	config Config
	db     *db.DB
	keeper *secrets.Keeper
	ledger *ledger.Ledger
}

// withKeeper opens the database and the keys for one action as the system.
func withKeeper(ctx context.Context, config string, do func(context.Context, *house) error) error {
	c, err := loadConfig(config)
	if err != nil {
		return err
	}
	ctx = controlplane.System(ctx, "on the machine itself")
	d, err := db.Open(ctx, db.Options{URL: c.Database.URL})
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return controlplane.Errorf(controlplane.CodeConflict, "Stop ostler serve, run this again, and start it again: agents and jobs wait meanwhile.",
			"The database is in use by ostler serve: SQLite takes one process at a time").Because(err)
	}
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	if _, err := d.Migrate(ctx); err != nil {
		return err
	}
	k, closeVault, err := c.openKeeper(ctx, d, nil)
	if err != nil {
		return err
	}
	defer func() { _ = closeVault() }()
	l, err := ledger.New(d, k, ledger.Options{Origin: c.Ledger.Origin})
	if err != nil {
		return err
	}
	recordKeys(k, l)
	return do(ctx, &house{config: c, db: d, keeper: k, ledger: l})
}

// holder names this process to others.
func holder(replica string) string { return fmt.Sprintf("%s, process %d", replica, os.Getpid()) }

func keys(n int) string {
	if n == 1 {
		return "1 data key"
	}
	return fmt.Sprintf("%d data keys", n)
}

func credentials(n int) string {
	if n == 1 {
		return "1 credential"
	}
	return fmt.Sprintf("%d credentials", n)
}

func (h *house) status(ctx context.Context, w io.Writer) error {
	s, err := h.keeper.Status(ctx)
	if err != nil {
		return err
	}
	signs, err := signer.InVault(h.config.Signer.KeyDir)
	if err != nil {
		return err
	}
	home := secrets.HomeFile
	if signs != nil {
		home = secrets.HomeVault
	}
	fmt.Fprintf(w, "New keys go to       %s\n", s.Active)
	fmt.Fprintf(w, "In the keyring       %s, %s\n", keys(s.Keys[secrets.HomeFile]), credentials(s.Credentials[secrets.HomeFile]))
	fmt.Fprintf(w, "In Vault             %s, %s\n", keys(s.Keys[secrets.HomeVault]), credentials(s.Credentials[secrets.HomeVault]))
	fmt.Fprintf(w, "The signer's key     %s\n", home)
	if s.Removals > 0 {
		fmt.Fprintf(w, "To be removed        %d in Vault\n", s.Removals)
	}
	if s.Holder != "" {
		fmt.Fprintf(w, "Held by              %s, until %s UTC\n", s.Holder, s.HeldUntil.Format("15:04:05"))
	}
	if n, why := h.keeper.Broken(); n > 0 {
		fmt.Fprintf(w, "Do not open          the keys of %d customers\n", n)
		return why
	}
	_, err = fmt.Fprintln(w, "Every data key opens.")
	return err
}

func (h *house) move(ctx context.Context, to secrets.HomeName, out, progress io.Writer) error {
	moved := 0
	r, err := h.keeper.Move(ctx, to, secrets.MoveOptions{Holder: holder(h.config.Replica), Step: func(what string) {
		if what == "key" || what == "credential" {
			if moved++; moved%100 == 0 {
				fmt.Fprintf(progress, "%d moved\n", moved)
			}
		}
	}})
	if err != nil {
		if moved > 0 {
			fmt.Fprintf(progress, "%d moved before it stopped; they stay moved. Run it again to go on.\n", moved)
		}
		return err
	}
	fmt.Fprintf(out, "Moved to %s: %s, %s. New ones go there.\n", placeOf(to), keys(r.Keys), credentials(r.Credentials))
	if r.Erased > 0 {
		fmt.Fprintf(out, "Of customers who were erased: %s. Nobody can open them, and they stay where they are.\n", credentials(r.Erased))
	}
	if r.Keys > 0 {
		h.compact(ctx, progress)
	}
	if err := partly(progress, r.Left, "ostler secrets move --to "+string(to)); err != nil {
		return err
	}
	if to == secrets.HomeVault {
		fmt.Fprintln(out, "The kek files stay in the keyring: with them, copies of the database from before open as they did. When none of those is wanted any more: ostler secrets retire-file.")
	}
	return nil
}

func placeOf(h secrets.HomeName) string {
	if h == secrets.HomeVault {
		return "Vault"
	}
	return "the keyring"
}

// signerToVault brings the signer's key into Vault with a person's token.
func (h *house) signerToVault(ctx context.Context, token string, w io.Writer) error {
	dir := h.config.Signer.KeyDir
	if token == "" {
		return controlplane.Errorf(controlplane.CodeInvalid, "Sign in to Vault, and set VAULT_TOKEN for this one command. Its policy: ostler secrets policy --for import", "There is no token to put the key into Vault with")
	}
	key, err := signer.FileKey(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return controlplane.Errorf(controlplane.CodeNotFound, "Run this where ostler signer has its key, or start ostler signer once.", "There is no key of the signer in %s", dir)
	}
	if err != nil {
		return err
	}
	public := key.Public().(ed25519.PublicKey)
	v, err := vault.WithToken(h.config.vaultOptions(nil), token)
	if err != nil {
		return err
	}
	if err := v.ImportSigner(ctx, key); err != nil {
		return err
	}
	there, err := v.SigningKey(ctx, public)
	if err != nil {
		return err
	}
	if _, err := there.Sign(ctx, []byte("ostler: a proof that the key signs")); err != nil { // Sign verifies
		return err
	}
	aside, err := signer.GiveUp(dir, public)
	if err != nil {
		return err
	}
	if err := h.note(ctx, "secrets.signer_moved", secrets.HomeVault); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "The key that signs jobs is in Vault, and hosts trust it as before.\nTake %s away from this machine and keep it: it is the only way back.\nThen start ostler signer again, with signer.vault_role_id set.\n", aside)
	return err
}

func (h *house) signerToFile(ctx context.Context, w io.Writer) error {
	if _, err := signer.TakeBack(h.config.Signer.KeyDir); err != nil {
		return err
	}
	if err := h.note(ctx, "secrets.signer_moved", secrets.HomeFile); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w, "The key that signs jobs is a file again. Start ostler signer again, and delete the key in Vault.")
	return err
}

func (h *house) note(ctx context.Context, kind string, to secrets.HomeName) error {
	return h.db.Write(ctx, func(tx *db.Tx) error {
		_, err := h.ledger.Append(tx, ledger.Entry{Kind: kind, Data: map[string]any{"to": string(to)}})
		return err
	})
}
