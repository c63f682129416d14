package restic_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"ostler/agents/wire"
	"ostler/backups/restic"
)

// TestBackupThroughNoLink: whoever may write in their own folder must not lead
// a backup, and so a download, to what is not theirs.
func TestBackupThroughNoLink(t *testing.T) {
	t.Parallel()
	r, _ := newRepo(t)
	write(t, filepath.Join(r.Dir, "etc/shadow"), "secret")
	write(t, filepath.Join(r.Dir, "srv/mine/file"), "mine")
	for link, to := range map[string]string{"srv/mine/peek": "../../etc", "srv/mine/self": "."} {
		if err := os.Symlink(to, filepath.Join(r.Dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name  string
		paths []string
	}{
		{"a file behind a link", []string{"/srv/mine/peek/shadow"}},
		{"beside a good path", []string{"/srv/mine/file", "/srv/mine/peek/shadow"}},
		{"behind two links", []string{"/srv/mine/self/peek/shadow"}},
		{"a link that stays inside", []string{"/srv/mine/self/file"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := r.Backup(t.Context(), restic.BackupOptions{Paths: tt.paths, Host: "h"})
			var e *restic.Error
			if !errors.As(err, &e) || e.Cause != wire.CauseUnsafePath {
				t.Errorf("got %+v, %v, want %s", got, err, wire.CauseUnsafePath)
			}
		})
	}
	// A link itself is backed up as a link.
	got, err := r.Backup(t.Context(), restic.BackupOptions{Paths: []string{"/srv/mine/peek"}, Host: "h"})
	if err != nil {
		t.Fatal(err)
	}
	l, err := r.List(t.Context(), got.SnapshotID, []byte("/srv/mine"), 0)
	if err != nil || len(l.Nodes) != 1 || l.Nodes[0].Type != wire.NodeSymlink {
		t.Errorf("got %+v, %v, want the link", l, err)
	}
}
