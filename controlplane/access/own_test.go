package access_test

import (
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/access"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/teleport"
)

// refused expects a code.
func refused(t testing.TB, what string, err error, want controlplane.Code) {
	t.Helper()
	if got := controlplane.ErrorCode(err); err == nil || got != want {
		t.Errorf("%s: got %v, want %s", what, err, want)
	}
}

// Whoever answers for a service account is whom its access is of.
func TestServiceAccountsAreTheirOwners(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		robot := must[access.Person](t)(w.access.AddPerson(w.Ctx, w.all, access.NewPerson{Kind: access.KindService, Name: "deploy", Owner: w.bob.ID}))
		team := must[access.Team](t)(w.access.PutTeam(w.Ctx, w.all, access.Team{Name: "Robots", Members: []access.Member{{Person: robot.ID}}}))
		of := func(in *access.NewGrant) { in.Person = robot.ID }
		g := must[access.Grant](t)(w.access.Grant(w.as(w.bob), w.all, w.asked(of)))
		if g.State != access.GrantProposed {
			t.Errorf("Bob grants to what is his: got %s, want proposed", g.State)
		}
		byTeam := must[access.Grant](t)(w.access.Grant(w.as(w.bob), w.all, w.asked(func(in *access.NewGrant) { in.Person, in.Team, in.Role = "", team.ID, "engineer" })))
		if byTeam.State != access.GrantProposed {
			t.Errorf("Bob grants to a team of his: got %s, want proposed", byTeam.State)
		}
		must[access.Terms](t)(w.access.SetTerms(w.Ctx, w.all, access.Terms{Customer: w.Harbour.ID, SecondPerson: true}))
		asked := must[access.Grant](t)(w.access.Grant(w.as(w.cleo), w.all, w.asked(func(in *access.NewGrant) { of(in); in.Customer = w.Harbour.ID })))
		_, err := w.access.Answer(w.as(w.bob), w.all, asked.ID, true, "")
		refused(t, "Bob approves what is his", err, controlplane.CodeForbidden)
		must[access.Grant](t)(w.access.Answer(w.Ctx, w.all, asked.ID, true, ""))
		_, err = w.access.ChangePerson(w.Ctx, w.all, robot.ID, access.PersonChange{Owner: &w.cleo.ID})
		refused(t, "another owner while it has a grant", err, controlplane.CodeInvalid)

		c := must[access.Campaign](t)(w.access.StartCampaign(w.Ctx, w.all, "Winter", clock.Now().Add(14*24*time.Hour)))
		items, _, err := w.access.CampaignItems(w.Ctx, w.all, c.ID, "", 0, "")
		if err != nil || len(items) != 1 {
			t.Fatalf("items: got %v, %v", items, err)
		}
		_, err = w.access.AnswerItem(w.as(w.bob), w.all, items[0].ID, true, "I need it")
		refused(t, "Bob confirms what is his", err, controlplane.CodeForbidden)

		e := must[access.Entry](t)(w.access.AddEntry(w.Ctx, w.all, access.Entry{Way: access.WayService, Person: robot.ID, Customer: w.Maple.ID, Reason: "deploys", ReviewBy: clock.Now().Add(time.Hour)}))
		_, err = w.access.ReviewEntry(w.as(w.bob), w.all, e.ID, clock.Now().Add(24*time.Hour), "needed")
		refused(t, "Bob reviews what is his", err, controlplane.CodeForbidden)
		must[int](t)(w.access.Leave(w.Ctx, w.all, w.bob.ID, "other work"))
		_, err = w.access.ChangePerson(w.as(w.cleo), w.all, robot.ID, access.PersonChange{Owner: &w.cleo.ID})
		refused(t, "Cleo takes it over herself", err, controlplane.CodeInvalid)
		must[access.Person](t)(w.access.ChangePerson(w.Ctx, w.all, robot.ID, access.PersonChange{Owner: &w.cleo.ID}))
	})
}

