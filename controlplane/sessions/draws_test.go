package sessions_test

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/findings"
	"ostler/controlplane/ledger"
	"ostler/controlplane/sessions"
)

// The rule as anybody can compute it: printf %s ID | openssl dgst -sha256 -mac HMAC
// -macopt hexkey:SEED, its first 16 digits as a number over 2^64.
func TestDrawRule(t *testing.T) {
	seed, err := hex.DecodeString("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		session string
		percent int
		want    bool
	}{
		{"ssn_00000000000000000000000000", 0, false},
		{"ssn_00000000000000000000000000", 5, false},
		{"ssn_00000000000000000000000000", 18, false},
		{"ssn_00000000000000000000000000", 19, true},
		{"ssn_00000000000000000000000000", 100, true},
		{"ssn_00000000000000000000000001", 0, false},
		{"ssn_00000000000000000000000001", 5, false},
		{"ssn_00000000000000000000000001", 9, false},
		{"ssn_00000000000000000000000001", 10, true},
		{"ssn_00000000000000000000000001", 100, true},
		{"ssn_00000000000000000000000002", 0, false},
		{"ssn_00000000000000000000000002", 1, false},
		{"ssn_00000000000000000000000002", 2, true},
		{"ssn_00000000000000000000000002", 5, true},
		{"ssn_00000000000000000000000002", 100, true},
	} {
		if got := sessions.IsDrawn(seed, tt.session, tt.percent); got != tt.want {
			t.Errorf("%s at %d percent: %v, want %v", tt.session, tt.percent, got, tt.want)
		}
	}
	drawn := 0
	for range 10_000 {
		if sessions.IsDrawn(seed, controlplane.NewID(controlplane.PrefixStaffSession), 5) {
			drawn++
		}
	}
	if drawn < 350 || drawn > 650 { // seven standard deviations
		t.Errorf("5 percent of 10,000 drew %d", drawn)
	}
}

func (w *world) draws() []sessions.Draw {
	w.T.Helper()
	items, _, err := w.sessions.Draws(w.Ctx, w.all, 0, "")
	if err != nil {
		w.T.Fatal(err)
	}
	return items
}

func (w *world) drawOf(day time.Time) sessions.Draw {
	w.T.Helper()
	for _, x := range w.draws() {
		if x.Day == day.Format(time.DateOnly) {
			return x
		}
	}
	w.T.Fatalf("no draw of %s", day.Format(time.DateOnly))
	return sessions.Draw{}
}

// at moves the clock on to an instant.
func (w *world) at(t time.Time) {
	w.T.Helper()
	w.later(t.Sub(w.Clock.Now()))
}

