package agents

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/bus"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// Why a session ends from our side.
var (
	errReplaced   = errors.New("agents: the server has enrolled again, or its agent has connected again")
	errFrozen     = errors.New("agents: two machines use one certificate")
	errExpired    = errors.New("agents: the certificate of the session is past its time")
	errSilent     = errors.New("agents: not heard for too long")
	errNotCurrent = errors.New("agents: a newer session has begun elsewhere")
)

func frozen() *controlplane.Error {
	return controlplane.Errorf(controlplane.CodeConflict,
		"Stop the copy, then enrol the server that is to stay with a new token.",
		"Two machines use this agent's certificate, so it gets no jobs")
}

// begin makes a session the server's present one, or finds that another
// machine has the same certificate. alive says that the session before still
// answers here.
func (a *Agents) begin(ctx context.Context, s *session, alive bool) error {
	var refusal error
	err := a.DB.Write(ctx, func(tx *db.Tx) error {
		refusal = nil
		row, err := activeAgent(tx, s.id)
		if err != nil {
			return err
		}
		p, err := presenceOf(tx, s.id.Server)
		if err != nil {
			return fmt.Errorf("agents: find presence: %w", err)
		}
		if p == nil || p.Agent != s.id.Agent {
			p = &presenceRow{Server: s.id.Server, Agent: s.id.Agent}
		}
		if p.FrozenAt != 0 {
			return frozen()
		}
		cloned, err := twoMachines(p, s.hello, alive, tx.Now)
		if err != nil {
			return err
		}
		if cloned {
			refusal = frozen()
			return a.freeze(tx, p)
		}
		if err := promoteKey(tx, row.ID, s.id.KeyHash[:]); err != nil {
			return fmt.Errorf("agents: promote key: %w", err)
		}
		return a.arrive(tx, p, s)
	})
	return errors.Join(err, refusal)
}

// twoMachines reports whether a Hello and the session before it cannot be one
// agent. An instance that gave way and comes back proves that two are alive; so
// do an old session that answers, and another machine's id while the old one is
// connected. A reboot, or a restart of the agent, is none of these: the old
// instance never returns.
func twoMachines(p *presenceRow, h *wire.Hello, alive bool, now time.Time) (bool, error) {
	if p.Instance == "" || p.Instance == h.Instance {
		return false, nil
	}
	gone, err := p.superseded()
	if err != nil {
		return false, err
	}
	connected := p.Connected != 0 && now.Sub(controlplane.FromMillis(p.HeardAt)) < SilentAfter
	return alive || slices.Contains(gone, h.Instance) || connected && p.MachineID != h.MachineID, nil
}

// freeze stops everything for a certificate that two machines use.
func (a *Agents) freeze(tx *db.Tx, p *presenceRow) error {
	p.FrozenAt, p.Connected = tx.NowMillis(), 0
	p.Epoch++ // ends the other session wherever it is
	if err := putPresence(tx, *p); err != nil {
		return fmt.Errorf("agents: freeze: %w", err)
	}
	if err := a.raise(tx, findings.Finding{Key: "agent.cloned:" + p.Server, Kind: findings.AgentCloned, Server: p.Server,
		Subject: p.Agent, Severity: findings.Bad, Owner: findings.Ops, Args: map[string]string{"since": said(tx.Now)}, Link: serverLink(p.Server)}, false); err != nil {
		return err
	}
	_, err := a.Ledger.Append(tx, ledger.Entry{Server: p.Server, Subject: p.Agent, Kind: "agent.frozen",
		Data: map[string]any{"why": "two machines use one certificate"}})
	server, epoch := p.Server, p.Epoch
	tx.AfterCommit(func() {
		a.kick(server, epoch, errFrozen)
		a.Bus.Publish(bus.TopicServer(server))
	})
	return err
}

// arrive writes the new session, and what its arrival means.
func (a *Agents) arrive(tx *db.Tx, p *presenceRow, s *session) error {
	h := s.hello
	actions, err := json.Marshal(h.Actions)
	if err != nil {
		return fmt.Errorf("agents: write actions: %w", err)
	}
	if p.Instance != "" && p.Instance != h.Instance {
		if err := p.supersede(p.Instance); err != nil {
			return err
		}
	}
	first, rebooted, wasSilent := p.ConnectedAt == 0, p.BootID != "" && p.BootID != h.BootID, p.SilentAt != 0
	p.Epoch++
	p.Connected, p.Replica, p.Instance, p.BootID, p.MachineID = 1, a.o.Replica, h.Instance, h.BootID, h.MachineID
	p.Version, p.Actions, p.SealKey = h.AgentVersion, string(actions), h.SealKey
	p.ConnectedAt, p.HeardAt, p.SilentAt = tx.NowMillis(), tx.NowMillis(), 0
	if err := putPresence(tx, *p); err != nil {
		return fmt.Errorf("agents: store presence: %w", err)
	}
	s.epoch = p.Epoch
	kind := ""
	switch {
	case first:
		kind = "agent.connected"
	case wasSilent:
		kind = "server.heard"
	case rebooted:
		kind = "server.rebooted"
	}
	if kind != "" {
		if _, err := a.Ledger.Append(tx, ledger.Entry{Server: p.Server, Subject: p.Agent, Kind: kind,
			Data: map[string]any{"version": h.AgentVersion, "boot_id": h.BootID}}); err != nil {
			return err
		}
	}
	if first || wasSilent {
		if err := a.close(tx, "server.silent:"+p.Server, p.Server, "the server is heard again"); err != nil {
			return err
		}
	}
	tx.AfterCommit(func() { a.Bus.Publish(bus.TopicServer(s.id.Server)) })
	return a.wantInventory(tx, s.id)
}

