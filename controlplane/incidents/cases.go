package incidents

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/incidents/law"
	"ostler/controlplane/policy"
)

// CaseFilter selects cases, newest first.
type CaseFilter struct {
	State    State // "" is all
	Customer string
	Server   string
	Drills   bool // exercises, too
	Limit    int  // 0 is 50, at most 200
	Token    string
}

// change changes a case that goes on: fn says for which customers something
// changed, and enters what it did in the ledger.
func (s *Service) change(ctx context.Context, scope policy.Scope, id, act string, fn func(tx *db.Tx, row *caseRow, d *caseData) (touched []string, err error), states ...State) (out Case, err error) {
	if !scope.All() {
		return out, controlplane.NotFound("case")
	}
	if err := s.ready(ctx); err != nil {
		return out, err
	}
	if len(states) == 0 {
		states = []State{Open}
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		row, err := caseRowIn(tx, scope, id)
		if err != nil {
			return err
		}
		if !slices.Contains(states, State(row.State)) {
			return wrongState(row)
		}
		d, err := s.dataOf(row)
		if err != nil {
			return err
		}
		was := State(row.State)
		touched, err := fn(tx, &row, &d)
		if err != nil {
			return err
		}
		if err := s.saveCase(tx, &row, d); err != nil {
			return err
		}
		if err := s.recount(tx, row.ID); err != nil {
			return err
		}
		if err := s.tellAffected(tx, row.ID, touched); err != nil {
			return err
		}
		if out, err = s.caseIn(tx, scope, row.ID); err != nil || was != Open || out.State == Open {
			return err
		}
		for _, f := range s.onClosed {
			if err := f(tx, out); err != nil {
				return err
			}
		}
		return nil
	})
	return out, wrap(act, err)
}

// wrongState says why a case cannot be changed so.
func wrongState(row caseRow) error {
	switch State(row.State) {
	case Open:
		return conflict("There is nothing to do.", "The case is open")
	case Merged:
		return conflict("Open the case that it goes on in.", "This case goes on in another one")
	}
	return conflict("Reopen it first, and say why.", "This case is closed")
}

// Get returns a case whole, by id or number. Permission: incident.read, of staff.
func (s *Service) Get(ctx context.Context, scope policy.Scope, ref string) (c Case, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error { c, err = s.caseIn(tx, scope, ref); return err })
	return c, wrap("get", err)
}

// Clocks are all duties of a case: the company's own first, then one a customer.
// Permission: incident.read, of staff.
func (s *Service) Clocks(ctx context.Context, scope policy.Scope, id string) (out []Clock, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		d, err := s.dossierIn(tx, scope, id)
		if err != nil {
			return err
		}
		out = d.clocks()
		return nil
	})
	return out, wrap("clocks", err)
}

// AsKnown returns a case's awareness and clocks as they were known at an instant.
// Permission: incident.read, of staff. Errors: invalid for the future, not found
// also where the case was not there yet.
func (s *Service) AsKnown(ctx context.Context, scope policy.Scope, ref string, known time.Time) (c Case, clocks []Clock, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		if known.After(tx.Now.Add(law.Skew)) {
			return invalid("/known", "This is in the future.")
		}
		d, err := s.dossierIn(tx, scope, ref)
		if err != nil {
			return err
		}
		if err := s.backTo(tx, d, known); err != nil {
			return err
		}
		clocks = d.clocks()
		c = d.plain()
		c.NextDue, c.Late = nextOf(clocks)
		c.ShadowDue = shadowOf(clocks)
		c.Servers, c.Awareness, c.Decisions = d.servers, d.assertions, d.decisions
		c.Significant, c.AssessBy = law.Significant(d.company().Entity, d.impact()), d.assessBy(s.opts.Assess)
		c.Affected, err = s.affectedOf(d, clocks)
		return err
	})
	return c, clocks, wrap("as known", err)
}

