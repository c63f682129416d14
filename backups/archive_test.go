package backups_test

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"ostler/agents/wire"
	"ostler/backups"
	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/findings"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// archived answers an archive of the house's server.
func (h *house) archived(data string, res wire.ArchiveResult) wire.ArchiveParams {
	h.t.Helper()
	var p wire.ArchiveParams
	ref := h.take(wire.ActionArchive, &p)
	res.Upload = h.send(ref, []byte(data))
	h.finish(ref, res)
	h.tick()
	return p
}

func TestArchiveOfTwoServersAndCopies(t *testing.T) {
	each(t, func(t *testing.T, h *house, snap backups.Snapshot) {
		ctx, scope := h.owner(h.customer.ID)
		must[backups.Run](t)(h.backups.RunNow(h.ctx, h.all, snap.Plan))
		h.backup(wire.BackupResult{Outcome: wire.BackupComplete}) // in the same minute
		again := must[map[string]backups.Snapshot](t)(h.backups.LatestSnapshots(ctx, scope, []string{h.server.ID}))[h.server.ID]
		far := h.on(h.second("maple-2"))
		tens := must[[]customers.Tenancy](t)(h.customers.Tenancies(h.ctx, h.all, customers.TenancyFilter{Server: far.server.ID}))
		far.tenancy = tens[0]
		_, other := far.ready()
		all := slices.Concat(picks(snap, "/srv/shop/a", "/srv/shop/a/b"), picks(again, "/srv/shop/a"), picks(other, "/srv/shop/z"))
		rs := must[[]backups.Restore](t)(h.backups.StartArchive(ctx, scope, backups.Order{Picks: all, Format: wire.ArchiveTarGz}))
		if len(rs) != 2 {
			t.Fatalf("got %d restores, want one for each server", len(rs))
		}
		p := h.archived("tar", wire.ArchiveResult{Files: 2})
		if len(p.Selections) != 2 || p.Format != wire.ArchiveTarGz || p.MaxBytes != 20<<30 {
			t.Fatalf("asked %+v", p)
		}
		if a, b := p.Selections[0], p.Selections[1]; a.Label != "2026-11-20 10.00" || b.Label != "2026-11-20 10.00 (2)" || fmt.Sprintf("%s", a.Paths) != "[/srv/shop/a]" {
			t.Errorf("selections: got %q and %q", a.Label, b.Label)
		}
		if p := far.archived("tar", wire.ArchiveResult{Files: 1}); len(p.Selections) != 1 || p.Selections[0].Label != "" {
			t.Errorf("the other server is asked %+v", p)
		}
		i := slices.IndexFunc(rs, func(r backups.Restore) bool { return r.Server == far.server.ID })
		if r := h.wantState(rs[i].ID, backups.RestoreReady); r.Name() != "maple-2 2026-11-20.tar.gz" {
			t.Errorf("name %q", r.Name())
		}
		items := must[[]backups.Pick](t)(h.backups.RestoreItems(ctx, scope, rs[1-i].ID))
		if len(items) != 2 || string(items[1].Path) != "/srv/shop/a" {
			t.Errorf("items: got %v", items)
		}
	})
}

