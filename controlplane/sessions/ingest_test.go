package sessions_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/findings"
	"ostler/controlplane/ledger"
	"ostler/controlplane/sessions"
	"ostler/controlplane/teleport"
	"ostler/controlplane/teleport/teleporttest"
)

// feedWorld is a world whose cluster is the fake, behind the real engine.
func feedWorld(t *testing.T, d *db.DB, clock *dbtest.Clock, o teleporttest.Options, change ...func(*sessions.Deps, *sessions.Options)) *world {
	t.Helper()
	var c *teleporttest.Cluster
	change = append([]func(*sessions.Deps, *sessions.Options){withCluster(t, clock, &c, o)}, change...)
	w := newWorld(t, d, clock, change...)
	w.cluster = c
	return w
}

// play enters a session of bob on a server, as long ago as it is said.
func (w *world) play(s teleporttest.Script) string {
	w.T.Helper()
	return must[string](w.T)(w.cluster.Play(s))
}

func (w *world) one(f sessions.Filter) sessions.Session {
	w.T.Helper()
	list := w.list(f)
	if len(list) != 1 {
		w.T.Fatalf("got %d sessions, want one: %+v", len(list), list)
	}
	return list[0]
}

func TestSessionFromTheCluster(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := feedWorld(t, d, clock, teleporttest.Options{})
		g := w.lists.grants(w.Maple, w.bobPerson)
		w.lists.grants(w.Maple, w.cleoPerson)
		start := w.Clock.Now().Add(-20 * time.Minute)
		sid := w.play(teleporttest.Script{User: "bob", Login: "root", Node: "node-maple-1", Start: start, Steps: []teleporttest.Step{
			{After: time.Minute, Ran: "systemctl restart nginx"}, {After: time.Minute, Join: "cleo"}, {After: 8 * time.Minute, Leave: "cleo"}}})
		w.run()
		x := w.one(sessions.Filter{})
		if x.SID != sid || x.Kind != sessions.Interactive || x.Server != w.MapleOne.ID || x.Person != w.bobPerson.ID || x.PersonName != "Bob Builder" || x.Login != "root" ||
			!x.StartedAt.Equal(start.Truncate(time.Millisecond)) || x.Length(w.Clock.Now()) != 10*time.Minute || len(x.Participants) != 2 || x.Participants[1].Name != "Cleo Clark" {
			t.Errorf("got %+v", x)
		}
		if x.Ground.Grant != g.Grant || x.Ground.Reason != g.Reason || x.Ground.Ticket != g.Ticket || x.Ground.Authorisation != g.Authorisation || len(x.Ground.Lacks) > 0 {
			t.Errorf("ground: got %+v, want %+v", x.Ground, g)
		}
		same(t, "customers", x.Customers, []string{w.Maple.ID})
		ctx, scope := w.Owner(w.Maple)
		theirs, _, err := w.sessions.List(ctx, scope, sessions.Filter{})
		if err != nil || len(theirs) != 1 || theirs[0].PersonName != "Bob Builder" || theirs[0].Address != "" || theirs[0].User != "" || theirs[0].Ground.Ticket != g.Ticket {
			t.Errorf("their customer sees %+v, %v", theirs, err)
		}
		ctx, scope = w.Owner(w.Harbour)
		if others, _, err := w.sessions.List(ctx, scope, sessions.Filter{}); err != nil || len(others) != 0 {
			t.Errorf("another customer sees %+v, %v", others, err)
		}
		if _, err := w.sessions.Get(ctx, scope, x.ID); err == nil {
			t.Error("another customer gets the session")
		}
		said, err := w.sessions.Events(w.Ctx, w.all, x.ID)
		if err != nil || len(said) != 6 || said[0].Type != "session.start" || !strings.Contains(string(said[0].Raw), sid) {
			t.Errorf("what the cluster said: got %d events, %v", len(said), err)
		}
		entries := w.entries("session.")
		for want, times := range map[string]int{"session.events_read": 2, "session.begun": 1, "session.ended": 1} { // what is of no session is a batch of its own
			if n := count(entries, want); n != times {
				t.Errorf("got %d entries %s, want %d: %v", n, want, times, entries)
			}
		}
		w.later(time.Minute)
		w.later(2 * time.Hour)
		if got := w.entries("session."); count(got, "session.begun") != 1 || count(got, "session.events_read") != 2 {
			t.Errorf("what was read again counts twice: %v", got)
		}
		feed, err := w.sessions.Feed(w.Ctx, w.all)
		if err != nil || !feed.Configured || feed.Trouble != "" || feed.Events < 6 || feed.Cluster != "fake.example" || w.Clock.Now().Sub(feed.ReadTo) > time.Minute {
			t.Errorf("feed: got %+v, %v", feed, err)
		}
		if got := slices.DeleteFunc(w.open(""), func(k string) bool {
			return !strings.HasPrefix(k, "session.ungrounded") && !strings.HasPrefix(k, "session.person")
		}); len(got) > 0 {
			t.Errorf("open findings: %v", got)
		}
	})
}

