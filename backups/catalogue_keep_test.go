package backups_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ostler/agents/wire"
	"ostler/backups"
	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/findings"
	"ostler/controlplane/jobs"
	"ostler/controlplane/policy"
)

// spoil changes one byte of every blob beneath a prefix, at a place from its
// start, or from its end.
func (h *house) spoil(prefix string, at int) {
	h.t.Helper()
	keys := h.stored(prefix)
	if len(keys) == 0 {
		h.t.Fatal("nothing is stored")
	}
	for _, k := range keys {
		raw := must[[]byte](h.t)(h.blobs.ReadAll(h.ctx, k))
		raw[(at+len(raw))%len(raw)] ^= 1
		if err := h.blobs.WriteAll(h.ctx, k, raw, nil); err != nil {
			h.t.Fatal(err)
		}
	}
}

// A catalogue that is damaged is not asked any more: the server is, at once, and
// the catalogue is made anew from all backups.
func TestADamagedCatalogueIsMadeAnew(t *testing.T) {
	files := tree{"/srv/shop/a.txt": 1}
	for name, harm := range map[string]func(h *house){
		"a byte of a block":   func(h *house) { h.spoil("catalogues/", 60) },
		"the table":           func(h *house) { h.spoil("catalogues/", -5) },
		"a blob that is gone": func(h *house) { _ = h.blobs.Delete(h.ctx, h.stored("catalogues/")[0]) },
		"a manifest that is stale": func(h *house) {
			if err := h.db.Write(h.ctx, func(tx *db.Tx) error { return tx.Exec("UPDATE catalogues SET manifest = ?", []byte("{}")).Error }); err != nil {
				h.t.Fatal(err)
			}
		},
		"a short blob": func(h *house) {
			k := h.stored("catalogues/")[0]
			raw := must[[]byte](h.t)(h.blobs.ReadAll(h.ctx, k))
			if err := h.blobs.WriteAll(h.ctx, k, raw[:7], nil); err != nil {
				h.t.Fatal(err)
			}
		},
	} {
		for how, read := range map[string]func(h *house, p backups.Plan, snap backups.Snapshot) error{
			"look": func(h *house, p backups.Plan, snap backups.Snapshot) error {
				ctx, scope := h.owner(h.customer.ID)
				f, err := h.backups.Look(ctx, scope, snap.ID, []byte("/srv/shop"), 0)
				if err == nil && (f.Source != backups.SourceLive || f.Why != backups.WhyDamaged || f.Job.ID == "") {
					err = fmt.Errorf("folder %+v, want a live one", f)
				}
				return err
			},
			"find": func(h *house, p backups.Plan, snap backups.Snapshot) error {
				ctx, scope := h.owner(h.customer.ID)
				f, err := h.backups.Find(ctx, scope, backups.FindQuery{Text: "a"})
				if err == nil && (len(f.Files) != 0 || len(f.Behind) != 1 || f.Behind[0].Why != backups.WhyDamaged || f.Behind[0].Snapshots != 2) {
					err = fmt.Errorf("found %+v, want a plan that is behind", f)
				}
				return err
			},
			"history": func(h *house, p backups.Plan, snap backups.Snapshot) error {
				ctx, scope := h.owner(h.customer.ID)
				f, err := h.backups.History(ctx, scope, p.ID, []byte("/srv/shop/a.txt"))
				if err == nil && (f.Versions != nil || f.Why != backups.WhyDamaged || f.Behind != 2) {
					err = fmt.Errorf("history %+v, want none", f)
				}
				return err
			},
			"measure": func(h *house, p backups.Plan, snap backups.Snapshot) error {
				_, _, known, err := backups.Measure(h.ctx, h.backups, snap.ID, "/srv/shop")
				if known {
					err = errors.New("measured what is damaged")
				}
				return err
			},
		} {
			if name != "a byte of a block" && how != "look" && !(strings.HasSuffix(name, "stale") && how != "measure") {
				continue
			}
			t.Run(name+", "+how, func(t *testing.T) {
				clock := &dbtest.Clock{}
				h := newHouse(t, dbtest.SQLite(t, clock), clock)
				p, first := h.ready()
				h.listed(files)
				h.copied(p.ID, files)
				h.restart() // what was read stays in memory
				harm(h)
				if err := read(h, p, first); err != nil {
					t.Fatal(err)
				}
				if f, ok := h.openKinds()[findings.CatalogueDamaged]; !ok || f.Severity != findings.Warn {
					t.Errorf("finding %+v, want a warning", f)
				}
				if got := h.state(p.ID); got.Status != backups.CatalogueDamaged || got.Generation != 2 || got.Behind != 2 || got.Why != backups.WhyDamaged {
					t.Errorf("state %+v", got)
				}
				if how == "look" { // the folder that was asked for has had its time
					clock.Advance(time.Minute)
					h.tick()
				}
				if got := h.listed(files); got.SnapshotID != first.ResticID {
					t.Errorf("asked for %s first, want the oldest", got.SnapshotID)
				}
				h.listed(files)
				if got := h.state(p.ID); got.Status != backups.CatalogueReady || got.Snapshots != 2 || got.Behind != 0 {
					t.Errorf("after the rebuild: %+v", got)
				}
				if _, ok := h.openKinds()[findings.CatalogueDamaged]; ok {
					t.Error("the finding is still open")
				}
				clock.Advance(11 * time.Minute)
				h.swept()
				ctx, scope := h.owner(h.customer.ID)
				if f := must[backups.Folder](t)(h.backups.Look(ctx, scope, first.ID, []byte("/srv/shop"), 0)); !slices.Equal(namesIn(f.Listing), []string{"a.txt"}) || f.Source != backups.SourceCatalogue {
					t.Errorf("after the rebuild: %+v", f)
				}
			})
		}
	}
}

