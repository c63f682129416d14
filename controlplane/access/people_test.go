package access_test

import (
	"strings"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/access"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/policy"
)

func TestPersonIsRefused(t *testing.T) {
	w := newWorld(t, dbtest.SQLite(t, &dbtest.Clock{}), &dbtest.Clock{})
	gone := must[access.Person](t)(w.access.AddPerson(w.Ctx, w.all, access.NewPerson{Kind: access.KindContractor, Name: "Gus Gone"}))
	must[int](t)(w.access.Leave(w.Ctx, w.all, gone.ID, "contract over"))
	ctx, scope := w.Owner(w.Maple)
	for name, c := range map[string]struct {
		in   access.NewPerson
		code controlplane.Code
	}{
		"a kind that is none":           {access.NewPerson{Kind: "x", Name: "X"}, controlplane.CodeInvalid},
		"nobody's name":                 {access.NewPerson{Kind: access.KindContractor}, controlplane.CodeInvalid},
		"a name that hides":             {access.NewPerson{Kind: access.KindContractor, Name: "Eve\u202e"}, controlplane.CodeInvalid},
		"staff without a sign-in":       {access.NewPerson{Kind: access.KindStaff, Name: "X"}, controlplane.CodeInvalid},
		"staff who are none":            {access.NewPerson{Kind: access.KindStaff, Staff: "stf_0"}, controlplane.CodeInvalid},
		"staff who are there already":   {access.NewPerson{Kind: access.KindStaff, Staff: w.bob.Staff}, controlplane.CodeConflict},
		"a customer's person of nobody": {access.NewPerson{Kind: access.KindCustomer, Name: "X"}, controlplane.CodeInvalid},
		"a contractor of a customer":    {access.NewPerson{Kind: access.KindContractor, Customer: w.Maple.ID, Name: "X"}, controlplane.CodeInvalid},
		"a service without an owner":    {access.NewPerson{Kind: access.KindService, Name: "deploy"}, controlplane.CodeInvalid},
		"a service of one who has left": {access.NewPerson{Kind: access.KindService, Name: "deploy", Owner: gone.ID}, controlplane.CodeInvalid},
		"many names":                    {access.NewPerson{Kind: access.KindContractor, Name: "X", Logins: strings.Split(strings.Repeat("a ", 21), " ")}, controlplane.CodeInvalid},
	} {
		if _, err := w.access.AddPerson(w.Ctx, w.all, c.in); controlplane.ErrorCode(err) != c.code {
			t.Errorf("%s: got %v, want %s", name, err, c.code)
		}
	}
	if _, err := w.access.AddPerson(ctx, scope, access.NewPerson{Kind: access.KindContractor, Name: "X"}); controlplane.ErrorCode(err) != controlplane.CodeForbidden {
		t.Errorf("a customer adds one of ours: got %v, want forbidden", err)
	}
}

