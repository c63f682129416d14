package mail

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/jobs"
)

// maxTries is more than fit into GiveUp: time ends a mail, not a number.
const maxTries = 1000

// waits are the minutes between tries; the last one stays. A mail server that
// is back is found within a quarter of an hour: notices may be urgent.
var waits = [...]time.Duration{1, 2, 4, 5, 5, 10, 15}

func backoff(attempt int) time.Duration {
	return waits[min(max(attempt, 1), len(waits))-1] * time.Minute
}

// retry says that all but a refusal may pass.
func retry(f wire.Failure) bool { return f.Cause != wire.CauseMailRefused }

// holdOff is how long no other mail tries a server that just took none.
const holdOff = 20 * time.Second

// pause remembers that our mail server takes nothing now.
type pause struct {
	mu    sync.Mutex
	until time.Time
	last  result
}

func (p *pause) set(until time.Time, r result) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.until, p.last = until, r
}

func (p *pause) at(now time.Time) (result, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last, now.Before(p.until)
}

// recordTime bounds the writing of what is known; it outlives the job's context.
const recordTime = 30 * time.Second

// run sends the mail of a job. After a crash it runs again: what had been
// handed over without an answer is said to be in doubt, and goes out again with
// the same bytes.
func (m *Mail) run(ctx context.Context, job jobs.Job) (any, error) {
	r, err := m.load(ctx, job.Subject)
	if err != nil || r == nil {
		return nil, err
	}
	if !r.State.Waiting() {
		return nil, m.report(ctx, r)
	}
	if !m.Configured() { // it was when the mail was queued
		return nil, m.unsent(ctx, r.ID)
	}
	now, err := m.db.Now(ctx)
	if err != nil {
		return nil, err
	}
	if last, held := m.pause.at(now); held && r.State != Sending {
		return nil, failure(last)
	}
	env, err := m.envelope(r)
	if err != nil {
		return nil, err
	}
	s, res := m.o.connect(ctx, env.notice != nil)
	defer s.close()
	if res.cause == CauseNone {
		res = s.send(env, func(known *result) error { return m.begin(ctx, r, known) })
	}
	if res.stopped != nil {
		return nil, res.stopped
	}
	if err := m.moment(momentHanded); err != nil && res.attempt > 0 {
		return nil, err
	}
	keep, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTime)
	defer cancel()
	if err := m.record(keep, r.ID, res); err != nil {
		return nil, err
	}
	if err := m.moment(momentRecorded); err != nil {
		return nil, err
	}
	return m.ended(now, res)
}

// ended is what the job makes of a try.
func (m *Mail) ended(now time.Time, res result) (any, error) {
	switch {
	case res.outcome == OutcomeAccepted:
		m.pause.set(time.Time{}, result{})
		return nil, nil
	case res.cause.ours():
		m.pause.set(now.Add(holdOff), res)
	}
	return nil, failure(res)
}

// failure is a try as the job's page tells of it.
func failure(res result) error {
	cause := wire.CauseMailServer
	if res.outcome == OutcomeRefused {
		cause = wire.CauseMailRefused
	}
	return jobs.Fail(cause, controlplane.Line(res.reply, 300))
}

func (m *Mail) moment(name string) error {
	if m.hook == nil {
		return nil
	}
	return m.hook(name)
}

// load returns a mail, after it has put in words what a crash left open.
func (m *Mail) load(ctx context.Context, id string) (r *row, err error) {
	err = m.db.Read(ctx, func(tx *db.Tx) error { r, err = rowByID(tx, id); return err })
	if err != nil || r == nil || r.State != Sending {
		return r, wrap("load", err)
	}
	err = m.db.Write(ctx, func(tx *db.Tx) error {
		if r, err = rowByID(tx, id); err != nil || r == nil || r.State != Sending {
			return err
		}
		a, err := attempt(tx, id, r.Attempts)
		if err != nil {
			return err
		}
		return m.doubt(tx, r, a, "the process ended before the answer was stored")
	})
	return r, wrap("load", err)
}