// restart makes a service that remembers nothing.
func (h *house) restart() {
	h.t.Helper()
	h.jobs = jobs.New(h.db, h.keeper, nil, jobs.Options{})
	h.backups = backups.New(backups.Deps{DB: h.db, Keeper: h.keeper, Ledger: h.ledger, Jobs: h.jobs, Findings: h.findings,
		Customers: customers.New(h.db, h.keeper, h.ledger), Blobs: h.blobs}, backups.Options{})
}

// Damage that a merge meets is no different.
func TestAMergeMeetsDamage(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		p, _ := h.ready()
		files := tree{"/srv/shop/a.txt": 1}
		h.listed(files)
		h.restart()
		h.spoil("catalogues/", 60)
		h.copiedOnly(p.ID, wire.BackupResult{Outcome: wire.BackupComplete})
		h.listed(files)
		if got := h.state(p.ID); got.Status != backups.CatalogueDamaged || got.Generation != 2 {
			t.Errorf("state %+v", got)
		}
		h.listed(files)
		h.listed(files)
		if got := h.state(p.ID); got.Status != backups.CatalogueReady || got.Snapshots != 2 {
			t.Errorf("after the rebuild: %+v", got)
		}
		if n := len(h.stored("downloads/")); n != 0 {
			t.Errorf("%d chunks of lists are kept", n)
		}
	})
}

// A merge whose process is killed leaves nothing but what is deleted later, and
// runs again.
func TestAMergeIsKilled(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		p, first := h.ready()
		var params wire.CatalogueParams
		ref := h.take(wire.ActionCatalogue, &params)
		h.finish(ref, wire.CatalogueResult{Upload: h.upload(ref, h.listing(tree{"/srv/shop/a": 1})), Entries: 1, Snapshots: h.resticIDs()})
		merge := func() error { return backups.Merge(h.ctx, h.backups, h.jobs, first.ID) }

		if err := backups.MergeWithoutSwap(h.ctx, h.backups, first.ID); err != nil {
			t.Fatal(err)
		}
		if got := h.state(p.ID); got.Snapshots != 0 || len(h.stored("catalogues/")) == 0 {
			t.Fatalf("nothing was written before the end: %+v", got)
		}
		if err := merge(); err != nil { // it runs again, to its end
			t.Fatal(err)
		}
		if err := merge(); err != nil { // and again, since nobody noted the end
			t.Fatal(err)
		}
		h.tick()
		if got := h.state(p.ID); got.Snapshots != 1 || got.Status != backups.CatalogueReady {
			t.Errorf("state %+v", got)
		}
		if n := len(h.stored("downloads/")); n != 0 {
			t.Errorf("%d chunks of lists are kept", n)
		}
		clock.Advance(25 * time.Hour)
		h.swept()
		if n := len(h.stored("catalogues/")); n != 1 {
			t.Errorf("%d segments are stored, want the one that counts", n)
		}
		ctx, scope := h.owner(h.customer.ID)
		if f := must[backups.Found](t)(h.backups.Find(ctx, scope, backups.FindQuery{Text: "a"})); len(f.Files) != 1 || f.Files[0].Versions != 1 {
			t.Errorf("found %+v", f.Files)
		}
	})
}