// A customer reads of people whom their list names, and no more of them than it says.
func TestWhoSeesPeople(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		w.grant(w.Maple, w.bob, "operator", 10)
		must[access.Person](t)(w.access.AddPerson(w.Ctx, w.all, access.NewPerson{Kind: access.KindCustomer, Customer: w.Maple.ID, Name: "Mia Maple", Logins: []string{"mia"}}))
		must[access.Person](t)(w.access.AddPerson(w.Ctx, w.all, access.NewPerson{Kind: access.KindCustomer, Customer: w.Harbour.ID, Name: "Hans Harbour"}))
		ctx, scope := w.Owner(w.Maple)
		people := must[[]access.Person](t)(w.access.People(ctx, scope))
		same(t, "seen", names(people), []string{"Bob Builder", "Mia Maple"})
		if bob, mia := people[0], people[1]; bob.TeleportUsers != nil || bob.Logins != nil || len(mia.Logins) != 1 {
			t.Errorf("got %+v and %+v, want no names of ours and all of theirs", bob, mia)
		}
		for _, p := range people[0].Papers {
			if p.RecordedBy != "" || p.Reference != "" {
				t.Errorf("a paper says too much: %+v", p)
			}
		}
		own := func() error {
			_, err := w.access.Grant(w.Ctx, w.all, w.asked(func(in *access.NewGrant) { in.Person = people[1].ID }))
			return err
		}
		if err := own(); err != nil {
			t.Errorf("a customer's own person on their own server: %v", err)
		}
		w.Share()
		if err := own(); controlplane.ErrorCode(err) != controlplane.CodeConflict {
			t.Errorf("a customer's own person on a shared server: got %v, want conflict", err)
		}
		if _, err := w.access.GetPerson(ctx, scope, w.cleo.ID); controlplane.ErrorCode(err) != controlplane.CodeNotFound {
			t.Errorf("who is not on the list: got %v, want not found", err)
		}
		if _, err := w.access.AddPaper(ctx, scope, access.Paper{Person: w.bob.ID, Kind: access.PaperTraining, Until: clock.Now().AddDate(9, 0, 0)}); controlplane.ErrorCode(err) != controlplane.CodeForbidden {
			t.Errorf("a customer records our papers: got %v, want forbidden", err)
		}
		support := controlplane.WithActor(t.Context(), controlplane.Actor{Kind: controlplane.ActorStaff, ID: w.cleo.Staff, Role: string(policy.RoleSupport)})
		if _, err := w.access.AddPaper(support, w.all, access.Paper{Person: w.bob.ID, Kind: access.PaperTraining, Until: clock.Now().AddDate(9, 0, 0)}); controlplane.ErrorCode(err) != controlplane.CodeForbidden {
			t.Errorf("whoever may not write records papers: got %v, want forbidden", err)
		}
	})
}

func TestChangePerson(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		p := must[access.Person](t)(w.access.AddPerson(w.Ctx, w.all, access.NewPerson{Kind: access.KindContractor, Name: "Nina New", Company: "New Ltd"}))
		name, users := "Nina Newman", []string{"nina", "nina", "nn"}
		changed := must[access.Person](t)(w.access.ChangePerson(w.Ctx, w.all, p.ID, access.PersonChange{Name: &name, TeleportUsers: &users, Version: p.Version}))
		if changed.Name != name || len(changed.TeleportUsers) != 2 || changed.Company != "New Ltd" {
			t.Errorf("got %+v", changed)
		}
		if _, err := w.access.ChangePerson(w.Ctx, w.all, p.ID, access.PersonChange{Name: &name, Version: p.Version}); controlplane.ErrorCode(err) != controlplane.CodeConflict {
			t.Errorf("from an old version: got %v, want conflict", err)
		}
		if _, err := w.access.ChangePerson(w.Ctx, w.all, w.bob.ID, access.PersonChange{Name: &name}); controlplane.ErrorCode(err) != controlplane.CodeInvalid {
			t.Errorf("the name of staff: got %v, want invalid", err)
		}
	})
}

// A paper that ends is a finding thirty days before, worse when it has ended, and
// closed by a newer one.
func TestPaperEnds(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		p := must[access.Person](t)(w.access.AddPerson(w.Ctx, w.all, access.NewPerson{Kind: access.KindContractor, Name: "Nina New"}))
		until := clock.Now().AddDate(0, 0, 40)
		must[access.Paper](t)(w.access.AddPaper(w.Ctx, w.all, access.Paper{Person: p.ID, Kind: access.PaperTraining, Until: until}))
		w.due()
		same(t, "early", w.openOf(p.ID), nil)
		w.hours(24 * 11)
		w.due()
		w.due()
		same(t, "soon", w.openOf(p.ID), []string{"access.paper_expiring warn"})
		w.hours(24 * 30)
		w.due()
		same(t, "over", w.openOf(p.ID), []string{"access.paper_expiring bad"})
		must[access.Paper](t)(w.access.AddPaper(w.Ctx, w.all, access.Paper{Person: p.ID, Kind: access.PaperTraining, Until: clock.Now().AddDate(1, 0, 0)}))
		same(t, "a newer one", w.openOf(p.ID), nil)
		got := must[access.Person](t)(w.access.GetPerson(w.Ctx, w.all, p.ID))
		if len(got.Papers) != 1 || !got.Papers[0].Until.Equal(clock.Now().AddDate(1, 0, 0)) {
			t.Errorf("papers: got %+v, want the newest", got.Papers)
		}
	})
}

