package backups

import (
	"context"
	"fmt"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/bus"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// AskState is how an ask stands.
type AskState string

// The states of an ask.
const (
	AskOpen  AskState = "open"
	AskTaken AskState = "taken" // somebody of us is at it
	AskDone  AskState = "done"
)

// Valid reports whether s is a known state.
func (s AskState) Valid() bool { return s == AskOpen || s == AskTaken || s == AskDone }

// Ask is a customer's wish that we restore something for them.
type Ask struct {
	ID, Customer, By           string // ask_, cus_, con_
	State                      AskState
	What, Answer               string // sealed in the database
	MailMe                     bool
	TakenBy, DoneBy            string // stf_
	CreatedAt, TakenAt, DoneAt time.Time
}

// NewAsk is what an ask is made of.
type NewAsk struct {
	Customer string // "" is the scope's only one
	What     string // what, from when, on which server; 1 to 4,000 characters
	MailMe   bool   // a mail when it is answered
}

// AskUs has us restore what a contact describes. It opens a finding for ops
// ("restore.asked", link /asks/<id>). Permission: restore.ask. Errors: invalid
// (/what), too many, not_found.
func (s *Service) AskUs(ctx context.Context, scope policy.Scope, in NewAsk) (Ask, error) {
	what, err := sentence("/what", in.What, maxAsk, true)
	if err != nil {
		return Ask{}, err
	}
	a, _ := controlplane.ActorFrom(ctx)
	if _, err := policy.For(ctx, policy.RestoreAsk); err != nil || a.Kind != controlplane.ActorContact {
		return Ask{}, onlyContacts(err)
	}
	row := askRow{ID: controlplane.NewID(controlplane.PrefixAsk), ContactID: a.ID, State: string(AskOpen)}
	if in.MailMe {
		row.MailMe = 1
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		if row.CustomerID, err = s.customerOf(tx, scope, in.Customer); err != nil {
			return err
		}
		waiting, err := asks(tx, policy.OneCustomer(row.CustomerID), AskFilter{Waiting: true, Limit: maxAsks})
		if err != nil {
			return err
		}
		if len(waiting) >= maxAsks {
			return controlplane.Errorf(controlplane.CodeTooMany, "Wait for an answer to one of them, or call us.", "%d requests of yours are open", len(waiting))
		}
		row.CreatedAt = tx.NowMillis()
		if row.What, err = s.keeper.Seal(row.CustomerID, ad("restore_asks", "what", row.ID), []byte(what)); err != nil {
			return fmt.Errorf("backups: ask: %w", err)
		}
		if err := db.Insert(tx, &row); err != nil {
			return err
		}
		c, err := s.customers.CustomerIn(tx, policy.OneCustomer(row.CustomerID), row.CustomerID)
		if err != nil {
			return err
		}
		err = s.findings.Raise(tx, findings.Finding{Key: askKey(row.ID), Customer: row.CustomerID, Subject: row.ID, Kind: findings.RestoreAsked,
			Severity: findings.Warn, Owner: findings.Ops, Link: "/asks/" + row.ID, Args: map[string]string{"customer": c.Name}})
		if err != nil {
			return err
		}
		return s.askEntry(tx, row, "restore.asked", map[string]string{"what": what})
	})
	if err != nil {
		return Ask{}, err
	}
	return s.openAsk(row)
}

const (
	maxAsk  = 4000 // characters
	maxAsks = 20   // of one customer that wait
)

func askKey(id string) string { return findings.RestoreAsked + ":" + id }

func onlyContacts(err error) error {
	if err != nil {
		return err
	}
	return controlplane.Errorf(controlplane.CodeForbidden, "Start an assist and restore it yourself.", "Only a customer's people ask us")
}

func (s *Service) askEntry(tx *db.Tx, row askRow, kind string, personal map[string]string) error {
	tx.AfterCommit(func() { s.opts.Bus.Publish("ask:"+row.ID, bus.TopicCustomer(row.CustomerID)) })
	_, err := s.ledger.Append(tx, ledger.Entry{Customer: row.CustomerID, Subject: row.ID, Kind: kind, Personal: personal})
	return err
}

