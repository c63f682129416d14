package incidents

import (
	"context"
	"errors"
	"slices"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/incidents/law"
	"ostler/controlplane/policy"
)

// Bounds of what people write, in characters.
const (
	maxTitle   = 200
	maxPassage = 4000
)

func (s *Service) registerCases() {
	s.due = append(s.due, s.casesDue)
	s.customers.OnTenancyMade(s.tenancyMade)
	s.onDelivered = append(s.onDelivered, func(tx *db.Tx, n Notice) error {
		if n.Case == "" {
			return nil
		}
		return s.recount(tx, n.Case)
	})
}

// opening is a new case whose words were checked.
type opening struct {
	NewCase
	zone            *time.Location
	detected, aware time.Time
	servers         []string
	named           []string // customers named beside servers
}

// Open opens a case: one sentence is enough. The tenants of its servers are
// possibly affected; customers who are named are as certain as the case itself.
// Permission: incident.write. Errors: invalid, forbidden for everybody but staff.
func (s *Service) Open(ctx context.Context, scope policy.Scope, in NewCase) (out Case, err error) {
	if !scope.All() {
		return out, controlplane.Errorf(controlplane.CodeForbidden, "Report what you saw instead.", "Cases are opened by people of the hosting company")
	}
	if err := s.ready(ctx); err != nil {
		return out, err
	}
	o, err := s.checkOpening(ctx, scope, in)
	if err != nil {
		return out, wrap("open", err)
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		id, err := s.openIn(tx, o)
		if err != nil {
			return err
		}
		out, err = s.caseIn(tx, scope, id)
		return err
	})
	return out, wrap("open", err)
}

// checkOpening checks what somebody wrote about a new case.
func (s *Service) checkOpening(ctx context.Context, scope policy.Scope, in NewCase) (o opening, err error) {
	o.NewCase = in
	var errs []error
	text := func(pointer string, to *string, limit int, required bool) {
		v, err := textField(pointer, *to, limit, required)
		*to, errs = v, append(errs, err)
	}
	text("/title", &o.Title, maxTitle, true)
	text("/summary", &o.Summary, maxPassage, false)
	text("/ground", &o.Ground, maxPassage, false)
	if o.Ground == "" {
		o.Ground = o.Title
	}
	if o.Certainty == "" {
		o.Certainty = law.Suspected
	}
	if !o.Certainty.Valid() {
		errs = append(errs, invalid("/certainty", "Say suspected or certain."))
	}
	if o.OurData == "" {
		o.OurData = law.Unknown
	}
	errs = append(errs, kindsField(o.Kinds), oursField(o.OurData))
	if o.Lead == "" {
		o.Lead = actorOf(ctx).ID
	}
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		zone, now, err := s.zoneIn(tx)
		if err != nil {
			return err
		}
		o.zone = zone
		o.aware, err = s.awareWhen("/aware", in.Aware, zone, now)
		errs = append(errs, err)
		o.detected, err = s.when("/detected", in.Detected, zone, now)
		errs = append(errs, err)
		if in.Detected == "" {
			o.detected = o.aware
		}
		o.servers, err = s.serversOf(tx, scope, in.Servers)
		errs = append(errs, err)
		o.named, err = s.customersOf(tx, scope, in.Customers)
		errs = append(errs, err, s.leadField(tx, o.Lead))
		return nil
	})
	if err = errors.Join(err, joinFields(errs)); err != nil {
		return o, err
	}
	return o, s.ready(ctx, o.named...)
}

// joinFields is all that is wrong with an input as one error; what is no field's
// comes before.
func joinFields(errs []error) error {
	var fields []controlplane.Field
	for _, err := range errs {
		var e *controlplane.Error
		switch {
		case err == nil:
		case errors.As(err, &e) && e.Code == controlplane.CodeInvalid:
			fields = append(fields, e.Fields...)
		default:
			return err
		}
	}
	if len(fields) == 0 {
		return nil
	}
	return controlplane.Invalid(fields...)
}

func kindsField(kinds []Kind) error {
	for _, k := range kinds {
		if !k.Valid() {
			return invalid("/kinds", "Choose among destruction, loss, alteration, disclosure and access.")
		}
	}
	return nil
}

