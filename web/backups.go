package web

import (
	"ostler/controlplane/bus"
	"ostler/controlplane/customers"
	"ostler/controlplane/findings"
	"ostler/controlplane/policy"
)

// backups is all plans of a customer, each with its newest restorable copy.
func (p *Portal) backups(v *visit) error {
	plans, err := v.planStates("")
	if err != nil {
		return err
	}
	ts, err := v.tenancies(customers.TenancyFilter{})
	if err != nil {
		return err
	}
	names, err := v.planServers(plans, ts)
	if err != nil {
		return err
	}
	page := &Backups{Page: v.page("backups", v.t("backups.title"), "")}
	for _, ps := range plans {
		row, err := v.backupPlan(ps, planName(names[ps.Server], ps.Name, alone(plans, ps)))
		if err != nil {
			return err
		}
		page.Plans = append(page.Plans, row)
	}
	if page.Asked, err = v.asked(20, false); err != nil {
		return err
	}
	g := v.gather(findings.Filter{})
	g.incidents("")
	g.tenancies(ts, plans, func(id string) string { return names[id] })
	page.Live, page.Refresh = []string{bus.TopicCustomer(v.actor.Customer)}, 60
	switch {
	case len(plans) == 0:
		page.Say, page.Tone = v.t("backups.none"), ToneUnknown
	case len(g.open) > 0:
		g.headline(&page.Page, len(plans))
	default:
		page.Say, page.Tone = v.t("backups.well", "n", len(plans)), ToneGood
	}
	return v.render(page)
}

// planServers are the names of the servers of plans and tenancies.
func (v *visit) planServers(plans []planState, ts []customers.Tenancy) (map[string]string, error) {
	ids := map[string]bool{}
	for _, t := range ts {
		ids[t.Server] = true
	}
	for _, p := range plans {
		ids[p.Server] = true
	}
	servers, err := v.servers(keysOf(ids))
	if err != nil {
		return nil, err
	}
	names := map[string]string{}
	for id, s := range servers {
		names[id] = s.Name
	}
	return names, nil
}

func (v *visit) backupPlan(ps planState, name string) (BackupPlan, error) {
	scope, err := v.scope(policy.PlanRead)
	if err != nil {
		return BackupPlan{}, err
	}
	days, err := v.p.Backups.Calendar(v.ctx, scope, ps.Plan, 90)
	if err != nil {
		return BackupPlan{}, err
	}
	row := BackupPlan{Server: name, Href: "/plans/" + ps.ID + "/copies", Schedule: v.schedule(ps.Cron, ps.Zone), Calendar: v.calendar(name, days)}
	row.State, _ = v.planState(ps)
	if ps.Copy != nil {
		row.Newest, row.NewestState = ps.Copy.ArrivedAt, v.runState(ps.Copy.Outcome)
		if v.can(policy.FileRead) {
			row.NewestHref = "/snapshots/" + ps.Copy.ID
		}
	}
	row.Next, row.NextWhy = v.nextRun(ps.Plan)
	key, link := v.keyState(ps.Repository)
	row.Key = key
	if v.can(policy.KeyConfirm) {
		row.KeyHref, row.KeyAction = link.Href, link.Label
	}
	return row, nil
}
