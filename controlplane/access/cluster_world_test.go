package access_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/access"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/findings"
	"ostler/controlplane/teleport"
)

// cluster is a Teleport cluster in memory, with the habits that rules have to
// bear: narrowing a role does not cut a session, a lock does, a look shows
// nothing of a lock before the next one, and its clock is its own.
type cluster struct {
	mu    sync.Mutex
	clock *dbtest.Clock
	ahead time.Duration // the cluster's clock less ours
	roles map[string]teleport.Role
	users map[string]teleport.User
	locks map[string]teleport.Lock
	nodes []teleport.Node
	live  []teleport.Live
	until time.Time // of our identity

	down    error // what every call answers
	unread  []string
	noLocks error
	before  func(call string) error // what a call does first
	calls   []string
	fresh   map[string]bool // locks that looks do not show yet
}

func newCluster(clock *dbtest.Clock) *cluster {
	return &cluster{clock: clock, roles: map[string]teleport.Role{}, users: map[string]teleport.User{}, locks: map[string]teleport.Lock{}, fresh: map[string]bool{},
		until: clock.Now().AddDate(1, 0, 0)}
}

func (c *cluster) now() time.Time { return c.clock.Now().Add(c.ahead) }

func (c *cluster) call(name string) error {
	if c.before != nil {
		if err := c.before(name); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down != nil {
		return c.down
	}
	c.calls = append(c.calls, name)
	return nil
}

func (c *cluster) Observe(context.Context) (teleport.State, error) {
	if err := c.call("observe"); err != nil {
		return teleport.State{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s := teleport.State{At: c.now(), Cluster: "memory", Version: "18", Nodes: slices.Clone(c.nodes), Live: slices.Clone(c.live), LocksRefused: c.noLocks != nil,
		Skipped: len(c.unread), Unread: c.unread}
	for _, n := range slices.Sorted(maps.Keys(c.roles)) {
		s.Roles = append(s.Roles, c.roles[n])
	}
	for _, n := range slices.Sorted(maps.Keys(c.users)) {
		s.Users = append(s.Users, c.users[n])
	}
	for n, l := range c.locks {
		if !c.fresh[n] && (l.Expires.IsZero() || c.now().Before(l.Expires)) {
			s.Locks = append(s.Locks, l)
		}
	}
	clear(c.fresh)
	return s, nil
}

func (c *cluster) Users(context.Context) (users []teleport.User, err error) {
	if err := c.call("users"); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range slices.Sorted(maps.Keys(c.users)) {
		users = append(users, c.users[n])
	}
	return users, nil
}

func (c *cluster) PutRole(_ context.Context, r teleport.Role) error {
	if err := c.call("role " + strings.Join(r.Allow.NodeLabels["customer"], ",")); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if have, ok := c.roles[r.Name]; ok && !have.Ours {
		return teleport.ErrNotOurs
	}
	c.roles[r.Name] = r
	return nil
}

func (c *cluster) DeleteRole(_ context.Context, name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.roles, name)
	return nil
}

func (c *cluster) SetUserRoles(_ context.Context, user string, add, remove []string) error {
	if err := c.call("user"); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	u, ok := c.users[user]
	if !ok {
		return teleport.ErrNotFound
	}
	if u.Connector != "" {
		return fmt.Errorf("%w: %w", teleport.ErrRefused, teleport.ErrSSO)
	}
	u.Roles = slices.DeleteFunc(slices.Clone(u.Roles), func(r string) bool { return slices.Contains(remove, r) })
	for _, r := range add {
		if !slices.Contains(u.Roles, r) {
			u.Roles = append(u.Roles, r)
		}
	}
	c.users[user] = u
	return nil
}

func (c *cluster) PutLock(_ context.Context, l teleport.Lock) error {
	if err := c.call("lock " + l.User); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.noLocks != nil {
		return c.noLocks
	}
	c.locks[l.Name], c.fresh[l.Name] = l, true
	if l.Expires.IsZero() || c.now().Before(l.Expires) {
		c.live = slices.DeleteFunc(c.live, func(s teleport.Live) bool { return s.User == l.User })
	}
	return nil
}

func (c *cluster) DeleteLock(_ context.Context, name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.locks, name)
	return nil
}

func (c *cluster) Expiry() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.until
}

// enter opens a session, as somebody who has a certificate would.
func (c *cluster) enter(user, login string, v customers.Server) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.live = append(c.live, teleport.Live{ID: controlplane.NewID("ses_"), Kind: "ssh", User: user, Login: login, Participants: []string{user}, Node: v.ID, Hostname: v.Name, Started: c.now()})
}

func (c *cluster) sessions() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.live)
}

