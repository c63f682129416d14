package backups

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"ostler/controlplane"
	"ostler/controlplane/bus"
	"ostler/controlplane/db"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// AssistTime is how long an assist lasts.
const AssistTime = 4 * time.Hour

// Assist lets one member of staff see one customer's files and restore them,
// for AssistTime, because of a reason and a ticket that the customer sees.
type Assist struct {
	ID, Customer, Staff        string // asi_, cus_, stf_
	Reason                     string // sealed in the database
	Ticket                     string // as the ticket system has it: "OPS-1234"
	StartedAt, EndsAt, EndedAt time.Time
}

// Open reports whether the assist lasts at an instant.
func (a Assist) Open(now time.Time) bool {
	return a.ID != "" && a.EndedAt.IsZero() && now.Before(a.EndsAt)
}

// openAssistRow opens what is sealed in a row.
func (s *Service) openAssistRow(r assistRow) (Assist, error) {
	reason, err := s.keeper.Open(r.CustomerID, ad("restore_assists", "reason", r.ID), r.Reason)
	if err != nil {
		return Assist{}, fmt.Errorf("backups: assist: %w", err)
	}
	return Assist{ID: r.ID, Customer: r.CustomerID, Staff: r.StaffID, Reason: string(reason), Ticket: r.Ticket,
		StartedAt: controlplane.FromMillis(r.StartedAt), EndsAt: controlplane.FromMillis(r.EndsAt), EndedAt: controlplane.FromMillis(r.EndedAt)}, nil
}

// assistant checks that the actor is staff who may help with restores.
func assistant(ctx context.Context) (controlplane.Actor, error) {
	a, _ := controlplane.ActorFrom(ctx)
	if _, err := policy.For(ctx, policy.RestoreAssist); err != nil {
		return a, err
	}
	if a.Kind != controlplane.ActorStaff {
		return a, controlplane.Errorf(controlplane.CodeForbidden, "Sign in as yourself.", "Only a person can give a reason")
	}
	return a, nil
}

// sentence checks a text of a person: from 1 to most characters, in lines where
// that is allowed, nothing invisible that turns the rest around.
func sentence(pointer, v string, most int, lines bool) (string, error) {
	v = strings.TrimSpace(strings.ReplaceAll(v, "\r\n", "\n"))
	bad := func(r rune) bool {
		return unicode.IsControl(r) && !(lines && (r == '\n' || r == '\t')) || unicode.Is(unicode.Bidi_Control, r)
	}
	switch n := utf8.RuneCountInString(v); {
	case n == 0:
		return "", controlplane.Invalid(controlplane.Field{Pointer: pointer, Message: "Write something here."})
	case n > most:
		return "", controlplane.Invalid(controlplane.Field{Pointer: pointer, Message: fmt.Sprintf("At most %d characters.", most)})
	case !utf8.ValidString(v) || strings.ContainsFunc(v, bad):
		return "", controlplane.Invalid(controlplane.Field{Pointer: pointer, Message: "Use plain text only."})
	}
	return v, nil
}

// StartAssist begins an assist of the actor, staff with restore.assist; one that
// they have open ends. It stands in the customer's ledger and timeline
// ("restore.assist_started") with the authorisation by which it is done. customer
// is an id or a slug. Errors: forbidden, invalid (/reason, /ticket), not_found,
// conflict where nobody may tell us to, or the instruction of the ticket is paused.
func (s *Service) StartAssist(ctx context.Context, customer, reason, ticket string) (Assist, error) {
	a, err := assistant(ctx)
	if err != nil {
		return Assist{}, err
	}
	if reason, err = sentence("/reason", reason, 1000, true); err != nil {
		return Assist{}, err
	}
	if len(strings.Fields(reason)) < 2 {
		return Assist{}, controlplane.Invalid(controlplane.Field{Pointer: "/reason", Message: "Say who asked for what, in a sentence: the customer reads it."})
	}
	if ticket, err = sentence("/ticket", ticket, 80, false); err != nil {
		return Assist{}, err
	}
	row := assistRow{ID: controlplane.NewID(controlplane.PrefixAssist), StaffID: a.ID, Ticket: ticket}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		c, err := s.customers.CustomerIn(tx, policy.ScopeOf(a), customer)
		if err != nil {
			return err
		}
		authorisation, err := s.instructed(tx, c.ID, ticket)
		if err != nil {
			return err
		}
		if before, open, err := openAssist(tx, a.ID); err != nil {
			return err
		} else if open {
			if err := s.endAssist(tx, before); err != nil {
				return err
			}
		}
		row.CustomerID, row.StartedAt, row.EndsAt = c.ID, tx.NowMillis(), tx.Now.Add(AssistTime).UnixMilli()
		if row.Reason, err = s.keeper.Seal(c.ID, ad("restore_assists", "reason", row.ID), []byte(reason)); err != nil {
			return fmt.Errorf("backups: assist: %w", err)
		}
		if err := db.Insert(tx, &row); err != nil {
			return err
		}
		tx.AfterCommit(func() { s.opts.Bus.Publish(bus.TopicCustomer(c.ID)) })
		_, err = s.ledger.Append(tx, ledger.Entry{Customer: c.ID, Subject: row.ID, Kind: "restore.assist_started",
			Data:     map[string]any{"ticket": ticket, "authorisation": authorisation, "until": controlplane.Instant(controlplane.FromMillis(row.EndsAt))},
			Personal: map[string]string{"reason": reason}})
		return err
	})
	if err != nil {
		return Assist{}, err
	}
	return s.openAssistRow(row)
}

