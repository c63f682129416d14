package incidents_test

import (
	"testing"
	"time"

	"ostler/controlplane/customers"
	"ostler/controlplane/incidents"
	"ostler/controlplane/mail"
)

// What came back told nobody: a notice counts as told from when the first of those
// had it who have it still.
func TestToldByWhoHasItStill(t *testing.T) {
	for name, c := range map[string]struct {
		second func(w *world, n incidents.Notice) // at hour 27
		want   time.Duration                      // since it was known
		clock  incidents.ClockState
	}{
		"the next one has it": {func(w *world, _ incidents.Notice) {
			w.becomes(mail.IncidentNotice, "berta@maple.example", mail.Accepted, "")
		}, 27 * time.Hour, incidents.MetLate},
		"opened in the portal": {func(w *world, n incidents.Notice) {
			ctx, scope := w.asContact(w.berta)
			if err := w.incidents.Opened(ctx, scope, n.ID); err != nil {
				w.t.Fatal(err)
			}
		}, 27 * time.Hour, incidents.MetLate},
		"nobody": {func(*world, incidents.Notice) {}, 0, incidents.Late},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(w *world) {
				w.contactable()
				k := w.affect(w.open([]customers.Server{w.mapleOne}), w.maple)
				known := w.clock.Now()
				w.later(22 * time.Hour)
				n := w.sendAlone(w.draft(k, incidents.First, w.maple).ID)
				w.later(time.Hour)
				w.becomes(mail.IncidentNotice, "anna@maple.example", mail.Accepted, "")
				w.later(4 * time.Hour)
				c.second(w, n)
				w.later(time.Minute)
				if got := of(t, w.get(k.ID), w.maple).Clock.State; got != incidents.Met {
					t.Fatalf("before it came back: %s", got)
				}
				w.later(3 * time.Hour)
				w.becomes(mail.IncidentNotice, "anna@maple.example", mail.Bounced, mail.CauseBounced)
				w.run()
				var want time.Time
				if c.want > 0 {
					want = known.Add(c.want)
				}
				a, got := of(t, w.get(k.ID), w.maple), w.notice(n.ID)
				if !got.ToldAt.Equal(want) || a.Clock.State != c.clock {
					t.Errorf("told at %s, want %s; clock %s, want %s", got.ToldAt, want, a.Clock.State, c.clock)
				}
			})
		})
	}
}

// A channel that became unsafe after a notice was sent carries nothing of it to the
// next contact.
func TestTheChannelBecameUnsafe(t *testing.T) {
	each(t, func(w *world) {
		w.contactable()
		c := w.affect(w.open([]customers.Server{w.mapleOne}), w.maple)
		n := w.sendAlone(w.draft(c, incidents.First, w.maple).ID)
		w.run()
		unsafe := true
		must[incidents.Case](t)(w.incidents.Update(w.ctx, w.all, c.ID, 0, incidents.CaseChange{ChannelUnsafe: &unsafe}))
		w.becomes(mail.IncidentNotice, "anna@maple.example", mail.Bounced, mail.CauseBounced)
		w.run()
		same(t, "mails with it", w.sent(mail.IncidentNotice), []string{"anna@maple.example"})
		same(t, "mails without", w.sent(mail.IncidentChannel), []string{"berta@maple.example"})
		w.becomes(mail.IncidentChannel, "berta@maple.example", mail.Accepted, "")
		w.run()
		if got := w.notice(n.ID); got.State.Delivered() || !got.ToldAt.IsZero() {
			t.Errorf("a mail without content told them: %s at %s", got.State, got.ToldAt)
		}
	})
}
