package ledger_test

import (
	"context"
	"reflect"
	"slices"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

func TestListPages(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d)
		for range 10 {
			clock.Advance(time.Second)
			w.append(2)
		}
		w.sequence()
		w.append(3) // same instant as the newest two, without a place
		want := []string{w.ids[22], w.ids[21], w.ids[20]}
		for i := 19; i >= 0; i-- {
			want = append(want, w.ids[i])
		}
		for _, limit := range []int{1, 2, 3, 4, 7, 100} {
			var got []string
			f := ledger.Filter{Limit: limit, Kinds: []string{"backup.finished"}}
			for {
				items, next, err := w.l.List(w.ctx, all, f)
				w.must(err)
				if len(items) > limit {
					t.Fatalf("limit %d: a page of %d", limit, len(items))
				}
				for _, i := range items {
					got = append(got, i.ID)
				}
				if next == "" {
					break
				}
				f.PageToken = next
			}
			if !slices.Equal(got, want) {
				t.Errorf("limit %d: got %d entries in another order than the %d wanted", limit, len(got), len(want))
			}
		}
	})
}

func TestListFiltersAndScopes(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d)
		w.append(12)
		w.sequence()
		clock.Advance(time.Second)
		later := clock.Now()
		w.append(4)
		tests := []struct {
			name  string
			scope policy.Scope
			f     ledger.Filter
			want  int
		}{
			{"everything", all, ledger.Filter{}, 17},
			{"a customer", all, ledger.Filter{Customer: "cus_a"}, 4},
			{"the company", all, ledger.Filter{Company: true}, 5},
			{"a server", all, ledger.Filter{Server: "srv_1"}, 5},
			{"a subject", all, ledger.Filter{Subject: "run_3"}, 1},
			{"since", all, ledger.Filter{Since: later}, 4},
			{"before", all, ledger.Filter{Before: later}, 13},
			{"at no time", all, ledger.Filter{Since: later, Before: later}, 0},
			{"somebody", all, ledger.Filter{Actor: "stf_1"}, 16},
			{"nobody", all, ledger.Filter{Actor: "stf_0"}, 0},
			{"a kind", all, ledger.Filter{Kinds: []string{"log.opened", "x.y"}}, 1},
			{"a customer's scope", policy.OneCustomer("cus_b"), ledger.Filter{}, 4},
			{"a customer's scope, their server", policy.OneCustomer("cus_b"), ledger.Filter{Server: "srv_2"}, 2},
			{"a customer's scope, another customer", policy.OneCustomer("cus_b"), ledger.Filter{Customer: "cus_a"}, 0},
			{"a customer's scope, the company", policy.OneCustomer("cus_b"), ledger.Filter{Company: true}, 0},
			{"no scope", policy.Scope{}, ledger.Filter{}, 0},
			{"the scope of no customer", policy.OneCustomer(""), ledger.Filter{}, 0},
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				if got := len(w.list(tt.scope, tt.f)); got != tt.want {
					t.Errorf("got %d entries, want %d", got, tt.want)
				}
			})
		}
		for _, token := range []string{"x", "eyJpIjoieCJ9"} {
			if _, _, err := w.l.List(w.ctx, all, ledger.Filter{PageToken: token}); controlplane.ErrorCode(err) != controlplane.CodeInvalid {
				t.Errorf("token %q: got %v, want invalid", token, err)
			}
		}
		id := w.ids[1] // of cus_a
		if i, err := w.l.Get(w.ctx, policy.OneCustomer("cus_a"), id); err != nil || i.ID != id {
			t.Errorf("Get: got %v, %v", i.ID, err)
		}
		for _, scope := range []policy.Scope{policy.OneCustomer("cus_b"), {}} {
			if _, err := w.l.Get(w.ctx, scope, id); controlplane.ErrorCode(err) != controlplane.CodeNotFound {
				t.Errorf("Get outside the scope: got %v, want not found", err)
			}
			if _, err := w.l.Prove(w.ctx, scope, id); controlplane.ErrorCode(err) != controlplane.CodeNotFound {
				t.Errorf("Prove outside the scope: got %v, want not found", err)
			}
		}
	})
}

// TestContactsTransactions runs as a contact: on PostgreSQL row-level security
// narrows every query.
func TestContactsTransactions(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		w := newWorld(t, d)
		w.append(8)
		w.sequence()
		w.ctx = controlplane.WithActor(context.Background(), controlplane.Actor{Kind: controlplane.ActorContact, ID: "con_1", Customer: "cus_a", Role: string(policy.RoleOwner)})
		scope := policy.OneCustomer("cus_a")
		id := w.add(ledger.Entry{Customer: "cus_a", Kind: "key.confirmed", Personal: map[string]string{"name": "Erika"}})
		if _, err := w.l.Prove(w.ctx, scope, id); controlplane.ErrorCode(err) != controlplane.CodeConflict {
			t.Errorf("a proof without a place: got %v, want a conflict", err)
		}
		if n := w.sequence(); n != 1 {
			t.Errorf("Sequence: got %d, want 1", n)
		}
		items := w.list(scope, ledger.Filter{})
		if len(items) != 3 || items[0].Personal["name"] != "Erika" || items[0].Actor.Kind != controlplane.ActorContact {
			t.Errorf("list: got %d items, %+v", len(items), items[0])
		}
		p, err := w.l.Prove(w.ctx, scope, id)
		if err != nil || p.Verify(w.l.PublicKey()) != nil {
			t.Errorf("Prove: %v", err)
		}
		heads, err := w.l.DailyHeads(w.ctx, scope, "cus_a", time.Time{})
		if err != nil || len(heads) != 1 || heads[0].Seq != 2 {
			t.Errorf("DailyHeads: got %v, %v", heads, err)
		}
	})
}

