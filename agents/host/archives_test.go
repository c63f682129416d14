package host_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ostler/agents/host"
	"ostler/agents/host/helper"
	"ostler/agents/host/hosttest"
	"ostler/agents/wire"
)

// stagedFile is a file that a helper staged.
func stagedFile(t *testing.T, data string) helper.Staged {
	t.Helper()
	path := filepath.Join(t.TempDir(), "staged")
	if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(data))
	return helper.Staged{Path: path, Size: int64(len(data)), SHA256: hex.EncodeToString(sum[:])}
}

func selection(paths ...string) wire.Selection {
	s := wire.Selection{Repository: repo, SnapshotID: "snap", Label: "monday"}
	for _, p := range paths {
		s.Paths = append(s.Paths, []byte(p))
	}
	return s
}

// An archive of two repositories: both stores are served while the helper works,
// each under its own socket, and what it packed goes up.
func TestArchive(t *testing.T) {
	data := strings.Repeat("0123456789abcdef", wire.ChunkSize/16) + "rest"
	other := repo
	other.ID, other.Name = "rep_2", "r2"
	missing := []wire.Problem{{Path: []byte("/srv/\xff"), Cause: wire.CauseDamaged}}
	var asked helper.Archive
	h := &hosttest.Helper{OnArchive: func(_ context.Context, a helper.Archive, r helper.Report) (helper.Archived, error) {
		asked = a
		for _, s := range a.Selections {
			if _, err := os.Stat(s.Repo.Socket); err != nil {
				return helper.Archived{}, err
			}
		}
		r(wire.Progress{Step: "pack", Done: 1, Total: 2})
		return helper.Archived{Staged: stagedFile(t, data), Files: 3, Folders: 2, Others: 1, Bytes: 77, Missing: missing, MissingCount: 5}, nil
	}}
	r := newRig(t, h)
	r.start()
	r.prepared()
	r.plane.Offer(wire.Envelope{Job: "job_prepare_2", Action: wire.ActionRepoPrepare, Params: params(t, wire.RepoPrepareParams{Repository: other})})
	r.plane.Result("job_prepare_2")
	second := selection("/srv/c")
	second.Repository, second.Label = other, "tuesday"
	third := selection("/srv/d")
	third.Label = "wednesday"
	r.plane.Offer(wire.Envelope{Job: "job_1", Action: wire.ActionArchive,
		Params: params(t, wire.ArchiveParams{Format: wire.ArchiveZip, MaxBytes: 99, Selections: []wire.Selection{selection("/srv/a", "/srv/b\xff"), second, third}})})
	res := r.plane.Result("job_1")
	if res.Outcome != wire.Succeeded {
		t.Fatalf("got %+v\n%s", res.Failure, r.logs)
	}
	got := decode[wire.ArchiveResult](t, res.Data)
	want := stagedFile(t, data)
	if got.Size != want.Size || got.SHA256 != want.SHA256 || got.Chunks != 2 || got.Files != 3 || got.Folders != 2 || got.Others != 1 || got.Bytes != 77 || got.MissingCount != 5 || fmt.Sprint(got.Missing) != fmt.Sprint(missing) {
		t.Errorf("got %+v", got)
	}
	if up, _ := r.plane.File("job_1"); string(up) != data {
		t.Errorf("the plane has %d bytes, want %d", len(up), len(data))
	}
	if asked.Job != "job_1" || asked.Format != wire.ArchiveZip || asked.MaxBytes != 99 || len(asked.Selections) != 3 {
		t.Fatalf("the helper was asked for %+v", asked)
	}
	a, b, c := asked.Selections[0], asked.Selections[1], asked.Selections[2]
	if string(a.Paths[1]) != "/srv/b\xff" || a.Snapshot != "snap" || a.Label != "monday" || b.Label != "tuesday" || b.Repo.ID != "rep_2" || a.Repo.Socket == b.Repo.Socket || a.Repo != c.Repo {
		t.Errorf("the helper was asked for %+v", asked.Selections)
	}
	if d := h.Discarded(); len(d) == 0 || d[len(d)-1] != "job_1" {
		t.Errorf("staging discarded: got %v", d)
	}
	if log := r.logs.String(); strings.Contains(log, "/srv") {
		t.Error("the log has a path")
	}
	waitFor(t, "the list of names to go from the disk", func() bool {
		_, err := os.Stat(filepath.Join(r.state, "spool", "job_1.json"))
		return os.IsNotExist(err)
	})
}

