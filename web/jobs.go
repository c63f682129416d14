package web

import (
	"encoding/json"
	"net/url"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/bus"
	"ostler/controlplane/jobs"
	"ostler/controlplane/policy"
)

// jobGroups are the choices above the list of jobs, by the word in the address.
var jobGroups = []struct {
	word, key string
	f         jobs.Filter
}{
	{"", "jobs.all", jobs.Filter{}},
	{"open", "jobs.open", jobs.Filter{Open: true}},
	{"failed", "jobs.failed", jobs.Filter{States: []jobs.State{jobs.Failed, jobs.Interrupted, jobs.Expired, jobs.Rejected}}},
}

func (p *Portal) jobs(v *visit) error {
	scope, err := v.scope(policy.JobRead)
	if err != nil {
		return err
	}
	show := v.c.QueryParam("show")
	page := &Jobs{Page: v.page("jobs", v.t("jobs.title"), "")}
	var f jobs.Filter
	for _, g := range jobGroups {
		page.Filters = append(page.Filters, Filter{Label: v.t(g.key), Href: "/jobs?" + url.Values{"show": {g.word}}.Encode(), Current: g.word == show, Count: -1})
		if g.word == show {
			f = g.f
		}
	}
	f.PageToken = v.c.QueryParam("page")
	items, next, err := p.Jobs.List(v.ctx, scope, f)
	if err != nil {
		return err
	}
	if page.Rows, err = v.jobRows(items); err != nil {
		return err
	}
	if next != "" {
		page.Pager.Next = "/jobs?" + url.Values{"show": {show}, "page": {next}}.Encode()
	}
	open, _, err := p.Jobs.List(v.ctx, scope, jobs.Filter{Open: true, Limit: 200})
	if err != nil {
		return err
	}
	page.Say = v.t("jobs.say", "n", len(open), "number", capital(p.tx.Number(len(open))))
	page.Live, page.Refresh = []string{"*"}, 10
	if !v.staff() {
		page.Nav, page.Live = "activity", []string{bus.TopicCustomer(v.actor.Customer)}
	}
	return v.render(page)
}

