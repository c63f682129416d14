package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"ostler/controlplane/customers"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// headDays is how many days' last entries the page of the evidence shows.
const headDays = 7

// whose is the customer whose record a page is about; the zero customer is the
// whole log, for staff.
func (v *visit) whose() (policy.Scope, customers.Customer, error) {
	scope, err := v.scope(policy.LedgerRead)
	if err != nil {
		return scope, customers.Customer{}, err
	}
	ref := v.actor.Customer
	if v.staff() || v.viewer.Auditor && v.c.QueryParam("customer") != "" { // an auditor may have several
		ref = v.c.QueryParam("customer")
	}
	if ref == "" {
		return scope, customers.Customer{}, nil
	}
	c, err := v.p.Customers.GetCustomer(v.ctx, scope, ref)
	return scope, c, err
}

func (p *Portal) evidence(v *visit) error {
	scope, c, err := v.whose()
	if err != nil {
		return err
	}
	page := &Evidence{Page: v.page("evidence", v.t("evidence.title"), ""), Check: "/evidence/check", Bundle: "/evidence/bundle"}
	query := ""
	if v.staff() && c.ID != "" {
		query = "?" + url.Values{"customer": {c.ID}}.Encode()
		page.Whole, page.Crumbs = "/evidence", []Link{{v.t("customers.title"), "/customers"}, {c.Name, "/customers/" + c.ID}}
	}
	page.Check, page.Bundle = page.Check+query, page.Bundle+query
	if v.can(policy.FileRead) { // the values hold names of files
		page.Personal = page.Bundle + "?personal=1"
	}
	if v.ofPeriod() { // a bundle is the whole record
		page.Bundle, page.Personal = "", ""
	}
	page.Command = "ostler ledger verify --bundle " + bundleName(c, v.now) + " --key '" + p.Ledger.PublicKey() + "'"
	if err := v.checkpoint(page); err != nil {
		return err
	}
	entries, err := v.heads(page, scope, c)
	if err != nil {
		return err
	}
	v.checked(page, scope)
	v.evidenceSaid(page, c, entries)
	return v.render(page)
}

// evidenceSaid is the sentence: how much is recorded, and how the newest check went.
func (v *visit) evidenceSaid(page *Evidence, c customers.Customer, entries int64) {
	said := v.t("evidence.say", "n", entries, "company", c.Name)
	if c.ID == "" {
		said = v.t("evidence.say_all", "n", entries)
	}
	if v.ofPeriod() {
		said = v.t("evidence.say_period", "company", c.Name, "period", v.auditPeriod(v.actor))
	} else {
		page.Strip = v.entriesFact(page.Strip, entries)
	}
	switch {
	case page.Result == nil:
		page.Say, page.Tone = said+" "+v.t("evidence.unchecked"), ToneUnknown
	case page.Result.State.Tone == ToneBad:
		page.Say, page.Tone = v.t("evidence.broken"), ToneBad
	default:
		page.Say, page.Tone = said+" "+v.t("evidence.whole"), ToneGood
	}
}

// entriesFact puts how much is recorded before the other facts.
func (v *visit) entriesFact(strip []Fact, entries int64) []Fact {
	return append([]Fact{{Label: v.t("strip.entries"), State: State{Word: group(entries)}, Note: v.t("strip.entries_note")}}, strip...)
}

// ofPeriod reports whether the reader reads a part of the record's time only.
func (v *visit) ofPeriod() bool { return !v.actor.From.IsZero() || !v.actor.To.IsZero() }

// checkpoint shows the newest signed state of the log.
func (v *visit) checkpoint(page *Evidence) error {
	signed, err := v.p.Ledger.Checkpoint(v.ctx)
	if err != nil {
		return err
	}
	c, err := ledger.OpenCheckpoint(signed, v.p.Ledger.PublicKey())
	if err != nil {
		return err
	}
	page.Signed = string(signed)
	page.Pairs = []Pair{
		{Label: v.t("evidence.origin"), Value: c.Origin, Mono: true}, {Label: v.t("evidence.size"), Value: v.t("evidence.size_of", "n", c.Size)},
		{Label: v.t("evidence.root"), Value: c.Root.String(), Mono: true}, {Label: v.t("evidence.key"), Value: v.p.Ledger.PublicKey(), Mono: true},
	}
	page.Strip = append(page.Strip, Fact{Label: v.t("strip.signed"), State: State{Word: v.t("evidence.size_of", "n", c.Size)}, Note: v.t("strip.signed_note")})
	return nil
}

