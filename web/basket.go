package web

import (
	"encoding/base64"
	"net/url"
	"path"
	"strings"

	"ostler/agents/wire"
	"ostler/backups"
	"ostler/controlplane"
	"ostler/controlplane/policy"
)

// pickValue is a path of a snapshot as a form's value: a name may have any bytes.
func pickValue(snapshot string, full []byte) string {
	return snapshot + ":" + base64.RawURLEncoding.EncodeToString(full)
}

func readPick(s string) (backups.Pick, bool) {
	id, rest, ok := strings.Cut(s, ":")
	full, err := base64.RawURLEncoding.DecodeString(rest)
	return backups.Pick{Snapshot: id, Path: full, Size: -1}, ok && err == nil && len(full) > 0
}

// back is where a form leads back to: a page of the portal, or the basket.
func (v *visit) back() string {
	to := v.c.FormValue("back")
	u, err := url.Parse(to)
	if err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(u.Path, "/") || strings.HasPrefix(u.Path, "//") || strings.ContainsRune(to, '\\') {
		return "/basket"
	}
	return u.RequestURI()
}

// basketAdd puts what was ticked into the basket.
func (p *Portal) basketAdd(v *visit) error {
	scope, err := v.scope(policy.FileRead)
	if err != nil {
		return err
	}
	form, err := v.c.FormParams()
	if err != nil {
		return controlplane.Errorf(controlplane.CodeInvalid, "Send the form again.", "The form could not be read").Because(err)
	}
	var picks []backups.Pick
	for _, s := range form["pick"] {
		pick, ok := readPick(s)
		if !ok {
			return controlplane.Errorf(controlplane.CodeInvalid, "Go back and choose again.", "What was chosen could not be read")
		}
		picks = append(picks, pick)
	}
	if len(picks) == 0 {
		return controlplane.Errorf(controlplane.CodeInvalid, "Go back, and tick the files and folders that you want.", "Nothing was ticked, so nothing was put into the basket")
	}
	if _, err := p.Backups.BasketAdd(v.ctx, scope, v.customer(), picks); err != nil {
		return err
	}
	return v.redirect(v.back(), "basket")
}

// basketRemove takes one item out.
func (p *Portal) basketRemove(v *visit) error {
	scope, err := v.scope(policy.FileRead)
	if err != nil {
		return err
	}
	if _, err := p.Backups.BasketRemove(v.ctx, scope, v.customer(), []string{v.c.FormValue("item")}); err != nil {
		return err
	}
	return v.redirect("/basket", "")
}

func (p *Portal) basketClear(v *visit) error {
	scope, err := v.scope(policy.FileRead)
	if err != nil {
		return err
	}
	if err := p.Backups.BasketClear(v.ctx, scope, v.customer()); err != nil {
		return err
	}
	return v.redirect("/basket", "")
}

// basket shows what was chosen, and asks what to do with it.
func (p *Portal) basket(v *visit) error {
	page, err := v.basketPage()
	if err != nil {
		return err
	}
	return v.render(page)
}

func (v *visit) basketPage() (*Basket, error) {
	scope, err := v.scope(policy.FileRead)
	if err != nil {
		return nil, err
	}
	b, err := v.p.Backups.Basket(v.ctx, scope, v.customer())
	if err != nil {
		return nil, err
	}
	page := &Basket{Page: v.page("restore", v.t("basket.title"), v.t("basket.say_empty")), Files: b.Files, Bytes: b.Bytes, Known: b.Known, Seconds: b.Seconds, Target: v.target()}
	page.Crumbs = []Link{{v.t("find.title"), "/find"}, {Label: v.t("basket.title")}}
	page.Live = []string{"basket:" + v.actor.ID}
	page.LivePart = "items"
	for _, i := range b.Items {
		row := BasketRow{ID: i.ID, Name: []byte(path.Base(string(i.Path))), Folder: []byte(path.Dir(string(i.Path))), Dir: i.Type == wire.NodeDir, Gone: i.Gone,
			At: i.Snapshot.ArrivedAt, Files: i.Files, Bytes: i.Bytes, Known: i.Known}
		if !i.Gone {
			row.Server = v.serverName(i.Snapshot.Server)
			row.Href = "/snapshots/" + i.Snapshot.ID + "/file?" + pathQuery(i.Path)
			if row.Dir {
				row.Href = "/snapshots/" + i.Snapshot.ID + "?" + pathQuery(i.Path)
			}
			if len(page.Items) == 0 {
				page.Target.Example = []byte(path.Join(path.Dir(string(i.Path)), string(backups.PutBackName(i.Path, i.Snapshot.ArrivedAt))))
			}
		}
		page.Items = append(page.Items, row)
	}
	if n := len(page.Items); n > 0 {
		page.Say = v.t("basket.say", "n", n)
		page.CanRestore = v.canOf(v.customer(), policy.RestoreRun)
	}
	servers, err := v.tenantServers(scope)
	if err != nil {
		return nil, err
	}
	for _, s := range servers {
		page.Servers = append(page.Servers, s)
	}
	return page, nil
}

