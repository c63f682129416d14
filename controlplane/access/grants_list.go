package access

import (
	"context"
	"strconv"
	"strings"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// GrantFilter narrows Grants; zero fields do not.
type GrantFilter struct {
	Customer, Person, Team string
	States                 []GrantState
	Limit                  int
	PageToken              string
}

// Limits of a page.
const (
	usualPage   = 50
	longestPage = 200
)

func pageSize(limit int) int {
	if limit <= 0 {
		return usualPage
	}
	return min(limit, longestPage)
}

// pageAfter reads the token of a page: an instant in milliseconds and an id.
func pageAfter(token, prefix string) (at int64, id string, err error) {
	if token == "" {
		return 0, "", nil
	}
	when, id, _ := strings.Cut(token, ".")
	at, perr := strconv.ParseInt(when, 10, 64)
	if perr != nil || !controlplane.ValidID(prefix, id) {
		return 0, "", controlplane.Errorf(controlplane.CodeInvalid, "Go back to the first page.", "The page token cannot be used")
	}
	return at, id, nil
}

func pageToken(at int64, id string) string { return strconv.FormatInt(at, 10) + "." + id }

// Grants lists grants, newest first. Permission: access.read.
func (s *Service) Grants(ctx context.Context, scope policy.Scope, f GrantFilter) (items []Grant, next string, err error) {
	f.Limit = pageSize(f.Limit)
	at, after, err := pageAfter(f.PageToken, controlplane.PrefixGrant)
	if err != nil {
		return nil, "", err
	}
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		if f.Customer != "" {
			c, err := s.customers.CustomerIn(tx, scope, f.Customer)
			if err != nil {
				return err
			}
			f.Customer = c.ID
		}
		rows, err := listGrants(tx, scope, f, at, after)
		if err != nil {
			return err
		}
		if len(rows) > f.Limit {
			rows = rows[:f.Limit]
			last := rows[f.Limit-1]
			next = pageToken(last.GrantedAt, last.ID)
		}
		items, err = s.fullGrants(tx, rows)
		return err
	})
	if err != nil {
		return nil, "", wrap("grants", err)
	}
	for i := range items {
		if err := s.nameApprovals(ctx, &items[i]); err != nil {
			return nil, "", err
		}
	}
	return items, next, nil
}

// GetGrant returns one grant. Permission: access.read.
func (s *Service) GetGrant(ctx context.Context, scope policy.Scope, id string) (out Grant, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		row, err := db.One[grantRow](tx, scope, "grant", id)
		if err != nil {
			return err
		}
		all, err := s.fullGrants(tx, []grantRow{row})
		if err == nil {
			out = all[0]
		}
		return err
	})
	if err != nil {
		return Grant{}, wrap("grant", err)
	}
	return out, s.nameApprovals(ctx, &out)
}

// nameApprovals fills in who answered.
func (s *Service) nameApprovals(ctx context.Context, g *Grant) error {
	if len(g.Approvals) == 0 {
		return nil
	}
	ids := make([]string, len(g.Approvals))
	for i, a := range g.Approvals {
		ids[i] = a.By
	}
	names, err := s.identity.Names(ctx, ids)
	for i, a := range g.Approvals {
		g.Approvals[i].Name = names[a.By]
	}
	return wrap("names", err)
}