// A single file alone is a file; an archive says in its name what it lacks.
func TestArchiveSaysWhatItLacks(t *testing.T) {
	each(t, func(t *testing.T, h *house, snap backups.Snapshot) {
		ctx, scope := h.owner(h.customer.ID)
		start := func(o backups.Order) backups.Restore {
			t.Helper()
			return must[[]backups.Restore](t)(h.backups.StartArchive(ctx, scope, o))[0]
		}
		one := []backups.Pick{{Snapshot: snap.ID, Path: []byte("/srv/shop/a"), Type: wire.NodeFile}}
		file := start(backups.Order{Picks: one})
		if file.Kind != backups.RestoreDownload {
			t.Errorf("one file alone: got %s", file.Kind)
		}
		if r := start(backups.Order{Picks: one, Format: wire.ArchiveTarGz}); r.Kind != backups.RestoreArchive {
			t.Errorf("one file as tar: got %s", r.Kind)
		} else {
			must[backups.Restore](t)(h.backups.CancelRestore(ctx, scope, r.ID))
		}
		must[backups.Restore](t)(h.backups.CancelRestore(ctx, scope, file.ID))
		short := start(backups.Order{Picks: picks(snap, "/srv/shop/a", "/srv/shop/b")})
		h.archived("a zip", wire.ArchiveResult{Files: 4, Bytes: 10, MissingCount: 3, Missing: []wire.Problem{{Path: []byte("/srv/shop/b/1\xff"), Cause: wire.CauseDamaged}}})
		r := h.wantState(short.ID, backups.RestoreReady)
		if r.Name() != "maple-1 2026-11-20-INCOMPLETE.zip" || !r.Incomplete() || len(r.Missing) != 1 || string(r.Missing[0].Path) != "/srv/shop/b/1\xff" {
			t.Errorf("got %q, %+v", r.Name(), r.Missing)
		}
		if f := h.openKinds()[findings.RestoreIncomplete]; f.Args["count"] != "3 files" || f.Owner != findings.Ops {
			t.Errorf("finding: got %+v", f)
		}
		f := must[*backups.File](t)(h.backups.OpenDownload(ctx, scope, r.ID))
		if _, err := f.Seek(2, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(f); err != nil || string(got) != "zip" || f.Restore.Name() != r.Name() {
			t.Errorf("read %q, %v", got, err)
		}
		whole := start(backups.Order{Picks: picks(snap, "/srv/shop")})
		h.archived("another zip", wire.ArchiveResult{Files: 9, Bytes: 10})
		if r := h.wantState(whole.ID, backups.RestoreReady); r.Name() != "maple-1 2026-11-20.zip" {
			t.Errorf("whole: %q", r.Name())
		}
		if _, open := h.openKinds()[findings.RestoreIncomplete]; open {
			t.Error("the finding is still open")
		}
		h.clock.Advance(25 * time.Hour)
		h.sweep()
		_, err := h.backups.OpenDownload(ctx, scope, r.ID)
		code(t, "after a day", err, controlplane.CodeExpired)
		h.wantState(r.ID, backups.RestoreExpired)
		if obj, err := h.blobs.List(nil).Next(t.Context()); err != io.EOF {
			t.Errorf("a blob is left: %+v, %v", obj, err)
		}
	})
}

// Whatever a host says of an archive, it is not ready unless it arrived whole.
func TestArchiveEndsEarly(t *testing.T) {
	for name, tt := range map[string]struct {
		end  func(h *house, ctx func() error)
		want backups.RestoreState
	}{
		"the host fails":       {func(h *house, _ func() error) { h.fail(wire.ActionArchive, wire.Failed, wire.CauseDiskFull) }, backups.RestoreFailed},
		"the host stops often": {func(h *house, _ func() error) { h.fail(wire.ActionArchive, wire.Interrupted, wire.CauseInternal) }, backups.RestoreFailed},
		"cancelled":            {func(_ *house, cancel func() error) { _ = cancel() }, backups.RestoreCancelled},
		"cancelled while it is checked": {func(h *house, cancel func() error) {
			var p wire.ArchiveParams
			ref := h.take(wire.ActionArchive, &p)
			h.finish(ref, wire.ArchiveResult{Upload: h.send(ref, []byte("zip"))})
			_ = cancel()
			h.tick()
		}, backups.RestoreCancelled},
		"another sum": {func(h *house, _ func() error) {
			var p wire.ArchiveParams
			ref := h.take(wire.ActionArchive, &p)
			up := h.send(ref, []byte("zip"))
			up.SHA256 = strings.Repeat("0", 64)
			h.finish(ref, wire.ArchiveResult{Upload: up})
			for range 4 {
				h.tick()
				h.clock.Advance(10 * time.Minute)
			}
		}, backups.RestoreFailed},
		"after an interruption it goes on": {func(h *house, _ func() error) {
			var p wire.ArchiveParams
			h.end(wire.Result{JobRef: h.take(wire.ActionArchive, &p), Outcome: wire.Interrupted})
			h.clock.Advance(10 * time.Minute)
			h.archived("zip", wire.ArchiveResult{})
		}, backups.RestoreReady},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, h *house, snap backups.Snapshot) {
				ctx, scope := h.owner(h.customer.ID)
				r := must[[]backups.Restore](t)(h.backups.StartArchive(ctx, scope, backups.Order{Picks: picks(snap, "/srv/shop/a")}))[0]
				tt.end(h, func() error { _, err := h.backups.CancelRestore(ctx, scope, r.ID); return err })
				h.wantState(r.ID, tt.want)
				_, err := h.backups.OpenDownload(ctx, scope, r.ID)
				if (err == nil) != (tt.want == backups.RestoreReady) {
					t.Errorf("open: %v", err)
				}
			})
		})
	}
}

