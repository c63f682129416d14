package helper_test

import (
	"crypto/ecdh"
	"crypto/hpke"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"ostler/agents/host/helper"
	"ostler/agents/wire"
)

func TestFetch(t *testing.T) {
	tests := []struct {
		name   string
		change func(f *helper.Fetch, e *engine, o *helper.Options)
		want   wire.Cause
	}{
		{"good", func(*helper.Fetch, *engine, *helper.Options) {}, ""},
		{"larger than allowed", func(f *helper.Fetch, _ *engine, _ *helper.Options) { f.MaxBytes = 3 }, wire.CausePolicy},
		{"no space", func(_ *helper.Fetch, _ *engine, o *helper.Options) {
			o.Free = func(string) (int64, error) { return 10, nil }
		}, wire.CauseDiskFull},
		{"reserve would go", func(_ *helper.Fetch, e *engine, o *helper.Options) {
			o.Reserve, o.Free = 100, func(string) (int64, error) { return e.node.Size + 99, nil }
		}, wire.CauseDiskFull},
		{"over the quota", func(_ *helper.Fetch, e *engine, o *helper.Options) { o.StagingQuota = e.node.Size - 1 }, wire.CauseDiskFull},
		{"no space in the middle", func(_ *helper.Fetch, e *engine, _ *helper.Options) { e.fail = syscall.ENOSPC }, wire.CauseDiskFull},
		{"a folder", func(_ *helper.Fetch, e *engine, _ *helper.Options) { e.node.Type = wire.NodeDir }, wire.CauseUnsafePath},
		{"a job with a path for an id", func(f *helper.Fetch, _ *engine, _ *helper.Options) { f.Job = "../x" }, wire.CausePolicy},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e, f, state := newEngine(), helper.Fetch{Job: "job_1", Snapshot: "s", Path: []byte("/srv/f")}, ""
			h := newHelper(t, t.TempDir(), e, func(o *helper.Options) {
				tt.change(&f, e, o)
				state = o.State
			})
			got, err := h.Fetch(t.Context(), f, nil)
			if tt.want != "" {
				wantCause(t, err, tt.want)
				if left := names(t, filepath.Join(state, "staging")); left != "" {
					t.Errorf("left in staging: %s", left)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if b, err := os.ReadFile(got.Path); err != nil || string(b) != e.data || got.Size != e.node.Size || len(got.SHA256) != 64 {
				t.Errorf("got %+v, %q, %v", got, b, err)
			}
			if info, err := os.Stat(got.Path); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("got %v, %v; want mode 0600", info.Mode(), err)
			}
			if err := h.Discard(t.Context(), f.Job); err != nil {
				t.Fatal(err)
			}
			if left := names(t, filepath.Join(state, "staging")); left != "" {
				t.Errorf("after Discard: %s", left)
			}
		})
	}
}

func TestPrepareKey(t *testing.T) {
	kem := hpke.DHKEM(ecdh.X25519())
	private, err := kem.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	public := private.PublicKey().Bytes()
	state := t.TempDir()
	h := newHelper(t, t.TempDir(), newEngine(), func(o *helper.Options) { o.State = state })
	open := func(sealed []byte, repository string) (string, error) {
		b, err := hpke.Open(private, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte(wire.HPKEInfo+repository), sealed)
		return string(b), err
	}
	k, err := h.PrepareKey(t.Context(), helper.KeyRequest{Repository: "rep_1", EscrowKey: public, RevealKey: public})
	if err != nil {
		t.Fatal(err)
	}
	password, err := open(k.EscrowSealed, "rep_1")
	if err != nil {
		t.Fatal(err)
	}
	if parsed, err := wire.ParseRecoveryKey(password); err != nil || parsed != password {
		t.Errorf("password is not a recovery key: %v", err)
	}
	if shown, err := open(k.RevealSealed, "rep_1"); err != nil || shown != password {
		t.Errorf("reveal: got another password, %v", err)
	}
	if _, err := open(k.EscrowSealed, "rep_2"); err == nil {
		t.Error("a seal opens under another repository's name")
	}
	if got, want := k.Fingerprint, wire.KeyFingerprint(password); got != want {
		t.Errorf("fingerprint: got %s, want %s", got, want)
	}
	again, err := h.PrepareKey(t.Context(), helper.KeyRequest{Repository: "rep_1"})
	if err != nil || again.Fingerprint != k.Fingerprint || again.EscrowSealed != nil || again.RevealSealed != nil {
		t.Errorf("again: got %+v, %v", again, err)
	}
	other, err := h.PrepareKey(t.Context(), helper.KeyRequest{Repository: "rep_2"})
	if err != nil || other.Fingerprint == k.Fingerprint {
		t.Errorf("another repository: got %+v, %v", other, err)
	}
	file := filepath.Join(state, "helper/keys/rep_1.key")
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v; want mode 0600", info.Mode(), err)
	}

	_, err = h.PrepareKey(t.Context(), helper.KeyRequest{Repository: "../x"})
	wantCause(t, err, wire.CausePolicy)
	_, err = h.PrepareKey(t.Context(), helper.KeyRequest{Repository: "rep_1", EscrowKey: make([]byte, 5)})
	wantCause(t, err, wire.CauseUnsupported)
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(strings.ToLower(string(b[:20]))), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = h.PrepareKey(t.Context(), helper.KeyRequest{Repository: "rep_1"})
	wantCause(t, err, wire.CauseNoKey)
}

func TestOldRestic(t *testing.T) {
	script := filepath.Join(t.TempDir(), "restic")
	write := func(version string) {
		t.Helper()
		text := "#!/bin/sh\n[ \"$1\" = version ] && echo 'restic " + version + " compiled with go1.19' && exit 0\nexit 10\n"
		if err := os.WriteFile(script, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	h, err := helper.NewLocal(helper.Options{State: t.TempDir(), Root: t.TempDir(), Restic: script})
	if err != nil {
		t.Fatal(err)
	}
	write("0.14.0")
	_, err = h.Backup(t.Context(), helper.Backup{Repo: helper.Repo{ID: "rep_1"}, Paths: []string{"/"}}, nil)
	wantCause(t, err, wire.CauseUnsupported)
	write("0.19.1") // replaced: what fails now is something else
	_, err = h.Backup(t.Context(), helper.Backup{Repo: helper.Repo{ID: "rep_1"}, Paths: []string{"/"}}, nil)
	wantCause(t, err, wire.CauseNoKey)
}
