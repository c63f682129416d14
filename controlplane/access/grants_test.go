package access_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/access"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/findings"
	"ostler/controlplane/policy"
)

// asked is a grant that is as it ought to be, but for what change does to it.
func (w *world) asked(change func(*access.NewGrant)) access.NewGrant {
	in := access.NewGrant{Customer: w.Maple.ID, Person: w.bob.ID, Role: "operator", Reason: "looks after the shop", Until: w.Clock.Now().AddDate(0, 0, 30)}
	change(&in)
	return in
}

func TestGrantIsRefused(t *testing.T) {
	w := newWorld(t, dbtest.SQLite(t, &dbtest.Clock{}), &dbtest.Clock{})
	now := w.Clock.Now()
	newcomer := must[access.Person](t)(w.access.AddPerson(w.Ctx, w.all, access.NewPerson{Kind: access.KindContractor, Name: "Nina New"}))
	untrained := must[access.Person](t)(w.access.AddPerson(w.Ctx, w.all, access.NewPerson{Kind: access.KindContractor, Name: "Uma Untrained"}))
	must[access.Paper](t)(w.access.AddPaper(w.Ctx, w.all, access.Paper{Person: untrained.ID, Kind: access.PaperConfidentiality}))
	must[access.Paper](t)(w.access.AddPaper(w.Ctx, w.all, access.Paper{Person: untrained.ID, Kind: access.PaperTraining, Until: now.AddDate(0, 0, 10)}))
	mixed := must[access.Team](t)(w.access.PutTeam(w.Ctx, w.all, access.Team{Name: "Mixed", Members: []access.Member{{Person: w.bob.ID}, {Person: newcomer.ID}}}))
	theirs := must[access.Person](t)(w.access.AddPerson(w.Ctx, w.all, access.NewPerson{Kind: access.KindCustomer, Customer: w.Harbour.ID, Name: "Hans Harbour"}))
	gone := must[access.Person](t)(w.access.AddPerson(w.Ctx, w.all, access.NewPerson{Kind: access.KindContractor, Name: "Gus Gone"}))
	w.papers(gone)
	must[int](t)(w.access.Leave(w.Ctx, w.all, gone.ID, "contract over"))
	robot := must[access.Person](t)(w.access.AddPerson(w.Ctx, w.all, access.NewPerson{Kind: access.KindService, Name: "deploy", Owner: newcomer.ID}))
	must[access.Grant](t)(w.access.Grant(w.Ctx, w.all, w.asked(func(in *access.NewGrant) { in.Role = "engineer" })))
	for name, c := range map[string]struct {
		change func(*access.NewGrant)
		code   controlplane.Code
		says   string
	}{
		"without a reason":                {func(in *access.NewGrant) { in.Reason = " " }, controlplane.CodeInvalid, "Say why"},
		"without an end":                  {func(in *access.NewGrant) { in.Until = time.Time{} }, controlplane.CodeInvalid, "until when"},
		"an end that is past":             {func(in *access.NewGrant) { in.Until = now.Add(-time.Hour) }, controlplane.CodeInvalid, "end after"},
		"longer than agreed":              {func(in *access.NewGrant) { in.Until = now.AddDate(0, 0, 93) }, controlplane.CodeInvalid, "92 days"},
		"from the past":                   {func(in *access.NewGrant) { in.From = now.Add(-time.Hour) }, controlplane.CodeInvalid, "past"},
		"far ahead":                       {func(in *access.NewGrant) { in.From = now.AddDate(0, 0, 100); in.Until = now.AddDate(0, 0, 101) }, controlplane.CodeInvalid, "92 days"},
		"a role that is none":             {func(in *access.NewGrant) { in.Role = "king" }, controlplane.CodeInvalid, "roles"},
		"nobody":                          {func(in *access.NewGrant) { in.Person = "" }, controlplane.CodeInvalid, "person or a team"},
		"a person and a team":             {func(in *access.NewGrant) { in.Team = mixed.ID }, controlplane.CodeInvalid, "person or a team"},
		"a person who is none":            {func(in *access.NewGrant) { in.Person = "prs_00000000000000000000000000" }, controlplane.CodeInvalid, "no such person"},
		"another customer's person":       {func(in *access.NewGrant) { in.Person = theirs.ID }, controlplane.CodeInvalid, "no such person"},
		"a team that is none":             {func(in *access.NewGrant) { in.Person, in.Team = "", "tea_0" }, controlplane.CodeInvalid, "no such team"},
		"no papers":                       {func(in *access.NewGrant) { in.Person = newcomer.ID }, controlplane.CodeInvalid, "Nina New has signed no confidentiality agreement"},
		"one of a team without papers":    {func(in *access.NewGrant) { in.Person, in.Team = "", mixed.ID }, controlplane.CodeInvalid, "Nina New has signed"},
		"a training that ends before it":  {func(in *access.NewGrant) { in.Person, in.From = untrained.ID, now.AddDate(0, 0, 11) }, controlplane.CodeInvalid, "Uma Untrained has a training that has run out"},
		"somebody who has left":           {func(in *access.NewGrant) { in.Person = gone.ID }, controlplane.CodeInvalid, "Gus Gone has left"},
		"a service of nobody with papers": {func(in *access.NewGrant) { in.Person = robot.ID }, controlplane.CodeInvalid, "deploy has signed no"},
		"the same again":                  {func(in *access.NewGrant) { in.Role = "engineer" }, controlplane.CodeConflict, "granted already"},
		"an emergency of a day":           {func(in *access.NewGrant) { in.Kind, in.Until = access.GrantBreakGlass, now.Add(24*time.Hour) }, controlplane.CodeInvalid, "four hours"},
		"an emergency tomorrow": {func(in *access.NewGrant) {
			in.Kind, in.From, in.Until = access.GrantBreakGlass, now.AddDate(0, 0, 1), now.AddDate(0, 0, 1).Add(time.Hour)
		}, controlplane.CodeInvalid, "begins now"},
		"a baseline":                 {func(in *access.NewGrant) { in.Kind = access.GrantBaseline }, controlplane.CodeInvalid, "baseline"},
		"a kind that is none":        {func(in *access.NewGrant) { in.Kind = "x" }, controlplane.CodeInvalid, "normal"},
		"a customer who is none":     {func(in *access.NewGrant) { in.Customer = "cus_0" }, controlplane.CodeNotFound, ""},
		"a ticket in two days' time": {func(in *access.NewGrant) { in.NoTicketUntil = now.AddDate(0, 0, 2) }, controlplane.CodeInvalid, "24 hours"},
	} {
		_, err := w.access.Grant(w.Ctx, w.all, w.asked(c.change))
		var e *controlplane.Error
		if !errors.As(err, &e) || e.Code != c.code || !strings.Contains(said(e), c.says) {
			t.Errorf("%s: got %v (%s), want %s that says %q", name, err, said(e), c.code, c.says)
		}
	}
	same(t, "nothing of it is listed", who(w.read(w.Maple, access.At{})), []string{"Bob Builder teleport engineer"})
}

