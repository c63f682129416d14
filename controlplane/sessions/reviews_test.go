package sessions_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/findings"
	"ostler/controlplane/policy"
	"ostler/controlplane/sessions"
)

// took is a session of Bob's on Maple's server, of an hour, with nothing about it
// but that it was under emergency access: it waits for a review.
func (w *world) took(change ...func(*sessions.Made)) sessions.Session {
	w.T.Helper()
	m := sessions.Made{Server: w.MapleOne.ID, Host: "maple-1", Customers: []string{w.Maple.ID}, Users: []string{"bob"}, Login: "ops", Address: "203.0.113.7:4711",
		Start: w.Clock.Now().Add(-2 * time.Hour), Length: time.Hour, GrantKind: "break_glass"}
	for _, f := range change {
		f(&m)
	}
	return w.get(must[string](w.T)(w.sessions.Make(w.Ctx, m)))
}

func (w *world) get(id string) sessions.Session {
	w.T.Helper()
	return must[sessions.Session](w.T)(w.sessions.Get(w.Ctx, w.all, id))
}

// queued are the sessions that wait for somebody, and how many of them are their own.
func (w *world) queued(ctx context.Context, f sessions.QueueFilter) (ids []string, own int) {
	w.T.Helper()
	items, own, next, err := w.sessions.Queue(ctx, w.all, f)
	if err != nil {
		w.T.Fatal(err)
	}
	for _, s := range items {
		ids = append(ids, s.ID)
	}
	if next != "" {
		f.PageToken = next
		more, _ := w.queued(ctx, f)
		ids = append(ids, more...)
	}
	return ids, own
}

// read has somebody read the transcripts of sessions.
func (w *world) read(ctx context.Context, ids ...string) {
	w.T.Helper()
	for _, id := range ids {
		must[sessions.Viewing](w.T)(w.sessions.OpenViewing(ctx, w.all, id, "transcript", ""))
	}
}

func wantCode(t testing.TB, what string, err error, want controlplane.Code, says ...string) {
	t.Helper()
	if got := controlplane.ErrorCode(err); err == nil || got != want {
		t.Errorf("%s: %v (code %q), want code %q", what, err, got, want)
		return
	}
	for _, s := range says {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("%s: %q does not say %q", what, err, s)
		}
	}
}

func TestQueue(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		ada, bob := w.Ctx, w.as(w.bob, policy.RoleOps)
		calm := w.took(func(m *sessions.Made) { m.GrantKind, m.Start = "normal", noon })
		glass := w.took(func(m *sessions.Made) { m.Start = noon })
		worse := w.took(func(m *sessions.Made) { m.Start, m.Commands = noon.Add(time.Hour), []string{"ls", "history -c"} })
		missing := w.took(func(m *sessions.Made) { m.Start, m.State, m.Lacks = noon, sessions.Missing, "grant" })
		shared := w.took(func(m *sessions.Made) {
			m.Start, m.Users, m.Customers = noon.Add(time.Minute), []string{"dora", "bob"}, []string{w.Maple.ID, w.Harbour.ID}
		})

		if got := calm.Review.State; got != sessions.NotWanted || calm.Risk.Score != 0 {
			t.Errorf("calm: %s, risk %+v", got, calm.Risk)
		}
		if r := glass.Review; r.State != sessions.Waiting || r.Because != "risk" || !r.DueAt.Equal(clock.Now().Add(7*24*time.Hour)) {
			t.Errorf("under emergency access: %+v", r)
		}
		same(t, "risk", worse.Risk.Why, []string{"risk.blinded", "risk.break_glass"})
		got, own := w.queued(ada, sessions.QueueFilter{Limit: 1})
		same(t, "queue", got, []string{worse.ID, shared.ID, glass.ID}) // joined is riskier
		if own != 0 || missing.Risk.Score < 50 {
			t.Errorf("own %d; missing has risk %d", own, missing.Risk.Score)
		}
		got, _ = w.queued(ada, sessions.QueueFilter{Customer: w.Harbour.ID, Because: "risk"})
		same(t, "queue of a customer", got, []string{shared.ID})
		if got, own := w.queued(bob, sessions.QueueFilter{}); len(got) != 0 || own != 3 {
			t.Errorf("Bob may review %v, and %d are his own; want none, 3", got, own)
		}
		w.lists.uses(w.adaPerson, "dora") // no verdict was given: it shows at once
		got, _ = w.queued(ada, sessions.QueueFilter{})
		same(t, "queue of who uses another name too", got, []string{worse.ID, glass.ID})

		ctx, scope := w.Owner(w.Maple)
		_, _, _, err := w.sessions.Queue(ctx, scope, sessions.QueueFilter{})
		wantCode(t, "a contact's queue", err, controlplane.CodeNotFound)
		for _, f := range []sessions.QueueFilter{{Because: "whim"}, {PageToken: "x"}, {PageToken: "50.1"}} {
			_, _, _, err := w.sessions.Queue(ada, w.all, f)
			wantCode(t, "filter", err, controlplane.CodeInvalid)
		}
	})
}

