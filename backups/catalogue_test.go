package backups_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"ostler/agents/wire"
	"ostler/backups"
	"ostler/backups/catalogue"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
)

// tree is the files of a played snapshot with their sizes; a folder's is -1.
type tree map[string]int64

// listing is what a host writes of a tree.
func (h *house) listing(t tree) []byte {
	h.t.Helper()
	all := maps.Clone(t)
	for p := range t {
		for d := path.Dir(p); d != "/"; d = path.Dir(d) {
			all[d] = -1
		}
	}
	var out bytes.Buffer
	w := catalogue.NewListingWriter(&out, catalogue.ListingOptions{TempDir: h.t.TempDir()})
	for _, p := range slices.Sorted(maps.Keys(all)) {
		e := catalogue.Entry{Path: []byte(p), Type: wire.NodeFile, Size: all[p], MTime: 1_700_000_000_000 + all[p], Mode: 0o644, UID: 33, GID: 33}
		if all[p] < 0 {
			e.Type, e.Size, e.Mode = wire.NodeDir, 0, 0o755
		}
		if err := w.Add(e); err != nil {
			h.t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		h.t.Fatal(err)
	}
	return out.Bytes()
}

// resticIDs are the snapshots that the played store has.
func (h *house) resticIDs() (ids []string) {
	h.t.Helper()
	for token, more := "", true; more; more = token != "" {
		snaps, next, err := h.backups.Snapshots(h.ctx, h.all, backups.SnapshotFilter{Server: h.server.ID, Limit: 200, PageToken: token})
		if err != nil {
			h.t.Fatal(err)
		}
		for _, s := range snaps {
			ids = append(ids, s.ResticID)
		}
		token = next
	}
	return ids
}

// upload sends a list up as a host does, and says what it was.
func (h *house) upload(ref wire.JobRef, list []byte) wire.Upload {
	h.t.Helper()
	whole := sha256.Sum256(list)
	up := wire.Upload{Size: int64(len(list)), SHA256: hex.EncodeToString(whole[:])}
	for ; len(list) > 0; up.Chunks++ {
		chunk := list[:min(len(list), wire.ChunkSize)]
		list = list[len(chunk):]
		sum := sha256.Sum256(chunk)
		if err := h.backups.Put(h.ctx, h.server.ID, agentID, ref.Job, ref.Epoch, up.Chunks, hex.EncodeToString(sum[:]), bytes.NewReader(chunk)); err != nil {
			h.t.Fatal(err)
		}
	}
	return up
}

// listed has the played host answer the next question for a list, and the plane
// merge it. It returns what was asked.
func (h *house) listed(t tree) wire.CatalogueParams {
	h.t.Helper()
	var p wire.CatalogueParams
	ref := h.take(wire.ActionCatalogue, &p)
	h.finish(ref, wire.CatalogueResult{Upload: h.upload(ref, h.listing(t)), Entries: int64(len(t)), Snapshots: h.resticIDs()})
	h.tick()
	return p
}

// copied makes a backup of a tree that is in the catalogue.
func (h *house) copied(plan string, t tree) backups.Snapshot {
	h.t.Helper()
	snap := h.copiedOnly(plan, wire.BackupResult{Outcome: wire.BackupComplete})
	if got := h.listed(t); got.SnapshotID != snap.ResticID {
		h.t.Fatalf("asked to list %s, want the new snapshot %s", got.SnapshotID, snap.ResticID)
	}
	return snap
}

// copiedOnly makes a backup that is not in the catalogue yet.
func (h *house) copiedOnly(plan string, res wire.BackupResult) backups.Snapshot {
	h.t.Helper()
	h.clock.Advance(time.Minute)
	r := must[backups.Run](h.t)(h.backups.RunNow(h.ctx, h.all, plan))
	h.backup(res)
	run := must[backups.Run](h.t)(h.backups.Run(h.ctx, h.all, r.ID))
	return must[backups.Snapshot](h.t)(h.backups.Snapshot(h.ctx, h.all, run.Snapshot))
}

// state is how the plan's catalogue stands.
func (h *house) state(plan string) backups.CatalogueState {
	h.t.Helper()
	return must[backups.CatalogueState](h.t)(h.backups.CatalogueOf(h.ctx, h.all, plan))
}

func (h *house) swept() {
	h.t.Helper()
	if err := h.backups.Sweep(h.ctx); err != nil {
		h.t.Fatal(err)
	}
	h.tick()
}

// stored lists the blobs beneath a prefix.
func (h *house) stored(prefix string) (keys []string) {
	h.t.Helper()
	for it := h.blobs.List(nil); ; {
		o, err := it.Next(h.ctx)
		if err != nil {
			return keys
		}
		if strings.HasPrefix(o.Key, prefix) {
			keys = append(keys, o.Key)
		}
	}
}

func namesIn(l *wire.Listing) (out []string) {
	if l == nil {
		return nil
	}
	for _, n := range l.Nodes {
		out = append(out, string(n.Name))
	}
	return out
}

func pathsFound(f backups.Found) (out []string) {
	for _, x := range f.Files {
		out = append(out, string(x.Path))
	}
	return out
}

func TestCatalogueOfOneBackupAfterAnother(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		p, first := h.ready()
		ctx, scope := h.owner(h.customer.ID)
		if got := h.state(p.ID); got.Status != backups.CatalogueBuilding || got.Behind != 1 || got.Why != backups.WhyBuilding {
			t.Errorf("before the first list: %+v", got)
		}
		h.listed(tree{"/srv/shop/Invoice.pdf": 10, "/srv/shop/img/a\xffb.png": 20})
		if got := h.state(p.ID); got.Status != backups.CatalogueReady || got.Behind != 0 || got.Snapshots != 1 || got.Entries != 5 || got.Bytes == 0 || got.Why != "" {
			t.Errorf("after it: %+v", got)
		}
		second := h.copied(p.ID, tree{"/srv/shop/Invoice.pdf": 11, "/srv/shop/img/a\xffb.png": 20})
		third := h.copied(p.ID, tree{"/srv/shop/img/a\xffb.png": 20, "/srv/shop/new.txt": 1})
		if n := len(h.stored("downloads/")); n != 0 {
			t.Errorf("%d chunks of lists are kept", n)
		}

		found := must[backups.Found](t)(h.backups.Find(ctx, scope, backups.FindQuery{Text: "invoice"}))
		if len(found.Files) != 1 || found.Snapshots != 3 || !slices.Equal(found.Servers, []string{h.server.ID}) || found.Behind != nil || found.Next != "" {
			t.Fatalf("found %+v", found)
		}
		f := found.Files[0]
		if string(f.Path) != "/srv/shop/Invoice.pdf" || f.Size != 11 || f.Versions != 2 || f.First.ID != first.ID || f.Last.ID != second.ID || f.Present ||
			f.MissingSince == nil || f.MissingSince.ID != third.ID || f.Unread || f.Plan != p.ID {
			t.Errorf("file %+v", f)
		}
		found = must[backups.Found](t)(h.backups.Find(ctx, scope, backups.FindQuery{Text: "*.PNG"}))
		if len(found.Files) != 1 || string(found.Files[0].Path) != "/srv/shop/img/a\xffb.png" || !found.Files[0].Present || found.Files[0].Versions != 1 || found.Files[0].MissingSince != nil {
			t.Errorf("a name that is no text: %+v", found.Files)
		}

		hist := must[backups.FileHistory](t)(h.backups.History(ctx, scope, p.ID, []byte("/srv/shop/Invoice.pdf")))
		if len(hist.Versions) != 2 || hist.Versions[0].Size != 11 || hist.Versions[0].FirstSeen.ID != second.ID || hist.Versions[0].Copies != 1 ||
			hist.Versions[1].LastSeen.ID != first.ID || hist.Present || hist.MissingFrom.ID != third.ID || hist.Source != backups.SourceCatalogue {
			t.Errorf("history %+v", hist)
		}
		if _, err := h.backups.History(ctx, scope, p.ID, []byte("/srv/shop/never")); controlplane.ErrorCode(err) != controlplane.CodeNotFound {
			t.Errorf("a path that never was: %v", err)
		}

		folder := must[backups.Folder](t)(h.backups.Look(ctx, scope, first.ID, []byte("/srv/shop/"), 0))
		if got := namesIn(folder.Listing); folder.Source != backups.SourceCatalogue || folder.Why != "" || !slices.Equal(got, []string{"Invoice.pdf", "img"}) ||
			folder.Listing.Nodes[0].Size != 10 || folder.Listing.Nodes[0].UID != 33 || folder.Snapshot.ID != first.ID {
			t.Errorf("folder %+v: %v", folder, got)
		}
		if folder := must[backups.Folder](t)(h.backups.Look(ctx, scope, third.ID, []byte("/srv/nowhere"), 0)); folder.Listing == nil || folder.Listing.Found {
			t.Errorf("a folder that is not there: %+v", folder)
		}
		files, size, known, err := backups.Measure(ctx, h.backups, second.ID, "/srv/shop")
		if err != nil || !known || files != 2 || size != 31 {
			t.Errorf("measured %d files, %d bytes, %v, %v", files, size, known, err)
		}
	})
}

