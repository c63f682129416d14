package access_test

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/access"
	"ostler/controlplane/bus"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/findings"
	"ostler/controlplane/identity"
	"ostler/controlplane/jobs"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
	"ostler/controlplane/secrets"
)

// world is a plane without its edges: two customers on servers of their own and
// on one that they share, and people of ours with their papers.
type world struct {
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
	mail      *letters
	access    *access.Service

	maple, harbour               customers.Customer
	mapleOne, harbourOne, shared customers.Server
	ada, bob, cleo               access.Person // ada is an admin, bob and cleo are ops
}

// letters keeps what would be mailed.
type letters struct{ sent []access.Letter }

func (l *letters) Enqueue(_ *db.Tx, x access.Letter) (string, error) {
	l.sent = append(l.sent, x)
	return controlplane.NewID("mail_"), nil
}

func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// plainHasher makes sign-ins cheap: nobody signs in here.
type plainHasher struct{}

func (plainHasher) Hash(password string) (string, error)          { return password, nil }
func (plainHasher) Verify(encoded, password string) (bool, error) { return encoded == password, nil }

// newWorld is a world with one cluster at most.
func newWorld(t testing.TB, d *db.DB, clock *dbtest.Clock, change ...func(*access.Deps, *access.Options)) *world {
	t.Helper()
	w := &world{t: t, all: policy.AllCustomers("a test"), db: d, clock: clock, bus: bus.New(), mail: &letters{}}
	system := controlplane.System(t.Context(), "test")
	w.keeper = must[*secrets.Keeper](t)(secrets.OpenFile(system, d, filepath.Join(t.TempDir(), "keyring")))
	w.ledger = must[*ledger.Ledger](t)(ledger.New(d, w.keeper, ledger.Options{Origin: "test.invalid/ledger", Bus: w.bus}))
	w.findings = findings.New(d, w.keeper, w.ledger, w.bus)
	w.jobs = jobs.New(d, w.keeper, w.bus, jobs.Options{})
	w.customers = customers.New(d, w.keeper, w.ledger)
	w.identity = must[*identity.Store](t)(identity.New(system, d, w.keeper, w.ledger, w.customers, identity.Options{Hasher: plainHasher{}}))
	deps := access.Deps{DB: d, Keeper: w.keeper, Ledger: w.ledger, Jobs: w.jobs, Findings: w.findings, Customers: w.customers, Identity: w.identity, Mail: w.mail}
	opts := access.Options{Bus: w.bus}
	for _, f := range change {
		f(&deps, &opts)
	}
	w.access = must[*access.Service](t)(access.New(deps, opts))

	w.ctx = system
	w.maple, w.harbour = w.customer("maple", "Maple Bakery"), w.customer("harbour", "Harbour Mail")
	w.mapleOne, w.harbourOne, w.shared = w.server("maple-1"), w.server("harbour-1"), w.server("shared-1")
	w.lives(w.mapleOne, w.maple)
	w.lives(w.harbourOne, w.harbour)
	w.ada = w.staff("Ada Admin", policy.RoleAdmin)
	w.ctx = w.as(w.ada)
	w.bob, w.cleo = w.staff("Bob Builder", policy.RoleOps), w.staff("Cleo Clark", policy.RoleOps)
	return w
}

// share has both customers live on the shared server.
func (w *world) share() {
	w.t.Helper()
	w.lives(w.shared, w.maple)
	w.lives(w.shared, w.harbour)
}

func (w *world) customer(slug, name string) customers.Customer {
	w.t.Helper()
	return must[customers.Customer](w.t)(w.customers.CreateCustomer(w.ctx, w.all, customers.NewCustomer{Slug: slug, Name: name, Country: "DE", Zone: "Europe/Berlin"}))
}

func (w *world) server(name string) customers.Server {
	w.t.Helper()
	return must[customers.Server](w.t)(w.customers.CreateServer(w.ctx, w.all, customers.NewServer{Name: name, Location: "Frankfurt 1, room 2, rack 7", Country: "DE"}))
}

func (w *world) lives(on customers.Server, c customers.Customer) customers.Tenancy {
	w.t.Helper()
	return must[customers.Tenancy](w.t)(w.customers.CreateTenancy(w.ctx, w.all, customers.NewTenancy{Server: on.ID, Customer: c.ID, Paths: []string{"/srv/" + c.Slug}}))
}

// staff is a member of our staff who stands in the list of people, with papers.
func (w *world) staff(name string, role policy.Role) access.Person {
	w.t.Helper()
	first, _, _ := strings.Cut(strings.ToLower(name), " ")
	p := must[identity.Person](w.t)(w.identity.AddStaff(w.ctx, w.all, identity.NewStaff{Name: name, Email: first + "@ostler.example", Role: role}))
	person := must[access.Person](w.t)(w.access.AddPerson(w.ctx, w.all, access.NewPerson{Kind: access.KindStaff, Staff: p.ID, TeleportUsers: []string{first}, Logins: []string{first}}))
	w.papers(person)
	return person
}

// papers records an agreement and a training of a year for a person.
func (w *world) papers(p access.Person) {
	w.t.Helper()
	now := w.clock.Now()
	must[access.Paper](w.t)(w.access.AddPaper(w.ctx, w.all, access.Paper{Person: p.ID, Kind: access.PaperConfidentiality, From: now.AddDate(-1, 0, 0)}))
	must[access.Paper](w.t)(w.access.AddPaper(w.ctx, w.all, access.Paper{Person: p.ID, Kind: access.PaperTraining, From: now.AddDate(0, -1, 0), Until: now.AddDate(1, 0, 0)}))
}

// as is the context of a member of our staff.
func (w *world) as(p access.Person) context.Context {
	w.t.Helper()
	role := policy.RoleOps
	if w.ada.ID == "" || p.ID == w.ada.ID {
		role = policy.RoleAdmin
	}
	return controlplane.WithActor(w.t.Context(), controlplane.Actor{Kind: controlplane.ActorStaff, ID: p.Staff, Role: string(role)})
}

// owner is a context of a contact who owns a customer's account, and their scope.
func (w *world) owner(c customers.Customer) (context.Context, policy.Scope) {
	a := controlplane.Actor{Kind: controlplane.ActorContact, ID: "con_00000000000000000000000001", Customer: c.ID, Role: string(policy.RoleOwner)}
	return controlplane.WithActor(w.t.Context(), a), policy.ScopeOf(a)
}

// write runs fn in a transaction of the admin.
func (w *world) write(fn func(tx *db.Tx) error) {
	w.t.Helper()
	if err := w.db.Write(w.ctx, fn); err != nil {
		w.t.Fatal(err)
	}
}

// settle settles a part in a transaction of its own.
func (w *world) settle(p access.Part, wants ...access.Want) (out []access.Change) {
	w.t.Helper()
	w.write(func(tx *db.Tx) (err error) { out, err = w.access.Settle(tx, p, wants); return err })
	return out
}

// told are changes in short: "added Bob Builder teleport operator".
func told(changes []access.Change) (out []string) {
	for _, c := range changes {
		out = append(out, strings.TrimSpace(string(c.Kind)+" "+c.Name+c.Unknown+" "+string(c.Way)+" "+c.Role))
	}
	return out
}

// same compares what was got with what is wanted, in order.
func same[T comparable](t testing.TB, what string, got, want []T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// hours moves the clock on.
// sequence gives all entries their places, as a plane does within a second.
func (w *world) sequence() error {
	_, err := w.ledger.Sequence(w.ctx)
	return err
}

func (w *world) hours(n float64) { w.clock.Advance(time.Duration(n * float64(time.Hour))) }
