package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/jobs"
	"ostler/controlplane/secrets"
	"ostler/controlplane/secrets/vault"
	"ostler/controlplane/secrets/vaulttest"
	"ostler/controlplane/signer"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// vaultPlane is a configuration of a plane and a signer that sign in to a fake.
func vaultPlane(t *testing.T) (Config, *vaulttest.Fake) {
	t.Helper()
	fake := vaulttest.New()
	t.Cleanup(fake.Close)
	s := fake.Server()
	must(t, s.Engines(t.Context()))
	dir := t.TempDir()
	plane, err := s.Enter(t.Context(), dir, vault.PartPlane, vaulttest.Role{})
	must(t, err)
	sign, err := s.Enter(t.Context(), dir, vault.PartSigner, vaulttest.Role{})
	must(t, err)
	c := defaults()
	c.DataDir = filepath.Join(dir, "data")
	c.Vault.Addr, c.Vault.RoleID, c.Vault.SecretIDFile = plane.Addr, plane.RoleID, plane.SecretIDFile
	c.Signer.VaultRoleID, c.Signer.VaultSecretIDFile = sign.RoleID, sign.SecretIDFile
	c.Signer.Socket = filepath.Join(dir, "s")
	c, err = c.complete()
	must(t, err)
	return c, fake
}

func vaultApp(t *testing.T, c Config) *App {
	t.Helper()
	a, err := OpenApp(t.Context(), c, AppOptions{})
	must(t, err)
	t.Cleanup(func() { _ = a.Close() })
	return a
}

// TestVaultIsWatched seals Vault under a plane: a finding opens, what is new
// waits with cause and next step, what is there goes on, and all of it passes.
func TestVaultIsWatched(t *testing.T) {
	c, fake := vaultPlane(t)
	a := vaultApp(t, c)
	ctx := controlplane.System(t.Context(), "test")
	_, err := a.Keeper.Move(ctx, secrets.HomeVault, secrets.MoveOptions{Holder: "test"})
	must(t, err)
	maple, err := a.Customers.CreateCustomer(ctx, everyone, customers.NewCustomer{Name: "Maple", Country: "DE", Zone: "Europe/Berlin"})
	must(t, err)
	seen := vaultSeen{}
	look := func(want ...string) {
		t.Helper()
		must(t, a.lookAtVault(ctx, a.Keeper.Vault(), &seen, time.Now()))
		list, _, err := a.Findings.List(ctx, everyone, findings.Filter{})
		must(t, err)
		var got []string
		for _, f := range list {
			title, cause, next := findings.Sentence("en", f)
			if title == "" || cause == "" || next == "" {
				t.Errorf("%s: got %q, %q, %q", f.Kind, title, cause, next)
			}
			got = append(got, f.Kind)
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("findings: got %q, want %q", got, want)
		}
	}
	look()
	fake.Seal(true)
	look(findings.VaultSealed)
	look(findings.VaultSealed)
	_, err = a.Customers.CreateCustomer(ctx, everyone, customers.NewCustomer{Name: "Pear", Country: "DE", Zone: "Europe/Berlin"})
	var e *controlplane.Error
	if !errors.As(err, &e) || !strings.Contains(e.Message, "is sealed") || e.Next == "" {
		t.Errorf("a new customer: got %v, want that Vault is sealed", err)
	}
	if _, err := a.Customers.GetCustomer(ctx, everyone, maple.ID); err != nil {
		t.Errorf("a customer who is there: %v", err)
	}
	if _, _, err := a.Identity.Bootstrap(ctx, "ada@ostler.example", "Ada Keller"); err != nil {
		t.Errorf("a link to sign in with: %v", err)
	}
	must(t, a.Keeper.Destroy(ctx, maple.ID))
	fake.Seal(false)
	look()
	_, err = a.Customers.CreateCustomer(ctx, everyone, customers.NewCustomer{Name: "Pear", Country: "DE", Zone: "Europe/Berlin"})
	must(t, err)

	// What was erased meanwhile is destroyed in Vault by a job.
	before := len(fake.Keys())
	must(t, a.DB.Write(ctx, func(tx *db.Tx) error {
		if due, err := a.Keeper.Removals(tx); err != nil || !due {
			t.Errorf("removals: got %v, %v, want one due", due, err)
		}
		return nil
	}))
	run, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- a.Jobs.Run(run) }()
	must(t, a.DB.Write(ctx, func(tx *db.Tx) error {
		_, err := a.Jobs.Enqueue(tx, jobs.Spec{Kind: removeKeys, Executor: jobs.Plane, Title: "job.keys_remove"})
		return err
	}))
	for deadline := time.Now().Add(time.Minute); len(fake.Keys()) != before-1; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("keys in Vault: got %q, want one less than %d", fake.Keys(), before)
		}
	}
	stop()
	must(t, <-done)

	// The token cannot be renewed any more.
	must(t, a.lookAtVault(ctx, a.Keeper.Vault(), &seen, time.Now().Add(59*time.Minute)))
	list, _, err := a.Findings.List(ctx, everyone, findings.Filter{})
	must(t, err)
	if len(list) != 1 || list[0].Kind != findings.VaultToken {
		t.Errorf("near the token's end: got %v, want %s", list, findings.VaultToken)
	}
	look()
	fake.Close()
	look(findings.VaultUnreachable)
}

