package web

import (
	"bytes"
	"io/fs"
	"net/url"
	"path"
	"slices"

	"ostler/agents/wire"
	"ostler/backups"
	"ostler/controlplane"
	"ostler/controlplane/bus"
	"ostler/controlplane/jobs"
	"ostler/controlplane/policy"
)

// folderRows is how many entries a page of a folder has.
const folderRows = 500

// folder shows one folder of a copy. The address of a page that waits names
// its job: when that one is over without an answer the page says so, and asks
// again only where a person says so.
func (p *Portal) folder(v *visit) error {
	scope, err := v.scope(policy.FileRead)
	if err != nil {
		return err
	}
	snap, err := p.Backups.Snapshot(v.ctx, scope, v.c.Param("id"))
	if err != nil {
		return err
	}
	dir := v.pathParam()
	if len(dir) == 0 {
		dir = v.startFolder(scope, snap)
	}
	dir = clean(dir)
	to, wrong := v.otherDay(scope, snap, "", dir)
	if to != "" {
		return v.redirect(to, "")
	}
	after := []byte(v.c.QueryParam("after"))
	page := v.folderPage(snap, dir, after)
	f, over, err := v.browse(scope, snap.ID, dir, after, folderRows)
	if err != nil {
		return err
	}
	c, err := v.chosen()
	if err != nil {
		return err
	}
	v.fillFolder(page, f, over, after, c)
	page.Basket = v.basketNote(&page.Page, c)
	if page.Copies, err = v.otherCopies(snap, "", dir, "copies.folder_earlier", "copies.folder_later"); err != nil {
		return err
	}
	if wrong != nil {
		return v.invalid(page, wrong)
	}
	return v.render(page)
}

// browse looks into a folder, or at the job that was asked before.
func (v *visit) browse(scope policy.Scope, snapshot string, dir, after []byte, limit int) (f backups.Folder, over bool, err error) {
	if id := v.c.QueryParam("job"); controlplane.ValidID(controlplane.PrefixJob, id) {
		j, err := v.p.Jobs.Get(v.ctx, scope, id)
		if err != nil {
			return f, false, err
		}
		if j.Subject == snapshot && j.State != jobs.Succeeded {
			return backups.Folder{Job: j, Path: dir, Source: backups.SourceLive}, j.State.Terminal(), nil
		}
	}
	if len(after) == 0 {
		after = nil
	}
	f, err = v.p.Backups.LookAfter(v.ctx, scope, snapshot, dir, after, limit, v.p.o.BrowseWait)
	return f, err == nil && f.Listing == nil && f.Job.State.Terminal() && f.Job.State != jobs.Succeeded, err
}

// source says where an answer comes from: our list of names, or the server and
// why it was asked.
func (v *visit) source(f backups.Folder) string {
	switch {
	case f.Source == backups.SourceCatalogue:
		return v.t("folder.from_list")
	case f.Why == "":
		return v.t("folder.from_server")
	}
	return v.t("folder.from_server_why", "why", v.whyNot(f.Why))
}

// startFolder is where looking into a copy begins: the plan's only folder, or
// the root.
func (v *visit) startFolder(scope policy.Scope, snap backups.Snapshot) []byte {
	plan, err := v.p.Backups.Plan(v.ctx, scope, snap.Plan)
	if err != nil || len(plan.Paths) != 1 {
		return []byte("/")
	}
	return []byte(plan.Paths[0])
}

func clean(p []byte) []byte { return []byte(path.Clean("/" + string(p))) }

// crumbsTo are the folders on the way to a path, from the root.
func crumbsTo(snapshot string, server string, full []byte) []Crumb {
	base := "/snapshots/" + snapshot + "?"
	out := []Crumb{{Name: []byte(server), Href: base + pathQuery([]byte("/"))}}
	rest := bytes.Trim(full, "/")
	if len(rest) == 0 {
		out[0].Href = ""
		return out
	}
	at := []byte{}
	parts := bytes.Split(rest, []byte("/"))
	for i, name := range parts {
		at = append(append(at, '/'), name...)
		c := Crumb{Name: name, Href: base + pathQuery(at)}
		if i == len(parts)-1 {
			c.Href = ""
		}
		out = append(out, c)
	}
	return out
}

