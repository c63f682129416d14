package incidents

import (
	"context"
	"fmt"
	"slices"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/identity"
	"ostler/controlplane/incidents/law"
	"ostler/controlplane/mail"
	"ostler/controlplane/policy"
)

// AskedAct is what would take a clock away that runs.
type AskedAct string

// The acts that wait for a second person.
const (
	AskFalseAlarm AskedAct = "false_alarm" // the case was one, though somebody is certain
	AskClear      AskedAct = "clear"       // a customer who is held certain is not in it
	AskNotOurs    AskedAct = "not_ours"    // data of our own, said to be touched, is not
)

// AskedState is what became of it.
type AskedState string

// The states of what was asked.
const (
	AskOpen      AskedState = "open"      // the clocks run on
	AskConfirmed AskedState = "confirmed" // by another person, or alone where there is nobody else
	AskWithdrawn AskedState = "withdrawn" // by its author
	AskDeclined  AskedState = "declined"  // by another person
	AskMoot      AskedState = "moot"      // the case ended otherwise, or goes on in another one
)

// Asked is an act that takes a clock away, and counts from when another person
// confirms it.
type Asked struct {
	ID, Case  string // sec_
	Customer  string // AskClear: whom it is about; "" is the case
	Act       AskedAct
	Why       string
	By        string // stf_
	At        time.Time
	State     AskedState
	SettledBy string
	SettledAt time.Time
	AloneWhy  string // why it counts without another person; "" is with one
}

// holding has those who could confirm what takes a clock away.
type holding struct {
	others         []identity.Person
	act            AskedAct
	customer, name string
	why            string
}

// needsSecond reports whether an act waits for another person: then it is written
// down as asked. Where somebody is certain and nobody else could confirm it, it
// counts at once, which is written down, too.
func (s *Service) needsSecond(tx *db.Tx, row caseRow, h holding) (bool, error) {
	d, err := s.dossierIn(tx, everyone(), row.ID)
	if err != nil || !d.certainOf(h.customer) {
		return false, err
	}
	h.name = d.called[h.customer].Name
	list, err := ofCase[askedRow](tx, row.ID, "at, id")
	if err != nil {
		return false, err
	}
	for _, r := range list {
		if r.State == string(AskOpen) && r.Act == string(h.act) && r.CustomerID == h.customer {
			return false, conflict("Confirm it as another person, or have its author withdraw it.", "This was said already, and waits for a second person")
		}
	}
	r := askedRow{ID: controlplane.NewID(controlplane.PrefixSecond), CaseID: row.ID, CustomerID: h.customer, Act: string(h.act), ByID: actorOf(tx.Context()).ID, At: tx.NowMillis(), State: string(AskOpen)}
	if len(h.others) == 0 {
		r.State, r.Alone, r.SettledAt = string(AskConfirmed), 1, tx.NowMillis()
	}
	if r.Why, err = s.seal(r.CustomerID, "incident_asked", "why", r.ID, h.why); err != nil {
		return false, err
	}
	if err := db.Insert(tx, &r); err != nil {
		return false, err
	}
	data := r.entry("waits", r.Alone == 0)
	if r.Alone == 1 {
		data["alone"] = aloneNobody
	}
	if err := s.enter(tx, row.ID, "incident.asked", data, map[string]string{"why": h.why}); err != nil || r.Alone == 1 {
		return false, err
	}
	return true, s.askOthers(tx, row, r, h)
}

// oursTakenBack reports whether an answer that takes back that our own data are touched
// waits for another person: while somebody is certain, the authority's deadline hangs
// on it. That it is not known does not follow what was known.
func (s *Service) oursTakenBack(tx *db.Tx, row caseRow, answer law.Answer, others []identity.Person) (bool, error) {
	if row.ours() != law.Yes || answer == law.Yes || !answer.Valid() {
		return false, nil
	}
	if answer == law.Unknown {
		return false, invalid("/our_data", "It was said that our own data are touched. Answer no if they are not.")
	}
	return s.needsSecond(tx, row, holding{others: others, act: AskNotOurs, why: "No data of our own (staff, billing) are touched."})
}

// certainOf reports whether a customer is held to be affected for certain; "" is
// whether anybody is, or the case as a whole, or the incident itself.
func (d *dossier) certainOf(customer string) bool {
	if customer == "" {
		_, certain := d.caseAware()
		_, itself := d.effective(law.TheIncident, law.Certain)
		return itself || !certain.IsZero()
	}
	_, known := d.awareOf(customer)
	return !known.IsZero() || slices.ContainsFunc(d.affected, func(r affectedRow) bool { return r.CustomerID == customer && r.State == string(Certain) })
}

// entry is what the ledger holds of it.
func (r askedRow) entry(what string, so bool) map[string]any {
	data := map[string]any{"asked": r.ID, "act": r.Act, what: so}
	if r.CustomerID != "" {
		data["customer"] = r.CustomerID
	}
	return data
}