// TestSignerMoves brings the key of a signer into Vault and back: hosts see the
// same key, a sealed Vault names itself, and no second key is ever made.
func TestSignerMoves(t *testing.T) {
	c, fake := vaultPlane(t)
	key, err := signer.OpenKey(c.Signer.KeyDir)
	must(t, err)
	want := key.Public().(ed25519.PublicKey)
	a := vaultApp(t, c)
	h := &house{config: c, db: a.DB, keeper: a.Keeper, ledger: a.Ledger}
	var out bytes.Buffer
	if err := h.signerToVault(t.Context(), "", &out); controlplane.ErrorCode(err) != controlplane.CodeInvalid {
		t.Errorf("without a token: got %v", err)
	}
	token, err := fake.Server().Token(t.Context(), vault.PartImport)
	must(t, err)
	ctx := controlplane.System(t.Context(), "test")
	for range 2 { // the second finds all done
		must(t, h.signerToVault(ctx, token, &out))
	}
	aside := filepath.Join(c.Signer.KeyDir, "signer.pem.moved")
	if !strings.Contains(out.String(), aside) {
		t.Errorf("got %q, want the file that is to be kept", out.String())
	}
	if _, err := signer.OpenKey(c.Signer.KeyDir); controlplane.ErrorCode(err) != controlplane.CodeConflict {
		t.Errorf("the file's key: got %v, want that it is in Vault", err)
	}
	copied := filepath.Join(t.TempDir(), "copy.pem")
	must(t, os.Rename(aside, copied))

	client, stop := runSigner(t, c)
	envelope := wire.Envelope{Job: controlplane.NewID(controlplane.PrefixJob), Server: controlplane.NewID(controlplane.PrefixServer),
		Action: wire.ActionBackup, Resource: "rep", Params: []byte(`{}`), NotBefore: 1000, ExpiresAt: 61000}
	// A signer answers within seconds or not at all; a busy machine asks again.
	sign := func(want string) (signed wire.SignedEnvelope, err error) {
		for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
			signed, err = client.Sign(t.Context(), envelope)
			if want == "" && err == nil || err != nil && want != "" && strings.Contains(err.Error(), want) {
				break
			}
		}
		return signed, err
	}
	signed, err := sign("")
	must(t, err)
	if _, err := wire.Verify([][]byte{want}, signed); err != nil {
		t.Errorf("hosts do not take it: %v", err)
	}
	if keys, err := client.Keys(t.Context()); err != nil || len(keys) != 1 || !want.Equal(ed25519.PublicKey(keys[0])) {
		t.Errorf("keys: got %x, %v", keys, err)
	}
	fake.Seal(true)
	var e *controlplane.Error
	if _, err := sign("is sealed"); !errors.As(err, &e) || e.Code != controlplane.CodeUnavailable || !strings.Contains(e.Message, "Jobs cannot be signed: Vault at") || !strings.Contains(e.Next, "Unseal") {
		t.Errorf("sealed: got %v", err)
	}
	if err := client.Ping(t.Context()); controlplane.ErrorCode(err) != controlplane.CodeUnavailable {
		t.Errorf("sealed, a sign of life: got %v, want that it cannot sign", err)
	}
	stop()
	client, stop = runSigner(t, c) // it starts while Vault is sealed
	if _, err := sign("is sealed"); err == nil {
		t.Error("signed by a sealed Vault")
	}
	fake.Seal(false)
	if _, err := sign(""); err != nil {
		t.Errorf("opened again: %v", err)
	}
	stop()

	if err := h.signerToFile(ctx, io.Discard); !errors.As(err, &e) || !strings.Contains(e.Next, aside) {
		t.Errorf("back without the file: got %v", err)
	}
	foreign := filepath.Join(t.TempDir(), "foreign")
	_, err = signer.OpenKey(foreign)
	must(t, err)
	raw, err := os.ReadFile(filepath.Join(foreign, "signer.pem"))
	must(t, err)
	must(t, os.WriteFile(aside, raw, 0o600))
	if err := h.signerToFile(ctx, io.Discard); !errors.As(err, &e) || !strings.Contains(e.Message, "not the key that hosts trust") {
		t.Errorf("back with another key: got %v", err)
	}
	must(t, os.Rename(copied, aside))
	must(t, h.signerToFile(ctx, io.Discard))
	if again, err := signer.OpenKey(c.Signer.KeyDir); err != nil || !again.Equal(key) {
		t.Errorf("back in its file: another key, %v", err)
	}
}

