package backups_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ostler/agents/wire"
	"ostler/backups"
	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/jobs"
	"ostler/controlplane/policy"
)

// inPlace starts a restore of one folder to where it was.
func (h *house) inPlace(snap backups.Snapshot, paths ...string) backups.Restore {
	h.t.Helper()
	ctx, scope := h.owner(h.customer.ID)
	rs, err := h.backups.StartInPlace(ctx, scope, backups.Order{Picks: picks(snap, paths...), Target: backups.Destination{Conflict: wire.ConflictOverwrite}, MailMe: true})
	if err != nil || len(rs) != 1 {
		h.t.Fatalf("start: %d, %v, want one restore", len(rs), err)
	}
	return rs[0]
}

func TestInPlaceFromPreviewToUndo(t *testing.T) {
	each(t, func(t *testing.T, h *house, snap backups.Snapshot) {
		ctx, scope := h.owner(h.customer.ID)
		r := h.inPlace(snap, "/srv/shop/b", "/srv/shop/a", "/srv/shop/a/below")
		if r.State != backups.RestorePreviewing || r.Items != 2 || r.TargetServer != h.server.ID {
			t.Errorf("started: got %+v", r)
		}
		var list []wire.Change
		for i := range 250 {
			list = append(list, change(fmt.Sprintf("/srv/shop/a/%03d", i), wire.ActCreate))
		}
		list = append(list, change("/srv/shop/b", wire.ActReplace), change("/srv/shop/a/same", wire.ActSame))
		p := h.previewed(list...)
		if got := fmt.Sprintf("%s %s", p.Selections[0].Paths, p.Target.Bounds); got != "[/srv/shop/a /srv/shop/b] [/srv/shop]" || p.Target.Special || p.Source != nil {
			t.Errorf("preview asks %s, %+v", got, p)
		}
		r = h.wantState(r.ID, backups.RestorePreviewed)
		if r.Preview.Total() != 252 || r.Preview.Changing() != 251 || !r.ExpiresAt.Equal(h.clock.Now().Add(time.Hour)) || r.Job == "" {
			t.Errorf("previewed: got %+v, %+v", r, r.Preview)
		}
		part, total, err := h.backups.Changes(ctx, scope, r.ID, backups.ListPreview, 249, 2)
		if err != nil || total != 252 || len(part) != 2 || string(part[0].Path) != "/srv/shop/a/249" || part[1].Act != wire.ActReplace {
			t.Errorf("part of the list: got %d of %d, %v", len(part), total, err)
		}
		if rest, _, err := h.backups.Changes(ctx, scope, r.ID, backups.ListPreview, 252, 0); err != nil || len(rest) != 0 {
			t.Errorf("after the end: got %d, %v", len(rest), err)
		}
		_, _, err = h.backups.Changes(ctx, scope, r.ID, backups.ListResult, 0, 0)
		code(t, "a list that is not there yet", err, controlplane.CodeNotFound)
		_, err = h.backups.UndoRestore(ctx, scope, r.ID)
		code(t, "undo before", err, controlplane.CodeConflict)

		r = must[backups.Restore](t)(h.backups.ConfirmRestore(ctx, scope, r.ID))
		if r.State != backups.RestoreApplying || r.ConfirmedBy == "" {
			t.Errorf("confirmed: got %+v", r)
		}
		_, err = h.backups.ConfirmRestore(ctx, scope, r.ID)
		code(t, "confirmed twice", err, controlplane.CodeConflict)
		if a := h.applied(list...); a.Restore != r.ID || len(a.Selections) != 1 {
			t.Errorf("apply asks %+v", a)
		}
		r = h.wantState(r.ID, backups.RestoreReady)
		if !r.CanUndo(h.clock.Now()) || !r.UndoUntil.Equal(h.clock.Now().Add(7*24*time.Hour)) || r.Result.SafetyBytes != 10 || r.Files != 251 {
			t.Errorf("ready: got %+v, %+v", r, r.Result)
		}
		_, err = h.backups.CancelRestore(ctx, scope, r.ID)
		code(t, "cancel after the end", err, controlplane.CodeConflict)

		h.clock.Advance(6 * 24 * time.Hour)
		must[backups.Restore](t)(h.backups.UndoRestore(ctx, scope, r.ID))
		_, err = h.backups.UndoRestore(ctx, scope, r.ID)
		code(t, "undone at the same time", err, controlplane.CodeConflict)
		var u wire.UndoParams
		ref := h.take(wire.ActionUndo, &u)
		h.finish(ref, h.changed(ref, change("/srv/shop/b", wire.ActReturned), change("/srv/shop/a/000", wire.ActChanged)))
		r = h.wantState(r.ID, backups.RestoreUndone)
		if u.Restore != r.ID || !slices.Equal(u.Bounds, []string{"/srv/shop"}) || r.Undo.Counts[wire.ActChanged] != 1 || r.CanUndo(h.clock.Now()) {
			t.Errorf("undone: %+v, got %+v", u, r)
		}
		_, err = h.backups.UndoRestore(ctx, scope, r.ID)
		code(t, "undone twice", err, controlplane.CodeConflict)
		want := []string{"restore.requested", "restore.previewed", "restore.confirmed", "restore.applied", "restore.undo_requested", "restore.undone"}
		if got := h.kinds(r.ID); !slices.Equal(got, want) {
			t.Errorf("ledger: got %v, want %v", got, want)
		}
		if js, err := h.backups.RestoreJobs(ctx, scope, r.ID); err != nil || len(js) != 4 {
			t.Errorf("jobs: got %d, %v, want preview, check, apply, undo", len(js), err)
		}
	})
}