// What belongs to another customer is not there, whoever asks.
func TestCatalogueOfAnotherCustomer(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		p, snap := h.ready()
		h.listed(tree{"/srv/shop/a": 1})
		ctx, scope := h.owner(h.other.ID)
		for name, err := range map[string]error{
			"find by customer": errOf(h.backups.Find(ctx, scope, backups.FindQuery{Customer: h.customer.ID, Text: "a"})),
			"find by plan":     errOf(h.backups.Find(ctx, scope, backups.FindQuery{Plan: p.ID})),
			"find by server":   errOf(h.backups.Find(ctx, scope, backups.FindQuery{Server: h.server.ID})),
			"history":          errOf(h.backups.History(ctx, scope, p.ID, []byte("/srv/shop/a"))),
			"look":             errOf(h.backups.Look(ctx, scope, snap.ID, []byte("/"), 0)),
			"state":            errOf(h.backups.CatalogueOf(ctx, scope, p.ID)),
			"turn off":         h.backups.SetCatalogue(ctx, scope, p.ID, false),
			"rebuild":          h.backups.RebuildCatalogue(ctx, scope, p.ID),
			"drop":             h.backups.DropCatalogues(ctx, scope, h.customer.ID, "erasure"),
		} {
			if controlplane.ErrorCode(err) != controlplane.CodeNotFound {
				t.Errorf("%s: got %v, want not found", name, err)
			}
		}
		if got := must[backups.Found](t)(h.backups.Find(ctx, scope, backups.FindQuery{Text: "a"})); len(got.Files) != 0 || got.Snapshots != 0 {
			t.Errorf("found %+v", got)
		}
		if _, err := h.backups.Find(h.ctx, h.all, backups.FindQuery{Text: "a"}); controlplane.ErrorCode(err) != controlplane.CodeInvalid {
			t.Errorf("over all customers: got %v, want invalid", err)
		}
		if _, err := h.backups.Find(ctx, scope, backups.FindQuery{PageToken: "AAAA"}); controlplane.ErrorCode(err) != controlplane.CodeInvalid {
			t.Errorf("a token that is none: got %v, want invalid", err)
		}
	})
}