// Two reviewers at once: one has it, the other is told who and until when; when
// nobody gives a sign any more, it is anybody's again.
func TestTwoReviewersAtOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		ada, bob, cleo := w.Ctx, w.as(w.bob, policy.RoleOps), w.as(w.cleo, policy.RoleOps)
		s := w.took()
		claimed := must[sessions.Session](t)(w.sessions.Claim(ada, w.all, s.ID))
		if r := claimed.Review; r.State != sessions.Claimed || r.Reviewer != "Ada Admin" || !r.ClaimedUntil.Equal(clock.Now().Add(10*time.Minute)) {
			t.Errorf("claimed: %+v", r)
		}
		_, err := w.sessions.Claim(cleo, w.all, s.ID)
		wantCode(t, "a second one", err, controlplane.CodeConflict, "Ada Admin", claimed.Review.ClaimedUntil.Format("15:04"))
		_, err = w.sessions.Judge(cleo, w.all, s.ID, sessions.Fine, "", claimed.Version)
		wantCode(t, "a verdict over their shoulder", err, controlplane.CodeConflict, "Ada Admin")
		_, err = w.sessions.Unclaim(cleo, w.all, s.ID)
		wantCode(t, "give back what is not one's own", err, controlplane.CodeConflict)
		_, err = w.sessions.Claim(bob, w.all, s.ID)
		wantCode(t, "whoever was there", err, controlplane.CodeForbidden, "bob")
		if mine, _ := w.queued(ada, sessions.QueueFilter{Mine: true}); len(mine) != 1 {
			t.Errorf("Ada's: %v", mine)
		}

		v := must[sessions.Viewing](t)(w.sessions.OpenViewing(ada, w.all, s.ID, "player", "review"))
		clock.Advance(9 * time.Minute)
		must[sessions.Viewing](t)(w.sessions.Watched(ada, w.all, v.ID, nil)) // a sign
		clock.Advance(9 * time.Minute)
		_, err = w.sessions.Claim(cleo, w.all, s.ID)
		wantCode(t, "while there are signs", err, controlplane.CodeConflict)
		clock.Advance(time.Minute)
		if got := w.get(s.ID).Review; got.State != sessions.Waiting || got.By != "" {
			t.Errorf("after ten minutes without a sign: %+v", got)
		}
		w.run()
		if got := w.list(sessions.Filter{Reviews: []sessions.ReviewState{sessions.Waiting}}); len(got) != 1 {
			t.Errorf("waiting: %d, want 1", len(got))
		}
		taken := must[sessions.Session](t)(w.sessions.Claim(cleo, w.all, s.ID))
		w.read(cleo, s.ID)
		done := must[sessions.Session](t)(w.sessions.Judge(cleo, w.all, s.ID, sessions.Fine, "", taken.Version))
		if r := done.Review; r.State != sessions.Reviewed || r.Verdict != sessions.Fine || r.Reviewer != "Cleo Clark" || !r.ClaimedUntil.IsZero() {
			t.Errorf("judged: %+v", r)
		}
		_, err = w.sessions.Judge(ada, w.all, s.ID, sessions.Violation, "He took it", taken.Version)
		wantCode(t, "the second verdict", err, controlplane.CodeConflict, "Cleo Clark", "fine")
		_, err = w.sessions.Claim(ada, w.all, s.ID)
		wantCode(t, "claim what is judged", err, controlplane.CodeConflict)
		same(t, "ledger", w.entries("session.review"), []string{"session.review_wanted", "session.review_claimed", "session.review_claimed", "session.reviewed"})
	})
}

