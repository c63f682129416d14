package customers_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
	"ostler/controlplane/secrets"
)

type fixture struct {
	*customers.Store
	db     *db.DB
	ledger *ledger.Ledger
	clock  *dbtest.Clock
	ctx    context.Context // of an admin
	all    policy.Scope
}

func each(t *testing.T, fn func(t *testing.T, f *fixture)) {
	t.Helper()
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		k, err := secrets.OpenFile(controlplane.System(t.Context(), "test"), d, filepath.Join(t.TempDir(), "keys"))
		if err != nil {
			t.Fatal(err)
		}
		l, err := ledger.New(d, k, ledger.Options{Origin: "test.invalid/ostler"})
		if err != nil {
			t.Fatal(err)
		}
		admin := controlplane.Actor{Kind: controlplane.ActorStaff, ID: "stf_admin", Role: string(policy.RoleAdmin)}
		fn(t, &fixture{
			Store: customers.New(d, k, l), db: d, ledger: l, clock: clock,
			ctx: controlplane.WithActor(t.Context(), admin), all: policy.ScopeOf(admin),
		})
	})
}

func (f *fixture) customer(t *testing.T, name string) customers.Customer {
	t.Helper()
	c, err := f.CreateCustomer(f.ctx, f.all, customers.NewCustomer{Name: name, Country: "GB", Zone: "Europe/London"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (f *fixture) server(t *testing.T, name string) customers.Server {
	t.Helper()
	s, err := f.CreateServer(f.ctx, f.all, customers.NewServer{Name: name, Location: "Manchester, rack 4", Country: "GB"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (f *fixture) tenancy(t *testing.T, s customers.Server, c customers.Customer, paths ...string) customers.Tenancy {
	t.Helper()
	v, err := f.CreateTenancy(f.ctx, f.all, customers.NewTenancy{Server: s.ID, Customer: c.ID, Paths: paths})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// as returns the context and scope of an owner of the customer.
func (f *fixture) as(ctx context.Context, c customers.Customer) (context.Context, policy.Scope) {
	a := controlplane.Actor{Kind: controlplane.ActorContact, ID: "con_owner", Customer: c.ID, Role: string(policy.RoleOwner)}
	return controlplane.WithActor(ctx, a), policy.ScopeOf(a)
}

func wantCode(t *testing.T, err error, want controlplane.Code) {
	t.Helper()
	if got := controlplane.ErrorCode(err); got != want {
		t.Errorf("error = %v (code %q), want code %q", err, got, want)
	}
}

// kinds returns the kinds of the entries, sorted: those of one millisecond have
// no order before they are sequenced.
func (f *fixture) kinds(t *testing.T, filter ledger.Filter) []string {
	t.Helper()
	items, _, err := f.ledger.List(f.ctx, f.all, filter)
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

func TestCustomers(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		reseller := f.customer(t, "Agentur Müller & Söhne")
		if got, want := reseller.Slug, "agentur-muller-sohne"; got != want {
			t.Errorf("slug = %q, want %q", got, want)
		}
		if got, want := reseller.CreatedAt, dbtest.Start; !got.Equal(want) {
			t.Errorf("created = %v, want %v", got, want)
		}
		child, err := f.CreateCustomer(f.ctx, f.all, customers.NewCustomer{Name: "Baker", Slug: "baker", Parent: reseller.ID, Country: "de", Zone: "Europe/Berlin"})
		if err != nil {
			t.Fatal(err)
		}
		for _, ref := range []string{child.ID, "baker"} {
			got, err := f.GetCustomer(f.ctx, f.all, ref)
			if err != nil || got != child {
				t.Errorf("GetCustomer(%s) = %+v, %v; want %+v", ref, got, err, child)
			}
		}
		_, err = f.CreateCustomer(f.ctx, f.all, customers.NewCustomer{Name: "Baker", Country: "GB", Zone: "UTC"})
		wantCode(t, err, controlplane.CodeConflict)

		_, err = f.UpdateCustomer(f.ctx, f.all, reseller.ID, customers.CustomerChange{Parent: &child.ID})
		wantCode(t, err, controlplane.CodeInvalid)
		none := "cus_none"
		_, err = f.UpdateCustomer(f.ctx, f.all, child.ID, customers.CustomerChange{Parent: &none})
		wantCode(t, err, controlplane.CodeInvalid)

		name := "Baker & Sons"
		f.clock.Advance(1e9)
		got, err := f.UpdateCustomer(f.ctx, f.all, child.ID, customers.CustomerChange{Name: &name, Version: 1})
		if err != nil || got.Name != name || got.Version != 2 || !got.UpdatedAt.After(got.CreatedAt) || got.Parent != reseller.ID {
			t.Errorf("updated = %+v, %v", got, err)
		}
		_, err = f.UpdateCustomer(f.ctx, f.all, child.ID, customers.CustomerChange{Name: &name, Version: 1})
		wantCode(t, err, controlplane.CodeConflict)

		if got, want := f.kinds(t, ledger.Filter{Customer: child.ID}), []string{"customer.changed", "customer.created"}; !slices.Equal(got, want) {
			t.Errorf("ledger = %v, want %v", got, want)
		}
		names, err := f.Names(f.ctx, f.all, []string{child.ID, "cus_none"})
		if err != nil || len(names) != 1 || names[child.ID] != name {
			t.Errorf("names = %v, %v", names, err)
		}
	})
}

func TestPages(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		for i := range 5 {
			f.customer(t, fmt.Sprintf("Customer %d", i))
			f.server(t, fmt.Sprintf("web%d.example.net", i))
		}
		var slugs, names []string
		for token := ""; ; {
			items, next, err := f.ListCustomers(f.ctx, f.all, customers.CustomerFilter{Limit: 2, PageToken: token})
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range items {
				slugs = append(slugs, c.Slug)
			}
			if token = next; token == "" {
				break
			}
		}
		for token := ""; ; {
			items, next, err := f.ListServers(f.ctx, f.all, customers.ServerFilter{Limit: 5, PageToken: token, State: customers.ServerExpected})
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range items {
				names = append(names, s.Name)
			}
			if token = next; token == "" {
				break
			}
		}
		if len(slugs) != 5 || !slices.IsSorted(slugs) || len(names) != 5 || !slices.IsSorted(names) {
			t.Errorf("pages gave %v and %v", slugs, names)
		}
		for _, token := range []string{"x", "1.!", "2.YQ"} {
			_, _, err := f.ListCustomers(f.ctx, f.all, customers.CustomerFilter{PageToken: token})
			wantCode(t, err, controlplane.CodeInvalid)
		}
		_, _, err := f.ListServers(f.ctx, f.all, customers.ServerFilter{State: "asleep"})
		wantCode(t, err, controlplane.CodeInvalid)
	})
}

// TestContactSeesTheirServersOnly: iff the customer lives on it, now.
func TestContactSeesTheirServersOnly(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		anna, bert := f.customer(t, "Anna"), f.customer(t, "Bert")
		own, shared, other := f.server(t, "own"), f.server(t, "shared"), f.server(t, "other")
		f.tenancy(t, own, anna, "/srv")
		mine := f.tenancy(t, shared, anna, "/home/anna")
		theirs := f.tenancy(t, shared, bert, "/home/bert")
		f.tenancy(t, other, bert, "/srv")
		ctx, scope := f.as(t.Context(), anna)

		seen := func() []string {
			items, _, err := f.ListServers(ctx, scope, customers.ServerFilter{})
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, s := range items {
				names = append(names, s.Name)
			}
			return names
		}
		if got, want := seen(), []string{"own", "shared"}; !slices.Equal(got, want) {
			t.Errorf("servers = %v, want %v", got, want)
		}
		tenants, err := f.TenanciesOf(ctx, scope, shared.ID)
		if err != nil || len(tenants) != 1 || tenants[0].ID != mine.ID {
			t.Errorf("tenancies = %+v, %v; want only %s", tenants, err, mine.ID)
		}
		byID, err := f.ServersByIDs(ctx, scope, []string{own.ID, other.ID})
		if err != nil || len(byID) != 1 || byID[own.ID].Name != "own" {
			t.Errorf("by id = %v, %v", byID, err)
		}

		// Another's object and none at all read alike.
		notFound := map[string][2]error{}
		get := func(noun string, get func(id string) error, theirs, none string) {
			notFound[noun] = [2]error{get(theirs), get(none)}
		}
		get("customer", func(id string) error { _, err := f.GetCustomer(ctx, scope, id); return err }, bert.ID, "cus_none")
		get("customer by slug", func(id string) error { _, err := f.GetCustomer(ctx, scope, id); return err }, "bert", "none")
		get("server", func(id string) error { _, err := f.GetServer(ctx, scope, id); return err }, other.ID, "srv_none")
		get("tenancy", func(id string) error { _, err := f.GetTenancy(ctx, scope, id); return err }, theirs.ID, "ten_none")
		get("tenancies", func(id string) error { _, err := f.TenanciesOf(ctx, scope, id); return err }, other.ID, "srv_none")
		for noun, errs := range notFound {
			wantCode(t, errs[0], controlplane.CodeNotFound)
			if errs[0] == nil || errs[1] == nil || errs[0].Error() != errs[1].Error() {
				t.Errorf("%s: another's reads %v, none reads %v", noun, errs[0], errs[1])
			}
		}

		if _, err := f.EndTenancy(f.ctx, f.all, mine.ID); err != nil {
			t.Fatal(err)
		}
		if got, want := seen(), []string{"own"}; !slices.Equal(got, want) {
			t.Errorf("after the end: servers = %v, want %v", got, want)
		}
		err = f.db.Read(f.ctx, func(tx *db.Tx) error {
			ids, err := f.CustomersOfServer(tx, shared.ID)
			if !slices.Equal(ids, []string{bert.ID}) {
				t.Errorf("customers of shared = %v, want %s", ids, bert.ID)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// TestOnlyStaffChanges: a contact changes no customer, server or tenancy.
func TestOnlyStaffChanges(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		anna := f.customer(t, "Anna")
		s := f.server(t, "web1")
		ten := f.tenancy(t, s, anna, "/srv")
		ctx, scope := f.as(t.Context(), anna)
		for name, do := range map[string]func() error{
			"create customer": func() error { _, err := f.CreateCustomer(ctx, scope, customers.NewCustomer{}); return err },
			"update customer": func() error { _, err := f.UpdateCustomer(ctx, scope, anna.ID, customers.CustomerChange{}); return err },
			"create server":   func() error { _, err := f.CreateServer(ctx, scope, customers.NewServer{}); return err },
			"update server":   func() error { _, err := f.UpdateServer(ctx, scope, s.ID, customers.ServerChange{}); return err },
			"retire server":   func() error { _, err := f.RetireServer(ctx, scope, s.ID); return err },
			"create tenancy":  func() error { _, err := f.CreateTenancy(ctx, scope, customers.NewTenancy{}); return err },
			"update tenancy":  func() error { _, err := f.UpdateTenancy(ctx, scope, ten.ID, customers.TenancyChange{}); return err },
			"end tenancy":     func() error { _, err := f.EndTenancy(ctx, scope, ten.ID); return err },
		} {
			t.Run(name, func(t *testing.T) { wantCode(t, do(), controlplane.CodeForbidden) })
		}
	})
}

func TestServers(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		s := f.server(t, "Web1.Example.net")
		if s.Name != "web1.example.net" || s.State != customers.ServerExpected {
			t.Errorf("server = %+v", s)
		}
		_, err := f.CreateServer(f.ctx, f.all, customers.NewServer{Name: "web1.example.net", Country: "GB"})
		wantCode(t, err, controlplane.CodeConflict)
		for range 2 { // the second time changes nothing
			if err := f.db.Write(f.ctx, func(tx *db.Tx) error { return f.MarkActive(tx, f.all, s.ID) }); err != nil {
				t.Fatal(err)
			}
		}
		location := "Leeds"
		if s, err = f.UpdateServer(f.ctx, f.all, s.Name, customers.ServerChange{Location: &location}); err != nil || s.State != customers.ServerActive || s.Location != location {
			t.Fatalf("server = %+v, %v", s, err)
		}
		ten := f.tenancy(t, s, f.customer(t, "Anna"), "/srv")
		_, err = f.RetireServer(f.ctx, f.all, s.ID)
		wantCode(t, err, controlplane.CodeConflict)
		if _, err := f.EndTenancy(f.ctx, f.all, ten.ID); err != nil {
			t.Fatal(err)
		}
		if s, err = f.RetireServer(f.ctx, f.all, s.ID); err != nil || s.State != customers.ServerRetired {
			t.Fatalf("server = %+v, %v", s, err)
		}
		wantCode(t, f.db.Write(f.ctx, func(tx *db.Tx) error { return f.MarkActive(tx, f.all, s.ID) }), controlplane.CodeConflict)
		want := []string{"server.activated", "server.changed", "server.created", "server.retired", "tenancy.created", "tenancy.ended"}
		if got := f.kinds(t, ledger.Filter{Server: s.ID}); !slices.Equal(got, want) {
			t.Errorf("ledger = %v, want %v", got, want)
		}
	})
}

// TestRowsOfOneCustomer asks the tables without any scope: PostgreSQL itself
// keeps a contact's transaction to that customer's rows.
func TestRowsOfOneCustomer(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		if f.db.Dialect() != db.Postgres {
			t.Skip("SQLite has no row-level security")
		}
		anna, bert := f.customer(t, "Anna"), f.customer(t, "Bert")
		for _, c := range []customers.Customer{anna, bert} {
			f.tenancy(t, f.server(t, c.Slug+"-web"), c, "/srv")
			if _, err := f.AddContact(f.ctx, f.all, customers.NewContact{Customer: c.ID, Name: "Zoë", Email: "zoe@example.com", Role: policy.RoleReader}); err != nil {
				t.Fatal(err)
			}
		}
		ctx, _ := f.as(t.Context(), anna)
		for _, table := range []string{"customers", "servers", "tenancies", "contacts"} {
			for who, tt := range map[string]struct {
				ctx  context.Context
				want int64
			}{"contact": {ctx, 1}, "staff": {f.ctx, 2}} {
				var n int64
				if err := f.db.Read(tt.ctx, func(tx *db.Tx) error { return tx.Table(table).Count(&n).Error }); err != nil {
					t.Fatal(err)
				}
				if n != tt.want {
					t.Errorf("%s sees %d rows of %s, want %d", who, n, table, tt.want)
				}
			}
		}
	})
}
