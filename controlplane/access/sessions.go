package access

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// What sessions ask of lists, each inside a transaction of theirs.

// Named is a person, as far as others need one.
type Named struct{ ID, Name, Staff string }

// SessionGround is on what somebody stood on one customer's list at an instant.
// The zero value is nothing.
type SessionGround struct {
	Grant string // grt_; "" where Kind is KindShared
	// Kind is the grant's, or KindShared.
	Kind, Role, Ticket, Reason string
	Authorisation              string // aut_, con_: by whose instruction
}

// KindShared is the ground of whom another customer's grant lets onto a server
// that both live on: its reason and ticket are theirs.
const KindShared = "shared"

// PersonsByUser returns all persons who use a name at Teleport, by id; those who
// have left too, because what they did stays theirs.
func (s *Service) PersonsByUser(tx *db.Tx, scope policy.Scope, user string) (out []Named, err error) {
	if user == "" {
		return nil, nil
	}
	rows, err := peopleRows(tx, scope)
	if err != nil {
		return nil, wrap("persons by user", err)
	}
	for _, r := range rows {
		p, err := s.person(r)
		if err != nil {
			return nil, wrap("persons by user", err)
		}
		if slices.ContainsFunc(p.TeleportUsers, func(u string) bool { return strings.EqualFold(u, user) }) {
			out = append(out, Named{ID: p.ID, Name: p.Name, Staff: p.Staff})
		}
	}
	return out, nil
}

// PersonByStaff returns the person that a member of staff is; ok is false for nobody.
func (s *Service) PersonByStaff(tx *db.Tx, scope policy.Scope, staff string) (who Named, ok bool, err error) {
	r, ok, err := personOfStaff(tx, scope, staff)
	if err != nil || !ok {
		return Named{}, false, wrap("person by staff", err)
	}
	name, err := s.open(r.CustomerID, "access_persons", "name", r.ID, r.Name)
	return Named{ID: r.ID, Name: name, Staff: r.StaffID}, true, wrap("person by staff", err)
}

// GroundOf returns on what a person stood on a customer's list for sessions at
// an instant, as it is known now: of their own grants the one given last, else
// another customer's on a server that both live on.
func (s *Service) GroundOf(tx *db.Tx, scope policy.Scope, customer, person, server string, at time.Time) (g SessionGround, err error) {
	if !scope.Allows(customer) || person == "" {
		return g, nil
	}
	spans, err := spansAt(tx, customer, at.UnixMilli(), tx.NowMillis())
	if err != nil {
		return g, err
	}
	var grants []string
	for _, r := range spans {
		if r.PersonID != person || Column(r.Col) != Listed || Way(r.Way) != WayTeleport || r.ServerID != "" && r.ServerID != server {
			continue
		}
		switch {
		case r.shared():
			g.Kind, g.Role = KindShared, cmp.Or(g.Role, r.Role)
		case strings.HasPrefix(r.Ground, controlplane.PrefixGrant):
			grants = append(grants, r.Ground)
		}
	}
	rows, err := grantRows(tx, unique(grants))
	if err != nil || len(rows) == 0 {
		return g, wrap("ground", err)
	}
	latest := slices.MaxFunc(rows, func(a, b grantRow) int {
		return cmp.Or(cmp.Compare(a.GrantedAt, b.GrantedAt), strings.Compare(a.ID, b.ID))
	})
	g = SessionGround{Grant: latest.ID, Kind: latest.Kind, Role: latest.Role, Ticket: latest.Ticket}
	if g.Reason, err = s.open(customer, "access_grants", "reason", latest.ID, latest.Reason); err != nil {
		return g, wrap("ground", err)
	}
	g.Authorisation, err = s.authorisedAt(tx, customer, latest.ID, at)
	return g, wrap("ground", err)
}

// authorisedAt is by whose instruction a grant was used at an instant: that of
// the contact who agreed to it, else of whoever could instruct sessions then.
func (s *Service) authorisedAt(tx *db.Tx, customer, grant string, at time.Time) (string, error) {
	if by, err := agreedBy(tx, grant); err != nil || by != "" {
		return by, err
	}
	all, err := s.authorisations(tx, customer)
	if err != nil {
		return "", err
	}
	for _, registered := range []bool{true, false} {
		for _, a := range all {
			if (a.Capacity != CapacityOwner) == registered && a.good(at) && a.covers(ActSession) {
				return a.ID, nil
			}
		}
	}
	return "", nil
}

// LetIn reports whether who came in on a server at an instant was let in by the
// customer, by the customer's own word: by the key, where it is known
// ("SHA256:..."), else only where the customer let in every way into the account.
func (s *Service) LetIn(tx *db.Tx, scope policy.Scope, server, account, key string, at time.Time) (bool, error) {
	if !scope.All() {
		return false, nil
	}
	rows, err := foundAt(tx, server, at.UnixMilli())
	if err != nil {
		return false, wrap("let in", err)
	}
	some := false
	for _, r := range rows {
		if key != "" {
			if r.ofCustomer() && string(r.Print) == string(s.keeper.Index("access.key", key)) {
				return true, nil
			}
			continue
		}
		d, err := s.openFound(r)
		if err != nil {
			return false, wrap("let in", err)
		}
		if d.Account != account {
			continue
		}
		if !r.ofCustomer() {
			return false, nil
		}
		some = true
	}
	return some, nil
}

// RecordingMonths is how long recordings on a customer's servers are kept at most.
func (s *Service) RecordingMonths(tx *db.Tx, scope policy.Scope, customer string) (int, error) {
	if !scope.Allows(customer) {
		return 0, controlplane.NotFound("customer")
	}
	t, err := s.termsIn(tx, customer)
	return t.RecordingMonths, wrap("recording months", err)
}

// NoteUsed notes that a person had a session on a customer's server: the list
// says when each way in was last used. An earlier one than is known changes nothing.
func (s *Service) NoteUsed(tx *db.Tx, scope policy.Scope, customer, person, server string, at time.Time) error {
	if !scope.Allows(customer) {
		return controlplane.NotFound("customer")
	}
	return wrap("note a session", s.noteUsed(tx, customer, person, WayTeleport, server, at.UnixMilli()))
}

// OnNames has f told, in the transaction, that a person was added or changed: who
// uses which name may be another one then.
func (s *Service) OnNames(f func(tx *db.Tx)) { s.onNames = append(s.onNames, f) }
