package web

import (
	"time"

	"ostler/agents"
	"ostler/controlplane/bus"
	"ostler/controlplane/findings"
	"ostler/controlplane/jobs"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// shownNeeds is how many findings a list shows before it is cut.
const shownNeeds = 25

func (p *Portal) today(v *visit) error {
	g := v.gather(findings.Filter{Grouped: true})
	r := g.roster()
	v.everywhere(g)
	g.incidents("")
	page := &Today{Page: v.page("today", v.t("today.title"), "")}
	page.Sub = v.todayCounts(g, r)
	page.LastHour = v.lastHour(g)
	page.Needs = g.needs() // last: a slice that could not be asked counts
	if n := len(page.Needs); n > shownNeeds {
		page.Needs = page.Needs[:shownNeeds]
		page.More = Link{Label: v.t("today.more", "n", n-shownNeeds)}
	}
	page.Live, page.Refresh = []string{bus.TopicFindings}, 60
	g.headline(&page.Page, r.Total)
	return v.render(page)
}

func (v *visit) todayCounts(g *facts, r agents.Roster) string {
	out := v.t("today.count", "n", r.Total) + " · " + v.t("today.silent", "n", r.Silent())
	if n := r.Missing(); n > 0 {
		out += " · " + v.t("today.never", "n", n)
	}
	scope, err := v.scope(policy.JobRead)
	if err == nil {
		var open int
		open, err = v.p.Jobs.Count(v.ctx, scope, jobs.Filter{Open: true})
		out += " · " + v.t("today.jobs", "n", open)
	}
	if err != nil {
		g.unread("slice.jobs", err)
	}
	return out
}

func (v *visit) lastHour(g *facts) []Event {
	events, _, err := v.events(ledger.Filter{Limit: 30, Since: v.now.Add(-time.Hour)})
	if err != nil {
		g.unread("slice.ledger", err)
	}
	return events
}
