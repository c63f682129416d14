package web_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"ostler/agents/wire"
	"ostler/backups"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/policy"
)

// upload has the played host send data up for its job.
func (h *house) upload(ref wire.JobRef, data []byte) wire.Upload {
	h.t.Helper()
	sum := sha256.Sum256(data)
	up := wire.Upload{Size: int64(len(data)), SHA256: hex.EncodeToString(sum[:]), Chunks: wire.ChunkCount(int64(len(data)))}
	for i := range up.Chunks {
		part := data[i*wire.ChunkSize : min(len(data), (i+1)*wire.ChunkSize)]
		s := sha256.Sum256(part)
		if err := h.backups.Put(h.ctx, h.server.ID, agentID, ref.Job, ref.Epoch, i, hex.EncodeToString(s[:]), bytes.NewReader(part)); err != nil {
			h.t.Fatal(err)
		}
	}
	return up
}

// changes sends a list of changes up, and returns what the host says of it.
func (h *house) changes(ref wire.JobRef, list ...wire.Change) wire.Changes {
	h.t.Helper()
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	c := wire.Changes{Counts: map[wire.Act]int64{}, Changes: list}
	for _, x := range list {
		if err := json.NewEncoder(z).Encode(x); err != nil {
			h.t.Fatal(err)
		}
		c.Counts[x.Act]++
		c.Bytes += x.Size
	}
	if err := z.Close(); err != nil {
		h.t.Fatal(err)
	}
	c.Upload = h.upload(ref, buf.Bytes())
	return c
}

func change(path string, act wire.Act) wire.Change {
	return wire.Change{Path: []byte(path), Type: wire.NodeFile, Act: act, Size: 10}
}

// previewed answers a preview, and has its list checked.
func (h *house) previewed(list ...wire.Change) {
	h.t.Helper()
	var p wire.PreviewParams
	ref := h.take(wire.ActionPreview, &p)
	h.finish(ref, h.changes(ref, list...))
	h.tick()
}

// owning is the scope and the context of the owner of maple.
func (h *house) inPlace(snap backups.Snapshot, paths ...string) backups.Restore {
	h.t.Helper()
	ctx := controlplane.WithActor(h.t.Context(), controlplane.Actor{Kind: controlplane.ActorContact, ID: h.owner.ID, Role: string(policy.RoleOwner), Customer: h.maple.ID})
	var picks []backups.Pick
	for _, p := range paths {
		picks = append(picks, backups.Pick{Snapshot: snap.ID, Path: []byte(p), Size: -1})
	}
	rs := ok[[]backups.Restore](h.t)(h.backups.StartInPlace(ctx, policy.OneCustomer(h.maple.ID), backups.Order{Picks: picks, Target: backups.Destination{Conflict: wire.ConflictOverwrite}}))
	return rs[0]
}

// says holds a page to its sentence, and to what stands or does not stand on it.
func (p *person) says(path, said string, there []string, not ...string) string {
	p.h.t.Helper()
	body := p.page(path)
	if !strings.Contains(heading(body), said) {
		p.h.t.Errorf("%s says %q, want %q", path, heading(body), said)
	}
	for _, w := range there {
		if !strings.Contains(body, w) {
			p.h.t.Errorf("%s (%s) lacks %q", path, heading(body), w)
		}
	}
	for _, w := range not {
		if strings.Contains(body, w) {
			p.h.t.Errorf("%s (%s) has %q", path, heading(body), w)
		}
	}
	return body
}