// Nobody gets access by a team past those who would have to answer.
func TestTeamsAreNoWayPastAnAnswer(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		soon := clock.Now().Add(24 * time.Hour)
		team := must[access.Team](t)(w.access.PutTeam(w.Ctx, w.all, access.Team{Name: "Night", Members: []access.Member{{Person: w.bob.ID, Until: soon}}}))
		put := func(by access.Person, members ...access.Member) error {
			_, err := w.access.PutTeam(w.as(by), w.all, access.Team{ID: team.ID, Name: "Night", Members: members})
			return err
		}
		bob, cleo := access.Member{Person: w.bob.ID}, access.Member{Person: w.cleo.ID}
		short := access.Member{Person: w.bob.ID, Until: soon}
		if err := put(w.cleo, short, cleo); err != nil {
			t.Errorf("oneself where the team has nothing: %v", err)
		}
		if err := put(w.ada, short); err != nil {
			t.Fatal(err)
		}
		must[access.Grant](t)(w.access.Grant(w.Ctx, w.all, w.asked(func(in *access.NewGrant) { in.Person, in.Team = "", team.ID })))
		refused(t, "oneself", put(w.cleo, short, cleo), controlplane.CodeInvalid)
		refused(t, "oneself for longer", put(w.bob, bob), controlplane.CodeInvalid)
		if err := put(w.bob, access.Member{Person: w.bob.ID, Until: soon.Add(-time.Hour)}, cleo); err != nil {
			t.Errorf("oneself for less, and a colleague: %v", err)
		}
		if err := put(w.ada); err != nil {
			t.Errorf("nobody: %v", err)
		}
		must[access.Terms](t)(w.access.SetTerms(w.Ctx, w.all, access.Terms{Customer: w.Maple.ID, CustomerApproves: true}))
		refused(t, "past the customer", put(w.ada, cleo), controlplane.CodeInvalid)
		must[access.Terms](t)(w.access.SetTerms(w.Ctx, w.all, access.Terms{Customer: w.Maple.ID}))
		refused(t, "long ago", put(w.ada, access.Member{Person: w.cleo.ID, From: clock.Now().AddDate(0, 0, -8)}), controlplane.CodeInvalid)
		if err := put(w.ada, cleo); err != nil {
			t.Errorf("a colleague: %v", err)
		}
		w.hours(24 * 9)
		if err := put(w.ada, access.Member{Person: w.cleo.ID, From: clock.Now().AddDate(0, 0, -9)}); err != nil {
			t.Errorf("who was there all along: %v", err)
		}
	})
}

// A name is not a way to the access of another.
func TestNamesAreNotTaken(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		change := func(by, of access.Person, users, logins []string) error {
			_, err := w.access.ChangePerson(w.as(by), w.all, of.ID, access.PersonChange{TeleportUsers: &users, Logins: &logins})
			return err
		}
		refused(t, "one's own", change(w.bob, w.bob, []string{"bob", "root"}, []string{"bob"}), controlplane.CodeForbidden)
		refused(t, "one's own login", change(w.bob, w.bob, []string{"bob"}, []string{"root"}), controlplane.CodeForbidden)
		refused(t, "one's own for a colleague", change(w.bob, w.cleo, []string{"cleo", "bob"}, []string{"cleo"}), controlplane.CodeInvalid)
		if err := change(w.bob, w.bob, []string{"bob"}, []string{"bob"}); err != nil {
			t.Errorf("as they are: %v", err)
		}
		if err := change(w.ada, w.cleo, []string{"cleo", "bob"}, []string{"cleo"}); err != nil {
			t.Errorf("by somebody else, to be found: %v", err)
		}
		for name, in := range map[string]access.NewPerson{
			"a contractor with one's own": {Kind: access.KindContractor, Name: "Nina New", TeleportUsers: []string{"bob"}},
			"a robot with a colleague's":  {Kind: access.KindService, Name: "deploy", Owner: w.bob.ID, TeleportUsers: []string{"ada"}},
		} {
			_, err := w.access.AddPerson(w.as(w.bob), w.all, in)
			refused(t, name, err, controlplane.CodeInvalid)
		}
	})
}

// What would be a paper, a list or a term in one's own favour needs somebody else.
func TestNotInOnesOwnFavour(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		must[access.Terms](t)(w.access.SetTerms(w.Ctx, w.all, access.Terms{Customer: w.Maple.ID, SecondPerson: true, CustomerApproves: true}))
		for name, in := range map[string]access.Terms{"no second person": {CustomerApproves: true}, "no answer of the customer": {SecondPerson: true}} {
			in.Customer = w.Maple.ID
			_, err := w.access.SetTerms(w.as(w.bob), w.all, in)
			refused(t, name, err, controlplane.CodeForbidden)
		}
		must[access.Terms](t)(w.access.SetTerms(w.as(w.bob), w.all, access.Terms{Customer: w.Maple.ID, SecondPerson: true, CustomerApproves: true, MaxDays: 30}))
		must[access.Terms](t)(w.access.SetTerms(w.Ctx, w.all, access.Terms{Customer: w.Maple.ID}))
		for _, kind := range []access.PaperKind{access.PaperConfidentiality, access.PaperTraining} {
			_, err := w.access.AddPaper(w.as(w.bob), w.all, access.Paper{Person: w.bob.ID, Kind: kind, Until: clock.Now().AddDate(1, 0, 0)})
			refused(t, string(kind), err, controlplane.CodeForbidden)
		}
		entry := access.Entry{Way: access.WayAdmin, Person: w.bob.ID, Customer: w.Maple.ID, Reason: "the work", Until: clock.Now().Add(time.Hour)}
		_, err := w.access.AddEntry(w.as(w.bob), w.all, entry)
		refused(t, "an entry of oneself", err, controlplane.CodeInvalid)
		entry.From = clock.Now().AddDate(0, 0, -8)
		_, err = w.access.AddEntry(w.Ctx, w.all, entry)
		refused(t, "an entry of long ago", err, controlplane.CodeInvalid)
		entry.From = clock.Now().AddDate(0, 0, -6)
		must[access.Entry](t)(w.access.AddEntry(w.Ctx, w.all, entry))
	})
}