// labels are the customers of the only role of ours.
func (c *cluster) labels(t testing.TB) []string {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	var of []teleport.Role
	for _, r := range c.roles {
		if r.Ours {
			of = append(of, r)
		}
	}
	if len(of) != 1 {
		t.Fatalf("roles of ours: got %d, want one: %+v", len(of), of)
	}
	return of[0].Allow.NodeLabels["customer"]
}

// plane is a world with a cluster in which bob and cleo have users, and which
// reaches the servers of both customers.
type plane struct {
	*world
	c *cluster
}

func newPlane(t testing.TB, d *db.DB, clock *dbtest.Clock, change ...func(*access.Deps, *access.Options)) *plane {
	t.Helper()
	c := newCluster(clock)
	p := &plane{c: c, world: newWorld(t, d, clock, append(change, func(deps *access.Deps, _ *access.Options) { deps.Cluster = c })...)}
	for _, u := range []string{"bob", "cleo"} {
		c.users[u] = teleport.User{Name: u}
	}
	c.nodes = []teleport.Node{
		{ID: p.MapleOne.ID, Hostname: "maple-1", Labels: map[string]string{"customer": "maple"}},
		{ID: p.HarbourOne.ID, Hostname: "harbour-1", Labels: map[string]string{"customer": "harbour"}},
		{ID: p.Shared.ID, Hostname: "shared-1", Labels: map[string]string{"customer": access.SharedLabel + "shared-1"}},
	}
	return p
}

// enforcing is a plane whose cluster follows the lists.
func enforcing(t testing.TB, d *db.DB, clock *dbtest.Clock, change ...func(*access.Deps, *access.Options)) *plane {
	t.Helper()
	p := newPlane(t, d, clock, change...)
	p.look()
	p.mode(access.Shadow)
	p.mode(access.Enforce)
	return p
}

func (p *plane) mode(m access.Mode) {
	p.T.Helper()
	must[access.Enforcement](p.T)(p.access.SetMode(p.Ctx, p.all, m, "as agreed"))
	p.tick()
}

// tick has the plane do its jobs, until none is due within a minute.
func (p *plane) tick() {
	p.T.Helper()
	for range 8 {
		if err := p.Jobs.Tick(controlplane.System(p.T.Context(), "test")); err != nil && !errors.Is(err, context.Canceled) {
			p.T.Fatal(err)
		}
		p.Clock.Advance(2 * time.Second)
	}
}

// look has the cluster looked at.
func (p *plane) look() {
	p.T.Helper()
	must[string](p.T)(p.access.Look(p.Ctx, p.all, ""))
	p.tick()
}

func (p *plane) state() access.Enforcement {
	p.T.Helper()
	return must[access.Enforcement](p.T)(p.access.Enforcement(p.Ctx, p.all))
}

// columns are the lines of people by Teleport: "Bob Builder operator listed enforced could".
func (p *plane) columns(c customers.Customer) (out []string) {
	p.T.Helper()
	for _, x := range p.read(c, access.At{}).Lines {
		if x.Way != access.WayTeleport && x.Way != access.WayLogin && x.Way != access.WayCustomer && (x.Way != access.WayAdmin || x.Role == access.RoleOstler) {
			continue
		}
		s := x.Person.Name + x.Unknown + " " + x.Role
		if x.Place != "" {
			s += " @" + x.Place
		}
		for _, col := range []struct {
			name string
			at   *access.Interval
		}{{"listed", x.Listed}, {"enforced", x.Enforced}, {"could", x.Could}} {
			if col.at != nil {
				s += " " + col.name
			}
		}
		out = append(out, s)
	}
	return out
}

// open are the kinds of findings about access that are open, each as often as it is.
func (p *plane) open() (kinds []string) {
	p.T.Helper()
	for _, x := range p.openFindings() {
		kinds = append(kinds, x.Kind)
	}
	slices.Sort(kinds)
	return kinds
}

func (p *plane) openFindings() (out []findings.Finding) {
	p.T.Helper()
	items, _, err := p.Findings.List(p.T.Context(), p.all, findings.Filter{Limit: 200})
	if err != nil {
		p.T.Fatal(err)
	}
	for _, x := range items {
		if strings.HasPrefix(x.Kind, "access.") && !strings.HasPrefix(x.Kind, "access.notice") {
			out = append(out, x)
		}
	}
	return out
}

// one is the only open finding of a kind.
func (p *plane) one(kind string) findings.Finding {
	p.T.Helper()
	var of []findings.Finding
	for _, x := range p.openFindings() {
		if x.Kind == kind {
			of = append(of, x)
		}
	}
	if len(of) != 1 {
		p.T.Fatalf("%s: got %d open, want one; all: %v", kind, len(of), p.open())
	}
	return of[0]
}