// Who alone holds the key says whether we keep the names.
func TestACatalogueIsDeclined(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		p := h.plan(backups.CustodyCustomer)
		ctx, scope := h.owner(h.customer.ID)
		h.prepared()
		key := must[string](t)(h.backups.RevealKey(ctx, scope, p.Repository.ID))
		if err := h.backups.ConfirmKey(ctx, scope, p.Repository.ID, key); err != nil {
			t.Fatal(err)
		}
		h.tick()
		var init wire.RepoInitParams
		h.finish(h.take(wire.ActionRepoInit, &init), wire.RepoInitialised{ResticID: "abc"})
		h.backup(wire.BackupResult{Outcome: wire.BackupComplete})
		h.swept()
		open, err := h.jobs.Count(h.ctx, h.all, jobs.Filter{Kinds: []string{string(wire.ActionCatalogue)}})
		if got := h.state(p.ID); err != nil || open != 0 || got.Status != backups.CatalogueDeclined || got.Why != backups.WhyNotChosen || !got.Choosable || got.Behind != 1 {
			t.Errorf("state %+v, %d lists asked for, %v", got, open, err)
		}
		snaps, _, err := h.backups.Snapshots(ctx, scope, backups.SnapshotFilter{})
		if err != nil || len(snaps) != 1 {
			t.Fatal(snaps, err)
		}
		if f := must[backups.Folder](t)(h.backups.Look(ctx, scope, snaps[0].ID, []byte("/"), 0)); f.Source != backups.SourceLive || f.Why != backups.WhyNotChosen {
			t.Errorf("folder %+v", f)
		}
		if f := must[backups.Found](t)(h.backups.Find(ctx, scope, backups.FindQuery{Text: "a"})); len(f.Behind) != 1 || f.Behind[0].Why != backups.WhyNotChosen || f.Behind[0].Name != p.Name {
			t.Errorf("found %+v", f)
		}
		if err := h.backups.RebuildCatalogue(ctx, scope, p.ID); controlplane.ErrorCode(err) != controlplane.CodeConflict {
			t.Errorf("rebuild of none: %v, want conflict", err)
		}
		if err := h.backups.SetCatalogue(h.ctx, h.all, p.ID, true); controlplane.ErrorCode(err) != controlplane.CodeForbidden {
			t.Errorf("staff says yes for the customer: %v, want forbidden", err)
		}
		if err := h.backups.SetCatalogue(ctx, scope, p.ID, true); err != nil {
			t.Fatal(err)
		}
		h.answerListAfterFolders(tree{"/srv/shop/a": 1})
		if got := h.state(p.ID); got.Status != backups.CatalogueReady || got.Snapshots != 1 {
			t.Errorf("after the yes: %+v", got)
		}
		if err := h.backups.SetCatalogue(ctx, scope, p.ID, false); err != nil {
			t.Fatal(err)
		}
		h.tick()
		if got := h.state(p.ID); got.Status != backups.CatalogueDeclined || got.Snapshots != 0 || len(h.stored("catalogues/")) != 0 {
			t.Errorf("after the no: %+v, stored %v", got, h.stored("catalogues/"))
		}
		for _, kind := range []string{"catalogue.turned_on", "catalogue.turned_off"} {
			if n := h.entries(kind); n != 1 {
				t.Errorf("%d entries %s, want 1", n, kind)
			}
		}
	})
}

// answerListAfterFolders is listed once the folders that were asked for have
// had their time.
func (h *house) answerListAfterFolders(t tree) {
	h.t.Helper()
	h.clock.Advance(time.Minute)
	h.tick()
	h.listed(t)
}

