package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"ostler/agents/wire"
	"ostler/backups"
	"ostler/controlplane"
	"ostler/controlplane/bus"
	"ostler/controlplane/jobs"
	"ostler/controlplane/policy"
)

// startRestore starts one of the two ways to get a file back.
func (p *Portal) startRestore(v *visit, start func(context.Context, policy.Scope, string, []byte) (backups.Restore, error)) error {
	scope, err := v.scope(policy.RestoreRun)
	if err != nil {
		return err
	}
	full := clean([]byte(v.c.QueryParam("path")))
	r, err := start(v.ctx, scope, v.c.Param("id"), full)
	var e *controlplane.Error
	if errors.As(err, &e) && (e.Code == controlplane.CodeInvalid || e.Code == controlplane.CodeConflict || e.Code == controlplane.CodeTooMany) {
		snap, serr := p.Backups.Snapshot(v.ctx, scope, v.c.Param("id"))
		if serr != nil {
			return serr
		}
		return v.invalid(v.filePage(snap, full), err)
	}
	if err != nil {
		return err
	}
	return v.redirect("/restores/"+r.ID, "")
}

// restore shows files on their way, to the browser or to a server.
func (p *Portal) restore(v *visit) error {
	scope, err := v.scope(policy.RestoreRun)
	if err != nil {
		return err
	}
	page, err := v.restoreView(scope, v.c.Param("id"))
	if err != nil {
		return err
	}
	return v.render(page)
}

func (v *visit) restoreView(scope policy.Scope, id string) (View, error) {
	r, err := v.p.Backups.Restore(v.ctx, scope, id)
	if err != nil {
		return nil, err
	}
	j, err := v.p.Jobs.Get(v.ctx, scope, r.Job)
	if err != nil {
		return nil, err
	}
	var why []string
	if !j.State.Terminal() {
		reasons, err := v.p.Jobs.Why(v.ctx, scope, j.ID)
		if err != nil {
			return nil, err
		}
		why = v.why(reasons)
	}
	if r.Kind.OnServer() {
		return v.onServerPage(scope, r, j, why)
	}
	return v.downloadPage(scope, r, j, why)
}

// restoreStates are the words of a restore where its job does not say more.
var restoreStates = map[backups.RestoreState]struct {
	tone Tone
	key  string
}{
	backups.RestoreReady: {ToneGood, "restore.ready"}, backups.RestoreFailed: {ToneBad, "restore.failed"}, backups.RestoreExpired: {ToneUnknown, "restore.expired"},
	backups.RestoreChecking: {ToneBusy, "restore.checking"}, backups.RestorePreviewed: {ToneWarn, "restore.previewed"}, backups.RestoreUndone: {ToneGood, "restore.undone"},
	backups.RestoreCancelled: {ToneUnknown, "restore.cancelled"},
}

// restoreState is how a restore reads; while it is under way, as its job.
func (v *visit) restoreState(r backups.Restore, j jobs.Job) State {
	s, ok := restoreStates[r.State]
	switch {
	case r.State == backups.RestoreReady && r.Incomplete():
		return State{ToneWarn, v.t("restore.incomplete")}
	case ok:
		return State{s.tone, v.t(s.key)}
	case r.CancelAsked:
		return State{ToneBusy, v.t("restore.stopping")}
	}
	return v.jobState(j.State)
}

// restoreKinds are the words of where restored files go.
var restoreKinds = map[backups.RestoreKind]string{
	backups.RestoreDownload: "restores.download", backups.RestoreArchive: "restores.archive", backups.RestorePutBack: "restores.on_server", backups.RestoreInPlace: "restores.on_server",
}

// fetchSaid are the sentences of a download by its state.
var fetchSaid = map[backups.RestoreState]string{backups.RestoreActive: "download.say", backups.RestoreChecking: "download.say_checking", backups.RestoreReady: "download.say_ready",
	backups.RestoreFailed: "download.say_failed", backups.RestoreExpired: "download.say_expired", backups.RestoreCancelled: "download.say_cancelled"}

// fetchPage begins the page of a download.
func (v *visit) fetchPage(r backups.Restore, j jobs.Job, title string) Page {
	name := PlainName([]byte(r.Name()))
	page := v.page("restore", title, v.t(fetchSaid[r.State], "name", name, "server", v.serverName(r.Server)))
	page.Crumbs = []Link{{v.t("restores.title"), "/restores"}, {Label: name}}
	switch r.State {
	case backups.RestoreActive, backups.RestoreChecking:
		page.Live, page.Refresh = []string{bus.TopicJob(j.ID), "restore:" + r.ID}, 2
	case backups.RestoreReady:
		page.Tone = ToneGood
	case backups.RestoreFailed:
		page.Tone = ToneBad
	default:
		page.Tone = ToneUnknown
	}
	return page
}

