package access

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// AddPaper records a person's agreement, training or acknowledgement; it replaces
// the one before of its kind. Permission: access.write; a person acknowledges a
// brief themselves, and records nothing else of their own.
func (s *Service) AddPaper(ctx context.Context, scope policy.Scope, p Paper) (out Paper, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		row, _, err := s.personFor(tx, scope, p.Person)
		if err != nil {
			return err
		}
		self := row.StaffID != "" && row.StaffID == actorOf(ctx).ID
		if self && p.Kind != PaperBrief {
			return controlplane.Errorf(controlplane.CodeForbidden, "Ask a colleague to record it.", "Nobody records an agreement or a training of their own")
		}
		if !self {
			if err := may(ctx, policy.AccessWrite); err != nil {
				return err
			}
			if err := overAll(scope); err != nil {
				return err
			}
		}
		if out, err = s.checkPaper(tx, scope, p); err != nil {
			return err
		}
		return s.insertPaper(tx, &out)
	})
	return out, wrap("add paper", err)
}

func (s *Service) checkPaper(tx *db.Tx, scope policy.Scope, p Paper) (Paper, error) {
	var c inputs
	p.ID, p.RecordedBy = controlplane.NewID(controlplane.PrefixPaper), actorOf(tx.Context()).ID
	p.Version = c.line("/version", p.Version, maxShort, "")
	p.Reference = c.line("/reference", p.Reference, maxShort, "")
	if p.From.IsZero() {
		p.From = tx.Now
	}
	switch {
	case !p.Kind.Valid():
		c.add("/kind", "Choose confidentiality, training or brief.")
	case p.Kind == PaperBrief && p.Customer == "":
		c.add("/customer", "Say whose brief this is.")
	case p.Kind != PaperBrief && p.Customer != "":
		c.add("/customer", "Only a brief belongs to a customer.")
	case p.Kind == PaperTraining && p.Until.IsZero():
		c.add("/until", "Say until when the training counts.")
	}
	if !p.Until.IsZero() && !p.Until.After(p.From) {
		c.add("/until", "It must end after it begins.")
	}
	if p.Kind == PaperBrief && p.Customer != "" {
		customer, err := s.customers.CustomerIn(tx, scope, p.Customer)
		if err != nil {
			return p, err
		}
		p.Customer = customer.ID
		terms, err := s.termsIn(tx, p.Customer)
		if err != nil {
			return p, err
		}
		switch {
		case terms.BriefVersion == "":
			c.add("/customer", "This customer has no duty brief to acknowledge.")
		case p.Version == "":
			p.Version = terms.BriefVersion
		case p.Version != terms.BriefVersion:
			c.add("/version", fmt.Sprintf("The brief has the version %s now. Read that one.", terms.BriefVersion))
		}
	}
	return p, c.err()
}

func (s *Service) insertPaper(tx *db.Tx, p *Paper) error {
	reference, err := s.seal("", "access_papers", "reference", p.ID, p.Reference)
	if err != nil {
		return err
	}
	if err := replacePapers(tx, *p); err != nil {
		return err
	}
	row := paperRow{ID: p.ID, PersonID: p.Person, Kind: string(p.Kind), CustomerID: p.Customer, Version: p.Version, FromAt: controlplane.Millis(p.From),
		UntilAt: controlplane.Millis(p.Until), RecordedBy: p.RecordedBy, RecordedAt: tx.NowMillis(), Reference: reference}
	if err := db.Insert(tx, &row); err != nil {
		return err
	}
	if err := s.findings.Close(tx, paperFinding(row), "a newer one was recorded"); err != nil {
		return err
	}
	_, err = s.ledger.Append(tx, ledger.Entry{Customer: p.Customer, Subject: p.ID, Kind: "paper.recorded", Data: map[string]any{"person": p.Person, "kind": string(p.Kind),
		"version": p.Version, "from": controlplane.Instant(p.From), "until": controlplane.Instant(p.Until)}})
	return err
}

// withPapers opens persons and the newest of each kind of their papers, as the
// scope may see them.
func (s *Service) withPapers(tx *db.Tx, scope policy.Scope, rows []personRow) (out []Person, err error) {
	ids := make([]string, len(rows))
	for i, r := range rows {
		ids[i] = r.ID
	}
	papers, err := papersOf(tx, ids)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		p, err := s.person(r)
		if err != nil {
			return nil, err
		}
		for _, row := range papers[r.ID] {
			if row.ReplacedAt != 0 || row.CustomerID != "" && !scope.Allows(row.CustomerID) {
				continue
			}
			paper, err := s.paper(row)
			if err != nil {
				return nil, err
			}
			p.Papers = append(p.Papers, paper)
		}
		out = append(out, p.shown(scope))
	}
	return out, nil
}

