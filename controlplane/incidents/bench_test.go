package incidents_test

import (
	"fmt"
	"testing"
	"time"

	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/incidents"
	"ostler/controlplane/policy"
)

const (
	benchCustomers = 2000
	draftsBudget   = 10 * time.Second
)

// BenchmarkDrafts drafts the first notices of a case to 2,000 customers, and sends
// them: made, checked against the names of all others, handed to mail.
func BenchmarkDrafts(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) { draftsFor(b, dbtest.SQLite(b, db.SystemClock{})) })
	b.Run("postgres", func(b *testing.B) { draftsFor(b, dbtest.Postgres(b, nil)) })
}

func draftsFor(b *testing.B, d *db.DB) {
	w := newWorld(b, d, nil)
	w.contactable()
	for i := range benchCustomers {
		c := w.customer(fmt.Sprintf("firm-%04d", i), fmt.Sprintf("Firm Number%04d", i))
		w.contact(c, "Owner", policy.RoleOwner)
		w.lives(w.shared, c)
	}
	c := w.open([]customers.Server{w.shared})
	for b.Loop() {
		start := time.Now()
		n := len(w.drafts(c, incidents.First))
		made := time.Since(start)
		start = time.Now()
		sent, kept, err := w.incidents.SendAll(w.ctx, w.all, c.ID, incidents.Sending{AloneWhy: "A measure."})
		took := time.Since(start)
		if err != nil || n != benchCustomers+2 || sent != n || len(kept) > 0 {
			b.Fatal(n, sent, len(kept), err)
		}
		fmt.Printf("%d customers' drafts in %.1f s (at most %.0f), sent in %.1f s\n", n, made.Seconds(), draftsBudget.Seconds(), took.Seconds())
		b.ReportMetric(made.Seconds(), "s/drafts")
		b.ReportMetric(took.Seconds(), "s/sending")
		b.StopTimer()
		whole, heads := w.readAll(c.ID, false), w.readAll(c.ID, true)
		fmt.Printf("the case and its %d notices read in %.2f s with their texts, %.2f s without\n", n, whole.Seconds(), heads.Seconds())
		b.ReportMetric(heads.Seconds(), "s/page")
		b.StartTimer()
		if made > draftsBudget {
			b.Errorf("2,000 drafts took %s, want %s at most", made, draftsBudget)
		}
	}
}

// readAll is how long it takes to read what a case's page shows.
func (w *world) readAll(id string, heads bool) time.Duration {
	w.t.Helper()
	start := time.Now()
	w.get(id)
	must[[]incidents.Clock](w.t)(w.incidents.Clocks(w.ctx, w.all, id))
	for f := (incidents.NoticeFilter{Case: id, Heads: heads, Limit: 200}); ; {
		_, next, err := w.incidents.Notices(w.ctx, w.all, f)
		if err != nil {
			w.t.Fatal(err)
		}
		if f.Token = next; next == "" {
			return time.Since(start)
		}
	}
}
