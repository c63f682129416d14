package identity_test

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/identity"
	"ostler/controlplane/policy"
)

func TestInvitation(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		p, link, err := f.Bootstrap(f.sys, " Ada@host.example ", "Ada Crane")
		if err != nil {
			t.Fatal(err)
		}
		if p.Role != policy.RoleAdmin || p.Email != "Ada@host.example" || link.Path != "/invite/"+link.Secret {
			t.Errorf("person = %+v, link = %+v", p, link)
		}
		if got, want := link.ExpiresAt, f.clock.Now().Add(72*time.Hour); !got.Equal(want) {
			t.Errorf("expires %v, want %v", got, want)
		}
		inv, err := f.Invitation(t.Context(), link.Secret)
		if err != nil || inv.Person.Name != "Ada Crane" || inv.Reset || len(inv.TOTPSecret) != 32 {
			t.Fatalf("invitation = %+v, %v", inv, err)
		}
		png, err := inv.QR(200)
		if err != nil || !bytes.HasPrefix(png, []byte("\x89PNG")) {
			t.Errorf("QR: %d bytes, %v", len(png), err)
		}
		for _, tt := range []struct {
			name, password, code string
			want                 controlplane.Code
		}{
			{"weak", "password1234", f.code(t, inv.TOTPSecret), controlplane.CodeInvalid},
			{"own name", "AdaCrane2026", f.code(t, inv.TOTPSecret), controlplane.CodeInvalid},
			{"wrong code", goodPassword, "000000", controlplane.CodeInvalid},
			{"no code", goodPassword, "", controlplane.CodeInvalid},
		} {
			t.Run(tt.name, func(t *testing.T) {
				_, err := f.AcceptInvite(t.Context(), link.Secret, identity.Acceptance{Password: tt.password, Code: tt.code})
				wantCode(t, err, tt.want)
			})
		}
		a := f.accept(t, link)
		if len(a.recovery) != 10 || a.first.Actor.Role != "admin" || f.in(t.Context(), a.first.Secret) != nil {
			t.Errorf("accepted: %d codes, actor %+v", len(a.recovery), a.first.Actor)
		}
		_, err = f.AcceptInvite(t.Context(), link.Secret, identity.Acceptance{Password: goodPassword, Code: f.code(t, inv.TOTPSecret)})
		wantCode(t, err, controlplane.CodeExpired)
		_, err = f.Invitation(t.Context(), link.Secret[1:]+"A")
		wantCode(t, err, controlplane.CodeNotFound)

		// The same person again: a new link that replaces both factors.
		again, link, err := f.Bootstrap(f.sys, "ada@host.example", "Somebody")
		if err != nil || again.ID != p.ID || again.Name != "Ada Crane" {
			t.Fatalf("again = %+v, %v", again, err)
		}
		if inv, err := f.Invitation(t.Context(), link.Secret); err != nil || !inv.Reset {
			t.Errorf("reset = %v, %v", inv.Reset, err)
		}
		f.accept(t, link)
		wantCode(t, f.in(t.Context(), a.first.Secret), controlplane.CodeUnauthorized)
		want := []string{"person.invited", "person.invited", "person.set_up", "person.set_up", "staff.added"}
		if got := f.kinds(t, p.ID); !slices.Equal(got, want) {
			t.Errorf("ledger = %v, want %v", got, want)
		}
	})
}

func TestInvitationEnds(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		anna := f.customer(t, "Anna")
		c := f.contact(t, anna, "Zoë", "zoe@anna.example", policy.RoleOwner)
		first, err := f.Invite(f.sys, f.all, c.ID)
		if err != nil {
			t.Fatal(err)
		}
		second, err := f.Invite(f.sys, f.all, c.ID)
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.Invitation(t.Context(), first.Secret)
		wantCode(t, err, controlplane.CodeNotFound)
		f.clock.Advance(72 * time.Hour)
		_, err = f.Invitation(t.Context(), second.Secret)
		wantCode(t, err, controlplane.CodeExpired)

		third, err := f.Invite(f.sys, f.all, c.ID)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.customers.RemoveContact(f.sys, f.all, c.ID); err != nil {
			t.Fatal(err)
		}
		_, err = f.Invitation(t.Context(), third.Secret)
		wantCode(t, err, controlplane.CodeExpired)
		_, err = f.Invite(f.sys, f.all, c.ID)
		wantCode(t, err, controlplane.CodeConflict)
	})
}

