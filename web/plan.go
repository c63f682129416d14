package web

import (
	"strings"

	"ostler/backups"
	"ostler/controlplane/bus"
	"ostler/controlplane/customers"
	"ostler/controlplane/findings"
	"ostler/controlplane/policy"
)

func (p *Portal) plan(v *visit) error {
	scope, err := v.scope(policy.PlanRead)
	if err != nil {
		return err
	}
	plan, err := p.Backups.Plan(v.ctx, scope, v.c.Param("id"))
	if err != nil {
		return err
	}
	ps, err := v.fill(plan)
	if err != nil {
		return err
	}
	runs, err := p.Backups.Runs(v.ctx, scope, plan.ID, v.now.AddDate(0, 0, -35), 14)
	if err != nil {
		return err
	}
	days, err := p.Backups.Calendar(v.ctx, scope, plan, 90)
	if err != nil {
		return err
	}
	server := v.serverName(plan.Server)
	g := v.gather(findings.Filter{Subject: plan.ID})
	g.plans([]planState{ps}, func(string) string { return server })
	g.incidentsOn(server)
	page := &Plan{Page: v.page("backups", v.t("plan.title"), ""), Needs: g.needs(), Strip: v.planStrip(ps), Paths: plan.Paths, Excludes: plan.Excludes,
		Schedule: v.schedule(plan.Cron, plan.Zone), Cron: plan.Cron, ZoneName: plan.Zone, Next: plan.NextRuns, Paused: !plan.Enabled,
		Calendar: v.calendar(server, days), Runs: v.runRows(runs)}
	if _, why := v.nextRun(plan); plan.Enabled && why != "" {
		page.Waits, page.Next = capital(why)+".", nil
	}
	state, err := p.Backups.CatalogueOf(v.ctx, scope, plan.ID)
	if err != nil {
		return err
	}
	page.Names = v.namesList(state)
	v.planHead(page, ps, server, g)
	return v.render(page)
}

// planHead writes a plan's sentence, the way back and what can be done.
func (v *visit) planHead(page *Plan, ps planState, server string, g *facts) {
	self := "/plans/" + ps.ID
	page.Live, page.Refresh = []string{bus.TopicServer(ps.Server)}, 30
	page.Crumbs = []Link{{v.t("backups.title"), "/backups"}}
	if v.staff() {
		page.Nav, page.Crumbs = "servers", []Link{{v.t("servers.title"), "/servers"}, {server, "/servers/" + ps.Server}}
	}
	page.Sub = ps.Name
	if v.can(policy.BackupRun) && ps.Repository.State == backups.RepositoryReady {
		page.RunHref = self + "/run"
	}
	if v.can(policy.PlanWrite) {
		page.EditHref = self + "/edit"
	}
	if state, key := v.keyState(ps.Repository); state.Tone == ToneWarn && (v.can(policy.KeyConfirm) || v.staff()) {
		page.KeyHref, page.KeyAction = key.Href, key.Label
	}
	if v.can(policy.SnapshotRead) {
		page.More = self + "/copies"
	}
	if len(g.open) > 0 {
		g.headline(&page.Page, 1)
		return
	}
	page.Say, page.Tone = v.t("plan.say", "server", server, "schedule", lower(page.Schedule)), ToneGood
	if page.Paused {
		page.Say, page.Tone = v.t("plan.say_paused", "server", server), ToneUnknown
	}
}

func (v *visit) planStrip(ps planState) []Fact {
	state, at := v.planState(ps)
	key, link := v.keyState(ps.Repository)
	if !v.can(policy.KeyConfirm) && !v.staff() {
		link = Link{}
	}
	keyFact := Fact{Label: v.t("backups.key"), State: key, At: ps.Repository.ConfirmedAt, Link: link}
	copyFact := Fact{Label: v.t("backups.newest"), State: State{ToneUnknown, v.t("backup.none_yet")}}
	if ps.Copy != nil {
		copyFact.State, copyFact.At, copyFact.Note = v.runState(ps.Copy.Outcome), ps.Copy.ArrivedAt, v.t("strip.copy", "n", ps.Copy.Files, "size", Bytes(ps.Copy.Bytes))
		if v.canOf(ps.Copy.Customer, policy.FileRead) {
			copyFact.Link = Link{v.t("backups.browse"), "/snapshots/" + ps.Copy.ID}
		}
	}
	return []Fact{{Label: v.t("strip.latest"), State: state, At: at}, copyFact, keyFact}
}

func (v *visit) runRows(runs []backups.Run) []RunRow {
	var out []RunRow
	for _, r := range runs {
		row := RunRow{At: r.DueAt, State: v.runState(r.State), Took: r.Duration, Files: r.Files, Bytes: r.Bytes, Added: r.AddedBytes}
		if r.Job != "" {
			row.Job = "/jobs/" + r.Job
		}
		if r.Snapshot != "" {
			row.Snapshot = "/snapshots/" + r.Snapshot
		}
		switch {
		case r.State == backups.RunPartial:
			row.Note = v.t("run.left_out", "n", r.UnreadCount)
		case r.FailureCause != "":
			row.Note = causeText(r.FailureCause)
		}
		out = append(out, row)
	}
	return out
}

