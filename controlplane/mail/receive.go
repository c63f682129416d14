package mail

import (
	"context"
	"errors"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
)

// ReceiveDSN takes a report about a mail (RFC 3464) as it came in, headers and
// all, and returns the mail's id. It is matched by what only the mail and its
// servers know: the envelope's id and the Message-ID. A report of failure marks
// an accepted mail as bounced and becomes a finding; every report is kept. The
// same bytes again change nothing.
//
// Errors: invalid for bytes that are no such report, not found for a report
// that is about no mail of ours.
func (m *Mail) ReceiveDSN(ctx context.Context, raw []byte) (id string, err error) {
	n, err := parseReport(raw)
	if errors.Is(err, errNoReport) {
		return "", controlplane.Errorf(controlplane.CodeInvalid, "Hand in the whole mail as it arrived, with its headers.", "This is not a report about a mail (RFC 3464)").Because(err)
	}
	if err != nil {
		return "", wrap("receive", err)
	}
	err = m.db.Write(ctx, func(tx *db.Tx) error {
		id = ""
		r, err := m.about(tx, n)
		if err != nil {
			return err
		}
		id = r.ID
		return m.receive(tx, r, n, raw)
	})
	return id, wrap("receive", err)
}

// about returns the mail of a report.
func (m *Mail) about(tx *db.Tx, n notification) (*row, error) {
	for _, id := range n.messageIDs {
		if r, err := rowByMessageID(tx, id); err != nil || r != nil {
			return r, err
		}
	}
	return nil, controlplane.NotFound("mail")
}

// reportID is the row of a report, for seals.
func reportID(mail, sha256 string) string { return mail + "/" + sha256 }

func (m *Mail) receive(tx *db.Tx, r *row, n notification, raw []byte) (err error) {
	p := &reportRow{Mail: r.ID, SHA256: digest(raw), Customer: r.Customer, ReceivedAt: tx.NowMillis(), Action: n.action, Status: n.status, Reporter: n.reporter}
	if p.Diagnostic, err = m.seal(r.Customer, "mail_reports", "diagnostic", reportID(r.ID, p.SHA256), n.diagnostic); err != nil {
		return err
	}
	if p.Raw, err = m.seal(r.Customer, "mail_reports", "raw", reportID(r.ID, p.SHA256), string(raw)); err != nil {
		return err
	}
	inserted, err := insertReport(tx, p)
	if err != nil || !inserted {
		return err
	}
	data := map[string]any{"action": n.action, "status": n.status, "reporter": n.reporter, "sha256": p.SHA256}
	kind := "mail.reported"
	if n.action == "failed" {
		kind = "mail.bounced"
	}
	if err := m.append(tx, r, kind, data, map[string]string{"diagnostic": n.diagnostic}); err != nil {
		return err
	}
	m.wake(tx, r)
	if n.action != "failed" || r.State == Opened || r.State == Acknowledged || r.State == Bounced {
		return nil // who opened it in the portal knows
	}
	// A report about a mail that still waits answers the doubt: it was taken.
	r.State, r.Cause, r.EndedAt = Bounced, CauseBounced, tx.NowMillis()
	if err := m.raise(tx, r, findings.MailBounced, n.diagnostic); err != nil {
		return err
	}
	if err := m.tell(tx, r); err != nil {
		return err
	}
	return save(tx, r)
}