// said is everything that an error tells people.
func said(e *controlplane.Error) string {
	if e == nil {
		return ""
	}
	out := e.Message
	for _, f := range e.Fields {
		out += " " + f.Message
	}
	return out
}

// The brief of a customer is acknowledged in its newest version, by oneself.
func TestBriefGate(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		terms := must[access.Terms](t)(w.access.SetTerms(w.Ctx, w.all, access.Terms{Customer: w.Maple.ID, Brief: "Ask before you restart anything.", BriefVersion: "1"}))
		ask := func() error { _, err := w.access.Grant(w.Ctx, w.all, w.asked(func(*access.NewGrant) {})); return err }
		if err := ask(); controlplane.ErrorCode(err) != controlplane.CodeInvalid {
			t.Fatalf("without it: got %v, want invalid", err)
		}
		bob, read := w.as(w.bob), policy.AllCustomers("a test")
		if _, err := w.access.AddPaper(bob, read, access.Paper{Person: w.bob.ID, Kind: access.PaperBrief, Customer: w.Maple.ID, Version: "0"}); controlplane.ErrorCode(err) != controlplane.CodeInvalid {
			t.Errorf("an old version: got %v, want invalid", err)
		}
		must[access.Paper](t)(w.access.AddPaper(bob, read, access.Paper{Person: w.bob.ID, Kind: access.PaperBrief, Customer: w.Maple.ID}))
		if err := ask(); err != nil {
			t.Fatal(err)
		}
		if l := w.read(w.Maple, access.At{}); !l.Lines[0].Briefed || l.Lines[0].Trained.IsZero() {
			t.Errorf("the line: got briefed %v, trained %v, want both", l.Lines[0].Briefed, l.Lines[0].Trained)
		}
		terms.BriefVersion = "2"
		must[access.Terms](t)(w.access.SetTerms(w.Ctx, w.all, terms))
		if l := w.read(w.Maple, access.At{}); l.Lines[0].Briefed {
			t.Error("an old acknowledgement counts for the new brief")
		}
	})
}

