package mail

import (
	"context"
	"fmt"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/jobs"
)

// downBefore is how long our mail server takes nothing before a person hears of it.
const downBefore = 15 * time.Minute

// raiseEvery is how often that finding is refreshed.
const raiseEvery = 10 * time.Minute

// record stores how a try ended, with what follows from it.
func (m *Mail) record(ctx context.Context, id string, res result) error {
	return wrap("record", m.db.Write(ctx, func(tx *db.Tx) error {
		r, err := rowByID(tx, id)
		if err != nil || r == nil {
			return err
		}
		a, news, err := m.recordAttempt(tx, r, res)
		if err != nil {
			return err
		}
		if err := m.health(tx, res); err != nil {
			return err
		}
		before := r.State
		if err := m.conclude(tx, r, a, res, news); err != nil {
			return err
		}
		if news || r.State != before {
			if err := m.tell(tx, r); err != nil {
				return err
			}
		}
		m.wake(tx, r)
		return save(tx, r)
	}))
}

// recordAttempt stores the try: the one that was begun, the latest one again
// where it met the same obstacle, or a new one. news says that it is not the
// same as before.
func (m *Mail) recordAttempt(tx *db.Tx, r *row, res result) (a *attemptRow, news bool, err error) {
	n := res.attempt
	if n == 0 {
		n = r.Attempts
	}
	if a, err = attempt(tx, r.ID, n); err != nil {
		return nil, false, err
	}
	fresh := false
	switch {
	case res.attempt > 0 && a == nil:
		return nil, false, fmt.Errorf("try %d of %s is gone", n, r.ID)
	case res.attempt > 0:
		news = true
	case a != nil && a.Outcome == OutcomeDeferred && a.Cause == res.cause && a.Code == res.code && a.SHA256 == "":
		a.Tries++
	default:
		r.Attempts++
		fresh, news = true, true
		a = &attemptRow{Mail: r.ID, N: r.Attempts, Customer: r.Customer, Tries: 1, StartedAt: tx.NowMillis(), Content: string(res.content)}
	}
	a.EndedAt, a.Outcome, a.Cause, a.Code, a.QueueID = tx.NowMillis(), res.outcome, res.cause, res.code, res.queueID
	a.Server, a.TLS, a.Peer, a.DSN = m.o.server(), res.tls, res.peer, flag(res.dsn)
	if a.Reply, err = m.seal(r.Customer, "mail_attempts", "reply", tryID(r.ID, a.N), res.reply); err != nil {
		return nil, false, err
	}
	if fresh {
		return a, news, insertAttempt(tx, a)
	}
	return a, news, saveAttempt(tx, a)
}

// conclude makes of a try what is known about the mail. What was accepted stays
// accepted, whatever a later try met.
func (m *Mail) conclude(tx *db.Tx, r *row, a *attemptRow, res result, news bool) error {
	data := map[string]any{"attempt": a.N, "server": a.Server, "tls": a.TLS, "peer_sha256": a.Peer}
	if a.Code != 0 {
		data["code"] = a.Code
	}
	if res.cause != CauseNone {
		data["cause"] = string(res.cause)
	}
	reply := map[string]string{"reply": res.reply}
	switch res.outcome {
	case OutcomeAccepted:
		if r.State.Waiting() {
			r.State, r.Cause, r.AcceptedAt, r.Content = r.reached(Accepted), CauseNone, tx.NowMillis(), a.Content
		}
		data["queue_id"], data["content"], data["sha256"], data["message_id"] = a.QueueID, a.Content, a.SHA256, r.MessageID
		if r.InDoubt == 1 {
			data["in_doubt"] = true
		}
		if err := m.append(tx, r, "mail.accepted", data, reply); err != nil {
			return err
		}
		if res.content == Notice {
			return m.raise(tx, r, findings.MailNotice, res.reply)
		}
		return nil
	case OutcomeUnknown:
		r.InDoubt = 1
		if r.State.Waiting() {
			r.State, r.Cause = Deferred, CauseUnknown
		}
		return m.append(tx, r, "mail.in_doubt", data, reply)
	case OutcomeRefused:
		return m.fail(tx, r, res.cause, res.reply, data)
	}
	if r.State.Waiting() {
		r.State, r.Cause = Deferred, res.cause
	}
	if !news {
		return nil
	}
	return m.append(tx, r, "mail.deferred", data, reply)
}

// reached is s, or what its recipient did in the portal meanwhile.
func (r *row) reached(s State) State {
	switch {
	case r.AcknowledgedAt > 0:
		return Acknowledged
	case r.OpenedAt > 0:
		return Opened
	}
	return s
}

// fail ends a mail that is still waiting, for good.
func (m *Mail) fail(tx *db.Tx, r *row, cause Cause, reply string, data map[string]any) error {
	if !r.State.Waiting() {
		return nil
	}
	r.State, r.Cause, r.EndedAt = Failed, cause, tx.NowMillis()
	data["cause"] = string(cause)
	if err := m.append(tx, r, "mail.failed", data, map[string]string{"reply": reply}); err != nil {
		return err
	}
	return m.raise(tx, r, findings.MailFailed, reply)
}

