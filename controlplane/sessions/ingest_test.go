package sessions_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/findings"
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
