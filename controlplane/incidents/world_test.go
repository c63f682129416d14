package incidents_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/bus"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/findings"
	"ostler/controlplane/identity"
	"ostler/controlplane/incidents"
	"ostler/controlplane/incidents/law"
	"ostler/controlplane/jobs"
	"ostler/controlplane/ledger"
	"ostler/controlplane/mail"
	"ostler/controlplane/planetest"
	"ostler/controlplane/policy"
	"ostler/controlplane/secrets"
)

// world is a plane without its edges: two customers on servers of their own and
// on one that they share, people of ours and of theirs, and mail, holds, acts and
// inventory that the test plays.
type world struct {
	plane     *planetest.Plane
	t         testing.TB
	ctx       context.Context // an admin's: Ada
	all       policy.Scope
	db        *db.DB
	clock     *dbtest.Clock
	keeper    *secrets.Keeper
	ledger    *ledger.Ledger
	jobs      *jobs.Jobs
	findings  *findings.Findings
	customers *customers.Store
	identity  *identity.Store
	bus       *bus.Bus
	post      *post
	around    *around
	acts      *acts
	holds     *holds
	inventory *inventory
	incidents *incidents.Service

	maple, harbour               customers.Customer
	mapleOne, harbourOne, shared customers.Server
	// ada is an admin, bob and cleo are ops; anna and berta own maple's account,
	// henry harbour's.
	ada, bob, cleo     identity.Person
	anna, berta, henry customers.Contact
}

func must[T any](t testing.TB) func(v T, err error) T { return planetest.Must[T](t) }

// post is mail that the test plays: a key is one mail for ever, and what becomes
// of it the test says.
type post struct {
	mu    sync.Mutex
	byKey map[string]string
	sent  []incidents.Letter
	ids   map[string]string // id of a mail by "template address", the latest
	fail  error             // of every Enqueue while it is set
}

func newPost() *post { return &post{byKey: map[string]string{}, ids: map[string]string{}} }

// Enqueue implements incidents.Mailer.
func (p *post) Enqueue(tx *db.Tx, l incidents.Letter) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fail != nil {
		return "", p.fail
	}
	if id := p.byKey[l.Key]; id != "" {
		return id, nil
	}
	id := controlplane.NewID(controlplane.PrefixMail)
	tx.AfterCommit(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.byKey[l.Key] != "" {
			return
		}
		p.byKey[l.Key], p.ids[l.Template+" "+l.To] = id, id
		p.sent = append(p.sent, l)
	})
	return id, nil
}

// to lists which mails went to whom, in order: "template address".
func (p *post) to() (out []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.sent {
		out = append(out, l.Template+" "+l.To)
	}
	return out
}

// letters are the mails of a template, in order.
func (p *post) letters(template string) (out []incidents.Letter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.sent {
		if l.Template == template {
			out = append(out, l)
		}
	}
	return out
}

// around is what happened on servers, as a test writes it.
type around struct {
	moments []incidents.Moment
	err     error
}

// Around implements incidents.Around.
func (a *around) Around(_ context.Context, _ policy.Scope, servers []string, from, to time.Time) (out []incidents.Moment, err error) {
	for _, m := range a.moments {
		if slices.Contains(servers, m.Server) && !m.At.Before(from) && !m.At.After(to) {
			out = append(out, m)
		}
	}
	return out, a.err
}

// acts does what a test says.
type acts struct {
	mu     sync.Mutex
	done   []incidents.NewAction
	result string
	refs   []string
	err    error
}

// Act implements incidents.Acts.
func (a *acts) Act(_ context.Context, _ policy.Scope, _ incidents.Case, in incidents.NewAction) (string, []string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.done = append(a.done, in)
	return a.result, a.refs, a.err
}

// frozen is one call of Freeze.
type frozen struct {
	incident, why string
	servers       []string
	since, until  time.Time
}

// holds keeps what it was asked to keep.
type holds struct {
	mu     sync.Mutex
	frozen []frozen
	thawed []string
	held   []string // what Freeze answers
	err    error
}

// Freeze implements incidents.Holds.
func (h *holds) Freeze(_ context.Context, _ policy.Scope, incident string, servers []string, since, until time.Time, why string) ([]string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err != nil {
		return nil, h.err
	}
	h.frozen = append(h.frozen, frozen{incident, why, slices.Clone(servers), since, until})
	return h.held, nil
}

// Thaw implements incidents.Holds.
func (h *holds) Thaw(_ context.Context, _ policy.Scope, incident, _ string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.thawed = append(h.thawed, incident)
	return h.err
}

