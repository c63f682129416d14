package restic_test

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ostler/agents/wire"
	"ostler/backups/restic"
)

func TestInit(t *testing.T) {
	skipShort(t)
	t.Parallel()
	r, d := newRepo(t)
	if err := os.RemoveAll(d.repo); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Snapshots(t.Context()); wantCause(t, err, wire.CauseNoRepository) == nil {
		return
	}
	first, err := r.Init(t.Context())
	if err != nil || !first.Created || len(first.ResticID) != 64 {
		t.Fatalf("got %+v, %v", first, err)
	}
	if all, err := r.Snapshots(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("a new repository: got %v, %v", all, err)
	}
	again, err := r.Init(t.Context())
	if err != nil || again.Created || again.ResticID != first.ResticID {
		t.Errorf("a second time got %+v, %v", again, err)
	}
	r.PasswordFile = passwordFile(t, t.TempDir(), "another password")
	_, err = r.Init(t.Context())
	if e := wantCause(t, err, wire.CauseWrongPassword); e.Exit != 12 {
		t.Errorf("got exit %d", e.Exit)
	}
}

// What the probe finds out costs no run of restic.
func TestProbe(t *testing.T) {
	t.Parallel()
	var how func(http.ResponseWriter, *http.Request) bool
	socket := listenUnix(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { how(w, r) }))
	silent, _ := hang("", "")
	for _, c := range []struct {
		name string
		how  func(http.ResponseWriter, *http.Request) bool
		want wire.Cause
	}{
		{"unauthorised", answer("", "", 401), wire.CauseStoreRefused},
		{"forbidden", answer("", "", 403), wire.CauseStoreRefused},
		{"full", answer("", "", 507), wire.CauseStoreFull},
		{"bad gateway", answer("", "", 502), wire.CauseStoreUnreachable},
		{"not a store", answer("", "", 302), wire.CauseStoreUnreachable},
		{"absent", answer("", "", 404), wire.CauseNoRepository},
		{"silent", silent, wire.CauseStoreUnreachable},
	} {
		t.Run(c.name, func(t *testing.T) {
			how = c.how
			r := &restic.Repo{Binary: "/nonexistent", Socket: socket, Path: "/u/n/", PasswordFile: passwordFile(t, t.TempDir(), "x"),
				Limits: restic.Limits{Probe: 200 * time.Millisecond}}
			_, err := r.Snapshots(t.Context())
			wantCause(t, err, c.want)
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		r := &restic.Repo{Binary: "/nonexistent", Socket: socket + "x", PasswordFile: passwordFile(t, t.TempDir(), "x")}
		_, err := r.Snapshots(t.Context())
		wantCause(t, err, wire.CauseStoreUnreachable)
	})
	t.Run("no password here", func(t *testing.T) {
		r := &restic.Repo{Binary: "/nonexistent", Socket: socket, PasswordFile: filepath.Join(t.TempDir(), "none")}
		_, err := r.Snapshots(t.Context())
		wantCause(t, err, wire.CauseNoKey)
	})
	t.Run("an open password file", func(t *testing.T) {
		name := passwordFile(t, t.TempDir(), "x")
		if err := os.Chmod(name, 0o640); err != nil {
			t.Fatal(err)
		}
		_, err := (&restic.Repo{Binary: "/nonexistent", Socket: socket, PasswordFile: name}).Snapshots(t.Context())
		wantCause(t, err, wire.CausePolicy)
	})
}

