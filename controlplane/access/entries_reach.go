package access

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/policy"
)

// sourceEntry is the source of wants that come of entries.
const sourceEntry = "entry"

// reaches are the lists on which an entry puts somebody: customer and server, ""
// for all of the customer's. Whoever reaches a server that several customers
// share stands on the list of each. A customer's own people, keys of backups and
// restores reach that customer alone.
func (r entryRow) reaches(hosts []host, places map[string]Facility) (out [][2]string) {
	alone := r.Way == string(WayCustomer) || r.Way == string(WayBackupKey) || r.Way == string(WayRestore)
	add := func(customer, server string) { out = append(out, [2]string{customer, server}) }
	if r.CustomerID != "" {
		add(r.CustomerID, "")
	}
	all := map[string]bool{}
	for _, h := range hosts {
		switch {
		case r.CustomerID != "":
			if alone || !slices.Contains(h.Customers, r.CustomerID) {
				continue
			}
			for _, c := range h.Customers {
				if c != r.CustomerID {
					add(c, h.ID)
				}
			}
		case r.ServerID != "" && r.ServerID != h.ID:
		case r.FacilityID != "" && !places[r.FacilityID].stands(h.Location, r.Rack):
		case r.ServerID != "" || r.FacilityID != "":
			for _, c := range h.Customers {
				add(c, h.ID)
			}
		default:
			for _, c := range h.Customers {
				if !all[c] {
					all[c] = true
					add(c, "")
				}
			}
		}
	}
	return out
}

// settleEntries makes the lists equal to the open entries of a condition.
func (s *Service) settleEntries(tx *db.Tx, where string, args ...any) error {
	rows, err := openEntries(tx, where, args...)
	if err != nil || len(rows) == 0 {
		return err
	}
	_, err = s.settleRows(tx, rows, nil)
	return err
}

// settleRows makes the lists of these customers (nil is all) equal to these entries.
func (s *Service) settleRows(tx *db.Tx, rows []entryRow, only []string) ([]Change, error) {
	hosts, err := s.hostsOf(tx, everyone())
	if err != nil {
		return nil, err
	}
	all, err := facilities(tx)
	if err != nil {
		return nil, err
	}
	places := map[string]Facility{}
	for _, f := range all {
		places[f.ID] = f
	}
	var ids, persons []string
	for _, r := range rows {
		ids, persons = append(ids, r.ID), append(persons, r.PersonID)
	}
	left, err := leftOf(tx, persons, tx.Now)
	if err != nil {
		return nil, err
	}
	var wants []want
	for _, r := range rows {
		if left[r.PersonID] {
			continue
		}
		why, err := s.open(r.CustomerID, "access_entries", "reason", r.ID, r.Reason)
		if err != nil {
			return nil, fmt.Errorf("entry %s: %w", r.ID, err)
		}
		for _, at := range r.reaches(hosts, places) {
			if only != nil && !slices.Contains(only, at[0]) {
				continue
			}
			w := want{Customer: at[0], Server: at[1], Person: r.PersonID, Way: Way(r.Way), Role: r.Role, Ground: r.ID, Until: controlplane.FromMillis(r.UntilAt), Why: why}
			if r.CustomerID != "" && r.CustomerID != at[0] { // a neighbour's reason is the neighbour's
				w.Why = "reaches a server that you share with others"
			}
			// A server that comes later is reached from then on, not from the entry's beginning.
			if from := controlplane.FromMillis(r.FromAt); from.After(tx.Now) || r.BegunAt == 0 {
				w.From = from
			}
			wants = append(wants, w)
		}
	}
	changes, err := s.settle(tx, part{Column: Listed, Source: sourceEntry, Grounds: ids, Customers: only, Why: "does not reach your servers any more"}, wants)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		if r.BegunAt == 0 {
			r.BegunAt = tx.NowMillis()
			if err := db.Save(tx, &r); err != nil {
				return nil, err
			}
		}
	}
	return changes, nil
}

// tenancyChanged has lists follow who lives where, in the transaction that changes it.
func (s *Service) tenancyChanged(tx *db.Tx, t customers.Tenancy) error {
	rows, err := openEntries(tx, "1 = 1")
	if err != nil || len(rows) == 0 {
		return wrap("tenancy changed", err)
	}
	only, err := s.customers.CustomersOfServer(tx, t.Server)
	if err != nil {
		return wrap("tenancy changed", err)
	}
	if !slices.Contains(only, t.Customer) {
		only = append(only, t.Customer)
	}
	// Whoever has come to the server since waits for the next look: it makes their
	// key first, which a transaction cannot.
	if only, err = listedBy(tx, sourceEntry, only); err != nil || len(only) == 0 {
		return wrap("tenancy changed", err)
	}
	_, err = s.settleRows(tx, rows, only)
	return wrap("tenancy changed", err)
}

