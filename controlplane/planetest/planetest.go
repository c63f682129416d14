// Package planetest is a plane without its edges, for the tests of slices: the
// real parts on a database of the test's, two customers on servers of their own
// and on one that a test may have them share.
package planetest

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ostler/controlplane"
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

// All is every customer.
var All = policy.AllCustomers("a test")

// Plane is what a slice is made of.
type Plane struct {
	T testing.TB
	// Ctx is who acts: the system, until a world says otherwise.
	Ctx       context.Context
	DB        *db.DB
	Clock     *dbtest.Clock
	Keeper    *secrets.Keeper
	Ledger    *ledger.Ledger
	Jobs      *jobs.Jobs
	Findings  *findings.Findings
	Customers *customers.Store
	Identity  *identity.Store
	Bus       *bus.Bus

	Maple, Harbour               customers.Customer
	MapleOne, HarbourOne, Shared customers.Server
}

// New is a plane with Maple on maple-1 and Harbour on harbour-1; nobody lives on
// shared-1 yet, and no agent was enrolled.
func New(t testing.TB, d *db.DB, clock *dbtest.Clock) *Plane {
	t.Helper()
	p := Empty(t, d, clock, filepath.Join(t.TempDir(), "keyring"))
	p.Maple, p.Harbour = p.Customer("maple", "Maple Bakery"), p.Customer("harbour", "Harbour Mail")
	p.MapleOne, p.HarbourOne, p.Shared = p.Server("maple-1"), p.Server("harbour-1"), p.Server("shared-1")
	p.Lives(p.MapleOne, p.Maple)
	p.Lives(p.HarbourOne, p.Harbour)
	return p
}

// Empty is a plane with what its database holds, and its keys in a keyring.
func Empty(t testing.TB, d *db.DB, clock *dbtest.Clock, keyring string) *Plane {
	t.Helper()
	p := &Plane{T: t, Ctx: controlplane.System(t.Context(), "test"), DB: d, Clock: clock, Bus: bus.New()}
	p.Keeper = Must[*secrets.Keeper](t)(secrets.OpenFile(p.Ctx, d, keyring))
	p.Ledger = Must[*ledger.Ledger](t)(ledger.New(d, p.Keeper, ledger.Options{Origin: "test.invalid/ledger", Bus: p.Bus}))
	p.Findings = findings.New(d, p.Keeper, p.Ledger, p.Bus)
	p.Jobs = jobs.New(d, p.Keeper, p.Bus, jobs.Options{})
	p.Customers = customers.New(d, p.Keeper, p.Ledger)
	p.Identity = Must[*identity.Store](t)(identity.New(p.Ctx, d, p.Keeper, p.Ledger, p.Customers, identity.Options{Hasher: plainHasher{}}))
	return p
}

// plainHasher makes sign-ins cheap: nobody signs in here.
type plainHasher struct{}

func (plainHasher) Hash(password string) (string, error)          { return password, nil }
func (plainHasher) Verify(encoded, password string) (bool, error) { return encoded == password, nil }

// Must is v of a call that may not fail.
func Must[V any](t testing.TB) func(v V, err error) V {
	return func(v V, err error) V {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// Same compares what was got with what is wanted, in order.
func Same[V comparable](t testing.TB, what string, got, want []V) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// Customer is a customer in Germany, with a key.
func (p *Plane) Customer(slug, name string) customers.Customer {
	p.T.Helper()
	c := Must[customers.Customer](p.T)(p.Customers.CreateCustomer(p.Ctx, All, customers.NewCustomer{Slug: slug, Name: name, Country: "DE", Zone: "Europe/Berlin"}))
	if err := p.Keeper.EnsureKey(p.Ctx, c.ID); err != nil {
		p.T.Fatal(err)
	}
	return c
}

// Server is a server whose agent was not enrolled yet.
func (p *Plane) Server(name string) customers.Server {
	p.T.Helper()
	return Must[customers.Server](p.T)(p.Customers.CreateServer(p.Ctx, All, customers.NewServer{Name: name, Location: "Frankfurt 1, room 2, rack 7", Country: "DE"}))
}

// Enrol has servers have an agent.
func (p *Plane) Enrol(servers ...customers.Server) {
	p.T.Helper()
	p.Write(func(tx *db.Tx) error {
		for _, v := range servers {
			if err := p.Customers.MarkActive(tx, All, v.ID); err != nil {
				return err
			}
		}
		return nil
	})
}

// Lives has a customer live on a server, from now.
func (p *Plane) Lives(on customers.Server, c customers.Customer) customers.Tenancy {
	p.T.Helper()
	return Must[customers.Tenancy](p.T)(p.Customers.CreateTenancy(p.Ctx, All, customers.NewTenancy{Server: on.ID, Customer: c.ID, Paths: []string{"/srv/" + c.Slug}}))
}

// Share has both customers live on the shared server.
func (p *Plane) Share() {
	p.T.Helper()
	p.Lives(p.Shared, p.Maple)
	p.Lives(p.Shared, p.Harbour)
}

// Staff is a member of our staff, by their first name at ostler.example; First is
// that name.
func (p *Plane) Staff(name string, role policy.Role) identity.Person {
	p.T.Helper()
	return Must[identity.Person](p.T)(p.Identity.AddStaff(p.Ctx, All, identity.NewStaff{Name: name, Email: First(name) + "@ostler.example", Role: role}))
}

// First is a person's first name, as accounts are called.
func First(name string) string {
	first, _, _ := strings.Cut(strings.ToLower(name), " ")
	return first
}

// As is the context of a member of our staff.
func (p *Plane) As(staff string, role policy.Role) context.Context {
	return controlplane.WithActor(p.T.Context(), controlplane.Actor{Kind: controlplane.ActorStaff, ID: staff, Role: string(role)})
}

// Owner is a context of somebody who owns a customer's account, and their scope.
func (p *Plane) Owner(c customers.Customer) (context.Context, policy.Scope) {
	return p.AsContact(customers.Contact{ID: "con_00000000000000000000000001", Customer: c.ID, Role: policy.RoleOwner})
}

// AsContact is the context of a contact, and their scope.
func (p *Plane) AsContact(c customers.Contact) (context.Context, policy.Scope) {
	a := controlplane.Actor{Kind: controlplane.ActorContact, ID: c.ID, Customer: c.Customer, Role: string(c.Role)}
	return controlplane.WithActor(p.T.Context(), a), policy.ScopeOf(a)
}

// Write runs fn in a transaction of whoever acts.
func (p *Plane) Write(fn func(tx *db.Tx) error) {
	p.T.Helper()
	if err := p.DB.Write(p.Ctx, fn); err != nil {
		p.T.Fatal(err)
	}
}
