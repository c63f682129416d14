package agents

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/bus"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/ledger"
)

const findingSigner = "signer.down" // its key; there is one signer

// said is an instant as the sentence of a finding has it.
func said(t time.Time) string { return "on " + t.UTC().Format("2 January at 15:04 UTC") }

func serverLink(server string) string { return "/servers/" + server }

func compare(a, b string) int { return strings.Compare(a, b) }

// sweep raises what silence and wrong clocks mean, and closes what is over.
// Most passes find nothing and write nothing.
func (a *Agents) sweep(ctx context.Context) error {
	var rows []presenceRow
	err := a.DB.Read(ctx, func(tx *db.Tx) (err error) {
		rows, err = sweepable(tx, tx.Now.Add(-SilentAfter).UnixMilli(), tx.Now.Add(-neverConnectedAfter).UnixMilli(), MaxSkew.Milliseconds())
		return err
	})
	if err != nil {
		return fmt.Errorf("agents: sweep: %w", err)
	}
	starting := a.o.Wall.Now().Sub(a.started) < startGrace // it is we who were away
	rows = slices.DeleteFunc(rows, func(p presenceRow) bool { return !skewChanges(p) && (starting || a.fresh(p.Server)) })
	var errs []error
	for _, p := range rows { // one small transaction each: a herd must not lock the table
		errs = append(errs, a.DB.Write(ctx, func(tx *db.Tx) error { return a.sweepOne(tx, p) }))
	}
	return errors.Join(errs...)
}

func skewChanges(p presenceRow) bool {
	off := p.SkewMS > MaxSkew.Milliseconds() || p.SkewMS < -MaxSkew.Milliseconds()
	return p.Connected != 0 && off != (p.SkewedAt != 0)
}

func (a *Agents) sweepOne(tx *db.Tx, p presenceRow) error {
	if skewChanges(p) {
		return a.skewed(tx, p)
	}
	changed, err := setSilent(tx, p.Server, p.HeardAt)
	if err != nil || !changed {
		return err
	}
	kind := findings.ServerSilent
	if p.ConnectedAt == 0 {
		kind = findings.ServerNeverSeen
	}
	heard := controlplane.FromMillis(p.HeardAt)
	if err := a.raise(tx, findings.Finding{Key: "server.silent:" + p.Server, Kind: kind, Server: p.Server, Subject: p.Server,
		Severity: findings.Bad, Owner: findings.Ops, Args: map[string]string{"since": said(heard)}, Link: serverLink(p.Server)}, true); err != nil {
		return err
	}
	tx.AfterCommit(func() { a.Bus.Publish(bus.TopicServer(p.Server)) })
	_, err = a.Ledger.Append(tx, ledger.Entry{Server: p.Server, Subject: p.Agent, Kind: "server.silent",
		Data: map[string]any{"heard_at": controlplane.Instant(heard)}})
	return err
}

// skewed raises or closes the finding about a host's clock.
func (a *Agents) skewed(tx *db.Tx, p presenceRow) error {
	key := "server.clock_skew:" + p.Server
	if p.SkewedAt != 0 {
		if err := setSkewed(tx, p.Server, 0); err != nil {
			return fmt.Errorf("agents: clock is right: %w", err)
		}
		return a.close(tx, key, p.Server, "the server's clock is right again")
	}
	if err := setSkewed(tx, p.Server, tx.NowMillis()); err != nil {
		return fmt.Errorf("agents: clock is off: %w", err)
	}
	by := (time.Duration(p.SkewMS) * time.Millisecond).Abs()
	return a.raise(tx, findings.Finding{Key: key, Kind: findings.ServerClockSkew, Server: p.Server, Subject: p.Server, Severity: findings.Warn,
		Owner: findings.Ops, Args: map[string]string{"for": findings.Ago("en", by)}, Link: serverLink(p.Server)}, false)
}

// raise raises a finding for the company and, where they must know, for each
// customer that lives on the server.
func (a *Agents) raise(tx *db.Tx, x findings.Finding, tenants bool) error {
	x.Group = x.Key
	if v, err := a.Servers.ServerIn(tx, everyServer, x.Server); err != nil {
		return err
	} else if x.Args == nil {
		x.Args = map[string]string{"server": v.Name}
	} else {
		x.Args["server"] = v.Name
	}
	if err := a.Findings.Raise(tx, x); err != nil || !tenants {
		return err
	}
	customers, err := a.Servers.CustomersOfServer(tx, x.Server)
	if err != nil {
		return err
	}
	for _, c := range customers {
		y := x
		y.Customer, y.Key = c, x.Key+":"+c
		if err := a.Findings.Raise(tx, y); err != nil {
			return err
		}
	}
	return nil
}

// close closes a finding of raise, and the tenants' copies of it.
func (a *Agents) close(tx *db.Tx, key, server, cause string) error {
	if err := a.Findings.Close(tx, key, cause); err != nil {
		return err
	}
	customers, err := a.Servers.CustomersOfServer(tx, server)
	if err != nil {
		return err
	}
	for _, c := range customers {
		if err := a.Findings.Close(tx, key+":"+c, cause); err != nil {
			return err
		}
	}
	return nil
}

// closeAll closes what was open about a server's old agent.
func (a *Agents) closeAll(tx *db.Tx, server, cause string) error {
	for _, kind := range []string{"server.silent:", "agent.cloned:", "server.clock_skew:"} {
		if err := a.close(tx, kind+server, server, cause); err != nil {
			return err
		}
	}
	return nil
}