// missingPaper says what a person lacks who is to reach a customer's servers
// from an instant on; "" is nothing.
func missingPaper(papers []paperRow, terms Terms, from time.Time) string {
	good := func(kind PaperKind, customer, version string) (there, valid bool) {
		for _, p := range papers {
			if p.ReplacedAt != 0 || PaperKind(p.Kind) != kind || p.CustomerID != customer || version != "" && p.Version != version {
				continue
			}
			there = true
			valid = valid || p.holds(controlplane.Millis(from))
		}
		return there, valid
	}
	for _, need := range []struct {
		kind              PaperKind
		customer, version string
		none, over        string
	}{
		{PaperConfidentiality, "", "", "has signed no confidentiality agreement", "has a confidentiality agreement that does not hold then"},
		{PaperTraining, "", "", "has no training on record", "has a training that has run out by then"},
		{PaperBrief, terms.Customer, terms.BriefVersion, "has not acknowledged this customer's duty brief (version " + terms.BriefVersion + ")", "has an acknowledgement of the duty brief that has run out by then"},
	} {
		if need.kind == PaperBrief && terms.BriefVersion == "" {
			continue
		}
		switch there, valid := good(need.kind, need.customer, need.version); {
		case !there:
			return need.none
		case !valid:
			return need.over
		}
	}
	return ""
}

// gate refuses persons who lack a paper, and names each of them.
func (s *Service) gate(tx *db.Tx, pointer string, persons []personRow, terms Terms, from time.Time) error {
	byID, err := s.answerable(tx, persons)
	if err != nil {
		return err
	}
	ids := make([]string, 0, len(persons))
	for _, p := range persons {
		ids = append(ids, byID[p.ID].ID)
	}
	papers, err := papersOf(tx, ids)
	if err != nil {
		return err
	}
	var problems []string
	for _, p := range persons {
		name, err := s.open(p.CustomerID, "access_persons", "name", p.ID, p.Name)
		if err != nil {
			return err
		}
		switch {
		case p.LeftAt != 0:
			problems = append(problems, name+" has left")
		case byID[p.ID].LeftAt != 0:
			problems = append(problems, "whoever answers for "+name+" has left")
		case PersonKind(p.Kind) == KindCustomer: // bound to their own company, not to ours
		default:
			if lacks := missingPaper(papers[byID[p.ID].ID], terms, from); lacks != "" {
				problems = append(problems, name+" "+lacks)
			}
		}
	}
	if problems == nil {
		return nil
	}
	slices.Sort(problems)
	return controlplane.Invalid(controlplane.Field{Pointer: pointer, Message: strings.Join(problems, "; ") + ". Record it first, then grant access."})
}

// answerable are the humans whose papers count, by person: service accounts
// have those of their owners.
func (s *Service) answerable(tx *db.Tx, persons []personRow) (map[string]personRow, error) {
	out := map[string]personRow{}
	for _, p := range persons {
		out[p.ID] = p
		if PersonKind(p.Kind) != KindService {
			continue
		}
		owner, err := onePerson(tx, p.OwnerID)
		if err != nil {
			return nil, err
		}
		out[p.ID] = owner
	}
	return out, nil
}

// paperAhead is how long before its end a paper is asked for anew.
const paperAhead = 30 * 24 * time.Hour

var paperWords = map[PaperKind]string{PaperConfidentiality: "The confidentiality agreement", PaperTraining: "The training", PaperBrief: "The acknowledgement of the duty brief"}

// papersDue raises a finding of each paper that ends within thirty days.
func (s *Service) papersDue(ctx context.Context) error {
	ctx = controlplane.System(ctx, "access")
	return wrap("papers due", s.db.Write(ctx, func(tx *db.Tx) error {
		rows, err := endingPapers(tx)
		if err != nil || len(rows) == 0 {
			return err
		}
		for _, r := range rows {
			if err := s.raisePaper(tx, r); err != nil {
				return err
			}
		}
		return nil
	}))
}

func (s *Service) raisePaper(tx *db.Tx, r paperRow) error {
	names, err := s.namesIn(tx, []string{r.PersonID})
	if err != nil {
		return err
	}
	args, severity, told := map[string]string{"person": names[r.PersonID], "what": paperWords[PaperKind(r.Kind)]}, findings.Warn, int64(1)
	if left := millis(r.UntilAt).Sub(tx.Now); left > 0 {
		args["for"] = findings.Ago("en", left)
	} else {
		severity, told = findings.Bad, 2
	}
	if r.CustomerID != "" {
		c, err := s.customers.CustomerIn(tx, everybody, r.CustomerID)
		if err != nil {
			return err
		}
		args["where"] = c.Name
	}
	if err := markTold(tx, r.ID, told); err != nil {
		return err
	}
	return s.findings.Raise(tx, findings.Finding{Key: paperFinding(r), Customer: r.CustomerID, Subject: r.PersonID, Kind: findings.AccessPaperExpiring, Severity: severity,
		Owner: findings.Ops, Args: args, Link: "/access/persons/" + r.PersonID})
}
