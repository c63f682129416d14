package web

import (
	"errors"
	"net/url"
	"strconv"

	"ostler/agents/wire"
	"ostler/backups"
	"ostler/controlplane"
	"ostler/controlplane/bus"
	"ostler/controlplane/jobs"
	"ostler/controlplane/policy"
)

// changesPage is how many changes a page of a list shows.
const changesPage = 100

// onServerSaid are the sentences of a restore on a server by its state.
var onServerSaid = map[backups.RestoreState]string{
	backups.RestoreActive: "onserver.say_fetching", backups.RestoreChecking: "onserver.say_fetching", backups.RestorePreviewing: "onserver.say_previewing",
	backups.RestorePreviewed: "onserver.say_previewed", backups.RestoreApplying: "onserver.say_applying", backups.RestoreReady: "onserver.say_ready",
	backups.RestoreUndoing: "onserver.say_undoing", backups.RestoreUndone: "onserver.say_undone", backups.RestoreFailed: "onserver.say_failed",
	backups.RestoreCancelled: "onserver.say_cancelled", backups.RestoreExpired: "onserver.say_expired",
}

var onServerTone = map[backups.RestoreState]Tone{
	backups.RestorePreviewed: ToneWarn, backups.RestoreReady: ToneGood, backups.RestoreUndone: ToneGood, backups.RestoreFailed: ToneBad,
	backups.RestoreCancelled: ToneUnknown, backups.RestoreExpired: ToneUnknown,
}

// actWords say what happens to a path, and how it looks.
var actWords = map[wire.Act]struct {
	key  string
	tone Tone
}{
	wire.ActCreate: {"act.create", ToneGood}, wire.ActReplace: {"act.replace", ToneWarn}, wire.ActBeside: {"act.beside", ToneGood}, wire.ActSame: {"act.same", ToneUnknown},
	wire.ActKeep: {"act.keep", ToneUnknown}, wire.ActRefuse: {"act.refuse", ToneBad}, wire.ActRemoved: {"act.removed", ToneGood}, wire.ActReturned: {"act.returned", ToneGood}, wire.ActChanged: {"act.changed", ToneWarn},
}

// actOrder is the order in which they are counted.
var actOrder = []wire.Act{wire.ActCreate, wire.ActReplace, wire.ActBeside, wire.ActKeep, wire.ActRefuse, wire.ActSame, wire.ActReturned, wire.ActRemoved, wire.ActChanged}

var conflictWords = map[wire.Conflict]string{wire.ConflictBeside: "onserver.rule_beside", wire.ConflictOverwrite: "onserver.rule_overwrite", wire.ConflictKeep: "onserver.rule_keep"}

// onServerPage is a restore on a server, at whatever step it is.
func (v *visit) onServerPage(scope policy.Scope, r backups.Restore, j jobs.Job, why []string) (*OnServer, error) {
	server := v.serverName(r.TargetServer)
	if r.TargetServer == "" {
		server = v.serverName(r.Server)
	}
	name := PlainName([]byte(r.Name()))
	page := &OnServer{Page: v.page("restore", v.t("onserver.title", "server", server), v.t(onServerSaid[r.State], "name", name, "server", server)),
		State: v.restoreState(r, j), Why: why, Name: []byte(r.Name()), More: r.Items - 1, Server: server, Target: r.Target, Rule: v.t(conflictWords[r.Conflict]),
		Failed: restoreFailure(r), Size: r.Size, SHA256: r.SHA256, At: r.FinishedAt, Back: Link{v.t("restore.back"), v.fileHref(r)}, JobHref: "/jobs/" + j.ID, Helped: v.helped(r)}
	page.Tone = onServerTone[r.State]
	page.Crumbs = []Link{{v.t("restores.title"), "/restores"}, {Label: name}}
	page.Self = "/restores/" + r.ID
	if r.TargetServer != "" && r.TargetServer != r.Server {
		page.From = v.serverName(r.Server)
	}
	if r.State.Busy() {
		page.Progress = v.progress(j, false)
		page.Live, page.Refresh = []string{bus.TopicJob(j.ID), "restore:" + r.ID}, 2
	}
	if r.State == backups.RestorePreviewed {
		page.Live, page.Until = []string{"restore:" + r.ID}, r.ExpiresAt
	}
	page.Missing = v.missingOf(r)
	v.onServerActs(page, r)
	return page, v.changes(scope, page, r)
}

// onServerActs are what a person can do now.
func (v *visit) onServerActs(page *OnServer, r backups.Restore) {
	if !v.canOf(r.Customer, policy.RestoreRun) {
		return
	}
	self := "/restores/" + r.ID
	if r.CanCancel() {
		page.Cancel = self + "/cancel"
	}
	if r.State == backups.RestorePreviewed && r.Preview != nil && r.Preview.Changing() > 0 || r.Resumable {
		page.Confirm, page.Resume = self+"/confirm", r.Resumable
	}
	if r.CanUndo(v.now) {
		page.Undo, page.UndoUntil = self+"/undo", r.UndoUntil
	}
	if r.UndoFailure != "" {
		cause, next := jobs.Explain(wire.Failure{Cause: wire.Cause(r.UndoFailure)})
		page.Failed = &Problem{Cause: trimDot(cause), Next: next}
	}
	if r.State.Over() && r.State != backups.RestoreReady && r.State != backups.RestoreUndone {
		page.Again = "/find"
	}
}

