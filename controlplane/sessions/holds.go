package sessions

import (
	"context"
	"slices"
	"strings"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// freeze is how long a hold stands that names no end: time to find out whether
// there is a ground for a longer one.
const freeze = 30 * 24 * time.Hour

// Bounds of a hold's texts and time.
const (
	maxReason = 2000
	maxHold   = 10 * 366 * 24 * time.Hour
)

// Hold keeps recordings beyond their term: one session's, or a customer's of a
// time. Until zero is a freeze of 30 days. Permission: session.admin. Errors:
// invalid, not found.
func (s *Service) Hold(ctx context.Context, scope policy.Scope, h Hold) (out Hold, err error) {
	if err := h.check(); err != nil {
		return Hold{}, err
	}
	actor, _ := controlplane.ActorFrom(ctx)
	row := holdRow{ID: controlplane.NewID(controlplane.PrefixHold), SessionID: h.Session, CustomerID: h.Customer, SealOwner: h.Customer,
		FromAt: controlplane.Millis(h.From), ToAt: controlplane.Millis(h.To), ByID: actor.ID}
	var session sessionRow
	if h.Session == "" {
		_, err = s.customers.GetCustomer(ctx, scope, h.Customer)
	} else {
		err = s.db.Read(ctx, func(tx *db.Tx) (err error) { session, err = s.sessionIn(tx, scope, h.Session); return err })
		row.SealOwner = session.SealOwner
	}
	if err == nil {
		err = s.ready(ctx, row.SealOwner)
	}
	if err != nil {
		return Hold{}, wrap("hold", err)
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		row.MadeAt, row.EndsAt = tx.NowMillis(), tx.Now.Add(freeze).UnixMilli()
		if !h.Until.IsZero() {
			row.EndsAt = h.Until.UnixMilli()
		}
		if row.EndsAt <= row.MadeAt || row.EndsAt > tx.Now.Add(maxHold).UnixMilli() {
			return controlplane.Invalid(controlplane.Field{Pointer: "/until", Message: "A hold ends later than now, and within ten years."})
		}
		if rec, ok, err := recordingOf(tx, row.SessionID); err != nil {
			return err
		} else if ok && rec.DeletedAt > 0 {
			return conflict("Its SHA-256 and the entry about its end stay in the ledger.", "The recording was let go of")
		}
		if row.Reason, err = s.seal(row.SealOwner, "session_holds", "reason", row.ID, h.Reason); err != nil {
			return err
		}
		if err := db.Insert(tx, &row); err != nil {
			return err
		}
		if err := s.enterHold(tx, row, session, "session.hold_placed", h.Reason, map[string]any{"until": controlplane.FromMillis(row.EndsAt)}); err != nil {
			return err
		}
		out, err = s.hold(row)
		return err
	})
	return out, wrap("hold", err)
}

// check says what is wrong with a hold that is asked for.
func (h Hold) check() error {
	var bad []controlplane.Field
	if (h.Session == "") == (h.Customer == "") {
		bad = append(bad, controlplane.Field{Pointer: "/session", Message: "Name one session, or one customer."})
	}
	if h.Session != "" && !(h.From.IsZero() && h.To.IsZero()) {
		bad = append(bad, controlplane.Field{Pointer: "/from", Message: "A time belongs to a customer's hold; one of a session has none."})
	}
	if !h.To.IsZero() && !h.From.Before(h.To) {
		bad = append(bad, controlplane.Field{Pointer: "/to", Message: "This is not after the beginning."})
	}
	return invalid(append(bad, textField("/reason", h.Reason)...))
}

// textField says what is wrong with a text that somebody has to write.
func textField(pointer, text string) []controlplane.Field {
	switch text = strings.TrimSpace(text); {
	case text == "":
		return []controlplane.Field{{Pointer: pointer, Message: "Say why, in a sentence."}}
	case len([]rune(text)) > maxReason:
		return []controlplane.Field{{Pointer: pointer, Message: "At most 2,000 characters."}}
	}
	return nil
}

func invalid(fields []controlplane.Field) error {
	if len(fields) == 0 {
		return nil
	}
	return controlplane.Invalid(fields...)
}

// enterHold writes to the ledgers of those whom a hold concerns; why is personal.
func (s *Service) enterHold(tx *db.Tx, row holdRow, session sessionRow, kind, why string, data map[string]any) error {
	customers := []string{row.CustomerID}
	if row.SessionID != "" {
		var err error
		if customers, err = chains(tx, row.SessionID); err != nil {
			return err
		}
		data["session"] = row.SessionID
	}
	var personal map[string]string
	for _, c := range customers {
		if len(customers) == 1 { // one customer's words are not for another
			personal = map[string]string{"reason": why}
		}
		if _, err := s.ledger.Append(tx, ledger.Entry{Customer: c, Server: session.ServerID, Subject: row.ID, Kind: kind, Data: data, Personal: personal}); err != nil {
			return err
		}
	}
	return nil
}

// Holds lists the holds that stand, and those that one person released and nobody
// else has looked at; those that stood, too, where all is set. Staff only.
func (s *Service) Holds(ctx context.Context, scope policy.Scope, customer string, all bool) (out []Hold, err error) {
	if !scope.All() {
		return nil, controlplane.NotFound("hold")
	}
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		rows, err := holdRows(tx, scope, customer, all)
		if err != nil {
			return err
		}
		out = make([]Hold, len(rows))
		for i, r := range rows {
			if out[i], err = s.hold(r); err != nil {
				return err
			}
		}
		return nil
	})
	return out, wrap("holds", err)
}

// hold opens a row.
func (s *Service) hold(r holdRow) (Hold, error) {
	at := controlplane.FromMillis
	reason, err := s.open(r.SealOwner, "session_holds", "reason", r.ID, r.Reason)
	return Hold{ID: r.ID, Session: r.SessionID, Customer: r.CustomerID, From: at(r.FromAt), To: at(r.ToAt), Reason: reason, By: r.ByID, At: at(r.MadeAt),
		Until: at(r.EndsAt), ReleasedAt: at(r.ReleasedAt), ReleasedBy: r.ReleasedBy, Asked: r.AskedBy, Alone: r.Alone == 1, ReviewedBy: r.ReviewedBy}, err
}

// holdsOn are the holds that stand on sessions' recordings.
func (s *Service) holdsOn(tx *db.Tx, ids []string) (map[string][]Hold, error) {
	rows, err := standingHolds(tx)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	touched, err := heldSessions(tx, ids)
	if err != nil {
		return nil, err
	}
	out := map[string][]Hold{}
	for _, r := range rows {
		var on []string
		if slices.Contains(ids, r.SessionID) {
			on = append(on, r.SessionID)
		}
		for _, x := range touched {
			if r.CustomerID != "" && x.CustomerID == r.CustomerID && max(x.StartedAt, x.EndedAt) >= r.FromAt && (r.ToAt == 0 || x.StartedAt < r.ToAt) {
				on = append(on, x.SessionID)
			}
		}
		if len(on) == 0 {
			continue
		}
		h, err := s.hold(r)
		if err != nil {
			return nil, err
		}
		for _, id := range on {
			out[id] = append(out[id], h)
		}
	}
	return out, nil
}