// entries counts the ledger's entries of a kind.
func (h *house) entries(kind string) (n int64) {
	h.t.Helper()
	if err := h.db.Read(h.ctx, func(tx *db.Tx) error {
		return tx.Raw("SELECT (SELECT COUNT(*) FROM ledger_pending WHERE kind = ?) + (SELECT COUNT(*) FROM ledger_entries WHERE kind = ?)", kind, kind).Row().Scan(&n)
	}); err != nil {
		h.t.Fatal(err)
	}
	return n
}

// A copy that the store has no more is said, and is not offered.
func TestASnapshotIsGone(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		p, first := h.ready()
		h.listed(tree{"/srv/shop/only-here": 1, "/srv/shop/a": 1})
		second := h.copied(p.ID, tree{"/srv/shop/a": 1})
		ctx, scope := h.owner(h.customer.ID)
		answer := func(gone ...string) {
			t.Helper()
			ids := slices.DeleteFunc(h.resticIDs(), func(id string) bool { return slices.Contains(gone, id) })
			var params wire.CatalogueParams
			ref := h.take(wire.ActionCatalogue, &params)
			clock.Advance(time.Minute)
			h.finish(ref, wire.CatalogueResult{Upload: h.upload(ref, h.listing(tree{"/srv/shop/a": 1})), Snapshots: ids})
			h.tick()
		}
		h.copiedOnly(p.ID, wire.BackupResult{Outcome: wire.BackupComplete})
		// A backup that arrives while the server lists is in no list, and not gone.
		var params wire.CatalogueParams
		ref := h.take(wire.ActionCatalogue, &params)
		ids := slices.DeleteFunc(h.resticIDs(), func(id string) bool { return id == first.ResticID })
		late := h.copiedOnly(p.ID, wire.BackupResult{Outcome: wire.BackupComplete})
		h.finish(ref, wire.CatalogueResult{Upload: h.upload(ref, h.listing(tree{"/srv/shop/a": 1})), Snapshots: ids})
		h.tick()

		f, ok := h.openKinds()[findings.SnapshotGone]
		if !ok || f.Severity != findings.Bad || f.Owner != findings.Ops {
			t.Fatalf("finding %+v, want a bad one of ours", f)
		}
		if title, cause, _ := findings.Sentence("en", f); title != "A copy of maple-1 that we had is no longer in the store" || !strings.Contains(cause, "20 November 10:00") {
			t.Errorf("it reads %q, %q", title, cause)
		}
		if got := must[backups.Snapshot](t)(h.backups.Snapshot(ctx, scope, first.ID)); got.GoneAt.IsZero() {
			t.Errorf("first: %+v, want it gone", got)
		}
		if got := must[backups.Snapshot](t)(h.backups.Snapshot(ctx, scope, late.ID)); !got.GoneAt.IsZero() {
			t.Errorf("the late one: %+v, want it there", got)
		}
		if _, err := h.backups.Look(ctx, scope, first.ID, []byte("/"), 0); controlplane.ErrorCode(err) != controlplane.CodeConflict {
			t.Errorf("look: %v, want conflict", err)
		}
		if got := must[backups.Found](t)(h.backups.Find(ctx, scope, backups.FindQuery{Text: "only-here"})); len(got.Files) != 0 {
			t.Errorf("found what only the lost copy had: %+v", got.Files)
		}
		if got := must[backups.Found](t)(h.backups.Find(ctx, scope, backups.FindQuery{Text: "a"})); len(got.Files) != 1 || got.Files[0].First.ID != second.ID {
			t.Errorf("found %+v, want it since the second copy", got.Files)
		}
		gone, _, err := h.backups.Snapshots(ctx, scope, backups.SnapshotFilter{Gone: true})
		if err != nil || len(gone) != 1 || gone[0].ID != first.ID || h.entries("snapshot.gone") != 1 {
			t.Errorf("gone: %+v, %v", gone, err)
		}

		answer() // the late one's list: the first is still missing, nothing is said twice
		if h.entries("snapshot.gone") != 1 {
			t.Error("it is entered twice")
		}
		back := h.copiedOnly(p.ID, wire.BackupResult{Outcome: wire.BackupComplete})
		ref = h.take(wire.ActionCatalogue, &params)
		h.finish(ref, wire.CatalogueResult{Upload: h.upload(ref, h.listing(tree{"/srv/shop/a": 1})), Snapshots: append(h.resticIDs(), first.ResticID)})
		h.tick()
		if _, ok := h.openKinds()[findings.SnapshotGone]; ok || params.SnapshotID != back.ResticID {
			t.Error("the store has it again, and the finding is open")
		}
		if got := must[backups.Found](t)(h.backups.Find(ctx, scope, backups.FindQuery{Text: "only-here"})); len(got.Files) != 1 || got.Files[0].Last.ID != first.ID {
			t.Errorf("once it is back: %+v", got.Files)
		}
	})
}