// What was replaced is let go of once nobody can take the restore back, and the
// lists of names after that.
func TestSafetyCopyAndListsHaveTheirTime(t *testing.T) {
	each(t, func(t *testing.T, h *house, snap backups.Snapshot) {
		ctx, scope := h.owner(h.customer.ID)
		r := h.inPlace(snap, "/srv/shop/a")
		h.previewed(change("/srv/shop/a", wire.ActReplace))
		must[backups.Restore](t)(h.backups.ConfirmRestore(ctx, scope, r.ID))
		h.applied(change("/srv/shop/a", wire.ActReplace))
		sweep := func(d time.Duration) {
			t.Helper()
			h.clock.Advance(d)
			if err := h.backups.Sweep(h.ctx); err != nil {
				t.Fatal(err)
			}
			h.tick()
		}
		sweep(7*24*time.Hour + time.Minute)
		_, err := h.backups.UndoRestore(ctx, scope, r.ID)
		code(t, "undo after its time", err, controlplane.CodeExpired)
		settle := func(o wire.Outcome) {
			t.Helper()
			for range 20 { // backups of the plan are due too
				var p wire.SettleParams
				if id := h.offered(wire.ActionSettle, &p); id.Job != "" {
					res := wire.Result{JobRef: id, Outcome: o, Data: []byte(`{"bytes":10}`)}
					if o != wire.Succeeded {
						res.Failure = &wire.Failure{Cause: wire.CauseUnsupported}
					}
					h.end(res)
					return
				}
			}
			t.Fatal("the safety copy is not settled")
		}
		settle(wire.Failed)
		sweep(25 * time.Hour) // asked again after a day
		settle(wire.Succeeded)
		r = h.wantState(r.ID, backups.RestoreReady)
		if !r.UndoUntil.IsZero() || !r.ExpiresAt.Equal(r.FinishedAt.Add(30*24*time.Hour)) {
			t.Errorf("settled: got %+v", r)
		}
		if _, total, err := h.backups.Changes(ctx, scope, r.ID, backups.ListResult, 0, 0); err != nil || total != 1 {
			t.Errorf("the list: got %d, %v", total, err)
		}
		sweep(30 * 24 * time.Hour)
		_, total, err := h.backups.Changes(ctx, scope, r.ID, backups.ListResult, 0, 0)
		code(t, "the list after its time", err, controlplane.CodeExpired)
		if r := h.wantState(r.ID, backups.RestoreReady); total != 1 || !r.ExpiresAt.IsZero() {
			t.Errorf("the figures are lost: %d, %+v", total, r)
		}
	})
}