// entriesDue ends entries whose time is over, has lists follow servers that were
// moved and customers that came, and says what is to be looked at again.
func (s *Service) entriesDue(ctx context.Context) error {
	ctx = asSystem(ctx)
	var over []entryRow
	var seen string
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		if over, err = entriesOver(tx); err == nil {
			seen, err = s.placesNow(tx)
		}
		return err
	})
	if err != nil {
		return wrap("entries", err)
	}
	if len(over) > 0 {
		if err := s.db.Write(ctx, s.endOver); err != nil {
			return wrap("end entries", err)
		}
	}
	if s.placesSeen.Load() == nil || *s.placesSeen.Load() != seen {
		if err := s.keyAll(ctx); err != nil {
			return err
		}
		if err := s.db.Write(ctx, func(tx *db.Tx) error { return s.settleEntries(tx, "1 = 1") }); err != nil {
			return wrap("settle entries", err)
		}
		s.placesSeen.Store(&seen)
	}
	return s.reviewsDue(ctx)
}

// endOver ends what is over: at its end, or when its person left.
func (s *Service) endOver(tx *db.Tx) error {
	rows, err := entriesOver(tx)
	if err != nil {
		return err
	}
	for _, r := range rows {
		p, err := onePerson(tx, r.PersonID)
		if err != nil {
			return err
		}
		at, why := r.UntilAt, WhyExpired
		if p.LeftAt > 0 && (at == 0 || p.LeftAt < at) {
			at, why = p.LeftAt, WhyLeft
		}
		if err := s.endEntry(tx, &r, at, why); err != nil {
			return err
		}
	}
	return nil
}

// placesNow is a fingerprint of where servers stand and who lives on them.
func (s *Service) placesNow(tx *db.Tx) (string, error) {
	hosts, err := s.hostsOf(tx, everyone())
	if err != nil {
		return "", err
	}
	h := sha256.New()
	for _, x := range hosts {
		fmt.Fprintf(h, "%s\x00%s\x00%s\n", x.ID, x.Location, strings.Join(x.Customers, " "))
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// reviewsEvery is how often it is looked what somebody has to look at.
const reviewsEvery = 60 * 60 * 1000 // ms

// reviewsDue raises what is due: reviews, service accounts nobody answers for,
// certificates of facilities.
func (s *Service) reviewsDue(ctx context.Context) error {
	now, err := s.db.Now(ctx)
	if err != nil {
		return err
	}
	if last := s.reviewed.Load(); last != 0 && now.UnixMilli()-last < reviewsEvery && now.UnixMilli() >= last {
		return nil
	}
	var due []entryRow
	var all []Facility
	err = s.db.Read(ctx, func(tx *db.Tx) (err error) {
		due, err = openEntries(tx, "review_by > 0 AND review_by <= ? OR way = ?", tx.NowMillis(), string(WayService))
		if err == nil {
			all, err = facilities(tx)
		}
		return err
	})
	if err != nil {
		return wrap("reviews", err)
	}
	var errs []error
	for _, f := range all {
		errs = append(errs, wrap("facility", s.db.Write(ctx, func(tx *db.Tx) error { return s.facilityPapers(tx, f) })))
	}
	for _, r := range due {
		errs = append(errs, wrap("review of "+r.ID, s.db.Write(ctx, func(tx *db.Tx) error { return s.reviewDue(tx, r) })))
	}
	s.reviewed.Store(now.UnixMilli())
	return errors.Join(errs...)
}

func (s *Service) reviewDue(tx *db.Tx, r entryRow) error {
	names, err := s.namesIn(tx, []string{r.PersonID})
	if err != nil {
		return err
	}
	where := r.Role
	if r.CustomerID != "" {
		c, err := s.customers.CustomerIn(tx, policy.OneCustomer(r.CustomerID), r.CustomerID)
		if err != nil {
			return err
		}
		where = c.Name
	} else if r.ServerID != "" {
		v, err := s.customers.ServerIn(tx, everyone(), r.ServerID)
		if err != nil {
			return err
		}
		where = v.Name
	}
	if where == "" {
		where = "every customer's servers"
	}
	if r.ReviewBy > 0 && r.ReviewBy <= tx.NowMillis() {
		f := findings.Finding{Key: reviewKey(r.ID), Customer: r.CustomerID, Server: r.ServerID, Subject: r.ID, Kind: findings.AccessBaselineReview, Severity: findings.Warn,
			Owner: findings.Ops, Args: map[string]string{"where": where, "person": names[r.PersonID], "by": day(controlplane.FromMillis(r.ReviewBy))},
			Link: "/access/entries"}
		if err := s.findings.Raise(tx, f); err != nil {
			return err
		}
	}
	if r.Way != string(WayService) {
		return nil
	}
	p, err := onePerson(tx, r.PersonID)
	if err != nil {
		return err
	}
	owner, err := onePerson(tx, p.OwnerID)
	if err != nil {
		return err
	}
	if owner.ID != "" && owner.LeftAt == 0 {
		return s.findings.Close(tx, ownerlessKey(r.ID), "somebody answers for it")
	}
	return s.findings.Raise(tx, findings.Finding{Key: ownerlessKey(r.ID), Customer: r.CustomerID, Server: r.ServerID, Subject: r.ID, Kind: findings.AccessUnexplained,
		Severity: findings.Bad, Owner: findings.Ops,
		Args: map[string]string{"what": names[r.PersonID], "where": where, "because": "The person who answered for this service account has left"},
		Link: "/access/persons/" + r.PersonID})
}
