package incidents_test

import (
	"strings"
	"testing"
	"time"

	"ostler/controlplane"
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

// What is told late, by a person or on an authority's form, says why.
func TestToldLateSaysWhy(t *testing.T) {
	each(t, func(w *world) {
		w.contactable()
		ours := func(n *incidents.NewCase) { n.OurData = "yes" }
		paper := func(c incidents.Case, to incidents.Audience, regime string) incidents.Notice {
			return must[incidents.Notice](t)(w.incidents.MakeDraftFor(w.ctx, w.all, c.ID, to, regime, incidents.First))
		}
		early := paper(w.open([]customers.Server{w.harbourOne}, ours), incidents.ToAuthority, "gdpr")
		c := w.affect(w.open([]customers.Server{w.mapleOne}, ours), w.maple)
		first := w.draft(c, incidents.First, w.maple)
		one, two := paper(c, incidents.ToAuthority, "gdpr"), paper(c, incidents.ToAuthority, "uk-gdpr")
		if one.DueAt.IsZero() || !two.DueAt.IsZero() {
			t.Errorf("due: got %s, and %s by a law that is not ours", one.DueAt, two.DueAt)
		}
		w.later(time.Hour)
		inTime := incidents.At(w.clock.Now().Format(time.RFC3339))
		w.later(80 * time.Hour)
		told := func(n incidents.Notice, in incidents.Telling) (incidents.Notice, error) {
			in.To, in.How, in.Note = "x", "call", "y"
			return w.incidents.Tell(w.ctx, w.all, n.ID, in)
		}
		for name, n := range map[string]incidents.Notice{"a customer": first, "the authority": one} {
			if _, err := told(n, incidents.Telling{}); code(err) != controlplane.CodeInvalid {
				t.Errorf("%s, late without reasons: %v", name, err)
			}
		}
		if got := must[incidents.Notice](t)(told(first, incidents.Telling{LateWhy: "We were asleep."})); got.LateWhy != "We were asleep." || !strings.Contains(got.Text, "Why this comes late\nWe were asleep.") {
			t.Errorf("got %q\n%s", got.LateWhy, got.Text)
		}
		must[incidents.Notice](t)(w.incidents.Edit(w.ctx, w.all, one.ID, 0, incidents.NoticeEdit{Fields: []incidents.Field{{Key: "delay", Known: incidents.IsKnown, Value: "Nobody read the mail."}}}))
		if got := must[incidents.Notice](t)(told(one, incidents.Telling{})); !strings.Contains(got.Text, "Gründe für die Verzögerung\nNobody read the mail.") {
			t.Errorf("got\n%s", got.Text)
		}
		must[incidents.Notice](t)(told(early, incidents.Telling{At: inTime}))
	})
}

// No notice was told before it was written: its text is of a later hour.
func TestNothingIsToldBeforeItWasMade(t *testing.T) {
	each(t, func(w *world) {
		w.contactable()
		c := w.affect(w.open([]customers.Server{w.mapleOne}), w.maple)
		before := w.clock.Now().Add(2 * time.Hour)
		w.later(30 * time.Hour)
		n := w.draft(c, incidents.First, w.maple)
		_, err := w.incidents.Tell(w.ctx, w.all, n.ID, incidents.Telling{To: "Anna", How: "call", Note: "She knows.", At: incidents.At(before.Format(time.RFC3339)), LateWhy: "x"})
		var e *controlplane.Error
		if !asError(err, &e) || len(e.Fields) != 1 || !strings.Contains(e.Fields[0].Message, "into the timeline") || !w.notice(n.ID).ToldAt.IsZero() {
			t.Errorf("told 28 hours before it was written: %v", err)
		}
		minute := w.clock.Now().Truncate(time.Minute) // as a form has it
		must[incidents.Notice](t)(w.incidents.Tell(w.ctx, w.all, n.ID, incidents.Telling{To: "Anna", How: "call", Note: "She knows.", At: incidents.At(minute.Format(time.RFC3339)), LateWhy: "x"}))
	})
}
