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

// file shows one file of a copy and the two ways to get it back.
func (p *Portal) file(v *visit) error {
	scope, err := v.scope(policy.FileRead)
	if err != nil {
		return err
	}
	snap, err := p.Backups.Snapshot(v.ctx, scope, v.c.Param("id"))
	if err != nil {
		return err
	}
	full := clean([]byte(v.c.QueryParam("path")))
	f, over, err := v.browse(scope, snap.ID, []byte(path.Dir(string(full))))
	if err != nil {
		return err
	}
	page := v.filePage(snap, full)
	if page.Copies, err = v.otherCopies(snap, "/file", full, "copies.file_earlier", "copies.file_later"); err != nil {
		return err
	}
	switch node, found := nodeOf(f.Listing, path.Base(string(full))); {
	case f.Listing == nil && !over:
		page.Waiting = v.waiting(f.Job, page.Server)
		page.Live, page.Refresh = []string{bus.TopicJob(f.Job.ID)}, 2
		page.Self += "&job=" + f.Job.ID
	case found:
		v.fileFacts(page, node)
	case f.Listing != nil && !f.Listing.Truncated:
		page.Missing, page.Tone, page.Say = true, ToneUnknown, v.t("file.say_missing", "name", page.Title)
	}
	return v.render(page)
}

func (v *visit) filePage(snap backups.Snapshot, full []byte) *File {
	server := v.serverName(snap.Server)
	name := []byte(path.Base(string(full)))
	plain := PlainName(name)
	self, query := "/snapshots/"+snap.ID, "?"+pathQuery(full)
	page := &File{Page: v.page("backups", plain, v.t("file.say", "name", plain, "when", v.moment(snap.ArrivedAt))), Path: crumbsTo(snap.ID, server, full), Name: name, Snapshot: v.snapshotRow(snap), Server: server}
	page.Crumbs = []Link{{v.t("backups.title"), "/backups"}, {server, "/plans/" + snap.Plan + "/copies"}, {v.moment(snap.ArrivedAt), self}}
	page.Self = self + "/file" + query
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
