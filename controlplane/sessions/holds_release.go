package sessions

import (
	"context"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/policy"
)

// Release ends a hold: one person asks, another one grants it. Where it cannot
// wait for a second person, see ReleaseAlone; another person's Release of such a
// hold says that they have looked at it. Permission: session.admin. Errors: not
// found, invalid, conflict for the same person twice.
func (s *Service) Release(ctx context.Context, scope policy.Scope, hold, why string) (Hold, error) {
	return s.release(ctx, scope, hold, why, false)
}

// ReleaseAlone ends a hold by one person, with a reason: in an emergency. Every
// customer that it concerns is told, and a finding stands until another person
// has looked at it. Permission: session.admin. Errors: not found, invalid, conflict.
func (s *Service) ReleaseAlone(ctx context.Context, scope policy.Scope, hold, why string) (Hold, error) {
	return s.release(ctx, scope, hold, why, true)
}

func (s *Service) release(ctx context.Context, scope policy.Scope, hold, why string, alone bool) (out Hold, err error) {
	actor, _ := controlplane.ActorFrom(ctx)
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		x := releasing{s: s, tx: tx, by: actor.ID, why: why, data: map[string]any{}}
		if x.row, err = db.One[holdRow](tx, scope, "hold", hold); err != nil {
			return err
		}
		if x.row.SessionID != "" {
			if x.session, err = s.sessionIn(tx, ofRecordings(), x.row.SessionID); err != nil {
				return err
			}
		}
		if err := x.do(alone); err != nil {
			return err
		}
		out, err = s.hold(x.row)
		return err
	})
	return out, wrap("release", err)
}

// releasing is one step towards the end of a hold.
type releasing struct {
	s       *Service
	tx      *db.Tx
	row     holdRow
	session sessionRow
	by, why string
	kind    string
	data    map[string]any
}

// do takes the step that is next.
func (x *releasing) do(alone bool) error {
	var err error
	switch {
	case x.row.Alone == 1 && x.row.ReviewedBy == "":
		err = x.review()
	case x.row.ReleasedAt > 0 || x.row.EndsAt <= x.tx.NowMillis():
		err = conflict("There is nothing to release.", "The hold has ended")
	case alone:
		err = x.end(true)
	case x.row.AskedBy == "":
		x.kind, x.row.AskedBy, x.row.AskedAt = "session.hold_release_asked", x.by, x.tx.NowMillis()
		err = x.reason(true)
	case x.row.AskedBy == x.by:
		err = conflict("Ask a colleague who may do it to release it.", "You asked for this release yourself, and another person grants it")
	default:
		err = x.end(false)
	}
	if err != nil {
		return err
	}
	if err := db.Save(x.tx, &x.row); err != nil {
		return err
	}
	return x.s.enterHold(x.tx, x.row, x.session, x.kind, x.why, x.data)
}

// reason keeps why; needed says that there has to be one.
func (x *releasing) reason(needed bool) error {
	if err := invalid(textField("/why", x.why)); err != nil && (needed || x.why != "") {
		return err
	}
	if x.why == "" {
		return nil
	}
	var err error
	x.row.ReleaseWhy, err = x.s.seal(x.row.SealOwner, "session_holds", "release_why", x.row.ID, x.why)
	return err
}

// end ends the hold. What it kept is looked at again.
func (x *releasing) end(alone bool) error {
	if err := x.reason(alone); err != nil {
		return err
	}
	x.kind, x.data["alone"], x.data["asked_by"] = "session.hold_released", alone, x.row.AskedBy
	x.row.ReleasedBy, x.row.ReleasedAt, x.row.Alone = x.by, x.tx.NowMillis(), bit(alone)
	if alone {
		if err := x.told(); err != nil {
			return err
		}
	}
	return lookNow(x.tx, "(session_id = ? OR ? = '')", x.row.SessionID, x.row.SessionID)
}

// told opens the finding that one person released a hold, for each whom it concerns.
func (x *releasing) told() error {
	customers, err := x.customers()
	for _, c := range customers {
		if err == nil {
			err = x.s.findings.Raise(x.tx, findings.Finding{Key: recordingKey(findings.SessionHoldAlone, x.row.ID, c), Group: findings.SessionHoldAlone + ":" + x.row.ID, Customer: c,
				Server: x.session.ServerID, Subject: x.row.ID, Kind: findings.SessionHoldAlone, Severity: findings.Warn, Owner: findings.Ops, Link: "/sessions/holds"})
		}
	}
	return err
}

func (x *releasing) customers() ([]string, error) {
	if x.row.SessionID == "" {
		return []string{x.row.CustomerID}, nil
	}
	return chains(x.tx, x.row.SessionID)
}

// review notes that another person has looked at a release by one.
func (x *releasing) review() error {
	if x.by == x.row.ReleasedBy {
		return conflict("Ask a colleague who may do it to look at it.", "You released this hold yourself, and another person looks at that")
	}
	if err := invalid(textField("/why", x.why)); err != nil && x.why != "" {
		return err
	}
	x.kind, x.row.ReviewedBy, x.row.ReviewedAt = "session.hold_release_reviewed", x.by, x.tx.NowMillis()
	customers, err := x.customers()
	for _, c := range customers {
		if err == nil {
			err = x.s.findings.Close(x.tx, recordingKey(findings.SessionHoldAlone, x.row.ID, c), "another person has looked at it")
		}
	}
	return err
}
