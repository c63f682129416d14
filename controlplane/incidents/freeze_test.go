package incidents_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/findings"
	"ostler/controlplane/incidents"
)

const day = 24 * time.Hour

// frozenOf is what of a case is kept.
func (w *world) frozenOf(c incidents.Case) incidents.Frozen {
	w.t.Helper()
	return must[incidents.Frozen](w.t)(w.incidents.FrozenOf(w.ctx, w.all, c.ID))
}

// A case's data is kept for 30 days by itself; who is concerned has it in their
// ledger, once; it is spoken of before it ends, and ends by itself.
func TestFreezeByItself(t *testing.T) {
	each(t, func(w *world) {
		t := w.t
		began := w.clock.Now()
		c := w.open([]customers.Server{w.mapleOne})
		w.run()
		if len(w.holds.frozen) != 1 {
			t.Fatalf("held: got %v", w.holds.frozen)
		}
		h := w.holds.frozen[0]
		if !h.since.Equal(began.Add(-30*day)) || !h.until.Equal(w.get(c.ID).FrozenUntil) || h.until.Sub(began) < 30*day || h.until.Sub(began) > 30*day+time.Minute || !slices.Equal(h.servers, []string{w.mapleOne.ID}) {
			t.Errorf("held: got %+v", h)
		}
		if f := w.frozenOf(c); !slices.Equal(f.Held, w.holds.held) || f.Failed != "" {
			t.Errorf("says: got %+v", f)
		}
		w.run()
		ofMaple := 0
		for _, e := range w.entries("incident.frozen") {
			if e.Customer == w.maple.ID {
				ofMaple++
			}
		}
		if ofMaple != 1 || len(w.holds.frozen) != 1 {
			t.Errorf("again: got %d entries, %d holds", ofMaple, len(w.holds.frozen))
		}
		w.affect(c, w.harbour)
		w.run()
		if got := len(w.holds.frozen); got != 2 {
			t.Errorf("another customer: held %d times, want 2", got)
		}
		w.later(23*day + time.Minute)
		if got := only(w.kinds(), findings.IncidentFrozenEnd); len(got) != 1 {
			t.Errorf("a week before its end: got %v", w.kinds())
		}
		w.later(7 * day)
		if got := only(w.kinds(), findings.IncidentFrozenEnd); len(got) != 0 || !w.get(c.ID).FrozenUntil.IsZero() || w.frozenOf(c).ThawedAt.IsZero() {
			t.Errorf("at its end: got %v, until %v", w.kinds(), w.get(c.ID).FrozenUntil)
		}
		held := len(w.holds.frozen)
		w.later(day)
		if len(w.holds.frozen) != held {
			t.Error("what was let go of was held again")
		}
	})
}

// A case without customers is frozen too, and one that is known to have begun
// earlier is kept from then.
func TestFreezeSince(t *testing.T) {
	each(t, func(w *world) {
		t := w.t
		c := w.open(nil)
		w.run()
		if len(w.holds.frozen) != 1 {
			t.Fatalf("held: got %v", w.holds.frozen)
		}
		earlier := incidents.At(w.clock.Now().Add(-200 * day).Format(time.RFC3339))
		must[incidents.Case](t)(w.incidents.Update(w.ctx, w.all, c.ID, w.get(c.ID).Version, incidents.CaseChange{OccurredFrom: &earlier}))
		w.clock.Advance(time.Second)
		w.run()
		if n := len(w.holds.frozen); n != 2 || w.holds.frozen[1].since.After(w.clock.Now().Add(-199*day)) {
			t.Errorf("held: got %v", w.holds.frozen)
		}
	})
}

