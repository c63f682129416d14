package signer_test

import (
	"context"
	"crypto/ed25519"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/signer"
)

func envelope() wire.Envelope {
	return wire.Envelope{Job: controlplane.NewID(controlplane.PrefixJob), Server: controlplane.NewID(controlplane.PrefixServer),
		Action: wire.ActionBackup, Resource: "rep", Params: []byte(`{"plan":"p"}`), NotBefore: 1000, ExpiresAt: 61000}
}

// start runs a signer until the test ends and returns its client and key.
func start(t *testing.T) (*signer.Client, ed25519.PrivateKey) {
	t.Helper()
	dir := t.TempDir()
	key, err := signer.OpenKey(filepath.Join(dir, "keys"))
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "s")
	ln, err := signer.Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- signer.Serve(ctx, ln, signer.InFile(key), nil) }()
	c := signer.Dial(socket)
	t.Cleanup(func() {
		c.Close()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return c, key
}

func TestSign(t *testing.T) {
	c, key := start(t)
	keys, err := c.Keys(t.Context())
	public := key.Public().(ed25519.PublicKey)
	if err != nil || len(keys) != 1 || !slices.Equal(keys[0], public) {
		t.Fatalf("keys: got %x, %v, want %x", keys, err, public)
	}
	got, err := c.Sign(t.Context(), envelope())
	if err != nil {
		t.Fatal(err)
	}
	if !ed25519.Verify(public, append([]byte(wire.SignContext), got.Payload...), got.Signature) {
		t.Error("the signature does not verify")
	}
	if got.KeyID != wire.KeyID(public) {
		t.Errorf("key id: got %s, want %s", got.KeyID, wire.KeyID(public))
	}
	if ed25519.Verify(public, got.Payload, got.Signature) {
		t.Error("the signature verifies without its context")
	}
}

func TestSignRefuses(t *testing.T) {
	c, _ := start(t)
	tests := []struct {
		name  string
		spoil func(*wire.Envelope)
	}{
		{"no job", func(e *wire.Envelope) { e.Job = "" }},
		{"no server", func(e *wire.Envelope) { e.Server = "cus_x" }},
		{"unknown action", func(e *wire.Envelope) { e.Action = "shell.run" }},
		{"never expires", func(e *wire.Envelope) { e.ExpiresAt = 0 }},
		{"expires first", func(e *wire.Envelope) { e.ExpiresAt = e.NotBefore }},
		{"lives too long", func(e *wire.Envelope) { e.ExpiresAt = e.NotBefore + (91 * 24 * time.Hour).Milliseconds() }},
		{"negative limit", func(e *wire.Envelope) { e.TimeoutSeconds = -1 }},
		{"long parameters", func(e *wire.Envelope) { e.Params = append(append([]byte(`"`), make([]byte, 1<<20)...), '"') }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := envelope()
			tt.spoil(&e)
			if tt.name == "long parameters" {
				for i := 1; i < len(e.Params)-1; i++ {
					e.Params[i] = 'a'
				}
			}
			if _, err := c.Sign(t.Context(), e); controlplane.ErrorCode(err) != controlplane.CodeInvalid {
				t.Errorf("got %v, want invalid", err)
			}
		})
	}
}

func TestSignerDown(t *testing.T) {
	c := signer.Dial(filepath.Join(t.TempDir(), "none"))
	if _, err := c.Sign(t.Context(), envelope()); controlplane.ErrorCode(err) != controlplane.CodeUnavailable {
		t.Errorf("got %v, want unavailable", err)
	}
}

func TestOpenKey(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	first, err := signer.OpenKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	again, err := signer.OpenKey(dir)
	if err != nil || !first.Equal(again) {
		t.Fatalf("a second start has another key (%v)", err)
	}
	path := filepath.Join(dir, "signer.pem")
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := signer.OpenKey(dir); err == nil {
		t.Error("a key that others can read was taken")
	}
	if err := os.WriteFile(path, []byte("torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	_ = os.Chmod(path, 0o600)
	if _, err := signer.OpenKey(dir); err == nil {
		t.Error("a torn key file was taken or replaced")
	}
}

func TestListenTwice(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	ln, err := signer.Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if _, err := signer.Listen(socket); err == nil {
		t.Error("two signers on one socket")
	}
}