// backTo makes of a dossier what it was at an instant.
func (s *Service) backTo(tx *db.Tx, d *dossier, known time.Time) error {
	v, ok, err := versionAt(tx, d.row.ID, known.UnixMilli())
	if err != nil {
		return err
	}
	if !ok {
		return controlplane.NotFound("case at that time")
	}
	text, err := s.open("", "incident_versions", "data", d.row.ID+":"+strconv.FormatInt(v.Version, 10), v.Data)
	if err != nil {
		return err
	}
	var was struct {
		Row  caseRow
		Data caseData
	}
	if err := json.Unmarshal([]byte(text), &was); err != nil {
		return fmt.Errorf("read version: %w", err)
	}
	if err := s.beforeItMoved(tx, d, known); err != nil {
		return err
	}
	d.by = nil
	d.row, d.data, d.known, d.zone = was.Row, was.Data, known, zoneNamed(was.Row.Zone)
	d.affected = slices.DeleteFunc(d.affected, func(r affectedRow) bool { return d.stateOf(r) == "" })
	d.decisions = slices.DeleteFunc(d.decisions, func(x Decision) bool { return x.At.After(known) })
	d.assertions = slices.DeleteFunc(d.assertions, func(a law.Assertion) bool { return a.RecordedAt.After(known) || d.brought[a.ID] > known.UnixMilli() })
	for i, a := range d.assertions {
		if a.ConfirmedAt.After(known) {
			d.assertions[i].ConfirmedBy, d.assertions[i].ConfirmedAt = "", time.Time{}
		}
	}
	servers, err := serverRows(tx, d.row.ID, true)
	d.servers = nil
	for _, v := range servers {
		if v.AddedAt <= known.UnixMilli() && (v.RemovedAt == 0 || v.RemovedAt > known.UnixMilli()) {
			d.servers = append(d.servers, v.ServerID)
		}
	}
	return err
}

// beforeItMoved adds to a dossier who has been split off since an instant, and
// what was told in the case before it went to another one.
func (s *Service) beforeItMoved(tx *db.Tx, d *dossier, known time.Time) (err error) {
	if d.affected, err = affectedThen(tx, d.row.ID, known.UnixMilli()); err != nil {
		return err
	}
	others, err := goneOnIn(tx, d.row)
	if err != nil {
		return err
	}
	for _, id := range others {
		more, err := s.toldOf(tx, id)
		if err != nil {
			return err
		}
		d.told = append(d.told, more...)
	}
	return nil
}

// List lists cases, newest first, without who is affected. Permission:
// incident.read, of staff; nobody else has any. Errors: invalid.
func (s *Service) List(ctx context.Context, scope policy.Scope, f CaseFilter) (items []Case, next string, err error) {
	if !scope.All() {
		return nil, "", controlplane.NotFound("case")
	}
	if f.State != "" && !f.State.Valid() {
		return nil, "", invalid("/state", "Choose open, closed, false_alarm or merged.")
	}
	limit := min(max(f.Limit, 0), 200)
	if limit == 0 {
		limit = 50
	}
	at, after, err := caseToken(f.Token)
	if err != nil {
		return nil, "", err
	}
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		rows, err := caseRows(tx, f, at, after, limit+1)
		if err != nil {
			return err
		}
		if items, next = nil, ""; len(rows) > limit {
			rows = rows[:limit]
			next = strconv.FormatInt(rows[limit-1].OpenedAt, 10) + "." + rows[limit-1].ID
		}
		ids := make([]string, len(rows))
		for i, r := range rows {
			ids[i] = r.ID
		}
		servers, err := serversOfCases(tx, ids)
		if err != nil {
			return err
		}
		for _, r := range rows {
			d, err := s.dataOf(r)
			if err != nil {
				return err
			}
			c := plainCase(r, d, tx.Now)
			c.Servers = servers[r.ID]
			items = append(items, c)
		}
		return nil
	})
	return items, next, wrap("list", err)
}

// caseToken reads the token of a page.
func caseToken(token string) (at int64, id string, err error) {
	if token == "" {
		return 0, "", nil
	}
	ms, id, ok := strings.Cut(token, ".")
	at, perr := strconv.ParseInt(ms, 10, 64)
	if !ok || perr != nil || id == "" {
		return 0, "", invalid("/page_token", "This is no page of the list.")
	}
	return at, id, nil
}

