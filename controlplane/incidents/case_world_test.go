package incidents_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/incidents"
)

// told plays a notice that was delivered, or handed in, at an instant; customer ""
// is the company's own.
func (w *world) told(c incidents.Case, customer string, to incidents.Audience, purpose incidents.Purpose, regime string, at time.Time) {
	w.t.Helper()
	w.write(func(tx *db.Tx) error {
		err := tx.Exec(`INSERT INTO incident_notices (id, case_id, advisory_id, order_id, customer_id, audience, purpose, phase, regime, lang, state, drill, unsafe, author, made_at, asked_at,
			second, sent_at, due_at, told_at, opened_at, ack_at, ack_by, next_at, news, sha256, version) VALUES (?, ?, '', '', ?, ?, ?, 1, ?, 'en', 'accepted', 0, 0, ?, ?, 0, '', ?, 0, ?, 0, 0, '', 0, 0, '', 1)`,
			controlplane.NewID(controlplane.PrefixBreachNotice), c.ID, customer, string(to), string(purpose), regime, w.ada.ID, at.UnixMilli(), at.UnixMilli(), at.UnixMilli()).Error
		if err != nil {
			return err
		}
		return w.incidents.Recount(tx, c.ID)
	})
}

// tell plays that a customer was told now.
func (w *world) tell(c incidents.Case, x customers.Customer) {
	w.t.Helper()
	w.told(c, x.ID, incidents.ToCustomer, incidents.First, "gdpr", w.clock.Now())
}

// clocks are those of a case, by rule and, after a blank, the customer's slug, and
// "before" where they are from before it was reopened.
func (w *world) clocks(c incidents.Case) map[string]incidents.Clock {
	w.t.Helper()
	list := must[[]incidents.Clock](w.t)(w.incidents.Clocks(w.ctx, w.all, c.ID))
	return w.byRule(list)
}

func (w *world) byRule(list []incidents.Clock) map[string]incidents.Clock {
	out := map[string]incidents.Clock{}
	slugs := map[string]string{w.maple.ID: " maple", w.harbour.ID: " harbour", "": ""}
	for _, k := range list {
		key := k.Rule + slugs[k.Customer]
		if k.Before {
			key += " before"
		}
		out[key] = k
	}
	return out
}

// state is how a clock stands, in a word: "shadow running until 2026-11-21T09:00:00Z".
func state(k incidents.Clock) string {
	var words []string
	if k.Shadow {
		words = append(words, "shadow")
	}
	words = append(words, string(k.State))
	if !k.Strict.IsZero() {
		words = append(words, "until "+k.Strict.UTC().Format(time.RFC3339))
	}
	return strings.Join(words, " ")
}

// wantClock compares a clock in a word.
func (w *world) wantClock(c incidents.Case, key, want string) {
	w.t.Helper()
	if got := state(w.clocks(c)[key]); got != want {
		w.t.Errorf("clock %s: got %q, want %q", key, got, want)
	}
}

// on is a list of servers.
func on(list ...customers.Server) []customers.Server { return list }

// instant parses RFC 3339.
func instant(t testing.TB, text string) time.Time {
	t.Helper()
	return must[time.Time](t)(time.Parse(time.RFC3339, text))
}

// dbTx is a transaction.
type dbTx = db.Tx

// asError is errors.As for what people read.
func asError(err error, to **controlplane.Error) bool { return errors.As(err, to) }

// falseAlarm ends a case as a false alarm; where somebody is certain, Bob confirms it.
func (w *world) falseAlarm(id, why string) incidents.Case {
	w.t.Helper()
	return w.confirmed(must[incidents.Case](w.t)(w.incidents.Close(w.ctx, w.all, id, incidents.Closing{State: incidents.FalseAlarm, Why: why})))
}

// clear says that a customer is not in a case; where they are held certain, Bob confirms it.
func (w *world) clear(id, customer, why string) incidents.Case {
	w.t.Helper()
	return w.confirmed(must[incidents.Case](w.t)(w.incidents.Clear(w.ctx, w.all, id, customer, why)))
}

// confirmed is a case in which Bob has confirmed all that waits for a second person.
func (w *world) confirmed(c incidents.Case) incidents.Case {
	w.t.Helper()
	for _, a := range c.Asked {
		if a.State == incidents.AskOpen {
			c = must[incidents.Case](w.t)(w.incidents.ConfirmAsked(w.asBob(), w.all, c.ID, a.ID))
		}
	}
	return c
}
