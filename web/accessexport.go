package web

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"net/http"
	"strings"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/access"
	"ostler/controlplane/customers"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// listExport is one list on its way out of the portal: with the instants that
// it is about, and where the log stood when it was read.
type listExport struct {
	c       customers.Customer
	list    access.List
	log     ledger.Checkpoint
	groups  []Section // of the page, for a document
	say     string
	sub     string
	written time.Time
}

// exported reads the list that the address asks for.
func (v *visit) exported() (x listExport, err error) {
	scope, c, err := v.accessOf(policy.AccessRead)
	if err == nil && c.ID == "" {
		err = controlplane.NotFound("customer")
	}
	if err != nil {
		return x, err
	}
	page := &Access{Page: v.page("access", "", "")}
	at := v.listAt(page, c.ID)
	if len(page.Errors) > 0 {
		return x, controlplane.Errorf(controlplane.CodeInvalid, v.t("export.again"), "%s", v.t("export.no_instant"))
	}
	if x.list, err = v.p.Access.List(v.ctx, scope, c.ID, at); err != nil {
		return x, err
	}
	signed, err := v.p.Ledger.Checkpoint(v.ctx)
	if err != nil {
		return x, err
	}
	if x.log, err = ledger.OpenCheckpoint(signed, v.p.Ledger.PublicKey()); err != nil {
		return x, err
	}
	now := at.At.IsZero() && at.KnownAt.IsZero()
	if err := v.saidOfList(page, c, x.list, now); err != nil {
		return x, err
	}
	answers, err := v.answersFor(scope, x.list, now)
	if err != nil {
		return x, err
	}
	x.c, x.groups, x.say, x.sub, x.written = c, append(v.listSections(x.list, now, answers), v.attestedSection(x.list)), page.Say, page.Sub, v.now
	return x, nil
}

// name is the file's, without its extension.
func (x listExport) name() string {
	return "access-" + x.c.Slug + "-" + x.list.At.UTC().Format("20060102T150405Z")
}

func (v *visit) attachment(name, kind string, body []byte) error {
	v.c.Response().Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	if err := v.c.Blob(http.StatusOK, kind, body); err != nil {
		return fmt.Errorf("web: answer: %w", err)
	}
	return nil
}

var csvHeads = []string{"person", "unknown", "kind", "company", "way", "role", "place", "reason", "ticket", "granted_by", "listed_from", "listed_until", "enforced_from", "enforced_until",
	"could_from", "could_until", "attested", "notified_at", "last_used", "trained_until", "brief_acknowledged", "as_at", "as_known_at", "log", "log_size"}

// accessCSV is a list as a table: each row says which instants it is about.
func (p *Portal) accessCSV(v *visit) error {
	x, err := v.exported()
	if err != nil {
		return err
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	rows := [][]string{csvHeads}
	for _, l := range x.list.Lines {
		rows = append(rows, append(lineValues(l), x.stamp()...))
	}
	if len(x.list.Lines) == 0 { // an empty list says too what it is about
		rows = append(rows, append(make([]string, len(csvHeads)-4), x.stamp()...))
	}
	for _, r := range rows {
		for i := range r {
			r[i] = inert(r[i])
		}
		if err := w.Write(r); err != nil {
			return fmt.Errorf("web: csv: %w", err)
		}
	}
	if w.Flush(); w.Error() != nil {
		return fmt.Errorf("web: csv: %w", w.Error())
	}
	return v.attachment(x.name()+".csv", "text/csv; charset=utf-8", b.Bytes())
}

func (x listExport) stamp() []string {
	return []string{stampOf(x.list.At), stampOf(x.list.KnownAt), x.log.Origin, fmt.Sprint(x.log.Size)}
}

func lineValues(l access.Line) []string {
	out := []string{l.Person.Name, l.Unknown, string(l.Person.Kind), l.Person.Company, string(l.Way), l.Role, l.Place, l.Reason, l.Ticket, l.By}
	for _, i := range []*access.Interval{l.Listed, l.Enforced, l.Could} {
		if i == nil {
			i = &access.Interval{}
		}
		out = append(out, stampOf(i.From), stampOf(i.Until))
	}
	attested := "no"
	switch {
	case l.Way.ByHand():
		attested = "by_hand"
	case l.Attested:
		attested = "yes"
	}
	return append(out, attested, stampOf(l.Notified), stampOf(l.LastUsed), stampOf(l.Trained), yesNo(l.Briefed))
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// stampOf is an instant for machines; "" for none.
func stampOf(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// inert keeps a spreadsheet from taking what somebody wrote for a formula.
func inert(s string) string {
	if s != "" && strings.ContainsAny(s[:1], "=+-@\t\r") {
		return "'" + s
	}
	return s
}