func errOf[T any](_ T, err error) error { return err }

func TestSixtySnapshots(t *testing.T) {
	clock := &dbtest.Clock{}
	h := newHouse(t, dbtest.SQLite(t, clock), clock)
	p, _ := h.ready()
	h.listed(tree{"/srv/shop/f": 0, "/srv/shop/comes-and-goes": 7})
	for i := 1; i < 60; i++ {
		files := tree{"/srv/shop/f": int64(i / 10)}
		if i%2 == 0 {
			files["/srv/shop/comes-and-goes"] = 7
		}
		h.copied(p.ID, files)
	}
	ctx, scope := h.owner(h.customer.ID)
	hist := must[backups.FileHistory](t)(h.backups.History(ctx, scope, p.ID, []byte("/srv/shop/f")))
	if len(hist.Versions) != 6 || hist.Versions[0].Size != 5 || hist.Versions[0].Copies != 10 || !hist.Present {
		t.Errorf("history: %d versions, newest %+v", len(hist.Versions), hist.Versions[0])
	}
	hist = must[backups.FileHistory](t)(h.backups.History(ctx, scope, p.ID, []byte("/srv/shop/comes-and-goes")))
	if len(hist.Versions) != 1 || hist.Versions[0].Copies != 30 || hist.Present || hist.MissingFrom == nil {
		t.Errorf("a file that comes and goes: %+v", hist)
	}
	if got := h.state(p.ID); got.Snapshots != 60 || got.Status != backups.CatalogueReady {
		t.Errorf("state %+v", got)
	}
	clock.Advance(11 * time.Minute)
	h.swept()
	if segments, blobs := len(h.stored("catalogues/")), len(h.stored("")); segments > 12 || segments != blobs {
		t.Errorf("%d segments in %d blobs are kept, want about ten and nothing else", segments, blobs)
	}
	if got := must[backups.Found](t)(h.backups.Find(ctx, scope, backups.FindQuery{Text: "f"})); len(got.Files) != 1 {
		t.Errorf("after the sweep: %+v", got)
	}
}