// A restore on a server: what would change, yes, what did, and back again, by
// plain forms.
func TestARestoreOnAServerAndBack(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		_, snap := h.ready(wire.BackupResult{Outcome: wire.BackupComplete, TotalFiles: 9})
		ines, jonas, otto := h.browser(h.owner.ID), h.browser(h.reader.ID), h.browser(h.stranger.ID)
		r := h.inPlace(snap, "/srv/shop/office", "/srv/shop/two\nlines")
		at := "/restores/" + r.ID
		ines.says(at, "Nothing is changed yet", []string{`action="` + at + `/cancel"`, "hx-sse:connect"}, `action="`+at+`/confirm"`)
		var list []wire.Change
		for i := range 150 {
			list = append(list, change(fmt.Sprintf("/srv/shop/office/%03d", i), wire.ActCreate))
		}
		list = append(list, change("/srv/shop/two\nlines", wire.ActReplace), wire.Change{Path: []byte("/srv/shop/office/link"), Type: wire.NodeFile, Act: wire.ActRefuse, Cause: wire.CauseUnsafePath})
		h.previewed(list...)
		ines.says(at, "This is what would change on maple-1", []string{`action="` + at + `/confirm"`, `action="` + at + `/cancel"`, "<b>150</b>", "/srv/shop/office/000", "?from=100", "kept aside"}, "/srv/shop/office/149", `action="`+at+`/undo"`)
		ines.says(at+"?from=100", "This is what would change", []string{"/srv/shop/office/149", `<span class="odd" title="a line break">`, "a symbolic link is in the way"}, "/srv/shop/office/000")
		for who, p := range map[string]*person{"a reader": jonas, "another customer": otto} {
			want := map[string]int{"a reader": http.StatusForbidden, "another customer": http.StatusNotFound}[who]
			for _, step := range []string{"/confirm", "/undo", "/cancel", "/again"} {
				if a := p.post(at + step); a.status != want {
					t.Errorf("%s posts %s: %d, want %d", who, step, a.status, want)
				}
			}
			if a := p.get(at); a.status != want || strings.Contains(a.body, "office") {
				t.Errorf("%s gets it: %d", who, a.status)
			}
		}
		if a := ines.post(at + "/undo"); a.status != http.StatusConflict {
			t.Errorf("undo before: %d", a.status)
		}
		if a := ines.post(at + "/confirm"); a.status != http.StatusSeeOther || a.location() != at {
			t.Fatalf("confirm: %d %s", a.status, heading(a.body))
		}
		if a := ines.post(at + "/confirm"); a.status != http.StatusConflict || !strings.Contains(a.body, "does not wait to be confirmed") {
			t.Errorf("confirm twice: %d", a.status)
		}
		ines.says(at, "office (and 1 more) is being put on maple-1", []string{`action="` + at + `/cancel"`})
		var apply wire.ApplyParams
		ref := h.take(wire.ActionApply, &apply)
		c := h.changes(ref, list...)
		c.Undoable, c.SafetyBytes = true, 10
		h.finish(ref, c)
		ines.says(at, "is back on maple-1, except for 1 thing", []string{`action="` + at + `/undo"`, "<details>", "Kept aside", "Confirmed by", "Ines Moreau"}, `action="`+at+`/cancel"`, `action="`+at+`/confirm"`)
		ines.says("/restores", "What was fetched and put back", []string{`href="` + at + `"`, "onto the server", "maple-1"})
		if a := ines.post(at + "/undo"); a.location() != at {
			t.Fatalf("undo: %d %s", a.status, heading(a.body))
		}
		ines.says(at, "being taken back", nil)
		var undo wire.UndoParams
		ref = h.take(wire.ActionUndo, &undo)
		h.finish(ref, h.changes(ref, change("/srv/shop/two\nlines", wire.ActReturned), change("/srv/shop/office/000", wire.ActChanged)))
		ines.says(at, "taken back from maple-1. 1 thing was changed since", []string{"as before", "changed since, left alone", `action="` + at + `/again"`}, `action="`+at+`/undo"`)
		if a := ines.post(at + "/again"); a.location() != "/basket" {
			t.Errorf("again: %d %s", a.status, heading(a.body))
		}
		if n := ok[int](t)(h.backups.BasketCount(controlplane.WithActor(t.Context(), controlplane.Actor{Kind: controlplane.ActorContact, ID: h.owner.ID, Role: string(policy.RoleOwner), Customer: h.maple.ID}), policy.OneCustomer(h.maple.ID), h.maple.ID)); n != 2 {
			t.Errorf("the basket has %d, want both things again", n)
		}
		if body := ines.page("/activity?show=restores"); !strings.Contains(body, "151 files and folders were put back on maple-1.") || !strings.Contains(body, "was taken back") {
			t.Error("the steps are not in the activity")
		}
		jonas.says("/activity?show=restores", "", []string{"were put back on maple-1."}, at, "office")
	})
}

