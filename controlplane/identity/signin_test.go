package identity_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/identity"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

func TestSignIn(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		a := f.owner(t, f.customer(t, "Anna"), "olive@anna.example")
		// NFKC and another case of the address are the same person and password.
		p, err := f.password(" OLIVE@anna.example", strings.ReplaceAll(goodPassword, "twice", "ｔｗｉｃｅ"), home)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := p.ExpiresAt, f.clock.Now().Add(5*time.Minute); !got.Equal(want) {
			t.Errorf("pending until %v, want %v", got, want)
		}
		wantCode(t, f.in(t.Context(), p.Secret), controlplane.CodeUnauthorized) // the password alone signs nobody in
		got, err := f.SecondFactor(t.Context(), p.Secret, f.code(t, a.totp), browser)
		if err != nil {
			t.Fatal(err)
		}
		if got.Secret == p.Secret || got.Secret == a.first.Secret || len(got.Secret) != 43 {
			t.Errorf("the session's value is not a fresh one")
		}
		_, err = f.SecondFactor(t.Context(), p.Secret, f.code(t, a.totp), browser)
		wantCode(t, err, controlplane.CodeExpired)
		actor, s, err := f.Authenticate(t.Context(), got.Secret)
		if err != nil || actor.ID != a.person.ID || actor.Role != "owner" || actor.Customer != a.person.Customer || actor.Session != s.ID || !s.Current {
			t.Errorf("actor = %+v, session = %+v, %v", actor, s, err)
		}
		if s.Method != identity.MethodTOTP || s.Address != home || s.UserAgent != "Mozilla/5.0" || got.RecoveryLeft != 10 {
			t.Errorf("session = %+v, %d codes left", s, got.RecoveryLeft)
		}
		for _, secret := range []string{"", "x", got.Secret[1:], got.Secret + "A", strings.Repeat("A", 43)} {
			wantCode(t, f.in(t.Context(), secret), controlplane.CodeUnauthorized)
		}
	})
}

// TestEqualWork counts hashes instead of measuring time.
func TestEqualWork(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		anna := f.customer(t, "Anna")
		f.owner(t, anna, "olive@anna.example")
		f.contact(t, anna, "Moss", "moss@anna.example", policy.RoleReader) // was never invited
		var answers []string
		for _, email := range []string{"olive@anna.example", "moss@anna.example", "nobody@anna.example", "not an address", ""} {
			before := f.hasher.verifies.Load()
			_, err := f.password(email, "wrong lantern sings twice", home)
			wantCode(t, err, controlplane.CodeUnauthorized)
			answers = append(answers, fmt.Sprint(err))
			if got := f.hasher.verifies.Load() - before; got != 1 {
				t.Errorf("%q cost %d hashes, want 1", email, got)
			}
		}
		if slices.Sort(answers); len(slices.Compact(answers)) != 1 {
			t.Errorf("answers differ: %v", answers)
		}
	})
}

func TestSameAddressAtTwoCustomers(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.owner(t, f.customer(t, "Anna"), "agency@example.com")
		b := f.owner(t, f.customer(t, "Bert"), "agency@example.com")
		_, err := f.password("agency@example.com", goodPassword, home)
		wantCode(t, err, controlplane.CodeConflict)
		p, err := f.SignIn(t.Context(), identity.SignIn{Email: "agency@example.com", Password: goodPassword, Customer: "bert", Client: browser})
		if err != nil {
			t.Fatal(err)
		}
		got, err := f.SecondFactor(t.Context(), p.Secret, f.code(t, b.totp), browser)
		if err != nil || got.Actor.Customer != b.person.Customer {
			t.Errorf("actor = %+v, %v", got.Actor, err)
		}
		_, err = f.SignIn(t.Context(), identity.SignIn{Email: "agency@example.com", Password: goodPassword, Customer: "none", Client: browser})
		wantCode(t, err, controlplane.CodeUnauthorized)
	})
}

