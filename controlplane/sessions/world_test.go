package sessions_test

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/memblob"

	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/findings"
	"ostler/controlplane/identity"
	"ostler/controlplane/ledger"
	"ostler/controlplane/planetest"
	"ostler/controlplane/policy"
	"ostler/controlplane/sessions"
	"ostler/controlplane/teleport"
	"ostler/controlplane/teleport/teleporttest"
)

// world is a plane without its edges, with the shared server shared, people of
// ours, and the real engine on a fake cluster.
type world struct {
	*planetest.Plane
	all      policy.Scope
	blobs    *blob.Bucket
	lists    *lists
	cluster  *teleporttest.Cluster
	sessions *sessions.Service

	// ada is an admin, bob and cleo are ops; on lists they are adaPerson and so on.
	ada, bob, cleo                         identity.Person
	adaPerson, bobPerson, cleoPerson, dora sessions.Somebody // dora is no staff
}

func must[T any](t testing.TB) func(v T, err error) T { return planetest.Must[T](t) }

// lists are lists as a test writes them.
type lists struct {
	mu      sync.Mutex
	people  map[string]sessions.Somebody // by id
	users   map[string][]string          // name at the cluster: persons
	grounds []standing
	letIn   map[string]bool // server|account, server|key
	months  map[string]int
}

// standing is one ground of one person on one customer's list.
type standing struct {
	customer, person, server string // server "" is all
	from, until              time.Time
	ground                   sessions.Ground
}

func newLists() *lists {
	return &lists{people: map[string]sessions.Somebody{}, users: map[string][]string{}, letIn: map[string]bool{}, months: map[string]int{}}
}

// ByUser implements sessions.Lists.
func (l *lists) ByUser(_ *db.Tx, user string) (out []sessions.Somebody, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range l.users[user] {
		out = append(out, l.people[id])
	}
	return out, nil
}

// ByStaff implements sessions.Lists.
func (l *lists) ByStaff(_ *db.Tx, staff string) (sessions.Somebody, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.people {
		if staff != "" && p.Staff == staff {
			return p, true, nil
		}
	}
	return sessions.Somebody{}, false, nil
}

// GroundOf implements sessions.Lists.
func (l *lists) GroundOf(_ *db.Tx, customer, person, server string, at time.Time) (sessions.Ground, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, g := range l.grounds {
		if g.customer == customer && g.person == person && (g.server == "" || g.server == server) && !at.Before(g.from) && (g.until.IsZero() || at.Before(g.until)) {
			return g.ground, nil
		}
	}
	return sessions.Ground{}, nil
}

// LetIn implements sessions.Lists.
func (l *lists) LetIn(_ *db.Tx, server, account, key string, _ time.Time) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.letIn[server+"|"+account] || key != "" && l.letIn[server+"|"+key], nil
}

// Months implements sessions.Lists.
func (l *lists) Months(_ *db.Tx, customer string) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.months[customer], nil
}

// person puts somebody on the list of people, with their names at the cluster.
func (l *lists) person(name, staff string, users ...string) sessions.Somebody {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := sessions.Somebody{ID: controlplane.NewID(controlplane.PrefixPerson), Name: name, Staff: staff}
	l.people[p.ID] = p
	for _, u := range users {
		l.users[u] = append(l.users[u], p.ID)
	}
	return p
}

// uses has a person use one more name at the cluster.
func (l *lists) uses(p sessions.Somebody, user string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.users[user] = append(l.users[user], p.ID)
}

// renamed has a person use another name at the cluster, and the old one no more.
func (l *lists) renamed(p sessions.Somebody, old, name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.users[old] = slices.DeleteFunc(l.users[old], func(id string) bool { return id == p.ID })
	l.users[name] = append(l.users[name], p.ID)
}

// grants puts a person on a customer's list from long ago on, with all that a
// ground wants.
func (l *lists) grants(c customers.Customer, p sessions.Somebody) sessions.Ground {
	l.mu.Lock()
	defer l.mu.Unlock()
	g := sessions.Ground{Grant: controlplane.NewID(controlplane.PrefixGrant), Kind: "normal", Role: "engineer", Ticket: "OPS-" + strconv.Itoa(len(l.grounds)+1),
		Reason: "Keeps " + c.Name + " running", Authorisation: controlplane.NewID(controlplane.PrefixAuthorisation)}
	l.grounds = append(l.grounds, standing{customer: c.ID, person: p.ID, ground: g})
	return g
}

