package web

import (
	"slices"

	"ostler/controlplane/access"
	"ostler/controlplane/policy"
)

// keep leaves the open facts that ok admits.
func (g *facts) keep(ok func(opened) bool) {
	g.open = slices.DeleteFunc(g.open, func(o opened) bool { return !ok(o) })
}

// summaries adds what is open about lists that no finding says already.
func (g *facts) summaries(items []access.Summary) {
	said := map[string]bool{}
	for _, o := range g.open {
		if o.finding != nil && family(o.finding.Kind) == "access" {
			said[o.customer] = true
		}
	}
	for _, s := range items {
		kind, why := OpenKind(""), ""
		switch {
		case s.Differences > 0 && !said[s.Customer]:
			kind, why = OpenAccess, g.v.t("need.access_differs")
		case s.NoticeLate && !said[s.Customer]:
			kind, why = OpenTold, g.v.t("need.access_late")
		case s.Unattested && s.Persons > 0 && !said[""] && !said[s.Customer]:
			kind, why = OpenUnconfirmed, g.v.t("need.access_unattested")
		default:
			continue
		}
		name := g.v.t("access.list_of", "name", s.Name)
		if !g.v.staff() {
			name = g.v.t("access.your_list")
		}
		g.add(opened{OpenFact: OpenFact{Kind: kind, What: name, Mine: g.v.staff()}, customer: s.Customer, cause: why, action: Link{g.v.t("access.open_list"), g.v.ofCustomer("/access", s.Customer)}})
	}
}

// access adds what is open about who can reach servers: of one customer, or of
// all that the reader sees. It returns the lines it saw.
func (g *facts) access(customer string) (items []access.Summary) {
	if g.v.p.Access == nil || !g.v.can(policy.AccessRead) {
		return nil
	}
	scope, err := g.v.scope(policy.AccessRead)
	for token, pages := "", 0; err == nil && pages < 10; pages++ {
		var some []access.Summary
		some, token, err = g.v.p.Access.Summaries(g.v.ctx, scope, 200, token)
		for _, s := range some {
			if customer == "" || s.Customer == customer {
				items = append(items, s)
			}
		}
		if token == "" {
			break
		}
	}
	if err != nil {
		g.unread("slice.access", err)
		return nil
	}
	g.summaries(items)
	return items
}

// accessAtHome is the first page's sentence about who can reach the servers.
func (v *visit) accessAtHome(items []access.Summary) Link {
	i := slices.IndexFunc(items, func(s access.Summary) bool { return s.Customer == v.actor.Customer })
	if i < 0 {
		return Link{}
	}
	s := items[i]
	said := v.t("access.say", "n", s.Persons, "number", capital(v.p.tx.Number(s.Persons)))
	if !s.ChangedAt.IsZero() {
		said = trimDot(said) + "; " + v.t("access.last_changed", "changed", v.dayOf(s.ChangedAt))
	}
	said += v.unnamedToo(s.Unnamed, true)
	if s.Unattested {
		said += " " + v.t("access.open_unattested")
	}
	return Link{said, "/access"}
}