func TestCatalogue(t *testing.T) {
	h := &hosttest.Helper{OnCatalogue: func(_ context.Context, c helper.Catalogue, r helper.Report) (helper.Catalogued, error) {
		if c.Snapshot != "snap" || len(c.Within) != 1 || c.Within[0][0] != "/srv" {
			return helper.Catalogued{}, helper.Fail(wire.CauseInternal, nil, "asked for %+v", c)
		}
		return helper.Catalogued{Staged: stagedFile(t, "listing"), Entries: 12, Snapshots: []string{"a", "b"}}, nil
	}}
	r := newRig(t, h)
	r.policy("paths: [/srv]")
	r.start()
	r.prepared()
	r.plane.Offer(wire.Envelope{Job: "job_1", Action: wire.ActionCatalogue, Params: params(t, wire.CatalogueParams{Repository: repo, SnapshotID: "snap"})})
	res := r.plane.Result("job_1")
	if res.Outcome != wire.Succeeded {
		t.Fatalf("got %+v", res.Failure)
	}
	if got := decode[wire.CatalogueResult](t, res.Data); got.Entries != 12 || got.Size != 7 || got.Chunks != 1 || len(got.Snapshots) != 2 {
		t.Errorf("got %+v", got)
	}
	if up, _ := r.plane.File("job_1"); string(up) != "listing" {
		t.Errorf("the plane has %q", up)
	}
}

// An archive of another server comes whole or not at all.
func TestSource(t *testing.T) {
	data := strings.Repeat("x", wire.ChunkSize) + "rest"
	sum := sha256.Sum256([]byte(data))
	whole := wire.Source{Job: "job_other", Upload: wire.Upload{Size: int64(len(data)), SHA256: hex.EncodeToString(sum[:]), Chunks: 2}}
	for _, tt := range []struct {
		name   string
		change func(r *rig, s *wire.Source)
		want   wire.Cause
	}{
		{"good", func(*rig, *wire.Source) {}, ""},
		{"spoilt once on the way", func(r *rig, _ *wire.Source) {
			r.plane.Set(func(b *hosttest.Behaviour) { b.SpoilGets = 1 })
		}, ""},
		{"spoilt always", func(r *rig, _ *wire.Source) {
			r.plane.Set(func(b *hosttest.Behaviour) { b.SpoilGets = 1000 })
		}, wire.CauseInternal},
		{"another archive", func(_ *rig, s *wire.Source) { s.SHA256 = strings.Repeat("0", 64) }, wire.CauseDamaged},
		{"longer than it is", func(_ *rig, s *wire.Source) { s.Size++ }, wire.CauseInternal},
		{"gone", func(r *rig, _ *wire.Source) { r.plane.SetSource("job_1", nil) }, wire.CauseInternal},
		{"another number of chunks", func(_ *rig, s *wire.Source) { s.Chunks = 1 }, wire.CauseUnsupported},
		{"no room", func(r *rig, _ *wire.Source) { r.helper.(*hosttest.Helper).OnStage = nil }, wire.CauseDiskFull},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir, got, size := t.TempDir(), "", int64(0)
			h := &hosttest.Helper{
				OnStage: func(_ string, n int64) (string, error) { size = n; return dir, nil },
				OnPreview: func(_ context.Context, p helper.Preview) (helper.Changed, error) {
					b, err := os.ReadFile(p.Archive)
					got = string(b)
					return helper.Changed{List: stagedFile(t, "")}, err
				},
			}
			r := newRig(t, h)
			r.opts = func(o *host.Options) { o.ChunkAttempts = 3 }
			src := whole
			r.plane.SetSource("job_1", []byte(data))
			tt.change(r, &src)
			r.start()
			r.plane.Offer(wire.Envelope{Job: "job_1", Action: wire.ActionPreview, Params: params(t, wire.PreviewParams{Source: &src,
				Target: wire.Target{Placement: wire.PlaceOriginal, Conflict: wire.ConflictKeep, Bounds: []string{"/srv"}}})})
			res := r.plane.Result("job_1")
			if tt.want != "" {
				if res.Failure == nil || res.Failure.Cause != tt.want || res.Failure.Detail == "" {
					t.Errorf("got %s %+v, want %s", res.Outcome, res.Failure, tt.want)
				}
				return
			}
			if res.Outcome != wire.Succeeded || got != data || size != whole.Size {
				t.Errorf("got %s %+v, %d bytes, room for %d", res.Outcome, res.Failure, len(got), size)
			}
		})
	}
}

