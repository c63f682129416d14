package access_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"ostler/controlplane/access"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/teleport"
	"ostler/controlplane/teleport/teleporttest"
)

// TestOverTheWire has the genuine client follow the lists on a fake cluster that
// speaks the genuine api: grant, session, revoke, as a person would see it.
func TestOverTheWire(t *testing.T) {
	clock := &dbtest.Clock{}
	clock.Advance(time.Since(clock.Now())) // the cluster's clock is the machine's
	fake := must[*teleporttest.Cluster](t)(teleporttest.New(teleporttest.Options{}))
	if err := fake.Listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = fake.Close() })
	identity := must[string](t)(fake.IdentityFile(t.TempDir(), "ostler", time.Hour, teleporttest.RoleReader, teleporttest.RoleEnforcer))
	client := must[*teleport.Client](t)(teleport.Open(teleport.Options{Addr: fake.Addr(), IdentityFile: identity, DialTimeout: time.Minute, CallTimeout: time.Minute}))
	t.Cleanup(func() { _ = client.Close() })

	p := &plane{world: newWorld(t, dbtest.SQLite(t, clock), clock, func(d *access.Deps, _ *access.Options) { d.Cluster = client })}
	for _, u := range []string{"bob", "cleo"} {
		if err := fake.PutUser(u); err != nil {
			t.Fatal(err)
		}
	}
	for id, customer := range map[string]string{"maple-1": "maple", "harbour-1": "harbour"} {
		if err := fake.PutNode(id, id, map[string]string{"customer": customer}); err != nil {
			t.Fatal(err)
		}
	}
	p.look()
	if st := p.state(); !st.Fake || st.LookedAt.IsZero() || st.Trouble != "" || st.IdentityExpires.IsZero() {
		t.Fatalf("looked at: got %+v", st)
	}
	p.mode(access.Shadow)
	p.mode(access.Enforce)

	g := p.grant(p.Maple, p.bob, "operator", 100)
	p.grant(p.Harbour, p.bob, "operator", 100)
	p.tick()
	same(t, "granted", p.changes(p.Maple), []string{"added Bob Builder enforced"})
	if len(fake.RolesOf("bob")) != 1 {
		t.Fatalf("roles of bob: got %v", fake.RolesOf("bob"))
	}
	if _, err := fake.Connect("bob", "root", "maple-1"); err == nil {
		t.Error("a login that the role does not have was let in")
	}
	if _, err := fake.Connect("cleo", "ops", "maple-1"); err == nil {
		t.Error("somebody without a grant was let in")
	}
	live := must[*teleporttest.Session](t)(fake.Connect("bob", "ops", "maple-1"))
	before := clock.Now().Add(-time.Second)

	p.revoke(g)
	p.tick()
	select {
	case <-live.Done():
	case <-time.After(time.Minute):
		t.Fatal("the session goes on")
	}
	p.tick()
	if _, err := fake.Connect("bob", "ops", "maple-1"); err == nil {
		t.Error("the certificate still lets them in")
	}
	same(t, "confirmed", p.changes(p.Maple), []string{"added Bob Builder enforced", "removed Bob Builder enforced"})
	now := slices.DeleteFunc(p.columns(p.Maple), func(s string) bool { return strings.HasPrefix(s, "Teleport user admin ") })
	same(t, "now", now, []string{"Bob Builder operator could"})
	if got := who(p.read(p.Maple, access.At{At: before})); !slices.Contains(got, bobOperates) {
		t.Errorf("as it was: got %v", got)
	}

	// The cluster goes away and comes back: nothing is lost.
	fake.Down()
	p.look()
	if st := p.state(); st.Trouble == "" {
		t.Error("a cluster that is down makes no trouble")
	}
	fake.Up()
	p.look()
	if st := p.state(); st.Trouble != "" || len(st.Planned) != 0 {
		t.Errorf("back: got %+v", st)
	}
}