func TestVerdicts(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		var told []string
		w := newWorld(t, d, clock, func(_ *sessions.Deps, o *sessions.Options) {
			o.OnViolation = func(_ *db.Tx, session, text string) error { told = append(told, session+" "+text); return nil }
		})
		ada, bob, cleo := w.Ctx, w.as(w.bob, policy.RoleOps), w.as(w.cleo, policy.RoleOps)
		s := w.took(func(m *sessions.Made) {
			m.Customers, m.Server, m.Host = []string{w.Maple.ID, w.Harbour.ID}, w.Shared.ID, "shared-1"
		})
		for name, x := range map[string]struct {
			v    sessions.Verdict
			text string
		}{"unknown": {"splendid", ""}, "a question without one": {sessions.Question, " "}, "a violation without one": {sessions.Violation, ""}, "too long": {sessions.Fine, strings.Repeat("x", 4001)}} {
			_, err := w.sessions.Judge(cleo, w.all, s.ID, x.v, x.text, s.Version)
			wantCode(t, name, err, controlplane.CodeInvalid)
		}
		_, err := w.sessions.Judge(cleo, w.all, s.ID, sessions.Fine, "", s.Version+1)
		wantCode(t, "another version", err, controlplane.CodeConflict)
		_, err = w.sessions.AnswerQuestion(bob, w.all, s.ID, "Nobody asked")
		wantCode(t, "an answer to nothing", err, controlplane.CodeConflict)

		asked := must[sessions.Session](t)(w.sessions.Judge(cleo, w.all, s.ID, sessions.Question, "Why the second window?", s.Version))
		if r := asked.Review; r.State != sessions.Asked || r.Text != "Why the second window?" {
			t.Errorf("asked: %+v", r)
		}
		_, err = w.sessions.Judge(cleo, w.all, s.ID, sessions.Fine, "", asked.Version)
		wantCode(t, "fine without an answer", err, controlplane.CodeConflict)
		claimed := must[sessions.Session](t)(w.sessions.Claim(ada, w.all, s.ID))
		if r := claimed.Review; r.State != sessions.Asked || r.Reviewer != "Cleo Clark" || r.Claimer != "Ada Admin" || r.ClaimedUntil.IsZero() {
			t.Errorf("a question of Cleo's, claimed by Ada: %+v", r)
		}
		must[sessions.Session](t)(w.sessions.Unclaim(ada, w.all, s.ID))
		answered := must[sessions.Session](t)(w.sessions.AnswerQuestion(bob, w.all, s.ID, "To see the log"))
		if answered.Review.Answer != "To see the log" || answered.Review.State != sessions.Asked {
			t.Errorf("answered: %+v", answered.Review)
		}
		done := must[sessions.Session](t)(w.sessions.Judge(ada, w.all, s.ID, sessions.Violation, "It was no log.\nIt was mail.", answered.Version))
		if r := done.Review; r.State != sessions.Reviewed || r.Verdict != sessions.Violation || r.Reviewer != "Ada Admin" || r.Answer == "" || r.Question != "Why the second window?" || r.QuestionBy != "Cleo Clark" || r.QuestionAt.IsZero() {
			t.Errorf("done: %+v", r)
		}
		same(t, "findings", w.open(""), []string{findings.SessionViolation, findings.SessionViolation}) // one for each customer
		same(t, "told", told, []string{s.ID + " It was no log.\nIt was mail."})
		for _, c := range []customers.Customer{w.Maple, w.Harbour} {
			ctx, scope := w.Owner(c)
			x := must[sessions.Session](t)(w.sessions.Get(ctx, scope, s.ID))
			if x.Review.Verdict != sessions.Violation || x.Review.Text != "" || x.Review.Question != "" || x.Review.Answer != "" || x.Risk.Score != 0 || len(x.Customers) != 1 {
				t.Errorf("%s reads %+v %+v", c.Name, x.Review, x.Risk)
			}
		}
		got := must[sessions.ReviewCounts](t)(w.sessions.Counts(ada, w.all))
		if want := (sessions.ReviewCounts{Reviewed: 1, Violations: 1}); got != want {
			t.Errorf("counts: %+v, want %+v", got, want)
		}
	})
}