// Update changes a case. Version is the one that was read; 0 takes any.
// That our own data are not touched, after all, counts where somebody is certain once
// another person confirms it (Case.Asked). Permission: incident.write. Errors: invalid,
// not found, conflict where somebody changed it since.
func (s *Service) Update(ctx context.Context, scope policy.Scope, id string, version int64, in CaseChange) (Case, error) {
	others, err := s.writers(ctx, actorOf(ctx).ID)
	if err != nil {
		return Case{}, wrap("update", err)
	}
	return s.change(ctx, scope, id, "update", func(tx *db.Tx, row *caseRow, d *caseData) ([]string, error) {
		if version != 0 && version != row.Version {
			return nil, conflict("Load it again, look at what is new, and change it then.", "Somebody has changed the case since you opened it")
		}
		in := in // this may run again
		if in.OurData != nil {
			if waits, err := s.oursTakenBack(tx, *row, *in.OurData, others); err != nil {
				return nil, err
			} else if waits {
				in.OurData = nil
			}
		}
		changed, err := s.apply(tx, row, d, in)
		if err != nil {
			return nil, err
		}
		if in.Impact != nil {
			if err := s.noteSignificant(tx, *row, d); err != nil {
				return nil, err
			}
		}
		return nil, s.enter(tx, row.ID, "incident.changed", map[string]any{"fields": changed, "version": row.Version + 1}, map[string]string{"title": deref(in.Title)})
	})
}

func deref(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}

// apply writes a change into a row and what is sealed of it, and names what changed.
func (s *Service) apply(tx *db.Tx, row *caseRow, d *caseData, in CaseChange) (changed []string, err error) {
	changed = []string{}
	var errs []error
	note := func(name string, given bool) bool {
		if given {
			changed = append(changed, name)
		}
		return given
	}
	if note("title", in.Title != nil) {
		d.Title, err = textField("/title", *in.Title, maxTitle, true)
		errs = append(errs, err)
	}
	if note("summary", in.Summary != nil) {
		d.Summary, err = textField("/summary", *in.Summary, maxPassage, false)
		errs = append(errs, err)
	}
	if note("kinds", in.Kinds != nil) {
		row.Kinds = joined(distinct(*in.Kinds))
		errs = append(errs, kindsField(*in.Kinds))
	}
	if note("our_data", in.OurData != nil) {
		if *in.OurData == law.Yes && row.ours() != law.Yes {
			d.oursFrom(tx.NowMillis(), tx.NowMillis())
		}
		row.OurData = oursColumn(*in.OurData)
		errs = append(errs, oursField(*in.OurData))
	}
	if note("channel_unsafe", in.ChannelUnsafe != nil) {
		row.ChannelUnsafe = flag(*in.ChannelUnsafe)
	}
	if note("occurred_from", in.OccurredFrom != nil) {
		row.OccurredFrom = 0
		if *in.OccurredFrom != "" {
			at, err := s.when("/occurred_from", *in.OccurredFrom, zoneNamed(row.Zone), tx.Now)
			row.OccurredFrom, errs = at.UnixMilli(), append(errs, err)
		}
	}
	if note("lead", in.Lead != nil) {
		row.Lead = *in.Lead
		errs = append(errs, s.leadField(tx, row.Lead))
	}
	if note("impact", in.Impact != nil) {
		errs = append(errs, d.applyImpact(*in.Impact))
	}
	if note("people_in", in.PeopleIn != nil) {
		d.PeopleIn, err = countriesField(*in.PeopleIn)
		errs = append(errs, err)
	}
	facts, err := s.applyFacts(tx, d, in.Facts)
	return append(changed, facts...), joinFields(append(errs, err))
}

// applyImpact writes what NIS2's significance is judged by; what nobody answered is
// not known.
func (d *caseData) applyImpact(i law.Impact) error {
	var errs []error
	for _, a := range i.Answers() {
		if *a == "" {
			*a = law.Unknown
		}
		if !a.Valid() {
			errs = append(errs, invalid("/impact", "Answer yes, no or unknown."))
		}
	}
	d.Impact = &i
	return joinFields(errs)
}

// Concerns counts the open cases, no drills, that touch whoever is in scope, and
// names the servers by which, as far as the scope reaches: what a headline must
// not pass over. Permission: incident.read.
func (s *Service) Concerns(ctx context.Context, scope policy.Scope) (servers []string, n int, err error) {
	var ids []string
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		ids, n, err = concernsIn(tx, scope)
		return err
	})
	if err != nil {
		return nil, 0, wrap("concerns", err)
	}
	found, err := s.customers.ServersByIDs(ctx, scope, ids)
	if err != nil {
		return nil, 0, wrap("concerns", err)
	}
	for _, v := range found {
		servers = append(servers, v.Name)
	}
	slices.Sort(servers)
	return servers, n, nil
}