// Members are in a team from when until when, and so on lists.
func TestTeamDates(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		now := clock.Now()
		team := must[access.Team](t)(w.access.PutTeam(w.Ctx, w.all, access.Team{Name: "Holiday cover", Members: []access.Member{
			{Person: w.bob.ID, Until: now.Add(24 * time.Hour)}, {Person: w.cleo.ID, From: now.Add(24 * time.Hour)}}}))
		must[access.Grant](t)(w.access.Grant(w.Ctx, w.all, access.NewGrant{Customer: w.Maple.ID, Team: team.ID, Role: "operator", Reason: "cover", Until: now.AddDate(0, 0, 10)}))
		same(t, "first", who(w.read(w.Maple, access.At{})), []string{bobOperates})
		w.hours(25)
		same(t, "then, before anybody looked", who(w.read(w.Maple, access.At{})), []string{"Cleo Clark teleport operator"})
		w.due()
		same(t, "then", who(w.read(w.Maple, access.At{})), []string{"Cleo Clark teleport operator"})
		l := w.read(w.Maple, access.At{})
		if got, want := l.Lines[0].Listed.Until, now.AddDate(0, 0, 10); !got.Equal(want) {
			t.Errorf("until %v, want the grant's end, %v", got, want)
		}
		newcomer := must[access.Person](t)(w.access.AddPerson(w.Ctx, w.all, access.NewPerson{Kind: access.KindContractor, Name: "Nina New"}))
		for name, c := range map[string]struct {
			team access.Team
			code controlplane.Code
		}{
			"somebody without papers":  {access.Team{ID: team.ID, Name: team.Name, Members: []access.Member{{Person: newcomer.ID}}}, controlplane.CodeInvalid},
			"an old version":           {access.Team{ID: team.ID, Name: team.Name, Version: 99}, controlplane.CodeConflict},
			"another team's name":      {access.Team{Name: team.Name}, controlplane.CodeInvalid},
			"nobody":                   {access.Team{Name: "X", Members: []access.Member{{Person: "prs_0"}}}, controlplane.CodeInvalid},
			"an end before its begin":  {access.Team{Name: "X", Members: []access.Member{{Person: w.bob.ID, From: now, Until: now.Add(-time.Hour)}}}, controlplane.CodeInvalid},
			"the same twice":           {access.Team{Name: "X", Members: []access.Member{{Person: w.bob.ID}, {Person: w.bob.ID}}}, controlplane.CodeInvalid},
			"a team that there is not": {access.Team{ID: "tea_0", Name: "X"}, controlplane.CodeNotFound},
		} {
			if _, err := w.access.PutTeam(w.Ctx, w.all, c.team); controlplane.ErrorCode(err) != c.code {
				t.Errorf("%s: got %v, want %s", name, err, c.code)
			}
		}
		teams := must[[]access.Team](t)(w.access.Teams(w.Ctx, w.all))
		if len(teams) != 1 || len(teams[0].Members) != 2 || teams[0].Members[1].Name != "Cleo Clark" {
			t.Errorf("teams: got %+v", teams)
		}
	})
}

func TestTermsHaveBounds(t *testing.T) {
	w := newWorld(t, dbtest.SQLite(t, &dbtest.Clock{}), &dbtest.Clock{})
	if got, want := must[access.Terms](t)(w.access.Terms(w.Ctx, w.all, "maple")), access.DefaultTerms(w.Maple.ID); got != want {
		t.Errorf("got %+v, want the usual %+v", got, want)
	}
	for name, in := range map[string]access.Terms{
		"a year of silence":         {NoticeHours: 9000},
		"grants of two years":       {MaxDays: 700},
		"recordings for ever":       {RecordingMonths: 120},
		"a brief without a version": {Brief: "Be careful."},
		"a version without a brief": {BriefVersion: "1"},
	} {
		in.Customer = w.Maple.ID
		if _, err := w.access.SetTerms(w.Ctx, w.all, in); controlplane.ErrorCode(err) != controlplane.CodeInvalid {
			t.Errorf("%s: got %v, want invalid", name, err)
		}
	}
	ctx, scope := w.Owner(w.Maple)
	if _, err := w.access.SetTerms(ctx, scope, access.Terms{Customer: w.Maple.ID}); controlplane.ErrorCode(err) != controlplane.CodeForbidden {
		t.Errorf("a customer sets them: got %v, want forbidden", err)
	}
}

