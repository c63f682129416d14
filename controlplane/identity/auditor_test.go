package identity_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/identity"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

func TestAuditorIsLetInForATime(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		c, other := f.customer(t, "Maple"), f.customer(t, "Harbour")
		owner := f.owner(t, c, "owner@maple.example")
		in := identity.NewAuditor{Customer: c.ID, Name: "Aud Itor", Email: "aud@audit.example", Until: f.clock.Now().Add(7 * 24 * time.Hour)}
		for name, bad := range map[string]func(*identity.NewAuditor){
			"no end":      func(n *identity.NewAuditor) { n.Until = time.Time{} },
			"half a year": func(n *identity.NewAuditor) { n.Until = f.clock.Now().Add(180 * 24 * time.Hour) },
			"no address":  func(n *identity.NewAuditor) { n.Email = "aud" },
		} {
			broken := in
			bad(&broken)
			if _, err := f.AddAuditor(f.sys, f.all, broken); controlplane.ErrorCode(err) != controlplane.CodeInvalid {
				t.Errorf("%s: %v, want invalid", name, err)
			}
		}
		if _, err := f.AddAuditor(owner.ctx, policy.OneCustomer(c.ID), in); controlplane.ErrorCode(err) != controlplane.CodeForbidden {
			t.Errorf("an owner lets an auditor in: %v, want forbidden", err)
		}
		p, err := f.AddAuditor(f.sys, f.all, in)
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.Invite(owner.ctx, policy.OneCustomer(c.ID), p.ID)
		wantCode(t, err, controlplane.CodeNotFound) // the owner must not take the auditor's sign-in over
		link, err := f.Invite(f.sys, f.all, p.ID)
		if err != nil {
			t.Fatal(err)
		}
		a := f.accept(t, link)
		actor, _, err := f.Authenticate(t.Context(), a.first.Secret)
		if err != nil || actor.Kind != controlplane.ActorAuditor || actor.Customer != c.ID {
			t.Fatalf("actor %+v, %v", actor, err)
		}
		if !policy.Can(actor, policy.LedgerRead) || policy.Can(actor, policy.FileRead) || policy.Can(actor, policy.PlanRead) {
			t.Error("an auditor may read the ledger, and neither files nor plans")
		}
		if s := policy.ScopeOf(actor); s.All() || !s.Allows(c.ID) || s.Allows(other.ID) {
			t.Errorf("scope %+v, want the one customer's", s)
		}
		f.signIn(t, a, home) // by password and code, as everybody
		f.clock.Advance(7 * 24 * time.Hour)
		_, _, err = f.Authenticate(t.Context(), a.first.Secret)
		wantCode(t, err, controlplane.CodeUnauthorized)
		if _, err := f.password("aud@audit.example", goodPassword, home); err == nil {
			t.Error("the password is good after the auditor's time")
		}
	})
}

func TestEndAuditor(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		c := f.customer(t, "Maple")
		p, err := f.AddAuditor(f.sys, f.all, identity.NewAuditor{Customer: "maple", Name: "Aud Itor", Email: "aud@audit.example", Until: f.clock.Now().Add(time.Hour)})
		if err != nil || p.Customer != c.ID {
			t.Fatal(p, err)
		}
		link, err := f.Invite(f.sys, f.all, p.ID)
		if err != nil {
			t.Fatal(err)
		}
		a := f.accept(t, link)
		if err := f.EndAuditor(f.sys, f.all, p.ID); err != nil {
			t.Fatal(err)
		}
		_, _, err = f.Authenticate(t.Context(), a.first.Secret)
		wantCode(t, err, controlplane.CodeUnauthorized)
	})
}

