package web

import (
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
	return v.downloadPage(r, j, why), nil
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
	for _, r := range rs {
		on[r.Server] = true
	}
	servers, err := v.servers(keysOf(on))
	if err != nil {
		return nil, err
	}
	var out []AskedFile
	for _, r := range rs {
		kept := r.Fetchable() && r.State == backups.RestoreReady
		if waits := r.State.Busy() || r.State == backups.RestorePreviewed; open && !kept && !waits {
			continue
		}
		a := AskedFile{Name: []byte(r.Name()), Href: "/restores/" + r.ID, Server: servers[r.Server].Name, State: v.restoreState(r, jobs.Job{State: jobs.Running}), At: r.CreatedAt}
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
func restoreFailure(r backups.Restore) *Problem {
	if r.State != backups.RestoreFailed {
		return nil
	}
	cause, next := jobs.Explain(wire.Failure{Cause: wire.Cause(r.FailureCause)})
	return &Problem{Cause: trimDot(cause), Next: next}
}

func (v *visit) downloadPage(r backups.Restore, j jobs.Job, why []string) *Download {
	d := &Download{Page: v.fetchPage(r, j, v.t("download.title")), State: v.restoreState(r, j), Progress: v.progress(j, false), Why: why, Name: []byte(r.Name()),
		Size: r.Size, SHA256: r.SHA256, Expires: r.ExpiresAt, Failed: restoreFailure(r), Back: Link{v.t("restore.back"), v.fileHref(r)}, JobHref: "/jobs/" + j.ID,
		Missing: v.missingOf(r), Helped: v.helped(r)}
	d.Ready, d.Over = r.State == backups.RestoreReady, r.State == backups.RestoreExpired
	if d.Ready {
		d.FileHref = "/downloads/" + r.ID + "/file"
	}
	if d.Ready && r.Incomplete() {
		d.Tone, d.Say = ToneWarn, v.t("download.say_incomplete", "name", PlainName([]byte(r.Name())), "n", r.MissingCount)
	}
	if r.Kind == backups.RestoreArchive {
		d.Files, d.Bytes, d.Back = r.Files, r.Bytes, Link{v.t("restores.to_find"), "/find"}
	}
	if r.Kind == backups.RestoreDownload && (r.State == backups.RestoreFailed || r.State == backups.RestoreCancelled || d.Over) {
		d.Again = "/snapshots/" + r.Snapshot + "/download?" + pathQuery(r.Path)
	}
	if r.CanCancel() && v.canOf(r.Customer, policy.RestoreRun) {
		d.Cancel = "/restores/" + r.ID + "/cancel"
	}
	return d
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