// Every way that a restore on a server can end early, and what is possible then.
func TestInPlaceEdges(t *testing.T) {
	type edge struct {
		run  func(t *testing.T, h *house, id string)
		want backups.RestoreState
		// confirm, undo and cancel are the codes that these meet afterwards.
		confirm, undo, cancel controlplane.Code
	}
	const conflict, expired, none = controlplane.CodeConflict, controlplane.CodeExpired, controlplane.Code("")
	replace := change("/srv/shop/a", wire.ActReplace)
	cancel := func(t *testing.T, h *house, id string) {
		t.Helper()
		ctx, scope := h.owner(h.customer.ID)
		must[backups.Restore](t)(h.backups.CancelRestore(ctx, scope, id))
	}
	confirm := func(t *testing.T, h *house, id string) {
		t.Helper()
		ctx, scope := h.owner(h.customer.ID)
		must[backups.Restore](t)(h.backups.ConfirmRestore(ctx, scope, id))
	}
	narrow := func(t *testing.T, h *house) {
		t.Helper()
		must[customers.Tenancy](t)(h.customers.UpdateTenancy(h.ctx, h.all, h.tenancy.ID, customers.TenancyChange{Paths: &[]string{"/srv/elsewhere"}}))
	}
	applying := func(t *testing.T, h *house, id string) wire.JobRef {
		t.Helper()
		h.previewed(replace)
		confirm(t, h, id)
		var p wire.ApplyParams
		return h.take(wire.ActionApply, &p)
	}
	for name, e := range map[string]edge{
		"cancelled while it waits for the server": {func(t *testing.T, h *house, id string) { cancel(t, h, id) }, backups.RestoreCancelled, conflict, conflict, conflict},
		"cancelled while the server previews": {func(t *testing.T, h *house, id string) {
			var p wire.PreviewParams
			ref := h.take(wire.ActionPreview, &p)
			cancel(t, h, id)
			if r := h.wantState(id, backups.RestorePreviewing); !r.CancelAsked || r.CanCancel() {
				t.Errorf("asked to stop: got %+v", r)
			}
			h.end(wire.Result{JobRef: ref, Outcome: wire.Cancelled})
		}, backups.RestoreCancelled, conflict, conflict, conflict},
		"cancelled, and the preview was faster": {func(t *testing.T, h *house, id string) {
			var p wire.PreviewParams
			ref := h.take(wire.ActionPreview, &p)
			cancel(t, h, id)
			h.finish(ref, h.changed(ref, replace))
			h.tick()
		}, backups.RestoreCancelled, conflict, conflict, conflict},
		"cancelled instead of confirmed": {func(t *testing.T, h *house, id string) {
			h.previewed(replace)
			cancel(t, h, id)
		}, backups.RestoreCancelled, conflict, conflict, conflict},
		"cancelled while it is applied": {func(t *testing.T, h *house, id string) {
			ref := applying(t, h, id)
			cancel(t, h, id)
			h.end(wire.Result{JobRef: ref, Outcome: wire.Cancelled})
		}, backups.RestoreCancelled, conflict, none, conflict},
		"cancelled, and the apply was faster": {func(t *testing.T, h *house, id string) {
			ref := applying(t, h, id)
			cancel(t, h, id)
			c := h.changed(ref, replace)
			c.Undoable = true
			h.finish(ref, c)
		}, backups.RestoreReady, conflict, none, conflict},
		"the preview fails":    {func(t *testing.T, h *house, _ string) { h.fail(wire.ActionPreview, wire.Failed, wire.CauseDamaged) }, backups.RestoreFailed, conflict, conflict, conflict},
		"the server is silent": {func(t *testing.T, h *house, _ string) { h.clock.Advance(2 * time.Hour); h.tick() }, backups.RestoreFailed, conflict, conflict, conflict},
		"nobody confirms it":   {func(t *testing.T, h *house, _ string) { h.previewed(replace); h.clock.Advance(61 * time.Minute) }, backups.RestorePreviewed, expired, conflict, none},
		"the sweep ends it": {func(t *testing.T, h *house, _ string) {
			h.previewed(replace)
			h.clock.Advance(61 * time.Minute)
			h.sweep()
		}, backups.RestoreExpired, expired, conflict, conflict},
		"nothing would change":  {func(t *testing.T, h *house, _ string) { h.previewed(change("/srv/shop/a", wire.ActSame)) }, backups.RestorePreviewed, conflict, conflict, none},
		"everything is refused": {func(t *testing.T, h *house, _ string) { h.previewed(change("/srv/shop/a", wire.ActRefuse)) }, backups.RestorePreviewed, conflict, conflict, none},
		"the list is not what the host says": {func(t *testing.T, h *house, _ string) {
			var p wire.PreviewParams
			ref := h.take(wire.ActionPreview, &p)
			c := h.changed(ref, replace)
			c.Size++
			h.finish(ref, c)
			for range 4 {
				h.tick()
				h.clock.Advance(10 * time.Minute)
			}
		}, backups.RestoreFailed, conflict, conflict, conflict},
		"the host's answer cannot be read": {func(t *testing.T, h *house, _ string) {
			var p wire.PreviewParams
			h.finish(h.take(wire.ActionPreview, &p), "what?")
		}, backups.RestoreFailed, conflict, conflict, conflict},
		"the tenancy loses the folder before it is confirmed": {func(t *testing.T, h *house, _ string) {
			h.previewed(replace)
			narrow(t, h)
		}, backups.RestoreCancelled, conflict, conflict, conflict},
		"the tenancy loses the folder while it waits": {func(t *testing.T, h *house, _ string) { narrow(t, h) }, backups.RestoreCancelled, conflict, conflict, conflict},
		"the tenancy loses the folder afterwards": {func(t *testing.T, h *house, id string) {
			ref := applying(t, h, id)
			c := h.changed(ref, replace)
			c.Undoable = true
			h.finish(ref, c)
			narrow(t, h)
		}, backups.RestoreReady, conflict, conflict, conflict},
		"the apply waits too long": {func(t *testing.T, h *house, id string) {
			h.previewed(replace)
			confirm(t, h, id)
			h.clock.Advance(2 * time.Hour)
			h.tick()
		}, backups.RestoreFailed, conflict, conflict, conflict},
		"the server stops in the middle, and goes on": {func(t *testing.T, h *house, id string) {
			ref := applying(t, h, id)
			h.end(wire.Result{JobRef: ref, Outcome: wire.Interrupted})
			h.wantState(id, backups.RestoreApplying)
			h.clock.Advance(10 * time.Minute)
			h.applied(replace)
		}, backups.RestoreReady, conflict, none, conflict},
		"the server stops in the middle again and again": {func(t *testing.T, h *house, id string) {
			h.previewed(replace)
			confirm(t, h, id)
			h.fail(wire.ActionApply, wire.Interrupted, wire.CauseInternal)
			if r := h.restore(id); !r.Resumable || !r.CanUndo(h.clock.Now()) || r.FailureCause != "interrupted" {
				t.Errorf("interrupted: got %+v", r)
			}
		}, backups.RestoreFailed, none, conflict, none},
		"what stopped in the middle goes on": {func(t *testing.T, h *house, id string) {
			h.previewed(replace)
			confirm(t, h, id)
			h.fail(wire.ActionApply, wire.Interrupted, wire.CauseInternal)
			confirm(t, h, id)
			h.applied(replace)
		}, backups.RestoreReady, conflict, none, conflict},
		"what stopped in the middle is taken back": {func(t *testing.T, h *house, id string) {
			h.previewed(replace)
			confirm(t, h, id)
			h.fail(wire.ActionApply, wire.Failed, wire.CauseDiskFull)
			ctx, scope := h.owner(h.customer.ID)
			must[backups.Restore](t)(h.backups.UndoRestore(ctx, scope, id))
			var u wire.UndoParams
			ref := h.take(wire.ActionUndo, &u)
			h.finish(ref, h.changed(ref, change("/srv/shop/a", wire.ActReturned)))
		}, backups.RestoreUndone, conflict, conflict, conflict},
		"it stopped before anything was changed, and is taken back": {func(t *testing.T, h *house, id string) {
			h.previewed(replace)
			confirm(t, h, id)
			h.fail(wire.ActionApply, wire.Failed, wire.CauseDiskFull)
			ctx, scope := h.owner(h.customer.ID)
			must[backups.Restore](t)(h.backups.UndoRestore(ctx, scope, id))
			h.fail(wire.ActionUndo, wire.Failed, wire.CauseNothingToUndo)
			if r := h.restore(id); r.UndoFailure != "nothing_to_undo" || r.FailureCause != "disk_full" || r.Resumable || r.CanUndo(h.clock.Now()) {
				t.Errorf("nothing to undo: got %+v", r)
			}
		}, backups.RestoreFailed, conflict, conflict, conflict},
		"the undo fails": {func(t *testing.T, h *house, id string) {
			ref := applying(t, h, id)
			c := h.changed(ref, replace)
			c.Undoable = true
			h.finish(ref, c)
			ctx, scope := h.owner(h.customer.ID)
			must[backups.Restore](t)(h.backups.UndoRestore(ctx, scope, id))
			h.fail(wire.ActionUndo, wire.Failed, wire.CauseUnsafePath)
			if r := h.restore(id); r.UndoFailure != "unsafe_path" || r.FailureCause != "" {
				t.Errorf("the undo failed: got %+v", r)
			}
		}, backups.RestoreReady, conflict, none, conflict},
	} {
		t.Run(name, func(t *testing.T) {
			onSQLite(t, func(t *testing.T, h *house, snap backups.Snapshot) {
				ctx, scope := h.owner(h.customer.ID)
				r := h.inPlace(snap, "/srv/shop/a")
				e.run(t, h, r.ID)
				h.wantState(r.ID, e.want)
				_, err := h.backups.ConfirmRestore(ctx, scope, r.ID)
				code(t, "confirm", err, e.confirm)
				_, err = h.backups.UndoRestore(ctx, scope, r.ID)
				code(t, "undo", err, e.undo)
				if e.undo != none {
					_, err = h.backups.CancelRestore(ctx, scope, r.ID)
					code(t, "cancel", err, e.cancel)
				}
			})
		})
	}
}