func TestAuditorsAreListed(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		c, other := f.customer(t, "Maple"), f.customer(t, "Harbour")
		owner := f.owner(t, c, "owner@maple.example")
		add := func(customer, name string, life time.Duration) identity.Person {
			p, err := f.AddAuditor(f.sys, f.all, identity.NewAuditor{Customer: customer, Name: name, Email: "aud@audit.example", Until: f.clock.Now().Add(life)})
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		gone := add(c.ID, "Anna", time.Hour)
		add(c.ID, "Zoe", time.Hour)
		add(other.ID, "Ben", time.Hour)
		if err := f.EndAuditor(f.sys, f.all, gone.ID); err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct {
			name     string
			scope    policy.Scope
			customer string
			want     string
		}{
			{"all", f.all, "", "Ben Zoe Anna"},
			{"one of all", f.all, c.ID, "Zoe Anna"},
			{"own", policy.OneCustomer(c.ID), "", "Zoe Anna"},
			{"nothing", policy.Scope{}, "", ""},
		} {
			ctx := f.sys
			if !tt.scope.All() {
				ctx = owner.ctx
			}
			list, err := f.Auditors(ctx, tt.scope, tt.customer)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, a := range list {
				names = append(names, a.Name)
				if a.Active != a.EndedAt.IsZero() || a.Until.IsZero() || a.SignIn != identity.SignInNone {
					t.Errorf("%s: %+v", a.Name, a)
				}
			}
			if got := strings.Join(names, " "); got != tt.want {
				t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
			}
		}
		if a, err := f.Auditor(owner.ctx, policy.OneCustomer(c.ID), gone.ID); err != nil || a.Name != "Anna" || a.EndedAt.IsZero() {
			t.Errorf("one: %+v, %v", a, err)
		}
		_, err := f.Auditor(owner.ctx, policy.OneCustomer(other.ID), gone.ID)
		wantCode(t, err, controlplane.CodeNotFound)
		_, err = f.Auditors(owner.ctx, policy.OneCustomer(c.ID), other.ID)
		wantCode(t, err, controlplane.CodeNotFound)
	})
}

// An auditor of several customers and a period: one sign-in, every customer's
// chain has it, and each of them sees it.
func TestAuditorOfSeveralCustomers(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		maple, harbour, other := f.customer(t, "Maple"), f.customer(t, "Harbour"), f.customer(t, "Other")
		from, to := f.clock.Now().AddDate(0, -3, 0), f.clock.Now().AddDate(0, -1, 0)
		in := identity.NewAuditor{Customer: "maple", Also: []string{harbour.ID, "maple"}, Name: "Aud Itor", Email: "aud@audit.example", From: from, To: to, Until: f.clock.Now().Add(time.Hour)}
		for name, bad := range map[string]func(*identity.NewAuditor){
			"backwards": func(n *identity.NewAuditor) { n.From, n.To = to, from },
			"empty":     func(n *identity.NewAuditor) { n.To = from },
			"too many":  func(n *identity.NewAuditor) { n.Also = make([]string, identity.MaxAuditorCustomers) },
		} {
			broken := in
			bad(&broken)
			if _, err := f.AddAuditor(f.sys, f.all, broken); controlplane.ErrorCode(err) != controlplane.CodeInvalid {
				t.Errorf("%s: %v, want invalid", name, err)
			}
		}
		unknown := in
		unknown.Also = []string{"cus_00000000000000000000000000"}
		_, err := f.AddAuditor(f.sys, f.all, unknown)
		wantCode(t, err, controlplane.CodeNotFound)

		p, err := f.AddAuditor(f.sys, f.all, in)
		if err != nil || len(p.Customers) != 2 || !p.From.Equal(from) || !p.To.Equal(to) {
			t.Fatalf("%+v, %v", p, err)
		}
		link, err := f.Invite(f.sys, f.all, p.ID)
		if err != nil {
			t.Fatal(err)
		}
		a := f.accept(t, link)
		actor, _, err := f.Authenticate(t.Context(), a.first.Secret)
		if err != nil {
			t.Fatal(err)
		}
		scope := policy.ScopeOf(actor)
		if scope.All() || !scope.Allows(maple.ID) || !scope.Allows(harbour.ID) || scope.Allows(other.ID) || !actor.From.Equal(from) || !actor.To.Equal(to) {
			t.Errorf("actor %+v", actor)
		}
		ctx := controlplane.WithActor(t.Context(), actor)
		list, _, err := f.customers.ListCustomers(ctx, scope, customers.CustomerFilter{})
		if err != nil || len(list) != 2 {
			t.Errorf("customers: %d, %v, want both and no other", len(list), err)
		}
		for i, c := range []customers.Customer{maple, harbour} {
			owner := f.owner(t, c, fmt.Sprintf("owner%d@owners.example", i))
			seen, err := f.Auditors(owner.ctx, policy.OneCustomer(c.ID), "")
			if err != nil || len(seen) != 1 || seen[0].Name != "Aud Itor" {
				t.Errorf("%s sees %+v, %v", c.Name, seen, err)
			}
		}
		if own, err := f.Sessions(ctx); err != nil || len(own) != 1 {
			t.Errorf("own sessions: %v, %v", own, err)
		}
		if err := f.SignOut(ctx); err != nil {
			t.Errorf("sign out: %v", err)
		}
		if err := f.EndAuditor(f.sys, f.all, p.ID); err != nil {
			t.Fatal(err)
		}
		for _, c := range []string{maple.ID, harbour.ID} {
			items, _, err := f.ledger.List(f.sys, f.all, ledger.Filter{Customer: c, Kinds: []string{"auditor.added", "auditor.ended"}})
			if err != nil || len(items) != 2 {
				t.Errorf("%s: %d entries, %v, want begin and end", c, len(items), err)
			}
		}
	})
}