// Pages are of many plans, and none is lost or told twice between them.
func TestFindByPages(t *testing.T) {
	clock := &dbtest.Clock{}
	h := newHouse(t, dbtest.SQLite(t, clock), clock)
	h.ready()
	q := must[backups.Plan](t)(h.backups.CreatePlan(h.ctx, h.all, backups.PlanInput{Tenancy: h.tenancy.ID, Name: "Again", Paths: []string{"/srv/shop"}, Cron: "15 3 * * *", Zone: "Europe/Berlin"}))
	one, two := tree{}, tree{}
	want := map[string]int{}
	for i := range 90 {
		name := fmt.Sprintf("/srv/shop/%c/%c%d.txt", "ab!"[i%3], "x-/"[i%2], i)
		one[name] = 1
		want[name]++
		if i%4 == 0 {
			two[name] = 2
			want[name]++
		}
	}
	h.listed(one)
	h.copied(q.ID, two)
	ctx, scope := h.owner(h.customer.ID)
	got := map[string]int{}
	query := backups.FindQuery{Text: ".txt", Limit: 7}
	pages := 0
	for ; ; pages++ {
		f := must[backups.Found](t)(h.backups.Find(ctx, scope, query))
		for _, x := range f.Files {
			got[string(x.Path)]++
		}
		if len(f.Files) > 8 {
			t.Errorf("%d files on a page of 7", len(f.Files))
		}
		if query.PageToken = f.Next; f.Next == "" {
			break
		}
		if strings.Contains(f.Next, "shop") {
			t.Error("the token shows a path")
		}
	}
	if !maps.Equal(got, want) || pages < 12 {
		t.Errorf("got %d paths on %d pages, want %d, each as often as it is there", len(got), pages, len(want))
	}
	if f := must[backups.Found](t)(h.backups.Find(ctx, scope, backups.FindQuery{Text: ".txt", Plan: q.ID, Limit: 200})); len(f.Files) != len(two) {
		t.Errorf("of one plan: %d, want %d", len(f.Files), len(two))
	}
	if f := must[backups.Found](t)(h.backups.Find(ctx, scope, backups.FindQuery{Ext: ".TXT", MinSize: 2, Beneath: []byte("/srv/shop/a"), Limit: 200})); slices.ContainsFunc(f.Files, func(x backups.FoundFile) bool {
		return x.Size != 2 || !strings.HasPrefix(string(x.Path), "/srv/shop/a/")
	}) || len(f.Files) == 0 {
		t.Errorf("by size beneath a folder: %v", pathsFound(f))
	}
}

