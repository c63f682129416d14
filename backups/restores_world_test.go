package backups_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"sync"
	"testing"

	"ostler/agents/wire"
	"ostler/backups"
	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/jobs"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// on is the house with another server as the one that the test plays.
func (h *house) on(s customers.Server) *house {
	c := *h
	c.server = s
	return &c
}

// as returns a context of a person, and their scope.
func (h *house) as(kind controlplane.ActorKind, id string, role policy.Role, customer string) (context.Context, policy.Scope) {
	a := controlplane.Actor{Kind: kind, ID: id, Role: string(role), Customer: customer}
	return controlplane.WithActor(h.t.Context(), a), policy.ScopeOf(a)
}

// send has the played host send data up for its job.
func (h *house) send(ref wire.JobRef, data []byte) wire.Upload {
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

// changed sends a list of changes and returns what the host says of it.
func (h *house) changed(ref wire.JobRef, list ...wire.Change) wire.Changes {
	h.t.Helper()
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	c := wire.Changes{Counts: map[wire.Act]int64{}, Changes: list}
	for _, ch := range list {
		if err := json.NewEncoder(z).Encode(ch); err != nil {
			h.t.Fatal(err)
		}
		c.Counts[ch.Act]++
		c.Bytes += ch.Size
	}
	if err := z.Close(); err != nil {
		h.t.Fatal(err)
	}
	c.Upload = h.send(ref, buf.Bytes())
	return c
}

func change(path string, act wire.Act) wire.Change {
	return wire.Change{Path: []byte(path), Type: wire.NodeFile, Act: act, Size: 10}
}

// previewed answers a preview and lets the plane check its list.
func (h *house) previewed(list ...wire.Change) wire.PreviewParams {
	h.t.Helper()
	var p wire.PreviewParams
	ref := h.take(wire.ActionPreview, &p)
	h.finish(ref, h.changed(ref, list...))
	h.tick()
	return p
}

// applied answers an apply that can be taken back.
func (h *house) applied(list ...wire.Change) wire.ApplyParams {
	h.t.Helper()
	var p wire.ApplyParams
	ref := h.take(wire.ActionApply, &p)
	c := h.changed(ref, list...)
	c.Undoable, c.SafetyBytes = true, 10
	h.finish(ref, c)
	return p
}

func (h *house) restore(id string) backups.Restore {
	h.t.Helper()
	return must[backups.Restore](h.t)(h.backups.Restore(controlplane.System(h.t.Context(), "test"), h.all, id))
}

func (h *house) wantState(id string, want backups.RestoreState) backups.Restore {
	h.t.Helper()
	r := h.restore(id)
	if r.State != want {
		h.t.Fatalf("restore is %q (cause %q), want %q", r.State, r.FailureCause, want)
	}
	return r
}

// fail ends a job with a failure until it is tried no more.
func (h *house) fail(kind wire.Action, outcome wire.Outcome, cause wire.Cause) {
	h.t.Helper()
	for range 3 {
		var p any
		ref := h.take(kind, &p)
		h.end(wire.Result{JobRef: ref, Outcome: outcome, Failure: &wire.Failure{Cause: cause}})
		if must[jobs.Job](h.t)(h.jobs.Get(h.ctx, h.all, ref.Job)).State.Terminal() {
			return
		}
		h.clock.Advance(20 * 60e9)
	}
}

// second gives the customer another server.
func (h *house) second(name string) customers.Server {
	h.t.Helper()
	s := must[customers.Server](h.t)(h.customers.CreateServer(h.ctx, h.all, customers.NewServer{Name: name, Location: "Frankfurt", Country: "DE"}))
	must[customers.Tenancy](h.t)(h.customers.CreateTenancy(h.ctx, h.all, customers.NewTenancy{Server: s.ID, Customer: h.customer.ID, Paths: []string{"/srv/shop", "/home/maple"}}))
	return s
}

// kinds are the kinds of the ledger's entries about a thing, oldest first.
func (h *house) kinds(subject string) (kinds []string) {
	h.t.Helper()
	items, _, err := h.ledger.List(h.ctx, h.all, ledger.Filter{Subject: subject})
	if err != nil {
		h.t.Fatal(err)
	}
	for _, i := range items {
		kinds = append([]string{i.Kind}, kinds...)
	}
	return kinds
}

// box is a Mailer that keeps what is enqueued; a key once only, as the real one.
type box struct {
	mu      sync.Mutex
	letters []backups.Letter
}

func (b *box) Enqueue(_ *db.Tx, l backups.Letter) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.letters = append(b.letters, l)
	return nil
}

// picks are paths of one snapshot.
func picks(snap backups.Snapshot, paths ...string) []backups.Pick {
	var out []backups.Pick
	for _, p := range paths {
		out = append(out, backups.Pick{Snapshot: snap.ID, Path: []byte(p), Size: -1})
	}
	return out
}

func code(t *testing.T, what string, err error, want controlplane.Code) {
	t.Helper()
	if got := controlplane.ErrorCode(err); got != want {
		t.Errorf("%s: got %v (%q), want %q", what, err, got, want)
	}
}

// each runs a test in a house with a snapshot, on each database.
func each(t *testing.T, fn func(t *testing.T, h *house, snap backups.Snapshot)) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		_, snap := h.ready()
		fn(t, h, snap)
	})
}

// sweep sweeps, and has the plane do what came of it.
func (h *house) sweep() {
	h.t.Helper()
	if err := h.backups.Sweep(h.ctx); err != nil {
		h.t.Fatal(err)
	}
	h.tick()
}

// offered takes one job of a kind, and lets any other fail; none is a zero ref.
func (h *house) offered(kind wire.Action, params any) (found wire.JobRef) {
	h.t.Helper()
	for _, j := range h.agent().Take() {
		if j.Action != kind {
			h.end(wire.Result{JobRef: j.Ref, Outcome: wire.Failed, Failure: &wire.Failure{Cause: wire.CauseInternal}})
			continue
		}
		j.Read(h.t, params)
		found = j.Ref
	}
	h.tick()
	return found
}

// onSQLite is each for tables of cases whose ways through the database another
// test takes on both.
func onSQLite(t *testing.T, fn func(t *testing.T, h *house, snap backups.Snapshot)) {
	t.Helper()
	clock := &dbtest.Clock{}
	h := newHouse(t, dbtest.SQLite(t, clock), clock)
	_, snap := h.ready()
	fn(t, h, snap)
}
