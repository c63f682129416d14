package access

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/jobs"
	"ostler/controlplane/ledger"
	"ostler/controlplane/teleport"
)

// Jobs of the plane that ask the cluster, and the resource that orders them.
const (
	jobObserve = "access.observe"
	jobEnforce = "access.enforce"

	resourceObserve = "access.cluster"
	linkCluster     = "/access/teleport"
)

// stampFor is how old a change may be that a look confirms.
const stampFor = 30 * 24 * time.Hour

// dueObserve has the cluster looked at at intervals, and the keys of customers
// be there who came since: what hosts answer is sealed with them. However many
// replicas ask, one job is made of each interval.
func (s *Service) dueObserve(ctx context.Context) error {
	ctx = controlplane.System(ctx, "access.watch")
	now, err := s.db.Now(ctx)
	if err != nil {
		return err
	}
	slot := now.Truncate(s.opts.Every).UnixMilli()
	if s.observed.Load() == slot {
		return nil
	}
	if err := s.customersReady(ctx); err != nil {
		return err
	}
	if s.cluster == nil {
		s.observed.Store(slot)
		return nil
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		_, err := s.enqueueObserve(tx, fmt.Sprintf("%s:%d", jobObserve, slot))
		return err
	})
	if err == nil {
		s.observed.Store(slot)
	}
	return err
}

func (s *Service) enqueueObserve(tx *db.Tx, key string) (jobs.Job, error) {
	return s.jobs.Enqueue(tx, jobs.Spec{Kind: jobObserve, Executor: jobs.Plane, Resource: resourceObserve, Key: key, Supersedes: jobObserve,
		Params: struct{}{}, Timeout: 2 * time.Minute, MaxAttempts: 1, ExpiresAt: tx.Now.Add(2 * s.opts.Every), Title: "job.access_observe"})
}

// runObserve looks at the cluster once. That it could not is no failure of the
// job: it is what the look found.
func (s *Service) runObserve(ctx context.Context, _ jobs.Job) (any, error) {
	state, err := s.cluster.Observe(ctx)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, s.noteTrouble(ctx, err)
	}
	if state.Skipped > 0 {
		return nil, s.noteTrouble(ctx, &uncleanError{state.Unread})
	}
	return nil, s.noteState(ctx, state)
}

// uncleanError is a look that left something out.
type uncleanError struct{ unread []string }

func (e *uncleanError) Error() string {
	return "some of it could not be read: " + strings.Join(e.unread, ", ")
}

// customersReady makes every customer's key, before a transaction seals with any.
func (s *Service) customersReady(ctx context.Context) error {
	var ids []string
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		ids = ids[:0]
		rows, err := s.called(tx)
		for _, r := range rows {
			ids = append(ids, r.ID)
		}
		return err
	})
	if err != nil {
		return err
	}
	return s.ready(ctx, ids...)
}

// noteState stores what a clean look found: columns, findings, what would
// change, and in enforce mode the jobs that change it.
func (s *Service) noteState(ctx context.Context, state teleport.State) error {
	if err := s.customersReady(ctx); err != nil {
		return err
	}
	state = unlocked(state) // a short lock of ours takes nothing away
	expiry := s.cluster.Expiry()
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		row, kept, err := s.clusterIn(tx)
		if err != nil {
			return err
		}
		d, err := s.directoryIn(tx)
		if err != nil {
			return err
		}
		if err := d.adopt(tx, state, s.opts.Roles); err != nil {
			return err
		}
		lines, err := s.settleState(tx, &row, d, state, &kept)
		if err != nil {
			return err
		}
		wants := s.desire(d, lines, "")
		planned, missing := s.plan(d, wants, state)
		if err := s.enforcePlanned(tx, row, d.personsOf(withPeople(planned, d, wants))); err != nil {
			return err
		}
		kept.Planned, kept.Missing, kept.Connector = planned[:min(len(planned), maxPlanned)], missing, connector(d, wants, state)
		kept.Cluster, kept.Version, kept.Unread = state.Cluster, state.Version, nil
		if err := s.judgeUsers(tx, d, state, &kept); err != nil {
			return err
		}
		if err := s.judgeCluster(tx, &row, d, state, &kept, expiry); err != nil {
			return err
		}
		row.LookedAt, row.LocksRefused = tx.NowMillis(), flag(state.LocksRefused)
		if err := s.attest(tx, sourceTeleport); err != nil {
			return err
		}
		return s.saveCluster(tx, row, kept)
	})
	if err != nil {
		return fmt.Errorf("access: observe: %w", err)
	}
	return s.judgeDrift(ctx, "")
}