func count(list []string, what string) (n int) {
	for _, v := range list {
		if v == what {
			n++
		}
	}
	return n
}

// TestGround names each part that a session lacks, for each customer, and takes it
// back when it is there.
func TestGround(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := feedWorld(t, d, clock, teleporttest.Options{})
		w.lists.grants(w.Maple, w.bobPerson)
		ago := w.Clock.Now().Add(-time.Hour)
		w.play(teleporttest.Script{User: "bob", Login: "root", Node: "node-shared-1", Start: ago})
		w.play(teleporttest.Script{User: "ghost", Login: "root", Node: "node-harbour-1", Start: ago.Add(time.Minute)})
		w.play(teleporttest.Script{User: "bob", Login: "root", Node: "node-maple-1", Start: ago.Add(2 * time.Minute), Steps: []teleporttest.Step{{After: time.Second, Join: "cleo"}}})
		w.run()
		lacks := map[string]string{}
		for _, x := range w.list(sessions.Filter{Ungrounded: true}) {
			lacks[x.Host+" "+x.User] = strings.Join(x.Ground.Lacks, " ")
		}
		if want := map[string]string{"shared-1 bob": "grant", "harbour-1 ghost": "person", "maple-1 bob": "grant"}; fmt.Sprint(lacks) != fmt.Sprint(want) {
			t.Errorf("lacks: got %v, want %v", lacks, want)
		}
		titles := func(customer string) (out []string) {
			for _, x := range w.found(customer) {
				if x.Kind == findings.SessionUngrounded || x.Kind == findings.SessionPersonUnknown {
					title, _, _ := findings.Sentence("en", x)
					out = append(out, title)
				}
			}
			slices.Sort(out)
			return out
		}
		same(t, "harbour's", titles(w.Harbour.ID), []string{"A session on harbour-1 lacks its ground", "Bob Builder was on shared-1 without a grant"})
		same(t, "maple's", titles(w.Maple.ID), []string{"Bob Builder was on maple-1 without a grant"})
		if !slices.Contains(titles(""), "The name ghost is nobody’s on our list of people") {
			t.Errorf("nobody asks whose the name is: %v", titles(""))
		}
		w.lists.uses(w.dora, "ghost")
		w.lists.grants(w.Harbour, w.dora)
		w.lists.grants(w.Harbour, w.bobPerson)
		w.lists.grants(w.Maple, w.cleoPerson)
		w.later(2 * time.Hour) // a deep reading
		if left := w.list(sessions.Filter{Ungrounded: true}); len(left) > 0 || len(titles("")) > 0 {
			t.Errorf("with all grounds there: %d lack one, %v", len(left), titles(""))
		}
		if x := w.one(sessions.Filter{Person: w.dora.ID}); x.PersonName != "Dora Doe" || x.Host != "harbour-1" {
			t.Errorf("got %+v, want dora's", x)
		}
		w.lists.uses(w.adaPerson, "cleo") // two persons are behind a name now
		w.later(2 * time.Hour)
		if x := w.one(sessions.Filter{Person: w.adaPerson.ID}); len(x.Participants) != 2 || len(x.Participants[1].Persons) != 2 {
			t.Errorf("got %+v, want both persons of the name that joined", x.Participants)
		}
	})
}