// The server of a failed or cancelled restore keeps nothing of it with us.
func TestNothingIsKeptOfWhatEndedEarly(t *testing.T) {
	each(t, func(t *testing.T, h *house, snap backups.Snapshot) {
		ctx, scope := h.owner(h.customer.ID)
		r := h.inPlace(snap, "/srv/shop/a")
		h.previewed(change("/srv/shop/a", wire.ActReplace))
		must[backups.Restore](t)(h.backups.CancelRestore(ctx, scope, r.ID))
		h.sweep()
		it := h.blobs.List(nil)
		if obj, err := it.Next(t.Context()); err == nil {
			t.Errorf("a blob is left: %+v", obj)
		}
		if got := h.kinds(r.ID); got[len(got)-1] != "restore.deleted" {
			t.Errorf("ledger: got %v", got)
		}
	})
}

func TestWhereThingsMayGo(t *testing.T) {
	each(t, func(t *testing.T, h *house, snap backups.Snapshot) {
		ctx, scope := h.owner(h.customer.ID)
		h.clock.Advance(time.Hour)
		must[backups.Run](t)(h.backups.RunNow(h.ctx, h.all, snap.Plan))
		h.backup(wire.BackupResult{Outcome: wire.BackupComplete})
		later := must[map[string]backups.Snapshot](t)(h.backups.LatestSnapshots(ctx, scope, []string{h.server.ID}))[h.server.ID]
		strange := must[customers.Server](t)(h.customers.CreateServer(h.ctx, h.all, customers.NewServer{Name: "harbour-1", Location: "Frankfurt", Country: "DE"}))
		must[customers.Tenancy](t)(h.customers.CreateTenancy(h.ctx, h.all, customers.NewTenancy{Server: strange.ID, Customer: h.other.ID, Paths: []string{"/srv/shop"}}))
		for name, tt := range map[string]struct {
			picks  []backups.Pick
			target backups.Destination
			want   controlplane.Code
		}{
			"nothing ticked":            {nil, backups.Destination{}, controlplane.CodeInvalid},
			"the whole snapshot":        {picks(snap, "/"), backups.Destination{}, ""},
			"above one's folders":       {picks(snap, "/srv"), backups.Destination{}, ""},
			"outside one's folders":     {picks(snap, "/srv/shop/a", "/etc/passwd"), backups.Destination{}, controlplane.CodeInvalid},
			"a name like one's folder":  {picks(snap, "/srv/shopping"), backups.Destination{}, controlplane.CodeInvalid},
			"a zero in the name":        {picks(snap, "/srv/shop/a\x00"), backups.Destination{}, controlplane.CodeInvalid},
			"folder outside":            {picks(snap, "/srv/shop/a"), backups.Destination{Placement: wire.PlaceFolder, Folder: []byte("/srv/shop/../other")}, controlplane.CodeInvalid},
			"no folder":                 {picks(snap, "/srv/shop/a"), backups.Destination{Placement: wire.PlaceFolder}, controlplane.CodeInvalid},
			"a folder that is relative": {picks(snap, "/srv/shop/a"), backups.Destination{Placement: wire.PlaceFolder, Folder: []byte("srv/shop/x")}, controlplane.CodeInvalid},
			"no such placement":         {picks(snap, "/srv/shop/a"), backups.Destination{Placement: "moon"}, controlplane.CodeInvalid},
			"no such rule":              {picks(snap, "/srv/shop/a"), backups.Destination{Conflict: "fight"}, controlplane.CodeInvalid},
			"another's server":          {picks(snap, "/srv/shop/a"), backups.Destination{Server: strange.ID}, controlplane.CodeNotFound},
			"no server":                 {picks(snap, "/srv/shop/a"), backups.Destination{Server: "srv_none"}, controlplane.CodeNotFound},
			"no snapshot":               {[]backups.Pick{{Snapshot: "snap_none", Path: []byte("/srv/shop/a")}}, backups.Destination{}, controlplane.CodeNotFound},
			"special by a contact":      {picks(snap, "/srv/shop/a"), backups.Destination{Special: true}, controlplane.CodeForbidden},
			"one path of two copies":    {append(picks(snap, "/srv/shop/a"), picks(later, "/srv/shop/a/b")...), backups.Destination{}, controlplane.CodeInvalid},
			"two copies":                {append(picks(snap, "/srv/shop/a"), picks(later, "/srv/shop/b")...), backups.Destination{}, ""},
			"a folder within":           {picks(snap, "/etc/passwd"), backups.Destination{Placement: wire.PlaceFolder, Folder: []byte("/srv/shop/new")}, ""},
		} {
			_, err := h.backups.StartInPlace(ctx, scope, backups.Order{Picks: tt.picks, Target: tt.target})
			code(t, name, err, tt.want)
		}
	})
}