// newWorld is a world with a fake cluster of its own, unless a change says otherwise.
func newWorld(t testing.TB, d *db.DB, clock *dbtest.Clock, change ...func(*sessions.Deps, *sessions.Options)) *world {
	t.Helper()
	w := &world{Plane: planetest.New(t, d, clock), all: planetest.All, blobs: memblob.OpenBucket(nil), lists: newLists()}
	t.Cleanup(func() { _ = w.blobs.Close() }) // in memory
	deps := sessions.Deps{DB: d, Keeper: w.Keeper, Ledger: w.Ledger, Jobs: w.Jobs, Findings: w.Findings, Customers: w.Customers, Identity: w.Identity,
		Blobs: w.blobs, Lists: w.lists}
	opts := sessions.Options{Bus: w.Bus}
	for _, f := range change {
		f(&deps, &opts)
	}
	w.sessions = must[*sessions.Service](t)(sessions.New(deps, opts))
	w.Enrol(w.MapleOne, w.HarbourOne, w.Shared)
	w.Share()
	w.always()
	w.ada, w.adaPerson = w.staff("Ada Admin", policy.RoleAdmin)
	w.Ctx = w.as(w.ada, policy.RoleAdmin)
	w.bob, w.bobPerson = w.staff("Bob Builder", policy.RoleOps)
	w.cleo, w.cleoPerson = w.staff("Cleo Clark", policy.RoleOps)
	w.dora = w.lists.person("Dora Doe", "", "dora")
	return w
}

// always has everybody have lived for ever where they live.
func (w *world) always() {
	w.T.Helper()
	w.Write(func(tx *db.Tx) error { return tx.Exec("UPDATE tenancies SET created_at = 1").Error })
}

// withCluster is a change that gives a world the real engine on a fake cluster
// whose clock is the world's, with nodes of the three servers. It sets that clock
// to the real time, by which the engine judges certificates.
func withCluster(t testing.TB, clock *dbtest.Clock, into **teleporttest.Cluster, o teleporttest.Options) func(*sessions.Deps, *sessions.Options) {
	t.Helper()
	clock.Advance(time.Now().Truncate(time.Second).Sub(clock.Now()))
	o.Now = clock.Now
	c := must[*teleporttest.Cluster](t)(teleporttest.New(o))
	if err := c.Listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.PutUser("ostler", teleporttest.RoleReader); err != nil {
		t.Fatal(err)
	}
	path := must[string](t)(c.IdentityFile(t.TempDir(), "ostler", 10*365*24*time.Hour))
	for _, name := range []string{"maple-1", "harbour-1", "shared-1"} {
		if err := c.PutNode("node-"+name, name, map[string]string{"customer": strings.TrimSuffix(name, "-1")}); err != nil {
			t.Fatal(err)
		}
	}
	cl := must[*teleport.Client](t)(teleport.Open(teleport.Options{Addr: c.Addr(), IdentityFile: path, DialTimeout: time.Minute, CallTimeout: time.Minute}))
	t.Cleanup(func() { _ = cl.Close() })
	*into = c
	return func(d *sessions.Deps, _ *sessions.Options) { d.Cluster = cl }
}

// staff is a member of our staff who is a person on lists, with their first name
// at the cluster.
func (w *world) staff(name string, role policy.Role) (identity.Person, sessions.Somebody) {
	w.T.Helper()
	p := w.Staff(name, role)
	return p, w.lists.person(name, p.ID, planetest.First(name))
}

func (w *world) as(p identity.Person, role policy.Role) context.Context { return w.As(p.ID, role) }

// open are the kinds of the open findings, sorted, each as often as it is open;
// customer "" is all.
func (w *world) open(customer string) (kinds []string) {
	w.T.Helper()
	for _, x := range w.found(customer) {
		kinds = append(kinds, x.Kind)
	}
	slices.Sort(kinds)
	return kinds
}

// found are the open findings.
func (w *world) found(customer string) []findings.Finding {
	w.T.Helper()
	items, _, err := w.Findings.List(w.Ctx, w.all, findings.Filter{Customer: customer, Limit: 200})
	if err != nil {
		w.T.Fatal(err)
	}
	return items
}

// entries are the kinds of the ledger's entries that begin so ("session."), the oldest first.
func (w *world) entries(prefix string) (kinds []string) {
	w.T.Helper()
	for token := ""; ; {
		items, next, err := w.Ledger.List(w.Ctx, w.all, ledger.Filter{Limit: ledger.MaxLimit, PageToken: token})
		if err != nil {
			w.T.Fatal(err)
		}
		for _, i := range items {
			if strings.HasPrefix(i.Kind, prefix) {
				kinds = append(kinds, i.Kind)
			}
		}
		if token = next; token == "" {
			slices.Reverse(kinds)
			return kinds
		}
	}
}

// list are the sessions that a scope sees, the latest first.
func (w *world) list(f sessions.Filter) []sessions.Session {
	w.T.Helper()
	items, _, err := w.sessions.List(w.Ctx, w.all, f)
	if err != nil {
		w.T.Fatal(err)
	}
	return items
}

func same[T comparable](t testing.TB, what string, got, want []T) {
	t.Helper()
	planetest.Same(t, what, got, want)
}

// run lets everything happen whose time has come: what Watch looks for, and the
// plane's jobs.
func (w *world) run() {
	w.T.Helper()
	for range 3 { // what a job leaves to Watch, and Watch to a job
		if err := w.sessions.Pass(w.Ctx); err != nil {
			w.T.Fatal(err)
		}
		if err := w.Jobs.Tick(w.Ctx); err != nil {
			w.T.Fatal(err)
		}
	}
}

// later moves the clock on, and lets everything happen.
func (w *world) later(d time.Duration) {
	w.T.Helper()
	w.Clock.Advance(d)
	w.run()
}
