package web

import (
	"cmp"
	"errors"
	"net/url"
	"strconv"
	"time"

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
	page := &OnServer{Page: v.page("restore", v.t("onserver.title", "server", server), ""), State: v.restoreState(r, j), Why: why,
		Name: []byte(r.Name()), More: r.Items - 1, Server: server, Where: v.t("onserver.original"), Target: r.Target, Rule: v.t(conflictWords[r.Conflict]),
		Failed: v.restoreFailure(scope, r), JobHref: "/jobs/" + j.ID, Helped: v.helped(r)}
	page.Say, page.Tone = v.onServerSays(r, server)
	page.Crumbs = []Link{{v.t("restores.title"), "/restores"}, {Label: PlainName(page.Name)}}
	page.Self = "/restores/" + r.ID
	if r.TargetServer != r.Server {
		page.From = v.serverName(r.Server)
	}
	if r.Kind == backups.RestorePutBack {
		page.Back = Link{v.t("restore.back"), v.fileHref(r)}
		page.Size, page.SHA256 = r.Size, r.SHA256 // else they are of what went from server to server
	}
	if r.State.Busy() {
		page.Progress = v.progress(j, true)
		page.Live, page.Refresh = []string{bus.TopicJob(j.ID), "restore:" + r.ID}, 2
	}
	if r.State == backups.RestorePreviewed {
		page.Live, page.Until = []string{"restore:" + r.ID}, r.ExpiresAt
	}
	page.Missing = v.missingOf(r)
	var err error
	if page.Asked, page.Items, err = v.orderedBy(scope, r); err != nil {
		return nil, err
	}
	page.AskUs, page.Another = v.askHref(r), another(r)
	v.onServerActs(page, r)
	return page, v.changes(scope, page, r)
}

// another is the search for another file, once a restore is over: a page that
// changes by itself would take away what is typed.
func another(r backups.Restore) *FindForm {
	if r.State.Over() {
		return &FindForm{}
	}
	return nil
}

// onServerSays is the sentence of a restore on a server. What could not be put
// there, and what was left as it was, is said in it.
func (v *visit) onServerSays(r backups.Restore, server string) (string, Tone) {
	key, tone := onServerSaid[r.State], onServerTone[r.State]
	n := int64(0)
	switch part := r.CanUndo(v.now); {
	case r.State == backups.RestoreActive && r.Kind == backups.RestorePutBack:
		key = "onserver.say_applying"
	case r.State == backups.RestorePreviewed && r.Preview != nil && r.Preview.Changing() == 0:
		if key, tone = "onserver.say_nothing", ToneUnknown; r.Preview.Counts[wire.ActRefuse] > 0 {
			key, tone = "onserver.say_refused", ToneWarn
		}
	case r.State == backups.RestoreReady && r.Result != nil:
		n = r.Result.Counts[wire.ActRefuse] + r.MissingCount
		if n > 0 {
			key, tone = "onserver.say_ready_part", ToneWarn
		}
		if beside := r.Result.Counts[wire.ActBeside]; n == 0 && beside > 0 && beside == r.Result.Changing() {
			key = "onserver.say_beside"
		}
		if r.Result.Changing() == 0 {
			key, tone = "onserver.say_unchanged", ToneWarn
		}
	case r.State == backups.RestoreUndone && r.Undo != nil && r.Undo.Counts[wire.ActChanged] > 0:
		key, tone, n = "onserver.say_undone_part", ToneWarn, r.Undo.Counts[wire.ActChanged]
	case r.State == backups.RestoreFailed && part:
		key = "onserver.say_failed_part"
	case r.State == backups.RestoreCancelled && part:
		key, tone = "onserver.say_cancelled_part", ToneWarn
	}
	return v.t(key, "name", v.things(r), "server", server, "n", n), tone
}

// things names what a restore is of, for a sentence.
func (v *visit) things(r backups.Restore) string {
	name := PlainName([]byte(r.Name()))
	if r.Kind == backups.RestoreArchive || r.Items < 2 {
		return name
	}
	return v.t("onserver.things", "name", name, "n", r.Items-1)
}

// itemsShown is how much of what was chosen is listed.
const itemsShown = 50

