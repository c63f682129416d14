package web

import (
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"ostler/agents/wire"
	"ostler/backups"
	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/policy"
)

// basketAdd puts what was ticked into the basket.
func (p *Portal) basketAdd(v *visit) error {
	scope, err := v.scope(policy.RestoreRun)
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
			return controlplane.Errorf(controlplane.CodeInvalid, v.t("basket.unreadable_next"), "%s", v.t("basket.unreadable"))
		}
		picks = append(picks, pick)
	}
	if len(picks) == 0 {
		return v.redirect(v.back(), "nothing")
	}
	if _, err := p.Backups.BasketAdd(v.ctx, scope, v.customer(), picks); err != nil {
		page, perr := v.basketPage()
		if perr != nil {
			return perr
		}
		return v.invalid(page, renamed(err, nil))
	}
	return v.redirect(v.back(), "basket")
}

// basketRemove takes one item out.
func (p *Portal) basketRemove(v *visit) error {
	scope, err := v.scope(policy.RestoreRun)
	if err != nil {
		return err
	}
	if _, err := p.Backups.BasketRemove(v.ctx, scope, v.customer(), []string{v.c.FormValue("item")}); err != nil {
		return err
	}
	return v.redirect("/basket", "taken_out")
}

func (p *Portal) basketClear(v *visit) error {
	scope, err := v.scope(policy.RestoreRun)
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
	scope, err := v.scope(policy.RestoreRun)
	if err != nil {
		return nil, err
	}
	b, err := v.p.Backups.Basket(v.ctx, scope, v.customer())
	if err != nil {
		return nil, err
	}
	page := &Basket{Page: v.page("restore", v.t("basket.title"), v.t("basket.say_empty")), Files: b.Files, Bytes: b.Bytes, Known: b.Known, Took: time.Duration(b.Seconds) * time.Second,
		Parts: len(b.Servers), Target: v.target()}
	page.Mail = v.mailChoice(page.Target.Mail)
	page.Crumbs = []Link{{v.t("find.title"), "/find"}, {Label: v.t("basket.title")}}
	page.Self, page.Live, page.LivePart = "/basket", []string{"basket:" + v.actor.ID}, "items"
	name := v.namesFor()
	for _, i := range b.Items {
		row := v.basketRow(i, name)
		if row.Gone {
			page.Gone++
		} else if page.Target.Example == nil {
			page.Target.Example = []byte(path.Join(path.Dir(string(i.Path)), string(backups.PutBackName(i.Path, i.Snapshot.ArrivedAt))))
		}
		page.Items = append(page.Items, row)
	}
	if len(page.Items) == 0 {
		return page, nil
	}
	page.Say = v.t("basket.say", "n", len(page.Items))
	if page.CanRestore = len(page.Items) > page.Gone; !page.CanRestore {
		page.Say, page.Tone = v.t("basket.say_gone"), ToneBad
	}
	page.Alone = len(page.Items) == 1 && b.Items[0].Type == wire.NodeFile
	page.Servers, page.Folders, err = v.targetServers(name)
	return page, err
}

func (v *visit) basketRow(i backups.Item, name func(server string) string) BasketRow {
	row := BasketRow{ID: i.ID, Name: []byte(path.Base(string(i.Path))), Folder: []byte(path.Dir(string(i.Path))), Dir: i.Type == wire.NodeDir, Gone: i.Gone,
		At: i.Snapshot.ArrivedAt, Files: i.Files, Bytes: i.Bytes, Known: i.Known}
	if i.Gone {
		return row
	}
	row.Server = name(i.Snapshot.Server)
	row.Href = "/snapshots/" + i.Snapshot.ID + "/file?" + pathQuery(i.Path)
	if row.Dir {
		row.Href = "/snapshots/" + i.Snapshot.ID + "?" + pathQuery(i.Path)
	}
	return row
}

// targetServers are the servers that something can be put on, name and id: those
// that the customer lives on, also without a backup of their own. folders says
// within which folders.
func (v *visit) targetServers(name func(server string) string) (out []Link, folders string, err error) {
	tenancies, err := v.tenancies(customers.TenancyFilter{Customer: v.customer()})
	if err != nil {
		return nil, "", err
	}
	paths := map[string][]string{}
	for _, t := range tenancies {
		if paths[t.Server] == nil {
			out = append(out, Link{name(t.Server), t.Server})
		}
		paths[t.Server] = append(paths[t.Server], t.Paths...)
	}
	slices.SortFunc(out, func(a, b Link) int { return strings.Compare(a.Label, b.Label) })
	var each []string
	for _, s := range out[:min(len(out), foldersSaid)] {
		list := strings.Join(paths[s.Href], ", ")
		if len(out) > 1 {
			list = v.t("basket.folders_of", "server", s.Label, "folders", list)
		}
		each = append(each, list)
	}
	if len(out) > foldersSaid {
		each = append(each, "…")
	}
	return out, strings.Join(each, "; "), nil
}

// foldersSaid is of how many servers the folders are said.
const foldersSaid = 5

// target is what the form says of where files go on a server.
func (v *visit) target() BasketTarget {
	get := func(name, otherwise string) string {
		if s := strings.TrimSpace(v.c.FormValue(name)); s != "" {
			return s
		}
		return otherwise
	}
	return BasketTarget{Placement: get("placement", string(wire.PlaceOriginal)), Conflict: get("conflict", string(wire.ConflictBeside)), Folder: get("folder", ""), Server: get("server", ""),
		Format: get("format", string(wire.ArchiveZip)), Special: v.staff() && get("special", "") != "",
		Mail: get("mail", "") != "" || v.c.Request().Method == http.MethodGet}
}

// orderFields are the fields of an order by what they are called on the page.
var orderFields = map[string]string{"/target/folder": "/folder", "/target/placement": "/placement", "/target/conflict": "/conflict", "/format": "/format"}

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
		if t.Folder != "" && t.Placement == string(wire.PlaceOriginal) {
			return nil, controlplane.Invalid(controlplane.Field{Pointer: "/target/placement", Message: v.t("basket.folder_unchosen")})
		}
		o.Target = backups.Destination{Server: t.Server, Placement: wire.Placement(t.Placement), Conflict: wire.Conflict(t.Conflict), Special: t.Special}
		if o.Target.Placement == wire.PlaceFolder {
			o.Target.Folder = []byte(t.Folder)
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
	rs, err := start(scope, backups.Order{Customer: v.customer(), Picks: b.Picks(), MailMe: v.mailChoice(v.target().Mail).Wanted()})
	if err != nil {
		page, perr := v.basketPage()
		if perr != nil {
			return perr
		}
		return v.invalid(page, renamed(err, orderFields))
	}
	if err := p.Backups.BasketClear(v.ctx, scope, v.customer()); err != nil {
		return err
	}
	if len(rs) == 1 {
		return v.redirect("/restores/"+rs[0].ID, "")
	}
	return v.redirect("/restores", "")
}
