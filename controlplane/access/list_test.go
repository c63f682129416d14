package access_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/access"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
)

// read is a customer's list as the admin sees it.
func (w *world) read(c customers.Customer, at access.At) access.List {
	w.T.Helper()
	return must[access.List](w.T)(w.access.List(w.Ctx, w.all, c.ID, at))
}

// who are the listed lines in short, but for what staff can do by their role
// here: "Bob Builder teleport operator @shared-1".
func who(l access.List) (out []string) {
	for _, x := range l.Lines {
		if x.Listed == nil || x.Way == access.WayAdmin || x.Way == access.WayRestore {
			continue
		}
		s := fmt.Sprintf("%s%s %s %s", x.Person.Name, x.Unknown, x.Way, x.Role)
		if x.Place != "" {
			s += " @" + x.Place
		}
		out = append(out, s)
	}
	return out
}

// grant grants a role until so many hours from now.
func (w *world) grant(c customers.Customer, p access.Person, role string, hours float64) access.Grant {
	w.T.Helper()
	return must[access.Grant](w.T)(w.access.Grant(w.Ctx, w.all, access.NewGrant{Customer: c.ID, Person: p.ID, Role: role, Reason: "looks after the shop",
		Until: w.Clock.Now().Add(time.Duration(hours * float64(time.Hour)))}))
}

// due does what is due, as Watch does.
func (w *world) due() {
	w.T.Helper()
	if err := w.access.Due(w.T.Context()); err != nil {
		w.T.Fatal(err)
	}
}

const bobOperates = "Bob Builder teleport operator"

// A list can be read as it was at any instant, as it was known at any other.
func TestListIsBitemporal(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		t0 := clock.Now()
		w.hours(1)
		g := w.grant(w.Maple, w.bob, "operator", 10) // 10:00 to 20:00
		w.hours(2)
		must[access.Grant](t)(w.access.Revoke(w.Ctx, w.all, g.ID, "the work is done")) // at 12:00
		w.hours(2)                                                                     // 14:00
		hour := func(n float64) time.Time { return t0.Add(time.Duration(n * float64(time.Hour))) }
		for _, c := range []struct {
			name     string
			at, know float64
			want     []string
		}{
			{"before it was granted", 0.5, 5, nil},
			{"while it was in force", 2, 5, []string{bobOperates}},
			{"while it was in force, as known then", 2, 2, []string{bobOperates}},
			{"at the instant of its beginning", 1, 5, []string{bobOperates}},
			{"at the instant of its end", 3, 5, nil},
			{"a moment before its end", 2.9999, 5, []string{bobOperates}},
			{"afterwards", 4, 5, nil},
		} {
			same(t, c.name, who(w.read(w.Maple, access.At{At: hour(c.at), KnownAt: hour(c.know)})), c.want)
		}
		l := w.read(w.Maple, access.At{At: hour(2), KnownAt: hour(2)})
		if got, want := l.Lines[0].Listed.Until, hour(11); !got.Equal(want) {
			t.Errorf("as known then it was to last until %v, want %v", got, want)
		}
		l = w.read(w.Maple, access.At{At: hour(2)})
		if got, want := l.Lines[0].Listed.Until, hour(3); !got.Equal(want) {
			t.Errorf("as known now it lasted until %v, want %v", got, want)
		}
		for name, at := range map[string]access.At{"the future": {KnownAt: hour(6)}, "later than what was known": {At: hour(3), KnownAt: hour(2)}} {
			if _, err := w.access.List(w.Ctx, w.all, w.Maple.ID, at); controlplane.ErrorCode(err) != controlplane.CodeInvalid {
				t.Errorf("%s: got %v, want invalid", name, err)
			}
		}
	})
}