// inventory is software as a test writes it.
type inventory struct {
	runs   []incidents.Runs
	silent []string
	err    error
}

// Runs implements incidents.Inventory.
func (i *inventory) Runs(_ context.Context, _ policy.Scope, software, _ string) (out []incidents.Runs, silent []string, err error) {
	for _, r := range i.runs {
		if r.Package == software {
			out = append(out, r)
		}
	}
	return out, i.silent, i.err
}

// newWorld is a world, unless a change says otherwise.
func newWorld(t testing.TB, d *db.DB, clock *dbtest.Clock, change ...func(*incidents.Deps, *incidents.Options)) *world {
	t.Helper()
	p := planetest.New(t, d, clock)
	p.Enrol(p.MapleOne, p.HarbourOne, p.Shared)
	p.Share()
	w := &world{post: newPost(), around: &around{}, acts: &acts{result: "done"}, holds: &holds{held: []string{"recordings of one server"}}, inventory: &inventory{}}
	w.on(p)
	deps := incidents.Deps{DB: d, Keeper: w.keeper, Ledger: w.ledger, Jobs: w.jobs, Findings: w.findings, Customers: w.customers, Identity: w.identity,
		Mail: w.post, Around: w.around, Acts: w.acts, Holds: w.holds, Inventory: w.inventory}
	opts := incidents.Options{Bus: w.bus}
	for _, f := range change {
		f(&deps, &opts)
	}
	w.incidents = must[*incidents.Service](t)(incidents.New(deps, opts))

	w.ada = w.staff("Ada Admin", policy.RoleAdmin)
	w.ctx = w.as(w.ada, policy.RoleAdmin)
	w.bob, w.cleo = w.staff("Bob Builder", policy.RoleOps), w.staff("Cleo Clark", policy.RoleOps)
	w.anna, w.berta = w.contact(w.maple, "Anna", policy.RoleOwner), w.contact(w.maple, "Berta", policy.RoleOwner)
	w.henry = w.contact(w.harbour, "Henry", policy.RoleOwner)
	return w
}

// on has the world stand on a plane.
func (w *world) on(p *planetest.Plane) {
	w.plane, w.t, w.ctx, w.all, w.db, w.clock, w.bus = p, p.T, p.Ctx, planetest.All, p.DB, p.Clock, p.Bus
	w.keeper, w.ledger, w.jobs, w.findings, w.customers, w.identity = p.Keeper, p.Ledger, p.Jobs, p.Findings, p.Customers, p.Identity
	w.maple, w.harbour, w.mapleOne, w.harbourOne, w.shared = p.Maple, p.Harbour, p.MapleOne, p.HarbourOne, p.Shared
}

// each runs fn with a world on each database.
func each(t *testing.T, fn func(w *world), change ...func(*incidents.Deps, *incidents.Options)) {
	t.Helper()
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) { fn(newWorld(t, d, clock, change...)) })
}

func (w *world) customer(slug, name string) customers.Customer { return w.plane.Customer(slug, name) }

// server is a server with an agent.
func (w *world) server(name string) customers.Server {
	v := w.plane.Server(name)
	w.plane.Enrol(v)
	return v
}

func (w *world) lives(on customers.Server, c customers.Customer) customers.Tenancy {
	return w.plane.Lives(on, c)
}

func (w *world) staff(name string, role policy.Role) identity.Person {
	return w.plane.Staff(name, role)
}

// contact is a person of a customer: name@slug.example.
func (w *world) contact(c customers.Customer, name string, role policy.Role) customers.Contact {
	w.t.Helper()
	return must[customers.Contact](w.t)(w.customers.AddContact(w.ctx, w.all, customers.NewContact{Customer: c.ID, Name: name, Email: strings.ToLower(name) + "@" + c.Slug + ".example", Role: role}))
}

// as is the context of a member of our staff.
func (w *world) as(p identity.Person, role policy.Role) context.Context {
	return w.plane.As(p.ID, role)
}

// asBob is Bob's context, an ops engineer's.
func (w *world) asBob() context.Context { return w.as(w.bob, policy.RoleOps) }

// asContact is the context of a contact, and their scope.
func (w *world) asContact(c customers.Contact) (context.Context, policy.Scope) {
	return w.plane.AsContact(c)
}

// write runs fn in a transaction of the admin.
func (w *world) write(fn func(tx *db.Tx) error) {
	w.t.Helper()
	if err := w.db.Write(w.ctx, fn); err != nil {
		w.t.Fatal(err)
	}
}

