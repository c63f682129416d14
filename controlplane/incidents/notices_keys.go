package incidents

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/secrets"
)

// leftOut are customers for whom nothing can be written, with why, by id.
type leftOut map[string]error

// Why nothing is written for a customer.
const (
	leftErased = "Their key was destroyed: nothing can be written for them any more"
	leftBroken = "Their key cannot be used: nothing can be written for them"
	unreadable = "It cannot be read: the customer’s key cannot be used."
)

// readyEach makes the keys that a transaction seals with, each by itself. Whose key
// cannot be made or opened is left out, and nobody else.
//
// Errors: the company's own key, or where no key can be had at all.
func (s *Service) readyEach(ctx context.Context, customers ...string) (leftOut, error) {
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	left := leftOut{}
	for _, c := range customers {
		err := s.keeper.EnsureKey(ctx, c)
		if err == nil {
			continue
		}
		if ctx.Err() != nil || controlplane.ErrorCode(err) == controlplane.CodeUnavailable {
			return nil, wrap("keys", err)
		}
		left[c] = err
	}
	return left, nil
}

// without takes those out of ids who are left out.
func (l leftOut) without(ids []string) []string {
	return slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return l[id] != nil })
}

// words says why each is left out.
func (l leftOut) words() map[string]string {
	out := map[string]string{}
	for c, err := range l {
		out[c] = whyLeft(err) + "."
	}
	return out
}

// again reports whether it is of use to try again later.
func (l leftOut) again() bool {
	for _, err := range l {
		if !errors.Is(err, secrets.ErrErased) {
			return true
		}
	}
	return false
}

func whyLeft(err error) string {
	if errors.Is(err, secrets.ErrErased) {
		return leftErased
	}
	return leftBroken
}

// leaveOut has a person call those for whom nothing can be written.
func (s *Service) leaveOut(ctx context.Context, k *kit, left leftOut) error {
	if len(left) == 0 {
		return nil
	}
	for c, err := range left {
		s.opts.Log.ErrorContext(ctx, "incidents.key", "customer.id", c, "about", k.about(), "err", err)
	}
	return s.db.Write(asSystem(ctx), func(tx *db.Tx) error {
		for c, err := range left {
			if err := s.raiseLeft(tx, k, c, whyLeft(err)); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *Service) raiseLeft(tx *db.Tx, k *kit, customer, because string) error {
	if k.c.Drill {
		return nil // nobody is called because of an exercise
	}
	args := map[string]string{"case": k.c.Number, "customer": cmp.Or(k.names.clients[customer], customer), "because": because}
	link := "/incidents/" + k.c.ID
	lead := k.c.Lead
	if k.advisory != nil {
		link, lead = "/incidents/advisories/"+k.advisory.ID, k.advisory.By
	}
	if controlplane.ValidID(controlplane.PrefixStaff, lead) {
		name, err := s.identity.NameIn(tx, lead)
		if err != nil {
			return err
		}
		args["person"] = name
	}
	for key, v := range args {
		if v == "" {
			delete(args, key)
		}
	}
	return s.findings.Raise(tx, findings.Finding{Key: leftKey(k.about(), customer), Subject: k.about(), Kind: findings.IncidentUnreachable, Severity: findings.Bad, Owner: findings.Ops,
		Args: args, Link: link})
}

// notLeft ends what was open because nothing could be written for customers.
func (s *Service) notLeft(tx *db.Tx, about string, customers ...string) error {
	open, err := s.findings.OpenKeys(tx, findings.IncidentUnreachable)
	if err != nil {
		return err
	}
	for _, c := range customers {
		if key := leftKey(about, c); slices.Contains(open, key) {
			if err := s.findings.Close(tx, key, "something can be written for them again"); err != nil {
				return err
			}
		}
	}
	return nil
}

func leftKey(about, customer string) string {
	return findings.IncidentUnreachable + ":" + about + ":" + customer
}

// about is the case, or the advisory, that a kit is of.
func (k *kit) about() string { return cmp.Or(k.c.ID, k.advisoryID()) }

// openOr is open; what of a customer cannot be opened says so, and keeps nothing
// of the others back.
func (s *Service) openOr(customer, table, column, row string, sealed []byte) (string, error) {
	text, err := s.open(customer, table, column, row, sealed)
	if err == nil || customer == "" {
		return text, err
	}
	s.opts.Log.Error("incidents.unreadable", "customer.id", customer, "table", table, "row", row, "err", err)
	return unreadable, nil
}