// enforcePlanned has the cluster follow the lists of those for whom it does not,
// and whose sessions were to end.
func (s *Service) enforcePlanned(tx *db.Tx, row clusterRow, persons []string) error {
	if Mode(row.Mode) != Enforce {
		return nil
	}
	kicks, err := openKicks(tx)
	if err != nil {
		return err
	}
	for _, id := range persons {
		kicks[id] = true
	}
	for _, id := range slices.Sorted(maps.Keys(kicks)) {
		if err := s.enforceLater(tx, id, false); err != nil {
			return err
		}
	}
	return nil
}

// maxPlanned bounds what is kept of what would change.
const maxPlanned = 500

// withPeople takes roles that are new into the directory, so that whose they are
// can be told.
func withPeople(planned []PlannedChange, d *directory, wants []desired) []PlannedChange {
	for _, w := range wants {
		if _, known := d.ours[w.name]; !known {
			d.ours[w.name] = clusterRole{Name: w.name, Person: w.person, Role: w.role}
		}
	}
	return planned
}

// settleState makes the columns what the state says. What was not there at the
// last clean look and nobody listed counts from that look on.
func (s *Service) settleState(tx *db.Tx, row *clusterRow, d *directory, state teleport.State, kept *seen) ([]listedRow, error) {
	lines, err := listedLines(tx, "")
	if err != nil {
		return nil, err
	}
	if err := s.forgetLocked(tx, d, state); err != nil {
		return nil, err
	}
	certs, err := certsOut(tx)
	if err != nil {
		return nil, err
	}
	v := d.look(state, s.opts.LabelKey)
	kept.Foreign = v.foreign
	answerFor(tx.Now, d, kept)
	listed := d.acceptedWants(tx.Now, v.enforced)
	hash := hashOf(listed, v.enforced, d.could(v, state, certs))
	if err := s.noteSessions(tx, d, state, v); err != nil || hash == row.WantsHash {
		return lines, err
	}
	since(v.enforced, lines, controlplane.FromMillis(row.LookedAt))
	p := part{Source: sourceTeleport, Customers: d.ids, Why: "not in the cluster any more", Baseline: row.LookedAt == 0}
	if err := s.settleColumns(tx, d, p, state, v, listed); err != nil {
		return nil, err
	}
	row.WantsHash = hash
	return lines, stampEnforced(tx, "", tx.Now.Add(-stampFor).UnixMilli())
}

// settleColumns settles what a look says of a part, in all columns.
func (s *Service) settleColumns(tx *db.Tx, d *directory, p part, state teleport.State, v sight, listed []want) error {
	p.Column = Listed
	if _, err := s.settle(tx, p, listed); err != nil {
		return err
	}
	p.Column = Enforced
	changes, err := s.settle(tx, p, v.enforced)
	if err != nil {
		return err
	}
	if err := s.certsLeft(tx, d, state, changes); err != nil {
		return err
	}
	certs, err := certsOut(tx)
	if err != nil {
		return err
	}
	p.Column = Could
	_, err = s.settle(tx, p, onlyOf(d.could(v, state, certs), p.Persons))
	return err
}

// onlyOf are the wants of some persons; nil is all.
func onlyOf(wants []want, persons []string) []want {
	if persons == nil {
		return wants
	}
	return slices.DeleteFunc(slices.Clone(wants), func(w want) bool { return !slices.Contains(persons, w.Person) })
}

// since dates what nobody listed: it may have been so from the last clean look on.
func since(wants []want, lines []listedRow, last time.Time) {
	if last.IsZero() {
		return
	}
	listed := map[listedRow]bool{}
	for _, l := range lines {
		l.Source = ""
		listed[l] = true
	}
	for i, w := range wants {
		if !listed[listedRow{CustomerID: w.Customer, PersonID: w.Person, Role: w.Role, ServerID: w.Server}] {
			wants[i].From = last
		}
	}
}

// certsLeft keeps what may be out of certificates of lines that are enforced no
// more: one issued in the last moment lasts as long as the role says. A lock for
// good stops it.
func (s *Service) certsLeft(tx *db.Tx, d *directory, state teleport.State, changes []Change) error {
	var rows []certRow
	for _, c := range changes {
		if c.Kind != Removed || c.Person == "" || c.Way != WayTeleport || s.lockedForGood(d.people[c.Person], state) {
			continue
		}
		life := certLife
		if r, known := s.roleNamed(c.Role); known && r.MaxTTL > 0 {
			life = r.MaxTTL
		}
		for _, r := range state.Roles {
			if r.Name == roleIn(c.Ground) && r.MaxTTL > 0 {
				life = r.MaxTTL
			}
		}
		rows = append(rows, certRow{ID: rowID(), Customer: c.Customer, Person: c.Person, Role: c.Role, Server: c.Server, From: tx.NowMillis(), Until: tx.Now.Add(life).UnixMilli()})
	}
	return insertAll(tx, rows)
}

