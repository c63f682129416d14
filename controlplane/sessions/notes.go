package sessions

import (
	"context"
	"slices"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// AddNote makes a remark at a second. Only our own people say whether it is shown
// to the customer; an auditor's is. Permission: session.review, session.watch
// for auditors. Errors: invalid, forbidden for contacts, and as OpenViewing.
func (s *Service) AddNote(ctx context.Context, scope policy.Scope, n Note) (Note, error) {
	text, err := words("/text", n.Text, true)
	if err != nil {
		return Note{}, err
	}
	actor, _ := controlplane.ActorFrom(ctx)
	var seen sighted
	var rec Recording
	err = s.db.Read(asReviews(ctx), func(tx *db.Tx) error {
		if _, err := s.sessionIn(tx, scope, n.Session); err != nil {
			return err
		}
		if actor.Kind != controlplane.ActorStaff && actor.Kind != controlplane.ActorAuditor {
			return controlplane.Errorf(controlplane.CodeForbidden, "Ask for a review and say what you saw.", "Remarks are made by whoever reviews or audits a session")
		}
		if seen, err = s.maySee(tx, actor, scope, n.Session); err != nil {
			return err
		}
		rec, err = s.playable(tx, seen.row)
		return err
	})
	if err != nil {
		return Note{}, wrap("add note", err)
	}
	if err := n.check(rec, seen); err != nil {
		return Note{}, err
	}
	if err := s.ready(ctx, seen.customers...); err != nil {
		return Note{}, err
	}
	n.ID, n.Text, n.By, n.Name = controlplane.NewID(controlplane.PrefixNote), text, actor.ID, seen.name
	n.At, n.Shown = n.At.Truncate(time.Millisecond), n.Shown || actor.Kind == controlplane.ActorAuditor && len(seen.customers) == 1
	row := noteRow{ID: n.ID, SessionID: n.Session, SealOwner: seen.row.SealOwner, AtMS: n.At.Milliseconds(), ByID: n.By}
	if n.Shown {
		row.Shown = 1
	}
	if row.Text, err = s.seal(row.SealOwner, "session_notes", "text", n.ID, n.Text); err != nil {
		return Note{}, wrap("add note", err)
	}
	if row.ByName, err = s.seal(row.SealOwner, "session_notes", "by_name", n.ID, n.Name); err != nil {
		return Note{}, wrap("add note", err)
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		row.MadeAt = tx.NowMillis()
		if err := db.Insert(tx, &row); err != nil {
			return err
		}
		for _, c := range ownersOf(seen.customers) {
			e := ledger.Entry{Customer: c, Server: seen.row.ServerID, Subject: n.Session, Kind: "session.noted", Data: map[string]any{"note": n.ID, "at_ms": row.AtMS, "shown": n.Shown}}
			if _, err := s.ledger.Append(tx, e); err != nil {
				return err
			}
		}
		return nil
	})
	n.MadeAt = controlplane.FromMillis(row.MadeAt)
	return n, wrap("add note", err)
}

// check says what is wrong with a remark on a recording.
func (n Note) check(rec Recording, seen sighted) error {
	switch {
	case n.At < 0 || n.At > rec.Duration:
		return controlplane.Invalid(controlplane.Field{Pointer: "/at", Message: "Choose a second of the recording."})
	case n.Shown && len(seen.customers) > 1:
		return controlplane.Invalid(controlplane.Field{Pointer: "/shown", Message: "Customers share this server, and a remark may be about a neighbour: keep it with us."})
	}
	return nil
}

// Notes lists the remarks on a session, in the recording's order; contacts and
// auditors see those that are shown to them, and their own; of a server that they
// share with others only their own. Permission: session.watch. Errors: not found.
func (s *Service) Notes(ctx context.Context, scope policy.Scope, session string) (items []Note, err error) {
	actor, _ := controlplane.ActorFrom(ctx)
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		row, err := s.sessionIn(tx, scope, session)
		if err != nil {
			return err
		}
		if !actor.InPeriod(controlplane.FromMillis(row.StartedAt)) {
			return controlplane.NotFound("session")
		}
		items, err = s.notesIn(tx, session, scope.All(), actor.ID)
		return err
	})
	if err == nil && !scope.All() {
		var shared map[string]bool
		shared, err = s.neighbours(ctx, scope.Customers(), []string{session})
		items = slices.DeleteFunc(items, func(n Note) bool { return shared[session] && n.By != actor.ID })
	}
	if err != nil {
		items = nil
	}
	return items, wrap("notes", err)
}

// notesIn opens the remarks on a session: all, or those that outsiders see.
func (s *Service) notesIn(tx *db.Tx, session string, all bool, by string) ([]Note, error) {
	rows, err := noteRows(tx, session, all, by)
	if err != nil {
		return nil, err
	}
	items := make([]Note, len(rows))
	for i, r := range rows {
		n := Note{ID: r.ID, Session: r.SessionID, At: time.Duration(r.AtMS) * time.Millisecond, By: r.ByID, MadeAt: controlplane.FromMillis(r.MadeAt), Shown: r.Shown == 1}
		if n.Text, err = s.open(r.SealOwner, "session_notes", "text", r.ID, r.Text); err != nil {
			return nil, err
		}
		if n.Name, err = s.open(r.SealOwner, "session_notes", "by_name", r.ID, r.ByName); err != nil {
			return nil, err
		}
		items[i] = n
	}
	return items, nil
}