// A list that does not even have the snapshot it was made of says nothing.
func TestAListWithoutItself(t *testing.T) {
	clock := &dbtest.Clock{}
	h := newHouse(t, dbtest.SQLite(t, clock), clock)
	h.ready()
	var params wire.CatalogueParams
	ref := h.take(wire.ActionCatalogue, &params)
	h.finish(ref, wire.CatalogueResult{Upload: h.upload(ref, h.listing(tree{"/srv/shop/a": 1}))})
	if _, ok := h.openKinds()[findings.SnapshotGone]; ok {
		t.Error("an empty list takes every copy away")
	}
}

// What fails on the server is asked again, what fails for one snapshot is left
// out, and what comes too late is skipped; each says so.
func TestSnapshotsThatAreNotListed(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		p, first := h.ready()
		fail := func(cause wire.Cause) {
			t.Helper()
			var params wire.CatalogueParams
			ref := h.take(wire.ActionCatalogue, &params)
			h.end(wire.Result{JobRef: ref, Outcome: wire.Failed, Failure: &wire.Failure{Cause: cause}})
			h.tick()
		}
		fail(wire.CauseUnsupported)
		if got := h.state(p.ID); got.Why != backups.WhyWaiting || got.Cause != string(wire.CauseUnsupported) || got.Behind != 1 {
			t.Errorf("an agent that is too old: %+v", got)
		}
		clock.Advance(16 * time.Minute)
		h.swept()
		fail(wire.CauseDamaged) // a tree of this snapshot is missing
		if got := h.state(p.ID); got.Why != backups.WhyFailed || got.Behind != 1 || got.Status != backups.CatalogueReady {
			t.Errorf("one that cannot be listed: %+v", got)
		}
		h.copied(p.ID, tree{"/srv/shop/a": 1})
		ctx, scope := h.owner(h.customer.ID)
		if f := must[backups.Folder](t)(h.backups.Look(ctx, scope, first.ID, []byte("/"), 0)); f.Source != backups.SourceLive || f.Why != backups.WhyFailed {
			t.Errorf("folder %+v", f)
		}
		clock.Advance(time.Minute)
		h.tick()

		if err := h.db.Write(h.ctx, func(tx *db.Tx) error { // as if another had been faster
			return tx.Exec("DELETE FROM catalogue_snapshots WHERE snapshot_id = ?", first.ID).Error
		}); err != nil {
			t.Fatal(err)
		}
		h.swept()
		if got := h.state(p.ID); got.Why != backups.WhySkipped || got.Behind != 1 || got.Snapshots != 1 {
			t.Errorf("one that comes too late: %+v", got)
		}
		if f := must[backups.Folder](t)(h.backups.Look(ctx, scope, first.ID, []byte("/srv"), 0)); f.Why != backups.WhySkipped {
			t.Errorf("folder %+v", f)
		}
		if err := h.backups.RebuildCatalogue(h.ctx, h.all, p.ID); err != nil {
			t.Fatal(err)
		}
		h.answerListAfterFolders(tree{"/srv/shop/a": 1})
		h.listed(tree{"/srv/shop/a": 1})
		if got := h.state(p.ID); got.Behind != 0 || got.Snapshots != 2 || got.Generation != 2 {
			t.Errorf("after a rebuild: %+v", got)
		}
	})
}

