package restic_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"ostler/agents/wire"
	"ostler/backups/restic"
)

func TestBackupComplete(t *testing.T) {
	t.Parallel()
	r, _ := newRepo(t)
	write(t, filepath.Join(r.Dir, "srv/www/index.html"), "<h1>hello</h1>")
	write(t, filepath.Join(r.Dir, "srv/www/cache/old"), "left out")
	write(t, filepath.Join(r.Dir, "srv/www/.ostler-restore-0123abcd/file"), "half of a restore")
	at := time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)
	var steps []wire.Progress
	got, err := r.Backup(t.Context(), restic.BackupOptions{
		Paths: []string{"/srv/www/"}, Excludes: []string{"/srv/www/cache", "# no comment", "!.ostler-restore-*"}, Tags: []string{"plan:p1", "run:r1"},
		Host: "web1.example", Time: at, Progress: func(p wire.Progress) { steps = append(steps, p) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if got.Outcome != wire.BackupComplete || len(got.SnapshotID) != 64 || got.TotalFiles != 1 || got.TotalBytes != 14 ||
		got.SnapshotAt != at.UnixMilli() || got.AddedBytes <= 0 || got.UnreadCount != 0 {
		t.Errorf("got %+v", got)
	}
	for i, p := range steps {
		if p.Step != "backup" || p.Seq != int64(i+1) {
			t.Errorf("got progress %+v", p)
		}
	}
	if testing.Short() {
		return
	}
	again, err := r.Backup(t.Context(), restic.BackupOptions{Paths: []string{"/srv/www"}, Host: "web1.example", Time: at.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	all, err := r.Snapshots(t.Context())
	if err != nil || len(all) != 2 {
		t.Fatalf("got %d snapshots, %v", len(all), err)
	}
	if all[1].ID != again.SnapshotID || all[1].Parent != got.SnapshotID {
		t.Errorf("got %+v, want the first snapshot as its parent", all[1])
	}
	if s := all[0]; s.ID != got.SnapshotID || !s.Time.Equal(at) || s.Hostname != "web1.example" || !slices.Equal(s.Tags, []string{"plan:p1", "run:r1"}) {
		t.Errorf("got %+v", s)
	}
}

// A file that the backup may not read makes it partial and is named, with the
// system's reason; so is a path that is not there.
func TestBackupPartial(t *testing.T) {
	skipShort(t)
	t.Parallel()
	r, _ := newRepo(t)
	write(t, filepath.Join(r.Dir, "srv/ok"), "1")
	write(t, filepath.Join(r.Dir, "srv/locked"), "2")
	write(t, filepath.Join(r.Dir, "srv/dir/hidden"), "3")
	for _, p := range []string{"srv/locked", "srv/dir"} {
		if err := os.Chmod(filepath.Join(r.Dir, p), 0); err != nil {
			t.Fatal(err)
		}
	}
	unprivileged(t, r)
	got, err := r.Backup(t.Context(), restic.BackupOptions{Paths: []string{"/srv", "/var/gone"}})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(got.Unread, func(a, b wire.Unread) int { return strings.Compare(a.Path, b.Path) })
	want := []wire.Unread{{Path: "/srv/dir", Reason: "permission denied"}, {Path: "/srv/locked", Reason: "permission denied"}}
	if got.Outcome != wire.BackupPartial || !slices.Equal(got.Unread, want) || got.UnreadCount != 2 ||
		!slices.Equal(got.MissingPaths, []string{"/var/gone"}) || got.SnapshotID == "" {
		t.Errorf("got %+v, want unread %v", got, want)
	}
}

// unprivileged has restic run as nobody, because root can read everything.
func unprivileged(t *testing.T, r *restic.Repo) {
	t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	const nobody = 65534
	r.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	for _, p := range []string{filepath.Dir(r.PasswordFile), r.PasswordFile} {
		if err := os.Chown(p, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	for p := filepath.Dir(r.PasswordFile); p != os.TempDir() && p != "/"; p = filepath.Dir(p) {
		if err := os.Chmod(p, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for p := filepath.Dir(r.CacheDir); p != os.TempDir() && p != "/"; p = filepath.Dir(p) {
		if err := os.Chmod(p, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func TestBackupSources(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	write(t, filepath.Join(root, "srv/file"), "x")
	if err := os.Symlink("/etc", filepath.Join(root, "out")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		paths []string
		want  wire.Cause
	}{
		{"none named", nil, wire.CauseSourceMissing},
		{"all gone", []string{"/gone", "/srv/file/below"}, wire.CauseSourceMissing},
		{"relative", []string{"srv"}, wire.CauseUnsafePath},
		{"through a link out of the root", []string{"/out/passwd"}, wire.CauseUnsafePath},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &restic.Repo{Dir: root, Binary: "/nonexistent"} // it does not come to running
			_, err := r.Backup(t.Context(), restic.BackupOptions{Paths: c.paths})
			wantCause(t, err, c.want)
		})
	}
}

// A run that is killed leaves no snapshot and a lock; the next one works.
func TestBackupKilledThenAgain(t *testing.T) {
	skipShort(t)
	t.Parallel()
	r, d := newRepo(t)
	write(t, filepath.Join(r.Dir, "srv/file"), strings.Repeat("data", 1000))
	stuck, reached := hang("POST", "/data/")
	d.set(stuck)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-reached; cancel() }()
	_, err := r.Backup(ctx, restic.BackupOptions{Paths: []string{"/srv"}})
	e := wantCause(t, err, wire.CauseInternal)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v (%s), want context.Canceled in it", err, e.Detail)
	}
	d.set(func(http.ResponseWriter, *http.Request) bool { return false })
	got, err := r.Backup(t.Context(), restic.BackupOptions{Paths: []string{"/srv"}})
	if err != nil || got.Outcome != wire.BackupComplete {
		t.Errorf("got %+v, %v", got, err)
	}
}

// lockAnd starts a real check, which takes the exclusive lock, and returns once
// it hangs at the store with the lock held.
func lockAnd(t *testing.T, r *restic.Repo, d *door) *exec.Cmd {
	t.Helper()
	stuck, reached := hang("GET", "/index/")
	d.set(stuck)
	cmd := exec.Command(r.Binary, "check", "--no-cache", "--password-file="+r.PasswordFile, "--repo=rest:http+unix://"+d.socket+":"+r.Path)
	cmd.Env = []string{"HOME=" + t.TempDir()}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-reached
	d.set(func(http.ResponseWriter, *http.Request) bool { return false })
	return cmd
}

// The lock of a process that died on this host is removed; that of one that
// lives is waited for, and then respected.
func TestBackupLocked(t *testing.T) {
	skipShort(t)
	t.Parallel()
	r, d := newRepo(t)
	r.Limits.Lock = 200 * time.Millisecond
	write(t, filepath.Join(r.Dir, "srv/file"), "x")
	holder := lockAnd(t, r, d)
	_, err := r.Backup(t.Context(), restic.BackupOptions{Paths: []string{"/srv"}})
	if e := wantCause(t, err, wire.CauseLocked); e.Exit != 11 {
		t.Errorf("got exit %d, want 11", e.Exit)
	}
	_ = holder.Process.Kill()
	_ = holder.Wait()
	got, err := r.Backup(t.Context(), restic.BackupOptions{Paths: []string{"/srv"}})
	if err != nil || got.Outcome != wire.BackupComplete {
		t.Errorf("after the holder's death got %+v, %v", got, err)
	}
}

func skipShort(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("runs restic several times")
	}
}

// The store is asked for the snapshot that it has just taken; what it answers
// goes to the log, for the snapshot may be there all the same.
func TestBackupIsReadBack(t *testing.T) {
	skipShort(t)
	t.Parallel()
	instead := func(status int, body string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			found := r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/snapshots/") && len(path.Base(r.URL.Path)) == 64
			if found {
				w.WriteHeader(status)
				_, _ = w.Write([]byte(body))
			}
			return found
		}
	}
	for name, tt := range map[string]struct {
		how  func(http.ResponseWriter, *http.Request) bool
		want string
	}{
		"well":    {nil, ""},
		"gone":    {instead(http.StatusNotFound, ""), "answered 404"},
		"changed": {instead(http.StatusOK, "something else"), "other bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			r, door := newRepo(t)
			write(t, filepath.Join(r.Dir, "srv/a"), "1")
			var log bytes.Buffer
			r.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
			if tt.how != nil {
				door.set(tt.how)
			}
			got, err := r.Backup(t.Context(), restic.BackupOptions{Paths: []string{"/srv"}})
			if err != nil || got.Outcome != wire.BackupComplete {
				t.Fatalf("got %+v, %v", got, err)
			}
			if said := log.String(); tt.want == "" && said != "" || !strings.Contains(said, tt.want) {
				t.Errorf("logged %q, want %q", said, tt.want)
			}
		})
	}
}
