package host_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"ostler/agents/host/helper"
	"ostler/agents/host/hosttest"
	"ostler/agents/wire"
)

// A restore on this server, from the plane's job to the helper and back.
func TestRestoreOnThisServer(t *testing.T) {
	long := bytes.Repeat([]byte{0xff}, 4000)
	answer := func(job string) helper.Changed {
		c := helper.Changed{Changes: wire.Changes{Counts: map[wire.Act]int64{wire.ActCreate: wire.MaxChanges}, Bytes: 7, Undoable: true, SafetyBytes: 9}}
		for range wire.MaxChanges {
			c.Changes.Changes = append(c.Changes.Changes, wire.Change{Path: long, Act: wire.ActCreate})
		}
		c.List = helper.Staged{Path: t.TempDir() + "/list", Size: int64(len(job)), SHA256: ""}
		if err := os.WriteFile(c.List.Path, []byte(job), 0o600); err != nil {
			t.Error(err)
		}
		return c
	}
	var asked helper.Apply
	var undone helper.Undo
	h := &hosttest.Helper{
		OnApply: func(_ context.Context, a helper.Apply, r helper.Report) (helper.Changed, error) {
			asked = a
			r(wire.Progress{Step: "place", Files: 1})
			return answer(a.Job), nil
		},
		OnUndo: func(_ context.Context, u helper.Undo) (helper.Changed, error) {
			undone = u
			return answer(u.Job), nil
		},
		OnSettle: func(_ context.Context, restore string) (wire.Settled, error) {
			return wire.Settled{Bytes: int64(len(restore))}, nil
		},
	}
	r := newRig(t, h)
	r.policy("paths: [/srv]")
	r.start()
	r.prepared()
	target := wire.Target{Placement: wire.PlaceOriginal, Conflict: wire.ConflictOverwrite, Bounds: []string{"/srv/www"}}
	wanted := []wire.Selection{{Repository: repo, SnapshotID: "snap", Paths: [][]byte{[]byte("/srv/www/a")}}, {Repository: repo, SnapshotID: "other", Paths: [][]byte{[]byte("/srv/www/\xff")}}}

	for job, what := range map[string]struct {
		action wire.Action
		params any
	}{
		"job_apply": {wire.ActionApply, wire.ApplyParams{Restore: "rst_1", Selections: wanted, Target: target}},
		"job_undo":  {wire.ActionUndo, wire.UndoParams{Restore: "rst_1", Bounds: []string{"/srv/www"}}},
	} {
		r.plane.Offer(wire.Envelope{Job: job, Action: what.action, Params: params(t, what.params)})
		res := r.plane.Result(job)
		if res.Outcome != wire.Succeeded {
			t.Fatalf("%s: got %+v\n%s", job, res.Failure, r.logs)
		}
		got := decode[wire.Changes](t, res.Data)
		if got.Counts[wire.ActCreate] != wire.MaxChanges || !got.Undoable || got.SafetyBytes != 9 || got.Chunks != 1 || got.Size != int64(len(job)) {
			t.Errorf("%s: got %+v of %v", job, got.Upload, got.Counts)
		}
		if n := len(got.Changes); n == 0 || n == wire.MaxChanges || len(res.Data) > wire.MaxFrame {
			t.Errorf("%s: %d changes in %d bytes", job, n, len(res.Data))
		}
		if up, _ := r.plane.File(job); string(up) != job {
			t.Errorf("%s: the plane has %q", job, up)
		}
		if d := h.Discarded(); d[len(d)-1] != job {
			t.Errorf("%s: discarded %v", job, d)
		}
	}
	if asked.Restore != "rst_1" || asked.Job != "job_apply" || fmt.Sprint(asked.Target) != fmt.Sprint(target) || len(asked.Selections) != 2 ||
		asked.Selections[0].Repo.ID != repo.ID || asked.Selections[1].Snapshot != "other" || string(asked.Selections[1].Paths[0]) != "/srv/www/\xff" {
		t.Errorf("the helper was asked for %+v", asked)
	}
	if undone.Restore != "rst_1" || undone.Bounds[0] != "/srv/www" {
		t.Errorf("the helper was asked to undo %+v", undone)
	}
	r.plane.Offer(wire.Envelope{Job: "job_settle", Action: wire.ActionSettle, Params: params(t, wire.SettleParams{Restore: "rst_1"})})
	if got := decode[wire.Settled](t, r.plane.Result("job_settle").Data); got.Bytes != 5 {
		t.Errorf("settle: got %+v", got)
	}
	if log := r.logs.String(); strings.Contains(log, "/srv") {
		t.Error("the log has a path")
	}
}