// A list that is not what the host said is not merged, and is asked for again.
func TestAListThatIsCutShort(t *testing.T) {
	clock := &dbtest.Clock{}
	h := newHouse(t, dbtest.SQLite(t, clock), clock)
	p, _ := h.ready()
	var params wire.CatalogueParams
	ref := h.take(wire.ActionCatalogue, &params)
	list := h.listing(tree{"/srv/shop/a": 1, "/srv/shop/b": 1})
	h.finish(ref, wire.CatalogueResult{Upload: h.upload(ref, list[:len(list)-3]), Snapshots: h.resticIDs()})
	h.tick()
	if got := h.state(p.ID); got.Snapshots != 0 || got.Behind != 1 || got.Why != backups.WhyWaiting {
		t.Errorf("state %+v", got)
	}
	if n := len(h.stored("")); n != 0 {
		t.Errorf("%v is kept of it", h.stored(""))
	}
	clock.Advance(16 * time.Minute)
	h.swept()
	h.listed(tree{"/srv/shop/a": 1, "/srv/shop/b": 1})
	if got := h.state(p.ID); got.Snapshots != 1 || got.Behind != 0 {
		t.Errorf("after another try: %+v", got)
	}
}

// Whoever searches while lists are merged sees one state or the next.
func TestSearchDuringAMerge(t *testing.T) {
	clock := &dbtest.Clock{}
	h := newHouse(t, dbtest.SQLite(t, clock), clock)
	p, _ := h.ready()
	files := tree{}
	for i := range 200 {
		files[fmt.Sprintf("/srv/shop/%d/f%d.txt", i%7, i)] = 1
	}
	h.listed(files)
	ctx, scope := h.owner(h.customer.ID)
	stop, stopped := context.WithCancel(ctx)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for stop.Err() == nil {
				f, err := h.backups.Find(ctx, scope, backups.FindQuery{Text: ".txt", Limit: 200})
				if err != nil || len(f.Files) < 200 {
					t.Errorf("found %d, %v, want all 200", len(f.Files), err)
					return
				}
			}
		})
	}
	for i := range 12 {
		files[fmt.Sprintf("/srv/shop/%d/g%d.txt", i%7, i)] = 1
		h.copied(p.ID, files)
	}
	stopped()
	wg.Wait()
	if got := h.state(p.ID); got.Status != backups.CatalogueReady || got.Snapshots != 13 {
		t.Errorf("state %+v", got)
	}
}

// The backups that were there before catalogues were are caught up in order.
func TestOlderBackupsAreCaughtUp(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		p, first := h.ready()
		second := h.copiedOnly(p.ID, wire.BackupResult{Outcome: wire.BackupComplete})
		if err := h.db.Write(h.ctx, func(tx *db.Tx) error {
			for _, q := range []string{"DELETE FROM catalogue_snapshots", "DELETE FROM catalogues", "DELETE FROM backup_uploads", "DELETE FROM jobs WHERE kind = 'catalogue.build'"} {
				if err := tx.Exec(q).Error; err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{first.ResticID, second.ResticID} {
			h.swept()
			if got := h.listed(tree{"/srv/shop/a": 1}); got.SnapshotID != want {
				t.Errorf("asked for %s, want %s", got.SnapshotID, want)
			}
		}
		if got := h.state(p.ID); got.Snapshots != 2 || got.Status != backups.CatalogueReady {
			t.Errorf("state %+v", got)
		}
	})
}

// A customer who leaves a server takes the names along.
func TestACatalogueEndsWithItsTenancy(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		p, snap := h.ready()
		h.listed(tree{"/srv/shop/a": 1})
		must[customers.Tenancy](t)(h.customers.EndTenancy(h.ctx, h.all, h.tenancy.ID))
		h.tick()
		ctx, scope := h.owner(h.customer.ID)
		if got := h.state(p.ID); got.Status != backups.CatalogueOff || got.Why != backups.WhyOff || len(h.stored("catalogues/")) != 0 {
			t.Errorf("state %+v, stored %v", got, h.stored("catalogues/"))
		}
		if f := must[backups.Folder](t)(h.backups.Look(ctx, scope, snap.ID, []byte("/"), 0)); f.Source != backups.SourceLive || f.Why != backups.WhyOff {
			t.Errorf("folder %+v", f)
		}
		if err := h.backups.SetCatalogue(ctx, scope, p.ID, true); controlplane.ErrorCode(err) != controlplane.CodeConflict {
			t.Errorf("turned on again: %v, want conflict", err)
		}
	})
}