func TestARestoreIsStoppedOrComesToNothing(t *testing.T) {
	h := newSQLite(t)
	_, snap := h.ready(wire.BackupResult{Outcome: wire.BackupComplete, TotalFiles: 9})
	ines := h.browser(h.owner.ID)
	at := func(r backups.Restore) string { return "/restores/" + r.ID }

	r := h.inPlace(snap, "/srv/shop/a")
	if a := ines.post(at(r) + "/cancel"); a.location() != at(r) {
		t.Fatalf("cancel: %d %s", a.status, heading(a.body))
	}
	ines.says(at(r), "was cancelled", []string{"Choose the same again"}, "hx-sse:connect", `/cancel"`)
	if a := ines.post(at(r) + "/cancel"); a.status != http.StatusConflict {
		t.Errorf("cancelled twice: %d", a.status)
	}

	r = h.inPlace(snap, "/srv/shop/a")
	h.previewed(change("/srv/shop/a", wire.ActSame))
	ines.says(at(r), "Nothing would change on maple-1", []string{"the same already"}, `/confirm"`)
	if a := ines.post(at(r) + "/cancel"); a.location() != at(r) {
		t.Errorf("cancel a preview: %d", a.status)
	}

	r = h.inPlace(snap, "/srv/shop/a")
	h.previewed(change("/srv/shop/a", wire.ActRefuse))
	ines.says(at(r), "Nothing can be put on maple-1", nil, `/confirm"`)
	ines.post(at(r) + "/cancel")

	r = h.inPlace(snap, "/srv/shop/a")
	var p wire.PreviewParams
	ref := h.take(wire.ActionPreview, &p)
	h.end(wire.Result{JobRef: ref, Outcome: wire.Failed, Failure: &wire.Failure{Cause: wire.CauseNoKey}})
	ines.says(at(r), "could not be put on maple-1", []string{`href="/keys/` + snap.Repository + `#return"`, "does not have the right key", `href="/ask"`})
}

// What came beside a file of the same name is not passed off as that file.
func TestWhatCameBesideIsSaid(t *testing.T) {
	h := newSQLite(t)
	_, snap := h.ready(wire.BackupResult{Outcome: wire.BackupComplete, TotalFiles: 9})
	ines := h.browser(h.owner.ID)
	for said, acts := range map[string][]wire.Act{"is back on maple-1, beside what is there now.": {wire.ActBeside}, "is back on maple-1.": {wire.ActBeside, wire.ActCreate}, "is back on maple-1, except for": {wire.ActBeside, wire.ActRefuse}} {
		r := h.inPlace(snap, "/srv/shop/a")
		h.previewed(change("/srv/shop/a", wire.ActBeside))
		ines.post("/restores/" + r.ID + "/confirm")
		var list []wire.Change
		for i, a := range acts {
			list = append(list, change("/srv/shop/"+string(rune('a'+i)), a))
		}
		var p wire.ApplyParams
		ref := h.take(wire.ActionApply, &p)
		h.finish(ref, h.changes(ref, list...))
		ines.says("/restores/"+r.ID, said, nil)
	}
}

// Causes and waits are written for who looks after the servers; a customer's
// people read them in words of their own, with something that they can do.
func TestCausesInTheReadersWords(t *testing.T) {
	h := newSQLite(t)
	_, snap := h.ready(wire.BackupResult{Outcome: wire.BackupComplete, TotalFiles: 9})
	ines, ada := h.browser(h.owner.ID), h.browser(h.admin.ID)
	if a := ada.post("/assist", "customer", h.maple.ID, "reason", "They asked by telephone", "ticket", "OPS-1"); a.status != http.StatusSeeOther {
		t.Fatalf("assist: %d", a.status)
	}
	for cause, want := range map[wire.Cause]struct{ own, next, ours string }{
		wire.CausePolicy:      {"The server does not allow this.", "Download it instead", "/etc/ostler/policy.d"},
		wire.CauseSignature:   {"did not accept what we asked", "for us to mend", "the signer runs"},
		wire.CauseUnsupported: {"too old", "ask us to restore", "Update the agent"},
		wire.CauseDiskFull:    {"disk of the server is full", "choose less", "Free some space"},
		"no_such_cause":       {"Something went wrong", "Try again", "agent&#39;s log"},
	} {
		r := h.inPlace(snap, "/srv/shop/a")
		ines.says("/restores/"+r.ID, "finds out what would change", []string{"never connected to us"}, "It waits for the server")
		ada.says("/restores/"+r.ID, "finds out what would change", []string{"It waits for the server"}, "connected to us")
		var p wire.PreviewParams
		ref := h.take(wire.ActionPreview, &p)
		h.end(wire.Result{JobRef: ref, Outcome: wire.Failed, Failure: &wire.Failure{Cause: cause}})
		ines.says("/restores/"+r.ID, "could not be put on maple-1", []string{want.own, want.next}, want.ours)
		ada.says("/restores/"+r.ID, "could not be put on maple-1", []string{want.ours})
	}
}