func TestCommandsWithoutARecording(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := feedWorld(t, d, clock, teleporttest.Options{})
		w.lists.grants(w.Maple, w.bobPerson)
		noon := w.Clock.Now().Truncate(24 * time.Hour).Add(36 * time.Hour)
		w.Clock.Advance(noon.Add(2 * time.Hour).Sub(w.Clock.Now()))
		for i := range 30 {
			w.cluster.PlayExec(teleporttest.Ran{User: "bob", Login: "root", Node: "node-maple-1", Command: fmt.Sprintf("uptime %d", i), At: noon.Add(time.Duration(i) * time.Second)})
		}
		w.play(teleporttest.Script{User: "bob", Login: "root", Node: "node-maple-1", Start: noon, NotRecorded: true})
		w.cluster.PlayCopy("bob", "root", "node-maple-1", "/etc/hosts", "download", noon, false)
		w.cluster.PlayCopy("bob", "root", "node-maple-1", "/etc/hosts", "download", noon, true)
		w.run()
		if got := len(w.list(sessions.Filter{States: []sessions.State{sessions.Unrecorded}, Limit: 200})); got != 31 {
			t.Errorf("got %d sessions without a recording, want 31", got)
		}
		if got := len(w.list(sessions.Filter{Kinds: []sessions.Kind{sessions.SCP, sessions.SFTP}})); got != 2 {
			t.Errorf("got %d copies, want 2", got)
		}
		var titles []string
		for _, x := range w.found(w.Maple.ID) {
			if x.Kind == findings.SessionUnrecorded {
				title, _, _ := findings.Sentence("en", x)
				titles = append(titles, title)
			}
		}
		slices.Sort(titles)
		same(t, "findings", titles, []string{"30 commands on maple-1 left no recording", "A session of Bob Builder on maple-1 was not recorded"})
		w.cluster.PlayExec(teleporttest.Ran{User: "bob", Login: "root", Node: "node-maple-1", Command: "uptime", At: w.Clock.Now()})
		w.later(time.Minute)
		if got := count(w.open(w.Maple.ID), findings.SessionUnrecorded); got != 2 {
			t.Errorf("got %d findings after one more, want 2", got)
		}
	})
}

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

