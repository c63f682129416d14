package backups_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"ostler/agents/wire"
	"ostler/backups"
	"ostler/controlplane"
	"ostler/controlplane/jobs"
)

// What a host says stands in clear, in sums and in the ledger: figures stay
// figures, and nothing else comes with them.
func TestAHostSaysImpossibleThings(t *testing.T) {
	each(t, func(t *testing.T, h *house, snap backups.Snapshot) {
		ctx, scope := h.owner(h.customer.ID)
		put := func(c wire.Change) backups.Restore {
			r := must[backups.Restore](t)(h.backups.StartPutBack(ctx, scope, snap.ID, []byte("/srv/shop/a")))
			var p wire.ApplyParams
			ref := h.take(wire.ActionApply, &p)
			answer := h.changed(ref, c)
			answer.Bytes, answer.Counts[wire.ActCreate], answer.MissingCount = math.MaxInt64, math.MaxInt64, math.MinInt64
			h.clock.Advance(2e9)
			h.finish(ref, answer)
			return h.restore(r.ID)
		}
		for range 3 {
			r := put(wire.Change{Path: []byte("/srv/shop/a"), Type: wire.NodeFile, Act: wire.ActCreate, Size: math.MaxInt64, SHA256: "/srv/shop/a"})
			if r.State != backups.RestoreReady || r.SHA256 != "" || r.Size > 1<<53 || r.Bytes > 1<<53 || r.Files < 0 || r.MissingCount != 0 {
				t.Errorf("got %q, %q, %d, %d, %d, %d", r.State, r.SHA256, r.Size, r.Bytes, r.Files, r.MissingCount)
			}
		}
		if r := put(wire.Change{Path: []byte("/srv/shop/a"), Type: wire.NodeFile, Act: wire.ActRefuse, Cause: "/srv/shop/a"}); r.FailureCause != string(wire.CauseInternal) {
			t.Errorf("a cause that is none: got %q", r.FailureCause)
		}
		if r := put(wire.Change{Path: []byte("/srv/shop/a"), Type: wire.NodeFile, Act: "/srv/shop/a"}); r.State != backups.RestoreFailed {
			t.Errorf("an act that is none: got %q", r.State)
		}
		if _, err := h.backups.Basket(ctx, scope, ""); err != nil {
			t.Errorf("the sums of all that: %v", err)
		}
		r := must[backups.Restore](t)(h.backups.StartDownload(ctx, scope, snap.ID, []byte("/srv/shop/a")))
		var p wire.DownloadParams
		ref := h.take(wire.ActionDownload, &p)
		h.finish(ref, wire.DownloadResult{Size: 4, SHA256: "/srv/shop/a", Chunks: 1})
		if r := h.wantState(r.ID, backups.RestoreFailed); r.SHA256 != "" {
			t.Errorf("a sum that is none: got %q", r.SHA256)
		}
	})
}

// A file whose parts are not full cannot be read from the middle: it is never ready.
func TestAHostSendsShortParts(t *testing.T) {
	onSQLite(t, func(t *testing.T, h *house, snap backups.Snapshot) {
		ctx, scope := h.owner(h.customer.ID)
		r := must[backups.Restore](t)(h.backups.StartDownload(ctx, scope, snap.ID, []byte("/srv/shop/a")))
		var p wire.DownloadParams
		ref := h.take(wire.ActionDownload, &p)
		parts := [][]byte{[]byte("short"), bytes.Repeat([]byte("x"), wire.ChunkSize)}
		all := sha256.New()
		for i, part := range parts {
			all.Write(part)
			sum := sha256.Sum256(part)
			if err := h.backups.Put(h.ctx, h.server.ID, agentID, ref.Job, ref.Epoch, i, hex.EncodeToString(sum[:]), bytes.NewReader(part)); err != nil {
				t.Fatal(err)
			}
		}
		h.finish(ref, wire.DownloadResult{Size: wire.ChunkSize + 5, SHA256: hex.EncodeToString(all.Sum(nil)), Chunks: 2})
		for range 3 {
			h.tick()
			h.clock.Advance(20 * 60e9)
		}
		h.wantState(r.ID, backups.RestoreFailed)
	})
}

