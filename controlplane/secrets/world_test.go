package secrets_test

import (
	"crypto/ed25519"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/policy"
	"ostler/controlplane/secrets"
	"ostler/controlplane/secrets/vault"
	"ostler/controlplane/secrets/vaulttest"
)

// coreProgram names the program of tools/vault; "make test-vault" sets it.
const coreProgram = "OSTLERTEST_VAULT_CORE"

// startFake starts the fake.
func startFake(t testing.TB) (vaulttest.Server, *vaulttest.Fake) {
	t.Helper()
	f := vaulttest.New()
	t.Cleanup(f.Close)
	s := f.Server()
	try(t, s.Engines(t.Context()))
	return s, f
}

// startCore starts a real Vault, or skips.
func startCore(t testing.TB) vaulttest.Server {
	t.Helper()
	program := os.Getenv(coreProgram)
	if program == "" {
		t.Skip("a real Vault: make test-vault")
	}
	out := filepath.Join(t.TempDir(), "core.json")
	cmd := exec.Command(program, "-out", out)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	try(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		s, err := vaulttest.ReadCore(out)
		if err == nil {
			try(t, s.Engines(t.Context()))
			return s
		}
		if !errors.Is(err, fs.ErrNotExist) || time.Now().After(deadline) {
			t.Fatal("the core did not start: ", err)
		}
	}
}

// eachVault runs a test on the fake and, where there is one, on a real Vault.
func eachVault(t *testing.T, fn func(t *testing.T, s vaulttest.Server)) {
	t.Run("fake", func(t *testing.T) { s, _ := startFake(t); fn(t, s) })
	t.Run("core", func(t *testing.T) { fn(t, startCore(t)) })
}

// enter signs in as the plane with a role of that sort.
func enter(t testing.TB, s vaulttest.Server, r vaulttest.Role) *vault.Client {
	t.Helper()
	o, err := s.Enter(t.Context(), t.TempDir(), vault.PartPlane, r)
	try(t, err)
	return open(t, o)
}

func open(t testing.TB, o vault.Options) *vault.Client {
	t.Helper()
	c, err := vault.Open(t.Context(), o)
	try(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// inVault opens a keeper whose keys are in Vault from the first one on.
func inVault(t testing.TB, d *db.DB, dir string, c *vault.Client) *secrets.Keeper {
	t.Helper()
	k, err := secrets.Open(t.Context(), d, dir, secrets.Options{Vault: c})
	try(t, err)
	if _, err := k.Move(t.Context(), secrets.HomeVault, secrets.MoveOptions{Holder: "set-up"}); err != nil {
		t.Fatal(err)
	}
	return k
}

// table is a slice's table of credentials, in the settings of the database.
type table struct{}

const tableName = "credentials_of_test"

func (table) Credentials(tx *db.Tx, _ policy.Scope) (out []secrets.StoredCredential, err error) {
	var rows []struct {
		Name  string
		Value []byte
	}
	err = tx.Raw("SELECT name, value FROM settings WHERE name LIKE 'cus_%' ORDER BY name").Scan(&rows).Error
	for _, r := range rows {
		out = append(out, secrets.StoredCredential{Customer: r.Name, AD: credentialOf(r.Name), Stored: r.Value})
	}
	return out, err
}

func (table) ExchangeCredential(tx *db.Tx, _ policy.Scope, c secrets.StoredCredential, stored []byte) (bool, error) {
	got := tx.Exec("UPDATE settings SET value = ? WHERE name = ? AND value = ?", stored, c.Customer, c.Stored)
	return got.RowsAffected == 1, got.Error
}

func credentialOf(customer string) secrets.AD {
	return secrets.AD{Table: tableName, Column: "config", Row: customer}
}

// putCredential stores a credential and its row.
func putCredential(t testing.TB, d *db.DB, k *secrets.Keeper, customer string, fields map[string]string) []byte {
	t.Helper()
	stored, err := k.StoreCredential(t.Context(), customer, credentialOf(customer), fields)
	try(t, err)
	try(t, d.Write(t.Context(), func(tx *db.Tx) error {
		return tx.Exec("INSERT INTO settings (name, value, updated_at) VALUES (?, ?, 0)", customer, stored).Error
	}))
	return stored
}

// readCredential reads a row and opens what it holds.
func readCredential(t testing.TB, d *db.DB, k *secrets.Keeper, customer string) (map[string]string, []byte, error) {
	t.Helper()
	var stored []byte
	try(t, d.Read(t.Context(), func(tx *db.Tx) error {
		return tx.Raw("SELECT value FROM settings WHERE name = ?", customer).Row().Scan(&stored)
	}))
	fields, err := k.Credential(t.Context(), customer, credentialOf(customer), stored)
	return fields, stored, err
}

func sqlite(t testing.TB) (*db.DB, *dbtest.Clock, string) {
	t.Helper()
	clock := &dbtest.Clock{}
	return dbtest.SQLite(t, clock), clock, filepath.Join(t.TempDir(), "keyring")
}

func trouble(err error) vault.Trouble {
	got, _ := vault.TroubleOf(err)
	return got
}

func newSigner(t *testing.T) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	try(t, err)
	return key
}

func public(key ed25519.PrivateKey) ed25519.PublicKey { return key.Public().(ed25519.PublicKey) }

func sprint(v any) string { return fmt.Sprintf("%v %+v %#v %s %x", v, v, v, v, v) }

func serveHTTP(t *testing.T, fn http.HandlerFunc) *httptest.Server {
	srv := httptest.NewServer(fn)
	t.Cleanup(srv.Close)
	return srv
}

// serveTLS serves with a certificate of an authority of its own, in a file.
func serveTLS(t *testing.T, h http.Handler) (srv *httptest.Server, ca string) {
	srv = httptest.NewUnstartedServer(h)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	ca = filepath.Join(t.TempDir(), "ca.pem")
	try(t, os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), 0o600))
	return srv, ca
}
