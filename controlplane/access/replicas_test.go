package access_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"ostler/controlplane/access"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/jobs"
	"ostler/controlplane/mail"
	"ostler/controlplane/policy"
)

// Replicas that look at the same time send each notice once.
func TestReplicasSendOnce(t *testing.T) {
	const many = 12
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		o := mail.Options{Host: "mail.hof.example"}
		w, _ := newMailed(t, d, clock, o)
		for i := range many {
			c := w.Customer(fmt.Sprintf("c-%d", i), "Customer")
			w.contact(c, "Anna", policy.RoleOwner)
			w.contact(c, "Berta", policy.RoleOwner)
			w.list(c, operator(w.bob), operator(w.cleo))
		}
		clock.Advance(3 * time.Minute)
		all := []*access.Service{w.access, w.replica(o), w.replica(o)}
		var wg sync.WaitGroup
		failed := make([]error, len(all))
		for i, s := range all {
			wg.Go(func() { failed[i] = s.TellDue(context.WithoutCancel(t.Context())) })
		}
		wg.Wait()
		// One that lost every race for a row goes on at its next look.
		if err := w.access.TellDue(t.Context()); err != nil {
			t.Errorf("the next look: %v; before: %v", err, failed)
		}
		var mails, notices, sent int
		w.Write(func(tx *db.Tx) error {
			return tx.Raw("SELECT (SELECT COUNT(*) FROM mails), (SELECT COUNT(*) FROM access_notices WHERE state = 'sent'), (SELECT COUNT(*) FROM ledger_pending WHERE kind = 'access.notice_sent')").
				Row().Scan(&mails, &notices, &sent)
		})
		if mails != many || notices != many || sent != many {
			t.Errorf("got %d mails, %d notices, %d entries, want %d of each", mails, notices, sent, many)
		}
	})
}

// replica is another plane on the same database.
func (w *world) replica(o mail.Options) *access.Service {
	w.T.Helper()
	j := jobs.New(w.DB, w.Keeper, w.Bus, jobs.Options{})
	o.PortalURL, o.From, o.EHLO = "https://portal.example", "Hof <noreply@hof.example>", "plane.hof.example"
	m := must[*mail.Mail](w.T)(mail.New(w.DB, w.Keeper, w.Ledger, j, w.Findings, o))
	return must[*access.Service](w.T)(access.New(access.Deps{DB: w.DB, Keeper: w.Keeper, Ledger: w.Ledger, Jobs: j, Findings: w.Findings,
		Customers: customers.New(w.DB, w.Keeper, w.Ledger), Identity: w.Identity, Mail: outgoing{m}}, access.Options{Bus: w.Bus}))
}