// A list of names or changes takes no more room than a list may.
func TestAHostSendsAnEndlessList(t *testing.T) {
	onSQLite(t, func(t *testing.T, h *house, snap backups.Snapshot) {
		ctx, scope := h.owner(h.customer.ID)
		must[[]backups.Restore](t)(h.backups.StartInPlace(ctx, scope, backups.Order{Picks: picks(snap, "/srv/shop/a")}))
		var p wire.PreviewParams
		ref := h.take(wire.ActionPreview, &p)
		part := []byte("x")
		sum := sha256.Sum256(part)
		put := func(index int) error {
			return h.backups.Put(h.ctx, h.server.ID, agentID, ref.Job, ref.Epoch, index, hex.EncodeToString(sum[:]), bytes.NewReader(part))
		}
		if err := put(100); err != nil {
			t.Error(err)
		}
		code(t, "5 GiB", put(5<<30/wire.ChunkSize), controlplane.CodeInvalid)
	})
}

func TestReadingAListIsBounded(t *testing.T) {
	t.Parallel()
	packed := func(text string, times int) *bytes.Reader {
		var buf bytes.Buffer
		z := gzip.NewWriter(&buf)
		for range times {
			_, _ = z.Write([]byte(text))
		}
		_ = z.Close()
		return bytes.NewReader(buf.Bytes())
	}
	ctx, cancel := context.WithCancel(context.Background())
	if got, err := backups.ReadChanges(ctx, packed("{}\n", 5000), 4000, 10); err != nil || len(got) != 10 {
		t.Errorf("got %d, %v", len(got), err)
	}
	mixed := packed("{\"act\":\"same\",\"size\":1}\n{\"act\":\"create\",\"size\":2}\n", 3)
	for at, want := range []int64{2, 2, 2, 1, 1, 1} { // what differs comes first
		if got, err := backups.ReadChanges(ctx, mixed, at, 2); err != nil || len(got) != min(2, 6-at) || got[0].Size != want {
			t.Errorf("from %d on: got %+v, %v", at, got, err)
		}
	}
	_, err := backups.ReadChanges(ctx, packed(strings.Repeat(" ", 1<<20), 64), 0, 10)
	code(t, "one line of 64 MiB", err, controlplane.CodeConflict)
	cancel()
	_, err = backups.ReadChanges(ctx, packed("{}\n", 5000), 4000, 10)
	code(t, "its time is over", err, controlplane.CodeUnavailable)
}

// What a search on a date did not see is what it would have seen instead: not
// what came later.
func TestFindOnADateTellsWhatIsBehindThen(t *testing.T) {
	each(t, func(t *testing.T, h *house, _ backups.Snapshot) {
		ctx, scope := h.owner(h.customer.ID)
		h.listed(tree{"/srv/shop/a.txt": 1}) // of 20 November
		plan := must[[]backups.Plan](t)(h.backups.Plans(ctx, scope, ""))[0].ID
		h.clock.Advance(24 * time.Hour)
		h.copiedOnly(plan, wire.BackupResult{Outcome: wire.BackupComplete})
		h.clock.Advance(48 * time.Hour)
		h.copiedOnly(plan, wire.BackupResult{Outcome: wire.BackupComplete})
		for day, want := range map[int]int{19: 0, 20: 0, 21: 1, 22: 1, 23: 2, 30: 2} {
			f := must[backups.Found](t)(h.backups.Find(ctx, scope, backups.FindQuery{Text: "a", On: time.Date(2026, 11, day, 0, 0, 0, 0, time.UTC)}))
			n := 0
			for _, b := range f.Behind {
				n += b.Snapshots
			}
			if n != want {
				t.Errorf("on the %dth: got %d behind, want %d", day, n, want)
			}
		}
		f := must[backups.Found](t)(h.backups.Find(ctx, scope, backups.FindQuery{Text: "a"}))
		if len(f.Behind) != 1 || f.Behind[0].Snapshots != 2 {
			t.Errorf("on any date: got %+v", f.Behind)
		}
	})
}