func TestDraws(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock, func(_ *sessions.Deps, o *sessions.Options) { o.Percent = 40 })
		w.percent(w.Harbour, 100)
		today := clock.Now().UTC().Truncate(24 * time.Hour)
		day := func(n int) time.Time { return today.AddDate(0, 0, n) }
		w.at(day(1).Add(9 * time.Hour)) // a plane that begins in the middle of a day
		list := w.draws()
		if len(list) != 3 || list[2].Day != day(1).Format(time.DateOnly) || list[2].Commitment != "" || list[1].Day != day(2).Format(time.DateOnly) || len(list[1].Commitment) != 64 || list[1].Seed != "" || len(list[0].Commitment) != 64 {
			t.Fatalf("draws: %+v", list)
		}
		w.run() // once is enough
		same(t, "committed", w.entries("session.draw"), []string{"session.draw_skipped", "session.draw_committed", "session.draw_committed"})

		// A day of sessions, and one of the day before that nobody draws.
		quiet := func(end time.Time) func(m *sessions.Made) {
			return func(m *sessions.Made) { m.GrantKind, m.Start, m.Length = "normal", end.Add(-time.Minute), time.Minute }
		}
		old := w.took(quiet(day(1).Add(10 * time.Hour)))
		w.at(day(2).Add(20 * time.Hour))
		var ids []string
		for i := range 40 {
			ids = append(ids, w.took(quiet(day(2).Add(time.Duration(i)*10*time.Minute+10*time.Hour))).ID)
		}
		full := w.took(quiet(day(2).Add(10*time.Hour)), func(m *sessions.Made) { m.Customers = []string{w.Maple.ID, w.Harbour.ID} })
		missing := w.took(quiet(day(2).Add(10*time.Hour)), func(m *sessions.Made) { m.State = sessions.Missing })
		w.percent(w.Harbour, 0) // too late: what counts was committed with the seed
		w.percent(w.Maple, 0)
		w.at(day(3)) // over, and within the grace
		if x := w.drawOf(day(2)); x.Seed != "" || !x.RevealedAt.IsZero() {
			t.Fatalf("revealed early: %+v", x)
		}
		w.at(day(3).Add(time.Hour))
		got := w.drawOf(day(2))
		if got.Of != 41 || got.RevealedAt.IsZero() || w.drawOf(day(4)).Commitment == "" {
			t.Fatalf("revealed: %+v", w.draws())
		}

		// Anybody comes to the same result.
		seed, err := hex.DecodeString(got.Seed)
		if sum := sha256.Sum256(seed); err != nil || hex.EncodeToString(sum[:]) != got.Commitment {
			t.Errorf("the seed %s is not that of %s: %v", got.Seed, got.Commitment, err)
		}
		drawn := 1 // full
		for _, id := range ids {
			want := sessions.IsDrawn(seed, id, 40)
			r := w.get(id).Review
			if is := r.State == sessions.Waiting && r.Because == "sample" && r.Draw == got.ID; is != want {
				t.Errorf("%s: %+v, want drawn %v", id, r, want)
			}
			if want {
				drawn++
			}
		}
		if got.Drawn != drawn || w.get(full.ID).Review.Because != "sample" {
			t.Errorf("drawn %d, want %d; where one customer has all: %+v", got.Drawn, drawn, w.get(full.ID).Review)
		}
		for what, id := range map[string]string{"of a day without a seed": old.ID, "without a recording": missing.ID} {
			if r := w.get(id).Review; r.Because == "sample" || r.Draw != "" {
				t.Errorf("%s: %+v", what, r)
			}
		}
		w.revealed(got)

		// A customer reads their own share, and counts of their own sessions.
		owner, own := w.Owner(w.Harbour)
		theirs, _, err := w.sessions.Draws(owner, own, 0, "")
		if err != nil || len(theirs) != len(w.draws()) {
			t.Fatalf("as a customer reads it: %d, %v", len(theirs), err)
		}
		for _, x := range theirs {
			if x.Day != got.Day {
				continue
			}
			if x.Percent != 100 || x.Of != 1 || x.Drawn != 1 || x.Seed != got.Seed {
				t.Errorf("a customer reads %+v", x)
			}
		}

		// What comes late is held against the same seed.
		late := w.took(quiet(day(2).Add(11*time.Hour)), func(m *sessions.Made) { m.Customers = []string{w.Harbour.ID} })
		if late.Review.Because != "sample" || late.Review.Draw != got.ID {
			t.Errorf("late: %+v", late.Review)
		}
		if again := w.drawOf(day(2)); again.Of != 42 || again.Drawn != drawn+1 {
			t.Errorf("with the late one: %+v", again)
		}
	})
}

// revealed holds a draw against what the ledger says of it.
func (w *world) revealed(x sessions.Draw) {
	w.T.Helper()
	items, _, err := w.Ledger.List(w.Ctx, w.all, ledger.Filter{Subject: x.ID, Company: true})
	if err != nil || len(items) != 2 {
		w.T.Fatalf("entries of a draw: %d, %v", len(items), err)
	}
	revealed, committed := items[0], items[1]
	if committed.Data["percents_sha256"] != x.Table || committed.Data["percent"] != int64(x.Percent) || revealed.Data["percents_sha256"] != x.Table {
		w.T.Errorf("shares: committed %v, revealed %v, listed %q", committed.Data, revealed.Data, x.Table)
	}
	if committed.Data["commitment"] != x.Commitment || committed.Data["day"] != x.Day || !committed.At.Before(must[time.Time](w.T)(time.Parse(time.DateOnly, x.Day)).Add(-time.Hour+time.Millisecond)) {
		w.T.Errorf("committed: %v at %v", committed.Data, committed.At)
	}
	if revealed.Data["seed"] != x.Seed || revealed.Data["of"] != int64(x.Of) || revealed.Data["drawn"] != int64(x.Drawn) {
		w.T.Errorf("revealed: %v", revealed.Data)
	}
}

