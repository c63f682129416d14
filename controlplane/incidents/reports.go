package incidents

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

const (
	maxReport  = 4000
	maxNameLen = 200
	// reportWindow is the time in which reports of one address are counted, and
	// allReports how many times an address's share everybody has together.
	reportWindow = time.Hour
	allReports   = 20
	// ownReports is how many times that share a signed-in customer's people have.
	ownReports = 4
	// reportLooked is after how long a report that nobody looked at is an alarm.
	reportLooked = time.Hour
)

// Report takes in somebody's word that something may be wrong. Whoever may do
// nothing else may do this. Of a report from the public only its number and time
// are given back. Source FromFinding with Subject of a finding (fnd_) takes its
// words from that. Errors: invalid; not found; too many, from one address.
func (s *Service) Report(ctx context.Context, scope policy.Scope, in NewReport) (out Report, err error) {
	if in.Source == FromPublic {
		ctx, scope = asSystem(ctx), everyone()
		in.Customer, in.Server, in.Key, in.Subject = "", "", "", ""
	}
	if err := s.readReport(ctx, scope, &in); err != nil {
		return Report{}, wrap("report", err)
	}
	if err := in.clean(); err != nil {
		return Report{}, err
	}
	if err := s.ready(ctx, in.Customer); err != nil {
		return Report{}, err
	}
	by := actorOf(ctx)
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		if err := s.admit(tx, in); err != nil {
			return err
		}
		row, err := s.insertReport(tx, in, by)
		if err != nil {
			return err
		}
		out, err = s.reportOf(row)
		return err
	})
	if in.Source == FromPublic && err == nil {
		out = Report{ID: out.ID, NewReport: NewReport{Source: FromPublic}, ReceivedAt: out.ReceivedAt}
	}
	return out, wrap("report", err)
}

// readReport checks who reports, and about what.
func (s *Service) readReport(ctx context.Context, scope policy.Scope, in *NewReport) error {
	switch in.Source {
	case FromPublic:
		return nil
	case FromStaff, FromFinding:
		if !scope.All() {
			return controlplane.NotFound("page")
		}
	case FromCustomer:
		if _, err := s.customers.GetCustomer(ctx, scope, in.Customer); err != nil {
			return err
		}
	default:
		return invalid("/source", "Choose staff, customer, public or finding.")
	}
	if in.Server != "" {
		if _, err := s.customers.GetServer(ctx, scope, in.Server); err != nil {
			return err
		}
	}
	if in.Source == FromFinding && controlplane.ValidID(controlplane.PrefixFinding, in.Subject) {
		return s.ofFinding(ctx, scope, in)
	}
	if in.Source != FromFinding {
		in.Key = ""
	}
	return nil
}

// ofFinding fills in what a finding says.
func (s *Service) ofFinding(ctx context.Context, scope policy.Scope, in *NewReport) error {
	f, err := s.findings.Get(ctx, scope, in.Subject)
	if err != nil {
		return err
	}
	title, cause, _ := findings.Sentence("en", f)
	if in.Key, in.Server, in.Customer = "finding:"+f.ID, f.Server, f.Customer; strings.TrimSpace(in.Text) == "" {
		in.Text = strings.TrimSpace(sentence(title) + " " + cause)
	}
	return nil
}

// clean makes a text of what was sent: no control characters, no tricks with the
// direction of writing, and no more than people read.
func (in *NewReport) clean() error {
	if in.Text = plainText(norm.NFC.String(strings.ToValidUTF8(in.Text, "?"))); in.Text == "" {
		return invalid("/text", "Say in a sentence what you saw.")
	}
	if len([]rune(in.Text)) > maxReport {
		if in.Source != FromFinding {
			return invalid("/text", "At most 4,000 characters.")
		}
		in.Text = cut(in.Text, maxReport)
	}
	in.Name, in.Contact = controlplane.Line(norm.NFC.String(in.Name), maxNameLen), controlplane.Line(norm.NFC.String(in.Contact), maxNameLen)
	return nil
}

// admit counts a report, and refuses what is too much: of one address, and of
// all together.
func (s *Service) admit(tx *db.Tx, in NewReport) error {
	type counter struct {
		kind, of string
		limit    int
	}
	var counters []counter
	switch in.Source {
	case FromPublic:
		counters = []counter{{"address", network(in.Address), s.opts.Reports}, {"all", "", s.opts.Reports * allReports}}
	case FromCustomer:
		counters = []counter{{"customer", in.Customer, s.opts.Reports * ownReports}}
	}
	for _, c := range counters {
		n, err := countReport(tx, s.keeper.Index("incident report "+c.kind, c.of), reportWindow)
		if err != nil {
			return err
		}
		if n > int64(c.limit) {
			return controlplane.Errorf(controlplane.CodeTooMany, "Wait an hour, or call us: that always works.", "There were too many reports in a short time")
		}
	}
	return nil
}

// network is what of an address is counted: all of IPv4, the /64 of IPv6,
// because one machine has all of that.
func network(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return "unknown"
	}
	a = a.Unmap().WithZone("")
	if a.Is4() {
		return a.String()
	}
	p, _ := a.Prefix(64) // 64 bits fit every IPv6 address
	return p.String()
}

