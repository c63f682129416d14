package sessions_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/findings"
	"ostler/controlplane/sessions"
	"ostler/controlplane/teleport"
	"ostler/controlplane/teleport/teleporttest"
)

// TestEventsThatCannotBeTakenIn: one unreadable, one of 2 MiB, more than fits in
// one answer, and one larger than the cluster sends: what is around them comes in.
func TestEventsThatCannotBeTakenIn(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := feedWorld(t, d, clock, teleporttest.Options{})
		from := w.Clock.Now().Add(-time.Hour)
		for i := range 3 {
			w.cluster.PlayExec(teleporttest.Ran{User: "bob", Login: "root", Node: "node-maple-1", Command: strings.Repeat("x", 2<<20), At: from.Add(time.Duration(i) * time.Second), Session: true})
		}
		w.cluster.PlayBad(from.Add(10 * time.Second))
		w.cluster.PlayExec(teleporttest.Ran{User: "bob", Login: "root", Node: "node-maple-1", Command: strings.Repeat("y", 5<<20), At: from.Add(20 * time.Second), Session: true})
		w.cluster.PlayCopy("bob", "root", "node-maple-1", "/etc/hosts", "download", from.Add(20*time.Second), false)
		w.play(teleporttest.Script{User: "bob", Login: "root", Node: "node-maple-1", Start: from.Add(30 * time.Second)})
		w.run()
		kinds := map[sessions.Kind]int{}
		for _, x := range w.list(sessions.Filter{}) {
			kinds[x.Kind]++
		}
		if want := map[sessions.Kind]int{sessions.Exec: 3, sessions.SCP: 1, sessions.Interactive: 1}; fmt.Sprint(kinds) != fmt.Sprint(want) {
			t.Errorf("got %v, want %v", kinds, want)
		}
		large := w.list(sessions.Filter{Kinds: []sessions.Kind{sessions.Exec}})[0]
		if said, err := w.sessions.Events(w.Ctx, w.all, large.ID); err != nil || len(said) != 1 || len(said[0].Raw) < 2<<20 {
			t.Errorf("the large event: got %d, %v, want it whole", len(said), err)
		}
		held, _, err := w.sessions.Quarantine(w.Ctx, w.all, 0, "")
		if err != nil || len(held) != 2 {
			t.Fatalf("quarantine: got %+v, %v, want two", held, err)
		}
		for _, q := range held {
			if !q.Resolved.IsZero() || q.Type != "exec" || q.Reason == "" {
				t.Errorf("got %+v", q)
			}
		}
		if got := count(w.open(""), findings.SessionQuarantined); got != 1 {
			t.Errorf("got %d findings, want one for both", got)
		}
		feed, err := w.sessions.Feed(w.Ctx, w.all)
		if err != nil || feed.Trouble != "" || feed.Quarantined != 2 {
			t.Errorf("it stalls: %+v, %v", feed, err)
		}
		w.later(time.Hour + time.Minute)
		if again, _, err := w.sessions.Quarantine(w.Ctx, w.all, 0, ""); err != nil || len(again) != 2 {
			t.Errorf("read again: %+v, %v, want the same two", again, err)
		}
		for _, q := range held {
			if err := w.sessions.Dismiss(w.Ctx, w.all, q.ID, "  "); err == nil {
				t.Error("dismissed without a word")
			}
			if err := w.sessions.Dismiss(w.Ctx, w.all, q.ID, "Its text is in Teleport's own log"); err != nil {
				t.Fatal(err)
			}
		}
		if got := count(w.open(""), findings.SessionQuarantined); got != 0 {
			t.Errorf("the finding stays when each was looked at")
		}
	})
}

// TestTeleportDownForADay loses nothing, says so meanwhile, and goes on by itself.
func TestTeleportDownForADay(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := feedWorld(t, d, clock, teleporttest.Options{})
		w.lists.grants(w.Maple, w.bobPerson)
		w.play(teleporttest.Script{User: "bob", Login: "root", Node: "node-maple-1", Start: w.Clock.Now().Add(-time.Hour)})
		w.run()
		before := w.Clock.Now()
		w.cluster.Down()
		w.later(10 * time.Minute)
		if got := count(w.open(""), findings.SessionFeedStopped); got != 1 {
			t.Errorf("got %d findings after some minutes, want the company's own", got)
		}
		w.later(23*time.Hour + 50*time.Minute)
		feed, err := w.sessions.Feed(w.Ctx, w.all)
		if err != nil || feed.Trouble != "the cluster does not answer" || before.Sub(feed.Since).Abs() > time.Minute {
			t.Errorf("got %+v, %v, want trouble since %s", feed, err, before)
		}
		for _, x := range w.found("") {
			if x.Kind == findings.SessionFeedStopped && x.Customer == "" {
				if title, because, _ := findings.Sentence("en", x); title != "Sessions have not been read from Teleport for 24 hours" || !strings.Contains(because, "the cluster does not answer") || x.Severity != findings.Bad {
					t.Errorf("got %q %q %s", title, because, x.Severity)
				}
			}
		}
		if got := count(w.open(w.Harbour.ID), findings.SessionFeedStopped); got != 1 {
			t.Errorf("customers are not told that nothing is known: %v", w.open(w.Harbour.ID))
		}
		for i := range 24 {
			w.play(teleporttest.Script{User: "bob", Login: "root", Node: "node-maple-1", Start: before.Add(time.Duration(i)*time.Hour + time.Minute)})
		}
		w.cluster.Up()
		w.later(time.Minute)
		if got := len(w.list(sessions.Filter{Limit: 200})); got != 25 {
			t.Errorf("got %d sessions, want all 25", got)
		}
		if got := w.open(""); slices.Contains(got, findings.SessionFeedStopped) || slices.Contains(got, findings.SessionClockOff) {
			t.Errorf("open after it: %v", got)
		}
	})
}