// changes puts the figures of the latest step, and a page of its list, on the page.
func (v *visit) changes(scope policy.Scope, page *OnServer, r backups.Restore) error {
	list, tally := backups.ListPreview, r.Preview
	if r.Result != nil {
		list, tally = backups.ListResult, r.Result
	}
	if r.Undo != nil {
		list, tally = backups.ListUndo, r.Undo
	}
	if tally == nil {
		return nil
	}
	page.ListTitle = v.t(listWords[list].title)
	for _, a := range actOrder {
		if n := tally.Counts[a]; n > 0 {
			page.Files = append(page.Files, ChangeCount{State{actWords[a].tone, v.t(actWords[a].key)}, n})
		}
	}
	fact := func(key string, n int64) {
		if n > 0 {
			page.Figures = append(page.Figures, Fact{Label: v.t(key), State: State{Word: Bytes(n)}})
		}
	}
	fact(listWords[list].bytes, tally.Bytes)
	fact("onserver.free", tally.FreeBytes)
	fact("onserver.safety", tally.SafetyBytes)
	if list == backups.ListPreview && r.State == backups.RestorePreviewed && tally.Changing() == 0 {
		page.Say, page.Tone = v.t("onserver.say_nothing", "server", page.Server), ToneGood
	}
	from, _ := strconv.Atoi(v.c.QueryParam("from"))
	items, total, err := v.p.Backups.Changes(v.ctx, scope, r.ID, list, max(from, 0), changesPage)
	if err != nil {
		var e *controlplane.Error
		if !errors.As(err, &e) {
			return err
		}
		page.Problem = &Problem{Cause: trimDot(e.Message), Next: e.Next} // the list is kept apart: the rest of the page stands
		return nil
	}
	for _, c := range items {
		row := ChangeRow{Path: c.Path, State: State{actWords[c.Act].tone, v.t(actWords[c.Act].key)}, Size: -1}
		if c.Type == wire.NodeFile {
			row.Size = c.Size
		}
		if c.Cause != "" {
			row.Note = capital(causeText(string(c.Cause)))
		}
		if key, ok := noteWords[c.Note]; ok {
			row.Note = v.t(key)
		}
		page.List = append(page.List, row)
	}
	if from > 0 {
		page.Pager.First = "/restores/" + r.ID
	}
	if next := from + changesPage; int64(next) < total {
		page.Pager.Next = "/restores/" + r.ID + "?" + url.Values{"from": {strconv.Itoa(next)}}.Encode()
	}
	return nil
}

// listWords are the words of a list of changes.
var listWords = map[backups.ChangeList]struct{ title, bytes string }{
	backups.ListPreview: {"onserver.list_preview", "onserver.bytes_preview"}, backups.ListResult: {"onserver.list_result", "onserver.bytes_result"},
	backups.ListUndo: {"onserver.list_undo", "onserver.bytes_undo"},
}

// noteWords are what is said of a path beside its act.
var noteWords = map[string]string{"setuid_removed": "change.setuid_removed", "case_collision": "change.case_collision"}

// missingOf is what could not be read from the store, said loudly.
func (v *visit) missingOf(r backups.Restore) Missing {
	m := Missing{Count: r.MissingCount}
	if m.Count == 0 {
		return m
	}
	m.Text = v.t("restore.missing", "n", m.Count)
	for _, x := range r.Missing[:min(len(r.Missing), 50)] {
		m.Rows = append(m.Rows, x.Path)
	}
	m.More = m.Count - int64(len(m.Rows))
	return m
}

// helped says who of us restored it, and why; "" where the customer did.
func (v *visit) helped(r backups.Restore) string {
	if r.Assist == nil {
		return ""
	}
	return v.t("restore.helped", "ticket", r.Assist.Ticket, "reason", r.Assist.Reason)
}

// restoreStep answers a form that moves a restore on.
func (p *Portal) restoreStep(v *visit, step func(scope policy.Scope, id string) (backups.Restore, error)) error {
	scope, err := v.scope(policy.RestoreRun)
	if err != nil {
		return err
	}
	id := v.c.Param("id")
	if _, err := step(scope, id); err != nil {
		page, perr := v.restoreView(scope, id)
		if perr != nil {
			return perr
		}
		return v.invalid(page, err)
	}
	return v.redirect("/restores/"+id, "")
}

func (p *Portal) restoreConfirm(v *visit) error {
	return p.restoreStep(v, func(s policy.Scope, id string) (backups.Restore, error) {
		return p.Backups.ConfirmRestore(v.ctx, s, id)
	})
}

func (p *Portal) restoreUndo(v *visit) error {
	return p.restoreStep(v, func(s policy.Scope, id string) (backups.Restore, error) { return p.Backups.UndoRestore(v.ctx, s, id) })
}

func (p *Portal) restoreCancel(v *visit) error {
	return p.restoreStep(v, func(s policy.Scope, id string) (backups.Restore, error) { return p.Backups.CancelRestore(v.ctx, s, id) })
}
