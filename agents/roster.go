package agents

import (
	"context"
	"fmt"
	"time"

	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// Listed is a server that is looked after, with its agent, as a list shows it.
type Listed struct {
	Server, Name, Location string
	State                  State
	HeardAt                time.Time // zero where no agent speaks for it
}

// Roster is how all servers stand that a scope reaches.
type Roster struct {
	Total int
	// Open are those whose agent is not connected now, by name.
	Open []Listed
}

// Silent is how many were heard once and are not any more, frozen ones too.
func (r Roster) Silent() (n int) {
	for _, s := range r.Open {
		if s.State == Silent || s.State == Frozen {
			n++
		}
	}
	return n
}

// Missing is how many no agent has ever spoken for.
func (r Roster) Missing() (n int) {
	for _, s := range r.Open {
		if s.State == NotEnrolled || s.State == NeverConnected {
			n++
		}
	}
	return n
}

// ListFilter narrows a list of servers; zero fields do not.
type ListFilter struct {
	Name    string          // part of its name
	Only    []string        // ids; nil is all
	Without map[string]bool // ids that are left out
	After   string          // name after which the page begins
	Limit   int             // 0 is 50, at most 200
}

// Roster returns how many servers are looked after, and those that are not
// connected: pages over very many read no more than that.
func (a *Agents) Roster(ctx context.Context, scope policy.Scope) (Roster, error) {
	var r Roster
	err := a.DB.Read(ctx, func(tx *db.Tx) (err error) {
		if r.Total, err = a.countListed(tx, scope, ""); err == nil {
			r.Open, err = a.notConnected(tx, scope)
		}
		return err
	})
	if err != nil {
		return Roster{}, fmt.Errorf("agents: roster: %w", err)
	}
	return r, nil
}

// List returns servers that are looked after, by name; more says that there
// are others after the last.
func (a *Agents) List(ctx context.Context, scope policy.Scope, f ListFilter) (items []Listed, more bool, err error) {
	if f.Limit <= 0 {
		f.Limit = 50
	}
	f.Limit = min(f.Limit, 200)
	err = a.DB.Read(ctx, func(tx *db.Tx) error {
		items, err = a.listed(tx, scope, f)
		return err
	})
	if err != nil {
		return nil, false, fmt.Errorf("agents: list: %w", err)
	}
	if len(items) > f.Limit {
		return items[:f.Limit], true, nil
	}
	return items, false, nil
}

// Count returns how many servers are looked after whose name holds a text.
func (a *Agents) Count(ctx context.Context, scope policy.Scope, name string) (n int, err error) {
	err = a.DB.Read(ctx, func(tx *db.Tx) error { n, err = a.countListed(tx, scope, name); return err })
	if err != nil {
		return 0, fmt.Errorf("agents: count: %w", err)
	}
	return n, nil
}