// A mail goes to who asked for one, once, and names no file.
func TestMailWhenItIsOver(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		b := &box{}
		h := newHouseWith(t, d, clock, b)
		_, snap := h.ready()
		c := must[customers.Contact](t)(h.customers.AddContact(h.ctx, h.all, customers.NewContact{Customer: h.customer.ID, Name: "Ines Moreau", Email: "ines@maple.invalid", Role: policy.RoleOwner, Language: "en"}))
		ctx, scope := h.as(controlplane.ActorContact, c.ID, policy.RoleOwner, h.customer.ID)
		start := func(mail bool) backups.Restore {
			t.Helper()
			return must[[]backups.Restore](t)(h.backups.StartArchive(ctx, scope, backups.Order{Picks: picks(snap, "/srv/shop/secret"), MailMe: mail}))[0]
		}
		start(false)
		h.archived("zip", wire.ArchiveResult{})
		ready := start(true)
		var p wire.ArchiveParams
		ref := h.take(wire.ActionArchive, &p)
		res := wire.ArchiveResult{Upload: h.send(ref, []byte("zip"))}
		for range 2 { // a host that did not hear that we have it sends it again
			h.finish(ref, res)
			h.tick()
		}
		failed := start(true)
		h.fail(wire.ActionArchive, wire.Failed, wire.CauseDiskFull)
		cancelled := start(true)
		must[backups.Restore](t)(h.backups.CancelRestore(ctx, scope, cancelled.ID))
		if len(b.letters) != 2 {
			t.Fatalf("got %d mails, want 2: %+v", len(b.letters), b.letters)
		}
		l := b.letters[0]
		if l.Template != "restore.ready" || l.To != "ines@maple.invalid" || l.Name != "Ines Moreau" || l.Lang != "en" || l.Path != "/restores/"+ready.ID ||
			l.Args["server"] != "maple-1" || l.Args["until"] != "21 November 10:00 CET" || l.Customer != h.customer.ID || l.Person != c.ID {
			t.Errorf("ready: got %+v", l)
		}
		if l := b.letters[1]; l.Template != "restore.failed" || l.Subject != failed.ID || l.Key == b.letters[0].Key {
			t.Errorf("failed: got %+v", l)
		}
		if strings.Contains(fmt.Sprint(b.letters), "secret") {
			t.Error("a mail names a file")
		}
		if err := h.customers.RemoveContact(h.ctx, h.all, c.ID); err != nil {
			t.Fatal(err)
		}
		start(true)
		h.archived("zip", wire.ArchiveResult{})
		if len(b.letters) != 2 {
			t.Error("somebody who is no contact any more was written to")
		}
	})
}