func TestFindOnADate(t *testing.T) {
	clock := &dbtest.Clock{}
	h := newHouse(t, dbtest.SQLite(t, clock), clock)
	p, _ := h.ready() // 20 November 09:00 UTC
	h.listed(tree{"/srv/shop/old.txt": 1})
	clock.Advance(14 * time.Hour) // 23:01 UTC: already the 21st in Berlin
	h.copied(p.ID, tree{"/srv/shop/new.txt": 1})
	ctx, scope := h.owner(h.customer.ID)
	for _, tt := range []struct {
		day  int
		want []string
	}{{19, nil}, {20, []string{"/srv/shop/old.txt"}}, {21, []string{"/srv/shop/new.txt"}}, {30, []string{"/srv/shop/new.txt"}}} {
		f := must[backups.Found](t)(h.backups.Find(ctx, scope, backups.FindQuery{Text: ".txt", On: time.Date(2026, 11, tt.day, 0, 0, 0, 0, time.UTC)}))
		if got := pathsFound(f); !slices.Equal(got, tt.want) || f.Snapshots > 1 {
			t.Errorf("on the %dth: got %v in %d snapshots, want %v in one", tt.day, got, f.Snapshots, tt.want)
		}
	}
}

// What a search shows is what is restored from it: the snapshot that it names
// has the version whose size and date it shows.
func TestFoundIsTheVersionThatAnswers(t *testing.T) {
	clock := &dbtest.Clock{}
	h := newHouse(t, dbtest.SQLite(t, clock), clock)
	p, first := h.ready() // 20 November 09:00 UTC
	h.listed(tree{"/srv/shop/access.log": 1})
	clock.Advance(14 * time.Hour) // 23:01 UTC: already the 21st in Berlin
	h.copied(p.ID, tree{"/srv/shop/access.log": 22})
	clock.Advance(20 * time.Minute)
	third := h.copied(p.ID, tree{"/srv/shop/access.log": 22, "/srv/shop/other": 1})
	clock.Advance(20 * time.Minute)
	fourth := h.copied(p.ID, tree{"/srv/shop/access.log": 333})
	ctx, scope := h.owner(h.customer.ID)
	for _, tt := range []struct {
		name string
		q    backups.FindQuery
		in   string
		size int64
	}{
		{"all", backups.FindQuery{}, fourth.ID, 333},
		{"the first day", backups.FindQuery{On: time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)}, first.ID, 1},
		{"the second day", backups.FindQuery{On: time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)}, fourth.ID, 333},
		{"by size", backups.FindQuery{MaxSize: 100}, third.ID, 22},
		{"by a smaller size", backups.FindQuery{MaxSize: 10}, first.ID, 1},
	} {
		tt.q.Text = "access.log"
		f := must[backups.Found](t)(h.backups.Find(ctx, scope, tt.q))
		if len(f.Files) != 1 || f.Files[0].In.ID != tt.in || f.Files[0].Size != tt.size || f.Files[0].Last.ID != fourth.ID {
			t.Errorf("%s: got %+v, want %d bytes in %s", tt.name, f.Files, tt.size, tt.in)
		}
	}
}

// A file that a backup could not read is missing from it, and not deleted.
func TestMissingBecauseItCouldNotBeRead(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		p, _ := h.ready()
		h.listed(tree{"/srv/shop/locked": 1, "/srv/shop/sub/x": 1, "/srv/shop/lock": 1})
		partial := h.copiedOnly(p.ID, wire.BackupResult{Outcome: wire.BackupPartial, UnreadCount: 2, Unread: []wire.Unread{{Path: "/srv/shop/locked"}, {Path: "/srv/shop/sub"}}})
		h.listed(tree{"/srv/shop/other": 1})
		ctx, scope := h.owner(h.customer.ID)
		for file, want := range map[string]bool{"/srv/shop/locked": true, "/srv/shop/sub/x": true, "/srv/shop/lock": false} {
			hist := must[backups.FileHistory](t)(h.backups.History(ctx, scope, p.ID, []byte(file)))
			if hist.MissingFrom == nil || hist.MissingFrom.ID != partial.ID || hist.Unread != want {
				t.Errorf("%s: missing from %+v, unread %v, want %v", file, hist.MissingFrom, hist.Unread, want)
			}
		}
		if f := must[backups.Found](t)(h.backups.Find(ctx, scope, backups.FindQuery{Text: "locked"})); len(f.Files) != 1 || !f.Files[0].Unread {
			t.Errorf("found %+v", f.Files)
		}
	})
}
