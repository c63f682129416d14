package access_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"ostler/controlplane/access"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
)

func TestSettleWritesTheDifference(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		var heard int
		w.access.OnChanged(func(_ *db.Tx, changes []access.Change) error { heard += len(changes); return nil })
		part := access.Part{Column: access.Enforced, Source: "teleport", Customers: []string{w.Maple.ID}}
		bob := access.Want{Customer: w.Maple.ID, Person: w.bob.ID, Way: access.WayTeleport, Role: "operator", Ground: "role-a"}
		key := access.Want{Customer: w.Maple.ID, Unknown: "SHA256:abc", Way: access.WayLogin, Role: "root", Server: w.MapleOne.ID, Ground: "key_1"}

		same(t, "first", told(w.settle(part, bob, key)), []string{"added SHA256:abc login root", "added Bob Builder teleport operator"})
		same(t, "again", told(w.settle(part, bob, key)), nil)
		other := part
		other.Source = "host"
		same(t, "another source", told(w.settle(other)), nil)
		same(t, "gone", told(w.settle(part, bob)), []string{"removed SHA256:abc login root"})
		bob.Until = clock.Now().Add(time.Hour)
		same(t, "an end", told(w.settle(part, bob)), []string{"moved Bob Builder teleport operator"})
		second := bob
		second.Ground = "role-b"
		same(t, "another ground", told(w.settle(part, bob, second)), []string{"ground Bob Builder teleport operator"})
		same(t, "one ground fewer", told(w.settle(part, second)), []string{"ground Bob Builder teleport operator"})
		same(t, "none", told(w.settle(part)), []string{"removed Bob Builder teleport operator"})
		if heard != 7 {
			t.Errorf("hooks heard of %d changes, want 7", heard)
		}
	})
}

// What a hook refuses is not written at all.
func TestSettleIsOneWithItsHooks(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		refused := errors.New("refused")
		fail := true
		w.access.OnChanged(func(*db.Tx, []access.Change) error {
			if fail {
				return refused
			}
			return nil
		})
		part := access.Part{Column: access.Could, Source: "host", Customers: []string{w.Maple.ID}}
		bob := access.Want{Customer: w.Maple.ID, Person: w.bob.ID, Way: access.WayLogin, Role: "root", Server: w.MapleOne.ID, Ground: "key_1"}
		err := d.Write(w.Ctx, func(tx *db.Tx) error { _, err := w.access.Settle(tx, part, []access.Want{bob}); return err })
		if !errors.Is(err, refused) {
			t.Fatalf("got %v, want what the hook said", err)
		}
		fail = false
		same(t, "afterwards", told(w.settle(part, bob)), []string{"added Bob Builder login root"})
	})
}

func TestSettleRefusesNonsense(t *testing.T) {
	w := newWorld(t, dbtest.SQLite(t, &dbtest.Clock{}), &dbtest.Clock{})
	good := access.Want{Customer: w.Maple.ID, Person: w.bob.ID, Way: access.WayLogin}
	for name, c := range map[string]struct {
		part access.Part
		want access.Want
	}{
		"a column that is none": {access.Part{Column: "x", Source: "host", Customers: []string{w.Maple.ID}}, good},
		"everything":            {access.Part{Column: access.Could, Source: "host"}, good},
		"wants of no source":    {access.Part{Column: access.Could, Customers: []string{w.Maple.ID}}, good},
		"a way that is none":    {access.Part{Column: access.Could, Source: "host", Customers: []string{w.Maple.ID}}, access.Want{Customer: w.Maple.ID, Person: w.bob.ID, Way: "x"}},
		"nobody":                {access.Part{Column: access.Could, Source: "host", Customers: []string{w.Maple.ID}}, access.Want{Customer: w.Maple.ID, Way: access.WayLogin}},
		"no customer":           {access.Part{Column: access.Could, Source: "host", Customers: []string{w.Maple.ID}}, access.Want{Person: w.bob.ID, Way: access.WayLogin}},
		"somebody's name":       {access.Part{Column: access.Could, Source: "host", Customers: []string{w.Maple.ID}}, access.Want{Customer: w.Maple.ID, Person: "bob", Way: access.WayLogin}},
	} {
		err := w.DB.Write(w.Ctx, func(tx *db.Tx) error { _, err := w.access.Settle(tx, c.part, []access.Want{c.want}); return err })
		if err == nil {
			t.Errorf("%s: taken, want an error", name)
		}
	}
}

// Whatever holds an instant stands at one of its ancestors, and there are never many.
func TestIntervalTree(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const minute = 60_000
	for range 20_000 {
		from := r.Int64N(1<<27) * minute / 3
		until := from + 1 + r.Int64N(1+r.Int64N(1<<uint(1+r.IntN(26))))*minute
		node := access.Fork(from, until)
		at := from + r.Int64N(until-from)
		before, after := access.Ancestors(at)
		if !slices.Contains(before, node) && !slices.Contains(after, node) {
			t.Fatalf("[%d, %d) stands at %d, which is no ancestor of %d", from, until, node, at)
		}
		if n := len(before) + len(after); n > 28 {
			t.Fatalf("%d ancestors of %d, want at most 28", n, at)
		}
	}
}
