package teleport_test

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"ostler/controlplane/teleport"
	"ostler/controlplane/teleport/teleporttest"
)

// listen takes connections and says nothing.
func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		var open []net.Conn
		for {
			conn, err := l.Accept()
			if err != nil {
				for _, c := range open {
					_ = c.Close() // the test is over
				}
				return
			}
			open = append(open, conn)
		}
	}()
	t.Cleanup(func() {
		must(t, l.Close())
		<-done
	})
	return l
}

func TestObserve(t *testing.T) {
	for _, old := range []bool{false, true} {
		t.Run(fmt.Sprintf("old=%v", old), func(t *testing.T) {
			c, cl, _ := acme(t, teleporttest.Options{OldServer: old, LockLag: time.Nanosecond})
			s := connect(t, c, "anna", "deploy", "n-acme")
			must(t, cl.PutLock(reaching(t), teleport.Lock{Name: "chg_1", Node: "n-bolt"}))
			await(t, func() (teleport.Lock, bool) { return findLock(t, cl, "chg_1") })
			got, err := cl.Observe(reaching(t))
			must(t, err)
			if got.Cluster != "fake.example" || got.Version != teleporttest.Version || got.At.IsZero() || got.Skipped != 0 {
				t.Errorf("got %q %q at %v, %d skipped %v", got.Cluster, got.Version, got.At, got.Skipped, got.Unread)
			}
			if len(got.Roles) != 4 || len(got.Users) != 2 || len(got.Nodes) != 2 || len(got.Locks) != 1 {
				t.Errorf("got %d roles, %d users, %d nodes, %d locks, want 4, 2, 2, 1", len(got.Roles), len(got.Users), len(got.Nodes), len(got.Locks))
			}
			if n := got.Nodes[0]; n.ID != "n-acme" || n.Hostname != "web1.acme.example" || n.Labels["customer"] != "acme" {
				t.Errorf("got node %+v", n)
			}
			if l := got.Locks[0]; l.Node != "n-bolt" || !l.Ours || l.Targets != 1 {
				t.Errorf("got lock %+v", l)
			}
			want := teleport.Live{ID: s.ID, Kind: "ssh", User: "anna", Login: "deploy", Participants: []string{"anna"}, Node: "n-acme", Hostname: "web1.acme.example"}
			if len(got.Live) != 1 || got.Live[0].ID != want.ID || got.Live[0].User != want.User || got.Live[0].Login != want.Login ||
				got.Live[0].Node != want.Node || got.Live[0].Kind != want.Kind || !slices.Equal(got.Live[0].Participants, want.Participants) {
				t.Errorf("got %+v, want %+v", got.Live, want)
			}
			s.End()
			got, err = cl.Observe(reaching(t))
			must(t, err)
			if len(got.Live) != 0 {
				t.Errorf("got %+v, want no live session", got.Live)
			}
		})
	}
}

func TestObservePages(t *testing.T) {
	c, cl, _ := acme(t, teleporttest.Options{PageLimit: 3})
	for i := range 20 {
		must(t, c.PutNode(fmt.Sprintf("n-%02d", i), "h", map[string]string{"customer": "acme"}))
		must(t, c.PutRole(teleport.Role{Name: fmt.Sprintf("r-%02d", i)}))
		must(t, c.PutUser(fmt.Sprintf("u-%02d", i), "r-00"))
	}
	s, err := cl.Observe(reaching(t))
	must(t, err)
	if len(s.Nodes) != 22 || len(s.Roles) != 24 || len(s.Users) != 22 {
		t.Errorf("got %d nodes, %d roles, %d users, want 22, 24, 22", len(s.Nodes), len(s.Roles), len(s.Users))
	}
}

// What may not be read is counted, kind by kind.
func TestObserveDenied(t *testing.T) {
	for _, tc := range []struct {
		deny []string
		want []string
	}{
		{deny: []string{"user"}, want: []string{"user"}},
		{deny: []string{"role"}, want: []string{"role"}},
		{deny: []string{"lock"}, want: []string{"lock"}},
		{deny: []string{"node"}, want: []string{"node"}},
		{deny: []string{"user", "node", "lock"}, want: []string{"user", "lock", "node"}},
	} {
		c, cl, _ := acme(t, teleporttest.Options{})
		for _, kind := range tc.deny {
			c.Deny(kind, "list", "read")
		}
		s, err := cl.Observe(reaching(t))
		must(t, err)
		if s.Skipped != len(tc.want) || !slices.Equal(s.Unread, tc.want) {
			t.Errorf("%v: got %d %v, want %v", tc.deny, s.Skipped, s.Unread, tc.want)
		}
	}
	c, cl, _ := acme(t, teleporttest.Options{})
	c.Deny("user", "list")
	c.Deny("role", "list")
	if _, err := cl.Observe(reaching(t)); !errors.Is(err, teleport.ErrDenied) {
		t.Errorf("neither roles nor users: got %v, want ErrDenied", err)
	}
}

// A cluster leaves out without a word the nodes that our own roles do not match,
// and others' sessions: that is no clean scan either.
func TestObserveOwnSight(t *testing.T) {
	c, _, _ := acme(t, teleporttest.Options{})
	all := map[string][]string{"*": {"*"}}
	must(t, c.PutRole(teleport.Role{Name: "sees-acme", Allow: teleport.Reach{NodeLabels: map[string][]string{"customer": {"acme"}}}}))
	must(t, c.PutRole(teleport.Role{Name: "sees-all", Allow: teleport.Reach{NodeLabels: all}}))
	must(t, c.PutRole(teleport.Role{Name: "but-acme", Deny: teleport.Reach{NodeLabels: map[string][]string{"customer": {"acme"}}}}))
	const nodes, sessions = "nodes that the identity's own roles do not name", "live sessions of others"
	for _, tc := range []struct {
		name  string
		roles []string
		nodes int
		want  []string
	}{
		{"a reader", []string{teleporttest.RoleReader}, 2, nil},
		{"one customer's nodes", []string{teleporttest.RoleEnforcer, "sees-acme"}, 1, []string{nodes, sessions}},
		{"no nodes", []string{teleporttest.RoleEnforcer}, 0, []string{nodes, sessions}},
		{"all nodes, no sessions", []string{teleporttest.RoleEnforcer, "sees-all"}, 2, []string{sessions}},
		{"all but one customer's", []string{teleporttest.RoleReader, "but-acme"}, 1, []string{nodes}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, err := client(t, c, tc.roles...).Observe(reaching(t))
			must(t, err)
			if len(s.Nodes) != tc.nodes || !slices.Equal(s.Unread, tc.want) || s.Skipped != len(tc.want) {
				t.Errorf("got %d nodes, unread %q, want %d, %q", len(s.Nodes), s.Unread, tc.nodes, tc.want)
			}
		})
	}
}