// asked are the newest files that people of the company asked for; open ones
// only where that is said. None for those who may not.
func (v *visit) asked(limit int, open bool) ([]AskedFile, error) {
	if !v.canOf(v.customer(), policy.RestoreRun) {
		return nil, nil
	}
	scope, err := v.scope(policy.RestoreRun)
	if err != nil {
		return nil, err
	}
	rs, err := v.p.Backups.Restores(v.ctx, scope, limit)
	if err != nil {
		return nil, err
	}
	on := map[string]bool{}
	by := map[string]bool{}
	for _, r := range rs {
		on[r.Server], by[r.CreatedBy] = true, true
		if r.TargetServer != "" {
			on[r.TargetServer] = true
		}
	}
	servers, err := v.servers(keysOf(on))
	if err != nil {
		return nil, err
	}
	people, err := v.p.Identity.Names(v.ctx, keysOf(by))
	if err != nil {
		return nil, err
	}
	var out []AskedFile
	for _, r := range rs {
		kept := r.Fetchable() && r.State == backups.RestoreReady
		if waits := r.State.Busy() || r.State == backups.RestorePreviewed; open && !kept && !waits {
			continue
		}
		a := AskedFile{Name: []byte(r.Name()), More: r.Items - 1, Href: "/restores/" + r.ID, Server: servers[r.Server].Name, Kind: v.t(restoreKinds[r.Kind]), State: v.restoreState(r, jobs.Job{State: jobs.Running}), At: r.CreatedAt,
			By: cmp.Or(people[r.CreatedBy], v.t("word.somebody"))}
		if r.Kind == backups.RestoreArchive {
			a.More = 0 // its name stands for all of it
		}
		if r.TargetServer != "" && r.TargetServer != r.Server {
			a.Server = servers[r.TargetServer].Name
		}
		if kept {
			a.Until = r.ExpiresAt
		}
		out = append(out, a)
	}
	return out, nil
}

func (v *visit) fileHref(r backups.Restore) string {
	return "/snapshots/" + r.Snapshot + "/file?" + pathQuery(r.Path)
}

// restoreFailure is why a restore failed, and what to do.
func (v *visit) restoreFailure(scope policy.Scope, r backups.Restore) *Problem {
	if r.State != backups.RestoreFailed {
		return nil
	}
	p := v.problem(wire.Cause(r.FailureCause))
	if keyLost(r.FailureCause) {
		if snap, err := v.p.Backups.Snapshot(v.ctx, scope, r.Snapshot); err == nil {
			p.Link = v.keyLink(snap.Repository)
		}
	}
	return p
}

// keyLost reports whether a cause is that the server has not the right key.
func keyLost(cause string) bool {
	return cause == string(wire.CauseNoKey) || cause == string(wire.CauseWrongPassword)
}

// keyLink leads to where a server is given its key again.
func (v *visit) keyLink(repository string) Link {
	href := "/keys/" + repository
	if v.can(policy.KeyConfirm) {
		href += "#return"
	}
	return Link{v.t("key.return"), href}
}

func (v *visit) downloadPage(scope policy.Scope, r backups.Restore, j jobs.Job, why []string) (*Download, error) {
	d := &Download{Page: v.fetchPage(r, j, v.t("download.title")), State: v.restoreState(r, j), Why: why, Name: []byte(r.Name()),
		Size: r.Size, SHA256: r.SHA256, Failed: v.restoreFailure(scope, r), JobHref: "/jobs/" + j.ID, Archive: r.Kind == backups.RestoreArchive,
		Missing: v.missingOf(r), Helped: v.helped(r)}
	var err error
	if d.Asked, d.Items, err = v.orderedBy(scope, r); err != nil {
		return nil, err
	}
	d.AskUs, d.Another = v.askHref(r), another(r)
	may := v.canOf(r.Customer, policy.RestoreRun)
	if r.State.Busy() {
		d.Progress = v.progress(j, true)
	}
	if d.Ready, d.Over = r.State == backups.RestoreReady, r.State == backups.RestoreExpired; d.Ready {
		d.FileHref, d.Expires = "/downloads/"+r.ID+"/file", r.ExpiresAt
	}
	if d.Ready && r.Incomplete() {
		d.Tone, d.Say = ToneWarn, v.t("download.say_incomplete", "name", PlainName([]byte(r.Name())), "n", r.MissingCount)
	}
	if d.Archive {
		d.Files, d.Bytes = r.Files, r.Bytes
	} else {
		d.Back = Link{v.t("restore.back"), v.fileHref(r)}
	}
	if may && r.State.Over() {
		d.Again = "/restores/" + r.ID + "/again"
		if !d.Archive && !d.Ready {
			d.Again = "/snapshots/" + r.Snapshot + "/download?" + pathQuery(r.Path)
		}
	}
	if may && r.CanCancel() {
		d.Cancel = "/restores/" + r.ID + "/cancel"
	}
	return d, nil
}

// downloadFile sends the file whole, or the part that a Range asks for. It is
// never shown in the browser: what a customer's file holds is not our page.
func (p *Portal) downloadFile(v *visit) error {
	scope, err := v.scope(policy.RestoreRun)
	if err != nil {
		return err
	}
	f, err := p.Backups.OpenDownload(v.ctx, scope, v.c.Param("id"))
	if err != nil {
		return err
	}
	h := v.c.Response().Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", disposition(f.Restore.Name()))
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("ETag", `"`+f.Restore.SHA256+`"`)
	h.Set("Repr-Digest", reprDigest(f.Restore.SHA256))
	http.ServeContent(v.c.Response(), v.c.Request(), "", f.Restore.FinishedAt, f)
	return nil
}

// disposition names the file for the browser: what it cannot carry becomes "_".
func disposition(name string) string {
	name = path.Base(strings.ReplaceAll(name, "\\", "_"))
	safe := strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || strings.ContainsRune(`/:*?"<>|`, r) {
			return '_'
		}
		return r
	}, strings.ToValidUTF8(name, "_"))
	if safe == "" || safe == "." || safe == ".." {
		safe = "file"
	}
	if s := mime.FormatMediaType("attachment", map[string]string{"filename": safe}); s != "" {
		return s
	}
	return "attachment"
}

// reprDigest is RFC 9530's header of a hex SHA-256.
func reprDigest(sum string) string {
	var raw []byte
	if _, err := fmt.Sscanf(sum, "%x", &raw); err != nil {
		return ""
	}
	return "sha-256=:" + base64Std(raw) + ":"
}
