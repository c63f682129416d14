package agents

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// State is what we know of a server's agent, for people.
type State string

// The states.
const (
	NotEnrolled    State = "not_enrolled"    // no agent
	NeverConnected State = "never_connected" // enrolled, and not heard since
	Connected      State = "connected"
	Disconnected   State = "disconnected" // gone for less than SilentAfter
	Silent         State = "silent"
	Frozen         State = "frozen" // two machines use its certificate
)

// Valid reports whether s is a known state.
func (s State) Valid() bool {
	switch s {
	case NotEnrolled, NeverConnected, Connected, Disconnected, Silent, Frozen:
		return true
	}
	return false
}

// Status is a server's agent as pages show it. Zero instants are unknown.
type Status struct {
	Server, Agent, Hostname string
	State                   State
	Version                 string // of the agent
	EnrolledAt, CertExpires time.Time
	ConnectedAt             time.Time // of the present or latest session
	HeardAt                 time.Time // since the enrolment
	SilentSince, FrozenAt   time.Time
	BootID, MachineID       string
	Actions                 []wire.Action
	SealKey                 []byte        // public HPKE key of the host, X25519
	Skew                    time.Duration // host's clock minus ours
	SkewTooBig              bool
	DiskFree, DiskSize      int64 // bytes
	Inventory               *wire.Inventory
	InventoryAt             time.Time
}

// Status returns a server's agent. Errors: not found outside the scope.
func (a *Agents) Status(ctx context.Context, scope policy.Scope, server string) (Status, error) {
	var s Status
	err := a.DB.Read(ctx, func(tx *db.Tx) error {
		v, err := a.Servers.ServerIn(tx, scope, server)
		if err != nil {
			return err
		}
		s, err = statusIn(tx, v.ID)
		return err
	})
	return s, err
}

// Statuses returns the agents of those of the servers that the scope reaches,
// by server, as a list shows them: the state, and since when.
func (a *Agents) Statuses(ctx context.Context, scope policy.Scope, servers []string) (map[string]Status, error) {
	out := make(map[string]Status, len(servers))
	err := a.DB.Read(ctx, func(tx *db.Tx) error {
		clear(out)
		seen := make([]string, 0, len(servers))
		for _, id := range servers {
			if !scope.All() {
				if _, err := a.Servers.ServerIn(tx, scope, id); controlplane.ErrorCode(err) == controlplane.CodeNotFound {
					continue
				} else if err != nil {
					return err
				}
			}
			seen = append(seen, id)
			out[id] = Status{Server: id, State: NotEnrolled}
		}
		rows, err := presencesOf(tx, seen)
		if err != nil {
			return fmt.Errorf("agents: find presence: %w", err)
		}
		for _, p := range rows {
			if _, asked := out[p.Server]; !asked {
				continue
			}
			s := Status{Server: p.Server}
			if err := s.take(&p); err != nil {
				return err
			}
			out[p.Server] = s
		}
		return nil
	})
	return out, err
}

func statusIn(tx *db.Tx, server string) (Status, error) {
	s := Status{Server: server, State: NotEnrolled}
	agent, err := activeByServer(tx, server)
	if err != nil || agent == nil {
		return s, err
	}
	s.EnrolledAt, s.CertExpires, s.Hostname = controlplane.FromMillis(agent.CreatedAt), controlplane.FromMillis(agent.NotAfter), agent.Hostname
	p, err := presenceOf(tx, server)
	if err != nil {
		return s, fmt.Errorf("agents: find presence: %w", err)
	}
	if p == nil {
		p = &presenceRow{Server: server, Agent: agent.ID, HeardAt: agent.CreatedAt}
	}
	if err := s.take(p); err != nil {
		return s, err
	}
	inv, err := inventoryOf(tx, server)
	if err != nil {
		return s, fmt.Errorf("agents: find inventory: %w", err)
	}
	if inv == nil {
		return s, nil
	}
	s.InventoryAt, s.Inventory = controlplane.FromMillis(inv.CollectedAt), &wire.Inventory{}
	if err := json.Unmarshal([]byte(inv.Data), s.Inventory); err != nil {
		return s, fmt.Errorf("agents: read inventory: %w", err)
	}
	return s, nil
}

func (s *Status) take(p *presenceRow) (err error) {
	s.Agent, s.Version, s.BootID, s.MachineID, s.SealKey = p.Agent, p.Version, p.BootID, p.MachineID, p.SealKey
	s.ConnectedAt, s.HeardAt = controlplane.FromMillis(p.ConnectedAt), controlplane.FromMillis(p.HeardAt)
	s.FrozenAt = controlplane.FromMillis(p.FrozenAt)
	s.Skew, s.SkewTooBig = time.Duration(p.SkewMS)*time.Millisecond, p.SkewedAt != 0
	s.DiskFree, s.DiskSize = p.DiskFree, p.DiskSize
	if p.SilentAt != 0 {
		s.SilentSince = s.HeardAt
	}
	s.State = p.state()
	s.Actions, err = p.actions()
	return err
}

// state is what a row says of the agent.
func (p *presenceRow) state() State {
	switch {
	case p.FrozenAt != 0:
		return Frozen
	case p.Connected != 0:
		return Connected
	case p.ConnectedAt == 0:
		return NeverConnected
	case p.SilentAt != 0:
		return Silent
	}
	return Disconnected
}

// LastHeard says when a server's agent was last heard and whether it is
// connected, for jobs.Options; the zero time means never.
func (a *Agents) LastHeard(ctx context.Context, server string) (at time.Time, connected bool, err error) {
	err = a.DB.Read(ctx, func(tx *db.Tx) error {
		p, err := presenceOf(tx, server)
		if err == nil && p != nil && p.ConnectedAt != 0 {
			at, connected = controlplane.FromMillis(p.HeardAt), p.Connected != 0
		}
		return err
	})
	return at, connected, err
}
