package incidents_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/incidents"
	"ostler/controlplane/mail"
	"ostler/controlplane/policy"
)

// onLog calls a function when something is logged.
type onLog struct {
	slog.Handler
	do func(message string)
}

func (l onLog) Handle(_ context.Context, r slog.Record) error { l.do(r.Message); return nil }
func (l onLog) Enabled(context.Context, slog.Level) bool      { return true }

// An advisory that is broken off between drafts, and again between mails, is gone on
// with by Watch: everybody has one notice, and gets one mail.
func TestAnAdvisoryIsResumed(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		var stop func()
		b := &breaking{left: 1 << 30}
		w := newWorld(t, d, clock, func(deps *incidents.Deps, o *incidents.Options) {
			b.post = deps.Mail.(*post)
			deps.Mail = b
			o.Log = slog.New(onLog{slog.DiscardHandler, func(m string) {
				if m == "incidents.key" && stop != nil {
					stop()
				}
			}})
		})
		w.contactable()
		const many = 230
		var whom []string
		for i := range many {
			c := w.customer(fmt.Sprintf("firm-%03d", i), fmt.Sprintf("Firm Number%03d", i))
			w.contact(c, "Owner", policy.RoleOwner)
			whom = append(whom, c.ID)
		}
		last, _, mend := w.brokenKeys() // the last of them is reached after the first 200 drafts
		whom = append(whom, last.ID)
		ctx, cancel := context.WithCancel(w.ctx)
		stop = cancel
		_, err := w.incidents.PlanAdvisory(ctx, w.all, incidents.NewAdvisory{Purpose: incidents.Change, Title: "A move", Text: "We move.", Customers: whom, Ground: "You live in the old hall."})
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v, want it broken off", err)
		}
		stop = nil
		a := must[[]incidents.AdvisoryNote](t)(w.incidents.Advisories(w.ctx, w.all))[0]
		if n := len(w.seen(incidents.NoticeFilter{Advisory: a.ID})); n != 200 {
			t.Fatalf("drafts: got %d, want 200 of %d", n, len(whom))
		}
		mend()
		w.contact(last, "Owner", policy.RoleOwner)
		w.later(2 * time.Minute)
		a = must[incidents.AdvisoryNote](t)(w.incidents.AdvisoryOf(w.ctx, w.all, a.ID))
		if n := len(w.seen(incidents.NoticeFilter{Advisory: a.ID})); n != len(whom) || len(a.Unwritten) != 0 || !a.SentAt.IsZero() {
			t.Fatalf("drafts: got %d of %d, unwritten %v", n, len(whom), a.Unwritten)
		}

		b.left = 120
		if _, err := w.incidents.SendAdvisory(w.asBob(), w.all, a.ID, incidents.Sending{Seen: w.seen(incidents.NoticeFilter{Advisory: a.ID})}); !errors.Is(err, errKilled) {
			t.Fatalf("got %v, want it broken off", err)
		}
		if n := len(w.sent(mail.IncidentChange)); n != 100 {
			t.Errorf("mails before: %d", n)
		}
		b.left = 1 << 30
		w.run()
		if n := len(w.sent(mail.IncidentChange)); n != 100 {
			t.Errorf("while it may still be at it: %d", n)
		}
		w.later(2 * time.Minute)
		once := w.sent(mail.IncidentChange)
		slices.Sort(once)
		if len(once) != len(whom) || len(slices.Compact(once)) != len(whom) {
			t.Errorf("mails: got %d, want %d, each once", len(once), len(whom))
		}
		for _, n := range must2(t)(w.incidents.Notices(w.ctx, w.all, incidents.NoticeFilter{Advisory: a.ID, Limit: 200})) {
			if n.State != incidents.Sent || n.Second != w.bob.ID {
				t.Errorf("got %s by %s", n.State, n.Second)
			}
		}
		w.later(time.Hour)
		if n := len(w.sent(mail.IncidentChange)); n != len(whom) {
			t.Errorf("later: %d", n)
		}
	})
}
