package mail

import (
	"context"
	"strings"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// Opened notes that a signed-in person opened in the portal what the mail tells
// of. The first time counts.
//
// Errors: not found, also for one outside the scope.
func (m *Mail) Opened(ctx context.Context, scope policy.Scope, id string) error {
	return wrap("opened", m.change(ctx, scope, id, func(tx *db.Tx, r *row) error {
		if r.OpenedAt > 0 {
			return nil
		}
		return m.opened(tx, r)
	}))
}

// Acknowledge notes that a signed-in person confirmed in the portal what the
// mail tells of. The first time counts.
//
// Errors: not found, also for one outside the scope.
func (m *Mail) Acknowledge(ctx context.Context, scope policy.Scope, id string) error {
	return wrap("acknowledge", m.change(ctx, scope, id, func(tx *db.Tx, r *row) error {
		if r.AcknowledgedAt > 0 {
			return nil
		}
		if r.OpenedAt == 0 {
			if err := m.opened(tx, r); err != nil {
				return err
			}
		}
		r.AcknowledgedAt = tx.NowMillis()
		if !r.State.Waiting() {
			r.State = Acknowledged
		}
		return m.append(tx, r, "mail.acknowledged", map[string]any{}, nil)
	}))
}

func (m *Mail) opened(tx *db.Tx, r *row) error {
	if !r.State.Waiting() { // one that waits goes out all the same
		r.State = Opened
	}
	r.OpenedAt = tx.NowMillis()
	if err := m.append(tx, r, "mail.opened", map[string]any{}, nil); err != nil {
		return err
	}
	return m.findings.Close(tx, undelivered(r.ID), "it was opened in the portal")
}

// maxNote bounds the note of a call, in bytes.
const maxNote = 2000

// RecordCall notes that a person told the recipient another way: who, when, and
// what was said, in a sentence. It closes the finding that asks for it.
//
// Errors: invalid for an empty or too long note; not found.
func (m *Mail) RecordCall(ctx context.Context, scope policy.Scope, id, note string) error {
	note = strings.TrimSpace(strings.ToValidUTF8(note, "?"))
	if note == "" || len(note) > maxNote {
		return controlplane.Invalid(controlplane.Field{Pointer: "/note", Message: "Say in a sentence or two whom you reached and how: at most 2,000 characters."})
	}
	return wrap("record call", m.change(ctx, scope, id, func(tx *db.Tx, r *row) (err error) {
		r.CalledAt = tx.NowMillis()
		if r.CallNote, err = m.seal(r.Customer, "mails", "call_note", r.ID, note); err != nil {
			return err
		}
		if err := m.append(tx, r, "mail.called", map[string]any{}, map[string]string{"note": note}); err != nil {
			return err
		}
		if err := m.tell(tx, r); err != nil {
			return err
		}
		return m.findings.Close(tx, undelivered(r.ID), "the person was reached another way")
	}))
}

// change changes a mail of the scope.
func (m *Mail) change(ctx context.Context, scope policy.Scope, id string, do func(tx *db.Tx, r *row) error) error {
	return m.db.Write(ctx, func(tx *db.Tx) error {
		r, err := scoped(tx, scope, id)
		if err != nil {
			return err
		}
		if err := do(tx, r); err != nil {
			return err
		}
		m.wake(tx, r)
		return save(tx, r)
	})
}

// Start closes what this process's configuration has put right: that no mail
// server is configured, and that another one than now takes nothing.
func (m *Mail) Start(ctx context.Context) error {
	return wrap("start", m.db.Write(controlplane.System(ctx, "mail"), func(tx *db.Tx) error {
		if m.Configured() {
			if err := m.findings.Close(tx, unconfigured, "a mail server is configured"); err != nil {
				return err
			}
		}
		down, err := downServers(tx)
		if err != nil {
			return err
		}
		for _, s := range down {
			if m.Configured() && s.Address == m.o.server() {
				continue
			}
			if err := m.findings.Close(tx, unreachable(s.Address), "it is not our mail server any more"); err != nil {
				return err
			}
			s.DownSince, s.RaisedAt = 0, 0
			if err := putServer(tx, s); err != nil {
				return err
			}
		}
		return nil
	}))
}
