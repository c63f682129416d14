package web

import (
	"bytes"
	"net/url"
	"path"
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
	if err := v.findAround(scope, page); err != nil {
		return err
	}
	q, err := page.Query.query(v.zone)
	if err != nil {
		return v.invalid(page, err)
	}
	if page.Asked = !page.Query.empty(); !page.Asked {
		return v.render(page)
	}
	q.Customer, q.Limit, q.PageToken = v.customer(), findPage, v.c.QueryParam("page")
	found, err := p.Backups.Find(v.ctx, scope, q)
	if err != nil {
		return v.invalid(page, err)
	}
	return v.render(v.found(page, found))
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
	f := FindForm{Text: get("q"), On: get("on"), Server: get("server"), Ext: get("ext"), Min: get("min"), From: get("from"), To: get("to")}
	f.More = f.Ext+f.Min+f.From+f.To != ""
	return f
}

func (f FindForm) empty() bool { return f.Text+f.Ext+f.Min+f.From+f.To == "" }

// href is the address of the search.
func (f FindForm) href(more ...string) string {
	q := url.Values{}
	for name, value := range map[string]string{"q": f.Text, "on": f.On, "server": f.Server, "ext": f.Ext, "min": f.Min, "from": f.From, "to": f.To} {
		if value != "" {
			q.Set(name, value)
		}
	}
	for i := 0; i+1 < len(more); i += 2 {
		q.Set(more[i], more[i+1])
	}
	return "/find?" + q.Encode()
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
		q.ModifiedTo = q.ModifiedTo.AddDate(0, 0, 1).Add(-time.Millisecond)
	}
	if f.Min != "" {
		mb, err := strconv.ParseFloat(strings.ReplaceAll(f.Min, ",", "."), 64)
		if err != nil || mb < 0 || mb > 1<<30 {
			wrong = append(wrong, controlplane.Field{Pointer: "/min", Message: "Write a number of megabytes, such as 10."})
		}
		q.MinSize = int64(mb * 1e6)
	}
	if len(wrong) > 0 {
		return q, controlplane.Invalid(wrong...)
	}
	return q, nil
}

// findAround fills in what stands beside the search: servers, the newest
// copies, the basket, and where to ask us.
func (v *visit) findAround(scope policy.Scope, page *Find) error {
	plans, err := v.p.Backups.Plans(v.ctx, scope, "")
	if err != nil {
		return err
	}
	var ids []string
	for _, p := range plans {
		ids = append(ids, p.Server)
	}
	servers, err := v.servers(ids)
	if err != nil {
		return err
	}
	latest, err := v.p.Backups.LatestSnapshots(v.ctx, scope, ids)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, p := range plans {
		name := servers[p.Server].Name
		if !seen[p.Server] {
			seen[p.Server] = true
			page.Servers = append(page.Servers, Link{name, p.Server})
		}
		if s, ok := latest[p.Server]; ok && s.Plan == p.ID {
			page.Browse = append(page.Browse, Link{v.t("find.browse", "server", name, "when", v.moment(s.ArrivedAt)), "/snapshots/" + s.ID})
		}
	}
	if v.can(policy.RestoreAsk) {
		page.AskUs = "/ask"
	}
	page.Basket, err = v.basketNote(scope)
	return err
}

// basketNote says what is in the reader's basket.
func (v *visit) basketNote(scope policy.Scope) (BasketNote, error) {
	n, err := v.p.Backups.BasketCount(v.ctx, scope, v.customer())
	if err != nil || n == 0 {
		return BasketNote{}, err
	}
	return BasketNote{Items: n, Text: v.t("basket.note", "n", n), Href: "/basket"}, nil
}

