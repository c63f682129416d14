package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"ostler/backups"
	"ostler/certs"
	"ostler/controlplane"
	"ostler/controlplane/access"
	"ostler/controlplane/incidents"
	"ostler/controlplane/policy"
)

// incidentActs does what contains an incident, with the permissions of whoever
// asks for it.
type incidentActs struct{ a *App }

// Act implements incidents.Acts. What was done before something failed is said, too.
func (x incidentActs) Act(ctx context.Context, _ policy.Scope, c incidents.Case, in incidents.NewAction) (string, []string, error) {
	switch in.Kind {
	case incidents.ActRevoke:
		return x.revoke(ctx, c, in)
	case incidents.ActLock:
		return x.lock(ctx, c, in)
	case incidents.ActRotate:
		return x.rotate(ctx, c, in)
	case incidents.ActSnapshot:
		return x.snapshot(ctx, c, in)
	}
	return "", nil, controlplane.Errorf(controlplane.CodeInvalid, "Choose another one.", "There is no such action")
}

// revoke ends one grant, or all that a person or a team has on the customers of
// the case.
func (x incidentActs) revoke(ctx context.Context, c incidents.Case, in incidents.NewAction) (string, []string, error) {
	scope, err := policy.For(ctx, policy.AccessWrite)
	if err != nil {
		return "", nil, err
	}
	why := caseWhy(c)
	switch {
	case controlplane.ValidID(controlplane.PrefixGrant, in.Target):
		if _, err := x.a.Access.Revoke(ctx, scope, in.Target, why); err != nil {
			return "", nil, err
		}
		return "Ended 1 grant.", []string{in.Target}, nil
	case controlplane.ValidID(controlplane.PrefixTeam, in.Target):
		if err := x.isTeam(ctx, scope, in.Target); err != nil {
			return "", nil, err
		}
		said, refs, err := x.endGrants(ctx, scope, c, access.GrantFilter{Team: in.Target})
		if err == nil && len(refs) == 0 {
			said = "The team had no grant for the customers of this case."
		}
		return said, refs, err
	}
	if _, err := x.a.Access.GetPerson(ctx, scope, in.Target); err != nil {
		return "", nil, err
	}
	said, refs, err := x.endGrants(ctx, scope, c, access.GrantFilter{Person: in.Target})
	if err != nil {
		return said, refs, err
	}
	if len(refs) == 0 {
		said = "They had no grant of their own for the customers of this case."
	}
	more, err := x.byTeams(ctx, scope, c, in.Target)
	return said + more, refs, err
}

// isTeam is an error unless there is such a team.
func (x incidentActs) isTeam(ctx context.Context, scope policy.Scope, id string) error {
	teams, err := x.a.Access.Teams(ctx, scope)
	if err == nil && !slices.ContainsFunc(teams, func(t access.Team) bool { return t.ID == id }) {
		err = controlplane.NotFound("team")
	}
	return err
}

// endGrants ends the grants of a filter that are for the customers of a case.
func (x incidentActs) endGrants(ctx context.Context, scope policy.Scope, c incidents.Case, f access.GrantFilter) (string, []string, error) {
	grants, err := x.grantsOf(ctx, scope, c, f)
	if err != nil {
		return "", nil, err
	}
	var refs []string
	for _, g := range grants {
		if _, err := x.a.Access.Revoke(ctx, scope, g, caseWhy(c)); err != nil {
			return fmt.Sprintf("Ended %d of %d grants.", len(refs), len(grants)), refs, err
		}
		refs = append(refs, g)
	}
	return fmt.Sprintf("Ended %s.", numbered(len(refs), "grant")), refs, nil
}

// grantsOf are the grants in force or proposed that a person, or a team, has for
// the customers of a case.
func (x incidentActs) grantsOf(ctx context.Context, scope policy.Scope, c incidents.Case, f access.GrantFilter) (ids []string, err error) {
	in := customersIn(c)
	f.States, f.Limit = []access.GrantState{access.GrantActive, access.GrantProposed}, 200
	for {
		list, next, err := x.a.Access.Grants(ctx, scope, f)
		if err != nil {
			return nil, err
		}
		for _, g := range list {
			if in[g.Customer] && g.Person == f.Person && g.Team == f.Team {
				ids = append(ids, g.ID)
			}
		}
		if f.PageToken = next; next == "" {
			return ids, nil
		}
	}
}

// byTeams says that a person still reaches customers of a case by a team.
func (x incidentActs) byTeams(ctx context.Context, scope policy.Scope, c incidents.Case, person string) (string, error) {
	teams, err := x.a.Access.Teams(ctx, scope)
	if err != nil {
		return "", err
	}
	in, n := customersIn(c), 0
	for _, t := range teams {
		if !slices.ContainsFunc(t.Members, func(m access.Member) bool { return m.Person == person }) {
			continue
		}
		f := access.GrantFilter{Team: t.ID, States: []access.GrantState{access.GrantActive}, Limit: 200}
		for {
			list, next, err := x.a.Access.Grants(ctx, scope, f)
			if err != nil {
				return "", err
			}
			for _, g := range list {
				if in[g.Customer] {
					n++
				}
			}
			if f.PageToken = next; next == "" {
				break
			}
		}
	}
	if n == 0 {
		return "", nil
	}
	return fmt.Sprintf(" They still reach customers of this case by %s of teams: lock them out to end that, or take them out of the team.", numbered(n, "grant")), nil
}

