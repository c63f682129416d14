package incidents

import (
	"encoding/json"
	"slices"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/incidents/law"
)

// The duty of a processor to tell a controller.
const (
	ruleProcessor   = "gdpr-33-2"
	ruleProcessorUK = "uk-gdpr-33-2"
)

func processorRule(id string) bool { return id == ruleProcessor || id == ruleProcessorUK }

// stateOf is the state of a customer in a case at d.known; "" is not in it yet.
func (d *dossier) stateOf(r affectedRow) AffectedState {
	if !d.known.Before(d.now) {
		return AffectedState(r.State)
	}
	var history []stateAt
	if err := json.Unmarshal([]byte(r.History), &history); err != nil {
		return AffectedState(r.State)
	}
	var state AffectedState
	for _, h := range history {
		if h.State != "" && h.At <= d.known.UnixMilli() {
			state = h.State
		}
	}
	return state
}

// customerClock is the clock of Article 33(2) for one customer: whichever of the
// terms in force during the case ends first. ok is false where none runs.
func (d *dossier) customerClock(r affectedRow) (c Clock, ok bool) {
	state := d.stateOf(r)
	suspected, known := d.awareOf(r.CustomerID)
	if state == "" || suspected.IsZero() {
		return Clock{}, false
	}
	met := d.toldAt(r.CustomerID)
	for _, t := range d.termsDuring(r, suspected, met) {
		if x, found := d.byTerms(r, t, suspected, known); found && (!ok || sooner(x, c)) {
			c, ok = x, true
		}
	}
	if !ok {
		c = noRule(r.CustomerID, known.IsZero())
	}
	if c = d.settle(c, met); !ok && c.State == Running {
		c.State, c.Why = Unknown, "No rule was in force then."
	}
	if state == Cleared && met.IsZero() {
		c.State, c.Why = NotDue, "They are shown not to be affected."
	}
	if c.Shadow && c.Why == "" {
		c.Why = "They may be affected: this is what would be due were it certain."
	}
	return c, true
}

// noRule is the duty to tell a customer where the rules know no time for it: it is
// there all the same.
func noRule(customer string, shadow bool) Clock {
	rule := law.Rule{ID: ruleProcessor, Title: "Tell the customer, as their processor", Trigger: law.ProcessorAware, Undue: true, Recipient: law.ToController}
	return Clock{Rule: rule.ID, Title: rule.Title, Customer: customer, Shadow: shadow, Deadline: law.Deadline{Rule: rule}}
}

// sooner reports whether a counts rather than b: one that runs before a shadow,
// then the earlier.
func sooner(a, b Clock) bool {
	if a.Shadow != b.Shadow {
		return !a.Shadow
	}
	return a.Strict.Before(b.Strict)
}

// byTerms is the clock by one version of a customer's terms.
func (d *dossier) byTerms(r affectedRow, t Terms, suspected, known time.Time) (Clock, bool) {
	company := d.company()
	id := ruleProcessor
	if first(t.Jurisdiction, company.Jurisdiction) == "UK" {
		id = ruleProcessorUK
	}
	trigger, shadow := known, false
	if known.IsZero() || t.FromSuspicion {
		trigger, shadow = suspected, known.IsZero() && !t.FromSuspicion
	}
	rule, ok := d.pack().Find(id, trigger)
	if !ok {
		return Clock{}, false
	}
	contract := rule.Contract && (t.Amount > 0 || t.FromSuspicion)
	if contract && t.Amount > 0 {
		rule.Amount, rule.Unit, rule.Calendar = t.Amount, t.Unit, law.Strict
	}
	zone := first(t.Zone, d.called[r.CustomerID].Zone, d.row.Zone)
	c, ok := d.clock(rule, trigger, shadow, d.zoneOf(zone), first(t.Country, company.Country))
	c.Customer, c.Contract = r.CustomerID, contract
	return c, ok
}

// termsDuring are the versions of a customer's terms that were in force between
// their clock's beginning, which may be before they came into the case, and their
// being told (or its end). That nothing was agreed counts as of their coming in.
func (d *dossier) termsDuring(r affectedRow, suspected, met time.Time) (out []Terms) {
	from, until := min(r.AddedAt, suspected.UnixMilli()), d.known.UnixMilli()
	for _, end := range []int64{controlplane.Millis(met), d.row.ClosedAt} {
		if end > 0 {
			until = min(until, end)
		}
	}
	versions := d.terms[r.CustomerID]
	for i, v := range append([]termsRow{{CustomerID: r.CustomerID}}, versions...) {
		since := from
		if i == 0 {
			since = r.AddedAt
		}
		over := i < len(versions) && versions[i].RecordedAt <= since // the next one was there already
		if over || v.RecordedAt > max(until, r.AddedAt) {
			continue
		}
		if t, err := v.terms(); err == nil {
			out = append(out, t)
		}
	}
	return out
}

// termsNow are a customer's terms at d.known.
func (d *dossier) termsNow(customer string) (out Terms) {
	for _, v := range d.terms[customer] {
		if v.RecordedAt > d.known.UnixMilli() {
			break
		}
		if t, err := v.terms(); err == nil {
			out = t
		}
	}
	return out
}

// roleOf is what a customer is for the data on the servers by which they are in
// the case: a controller where they are one on any of them.
func (d *dossier) roleOf(r affectedRow) DataRole {
	t := d.termsNow(r.CustomerID)
	var roles []DataRole
	for _, v := range parted[string](r.Servers) {
		roles = append(roles, DataRole(first(string(t.Services[v]), string(t.Role), string(RoleUnknown))))
	}
	if len(roles) == 0 {
		roles = []DataRole{DataRole(first(string(t.Role), string(RoleUnknown)))}
	}
	for _, role := range []DataRole{Controller, RoleUnknown} {
		if slices.Contains(roles, role) {
			return role
		}
	}
	return Processor
}

// first is the first text that is not empty.
func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
