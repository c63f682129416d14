package access

import (
	"context"

	"ostler/controlplane/db"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// DefaultTerms are what holds with a customer where nothing else was agreed.
func DefaultTerms(customer string) Terms {
	return Terms{Customer: customer, NoticeHours: 24, MaxDays: 92, RecordingMonths: 12}
}

// Terms returns what was agreed with a customer about access. Permission: access.read.
func (s *Service) Terms(ctx context.Context, scope policy.Scope, customer string) (out Terms, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		c, err := s.customers.CustomerIn(tx, scope, customer)
		if err == nil {
			out, err = s.termsIn(tx, c.ID)
		}
		return err
	})
	return out, wrap("terms", err)
}

// termsIn are the terms of a customer by id.
func (s *Service) termsIn(tx *db.Tx, customer string) (Terms, error) {
	r, err := termsOf(tx, customer)
	if err != nil || r.CustomerID == "" {
		return DefaultTerms(customer), err
	}
	brief, err := s.open(customer, "access_terms", "brief", customer, r.Brief)
	return Terms{Customer: customer, NoticeHours: int(r.NoticeHours), SecondPerson: r.SecondPerson == 1, CustomerApproves: r.CustomerApproves == 1,
		MaxDays: int(r.MaxDays), RecordingMonths: int(r.RecordingMonths), Brief: brief, BriefVersion: r.BriefVersion, Version: r.Version}, err
}

// SetTerms changes them; a field that is 0 takes the default. Permission:
// access.write over all customers, and access.admin for grants to need fewer answers.
func (s *Service) SetTerms(ctx context.Context, scope policy.Scope, t Terms) (out Terms, err error) {
	if err := overAll(scope); err != nil {
		return Terms{}, err
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		c, err := s.customers.CustomerIn(tx, scope, t.Customer)
		if err != nil {
			return err
		}
		old, err := termsOf(tx, c.ID)
		if err != nil {
			return err
		}
		if err := changedSince(t.Version, old.Version); err != nil {
			return err
		}
		t.Customer = c.ID
		if out, err = t.checked(); err != nil {
			return err
		}
		if old.SecondPerson == 1 && !out.SecondPerson || old.CustomerApproves == 1 && !out.CustomerApproves {
			if err := may(ctx, policy.AccessAdmin); err != nil {
				return err
			}
		}
		out.Version = old.Version + 1
		brief, err := s.seal(c.ID, "access_terms", "brief", c.ID, out.Brief)
		if err != nil {
			return err
		}
		row := termsRow{CustomerID: c.ID, NoticeHours: int64(out.NoticeHours), SecondPerson: flag(out.SecondPerson), CustomerApproves: flag(out.CustomerApproves),
			MaxDays: int64(out.MaxDays), RecordingMonths: int64(out.RecordingMonths), Brief: brief, BriefVersion: out.BriefVersion, Version: out.Version, UpdatedAt: tx.NowMillis()}
		if err := db.Upsert(tx, &row, "customer_id"); err != nil {
			return err
		}
		_, err = s.ledger.Append(tx, ledger.Entry{Customer: c.ID, Subject: c.ID, Kind: "access.terms_changed", Data: map[string]any{"notice_hours": row.NoticeHours,
			"second_person": out.SecondPerson, "customer_approves": out.CustomerApproves, "max_days": row.MaxDays, "recording_months": row.RecordingMonths, "brief_version": out.BriefVersion}})
		return err
	})
	return out, wrap("set terms", err)
}

// Bounds of what can be agreed.
const (
	maxNoticeHours     = 14 * 24
	maxGrantDays       = 366
	maxRecordingMonths = 12
)

func (t Terms) checked() (Terms, error) {
	var c inputs
	d := DefaultTerms(t.Customer)
	for _, v := range []struct {
		pointer string
		n       *int
		usual   int
		most    int
		message string
	}{
		{"/notice_hours", &t.NoticeHours, d.NoticeHours, maxNoticeHours, "A change is told within 1 to 336 hours."},
		{"/max_days", &t.MaxDays, d.MaxDays, maxGrantDays, "A grant lasts 1 to 366 days."},
		{"/recording_months", &t.RecordingMonths, d.RecordingMonths, maxRecordingMonths, "Recordings are kept for 1 to 12 months."},
	} {
		if *v.n == 0 {
			*v.n = v.usual
		}
		if *v.n < 1 || *v.n > v.most {
			c.add(v.pointer, v.message)
		}
	}
	t.Brief = c.text("/brief", t.Brief, maxBrief)
	t.BriefVersion = c.line("/brief_version", t.BriefVersion, maxShort, "")
	if (t.Brief == "") != (t.BriefVersion == "") {
		c.add("/brief_version", "A brief has a text and a version, or there is none.")
	}
	return t, c.err()
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