// found puts what was found on the page.
func (v *visit) found(page *Find, f backups.Found) *Find {
	names := map[string]string{}
	name := func(id string) string {
		if _, ok := names[id]; !ok {
			names[id] = v.serverName(id)
		}
		return names[id]
	}
	for _, x := range f.Files {
		row := FoundRow{Name: []byte(path.Base(string(x.Path))), Folder: []byte(path.Dir(string(x.Path))), Dir: x.Type == wire.NodeDir, Server: name(x.Server),
			Versions: x.Versions, At: x.Last.ArrivedAt, Size: x.Size, Pick: pickValue(x.Last.ID, x.Path),
			Href: "/files?plan=" + url.QueryEscape(x.Plan) + "&" + pathQuery(x.Path)}
		if x.Type != wire.NodeFile && x.Type != wire.NodeDir {
			row.Kind = v.t("node.irregular")
			if key, ok := nodeKinds[x.Type]; ok {
				row.Kind = v.t(key)
			}
		}
		if x.MissingSince != nil {
			row.Missing = v.missing(*x.MissingSince, x.Unread)
		}
		page.Rows = append(page.Rows, row)
	}
	var where []string
	for _, id := range f.Servers {
		where = append(where, name(id))
	}
	page.Scope = v.t("find.scope", "n", f.Snapshots, "servers", strings.Join(where, ", "))
	for _, b := range f.Behind {
		page.Behind = append(page.Behind, BehindRow{Text: v.t("find.behind", "n", b.Snapshots, "plan", b.Name, "server", name(b.Server), "why", v.t(b.Why)), Link: Link{v.t("find.behind_link"), "/plans/" + b.Plan}})
	}
	switch n := len(f.Files); {
	case n == 0:
		page.Say = v.t("find.say_none", "text", page.Query.Text)
	case f.Next != "" || v.c.QueryParam("page") != "":
		page.Say = v.t("find.say_many")
	default:
		page.Say = v.t("find.say_found", "n", n)
	}
	if v.c.QueryParam("page") != "" {
		page.Pager.First = page.Query.href()
	}
	if f.Next != "" {
		page.Pager.Next = page.Query.href("page", f.Next)
	}
	return page
}

// missing says from which backup on something is not there; never that it was
// deleted: nobody knows that.
func (v *visit) missing(s backups.Snapshot, unread bool) string {
	if unread {
		return v.t("find.unread", "when", v.moment(s.ArrivedAt))
	}
	return v.t("find.missing", "when", v.moment(s.ArrivedAt))
}

// files shows the versions of one path, newest first.
func (p *Portal) files(v *visit) error {
	scope, err := v.scope(policy.FileRead)
	if err != nil {
		return err
	}
	full := clean([]byte(v.c.QueryParam("path")))
	h, err := p.Backups.History(v.ctx, scope, v.c.QueryParam("plan"), full)
	if err != nil {
		return err
	}
	base := []byte(path.Base(string(full)))
	server := v.serverName(h.Server)
	page := &Files{Page: v.page("restore", PlainName(base), v.t("files.say", "name", PlainName(base), "n", len(h.Versions))), Name: base, Path: full, Server: server}
	page.Crumbs = []Link{{v.t("find.title"), "/find"}, {Label: server}}
	if h.MissingFrom != nil {
		page.Missing = v.missing(*h.MissingFrom, h.Unread)
	}
	if h.Behind > 0 {
		page.Note = v.t("files.behind", "n", h.Behind, "why", v.t(h.Why))
	}
	for _, x := range h.Versions {
		row := VersionRow{Changed: x.MTime, First: x.FirstSeen.ArrivedAt, Last: x.LastSeen.ArrivedAt, Copies: x.Copies, Size: x.Size, Type: x.Type, Pick: pickValue(x.LastSeen.ID, full), Href: "/snapshots/" + x.LastSeen.ID + "/file?" + pathQuery(full)}
		if x.Type == wire.NodeDir {
			row.Href = "/snapshots/" + x.LastSeen.ID + "?" + pathQuery(full)
		}
		page.Versions = append(page.Versions, row)
	}
	if len(h.Versions) > 0 {
		dir := full
		if h.Versions[0].Type != wire.NodeDir {
			dir = []byte(path.Dir(string(bytes.Clone(full))))
		}
		page.Folder = "/snapshots/" + h.Versions[0].LastSeen.ID + "?" + pathQuery(dir)
	}
	page.Basket, err = v.basketNote(scope)
	if err != nil {
		return err
	}
	return v.render(page)
}
