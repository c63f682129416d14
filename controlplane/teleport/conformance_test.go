package teleport_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"ostler/controlplane/teleport"
	"ostler/controlplane/teleport/teleporttest"
)

// TestConformance holds the fake, and a real cluster where one is named, to
// what this package counts on. On a real one OSTLERTEST_TELEPORT_IDENTITY must
// be that of an administrator of a cluster for tests: roles, locks and, if
// OSTLERTEST_TELEPORT_USER names a local user, that user's roles are changed and
// put back.
func TestConformance(t *testing.T) {
	t.Run("fake", func(t *testing.T) {
		c := fake(t, teleporttest.Options{LockLag: time.Nanosecond})
		must(t, c.PutRole(teleport.Role{Name: "held", Allow: teleport.Reach{Logins: []string{"held"}}}))
		must(t, c.PutUser("anna", "held"))
		conform(t, client(t, c), "anna")
	})
	t.Run("real", func(t *testing.T) {
		addr, file := os.Getenv("OSTLERTEST_TELEPORT_ADDR"), os.Getenv("OSTLERTEST_TELEPORT_IDENTITY")
		if addr == "" || file == "" {
			t.Skip("no real cluster: OSTLERTEST_TELEPORT_ADDR and OSTLERTEST_TELEPORT_IDENTITY are not set")
		}
		conform(t, open(t, teleport.Options{
			Addr: addr, Cluster: os.Getenv("OSTLERTEST_TELEPORT_CLUSTER"), IdentityFile: file,
		}), os.Getenv("OSTLERTEST_TELEPORT_USER"))
	})
}

func conform(t *testing.T, c *teleport.Client, user string) {
	tag := fmt.Sprintf("ostler-test-%d", time.Now().UnixNano())
	t.Run("ping", func(t *testing.T) {
		cluster, version, err := c.Ping(reaching(t))
		if err != nil || cluster == "" || version == "" {
			t.Fatalf("got %q, %q, %v, want a name and a version", cluster, version, err)
		}
		if c.Expiry().Before(time.Now()) {
			t.Errorf("got expiry %v, want one to come", c.Expiry())
		}
	})
	t.Run("role", func(t *testing.T) { conformRole(t, c, tag+"-role") })
	t.Run("lock", func(t *testing.T) { conformLock(t, c, tag) })
	if user != "" {
		t.Run("user", func(t *testing.T) { conformUser(t, c, tag+"-held", user) })
	}
}

func conformRole(t *testing.T, c *teleport.Client, name string) {
	ctx := reaching(t)
	want := teleport.Role{
		Name: name, Owner: "stf_1", MaxTTL: 8 * time.Hour,
		Allow: teleport.Reach{Logins: []string{"deploy"}, NodeLabels: map[string][]string{"customer": {"acme", "bolt"}}},
		Deny:  teleport.Reach{Logins: []string{"root"}},
	}
	must(t, c.PutRole(ctx, want))
	t.Cleanup(func() {
		if err := c.DeleteRole(reaching(t), name); err != nil {
			t.Error(err)
		}
	})
	first := awaitRole(t, c, name, func(r teleport.Role) bool { return r.Name == name })
	if !first.Ours || first.Owner != "stf_1" || first.MaxTTL != 8*time.Hour || first.Revision == "" {
		t.Errorf("got %+v, want our mark, owner, time to live and revision", first)
	}
	if got := first.Allow.NodeLabels["customer"]; !slices.Equal(got, []string{"acme", "bolt"}) {
		t.Errorf("got customers %v, want acme and bolt", got)
	}
	if !slices.Equal(first.Allow.Logins, []string{"deploy"}) || !slices.Equal(first.Deny.Logins, []string{"root"}) {
		t.Errorf("got logins %v less %v, want deploy less root", first.Allow.Logins, first.Deny.Logins)
	}
	narrow := want
	narrow.Allow.NodeLabels = map[string][]string{"customer": {"bolt"}}
	narrow.Revision = first.Revision
	must(t, c.PutRole(ctx, narrow))
	awaitRole(t, c, name, func(r teleport.Role) bool { return slices.Equal(r.Allow.NodeLabels["customer"], []string{"bolt"}) })
	if err := c.PutRole(ctx, narrow); !errors.Is(err, teleport.ErrChanged) {
		t.Errorf("put over an older revision: got %v, want ErrChanged", err)
	}
	must(t, c.DeleteRole(ctx, name))
	if err := c.DeleteRole(ctx, name); err != nil {
		t.Errorf("deleting what is not there: got %v, want nil", err)
	}
}

