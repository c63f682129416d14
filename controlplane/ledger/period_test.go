package ledger_test

import (
	"bytes"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// An auditor of a period reads what was entered in it, whatever they ask for.
func TestAuditorsReadTheirPeriod(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d)
		var edges []time.Time
		for range 4 { // a day each
			edges = append(edges, clock.Now())
			w.append(12)
			clock.Advance(24 * time.Hour)
		}
		w.sequence()
		whole, _, err := w.l.List(w.ctx, policy.OneCustomer("cus_a"), ledger.Filter{Limit: 100})
		w.must(err)
		auditor := controlplane.WithActor(t.Context(), controlplane.Actor{Kind: controlplane.ActorAuditor, ID: "aud_1", Customer: "cus_a", Role: "auditor", From: edges[1], To: edges[3]})
		scope := policy.OneCustomer("cus_a")
		for name, f := range map[string]ledger.Filter{"nothing": {}, "wider": {Since: edges[0], Before: edges[3].Add(time.Hour)}, "open": {Since: edges[0].Add(-time.Hour)}} {
			f.Limit = 100
			items, _, err := w.l.List(auditor, scope, f)
			w.must(err)
			if len(items) != len(whole)/2 {
				t.Errorf("%s asked for: got %d entries, want %d of %d", name, len(items), len(whole)/2, len(whole))
			}
			for _, i := range items {
				if i.At.Before(edges[1]) || !i.At.Before(edges[3]) {
					t.Errorf("%s asked for: got an entry of %v", name, i.At)
				}
			}
		}
		narrower, _, err := w.l.List(auditor, scope, ledger.Filter{Since: edges[2], Limit: 100})
		if w.must(err); len(narrower) != len(whole)/4 {
			t.Errorf("narrower: got %d entries, want %d", len(narrower), len(whole)/4)
		}
		for _, i := range whole {
			_, err := w.l.Get(auditor, scope, i.ID)
			_, perr := w.l.Prove(auditor, scope, i.ID)
			want := controlplane.CodeNotFound
			if !i.At.Before(edges[1]) && i.At.Before(edges[3]) {
				want = ""
			}
			if got := controlplane.ErrorCode(err); got != want {
				t.Errorf("an entry of %v: %v, want %q", i.At, err, want)
			}
			if got := controlplane.ErrorCode(perr); got != want {
				t.Errorf("its proof: %v, want %q", perr, want)
			}
		}
		heads, err := w.l.DailyHeads(auditor, scope, "cus_a", time.Time{})
		w.must(err)
		for _, h := range heads {
			if h.Day < edges[1].UTC().Format(time.DateOnly) || h.Day >= edges[3].UTC().Format(time.DateOnly) {
				t.Errorf("got the head of %s", h.Day)
			}
		}
		if len(heads) == 0 {
			t.Error("no heads of the days within")
		}
		var out bytes.Buffer
		if err := w.l.ExportBundle(auditor, scope, &out, ledger.BundleOptions{Customer: "cus_a"}); controlplane.ErrorCode(err) != controlplane.CodeForbidden || out.Len() > 0 {
			t.Errorf("the whole record as a file: %v, %d bytes", err, out.Len())
		}
		open := controlplane.WithActor(t.Context(), controlplane.Actor{Kind: controlplane.ActorAuditor, ID: "aud_2", Customer: "cus_a", Role: "auditor"})
		w.must(w.l.ExportBundle(open, scope, &out, ledger.BundleOptions{Customer: "cus_a"}))
	})
}