// done ends a mail whose job ended without it: its time was over, or a person
// stopped it.
func (m *Mail) done(tx *db.Tx, job jobs.Job) error {
	if job.State == jobs.Succeeded {
		return nil
	}
	r, err := rowByID(tx, job.Subject)
	if err != nil || r == nil || !r.State.Waiting() {
		return wrap("end", err)
	}
	a, err := attempt(tx, r.ID, r.Attempts)
	if err != nil {
		return wrap("end", err)
	}
	if r.State == Sending {
		if err := m.doubt(tx, r, a, "the process ended before the answer was stored"); err != nil {
			return wrap("end", err)
		}
	}
	cause, reply := CauseExpired, ""
	if job.State == jobs.Cancelled {
		cause = CauseCancelled
	}
	if a != nil {
		if reply, err = m.unseal(r.Customer, "mail_attempts", "reply", tryID(r.ID, a.N), a.Reply); err != nil {
			return wrap("end", err)
		}
	}
	if err := m.fail(tx, r, cause, reply, map[string]any{}); err != nil {
		return wrap("end", err)
	}
	if err := m.tell(tx, r); err != nil {
		return wrap("end", err)
	}
	m.wake(tx, r)
	return wrap("end", save(tx, r))
}

// undelivered is the key of the finding of a mail that did not arrive as it should.
func undelivered(id string) string { return "mail.undelivered:" + id }

// raise says to a person that a mail did not arrive as it should.
func (m *Mail) raise(tx *db.Tx, r *row, kind, detail string) error {
	to, err := m.unseal(r.Customer, "mails", "address", r.ID, r.Address)
	if err != nil {
		return err
	}
	args := map[string]string{"to": tidy(to), "because": because[r.Cause], "detail": detail}
	for name, v := range args {
		if v == "" {
			delete(args, name)
		}
	}
	return m.findings.Raise(tx, findings.Finding{Key: undelivered(r.ID), Customer: r.Customer, Subject: r.ID, Kind: kind, Severity: findings.Warn, Owner: findings.Ops, Args: args})
}

// because says why a mail failed, as the beginning of a finding's sentence.
var because = map[Cause]string{
	CauseAddress:   "The address cannot be used",
	CauseRefused:   "The mail server refused it",
	CauseExpired:   "The mail server did not take it within two days",
	CauseCancelled: "A person stopped it",
	CauseBounced:   "It came back after it had been accepted",
}

// report raises what a mail's row says where it could not be queued.
func (m *Mail) report(ctx context.Context, r *row) error {
	return wrap("report", m.db.Write(ctx, func(tx *db.Tx) error {
		if err := m.tell(tx, r); err != nil {
			return err
		}
		switch {
		case r.State == Unsent:
			return m.findings.Raise(tx, findings.Finding{Key: unconfigured, Kind: findings.MailUnconfigured, Severity: findings.Warn, Owner: findings.Ops})
		case r.State == Failed && r.Cause == CauseAddress && r.Attempts == 0:
			return m.raise(tx, r, findings.MailFailed, "")
		}
		return nil
	}))
}

// unconfigured is the key of the finding that no mail can be sent at all.
const unconfigured = "mail.unconfigured"

// unsent gives a mail up whose server is configured no more.
func (m *Mail) unsent(ctx context.Context, id string) error {
	var r *row
	err := m.db.Write(ctx, func(tx *db.Tx) (err error) {
		if r, err = rowByID(tx, id); err != nil || r == nil || !r.State.Waiting() {
			return err
		}
		r.State, r.Cause = Unsent, CauseNoServer
		if err := m.append(tx, r, "mail.unsent", map[string]any{"cause": string(CauseNoServer)}, nil); err != nil {
			return err
		}
		return save(tx, r)
	})
	if err != nil || r == nil {
		return wrap("unsent", err)
	}
	return m.report(ctx, r)
}

// health keeps since when our mail server takes nothing, and says so to a
// person after a while.
func (m *Mail) health(tx *db.Tx, res result) error {
	down := res.cause.ours()
	if !down && !res.talked && res.outcome != OutcomeAccepted {
		return nil // it says nothing about the server
	}
	s, err := serverByAddress(tx, m.o.server())
	if err != nil {
		return err
	}
	now := tx.NowMillis()
	key := unreachable(s.Address)
	switch {
	case !down && s.DownSince == 0:
		return nil
	case !down:
		s.DownSince, s.RaisedAt = 0, 0
		if err := m.findings.Close(tx, key, "the mail server takes mail again"); err != nil {
			return err
		}
		return putServer(tx, s)
	case s.DownSince == 0:
		s.DownSince = now
		return putServer(tx, s)
	}
	downFor := tx.Now.Sub(controlplane.FromMillis(s.DownSince))
	if downFor < downBefore || s.RaisedAt > 0 && now-s.RaisedAt < raiseEvery.Milliseconds() {
		return nil
	}
	s.RaisedAt = now
	if err := putServer(tx, s); err != nil {
		return err
	}
	return m.findings.Raise(tx, findings.Finding{Key: key, Kind: findings.MailUnreachable, Severity: findings.Warn, Owner: findings.Ops,
		Args: map[string]string{"mail_server": s.Address, "for": findings.Ago("en", downFor), "detail": res.reply}})
}

func unreachable(server string) string { return "mail.unreachable:" + server }