func TestToAnotherServer(t *testing.T) {
	each(t, func(t *testing.T, h *house, snap backups.Snapshot) {
		ctx, scope := h.owner(h.customer.ID)
		target := h.second("maple-2")
		there := h.on(target)
		rs, err := h.backups.StartInPlace(ctx, scope, backups.Order{Picks: picks(snap, "/srv/shop/a"), Target: backups.Destination{Server: target.ID, Placement: wire.PlaceFolder, Folder: []byte("/home/maple/back")}})
		if err != nil || len(rs) != 1 || rs[0].State != backups.RestoreActive || rs[0].TargetServer != target.ID {
			t.Fatalf("start: got %+v, %v", rs, err)
		}
		id := rs[0].ID
		var a wire.ArchiveParams
		from := h.take(wire.ActionArchive, &a)
		data := []byte("a tar of everything")
		res := wire.ArchiveResult{Upload: h.send(from, data), Files: 3, Bytes: 70, MissingCount: 1, Missing: []wire.Problem{{Path: []byte("/srv/shop/a/x"), Cause: wire.CauseDamaged}}}
		h.clock.Advance(7 * time.Second)
		h.finish(from, res)
		h.wantState(id, backups.RestoreChecking)
		h.tick()
		r := h.wantState(id, backups.RestorePreviewing)
		if a.Format != wire.ArchiveTarGz || r.MissingCount != 1 || len(r.Missing) != 1 {
			t.Errorf("archive: asked %+v, got %+v", a, r)
		}
		var p wire.PreviewParams
		ref := there.take(wire.ActionPreview, &p)
		if p.Source == nil || p.Source.Job != from.Job || p.Source.Upload != res.Upload || p.Selections != nil || string(p.Target.Folder) != "/home/maple/back" || !slices.Equal(p.Target.Bounds, []string{"/home/maple", "/srv/shop"}) {
			t.Fatalf("preview asks %+v, %+v", p.Source, p)
		}
		got, digest, err := h.backups.SourceChunk(h.ctx, target.ID, agentID, ref.Job, ref.Epoch, 0)
		if err != nil || string(got) != string(data) || digest != res.SHA256 {
			t.Errorf("the chunk: got %q, %s, %v", got, digest, err)
		}
		for name, tt := range map[string]struct {
			server, agent, job string
			epoch              int64
			index              int
			want               controlplane.Code
		}{
			"another server":       {h.server.ID, agentID, ref.Job, ref.Epoch, 0, controlplane.CodeNotFound},
			"another agent":        {target.ID, "agt_x", ref.Job, ref.Epoch, 0, controlplane.CodeNotFound},
			"the source's own job": {h.server.ID, agentID, from.Job, from.Epoch, 0, controlplane.CodeNotFound},
			"no such job":          {target.ID, agentID, "job_none", ref.Epoch, 0, controlplane.CodeNotFound},
			"no such chunk":        {target.ID, agentID, ref.Job, ref.Epoch, 1, controlplane.CodeNotFound},
			"an old epoch":         {target.ID, agentID, ref.Job, ref.Epoch - 1, 0, controlplane.CodeConflict},
		} {
			_, _, err := h.backups.SourceChunk(h.ctx, tt.server, tt.agent, tt.job, tt.epoch, tt.index)
			code(t, name, err, tt.want)
		}
		there.finish(ref, there.changed(ref, change("/home/maple/back/a", wire.ActCreate)))
		h.tick()
		_, _, err = h.backups.SourceChunk(h.ctx, target.ID, agentID, ref.Job, ref.Epoch, 0)
		code(t, "after the preview", err, controlplane.CodeConflict)
		must[backups.Restore](t)(h.backups.ConfirmRestore(ctx, scope, id))
		if ap := there.applied(change("/home/maple/back/a", wire.ActCreate)); ap.Source == nil || ap.Source.Upload != res.Upload {
			t.Errorf("apply asks %+v", ap)
		}
		h.wantState(id, backups.RestoreReady)
		h.tick() // the archive is not needed any more
		n := 0
		for it := h.blobs.List(nil); ; n++ {
			if _, err := it.Next(ctx); err != nil {
				break
			}
		}
		if n != 2 {
			t.Errorf("got %d blobs, want the two lists", n)
		}
	})
}