func (v *visit) folderPage(snap backups.Snapshot, dir, after []byte) *Folder {
	server := v.serverName(snap.Server)
	name := PlainName(dir)
	page := &Folder{Page: v.page("backups", name, v.t("folder.say", "path", name, "when", v.moment(snap.ArrivedAt))), Path: crumbsTo(snap.ID, server, dir),
		Snapshot: v.snapshotRow(snap), Unread: snap.UnreadCount, Again: "/snapshots/" + snap.ID + "/ask?" + pathQuery(dir)}
	page.Crumbs = []Link{{v.t("backups.title"), "/backups"}, {server, "/plans/" + snap.Plan + "/copies"}, {Label: v.moment(snap.ArrivedAt)}}
	page.Self = "/snapshots/" + snap.ID + "?" + pathQuery(dir)
	if string(dir) != "/" {
		page.Up, page.History = "/snapshots/"+snap.ID+"?"+pathQuery([]byte(path.Dir(string(dir)))), historyHref(snap.Plan, dir)
	}
	if len(after) > 0 {
		page.Say = v.t("folder.say_after", "path", name, "when", v.moment(snap.ArrivedAt), "name", PlainName(after))
		page.Pager.First = page.Self
		page.Self += afterQuery(after)
	}
	return page
}

func afterQuery(name []byte) string { return "&after=" + url.QueryEscape(string(name)) }

// fillFolder puts the answer, or that there is none yet, on the page.
func (v *visit) fillFolder(page *Folder, f backups.Folder, over bool, after []byte, c *chosen) {
	server := string(page.Path[0].Name)
	page.Sub = v.source(f)
	switch {
	case over:
		v.folderFailed(page, f.Job, server)
	case f.Listing == nil:
		page.State, page.Waiting = FolderWaiting, v.waiting(f.Job, server)
		page.Say = v.t("folder.say_waiting", "server", server)
		page.Self += "&job=" + f.Job.ID
		page.Live, page.Refresh = []string{bus.TopicJob(f.Job.ID)}, 2
	case !f.Listing.Found:
		page.State, page.Tone, page.Say, page.History = FolderMissing, ToneUnknown, v.t("folder.say_missing", "path", page.Title), ""
	case len(f.Listing.Nodes) == 0 && len(after) == 0:
		page.State, page.Say = FolderEmpty, v.t("folder.say_empty", "path", page.Title, "when", v.moment(page.Snapshot.At))
		v.pickWhole(page, f, c)
	default:
		page.State = FolderListed
		v.pickWhole(page, f, c)
		nodes, more := pageOf(f, after, folderRows)
		if f.Source == backups.SourceLive && f.Listing.Truncated && !more {
			page.Cut = len(f.Listing.Nodes)
		}
		for _, n := range nodes {
			page.Nodes = append(page.Nodes, v.nodeRow(f, n, c))
		}
		if more {
			page.Pager.Next = "/snapshots/" + f.Snapshot.ID + "?" + pathQuery(f.Path) + afterQuery(nodes[len(nodes)-1].Name)
		}
		page.Ticks = v.canOf(f.Snapshot.Customer, policy.RestoreRun) && slices.ContainsFunc(page.Nodes, func(n NodeRow) bool { return !n.InBasket })
	}
}

// pageOf is a page of what a folder holds. Our list of names answers in pages;
// a server answers at once, and the answer is cut here.
func pageOf(f backups.Folder, after []byte, limit int) (nodes []wire.Node, more bool) {
	nodes = f.Listing.Nodes
	if f.Source == backups.SourceCatalogue {
		return nodes, f.Listing.Truncated && len(nodes) > 0
	}
	slices.SortStableFunc(nodes, func(a, b wire.Node) int { return bytes.Compare(a.Name, b.Name) })
	from := 0
	if len(after) > 0 {
		from = slices.IndexFunc(nodes, func(n wire.Node) bool { return bytes.Compare(n.Name, after) > 0 })
		if from < 0 {
			from = len(nodes)
		}
	}
	nodes = nodes[from:]
	return nodes[:min(len(nodes), limit)], len(nodes) > limit
}