// openAsk opens what is sealed in a row.
func (s *Service) openAsk(r askRow) (Ask, error) {
	a := Ask{ID: r.ID, Customer: r.CustomerID, By: r.ContactID, State: AskState(r.State), MailMe: r.MailMe != 0, TakenBy: r.TakenBy, DoneBy: r.DoneBy,
		CreatedAt: controlplane.FromMillis(r.CreatedAt), TakenAt: controlplane.FromMillis(r.TakenAt), DoneAt: controlplane.FromMillis(r.DoneAt)}
	what, err := s.keeper.Open(r.CustomerID, ad("restore_asks", "what", r.ID), r.What)
	if err != nil {
		return a, fmt.Errorf("backups: ask: %w", err)
	}
	a.What = string(what)
	if r.Answer == nil {
		return a, nil
	}
	answer, err := s.keeper.Open(r.CustomerID, ad("restore_asks", "answer", r.ID), r.Answer)
	if err != nil {
		return a, fmt.Errorf("backups: ask: %w", err)
	}
	a.Answer = string(answer)
	return a, nil
}

// AskFilter narrows a list of asks; its zero value is all of the scope.
type AskFilter struct {
	Customer string
	Waiting  bool // open or taken
	Limit    int  // at most 200; 0 means 50
}

// Asks lists asks, newest first. Permission: restore.ask for contacts,
// restore.assist for staff.
func (s *Service) Asks(ctx context.Context, scope policy.Scope, f AskFilter) ([]Ask, error) {
	var rows []askRow
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		rows, err = asks(tx, scope, f)
		return err
	})
	if err != nil {
		return nil, err
	}
	out := make([]Ask, len(rows))
	for i, r := range rows {
		if out[i], err = s.openAsk(r); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Ask returns one ask. Permission: as Asks. It changes with the topic "ask:<id>".
func (s *Service) Ask(ctx context.Context, scope policy.Scope, id string) (Ask, error) {
	var row askRow
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		row, err = db.One[askRow](tx, scope, "request", id)
		return err
	})
	if err != nil {
		return Ask{}, err
	}
	return s.openAsk(row)
}

// TakeAsk says that the actor is at it. Permission: restore.assist. Errors:
// not_found, conflict where it is done.
func (s *Service) TakeAsk(ctx context.Context, scope policy.Scope, id string) (Ask, error) {
	return s.moveAsk(ctx, scope, id, func(tx *db.Tx, row *askRow, by string) error {
		row.State, row.TakenBy, row.TakenAt = string(AskTaken), by, tx.NowMillis()
		if err := db.Save(tx, row); err != nil {
			return err
		}
		return s.askEntry(tx, *row, "restore.ask_taken", nil)
	})
}

// moveAsk changes an ask that is not done, by staff.
func (s *Service) moveAsk(ctx context.Context, scope policy.Scope, id string, change func(tx *db.Tx, row *askRow, by string) error) (Ask, error) {
	a, err := assistant(ctx)
	if err != nil {
		return Ask{}, err
	}
	var row askRow
	err = s.db.Write(ctx, func(tx *db.Tx) (err error) {
		if row, err = db.One[askRow](tx, scope, "request", id); err != nil {
			return err
		}
		if AskState(row.State) == AskDone {
			return controlplane.Errorf(controlplane.CodeConflict, "Read the answer that was given.", "This request is done")
		}
		return change(tx, &row, a.ID)
	})
	if err != nil {
		return Ask{}, err
	}
	return s.openAsk(row)
}

// AnswerAsk ends an ask with what was done (1 to 4,000 characters), and closes
// its finding. Permission: restore.assist. Errors: invalid (/answer),
// not_found, conflict where it is done.
func (s *Service) AnswerAsk(ctx context.Context, scope policy.Scope, id, answer string) (Ask, error) {
	answer, err := sentence("/answer", answer, maxAsk, true)
	if err != nil {
		return Ask{}, err
	}
	return s.moveAsk(ctx, scope, id, func(tx *db.Tx, row *askRow, by string) error {
		if row.TakenAt == 0 {
			row.TakenBy, row.TakenAt = by, tx.NowMillis()
		}
		row.State, row.DoneBy, row.DoneAt = string(AskDone), by, tx.NowMillis()
		if row.Answer, err = s.keeper.Seal(row.CustomerID, ad("restore_asks", "answer", row.ID), []byte(answer)); err != nil {
			return fmt.Errorf("backups: ask: %w", err)
		}
		if err := db.Save(tx, row); err != nil {
			return err
		}
		if err := s.findings.Close(tx, askKey(row.ID), "it was answered"); err != nil {
			return err
		}
		if row.MailMe != 0 {
			l := Letter{Key: mailAnswered + ":" + row.ID, Template: mailAnswered, Path: "/asks/" + row.ID, Subject: row.ID}
			if err := s.write(tx, row.CustomerID, row.ContactID, l); err != nil {
				return err
			}
		}
		return s.askEntry(tx, *row, "restore.ask_answered", map[string]string{"answer": answer})
	})
}