// TestOverdueAndEndless: what ended and was not recorded is missing, and so is what
// never ended and does not run; what runs is left alone.
func TestOverdueAndEndless(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		var ended []string
		w := feedWorld(t, d, clock, teleporttest.Options{})
		w.sessions.OnEnded(func(_ *db.Tx, id string) error { ended = append(ended, id); return nil })
		start := w.Clock.Now()
		w.play(teleporttest.Script{User: "bob", Login: "root", Node: "node-maple-1", Start: start, NoUpload: true})
		w.play(teleporttest.Script{User: "bob", Login: "root", Node: "node-harbour-1", Start: start, NoEnd: true})
		if err := w.cluster.PutRole(teleport.Role{Name: "in", Allow: teleport.Reach{Logins: []string{"root"}, NodeLabels: map[string][]string{"*": {"*"}}}}); err != nil {
			t.Fatal(err)
		}
		if err := w.cluster.PutUser("cleo", "in"); err != nil {
			t.Fatal(err)
		}
		runs, err := w.cluster.Connect("cleo", "root", "node-shared-1")
		if err != nil {
			t.Fatal(err)
		}
		state := func(v string) sessions.Session { return w.one(sessions.Filter{Server: v}) }
		w.later(10 * time.Minute)
		if x := state(w.MapleOne.ID); x.State != sessions.Ended || !x.DueAt.After(w.Clock.Now()) {
			t.Errorf("in time: got %s, due %s", x.State, x.DueAt)
		}
		w.later(16 * time.Minute)
		if x := state(w.MapleOne.ID); x.State != sessions.Missing {
			t.Errorf("when its time is over: got %s", x.State)
		}
		if x := state(w.HarbourOne.ID); x.State != sessions.Live {
			t.Errorf("without an end, before an hour is over: got %s", x.State)
		}
		w.later(time.Hour)
		if x := state(w.HarbourOne.ID); x.State != sessions.Missing || !x.Endless {
			t.Errorf("without an end: got %s, endless %v", x.State, x.Endless)
		}
		if x := state(w.Shared.ID); x.State != sessions.Live || x.SID != runs.ID || x.Endless {
			t.Errorf("one that runs: got %+v", x)
		}
		if len(ended) != 2 {
			t.Errorf("told of %d ends, want two", len(ended))
		}
		got := w.open("")
		if count(got, findings.SessionRecordingMissing) != 2 || count(got, findings.SessionEndless) != 1 {
			t.Errorf("open: %v", got)
		}
		w.cluster.Upload(state(w.MapleOne.ID).SID) // late, and it comes
		w.later(time.Minute)
		if x := state(w.MapleOne.ID); x.State != sessions.Uploaded && x.State != sessions.Stored {
			t.Errorf("a recording that came late: got %s", x.State)
		}
	})
}

// TestNothingIsMissingThatWasNotReadYet: while the log is not read, no recording is overdue.
func TestNothingIsMissingThatWasNotReadYet(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := feedWorld(t, d, clock, teleporttest.Options{})
		w.play(teleporttest.Script{User: "bob", Login: "root", Node: "node-maple-1", Start: w.Clock.Now(), UploadAfter: time.Minute})
		w.later(5 * time.Second)
		w.cluster.Down()
		w.later(20 * time.Hour)
		if x := w.one(sessions.Filter{}); x.State != sessions.Ended {
			t.Errorf("while nothing is read: got %s", x.State)
		}
		w.cluster.Up()
		w.later(time.Minute)
		if x := w.one(sessions.Filter{}); x.State != sessions.Uploaded && x.State != sessions.Stored {
			t.Errorf("read again: got %s", x.State)
		}
	})
}

// scripted is a cluster that a test plays by hand.
type scripted struct {
	mu    sync.Mutex
	list  []teleport.Event
	calls int
	fail  func(call int) error
	keys  int // pages by key that were asked for
}

func (c *scripted) Events(_ context.Context, from, to time.Time, kinds []string, limit int, key string) (list []teleport.Event, next string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls++
	if c.fail != nil {
		if err := c.fail(c.calls); err != nil {
			return nil, "", err
		}
	}
	skip := 0
	if key != "" {
		c.keys++
		_, _ = fmt.Sscan(key, &skip) // a key that it does not know: from the beginning
	}
	for _, e := range c.list {
		if e.At.Before(from) || !e.At.Before(to) || !slices.Contains(kinds, e.Type) {
			continue
		}
		if skip--; skip >= 0 {
			continue
		}
		if len(list) == limit {
			n := 0
			_, _ = fmt.Sscan(key, &n)
			return list, fmt.Sprint(n + limit), nil
		}
		list = append(list, e)
	}
	return list, "", nil
}

func (c *scripted) Stream(context.Context, string, func(teleport.Event) error) error {
	return teleport.ErrNotFound
}

func (c *scripted) Observe(context.Context) (teleport.State, error) { return teleport.State{}, nil }

