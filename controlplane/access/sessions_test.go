package access_test

import (
	"testing"
	"time"

	"ostler/controlplane/access"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
)

// inTx runs fn in a reading transaction of the admin.
func (w *world) inTx(fn func(tx *db.Tx) error) {
	w.T.Helper()
	if err := w.DB.Read(w.Ctx, fn); err != nil {
		w.T.Fatal(err)
	}
}

func TestPersonsOfSessions(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		w.inTx(func(tx *db.Tx) error {
			for user, want := range map[string]string{"bob": w.bob.ID, "BOB": w.bob.ID, "nobody": "", "": ""} {
				list, err := w.access.PersonsByUser(tx, w.all, user)
				if err != nil {
					return err
				}
				got := ""
				if len(list) == 1 {
					got = list[0].ID
				}
				if got != want || len(list) > 1 || want != "" && (list[0].Name != "Bob Builder" || list[0].Staff != w.bob.Staff) {
					t.Errorf("%q: got %+v, want %s", user, list, want)
				}
			}
			who, ok, err := w.access.PersonByStaff(tx, w.all, w.cleo.Staff)
			if err != nil || !ok || who.ID != w.cleo.ID || who.Name != "Cleo Clark" {
				t.Errorf("got %+v, %v, %v", who, ok, err)
			}
			if _, ok, err := w.access.PersonByStaff(tx, w.all, ""); ok || err != nil {
				t.Errorf("nobody's staff is somebody: %v, %v", ok, err)
			}
			return nil
		})
	})
}

func TestGroundOfSessions(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		w.Share()
		before := w.Clock.Now()
		w.hours(1)
		must[access.Authorisation](t)(w.access.AddAuthorisation(w.Ctx, w.all, access.Authorisation{Customer: w.Maple.ID, Name: "Mia Maple", Acts: []string{access.ActSession}}))
		g := must[access.Grant](t)(w.access.Grant(w.Ctx, w.all, w.asked(func(in *access.NewGrant) { in.Ticket = "OPS-12" })))
		w.hours(1)
		during := w.Clock.Now()
		w.hours(1)
		must[access.Grant](t)(w.access.Revoke(w.Ctx, w.all, g.ID, "done"))
		w.hours(1)
		ground := func(customer, person, server string, at time.Time) (out access.SessionGround) {
			t.Helper()
			w.inTx(func(tx *db.Tx) (err error) {
				out, err = w.access.GroundOf(tx, w.all, customer, person, server, at)
				return err
			})
			return out
		}
		got := ground(w.Maple.ID, w.bob.ID, w.MapleOne.ID, during)
		if got.Grant != g.ID || got.Kind != "normal" || got.Role != "operator" || got.Ticket != "OPS-12" || got.Reason != "looks after the shop" || got.Authorisation == "" {
			t.Errorf("while it was granted: got %+v", got)
		}
		for name, got := range map[string]access.SessionGround{
			"before it":            ground(w.Maple.ID, w.bob.ID, w.MapleOne.ID, before),
			"when it was revoked":  ground(w.Maple.ID, w.bob.ID, w.MapleOne.ID, w.Clock.Now()),
			"another person's":     ground(w.Maple.ID, w.cleo.ID, w.MapleOne.ID, during),
			"nobody's":             ground(w.Maple.ID, "", w.MapleOne.ID, during),
			"on another's server":  ground(w.Harbour.ID, w.bob.ID, w.HarbourOne.ID, during),
			"of another's own one": ground(w.Harbour.ID, w.bob.ID, w.MapleOne.ID, during),
		} {
			if got != (access.SessionGround{}) {
				t.Errorf("%s: got %+v, want nothing", name, got)
			}
		}
		if got := ground(w.Harbour.ID, w.bob.ID, w.Shared.ID, during); got.Kind != access.KindShared || got.Grant != "" || got.Reason != "" || got.Ticket != "" {
			t.Errorf("for whom lives on the same server: got %+v, want that it is another's ground, and no word of it", got)
		}
		w.inTx(func(tx *db.Tx) error {
			months, err := w.access.RecordingMonths(tx, w.all, w.Maple.ID)
			if months != 12 {
				t.Errorf("recordings are kept %d months, want 12", months)
			}
			return err
		})
	})
}

// TestLetIn takes the customer's own word alone, and an account only where every
// way into it is theirs.
func TestLetIn(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		p := newPlane(t, d, clock)
		p.active(p.MapleOne)
		p.scanned(p.MapleOne, scan())
		letIn := func(account, key string) (out bool) {
			t.Helper()
			p.inTx(func(tx *db.Tx) (err error) {
				out, err = p.access.LetIn(tx, p.all, p.MapleOne.ID, account, key, p.Clock.Now())
				return err
			})
			return out
		}
		if letIn("dev", keyB) || letIn("dev", "") {
			t.Error("a key of which nobody has said anything lets in")
		}
		items, _, err := p.access.ListFound(p.Ctx, p.all, access.FoundFilter{})
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range items {
			if x.Kind == access.FoundKey && x.Account == "dev" {
				must[access.Found](t)(p.access.Explain(p.Ctx, p.all, x.ID, "", p.Maple.ID))
				if letIn("dev", keyB) {
					t.Error("what we say is the customer's lets in before the customer says so")
				}
				ctx, scope := p.Owner(p.Maple)
				must[access.Found](t)(p.access.ConfirmFound(ctx, scope, x.ID, true, "Eve of the agency"))
			}
		}
		for _, c := range []struct {
			account, key string
			want         bool
		}{{"dev", keyB, true}, {"dev", "", true}, {"dev", keyA, false}, {"root", "", false}, {"root", keyA, false}, {"other", "", false}} {
			if got := letIn(c.account, c.key); got != c.want {
				t.Errorf("%s with %q: got %v, want %v", c.account, c.key, got, c.want)
			}
		}
	})
}
