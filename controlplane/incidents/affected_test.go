package incidents_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/incidents"
	"ostler/controlplane/incidents/law"
)

// Tenants of a server are affected together until shown otherwise; each has a
// clock of their own, from when they were known to be.
func TestTenantsAreAffectedTogether(t *testing.T) {
	each(t, func(w *world) {
		var seen []string
		w.incidents.OnAffected(func(_ *db.Tx, _ incidents.Case, a incidents.Affected) error {
			seen = append(seen, a.Name+" "+string(a.State))
			return nil
		})
		opened := w.clock.Now()
		c := w.open(on(w.shared))
		maple, harbour := of(t, c, w.maple), of(t, c, w.harbour)
		if len(c.Affected) != 2 || maple.State != incidents.Possible || harbour.State != incidents.Possible || !slices.Equal(maple.Servers, []string{w.shared.ID}) {
			t.Fatalf("got %+v", c.Affected)
		}
		if !maple.SuspectedAt.Equal(opened) || !maple.KnownAt.IsZero() {
			t.Errorf("suspected %v, known %v", maple.SuspectedAt, maple.KnownAt)
		}
		w.wantClock(c, "gdpr-33-2 maple", "shadow running until 2026-11-21T09:00:00Z")
		if !c.NextDue.IsZero() {
			t.Errorf("a shadow is no deadline: %v", c.NextDue)
		}

		// Thirty hours later one of them is known to be affected, and a third server
		// is found to be touched.
		w.clock.Advance(30 * time.Hour)
		c = w.affect(c, w.maple)
		if got := of(t, c, w.maple); got.State != incidents.Certain || !got.SuspectedAt.Equal(opened) || !got.KnownAt.Equal(w.clock.Now()) || got.Because == "" {
			t.Errorf("maple: %+v", got)
		}
		w.wantClock(c, "gdpr-33-2 maple", "running until 2026-11-22T15:00:00Z")
		w.wantClock(c, "gdpr-33-2 harbour", "shadow late until 2026-11-21T09:00:00Z")
		if want := instant(t, "2026-11-22T15:00:00Z"); !c.NextDue.Equal(want) || c.Late {
			t.Errorf("next: got %v, late %v", c.NextDue, c.Late)
		}
		c = must[incidents.Case](t)(w.incidents.Affect(w.ctx, w.all, c.ID, incidents.Affect{Servers: []string{"harbour-1"}, State: incidents.Certain, Since: "2026-11-21 12:00", Because: "Their database was read."}))
		if got := of(t, c, w.harbour); got.State != incidents.Certain || !slices.Equal(got.Servers, []string{w.shared.ID, w.harbourOne.ID}) || !slices.Equal(c.Servers, []string{w.shared.ID, w.harbourOne.ID}) {
			t.Errorf("harbour: %+v on %v", got, c.Servers)
		}
		w.wantClock(c, "gdpr-33-2 harbour", "running until 2026-11-22T12:00:00Z")
		w.tell(c, w.harbour)
		w.wantClock(c, "gdpr-33-2 harbour", "met until 2026-11-22T12:00:00Z")
		w.wantClock(c, "gdpr-33-2 maple", "running until 2026-11-22T15:00:00Z")
		got := of(t, w.get(c.ID), w.harbour)
		if !got.ToldAt.Equal(w.clock.Now()) || !got.TheirDue.Equal(w.clock.Now().Add(72*time.Hour)) || got.Role != incidents.RoleUnknown || len(got.Notices) != 1 {
			t.Errorf("told: %+v", got)
		}
		same(t, "hook", seen, []string{"Harbour Mail possible", "Maple Bakery possible", "Maple Bakery affected", "Harbour Mail affected"})
	})
}

// Who comes to live on a server of an open case is in it; who comes after is not.
func TestLaterTenants(t *testing.T) {
	each(t, func(w *world) {
		c := w.open(on(w.mapleOne))
		must[incidents.Company](t)(w.incidents.SetCompany(w.ctx, w.all, berlin))
		over := w.open(on(w.mapleOne))
		w.clear(over.ID, w.maple.ID, "Not theirs.")
		must[incidents.Case](t)(w.incidents.Close(w.ctx, w.all, over.ID, incidents.Closing{State: incidents.Closed, Why: "Nothing of it was theirs."}))
		w.clock.Advance(30 * time.Hour)
		w.lives(w.mapleOne, w.harbour)
		got := of(t, w.get(c.ID), w.harbour)
		if got.State != incidents.Possible || !got.SuspectedAt.Equal(w.clock.Now()) || !slices.Equal(got.Servers, []string{w.mapleOne.ID}) || !got.AddedAt.Equal(w.clock.Now()) {
			t.Errorf("got %+v", got)
		}
		w.wantClock(c, "gdpr-33-2 harbour", "shadow running until 2026-11-22T15:00:00Z")
		if n := len(w.get(over.ID).Affected); n != 1 {
			t.Errorf("the closed one: %d", n)
		}
	})
}

