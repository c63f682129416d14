package identity_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/identity"
	"ostler/controlplane/policy"
)

func TestSessionsEndByThemselves(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		admin := f.admin(t)
		owner := f.owner(t, f.customer(t, "Anna"), "olive@anna.example")
		for _, tt := range []struct {
			name       string
			who        account
			idle, life time.Duration
		}{
			{"staff", admin, identity.StaffIdle, identity.StaffLife},
			{"contact", owner, identity.ContactIdle, identity.ContactLife},
		} {
			t.Run(tt.name, func(t *testing.T) {
				got := f.signIn(t, tt.who, home)
				started := f.clock.Now()
				f.clock.Advance(tt.idle - time.Second)
				wantCode(t, f.in(t.Context(), got.Secret), "") // and is seen
				for f.clock.Now().Add(tt.idle - time.Second).Before(started.Add(tt.life)) {
					f.clock.Advance(tt.idle - time.Second)
					wantCode(t, f.in(t.Context(), got.Secret), "")
				}
				f.clock.Advance(started.Add(tt.life).Sub(f.clock.Now()))
				wantCode(t, f.in(t.Context(), got.Secret), controlplane.CodeUnauthorized)

				got = f.signIn(t, tt.who, home)
				f.clock.Advance(tt.idle)
				wantCode(t, f.in(t.Context(), got.Secret), controlplane.CodeUnauthorized)
			})
		}
	})
}

func TestLastSeenIsCoarse(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		a := f.admin(t)
		got := f.signIn(t, a, home)
		start := f.clock.Now()
		for _, tt := range []struct {
			after time.Duration
			want  time.Duration
		}{{4 * time.Minute, 0}, {2 * time.Minute, 6 * time.Minute}, {time.Minute, 6 * time.Minute}} {
			f.clock.Advance(tt.after)
			_, s, err := f.Authenticate(t.Context(), got.Secret)
			if err != nil || !s.SeenAt.Equal(start.Add(tt.want)) {
				t.Errorf("seen %v, %v; want %v after the start", s.SeenAt.Sub(start), err, tt.want)
			}
		}
	})
}

func TestRevokeSessions(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		anna := f.customer(t, "Anna")
		a, b := f.owner(t, anna, "olive@anna.example"), f.owner(t, anna, "second@anna.example")
		phone, laptop := f.signIn(t, a, home), f.signIn(t, a, elsewhere)
		others := f.signIn(t, b, home)
		ctx := controlplane.WithActor(t.Context(), laptop.Actor)
		list, err := f.Sessions(ctx)
		if err != nil || len(list) != 3 || list[0].ID != laptop.Session.ID || !list[0].Current || list[1].Current || list[0].Address != elsewhere {
			t.Fatalf("sessions = %+v, %v", list, err)
		}
		wantCode(t, f.RevokeSession(ctx, others.Session.ID), controlplane.CodeNotFound)
		wantCode(t, f.RevokeSession(ctx, "ses_none"), controlplane.CodeNotFound)
		wantCode(t, f.RevokeSession(ctx, phone.Session.ID), "")
		wantCode(t, f.RevokeSession(ctx, phone.Session.ID), controlplane.CodeNotFound)
		wantCode(t, f.in(t.Context(), phone.Secret), controlplane.CodeUnauthorized)
		if n, err := f.RevokeOtherSessions(ctx); err != nil || n != 1 {
			t.Errorf("revoked %d others, %v; want 1", n, err)
		}
		wantCode(t, f.in(t.Context(), a.first.Secret), controlplane.CodeUnauthorized)
		wantCode(t, f.in(t.Context(), laptop.Secret), "")
		wantCode(t, f.SignOut(ctx), "")
		wantCode(t, f.in(t.Context(), laptop.Secret), controlplane.CodeUnauthorized)
		wantCode(t, f.in(t.Context(), others.Secret), "")
		if got, want := f.kinds(t, phone.Session.ID), []string{"session.revoked", "session.started"}; !slices.Equal(got, want) {
			t.Errorf("ledger = %v, want %v", got, want)
		}
		wantCode(t, f.SignOut(t.Context()), controlplane.CodeUnauthorized)
		_, err = f.Sessions(f.sys)
		wantCode(t, err, controlplane.CodeUnauthorized)
	})
}