// What a scan learns late is known late: the list of then reads as it was known then.
func TestWhatIsLearntLate(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		lastClean := clock.Now()
		w.hours(3)
		w.settle(access.Part{Column: access.Could, Source: "host", Servers: []string{w.MapleOne.ID}},
			access.Want{Customer: w.Maple.ID, Unknown: "SHA256:abc", Way: access.WayLogin, Role: "root", Server: w.MapleOne.ID, Ground: "key_1", From: lastClean})
		seen := clock.Now()
		w.hours(1)
		could := func(at access.At) (n int) {
			for _, l := range w.read(w.Maple, at).Lines {
				if l.Could != nil && l.Unknown == "SHA256:abc" {
					n++
				}
			}
			return n
		}
		for _, c := range []struct {
			name string
			at   access.At
			want int
		}{
			{"an hour after the last clean scan, as known now", access.At{At: lastClean.Add(time.Hour)}, 1},
			{"the same, as known then", access.At{At: lastClean.Add(time.Hour), KnownAt: lastClean.Add(time.Hour)}, 0},
			{"when it was seen", access.At{At: seen, KnownAt: seen}, 1},
			{"before the last clean scan", access.At{At: lastClean.Add(-time.Minute)}, 0},
		} {
			if got := could(c.at); got != c.want {
				t.Errorf("%s: got %d, want %d", c.name, got, c.want)
			}
		}
	})
}

// Why somebody stood on a list, and by what ticket, reads as it was known too.
func TestReasonsAreBitemporal(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		made := clock.Now()
		g := must[access.Grant](t)(w.access.Grant(w.Ctx, w.all, access.NewGrant{Customer: w.Maple.ID, Person: w.bob.ID, Role: "operator", Reason: "moves the shop",
			NoTicketUntil: made.Add(5 * time.Hour), Until: made.Add(20 * time.Hour)}))
		w.hours(1)
		filled := clock.Now()
		must[access.Grant](t)(w.access.FillTicket(w.Ctx, w.all, g.ID, "OPS-1"))
		w.hours(1)
		extended := clock.Now()
		must[access.Grant](t)(w.access.Extend(w.Ctx, w.all, g.ID, made.Add(40*time.Hour), "the move takes longer", "OPS-2"))
		w.hours(1)
		ctx, scope := w.Owner(w.Maple)
		for _, c := range []struct {
			name           string
			known          time.Time
			reason, ticket string
		}{
			{"when it was granted", made, "moves the shop", ""},
			{"before the ticket was filled in", filled.Add(-time.Millisecond), "moves the shop", ""},
			{"when it was", filled, "moves the shop", "OPS-1"},
			{"before it was extended", extended.Add(-time.Minute), "moves the shop", "OPS-1"},
			{"when it was extended", extended, "the move takes longer", "OPS-2"},
			{"now", time.Time{}, "the move takes longer", "OPS-2"},
		} {
			l := must[access.List](t)(w.access.List(ctx, scope, w.Maple.ID, access.At{At: made, KnownAt: c.known}))
			i := slices.IndexFunc(l.Lines, func(x access.Line) bool { return x.Way == access.WayTeleport })
			if i < 0 || l.Lines[i].Reason != c.reason || l.Lines[i].Ticket != c.ticket {
				t.Errorf("as known %s: got %+v, want %q by %q", c.name, l.Lines, c.reason, c.ticket)
			}
		}
	})
}

// What was looked at then are the servers on which the customer lived then.
func TestAttestedAreTheServersOfThen(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		before := clock.Now().Add(-time.Hour)
		w.hours(1)
		then := clock.Now()
		w.hours(1)
		old, err := w.Customers.Tenancies(w.Ctx, w.all, customers.TenancyFilter{Customer: w.Maple.ID})
		if err != nil || len(old) != 1 {
			t.Fatalf("got %v, %v, want one tenancy", old, err)
		}
		must[customers.Tenancy](t)(w.Customers.EndTenancy(w.Ctx, w.all, old[0].ID))
		moved := clock.Now()
		w.Lives(w.Shared, w.Maple)
		w.hours(1)
		for _, c := range []struct {
			name string
			at   time.Time
			want []string
		}{
			{"before they came", before, []string{"Teleport"}},
			{"then", then, []string{"Teleport", "maple-1"}},
			{"when they moved", moved, []string{"Teleport", "shared-1"}},
			{"now", time.Time{}, []string{"Teleport", "shared-1"}},
		} {
			var got []string
			for _, a := range w.read(w.Maple, access.At{At: c.at}).Attested {
				got = append(got, a.Name)
			}
			same(t, c.name, got, c.want)
		}
	})
}