// The mail of a restore on a server says where the files are, and not that they
// can be fetched; and what was not put there.
func TestMailOfARestoreOnAServer(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		b := &box{}
		h := newHouseWith(t, d, clock, b)
		_, snap := h.ready()
		c := must[customers.Contact](t)(h.customers.AddContact(h.ctx, h.all, customers.NewContact{Customer: h.customer.ID, Name: "Ines Moreau", Email: "ines@maple.invalid", Role: policy.RoleOwner, Language: "en"}))
		ctx, scope := h.as(controlplane.ActorContact, c.ID, policy.RoleOwner, h.customer.ID)
		start := func() backups.Restore {
			r := must[[]backups.Restore](t)(h.backups.StartInPlace(ctx, scope, backups.Order{Picks: picks(snap, "/srv/shop/a"), MailMe: true}))[0]
			h.previewed(change("/srv/shop/a", wire.ActCreate))
			return must[backups.Restore](t)(h.backups.ConfirmRestore(ctx, scope, r.ID))
		}
		start()
		h.applied(change("/srv/shop/a", wire.ActCreate))
		start()
		h.applied(change("/srv/shop/a", wire.ActCreate), change("/srv/shop/b", wire.ActRefuse))
		start()
		h.fail(wire.ActionApply, wire.Failed, wire.CauseDiskFull)
		want := []struct {
			template string
			args     map[string]string
		}{
			{"restore.placed", map[string]string{"server": "maple-1", "until": "27 November 10:00 CET"}},
			{"restore.placed", map[string]string{"server": "maple-1", "until": "27 November 10:00 CET", "missing": "1"}},
			{"restore.failed", map[string]string{"target": "maple-1"}},
		}
		if len(b.letters) != len(want) {
			t.Fatalf("got %d mails, want %d: %+v", len(b.letters), len(want), b.letters)
		}
		for i, w := range want {
			if l := b.letters[i]; l.Template != w.template || !maps.Equal(l.Args, w.args) {
				t.Errorf("got %s %v, want %s %v", l.Template, l.Args, w.template, w.args)
			}
		}
	})
}

// Others find nothing of a restore, by any way.
func TestOthersFindNoRestore(t *testing.T) {
	each(t, func(t *testing.T, h *house, snap backups.Snapshot) {
		r := h.inPlace(snap, "/srv/shop/a")
		h.previewed(change("/srv/shop/a", wire.ActReplace))
		octx, oscope := h.owner(h.other.ID)
		reader, rscope := h.as(controlplane.ActorContact, "con_00000000000000000000000003", policy.RoleReader, h.customer.ID)
		order := backups.Order{Picks: picks(snap, "/srv/shop/a")}
		_, show := h.backups.Restore(octx, oscope, r.ID)
		_, items := h.backups.RestoreItems(octx, oscope, r.ID)
		_, js := h.backups.RestoreJobs(octx, oscope, r.ID)
		_, _, list := h.backups.Changes(octx, oscope, r.ID, backups.ListPreview, 0, 0)
		_, confirm := h.backups.ConfirmRestore(octx, oscope, r.ID)
		_, undo := h.backups.UndoRestore(octx, oscope, r.ID)
		_, cancel := h.backups.CancelRestore(octx, oscope, r.ID)
		_, open := h.backups.OpenDownload(octx, oscope, r.ID)
		_, archive := h.backups.StartArchive(octx, oscope, order)
		_, inPlace := h.backups.StartInPlace(octx, oscope, order)
		for name, err := range map[string]error{"show": show, "items": items, "jobs": js, "changes": list, "confirm": confirm, "undo": undo, "cancel": cancel,
			"open": open, "archive": archive, "in place": inPlace} {
			code(t, name, err, controlplane.CodeNotFound)
		}
		_, confirm = h.backups.ConfirmRestore(reader, rscope, r.ID)
		_, undo = h.backups.UndoRestore(reader, rscope, r.ID)
		_, cancel = h.backups.CancelRestore(reader, rscope, r.ID)
		_, archive = h.backups.StartArchive(reader, rscope, order)
		_, inPlace = h.backups.StartInPlace(reader, rscope, order)
		for name, err := range map[string]error{"confirm": confirm, "undo": undo, "cancel": cancel, "archive": archive, "in place": inPlace} {
			code(t, "a reader: "+name, err, controlplane.CodeForbidden)
		}
		if h.db.Dialect() != db.Postgres {
			return
		}
		_, err := h.backups.Restore(octx, h.all, r.ID) // a scope that is too wide by mistake
		code(t, "row-level security", err, controlplane.CodeNotFound)
	})
}