func TestApprovals(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		must[access.Terms](t)(w.access.SetTerms(w.Ctx, w.all, access.Terms{Customer: w.Maple.ID, SecondPerson: true, CustomerApproves: true}))
		team := must[access.Team](t)(w.access.PutTeam(w.Ctx, w.all, access.Team{Name: "Both", Members: []access.Member{{Person: w.bob.ID}}}))
		g := must[access.Grant](t)(w.access.Grant(w.Ctx, w.all, w.asked(func(in *access.NewGrant) { in.Person, in.Team = "", team.ID })))
		if g.State != access.GrantProposed || strings.Join(g.Needs, " ") != "second customer" || !g.AnswerBy.Equal(clock.Now().Add(12*time.Hour)) {
			t.Fatalf("got %s, needs %v by %v", g.State, g.Needs, g.AnswerBy)
		}
		same(t, "while it waits", who(w.read(w.Maple, access.At{})), nil)
		owner, theirs := w.Owner(w.Maple)
		other, others := w.Owner(w.Harbour)
		for name, c := range map[string]struct {
			ctx   context.Context
			scope policy.Scope
			code  controlplane.Code
		}{
			"whoever granted it": {w.Ctx, w.all, controlplane.CodeForbidden},
			"whom it names":      {w.as(w.bob), w.all, controlplane.CodeForbidden},
			"the plane":          {controlplane.System(t.Context(), "x"), w.all, controlplane.CodeForbidden},
			"another customer":   {other, others, controlplane.CodeNotFound},
		} {
			if _, err := w.access.Answer(c.ctx, c.scope, g.ID, true, ""); controlplane.ErrorCode(err) != c.code {
				t.Errorf("%s: got %v, want %s", name, err, c.code)
			}
		}
		g = must[access.Grant](t)(w.access.Answer(w.as(w.cleo), w.all, g.ID, true, "looks right"))
		if g.State != access.GrantProposed {
			t.Fatalf("after one of two: got %s, want proposed", g.State)
		}
		if _, err := w.access.Answer(w.as(w.cleo), w.all, g.ID, true, ""); controlplane.ErrorCode(err) != controlplane.CodeConflict {
			t.Errorf("twice: got %v, want conflict", err)
		}
		w.hours(1)
		g = must[access.Grant](t)(w.access.Answer(owner, theirs, g.ID, true, "fine"))
		if g.State != access.GrantActive || len(g.Approvals) != 2 || g.Approvals[0].Name != "Cleo Clark" || !g.From.Equal(clock.Now()) {
			t.Errorf("got %s from %v, approvals %+v, want it in force from now by two", g.State, g.From, g.Approvals)
		}
		same(t, "in force", who(w.read(w.Maple, access.At{})), []string{bobOperates})
	})
}

// A customer's word reaches the lists of others on a shared server, which their
// own transaction cannot see.
func TestCustomerApprovesOnASharedServer(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		w.Share()
		must[access.Terms](t)(w.access.SetTerms(w.Ctx, w.all, access.Terms{Customer: w.Maple.ID, CustomerApproves: true}))
		g := must[access.Grant](t)(w.access.Grant(w.Ctx, w.all, w.asked(func(*access.NewGrant) {})))
		owner, theirs := w.Owner(w.Maple)
		if g = must[access.Grant](t)(w.access.Answer(owner, theirs, g.ID, true, "")); g.State != access.GrantActive {
			t.Fatalf("got %s, want active", g.State)
		}
		same(t, "the neighbour's list", who(w.read(w.Harbour, access.At{})), []string{bobOperates + " @shared-1"})
		no := must[access.Grant](t)(w.access.Grant(w.Ctx, w.all, w.asked(func(in *access.NewGrant) { in.Role = "engineer" })))
		if no = must[access.Grant](t)(w.access.Answer(owner, theirs, no.ID, false, "not without a date")); no.State != access.GrantRefused || no.EndedWhy != "not without a date" {
			t.Errorf("got %s because %q, want refused with their words", no.State, no.EndedWhy)
		}
	})
}