// TestPages reads more than a page, by time: many events of one instant, and a
// reading that breaks off in the middle and goes on from there.
func TestPages(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		c := &scripted{}
		w := newWorld(t, d, clock, func(d *sessions.Deps, _ *sessions.Options) { d.Cluster = c })
		w.Clock.Advance(began.Add(time.Hour).Sub(w.Clock.Now()))
		const all = 3500
		for i := range all {
			at := 0
			if i >= 2500 { // the first 2,500 have one instant
				at = i
			}
			e := event("session.command", at, map[string]any{"sid": fmt.Sprintf("sid-%d", i%7), "user": "bob", "server_hostname": "maple-1"})
			e.ID = fmt.Sprintf("event-%d", i)
			c.list = append(c.list, e)
		}
		w.Clock.Advance(time.Hour)
		c.fail = func(call int) error {
			if call == 2 {
				return fmt.Errorf("read events: %w", teleport.ErrUnreachable)
			}
			return nil
		}
		w.run()
		feed, err := w.sessions.Feed(w.Ctx, w.all)
		if err != nil || feed.Events != 1000 || feed.Trouble == "" {
			t.Errorf("broken off: got %+v, %v", feed, err)
		}
		if mark := must[int64](t)(w.sessions.Watermark(w.Ctx)); mark != began.UnixMilli() {
			t.Errorf("the watermark is at %d, want where it broke off, %d", mark, began.UnixMilli())
		}
		w.later(time.Minute)
		feed, err = w.sessions.Feed(w.Ctx, w.all)
		if err != nil || feed.Events != all || feed.Trouble != "" {
			t.Errorf("in the end: got %+v, %v, want all %d", feed, err, all)
		}
		if got := len(w.list(sessions.Filter{})); got != 7 {
			t.Errorf("got %d sessions, want 7", got)
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

// TestLeaveWithAnotherID ends the part of whom it names in the session they are in.
func TestLeaveWithAnotherID(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		w.Clock.Advance(began.Add(time.Hour).Sub(w.Clock.Now()))
		take := func(list ...teleport.Event) {
			t.Helper()
			if err := w.sessions.TakeIn(w.Ctx, list); err != nil {
				t.Fatal(err)
			}
		}
		take(event("session.start", 0, of("size", "80:25")), event("session.join", 10, of("user", "cleo")))
		take(event("session.leave", 20, of("user", "cleo", "sid", "another")))
		x := w.one(sessions.Filter{})
		if len(x.Participants) != 2 || !x.Participants[1].Left.Equal(began.Add(20*time.Second)) {
			t.Errorf("got %+v, want that cleo left", x.Participants)
		}
		if said, err := w.sessions.Events(w.Ctx, w.all, x.ID); err != nil || len(said) != 3 {
			t.Errorf("got %d events of it, %v, want 3", len(said), err)
		}
		take(event("session.leave", 30, of("user", "nobody", "sid", "a third")))
		w.one(sessions.Filter{})
	})
}

// TestKilledBetween: a page is taken in whole or not at all, and what failed is read again.
func TestKilledBetween(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		c := &scripted{}
		w := newWorld(t, d, clock, func(d *sessions.Deps, _ *sessions.Options) { d.Cluster = c })
		w.Clock.Advance(began.Add(time.Hour).Sub(w.Clock.Now()))
		c.list = []teleport.Event{event("session.start", 0, of("size", "80:25")), event("session.end", 60, of("interactive", true))}
		killed := errors.New("killed")
		fail := true
		w.sessions.OnEnded(func(*db.Tx, string) error {
			if fail {
				return killed
			}
			return nil
		})
		w.run()
		if got := len(w.list(sessions.Filter{})); got != 0 {
			t.Errorf("got %d sessions of a page that was not stored", got)
		}
		if mark := must[int64](t)(w.sessions.Watermark(w.Ctx)); mark != 0 {
			t.Errorf("the watermark moved to %d before anything was stored", mark)
		}
		fail = false
		w.later(time.Minute)
		if x := w.one(sessions.Filter{}); x.State != sessions.Ended {
			t.Errorf("got %s, want it whole", x.State)
		}
	})
}