func TestForget(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		w := newWorld(t, d)
		w.append(8)
		w.sequence()
		id := w.ids[1] // of cus_a
		w.must(d.Write(w.ctx, func(tx *db.Tx) error { return w.l.Forget(tx, id, w.ids[2], "led_unknown") }))
		if r := w.wantOK(); r.Forgotten != 2 || r.Personal != 6 || r.Pending != 2 {
			t.Errorf("before Sequence: %+v", r)
		}
		w.sequence()
		if r := w.wantOK(); r.Forgotten != 2 || r.Personal != 6 {
			t.Errorf("after Sequence: %+v", r)
		}
		i, err := w.l.Get(w.ctx, all, id)
		w.must(err)
		if len(i.Personal) != 0 || !slices.Equal(i.Forgotten, []string{"email"}) {
			t.Errorf("item: personal %v, forgotten %v", i.Personal, i.Forgotten)
		}
		if p, err := w.l.Prove(w.ctx, all, id); err != nil || p.Verify(w.l.PublicKey()) != nil {
			t.Errorf("a forgotten entry has no proof: %v", err)
		}
		told := w.list(all, ledger.Filter{Kinds: []string{ledger.KindForgotten}, Customer: "cus_a"})
		if len(told) != 1 || told[0].Data["entries"].([]any)[0] != id {
			t.Errorf("the log does not tell: %v", told)
		}
		// The entry that tells of one customer's does not excuse another's.
		w.exec("DELETE FROM ledger_personal WHERE entry_id = ?", w.ids[3])
		if r := w.verify(); r.OK() || r.Problems[0].Entry != w.ids[3] {
			t.Errorf("a value deleted by hand: %q", r.First())
		}
	})
}

func TestDestroyedKey(t *testing.T) {
	w := newWorld(t, dbtest.SQLite(t, &dbtest.Clock{}))
	w.append(8)
	w.sequence()
	w.must(w.k.Destroy(w.ctx, "cus_a"))
	if r := w.wantOK(); r.Forgotten != 2 || r.Personal != 6 {
		t.Errorf("report: %+v", r)
	}
	w.exec("UPDATE ledger_personal SET sealed = ? WHERE entry_id = ?", []byte("x"), w.ids[2])
	if i, err := w.l.Get(w.ctx, all, w.ids[2]); err != nil || !slices.Equal(i.Unreadable, []string{"email"}) || len(i.Forgotten)+len(i.Personal) != 0 {
		t.Errorf("a value that was changed: %+v, %v", i, err)
	}
	if items := w.list(all, ledger.Filter{Customer: "cus_a"}); len(items) != 2 || len(items[0].Personal) != 0 || len(items[0].Forgotten) != 1 {
		t.Errorf("items: %+v", items)
	}
}

// An entry reads the same before and after it has its place, whatever its
// data hold, and what was appended is what the log commits to.
func TestPendingReadsAsPlaced(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		w := newWorld(t, d)
		data := map[string]any{
			"nul": "a\x00b", "control": "\x01\x1f\x7f\b\t\n\f\r", "quotes": `"\/' \u0000 \\`, "beyond": "é 漢 😀 \u2028 \ufffd", "not utf-8": "\xff\xfe",
			"most": int64(1<<53 - 1), "least": int64(-(1<<53 - 1)), "deep": map[string]any{"\x00": []any{nil, true, map[string]any{}}}, "": "", "'": "'); DROP",
		}
		id := w.add(ledger.Entry{Subject: `s"\`, Server: "srv_1", Kind: "x.y_1.z2", Data: data})
		before, err := w.l.Get(w.ctx, all, id)
		w.must(err)
		if n := w.sequence(); n == 0 {
			t.Fatal("nothing was placed")
		}
		after, err := w.l.Get(w.ctx, all, id)
		w.must(err)
		after.Seq, after.Leaf, after.Generation = before.Seq, before.Leaf, before.Generation
		if !reflect.DeepEqual(before, after) || before.Data["nul"] != "a\x00b" || before.Subject != `s"\` {
			t.Errorf("got %+v before and %+v after", before, after)
		}
		w.wantOK()
	})
}

func TestKindOfAnEntry(t *testing.T) {
	w := newWorld(t, dbtest.SQLite(t, &dbtest.Clock{}))
	for kind, want := range map[string]bool{
		"backup.finished": true, "a.b.c": true, "a1_.b_2": true,
		"": false, "backup": false, ".a": false, "a.": false, "a..b": false, "A.b": false, "a.B": false, "1a.b": false, "a.1b": false, "_a.b": false, "a._b": false, "a b.c": false, "a.b\n": false, "a-b.c": false,
	} {
		err := w.d.Write(w.ctx, func(tx *db.Tx) error { _, err := w.l.Append(tx, ledger.Entry{Kind: kind}); return err })
		if (err == nil) != want {
			t.Errorf("%q: got %v, want %v", kind, err, want)
		}
	}
}