// Emergencies do not follow upon each other without somebody else.
func TestEmergenciesInARow(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		team := must[access.Team](t)(w.access.PutTeam(w.Ctx, w.all, access.Team{Name: "Night", Members: []access.Member{{Person: w.bob.ID}}}))
		emergency := func(by access.Person, change func(*access.NewGrant)) (access.Grant, error) {
			return w.access.Grant(w.as(by), w.all, w.asked(func(in *access.NewGrant) {
				in.Kind, in.Until, in.Alone = access.GrantBreakGlass, clock.Now().Add(time.Hour), true
				change(in)
			}))
		}
		alone, together := func(*access.NewGrant) {}, func(in *access.NewGrant) { in.Person, in.Team = "", team.ID }
		first := must[access.Grant](t)(emergency(w.bob, alone))
		w.hours(10)
		w.due()
		_, err := emergency(w.bob, alone)
		refused(t, "before the review", err, controlplane.CodeConflict)
		_, err = emergency(w.bob, together)
		refused(t, "by a team", err, controlplane.CodeConflict)
		must[access.Grant](t)(w.access.Review(w.as(w.cleo), w.all, first.ID, "restarted the database"))
		second := must[access.Grant](t)(emergency(w.bob, together))
		must[access.Grant](t)(w.access.Review(w.as(w.cleo), w.all, second.ID, "looked at the logs"))
		w.hours(8.5)
		w.due()
		_, err = emergency(w.bob, alone)
		refused(t, "soon after", err, controlplane.CodeConflict)
		must[access.Grant](t)(emergency(w.cleo, alone))
	})
}

// Whoever is locked out is locked out under each user that they have access as.
func TestUsersStayWhileTheyHaveAccess(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		p := enforcing(t, d, clock)
		change := func(users ...string) error {
			_, err := p.access.ChangePerson(p.Ctx, p.all, p.cleo.ID, access.PersonChange{TeleportUsers: &users})
			return err
		}
		g := must[access.Grant](t)(p.access.Grant(p.Ctx, p.all, p.asked(func(in *access.NewGrant) { in.Person = p.cleo.ID })))
		refused(t, "one off", change("cleo.clark"), controlplane.CodeInvalid)
		if err := change("cleo", "cleo.clark"); err != nil {
			t.Errorf("one more: %v", err)
		}
		must[access.Grant](t)(p.access.Revoke(p.Ctx, p.all, g.ID, "not needed"))
		if err := change("cleo.clark"); err != nil {
			t.Errorf("one off once the access has ended: %v", err)
		}
	})
}

// Nobody accepts what lets themselves in and answers for it alone.
func TestRoleForOneself(t *testing.T) {
	clock := &dbtest.Clock{}
	p := newPlane(t, dbtest.SQLite(t, clock), clock)
	must[access.Person](t)(p.access.AddPerson(p.Ctx, p.all, access.NewPerson{Kind: access.KindService, Owner: p.ada.ID, Name: "Deploy", TeleportUsers: []string{"deploy"}}))
	for _, tt := range []struct {
		name  string
		user  string
		owner access.Person
		want  controlplane.Code
	}{
		{"a role of their own, answered for by themselves", "ada", p.ada, controlplane.CodeInvalid},
		{"one of their service account", "deploy", p.ada, controlplane.CodeInvalid},
		{"a colleague answers for it", "ada", p.cleo, ""},
		{"a colleague's role", "bob", p.ada, ""},
	} {
		p.c.roles["legacy"] = legacy()
		for u := range p.c.users {
			p.c.users[u] = teleport.User{Name: u}
		}
		p.c.users[tt.user] = teleport.User{Name: tt.user, Roles: []string{"legacy"}}
		p.look()
		until := clock.Now().AddDate(0, 1, 0)
		if err := p.access.AcceptRole(p.Ctx, p.all, "legacy", tt.owner.ID, until, "it was there"); code(err) != tt.want {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
		if tt.want != "" {
			if _, err := p.access.AcceptBaseline(p.Ctx, p.all, "", tt.owner.ID, until, "it was there"); code(err) != tt.want {
				t.Errorf("%s, with all there are: got %v, want %q", tt.name, err, tt.want)
			}
		}
	}
}
