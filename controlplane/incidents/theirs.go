package incidents

import (
	"context"
	"slices"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/incidents/law"
	"ostler/controlplane/policy"
)

// TheirStep is what a financial entity does for its own authority (Delegated
// Regulation (EU) 2025/301, Article 5): each starts or ends a time of theirs.
type TheirStep string

// The steps, in their order.
const (
	TheirClassified   TheirStep = "classified"        // they hold it to be a major incident
	TheirInitial      TheirStep = "initial_sent"      // their initial notification went out
	TheirIntermediate TheirStep = "intermediate_sent" // their intermediate report, the latest of them
	TheirFinal        TheirStep = "final_sent"
)

// TheirSteps lists the steps.
func TheirSteps() []TheirStep {
	return []TheirStep{TheirClassified, TheirInitial, TheirIntermediate, TheirFinal}
}

// Valid reports whether s is a known step.
func (s TheirStep) Valid() bool { return slices.Contains(TheirSteps(), s) }

// TheirWord is what a customer told us that they did.
type TheirWord struct {
	Step       TheirStep
	At         time.Time // zero is that they did not, after all
	ToldBy     string    // who of theirs said so
	By         string    // stf_: who wrote it down
	RecordedAt time.Time
}

// NewTheirWord writes down what a customer told us. It follows earlier words about
// the same step, and takes their place.
type NewTheirWord struct {
	Customer string
	Step     TheirStep
	At       At
	NotSo    bool // they did not, after all
	ToldBy   string
}

// TheySaid writes down what a customer that is a financial entity told us of what
// they did for their own authority: how urgent it is to them is shown by it.
// Permission: incident.write. Errors: invalid, not found, conflict where they are
// not recorded as a financial entity.
func (s *Service) TheySaid(ctx context.Context, scope policy.Scope, id string, in NewTheirWord) (out Case, err error) {
	if !in.Step.Valid() {
		return out, invalid("/step", "Say classified, initial_sent, intermediate_sent or final_sent.")
	}
	by, err := textField("/told_by", in.ToldBy, maxTitle, true)
	if err != nil {
		return out, err
	}
	if err := s.ready(ctx, in.Customer); err != nil {
		return out, err
	}
	return s.change(ctx, scope, id, "they said", func(tx *db.Tx, row *caseRow, _ *caseData) ([]string, error) {
		all, err := affectedMap(tx, row.ID)
		if err != nil {
			return nil, err
		}
		if r, ok := all[in.Customer]; !ok || r.RemovedAt > 0 {
			return nil, invalid("/customer", "This customer is not in the case. Put them into it first.")
		}
		t, err := termsIn(tx, in.Customer)
		if err != nil {
			return nil, err
		}
		if !t.Financial {
			return nil, conflict("Change it in their terms first.", "This customer is not recorded as a financial entity")
		}
		at := time.Time{}
		if !in.NotSo {
			if at, err = s.when("/at", in.At, zoneNamed(row.Zone), tx.Now); err != nil {
				return nil, err
			}
		}
		if err := s.addTheirs(tx, theirsRow{CaseID: row.ID, CustomerID: in.Customer, Step: string(in.Step), At: controlplane.Millis(at), ByID: actorOf(ctx).ID, RecordedAt: tx.NowMillis()}, by); err != nil {
			return nil, err
		}
		data := map[string]any{"customer": in.Customer, "step": string(in.Step), "at": controlplane.Instant(at), "fields": []string{"their_steps"}, "version": row.Version + 1}
		return nil, s.enter(tx, row.ID, "incident.changed", data, map[string]string{"told_by": by})
	}, Open, Closed)
}

// dora are DORA's times: what begins each, what ends it, and what is missing where
// that is not known.
var dora = []struct {
	trigger law.Trigger
	from    TheirStep // "" is that they know of it: with our notice
	until   TheirStep
	missing string
}{
	{law.CustomerClassified, TheirClassified, TheirInitial, "Missing is when they classified it as major: ask them, and write it down."},
	{law.CustomerAware, "", TheirInitial, "It begins when they learn of it: with our notice."},
	{law.InitialSubmitted, TheirInitial, TheirIntermediate, "Missing is when they sent their initial notification: ask them, and write it down."},
	{law.IntermediateSubmitted, TheirIntermediate, TheirFinal, "Missing is when they sent their intermediate report: ask them, and write it down."},
}

// theirs are a customer's own deadlines, shown as how urgent it is to them. All of
// them are there from the beginning: what is not known reads so.
func (d *dossier) theirs(r affectedRow) (out []Clock) {
	state := d.stateOf(r)
	if !d.termsNow(r.CustomerID).Financial || state == Cleared || state == "" {
		return nil
	}
	steps := map[TheirStep]time.Time{"": d.theirAware(r)}
	for _, w := range d.saidBy(r.CustomerID) {
		steps[w.Step] = w.At
	}
	for _, x := range dora {
		from, met := steps[x.from], steps[x.until]
		at := from
		if at.IsZero() {
			at = d.known
		}
		for _, rule := range d.pack().Of("EU", x.trigger, at) {
			if rule.Recipient == law.Theirs {
				out = append(out, d.theirOne(r, rule, from, met, x.missing))
			}
		}
	}
	return out
}

// theirOne is one of their deadlines: from is when it began, met when they met it;
// zero is not known.
func (d *dossier) theirOne(r affectedRow, rule law.Rule, from, met time.Time, missing string) Clock {
	unknown := Clock{Rule: rule.ID, Title: rule.Title, Customer: r.CustomerID, State: Unknown, Deadline: law.Deadline{Rule: rule}, Why: missing}
	if from.IsZero() {
		return unknown
	}
	zone, country := d.zoneOf(first(d.called[r.CustomerID].Zone, d.row.Zone)), first(d.termsNow(r.CustomerID).Country, d.called[r.CustomerID].Country)
	c, ok := d.clock(rule, from, false, zone, country)
	if !ok {
		return unknown
	}
	c.Customer = r.CustomerID
	if c = d.settle(c, met); c.State == NotDue {
		return c
	}
	if c.Why = "It is theirs, not ours."; c.State == Late {
		c.State, c.Why = Unknown, "It is theirs, not ours: whether they met it is not known here. Ask them, and write it down."
	}
	if noon, off := law.NoonAfter(c.Strict, d.sorted().holidays[country]); off {
		text := "It ends when nobody works: as recalled, most may send it by noon of the next working day, " + shown(noon, zone) + "."
		c.Steps = append(c.Steps, text)
		c.Why += " " + text
	}
	return c
}

// theirAware is since when a customer knows of it, as far as is known here: from our
// delivery, or from before by their own word. Zero is not known.
func (d *dossier) theirAware(r affectedRow) time.Time {
	knew, _ := d.theyKnew(r)
	return earlier(d.toldAt(r.CustomerID), knew)
}

// saidBy is what a customer told us of their steps, as far as it was known; not what
// they did before the case was reopened on new facts.
func (d *dossier) saidBy(customer string) (out []TheirWord) {
	for _, w := range d.theySaid[customer] {
		if !w.RecordedAt.After(d.known) && w.RecordedAt.UnixMilli() >= d.clockFrom() {
			out = append(out, w)
		}
	}
	return out
}