func TestCodesAreGoodOnce(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		a := f.owner(t, f.customer(t, "Anna"), "olive@anna.example")
		pending := func() string {
			p, err := f.password("olive@anna.example", goodPassword, home)
			if err != nil {
				t.Fatal(err)
			}
			return p.Secret
		}
		try := func(code string) error {
			_, err := f.SecondFactor(t.Context(), pending(), code, browser)
			return err
		}
		old, now := f.code(t, a.totp), f.clock.Now()
		wantCode(t, try(old), "")
		wantCode(t, try(old), controlplane.CodeUnauthorized) // replay
		f.clock.Advance(30 * time.Second)
		wantCode(t, try(old), controlplane.CodeUnauthorized) // replay within the drift
		f.clock.Advance(60 * time.Second)
		late := f.code(t, a.totp)
		f.clock.Advance(30 * time.Second)
		wantCode(t, try(late), "") // one step late
		wantCode(t, try(old), controlplane.CodeUnauthorized)
		f.clock.Advance(5 * time.Minute)
		tooLate := f.code(t, a.totp)
		f.clock.Advance(60 * time.Second)
		wantCode(t, try(tooLate), controlplane.CodeUnauthorized)
		if !f.clock.Now().After(now) {
			t.Fatal("the clock stands")
		}

		code := a.recovery[3]
		wantCode(t, try(strings.ToUpper(strings.ReplaceAll(code, "-", " "))), "")
		wantCode(t, try(code), controlplane.CodeUnauthorized)
		wantCode(t, try("aaaa-bbbb-cccc-dddd"), controlplane.CodeUnauthorized)
		got := f.signIn(t, a, home)
		if got.RecoveryLeft != 9 {
			t.Errorf("%d recovery codes left, want 9", got.RecoveryLeft)
		}
		ctx := controlplane.WithActor(t.Context(), got.Actor)
		_, err := f.ReplaceRecoveryCodes(ctx, "000000")
		wantCode(t, err, controlplane.CodeInvalid)
		_, err = f.ReplaceRecoveryCodes(ctx, a.recovery[4])
		wantCode(t, err, controlplane.CodeInvalid)
		f.clock.Advance(30 * time.Second)
		fresh, err := f.ReplaceRecoveryCodes(ctx, f.code(t, a.totp))
		if err != nil || len(fresh) != 10 {
			t.Fatalf("fresh codes: %d, %v", len(fresh), err)
		}
		wantCode(t, try(a.recovery[5]), controlplane.CodeUnauthorized)
		wantCode(t, try(fresh[0]), "")
	})
}

func TestPendingEnds(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		a := f.owner(t, f.customer(t, "Anna"), "olive@anna.example")
		p, err := f.password("olive@anna.example", goodPassword, home)
		if err != nil {
			t.Fatal(err)
		}
		f.clock.Advance(5 * time.Minute)
		_, err = f.SecondFactor(t.Context(), p.Secret, f.code(t, a.totp), browser)
		wantCode(t, err, controlplane.CodeExpired)

		if p, err = f.password("olive@anna.example", goodPassword, home); err != nil {
			t.Fatal(err)
		}
		for range 5 {
			_, err = f.SecondFactor(t.Context(), p.Secret, "000000", browser)
			wantCode(t, err, controlplane.CodeUnauthorized)
		}
		_, err = f.SecondFactor(t.Context(), p.Secret, f.code(t, a.totp), browser)
		wantCode(t, err, controlplane.CodeExpired)

		if p, err = f.password("olive@anna.example", goodPassword, home); err != nil {
			t.Fatal(err)
		}
		if err := f.customers.RemoveContact(f.sys, f.all, a.person.ID); err != nil {
			t.Fatal(err)
		}
		_, err = f.SecondFactor(t.Context(), p.Secret, f.code(t, a.totp), browser)
		wantCode(t, err, controlplane.CodeExpired)
	})
}

func TestThrottleOfPasswords(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		a := f.owner(t, f.customer(t, "Anna"), "olive@anna.example")
		wrong := func(email, address string) error {
			_, err := f.password(email, "wrong lantern sings twice", address)
			return err
		}
		for range 5 {
			wantCode(t, wrong("olive@anna.example", elsewhere), controlplane.CodeUnauthorized)
			wantCode(t, wrong("nobody@anna.example", elsewhere), controlplane.CodeUnauthorized)
		}
		before := f.hasher.verifies.Load()
		// Known or not, an account reads the same behind the limit, and no hash is spent.
		known, unknown := wrong("olive@anna.example", elsewhere), wrong("nobody@anna.example", elsewhere)
		wantCode(t, known, controlplane.CodeTooMany)
		if known.Error() != unknown.Error() || f.hasher.verifies.Load() != before {
			t.Errorf("behind the limit: %v and %v, %d hashes", known, unknown, f.hasher.verifies.Load()-before)
		}
		_, err := f.password("olive@anna.example", goodPassword, elsewhere)
		wantCode(t, err, controlplane.CodeTooMany)
		f.signIn(t, a, home) // the owner, from elsewhere than the one who guesses
		f.clock.Advance(15 * time.Minute)
		wantCode(t, wrong("olive@anna.example", elsewhere), controlplane.CodeUnauthorized)

		entries, _, err := f.ledger.List(f.sys, f.all, ledger.Filter{Kinds: []string{"signin.failed"}})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := len(entries), 5; got != want { // two accounts × (first, fifth), and the first of the next window
			t.Errorf("%d entries of failed sign-ins, want %d", got, want)
		}
		for _, e := range entries {
			if text := fmt.Sprint(e.Data, e.Personal); strings.Contains(text, "@") || strings.Contains(text, "lantern") {
				t.Errorf("entry tells too much: %s", text)
			}
		}
	})
}