// customersIn are the customers of a case who were not shown to be none of it.
func customersIn(c incidents.Case) map[string]bool {
	in := map[string]bool{}
	for _, a := range c.Affected {
		if a.State != incidents.Cleared {
			in[a.Customer] = true
		}
	}
	return in
}

// lock takes a person off every list, and locks them out at the cluster.
func (x incidentActs) lock(ctx context.Context, c incidents.Case, in incidents.NewAction) (string, []string, error) {
	scope, err := policy.For(ctx, policy.AccessWrite)
	if err != nil {
		return "", nil, err
	}
	p, err := x.a.Access.GetPerson(ctx, scope, in.Target)
	if err != nil {
		return "", nil, err
	}
	if !p.LeftAt.IsZero() {
		return "They were locked out already.", []string{in.Target}, nil
	}
	n, err := x.a.Access.Leave(ctx, scope, in.Target, caseWhy(c))
	if err != nil {
		return "", nil, err
	}
	said := fmt.Sprintf("Taken off the lists of %s, and locked out for good.", numbered(n, "customer"))
	if x.a.cluster == nil {
		said += " No Teleport is configured here: end their sessions there by hand."
	}
	return said, []string{in.Target}, nil
}

// rotate has certificates issued anew: each has a new key. Whoever may say that
// keys are compromised does so: then the old certificates are revoked, too.
func (x incidentActs) rotate(ctx context.Context, c incidents.Case, in incidents.NewAction) (string, []string, error) {
	scope, err := policy.For(ctx, policy.CertWrite)
	if err != nil {
		return "", nil, err
	}
	ids := []string{in.Target}
	if !controlplane.ValidID(controlplane.PrefixCertificate, in.Target) {
		if ids, err = x.certificatesOf(ctx, scope, serversOf(c, in.Target)); err != nil {
			return "", nil, err
		}
	}
	_, denied := policy.For(ctx, policy.CertAdmin)
	done := each{noun: "certificate"}
	for _, id := range ids {
		if denied == nil {
			_, err = x.a.Certs.Compromised(ctx, scope, id, caseWhy(c))
		} else {
			_, err = x.a.Certs.Renew(ctx, scope, id)
		}
		done.add(id, err)
	}
	said, refs, err := done.result("New keys are being made for %s.", "There are no certificates on the servers of this case.")
	if denied != nil && len(refs) > 0 {
		said += " The old ones are not revoked: an admin can say that their keys are compromised."
	}
	return said, refs, err
}

func (x incidentActs) certificatesOf(ctx context.Context, scope policy.Scope, servers []string) (ids []string, err error) {
	for _, v := range servers {
		f := certs.Filter{Server: v, PageSize: 200}
		for {
			list, next, err := x.a.Certs.List(ctx, scope, f)
			if err != nil {
				return nil, err
			}
			for _, c := range list {
				ids = append(ids, c.ID)
			}
			if f.PageToken = next; next == "" {
				break
			}
		}
	}
	return ids, nil
}

// snapshot backs up now: a plan, or all plans of servers.
func (x incidentActs) snapshot(ctx context.Context, c incidents.Case, in incidents.NewAction) (string, []string, error) {
	scope, err := policy.For(ctx, policy.BackupRun)
	if err != nil {
		return "", nil, err
	}
	ids := []string{in.Target}
	if !controlplane.ValidID(controlplane.PrefixPlan, in.Target) {
		ids = nil
		for _, v := range serversOf(c, in.Target) {
			var plans []backups.Plan
			if plans, err = x.a.Backups.Plans(ctx, scope, v); err != nil {
				return "", nil, err
			}
			for _, p := range plans {
				ids = append(ids, p.ID)
			}
		}
	}
	done := each{noun: "backup"}
	for _, id := range ids {
		run, err := x.a.Backups.RunNow(ctx, scope, id)
		done.add(run.Job, err)
	}
	return done.result("Started %s.", "There are no backup plans on the servers of this case.")
}

// serversOf is one server, or those of the case.
func serversOf(c incidents.Case, target string) []string {
	if target != "" {
		return []string{target}
	}
	return c.Servers
}

// each is what became of doing something to several.
type each struct {
	noun   string
	refs   []string
	failed []error
}

func (e *each) add(ref string, err error) {
	switch {
	case err != nil:
		e.failed = append(e.failed, err)
	case ref != "":
		e.refs = append(e.refs, ref)
	}
}

// result says what was done, and is an error where a part of it was not.
func (e *each) result(done, none string) (string, []string, error) {
	if len(e.refs)+len(e.failed) == 0 {
		return none, nil, nil
	}
	said := ""
	if len(e.refs) > 0 {
		said = fmt.Sprintf(done, numbered(len(e.refs), e.noun))
	}
	if len(e.failed) == 0 {
		return said, e.refs, nil
	}
	var next []string
	for _, err := range e.failed {
		var x *controlplane.Error
		if !errors.As(err, &x) {
			return said, e.refs, err
		}
		if text := x.Message + ". " + x.Next; !slices.Contains(next, text) {
			next = append(next, text)
		}
	}
	return said, e.refs, controlplane.Errorf(controlplane.CodeConflict, strings.Join(next, " "), "%s failed", numbered(len(e.failed), e.noun))
}

// numbered is a number with its noun.
func numbered(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// caseWhy is why something is done, as the ledgers of customers may have it: what
// people wrote in a case is not for them.
func caseWhy(c incidents.Case) string { return "As a precaution (case " + c.Number + ")" }