// What has no recording cannot be reviewed, whatever it is called.
func TestNoReviewWithoutRecording(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		for state, says := range map[sessions.State]string{sessions.Missing: "no recording", sessions.Unrecorded: "recorded nothing", sessions.Ended: "not come", sessions.Live: "still runs"} {
			s := w.took(func(m *sessions.Made) { m.State = state })
			for _, v := range []sessions.Verdict{sessions.Fine, sessions.Question, sessions.Violation} {
				_, err := w.sessions.Judge(w.Ctx, w.all, s.ID, v, "As it seems", s.Version)
				wantCode(t, string(state), err, controlplane.CodeConflict, says)
			}
			_, err := w.sessions.OpenViewing(w.Ctx, w.all, s.ID, "player", "review")
			wantCode(t, string(state)+" to watch", err, controlplane.CodeConflict, says)
			_, err = w.sessions.AskReview(w.Ctx, w.all, s.ID, "Please")
			if state == sessions.Missing || state == sessions.Unrecorded {
				wantCode(t, string(state)+" to ask for", err, controlplane.CodeConflict)
			}
			if got := w.get(s.ID).Review.State; got == sessions.Reviewed {
				t.Errorf("%s is reviewed", state)
			}
		}
	})
}

// A reviewer whose other name took part: their verdict counts no more.
func TestReviewerTurnsOutToBeParticipant(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		cleo := w.as(w.cleo, policy.RoleOps)
		s := w.took(func(m *sessions.Made) { m.Users = []string{"bob", "night-shift"} })
		other := w.took()
		w.read(cleo, s.ID, other.ID)
		s = must[sessions.Session](t)(w.sessions.Judge(cleo, w.all, s.ID, sessions.Fine, "All as agreed", s.Version))
		other = must[sessions.Session](t)(w.sessions.Judge(cleo, w.all, other.ID, sessions.Fine, "", other.Version))
		w.later(time.Hour)
		if got := w.get(s.ID).Review; got.State != sessions.Reviewed || got.Void != "" {
			t.Fatalf("while the name is nobody's: %+v", got)
		}
		w.lists.uses(w.cleoPerson, "night-shift")
		w.later(30 * time.Minute) // not looked at yet
		w.later(31 * time.Minute)
		r := w.get(s.ID).Review
		if r.State != sessions.Waiting || r.Verdict != "" || r.By != "" || !strings.Contains(r.Void, "Cleo Clark") || !strings.Contains(r.Void, "night-shift") {
			t.Errorf("void: %+v", r)
		}
		if got := w.get(other.ID).Review; got.State != sessions.Reviewed {
			t.Errorf("the other: %+v", got)
		}
		same(t, "findings", w.open(w.Maple.ID), []string{findings.SessionReviewVoid})
		_, err := w.sessions.Claim(cleo, w.all, s.ID)
		wantCode(t, "once more", err, controlplane.CodeForbidden, "night-shift")
		if n := must[int](t)(w.sessions.Recheck(w.Ctx, w.all)); n != 0 {
			t.Errorf("void again: %d", n)
		}
		now := w.get(s.ID)
		w.read(w.Ctx, s.ID)
		done := must[sessions.Session](t)(w.sessions.Judge(w.Ctx, w.all, s.ID, sessions.Fine, "", now.Version))
		if done.Review.Void != "" || done.Review.State != sessions.Reviewed || len(w.open("")) != 0 {
			t.Errorf("judged anew: %+v, open %v", done.Review, w.open(""))
		}
		// Whom nobody can place reviews nothing.
		ghost := controlplane.WithActor(t.Context(), controlplane.Actor{Kind: controlplane.ActorStaff, ID: "stf_00000000000000000000000009", Role: "ops"})
		_, err = w.sessions.Claim(ghost, w.all, w.took().ID)
		wantCode(t, "not on the list of people", err, controlplane.CodeForbidden, "list of people")
	})
}