// tenantServers are the servers that something can be put on: name and id.
func (v *visit) tenantServers(scope policy.Scope) ([]Link, error) {
	plans, err := v.p.Backups.Plans(v.ctx, scope, "")
	if err != nil {
		return nil, err
	}
	var out []Link
	seen := map[string]bool{}
	for _, p := range plans {
		if !seen[p.Server] {
			seen[p.Server] = true
			out = append(out, Link{v.serverName(p.Server), p.Server})
		}
	}
	return out, nil
}

// target is what the form says of where files go on a server.
func (v *visit) target() BasketTarget {
	t := BasketTarget{Placement: v.c.FormValue("placement"), Conflict: v.c.FormValue("conflict"), Folder: v.c.FormValue("folder"), Server: v.c.FormValue("server"), Format: v.c.FormValue("format"), Mail: v.c.FormValue("mail") != "" || v.c.Request().Method == "GET"}
	if t.Placement == "" {
		t.Placement = string(wire.PlaceOriginal)
	}
	if t.Conflict == "" {
		t.Conflict = string(wire.ConflictBeside)
	}
	if t.Format == "" {
		t.Format = string(wire.ArchiveZip)
	}
	return t
}

// basketDownload has the basket packed for the browser.
func (p *Portal) basketDownload(v *visit) error {
	return p.order(v, func(scope policy.Scope, o backups.Order) ([]backups.Restore, error) {
		o.Format = wire.ArchiveFormat(v.target().Format)
		return p.Backups.StartArchive(v.ctx, scope, o)
	})
}

// basketOnServer has the server find out what putting the basket back would do.
func (p *Portal) basketOnServer(v *visit) error {
	return p.order(v, func(scope policy.Scope, o backups.Order) ([]backups.Restore, error) {
		t := v.target()
		o.Target = backups.Destination{Server: t.Server, Placement: wire.Placement(t.Placement), Conflict: wire.Conflict(t.Conflict), Special: v.staff() && v.c.FormValue("special") != ""}
		if o.Target.Placement == wire.PlaceFolder {
			o.Target.Folder = []byte(strings.TrimSpace(t.Folder))
		}
		return p.Backups.StartInPlace(v.ctx, scope, o)
	})
}

// order starts restores of what is in the basket, and empties it.
func (p *Portal) order(v *visit, start func(policy.Scope, backups.Order) ([]backups.Restore, error)) error {
	scope, err := v.scope(policy.RestoreRun)
	if err != nil {
		return err
	}
	b, err := p.Backups.Basket(v.ctx, scope, v.customer())
	if err != nil {
		return err
	}
	rs, err := start(scope, backups.Order{Customer: v.customer(), Picks: b.Picks(), MailMe: v.target().Mail})
	if err != nil {
		page, perr := v.basketPage()
		if perr != nil {
			return perr
		}
		return v.invalid(page, err)
	}
	if err := p.Backups.BasketClear(v.ctx, scope, v.customer()); err != nil {
		return err
	}
	if len(rs) == 1 {
		return v.redirect("/restores/"+rs[0].ID, "")
	}
	return v.redirect("/restores", "")
}
