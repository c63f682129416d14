package access

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/jobs"
	"ostler/controlplane/ledger"
	"ostler/controlplane/teleport"
)

const (
	// enforceAttempts is how often one job tries: a cluster that is down longer is
	// tried again by the next look.
	enforceAttempts = 8
	// longestKick bounds a lock that is set again because a session went on.
	longestKick = time.Hour
	kickPrefix  = "ostler-kick-"
)

// enforceBackoff is short at first: a lock takes half a second to bite.
func enforceBackoff(attempt int) time.Duration {
	return min(time.Second<<max(0, attempt-1), time.Minute)
}

// enforcement is one run of the job for one person.
type enforcement struct {
	s      *Service
	person Person
	dir    *directory
	wants  []desired
	kick   kickRow
	asked  kickRow // the kick as it was read
	state  teleport.State
	// refused says that the cluster did not take a lock from us.
	refused bool
	// taken is the name of a role that we would make and that is another's.
	taken string
}

// errStillIn ends a run after a lock: the next one sees whether the session is over.
var errStillIn = jobs.Fail(wire.CauseTimeout, "a session that a lock was set against was not seen to end yet")

// runEnforce makes the cluster follow one person's lists as they are now:
// narrow the roles, lock where a session runs on, and confirm by looking.
func (s *Service) runEnforce(ctx context.Context, job jobs.Job) (any, error) {
	e := &enforcement{s: s}
	going, err := e.read(ctx, job.Subject)
	if err != nil || !going {
		return nil, err
	}
	for _, put := range []func(context.Context) error{e.stripOthers, e.putRoles, e.putUsers} {
		if err := put(ctx); errors.Is(err, teleport.ErrDenied) {
			return nil, s.mayNotWrite(ctx, err)
		} else if err != nil {
			return nil, s.lost(ctx, err)
		}
	}
	if e.state, err = s.cluster.Observe(ctx); err != nil {
		return nil, s.lost(ctx, err)
	}
	if e.state.Skipped > 0 {
		return nil, s.lost(ctx, &uncleanError{e.state.Unread})
	}
	again, err := e.cut(ctx)
	if err != nil {
		return nil, s.lost(ctx, err)
	}
	if err := e.confirm(ctx); err != nil {
		return nil, err
	}
	if err := s.judgeDrift(ctx, e.person.ID); err != nil {
		return nil, err
	}
	switch {
	case e.taken != "":
		return nil, jobs.Fail(wire.CauseExists, "a role of the name "+e.taken+" is there and is not ours")
	case again:
		return nil, errStillIn
	}
	return nil, nil
}

// lost notes trouble with the cluster and returns it: the job is tried again.
func (s *Service) lost(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var own *jobs.FailError
	if errors.As(err, &own) {
		return err
	}
	if t := troubleOf(err); t != teleport.TroubleOther && t != teleport.TroubleBusy {
		if noted := s.noteTrouble(ctx, err); noted != nil {
			return noted
		}
	}
	return jobs.Fail(wire.CauseTimeout, controlplane.Line(err.Error(), 300))
}

// writeKey is the finding that our identity may look and not change.
const writeKey = findings.AccessClusterIdentity + ":write"

// mayNotWrite raises that our identity may not change what it has to.
func (s *Service) mayNotWrite(ctx context.Context, why error) error {
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		return s.findings.Raise(tx, findings.Finding{Key: writeKey, Kind: findings.AccessClusterIdentity, Severity: findings.Bad, Owner: findings.Ops, Subject: sourceTeleport,
			Args: map[string]string{"because": "It may look, and not change roles or users: lists are not enforced. Give its role create and update on roles, and update on users"}, Link: linkCluster})
	})
	if err != nil {
		return fmt.Errorf("access: enforce: %w", err)
	}
	return jobs.Fail(wire.CauseTimeout, controlplane.Line(why.Error(), 300))
}

