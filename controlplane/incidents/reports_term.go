package incidents

import (
	"context"

	"ostler/controlplane/db"
	"ostler/controlplane/ledger"
)

// ReporterMonths is for how many months the name and the contact of whoever
// reported something are kept, from when it was dealt with.
func (s *Service) ReporterMonths() int { return s.opts.ReporterMonths }

// marksDue deletes the marks of addresses whose time is over: no address stays
// longer than reports of it are counted.
func (s *Service) marksDue(ctx context.Context) error {
	var n int64
	err := s.db.Read(asSystem(ctx), func(tx *db.Tx) (err error) { n, err = staleMarks(tx); return err })
	if err == nil && n > 0 {
		err = s.db.Write(asSystem(ctx), sweepMarks)
	}
	return wrap("report marks", err)
}

// reportersDue deletes who reported what was dealt with long ago. A report that
// belongs to a case is dealt with when the case has ended.
func (s *Service) reportersDue(ctx context.Context) error {
	var rows []reportRow
	err := s.db.Read(asSystem(ctx), func(tx *db.Tx) (err error) {
		rows, err = forgettable(tx, tx.Now.AddDate(0, -s.opts.ReporterMonths, 0).UnixMilli(), "")
		return err
	})
	for _, r := range rows {
		if err == nil {
			err = s.forgetReporter(ctx, r.ID)
		}
	}
	return wrap("reporters", err)
}

// forgetReporter deletes the name and the contact of one report. A keyed hash of
// them stays.
func (s *Service) forgetReporter(ctx context.Context, id string) error {
	return s.db.Write(asSystem(ctx), func(tx *db.Tx) error {
		rows, err := forgettable(tx, tx.Now.AddDate(0, -s.opts.ReporterMonths, 0).UnixMilli(), id)
		if err != nil || len(rows) == 0 {
			return err
		}
		r := rows[0]
		x, err := s.reportOf(r)
		if err != nil { // it cannot be read any more: it goes all the same
			s.opts.Log.ErrorContext(ctx, "incidents.reporter", "report", r.ID, "err", err)
		}
		if x.Name+x.Contact != "" {
			r.Reporter = s.keeper.Index("incident reporter", x.Name+"\x00"+x.Contact)
		}
		r.Name, r.Contact, r.ForgottenAt = nil, nil, tx.NowMillis()
		if err := db.Save(tx, &r); err != nil {
			return err
		}
		entry := ledger.Entry{Subject: r.ID, Kind: "incident.reporter_erased", Data: map[string]any{"months": s.opts.ReporterMonths}}
		if ReportSource(r.Source) == FromCustomer {
			entry.Customer = r.CustomerID
		}
		_, err = s.ledger.Append(tx, entry)
		return err
	})
}