// oursField checks an answer to whether our own data is touched.
func oursField(a law.Answer) error {
	if !a.Valid() {
		return invalid("/our_data", "Answer yes, no or unknown.")
	}
	return nil
}

// leadField checks who leads a case: one of our people, or the plane itself.
func (s *Service) leadField(tx *db.Tx, lead string) error {
	if !controlplane.ValidID(controlplane.PrefixStaff, lead) {
		if actorOf(tx.Context()).ID == lead {
			return nil
		}
		return invalid("/lead", "Choose one of our people.")
	}
	_, err := s.identity.NameIn(tx, lead)
	if controlplane.ErrorCode(err) == controlplane.CodeNotFound {
		return invalid("/lead", "Choose one of our people.")
	}
	return err
}

// zoneIn is the company's zone, and now.
func (s *Service) zoneIn(tx *db.Tx) (*time.Location, time.Time, error) {
	list, err := s.companiesIn(tx)
	if err != nil || len(list) == 0 || list[len(list)-1].Zone == "" {
		return s.opts.Zone, tx.Now, err
	}
	return zoneNamed(list[len(list)-1].Zone), tx.Now, nil
}

// when reads an instant that somebody wrote; "" is now. Errors: invalid for a
// local time that is none or two, and for the future.
func (s *Service) when(pointer string, at At, zone *time.Location, now time.Time) (time.Time, error) {
	if at == "" {
		return now, nil
	}
	t, err := law.ParseTime(string(at), zone)
	switch {
	case errors.Is(err, law.ErrAmbiguous):
		return t, invalid(pointer, "The clocks were set back: this time was twice. Write it with its offset, as in 2026-10-25T02:30:00+02:00.")
	case errors.Is(err, law.ErrNonexistent):
		return t, invalid(pointer, "The clocks were set forward: this time never was. Write it with its offset, as in 2026-03-29T03:30:00+02:00.")
	case err != nil:
		return t, invalid(pointer, "Write a date and a time, as in 2026-10-23 10:30.")
	case t.After(now.Add(law.Skew)):
		return t, invalid(pointer, "This is in the future.")
	}
	return t.UTC().Truncate(time.Millisecond), nil
}

// gdprFrom is since when the GDPR applies (Article 99): the first law on breaches that
// every rule here goes back to.
var gdprFrom = time.Date(2018, 5, 25, 0, 0, 0, 0, time.UTC)

// awareWhen reads since when somebody was aware. Errors: those of when, and invalid
// for before the law: a year that was mistyped would begin a clock that no rule knows.
func (s *Service) awareWhen(pointer string, at At, zone *time.Location, now time.Time) (time.Time, error) {
	t, err := s.when(pointer, at, zone, now)
	if err == nil && t.Before(gdprFrom) {
		return t, invalid(pointer, "This is before the GDPR applied, on 25 May 2018: look at the year.")
	}
	return t, err
}

// serversOf and customersOf find what somebody named, by id or name.
func (s *Service) serversOf(tx *db.Tx, scope policy.Scope, refs []string) (ids []string, err error) {
	for _, ref := range refs {
		v, err := s.customers.ServerIn(tx, scope, ref)
		if controlplane.ErrorCode(err) == controlplane.CodeNotFound {
			return nil, invalid("/servers", "There is no such server.")
		}
		if err != nil {
			return nil, err
		}
		ids = append(ids, v.ID)
	}
	return distinct(ids), nil
}

func (s *Service) customersOf(tx *db.Tx, scope policy.Scope, refs []string) (ids []string, err error) {
	for _, ref := range refs {
		c, err := s.customers.CustomerIn(tx, scope, ref)
		if controlplane.ErrorCode(err) == controlplane.CodeNotFound {
			return nil, invalid("/customers", "There is no such customer.")
		}
		if err != nil {
			return nil, err
		}
		ids = append(ids, c.ID)
	}
	return distinct(ids), nil
}