// read reads what is wanted; going is false where nothing may be changed.
func (e *enforcement) read(ctx context.Context, person string) (going bool, err error) {
	if err := e.s.customersReady(ctx); err != nil {
		return false, err
	}
	err = e.s.db.Write(ctx, func(tx *db.Tx) error {
		going = false
		row, _, err := e.s.clusterIn(tx)
		if err != nil || Mode(row.Mode) != Enforce {
			return err
		}
		if e.dir, err = e.s.directoryIn(tx); err != nil {
			return err
		}
		e.person = e.dir.people[person]
		if e.person.ID == "" {
			return nil
		}
		lines, err := listedLines(tx, person)
		if err != nil {
			return err
		}
		e.wants = e.s.desire(e.dir, lines, person)
		if e.kick, err = openKick(tx, person); err != nil {
			return err
		}
		e.asked = e.kick
		for _, w := range e.wants { // known before it is made: an answer may be lost
			if _, known := e.dir.ours[w.name]; known {
				continue
			}
			r := clusterRole{Name: w.name, Person: w.person, Role: w.role, MadeAt: tx.NowMillis()}
			if err := db.Insert(tx, &r); err != nil {
				return err
			}
		}
		going = true
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("access: enforce: %w", err)
	}
	return going, nil
}

// stripOthers takes the roles of this person from users who are not theirs, also
// an empty one that somebody kept who was theirs once: before any is made wider.
func (e *enforcement) stripOthers(ctx context.Context) error {
	if len(e.wants) == 0 {
		return nil
	}
	users, err := e.s.cluster.Users(ctx)
	if refusal(err) { // the look that follows says so
		return nil
	}
	if err != nil {
		return err
	}
	now, err := e.s.db.Now(ctx)
	if err != nil {
		return err
	}
	for _, h := range e.dir.strangers(e.wants, users, now) {
		err := e.s.cluster.SetUserRoles(ctx, h.user, nil, []string{h.role})
		if err != nil && !errors.Is(err, teleport.ErrSSO) && !errors.Is(err, teleport.ErrRefused) && !errors.Is(err, teleport.ErrNotFound) {
			return err
		}
	}
	return nil
}

// putRoles makes each role what it ought to be, those first that lose something.
func (e *enforcement) putRoles(ctx context.Context) error {
	order := slices.Clone(e.wants)
	slices.SortStableFunc(order, func(a, b desired) int { return min(1, len(a.slugs)) - min(1, len(b.slugs)) })
	for _, w := range order {
		err := e.s.cluster.PutRole(ctx, w.teleport(e.s.opts.LabelKey))
		if errors.Is(err, teleport.ErrNotOurs) {
			e.taken = w.name // the others are still to be made right
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// putUsers gives the person's users their roles; users of those who left are
// locked for good and lose them.
func (e *enforcement) putUsers(ctx context.Context) error {
	var add, all []string
	for _, w := range e.wants {
		all = append(all, w.name)
		if len(w.slugs) > 0 {
			add = append(add, w.name)
		}
	}
	for _, u := range e.person.TeleportUsers {
		remove := []string(nil)
		if !e.person.LeftAt.IsZero() {
			err := e.s.cluster.PutLock(ctx, teleport.Lock{Name: e.s.leftLock(e.person.ID, u), User: u, Message: "This account was closed."})
			if refusal(err) {
				e.refused = true
			} else if err != nil {
				return err
			}
			add, remove = nil, all
		}
		if len(add)+len(remove) == 0 {
			continue
		}
		err := e.s.cluster.SetUserRoles(ctx, u, add, remove)
		// The connector gives roles to users of single sign-on, and there may be no
		// such user: the next look shows what they lack.
		if err != nil && !errors.Is(err, teleport.ErrSSO) && !errors.Is(err, teleport.ErrRefused) && !errors.Is(err, teleport.ErrNotFound) {
			return err
		}
	}
	return nil
}

// refusal reports whether the cluster does not do a thing, or not for us.
func refusal(err error) bool {
	return errors.Is(err, teleport.ErrRefused) || errors.Is(err, teleport.ErrDenied)
}

// confirm stores what the look after the change says: the columns of this
// person, when it was so, and how far the sessions are.
func (e *enforcement) confirm(ctx context.Context) error {
	s := e.s
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		row, kept, err := s.clusterIn(tx)
		if err != nil {
			return err
		}
		d, err := s.directoryIn(tx)
		if err != nil {
			return err
		}
		state := unlocked(e.state)
		if err := s.forgetLocked(tx, d, state); err != nil {
			return err
		}
		v := d.look(state, s.opts.LabelKey)
		only := []string{e.person.ID}
		v.enforced = onlyOf(v.enforced, only)
		p := part{Source: sourceTeleport, Customers: d.ids, Persons: only, Why: "taken away in the cluster"}
		if err := s.settleColumns(tx, d, p, state, v, d.acceptedWants(tx.Now, v.enforced)); err != nil {
			return err
		}
		if err := stampEnforced(tx, e.person.ID, tx.Now.Add(-stampFor).UnixMilli()); err != nil {
			return err
		}
		row.WantsHash = ""
		planned, _ := s.plan(d, e.wants, e.state)
		kept.Planned = d.replan(kept.Planned, planned, e.person.ID)
		if err := s.saveCluster(tx, row, kept); err != nil {
			return err
		}
		if err := e.saveKick(tx, d); err != nil {
			return err
		}
		if err := s.findings.Close(tx, writeKey, "the cluster took a change"); err != nil {
			return err
		}
		customers := []any{}
		for _, w := range e.wants {
			customers = append(customers, fmt.Sprintf("%s: %d customers", w.role, len(w.slugs)))
		}
		_, err = s.ledger.Append(tx, ledger.Entry{Subject: e.person.ID, Kind: "access.enforced", Data: map[string]any{"roles": customers, "kick": e.kick.State, "left": !e.person.LeftAt.IsZero()}})
		return err
	})
	if err != nil {
		return fmt.Errorf("access: enforce: %w", err)
	}
	return nil
}

// gapKey is the finding of a person whose session could not be ended.
func gapKey(person string) string { return findings.AccessLocksRefused + ":" + person }
