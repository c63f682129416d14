package web

import (
	"slices"

	"ostler/agents"
	"ostler/certs"
	"ostler/controlplane/bus"
	"ostler/controlplane/customers"
	"ostler/controlplane/findings"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// calendarsAtHome is how many calendars the first page shows.
const calendarsAtHome = 4

func (p *Portal) home(v *visit) error {
	g := v.gather(findings.Filter{})
	servers := v.homeListed(g)
	g.servers(servers)
	names := map[string]string{}
	for _, s := range servers {
		names[s.Server] = s.Name
	}
	plans, err := v.planStates("")
	var ts []customers.Tenancy
	if err == nil {
		ts, err = v.tenancies(customers.TenancyFilter{})
	}
	if err != nil {
		g.unread("slice.backups", err)
	}
	g.tenancies(ts, plans, func(id string) string { return names[id] })
	g.certs(certs.Filter{})
	lists := g.access(v.actor.Customer)
	g.incidents("")
	page := &Home{Page: v.page("home", v.t("home.title"), ""), Servers: v.homeServers(servers, plans)}
	recent, _, err := v.events(ledger.Filter{Limit: 24})
	if err != nil {
		g.unread("slice.ledger", err)
	}
	recent = told(recent)
	page.Recent = recent[:min(len(recent), 12)]
	if page.Calendars, err = v.homeCalendars(plans, names); err != nil {
		g.unread("slice.backups", err)
	}
	if page.Asked, err = v.asked(20, true); err != nil {
		g.unread("slice.backups", err)
	}
	page.GetBack = v.getBack(plans)
	page.Access = v.accessAtHome(lists)
	page.Connected = v.connectedLine(g, v.actor.Customer, "/connected")
	page.Live, page.Refresh = []string{bus.TopicCustomer(v.actor.Customer)}, 60
	for _, s := range servers {
		page.Live = append(page.Live, bus.TopicServer(s.Server))
	}
	page.Live = page.Live[:min(len(page.Live), maxTopics)]
	page.Sub = v.t("home.measured", "when", v.moment(v.now))
	page.Needs = g.needs() // last: a slice that could not be asked counts
	g.headline(&page.Page, len(servers))
	return v.render(page)
}

// getBack is where a file is looked for, once there is a copy.
func (v *visit) getBack(plans []planState) string {
	if v.can(policy.FileRead) && slices.ContainsFunc(plans, func(p planState) bool { return p.Copy != nil }) {
		return "/find"
	}
	return ""
}

// homeListed are all servers of a customer, with their agents.
func (v *visit) homeListed(g *facts) (all []agents.Listed) {
	scope, err := v.scope(policy.ServerRead)
	for more, after := true, ""; err == nil && more; {
		var items []agents.Listed
		items, more, err = v.p.Agents.List(v.ctx, scope, agents.ListFilter{After: after, Limit: 200})
		if all = append(all, items...); more {
			after = all[len(all)-1].Name
		}
	}
	if err != nil {
		g.unread("slice.servers", err)
	}
	return all
}

func (v *visit) homeServers(servers []agents.Listed, plans []planState) []HomeServer {
	var out []HomeServer
	for _, s := range servers {
		row := HomeServer{Name: s.Name, Location: s.Location, Href: "/servers/" + s.Server, State: v.agentState(s.State)}
		if row.State.Tone == ToneGood {
			row.State.Word = v.t("home.looked_after")
		}
		var of []planState
		for _, p := range plans {
			if p.Server != s.Server {
				continue
			}
			of = append(of, p)
			at, why := v.nextRun(p.Plan)
			switch {
			case why != "" && row.Next.IsZero():
				row.NextWhy = why
			case why == "" && (row.Next.IsZero() || at.Before(row.Next)):
				row.Next = at
			}
		}
		row.Backup, row.BackupAt = v.worstBackup(of)
		out = append(out, row)
	}
	return out
}

func (v *visit) homeCalendars(plans []planState, names map[string]string) ([]PlanCalendar, error) {
	scope, err := v.scope(policy.PlanRead)
	if err != nil {
		return nil, err
	}
	var out []PlanCalendar
	for _, p := range plans[:min(len(plans), calendarsAtHome)] {
		days, err := v.p.Backups.Calendar(v.ctx, scope, p.Plan, 90)
		if err != nil {
			return nil, err
		}
		out = append(out, PlanCalendar{Title: v.t("home.backups_of", "server", planName(names[p.Server], p.Name, alone(plans, p))), Href: "/plans/" + p.ID + "/copies", Calendar: v.calendar(names[p.Server], days)})
	}
	return out, nil
}
