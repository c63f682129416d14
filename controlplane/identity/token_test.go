package identity_test

import (
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/identity"
	"ostler/controlplane/policy"
)

// pointer returns the fields that an error names.
func pointer(err error) string {
	var e *controlplane.Error
	if !errors.As(err, &e) {
		return ""
	}
	var out []string
	for _, f := range e.Fields {
		out = append(out, f.Pointer)
	}
	return strings.Join(out, " ")
}

func TestTokens(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		admin := f.admin(t)
		owner := f.owner(t, f.customer(t, "Anna"), "olive@anna.example")
		for _, tt := range []struct {
			name string
			who  account
			kind identity.TokenKind
			may  policy.Permission
			not  policy.Permission
		}{
			{"staff", admin, identity.TokenStaff, policy.ServerWrite, policy.CustomerWrite},
			{"customer", owner, identity.TokenCustomer, policy.RestoreRun, policy.FileRead},
		} {
			t.Run(tt.name, func(t *testing.T) {
				until := f.clock.Now().Add(identity.TokenLife)
				secret, token, err := f.MakeToken(tt.who.ctx, identity.NewToken{Name: "nightly", Permissions: []policy.Permission{tt.may, policy.SelfRead, tt.may}, ExpiresAt: until})
				if err != nil {
					t.Fatal(err)
				}
				if !strings.HasPrefix(secret, "ost_"+string(tt.kind)+"_") || token.Kind != tt.kind || len(token.Permissions) != 2 || token.Name != "nightly" {
					t.Errorf("secret = %.12s..., token = %+v", secret, token)
				}
				a, got, err := f.AuthenticateToken(t.Context(), secret)
				if err != nil || a.ID != tt.who.person.ID || a.Customer != tt.who.person.Customer || a.Token != token.ID || a.Session != "" || got.UsedAt.IsZero() {
					t.Fatalf("actor = %+v, token = %+v, %v", a, got, err)
				}
				if !policy.Can(a, tt.may) || policy.Can(a, tt.not) {
					t.Errorf("the actor may %s: %v, %s: %v", tt.may, policy.Can(a, tt.may), tt.not, policy.Can(a, tt.not))
				}
				ctx := controlplane.WithActor(t.Context(), a)
				_, _, err = f.MakeToken(ctx, identity.NewToken{Name: "child", Permissions: []policy.Permission{tt.may}, ExpiresAt: until})
				wantCode(t, err, controlplane.CodeForbidden) // a token makes no tokens
				_, err = f.ChangePassword(ctx, identity.PasswordChange{Old: goodPassword, New: "seven kettles whistle north"})
				wantCode(t, err, controlplane.CodeForbidden)
				list, err := f.Tokens(ctx)
				if err != nil || len(list) != 1 || list[0].ID != token.ID {
					t.Errorf("tokens = %+v, %v", list, err)
				}
				wantCode(t, f.RevokeToken(tt.who.ctx, "tok_none"), controlplane.CodeNotFound)
				wantCode(t, f.RevokeToken(ctx, token.ID), "")
				_, _, err = f.AuthenticateToken(t.Context(), secret)
				wantCode(t, err, controlplane.CodeUnauthorized)
				if got, want := f.kinds(t, token.ID), []string{"token.made", "token.revoked"}; !slices.Equal(got, want) {
					t.Errorf("ledger = %v, want %v", got, want)
				}
			})
		}
	})
}

func TestTokenInput(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		owner := f.owner(t, f.customer(t, "Anna"), "olive@anna.example")
		now := f.clock.Now()
		read := []policy.Permission{policy.ServerRead}
		for _, tt := range []struct {
			name string
			in   identity.NewToken
			want string
		}{
			{"empty", identity.NewToken{}, "/name /permissions /expires_at"},
			{"for ever", identity.NewToken{Name: "ci", Permissions: read, ExpiresAt: now.Add(identity.TokenLife + time.Second)}, "/expires_at"},
			{"in the past", identity.NewToken{Name: "ci", Permissions: read, ExpiresAt: now}, "/expires_at"},
			{"more than the role", identity.NewToken{Name: "ci", Permissions: []policy.Permission{policy.ServerRead, policy.ServerWrite}, ExpiresAt: now.Add(time.Hour)}, "/permissions/1"},
			{"unknown permission", identity.NewToken{Name: "ci", Permissions: []policy.Permission{"all"}, ExpiresAt: now.Add(time.Hour)}, "/permissions/0"},
		} {
			t.Run(tt.name, func(t *testing.T) {
				_, _, err := f.MakeToken(owner.ctx, tt.in)
				wantCode(t, err, controlplane.CodeInvalid)
				if got := pointer(err); got != tt.want {
					t.Errorf("fields = %q, want %q", got, tt.want)
				}
			})
		}
	})
}

func TestTokenTampered(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		owner := f.owner(t, f.customer(t, "Anna"), "olive@anna.example")
		secret, token, err := f.MakeToken(owner.ctx, identity.NewToken{Name: "ci", Permissions: []policy.Permission{policy.ServerRead}, ExpiresAt: f.clock.Now().Add(time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		other := byte('a')
		if secret[20] == 'a' {
			other = 'b'
		}
		lie := "ost_customer_" + strings.Repeat("a", 52)
		for name, bad := range map[string]string{
			"empty":           "",
			"cut off":         secret[:len(secret)-1],
			"one letter":      secret[:20] + string(other) + secret[21:],
			"checksum":        secret[:len(secret)-8] + "00000000",
			"other kind":      strings.Replace(secret, "customer", "staff", 1),
			"no prefix":       secret[4:],
			"the id":          token.ID,
			"a session":       owner.first.Secret,
			"underscores":     "ost_customer__________",
			"well-formed lie": lie + fmt.Sprintf("_%08x", crc32.ChecksumIEEE([]byte(lie))),
		} {
			t.Run(name, func(t *testing.T) {
				a, _, err := f.AuthenticateToken(t.Context(), bad)
				wantCode(t, err, controlplane.CodeUnauthorized)
				if a.ID != "" {
					t.Errorf("actor = %+v", a)
				}
			})
		}
		wantCode(t, f.in(t.Context(), secret), controlplane.CodeUnauthorized) // a token is no cookie
		f.clock.Advance(time.Hour)
		_, _, err = f.AuthenticateToken(t.Context(), secret)
		wantCode(t, err, controlplane.CodeUnauthorized)
	})
}

// TestTokenFollowsThePerson: the role is the present one, and the token ends
// with the person.
func TestTokenFollowsThePerson(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		owner := f.owner(t, f.customer(t, "Anna"), "olive@anna.example")
		secret, _, err := f.MakeToken(owner.ctx, identity.NewToken{Name: "ci", Permissions: []policy.Permission{policy.RestoreRun}, ExpiresAt: f.clock.Now().Add(time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		f.setRole(t, owner.person.ID, policy.RoleReader)
		a, _, err := f.AuthenticateToken(t.Context(), secret)
		if err != nil || policy.Can(a, policy.RestoreRun) {
			t.Errorf("a reader's token restores: %v", err)
		}
		if err := f.EndAccess(f.sys, f.all, owner.person.ID); err != nil {
			t.Fatal(err)
		}
		_, _, err = f.AuthenticateToken(t.Context(), secret)
		wantCode(t, err, controlplane.CodeUnauthorized)
		wantCode(t, f.in(t.Context(), owner.first.Secret), controlplane.CodeUnauthorized)
	})
}