func TestChangePassword(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		a := f.owner(t, f.customer(t, "Anna"), "olive@anna.example")
		here, there := f.signIn(t, a, home), f.signIn(t, a, elsewhere)
		p, err := f.password("olive@anna.example", goodPassword, home)
		if err != nil {
			t.Fatal(err)
		}
		ctx := controlplane.WithActor(t.Context(), here.Actor)
		const fresh = "seven kettles whistle north"
		for _, tt := range []struct {
			name, old, new string
			pointer        string
		}{
			{"wrong old one", "wrong lantern sings twice", fresh, "/old_password"},
			{"weak new one", goodPassword, "password1234", "/new_password"},
		} {
			_, err := f.ChangePassword(ctx, identity.PasswordChange{Old: tt.old, New: tt.new})
			wantCode(t, err, controlplane.CodeInvalid)
			if err == nil || !strings.Contains(pointer(err), tt.pointer) {
				t.Errorf("%s: field %s, want %s", tt.name, pointer(err), tt.pointer)
			}
		}
		secret, err := f.ChangePassword(ctx, identity.PasswordChange{Old: goodPassword, New: fresh})
		if err != nil {
			t.Fatal(err)
		}
		for name, old := range map[string]string{"this one's old value": here.Secret, "another session": there.Secret, "the first": a.first.Secret} {
			if f.in(t.Context(), old) == nil {
				t.Errorf("%s still signs in", name)
			}
		}
		if actor, _, err := f.Authenticate(t.Context(), secret); err != nil || actor.Session != here.Session.ID {
			t.Errorf("the new value: %+v, %v", actor, err)
		}
		f.clock.Advance(30 * time.Second)
		_, err = f.SecondFactor(t.Context(), p.Secret, f.code(t, a.totp), browser)
		wantCode(t, err, controlplane.CodeExpired) // began with the old password
		_, err = f.password("olive@anna.example", goodPassword, home)
		wantCode(t, err, controlplane.CodeUnauthorized)
		_, err = f.password("olive@anna.example", fresh, home)
		wantCode(t, err, "")

		for range 10 { // whoever finds an open browser cannot guess the password there
			_, _ = f.ChangePassword(ctx, identity.PasswordChange{Old: "wrong lantern sings twice", New: goodPassword})
		}
		_, err = f.ChangePassword(ctx, identity.PasswordChange{Old: fresh, New: goodPassword})
		wantCode(t, err, controlplane.CodeTooMany)
	})
}

func TestSweep(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		a := f.owner(t, f.customer(t, "Anna"), "olive@anna.example")
		if _, _, err := f.MakeToken(a.ctx, identity.NewToken{Name: "ci", Permissions: []policy.Permission{policy.ServerRead}, ExpiresAt: f.clock.Now().Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		_, _ = f.password("olive@anna.example", "wrong lantern sings twice", elsewhere)
		if _, err := f.password("olive@anna.example", goodPassword, home); err != nil {
			t.Fatal(err)
		}
		rows := func() map[string]int64 {
			out := map[string]int64{}
			err := f.db.Read(f.sys, func(tx *db.Tx) error {
				for _, table := range []string{"sign_in_marks", "pending_sign_ins", "sign_in_links", "sessions", "tokens"} {
					var n int64
					if err := tx.Table(table).Count(&n).Error; err != nil {
						return err
					}
					out[table] = n
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
		if n, err := f.Sweep(f.sys); err != nil || n != 0 {
			t.Errorf("swept %d, %v; want nothing yet", n, err)
		}
		f.clock.Advance(time.Hour)
		if _, err := f.Sweep(f.sys); err != nil {
			t.Fatal(err)
		}
		if got := rows(); got["sign_in_marks"] != 1 || got["pending_sign_ins"] != 0 || got["sessions"] != 1 { // the known address stays
			t.Errorf("after an hour: %v", got)
		}
		f.clock.Advance(60 * 24 * time.Hour)
		if _, err := f.Sweep(f.sys); err != nil {
			t.Fatal(err)
		}
		for table, n := range rows() {
			if n != 0 {
				t.Errorf("after two months %d rows of %s", n, table)
			}
		}
	})
}

// TestRowsOfOneCustomer asks the tables without any condition: PostgreSQL
// itself keeps a contact's transaction to that customer's rows.
func TestRowsOfOneCustomer(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		if f.db.Dialect() != db.Postgres {
			t.Skip("SQLite has no row-level security")
		}
		f.admin(t)
		f.owner(t, f.customer(t, "Bert"), "bea@bert.example")
		a := f.owner(t, f.customer(t, "Anna"), "olive@anna.example")
		for table, want := range map[string]int64{"credentials": 1, "sessions": 1, "sign_in_links": 1, "recovery_codes": 10, "tokens": 0, "pending_sign_ins": 0} {
			var n, all int64
			if err := f.db.Read(a.ctx, func(tx *db.Tx) error { return tx.Table(table).Count(&n).Error }); err != nil {
				t.Fatal(err)
			}
			if err := f.db.Read(f.sys, func(tx *db.Tx) error { return tx.Table(table).Count(&all).Error }); err != nil {
				t.Fatal(err)
			}
			if n != want || all != 3*want {
				t.Errorf("%s: a contact sees %d of %d rows, want %d of %d", table, n, all, want, 3*want)
			}
		}
	})
}