// What is missing from an archive is said before anything else, in the file's
// name too, and the headline knows of it.
func TestAnIncompleteArchiveIsSaidLoudly(t *testing.T) {
	h := newSQLite(t)
	_, snap := h.ready(wire.BackupResult{Outcome: wire.BackupComplete, TotalFiles: 9})
	ines, ada := h.browser(h.owner.ID), h.browser(h.admin.ID)
	ctx := controlplane.WithActor(t.Context(), controlplane.Actor{Kind: controlplane.ActorContact, ID: h.owner.ID, Role: string(policy.RoleOwner), Customer: h.maple.ID})
	rs := ok[[]backups.Restore](t)(h.backups.StartArchive(ctx, policy.OneCustomer(h.maple.ID), backups.Order{Picks: []backups.Pick{{Snapshot: snap.ID, Path: []byte("/srv/shop/office"), Size: -1}}}))
	at := "/restores/" + rs[0].ID
	ines.says(at, "is on its way", []string{`action="` + at + `/cancel"`}, "sha256")
	var p wire.ArchiveParams
	ref := h.take(wire.ActionArchive, &p)
	up := h.upload(ref, []byte("a zip, as far as the plane can tell"))
	h.finish(ref, wire.ArchiveResult{Upload: up, Files: 8, Bytes: 99, Missing: []wire.Problem{{Path: []byte("/srv/shop/office/lost\xff"), Cause: wire.CauseDamaged}}, MissingCount: 1})
	h.tick()
	body := ines.says(at, "is ready, and 1 thing is missing from it", []string{up.SHA256, "INCOMPLETE.zip", `<span class="odd"`, "could not be read from the store", `href="/downloads/` + rs[0].ID + `/file"`, "SHA256SUMS", `href="/ask"`})
	if strings.Index(body, "could not be read from the store") > strings.Index(body, "/downloads/") {
		t.Error("what is missing stands after the button")
	}
	a := ines.get("/downloads/" + rs[0].ID + "/file")
	if a.status != http.StatusOK || a.body != "a zip, as far as the plane can tell" || !strings.Contains(a.header.Get("Content-Disposition"), "INCOMPLETE.zip") {
		t.Errorf("the download: %d %s", a.status, a.header.Get("Content-Disposition"))
	}
	for path, x := range map[string]*person{"/home": ines, "/today": ada} {
		if body := x.page(path); strings.Contains(heading(body), "Nothing needs") || !strings.Contains(between(body, `<ul class="need">`, "</ul>"), "could not be restored") {
			t.Errorf("%s says %q", path, heading(body))
		}
	}
	ines.says("/activity?show=restores", "", []string{"1 thing is missing from them"})
	h.clock.Advance(25 * time.Hour)
	if err := h.backups.Sweep(h.ctx); err != nil {
		t.Fatal(err)
	}
	h.tick()
	ines = h.browser(h.owner.ID)
	ines.says(at, "is kept here no more", []string{"Choose the same again"}, "/downloads/")
}

// A backup that failed for want of its key leads to where it is given back.
func TestAFailedBackupLeadsToTheKey(t *testing.T) {
	h := newSQLite(t)
	plan, _ := h.ready(wire.BackupResult{Outcome: wire.BackupComplete, TotalFiles: 1})
	run := ok[backups.Run](t)(h.backups.RunNow(h.ctx, all, plan.ID))
	var p wire.BackupParams
	ref := h.take(wire.ActionBackup, &p)
	h.end(wire.Result{JobRef: ref, Outcome: wire.Failed, Failure: &wire.Failure{Cause: wire.CauseWrongPassword}})
	for id, want := range map[string]string{h.owner.ID: `href="/keys/` + plan.Repository.ID + `#return"`, h.reader.ID: `href="/keys/` + plan.Repository.ID + `"`} {
		if body := h.browser(id).page("/jobs/" + run.Job); !strings.Contains(body, want) {
			t.Errorf("%s is not led to the key", id)
		}
	}
	if body := h.browser(h.owner.ID).page("/keys/" + plan.Repository.ID); !strings.Contains(body, `id="return"`) {
		t.Error("the key's page has not what the link leads to")
	}
}

// pathOf is the address of a folder's or a file's page.
func pathOf(snapshot, page, path string) string {
	return "/snapshots/" + snapshot + page + "?path=" + url.QueryEscape(path)
}
