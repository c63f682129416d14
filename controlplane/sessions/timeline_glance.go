package sessions

import (
	"context"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// Ways of looking at a recording without playing it: at what was run in it, and
// at the cluster's own events, which say the same.
const (
	wayCommands = "commands"
	wayEvents   = "events"
)

// glanceAgain is how long one look at what was run stands on record: somebody
// who comes back within it is not entered again.
const glanceAgain = time.Hour

// mayGlance refuses our own people who may not watch: what was run is what is on
// the recording.
func mayGlance(actor controlplane.Actor, scope policy.Scope) error {
	if !scope.All() || actor.Kind == controlplane.ActorStaff && policy.Can(actor, policy.SessionWatch) {
		return nil
	}
	return controlplane.Errorf(controlplane.CodeForbidden, "Ask somebody who may watch recordings to look.", "What was run in a session is a part of its recording, and your role does not include to watch recordings")
}

// glance puts on record that one of our own people looked at what was run in a
// session, as a viewing that the customer sees: one for each person, session and
// hour. Errors: as OpenViewing.
func (s *Service) glance(ctx context.Context, scope policy.Scope, session, way string) error {
	actor, _ := controlplane.ActorFrom(ctx)
	var seen sighted
	err := s.db.Read(asReviews(ctx), func(tx *db.Tx) (err error) {
		seen, err = s.maySee(tx, actor, scope, session)
		return err
	})
	if err == nil {
		err = s.ready(ctx, seen.customers...)
	}
	if err != nil {
		return err
	}
	owner := seen.row.SealOwner
	row := viewingRow{ID: controlplane.NewID(controlplane.PrefixViewing), SessionID: session, SealOwner: owner, ByID: actor.ID, ByKind: string(actor.Kind), Way: way, Purpose: "support", Parts: "[]"}
	if !s.erased(owner) {
		if row.ByName, err = s.seal(owner, "session_viewings", "by_name", row.ID, seen.name); err != nil {
			return err
		}
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if known, err := glanced(tx, session, actor.ID, way, tx.Now.Add(-glanceAgain).UnixMilli()); err != nil || known {
			return err
		}
		row.OpenedAt, row.LastAt = tx.NowMillis(), tx.NowMillis()
		if err := db.Insert(tx, &row); err != nil {
			return err
		}
		for _, c := range ownersOf(seen.customers) {
			e := ledger.Entry{Customer: c, Server: seen.row.ServerID, Subject: session, Kind: "session.viewed", Data: map[string]any{"viewing": row.ID, "way": way, "purpose": row.Purpose}}
			if _, err := s.ledger.Append(tx, e); err != nil {
				return err
			}
		}
		return nil
	})
}