// Names of files and what people write are sealed wherever they are kept.
func TestNamesAreSealed(t *testing.T) {
	each(t, func(t *testing.T, h *house, snap backups.Snapshot) {
		ctx, scope := h.owner(h.customer.ID)
		order := backups.Order{Picks: picks(snap, "/srv/shop/plainly", "/srv/shop/plainly2")}
		must[backups.Basket](t)(h.backups.BasketAdd(ctx, scope, "", order.Picks))
		must[[]backups.Restore](t)(h.backups.StartArchive(ctx, scope, order))
		h.archived("zip", wire.ArchiveResult{MissingCount: 1, Missing: []wire.Problem{{Path: []byte("/srv/shop/plainly")}}})
		r := h.inPlace(snap, "/srv/shop/plainly")
		h.previewed(change("/srv/shop/plainly", wire.ActReplace))
		must[backups.Ask](t)(h.backups.AskUs(ctx, scope, backups.NewAsk{What: "they said so plainly"}))
		must[backups.Assist](t)(h.backups.StartAssist(h.ctx, h.customer.ID, "they said so plainly", "T"))
		for _, q := range []string{"SELECT path FROM restore_basket", "SELECT selection FROM restore_contents", "SELECT missing FROM restore_contents WHERE missing IS NOT NULL",
			"SELECT path FROM restores", "SELECT target FROM restores", "SELECT preview FROM restores WHERE id = '" + r.ID + "'", "SELECT what FROM restore_asks",
			"SELECT reason FROM restore_assists", "SELECT params FROM jobs WHERE subject = '" + r.ID + "'", "SELECT data FROM ledger_pending WHERE subject = '" + r.ID + "'"} {
			var raw []byte
			err := h.db.Read(h.ctx, func(tx *db.Tx) error { return tx.Raw(q + " LIMIT 1").Row().Scan(&raw) })
			if err != nil || len(raw) == 0 || strings.Contains(string(raw), "they said so plainly") {
				t.Errorf("%s: got %q, %v, want nothing that can be read", q, raw, err)
			}
		}
	})
}

// Every fetch by staff of what a customer had made stands in the ledger.
func TestWhoFetchedIsEntered(t *testing.T) {
	each(t, func(t *testing.T, h *house, snap backups.Snapshot) {
		ctx, scope := h.owner(h.customer.ID)
		r := must[[]backups.Restore](t)(h.backups.StartArchive(ctx, scope, backups.Order{Picks: picks(snap, "/srv/shop/a")}))[0]
		h.archived("zip", wire.ArchiveResult{})
		for range 2 {
			must[*backups.File](t)(h.backups.OpenDownload(ctx, scope, r.ID))
		}
		_, err := h.backups.OpenDownload(h.ctx, h.all, r.ID)
		code(t, "staff without an assist", err, controlplane.CodeForbidden)
		a := must[backups.Assist](t)(h.backups.StartAssist(h.ctx, h.customer.ID, "they cannot open it", "T"))
		must[*backups.File](t)(h.backups.OpenDownload(h.ctx, h.all, r.ID))
		seen, _, err := h.ledger.List(h.ctx, h.all, ledger.Filter{Subject: r.ID})
		if err != nil || seen[0].Data["assist"] != a.ID || seen[0].Data["ticket"] != "T" || seen[1].Data["assist"] != nil {
			t.Errorf("under which assist: got %v and %v, %v", seen[0].Data, seen[1].Data, err)
		}
		if got := h.kinds(r.ID); !slices.Equal(got, []string{"restore.requested", "restore.ready", "restore.fetched", "restore.fetched"}) {
			t.Errorf("ledger: got %v", got)
		}
	})
}