func TestSilenceIsRefusal(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		g := must[access.Grant](t)(w.access.Grant(w.as(w.bob), w.all, w.asked(func(*access.NewGrant) {}))) // to himself
		if strings.Join(g.Needs, " ") != "second" {
			t.Fatalf("needs %v, want a second person", g.Needs)
		}
		w.hours(12)
		if _, err := w.access.Answer(w.as(w.cleo), w.all, g.ID, true, ""); controlplane.ErrorCode(err) != controlplane.CodeConflict {
			t.Errorf("too late: got %v, want conflict", err)
		}
		w.hours(3)
		w.due()
		g = must[access.Grant](t)(w.access.GetGrant(w.Ctx, w.all, g.ID))
		if want := clock.Now().Add(-3 * time.Hour); g.State != access.GrantRefused || !g.EndedAt.Equal(want) {
			t.Errorf("got %s at %v, want refused at %v", g.State, g.EndedAt, want)
		}
	})
}

func TestBreakGlass(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		must[access.Terms](t)(w.access.SetTerms(w.Ctx, w.all, access.Terms{Customer: w.Maple.ID, SecondPerson: true, CustomerApproves: true}))
		// Friday 09:00: the next working day is Monday.
		alone := func(yes bool) (access.Grant, error) {
			return w.access.Grant(w.as(w.bob), w.all, w.asked(func(in *access.NewGrant) {
				in.Kind, in.Until, in.Alone = access.GrantBreakGlass, clock.Now().Add(4*time.Hour), yes
			}))
		}
		if _, err := alone(false); code(err) != controlplane.CodeInvalid || fields(err)[0].Pointer != "/alone" {
			t.Errorf("by oneself, without saying that nobody else is there: got %v %v, want invalid", err, fields(err))
		}
		g := must[access.Grant](t)(alone(true))
		if f := w.open(findings.AccessBreakGlassReview); len(f) != 1 || !g.Alone || !strings.Contains(f[0].Args["because"], "alone") {
			t.Errorf("taken alone: got %v, %+v, want the review to say so", g.Alone, f)
		} else if _, cause, _ := findings.Sentence("en", f[0]); !strings.HasPrefix(cause, "They took it alone, and said that nobody else was awake. Somebody else looks at it by ") {
			t.Errorf("cause: got %q", cause)
		}
		if want := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC); g.State != access.GrantActive || !g.ReviewBy.Equal(want) {
			t.Fatalf("got %s, review by %v, want in force, by the end of Monday", g.State, g.ReviewBy)
		}
		same(t, "in force at once", who(w.read(w.Maple, access.At{})), []string{bobOperates})
		same(t, "open", w.openOf(g.ID), []string{"access.break_glass_review warn"})
		if _, err := w.access.Review(w.as(w.bob), w.all, g.ID, "was fine"); controlplane.ErrorCode(err) != controlplane.CodeForbidden {
			t.Errorf("reviewed by its user: got %v, want forbidden", err)
		}
		if _, err := w.access.Extend(w.Ctx, w.all, g.ID, clock.Now().Add(10*time.Hour), "longer", ""); controlplane.ErrorCode(err) != controlplane.CodeConflict {
			t.Errorf("extended: got %v, want conflict", err)
		}
		w.hours(5)
		w.due()
		same(t, "over by itself", who(w.read(w.Maple, access.At{})), nil)
		same(t, "still to be reviewed", w.openOf(g.ID), []string{"access.break_glass_review warn"})
		w.hours(24 * 4)
		w.due()
		same(t, "overdue", w.openOf(g.ID), []string{"access.break_glass_review bad"})
		g = must[access.Grant](t)(w.access.Review(w.as(w.cleo), w.all, g.ID, "restarted the database, nothing else"))
		if g.ReviewedAt.IsZero() || g.ReviewedBy != w.cleo.Staff {
			t.Errorf("reviewed by %q at %v", g.ReviewedBy, g.ReviewedAt)
		}
		same(t, "closed", w.openOf(g.ID), nil)
	})
}

