package incidents_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/incidents"
	"ostler/controlplane/policy"
)

func TestAct(t *testing.T) {
	each(t, func(w *world) {
		t := w.t
		c := w.open([]customers.Server{w.mapleOne})
		person, grant := controlplane.NewID(controlplane.PrefixPerson), controlplane.NewID(controlplane.PrefixGrant)
		w.acts.result, w.acts.refs = "Ended 3 grants.", []string{grant}
		got := must[incidents.Action](t)(w.incidents.Act(w.asBob(), w.all, c.ID, incidents.NewAction{Kind: incidents.ActRevoke, Target: person, Why: hostile}))
		if got.Failed || got.Open || got.Result != "Ended 3 grants." || got.By != w.bob.ID || len(got.Refs) != 1 {
			t.Errorf("done: got %+v", got)
		}
		w.acts.result, w.acts.refs, w.acts.err = "Ended 1 of 2 grants.", nil, controlplane.Errorf(controlplane.CodeForbidden, "Ask an admin.", "Your role does not include this")
		got = must[incidents.Action](t)(w.incidents.Act(w.ctx, w.all, c.ID, incidents.NewAction{Kind: incidents.ActRevoke, Target: grant, Why: "x"}))
		if want := "Ended 1 of 2 grants. It could not be done: Your role does not include this. Ask an admin."; !got.Failed || got.Result != want {
			t.Errorf("refused: got %+v, want %q", got, want)
		}
		w.acts.result, w.acts.err = "", errors.New("dial tcp 10.0.0.7: secret")
		got = must[incidents.Action](t)(w.incidents.Act(w.ctx, w.all, c.ID, incidents.NewAction{Kind: incidents.ActSnapshot, Why: "x"}))
		if !got.Failed || strings.Contains(got.Result, "secret") || got.Result == "" {
			t.Errorf("a fault: got %+v", got)
		}
		by := must[incidents.Action](t)(w.incidents.Act(w.ctx, w.all, c.ID, incidents.NewAction{Kind: incidents.ActDone, Why: "Pulled the cable."}))
		if by.Failed || by.Result == "" {
			t.Errorf("by hand: got %+v", by)
		}
		if got := len(w.acts.done); got != 3 {
			t.Errorf("carried out: got %d, want 3", got)
		}
		if got := w.get(c.ID).Actions; len(got) != 4 || !got[1].Failed {
			t.Errorf("of the case: got %+v", got)
		}
		if got := len(w.entries("incident.action")); got != 8 {
			t.Errorf("ledger: got %d entries, want 8: each begun, and each ended", got)
		}
	})
}

func TestActRefuses(t *testing.T) {
	each(t, func(w *world) {
		t := w.t
		c := w.open(nil)
		server := w.mapleOne.ID
		for _, tt := range []struct {
			name string
			in   incidents.NewAction
		}{
			{"no kind", incidents.NewAction{Why: "x"}},
			{"no reason", incidents.NewAction{Kind: incidents.ActSnapshot}},
			{"nobody to lock", incidents.NewAction{Kind: incidents.ActLock, Why: "x"}},
			{"a server is nobody", incidents.NewAction{Kind: incidents.ActLock, Target: server, Why: "x"}},
			{"all grants of nobody", incidents.NewAction{Kind: incidents.ActRevoke, Why: "x"}},
			{"no id", incidents.NewAction{Kind: incidents.ActRotate, Target: "crt_1", Why: "x"}},
		} {
			if _, err := w.incidents.Act(w.ctx, w.all, c.ID, tt.in); code(err) != controlplane.CodeInvalid {
				t.Errorf("%s: got %v", tt.name, err)
			}
		}
		ctx, own := w.asContact(w.anna)
		if _, err := w.incidents.Act(ctx, own, c.ID, incidents.NewAction{Kind: incidents.ActSnapshot, Why: "x"}); code(err) != controlplane.CodeNotFound {
			t.Errorf("a contact: got %v", err)
		}
		if len(w.acts.done) > 0 {
			t.Errorf("carried out: got %v", w.acts.done)
		}
	})
}

// In a drill nothing is done.
func TestActInADrill(t *testing.T) {
	each(t, func(w *world) {
		t := w.t
		c := w.open([]customers.Server{w.mapleOne}, func(in *incidents.NewCase) { in.Drill = true })
		got := must[incidents.Action](t)(w.incidents.Act(w.ctx, w.all, c.ID, incidents.NewAction{Kind: incidents.ActSnapshot, Why: "x"}))
		if got.Failed || !strings.Contains(got.Result, "drill") || len(w.acts.done) > 0 {
			t.Errorf("got %+v, carried out %v", got, w.acts.done)
		}
	})
}

// killed is a plane that dies in the middle of an act.
type killed struct{}

func (k killed) Act(context.Context, policy.Scope, incidents.Case, incidents.NewAction) (string, []string, error) {
	panic("killed")
}

// An action that the plane died in is not lost, and is not said to be done.
func TestActThatThePlaneDiedIn(t *testing.T) {
	each(t, func(w *world) {
		t := w.t
		c := w.open([]customers.Server{w.mapleOne})
		func() {
			defer func() { _ = recover() }()
			_, _ = w.incidents.Act(w.ctx, w.all, c.ID, incidents.NewAction{Kind: incidents.ActSnapshot, Why: "x"})
			t.Error("it did not die")
		}()
		if got := w.get(c.ID).Actions; len(got) != 1 || !got[0].Open {
			t.Fatalf("begun: got %+v", got)
		}
		w.later(16 * time.Minute)
		if got := w.get(c.ID).Actions[0]; got.Open || !got.Failed || !strings.Contains(got.Result, "not known") {
			t.Errorf("later: got %+v", got)
		}
	}, func(d *incidents.Deps, _ *incidents.Options) { d.Acts = killed{} })
}

// leaving is a plane whose asker goes away while it acts.
type leaving struct{ gone context.CancelFunc }

func (l leaving) Act(context.Context, policy.Scope, incidents.Case, incidents.NewAction) (string, []string, error) {
	l.gone()
	return "Started 1 backup.", nil, nil
}

// Whoever asked may be gone when it is done: what came of it is written all the same.
func TestActOfSomebodyWhoLeft(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		ctx, cancel := context.WithCancel(t.Context())
		w := newWorld(t, d, clock, func(d *incidents.Deps, _ *incidents.Options) { d.Acts = leaving{cancel} })
		actor, _ := controlplane.ActorFrom(w.ctx)
		c := w.open([]customers.Server{w.mapleOne})
		got, err := w.incidents.Act(controlplane.WithActor(ctx, actor), w.all, c.ID, incidents.NewAction{Kind: incidents.ActSnapshot, Why: "x"})
		if err != nil || got.Open || got.Result != "Started 1 backup." {
			t.Errorf("got %+v, %v", got, err)
		}
	})
}