// TestWhoMayInvite: an owner their own people, nobody's owner the staff.
func TestWhoMayInvite(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		admin := f.admin(t)
		anna, bert := f.customer(t, "Anna"), f.customer(t, "Bert")
		owner := f.owner(t, anna, "olive@anna.example")
		mine := f.contact(t, anna, "Moss", "moss@anna.example", policy.RoleReader)
		theirs := f.contact(t, bert, "Bea", "bea@bert.example", policy.RoleReader)
		scope, err := policy.For(owner.ctx, policy.PeopleWrite)
		if err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct {
			name, person string
			want         controlplane.Code
		}{
			{"own", mine.ID, ""},
			{"another customer's", theirs.ID, controlplane.CodeNotFound},
			{"staff", admin.person.ID, controlplane.CodeNotFound},
			{"nobody", "con_none", controlplane.CodeNotFound},
		} {
			t.Run(tt.name, func(t *testing.T) {
				_, err := f.Invite(owner.ctx, scope, tt.person)
				wantCode(t, err, tt.want)
				_, err = f.TokensOf(owner.ctx, scope, tt.person)
				wantCode(t, err, tt.want)
				wantCode(t, f.EndAccess(owner.ctx, scope, tt.person), tt.want)
			})
		}
		_, err = f.AddStaff(owner.ctx, scope, identity.NewStaff{Name: "Mole", Email: "mole@anna.example", Role: policy.RoleAdmin})
		wantCode(t, err, controlplane.CodeForbidden)
		_, _, err = f.Bootstrap(admin.ctx, "eve@host.example", "Eve")
		wantCode(t, err, controlplane.CodeForbidden)
	})
}

func TestDemoLinks(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		c := f.contact(t, f.customer(t, "Anna"), "Zoë", "zoe@anna.example", policy.RoleOwner)
		link, err := f.MintDemoLink(f.sys, c.ID)
		if err != nil {
			t.Fatal(err)
		}
		got, err := f.DemoSignIn(t.Context(), link.Secret, browser)
		if err != nil || got.Actor.ID != c.ID || got.Actor.Customer != c.Customer || got.Session.Method != identity.MethodDemo {
			t.Fatalf("signed in = %+v, %v", got, err)
		}
		_, err = f.DemoSignIn(t.Context(), link.Secret, browser)
		wantCode(t, err, controlplane.CodeExpired)
		if link, err = f.MintDemoLink(f.sys, c.ID); err != nil {
			t.Fatal(err)
		}
		_, err = f.Invitation(t.Context(), link.Secret)
		wantCode(t, err, controlplane.CodeNotFound)
		f.clock.Advance(31 * time.Minute)
		_, err = f.DemoSignIn(t.Context(), link.Secret, browser)
		wantCode(t, err, controlplane.CodeExpired)

		production, err := identity.New(f.sys, f.db, f.keeper, f.ledger, f.customers, identity.Options{Hasher: f.hasher})
		if err != nil {
			t.Fatal(err)
		}
		_, err = production.MintDemoLink(f.sys, c.ID)
		wantCode(t, err, controlplane.CodeNotFound)
		if link, err = f.MintDemoLink(f.sys, c.ID); err != nil {
			t.Fatal(err)
		}
		_, err = production.DemoSignIn(t.Context(), link.Secret, browser)
		wantCode(t, err, controlplane.CodeNotFound)
	})
}

