package web

import (
	"strings"

	"ostler/certs"
	"ostler/controlplane"
	"ostler/controlplane/access"
	"ostler/controlplane/incidents"
	"ostler/controlplane/policy"
)

// everyServer is the choice of all servers of a case, where nothing chosen is none.
const everyServer = "every"

// actTargets are what an action can be done to; nil asks for nothing.
func (v *visit) actTargets(c incidents.Case, kind incidents.ActionKind) ([]Choice, error) {
	out := []Choice{{Value: "", Label: v.t("inc.act_choose_one")}}
	switch kind {
	case incidents.ActLock:
		if v.p.Access == nil {
			return out, nil
		}
		people, err := v.reachChoices()
		return append(out, people...), err
	case incidents.ActRevoke:
		if v.p.Access == nil {
			return out, nil
		}
		return v.revokeChoices(c, out)
	case incidents.ActSnapshot:
		on, err := v.servers(c.Servers)
		if err != nil {
			return nil, err
		}
		out[0].Label = v.t("inc.act_every_server")
		for _, id := range c.Servers {
			out = append(out, Choice{Value: id, Label: on[id].Name})
		}
		return out, nil
	case incidents.ActRotate:
		return v.keyChoices(c, out)
	}
	return nil, nil
}

// reachChoices are persons and service accounts that are not out yet.
func (v *visit) reachChoices() (out []Choice, err error) {
	scope, err := v.scope(policy.AccessRead)
	if err != nil {
		return nil, err
	}
	people, err := v.p.Access.People(v.ctx, scope)
	if err != nil {
		return nil, err
	}
	var accounts []Choice
	for _, x := range people {
		switch {
		case !x.LeftAt.IsZero():
		case x.Kind == access.KindService:
			accounts = append(accounts, Choice{Value: x.ID, Label: v.t("inc.act_account", "name", plain(x.Name))})
		default:
			out = append(out, Choice{Value: x.ID, Label: join(plain(x.Name), plain(x.Company))})
		}
	}
	return append(out, accounts...), nil
}

// revokeChoices are whose access can be ended: persons and service accounts,
// teams, and single grants for the customers of the case.
func (v *visit) revokeChoices(c incidents.Case, out []Choice) ([]Choice, error) {
	people, err := v.reachChoices()
	if err != nil {
		return nil, err
	}
	scope, err := v.scope(policy.AccessRead)
	if err != nil {
		return nil, err
	}
	teams, err := v.p.Access.Teams(v.ctx, scope)
	if err != nil {
		return nil, err
	}
	out = append(out, people...)
	for _, t := range teams {
		out = append(out, Choice{Value: t.ID, Label: v.t("inc.act_team", "name", plain(t.Name))})
	}
	names, err := v.namesOfCustomers(customersIn(c))
	if err != nil {
		return nil, err
	}
	for _, a := range c.Affected {
		if a.State == incidents.Cleared || len(out) >= ticksUpTo*5 {
			continue
		}
		grants, _, err := v.p.Access.Grants(v.ctx, scope, access.GrantFilter{Customer: a.Customer, States: []access.GrantState{access.GrantActive, access.GrantProposed}, Limit: 200})
		if err != nil {
			return nil, err
		}
		for _, g := range grants {
			out = append(out, Choice{Value: g.ID, Label: v.t("inc.act_grant", "name", plain(g.Who), "role", plain(g.Role), "customer", orWord(names[g.Customer], a.Name))})
		}
	}
	return out, nil
}

// keyChoices are whose keys can be made anew: of every certificate of the case, of
// one server, or of one certificate.
func (v *visit) keyChoices(c incidents.Case, out []Choice) ([]Choice, error) {
	scope, err := v.scope(policy.CertRead)
	if err != nil {
		return nil, err
	}
	on, err := v.servers(c.Servers)
	if err != nil {
		return nil, err
	}
	var servers, one []Choice
	for _, id := range c.Servers {
		items, _, err := v.p.Certs.List(v.ctx, scope, certs.Filter{Server: id, PageSize: 200})
		if err != nil {
			return nil, err
		}
		if len(items) > 0 {
			servers = append(servers, Choice{Value: id, Label: v.t("inc.act_keys_of", "server", on[id].Name)})
		}
		for _, x := range items {
			one = append(one, Choice{Value: x.ID, Label: join(strings.Join(x.Names[:min(len(x.Names), 3)], ", "), on[id].Name)})
		}
	}
	if len(servers) > 1 {
		out = append(out, Choice{Value: everyServer, Label: v.t("inc.act_every_key")})
	}
	return append(append(out, servers...), one...), nil
}

// targetName is what something was done to, in a word; its id where it has none.
func (v *visit) targetName(id string) string {
	switch {
	case controlplane.ValidID(controlplane.PrefixServer, id):
		return v.serverName(id)
	case v.p.Access == nil:
		return id
	case controlplane.ValidID(controlplane.PrefixPerson, id):
		if scope, err := v.scope(policy.AccessRead); err == nil {
			people, _ := v.p.Access.People(v.ctx, scope) // what cannot be read has its id
			for _, x := range people {
				if x.ID == id {
					return plain(x.Name)
				}
			}
		}
	case controlplane.ValidID(controlplane.PrefixTeam, id):
		if scope, err := v.scope(policy.AccessRead); err == nil {
			teams, _ := v.p.Access.Teams(v.ctx, scope)
			for _, x := range teams {
				if x.ID == id {
					return v.t("inc.act_team", "name", plain(x.Name))
				}
			}
		}
	}
	return id
}