func (v *visit) jobRows(items []jobs.Job) ([]JobRow, error) {
	servers, customers := map[string]bool{}, map[string]bool{}
	for _, j := range items {
		if j.Server != "" {
			servers[j.Server] = true
		}
		if j.Customer != "" {
			customers[j.Customer] = true
		}
	}
	on, err := v.servers(keysOf(servers))
	if err != nil {
		return nil, err
	}
	names, err := v.customerNames(keysOf(customers))
	if err != nil {
		return nil, err
	}
	var rows []JobRow
	for _, j := range items {
		row := JobRow{Title: v.jobTitle(j), Href: "/jobs/" + j.ID, State: v.jobState(j.State), At: j.CreatedAt}
		if s, ok := on[j.Server]; ok {
			row.Server = Link{s.Name, "/servers/" + s.ID}
		}
		if n := names[j.Customer]; n != "" {
			row.Customer = Link{n, "/customers/" + j.Customer}
		}
		switch {
		case j.Failure != nil:
			row.Note = causeText(string(j.Failure.Cause))
		case j.State == jobs.Running && j.Progress != nil && j.Progress.Total > 0:
			row.Note = v.t("jobs.percent", "percent", j.Progress.Done*100/j.Progress.Total)
		}
		if !j.FinishedAt.IsZero() && !j.StartedAt.IsZero() {
			row.Took = j.FinishedAt.Sub(j.StartedAt)
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func (p *Portal) job(v *visit) error {
	scope, err := v.scope(policy.JobRead)
	if err != nil {
		return err
	}
	j, err := p.Jobs.Get(v.ctx, scope, v.c.Param("id"))
	if err != nil {
		return err
	}
	page := &Job{Page: v.page("jobs", v.jobTitle(j), ""), State: v.jobState(j.State), Progress: v.progress(j, v.canOf(j.Customer, policy.FileRead)), Failed: v.failure(j)}
	page.Crumbs = []Link{{v.t("jobs.title"), "/jobs"}}
	if !v.staff() {
		page.Nav = "activity"
	}
	if !j.State.Terminal() {
		page.Live, page.Refresh = []string{bus.TopicJob(j.ID)}, 3
		reasons, err := p.Jobs.Why(v.ctx, scope, j.ID)
		if err != nil {
			return err
		}
		page.Why = v.why(reasons)
		if v.can(policy.JobCancel) && !j.CancelAsked {
			page.Cancel = "/jobs/" + j.ID + "/cancel"
		}
	}
	if j.Failure != nil && v.staff() {
		page.Detail = j.Failure.Detail
	}
	if err := v.jobFacts(page, j); err != nil {
		return err
	}
	return v.render(page)
}

// jobFacts fills what the job is about, who asked, its course and its outcome.
func (v *visit) jobFacts(page *Job, j jobs.Job) error {
	rows, err := v.jobRows([]jobs.Job{j})
	if err != nil {
		return err
	}
	server := rows[0].Server.Label
	for _, l := range []Link{rows[0].Server, rows[0].Customer, v.jobSubject(j)} {
		if l.Label != "" {
			page.Where = append(page.Where, l)
		}
	}
	asked := v.t("job.by_schedule")
	if j.CreatedBy.Kind != controlplane.ActorSystem {
		names, err := v.p.Identity.Names(v.ctx, []string{j.CreatedBy.ID})
		if err != nil {
			return err
		}
		if asked = names[j.CreatedBy.ID]; asked == "" {
			asked = v.t("word.somebody")
		}
	}
	page.Facts = []Pair{{Label: v.t("job.asked_by"), Value: asked}, {Label: v.t("job.attempt"), Value: v.t("job.attempt_of", "attempt", j.Attempt, "max", j.MaxAttempts)}, {Label: "Id", Value: j.ID, Mono: true}}
	page.Events = v.jobCourse(j)
	v.jobKey(page, j)
	v.jobOutcome(page, j)
	page.Say = v.jobSentence(page, j, server)
	if j.State.Terminal() {
		page.Tone = page.State.Tone
	}
	return nil
}

// jobSubject leads to what the job works for.
func (v *visit) jobSubject(j jobs.Job) Link {
	switch {
	case controlplane.ValidID(controlplane.PrefixSnapshot, j.Subject) && v.canOf(j.Customer, policy.FileRead):
		return Link{v.t("job.to_copy"), "/snapshots/" + j.Subject}
	case controlplane.ValidID(controlplane.PrefixRestore, j.Subject) && v.canOf(j.Customer, policy.RestoreRun):
		return Link{v.t("job.to_restore"), "/restores/" + j.Subject}
	case controlplane.ValidID(controlplane.PrefixCertificate, j.Subject), controlplane.ValidID(controlplane.PrefixIssue, j.Subject):
		return v.certOfJob(j.Subject)
	case controlplane.ValidID(controlplane.PrefixPlan, j.Subject):
		return Link{v.t("plan.title"), "/plans/" + j.Subject}
	case controlplane.ValidID(controlplane.PrefixRun, j.Subject) && v.can(policy.PlanRead):
		if scope, err := v.scope(policy.PlanRead); err == nil {
			if run, err := v.p.Backups.Run(v.ctx, scope, j.Subject); err == nil {
				return Link{v.t("plan.title"), "/plans/" + run.Plan}
			}
		}
	case controlplane.ValidID(controlplane.PrefixRepository, j.Subject):
		return Link{v.t("backups.key"), "/keys/" + j.Subject}
	}
	return Link{}
}

// jobKey leads from a job that failed because its server has not the right key
// to where the server is given it again.
func (v *visit) jobKey(page *Job, j jobs.Job) {
	if page.Failed == nil || !keyLost(string(jobs.CauseOf(j))) || !controlplane.ValidID(controlplane.PrefixRun, j.Subject) {
		return
	}
	scope, err := v.scope(policy.PlanRead)
	if err != nil {
		return
	}
	run, err := v.p.Backups.Run(v.ctx, scope, j.Subject)
	if err != nil {
		return
	}
	if plan, err := v.p.Backups.Plan(v.ctx, scope, run.Plan); err == nil {
		page.Failed.Link = v.keyLink(plan.Repository.ID)
	}
}

func (v *visit) jobSentence(page *Job, j jobs.Job, server string) string {
	what := page.Title
	if server != "" {
		what = v.t("job.on", "what", what, "server", server)
	}
	switch {
	case j.State == jobs.Running && page.Progress != nil && page.Progress.Percent >= 0:
		return v.t("job.say_percent", "what", what, "percent", page.Progress.Percent)
	case page.Failed != nil && page.State.Tone == ToneBad:
		return v.t("job.say_failed", "what", what, "cause", lower(page.Failed.Cause))
	}
	said := v.t("job.say", "what", what, "state", page.State.Word)
	if n := len(page.Missing); n > 0 {
		said += " " + v.t("job.say_missing", "n", n, "path", PlainName(page.Missing[0]))
	}
	return said
}

// jobCourse is the job's life, newest first.
func (v *visit) jobCourse(j jobs.Job) []Event {
	var out []Event
	add := func(e Event) {
		if !e.At.IsZero() {
			out = append(out, e)
		}
	}
	state := v.jobState(j.State)
	add(Event{At: j.FinishedAt, Tone: state.Tone, Text: capital(state.Word) + "."})
	add(Event{At: j.StartedAt, Text: v.t("job.started")})
	add(Event{At: j.AcceptedAt, Text: v.t("job.accepted")})
	add(Event{At: j.OfferedAt, Text: v.t("job.offered")})
	add(Event{At: j.CreatedAt, Text: v.t("job.created")})
	return out
}

// jobOutcome says what a backup made, and what it could not read. Staff see
// how many, the customer's people which.
func (v *visit) jobOutcome(page *Job, j jobs.Job) {
	if j.Kind != string(wire.ActionBackup) || j.State != jobs.Succeeded {
		return
	}
	var res wire.BackupResult
	if err := json.Unmarshal(j.Result, &res); err != nil {
		page.Outcome = []Pair{{Label: v.t("col.outcome"), Value: v.t("unknown")}}
		page.State = State{ToneUnknown, v.t("unknown")}
		return
	}
	page.Outcome = []Pair{{Label: v.t("col.files"), Value: v.t("job.files", "n", res.TotalFiles, "new", res.FilesNew, "changed", res.FilesChanged)},
		{Label: v.t("col.size"), Value: Bytes(res.TotalBytes)}, {Label: v.t("col.added"), Value: Bytes(res.AddedBytes)}}
	if res.Outcome == wire.BackupPartial {
		page.State = State{ToneWarn, v.t("run.partial")}
	}
	page.UnreadN = res.UnreadCount
	page.PlanHref = v.jobSubject(j).Href
	for _, m := range res.MissingPaths { // a plan's folders are no secret; files are
		page.Missing = append(page.Missing, []byte(m))
	}
	if !v.canOf(j.Customer, policy.FileRead) {
		page.Unread = nil
		return
	}
	for _, u := range res.Unread {
		page.Unread = append(page.Unread, UnreadFile{Path: []byte(u.Path), Reason: u.Reason})
	}
}

func (p *Portal) jobCancel(v *visit) error {
	scope, err := v.scope(policy.JobCancel)
	if err != nil {
		return err
	}
	if err := p.Jobs.Cancel(v.ctx, scope, v.c.Param("id")); err != nil {
		return err
	}
	return v.redirect("/jobs/"+v.c.Param("id"), "cancelled")
}