// open opens a case as Ada: certain of the case as a whole, unless a change says
// otherwise, and that no data of our own are touched. Its tenants are possibly
// affected.
func (w *world) open(servers []customers.Server, change ...func(*incidents.NewCase)) incidents.Case {
	w.t.Helper()
	in := incidents.NewCase{Title: "I think we were hacked", Kinds: []incidents.Kind{incidents.Access}, Certainty: law.Certain, Ground: "A file of theirs was on a forum.", OurData: law.No}
	for _, v := range servers {
		in.Servers = append(in.Servers, v.ID)
	}
	for _, f := range change {
		f(&in)
	}
	return must[incidents.Case](w.t)(w.incidents.Open(w.ctx, w.all, in))
}

// get is a case as it is now.
func (w *world) get(id string) incidents.Case {
	w.t.Helper()
	return must[incidents.Case](w.t)(w.incidents.Get(w.ctx, w.all, id))
}

// affect has customers known to be affected, from now.
func (w *world) affect(c incidents.Case, list ...customers.Customer) incidents.Case {
	w.t.Helper()
	in := incidents.Affect{State: incidents.Certain, Because: "Their files were copied."}
	for _, x := range list {
		in.Customers = append(in.Customers, x.ID)
	}
	return must[incidents.Case](w.t)(w.incidents.Affect(w.ctx, w.all, c.ID, in))
}

// of is a customer in a case.
func of(t testing.TB, c incidents.Case, x customers.Customer) incidents.Affected {
	t.Helper()
	for _, a := range c.Affected {
		if a.Customer == x.ID {
			return a
		}
	}
	t.Fatalf("%s is not in the case: %v", x.Slug, c.Affected)
	return incidents.Affected{}
}

// becomes plays what becomes of the latest mail of a template to an address.
func (w *world) becomes(template, to string, state mail.State, cause mail.Cause) {
	w.t.Helper()
	id := w.post.ids[template+" "+to]
	if id == "" {
		w.t.Fatalf("no mail %s to %s: %v", template, to, w.post.to())
	}
	w.write(func(tx *db.Tx) error {
		b := mail.Became{Mail: id, State: state, Cause: cause}
		if state == mail.Accepted {
			b.AcceptedAt = tx.Now
		}
		return w.incidents.MailBecame(tx, b)
	})
}

// found are the open findings of incidents.
func (w *world) found() (out []findings.Finding) {
	w.t.Helper()
	items, _, err := w.findings.List(w.ctx, w.all, findings.Filter{Limit: 200})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range items {
		if title, cause, next := findings.Sentence("en", f); title == "" || cause == "" || next == "" {
			w.t.Errorf("finding %s has no sentence", f.Kind)
		}
		if strings.HasPrefix(f.Kind, "incident.") {
			out = append(out, f)
		}
	}
	return out
}

// kinds are the kinds of the open findings of incidents, sorted.
func (w *world) kinds() (kinds []string) {
	w.t.Helper()
	for _, f := range w.found() {
		kinds = append(kinds, f.Kind)
	}
	slices.Sort(kinds)
	return kinds
}

// entries are the ledger's entries whose kind begins so ("incident."), the oldest first.
func (w *world) entries(prefix string) (items []ledger.Item) {
	w.t.Helper()
	for token := ""; ; {
		page, next, err := w.ledger.List(w.ctx, w.all, ledger.Filter{Limit: ledger.MaxLimit, PageToken: token})
		if err != nil {
			w.t.Fatal(err)
		}
		for _, i := range page {
			if strings.HasPrefix(i.Kind, prefix) {
				items = append(items, i)
			}
		}
		if token = next; token == "" {
			slices.Reverse(items)
			return items
		}
	}
}

func same[T comparable](t testing.TB, what string, got, want []T) {
	t.Helper()
	planetest.Same(t, what, got, want)
}

// code is the code of an error.
func code(err error) controlplane.Code { return controlplane.ErrorCode(err) }

// run lets everything happen whose time has come: what Watch looks for, and the
// plane's jobs.
func (w *world) run() {
	w.t.Helper()
	for range 3 { // what a job leaves to Watch, and Watch to a job
		if err := w.incidents.Pass(controlplane.System(w.t.Context(), "incidents")); err != nil {
			w.t.Fatal(err)
		}
		if err := w.jobs.Tick(w.ctx); err != nil {
			w.t.Fatal(err)
		}
	}
}

// later moves the clock on, and lets everything happen.
func (w *world) later(d time.Duration) {
	w.t.Helper()
	w.clock.Advance(d)
	w.run()
}

// TestWorld holds that a world stands.
func TestWorld(t *testing.T) {
	each(t, func(w *world) {
		w.run()
		same(t, "findings", w.kinds(), nil)
	})
}
