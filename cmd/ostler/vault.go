package main

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"ostler/certs"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/ledger"
	"ostler/controlplane/secrets"
	"ostler/controlplane/secrets/vault"
	"ostler/controlplane/signer"
)

// VaultConfig says where a Vault is and who we are there. What is empty is what
// Vault's own environment says.
type VaultConfig struct {
	Addr      string `koanf:"addr"`
	Namespace string `koanf:"namespace"`
	CAFile    string `koanf:"ca_file"`
	// RoleID is our AppRole; "" stands for no Vault.
	RoleID string `koanf:"role_id"`
	// SecretIDFile holds a wrapping token around a secret id, or the id itself.
	SecretIDFile string `koanf:"secret_id_file"`
	Transit      string `koanf:"transit"`
	KV           string `koanf:"kv"`
	AppRole      string `koanf:"approle"`
	Prefix       string `koanf:"prefix"`
}

func defaultVault() VaultConfig {
	return VaultConfig{Transit: "transit", KV: "secret", AppRole: "approle", Prefix: "ostler"}
}

// vaultOptions are the plane's way to Vault.
func (c Config) vaultOptions(log *slog.Logger) vault.Options {
	v := c.Vault
	return vault.Options{Addr: v.Addr, Namespace: v.Namespace, CAFile: v.CAFile, Transit: v.Transit, KV: v.KV, Prefix: v.Prefix, Auth: v.AppRole,
		RoleID: v.RoleID, SecretIDFile: v.SecretIDFile, KeptFile: filepath.Join(c.DataDir, "vault", "secret-id"), Log: log}
}

// signerVaultOptions are the signer's: a role of its own, which may sign and
// nothing else.
func (c Config) signerVaultOptions(log *slog.Logger) vault.Options {
	o := c.vaultOptions(log)
	o.RoleID, o.SecretIDFile = c.Signer.VaultRoleID, c.Signer.VaultSecretIDFile
	o.KeptFile, o.Timeout = filepath.Join(c.Signer.KeyDir, "vault-secret-id"), signerPatience
	return o
}

// signerPatience is shorter than the plane's with the signer.
const signerPatience = 4 * time.Second

// openKeeper opens the keyring and, where one is configured, Vault. The caller
// closes what it gets.
func (c Config) openKeeper(ctx context.Context, d *db.DB, log *slog.Logger) (*secrets.Keeper, func() error, error) {
	closer := func() error { return nil }
	o := secrets.Options{Log: log}
	if c.Vault.RoleID != "" {
		v, err := vault.Open(ctx, c.vaultOptions(log))
		if err != nil {
			return nil, closer, err
		}
		o.Vault, closer = v, v.Close
	}
	k, err := secrets.Open(ctx, d, filepath.Join(c.DataDir, "keyring"), o)
	if err != nil {
		return nil, func() error { return nil }, joinClose(err, closer)
	}
	k.AddCredentials(certs.Credentials{})
	return k, closer, nil
}

func joinClose(err error, closer func() error) error {
	if cerr := closer(); cerr != nil {
		return fmt.Errorf("%w (and %v)", err, cerr)
	}
	return err
}

// recordKeys enters in the ledger what is done to keys.
func recordKeys(k *secrets.Keeper, l *ledger.Ledger) {
	k.RecordBy(func(tx *db.Tx, kind string, data map[string]any) error {
		subject, _ := data["customer"].(string)
		_, err := l.Append(tx, ledger.Entry{Kind: kind, Subject: subject, Data: data})
		return err
	})
}

// signingKey opens the key that hosts trust, where it is: in its file, or in
// Vault. A Vault that is away is asked again with every signature.
func (c Config) signingKey(ctx context.Context, log *slog.Logger) (signer.Key, func(), error) {
	public, err := signer.InVault(c.Signer.KeyDir)
	if err != nil {
		return nil, nil, err
	}
	if public == nil {
		key, err := signer.OpenKey(c.Signer.KeyDir)
		if err != nil {
			return nil, nil, err
		}
		return signer.InFile(key), func() {}, nil
	}
	if c.Signer.VaultRoleID == "" {
		return nil, nil, controlplane.Errorf(controlplane.CodeUnavailable, "Set signer.vault_role_id and signer.vault_secret_id_file.",
			"The key that signs jobs is in Vault, and the configuration names no role for the signer")
	}
	v, err := vault.Start(ctx, c.signerVaultOptions(log))
	if err != nil {
		return nil, nil, err
	}
	return vaultKey{v, public}, func() { _ = v.Close() }, nil
}

// vaultKey signs with the transit key whose public half hosts trust.
type vaultKey struct {
	v      *vault.Client
	public ed25519.PublicKey
}

func (k vaultKey) Public() ed25519.PublicKey { return k.public }

func (k vaultKey) Sign(ctx context.Context, message []byte) ([]byte, error) {
	key, err := k.v.SigningKey(ctx, k.public)
	if err != nil {
		return nil, err
	}
	return key.Sign(ctx, message)
}

func (k vaultKey) Ready(ctx context.Context) error {
	_, err := k.v.SigningKey(ctx, k.public)
	return err
}