// percent agrees with a customer on how many sessions are drawn.
func (w *world) percent(c customers.Customer, n int) {
	w.T.Helper()
	terms := must[sessions.Terms](w.T)(w.sessions.TermsOf(w.Ctx, w.all, c.ID))
	terms.Percent = n
	must[sessions.Terms](w.T)(w.sessions.SetTerms(w.Ctx, w.all, terms))
}

// What was committed with the seed cannot be changed in the database: nothing is
// drawn by it, and a finding says so.
func TestDrawsHoldTheCommitment(t *testing.T) {
	for column, value := range map[string]any{"percents": "{}", "percent": 0, "commitment": strings.Repeat("0", 64)} {
		t.Run(column, func(t *testing.T) {
			dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
				w := newWorld(t, d, clock)
				w.percent(w.Maple, 100)
				today := clock.Now().UTC().Truncate(24 * time.Hour)
				w.at(today.AddDate(0, 0, 1))
				w.at(today.AddDate(0, 0, 2).Add(10 * time.Hour))
				day := today.AddDate(0, 0, 2)
				s := w.took(func(m *sessions.Made) { m.GrantKind = "normal" })
				if err := w.sessions.SpoilDraw(w.Ctx, day.Format(time.DateOnly), map[string]any{column: value}); err != nil {
					t.Fatal(err)
				}
				w.at(today.AddDate(0, 0, 3).Add(time.Hour))
				if x := w.drawOf(day); !x.RevealedAt.IsZero() {
					t.Errorf("revealed: %+v", x)
				}
				if r := w.get(s.ID).Review; r.Because == "sample" {
					t.Errorf("drawn: %+v", r)
				}
				same(t, "findings", w.open(""), []string{findings.SessionDrawMissed})
			})
		})
	}
}

// A plane that was down commits to the next whole day, and says which days it missed.
func TestDrawsAfterDowntime(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		today := clock.Now().UTC().Truncate(24 * time.Hour)
		day := func(n int) string { return today.AddDate(0, 0, n).Format(time.DateOnly) }
		w.at(today.AddDate(0, 0, 1).Add(12 * time.Hour))
		w.at(today.AddDate(0, 0, 5).Add(23*time.Hour + 30*time.Minute)) // too late for the sixth
		var got []string
		for _, x := range w.draws() {
			got = append(got, x.Day+map[bool]string{true: " committed", false: ""}[x.Commitment != ""])
		}
		same(t, "draws", got, []string{day(8) + " committed", day(7) + " committed", day(6), day(3) + " committed", day(2) + " committed", day(1)})
		if list := w.draws(); list[2].From != day(4) || list[0].From != "" || list[5].From != day(1) {
			t.Errorf("days without a seed: %+v", list)
		}
		found, _, err := w.Findings.List(w.Ctx, w.all, findings.Filter{})
		if err != nil || len(found) != 1 || found[0].Kind != findings.SessionDrawMissed || found[0].Args["from"] != day(4) || found[0].Args["until"] != day(6) {
			t.Errorf("findings: %+v, %v", found, err)
		}
		items, _, err := w.Ledger.List(w.Ctx, w.all, ledger.Filter{Kinds: []string{"session.draw_skipped"}, Company: true})
		if err != nil || len(items) != 2 || items[0].Data["from"] != day(4) || items[0].Data["until"] != day(6) {
			t.Errorf("said: %v, %v", items, err)
		}
		if !strings.HasPrefix(w.draws()[0].ID, "drw_") {
			t.Error("a draw has an id of its own")
		}
		_, _, err = w.sessions.Draws(w.Ctx, w.all, 0, "yesterday")
		wantCode(t, "a page of nothing", err, controlplane.CodeInvalid)
		page, next, err := w.sessions.Draws(w.Ctx, w.all, 3, "")
		if err != nil || len(page) != 3 || next != day(6) {
			t.Errorf("a page: %d, next %q, %v", len(page), next, err)
		}
		for n := 6; n <= 8; n++ { // the sample of the seventh is drawn
			w.at(today.AddDate(0, 0, n).Add(12 * time.Hour))
		}
		if got := w.open(""); len(got) != 0 {
			t.Errorf("once samples are drawn again: %v", got)
		}
	})
}
