package sessions

import (
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

// The job that brings a recording from the cluster.
const (
	jobFetch      = "session.fetch"
	fetchAttempts = 1000 // with fetchBackoff three weeks
	fetchTimeout  = time.Hour
)

// fetchParams say whose recording is wanted.
type fetchParams struct {
	Session string `json:"session"`
	// Again says that a person asked: what is here already is compared.
	Again bool `json:"again,omitempty"`
}

// ofRecordings is the scope of the plane's own work with recordings.
func ofRecordings() policy.Scope {
	return policy.AllCustomers("recordings are fetched, checked and let go of")
}

func fetchBackoff(attempt int) time.Duration {
	wait := 5 * time.Second
	for i := 1; i < attempt && wait < 30*time.Minute; i++ {
		wait *= 2
	}
	return min(wait, 30*time.Minute)
}

// wantRecording has the recording of a session fetched from the cluster: the
// state machine calls it in the transaction that makes a session Uploaded, and
// again does no harm. It reads the session's row when it runs, not now.
func (s *Service) wantRecording(tx *db.Tx, session string) error {
	if s.cluster == nil {
		return nil
	}
	_, err := s.enqueueFetch(tx, fetchParams{Session: session})
	return err
}

func (s *Service) enqueueFetch(tx *db.Tx, p fetchParams) (string, error) {
	name := jobFetch + ":" + p.Session
	job, err := s.jobs.Enqueue(tx, jobs.Spec{Kind: jobFetch, Executor: jobs.Plane, Resource: name, Supersedes: name, Key: name + ":" + controlplane.NewID(controlplane.PrefixJob),
		Subject: p.Session, Params: p, Timeout: fetchTimeout, MaxAttempts: fetchAttempts, Title: "job.session_fetch"})
	return job.ID, err
}

// Fetch asks the cluster for a missing recording again; one that is here is
// compared, and mended where a check has found it changed. It returns the job.
// Permission: session.review. Errors: not found, conflict.
func (s *Service) Fetch(ctx context.Context, scope policy.Scope, session string) (job string, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		row, err := s.sessionIn(tx, scope, session)
		if err != nil {
			return err
		}
		rec, _, err := recordingOf(tx, session)
		if err != nil {
			return err
		}
		if err := s.fetchable(row, rec); err != nil {
			return err
		}
		job, err = s.enqueueFetch(tx, fetchParams{Session: session, Again: true})
		return err
	})
	return job, wrap("fetch", err)
}

// fetchable says why the cluster is not asked for a recording.
func (s *Service) fetchable(row sessionRow, rec recordingRow) error {
	switch {
	case s.cluster == nil:
		return conflict("Name the cluster in the configuration.", "No Teleport cluster is configured")
	case row.SID == "" || State(row.State) == Unrecorded:
		return conflict("See what the cluster's log says of it.", "The cluster recorded nothing of this session")
	case State(row.State) == Live:
		return conflict("Try again once it has ended.", "The session is not over yet")
	case rec.DeletedAt > 0:
		return conflict("Its SHA-256 and the entry about its end stay in the ledger.", "The recording was let go of, and stays so")
	}
	return nil
}

// whyErased is why there is no recording of a customer whose key was destroyed.
const whyErased = "the key with which it would be kept was destroyed"

// runFetch brings a recording, once.
func (s *Service) runFetch(ctx context.Context, job jobs.Job) (any, error) {
	var p fetchParams
	if err := json.Unmarshal(job.Params, &p); err != nil {
		return nil, err
	}
	var row sessionRow
	var rec recordingRow
	var has bool
	var customers []string
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		if row, err = s.sessionIn(tx, ofRecordings(), p.Session); err == nil {
			rec, has, err = recordingOf(tx, p.Session)
		}
		if err == nil {
			customers, err = customerIDs(tx, p.Session)
		}
		return err
	})
	if err == nil {
		err = s.ready(ctx, customers...)
	}
	if err != nil {
		return nil, err
	}
	if s.fetchable(row, rec) != nil || has && !p.Again && rec.sound() && rec.Partial == "" {
		return nil, nil
	}
	if s.erased(row.SealOwner) {
		return nil, s.db.Write(ctx, func(tx *db.Tx) error { return s.recordingMissing(tx, row.ID, whyErased) })
	}
	now, err := s.db.Now(ctx)
	if err != nil {
		return nil, err
	}
	d, err := s.dataOf(row)
	if err != nil {
		return nil, err
	}
	late := d.Track.Late || row.DueAt > 0 && now.UnixMilli() >= row.DueAt
	f := fetching{s: s, row: row, had: rec, last: late || job.Attempt >= job.MaxAttempts}
	err = f.do(ctx)
	if err == nil {
		return nil, nil
	}
	return nil, s.notFetched(ctx, row, err, f.last)
}

// notFetched keeps why a recording did not come. What may pass by itself is tried
// again; a recording that the cluster does not have is asked for again when it
// says that it has it, or when a person asks.
func (s *Service) notFetched(ctx context.Context, row sessionRow, cause error, last bool) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	s.opts.Log.WarnContext(ctx, "sessions.fetch", "session.id", row.ID, "err", cause)
	var full *storeError
	if errors.As(cause, &full) {
		if err := s.db.Write(ctx, s.noteUnstored); err != nil {
			return err
		}
		return jobs.Fail(wire.CausePlane, "the place where recordings are kept does not take it")
	}
	why, known := whyNot(cause)
	if !known {
		return cause
	}
	if last {
		if err := s.db.Write(ctx, func(tx *db.Tx) error { return s.recordingMissing(tx, row.ID, why) }); err != nil {
			return err
		}
		if errors.Is(cause, teleport.ErrNotFound) {
			return nil
		}
	}
	return jobs.Fail(wire.CausePlane, why)
}

