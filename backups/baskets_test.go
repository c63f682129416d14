package backups_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"ostler/agents/wire"
	"ostler/backups"
	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/policy"
)

func chosen(b backups.Basket) string {
	var out []string
	for _, i := range b.Items {
		out = append(out, string(i.Path))
	}
	return strings.Join(out, " ")
}

func TestBasketFolds(t *testing.T) {
	each(t, func(t *testing.T, h *house, snap backups.Snapshot) {
		ctx, scope := h.owner(h.customer.ID)
		b := must[backups.Basket](t)(h.backups.Basket(ctx, scope, ""))
		if b.Customer != h.customer.ID || len(b.Items) != 0 || b.Seconds != 0 {
			t.Errorf("empty: got %+v", b)
		}
		for _, step := range []struct {
			name, add, want string
		}{
			{"one", "/srv/shop/a/b", "/srv/shop/a/b"},
			{"the same again, not clean", "/srv/shop/./a//b/", "/srv/shop/a/b"},
			{"a name that only begins like it", "/srv/shop/a-b", "/srv/shop/a-b /srv/shop/a/b"},
			{"the folder around it", "/srv/shop/a", "/srv/shop/a /srv/shop/a-b"},
			{"what lies beneath", "/srv/shop/a/c/d", "/srv/shop/a /srv/shop/a-b"},
			{"bytes that are no text", "/srv/shop/\xff\n", "/srv/shop/\xff\n /srv/shop/a /srv/shop/a-b"},
		} {
			b = must[backups.Basket](t)(h.backups.BasketAdd(ctx, scope, "", picks(snap, step.add)))
			if got := strings.ReplaceAll(chosen(b), "/srv/shop/a /srv/shop/a-b /srv/shop/\xff\n", "/srv/shop/\xff\n /srv/shop/a /srv/shop/a-b"); got != step.want {
				t.Errorf("%s: got %q, want %q", step.name, got, step.want)
			}
		}
		if n := must[int](t)(h.backups.BasketCount(ctx, scope, "")); n != 3 {
			t.Errorf("count: got %d, want 3", n)
		}
		other, oscope := h.as(controlplane.ActorContact, "con_00000000000000000000000002", policy.RoleRestorer, h.customer.ID)
		if b := must[backups.Basket](t)(h.backups.BasketRemove(other, oscope, "", []string{b.Items[0].ID})); len(b.Items) != 0 {
			t.Errorf("a colleague sees %q", chosen(b))
		}
		b = must[backups.Basket](t)(h.backups.BasketRemove(ctx, scope, "", []string{b.Items[0].ID, "itm_none"}))
		if len(b.Items) != 2 {
			t.Errorf("removed: got %q", chosen(b))
		}
		if err := h.backups.BasketClear(ctx, scope, ""); err != nil {
			t.Fatal(err)
		}
		if n := must[int](t)(h.backups.BasketCount(ctx, scope, "")); n != 0 {
			t.Errorf("cleared: got %d", n)
		}
	})
}

func TestBasketRefuses(t *testing.T) {
	each(t, func(t *testing.T, h *house, snap backups.Snapshot) {
		ctx, scope := h.owner(h.customer.ID)
		octx, oscope := h.owner(h.other.ID)
		reader, rscope := h.as(controlplane.ActorContact, "con_00000000000000000000000003", policy.RoleReader, h.customer.ID)
		var many []backups.Pick
		for i := range wire.MaxSelected {
			many = append(many, picks(snap, fmt.Sprintf("/srv/shop/%d", i))...)
		}
		add := func(p ...backups.Pick) error { _, err := h.backups.BasketAdd(ctx, scope, "", p); return err }
		code(t, "as many as it holds", add(many...), "")
		code(t, "one more", add(picks(snap, "/srv/shop/more")...), controlplane.CodeInvalid)
		code(t, "nothing", add(), controlplane.CodeInvalid)
		code(t, "too long", add(picks(snap, "/"+strings.Repeat("x", 5000))...), controlplane.CodeInvalid)
		code(t, "no snapshot", add(backups.Pick{Snapshot: "snap_none", Path: []byte("/a")}), controlplane.CodeNotFound)
		_, err := h.backups.BasketAdd(octx, oscope, "", picks(snap, "/srv/shop/a"))
		code(t, "another's snapshot", err, controlplane.CodeNotFound)
		_, err = h.backups.Basket(octx, oscope, h.customer.ID)
		code(t, "another's basket", err, controlplane.CodeNotFound)
		_, err = h.backups.Basket(reader, rscope, "")
		code(t, "a reader", err, controlplane.CodeForbidden)
		_, err = h.backups.Basket(h.ctx, h.all, "")
		code(t, "nobody's", err, controlplane.CodeInvalid)
		long := strings.Repeat("y", 4000)
		var wide []backups.Pick
		for i := range 200 {
			wide = append(wide, picks(snap, fmt.Sprintf("/srv/shop/%s%d", long, i))...)
		}
		_, err = h.backups.StartArchive(ctx, scope, backups.Order{Picks: wide})
		code(t, "more than can be signed", err, controlplane.CodeInvalid)
	})
}