// Whoever goes on with something long is asked again who they are.
func TestActorNow(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		c := f.customer(t, "Maple")
		owner := f.owner(t, c, "owner@maple.example")
		p, err := f.AddAuditor(f.sys, f.all, identity.NewAuditor{Customer: c.ID, Name: "Aud Itor", Email: "aud@audit.example", Until: f.clock.Now().Add(time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		auditor := controlplane.Actor{Kind: controlplane.ActorAuditor, ID: p.ID, Customer: c.ID, Role: "auditor"}
		contact, _ := controlplane.ActorFrom(owner.ctx)
		now := func(a controlplane.Actor) (got controlplane.Actor, err error) {
			rerr := f.db.Read(controlplane.WithActor(t.Context(), a), func(tx *db.Tx) error { got, err = f.ActorNow(tx, a); return nil })
			return got, errors.Join(rerr, err)
		}
		for name, a := range map[string]controlplane.Actor{"auditor": auditor, "contact": contact} {
			if got, err := now(a); err != nil || got.Role != a.Role || got.Customer != c.ID {
				t.Errorf("%s: %+v, %v", name, got, err)
			}
		}
		for name, a := range map[string]controlplane.Actor{
			"nobody":             {Kind: controlplane.ActorStaff, ID: "stf_00000000000000000000000000", Role: "ops"},
			"of another kind":    {Kind: controlplane.ActorStaff, ID: p.ID, Role: "ops"},
			"of no session":      {Kind: controlplane.ActorAuditor, ID: p.ID, Customer: c.ID, Session: "ses_00000000000000000000000000"},
			"of no token's":      {Kind: controlplane.ActorAuditor, ID: p.ID, Customer: c.ID, Token: "tok_00000000000000000000000000"},
			"of other's session": {Kind: controlplane.ActorAuditor, ID: p.ID, Customer: c.ID, Session: owner.first.Session.ID},
		} {
			if _, err := now(a); controlplane.ErrorCode(err) != controlplane.CodeUnauthorized {
				t.Errorf("%s: %v, want unauthorized", name, err)
			}
		}
		if got, err := now(controlplane.Actor{Kind: controlplane.ActorSystem, ID: "test"}); err != nil || got.ID != "test" {
			t.Errorf("the plane: %+v, %v", got, err)
		}
		f.clock.Advance(time.Hour)
		_, err = now(auditor)
		wantCode(t, err, controlplane.CodeUnauthorized) // their time is over
	})
}

func TestOwnCredentials(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		a := f.admin(t)
		c, err := f.Credentials(a.ctx)
		if err != nil || !c.Ready || c.RecoveryLeft != 10 || c.PasswordAt.IsZero() || c.FactorAt.IsZero() {
			t.Errorf("got %+v, %v", c, err)
		}
		bare := controlplane.WithActor(t.Context(), controlplane.Actor{Kind: controlplane.ActorStaff, ID: "stf_00000000000000000000000000"})
		if c, err := f.Credentials(bare); err != nil || c.Ready {
			t.Errorf("without a credential: %+v, %v", c, err)
		}
		_, err = f.Credentials(t.Context())
		wantCode(t, err, controlplane.CodeUnauthorized)
	})
}