// What the store does while a backup runs is told apart, and ends it.
func TestStoreFailsDuringBackup(t *testing.T) {
	skipShort(t)
	t.Parallel()
	silent, _ := hang("POST", "/data/")
	for _, c := range []struct {
		name string
		how  func(http.ResponseWriter, *http.Request) bool
		want wire.Cause
	}{
		{"full", answer("POST", "/data/", 507), wire.CauseStoreFull},
		{"refusing", answer("POST", "/data/", 403), wire.CauseStoreRefused},
		{"silent", silent, wire.CauseStoreUnreachable},
		{"down", answer("", "", 502), wire.CauseStoreUnreachable},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, d := newRepo(t)
			r.Limits.Stall, r.Limits.Grace = 3*time.Second, 300*time.Millisecond
			write(t, filepath.Join(r.Dir, "srv/file"), strings.Repeat("data", 1000))
			probed := false
			d.set(func(w http.ResponseWriter, q *http.Request) bool {
				if !probed && q.Method == http.MethodHead {
					probed = true
					return false
				}
				return c.how(w, q)
			})
			start := time.Now()
			_, err := r.Backup(t.Context(), restic.BackupOptions{Paths: []string{"/srv"}})
			wantCause(t, err, c.want)
			if took := time.Since(start); took > 30*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// A slow store that goes on moving is not a stalled one.
func TestSlowStoreIsNotStalled(t *testing.T) {
	skipShort(t)
	t.Parallel()
	r, d := newRepo(t)
	r.Limits.Stall = 2 * time.Second
	write(t, filepath.Join(r.Dir, "srv/file"), "x")
	d.set(func(w http.ResponseWriter, q *http.Request) bool {
		if !strings.HasSuffix(q.URL.Path, "/index/") || q.Method != http.MethodGet {
			return false
		}
		w.Header().Set("Content-Type", "application/vnd.x.restic.rest.v2")
		for range 40 { // white space before JSON, for twice the limit
			_, _ = w.Write([]byte(" "))
			_ = http.NewResponseController(w).Flush()
			time.Sleep(100 * time.Millisecond)
		}
		_, _ = w.Write([]byte("[]"))
		return true
	})
	got, err := r.Backup(t.Context(), restic.BackupOptions{Paths: []string{"/srv"}})
	if err != nil || got.Outcome != wire.BackupComplete {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestDamagedRepository(t *testing.T) {
	skipShort(t)
	t.Parallel()
	r, d := newRepo(t)
	r.CacheDir = "" // a cache would hide it
	write(t, filepath.Join(r.Dir, "srv/file"), "x")
	b, err := r.Backup(t.Context(), restic.BackupOptions{Paths: []string{"/srv"}})
	if err != nil {
		t.Fatal(err)
	}
	if res, err := r.Check(t.Context(), 100); err != nil || res.Errors != 0 {
		t.Fatalf("a sound repository: got %+v, %v", res, err)
	}
	junk := sha256.Sum256([]byte("junk"))
	index := filepath.Join(d.repo, "index", hex.EncodeToString(junk[:]))
	write(t, index, "junk") // what a stolen credential can store: restic panics
	_, err = r.List(t.Context(), b.SnapshotID, []byte("/srv"), 0)
	wantCause(t, err, wire.CauseDamaged)
	if err := os.Remove(index); err != nil {
		t.Fatal(err)
	}
	spoil(t, filepath.Join(d.repo, "data"))
	t.Run("list", func(t *testing.T) {
		t.Parallel()
		_, err := r.List(t.Context(), b.SnapshotID, []byte("/srv"), 0)
		wantCause(t, err, wire.CauseDamaged)
	})
	t.Run("check", func(t *testing.T) {
		t.Parallel()
		res, err := r.Check(t.Context(), 0)
		if wantCause(t, err, wire.CauseDamaged); res.Errors == 0 {
			t.Errorf("got %+v", res)
		}
	})
	// restic ends with 3 and a snapshot that shares the damaged blobs.
	t.Run("backup", func(t *testing.T) {
		t.Parallel()
		_, err := r.Backup(t.Context(), restic.BackupOptions{Paths: []string{"/srv"}})
		wantCause(t, err, wire.CauseDamaged)
	})
}

// spoil flips bytes of every pack but leaves its size.
func spoil(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		for i := range b[:len(b)*2/3] {
			b[i] ^= 0x55
		}
		return os.WriteFile(p, b, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A local repository has no relay and is found or not by restic itself.
func TestLocalRepository(t *testing.T) {
	skipShort(t)
	t.Parallel()
	r := &restic.Repo{Binary: tool(t, "restic"), URL: filepath.Join(t.TempDir(), "none"), PasswordFile: passwordFile(t, t.TempDir(), "x")}
	_, err := r.Snapshots(t.Context())
	if e := wantCause(t, err, wire.CauseNoRepository); e.Exit != 10 {
		t.Errorf("got exit %d", e.Exit)
	}
}
