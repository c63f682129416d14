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

// restore shows a file on its way, to the browser or back to its server.
func (p *Portal) restore(v *visit) error {
	scope, err := v.scope(policy.RestoreRun)
	if err != nil {
		return err
	}
	r, err := p.Backups.Restore(v.ctx, scope, v.c.Param("id"))
	if err != nil {
		return err
	}
	j, err := p.Jobs.Get(v.ctx, scope, r.Job)
	if err != nil {
		return err
	}
	var why []string
	if !j.State.Terminal() {
		reasons, err := p.Jobs.Why(v.ctx, scope, j.ID)
		if err != nil {
			return err
		}
		why = v.why(reasons)
	}
	if r.Kind == backups.RestorePutBack {
		return v.render(v.putBackPage(r, j, why))
	}
	return v.render(v.downloadPage(r, j, why))
}

// restoreState is how a restore reads; while it is under way, as its job.
func (v *visit) restoreState(r backups.Restore, j jobs.Job) State {
	switch r.State {
	case backups.RestoreReady:
		return State{ToneGood, v.t("restore.ready")}
	case backups.RestoreFailed:
		return State{ToneBad, v.t("restore.failed")}
	case backups.RestoreExpired:
		return State{ToneUnknown, v.t("restore.expired")}
	case backups.RestoreChecking:
		return State{ToneBusy, v.t("restore.checking")}
	}
	return v.jobState(j.State)
}

// restoreSaid are the sentences of a restore by its kind and state.
var restoreSaid = map[backups.RestoreKind]map[backups.RestoreState]string{
	backups.RestoreDownload: {backups.RestoreActive: "download.say", backups.RestoreChecking: "download.say_checking", backups.RestoreReady: "download.say_ready", backups.RestoreFailed: "download.say_failed", backups.RestoreExpired: "download.say_expired"},
	backups.RestorePutBack:  {backups.RestoreActive: "restore.say", backups.RestoreChecking: "restore.say", backups.RestoreReady: "restore.say_ready", backups.RestoreFailed: "restore.say_failed", backups.RestoreExpired: "restore.say_failed"},
}

func (v *visit) restorePage(r backups.Restore, j jobs.Job, title string) Page {
	server := v.serverName(r.Server)
	page := v.page("backups", title, v.t(restoreSaid[r.Kind][r.State], "name", PlainName([]byte(r.Name())), "server", server))
	page.Crumbs = []Link{{v.t("backups.title"), "/backups"}, {PlainName([]byte(r.Name())), v.fileHref(r)}}
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
	if !v.can(policy.RestoreRun) {
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
		kept := r.Kind == backups.RestoreDownload && r.State == backups.RestoreReady
		if underWay := r.State == backups.RestoreActive || r.State == backups.RestoreChecking; open && !kept && !underWay {
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
	d := &Download{Page: v.restorePage(r, j, v.t("download.title")), State: v.restoreState(r, j), Progress: v.progress(j, false), Why: why, Name: []byte(r.Name()),
		Size: r.Size, SHA256: r.SHA256, Expires: r.ExpiresAt, Failed: restoreFailure(r), Back: Link{v.t("restore.back"), v.fileHref(r)}, JobHref: "/jobs/" + j.ID}
	d.Ready, d.Over = r.State == backups.RestoreReady, r.State == backups.RestoreExpired
	if d.Ready {
		d.FileHref = "/downloads/" + r.ID + "/file"
	}
	if r.State == backups.RestoreFailed || d.Over {
		d.Again = "/snapshots/" + r.Snapshot + "/download?" + pathQuery(r.Path)
	}
	if !j.State.Terminal() && v.can(policy.JobCancel) && !j.CancelAsked {
		d.Cancel = "/jobs/" + j.ID + "/cancel"
	}
	return d
}

func (v *visit) putBackPage(r backups.Restore, j jobs.Job, why []string) *Restore {
	b := &Restore{Page: v.restorePage(r, j, v.t("restore.title")), State: v.restoreState(r, j), Progress: v.progress(j, false), Why: why, Name: []byte(r.Name()), Target: r.Target,
		Server: v.serverName(r.Server), Size: r.Size, SHA256: r.SHA256, At: r.FinishedAt, Ready: r.State == backups.RestoreReady, Failed: restoreFailure(r),
		Back: Link{v.t("restore.back"), v.fileHref(r)}, JobHref: "/jobs/" + j.ID}
	if !j.State.Terminal() && v.can(policy.JobCancel) && !j.CancelAsked {
		b.Cancel = "/jobs/" + j.ID + "/cancel"
	}
	return b
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
