package access

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// Reach is a person on one customer's list, by one way and role.
type Reach struct {
	Customer                string
	Way                     Way
	Role                    string
	Listed, Enforced, Could bool
	Until                   time.Time // of the first that ends; zero is open
}

// ReachOf returns on which lists a person stands now, by customer, way and role.
// Permission: access.read over all customers. Errors: not found.
func (s *Service) ReachOf(ctx context.Context, scope policy.Scope, person string) (out []Reach, err error) {
	if err := overAll(scope); err != nil {
		return nil, err
	}
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		p, _, err := s.personFor(tx, scope, person)
		if err != nil {
			return err
		}
		rows, err := standingOf(tx, scope, p.ID)
		out = reachOf(rows)
		return err
	})
	return out, wrap("reach", err)
}

// reachOf joins the spans of each line.
func reachOf(rows []spanRow) (out []Reach) {
	type key struct{ customer, way, role string }
	at := map[key]int{}
	for _, r := range rows {
		k := key{r.CustomerID, r.Way, r.Role}
		i, seen := at[k]
		if !seen {
			i, at[k] = len(out), len(out)
			out = append(out, Reach{Customer: r.CustomerID, Way: Way(r.Way), Role: r.Role})
		}
		x := &out[i]
		switch Column(r.Col) {
		case Listed:
			x.Listed = true
		case Enforced:
			x.Enforced = true
		default:
			x.Could = true
		}
		if end := controlplane.FromMillis(r.UntilAt); r.UntilAt > 0 && (x.Until.IsZero() || end.Before(x.Until)) {
			x.Until = end
		}
	}
	slices.SortFunc(out, func(a, b Reach) int {
		return cmp.Or(strings.Compare(a.Customer, b.Customer), slices.Index(Ways(), a.Way)-slices.Index(Ways(), b.Way), strings.Compare(a.Role, b.Role))
	})
	return out
}