// A tenancy of the target that ends while the source still packs ends the
// restore, at the latest when the archive is here.
func TestTargetIsLostOnTheWay(t *testing.T) {
	each(t, func(t *testing.T, h *house, snap backups.Snapshot) {
		ctx, scope := h.owner(h.customer.ID)
		target := h.second("maple-2")
		rs := must[[]backups.Restore](t)(h.backups.StartInPlace(ctx, scope, backups.Order{Picks: picks(snap, "/srv/shop/a"), Target: backups.Destination{Server: target.ID}}))
		var a wire.ArchiveParams
		ref := h.take(wire.ActionArchive, &a)
		tens := must[[]customers.Tenancy](t)(h.customers.Tenancies(h.ctx, h.all, customers.TenancyFilter{Server: target.ID}))
		must[customers.Tenancy](t)(h.customers.EndTenancy(h.ctx, h.all, tens[0].ID))
		if j := must[jobs.Job](t)(h.jobs.Get(h.ctx, h.all, ref.Job)); !j.CancelAsked {
			t.Error("the source was not asked to stop")
		}
		h.finish(ref, wire.ArchiveResult{Upload: h.send(ref, []byte("tar"))})
		h.tick()
		if r := h.wantState(rs[0].ID, backups.RestoreCancelled); r.FailureCause != string(wire.CauseUnsafePath) {
			t.Errorf("cause %q, want why", r.FailureCause)
		}
	})
}