// instructed returns the authorisation by which staff may restore for a customer.
func (s *Service) instructed(tx *db.Tx, customer, ticket string) (string, error) {
	if s.told == nil {
		return "", nil
	}
	if err := s.told.Hold(tx, customer, ticket); err != nil {
		return "", err
	}
	return s.told.Authorised(tx, customer, "restore", "")
}

// EndAssist ends an assist of the actor; it may have ended already. Errors:
// forbidden, not_found.
func (s *Service) EndAssist(ctx context.Context, id string) error {
	a, err := assistant(ctx)
	if err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		row, err := db.One[assistRow](tx, policy.ScopeOf(a), "assist", id)
		if err == nil && row.StaffID != a.ID {
			err = controlplane.NotFound("assist")
		}
		if err != nil || row.EndedAt != 0 || row.EndsAt <= tx.NowMillis() {
			return err
		}
		return s.endAssist(tx, row)
	})
}

func (s *Service) endAssist(tx *db.Tx, row assistRow) error {
	row.EndedAt = tx.NowMillis()
	if err := db.Save(tx, &row); err != nil {
		return err
	}
	tx.AfterCommit(func() { s.opts.Bus.Publish(bus.TopicCustomer(row.CustomerID)) })
	_, err := s.ledger.Append(tx, ledger.Entry{Customer: row.CustomerID, Subject: row.ID, Kind: "restore.assist_ended", Data: map[string]any{"ticket": row.Ticket}})
	return err
}

// AssistFilter narrows a list of assists; its zero value is all of the scope.
type AssistFilter struct {
	Customer string // id
	Open     bool
	Limit    int // at most 200; 0 means 50
}

// Assists lists assists, newest first. Permission: ledger.read.
func (s *Service) Assists(ctx context.Context, scope policy.Scope, f AssistFilter) ([]Assist, error) {
	var rows []assistRow
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		rows, err = assists(tx, scope, f)
		return err
	})
	if err != nil {
		return nil, err
	}
	out := make([]Assist, len(rows))
	for i, r := range rows {
		if out[i], err = s.openAssistRow(r); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// CurrentAssist returns the assist that the actor has open; its zero value where
// there is none. Permission: none, it is one's own.
func (s *Service) CurrentAssist(ctx context.Context) (Assist, error) {
	a, _ := controlplane.ActorFrom(ctx)
	if a.Kind != controlplane.ActorStaff {
		return Assist{}, nil
	}
	var row assistRow
	var open bool
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		row, open, err = openAssist(tx, a.ID)
		return err
	})
	if err != nil || !open {
		return Assist{}, err
	}
	return s.openAssistRow(row)
}

// AssistScope returns the scope in which the actor may do what has to do with
// a customer's files (file.read, restore.run): for contacts that of policy.For,
// for staff the one customer of their open assist, which is returned too; for
// any other permission that of policy.For. Errors: unauthorized; forbidden, for
// staff without an assist with the next step to say why first.
func (s *Service) AssistScope(ctx context.Context, p policy.Permission) (policy.Scope, Assist, error) {
	a, _ := controlplane.ActorFrom(ctx)
	if a.Kind != controlplane.ActorStaff || p != policy.FileRead && p != policy.RestoreRun {
		scope, err := policy.For(ctx, p)
		return scope, Assist{}, err
	}
	if _, err := assistant(ctx); err != nil {
		return policy.Scope{}, Assist{}, err
	}
	assist, err := s.CurrentAssist(ctx)
	if err == nil && assist.ID == "" {
		err = sayWhy()
	}
	return policy.OneCustomer(assist.Customer), assist, err
}

func sayWhy() error {
	return controlplane.Errorf(controlplane.CodeForbidden, "Say why first: give a reason and a ticket on the customer's page. They will see it.",
		"A customer's files are theirs")
}

// restorer checks that the actor may restore for a customer, and returns the
// assist under which staff do; its zero value for everybody else. Staff may not
// while what they were told to do is paused.
func (s *Service) restorer(tx *db.Tx, scope policy.Scope, customer string) (assistRow, error) {
	row, err := s.asRestorer(tx, scope, customer)
	if err == nil && s.told != nil && row.ID != "" {
		err = s.told.Hold(tx, customer, row.ID, row.Ticket)
	}
	return row, err
}

// asRestorer is restorer also while it is paused: to take back what was done.
func (s *Service) asRestorer(tx *db.Tx, scope policy.Scope, customer string) (assistRow, error) {
	a, _ := controlplane.ActorFrom(tx.Context())
	switch {
	case !scope.Allows(customer):
		return assistRow{}, controlplane.NotFound("customer")
	case a.Kind != controlplane.ActorStaff:
		_, err := policy.For(tx.Context(), policy.RestoreRun)
		return assistRow{}, err
	}
	if _, err := assistant(tx.Context()); err != nil {
		return assistRow{}, err
	}
	row, open, err := openAssist(tx, a.ID)
	if err == nil && (!open || row.CustomerID != customer) {
		err = sayWhy()
	}
	return row, err
}

// customerOf is the customer that is meant: the named one, else the scope's only
// one.
func (s *Service) customerOf(tx *db.Tx, scope policy.Scope, ref string) (string, error) {
	if ref == "" {
		if ids := scope.Customers(); len(ids) == 1 {
			return ids[0], nil
		}
		return "", controlplane.Invalid(controlplane.Field{Pointer: "/customer", Message: "Say which customer's."})
	}
	c, err := s.customers.CustomerIn(tx, scope, ref)
	return c.ID, err
}