// whyNot is why the cluster did not give a recording, a sentence without its full
// stop; known is false for what is no answer of the cluster.
func whyNot(err error) (why string, known bool) {
	for _, x := range []struct {
		err error
		why string
	}{
		{teleport.ErrNotFound, "The cluster has no recording of it"},
		{teleport.ErrDenied, "Our identity may not read recordings"},
		{teleport.ErrExpired, "Our identity at the cluster has expired"},
		{teleport.ErrWrongCA, "The cluster's certificate is not signed by the authority that our identity names"},
		{teleport.ErrIdentity, "Our identity file cannot be used"},
		{teleport.ErrClock, "By our clock the cluster's certificate is not valid now"},
		{teleport.ErrUnreachable, "The cluster does not answer"},
		{teleport.ErrRefused, "The cluster does not give out recordings"},
		{teleport.ErrTooMuch, "The cluster is busy, or the answer is larger than it sends"},
		{errStream, "The cluster answered with an error of its own"},
	} {
		if errors.Is(err, x.err) {
			return x.why, true
		}
	}
	return "", false
}

// recordingMissing makes a session Missing, in its row and in the ledger
// (session.missing), opens the finding session.recording_missing, and tells
// onStored: when a fetch has given up, and when nothing came by the session's
// DueAt. The session's row is read and written here: save yours before. why is
// a plain sentence without its full stop. A session whose recording is stored, or
// that is Missing already, is left as it is.
func (s *Service) recordingMissing(tx *db.Tx, session, why string) error {
	row, err := s.sessionIn(tx, ofRecordings(), session)
	if err != nil {
		return err
	}
	switch State(row.State) {
	case Stored, Missing, Unrecorded:
		return nil
	}
	row.State = string(Missing)
	if err := saveSession(tx, &row); err != nil {
		return err
	}
	if err := s.enterRecording(tx, row, "session.missing", map[string]any{"why": why}); err != nil {
		return err
	}
	if err := s.raiseRecording(tx, row, findings.SessionRecordingMissing, findings.Warn, why); err != nil {
		return err
	}
	return s.stored(tx, session)
}

// stored tells that a recording came, or will not.
func (s *Service) stored(tx *db.Tx, session string) error {
	for _, f := range s.onStored {
		if err := f(tx, session); err != nil {
			return err
		}
	}
	tx.AfterCommit(func() { s.opts.Bus.Publish(TopicSessions) })
	return nil
}

// enterRecording writes to the ledger of every customer of a session; the company's where
// there is none.
func (s *Service) enterRecording(tx *db.Tx, row sessionRow, kind string, data map[string]any) error {
	customers, err := chains(tx, row.ID)
	if err != nil {
		return err
	}
	for _, c := range customers {
		if _, err := s.ledger.Append(tx, ledger.Entry{Customer: c, Server: row.ServerID, Subject: row.ID, Kind: kind, Data: data}); err != nil {
			return err
		}
	}
	return nil
}

// chains are the customers of a session, or the company.
func chains(tx *db.Tx, session string) ([]string, error) {
	customers, err := customerIDs(tx, session)
	if err == nil && len(customers) == 0 {
		customers = []string{""}
	}
	return customers, err
}

// recordingKey names a finding of a session's recording for one customer.
func recordingKey(kind, session, customer string) string {
	return kind + ":" + session + ":" + customer
}

// raiseRecording opens a finding about a session's recording for each of its customers.
func (s *Service) raiseRecording(tx *db.Tx, row sessionRow, kind string, severity findings.Severity, because string) error {
	x, err := s.session(row)
	if err != nil {
		return err
	}
	customers, err := chains(tx, row.ID)
	if err != nil {
		return err
	}
	args := map[string]string{"where": row.Host, "because": capital(because), "at": x.StartedAt.In(s.opts.Zone).Format("2 January 2006 15:04 MST")}
	if x.PersonName != "" {
		args["person"] = x.PersonName
	}
	for _, c := range customers {
		if s.erased(c) {
			continue
		}
		err := s.findings.Raise(tx, findings.Finding{Key: recordingKey(kind, row.ID, c), Group: kind + ":" + row.ID, Customer: c, Server: row.ServerID, Subject: row.ID,
			Kind: kind, Severity: severity, Owner: findings.Ops, Args: args, Link: "/sessions/" + row.ID})
		if err != nil {
			return err
		}
	}
	return nil
}

// closeRecording closes the findings of a kind about a session's recording.
func (s *Service) closeRecording(tx *db.Tx, session, kind, cause string) error {
	customers, err := chains(tx, session)
	for _, c := range customers {
		if err == nil {
			err = s.findings.Close(tx, recordingKey(kind, session, c), cause)
		}
	}
	return err
}

// noteUnstored says that recordings cannot be kept for now.
func (s *Service) noteUnstored(tx *db.Tx) error {
	n, err := uploadedCount(tx)
	if err != nil {
		return err
	}
	count := "1 recording"
	if n > 1 {
		count = fmt.Sprintf("%d recordings", n)
	}
	return s.findings.Raise(tx, findings.Finding{Key: findings.SessionNotStored, Kind: findings.SessionNotStored, Severity: findings.Bad, Owner: findings.Ops, Link: "/sessions",
		Args: map[string]string{"count": count, "because": "The place where recordings are kept is full, or does not answer"}})
}
