package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A demo that was asked for a real Vault, where its core has not been built, goes
// on with the keyring, and says so.
func TestDemoWithoutVaultCore(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("PATH", dir)
	d := &demo{dir: dir, o: demoOptions{vault: true}}
	c := defaults()
	c.DataDir = filepath.Join(dir, "plane")
	file, err := d.signerConfig(t.Context(), &c)
	if err != nil || c.Vault.RoleID != "" || c.Signer.VaultRoleID != "" {
		t.Fatalf("got %v, and roles %q, %q; want a demo without Vault", err, c.Vault.RoleID, c.Signer.VaultRoleID)
	}
	if raw, err := os.ReadFile(file); err != nil || strings.Contains(string(raw), "vault") {
		t.Errorf("the signer's configuration: got %q, %v", raw, err)
	}
	var out bytes.Buffer
	demoReady{Vault: d.vault.note}.print(&out)
	if !strings.Contains(out.String(), "has not been built (make vault-core") || !strings.Contains(out.String(), "the keys are in the keyring") {
		t.Errorf("the closing words: got %s", out.String())
	}
}
