package identity_test

import (
	"context"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/identity"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
	"ostler/controlplane/secrets"
)

// counting counts how often a password is hashed.
type counting struct {
	identity.Argon2id
	hashes, verifies atomic.Int64
}

func (c *counting) Hash(p string) (string, error) {
	c.hashes.Add(1)
	return c.Argon2id.Hash(p)
}

func (c *counting) Verify(encoded, p string) (bool, error) {
	c.verifies.Add(1)
	return c.Argon2id.Verify(encoded, p)
}

type fixture struct {
	*identity.Store
	customers *customers.Store
	keeper    *secrets.Keeper
	db        *db.DB
	ledger    *ledger.Ledger
	clock     *dbtest.Clock
	hasher    *counting
	sys       context.Context // of the machine itself
	all       policy.Scope
}

const (
	goodPassword = "copper lantern sings twice"
	home         = "192.0.2.7"
	elsewhere    = "198.51.100.9"
)

var browser = identity.Client{Address: home, UserAgent: "Mozilla/5.0"}

func each(t *testing.T, fn func(t *testing.T, f *fixture)) {
	t.Helper()
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		ctx := controlplane.System(t.Context(), "test")
		k, err := secrets.OpenFile(ctx, d, filepath.Join(t.TempDir(), "keys"))
		if err != nil {
			t.Fatal(err)
		}
		l, err := ledger.New(d, k, ledger.Options{Origin: "test.invalid/ostler"})
		if err != nil {
			t.Fatal(err)
		}
		f := &fixture{
			keeper: k, db: d, ledger: l, clock: clock, customers: customers.New(d, k, l), sys: ctx, all: policy.AllCustomers("test"),
			hasher: &counting{Argon2id: identity.Argon2id{MemoryKiB: 8, Passes: 1, Lanes: 1}},
		}
		if f.Store, err = identity.New(ctx, d, k, l, f.customers, identity.Options{Hasher: f.hasher, Demo: true}); err != nil {
			t.Fatal(err)
		}
		fn(t, f)
	})
}

// account is a person who can sign in.
type account struct {
	person   identity.Person
	totp     string
	recovery []string
	ctx      context.Context // with the actor of their first session
	first    identity.SignedIn
}

func (f *fixture) code(t *testing.T, secret string) string {
	t.Helper()
	code, err := totp.GenerateCode(secret, f.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// accept takes an invitation up, and lets the app's code go by.
func (f *fixture) accept(t *testing.T, link identity.Link) account {
	t.Helper()
	inv, err := f.Invitation(t.Context(), link.Secret)
	if err != nil {
		t.Fatal(err)
	}
	got, err := f.AcceptInvite(t.Context(), link.Secret, identity.Acceptance{Password: goodPassword, Code: f.code(t, inv.TOTPSecret), Client: browser})
	if err != nil {
		t.Fatal(err)
	}
	f.clock.Advance(time.Minute)
	return account{
		person: inv.Person, totp: inv.TOTPSecret, recovery: got.RecoveryCodes, first: got.SignedIn,
		ctx: controlplane.WithActor(t.Context(), got.Actor),
	}
}

func (f *fixture) admin(t *testing.T) account {
	t.Helper()
	_, link, err := f.Bootstrap(f.sys, "ada@host.example", "Ada Crane")
	if err != nil {
		t.Fatal(err)
	}
	return f.accept(t, link)
}

func (f *fixture) customer(t *testing.T, name string) customers.Customer {
	t.Helper()
	c, err := f.customers.CreateCustomer(f.sys, f.all, customers.NewCustomer{Name: name, Country: "GB", Zone: "Europe/London"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (f *fixture) contact(t *testing.T, c customers.Customer, name, email string, role policy.Role) customers.Contact {
	t.Helper()
	v, err := f.customers.AddContact(f.sys, f.all, customers.NewContact{Customer: c.ID, Name: name, Email: email, Role: role})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (f *fixture) owner(t *testing.T, c customers.Customer, email string) account {
	t.Helper()
	link, err := f.Invite(f.sys, f.all, f.contact(t, c, "Olive Owner", email, policy.RoleOwner).ID)
	if err != nil {
		t.Fatal(err)
	}
	return f.accept(t, link)
}

// password does the first step of a sign-in.
func (f *fixture) password(email, password, address string) (identity.Pending, error) {
	return f.SignIn(context.Background(), identity.SignIn{Email: email, Password: password, Client: identity.Client{Address: address}})
}

// signIn does both steps with the next code of the app.
func (f *fixture) signIn(t *testing.T, a account, address string) identity.SignedIn {
	t.Helper()
	p, err := f.password(a.person.Email, goodPassword, address)
	if err != nil {
		t.Fatal(err)
	}
	f.clock.Advance(30 * time.Second)
	got, err := f.SecondFactor(t.Context(), p.Secret, f.code(t, a.totp), identity.Client{Address: address})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func wantCode(t *testing.T, err error, want controlplane.Code) {
	t.Helper()
	if got := controlplane.ErrorCode(err); got != want {
		t.Errorf("error = %v (code %q), want code %q", err, got, want)
	}
}

// kinds returns the kinds of entries about a subject, sorted.
func (f *fixture) kinds(t *testing.T, subject string) []string {
	t.Helper()
	items, _, err := f.ledger.List(f.sys, f.all, ledger.Filter{Subject: subject, Limit: 200})
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, i := range items {
		kinds = append(kinds, i.Kind)
	}
	slices.Sort(kinds)
	return kinds
}

func (f *fixture) in(ctx context.Context, secret string) error {
	_, _, err := f.Authenticate(ctx, secret)
	return err
}

func (f *fixture) setRole(t *testing.T, contact string, r policy.Role) {
	t.Helper()
	if _, err := f.customers.UpdateContact(f.sys, f.all, contact, customers.ContactChange{Role: &r}); err != nil {
		t.Fatal(err)
	}
}