// pickWhole lets the folder itself be chosen; a whole copy cannot be.
func (v *visit) pickWhole(page *Folder, f backups.Folder, c *chosen) {
	if string(f.Path) == "/" || !v.canOf(f.Snapshot.Customer, policy.RestoreRun) {
		return
	}
	page.Pick, page.InBasket = pickValue(backups.Pick{Snapshot: f.Snapshot.ID, Path: f.Path, Type: wire.NodeDir, Size: -1}), c.has(f.Snapshot.ID, f.Path)
}

func (v *visit) folderFailed(page *Folder, j jobs.Job, server string) {
	page.State, page.Tone, page.Say = FolderFailed, ToneBad, v.t("folder.say_failed", "server", server)
	page.Problem = v.failure(j)
	if j.State == jobs.Expired {
		page.State, page.Tone, page.Say = FolderSilent, ToneUnknown, v.t("folder.say_silent", "server", server)
		page.Problem = &Problem{Cause: v.t("folder.silent"), Next: v.t("folder.silent_next")}
	}
	if page.Problem == nil {
		page.Problem = &Problem{Cause: capital(v.jobState(j.State).Word), Next: v.t("folder.again_next")}
	}
}

// waiting says that a job is under way, and why it is not over.
func (v *visit) waiting(j jobs.Job, server string) *Waiting {
	w := &Waiting{Text: v.t("wait.for", "server", server), Since: j.CreatedAt, Job: "/jobs/" + j.ID}
	scope, err := v.scope(policy.JobRead)
	if err != nil {
		return w
	}
	if reasons, err := v.p.Jobs.Why(v.ctx, scope, j.ID); err == nil {
		w.Why = v.why(reasons)
	}
	return w
}

var nodeKinds = map[wire.NodeType]string{
	wire.NodeSymlink: "node.symlink", wire.NodeDevice: "node.device", wire.NodeCharDev: "node.device", wire.NodeFIFO: "node.fifo", wire.NodeSocket: "node.socket", wire.NodeIrregular: "node.irregular",
}

func (v *visit) nodeRow(f backups.Folder, n wire.Node, c *chosen) NodeRow {
	row := NodeRow{Name: n.Name, Dir: n.Type == wire.NodeDir, Kind: v.kindOf(n.Type), Size: n.Size, Mode: fs.FileMode(n.Mode).Perm().String(), Target: n.LinkTarget}
	if n.MTime != 0 {
		row.Changed = controlplane.FromMillis(n.MTime)
	}
	full := append(append(bytes.TrimRight(bytes.Clone(f.Path), "/"), '/'), n.Name...)
	base := "/snapshots/" + f.Snapshot.ID
	switch n.Type {
	case wire.NodeDir:
		row.Href = base + "?" + pathQuery(full)
		row.Mode = "d" + row.Mode[1:]
	case wire.NodeFile:
		row.Href = base + "/file?" + pathQuery(full)
	}
	size := n.Size
	if n.Type != wire.NodeFile {
		size = -1
	}
	row.Pick, row.InBasket = pickValue(backups.Pick{Snapshot: f.Snapshot.ID, Path: full, Type: n.Type, Size: size}), c.has(f.Snapshot.ID, full)
	return row
}

// folderAsk asks the server again, by hand.
func (p *Portal) folderAsk(v *visit) error {
	scope, err := v.scope(policy.FileRead)
	if err != nil {
		return err
	}
	if _, err := p.Backups.Snapshot(v.ctx, scope, v.c.Param("id")); err != nil {
		return err
	}
	return v.redirect("/snapshots/"+v.c.Param("id")+"?"+pathQuery([]byte(v.c.QueryParam("path"))), "")
}
