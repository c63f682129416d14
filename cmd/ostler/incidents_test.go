package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/access"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/identity"
	"ostler/controlplane/incidents"
	"ostler/controlplane/policy"
)

// A case's data is held by customer, once for each end; what happened on its
// servers is found; what is done about it needs the permission of whoever asks,
// and says what came of it.
func TestIncidentsAndTheRest(t *testing.T) {
	c := defaults()
	c.DataDir = t.TempDir()
	c, err := c.complete()
	must(t, err)
	a, err := OpenApp(t.Context(), c, AppOptions{})
	must(t, err)
	t.Cleanup(func() { _ = a.Close() })
	ctx := controlplane.System(t.Context(), "test")
	v, err := a.Customers.CreateServer(ctx, everyone, customers.NewServer{Name: "shared-1", Country: "DE"})
	must(t, err)
	var tenants []customers.Customer
	for _, name := range []string{"Maple", "Harbour"} {
		x, err := a.Customers.CreateCustomer(ctx, everyone, customers.NewCustomer{Name: name, Country: "DE", Zone: "Europe/Berlin"})
		must(t, err)
		_, err = a.Customers.CreateTenancy(ctx, everyone, customers.NewTenancy{Server: v.ID, Customer: x.ID, Paths: []string{"/srv/" + x.Slug}})
		must(t, err)
		tenants = append(tenants, x)
	}
	ada, err := a.Identity.AddStaff(ctx, everyone, identity.NewStaff{Name: "Ada Admin", Email: "ada@ostler.example", Role: policy.RoleAdmin})
	must(t, err)
	as := func(role policy.Role) context.Context {
		return controlplane.WithActor(t.Context(), controlplane.Actor{Kind: controlplane.ActorStaff, ID: ada.ID, Role: string(role)})
	}
	inc, err := a.Incidents.Open(as(policy.RoleAdmin), everyone, incidents.NewCase{Title: "I think we were hacked", Servers: []string{v.ID}})
	must(t, err)
	must(t, a.Jobs.Tick(ctx))
	holdsAre(t, a, tenants, 1)
	must(t, incidentHoldsAgain(ctx, a, inc.ID))
	holdsAre(t, a, tenants, 1)

	t.Run("around", func(t *testing.T) { aroundFinds(ctx, t, a, v) })
	t.Run("acts", func(t *testing.T) { actsNeedPermission(t, a, inc, as) })
	t.Run("a team", func(t *testing.T) { teamsAreRevoked(t, a, inc, tenants[0], as) })
	t.Run("a verdict", func(t *testing.T) {
		for range 2 {
			must(t, a.DB.Write(ctx, func(tx *db.Tx) error { return a.reportViolation(tx, "ssn_1", "They read mail.") }))
		}
		if list, err := a.Incidents.Reports(ctx, everyone, true); err != nil || len(list) != 1 || list[0].Subject != "ssn_1" {
			t.Errorf("got %+v, %v", list, err)
		}
	})
	t.Run("thaw", func(t *testing.T) {
		_, err := a.Incidents.Thaw(as(policy.RoleAdmin), everyone, inc.ID, "Nothing was there.")
		must(t, err)
		must(t, a.Jobs.Tick(ctx))
		for _, x := range tenants {
			list, err := a.Sessions.Holds(ctx, everyone, x.ID, false)
			if err != nil || len(list) != 1 || list[0].Asked != ada.ID {
				t.Errorf("%s: got %+v, %v; want a release that waits for a second person", x.Name, list, err)
			}
		}
	})
}

// incidentHoldsAgain asks again for what is held.
func incidentHoldsAgain(ctx context.Context, a *App, incident string) error {
	f, err := a.Incidents.FrozenOf(ctx, everyone, incident)
	if err != nil {
		return err
	}
	_, err = incidentHolds{a}.Freeze(ctx, everyone, incident, nil, f.Since, f.Until, "Again")
	return err
}

func holdsAre(t *testing.T, a *App, tenants []customers.Customer, want int) {
	t.Helper()
	for _, x := range tenants {
		list, err := a.Sessions.Holds(controlplane.System(t.Context(), "test"), everyone, x.ID, false)
		if err != nil || len(list) != want {
			t.Errorf("holds of %s: got %d, %v; want %d", x.Name, len(list), err, want)
		}
	}
}

func aroundFinds(ctx context.Context, t *testing.T, a *App, v customers.Server) {
	must(t, a.DB.Write(ctx, func(tx *db.Tx) error {
		return a.Findings.Raise(tx, findings.Finding{Key: "server.silent:" + v.ID, Server: v.ID, Kind: findings.ServerSilent, Severity: findings.Bad, Owner: findings.Ops, Args: map[string]string{"server": v.Name}, Link: "/servers/" + v.ID})
	}))
	now, err := a.DB.Now(ctx)
	must(t, err)
	list, err := incidentAround{a}.Around(ctx, everyone, []string{v.ID}, now.Add(-time.Hour), now.Add(time.Hour))
	if err != nil || len(list) != 1 || list[0].Kind != "finding" || list[0].Path != "/servers/"+v.ID || !strings.Contains(list[0].Text, v.Name) {
		t.Errorf("got %+v, %v", list, err)
	}
	if list, err = (incidentAround{a}).Around(ctx, everyone, []string{v.ID}, now.Add(-2*time.Hour), now.Add(-time.Hour)); err != nil || len(list) != 0 {
		t.Errorf("earlier: got %+v, %v", list, err)
	}
}