// TestOneReader: several replicas look, one of them makes the job.
func TestOneReader(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		c := &scripted{}
		w := newWorld(t, d, clock, func(d *sessions.Deps, _ *sessions.Options) { d.Cluster = c })
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if err := w.sessions.Pass(w.Ctx); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if err := w.Jobs.Tick(w.Ctx); err != nil {
			t.Fatal(err)
		}
		if c.calls != 1 {
			t.Errorf("read %d times, want once", c.calls)
		}
	})
}

// TestSealed: no name, address or command stands in the database in clear.
func TestSealed(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		w.lists.grants(w.Maple, w.bobPerson)
		e := event("session.start", 0, of("user", "bob", "login", "loginname", "size", "80:25", "addr.remote", "192.0.2.77:5000", "initial_command", []string{"secretcommand"}))
		bad := teleport.Event{ID: "bad-1", Type: "exec", At: began, Raw: []byte(`{"user":"loginname"`), Bad: errors.New("it is not JSON")}
		if err := w.sessions.TakeIn(w.Ctx, []teleport.Event{e, bad}); err != nil {
			t.Fatal(err)
		}
		for _, table := range []string{"staff_sessions", "staff_session_customers", "staff_session_people", "session_batches", "session_events", "session_quarantine"} {
			var rows []map[string]any
			if err := d.Read(w.Ctx, func(tx *db.Tx) error { return tx.Table(table).Find(&rows).Error }); err != nil || len(rows) == 0 {
				t.Fatalf("%s: %d rows, %v", table, len(rows), err)
			}
			text, err := json.Marshal(rows)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range rows {
				for _, v := range r {
					if b, ok := v.([]byte); ok {
						text = append(text, b...)
					}
				}
			}
			for _, secret := range []string{"bob", "Bob", "loginname", "192.0.2.77", "secretcommand", "Keeps"} {
				if strings.Contains(string(text), secret) {
					t.Errorf("%s holds %q in clear", table, secret)
				}
			}
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

// TestUploadAlone: a recording of a session that ended before we read anything is
// no session; later on it is one of which nothing else is known.
func TestUploadAlone(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		w.Clock.Advance(began.Add(26 * time.Hour).Sub(w.Clock.Now())) // the first reading goes back to began
		early := event("session.upload", 60, map[string]any{"sid": "early"})
		later := event("session.upload", 3600, map[string]any{"sid": "later"})
		if err := w.sessions.TakeIn(w.Ctx, []teleport.Event{early, later}); err != nil {
			t.Fatal(err)
		}
		if x := w.one(sessions.Filter{}); x.SID != "later" || x.State != sessions.Uploaded || x.Kind != sessions.Other || !slices.Equal(x.Ground.Lacks, []string{"person"}) {
			t.Errorf("got %+v", x)
		}
	})
}

// TestErasedCustomer: once a customer's key is destroyed nobody reads who was on
// their servers, and everybody else's sessions are read as before.
func TestErasedCustomer(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		c := &scripted{list: []teleport.Event{event("session.start", 0, of("size", "80:25")),
			event("session.start", 1, of("sid", "sid-2", "size", "80:25", "server_hostname", "harbour-1"))}}
		w := newWorld(t, d, clock, func(d *sessions.Deps, _ *sessions.Options) { d.Cluster = c })
		w.Clock.Advance(began.Add(10 * time.Minute).Sub(w.Clock.Now()))
		w.run()
		if err := w.Keeper.Destroy(w.Ctx, w.Maple.ID); err != nil {
			t.Fatal(err)
		}
		names := map[string]string{}
		for _, x := range w.list(sessions.Filter{}) {
			names[x.Host] = x.PersonName + x.User + x.Login
		}
		if want := map[string]string{"maple-1": "", "harbour-1": "Bob Builderbobroot"}; fmt.Sprint(names) != fmt.Sprint(want) {
			t.Errorf("got %v, want %v", names, want)
		}
		c.list = append(c.list, event("session.end", 540, of("interactive", true)), event("session.start", 550, of("sid", "sid-3", "size", "80:25")))
		w.later(time.Minute)
		feed, err := w.sessions.Feed(w.Ctx, w.all)
		if err != nil || feed.Events != 4 || len(w.list(sessions.Filter{})) != 3 {
			t.Errorf("after it nothing is read: %+v, %v", feed, err)
		}
	})
}