// heads shows the last entries of the newest days, and returns how many entries
// the chain has, of the whole log where there is no customer.
func (v *visit) heads(page *Evidence, scope policy.Scope, c customers.Customer) (int64, error) {
	if c.ID == "" {
		signed, err := ledger.OpenCheckpoint([]byte(page.Signed), v.p.Ledger.PublicKey())
		return signed.Size, err
	}
	heads, err := v.p.Ledger.DailyHeads(v.ctx, scope, c.ID, v.now.AddDate(0, 0, -31))
	if err == nil && len(heads) == 0 {
		heads, err = v.p.Ledger.DailyHeads(v.ctx, scope, c.ID, time.Time{})
	}
	if err != nil || len(heads) == 0 {
		return 0, err
	}
	for i := len(heads) - 1; i >= 0 && len(page.Heads) < headDays; i-- {
		page.Heads = append(page.Heads, HeadRow{heads[i].Day, heads[i].Seq + 1, heads[i].Head.String()})
	}
	return heads[len(heads)-1].Seq + 1, nil
}

// checked shows the newest check, and whose entries differ.
func (v *visit) checked(page *Evidence, scope policy.Scope) {
	fact := Fact{Label: v.t("strip.checked"), State: State{ToneUnknown, v.t("evidence.not_checked")}}
	r, at, ok := v.p.checks.last()
	if ok {
		page.Result = &Checked{At: at, State: State{ToneGood, v.t("evidence.well")}, Text: v.t("evidence.well_text", "n", r.Leaves, "m", r.Checkpoints)}
		if r.Pending > 0 {
			page.Result.Text += " " + v.t("evidence.pending", "n", r.Pending)
		}
		if !r.OK() {
			page.Result.State, page.Result.Text, page.Result.Next = State{ToneBad, v.t("evidence.differs")}, v.t("evidence.differs_text"), v.t("evidence.differs_next")
			page.Result.Problems = v.problems(scope, r)
		}
		fact.State, fact.At = page.Result.State, at
	}
	page.Strip = append(page.Strip, fact)
}

// problems are what differs, as far as the reader may see whose it is.
func (v *visit) problems(scope policy.Scope, r ledger.Report) []Link {
	var out []Link
	others := int64(0)
	for _, p := range r.Problems {
		if v.staff() {
			out = append(out, Link{Label: p.String()})
		} else if _, err := v.p.Ledger.Get(v.ctx, scope, p.Entry); err == nil {
			out = append(out, Link{p.String(), "/activity/" + p.Entry})
		} else {
			others++
		}
	}
	if others += r.More; others > 0 {
		out = append(out, Link{Label: v.t("evidence.others", "n", others)})
	}
	return out
}

func (p *Portal) evidenceCheck(v *visit) error {
	_, c, err := v.whose()
	if err != nil {
		return err
	}
	if err := p.check(v.ctx, v.now); err != nil {
		return err
	}
	to := "/evidence"
	if v.staff() && c.ID != "" {
		to += "?customer=" + c.ID
	}
	return v.redirect(to, "checked")
}

// bundleName is what the file is called: whose record, and of which day.
func bundleName(c customers.Customer, now time.Time) string {
	name := c.Slug
	if name == "" {
		name = "whole-log"
	}
	return "evidence-" + name + "-" + now.UTC().Format(time.DateOnly) + ".jsonl"
}

// evidenceBundle sends the record as a file that verifies without us.
func (p *Portal) evidenceBundle(v *visit) error {
	scope, c, err := v.whose()
	if err != nil {
		return err
	}
	o := ledger.BundleOptions{Customer: c.ID, Personal: v.c.QueryParam("personal") != ""}
	if o.Personal {
		if _, err := v.scope(policy.FileRead); err != nil {
			return err
		}
	}
	w := &attachment{w: v.c.Response(), name: bundleName(c, v.now)}
	err = p.Ledger.ExportBundle(v.ctx, scope, w, o)
	if err != nil && w.begun {
		p.log.ErrorContext(v.ctx, "web.bundle", "error", err)
		panic(http.ErrAbortHandler) // a file that is cut must not look whole
	}
	return err
}

// attachment is an answer that becomes a file with its first byte; until then
// an error can still be a page.
type attachment struct {
	w     http.ResponseWriter
	name  string
	begun bool
}

func (a *attachment) Write(b []byte) (int, error) {
	if !a.begun {
		a.begun = true
		h := a.w.Header()
		h.Set("Content-Type", "application/jsonl")
		h.Set("Content-Disposition", `attachment; filename="`+strings.ReplaceAll(a.name, `"`, "")+`"`)
		_ = http.NewResponseController(a.w).SetWriteDeadline(time.Time{}) // not every server has one
		a.w.WriteHeader(http.StatusOK)
	}
	n, err := a.w.Write(b)
	if err != nil {
		return n, fmt.Errorf("web: send the file: %w", err)
	}
	return n, nil
}