// insertReport adds a report; of a key that is there, it is that one.
func (s *Service) insertReport(tx *db.Tx, in NewReport, by controlplane.Actor) (row reportRow, err error) {
	if in.Key != "" {
		if row, ok, err := reportByKey(tx, in.Key); err != nil || ok {
			return row, err
		}
	}
	row = reportRow{ID: controlplane.NewID(controlplane.PrefixReport), CustomerID: in.Customer, Source: string(in.Source), ServerID: in.Server, ReportKey: in.Key, Subject: in.Subject,
		ReceivedAt: tx.NowMillis()}
	if in.Source != FromPublic {
		row.ByID = by.ID
	}
	for _, x := range []struct {
		into         *[]byte
		column, text string
	}{{&row.Text, "text", in.Text}, {&row.Name, "name", in.Name}, {&row.Contact, "contact", in.Contact}} {
		if *x.into, err = s.seal(in.Customer, "incident_reports", x.column, row.ID, x.text); err != nil {
			return row, err
		}
	}
	if err := db.Insert(tx, &row); err != nil {
		return row, err
	}
	entry := ledger.Entry{Server: in.Server, Subject: row.ID, Kind: "incident.reported", Data: map[string]any{"source": row.Source}}
	if in.Source == FromCustomer {
		entry.Customer = in.Customer
	}
	if in.Subject != "" {
		entry.Data["about"] = in.Subject
	}
	_, err = s.ledger.Append(tx, entry)
	return row, err
}

// ReportIn takes in what another slice found, in its transaction; the same key
// again is the report that is there.
func (s *Service) ReportIn(tx *db.Tx, scope policy.Scope, in NewReport) error {
	if in.Source != FromFinding || in.Key == "" {
		return fmt.Errorf("incidents: report in: only findings with a key")
	}
	if !scope.All() && !scope.Allows(in.Customer) {
		return controlplane.NotFound("customer")
	}
	if err := in.clean(); err != nil {
		return err
	}
	_, err := s.insertReport(tx, in, actorOf(tx.Context()))
	return wrap("report in", err)
}

// reportOf opens a row.
func (s *Service) reportOf(r reportRow) (x Report, err error) {
	at := controlplane.FromMillis
	x = Report{ID: r.ID, ReceivedAt: at(r.ReceivedAt), By: r.ByID, Case: r.CaseID, DecidedAt: at(r.DecidedAt), DecidedBy: r.DecidedBy, ForgottenAt: at(r.ForgottenAt),
		NewReport: NewReport{Source: ReportSource(r.Source), Customer: r.CustomerID, Server: r.ServerID, Key: r.ReportKey, Subject: r.Subject}}
	for _, f := range []struct {
		into   *string
		column string
		sealed []byte
	}{{&x.Text, "text", r.Text}, {&x.Name, "name", r.Name}, {&x.Contact, "contact", r.Contact}, {&x.SetAside, "aside", r.Aside}} {
		if *f.into, err = s.open(r.CustomerID, "incident_reports", f.column, r.ID, f.sealed); err != nil {
			return x, err
		}
	}
	return x, nil
}

// Reports lists them, those that nobody has looked at first. Permission:
// incident.read, of staff; contacts see their own, without what became of them here.
func (s *Service) Reports(ctx context.Context, scope policy.Scope, waiting bool) (out []Report, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		rows, err := reportRows(tx, scope, waiting)
		if err != nil {
			return err
		}
		out = make([]Report, len(rows))
		for i, r := range rows {
			if out[i], err = s.reportOf(r); err != nil {
				return err
			}
			if !scope.All() {
				out[i].Case, out[i].SetAside, out[i].DecidedBy = "", "", ""
			}
		}
		return nil
	})
	return out, wrap("reports", err)
}

// reportsDue opens the findings of reports that nobody looks at.
func (s *Service) reportsDue(ctx context.Context) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	return wrap("reports due", s.db.Write(asSystem(ctx), func(tx *db.Tx) error {
		rows, err := neglected(tx, reportLooked)
		for _, r := range rows {
			if err == nil {
				err = s.reportWaits(tx, r)
			}
		}
		return err
	}))
}

// ReportByID returns one report. Permission: as Reports. Errors: not found.
func (s *Service) ReportByID(ctx context.Context, scope policy.Scope, id string) (out Report, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		row, err := db.One[reportRow](tx, scope, "report", id)
		if err != nil {
			return err
		}
		if !scope.All() && row.Source != string(FromCustomer) {
			return controlplane.NotFound("report")
		}
		out, err = s.reportOf(row)
		return err
	})
	if !scope.All() {
		out.Case, out.SetAside, out.DecidedBy = "", "", ""
	}
	return out, wrap("report", err)
}

var reportNames = map[ReportSource]string{FromStaff: "a report from one of us", FromCustomer: "a customer’s report", FromPublic: "a report from outside", FromFinding: "a report about a finding"}

func (s *Service) reportWaits(tx *db.Tx, r reportRow) error {
	x, err := s.reportOf(r)
	if err != nil { // it cannot be read: that it waits is said all the same
		s.opts.Log.ErrorContext(tx.Context(), "incidents.report", "report", r.ID, "err", err)
		x = Report{ID: r.ID, NewReport: NewReport{Source: ReportSource(r.Source), Text: "it cannot be read"}, ReceivedAt: controlplane.FromMillis(r.ReceivedAt)}
	}
	r.ToldAt = tx.NowMillis()
	if err := db.Save(tx, &r); err != nil {
		return err
	}
	return s.findings.Raise(tx, findings.Finding{Key: reportFinding(r.ID), Group: findings.IncidentReport, Subject: r.ID, Server: r.ServerID, Kind: findings.IncidentReport, Severity: findings.Bad, Owner: findings.Ops,
		Link: "/incidents/reports/" + r.ID, Args: map[string]string{"what": reportNames[x.Source], "for": findings.Ago("en", tx.Now.Sub(x.ReceivedAt)), "because": strings.TrimSuffix("It says: "+controlplane.Line(x.Text, 160), ".")}})
}

func reportFinding(id string) string { return findings.IncidentReport + ":" + id }
