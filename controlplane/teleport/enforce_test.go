package teleport_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"ostler/controlplane/teleport"
	"ostler/controlplane/teleport/teleporttest"
)

// acme is a cluster with one node of acme, one of bolt, and anna, whose own
// role lets her on both as deploy.
func acme(t *testing.T, o teleporttest.Options) (*teleporttest.Cluster, *teleport.Client, teleport.Role) {
	t.Helper()
	c := fake(t, o)
	must(t, c.PutNode("n-acme", "web1.acme.example", map[string]string{"customer": "acme"}))
	must(t, c.PutNode("n-bolt", "web1.bolt.example", map[string]string{"customer": "bolt"}))
	cl := client(t, c)
	role := teleport.Role{Name: "ostler-staff-anna", Owner: "stf_anna", Allow: teleport.Reach{
		Logins: []string{"deploy"}, NodeLabels: map[string][]string{"customer": {"acme", "bolt"}},
	}}
	must(t, cl.PutRole(reaching(t), role))
	must(t, c.PutUser("anna", "ostler-staff-anna"))
	return c, cl, role
}

func connect(t *testing.T, c *teleporttest.Cluster, user, login, node string) *teleporttest.Session {
	t.Helper()
	s, err := c.Connect(user, login, node)
	must(t, err)
	return s
}

func refused(t *testing.T, c *teleporttest.Cluster, user, login, node string) {
	t.Helper()
	if _, err := c.Connect(user, login, node); !errors.Is(err, teleporttest.ErrRefused) {
		t.Errorf("%s as %s on %s: got %v, want ErrRefused", user, login, node, err)
	}
}

// 1. Taking a role off a user does not stop a certificate already issued, and
// 2. narrowing the role does, at once, for new connections only.
func TestRoleTakenOffWorksOn(t *testing.T) {
	c, cl, role := acme(t, teleporttest.Options{})
	_, err := c.Login("anna")
	must(t, err)
	must(t, cl.SetUserRoles(reaching(t), "anna", nil, []string{role.Name}))
	live := connect(t, c, "anna", "deploy", "n-acme")

	role.Allow.NodeLabels = map[string][]string{"customer": {"bolt"}}
	must(t, cl.PutRole(reaching(t), role))
	refused(t, c, "anna", "deploy", "n-acme")
	connect(t, c, "anna", "deploy", "n-bolt")
	if cause := live.Cause(); cause != "" {
		t.Errorf("the session before was cut (%s), want it to survive", cause)
	}
}

// 2. So does deleting it, however the certificate came about.
func TestRoleDeleted(t *testing.T) {
	c, cl, role := acme(t, teleporttest.Options{})
	connect(t, c, "anna", "deploy", "n-acme")
	must(t, cl.SetUserRoles(reaching(t), "anna", nil, []string{role.Name}))
	must(t, cl.DeleteRole(reaching(t), role.Name))
	refused(t, c, "anna", "deploy", "n-acme")
}

// 3. A lock on a user cuts what is live, and refuses what comes; 4. when a short
// one is over, access is back.
func TestLockCutsAndEnds(t *testing.T) {
	clk := newClock()
	c, cl, _ := acme(t, teleporttest.Options{Now: clk.now, CutDelay: time.Millisecond})
	live, other := connect(t, c, "anna", "deploy", "n-acme"), connect(t, c, "anna", "deploy", "n-bolt")
	must(t, c.PutUser("bert", "ostler-staff-anna"))
	bert := connect(t, c, "bert", "deploy", "n-acme")

	must(t, cl.PutLock(reaching(t), teleport.Lock{Name: "chg_1", User: "anna", Expires: clk.now().Add(5 * time.Second)}))
	over(t, live)
	over(t, other)
	refused(t, c, "anna", "deploy", "n-acme")
	if bert.Cause() != "" {
		t.Error("the lock on anna cut bert")
	}
	clk.add(6 * time.Second)
	connect(t, c, "anna", "deploy", "n-acme")
}