func TestPutBackIsOneFileWithoutAQuestion(t *testing.T) {
	for name, tt := range map[string]struct {
		change wire.Change
		state  backups.RestoreState
		target string
		cause  string
	}{
		"beside":            {wire.Change{Path: []byte("/srv/shop/a.restored-1"), Type: wire.NodeFile, Act: wire.ActBeside, Size: 3, SHA256: strings.Repeat("ab", 32)}, backups.RestoreReady, "/srv/shop/a.restored-1", ""},
		"it was gone":       {wire.Change{Path: []byte("/srv/shop/a"), Type: wire.NodeFile, Act: wire.ActCreate, Size: 3, SHA256: strings.Repeat("ab", 32)}, backups.RestoreReady, "/srv/shop/a", ""},
		"a link in the way": {wire.Change{Path: []byte("/srv/shop/a"), Type: wire.NodeFile, Act: wire.ActRefuse, Cause: wire.CauseUnsafePath}, backups.RestoreFailed, "/srv/shop/a.restored-20261120-0900", "unsafe_path"},
		"only its folder":   {wire.Change{Path: []byte("/srv/shop"), Type: wire.NodeDir, Act: wire.ActSame}, backups.RestoreFailed, "/srv/shop/a.restored-20261120-0900", "not_found"},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, h *house, snap backups.Snapshot) {
				ctx, scope := h.owner(h.customer.ID)
				r := must[backups.Restore](t)(h.backups.StartPutBack(ctx, scope, snap.ID, []byte("/srv/shop/a")))
				if r.State != backups.RestoreActive || r.TargetServer != h.server.ID {
					t.Errorf("started: got %+v", r)
				}
				var p wire.ApplyParams
				ref := h.take(wire.ActionApply, &p)
				if p.Target.Conflict != wire.ConflictBeside || p.Target.Suffix != ".restored-20261120-0900" || string(p.Selections[0].Paths[0]) != "/srv/shop/a" {
					t.Errorf("asked %+v", p)
				}
				h.finish(ref, h.changed(ref, tt.change))
				r = h.wantState(r.ID, tt.state)
				if string(r.Target) != tt.target || r.FailureCause != tt.cause || tt.cause == "" && (r.SHA256 != strings.Repeat("ab", 32) || r.Size != 3) {
					t.Errorf("got %+v at %q", r, r.Target)
				}
				_, err := h.backups.ConfirmRestore(ctx, scope, r.ID)
				code(t, "confirm", err, controlplane.CodeNotFound)
			})
		})
	}
}