// openOf are the open findings about a subject, with how bad they are.
func (w *world) openOf(subject string) (out []string) {
	w.T.Helper()
	items, _, err := w.Findings.List(w.Ctx, w.all, findings.Filter{Subject: subject})
	if err != nil {
		w.T.Fatal(err)
	}
	for _, f := range items {
		out = append(out, f.Kind+" "+string(f.Severity))
	}
	return out
}

func TestTicketIsFilledInLater(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		down := true
		w := newWorld(t, d, clock, func(_ *access.Deps, o *access.Options) {
			o.TicketLink = "https://tickets.example/{ticket}"
			o.CheckTicket = func(_ context.Context, ticket string) (access.TicketAnswer, error) {
				switch {
				case down:
					return "", errors.New("no answer")
				case ticket == "T-1":
					return access.TicketGood, nil
				case ticket == "T-2":
					return access.TicketClosed, nil
				}
				return access.TicketUnknown, nil
			}
		})
		grant := func(change func(*access.NewGrant)) (access.Grant, error) {
			return w.access.Grant(w.Ctx, w.all, w.asked(change))
		}
		if _, err := grant(func(*access.NewGrant) {}); controlplane.ErrorCode(err) != controlplane.CodeInvalid {
			t.Errorf("no ticket: got %v, want invalid", err)
		}
		if _, err := grant(func(in *access.NewGrant) { in.Ticket = "T-1" }); controlplane.ErrorCode(err) != controlplane.CodeUnavailable {
			t.Errorf("the system is down: got %v, want unavailable", err)
		}
		later := func(in *access.NewGrant) { in.NoTicketUntil = clock.Now().Add(8 * time.Hour) }
		kept, lost := must[access.Grant](t)(grant(later)), must[access.Grant](t)(grant(func(in *access.NewGrant) { later(in); in.Role = "engineer" }))
		same(t, "open", w.openOf(kept.ID), []string{"access.ticket_missing warn"})
		down = false
		for ticket, want := range map[string]controlplane.Code{"T-2": controlplane.CodeInvalid, "T-3": controlplane.CodeInvalid} {
			if _, err := w.access.FillTicket(w.Ctx, w.all, kept.ID, ticket); controlplane.ErrorCode(err) != want {
				t.Errorf("%s: got %v, want %s", ticket, err, want)
			}
		}
		must[access.Grant](t)(w.access.FillTicket(w.Ctx, w.all, kept.ID, "T-1"))
		same(t, "closed", w.openOf(kept.ID), nil)
		w.hours(9)
		w.due()
		same(t, "the one without a ticket is over", who(w.read(w.Maple, access.At{})), []string{bobOperates})
		same(t, "nothing open", w.openOf(lost.ID), nil)
	})
}

// Renewal is asked for 14 and 3 days before the end, and what is extended is asked for later.
func TestRenewal(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		g, short := w.grant(w.Maple, w.bob, "operator", 24*30), w.grant(w.Maple, w.cleo, "operator", 24*5)
		day := func(n float64) { w.hours(24 * n); w.due() }
		day(2.5)
		same(t, "of a grant of five days nobody is asked", w.openOf(short.ID), nil)
		day(13.4) // 15.9
		same(t, "early", w.openOf(g.ID), nil)
		day(0.2) // 16.1
		same(t, "14 days before", w.openOf(g.ID), []string{"access.grant_expiring warn"})
		g = must[access.Grant](t)(w.access.Extend(w.Ctx, w.all, g.ID, clock.Now().AddDate(0, 0, 60), "still needed", "T-9"))
		if g.Reason != "still needed" || g.Ticket != "T-9" || g.State != access.GrantActive {
			t.Errorf("got %+v, want it extended with its new reason", g)
		}
		same(t, "extended", w.openOf(g.ID), nil)
		day(58)
		same(t, "3 days before", w.openOf(g.ID), []string{"access.grant_expiring warn"})
		day(3)
		same(t, "over", w.openOf(g.ID), nil)
		same(t, "nobody", who(w.read(w.Maple, access.At{})), nil)
	})
}