// What pages over many customers say is what each list says.
func TestSummariesAndMatrix(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		w.Share()
		w.due()
		w.grant(w.Maple, w.bob, "operator", 24*30)
		w.grant(w.Maple, w.bob, "engineer", 24*5)
		w.grant(w.Harbour, w.cleo, "operator", 24*30)
		people, columns, cells, next, err := w.access.Matrix(w.Ctx, w.all, 0, "")
		if err != nil || next != "" {
			t.Fatal(err, next)
		}
		same(t, "people", names(people), []string{"Ada Admin", "Bob Builder", "Cleo Clark"})
		for _, c := range cells {
			if c.Person == w.bob.ID && c.Customer == w.Maple.ID && (strings.Join(c.Roles, " ") != "engineer operator" || !c.Until.Equal(clock.Now().AddDate(0, 0, 5))) {
				t.Errorf("bob on maple: got %+v", c)
			}
		}
		if len(cells) != 4 { // each on their own customer and on the neighbour's
			t.Errorf("got %d cells, want 4: %+v", len(cells), cells)
		}
		all, _, err := w.access.Summaries(w.Ctx, w.all, 0, "")
		if err != nil || len(all) != 2 || len(columns) != 2 {
			t.Fatalf("got %d and %d summaries, %v; want two", len(all), len(columns), err)
		}
		for _, x := range all {
			c := w.Maple
			if x.Customer == w.Harbour.ID {
				c = w.Harbour
			}
			l := w.read(c, access.At{})
			if x.Persons != l.Persons || x.Differences != l.Differences || !x.ChangedAt.Equal(l.ChangedAt) || !x.Unattested {
				t.Errorf("%s: the page says %+v, the list %d persons, %d differences, changed %v", c.Slug, x, l.Persons, l.Differences, l.ChangedAt)
			}
		}
		if all[1].Name != "Maple Bakery" || all[1].Expiring != 1 {
			t.Errorf("got %+v, want one grant of Maple Bakery that ends soon", all[1])
		}
		ctx, scope := w.Owner(w.Harbour)
		own, _, err := w.access.Summaries(ctx, scope, 0, "")
		if err != nil || len(own) != 1 || own[0].Customer != w.Harbour.ID {
			t.Errorf("a customer's: got %+v, %v; want their own", own, err)
		}
	})
}

// Pages of changes and grants hold each once.
func TestPages(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		for range 7 {
			g := w.grant(w.Maple, w.bob, "operator", 5)
			w.hours(0.5)
			must[access.Grant](t)(w.access.Revoke(w.Ctx, w.all, g.ID, "enough"))
		}
		seen := map[string]bool{}
		for token, n := "", 0; ; n++ {
			items, next, err := w.access.Changes(w.Ctx, w.all, access.ChangeFilter{Person: w.bob.ID, Limit: 3, PageToken: token})
			if err != nil || n > 9 {
				t.Fatal(err, n)
			}
			for _, c := range items {
				seen[c.ID] = true
			}
			if token = next; next == "" {
				break
			}
		}
		if len(seen) != 14 {
			t.Errorf("got %d changes, want 14", len(seen))
		}
		seen = map[string]bool{}
		for token, n := "", 0; ; n++ {
			items, next, err := w.access.Grants(w.Ctx, w.all, access.GrantFilter{Customer: "maple", States: []access.GrantState{access.GrantRevoked}, Limit: 3, PageToken: token})
			if err != nil || n > 9 {
				t.Fatal(err, n)
			}
			for _, g := range items {
				seen[g.ID] = true
			}
			if token = next; next == "" {
				break
			}
		}
		if len(seen) != 7 {
			t.Errorf("got %d grants, want 7", len(seen))
		}
		if _, _, err := w.access.Changes(w.Ctx, w.all, access.ChangeFilter{PageToken: "x"}); controlplane.ErrorCode(err) != controlplane.CodeInvalid {
			t.Errorf("a token of nobody's: got %v, want invalid", err)
		}
	})
}