// TestIdentityMayNotRead is another finding than a cluster that does not answer.
func TestIdentityMayNotRead(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := feedWorld(t, d, clock, teleporttest.Options{})
		w.cluster.Deny("event", "list", "read")
		w.run()
		same(t, "open", w.open(""), []string{findings.SessionFeedIdentity})
		w.cluster.Deny("event")
		w.later(time.Minute)
		same(t, "open after it", w.open(""), nil)
	})
}

// TestClockOff: times are kept as the node says them, and that they are wrong is said.
func TestClockOff(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := feedWorld(t, d, clock, teleporttest.Options{})
		w.run()
		now := w.Clock.Now()
		w.play(teleporttest.Script{User: "bob", Login: "root", Node: "node-maple-1", Start: now, ClockAhead: time.Hour})
		w.play(teleporttest.Script{User: "bob", Login: "root", Node: "node-harbour-1", Start: now, ClockAhead: -time.Hour})
		w.play(teleporttest.Script{User: "bob", Login: "root", Node: "node-shared-1", Start: now})
		w.later(time.Minute)
		if x := w.one(sessions.Filter{Server: w.MapleOne.ID}); !x.StartedAt.Equal(now.Add(time.Hour).Truncate(time.Millisecond)) {
			t.Errorf("got %s, want the time of the node", x.StartedAt)
		}
		if got := len(w.list(sessions.Filter{Server: w.HarbourOne.ID})); got != 0 {
			t.Errorf("one of an hour ago was found by a look at ten minutes")
		}
		w.later(time.Hour)
		w.one(sessions.Filter{Server: w.HarbourOne.ID})
		titles := map[string]bool{}
		for _, x := range w.found("") {
			if x.Kind == findings.SessionClockOff {
				title, _, _ := findings.Sentence("en", x)
				titles[title] = true
			}
		}
		if len(titles) != 2 || !titles["The clock of maple-1 is 59 minutes ahead"] || !titles["The clock of harbour-1 is 2 hours behind"] {
			t.Errorf("got %v", titles)
		}
		w.play(teleporttest.Script{User: "bob", Login: "root", Node: "node-maple-1", Start: w.Clock.Now()})
		w.later(time.Minute)
		if got := count(w.open(""), findings.SessionClockOff); got != 1 {
			t.Errorf("got %d, want the one that is right again closed", got)
		}
	})
}

// TestBusyCluster is trouble, and puts nothing into quarantine.
func TestBusyCluster(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		c := &scripted{fail: func(int) error { return teleport.ErrTooMuch }}
		w := newWorld(t, d, clock, func(d *sessions.Deps, _ *sessions.Options) { d.Cluster = c })
		w.run()
		feed, err := w.sessions.Feed(w.Ctx, w.all)
		if err != nil || feed.Trouble != "the cluster is too busy to answer" || feed.Quarantined != 0 {
			t.Errorf("got %+v, %v", feed, err)
		}
	})
}

// TestStrangeEvents: whatever an event says, it is taken in or held back, and
// what is around it comes in.
func TestStrangeEvents(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		w.Clock.Advance(began.Add(time.Hour).Sub(w.Clock.Now()))
		strange := "a\x00b\xff\u202e\x1b[2J'\"{person}" + strings.Repeat("x", 5000)
		list := []teleport.Event{
			event("session.start", 0, of("sid", "s-1"+strange, "user", strange, "login", strange, "server_hostname", strange, "addr.remote", strange, "size", strange, "initial_command", []string{strange})),
			event("session.end", 1, of("sid", "s-1"+strange, "user", strange, "participants", []string{strange, "", "bob"}, "interactive", true)),
			event("session.start", 2, of("sid", "s-2", "user", 7)),                       // no name
			event("exec", 3, of("sid", "", "command", strange, "cluster_name", strange)), // another cluster
			event("session.start", 4, of("sid", "s-3", "user", "", "server_hostname", "", "size", "80:25")),
			event("session.start", 5, of("sid", "s-4", "size", "80:25")),
		}
		for i := range list {
			list[i].ID += strange
		}
		list = append(list, teleport.Event{Type: strange, Bad: errors.New("it is not JSON")})
		for range 2 {
			if err := w.sessions.TakeIn(w.Ctx, list); err != nil {
				t.Fatal(err)
			}
		}
		if got := len(w.list(sessions.Filter{})); got != 4 {
			t.Errorf("got %d sessions, want 4", got)
		}
		if held, _, err := w.sessions.Quarantine(w.Ctx, w.all, 0, ""); err != nil || len(held) != 2 {
			t.Errorf("held back: %+v, %v, want two", held, err)
		}
		for _, x := range w.found("") {
			if title, because, _ := findings.Sentence("en", x); strings.ContainsAny(title+because, "\x00\x1b\u202e") {
				t.Errorf("a finding repaints the page: %q", title)
			}
		}
	})
}
