package sessions

import (
	"context"
	"fmt"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
	"ostler/controlplane/secrets"
)

// maxQuarantined bounds what is kept of an event that cannot be read.
const maxQuarantined = 4 << 20

// Quarantine lists events that could not be taken in, the latest first. Staff only.
func (s *Service) Quarantine(ctx context.Context, scope policy.Scope, limit int, pageToken string) (items []Quarantined, next string, err error) {
	if err := staffOnly(scope); err != nil {
		return nil, "", err
	}
	limit = pageSize(limit)
	at, after, err := parsePage(pageToken)
	if err != nil {
		return nil, "", err
	}
	var rows []quarantineRow
	err = s.db.Read(ctx, func(tx *db.Tx) (err error) { rows, err = quarantineRows(tx, at, after, limit+1); return err })
	if err != nil {
		return nil, "", wrap("quarantine", err)
	}
	if len(rows) > limit {
		rows = rows[:limit]
		next = rows[limit-1].place()
	}
	ms := controlplane.FromMillis
	for _, r := range rows {
		why, err := s.open("", "session_quarantine", "why", r.ID, r.Why)
		if err != nil {
			return nil, "", wrap("quarantine", err)
		}
		items = append(items, Quarantined{ID: r.ID, Event: r.EventID, Type: r.Type, At: ms(r.At), SeenAt: ms(r.SeenAt), Reason: r.Reason, Bytes: r.Bytes, Resolved: ms(r.ResolvedAt),
			By: r.ResolvedBy, Why: why})
	}
	return items, next, nil
}

// place is where a page ends.
func (r quarantineRow) place() string { return pageToken(r.SeenAt, r.ID) }

// Dismiss says that a person has looked at such an event; what there is of it is
// kept until its term is over. Permission:
// session.admin. Errors: invalid without a reason, not found.
func (s *Service) Dismiss(ctx context.Context, scope policy.Scope, id, why string) error {
	if err := staffOnly(scope); err != nil {
		return err
	}
	if why = controlplane.Line(why, 1000); why == "" {
		return controlplane.Invalid(controlplane.Field{Pointer: "/why", Message: "Write what you found."})
	}
	sealed, err := s.seal("", "session_quarantine", "why", id, why)
	if err != nil {
		return wrap("dismiss", err)
	}
	return wrap("dismiss", s.db.Write(ctx, func(tx *db.Tx) error {
		row, err := db.One[quarantineRow](tx, scope, "event", id)
		if err != nil || row.ResolvedAt > 0 {
			return err
		}
		a, _ := controlplane.ActorFrom(tx.Context())
		if err := resolveQuarantine(tx, id, a.ID, sealed); err != nil {
			return err
		}
		if _, err := s.ledger.Append(tx, ledger.Entry{Subject: id, Kind: "session.quarantine_dismissed", Data: map[string]any{"event": row.EventID, "type": row.Type}, Personal: map[string]string{"why": why}}); err != nil {
			return err
		}
		return s.judgeQuarantine(tx)
	}))
}

// quarantined is the row of an event that cannot be read. What there is of it is kept, sealed.
func (s *Service) quarantined(cluster string, c coming) (quarantineRow, error) {
	row := quarantineRow{ID: controlplane.NewID(controlplane.PrefixQuarantined), Cluster: cluster, EventID: c.ID, Type: c.Type, At: controlplane.Millis(c.At),
		Reason: "It cannot be read as an event", Bytes: int64(len(c.Raw))}
	if len(c.Raw) == 0 {
		row.Reason = "There is nothing in it"
		return row, nil
	}
	var err error
	if len(c.Raw) <= maxQuarantined {
		row.Raw, err = s.keeper.Seal("", secrets.AD{Table: "session_quarantine", Column: "raw", Row: row.ID}, c.Raw)
	}
	return row, err
}

// quarantineUnsent notes that the cluster does not send an event.
func (s *Service) quarantineUnsent(ctx context.Context, cluster, kind string, at time.Time) error {
	event := fmt.Sprintf("unsent:%s:%d", kind, at.UnixMilli())
	return wrap("quarantine", s.db.Write(ctx, func(tx *db.Tx) error {
		held, err := quarantinedAs(tx, cluster, []string{event})
		if _, known := held[event]; err != nil || known {
			return err
		}
		return s.holdBack(tx, []quarantineRow{{ID: controlplane.NewID(controlplane.PrefixQuarantined), Cluster: cluster, EventID: event, Type: kind, At: at.UnixMilli(),
			Reason: "It is larger than the cluster sends in one answer"}})
	}))
}

// holdBack puts events into quarantine.
func (s *Service) holdBack(tx *db.Tx, rows []quarantineRow) error {
	for _, r := range rows {
		r.SeenAt = tx.NowMillis()
		if err := db.Insert(tx, &r); err != nil {
			return err
		}
		_, err := s.ledger.Append(tx, ledger.Entry{Subject: r.ID, Kind: "session.event_quarantined",
			Data: map[string]any{"event": r.EventID, "type": r.Type, "at": controlplane.Instant(controlplane.FromMillis(r.At)), "bytes": r.Bytes, "reason": r.Reason}})
		if err != nil {
			return err
		}
	}
	if len(rows) == 0 {
		return nil
	}
	return s.judgeQuarantine(tx)
}

// judgeQuarantine raises that there are events that nobody has looked at, or
// closes it.
func (s *Service) judgeQuarantine(tx *db.Tx) error {
	n, err := quarantinedNow(tx)
	if err != nil {
		return err
	}
	if n == 0 {
		return s.findings.Close(tx, findings.SessionQuarantined, "each was looked at, or taken in later")
	}
	count := "One event"
	if n > 1 {
		count = fmt.Sprintf("%d events", n)
	}
	return s.findings.Raise(tx, findings.Finding{Key: findings.SessionQuarantined, Kind: findings.SessionQuarantined, Severity: findings.Warn, Owner: findings.Ops,
		Args: map[string]string{"count": count}, Link: linkFeed})
}