// Unfreeze lets the agent's certificate work again, after the copy is gone and
// without a new enrolment. The next connection is taken as the only one.
//
// Errors: not found outside the scope, conflict where nothing is frozen.
func (a *Agents) Unfreeze(ctx context.Context, scope policy.Scope, server string) error {
	return a.DB.Write(ctx, func(tx *db.Tx) error {
		v, err := a.Servers.ServerIn(tx, scope, server)
		if err != nil {
			return err
		}
		p, err := presenceOf(tx, v.ID)
		if err != nil {
			return fmt.Errorf("agents: find presence: %w", err)
		}
		if p == nil || p.FrozenAt == 0 {
			return controlplane.Errorf(controlplane.CodeConflict, "Look at the server's page.", "This server's agent is not frozen")
		}
		p.FrozenAt, p.Instance, p.Superseded = 0, "", ""
		if err := putPresence(tx, *p); err != nil {
			return fmt.Errorf("agents: unfreeze: %w", err)
		}
		if err := a.close(tx, "agent.cloned:"+v.ID, v.ID, "a person unfroze the agent"); err != nil {
			return err
		}
		tx.AfterCommit(func() { a.Bus.Publish(bus.TopicServer(v.ID)) })
		_, err = a.Ledger.Append(tx, ledger.Entry{Server: v.ID, Subject: p.Agent, Kind: "agent.unfrozen"})
		return err
	})
}

// forgetSessions ends what this replica had before it was restarted.
func (a *Agents) forgetSessions(ctx context.Context) error {
	err := a.DB.Write(ctx, func(tx *db.Tx) error { return endReplica(tx, a.o.Replica) })
	if err != nil {
		return fmt.Errorf("agents: forget sessions: %w", err)
	}
	return nil
}

// depart notes a session's end.
func (a *Agents) depart(ctx context.Context, s *session) {
	a.mu.Lock()
	if a.sessions[s.id.Server] == s {
		delete(a.sessions, s.id.Server)
	}
	a.mu.Unlock()
	ctx, cancel := context.WithTimeout(controlplane.System(context.WithoutCancel(ctx), "agents"), 10*time.Second)
	defer cancel()
	err := a.DB.Claim(ctx, func(tx *db.Tx) error {
		ended, err := endSession(tx, s.id.Server, s.epoch)
		if ended {
			tx.AfterCommit(func() { a.Bus.Publish(bus.TopicServer(s.id.Server)) })
		}
		return err
	})
	if err != nil {
		a.log.ErrorContext(ctx, "agents.depart", "server", s.id.Server, "error", err)
	}
}

// kick ends this replica's session with a server if it is older than epoch.
func (a *Agents) kick(server string, epoch int64, why error) {
	a.mu.Lock()
	s := a.sessions[server]
	a.mu.Unlock()
	if s != nil && s.epoch < epoch {
		s.cancel(why)
	}
}

// fresh reports whether this replica has heard a server lately by its own
// clock, which a simulated database clock may have jumped away from.
func (a *Agents) fresh(server string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.sessions[server]
	return s != nil && a.o.Wall.Now().Sub(s.lastHeard()) < SilentAfter
}

// flush writes the heartbeats since the last flush in one transaction.
func (a *Agents) flush(ctx context.Context) error {
	type one struct {
		s *session
		b heartbeat
	}
	var batch []one
	a.mu.Lock()
	for _, s := range a.sessions {
		if b, ok := s.takeBeat(); ok {
			batch = append(batch, one{s, b})
		}
	}
	a.mu.Unlock()
	if len(batch) == 0 {
		return nil
	}
	slices.SortFunc(batch, func(x, y one) int { return compare(x.s.id.Server, y.s.id.Server) }) // one order of row locks
	now := a.o.Wall.Now()
	var lost []*session
	err := a.DB.Claim(ctx, func(tx *db.Tx) error {
		lost = lost[:0]
		for _, o := range batch {
			at := tx.Now.Add(-now.Sub(o.b.heard))
			ok, err := beat(tx, o.s.id.Server, o.s.epoch, at.UnixMilli(), o.b.skew.Milliseconds(), o.b.diskFree, o.b.diskSize)
			if err != nil {
				return fmt.Errorf("agents: write heartbeats: %w", err)
			}
			if !ok {
				lost = append(lost, o.s)
			}
		}
		return nil
	})
	if err != nil {
		for _, o := range batch {
			o.s.putBackBeat(o.b)
		}
		return err
	}
	for _, s := range lost {
		s.cancel(errNotCurrent)
	}
	return nil
}