// forgetLocked forgets the certificates of those whom the cluster lets in no more.
func (s *Service) forgetLocked(tx *db.Tx, d *directory, state teleport.State) error {
	for _, id := range slices.Sorted(maps.Keys(d.people)) {
		if p := d.people[id]; !p.LeftAt.IsZero() && s.lockedForGood(p, state) {
			if err := forgetCerts(tx, id); err != nil {
				return err
			}
		}
	}
	return nil
}

// lockedForGood reports whether every user of a person is locked without an end.
func (s *Service) lockedForGood(p Person, state teleport.State) bool {
	for _, u := range p.TeleportUsers {
		if !slices.ContainsFunc(state.Locks, func(l teleport.Lock) bool { return l.User == u && l.Targets <= 1 && l.Expires.IsZero() }) {
			return false
		}
	}
	return len(p.TeleportUsers) > 0
}

// acceptedWants are the lines of roles of others that somebody answers for now.
func (d *directory) acceptedWants(now time.Time, enforced []want) (out []want) {
	for _, w := range enforced {
		role := roleIn(w.Ground)
		a, ok := d.accepted[role]
		if !ok || a.Until <= now.UnixMilli() {
			continue
		}
		if o, ours := d.ours[role]; ours && o.Role == w.Role {
			continue
		}
		w.Until, w.Why = controlplane.FromMillis(a.Until), "accepted as it was found"
		out = append(out, w)
	}
	return out
}

// answerFor says who answers for foreign roles.
func answerFor(now time.Time, d *directory, kept *seen) {
	for i, f := range kept.Foreign {
		if a, ok := d.accepted[f.Role]; ok && a.Until > now.UnixMilli() {
			kept.Foreign[i].AcceptedBy, kept.Foreign[i].Until = d.people[a.Owner].Name, controlplane.FromMillis(a.Until)
		}
	}
}

// noteTrouble stores that the cluster could not be looked at, since when and why.
func (s *Service) noteTrouble(ctx context.Context, why error) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	s.opts.Log.WarnContext(ctx, "access.cluster", "err", why)
	code := troubleOf(why)
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		row, kept, err := s.clusterIn(tx)
		if err != nil {
			return err
		}
		if row.Trouble == "" {
			row.TroubleSince = row.LookedAt
			if row.TroubleSince == 0 {
				row.TroubleSince = tx.NowMillis()
			}
			if _, err := s.ledger.Append(tx, ledger.Entry{Subject: sourceTeleport, Kind: "access.cluster_lost", Data: map[string]any{"cause": string(code)}}); err != nil {
				return err
			}
		}
		row.Trouble = string(code)
		kept.Unread = nil
		var unclean *uncleanError
		if errors.As(why, &unclean) {
			kept.Unread = unclean.unread
		}
		if err := s.saveCluster(tx, row, kept); err != nil {
			return err
		}
		return s.raiseTrouble(tx, row, kept)
	})
	if err != nil {
		return fmt.Errorf("access: note trouble: %w", err)
	}
	return nil
}

// raiseTrouble raises what a person has to do about it.
func (s *Service) raiseTrouble(tx *db.Tx, row clusterRow, kept seen) error {
	sentence, _ := troubleText(teleport.Trouble(row.Trouble), kept.Unread)
	since := controlplane.FromMillis(row.TroubleSince)
	args := map[string]string{"for": findings.Ago("en", tx.Now.Sub(since)), "since": day(since), "because": sentence}
	severity := findings.Unknown
	if tx.Now.Sub(since) >= 24*time.Hour {
		severity = findings.Bad
	}
	err := s.findings.Raise(tx, findings.Finding{Key: findings.AccessClusterUnreachable, Kind: findings.AccessClusterUnreachable, Severity: severity, Owner: findings.Ops,
		Subject: sourceTeleport, Args: args, Link: linkCluster})
	if err != nil || !teleport.Trouble(row.Trouble).OfIdentity() {
		return err
	}
	return s.findings.Raise(tx, findings.Finding{Key: findings.AccessClusterIdentity, Kind: findings.AccessClusterIdentity, Severity: findings.Bad, Owner: findings.Ops,
		Subject: sourceTeleport, Args: map[string]string{"because": sentence}, Link: linkCluster})
}
