package access

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/jobs"
	"ostler/controlplane/ledger"
	"ostler/controlplane/teleport"
)

// endLife is how long a host may take to end a session before that is a gap.
const endLife = 10 * time.Minute

// saveKick stores how far the sessions of a person are. Where the cluster
// refuses locks the hosts are asked, and what no host can end is a gap. A kick
// that somebody asked for again meanwhile, or a host answered, stays as it is:
// the run that this queued sees to it.
func (e *enforcement) saveKick(tx *db.Tx, d *directory) error {
	k := e.kick
	if k.ID == "" {
		return nil
	}
	if e.asked.ID != "" {
		now, err := kickByID(tx, k.ID)
		if err != nil {
			return err
		}
		if now != e.asked {
			e.kick = now
			return nil
		}
	}
	if k.AskedAt == 0 {
		k.AskedAt = tx.NowMillis()
	}
	if k.State == kickDone {
		k.EndedAt = tx.NowMillis()
		if err := e.s.findings.Close(tx, gapKey(k.Person), "no session runs any more"); err != nil {
			return err
		}
		return db.Upsert(tx, &k, "id")
	}
	if !e.refused {
		return db.Upsert(tx, &k, "id")
	}
	running := e.running()
	switch k.State {
	case kickWanted, kickLocked:
		k.State, k.Waits = kickHost, 0
		for _, l := range running {
			asked, err := e.s.askHost(tx, d, k, l)
			if err != nil {
				return err
			}
			k.Waits += flag(asked)
		}
		if k.Waits < int64(len(running)) {
			if err := e.s.raiseGap(tx, d, k, running[0], "Teleport refuses locks, and the server has no agent that could end the session"); err != nil {
				return err
			}
		}
		if k.Waits == 0 {
			k.State = kickGap
		}
	case kickHost:
		if k.Waits > 0 {
			break // the hosts have not answered yet
		}
		k.State = kickGap
		fallthrough
	default:
		if err := e.s.raiseGap(tx, d, k, running[0], "Teleport refuses locks, and the server could not end the session either"); err != nil {
			return err
		}
	}
	return db.Upsert(tx, &k, "id")
}

// askHost has the host of a session end it; asked is false where none can.
func (s *Service) askHost(tx *db.Tx, d *directory, k kickRow, l teleport.Live) (asked bool, err error) {
	id := d.servers[strings.ToLower(l.Hostname)]
	if id == "" {
		return false, nil
	}
	v, err := s.customers.ServerIn(tx, enforcing(), id)
	if err != nil || v.State != customers.ServerActive {
		return false, err
	}
	_, err = s.jobs.Enqueue(tx, jobs.Spec{Kind: string(wire.ActionEndLogin), Executor: jobs.Agent, Server: id, Resource: resourceHost, Subject: k.ID,
		Key: fmt.Sprintf("access.end:%s:%d:%s", k.ID, k.AskedAt, l.ID), Params: wire.EndLoginParams{Account: l.Login, TeleportUser: l.User, Started: controlplane.Millis(l.Started)}, ExpiresAt: tx.Now.Add(endLife), Title: "job.access_end_login"})
	return err == nil, err
}

// raiseGap raises that a session runs that nobody could end.
func (s *Service) raiseGap(tx *db.Tx, d *directory, k kickRow, l teleport.Live, because string) error {
	return s.findings.Raise(tx, findings.Finding{Key: gapKey(k.Person), Group: findings.AccessLocksRefused, Kind: findings.AccessLocksRefused, Severity: findings.Bad, Owner: findings.Ops,
		Server: d.servers[strings.ToLower(l.Hostname)], Subject: k.Person, Args: map[string]string{"person": d.people[k.Person].Name, "because": because + ". It runs since " + day(l.Started)}, Link: linkCluster})
}

// doneEnd takes in what a host could do, and has the cluster looked at: only
// that says that a session is over.
func (s *Service) doneEnd(tx *db.Tx, job jobs.Job) error {
	k, err := kickByID(tx, job.Subject)
	if err != nil || k.ID == "" || k.EndedAt > 0 {
		return err
	}
	k.Waits = max(0, k.Waits-1)
	if err := db.Save(tx, &k); err != nil {
		return err
	}
	var res wire.EndedLogins
	data := map[string]any{"job": job.ID, "state": string(job.State)}
	if job.State == jobs.Succeeded && json.Unmarshal(job.Result, &res) == nil {
		data["ended"], data["left"] = int64(res.Ended), int64(res.Left)
	}
	if _, err := s.ledger.Append(tx, ledger.Entry{Server: job.Server, Subject: k.Person, Kind: "access.login_ended", Data: data}); err != nil {
		return err
	}
	if s.cluster == nil || k.Waits > 0 {
		return nil
	}
	return s.enforceLater(tx, k.Person, false)
}

// doneEnforce raises what the tries of a job came to, where it was nothing.
func (s *Service) doneEnforce(tx *db.Tx, job jobs.Job) error {
	if job.State != jobs.Failed {
		return nil
	}
	k, err := openKick(tx, job.Subject)
	if err != nil || k.State != kickLocked {
		return err
	}
	names, err := s.namesIn(tx, []string{k.Person})
	if err != nil {
		return err
	}
	return s.findings.Raise(tx, findings.Finding{Key: gapKey(k.Person), Group: findings.AccessLocksRefused, Kind: findings.AccessLocksRefused, Severity: findings.Bad, Owner: findings.Ops,
		Subject: k.Person, Args: map[string]string{"person": names[k.Person], "because": "It went on after a lock. Compare the clocks of the cluster and of Ostler's machine"}, Link: linkCluster})
}