// Two grounds are one line; one of them gone leaves it.
func TestGrantedTwice(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		var heard []access.Change
		w.access.OnChanged(func(_ *db.Tx, changes []access.Change) error { heard = append(heard, changes...); return nil })
		night := must[access.Team](t)(w.access.PutTeam(w.Ctx, w.all, access.Team{Name: "Night", Members: []access.Member{{Person: w.bob.ID}}}))
		day := must[access.Team](t)(w.access.PutTeam(w.Ctx, w.all, access.Team{Name: "Day", Members: []access.Member{{Person: w.bob.ID}, {Person: w.cleo.ID}}}))
		byTeam := func(team access.Team, hours int) access.Grant {
			return must[access.Grant](t)(w.access.Grant(w.Ctx, w.all, access.NewGrant{Customer: w.Maple.ID, Team: team.ID, Role: "operator", Reason: "on call", Until: clock.Now().Add(time.Duration(hours) * time.Hour)}))
		}
		first, second, own := byTeam(night, 24), byTeam(day, 24), w.grant(w.Maple, w.bob, "operator", 48)
		same(t, "told", told(heard), []string{"added " + bobOperates, "ground " + bobOperates, "added Cleo Clark teleport operator", "moved " + bobOperates})
		l := w.read(w.Maple, access.At{})
		same(t, "one line each", who(l), []string{bobOperates, "Cleo Clark teleport operator"})
		if got := l.Lines[0].Grants; len(got) != 3 {
			t.Errorf("grounds: got %v, want three", got)
		}
		heard = nil
		must[access.Grant](t)(w.access.Revoke(w.Ctx, w.all, first.ID, "the team is dissolved"))
		must[access.Grant](t)(w.access.Revoke(w.Ctx, w.all, own.ID, "not needed"))
		same(t, "the line is there", who(w.read(w.Maple, access.At{})), []string{bobOperates, "Cleo Clark teleport operator"})
		same(t, "told of its end", told(heard), []string{"ground " + bobOperates, "moved " + bobOperates})
		heard = nil
		must[access.Team](t)(w.access.PutTeam(w.Ctx, w.all, access.Team{ID: day.ID, Name: "Day", Members: []access.Member{{Person: w.cleo.ID}}}))
		same(t, "out of the team", told(heard), []string{"removed " + bobOperates})
		must[access.Grant](t)(w.access.Revoke(w.Ctx, w.all, second.ID, "enough"))
		same(t, "nobody", who(w.read(w.Maple, access.At{})), nil)
		items, _, err := w.access.Changes(w.Ctx, w.all, access.ChangeFilter{Customer: w.Maple.ID})
		if err != nil {
			t.Fatal(err)
		}
		same(t, "changes, newest first", told(items)[:2], []string{"removed Cleo Clark teleport operator", "removed " + bobOperates})
	})
}

// Whoever reaches a shared server stands on the list of each tenant, and why is
// the other tenant's to know.
func TestSharedServer(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		g := w.grant(w.Maple, w.bob, "operator", 100)
		same(t, "before they share", who(w.read(w.Harbour, access.At{})), nil)
		w.hours(1)
		w.Lives(w.Shared, w.Maple)
		there := w.Lives(w.Shared, w.Harbour)
		joined := clock.Now()
		l := w.read(w.Harbour, access.At{})
		same(t, "on the neighbour's list", who(l), []string{bobOperates + " @shared-1"})
		if x := l.Lines[0]; !x.Shared || x.Reason != "" || len(x.Grants) != 0 || !x.Listed.From.Equal(joined) {
			t.Errorf("the neighbour's line: got %+v from %v, want shared, without a reason or a grant, from %v", x, x.Listed.From, joined)
		}
		same(t, "once on their own", who(w.read(w.Maple, access.At{})), []string{bobOperates})
		own := w.grant(w.Harbour, w.bob, "operator", 200)
		same(t, "granted by both", who(w.read(w.Harbour, access.At{})), []string{bobOperates})
		must[access.Grant](t)(w.access.Revoke(w.Ctx, w.all, own.ID, "moved on"))
		same(t, "one of two", who(w.read(w.Harbour, access.At{})), []string{bobOperates + " @shared-1"})
		ctx, scope := w.Owner(w.Harbour)
		seen := must[access.List](t)(w.access.List(ctx, scope, w.Harbour.ID, access.At{}))
		same(t, "as the neighbour sees it", who(seen), []string{bobOperates + " @shared-1"})
		if p := seen.Lines[0].Person; p.TeleportUsers != nil || p.Logins != nil {
			t.Errorf("a customer reads our names: %+v", p)
		}
		if _, err := w.access.GetGrant(ctx, scope, g.ID); controlplane.ErrorCode(err) != controlplane.CodeNotFound {
			t.Errorf("another customer's grant: got %v, want not found", err)
		}
		w.hours(1)
		must[customers.Tenancy](t)(w.Customers.EndTenancy(w.Ctx, w.all, there.ID))
		same(t, "after they moved out", who(w.read(w.Harbour, access.At{})), nil)
		w.Lives(w.Shared, w.Harbour)
		w.hours(1)
		must[access.Grant](t)(w.access.Revoke(w.Ctx, w.all, g.ID, "words of maple's alone"))
		items, _, err := w.access.Changes(ctx, scope, access.ChangeFilter{Customer: w.Harbour.ID})
		if err != nil || len(items) == 0 || items[0].Added || items[0].Why != access.WhyEnded {
			t.Errorf("what the neighbour is told: got %+v, %v; want that it ended, and no word of why", items, err)
		}
		same(t, "nobody is left", who(w.read(w.Maple, access.At{})), nil)
		same(t, "then", who(w.read(w.Harbour, access.At{At: joined})), []string{bobOperates + " @shared-1"})
	})
}

