package incidents

import (
	"context"
	"slices"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/incidents/law"
	"ostler/controlplane/policy"
)

// risks is the matrix: likelihood, then severity.
var risks = map[Level]map[Level]Level{
	Low:    {Low: Low, Medium: Low, High: Medium},
	Medium: {Low: Low, Medium: Medium, High: High},
	High:   {Low: Medium, Medium: High, High: High},
}

// Levels are the levels, the lowest first.
func Levels() []Level { return []Level{Low, Medium, High} }

// RiskOf is the risk to people by how likely harm is and how bad it would be:
//
//	likelihood ↓ severity →  low     medium  high
//	low                      low     low     medium
//	medium                   low     medium  high
//	high                     medium  high    high
//
// Low is what the law calls "unlikely to result in a risk" (Article 33(1) GDPR),
// high what it calls a high risk (Article 34(1)). The matrix is our own reading.
// "" where one of the two is not known.
func RiskOf(likelihood, severity Level) Level { return risks[likelihood][severity] }

// Decide records a risk assessment and what follows. Permission: incident.write.
func (s *Service) Decide(ctx context.Context, scope policy.Scope, id string, in NewDecision) (out Decision, err error) {
	if in.Reasons, err = textField("/reasons", in.Reasons, maxNote, true); err != nil {
		return Decision{}, err
	}
	if err := s.ready(ctx); err != nil {
		return Decision{}, err
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		c, err := caseRowIn(tx, scope, id)
		if err != nil {
			return err
		}
		if State(c.State) == Merged {
			return conflict("Decide it there.", "This case goes on in another one")
		}
		if err := s.checkDecision(tx, c, in); err != nil {
			return err
		}
		row, err := s.insertDecision(tx, c, in)
		if err != nil {
			return err
		}
		if out, err = s.decisionOf(row); err != nil {
			return err
		}
		return s.recount(tx, c.ID)
	})
	return out, wrap("decide", err)
}

func (s *Service) insertDecision(tx *db.Tx, c caseRow, in NewDecision) (row decisionRow, err error) {
	row = decisionRow{ID: controlplane.NewID(controlplane.PrefixDecision), CaseID: c.ID, Likelihood: string(in.Likelihood), Severity: string(in.Severity),
		Risk: string(RiskOf(in.Likelihood, in.Severity)), Authority: flag(in.Authority), People: flag(in.People), Exemption: string(in.Exemption), Rule: in.Rule,
		NotDue: flag(in.NotDue), ByID: actorOf(tx.Context()).ID, At: tx.NowMillis()}
	if row.Reasons, err = s.seal("", "incident_decisions", "reasons", row.ID, in.Reasons); err != nil {
		return row, err
	}
	if err := db.Insert(tx, &row); err != nil {
		return row, err
	}
	data := map[string]any{"decision": row.ID}
	if in.Rule != "" {
		data["rule"], data["not_due"] = in.Rule, in.NotDue
	} else {
		data["likelihood"], data["severity"], data["risk"] = row.Likelihood, row.Severity, row.Risk
		data["authority"], data["people"], data["exemption"] = in.Authority, in.People, row.Exemption
	}
	return row, s.enter(tx, c.ID, "incident.decided", data, map[string]string{"reasons": in.Reasons})
}

// checkDecision refuses a decision that is not one, and one that the law does
// not leave to us.
func (s *Service) checkDecision(tx *db.Tx, c caseRow, in NewDecision) error {
	if in.Rule != "" {
		return ruleDecision(tx, c, in)
	}
	var bad []controlplane.Field
	add := func(pointer, text string) { bad = append(bad, controlplane.Field{Pointer: pointer, Message: text}) }
	if !in.Likelihood.Valid() {
		add("/likelihood", "Choose low, medium or high.")
	}
	if !in.Severity.Valid() {
		add("/severity", "Choose low, medium or high.")
	}
	if in.NotDue {
		add("/rule", "Choose which duty is not due.")
	}
	risk := RiskOf(in.Likelihood, in.Severity)
	switch {
	case !in.Exemption.Valid():
		add("/exemption", "Choose one of the exemptions of Article 34(3), or none.")
	case in.Exemption != NoExemption && in.People:
		add("/exemption", "An exemption is for people who are not told.")
	case in.Exemption != NoExemption && risk != High && risk != "":
		add("/exemption", "Without a high risk nobody has to be told, and there is nothing to be exempt from.")
	case c.ours() == law.Yes && risk == High && !in.People && in.Exemption == NoExemption:
		add("/people", "The risk is high and data of our own is touched: the people are told (Article 34), unless an exemption holds.")
	}
	if c.ours() == law.Yes && (risk == Medium || risk == High) && !in.Authority {
		add("/authority", "Data of our own is touched and a risk is not unlikely: the authority is told (Article 33(1)).")
	}
	if len(bad) > 0 {
		return controlplane.Invalid(bad...)
	}
	return nil
}

// ruleDecision refuses a decision about one duty that says nothing, or is about none.
func ruleDecision(tx *db.Tx, c caseRow, in NewDecision) error {
	if in.Likelihood != "" || in.Severity != "" || in.Authority || in.People || in.Exemption != NoExemption {
		return invalid("/rule", "Decide about this duty alone, or about the risk.")
	}
	packs, err := packsIn(tx)
	if err != nil {
		return err
	}
	known := slices.ContainsFunc(packs, func(p packAt) bool {
		return slices.ContainsFunc(p.Rules, func(r law.Rule) bool { return r.ID == in.Rule })
	})
	switch {
	case !known:
		return invalid("/rule", "There is no such duty.")
	case processorRule(in.Rule) && in.NotDue:
		return invalid("/rule", "A customer who is affected is always told. Clear them, if they are not.")
	}
	return nil
}

// stands is the latest decision about the risk, and ok false where there is none.
func stands(all []Decision) (d Decision, ok bool) {
	for _, x := range all {
		if x.Rule == "" {
			d, ok = x, true
		}
	}
	return d, ok
}
