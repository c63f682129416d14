package incidents

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/incidents/law"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// dossier is all that a case's clocks are computed from.
type dossier struct {
	row        caseRow
	data       caseData
	servers    []string
	affected   []affectedRow
	assertions []law.Assertion
	brought    map[string]int64 // when an assertion came from another case
	decisions  []Decision
	told       []told
	called     map[string]whereRow
	theySaid   map[string][]TheirWord // by customer: what they did for their own authority
	terms      map[string][]termsRow
	companies  []companyAt
	packs      []packAt
	zone       *time.Location
	now, known time.Time // known is as of when; now, but for AsKnown
	by         *byCustomer
}

// dossierIn reads a case by id or number with all that its clocks ask.
func (s *Service) dossierIn(tx *db.Tx, scope policy.Scope, ref string) (d *dossier, err error) {
	d = &dossier{now: tx.Now, known: tx.Now}
	if d.row, err = caseRowIn(tx, scope, ref); err != nil {
		return nil, err
	}
	if d.data, err = s.dataOf(d.row); err != nil {
		return nil, err
	}
	id := d.row.ID
	servers, err := serverRows(tx, id, false)
	if err != nil {
		return nil, err
	}
	for _, v := range servers {
		d.servers = append(d.servers, v.ServerID)
	}
	if d.affected, err = affectedRows(tx, id); err != nil {
		return nil, err
	}
	if err = s.readAssertions(tx, d); err != nil {
		return nil, err
	}
	if err = s.readTheirs(tx, d); err != nil {
		return nil, err
	}
	if d.decisions, err = s.decisionsOf(tx, id); err != nil {
		return nil, err
	}
	if d.told, err = s.toldOf(tx, id); err != nil {
		return nil, err
	}
	if d.called, err = s.calledIn(tx, id); err != nil {
		return nil, err
	}
	if d.terms, err = termsOfCase(tx, id); err != nil {
		return nil, err
	}
	if d.companies, err = s.companiesIn(tx); err != nil {
		return nil, err
	}
	if d.packs, err = packsIn(tx); err != nil {
		return nil, err
	}
	d.zone = zoneNamed(d.row.Zone)
	return d, nil
}

// readAssertions reads all that was said of awareness in a case.
func (s *Service) readAssertions(tx *db.Tx, d *dossier) error {
	rows, err := assertionRows(tx, d.row.ID)
	if err != nil {
		return err
	}
	d.assertions, d.brought = make([]law.Assertion, len(rows)), map[string]int64{}
	for i, r := range rows {
		if d.assertions[i], err = s.assertionOf(r); err != nil {
			return err
		}
		d.brought[r.ID] = r.BroughtAt
	}
	return nil
}

// caseIn is a case whole, by id or number, with everything that hangs on it and
// its clocks. Only staff find one.
func (s *Service) caseIn(tx *db.Tx, scope policy.Scope, ref string) (Case, error) {
	d, err := s.dossierIn(tx, scope, ref)
	if err != nil {
		return Case{}, err
	}
	return s.caseOf(tx, d)
}

// caseOf makes a case of what was read.
func (s *Service) caseOf(tx *db.Tx, d *dossier) (c Case, err error) {
	c = d.plain()
	clocks := d.clocks()
	c.NextDue, c.Late = nextOf(clocks)
	if c.ShadowDue = shadowOf(clocks); c.State != Open {
		c.NextDue, c.ShadowDue, c.Late = time.Time{}, time.Time{}, false
	}
	c.Servers, c.Awareness, c.Decisions = d.servers, d.assertions, d.decisions
	c.Significant = law.Significant(d.company().Entity, d.impact())
	c.AssessBy = d.assessBy(s.opts.Assess)
	if c.Affected, err = s.affectedOf(d, clocks); err != nil {
		return c, err
	}
	if c.Asked, err = s.askedOf(tx, d.row.ID); err != nil {
		return c, err
	}
	if c.Tasks, err = s.tasksOf(tx, d.row.ID); err != nil {
		return c, err
	}
	c.Actions, err = s.actionsOf(tx, d.row.ID)
	return c, err
}

// plain is a case without what hangs on it.
func (d *dossier) plain() Case { return plainCase(d.row, d.data, d.now) }

func plainCase(r caseRow, data caseData, now time.Time) Case {
	at := controlplane.FromMillis
	return Case{ID: r.ID, Number: r.numberOf(), Title: data.Title, Summary: data.Summary, Kinds: parted[Kind](r.Kinds), State: State(r.State), Drill: r.Drill == 1,
		OurData: r.ours(), ChannelUnsafe: r.ChannelUnsafe == 1, Zone: r.Zone, DetectedAt: at(r.DetectedAt), OccurredFrom: at(r.OccurredFrom),
		Impact: impactOf(data), PeopleIn: data.PeopleIn, ContainedAt: at(r.ContainedAt), HandledAt: at(r.HandledAt), OpenedAt: at(r.OpenedAt), OpenedBy: r.OpenedBy, Lead: r.Lead, Source: r.Source,
		FrozenUntil: at(r.FrozenUntil), FrozenGround: data.FrozenGround, MergedInto: r.MergedInto, ClosedAt: at(r.ClosedAt), ClosedWhy: data.ClosedWhy,
		NextDue: at(r.NextDue), ShadowDue: at(r.ShadowDue), Facts: allFacts(data.Facts), Late: r.Late == 1 || r.State == string(Open) && r.NextDue > 0 && r.NextDue < now.UnixMilli(), Version: r.Version}
}