// 3. A cluster shows a lock up to a second late, and one that is gone as well.
// Neither has us lose a lock or leave one behind.
func TestLockShowsLate(t *testing.T) {
	clk := newClock()
	c, cl, _ := acme(t, teleporttest.Options{Now: clk.now, LockLag: time.Second})
	must(t, cl.PutLock(reaching(t), teleport.Lock{Name: "chg_1", User: "anna"}))
	if _, there := findLock(t, cl, "chg_1"); there {
		t.Error("the lock is there at once; the fake should be late")
	}
	refused(t, c, "anna", "deploy", "n-acme")
	must(t, cl.DeleteLock(reaching(t), "chg_1"))
	connect(t, c, "anna", "deploy", "n-acme")

	must(t, cl.PutLock(reaching(t), teleport.Lock{Name: "chg_2", User: "anna"}))
	clk.add(time.Second)
	if _, there := findLock(t, cl, "chg_2"); !there {
		t.Error("the lock is not there a second later")
	}
	must(t, cl.DeleteLock(reaching(t), "chg_2"))
	if _, there := findLock(t, cl, "chg_2"); !there {
		t.Error("the lock is gone at once; the fake should be late")
	}
	must(t, cl.DeleteLock(reaching(t), "chg_2"))
	clk.add(time.Second)
	if _, there := findLock(t, cl, "chg_2"); there {
		t.Error("the lock is there a second later")
	}
}

// 5. Several targets of one lock are "or": we make none, and see through others'.
func TestLockOfSeveralTargets(t *testing.T) {
	c, cl, _ := acme(t, teleporttest.Options{LockLag: time.Nanosecond})
	must(t, c.PutUser("bert", "ostler-staff-anna"))
	if err := cl.PutLock(reaching(t), teleport.Lock{Name: "chg_1", User: "anna", Role: "ostler-staff-anna"}); err == nil {
		t.Fatal("two targets: got no error")
	}
	must(t, c.PutLock(teleport.Lock{Name: "by-hand", User: "anna", Role: "ostler-staff-anna"}))
	refused(t, c, "bert", "deploy", "n-acme")
	l := await(t, func() (teleport.Lock, bool) { return findLock(t, cl, "by-hand") })
	if l.Targets != 2 || l.Ours {
		t.Errorf("got %+v, want two targets of somebody else's", l)
	}
	s, err := cl.Observe(reaching(t))
	must(t, err)
	for _, w := range teleport.Reaches(s, "customer") {
		if w.User == "bert" {
			t.Errorf("bert reaches %v by %s, want nothing: the lock is on his role, too", w.Values, w.Via)
		}
	}
}

// What somebody else made we change neither by mistake nor by force.
func TestNotOurs(t *testing.T) {
	c, cl, _ := acme(t, teleporttest.Options{LockLag: time.Nanosecond})
	must(t, c.PutRole(teleport.Role{Name: "by-hand", Allow: teleport.Reach{Logins: []string{"x"}}}))
	must(t, c.PutLock(teleport.Lock{Name: "by-hand", User: "anna"}))
	await(t, func() (teleport.Lock, bool) { return findLock(t, cl, "by-hand") })
	ctx := reaching(t)
	for name, err := range map[string]error{
		"put role":    cl.PutRole(ctx, teleport.Role{Name: "by-hand", Owner: "stf_1"}),
		"delete role": cl.DeleteRole(ctx, "by-hand"),
		"put lock":    cl.PutLock(ctx, teleport.Lock{Name: "by-hand", User: "bert"}),
		"delete lock": cl.DeleteLock(ctx, "by-hand"),
	} {
		if !errors.Is(err, teleport.ErrNotOurs) {
			t.Errorf("%s: got %v, want ErrNotOurs", name, err)
		}
	}
	refused(t, c, "anna", "deploy", "n-acme")
}

