package backups_test

import (
	"context"
	"slices"
	"testing"

	"ostler/agents/wire"
	"ostler/backups"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/jobs"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// instructions are what the test says of who may tell us what.
type instructions struct {
	nobody bool
	paused []string
	stop   func(tx *db.Tx, customer string, about ...string) error
}

func (i *instructions) OnFlagged(stop func(tx *db.Tx, customer string, about ...string) error) {
	i.stop = stop
}

// flag pauses something, and stops what is under way of it.
func (i *instructions) flag(h *house, about string) {
	h.t.Helper()
	i.paused = append(i.paused, about)
	if err := h.db.Write(h.ctx, func(tx *db.Tx) error { return i.stop(tx, h.customer.ID, about) }); err != nil {
		h.t.Fatal(err)
	}
}

func (i *instructions) Authorised(_ *db.Tx, customer, act, by string) (string, error) {
	if i.nobody || act != "restore" || by != "" {
		return "", controlplane.Errorf(controlplane.CodeConflict, "Ask.", "Nobody may")
	}
	return "aut_of_" + customer, nil
}

func (i *instructions) Hold(_ *db.Tx, _ string, about ...string) error {
	if slices.ContainsFunc(about, func(a string) bool { return slices.Contains(i.paused, a) }) {
		return controlplane.Errorf(controlplane.CodeConflict, "Decide.", "This work is paused")
	}
	return nil
}

// Staff restore for a customer because somebody who may told them to, and not
// while that is paused.
func TestStaffAreToldToRestore(t *testing.T) {
	each(t, func(t *testing.T, h *house, snap backups.Snapshot) {
		told := &instructions{nobody: true}
		j := jobs.New(h.db, h.keeper, nil, jobs.Options{})
		h.backups = backups.New(backups.Deps{DB: h.db, Keeper: h.keeper, Ledger: h.ledger, Jobs: j, Findings: h.findings, Customers: h.customers, Blobs: h.blobs, Instructions: told}, backups.Options{})
		_, err := h.backups.StartAssist(h.ctx, h.customer.ID, "they called us", "OPS-7")
		code(t, "nobody may tell us to", err, controlplane.CodeConflict)
		told.nobody, told.paused = false, []string{"OPS-7"}
		_, err = h.backups.StartAssist(h.ctx, h.customer.ID, "they called us", "OPS-7")
		code(t, "the ticket is paused", err, controlplane.CodeConflict)
		told.paused = nil
		a := must[backups.Assist](t)(h.backups.StartAssist(h.ctx, h.customer.ID, "they called us", "OPS-7"))
		entries, _, err := h.ledger.List(h.ctx, h.all, ledger.Filter{Subject: a.ID})
		if err != nil || len(entries) != 1 || entries[0].Data["authorisation"] != "aut_of_"+h.customer.ID {
			t.Errorf("entry: got %+v, %v, want the authorisation in it", entries, err)
		}
		scope, _, err := h.backups.AssistScope(h.ctx, "restore.run")
		if err != nil {
			t.Fatal(err)
		}
		for name, paused := range map[string]string{"the assist": a.ID, "its ticket": "OPS-7"} {
			told.paused = []string{paused}
			_, err := h.backups.StartDownload(h.ctx, scope, snap.ID, []byte("/srv/shop/a"))
			code(t, name+" is paused", err, controlplane.CodeConflict)
		}
		told.paused = nil
		if _, err := h.backups.StartDownload(h.ctx, scope, snap.ID, []byte("/srv/shop/a")); err != nil {
			t.Errorf("not paused any more: %v", err)
		}
		told.paused = []string{"OPS-7"}
		ctx, own := h.owner(h.customer.ID)
		if _, err := h.backups.StartDownload(ctx, own, snap.ID, []byte("/srv/shop/a")); err != nil {
			t.Errorf("the customer's own restore: %v", err)
		}
	})
}

// What was paused stops where it is under way, as a cancel stops it: what was
// changed until then can be taken back, also while it is paused.
func TestFlaggedWhileItRuns(t *testing.T) {
	replace := change("/srv/shop/a", wire.ActReplace)
	// start begins a restore by staff, and goes until its host is at work.
	for name, tt := range map[string]struct {
		start  func(h *house, ctx context.Context, scope policy.Scope, snap backups.Snapshot) (id string, ref wire.JobRef)
		undone bool // whether something is there to be taken back
	}{
		"a preview": {func(h *house, ctx context.Context, scope policy.Scope, snap backups.Snapshot) (string, wire.JobRef) {
			r := h.inPlaceBy(ctx, scope, snap)
			var p wire.PreviewParams
			return r.ID, h.take(wire.ActionPreview, &p)
		}, false},
		"waits to be confirmed": {func(h *house, ctx context.Context, scope policy.Scope, snap backups.Snapshot) (string, wire.JobRef) {
			r := h.inPlaceBy(ctx, scope, snap)
			h.previewed(replace)
			return r.ID, wire.JobRef{}
		}, false},
		"it is applied": {func(h *house, ctx context.Context, scope policy.Scope, snap backups.Snapshot) (string, wire.JobRef) {
			r := h.inPlaceBy(ctx, scope, snap)
			h.previewed(replace)
			must[backups.Restore](h.t)(h.backups.ConfirmRestore(ctx, scope, r.ID))
			var p wire.ApplyParams
			return r.ID, h.take(wire.ActionApply, &p)
		}, true},
		"an archive": {func(h *house, ctx context.Context, scope policy.Scope, snap backups.Snapshot) (string, wire.JobRef) {
			rs := must[[]backups.Restore](h.t)(h.backups.StartArchive(ctx, scope, backups.Order{Picks: picks(snap, "/srv/shop/a"), Format: wire.ArchiveTarGz}))
			var p wire.ArchiveParams
			return rs[0].ID, h.take(wire.ActionArchive, &p)
		}, false},
	} {
		for _, by := range []string{"the restore", "the assist", "the ticket"} {
			t.Run(name+", by "+by, func(t *testing.T) {
				clock := &dbtest.Clock{}
				h := newHouse(t, dbtest.SQLite(t, clock), clock)
				told := &instructions{}
				h.backups = backups.New(backups.Deps{DB: h.db, Keeper: h.keeper, Ledger: h.ledger, Jobs: h.restartJobs(), Findings: h.findings, Customers: h.customers, Blobs: h.blobs, Instructions: told}, backups.Options{})
				_, snap := h.ready()
				a := must[backups.Assist](t)(h.backups.StartAssist(h.ctx, h.customer.ID, "they called us", "OPS-7"))
				scope, _, err := h.backups.AssistScope(h.ctx, "restore.run")
				if err != nil {
					t.Fatal(err)
				}
				id, ref := tt.start(h, h.ctx, scope, snap)
				told.flag(h, "another-ticket")
				if r := must[backups.Restore](t)(h.backups.Restore(h.ctx, scope, id)); r.State.Over() || r.CancelAsked {
					t.Fatalf("another instruction: got %+v, want it to go on", r)
				}
				told.flag(h, map[string]string{"the restore": id, "the assist": a.ID, "the ticket": "OPS-7"}[by])
				if ref.Job != "" {
					if r := must[backups.Restore](t)(h.backups.Restore(h.ctx, scope, id)); !r.CancelAsked {
						t.Errorf("asked to stop: got %+v", r)
					}
					h.end(wire.Result{JobRef: ref, Outcome: wire.Cancelled})
				}
				h.wantState(id, backups.RestoreCancelled)
				if name == "an archive" {
					return
				}
				_, err = h.backups.ConfirmRestore(h.ctx, scope, id)
				code(t, "going on with it", err, controlplane.CodeConflict)
				_, err = h.backups.UndoRestore(h.ctx, scope, id)
				want := controlplane.CodeConflict
				if tt.undone {
					want = ""
				}
				code(t, "taking it back", err, want)
				if !tt.undone {
					return
				}
				told.flag(h, id) // again: what is being taken back goes on
				if r := must[backups.Restore](t)(h.backups.Restore(h.ctx, scope, id)); r.State != backups.RestoreUndoing || r.CancelAsked {
					t.Errorf("flagged while it is taken back: got %+v", r)
				}
			})
		}
	}
}

// inPlaceBy is inPlace by an actor.
func (h *house) inPlaceBy(ctx context.Context, scope policy.Scope, snap backups.Snapshot) backups.Restore {
	h.t.Helper()
	rs, err := h.backups.StartInPlace(ctx, scope, backups.Order{Picks: picks(snap, "/srv/shop/a"), Target: backups.Destination{Conflict: wire.ConflictOverwrite}})
	if err != nil || len(rs) != 1 {
		h.t.Fatalf("start: %d, %v, want one restore", len(rs), err)
	}
	return rs[0]
}

// restartJobs makes jobs anew, for a service that handles them.
func (h *house) restartJobs() *jobs.Jobs {
	h.jobs = jobs.New(h.db, h.keeper, nil, jobs.Options{})
	return h.jobs
}
