package web

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"

	"ostler/agents/wire"
	"ostler/backups"
	"ostler/controlplane"
	"ostler/controlplane/policy"
)

// findPage is how many files a page of a search lists.
const findPage = 50

// find searches all copies of the customer: the file first, then the version.
func (p *Portal) find(v *visit) error {
	scope, err := v.scope(policy.FileRead)
	if err != nil {
		return err
	}
	page := &Find{Page: v.page("restore", v.t("find.title"), v.t("find.say")), Query: v.findForm()}
	page.Asked = !page.Query.empty()
	q, wrong := page.Query.query(v.zone)
	chosen, err := v.findAround(scope, page, q.On)
	if err != nil {
		return err
	}
	if wrong != nil {
		page.Asked = false
		return v.invalid(page, wrong)
	}
	if !page.Asked {
		return v.render(page)
	}
	q.Customer, q.Limit, q.PageToken = v.customer(), findPage, v.c.QueryParam("page")
	found, err := p.Backups.Find(v.ctx, scope, q)
	if err != nil {
		page.Asked = false
		return v.invalid(page, renamed(err, findFields))
	}
	return v.render(v.found(page, found, chosen))
}

// customer is whose files the reader looks at: their own, or whom they help.
func (v *visit) customer() string {
	if v.staff() {
		return v.assist().Customer
	}
	return v.actor.Customer
}

func (v *visit) findForm() FindForm {
	get := func(name string) string { return strings.TrimSpace(v.c.QueryParam(name)) }
	f := FindForm{Text: get("q"), On: get("on"), Server: get("server"), Type: get("type"), Ext: get("ext"), Min: get("min"), From: get("from"), To: get("to")}
	f.More = f.Type+f.Ext+f.Min+f.From+f.To != ""
	return f
}

// Versions reports whether the search is about some of a file's versions: what it
// shows may not be the newest one.
func (f FindForm) Versions() bool { return f.On+f.Type+f.Min+f.From+f.To != "" }

func (f FindForm) empty() bool { return f.Text+f.Ext+f.Min+f.From+f.To == "" }

// href is the address of the search.
func (f FindForm) href(more ...string) string {
	q := url.Values{}
	for name, value := range map[string]string{"q": f.Text, "on": f.On, "server": f.Server, "type": f.Type, "ext": f.Ext, "min": f.Min, "from": f.From, "to": f.To} {
		if value != "" {
			q.Set(name, value)
		}
	}
	for i := 0; i+1 < len(more); i += 2 {
		q.Set(more[i], more[i+1])
	}
	return "/find?" + q.Encode()
}

// findFields are the fields of a query by what they are called in the form.
var findFields = map[string]string{"/text": "/q", "/min_size": "/min", "/max_size": "/min", "/modified_from": "/from", "/modified_to": "/to"}

// renamed is an error with its fields as a form calls them; one that the form
// does not have is of the whole form.
func renamed(err error, fields map[string]string) error {
	var e *controlplane.Error
	if !errors.As(err, &e) {
		return err
	}
	out := *e
	out.Fields = nil
	for _, f := range e.Fields {
		f.Pointer = fields[f.Pointer]
		out.Fields = append(out.Fields, f)
	}
	return &out
}

// query reads the form; dates are days of the reader's zone.
func (f FindForm) query(zone *time.Location) (backups.FindQuery, error) {
	q := backups.FindQuery{Text: f.Text, Server: f.Server, Ext: strings.TrimPrefix(f.Ext, ".")}
	var wrong []controlplane.Field
	day := func(field, s string) (t time.Time) {
		if s == "" {
			return t
		}
		t, err := time.ParseInLocation(time.DateOnly, s, zone)
		if err != nil {
			wrong = append(wrong, controlplane.Field{Pointer: "/" + field, Message: "Write the day as 2026-11-18."})
		}
		return t
	}
	q.On, q.ModifiedFrom, q.ModifiedTo = day("on", f.On), day("from", f.From), day("to", f.To)
	if !q.ModifiedTo.IsZero() {
		if q.ModifiedTo.Before(q.ModifiedFrom) {
			wrong = append(wrong, controlplane.Field{Pointer: "/to", Message: "This day is before the other one. Change one of them."})
		}
		q.ModifiedTo = q.ModifiedTo.AddDate(0, 0, 1)
	}
	switch t := wire.NodeType(f.Type); t {
	case "", wire.NodeFile, wire.NodeDir:
		q.Type = t
	default:
		wrong = append(wrong, controlplane.Field{Pointer: "/type", Message: "Choose files, folders or both."})
	}
	if f.Min != "" {
		mb, err := strconv.ParseFloat(strings.ReplaceAll(f.Min, ",", "."), 64)
		if err != nil || !(mb >= 0 && mb <= 1<<30) {
			wrong = append(wrong, controlplane.Field{Pointer: "/min", Message: "Write a number of megabytes, such as 10."})
			mb = 0
		}
		q.MinSize = int64(mb * 1e6)
	}
	if len(wrong) > 0 {
		return q, controlplane.Invalid(wrong...)
	}
	return q, nil
}

// findAround fills in what stands beside the search: servers, copies to look
// into (the newest, or those of a day), the basket, and where to ask us.
func (v *visit) findAround(scope policy.Scope, page *Find, on time.Time) (*chosen, error) {
	plans, err := v.p.Backups.Plans(v.ctx, scope, "")
	if err != nil {
		return nil, err
	}
	ids := map[string]bool{}
	for _, p := range plans {
		ids[p.Server] = true
	}
	names, err := v.serverNames(keysOf(ids))
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	page.NoCopy = true
	for _, p := range plans {
		if !seen[p.Server] {
			seen[p.Server] = true
			page.Servers = append(page.Servers, Link{names[p.Server], p.Server})
		}
		s, err := v.copyBefore(scope, p.ID, dayEnd(on, planZone(p)))
		if err != nil {
			return nil, err
		}
		if s != nil {
			page.NoCopy = false
			page.Browse = append(page.Browse, Link{v.t("find.browse", "server", planName(names[p.Server], p.Name, alonePlan(plans, p)), "when", v.moment(s.ArrivedAt)), "/snapshots/" + s.ID})
		}
	}
	if v.can(policy.RestoreAsk) {
		page.AskUs = "/ask"
	}
	c, err := v.chosen()
	page.Basket = v.basketNote(&page.Page, c)
	return c, err
}
