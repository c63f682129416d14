package incidents

import (
	"context"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// Triage decides what becomes of a report: it belongs to a case, to a new one, or
// to none. Of two people at once one decides, and the other is told so.
// Permission: incident.write. Errors: invalid, not found, conflict where somebody
// has decided already, or the case is not open.
func (s *Service) Triage(ctx context.Context, scope policy.Scope, report string, in Triage) (out Report, err error) {
	if !scope.All() {
		return out, controlplane.NotFound("report")
	}
	if in.Aside, err = textField("/aside", in.Aside, maxWhy, false); err != nil {
		return out, err
	}
	if flag(in.Case != "")+flag(in.New != nil)+flag(in.Aside != "") != 1 {
		return out, invalid("/case", "Choose a case, open a new one, or say why it is none.")
	}
	var row reportRow
	err = s.db.Read(ctx, func(tx *db.Tx) (err error) { row, err = oneByID[reportRow](tx, scope, "report", report); return err })
	if err == nil {
		err = s.ready(ctx, row.CustomerID)
	}
	if err != nil {
		return out, wrap("triage", err)
	}
	var o opening
	if in.New != nil {
		if o, err = s.checkOpening(ctx, scope, in.New.from(row)); err != nil {
			return out, wrap("triage", err)
		}
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		row, err := oneByID[reportRow](tx, scope, "report", report)
		if err != nil {
			return err
		}
		if row.DecidedAt > 0 {
			return conflict("See what became of it.", "Somebody has looked at this report already")
		}
		if row.CaseID, err = s.triagedTo(tx, scope, in, o); err != nil {
			return err
		}
		if err := s.decideReport(tx, &row, in.Aside); err != nil {
			return err
		}
		out, err = s.reportOf(row)
		return err
	})
	return out, wrap("triage", err)
}

// from is a new case with what its report says already.
func (in NewCase) from(r reportRow) NewCase {
	in.Source = r.ID
	if len(in.Servers) == 0 && r.ServerID != "" {
		in.Servers = []string{r.ServerID}
	}
	if len(in.Customers) == 0 && r.CustomerID != "" && ReportSource(r.Source) == FromCustomer {
		in.Customers = []string{r.CustomerID}
	}
	return in
}

// triagedTo is the case that a report belongs to, "" for none.
func (s *Service) triagedTo(tx *db.Tx, scope policy.Scope, in Triage, o opening) (string, error) {
	switch {
	case in.New != nil:
		return s.openIn(tx, o)
	case in.Case == "":
		return "", nil
	}
	c, err := openRow(tx, scope, in.Case)
	return c.ID, err
}

// decideReport writes down what became of a report.
func (s *Service) decideReport(tx *db.Tx, row *reportRow, aside string) (err error) {
	row.DecidedAt, row.DecidedBy = tx.NowMillis(), actorOf(tx.Context()).ID
	if row.Aside, err = s.seal(row.CustomerID, "incident_reports", "aside", row.ID, aside); err != nil {
		return err
	}
	if err := db.Save(tx, row); err != nil {
		return err
	}
	if err := s.findings.Close(tx, reportFinding(row.ID), "somebody looked at it"); err != nil {
		return err
	}
	about := row.CaseID
	if about == "" {
		about = row.ID
	}
	return s.enter(tx, about, "incident.triaged", map[string]any{"report": row.ID, "case": row.CaseID, "aside": aside != ""}, map[string]string{"why": aside})
}