func TestCataloguesAreDropped(t *testing.T) {
	clock := &dbtest.Clock{}
	h := newHouse(t, dbtest.SQLite(t, clock), clock)
	p, _ := h.ready()
	h.listed(tree{"/srv/shop/a": 1})
	if err := h.backups.DropCatalogues(h.ctx, policy.OneCustomer(h.customer.ID), h.customer.ID, "erasure"); err != nil {
		t.Fatal(err)
	}
	h.tick()
	if got := h.state(p.ID); got.Status != backups.CatalogueOff || len(h.stored("catalogues/")) != 0 {
		t.Errorf("state %+v, stored %v", got, h.stored("catalogues/"))
	}
}

// A search that takes too long says so.
func TestASearchIsBounded(t *testing.T) {
	clock := &dbtest.Clock{}
	h := newHouse(t, dbtest.SQLite(t, clock), clock)
	h.ready()
	h.listed(tree{"/srv/shop/a": 1})
	backups.SetFindTime(h.backups, time.Nanosecond)
	ctx, scope := h.owner(h.customer.ID)
	if _, err := h.backups.Find(ctx, scope, backups.FindQuery{Text: "a"}); controlplane.ErrorCode(err) != controlplane.CodeUnavailable {
		t.Errorf("got %v, want unavailable", err)
	}
}

// What only copies had that are gone is let go of, once that is worth it.
func TestACatalogueIsCompacted(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		p, first := h.ready()
		h.listed(tree{"/srv/shop/only-here": 1, "/srv/shop/a": 1})
		h.copied(p.ID, tree{"/srv/shop/a": 1})
		h.copiedOnly(p.ID, wire.BackupResult{Outcome: wire.BackupComplete})
		var params wire.CatalogueParams
		ref := h.take(wire.ActionCatalogue, &params)
		ids := slices.DeleteFunc(h.resticIDs(), func(id string) bool { return id == first.ResticID })
		h.finish(ref, wire.CatalogueResult{Upload: h.upload(ref, h.listing(tree{"/srv/shop/a": 1})), Snapshots: ids})
		h.tick()
		before := h.state(p.ID)
		h.swept()
		done, err := h.jobs.Count(h.ctx, h.all, jobs.Filter{Kinds: []string{"catalogue.compact"}, States: []jobs.State{jobs.Succeeded}})
		if got := h.state(p.ID); err != nil || done != 1 || got.Bytes >= before.Bytes || got.Snapshots != 2 || got.Status != backups.CatalogueReady {
			t.Errorf("state %+v after %d jobs, %v; it was %+v", got, done, err, before)
		}
		h.swept()
		if done, err := h.jobs.Count(h.ctx, h.all, jobs.Filter{Kinds: []string{"catalogue.compact"}}); err != nil || done != 1 {
			t.Errorf("%d jobs, %v, want one", done, err)
		}
		ctx, scope := h.owner(h.customer.ID)
		if f := must[backups.Found](t)(h.backups.Find(ctx, scope, backups.FindQuery{Text: "a"})); len(f.Files) != 1 || f.Snapshots != 2 {
			t.Errorf("found %+v", f)
		}
	})
}

// A folder of very many files comes in pages.
func TestALargeFolder(t *testing.T) {
	clock := &dbtest.Clock{}
	h := newHouse(t, dbtest.SQLite(t, clock), clock)
	_, snap := h.ready()
	files := tree{}
	for i := range 12_000 {
		files[fmt.Sprintf("/srv/shop/many/%05d", i)] = 1
	}
	h.listed(files)
	ctx, scope := h.owner(h.customer.ID)
	f := must[backups.Folder](t)(h.backups.Look(ctx, scope, snap.ID, []byte("/srv/shop/many"), 0))
	n := len(f.Listing.Nodes)
	for f.Listing.Truncated {
		f = must[backups.Folder](t)(h.backups.LookAfter(ctx, scope, snap.ID, []byte("/srv/shop/many"), f.Listing.Nodes[len(f.Listing.Nodes)-1].Name, 0, 0))
		n += len(f.Listing.Nodes)
	}
	if n != len(files) {
		t.Errorf("got %d files, want %d", n, len(files))
	}
}