// impact is what is known of what NIS2 judges by.
func (d *dossier) impact() law.Impact { return impactOf(d.data) }

func impactOf(d caseData) law.Impact {
	if d.Impact != nil {
		return *d.Impact
	}
	return unknownImpact()
}

// unknownImpact is an impact of which nothing is known.
func unknownImpact() law.Impact {
	return law.Impact{OutageMinutes: -1, LimitedMinutes: -1, LimitedPercent: -1, LimitedUsers: -1, Malicious: law.Unknown, CompromisedPct: -1, CompromisedUser: -1,
		PhysicalAccess: law.Unknown, LossEUR: -1, LossPercent: -1, TradeSecrets: law.Unknown, Harm: law.Unknown, Intrusion: law.Unknown, Recurring: law.Unknown}
}

// affectedOf are the customers in a case, those known to be affected first.
func (s *Service) affectedOf(d *dossier, clocks []Clock) ([]Affected, error) {
	var err error
	at := controlplane.FromMillis
	byCustomer := map[string]Clock{}
	for _, c := range clocks {
		if c.Customer != "" && processorRule(c.Rule) {
			if was, ok := byCustomer[c.Customer]; !ok || c.runs() && (!was.runs() || c.Strict.Before(was.Strict)) {
				byCustomer[c.Customer] = c
			}
		}
	}
	notices := map[string][]string{}
	for _, n := range d.told {
		notices[n.Customer] = append(notices[n.Customer], n.Notice)
	}
	out := make([]Affected, len(d.affected))
	for i, r := range d.affected {
		a := Affected{Case: r.CaseID, Customer: r.CustomerID, Name: d.called[r.CustomerID].Name, State: d.stateOf(r), Servers: parted[string](r.Servers), AddedAt: at(r.AddedAt),
			ClearedAt: at(r.ClearedAt), Clock: byCustomer[r.CustomerID], Notices: notices[r.CustomerID]}
		if a.Because, err = s.openOr(r.CustomerID, "incident_affected", "because", r.CaseID, r.Because); err != nil {
			return nil, err
		}
		if a.ClearedWhy, err = s.openOr(r.CustomerID, "incident_affected", "cleared_why", r.CaseID, r.ClearedWhy); err != nil {
			return nil, err
		}
		a.SuspectedAt, a.KnownAt = d.awareOf(r.CustomerID)
		a.ToldAt = d.toldAt(r.CustomerID)
		a.Role, a.Financial, a.TheySaid = d.roleOf(r), d.termsNow(r.CustomerID).Financial, d.saidBy(r.CustomerID)
		a.TheyKnewAt, a.TheyKnewBy = d.theyKnew(r)
		if their := earlier(a.ToldAt, a.TheyKnewAt); !their.IsZero() && a.Role != Processor {
			a.TheirDue = their.Add(72 * time.Hour)
		}
		out[i] = a
	}
	rank := map[AffectedState]int{Certain: 0, Possible: 1, Cleared: 2}
	slices.SortStableFunc(out, func(a, b Affected) int {
		if n := rank[a.State] - rank[b.State]; n != 0 {
			return n
		}
		return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name))
	})
	return out, nil
}

// ready makes the keys that a transaction seals with.
func (s *Service) ready(ctx context.Context, customers ...string) error {
	for _, c := range append(customers, "") {
		if err := s.keeper.EnsureKey(ctx, c); err != nil {
			return fmt.Errorf("incidents: %w", err)
		}
	}
	return nil
}

// enter appends to the company's own ledger, about a case.
func (s *Service) enter(tx *db.Tx, incident, kind string, data map[string]any, personal map[string]string) error {
	for k, v := range personal {
		if v == "" {
			delete(personal, k)
		}
	}
	_, err := s.ledger.Append(tx, ledger.Entry{Subject: incident, Kind: kind, Data: data, Personal: personal})
	return err
}

// everyone is the scope of the plane's own work on incidents.
func everyone() policy.Scope { return policy.AllCustomers("incidents: a case and its customers") }

// asSystem is the plane's own work.
func asSystem(ctx context.Context) context.Context { return controlplane.System(ctx, "incidents") }

// actorOf is who acts.
func actorOf(ctx context.Context) controlplane.Actor {
	a, _ := controlplane.ActorFrom(ctx)
	return a
}

// wrap says where an error was met that is not for people.
func wrap(act string, err error) error {
	if err == nil || controlplane.ErrorCode(err) != controlplane.CodeInternal {
		return err
	}
	return fmt.Errorf("incidents: %s: %w", act, err)
}

func conflict(next, format string, args ...any) error {
	return controlplane.Errorf(controlplane.CodeConflict, next, format, args...)
}

func invalid(pointer, message string) error {
	return controlplane.Invalid(controlplane.Field{Pointer: pointer, Message: message})
}

// textField is a text that somebody wrote, at most max runes; required says that
// it may not be empty.
func textField(pointer, text string, limit int, required bool) (string, error) {
	text = strings.TrimSpace(strings.ToValidUTF8(text, "?"))
	switch {
	case text == "" && required:
		return "", invalid(pointer, "Say it in a sentence.")
	case len([]rune(text)) > limit:
		return "", invalid(pointer, fmt.Sprintf("At most %d characters.", limit))
	}
	return text, nil
}

// zoneNamed is a zone by its IANA name; UTC where there is none of the name.
func zoneNamed(name string) *time.Location {
	if z, err := time.LoadLocation(name); err == nil && name != "" {
		return z
	}
	return time.UTC
}
