package web

import (
	"slices"

	"ostler/controlplane/policy"
)

// incidents adds that an incident is open which touches what a reader has: of
// all that they see, or of one customer of ours.
func (g *facts) incidents(customer string) { g.incident(customer, "") }

// incidentsOn adds that an incident is open which touches a server.
func (g *facts) incidentsOn(name string) { g.incident("", name) }

func (g *facts) incident(customer, server string) {
	v := g.v
	if v.p.Incidents == nil || !v.can(policy.IncidentRead) {
		return
	}
	scope, err := v.scope(policy.IncidentRead)
	if err == nil && customer != "" && v.staff() {
		scope = policy.OneCustomer(customer)
	}
	var servers []string
	n := 0
	if err == nil {
		servers, n, err = v.p.Incidents.Concerns(v.ctx, scope)
	}
	switch {
	case err != nil:
		g.unread("slice.incidents", err)
		return
	case n == 0 || server != "" && !slices.Contains(servers, server):
		return
	case server != "":
		servers = []string{server}
	}
	o := opened{OpenFact: OpenFact{Kind: OpenIncident, What: v.concerned(servers), Mine: v.staff()}, customer: customer, action: Link{v.t("inc.own_title"), "/notices"}}
	if v.staff() {
		o.action = Link{v.t("inc.title"), "/incidents"}
	}
	g.add(o)
}
