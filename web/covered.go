package web

import (
	"slices"

	"ostler/backups"
	"ostler/certs"
	"ostler/controlplane/customers"
	"ostler/controlplane/findings"
	"ostler/controlplane/policy"
)

// planState is a plan with what came of it.
type planState struct {
	backups.Plan
	Latest backups.Run       // newest run that is over; zero where there is none
	Copy   *backups.Snapshot // newest copy; nil where there is none
}

// backupKinds are the findings that say how a plan's backups stand.
var backupKinds = []string{findings.BackupMissed, findings.BackupFailed, findings.BackupPartial, findings.StoreUnreachable, findings.StoreFull, findings.StoreRefused,
	findings.RepositoryDamaged, findings.RepositoryPassword}

// plans adds what is open about plans; name is a server's.
func (g *facts) plans(plans []planState, name func(server string) string) {
	for _, p := range plans {
		kind := Covered{Repository: p.Repository.State, Latest: p.Latest.State, Copy: p.Copy != nil}.Open()
		if kind == "" {
			continue
		}
		o := opened{OpenFact: OpenFact{Kind: kind, What: name(p.Server), Mine: g.v.staff()}, customer: p.Customer, server: p.Server, action: Link{g.v.t("plan.open"), "/plans/" + p.ID}}
		switch {
		case kind == OpenKey:
			_, key := g.v.keyState(p.Repository)
			o.Mine, o.cause, o.action = !g.v.staff() && g.v.can(policy.KeyConfirm), g.v.t("need.key"), Link{}
			if g.v.can(policy.KeyConfirm) || g.v.staff() {
				o.action = key
			}
			g.say(o, []string{findings.KeyUnconfirmed}, p.Repository.ID, p.ID)
			continue
		case kind == OpenFailed && p.Repository.State == backups.RepositoryFailed:
			o.cause = g.v.t("need.unmade")
		case kind == OpenNoBackup && p.Repository.State != backups.RepositoryReady:
			o.cause = g.v.t("need.preparing")
		case kind == OpenNoBackup:
			o.cause = g.v.t("need.no_backup")
		}
		g.say(o, backupKinds, p.ID, p.Repository.ID)
	}
}

// tenancies adds what is open about the backups of all who live somewhere:
// their plans, and that there is none.
func (g *facts) tenancies(ts []customers.Tenancy, plans []planState, name func(server string) string) {
	planned := map[string]bool{}
	for _, p := range plans {
		planned[p.Tenancy] = true
	}
	g.plans(plans, name)
	for _, t := range ts {
		if planned[t.ID] {
			continue
		}
		o := opened{OpenFact: OpenFact{Kind: Covered{}.Open(), What: name(t.Server), Mine: g.v.staff() || g.v.can(policy.PlanWrite)}, customer: t.Customer, server: t.Server, cause: g.v.t("need.no_plan")}
		if g.v.can(policy.PlanWrite) {
			o.action = Link{g.v.t("plan.new"), "/tenancies/" + t.ID + "/plan"}
		}
		g.add(o)
	}
}

// everywhere adds what is open about the certificates, the access lists and the backups of all
// tenancies that the reader sees, by few questions: how runs ended is for
// findings to say.
func (v *visit) everywhere(g *facts) {
	g.certs(certs.Filter{})
	g.access("")
	scope, err := v.scope(policy.PlanRead)
	var open []backups.Plan
	var unplanned []customers.Tenancy
	if err == nil {
		open, unplanned, err = v.p.Backups.Uncovered(v.ctx, scope)
	}
	plans, on := make([]planState, 0, len(open)), map[string]bool{}
	for _, p := range open {
		plans, on[p.Server] = append(plans, planState{Plan: p}), true
	}
	for _, t := range unplanned {
		on[t.Server] = true
	}
	var names map[string]string
	if err == nil {
		names, err = v.serverNames(keysOf(on))
	}
	if err != nil {
		g.unread("slice.backups", err)
		return
	}
	g.tenancies(unplanned, plans, func(id string) string { return names[id] })
}

// fewNames is how many servers are asked for by id at once: a statement of
// very many values takes longer than its rows.
const fewNames = 64

// serverNames are servers' names by id.
func (v *visit) serverNames(ids []string) (map[string]string, error) {
	names := map[string]string{}
	if !v.can(policy.ServerRead) { // an auditor reads what the cluster calls them
		return names, nil
	}
	for part := range slices.Chunk(ids, fewNames) {
		servers, err := v.servers(part)
		if err != nil {
			return nil, err
		}
		for id, s := range servers {
			names[id] = s.Name
		}
	}
	return names, nil
}

// tenancies are who lives where now, as far as the reader sees.
func (v *visit) tenancies(f customers.TenancyFilter) ([]customers.Tenancy, error) {
	scope, err := v.scope(policy.ServerRead)
	if err != nil {
		return nil, err
	}
	return v.p.Customers.Tenancies(v.ctx, scope, f)
}

// latestCopy is a plan's newest copy, nil where there is none.
func (v *visit) latestCopy(scope policy.Scope, plan string) (*backups.Snapshot, error) {
	snaps, _, err := v.p.Backups.Snapshots(v.ctx, scope, backups.SnapshotFilter{Plan: plan, Limit: 1})
	if err != nil || len(snaps) == 0 {
		return nil, err
	}
	return &snaps[0], nil
}
