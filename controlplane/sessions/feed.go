package sessions

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/jobs"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
	"ostler/controlplane/teleport"
)

const (
	jobRead      = "sessions.read" // one at a time
	deepEvery    = time.Hour
	readTimeout  = 30 * time.Minute
	keepReads    = 24 * time.Hour // jobs that are over
	tellAfter    = time.Hour      // of trouble: customers are told
	linkFeed     = "/sessions/feed"
	linkSessions = "/sessions"
)

func (s *Service) registerIngest() {
	s.due = append(s.due, s.dueRead, s.dueOverdue)
	if s.cluster != nil {
		s.jobs.Handle(jobRead, jobs.Handler{Run: s.runRead, Retry: func(wire.Failure) bool { return false }})
	}
}

// ofFeed is the scope of the plane's own work with what the cluster says.
func ofFeed() policy.Scope { return policy.AllCustomers("the cluster's audit log is read") }

// Feed says how the reading of the audit log goes. Staff only.
func (s *Service) Feed(ctx context.Context, scope policy.Scope) (out Feed, err error) {
	if err := staffOnly(scope); err != nil {
		return Feed{}, err
	}
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		row, err := feedIn(tx)
		if err != nil {
			return err
		}
		n, err := quarantinedNow(tx)
		at := controlplane.FromMillis
		out = Feed{Configured: s.cluster != nil, Cluster: row.Cluster, ReadTo: at(row.ReadTo), ReadAt: at(row.ReadAt), Events: row.Events,
			Quarantined: n, Trouble: troubleText(teleport.Trouble(row.Trouble)), Since: at(row.TroubleSince)}
		return err
	})
	return out, wrap("feed", err)
}

// ReadNow has the audit log read at once, with the deep overlap. It returns the job.
// Permission: session.admin. Errors: conflict where no cluster is configured.
func (s *Service) ReadNow(ctx context.Context, scope policy.Scope) (job string, err error) {
	if err := staffOnly(scope); err != nil {
		return "", err
	}
	if s.cluster == nil {
		return "", controlplane.Errorf(controlplane.CodeConflict, "Name the cluster in the configuration.", "No Teleport cluster is configured")
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		j, err := s.enqueueRead(tx, true, fmt.Sprintf("%s:now:%d", jobRead, tx.NowMillis()))
		job = j.ID
		if err == nil {
			_, err = s.ledger.Append(tx, ledger.Entry{Subject: job, Kind: "session.read_asked", Data: map[string]any{"job": job}})
		}
		return err
	})
	return job, wrap("read now", err)
}

type readParams struct {
	Deep bool `json:"deep,omitempty"`
}

func (s *Service) enqueueRead(tx *db.Tx, deep bool, key string) (jobs.Job, error) {
	supersedes := jobRead
	if deep {
		supersedes = "" // no other one reads as much
	}
	return s.jobs.Enqueue(tx, jobs.Spec{Kind: jobRead, Executor: jobs.Plane, Resource: jobRead, Supersedes: supersedes, Key: key, Params: readParams{deep}, Timeout: readTimeout,
		MaxAttempts: 1, ExpiresAt: tx.Now.Add(max(10*s.opts.Every, 10*time.Minute)), Title: "job.sessions_read"})
}

// dueRead has the audit log read when its time has come. However many replicas
// look, one of them makes the job.
func (s *Service) dueRead(ctx context.Context) error {
	if s.cluster == nil {
		return nil
	}
	ctx = controlplane.System(ctx, "sessions.watch")
	var row feedRow
	var now int64
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) { now = tx.NowMillis(); row, err = feedIn(tx); return err })
	if err != nil || row.NextAt > now {
		return wrap("due read", err)
	}
	tidy := false
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		row, err := feedIn(tx)
		if err != nil || row.NextAt > tx.NowMillis() {
			return err
		}
		deep := tx.NowMillis()-max(row.DeepAt, row.DeepAsked) >= deepEvery.Milliseconds()
		row.NextAt = tx.Now.Add(s.opts.Every).UnixMilli()
		if tidy = deep; deep {
			row.DeepAsked = tx.NowMillis()
		}
		if err := saveFeed(tx, row); err != nil {
			return err
		}
		_, err = s.enqueueRead(tx, deep, fmt.Sprintf("%s:%d", jobRead, row.NextAt))
		return err
	})
	if err == nil && tidy {
		_, err = s.jobs.Forget(ctx, []string{jobRead, string(wire.ActionLoginsScan)}, controlplane.FromMillis(now).Add(-keepReads))
	}
	return wrap("due read", err)
}