// An outage delays no end: only the word of it comes late, with the true instant.
func TestEndsDuringAnOutage(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		g := w.grant(w.Maple, w.bob, "operator", 5)
		end := clock.Now().Add(5 * time.Hour)
		var heard []access.Change
		w.access.OnChanged(func(_ *db.Tx, changes []access.Change) error { heard = append(heard, changes...); return nil })
		w.hours(50)
		same(t, "before anybody looked", who(w.read(w.Maple, access.At{})), nil)
		same(t, "while it was in force", who(w.read(w.Maple, access.At{At: end.Add(-time.Minute)})), []string{bobOperates})
		w.due()
		w.due()
		heard = only(heard, access.WayTeleport)
		same(t, "told once", told(heard), []string{"removed " + bobOperates})
		if c := heard[0]; !c.At.Equal(end) || !c.KnownAt.Equal(clock.Now()) || c.Why != access.WhyExpired {
			t.Errorf("got %v known %v because %q, want %v known %v because expired", c.At, c.KnownAt, c.Why, end, clock.Now())
		}
		g = must[access.Grant](t)(w.access.GetGrant(w.Ctx, w.all, g.ID))
		if g.State != access.GrantExpired || !g.EndedAt.Equal(end) {
			t.Errorf("the grant: got %s at %v, want expired at %v", g.State, g.EndedAt, end)
		}
	})
}

func only(changes []access.Change, way access.Way) (out []access.Change) {
	for _, c := range changes {
		if c.Way == way && c.Column == access.Listed {
			out = append(out, c)
		}
	}
	return out
}

// Off and on within a minute are two changes.
func TestRemovedAndAddedAgain(t *testing.T) {
	w := newWorld(t, dbtest.SQLite(t, &dbtest.Clock{}), &dbtest.Clock{})
	var heard []access.Change
	w.access.OnChanged(func(_ *db.Tx, changes []access.Change) error { heard = append(heard, changes...); return nil })
	g := w.grant(w.Maple, w.bob, "operator", 5)
	must[access.Grant](t)(w.access.Revoke(w.Ctx, w.all, g.ID, "a mistake"))
	must[access.Grant](t)(w.access.Revoke(w.Ctx, w.all, g.ID, "again"))
	w.grant(w.Maple, w.bob, "operator", 5)
	same(t, "changes", told(heard), []string{"added " + bobOperates, "removed " + bobOperates, "added " + bobOperates})
}

// Why somebody stands on a list on a ground of the company's is the customer's to read, too.
func TestReasonOfTheCompanysEntries(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		must[access.Entry](t)(w.access.AddEntry(w.Ctx, w.all, access.Entry{Way: access.WayAdmin, Person: w.cleo.ID, Role: "hypervisor pve-1", Reason: "runs the hypervisors", ReviewBy: clock.Now().AddDate(0, 1, 0)}))
		ctx, scope := w.Owner(w.Maple)
		l := must[access.List](t)(w.access.List(ctx, scope, w.Maple.ID, access.At{}))
		if len(l.Lines) != 1 || l.Lines[0].Reason != "runs the hypervisors" || l.Differences != 0 {
			t.Errorf("got %+v with %d differences, want one line with its reason and none", l.Lines, l.Differences)
		}
	})
}