func TestClear(t *testing.T) {
	each(t, func(w *world) {
		c := w.affect(w.open(on(w.shared)), w.maple, w.harbour)
		w.tell(c, w.maple)
		for _, x := range []string{w.maple.ID, w.harbour.ID} {
			c = w.clear(c.ID, x, "Their folder was not read.")
		}
		if got := of(t, c, w.harbour); got.State != incidents.Cleared || got.ClearedWhy != "Their folder was not read." || !got.ClearedAt.Equal(w.clock.Now()) {
			t.Errorf("got %+v", got)
		}
		w.wantClock(c, "gdpr-33-2 maple", "met until 2026-11-21T09:00:00Z")
		w.wantClock(c, "gdpr-33-2 harbour", "not_due until 2026-11-21T09:00:00Z")
		if !c.NextDue.IsZero() {
			t.Errorf("next: %v", c.NextDue)
		}
		var own []string
		for _, e := range w.entries("incident.cleared") {
			own = append(own, e.Customer)
		}
		same(t, "whose ledger", own, []string{"", w.maple.ID, ""})
		if _, err := w.incidents.Clear(w.ctx, w.all, c.ID, w.maple.ID, "again"); code(err) != controlplane.CodeConflict {
			t.Errorf("again: %v", err)
		}
		if _, err := w.incidents.Clear(w.ctx, w.all, w.open(nil).ID, w.maple.ID, "who?"); code(err) != controlplane.CodeNotFound {
			t.Errorf("somebody who is not in it: %v", err)
		}
		// It was wrong: their first clock runs on.
		w.clock.Advance(20 * time.Hour)
		c = w.affect(c, w.harbour)
		w.wantClock(c, "gdpr-33-2 harbour", "running until 2026-11-21T09:00:00Z")
	})
}

func TestAffectRefuses(t *testing.T) {
	each(t, func(w *world) {
		c := w.open(on(w.shared))
		for name, x := range map[string]struct {
			in      incidents.Affect
			pointer string
		}{
			"nobody":            {incidents.Affect{State: incidents.Possible}, "/customers"},
			"no state":          {incidents.Affect{Customers: []string{w.maple.ID}}, "/state"},
			"cleared":           {incidents.Affect{Customers: []string{w.maple.ID}, State: incidents.Cleared}, "/state"},
			"certain, no why":   {incidents.Affect{Customers: []string{w.maple.ID}, State: incidents.Certain}, "/because"},
			"the future":        {incidents.Affect{Customers: []string{w.maple.ID}, State: incidents.Possible, Since: "2027-01-01 10:00"}, "/since"},
			"an unknown one":    {incidents.Affect{Customers: []string{"cus_x"}, State: incidents.Possible}, "/customers"},
			"a long because":    {incidents.Affect{Customers: []string{w.maple.ID}, State: incidents.Certain, Because: strings.Repeat("x", 4001)}, "/because"},
			"an unknown server": {incidents.Affect{Servers: []string{"x"}, State: incidents.Possible}, "/servers"},
		} {
			_, err := w.incidents.Affect(w.ctx, w.all, c.ID, x.in)
			var e *controlplane.Error
			if !asError(err, &e) || e.Code != controlplane.CodeInvalid || e.Fields[0].Pointer != x.pointer {
				t.Errorf("%s: got %v", name, err)
			}
		}
	})
}

// A case that is certain, with customers named, begins their clocks at once.
func TestNamedCustomersAreAsCertainAsTheCase(t *testing.T) {
	each(t, func(w *world) {
		c := w.open(on(w.shared), func(in *incidents.NewCase) { in.Customers, in.Aware = []string{"maple"}, "2026-11-20 06:00" })
		if a := of(t, c, w.maple); a.State != incidents.Certain || !a.KnownAt.Equal(instant(t, "2026-11-20T06:00:00Z")) {
			t.Errorf("maple: %+v", a)
		}
		if a := of(t, c, w.harbour); a.State != incidents.Possible {
			t.Errorf("harbour: %+v", a)
		}
		c = w.open(nil, func(in *incidents.NewCase) { in.Customers, in.Certainty = []string{"maple"}, law.Suspected })
		if a := of(t, c, w.maple); a.State != incidents.Possible || a.SuspectedAt.IsZero() {
			t.Errorf("suspected: %+v", a)
		}
	})
}
