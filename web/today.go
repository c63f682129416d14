package web

import (
	"time"

	"ostler/agents"
	"ostler/controlplane/bus"
	"ostler/controlplane/customers"
	"ostler/controlplane/findings"
	"ostler/controlplane/jobs"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// shownNeeds is how many findings a list shows before it is cut.
const shownNeeds = 25

func (p *Portal) today(v *visit) error {
	g := v.gather(findings.Filter{Grouped: true})
	servers, status := v.allServers(g)
	g.servers(servers, status)
	v.everywhere(g, servers)
	page := &Today{Page: v.page("today", v.t("today.title"), "")}
	page.Sub = v.todayCounts(g, servers, status)
	page.LastHour = v.lastHour(g)
	page.Needs = g.needs() // last: a slice that could not be asked counts
	if n := len(page.Needs); n > shownNeeds {
		page.Needs = page.Needs[:shownNeeds]
		page.More = Link{Label: v.t("today.more", "n", n-shownNeeds)}
	}
	page.Live, page.Refresh = []string{bus.TopicFindings}, 60
	g.headline(&page.Page, len(servers))
	return v.render(page)
}

// allServers returns every server that is looked after, with its agent.
func (v *visit) allServers(g *facts) ([]customers.Server, map[string]agents.Status) {
	scope, err := v.scope(policy.ServerRead)
	var all []customers.Server
	var ids []string
	for token := ""; err == nil; {
		var items []customers.Server
		items, token, err = v.p.Customers.ListServers(v.ctx, scope, customers.ServerFilter{Limit: 200, PageToken: token, Short: true})
		for _, s := range items {
			if s.State != customers.ServerRetired {
				all, ids = append(all, s), append(ids, s.ID)
			}
		}
		if token == "" {
			break
		}
	}
	if err != nil {
		g.unread("slice.servers", err)
		return all, nil
	}
	status, err := v.p.Agents.Statuses(v.ctx, scope, ids)
	if err != nil {
		g.unread("slice.agents", err)
	}
	return all, status
}

func (v *visit) todayCounts(g *facts, servers []customers.Server, status map[string]agents.Status) string {
	silent, missing := 0, 0
	for _, s := range servers {
		switch status[s.ID].State {
		case agents.Connected, agents.Disconnected:
		case agents.Silent, agents.Frozen:
			silent++
		default:
			missing++
		}
	}
	out := v.t("today.count", "n", len(servers)) + " · " + v.t("today.silent", "n", silent)
	if missing > 0 {
		out += " · " + v.t("today.never", "n", missing)
	}
	scope, err := v.scope(policy.JobRead)
	if err == nil {
		var open []jobs.Job
		open, _, err = v.p.Jobs.List(v.ctx, scope, jobs.Filter{Open: true, Limit: 200})
		out += " · " + v.t("today.jobs", "n", len(open))
	}
	if err != nil {
		g.unread("slice.jobs", err)
	}
	return out
}

func (v *visit) lastHour(g *facts) []Event {
	events, _, err := v.events(ledger.Filter{Limit: 30})
	if err != nil {
		g.unread("slice.ledger", err)
	}
	for i, e := range events {
		if v.now.Sub(e.At) > time.Hour {
			return events[:i]
		}
	}
	return events
}