func runSigner(t *testing.T, c Config) (*signer.Client, func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	key, closeKey, err := c.signingKey(ctx, c.Log.logger(io.Discard))
	must(t, err)
	ln, err := signer.Listen(c.Signer.Socket)
	must(t, err)
	done := make(chan error, 1)
	go func() { done <- signer.Serve(ctx, ln, key, nil) }()
	client := signer.Dial(c.Signer.Socket)
	stopped := false
	stop := func() {
		if stopped {
			return
		}
		stopped = true
		client.Close()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		closeKey()
	}
	t.Cleanup(stop)
	return client, stop
}

// TestCheckVault has the doctor try a Vault as a configuration names it.
func TestCheckVault(t *testing.T) {
	c, fake := vaultPlane(t)
	config := func(role string) string {
		return configFile(t, "data_dir: "+c.DataDir+"\nvault:\n  addr: "+c.Vault.Addr+"\n  role_id: "+role+"\n  secret_id_file: "+c.Vault.SecretIDFile+"\n")
	}
	check := func(name, path string, want ...string) {
		t.Helper()
		got := checkVault(t.Context(), path, time.Minute)
		if len(got) != len(want) {
			t.Fatalf("%s: got %+v, want %q", name, got, want)
		}
		for i, v := range got {
			if line := v.Check + " " + v.State + " " + v.Detail; !strings.HasPrefix(line, want[i]) || (v.Next == "") != (v.State == "ok") {
				t.Errorf("%s: got %q, next %q, want %q", name, line, v.Next, want[i])
			}
		}
	}
	check("wrapped", config(c.Vault.RoleID), "vault ok ", "  sign-in unknown the secret id is still wrapped")
	a := vaultApp(t, c) // opens it, and keeps it
	check("good", config(c.Vault.RoleID), "vault ok http://127.0.0.1", "  sign-in ok ", "  rights ok all")
	check("wrong role", config("nobody"), "vault ok ", "  sign-in bad Vault at ")
	must(t, fake.Server().SetPolicy(t.Context(), vault.PartPlane, `path "transit/keys/ostler-data-*" { capabilities = ["create", "read", "update", "delete"] }`))
	check("denied", config(c.Vault.RoleID), "vault ok ", "  sign-in ok ", "  rights bad our policy lacks transit/encrypt/ostler-data-*: update; ")
	fake.Seal(true)
	check("sealed", config(c.Vault.RoleID), "vault bad Vault at ")
	check("none", configFile(t, "vault:\n  role_id: \"\"\n"))
	must(t, a.Close())
}