// doubt says of a try that nobody knows whether the server took the mail.
func (m *Mail) doubt(tx *db.Tx, r *row, a *attemptRow, why string) error {
	if a == nil || a.Outcome != OutcomeOpen {
		return fmt.Errorf("mail %s is being sent in no try", r.ID)
	}
	var err error
	a.Outcome, a.Cause, a.EndedAt = OutcomeUnknown, CauseUnknown, tx.NowMillis()
	if a.Reply, err = m.seal(r.Customer, "mail_attempts", "reply", tryID(r.ID, a.N), why); err != nil {
		return err
	}
	if err := saveAttempt(tx, a); err != nil {
		return err
	}
	r.State, r.Cause, r.InDoubt = Deferred, CauseUnknown, 1
	if err := save(tx, r); err != nil {
		return err
	}
	return m.append(tx, r, "mail.in_doubt", map[string]any{"attempt": a.N, "message_id": r.MessageID}, nil)
}

// tryID is the row of a try, for seals.
func tryID(mail string, n int) string { return fmt.Sprintf("%s/%d", mail, n) }

// envelope opens what goes out.
func (m *Mail) envelope(r *row) (envelope, error) {
	to, err1 := m.unseal(r.Customer, "mails", "address", r.ID, r.Address)
	raw, err2 := m.unseal(r.Customer, "mails", "raw", r.ID, r.Raw)
	if err := errors.Join(err1, err2); err != nil {
		return envelope{}, wrap("open "+r.ID, err)
	}
	env := envelope{from: m.bounces, to: to, id: r.MessageID, full: []byte(raw)}
	if !m.o.NoticeWithoutTLS {
		return env, nil
	}
	l, err := compose(noticeTemplate, r.Lang, "", nil, m.o.Company, m.link(r.Path), m.replyTo != nil)
	if err != nil {
		return envelope{}, wrap("notice", err)
	}
	out, err := m.render(l, header{messageID: noticePrefix + r.MessageID, to: to, date: controlplane.FromMillis(r.CreatedAt)})
	if err != nil {
		return envelope{}, wrap("notice", err)
	}
	env.notice = out.raw
	return env, nil
}

// noticePrefix tells the Message-ID of a notice from the mail's.
const noticePrefix = "notice."

// begin stores that the mail is about to be handed over.
func (m *Mail) begin(ctx context.Context, r *row, known *result) error {
	if err := m.moment(momentConnected); err != nil {
		return err
	}
	err := m.db.Write(ctx, func(tx *db.Tx) error {
		now, err := rowByID(tx, r.ID)
		if err != nil {
			return err
		}
		if now == nil || !now.State.Waiting() || now.State == Sending {
			return fmt.Errorf("mail: %s is %s by now", r.ID, stateOf(now))
		}
		now.Attempts++
		a := &attemptRow{Mail: now.ID, N: now.Attempts, Customer: now.Customer, Tries: 1, StartedAt: tx.NowMillis(), Outcome: OutcomeOpen,
			Content: string(known.content), SHA256: digest(known.messages), Server: m.o.server(), TLS: known.tls, Peer: known.peer, DSN: flag(known.dsn)}
		if known.content == Notice {
			if a.Sent, err = m.seal(now.Customer, "mail_attempts", "sent", tryID(now.ID, a.N), string(known.messages)); err != nil {
				return err
			}
		}
		now.State = Sending
		known.attempt = a.N
		if err := insertAttempt(tx, a); err != nil {
			return err
		}
		return save(tx, now)
	})
	if err != nil {
		return err
	}
	return m.moment(momentStored)
}

func stateOf(r *row) State {
	if r == nil {
		return "gone"
	}
	return r.State
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func wrap(act string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("mail: %s: %w", act, err)
}