// runRead reads the audit log once. That it could not is no failure of the job:
// it is what it found, and the next one goes on from there.
func (s *Service) runRead(ctx context.Context, job jobs.Job) (any, error) {
	var p readParams
	if err := json.Unmarshal(job.Params, &p); err != nil {
		return nil, jobs.Fail(wire.CauseInternal, "the parameters cannot be read")
	}
	if err := s.customersReady(ctx); err != nil {
		return nil, err
	}
	r, err := s.beginReading(ctx, p.Deep)
	if err != nil {
		return nil, err
	}
	switch err := r.all(ctx); {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case errors.Is(err, errOurs):
		return nil, err
	case err != nil:
		return nil, s.noteTrouble(ctx, err)
	}
	if err := s.noteRead(ctx, r); err != nil {
		return nil, err
	}
	if err := s.findEndless(ctx); err != nil {
		return nil, err
	}
	if p.Deep {
		err = errors.Join(s.rematch(ctx), s.judgeOutside(ctx))
	}
	return nil, err
}

// errOurs marks what went wrong on our side, not on the cluster's.
var errOurs = errors.New("the database did not take it")

// customersReady makes every customer's key, before a transaction seals with any.
func (s *Service) customersReady(ctx context.Context) error {
	var ids []string
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) { ids, err = s.customersCalled(tx); return err })
	if err != nil {
		return wrap("customers", err)
	}
	return s.ready(ctx, ids...)
}

// noteRead says until when everything was read, and that it goes on.
func (s *Service) noteRead(ctx context.Context, r *reading) error {
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		row, err := feedIn(tx)
		if err != nil {
			return err
		}
		row.ReadTo, row.ReadAt = max(row.ReadTo, r.started), tx.NowMillis()
		if r.deep {
			row.DeepAt = r.started
		}
		if row.Watermark == 0 {
			row.Watermark = r.started
		}
		if row.Trouble != "" {
			if _, err := s.ledger.Append(tx, ledger.Entry{Kind: "session.feed_resumed", Data: map[string]any{"cause": row.Trouble, "since": controlplane.Instant(controlplane.FromMillis(row.TroubleSince))}}); err != nil {
				return err
			}
		}
		row.Trouble, row.TroubleSince = "", 0
		if err := saveFeed(tx, row); err != nil {
			return err
		}
		if err := s.closeAll(tx, findings.SessionFeedStopped, "it is read again"); err != nil {
			return err
		}
		return s.closeAll(tx, findings.SessionFeedIdentity, "the identity may read it again")
	})
	return wrap("note a reading", err)
}

// closeAll closes the open findings of a kind.
func (s *Service) closeAll(tx *db.Tx, kind, cause string) error {
	keys, err := s.findings.OpenKeys(tx, kind)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if err := s.findings.Close(tx, k, cause); err != nil {
			return err
		}
	}
	return nil
}

// noteTrouble says why it does not go on, and since when. After an hour the
// customers are told too: what is done on their servers is not known meanwhile.
func (s *Service) noteTrouble(ctx context.Context, cause error) error {
	s.opts.Log.WarnContext(ctx, "sessions.read", "err", cause)
	t := teleport.TroubleOf(cause)
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		row, err := feedIn(tx)
		if err != nil {
			return err
		}
		if row.TroubleSince == 0 {
			row.TroubleSince = cmp.Or(row.ReadTo, tx.NowMillis())
		}
		if row.Trouble == "" {
			if _, err := s.ledger.Append(tx, ledger.Entry{Kind: "session.feed_stopped", Data: map[string]any{"cause": string(t)}}); err != nil {
				return err
			}
		}
		row.Trouble = string(t)
		if err := saveFeed(tx, row); err != nil {
			return err
		}
		return s.raiseTrouble(tx, t, controlplane.FromMillis(row.TroubleSince))
	})
	return wrap("note a trouble", err)
}

func (s *Service) raiseTrouble(tx *db.Tx, t teleport.Trouble, since time.Time) error {
	kind, other := findings.SessionFeedStopped, findings.SessionFeedIdentity
	if t.OfIdentity() {
		kind, other = other, kind
	}
	if err := s.closeAll(tx, other, "there is another cause now"); err != nil {
		return err
	}
	lasts := tx.Now.Sub(since)
	x := findings.Finding{Key: kind, Group: kind, Kind: kind, Severity: findings.Unknown, Owner: findings.Ops, Link: linkFeed,
		Args: map[string]string{"since": moment(since), "for": findings.Ago("en", lasts), "because": troubleText(t)}}
	if lasts >= 24*time.Hour {
		x.Severity = findings.Bad
	}
	if err := s.findings.Raise(tx, x); err != nil || lasts < tellAfter {
		return err
	}
	open, err := s.findings.OpenKeys(tx, kind)
	if err != nil || len(open) > 1 {
		return err // told
	}
	ids, err := s.customersLiving(tx)
	if err != nil {
		return err
	}
	for _, c := range ids {
		if s.erased(c) {
			continue
		}
		x.Key, x.Customer = kind+":"+c, c
		if err := s.findings.Raise(tx, x); err != nil {
			return err
		}
	}
	return nil
}

// troubleText is a trouble as a sentence without its full stop.
func troubleText(t teleport.Trouble) string {
	if t == teleport.TroubleDenied {
		return "our identity may not list and read events"
	}
	sentence, _ := t.Text()
	return sentence
}

// moment is an instant as people say it.
func moment(t time.Time) string { return t.UTC().Format("2 January 2006 15:04 MST") }