// orderedBy says who asked for a restore, and lists what they chose, each with
// the copy that it is from; one thing alone only where it is a part of what was
// chosen.
func (v *visit) orderedBy(scope policy.Scope, r backups.Restore) (asked []Pair, items []ItemRow, err error) {
	names, err := v.p.Identity.Names(v.ctx, []string{r.CreatedBy, r.ConfirmedBy})
	if err != nil {
		return nil, nil, err
	}
	line := func(key, id string, at time.Time) {
		if !at.IsZero() {
			asked = append(asked, Pair{Label: v.t(key), Value: v.t("restore.who_when", "who", cmp.Or(names[id], v.t("word.somebody")), "when", v.moment(at))})
		}
	}
	picks, err := v.p.Backups.RestoreItems(v.ctx, scope, r.ID)
	if err != nil {
		return nil, nil, err
	}
	copies := map[string]backups.Snapshot{}
	for _, x := range picks[:min(len(picks), itemsShown)] {
		snap, known := copies[x.Snapshot]
		if !known {
			if snap, err = v.p.Backups.Snapshot(v.ctx, scope, x.Snapshot); err != nil && controlplane.ErrorCode(err) != controlplane.CodeNotFound {
				return nil, nil, err
			}
			copies[x.Snapshot] = snap
		}
		row := ItemRow{Path: x.Path, At: snap.ArrivedAt, Of: x.Chosen}
		if snap.ID != "" {
			row.Href = "/snapshots/" + snap.ID + "/file?" + pathQuery(x.Path)
		}
		items = append(items, row)
	}
	if len(items) == 1 && len(items[0].Of) == 0 {
		if at := items[0].At; !at.IsZero() {
			asked = append(asked, Pair{Label: v.t("basket.version"), Value: v.moment(at)})
		}
		items = nil
	}
	line("restore.by", r.CreatedBy, r.CreatedAt)
	line("restore.confirmed_by", r.ConfirmedBy, r.ConfirmedAt)
	return asked, items, nil
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
	if r.State == backups.RestorePreviewed && r.Preview != nil && r.Preview.Changing() > 0 && !r.CancelAsked || r.Resumable {
		page.Confirm, page.Resume = self+"/confirm", r.Resumable
	}
	if r.CanUndo(v.now) {
		page.Undo, page.UndoUntil = self+"/undo", r.UndoUntil
	}
	if r.UndoFailure != "" && r.State != backups.RestoreUndoing {
		page.Failed = v.problem(wire.Cause(r.UndoFailure))
		page.Failed.Cause = v.t("onserver.undo_failed", "cause", lower(page.Failed.Cause))
	}
	if r.State.Over() {
		page.Again = self + "/again"
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
	from, _ := strconv.Atoi(v.c.QueryParam("from"))
	items, total, err := v.p.Backups.Changes(v.ctx, scope, r.ID, list, max(from, 0), changesPage)
	if err != nil {
		var e *controlplane.Error
		if !errors.As(err, &e) {
			return err
		}
		page.NoList = &Problem{Cause: trimDot(e.Message), Next: e.Next} // the list is kept apart: the rest of the page stands
		return nil
	}
	for _, c := range items {
		row := ChangeRow{Path: c.Path, State: State{actWords[c.Act].tone, v.t(actWords[c.Act].key)}, Size: -1}
		if c.Type == wire.NodeFile {
			row.Size = c.Size
		}
		if c.Cause != "" {
			row.Note = capital(v.cause(string(c.Cause)))
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
var noteWords = map[string]string{"setuid_removed": "change.setuid_removed", "case_collision": "change.case_collision", "hard_link": "change.hard_link"}

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

// helped says that one of us restores it, and why; "" where the customer does.
func (v *visit) helped(r backups.Restore) string {
	if r.Assist == nil {
		return ""
	}
	key := "restore.helping"
	switch {
	case v.staff():
		key = "restore.helped_staff"
	case r.State.Over():
		key = "restore.helped"
	}
	return v.t(key, "ticket", r.Assist.Ticket, "reason", r.Assist.Reason)
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

// restoreAgain puts what was chosen into the basket, to begin anew.
func (p *Portal) restoreAgain(v *visit) error {
	scope, err := v.scope(policy.RestoreRun)
	if err != nil {
		return err
	}
	r, err := p.Backups.Restore(v.ctx, scope, v.c.Param("id"))
	if err != nil {
		return err
	}
	picks, err := p.Backups.RestoreItems(v.ctx, scope, r.ID)
	if err != nil {
		return err
	}
	if _, err := p.Backups.BasketAdd(v.ctx, scope, r.Customer, picks); err != nil {
		return err
	}
	return v.redirect("/basket", "")
}

func (p *Portal) restoreCancel(v *visit) error {
	return p.restoreStep(v, func(s policy.Scope, id string) (backups.Restore, error) { return p.Backups.CancelRestore(v.ctx, s, id) })
}