func TestFreezeLongerAndThaw(t *testing.T) {
	each(t, func(w *world) {
		t := w.t
		c := w.open([]customers.Server{w.mapleOne})
		w.run()
		until := func(d time.Duration) incidents.At { return incidents.At(w.clock.Now().Add(d).Format(time.RFC3339)) }
		for _, tt := range []struct {
			name, ground string
			until        incidents.At
		}{{"no ground", "", until(60 * day)}, {"no end", "x", ""}, {"over", "x", until(-day)}, {"no later than now", "x", until(10 * day)}, {"for ever", "x", until(3 * 366 * day)}, {"no time", "x", "soon"}} {
			if _, err := w.incidents.Freeze(w.ctx, w.all, c.ID, tt.until, tt.ground); code(err) != controlplane.CodeInvalid {
				t.Errorf("%s: got %v", tt.name, err)
			}
		}
		w.clock.Advance(24 * day)
		w.run()
		same(t, "before its end", only(w.kinds(), findings.IncidentFrozenEnd), []string{findings.IncidentFrozenEnd})
		longer := must[incidents.Case](t)(w.incidents.Freeze(w.ctx, w.all, c.ID, until(90*day), "The police asked "+hostile))
		if longer.FrozenGround == "" || longer.FrozenUntil.Sub(w.clock.Now()) < 89*day {
			t.Errorf("longer: got until %v, %q", longer.FrozenUntil, longer.FrozenGround)
		}
		same(t, "kept longer", only(w.kinds(), findings.IncidentFrozenEnd), nil)
		w.run()
		if h := w.holds.frozen[len(w.holds.frozen)-1]; !h.until.Equal(longer.FrozenUntil) {
			t.Errorf("held: got until %v, want %v", h.until, longer.FrozenUntil)
		}
		if _, err := w.incidents.Thaw(w.ctx, w.all, c.ID, ""); code(err) != controlplane.CodeInvalid {
			t.Errorf("thaw without a reason: got %v", err)
		}
		thawed := must[incidents.Case](t)(w.incidents.Thaw(w.ctx, w.all, c.ID, "They do not need it."))
		w.run()
		if !thawed.FrozenUntil.IsZero() || !slices.Equal(w.holds.thawed, []string{c.ID}) {
			t.Errorf("thawed: got %v, %v", thawed.FrozenUntil, w.holds.thawed)
		}
		if _, err := w.incidents.Thaw(w.ctx, w.all, c.ID, "x"); code(err) != controlplane.CodeConflict {
			t.Errorf("again: got %v", err)
		}
		held := len(w.holds.frozen)
		w.later(time.Hour)
		if len(w.holds.frozen) != held {
			t.Error("what was let go of was held again")
		}
	})
}

// What cannot be held is said, and tried again.
func TestFreezeThatFails(t *testing.T) {
	each(t, func(w *world) {
		t := w.t
		w.holds.err = errors.New("the store is away: secret")
		c := w.open([]customers.Server{w.mapleOne})
		w.run()
		if f := w.frozenOf(c); f.Failed == "" || strings.Contains(f.Failed, "secret") || len(f.Held) > 0 {
			t.Errorf("away: got %+v", f)
		}
		w.holds.err = nil
		w.later(time.Hour)
		if f := w.frozenOf(c); f.Failed != "" || len(f.Held) == 0 {
			t.Errorf("back: got %+v", f)
		}
	})
}

// A drill keeps nothing, and says what it would keep.
func TestFreezeInADrill(t *testing.T) {
	each(t, func(w *world) {
		t := w.t
		c := w.open([]customers.Server{w.shared}, func(in *incidents.NewCase) { in.Drill = true })
		w.later(day)
		f := w.frozenOf(c)
		if len(w.holds.frozen) > 0 || !f.Drill || len(f.Held) != 1 || !strings.Contains(f.Held[0], "2 customers on 1 server") {
			t.Errorf("got %+v, held %v", f, w.holds.frozen)
		}
		if _, err := w.incidents.Freeze(w.ctx, w.all, c.ID, "2099-01-01 10:00", "x"); code(err) != controlplane.CodeConflict {
			t.Errorf("longer: got %v", err)
		}
	})
}