// openIn opens a case in a transaction and returns its id.
func (s *Service) openIn(tx *db.Tx, o opening) (string, error) {
	if err := s.ensureRules(tx); err != nil {
		return "", err
	}
	year := tx.Now.In(o.zone).Year()
	seq, err := nextSeq(tx, year)
	if err != nil {
		return "", err
	}
	row := caseRow{ID: controlplane.NewID(controlplane.PrefixIncident), Year: int64(year), Seq: seq, State: string(Open), Drill: flag(o.Drill), OurData: oursColumn(o.OurData),
		ChannelUnsafe: flag(o.ChannelUnsafe), Kinds: joined(distinct(o.Kinds)), Zone: o.zone.String(), DetectedAt: o.detected.UnixMilli(), OpenedAt: tx.NowMillis(),
		OpenedBy: actorOf(tx.Context()).ID, Lead: o.Lead, Source: o.Source}
	if err := s.saveCase(tx, &row, caseData{Title: o.Title, Summary: o.Summary, OurDataAt: flag(o.OurData == law.Yes) * ourDataAlways}); err != nil {
		return "", err
	}
	data := map[string]any{"number": row.numberOf(), "drill": o.Drill, "servers": o.servers, "customers": o.named, "our_data": string(o.OurData), "detected": controlplane.Instant(o.detected)}
	if err := s.enter(tx, row.ID, "incident.opened", data, map[string]string{"title": o.Title}); err != nil {
		return "", err
	}
	if _, err := s.assert(tx, row, law.Assertion{Certainty: o.Certainty, At: o.aware, Ground: o.Ground}); err != nil {
		return "", err
	}
	state := Possible
	if o.Certainty == law.Certain {
		state = Certain
	}
	touched, err := s.putServers(tx, row, o.servers)
	if err == nil && len(o.named) > 0 {
		var more []string
		more, err = s.putCustomers(tx, row, joining{customers: by(o.named, nil), state: state, since: o.aware, because: o.Ground, beginning: true})
		touched = append(touched, more...)
	}
	if err != nil {
		return "", err
	}
	if err := s.recount(tx, row.ID); err != nil {
		return "", err
	}
	return row.ID, s.tellAffected(tx, row.ID, touched)
}

// putServers puts servers into a case, and their tenants as possibly affected
// since the case itself is suspected. It returns the customers.
func (s *Service) putServers(tx *db.Tx, row caseRow, servers []string) ([]string, error) {
	tenants, err := s.tenantsOf(tx, servers)
	if err != nil || len(servers) == 0 {
		return nil, err
	}
	for _, v := range servers {
		r := serverRow{CaseID: row.ID, ServerID: v, AddedAt: tx.NowMillis(), AddedBy: actorOf(tx.Context()).ID}
		if err := db.Upsert(tx, &r, "case_id", "server_id"); err != nil {
			return nil, err
		}
	}
	return s.putCustomers(tx, row, joining{customers: tenants, state: Possible, beginning: true})
}

// tenantsOf are the servers by which each customer lives on some of them.
func (s *Service) tenantsOf(tx *db.Tx, servers []string) (map[string][]string, error) {
	out := map[string][]string{}
	for part := range slices.Chunk(servers, 50) {
		list, err := s.customers.TenanciesIn(tx, everyone(), customers.TenancyFilter{Servers: part, Short: true})
		if err != nil {
			return nil, err
		}
		for _, t := range list {
			out[t.Customer] = distinct(append(out[t.Customer], t.Server))
		}
	}
	return out, nil
}

// by is each customer with the same servers.
func by(customers []string, servers []string) map[string][]string {
	out := make(map[string][]string, len(customers))
	for _, c := range customers {
		out[c] = servers
	}
	return out
}

// tellAffected tells whoever asked of customers who came into a case, or whose
// state in it changed.
func (s *Service) tellAffected(tx *db.Tx, incident string, touched []string) error {
	if len(touched) == 0 {
		return nil
	}
	c, err := s.caseIn(tx, everyone(), incident)
	if err != nil {
		return err
	}
	in := make(map[string]bool, len(touched))
	for _, id := range touched {
		in[id] = true
	}
	for _, a := range c.Affected {
		for _, f := range s.onAffected {
			if !in[a.Customer] {
				continue
			}
			if err := f(tx, c, a); err != nil {
				return err
			}
		}
	}
	return nil
}