// Staff restore by an assist only, and then set-user-id bits and devices too.
func TestStaffRestoreByAnAssistOnly(t *testing.T) {
	each(t, func(t *testing.T, h *house, snap backups.Snapshot) {
		order := backups.Order{Customer: h.customer.ID, Picks: picks(snap, "/srv/shop/a"), Target: backups.Destination{Special: true}}
		mine := h.inPlace(snap, "/srv/shop/b")
		h.previewed(change("/srv/shop/b", wire.ActReplace))
		_, inPlace := h.backups.StartInPlace(h.ctx, h.all, order)
		_, archive := h.backups.StartArchive(h.ctx, h.all, order)
		_, download := h.backups.StartDownload(h.ctx, h.all, snap.ID, []byte("/srv/shop/a"))
		_, putBack := h.backups.StartPutBack(h.ctx, h.all, snap.ID, []byte("/srv/shop/a"))
		_, basket := h.backups.Basket(h.ctx, h.all, h.customer.ID)
		_, confirm := h.backups.ConfirmRestore(h.ctx, h.all, mine.ID)
		_, cancel := h.backups.CancelRestore(h.ctx, h.all, mine.ID)
		for name, err := range map[string]error{"in place": inPlace, "archive": archive, "download": download, "put back": putBack, "basket": basket, "confirm": confirm, "cancel": cancel} {
			code(t, name, err, controlplane.CodeForbidden)
		}
		a := must[backups.Assist](t)(h.backups.StartAssist(h.ctx, h.customer.Slug, "Ines called: the shop is down", "OPS-7"))
		scope, got, err := h.backups.AssistScope(h.ctx, policy.RestoreRun)
		if err != nil || got.ID != a.ID {
			t.Fatalf("scope: %+v, %v", got, err)
		}
		rs := must[[]backups.Restore](t)(h.backups.StartInPlace(h.ctx, scope, order))
		if r := rs[0]; r.Assist == nil || r.Assist.Ticket != "OPS-7" || r.Assist.Reason == "" || !r.Special {
			t.Errorf("got %+v", r)
		}
		p := h.previewed(change("/srv/shop/a", wire.ActReplace))
		if !p.Target.Special {
			t.Error("special is not asked for")
		}
		octx, oscope := h.owner(h.other.ID)
		if _, err := h.backups.Restore(octx, oscope, rs[0].ID); controlplane.ErrorCode(err) != controlplane.CodeNotFound {
			t.Errorf("another customer: %v", err)
		}
		h.clock.Advance(backups.AssistTime)
		_, err = h.backups.CancelRestore(h.ctx, scope, mine.ID)
		code(t, "after its time", err, controlplane.CodeForbidden)
	})
}

// Whoever names a folder outside of theirs is told which are theirs.
func TestInPlaceNamesTheFoldersThatMayBe(t *testing.T) {
	each(t, func(t *testing.T, h *house, snap backups.Snapshot) {
		ctx, scope := h.owner(h.customer.ID)
		for _, folder := range []string{"/etc", "/", "/srv/shop/../other"} {
			_, err := h.backups.StartInPlace(ctx, scope, backups.Order{Picks: picks(snap, "/srv/shop/a"), Target: backups.Destination{Placement: wire.PlaceFolder, Folder: []byte(folder)}})
			var e *controlplane.Error
			if !errors.As(err, &e) || len(e.Fields) != 1 || e.Fields[0].Pointer != "/target/folder" || !strings.Contains(e.Fields[0].Message, "within /srv/shop.") {
				t.Errorf("%s: got %v", folder, err)
			}
		}
	})
}