// TestTenantWhoCameLater: whoever came to live on a server before a session there
// ended is a customer of it, from then on; whoever came after it is not.
func TestTenantWhoCameLater(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		c := &scripted{list: []teleport.Event{event("session.start", 0, of("size", "80:25"))}}
		w := newWorld(t, d, clock, func(d *sessions.Deps, _ *sessions.Options) { d.Cluster = c })
		w.Clock.Advance(began.Add(5 * time.Minute).Sub(w.Clock.Now()))
		w.run()
		same(t, "at first", w.one(sessions.Filter{}).Customers, []string{w.Maple.ID})
		if _, err := w.Customers.CreateTenancy(w.Ctx, w.all, customers.NewTenancy{Server: w.MapleOne.ID, Customer: w.Harbour.ID, Paths: []string{"/srv/harbour"}}); err != nil {
			t.Fatal(err)
		}
		c.list = append(c.list, event("session.end", 400, of("interactive", true)))
		w.later(5 * time.Minute)
		want := []string{w.Maple.ID, w.Harbour.ID}
		slices.Sort(want)
		same(t, "in the end", w.one(sessions.Filter{}).Customers, want)
		items, _, err := w.Ledger.List(w.Ctx, w.all, ledger.Filter{Customer: w.Harbour.ID, Kinds: []string{"session.begun", "session.ended"}})
		if err != nil || len(items) != 2 {
			t.Errorf("the ledger of who came later has %d entries, %v; want its beginning and end", len(items), err)
		}
		late := w.Customer("late", "Late Ltd")
		if _, err := w.Customers.CreateTenancy(w.Ctx, w.all, customers.NewTenancy{Server: w.MapleOne.ID, Customer: late.ID, Paths: []string{"/srv/late"}}); err != nil {
			t.Fatal(err)
		}
		c.list = append(c.list, event("session.upload", 401, map[string]any{"sid": "sid-1"}))
		w.later(2 * time.Hour)
		same(t, "after it", w.one(sessions.Filter{}).Customers, want)
	})
}

// TestListsAreToldOfSessions: a list says when somebody was last there.
func TestListsAreToldOfSessions(t *testing.T) {
	t.Parallel()
	clock := &dbtest.Clock{}
	c := &scripted{list: []teleport.Event{event("session.start", 0, of("size", "80:25", "server_hostname", "shared-1")), event("session.join", 5, map[string]any{"sid": "sid-1", "user": "cleo"})}}
	var told []string
	w := newWorld(t, dbtest.SQLite(t, clock), clock, func(d *sessions.Deps, o *sessions.Options) {
		d.Cluster = c
		o.OnUsed = func(_ *db.Tx, customer, person, server string, at time.Time) error {
			told = append(told, customer+" "+person+" "+server+" "+at.String())
			return nil
		}
	})
	w.Clock.Advance(began.Add(10 * time.Minute).Sub(w.Clock.Now()))
	w.run()
	var want []string
	for _, of := range []string{w.Maple.ID, w.Harbour.ID} {
		for _, p := range []sessions.Somebody{w.bobPerson, w.cleoPerson} {
			want = append(want, of+" "+p.ID+" "+w.Shared.ID+" "+began.String())
		}
	}
	slices.Sort(told)
	slices.Sort(want)
	same(t, "told", told, want)
}