// Where a grant needs answers, so does making it longer: meanwhile the old end stands.
func TestExtendNeedsWhatAGrantNeeds(t *testing.T) {
	w := newWorld(t, dbtest.SQLite(t, &dbtest.Clock{}), &dbtest.Clock{})
	g := w.grant(w.Maple, w.bob, "operator", 24)
	must[access.Terms](t)(w.access.SetTerms(w.Ctx, w.all, access.Terms{Customer: w.Maple.ID, SecondPerson: true}))
	next := must[access.Grant](t)(w.access.Extend(w.Ctx, w.all, g.ID, w.Clock.Now().AddDate(0, 0, 9), "more to do", ""))
	if next.ID == g.ID || next.State != access.GrantProposed {
		t.Fatalf("got %s %s, want another one, proposed", next.ID, next.State)
	}
	must[access.Grant](t)(w.access.Answer(w.as(w.cleo), w.all, next.ID, true, ""))
	l := w.read(w.Maple, access.At{})
	same(t, "one line", who(l), []string{bobOperates})
	if got, want := l.Lines[0].Listed.Until, w.Clock.Now().AddDate(0, 0, 9); !got.Equal(want) {
		t.Errorf("until %v, want %v", got, want)
	}
}

// A grant that begins later is told of now and lists nobody until then.
func TestFromTheFuture(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		var heard, begun []access.Change
		w.access.OnChanged(func(_ *db.Tx, c []access.Change) error {
			heard = append(heard, only(c, access.WayTeleport)...)
			return nil
		})
		w.access.OnBegun(func(_ *db.Tx, c []access.Change) error { begun = append(begun, c...); return nil })
		from := clock.Now().Add(24 * time.Hour)
		ahead := func(role string) access.Grant {
			return must[access.Grant](t)(w.access.Grant(w.Ctx, w.all, w.asked(func(in *access.NewGrant) { in.From, in.Role = from, role })))
		}
		ahead("operator")
		never := ahead("engineer")
		same(t, "told", told(heard), []string{"added " + bobOperates, "added Bob Builder teleport engineer"})
		same(t, "not yet", who(w.read(w.Maple, access.At{})), nil)
		w.hours(1)
		must[access.Grant](t)(w.access.Revoke(w.Ctx, w.all, never.ID, "not needed"))
		same(t, "told of that too", told(heard)[2:], []string{"removed Bob Builder teleport engineer"})
		w.due()
		same(t, "nothing begins", told(begun), nil)
		w.hours(23)
		w.due()
		w.due()
		same(t, "begins once", told(begun), []string{"added " + bobOperates})
		same(t, "listed", who(w.read(w.Maple, access.At{})), []string{bobOperates})
	})
}

// A grant does not end without a reason, which the customer reads.
func TestRevokeNeedsAReason(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		g := w.grant(w.Maple, w.bob, "operator", 100)
		for _, why := range []string{"", " \t\n "} {
			_, err := w.access.Revoke(w.Ctx, w.all, g.ID, why)
			var e *controlplane.Error
			if !errors.As(err, &e) || e.Code != controlplane.CodeInvalid || len(e.Fields) != 1 || e.Fields[0].Pointer != "/why" {
				t.Errorf("%q: got %v, want a word about /why", why, err)
			}
		}
		same(t, "still listed", who(w.read(w.Maple, access.At{})), []string{bobOperates})
	})
}

// A clock that was set back ends nothing before it began, and loses nobody.
func TestClockSetBack(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		w.hours(10)
		began := clock.Now()
		g := w.grant(w.Maple, w.bob, "operator", 100)
		w.hours(-1)
		must[access.Grant](t)(w.access.Revoke(w.Ctx, w.all, g.ID, "while the clock was wrong"))
		w.due()
		w.hours(2)
		same(t, "now", who(w.read(w.Maple, access.At{})), nil)
		same(t, "then", who(w.read(w.Maple, access.At{At: began})), []string{bobOperates})
		if _, differ, err := w.access.VerifyReplay(w.Ctx); err != nil || len(differ) > 0 {
			t.Errorf("replay: %v differ, %v", differ, err)
		}
	})
}