func TestStaff(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		admin := f.admin(t)
		for _, tt := range []struct {
			name string
			in   identity.NewStaff
			want controlplane.Code
		}{
			{"empty", identity.NewStaff{}, controlplane.CodeInvalid},
			{"role of a contact", identity.NewStaff{Name: "Bo", Email: "bo@host.example", Role: policy.RoleOwner}, controlplane.CodeInvalid},
			{"address taken", identity.NewStaff{Name: "Bo", Email: "ADA@host.example", Role: policy.RoleOps}, controlplane.CodeConflict},
			{"good", identity.NewStaff{Name: "Bo", Email: "bo@host.example", Role: policy.RoleOps}, ""},
		} {
			t.Run(tt.name, func(t *testing.T) {
				_, err := f.AddStaff(admin.ctx, f.all, tt.in)
				wantCode(t, err, tt.want)
			})
		}
		people, err := f.People(admin.ctx, f.all, identity.PeopleFilter{Kind: controlplane.ActorStaff})
		if err != nil || len(people) != 2 || people[0].SignIn != identity.SignInReady || people[1].SignIn != identity.SignInNone || people[0].SeenAt.IsZero() {
			t.Fatalf("people = %+v, %v", people, err)
		}
		bo := people[1]
		link, err := f.Invite(admin.ctx, f.all, bo.ID)
		if err != nil {
			t.Fatal(err)
		}
		b := f.accept(t, link)
		token, _, err := f.MakeToken(b.ctx, identity.NewToken{Name: "ci", Permissions: []policy.Permission{policy.ServerRead}, ExpiresAt: f.clock.Now().Add(time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		support, yes, no := policy.RoleSupport, true, false
		got, err := f.UpdateStaff(admin.ctx, f.all, bo.ID, identity.StaffChange{Role: &support, Version: 1})
		if err != nil || got.Role != support || got.Version != 2 {
			t.Errorf("demoted = %+v, %v", got, err)
		}
		if a, _, err := f.Authenticate(t.Context(), b.first.Secret); err != nil || a.Role != "support" {
			t.Errorf("the demoted one's next request is of role %q, %v", a.Role, err)
		}
		_, err = f.UpdateStaff(admin.ctx, f.all, admin.person.ID, identity.StaffChange{Disabled: &yes})
		wantCode(t, err, controlplane.CodeForbidden)
		if _, err = f.UpdateStaff(admin.ctx, f.all, bo.ID, identity.StaffChange{Disabled: &yes}); err != nil {
			t.Fatal(err)
		}
		wantCode(t, f.in(t.Context(), b.first.Secret), controlplane.CodeUnauthorized)
		_, _, err = f.AuthenticateToken(t.Context(), token)
		wantCode(t, err, controlplane.CodeUnauthorized)
		_, err = f.password("bo@host.example", goodPassword, home)
		wantCode(t, err, controlplane.CodeUnauthorized)
		if _, err = f.UpdateStaff(admin.ctx, f.all, bo.ID, identity.StaffChange{Disabled: &no}); err != nil {
			t.Fatal(err)
		}
		wantCode(t, f.in(t.Context(), b.first.Secret), controlplane.CodeUnauthorized)
		if _, err = f.password("bo@host.example", goodPassword, home); err != nil {
			t.Errorf("enabled again: %v", err)
		}
	})
}

func TestPersonAsSeen(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		admin := f.admin(t)
		anna, bert := f.customer(t, "Anna"), f.customer(t, "Bert")
		owner, other := f.owner(t, anna, "olive@anna.example"), f.owner(t, bert, "bea@bert.example")

		p, err := f.Person(owner.ctx, admin.first.Actor)
		if err != nil || p.Name != "Ada Crane" || p.Email != "" {
			t.Errorf("staff, for a contact = %+v, %v; want the name and no address", p, err)
		}
		p, err = f.Person(admin.ctx, owner.first.Actor)
		if err != nil || p.Email != "olive@anna.example" {
			t.Errorf("contact, for staff = %+v, %v", p, err)
		}
		_, err = f.Person(owner.ctx, other.first.Actor)
		wantCode(t, err, controlplane.CodeNotFound)
		p, err = f.Person(owner.ctx, controlplane.Actor{Kind: controlplane.ActorSystem, ID: "jobs"})
		if err != nil || p.Name != "Ostler" {
			t.Errorf("the plane = %+v, %v", p, err)
		}
		names, err := f.Names(owner.ctx, []string{admin.person.ID, owner.person.ID, other.person.ID, "jobs"})
		if err != nil || len(names) != 2 {
			t.Errorf("names = %v, %v; want two", names, err)
		}
		people, err := f.People(owner.ctx, policy.ScopeOf(owner.first.Actor), identity.PeopleFilter{})
		if err != nil || len(people) != 1 || people[0].ID != owner.person.ID {
			t.Errorf("people, for a contact = %+v, %v", people, err)
		}
		if _, err := f.customers.GetContact(f.sys, f.all, owner.person.ID); err != nil {
			t.Error(err)
		}
		f.setRole(t, owner.person.ID, policy.RoleReader)
		if a, _, err := f.Authenticate(t.Context(), owner.first.Secret); err != nil || a.Role != "reader" {
			t.Errorf("next request is of role %q, %v", a.Role, err)
		}
	})
}