// awaitRole reads until a role is as it should be: a real cluster answers from
// a cache that is a little behind.
func awaitRole(t *testing.T, c *teleport.Client, name string, ok func(teleport.Role) bool) teleport.Role {
	t.Helper()
	return await(t, func() (teleport.Role, bool) {
		s, err := c.Observe(reaching(t))
		must(t, err)
		for _, r := range s.Roles {
			if r.Name == name && ok(r) {
				return r, true
			}
		}
		return teleport.Role{}, false
	})
}

// await asks until there is an answer.
func await[T any](t *testing.T, ask func() (T, bool)) T {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if got, ok := ask(); ok {
			return got
		}
	}
	t.Fatal("it never came")
	panic("unreachable")
}

func conformLock(t *testing.T, c *teleport.Client, tag string) {
	ctx := reaching(t)
	want := teleport.Lock{Name: tag, User: tag + "-nobody", Message: "a test", Expires: time.Now().Add(time.Hour).UTC().Truncate(time.Second)}
	must(t, c.PutLock(ctx, want))
	must(t, c.PutLock(ctx, want))
	got := await(t, func() (teleport.Lock, bool) { return findLock(t, c, tag) })
	want.Ours, want.Targets = true, 1
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	must(t, c.DeleteLock(ctx, tag))
	must(t, c.DeleteLock(ctx, tag))
	await(t, func() (struct{}, bool) {
		_, there := findLock(t, c, tag)
		return struct{}{}, !there
	})
	for name, bad := range map[string]teleport.Lock{
		"no target":   {Name: tag},
		"two targets": {Name: tag, User: "a", Role: "b"},
		"no name":     {User: "a"},
	} {
		if err := c.PutLock(ctx, bad); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
	if err := c.PutLock(ctx, teleport.Lock{Name: tag, Session: "s"}); !errors.Is(err, teleport.ErrRefused) {
		t.Errorf("lock on a session: got %v, want ErrRefused", err)
	}
}

func findLock(t *testing.T, c *teleport.Client, name string) (teleport.Lock, bool) {
	t.Helper()
	s, err := c.Observe(reaching(t))
	must(t, err)
	i := slices.IndexFunc(s.Locks, func(l teleport.Lock) bool { return l.Name == name })
	if i < 0 {
		return teleport.Lock{}, false
	}
	return s.Locks[i], true
}

func conformUser(t *testing.T, c *teleport.Client, role, user string) {
	ctx := reaching(t)
	must(t, c.PutRole(ctx, teleport.Role{Name: role, Owner: "stf_1"}))
	before := rolesOf(t, c, user)
	must(t, c.SetUserRoles(ctx, user, []string{role}, nil))
	must(t, c.SetUserRoles(ctx, user, []string{role}, nil))
	await(t, func() (struct{}, bool) {
		return struct{}{}, slices.Equal(rolesOf(t, c, user), append(slices.Clone(before), role))
	})
	if err := c.DeleteRole(ctx, role); !errors.Is(err, teleport.ErrInUse) {
		t.Errorf("deleting a role in use: got %v, want ErrInUse", err)
	}
	must(t, c.SetUserRoles(ctx, user, nil, []string{role}))
	await(t, func() (struct{}, bool) { return struct{}{}, slices.Equal(rolesOf(t, c, user), before) })
	must(t, c.DeleteRole(ctx, role))
	if err := c.SetUserRoles(ctx, user+"-nobody", []string{role}, nil); !errors.Is(err, teleport.ErrNotFound) {
		t.Errorf("roles of a user who is not there: got %v, want ErrNotFound", err)
	}
}

func rolesOf(t *testing.T, c *teleport.Client, user string) []string {
	t.Helper()
	users, err := c.Users(reaching(t))
	must(t, err)
	for _, u := range users {
		if u.Name == user {
			return u.Roles
		}
	}
	t.Fatalf("there is no user %s", user)
	return nil
}
