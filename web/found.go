package web

import (
	"net/url"
	"path"
	"time"

	"ostler/agents/wire"
	"ostler/backups"
	"ostler/controlplane/policy"
)

// namesFor looks servers' names up, each once.
func (v *visit) namesFor() func(server string) string {
	names := map[string]string{}
	return func(id string) string {
		if _, ok := names[id]; !ok {
			names[id] = v.serverName(id)
		}
		return names[id]
	}
}

// kindOf is a word for what is neither file nor folder; "" for those.
func (v *visit) kindOf(t wire.NodeType) string {
	if t == wire.NodeFile || t == wire.NodeDir || t == "" {
		return ""
	}
	if key, ok := nodeKinds[t]; ok {
		return v.t(key)
	}
	return v.t("node.irregular")
}

// found puts what was found on the page.
func (v *visit) found(page *Find, f backups.Found, c *chosen) *Find {
	name := v.namesFor()
	may := v.canOf(v.customer(), policy.RestoreRun)
	for _, x := range f.Files {
		row := FoundRow{Name: []byte(path.Base(string(x.Path))), Folder: []byte(path.Dir(string(x.Path))), Dir: x.Type == wire.NodeDir, Kind: v.kindOf(x.Type), Server: name(x.Server),
			Versions: x.Versions, At: x.In.ArrivedAt, Size: x.Size, Href: historyHref(x.Plan, x.Path)}
		if at, in := c.version(x.Plan, x.Path); in {
			row.InBasket = v.t("basket.in_as_of", "when", v.moment(at))
		} else if may {
			page.Ticks = true
			row.Pick = pickValue(backups.Pick{Snapshot: x.In.ID, Path: x.Path, Type: x.Type, Size: x.Size})
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
	if f.Snapshots > 0 {
		page.Scope = v.t("find.scope", "n", f.Snapshots, "servers", v.p.tx.List(where))
	}
	for _, b := range f.Behind {
		page.Behind = append(page.Behind, BehindRow{Text: v.t("find.behind", "n", b.Snapshots, "plan", b.Name, "server", name(b.Server), "why", v.whyNot(b.Why)), Link: Link{v.t("find.behind_link"), "/plans/" + b.Plan + "#names"}})
	}
	v.foundSay(page, f)
	if v.c.QueryParam("page") != "" {
		page.Pager.First = page.Query.href()
	}
	if f.Next != "" {
		page.Pager.Next = page.Query.href("page", f.Next)
	}
	return page
}

// foundSay says what came of a search: nothing found is said only of what was
// searched.
func (v *visit) foundSay(page *Find, f backups.Found) {
	n, later := len(f.Files), v.c.QueryParam("page") != ""
	switch {
	case f.Next != "" || later && n > 0:
		page.Say = v.t("find.say_many")
	case n > 0:
		page.Say = v.t("find.say_found", "n", n)
	case later:
		page.Say, page.None = v.t("find.say_last"), v.t("find.none_last")
	case f.Snapshots == 0 && len(f.Behind) > 0:
		page.Say, page.Tone, page.None = v.t("find.say_unsearched"), ToneUnknown, v.t("find.none_unsearched")
	case f.Snapshots == 0 && page.Query.On != "":
		page.Say, page.Tone, page.None = v.t("find.say_before"), ToneUnknown, v.t("find.none_before")
	case f.Snapshots == 0:
		page.Say, page.Tone, page.None = v.t("find.say_no_copy"), ToneUnknown, v.t("find.no_copy")
	case len(f.Behind) > 0:
		page.Say, page.Tone, page.None = v.t("find.say_none_partly"), ToneUnknown, v.t("find.none")
	default:
		page.Say, page.None = v.t("find.say_none"), v.t("find.none")
	}
}

// missing says from which backup on something is not there; never that it was
// deleted: nobody knows that.
func (v *visit) missing(s backups.Snapshot, unread bool) string {
	if unread {
		return v.t("find.unread", "when", v.moment(s.ArrivedAt))
	}
	return v.t("find.missing", "when", v.moment(s.ArrivedAt))
}

// historyHref is the address of a path's versions.
func historyHref(plan string, full []byte) string {
	return "/files?plan=" + url.QueryEscape(plan) + "&" + pathQuery(full)
}

// files shows the versions of one path, newest first.
func (p *Portal) files(v *visit) error {
	scope, err := v.scope(policy.FileRead)
	if err != nil {
		return err
	}
	full, plan := clean([]byte(v.c.QueryParam("path"))), v.c.QueryParam("plan")
	h, err := p.Backups.History(v.ctx, scope, plan, full)
	if err != nil {
		return err
	}
	c, err := v.chosen()
	if err != nil {
		return err
	}
	base := []byte(path.Base(string(full)))
	server := v.serverName(h.Server)
	page := &Files{Page: v.page("restore", PlainName(base), v.t("files.say", "name", PlainName(base), "n", len(h.Versions))), Name: base, Path: full, Server: server}
	page.Crumbs = []Link{{v.t("find.title"), "/find"}, {Label: server}}
	page.Basket = v.basketNote(&page.Page, c)
	if h.MissingFrom != nil {
		page.Missing = capital(v.missing(*h.MissingFrom, h.Unread)) + "."
	}
	if h.Behind > 0 {
		page.Unseen, page.Why = v.t("files.behind", "n", h.Behind, "why", v.whyNot(h.Why)), Link{v.t("find.behind_link"), "/plans/" + h.Plan + "#names"}
	}
	for _, x := range h.Versions {
		page.Versions = append(page.Versions, v.versionRow(h, x, full, c))
	}
	if len(h.Versions) == 0 {
		page.Say, page.Tone = v.t("files.say_unknown", "name", PlainName(base)), ToneUnknown
	}
	if err := v.folderDays(scope, page, h); err != nil {
		return err
	}
	page.Folder, err = v.folderOf(scope, h, full)
	if err != nil {
		return err
	}
	return v.render(page)
}

// folderDays leads from a folder to what was in it on a day: a folder that did
// not change itself may hold other files in every copy.
func (v *visit) folderDays(scope policy.Scope, page *Files, h backups.FileHistory) error {
	if len(h.Versions) == 0 || h.Versions[0].Type != wire.NodeDir {
		return nil
	}
	snap, err := v.p.Backups.Snapshot(v.ctx, scope, h.Versions[0].LastSeen.ID)
	if err != nil {
		return err
	}
	page.Say, page.Deep = v.t("files.say_folder", "name", PlainName(page.Name)), v.t("files.folder_note")
	page.Copies.Action, page.Copies.Raw, page.Copies.On = "/snapshots/"+snap.ID, rawValue(page.Path), snap.ArrivedAt.In(v.zone).Format(time.DateOnly)
	return nil
}

func (v *visit) versionRow(h backups.FileHistory, x backups.FileVersion, full []byte, c *chosen) VersionRow {
	at, query := "/snapshots/"+x.LastSeen.ID, "?"+pathQuery(full)
	row := VersionRow{Changed: x.MTime, First: x.FirstSeen.ArrivedAt, Last: x.LastSeen.ArrivedAt, Copies: x.Copies, Size: x.Size, Type: x.Type, Kind: v.kindOf(x.Type), Href: at + "/file" + query}
	if x.Type == wire.NodeDir {
		row.Href = at + query
	}
	if !v.canOf(h.Customer, policy.RestoreRun) {
		return row
	}
	if x.Type == wire.NodeFile {
		row.Download = at + "/download" + query
	}
	row.InBasket = c.has(x.LastSeen.ID, full)
	row.Pick = pickValue(backups.Pick{Snapshot: x.LastSeen.ID, Path: full, Type: x.Type, Size: x.Size})
	return row
}

// folderOf leads to the folder that a path is in: in the newest copy that has
// it, else in the plan's newest copy.
func (v *visit) folderOf(scope policy.Scope, h backups.FileHistory, full []byte) (Link, error) {
	dir := []byte(path.Dir(string(full)))
	if len(h.Versions) > 0 {
		newest := h.Versions[0]
		for _, x := range h.Versions {
			if x.LastSeen.ArrivedAt.After(newest.LastSeen.ArrivedAt) {
				newest = x
			}
		}
		return Link{v.t("files.folder"), "/snapshots/" + newest.LastSeen.ID + "?" + pathQuery(dir)}, nil
	}
	s, err := v.latestCopy(scope, h.Plan)
	if err != nil || s == nil {
		return Link{}, err
	}
	return Link{v.t("files.folder_newest", "when", v.moment(s.ArrivedAt)), "/snapshots/" + s.ID + "?" + pathQuery(dir)}, nil
}
