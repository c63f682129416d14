package identity_test

import (
	"strings"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/identity"
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