// askOthers asks for a second person, by a finding and by mail.
func (s *Service) askOthers(tx *db.Tx, row caseRow, r askedRow, h holding) error {
	who, err := s.identity.NameIn(tx, r.ByID)
	if controlplane.ErrorCode(err) == controlplane.CodeNotFound {
		who, err = "Somebody", nil
	}
	if err != nil {
		return err
	}
	act := "was a false alarm"
	switch h.act {
	case AskClear:
		act = "does not concern " + h.name
	case AskNotOurs:
		act = "does not touch our own data"
	}
	path := casePath(row.ID) + "#asked"
	err = s.findings.Raise(tx, findings.Finding{Key: askedKey(r.ID), Subject: row.ID, Kind: findings.IncidentSecond, Severity: findings.Warn, Owner: findings.Ops,
		Link: path, Args: map[string]string{"case": row.numberOf(), "person": who, "act": act}})
	if err != nil {
		return err
	}
	for _, p := range h.others {
		_, err := s.post(tx, row.Drill == 1, Letter{Key: fmt.Sprint("incident.confirm:", r.ID, ":", p.ID), Person: p.ID, To: p.Email, Name: p.Name, Lang: p.Language,
			Template: mail.IncidentConfirm, Args: map[string]string{"who": who, "number": row.numberOf(), "what": act}, Path: path, Subject: row.ID})
		if err != nil {
			return err
		}
	}
	return nil
}

func askedKey(id string) string { return findings.IncidentSecond + ":" + id }

// ConfirmAsked confirms, as another person, what takes a clock away: it counts from
// now. Permission: incident.write. Errors: not found, forbidden for whoever asked,
// conflict where it does not wait any more.
func (s *Service) ConfirmAsked(ctx context.Context, scope policy.Scope, id, asked string) (Case, error) {
	return s.settleAsked(ctx, scope, id, asked, true)
}

// WithdrawAsked takes back what one asked for; of another person it is a no. The
// clocks run on. Permission: incident.write. Errors: not found, conflict where it
// does not wait any more.
func (s *Service) WithdrawAsked(ctx context.Context, scope policy.Scope, id, asked string) (Case, error) {
	return s.settleAsked(ctx, scope, id, asked, false)
}

func (s *Service) settleAsked(ctx context.Context, scope policy.Scope, id, asked string, yes bool) (out Case, err error) {
	var r askedRow
	if err := s.db.Read(ctx, func(tx *db.Tx) (err error) { r, err = oneByID[askedRow](tx, scope, "question", asked); return err }); err != nil {
		return out, wrap("settle asked", err)
	}
	if err := s.ready(ctx, r.CustomerID); err != nil {
		return out, err
	}
	return s.change(ctx, scope, id, "settle asked", func(tx *db.Tx, row *caseRow, d *caseData) ([]string, error) {
		r, err := oneByID[askedRow](tx, scope, "question", asked)
		actor := actorOf(ctx)
		switch {
		case err != nil:
			return nil, err
		case r.CaseID != row.ID:
			return nil, controlplane.NotFound("question")
		case r.State != string(AskOpen):
			return nil, conflict("Look at what became of it.", "This does not wait for a second person any more")
		case yes && (actor.ID == r.ByID || actor.Kind != controlplane.ActorStaff):
			return nil, controlplane.Errorf(controlplane.CodeForbidden, "Ask a colleague to confirm it.", "Whoever said it cannot confirm it")
		}
		state, why := AskConfirmed, "it was confirmed"
		switch {
		case !yes && actor.ID == r.ByID:
			state, why = AskWithdrawn, "it was withdrawn"
		case !yes:
			state, why = AskDeclined, "another person said no"
		}
		if err := s.askedBecame(tx, r, state, why); err != nil || !yes {
			return nil, err
		}
		text, err := s.open(r.CustomerID, "incident_asked", "why", r.ID, r.Why)
		if err != nil {
			return nil, err
		}
		switch AskedAct(r.Act) {
		case AskClear:
			return s.clear(tx, *row, r.CustomerID, text)
		case AskNotOurs:
			row.OurData = oursColumn(law.No)
			return nil, s.enter(tx, row.ID, "incident.changed", map[string]any{"fields": []string{"our_data"}, "version": row.Version + 1}, nil)
		}
		return nil, s.end(tx, row, d, FalseAlarm, text)
	})
}

// askedBecame writes down what became of what was asked, and ends its finding.
func (s *Service) askedBecame(tx *db.Tx, r askedRow, state AskedState, why string) error {
	r.State, r.SettledBy, r.SettledAt = string(state), actorOf(tx.Context()).ID, tx.NowMillis()
	if err := db.Save(tx, &r); err != nil {
		return err
	}
	if err := s.findings.Close(tx, askedKey(r.ID), why); err != nil {
		return err
	}
	return s.enter(tx, r.CaseID, "incident.asked", r.entry(string(state), true), nil)
}

// mootAsked ends what waits in a case, or what is about some of its customers.
func (s *Service) mootAsked(tx *db.Tx, incident, why string, customers ...string) error {
	list, err := ofCase[askedRow](tx, incident, "at, id")
	for _, r := range list {
		if err == nil && r.State == string(AskOpen) && (len(customers) == 0 || slices.Contains(customers, r.CustomerID)) {
			err = s.askedBecame(tx, r, AskMoot, why)
		}
	}
	return err
}

// askedOf is what takes clocks away in a case, in the order in which it was said.
func (s *Service) askedOf(tx *db.Tx, incident string) ([]Asked, error) {
	rows, err := ofCase[askedRow](tx, incident, "at, id")
	if err != nil {
		return nil, err
	}
	out := make([]Asked, len(rows))
	for i, r := range rows {
		out[i] = Asked{ID: r.ID, Case: r.CaseID, Customer: r.CustomerID, Act: AskedAct(r.Act), By: r.ByID, At: controlplane.FromMillis(r.At), State: AskedState(r.State),
			SettledBy: r.SettledBy, SettledAt: controlplane.FromMillis(r.SettledAt)}
		if r.Alone == 1 {
			out[i].AloneWhy = aloneNobody
		}
		if out[i].Why, err = s.open(r.CustomerID, "incident_asked", "why", r.ID, r.Why); err != nil {
			return nil, err
		}
	}
	return out, nil
}