// A role of ours holds nothing that gives more access, whatever was put in by
// hand, and keeps what we know nothing of.
func TestPutRoleKeepsAndClears(t *testing.T) {
	c, cl, role := acme(t, teleporttest.Options{})
	want := teleporttest.Unmodelled{Description: "see the wiki", Label: "x", AppLabel: "grafana", ForwardAgent: true, MaxConnections: 3}
	must(t, c.SetUnmodelled(role.Name, want))
	must(t, c.Widen(role.Name))
	must(t, cl.PutRole(reaching(t), role))
	if got := c.GetUnmodelled(role.Name); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	got := awaitRole(t, cl, role.Name, func(teleport.Role) bool { return true })
	if a := got.Allow; len(a.Writes)+len(a.ImpersonatesRoles)+len(a.ImpersonatesUsers)+len(a.RequestsRoles) > 0 || a.JoinsSessions || a.NodeExpression != "" {
		t.Errorf("got %+v, want no way to more access", a)
	}
	for name, bad := range map[string]teleport.Role{
		"writes":       {Name: "r", Owner: "o", Allow: teleport.Reach{Writes: []string{"role"}}},
		"impersonates": {Name: "r", Owner: "o", Allow: teleport.Reach{ImpersonatesRoles: []string{"admin"}}},
		"asks":         {Name: "r", Owner: "o", Allow: teleport.Reach{RequestsRoles: []string{"admin"}}},
		"joins":        {Name: "r", Owner: "o", Allow: teleport.Reach{JoinsSessions: true}},
		"expression":   {Name: "r", Owner: "o", Allow: teleport.Reach{NodeExpression: "true"}},
		"every login":  {Name: "r", Owner: "o", Allow: teleport.Reach{Logins: []string{"*"}}},
		"no owner":     {Name: "r"},
		"no name":      {Owner: "o"},
	} {
		if err := cl.PutRole(reaching(t), bad); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}

// Others' roles of a user stay, in their order; nothing to do writes nothing.
func TestSetUserRoles(t *testing.T) {
	c, cl, role := acme(t, teleporttest.Options{})
	must(t, c.PutUser("anna", teleporttest.RoleReader, role.Name, teleporttest.RoleEnforcer))
	must(t, c.PutRole(teleport.Role{Name: "more"}))
	must(t, cl.SetUserRoles(reaching(t), "anna", []string{"more"}, []string{role.Name, "never-had"}))
	want := []string{teleporttest.RoleReader, teleporttest.RoleEnforcer, "more"}
	if got := c.RolesOf("anna"); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	const update = "/teleport.users.v1.UsersService/UpdateUser"
	before := c.Calls(update)
	must(t, cl.SetUserRoles(reaching(t), "anna", []string{"more"}, []string{role.Name}))
	if got := c.Calls(update); before != 1 || got != before {
		t.Errorf("got %d writes and then %d, want 1 and no more", before, got)
	}
	if err := cl.SetUserRoles(reaching(t), "anna", []string{"not-there"}, nil); !errors.Is(err, teleport.ErrNotFound) {
		t.Errorf("a role that is not there: got %v, want ErrNotFound", err)
	}
}

// A connector puts its roles back at each login: we do not pretend.
func TestSSOUserIsRefused(t *testing.T) {
	c, cl, role := acme(t, teleporttest.Options{})
	must(t, c.PutSSOUser("carl@example", "okta", role.Name))
	err := cl.SetUserRoles(reaching(t), "carl@example", nil, []string{role.Name})
	if !errors.Is(err, teleport.ErrRefused) || !errors.Is(err, teleport.ErrSSO) {
		t.Errorf("got %v, want ErrRefused and ErrSSO", err)
	}
	must(t, c.PutUser("carl@example")) // by hand
	_, err = c.Login("carl@example")
	must(t, err)
	if got := c.RolesOf("carl@example"); !slices.Equal(got, []string{role.Name}) {
		t.Errorf("got roles %v after the login, want the connector's", got)
	}
	s, err := cl.Observe(reaching(t))
	must(t, err)
	i := slices.IndexFunc(s.Users, func(u teleport.User) bool { return u.Name == "carl@example" })
	if i < 0 || s.Users[i].Connector != "okta" || s.Users[i].Expires.IsZero() {
		t.Errorf("got %+v, want a user of okta whose record ends", s.Users)
	}
}

// An edition without locks says so in one of several ways.
func TestLocksRefused(t *testing.T) {
	for _, tc := range []struct {
		how     teleporttest.LockRefusal
		want    error
		skipped int
	}{
		{teleporttest.LocksUnknown, teleport.ErrRefused, 0},
		{teleporttest.LocksUnlicensed, teleport.ErrRefused, 0},
		{teleporttest.LocksDenied, teleport.ErrDenied, 1},
	} {
		t.Run(string(tc.how), func(t *testing.T) {
			c, cl, _ := acme(t, teleporttest.Options{})
			c.RefuseLocks(tc.how)
			if err := cl.PutLock(reaching(t), teleport.Lock{Name: "chg_1", User: "anna"}); !errors.Is(err, tc.want) {
				t.Errorf("put: got %v, want %v", err, tc.want)
			}
			if err := cl.DeleteLock(reaching(t), "chg_1"); !errors.Is(err, tc.want) {
				t.Errorf("delete: got %v, want %v", err, tc.want)
			}
			s, err := cl.Observe(reaching(t))
			must(t, err)
			if !s.LocksRefused || s.Skipped != tc.skipped {
				t.Errorf("got LocksRefused %v, Skipped %d, want true, %d", s.LocksRefused, s.Skipped, tc.skipped)
			}
			c.RefuseLocks(teleporttest.LocksWork)
			must(t, cl.PutLock(reaching(t), teleport.Lock{Name: "chg_1", User: "anna"}))
		})
	}
}

// Somebody writes in between: we read again, and do not go on for ever.
func TestConflicts(t *testing.T) {
	c, cl, role := acme(t, teleporttest.Options{})
	must(t, c.PutRole(teleport.Role{Name: "more"}))
	c.Conflict(2)
	must(t, cl.PutRole(reaching(t), role))
	c.Conflict(2)
	must(t, cl.SetUserRoles(reaching(t), "anna", []string{"more"}, nil))
	c.Conflict(100)
	if err := cl.PutRole(reaching(t), role); !errors.Is(err, teleport.ErrChanged) {
		t.Errorf("role: got %v, want ErrChanged", err)
	}
	if err := cl.SetUserRoles(reaching(t), "anna", nil, []string{"more"}); !errors.Is(err, teleport.ErrChanged) {
		t.Errorf("user: got %v, want ErrChanged", err)
	}
	c.Conflict(0)
	role.Revision = "one that was"
	if err := cl.PutRole(reaching(t), role); !errors.Is(err, teleport.ErrChanged) {
		t.Errorf("an older revision: got %v, want ErrChanged", err)
	}
	if err := cl.PutRole(reaching(t), teleport.Role{Name: "gone", Owner: "stf_1", Revision: "x"}); !errors.Is(err, teleport.ErrChanged) {
		t.Errorf("a role that is gone: got %v, want ErrChanged", err)
	}
}

// Each call names a permission that the identity lacks.
func TestDenied(t *testing.T) {
	c, _, role := acme(t, teleporttest.Options{})
	cl := client(t, c, teleporttest.RoleReader)
	ctx := reaching(t)
	for name, err := range map[string]error{
		"put role":       cl.PutRole(ctx, role),
		"make role":      cl.PutRole(ctx, teleport.Role{Name: "more", Owner: "stf_1"}),
		"delete role":    cl.DeleteRole(ctx, role.Name),
		"set user roles": cl.SetUserRoles(ctx, "anna", []string{"admin"}, nil),
		"put lock":       cl.PutLock(ctx, teleport.Lock{Name: "chg_1", User: "anna"}),
		"delete lock":    cl.DeleteLock(ctx, "chg_1"),
	} {
		if !errors.Is(err, teleport.ErrDenied) {
			t.Errorf("%s: got %v, want ErrDenied", name, err)
		}
	}
	if got := c.RolesOf("anna"); !slices.Equal(got, []string{role.Name}) {
		t.Errorf("got roles %v, want them untouched", got)
	}
}

// Somebody's own identity, where the cluster asks for a second factor, may read
// and not change; the error says what does.
func TestSecondFactor(t *testing.T) {
	c, cl, role := acme(t, teleporttest.Options{})
	c.RequireMFA(true)
	ctx := reaching(t)
	if _, err := cl.Observe(ctx); err != nil {
		t.Errorf("observe: got %v, want nil", err)
	}
	for name, err := range map[string]error{
		"put role":       cl.PutRole(ctx, role),
		"put lock":       cl.PutLock(ctx, teleport.Lock{Name: "chg_1", User: "anna"}),
		"set user roles": cl.SetUserRoles(ctx, "anna", []string{"admin"}, nil),
	} {
		if !errors.Is(err, teleport.ErrDenied) || !strings.Contains(err.Error(), "second factor") {
			t.Errorf("%s: got %v, want ErrDenied that speaks of a second factor", name, err)
		}
	}
}