// TestThrottleOfManyAddresses: whoever guesses from everywhere cannot keep the
// owner out.
// Somebody who is a contact of a customer of their own under another's e-mail
// address does not begin to guess anew by signing in to it.
func TestThrottleIsNotResetByANamesake(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.owner(t, f.customer(t, "Anna"), "olive@anna.example")
		bert := f.customer(t, "Bert")
		f.owner(t, bert, "olive@anna.example")
		change := func(customer, password string) error {
			_, err := f.SignIn(t.Context(), identity.SignIn{Email: "olive@anna.example", Password: password, Customer: customer, Client: browser})
			return err
		}
		for i := range 6 {
			want := controlplane.CodeUnauthorized
			if i == 5 {
				want = controlplane.CodeTooMany
			}
			wantCode(t, change("anna", "wrong lantern sings twice"), want)
			wantCode(t, change("bert", goodPassword), "")
		}
	})
}

func TestThrottleOfManyAddresses(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		a := f.owner(t, f.customer(t, "Anna"), "olive@anna.example")
		f.signIn(t, a, home)
		for i := range 100 {
			_, err := f.password("olive@anna.example", "wrong lantern sings twice", fmt.Sprintf("203.0.113.%d", i))
			wantCode(t, err, controlplane.CodeUnauthorized)
		}
		_, err := f.password("olive@anna.example", goodPassword, "203.0.113.200")
		wantCode(t, err, controlplane.CodeTooMany)
		f.signIn(t, a, home)
		f.clock.Advance(time.Hour)
		if _, err := f.password("olive@anna.example", goodPassword, "203.0.113.200"); err != nil {
			t.Errorf("after the window: %v", err)
		}
	})
}

func TestThrottleOfOneAddress(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		a := f.owner(t, f.customer(t, "Anna"), "olive@anna.example")
		for i := range 30 {
			_, err := f.password(fmt.Sprintf("user%d@anna.example", i), "wrong lantern sings twice", fmt.Sprintf("2001:db8::%x", i))
			wantCode(t, err, controlplane.CodeUnauthorized)
		}
		_, err := f.password("olive@anna.example", goodPassword, "2001:db8::ffff")
		wantCode(t, err, controlplane.CodeTooMany)
		_, err = f.password("olive@anna.example", goodPassword, "2001:db8:0:1::1")
		wantCode(t, err, "")
		f.signIn(t, a, home)
	})
}

// TestThrottleAtOnce: attempts at the same time are counted one by one.
func TestThrottleAtOnce(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.owner(t, f.customer(t, "Anna"), "olive@anna.example")
		before := f.hasher.verifies.Load()
		var wg sync.WaitGroup
		for range 12 {
			wg.Go(func() { _, _ = f.password("olive@anna.example", "wrong lantern sings twice", elsewhere) })
		}
		wg.Wait()
		if got := f.hasher.verifies.Load() - before; got > 5 {
			t.Errorf("%d passwords were looked at, want 5 at most", got)
		}
	})
}

func TestThrottleOfSecondFactors(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		a := f.owner(t, f.customer(t, "Anna"), "olive@anna.example")
		f.signIn(t, a, home)
		thief := identity.Client{Address: elsewhere}
		tries := 0
		for range 3 { // somebody who knows the password
			p, err := f.password("olive@anna.example", goodPassword, elsewhere)
			if err != nil {
				t.Fatal(err)
			}
			for range 5 {
				if _, err := f.SecondFactor(t.Context(), p.Secret, "000000", thief); controlplane.ErrorCode(err) == controlplane.CodeUnauthorized {
					tries++
				}
			}
		}
		if tries != 10 {
			t.Errorf("%d codes were looked at, want 10", tries)
		}
		p, err := f.password("olive@anna.example", goodPassword, elsewhere)
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.SecondFactor(t.Context(), p.Secret, f.code(t, a.totp), thief)
		wantCode(t, err, controlplane.CodeTooMany)
		f.signIn(t, a, home)
	})
}

// TestNothingInTheDatabaseSignsIn looks for secrets in every column.
func TestNothingInTheDatabaseSignsIn(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		a := f.owner(t, f.customer(t, "Anna"), "olive@anna.example")
		token, _, err := f.MakeToken(a.ctx, identity.NewToken{Name: "ci", Permissions: []policy.Permission{policy.ServerRead}, ExpiresAt: f.clock.Now().Add(time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		p, err := f.password("olive@anna.example", goodPassword, home)
		if err != nil {
			t.Fatal(err)
		}
		secrets := append([]string{a.totp, a.first.Secret, p.Secret, token, goodPassword, "$argon2id$", "olive@anna", "Olive", home, "Mozilla"}, a.recovery...)
		err = f.db.Read(f.sys, func(tx *db.Tx) error {
			for _, table := range []string{"staff", "contacts", "credentials", "recovery_codes", "sign_in_links", "pending_sign_ins", "sessions", "tokens", "sign_in_marks"} {
				var rows []map[string]any
				if err := tx.Table(table).Find(&rows).Error; err != nil {
					return err
				}
				for _, row := range rows {
					for column, v := range row {
						b, ok := v.([]byte)
						if !ok {
							b = []byte(fmt.Sprint(v))
						}
						for _, s := range secrets {
							if bytes.Contains(b, []byte(s)) {
								t.Errorf("%s.%s holds %q", table, column, s)
							}
						}
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
