package web

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"

	"ostler/agents/wire"
	"ostler/backups"
	"ostler/controlplane"
	"ostler/controlplane/bus"
	"ostler/controlplane/policy"
)

// file shows one file of a copy and the ways to get it back.
func (p *Portal) file(v *visit) error {
	scope, err := v.scope(policy.FileRead)
	if err != nil {
		return err
	}
	snap, err := p.Backups.Snapshot(v.ctx, scope, v.c.Param("id"))
	if err != nil {
		return err
	}
	full := clean(v.pathParam())
	to, wrong := v.otherDay(scope, snap, "/file", full)
	if to != "" {
		return v.redirect(to, "")
	}
	if string(full) == "/" {
		return v.redirect("/snapshots/"+snap.ID+"?"+pathQuery(full), "")
	}
	base := path.Base(string(full))
	f, over, err := v.browse(scope, snap.ID, []byte(path.Dir(string(full))), before([]byte(base)), 1)
	if err != nil {
		return err
	}
	node, found := nodeOf(f.Listing, base)
	if found && node.Type == wire.NodeDir {
		return v.redirect("/snapshots/"+snap.ID+"?"+pathQuery(full), "")
	}
	page := v.filePage(snap, full)
	page.Sub = v.source(f)
	if page.Copies, err = v.otherCopies(snap, "/file", full, "copies.file_earlier", "copies.file_later"); err != nil {
		return err
	}
	switch {
	case f.Listing == nil && !over:
		page.Waiting = v.waiting(f.Job, page.Server)
		page.Live, page.Refresh = []string{bus.TopicJob(f.Job.ID)}, 2
		page.Self += "&job=" + f.Job.ID
	case found:
		v.fileFacts(page, node)
	case f.Listing != nil && (f.Source == backups.SourceCatalogue || !f.Listing.Truncated):
		page.Missing, page.Tone, page.Say = true, ToneUnknown, v.t("file.say_missing", "name", page.Title)
	}
	if err := v.filePick(page, snap, full, node); err != nil {
		return err
	}
	if wrong != nil {
		return v.invalid(page, wrong)
	}
	return v.render(page)
}

// before is a name that sorts below another, with no name between the two: a
// list that begins after it begins with the other.
func before(name []byte) []byte {
	last := len(name) - 1
	if name[last] == 0 {
		return bytes.Clone(name[:last])
	}
	b := append(bytes.Clone(name), bytes.Repeat([]byte{0xff}, 256)...) // names have 255 bytes at most
	b[last]--
	return b
}

// filePick lets a file that is there, or may be, be put into the basket.
func (v *visit) filePick(page *File, snap backups.Snapshot, full []byte, n wire.Node) error {
	c, err := v.chosen()
	if err != nil {
		return err
	}
	page.Basket = v.basketNote(&page.Page, c)
	if page.Missing || page.Waiting != nil || !v.canOf(snap.Customer, policy.RestoreRun) {
		return nil
	}
	size := int64(-1)
	if n.Type == wire.NodeFile {
		size = n.Size
	}
	page.Pick, page.InBasket = pickValue(backups.Pick{Snapshot: snap.ID, Path: full, Type: n.Type, Size: size}), c.has(snap.ID, full)
	return nil
}

func (v *visit) filePage(snap backups.Snapshot, full []byte) *File {
	server := v.serverName(snap.Server)
	name := []byte(path.Base(string(full)))
	plain := PlainName(name)
	self, query := "/snapshots/"+snap.ID, "?"+pathQuery(full)
	page := &File{Page: v.page("backups", plain, v.t("file.say", "name", plain, "when", v.moment(snap.ArrivedAt))), Path: crumbsTo(snap.ID, server, full), Name: name, Snapshot: v.snapshotRow(snap), Server: server}
	page.Crumbs = []Link{{v.t("backups.title"), "/backups"}, {server, "/plans/" + snap.Plan + "/copies"}, {v.moment(snap.ArrivedAt), self}}
	page.Self, page.History = self+"/file"+query, historyHref(snap.Plan, full)
	if v.canOf(snap.Customer, policy.RestoreRun) {
		page.Download, page.PutBack = self+"/download"+query, self+"/putback"+query
		page.Target = []byte(path.Join(path.Dir(string(full)), string(backups.PutBackName(full, snap.ArrivedAt))))
	}
	return page
}

func nodeOf(l *wire.Listing, name string) (wire.Node, bool) {
	if l == nil {
		return wire.Node{}, false
	}
	for _, n := range l.Nodes {
		if bytes.Equal(n.Name, []byte(name)) {
			return n, true
		}
	}
	return wire.Node{}, false
}

func (v *visit) fileFacts(page *File, n wire.Node) {
	page.Known, page.Size, page.Mode = true, n.Size, fs.FileMode(n.Mode).Perm().String()
	page.Owner = fmt.Sprintf("%d:%d", n.UID, n.GID)
	if n.MTime != 0 {
		page.Changed = controlplane.FromMillis(n.MTime)
	}
	if n.Type != wire.NodeFile {
		page.Download, page.PutBack, page.Tone = "", "", ToneUnknown
		page.Say = v.t("file.not_a_file", "name", page.Title)
	}
}

func (p *Portal) downloadStart(v *visit) error { return p.startRestore(v, p.Backups.StartDownload) }

func (p *Portal) putBackStart(v *visit) error { return p.startRestore(v, p.Backups.StartPutBack) }