// Each new action is held to the host's policy: paths, bounds, folder, store.
func TestRestoresRefused(t *testing.T) {
	r := newRig(t, &hosttest.Helper{})
	r.policy("paths: [/srv]\nstores: ['https://127.0.0.1:1']")
	r.start()
	evil := selection("/srv/a")
	evil.Repository.StoreURL = "https://evil.example"
	target := wire.Target{Placement: wire.PlaceFolder, Folder: []byte("/srv/back"), Conflict: wire.ConflictBeside, Bounds: []string{"/srv"}}
	with := func(change func(*wire.Target)) wire.Target {
		t := target
		change(&t)
		return t
	}
	many := selection("/srv/a")
	for range wire.MaxSelected {
		many.Paths = append(many.Paths, []byte("/srv/b"))
	}
	sum := strings.Repeat("0", 64)
	archive := func(s ...wire.Selection) any { return wire.ArchiveParams{Format: wire.ArchiveZip, Selections: s} }
	preview := func(t wire.Target) any {
		return wire.PreviewParams{Selections: []wire.Selection{selection("/srv/a")}, Target: t}
	}
	tests := []struct {
		name   string
		action wire.Action
		params any
		want   wire.Cause
	}{
		{"a path outside", wire.ActionArchive, archive(selection("/srv/a", "/etc/shadow")), wire.CausePolicy},
		{"a path with dots", wire.ActionArchive, archive(selection("/srv/../etc")), wire.CausePolicy},
		{"the root", wire.ActionArchive, archive(selection("/")), wire.CausePolicy},
		{"nothing", wire.ActionArchive, archive(), wire.CausePolicy},
		{"a selection of nothing", wire.ActionArchive, archive(selection("/srv/a"), selection()), wire.CausePolicy},
		{"too many", wire.ActionArchive, archive(many), wire.CausePolicy},
		{"another store", wire.ActionArchive, archive(selection("/srv/a"), evil), wire.CausePolicy},
		{"another format", wire.ActionArchive, wire.ArchiveParams{Format: "rar", Selections: []wire.Selection{selection("/srv/a")}}, wire.CauseUnsupported},
		{"catalogue of another store", wire.ActionCatalogue, wire.CatalogueParams{Repository: evil.Repository}, wire.CausePolicy},
		{"no bounds", wire.ActionPreview, preview(with(func(t *wire.Target) { t.Bounds = nil })), wire.CausePolicy},
		{"bounds outside", wire.ActionPreview, preview(with(func(t *wire.Target) { t.Bounds = []string{"/srv", "/etc"} })), wire.CausePolicy},
		{"a folder outside", wire.ActionPreview, preview(with(func(t *wire.Target) { t.Folder = []byte("/etc") })), wire.CausePolicy},
		{"a folder with dots", wire.ActionPreview, preview(with(func(t *wire.Target) { t.Folder = []byte("/srv/../etc") })), wire.CausePolicy},
		{"a folder that is none", wire.ActionPreview, preview(with(func(t *wire.Target) { t.Folder = nil })), wire.CausePolicy},
		{"a folder within the policy and out of bounds", wire.ActionPreview, preview(with(func(t *wire.Target) { t.Bounds = []string{"/srv/a"} })), wire.CausePolicy},
		{"a suffix with a slash", wire.ActionPreview, preview(with(func(t *wire.Target) { t.Suffix = "/../x" })), wire.CausePolicy},
		{"another placement", wire.ActionPreview, preview(with(func(t *wire.Target) { t.Placement = "up" })), wire.CauseUnsupported},
		{"another rule", wire.ActionPreview, preview(with(func(t *wire.Target) { t.Conflict = "delete" })), wire.CauseUnsupported},
		{"nothing to preview", wire.ActionPreview, wire.PreviewParams{Target: target}, wire.CausePolicy},
		{"from two places", wire.ActionPreview, wire.PreviewParams{Target: target, Selections: []wire.Selection{selection("/srv/a")}, Source: &wire.Source{Job: "job_2", Upload: wire.Upload{SHA256: sum}}}, wire.CausePolicy},
		{"a source with a path for a job", wire.ActionPreview, wire.PreviewParams{Target: target, Source: &wire.Source{Job: "../x", Upload: wire.Upload{SHA256: sum}}}, wire.CausePolicy},
		{"a restore with a path for a name", wire.ActionApply, wire.ApplyParams{Restore: "../x", Target: target, Selections: []wire.Selection{selection("/srv/a")}}, wire.CausePolicy},
		{"apply outside", wire.ActionApply, wire.ApplyParams{Restore: "res_1", Target: target, Selections: []wire.Selection{selection("/etc/a")}}, wire.CausePolicy},
		{"apply from another store", wire.ActionApply, wire.ApplyParams{Restore: "res_1", Target: target, Selections: []wire.Selection{evil}}, wire.CausePolicy},
		{"undo outside", wire.ActionUndo, wire.UndoParams{Restore: "res_1", Bounds: []string{"/"}}, wire.CausePolicy},
		{"undo nowhere", wire.ActionUndo, wire.UndoParams{Restore: "res_1"}, wire.CausePolicy},
		{"undo of a path", wire.ActionUndo, wire.UndoParams{Restore: "a/b", Bounds: []string{"/srv"}}, wire.CausePolicy},
		{"settle a path", wire.ActionSettle, wire.SettleParams{Restore: ".."}, wire.CausePolicy},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			job := fmt.Sprintf("job_%d", i)
			r.plane.Offer(wire.Envelope{Job: job, Action: tt.action, Params: params(t, tt.params)})
			if got := r.plane.Rejected(job); got.Cause != tt.want || got.Detail == "" || strings.Contains(got.Detail, "shadow") {
				t.Errorf("got %+v, want %s", got, tt.want)
			}
		})
	}
}