func actsNeedPermission(t *testing.T, a *App, inc incidents.Case, as func(policy.Role) context.Context) {
	dora, err := a.Access.AddPerson(as(policy.RoleAdmin), everyone, access.NewPerson{Kind: access.KindThirdParty, Name: "Dora Doe", Company: "Agency", Logins: []string{"dora"}})
	must(t, err)
	for _, tt := range []struct {
		name   string
		role   policy.Role
		in     incidents.NewAction
		failed bool
		want   string
	}{
		{"support may not", policy.RoleSupport, incidents.NewAction{Kind: incidents.ActSnapshot, Why: "x"}, true, "Your role does not include this"},
		{"no plans", policy.RoleOps, incidents.NewAction{Kind: incidents.ActSnapshot, Why: "x"}, false, "There are no backup plans"},
		{"no certificates", policy.RoleOps, incidents.NewAction{Kind: incidents.ActRotate, Why: "x"}, false, "There are no certificates"},
		{"no such certificate", policy.RoleAdmin, incidents.NewAction{Kind: incidents.ActRotate, Target: controlplane.NewID(controlplane.PrefixCertificate), Why: "x"}, true, "1 certificate failed"},
		{"no grants", policy.RoleOps, incidents.NewAction{Kind: incidents.ActRevoke, Target: dora.ID, Why: "x"}, false, "They had no grant"},
		{"nobody", policy.RoleOps, incidents.NewAction{Kind: incidents.ActLock, Target: controlplane.NewID(controlplane.PrefixPerson), Why: "x"}, true, "There is no such person"},
		{"lock", policy.RoleOps, incidents.NewAction{Kind: incidents.ActLock, Target: dora.ID, Why: "x"}, false, "locked out for good"},
		{"lock again", policy.RoleOps, incidents.NewAction{Kind: incidents.ActLock, Target: dora.ID, Why: "x"}, false, "already"},
	} {
		got, err := a.Incidents.Act(as(tt.role), everyone, inc.ID, tt.in)
		if err != nil || got.Failed != tt.failed || !strings.Contains(got.Result, tt.want) {
			t.Errorf("%s: got %+v, %v; want %q", tt.name, got, err, tt.want)
		}
	}
	if p, err := a.Access.GetPerson(as(policy.RoleAdmin), everyone, dora.ID); err != nil || p.LeftAt.IsZero() {
		t.Errorf("locked: got %+v, %v", p, err)
	}
}

// What a team was granted for the customers of a case is ended at once, and what
// it was granted for others is not; a service account is locked as a person is.
func teamsAreRevoked(t *testing.T, a *App, inc incidents.Case, maple customers.Customer, as func(policy.Role) context.Context) {
	ctx := as(policy.RoleAdmin)
	now, err := a.DB.Now(ctx)
	must(t, err)
	other, err := a.Customers.CreateCustomer(ctx, everyone, customers.NewCustomer{Name: "Elsewhere", Country: "DE", Zone: "Europe/Berlin"})
	must(t, err)
	jens, err := a.Access.AddPerson(ctx, everyone, access.NewPerson{Kind: access.KindContractor, Name: "Jens Holm", Company: "Night GmbH", Logins: []string{"jens"}})
	must(t, err)
	for kind, until := range map[access.PaperKind]time.Time{access.PaperConfidentiality: {}, access.PaperTraining: now.AddDate(0, 6, 0)} {
		_, err = a.Access.AddPaper(ctx, everyone, access.Paper{Person: jens.ID, Kind: kind, Version: "1", Reference: "HR 1", From: now.AddDate(0, 0, -2), Until: until})
		must(t, err)
	}
	team, err := a.Access.PutTeam(ctx, everyone, access.Team{Name: "Night shift", Members: []access.Member{{Person: jens.ID}}})
	must(t, err)
	granted := map[string]string{}
	for _, c := range []customers.Customer{maple, other} {
		g, err := a.Access.Grant(ctx, everyone, access.NewGrant{Customer: c.ID, Team: team.ID, Role: "operator", Reason: "Nights", Ticket: "OPS-1", Until: now.AddDate(0, 1, 0)})
		must(t, err)
		granted[c.ID] = g.ID
	}
	robot, err := a.Access.AddPerson(ctx, everyone, access.NewPerson{Kind: access.KindService, Name: "deploy-bot", Owner: jens.ID, Logins: []string{"deploy"}})
	must(t, err)
	for _, tt := range []struct {
		name   string
		in     incidents.NewAction
		failed bool
		want   string
	}{
		{"a team", incidents.NewAction{Kind: incidents.ActRevoke, Target: team.ID, Why: "x"}, false, "Ended 1 grant."},
		{"a team again", incidents.NewAction{Kind: incidents.ActRevoke, Target: team.ID, Why: "x"}, false, "The team had no grant"},
		{"no such team", incidents.NewAction{Kind: incidents.ActRevoke, Target: controlplane.NewID(controlplane.PrefixTeam), Why: "x"}, true, "There is no such team"},
		{"a service account", incidents.NewAction{Kind: incidents.ActLock, Target: robot.ID, Why: "x"}, false, "locked out for good"},
	} {
		got, err := a.Incidents.Act(ctx, everyone, inc.ID, tt.in)
		if err != nil || got.Failed != tt.failed || !strings.Contains(got.Result, tt.want) {
			t.Errorf("%s: got %+v, %v; want %q", tt.name, got, err, tt.want)
		}
	}
	list, _, err := a.Access.Grants(ctx, everyone, access.GrantFilter{Team: team.ID, States: []access.GrantState{access.GrantActive, access.GrantProposed}})
	if err != nil || len(list) != 1 || list[0].ID != granted[other.ID] {
		t.Errorf("left: got %+v, %v; want the one elsewhere", list, err)
	}
}
