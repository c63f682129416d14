package sessions

import (
	"context"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// TermsOf returns what was agreed with a customer. Permission: session.read.
// Errors: not found.
func (s *Service) TermsOf(ctx context.Context, scope policy.Scope, customer string) (out Terms, err error) {
	if _, err := s.customers.GetCustomer(ctx, scope, customer); err != nil {
		return Terms{}, wrap("terms", err)
	}
	err = s.db.Read(ctx, func(tx *db.Tx) (err error) { out, err = s.termsOf(tx, customer); return err })
	return out, wrap("terms", err)
}

// termsOf is what was agreed with a customer, or what holds where nothing was.
func (s *Service) termsOf(tx *db.Tx, customer string) (Terms, error) {
	row, ok, err := termsIn(tx, policy.OneCustomer(customer), customer)
	if err != nil {
		return Terms{}, err
	}
	t := Terms{Customer: customer, Percent: s.opts.Percent, Watch: row.Watch == 1, Commands: row.Commands == 1, Version: row.Version}
	if ok {
		t.Percent = int(row.Percent)
	}
	t.Months, err = s.months(tx, customer)
	return t, err
}

// SetTerms changes it; Version is the one that was read. For how many months
// recordings are kept stands in the terms of access lists. Permission:
// session.admin. Errors: invalid, not found, conflict.
func (s *Service) SetTerms(ctx context.Context, scope policy.Scope, t Terms) (out Terms, err error) {
	if t.Percent < 0 || t.Percent > 100 {
		return Terms{}, controlplane.Invalid(controlplane.Field{Pointer: "/percent", Message: "A whole number from 0 to 100."})
	}
	if _, err := s.customers.GetCustomer(ctx, scope, t.Customer); err != nil {
		return Terms{}, wrap("set terms", err)
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		row, _, err := termsIn(tx, scope, t.Customer)
		if err != nil {
			return err
		}
		if row.Version != t.Version {
			return conflict("Read them again, and change what is there now.", "The terms were changed meanwhile")
		}
		row = termsRow{CustomerID: t.Customer, Watch: bit(t.Watch), Commands: bit(t.Commands), Percent: int64(t.Percent), Version: t.Version + 1, UpdatedAt: tx.NowMillis()}
		if err := db.Upsert(tx, &row, "customer_id"); err != nil {
			return err
		}
		_, err = s.ledger.Append(tx, ledger.Entry{Customer: t.Customer, Subject: t.Customer, Kind: "session.terms_changed",
			Data: map[string]any{"watch": t.Watch, "commands": t.Commands, "percent": t.Percent}})
		if err != nil {
			return err
		}
		out, err = s.termsOf(tx, t.Customer)
		return err
	})
	return out, wrap("set terms", err)
}

// bit is a boolean as both databases keep it.
func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