func (p *Portal) planRun(v *visit) error {
	scope, err := v.scope(policy.BackupRun)
	if err != nil {
		return err
	}
	run, err := p.Backups.RunNow(v.ctx, scope, v.c.Param("id"))
	if err != nil {
		return err
	}
	return v.redirect("/jobs/"+run.Job, "run")
}

// planForm is what a person entered about a plan.
func (v *visit) planForm(page *PlanEdit) backups.PlanInput {
	page.Name, page.Paths, page.Excludes = strings.TrimSpace(v.c.FormValue("name")), v.c.FormValue("paths"), v.c.FormValue("excludes")
	page.Cron, page.ZoneName = strings.TrimSpace(v.c.FormValue("cron")), strings.TrimSpace(v.c.FormValue("zone"))
	page.Escrow, page.Enabled = v.c.FormValue("custody") == string(backups.CustodyEscrow), v.c.FormValue("enabled") != ""
	in := backups.PlanInput{Name: page.Name, Paths: lines(page.Paths), Excludes: lines(page.Excludes), Cron: page.Cron, Zone: page.ZoneName, CatchUp: true}
	if page.IsNew {
		in.Custody = backups.Custody(v.c.FormValue("custody"))
	}
	return in
}

func (p *Portal) planNewPage(v *visit) (*PlanEdit, customers.Tenancy, error) {
	scope, err := v.scope(policy.PlanWrite)
	if err != nil {
		return nil, customers.Tenancy{}, err
	}
	t, err := p.Customers.GetTenancy(v.ctx, scope, v.c.Param("id"))
	if err != nil {
		return nil, t, err
	}
	server := v.serverName(t.Server)
	page := &PlanEdit{Page: v.page("servers", v.t("planedit.title"), v.t("planedit.say", "server", server)), Action: "/tenancies/" + t.ID + "/plan", IsNew: true, Bounds: t.Paths,
		Name: v.t("planedit.default_name"), Paths: strings.Join(t.Paths, "\n"), Cron: "15 2 * * *", ZoneName: v.zone.String()}
	page.Crumbs = []Link{{server, "/servers/" + t.Server}}
	return page, t, nil
}

func (p *Portal) planNew(v *visit) error {
	page, _, err := p.planNewPage(v)
	if err != nil {
		return err
	}
	return v.render(page)
}

func (p *Portal) planCreate(v *visit) error {
	page, t, err := p.planNewPage(v)
	if err != nil {
		return err
	}
	scope, err := v.scope(policy.PlanWrite)
	if err != nil {
		return err
	}
	in := v.planForm(page)
	in.Tenancy = t.ID
	plan, err := p.Backups.CreatePlan(v.ctx, scope, in)
	if err != nil {
		return v.invalid(page, err)
	}
	return v.redirect("/plans/"+plan.ID, "created")
}

func (p *Portal) planEditPage(v *visit) (*PlanEdit, backups.Plan, error) {
	scope, err := v.scope(policy.PlanWrite)
	if err != nil {
		return nil, backups.Plan{}, err
	}
	plan, err := p.Backups.Plan(v.ctx, scope, v.c.Param("id"))
	if err != nil {
		return nil, plan, err
	}
	t, err := p.Customers.GetTenancy(v.ctx, scope, plan.Tenancy)
	if err != nil {
		return nil, plan, err
	}
	page := &PlanEdit{Page: v.page("servers", v.t("planedit.title"), v.t("planedit.say", "server", v.serverName(plan.Server))), Action: "/plans/" + plan.ID, Bounds: t.Paths, Name: plan.Name,
		Paths: strings.Join(plan.Paths, "\n"), Excludes: strings.Join(plan.Excludes, "\n"), Cron: plan.Cron, ZoneName: plan.Zone, Enabled: plan.Enabled}
	page.Crumbs = []Link{{v.t("plan.title"), "/plans/" + plan.ID}}
	return page, plan, nil
}

func (p *Portal) planEdit(v *visit) error {
	page, _, err := p.planEditPage(v)
	if err != nil {
		return err
	}
	return v.render(page)
}

func (p *Portal) planSave(v *visit) error {
	page, plan, err := p.planEditPage(v)
	if err != nil {
		return err
	}
	scope, err := v.scope(policy.PlanWrite)
	if err != nil {
		return err
	}
	in := v.planForm(page)
	in.Tenancy, in.Jitter, in.CatchUp = plan.Tenancy, plan.Jitter, plan.CatchUp
	if _, err := p.Backups.UpdatePlan(v.ctx, scope, plan.ID, in, page.Enabled); err != nil {
		return v.invalid(page, err)
	}
	return v.redirect("/plans/"+plan.ID, "saved")
}
