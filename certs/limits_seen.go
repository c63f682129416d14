package certs

import (
	"context"
	"time"

	"ostler/certs/limits"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// LimitLine is how one limit of an authority stands, in words.
type LimitLine struct {
	Limit string // as a sentence has it: "new orders of the account"
	// Scope is what it is counted for: a domain, a name, a set of names; "" for
	// all of our account.
	Scope     string
	Used, Max int64
	Next      time.Time // when one more is free; zero where time alone frees none
	// BlockedUntil is the authority's own word, zero for none, and Said what it said.
	BlockedUntil time.Time
	Said         string
}

// Limits returns the limits of an authority that anything is used of, those of
// the account first, then the fullest; at most 200. They tell of all customers.
// Permission: cert.read. Errors: not_found where the scope does not reach every
// customer.
func (s *Service) Limits(ctx context.Context, scope policy.Scope, authority string) (out []LimitLine, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		out = nil
		ca, err := limitsOf(tx, scope, authority)
		if err != nil {
			return err
		}
		lines, err := Budget{}.Lines(tx, ca.ID)
		for _, l := range lines {
			out = append(out, LimitLine{Limit: limitWords[l.Limit], Scope: l.Scope, Used: l.Used, Max: l.Max, Next: l.Next, BlockedUntil: l.BlockedUntil, Said: l.Said})
		}
		return err
	})
	return out, err
}

// Forecast is how long the limits of an authority make so many new certificates take.
type Forecast struct {
	Authority string // ca_
	Name      string // its name
	Sites     int64
	Orders    int64         // second tries included
	Takes     time.Duration // until the last order may be made; 0 is at once
	Limit     string        // the limit that makes it take so long, in words; "" where none does
}

// Forecast says how long new certificates take at an authority ("" is the
// primary one), each under a registered domain of its own. Permission:
// cert.read. Errors: invalid, not_found where there is no such authority or the
// scope does not reach every customer.
func (s *Service) Forecast(ctx context.Context, scope policy.Scope, authority string, sites int64) (out Forecast, err error) {
	if sites < 1 || sites > 10_000_000 {
		return out, controlplane.Invalid(controlplane.Field{Pointer: "/sites", Message: "Enter a number from 1 to 10,000,000."})
	}
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		ca, err := limitsOf(tx, scope, authority)
		if err != nil {
			return err
		}
		f, err := Budget{}.Forecast(tx, ca.ID, limits.Load{Sites: sites})
		out = Forecast{Authority: ca.ID, Name: ca.Name, Sites: sites, Orders: f.Orders, Takes: f.Takes, Limit: limitWords[f.Limit]}
		return err
	})
	return out, err
}

// limitsOf finds the authority whose limits are asked for.
func limitsOf(tx *db.Tx, scope policy.Scope, id string) (authorityRow, error) {
	if !scope.All() {
		return authorityRow{}, controlplane.NotFound("authority")
	}
	cond, arg := "id = ?", id
	if id == "" {
		cond, arg = "role = ?", string(RolePrimary)
	}
	rows, err := company[authorityRow](tx, "created_at, id", 1, cond, arg)
	if err == nil && len(rows) == 0 {
		err = controlplane.NotFound("authority")
	}
	if err != nil {
		return authorityRow{}, err
	}
	return rows[0], nil
}
