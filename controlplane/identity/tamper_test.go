package identity_test

import (
	"strings"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/identity"
	"ostler/controlplane/policy"
)

// Whoever can write the database must not become somebody else by it: a row of
// a session, token or invitation is good as the program made it, or not at all.
func TestAChangedRowSignsNobodyIn(t *testing.T) {
	// In the statements @victim and @thief are people of one customer.
	swap := func(table string) []string {
		return []string{
			"CREATE TABLE stolen AS SELECT secret_hash FROM " + table + " WHERE person_id = @thief",
			"DELETE FROM " + table + " WHERE person_id = @thief",
			"UPDATE " + table + " SET secret_hash = (SELECT secret_hash FROM stolen) WHERE person_id = @victim",
			"DROP TABLE stolen",
		}
	}
	for name, tt := range map[string]struct {
		change []string
		door   string
	}{
		"a session of another person":     {[]string{"UPDATE sessions SET person_id = @victim WHERE person_id = @thief"}, "session"},
		"a session with another secret":   {swap("sessions"), "session"},
		"a token of another person":       {[]string{"UPDATE tokens SET person_id = @victim WHERE person_id = @thief"}, "token"},
		"a token with another secret":     {swap("tokens"), "token"},
		"a token that may more":           {[]string{`UPDATE tokens SET permissions_json = '["people.write"]' WHERE person_id = @thief`}, "token"},
		"a token that lives on":           {[]string{"UPDATE tokens SET expires_at = expires_at + 1 WHERE person_id = @thief"}, "token"},
		"an invitation of another person": {[]string{"UPDATE sign_in_links SET person_id = @victim WHERE person_id = @thief"}, "invitation"},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, f *fixture) {
				anna := f.customer(t, "Anna")
				victim, thief := f.owner(t, anna, "olive@anna.example"), f.owner(t, anna, "moss@anna.example")
				token := ""
				for _, who := range []account{victim, thief} {
					var err error
					token, _, err = f.MakeToken(who.ctx, identity.NewToken{Name: "ci", Permissions: []policy.Permission{policy.ServerRead}, ExpiresAt: f.clock.Now().Add(time.Hour)})
					if err != nil {
						t.Fatal(err)
					}
				}
				link, err := f.Invite(f.sys, policy.AllCustomers("test"), thief.person.ID)
				if err != nil {
					t.Fatal(err)
				}
				enter := map[string]func() error{
					"session":    func() error { return f.in(t.Context(), thief.first.Secret) },
					"token":      func() error { _, _, err := f.AuthenticateToken(t.Context(), token); return err },
					"invitation": func() error { _, err := f.Invitation(t.Context(), link.Secret); return err },
				}[tt.door]
				if err := enter(); err != nil {
					t.Fatalf("before: %v", err)
				}
				if err := f.db.Write(f.sys, func(tx *db.Tx) error {
					people := strings.NewReplacer("@victim", "'"+victim.person.ID+"'", "@thief", "'"+thief.person.ID+"'")
					for _, q := range tt.change {
						if err := tx.Exec(people.Replace(q)).Error; err != nil {
							return err
						}
					}
					return nil
				}); err != nil {
					t.Fatal(err)
				}
				want := map[string]controlplane.Code{"session": controlplane.CodeUnauthorized, "token": controlplane.CodeUnauthorized, "invitation": controlplane.CodeNotFound}[tt.door]
				if got := controlplane.ErrorCode(enter()); got != want {
					t.Errorf("got %q, want %q: as if it were not there", got, want)
				}
				for _, who := range []account{victim, thief} {
					if _, err := f.Sessions(who.ctx); err != nil {
						t.Errorf("sessions: %v", err)
					}
					if _, err := f.Tokens(who.ctx); err != nil {
						t.Errorf("tokens: %v", err)
					}
				}
			})
		})
	}
}