// The estimate is what earlier restores of this customer took.
func TestBasketEstimates(t *testing.T) {
	each(t, func(t *testing.T, h *house, snap backups.Snapshot) {
		ctx, scope := h.owner(h.customer.ID)
		add := []backups.Pick{{Snapshot: snap.ID, Path: []byte("/srv/shop/a"), Type: wire.NodeFile, Size: 3_000_000}}
		b := must[backups.Basket](t)(h.backups.BasketAdd(ctx, scope, "", add))
		if !b.Known || b.Files != 1 || b.Bytes != 3_000_000 || b.Seconds != 0 || b.Servers[0] != h.server.ID || b.Items[0].Type != wire.NodeFile {
			t.Errorf("nothing to tell by: got %+v", b)
		}
		must[[]backups.Restore](t)(h.backups.StartArchive(ctx, scope, backups.Order{Picks: picks(snap, "/srv/shop")}))
		var p wire.ArchiveParams
		ref := h.take(wire.ActionArchive, &p)
		up := h.send(ref, []byte("zip"))
		h.clock.Advance(10 * time.Second)
		h.finish(ref, wire.ArchiveResult{Upload: up, Files: 9, Bytes: 1_000_000})
		h.tick()
		if b = must[backups.Basket](t)(h.backups.Basket(ctx, scope, "")); b.Seconds != 30 {
			t.Errorf("got %d s, want 30: a megabyte took 10", b.Seconds)
		}
		b = must[backups.Basket](t)(h.backups.BasketAdd(ctx, scope, "", picks(snap, "/srv/shop/folder")))
		if b.Known || b.Seconds != 0 {
			t.Errorf("a folder that nobody measured: got known %v, %d s", b.Known, b.Seconds)
		}
		if got := b.Picks(); len(got) != 2 || !bytes.Equal(got[0].Path, []byte("/srv/shop/a")) {
			t.Errorf("picks: got %v", got)
		}
	})
}

// What somebody chose goes when they are no contact any more; what others chose
// stays.
func TestBasketOfSomebodyWhoLeft(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		_, snap := h.ready()
		add := func(name, mail string) (customers.Contact, context.Context, policy.Scope) {
			c := must[customers.Contact](t)(h.customers.AddContact(h.ctx, h.all, customers.NewContact{Customer: h.customer.ID, Name: name, Email: mail, Role: policy.RoleOwner, Language: "en"}))
			ctx, scope := h.as(controlplane.ActorContact, c.ID, policy.RoleOwner, h.customer.ID)
			must[backups.Basket](t)(h.backups.BasketAdd(ctx, scope, "", picks(snap, "/srv/shop/a")))
			return c, ctx, scope
		}
		leaver, ctx, scope := add("Ines Moreau", "ines@maple.invalid")
		_, octx, oscope := add("Jonas Weber", "jonas@maple.invalid")
		if err := h.customers.RemoveContact(h.ctx, h.all, leaver.ID); err != nil {
			t.Fatal(err)
		}
		h.sweep()
		for name, x := range map[string]struct {
			ctx   context.Context
			scope policy.Scope
			want  int
		}{"who left": {ctx, scope, 0}, "who stayed": {octx, oscope, 1}} {
			if got := must[backups.Basket](t)(h.backups.Basket(x.ctx, x.scope, "")); len(got.Items) != x.want {
				t.Errorf("%s: got %d items, want %d", name, len(got.Items), x.want)
			}
		}
	})
}
