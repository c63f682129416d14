package sessions

import (
	"context"
	"encoding/json"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/teleport"
)

// Steps is what the state machine makes of events of one session, in this order.
func Steps(events ...teleport.Event) (Session, error) {
	var f facts
	for _, e := range events {
		said, err := read(e.Raw)
		if err != nil {
			return Session{}, err
		}
		if f.Mark == "" {
			f.Mark, f.SID = said.mark(e.ID), said.SID
		}
		f = step(f, said, e.At.UnixMilli(), 1)
		// It is kept between events.
		kept, err := json.Marshal(f.sessionData)
		if err != nil {
			return Session{}, err
		}
		f.sessionData = sessionData{}
		if err := json.Unmarshal(kept, &f.sessionData); err != nil {
			return Session{}, err
		}
	}
	at := controlplane.FromMillis
	return Session{Kind: f.Kind, State: f.State, SID: f.SID, Host: f.Host, User: f.User, Login: f.Login, Address: f.Address, Command: f.Command, StartedAt: at(f.StartedAt), EndedAt: at(f.EndedAt),
		Participants: f.Participants}, nil
}

// TakeIn takes in a page of events as the job does.
func (s *Service) TakeIn(ctx context.Context, list []teleport.Event) error {
	if err := s.customersReady(ctx); err != nil {
		return err
	}
	r, err := s.beginReading(ctx, false)
	if err != nil {
		return err
	}
	return r.take(ctx, list)
}

// Watermark is the newest event, never later than now.
func (s *Service) Watermark(ctx context.Context) (at int64, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		row, err := feedIn(tx)
		at = row.Watermark
		return err
	})
	return at, err
}

// OnEnded has f told of every session that ended, in the transaction.
func (s *Service) OnEnded(f func(tx *db.Tx, id string) error) { s.onEnded = append(s.onEnded, f) }

// NoteRead says that the log was read until now.
func (s *Service) NoteRead(ctx context.Context) error {
	r, err := s.beginReading(ctx, false)
	if err != nil {
		return err
	}
	return s.noteRead(ctx, r)
}
