package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"ostler/controlplane"
	"ostler/controlplane/secrets"
	"ostler/controlplane/secrets/vault"
	"ostler/controlplane/secrets/vaulttest"
	"ostler/controlplane/signer"
)

// demoVault is the real Vault of a demo, in memory, and what is said of it.
type demoVault struct {
	server vaulttest.Server
	root   string // file with address and root token
	note   string // for the closing words
}

// startVault starts HashiCorp's own core where it was built, and signs plane and
// signer in to it, each by a role of its own with a wrapped secret id.
func (d *demo) startVault(ctx context.Context, c *Config) error {
	if !d.o.vault {
		return nil
	}
	core, err := program("vault-core", "run “make vault-core”")
	if err != nil {
		d.vault.note = "Vault               its core has not been built (make vault-core, ten minutes); the keys are in the keyring"
		return nil
	}
	dir := filepath.Join(d.dir, "vault")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("demo: vault: %w", err)
	}
	d.vault.root = filepath.Join(dir, "core.json")
	if _, err := d.procs.start("vault", core, "-out", d.vault.root); err != nil {
		return err
	}
	var rerr error
	if err := waitFor(ctx, "Vault", func() bool {
		d.vault.server, rerr = vaulttest.ReadCore(d.vault.root)
		return !errors.Is(rerr, fs.ErrNotExist)
	}); err != nil || rerr != nil {
		return errors.Join(err, rerr)
	}
	if err := d.vault.server.Engines(ctx); err != nil {
		return fmt.Errorf("demo: vault: %w", err)
	}
	plane, err := d.vault.server.Enter(ctx, dir, vault.PartPlane, vaulttest.Role{})
	if err != nil {
		return fmt.Errorf("demo: vault: %w", err)
	}
	sign, err := d.vault.server.Enter(ctx, dir, vault.PartSigner, vaulttest.Role{})
	if err != nil {
		return fmt.Errorf("demo: vault: %w", err)
	}
	c.Vault.Addr, c.Vault.RoleID, c.Vault.SecretIDFile = plane.Addr, plane.RoleID, plane.SecretIDFile
	c.Signer.VaultRoleID, c.Signer.VaultSecretIDFile = sign.RoleID, sign.SecretIDFile
	d.vault.note = fmt.Sprintf("Vault               real, in memory, at %s; data keys and the signer's key are in it; root token in %s", d.vault.server.Addr, d.vault.root)
	return d.signerInVault(ctx, *c)
}

// signerInVault makes the signer's key and moves it, before the signer starts.
func (d *demo) signerInVault(ctx context.Context, c Config) error {
	key, err := signer.OpenKey(c.Signer.KeyDir)
	if err != nil {
		return err
	}
	token, err := d.vault.server.Token(ctx, vault.PartImport)
	if err != nil {
		return fmt.Errorf("demo: vault: %w", err)
	}
	person, err := vault.WithToken(c.vaultOptions(nil), token)
	if err != nil {
		return err
	}
	if err := person.ImportSigner(ctx, key); err != nil {
		return err
	}
	_, err = signer.GiveUp(c.Signer.KeyDir, signer.InFile(key).Public())
	return err
}

// signerConfig starts Vault, where one is asked for, and writes the signer's
// configuration.
func (d *demo) signerConfig(ctx context.Context, c *Config) (file string, err error) {
	if err := d.startVault(ctx, c); err != nil {
		return "", err
	}
	text := fmt.Sprintf("data_dir: %q\nsigner:\n  socket: %q\n  key_dir: %q\n", c.DataDir, c.Signer.Socket, c.Signer.KeyDir)
	if c.Signer.VaultRoleID != "" {
		text += fmt.Sprintf("  vault_role_id: %q\n  vault_secret_id_file: %q\nvault:\n  addr: %q\n", c.Signer.VaultRoleID, c.Signer.VaultSecretIDFile, c.Vault.Addr)
	}
	file = filepath.Join(d.dir, "signer.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return "", fmt.Errorf("demo: %w", err)
	}
	return file, nil
}

// keysToVault moves the first keys, so that all others are made in Vault.
func (d *demo) keysToVault(ctx context.Context) error {
	if d.app.Keeper.Vault() == nil {
		return nil
	}
	_, err := d.app.Keeper.Move(controlplane.System(ctx, "demo"), secrets.HomeVault, secrets.MoveOptions{Holder: "the demo"})
	return err
}