// Whoever searches much waits for their own searches, and nobody else does.
func TestSearchesWaitForTheirOwn(t *testing.T) {
	onSQLite(t, func(t *testing.T, h *house, _ backups.Snapshot) {
		ctx, scope := h.owner(h.customer.ID)
		h.listed(tree{"/srv/shop/a.txt": 1})
		backups.SetFindTime(h.backups, 50*time.Millisecond)
		done := backups.TakeSearch(h.backups, h.customer.ID)
		_, err := h.backups.Find(ctx, scope, backups.FindQuery{Text: "a"})
		code(t, "while another is at work", err, controlplane.CodeTooMany)
		done()
		if _, err := h.backups.Find(ctx, scope, backups.FindQuery{Text: "a"}); err != nil {
			t.Error(err)
		}
	})
}

// The jobs of a restore bring names of files: they are let go of, but for the
// job that the restore names.
func TestOldStepsAreForgotten(t *testing.T) {
	each(t, func(t *testing.T, h *house, snap backups.Snapshot) {
		ctx, scope := h.owner(h.customer.ID)
		r := must[[]backups.Restore](t)(h.backups.StartInPlace(ctx, scope, backups.Order{Picks: picks(snap, "/srv/shop/a")}))[0]
		h.previewed(change("/srv/shop/a", wire.ActCreate))
		must[backups.Restore](t)(h.backups.ConfirmRestore(ctx, scope, r.ID))
		h.applied(change("/srv/shop/a", wire.ActCreate))
		preview := must[[]jobs.Job](t)(h.backups.RestoreJobs(ctx, scope, r.ID))
		h.sweep()
		if got := must[[]jobs.Job](t)(h.backups.RestoreJobs(ctx, scope, r.ID)); len(got) != len(preview) {
			t.Fatalf("at once: got %d jobs, want %d", len(got), len(preview))
		}
		h.clock.Advance(8 * 24 * time.Hour)
		h.sweep()
		var p wire.SettleParams
		h.finish(h.take(wire.ActionSettle, &p), wire.Settled{})
		named := h.restore(r.ID).Job
		if len(must[jobs.Job](t)(h.jobs.Get(h.ctx, h.all, named)).Result) == 0 {
			t.Error("the result is gone before its time")
		}
		h.clock.Advance(40 * 24 * time.Hour)
		h.sweep()
		h.clock.Advance(40 * 24 * time.Hour)
		h.sweep()
		got := must[[]jobs.Job](t)(h.backups.RestoreJobs(ctx, scope, r.ID))
		if len(got) != 1 || got[0].ID != named || h.restore(r.ID).Job != named {
			t.Errorf("after a month: got %d jobs", len(got))
		}
		if j := must[jobs.Job](t)(h.jobs.Get(h.ctx, h.all, named)); j.Result != nil || j.State != jobs.Succeeded {
			t.Errorf("the named job: got %q with %d bytes", j.State, len(j.Result))
		}
	})
}

// A host whose names are others each time fills no more than its plan's catalogue
// may have; what was written for it goes again.
func TestACatalogueIsBounded(t *testing.T) {
	onSQLite(t, func(t *testing.T, h *house, _ backups.Snapshot) {
		h.listed(tree{"/srv/shop/a.txt": 1})
		ctx, scope := h.owner(h.customer.ID)
		plan := must[[]backups.Plan](t)(h.backups.Plans(ctx, scope, ""))[0].ID
		before := h.state(plan)
		backups.SetMaxCatalogue(h.backups, before.Bytes+100)
		h.copiedOnly(plan, wire.BackupResult{Outcome: wire.BackupComplete})
		many := tree{}
		for i := range 200 {
			many[fmt.Sprintf("/srv/shop/%x", sha256.Sum256([]byte{byte(i)}))] = int64(i)
		}
		for range 3 {
			var p wire.CatalogueParams
			ref := h.offered(wire.ActionCatalogue, &p)
			h.finish(ref, wire.CatalogueResult{Upload: h.upload(ref, h.listing(many)), Entries: int64(len(many)), Snapshots: h.resticIDs()})
			h.tick()
			for range 5 { // the merge is tried again
				h.clock.Advance(time.Hour)
				h.tick()
			}
			h.clock.Advance(24 * time.Hour)
			h.swept()
		}
		after := h.state(plan)
		if after.Bytes != before.Bytes || after.Snapshots != 1 || after.Why != backups.WhyFailed {
			t.Errorf("got %+v, want what was there, and why", after)
		}
		if got := len(h.stored("catalogues/")); got != 1 {
			t.Errorf("got %d segments, want the one that is named", got)
		}
	})
}