func TestAskReview(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		s := w.took(func(m *sessions.Made) { m.GrantKind, m.Start = "normal", noon })
		owner, own := w.Owner(w.Maple)
		stranger, foreign := w.Owner(w.Harbour)
		reader := controlplane.WithActor(t.Context(), controlplane.Actor{Kind: controlplane.ActorContact, ID: "con_00000000000000000000000002", Customer: w.Maple.ID, Role: "reader"})
		_, err := w.sessions.AskReview(owner, own, s.ID, " ")
		wantCode(t, "without a reason", err, controlplane.CodeInvalid)
		_, err = w.sessions.AskReview(stranger, foreign, s.ID, "Curious")
		wantCode(t, "another customer", err, controlplane.CodeNotFound)
		_, err = w.sessions.AskReview(reader, own, s.ID, "Curious")
		wantCode(t, "a reader", err, controlplane.CodeForbidden)
		asked := must[sessions.Session](t)(w.sessions.AskReview(owner, own, s.ID, "The shop was slow then"))
		if asked.Review.State != sessions.Waiting || asked.Review.Because != "asked" || asked.Review.Why != "" {
			t.Errorf("as the customer reads it: %+v", asked.Review)
		}
		if got := w.get(s.ID).Review; got.Why != "The shop was slow then" {
			t.Errorf("as we read it: %+v", got)
		}
		got, _ := w.queued(w.Ctx, sessions.QueueFilter{Because: "asked"})
		same(t, "queue", got, []string{s.ID})
		_, err = w.sessions.Judge(owner, own, s.ID, sessions.Fine, "", asked.Version)
		wantCode(t, "a customer's verdict", err, controlplane.CodeForbidden)
		w.read(w.Ctx, s.ID)
		judged := must[sessions.Session](t)(w.sessions.Judge(w.Ctx, w.all, s.ID, sessions.Fine, "", asked.Version))
		_, err = w.sessions.AskReview(owner, own, judged.ID, "Again")
		wantCode(t, "what is judged", err, controlplane.CodeConflict)
	})
}

// All that is past its time is one finding, which goes when nothing is.
func TestOverdue(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		first, second := w.took(), w.took(func(m *sessions.Made) { m.Commands = []string{"history -c"} })
		w.took(func(m *sessions.Made) { m.State, m.Lacks = sessions.Missing, "grant" }) // no recording: never past its time
		w.later(7*24*time.Hour - time.Minute)
		same(t, "in time", w.open(""), []string(nil))
		w.later(24 * time.Hour)
		found := w.found("")
		if len(found) != 1 || found[0].Kind != findings.SessionReviewOverdue || found[0].Args["count"] != "2 sessions" || found[0].Args["for"] != "23 hours" {
			t.Fatalf("findings: %+v", found)
		}
		seen := found[0].Count
		w.later(time.Minute)
		if found := w.found(""); found[0].Count > seen+1 {
			t.Errorf("said %d times in a minute", found[0].Count-seen)
		}
		if got := must[sessions.ReviewCounts](t)(w.sessions.Counts(w.Ctx, w.all)); got.Waiting != 2 || got.Overdue != 2 {
			t.Errorf("counts: %+v", got)
		}
		for _, s := range []sessions.Session{first, second} {
			now := w.get(s.ID)
			w.read(w.Ctx, s.ID)
			must[sessions.Session](t)(w.sessions.Judge(w.Ctx, w.all, s.ID, sessions.Fine, "", now.Version))
		}
		w.later(time.Minute)
		same(t, "judged", w.open(""), []string(nil))
	})
}

// An address is new to who came from elsewhere before, and to nobody else; that
// does not change when the session is looked at again.
func TestNewAddress(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		has := func(what string, s sessions.Session, want bool) {
			t.Helper()
			if got := strings.Contains(strings.Join(s.Risk.Why, " "), "risk.new_address"); got != want {
				t.Errorf("%s: risk %v, new address %v, want %v", what, s.Risk.Why, got, want)
			}
		}
		from := func(address string, after time.Duration) func(m *sessions.Made) {
			return func(m *sessions.Made) { m.Address, m.Start = address, noon.Add(after) }
		}
		has("the first one ever", w.took(from("203.0.113.7:1", 0)), false)
		has("again", w.took(from("203.0.113.7:2", time.Hour)), false)
		has("from elsewhere", w.took(from("198.51.100.9:1", 2*time.Hour)), true)
		has("from there again", w.took(from("198.51.100.9:2", 3*time.Hour)), false)
		has("somebody else's first", w.took(from("198.51.100.9:3", 4*time.Hour), func(m *sessions.Made) { m.Users = []string{"cleo"} }), false)
	})
}
