package customers_test

import (
	"errors"
	"strings"
	"testing"

	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/policy"
)

// pointers returns the fields that an error names, "" for no error.
func pointers(t *testing.T, err error, secret string) string {
	t.Helper()
	if err == nil {
		return ""
	}
	var e *controlplane.Error
	if !errors.As(err, &e) || e.Code != controlplane.CodeInvalid {
		return err.Error()
	}
	var out []string
	for _, f := range e.Fields {
		out = append(out, f.Pointer)
		if len(secret) > 3 && strings.Contains(f.Message, secret) {
			t.Errorf("message repeats the value: %s", f.Message)
		}
	}
	return strings.Join(out, " ")
}

// TestValidation needs no table: a wrong input never reaches one, and a right
// one stops at the database, which here is closed.
func TestValidation(t *testing.T) {
	d, err := db.Open(t.Context(), db.Options{URL: "sqlite:" + t.TempDir() + "/ostler.db", Clock: &dbtest.Clock{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	s := customers.New(d, nil, nil)
	all := policy.AllCustomers("test")
	ctx := controlplane.System(t.Context(), "test")

	for _, tt := range []struct {
		name string
		in   customers.NewCustomer
		want string
	}{
		{"empty", customers.NewCustomer{}, "/name /slug /country /zone"},
		{"name too long", customers.NewCustomer{Name: strings.Repeat("é", 201), Slug: "a1", Country: "GB", Zone: "UTC"}, "/name"},
		{"turned text", customers.NewCustomer{Name: "Anna\u202e", Slug: "a1", Country: "GB", Zone: "UTC"}, "/name"},
		{"newline", customers.NewCustomer{Name: "Anna\nBert", Slug: "a1", Country: "GB", Zone: "UTC"}, "/name"},
		{"not UTF-8", customers.NewCustomer{Name: "Anna\xff", Slug: "a1", Country: "GB", Zone: "UTC"}, "/name"},
		{"capital slug", customers.NewCustomer{Name: "Anna", Slug: "Anna", Country: "GB", Zone: "UTC"}, "/slug"},
		{"slug like an id", customers.NewCustomer{Name: "Anna", Slug: "cus_anna", Country: "GB", Zone: "UTC"}, "/slug"},
		{"hyphens", customers.NewCustomer{Name: "Anna", Slug: "a--b", Country: "GB", Zone: "UTC"}, "/slug"},
		{"hyphen at the end", customers.NewCustomer{Name: "Anna", Slug: "ab-", Country: "GB", Zone: "UTC"}, "/slug"},
		{"country by name", customers.NewCustomer{Name: "Anna", Country: "Germany", Zone: "UTC"}, "/country"},
		{"country unknown", customers.NewCustomer{Name: "Anna", Country: "QX", Zone: "UTC"}, "/country"},
		{"UK is GB", customers.NewCustomer{Name: "Anna", Country: "UK", Zone: "UTC"}, "/country"},
		{"a continent", customers.NewCustomer{Name: "Anna", Country: "EU", Zone: "UTC"}, "/country"},
		{"local zone", customers.NewCustomer{Name: "Anna", Country: "GB", Zone: "Local"}, "/zone"},
		{"zone with dots", customers.NewCustomer{Name: "Anna", Country: "GB", Zone: "../etc/passwd"}, "/zone"},
		{"zone unknown", customers.NewCustomer{Name: "Anna", Country: "GB", Zone: "Europe/Manchester"}, "/zone"},
	} {
		t.Run("customer/"+tt.name, func(t *testing.T) {
			_, err := s.CreateCustomer(ctx, all, tt.in)
			if got := pointers(t, err, tt.in.Zone); got != tt.want {
				t.Errorf("fields = %q, want %q", got, tt.want)
			}
		})
	}
	for _, tt := range []struct {
		name, host, country, want string
	}{
		{"empty", "", "", "/name /country"},
		{"underscore", "web_1", "GB", "/name"},
		{"empty label", "web..example", "GB", "/name"},
		{"dot at the end", "web1.", "GB", "/name"},
		{"long label", strings.Repeat("a", 64), "GB", "/name"},
		{"long name", strings.Repeat("abcdefg.", 32) + "net", "GB", "/name"},
		{"not ASCII", "wéb1", "GB", "/name"},
		{"markup", "<img>", "GB", "/name"},
	} {
		t.Run("server/"+tt.name, func(t *testing.T) {
			_, err := s.CreateServer(ctx, all, customers.NewServer{Name: tt.host, Country: tt.country})
			if got := pointers(t, err, tt.host); got != tt.want {
				t.Errorf("fields = %q, want %q", got, tt.want)
			}
		})
	}
	for _, tt := range []struct {
		name string
		in   customers.NewTenancy
		want string
	}{
		{"no paths", customers.NewTenancy{}, "/paths"},
		{"relative", customers.NewTenancy{Paths: []string{"/srv", "home"}}, "/paths/1"},
		{"dots", customers.NewTenancy{Paths: []string{"/srv/../etc"}}, "/paths/0"},
		{"root of a shared server", customers.NewTenancy{Paths: []string{"/"}}, "/paths/0"},
		{"root in disguise", customers.NewTenancy{Paths: []string{"/./"}}, "/paths/0"},
		{"newline", customers.NewTenancy{Paths: []string{"/srv\n/etc"}}, "/paths/0"},
		{"NUL", customers.NewTenancy{Paths: []string{"/srv\x00"}}, "/paths/0"},
		{"not UTF-8", customers.NewTenancy{Paths: []string{"/srv/\xff"}}, "/paths/0"},
		{"too long", customers.NewTenancy{Paths: []string{"/" + strings.Repeat("a", 4096)}}, "/paths/0"},
		{"too many", customers.NewTenancy{Paths: make([]string, 501)}, "/paths"},
		{"site with a path", customers.NewTenancy{Paths: []string{"/srv"}, Sites: []string{"example.com/a"}}, "/sites/0"},
		{"database with a slash", customers.NewTenancy{Paths: []string{"/srv"}, Databases: []string{"a/b"}}, "/databases/0"},
		{"empty database", customers.NewTenancy{Paths: []string{"/srv"}, Databases: []string{""}}, "/databases/0"},
	} {
		t.Run("tenancy/"+tt.name, func(t *testing.T) {
			_, err := s.CreateTenancy(ctx, all, tt.in)
			if got := pointers(t, err, ""); got != tt.want {
				t.Errorf("fields = %q, want %q", got, tt.want)
			}
		})
	}
	for _, tt := range []struct {
		name string
		in   customers.NewContact
		want string
	}{
		{"empty", customers.NewContact{}, "/name /email /role"},
		{"no at", customers.NewContact{Name: "Zoë", Email: "zoe.example", Role: policy.RoleOwner}, "/email"},
		{"display name", customers.NewContact{Name: "Zoë", Email: "Zoë <zoe@anna.example>", Role: policy.RoleOwner}, "/email"},
		{"two addresses", customers.NewContact{Name: "Zoë", Email: "a@b.example,c@d.example", Role: policy.RoleOwner}, "/email"},
		{"header injection", customers.NewContact{Name: "Zoë", Email: "a@b.example\r\nBcc: c@d.example", Role: policy.RoleOwner}, "/email"},
		{"role of staff", customers.NewContact{Name: "Zoë", Email: "a@b.example", Role: policy.RoleOps}, "/role"},
		{"language", customers.NewContact{Name: "Zoë", Email: "a@b.example", Role: policy.RoleOwner, Language: "english please"}, "/language"},
	} {
		t.Run("contact/"+tt.name, func(t *testing.T) {
			_, err := s.AddContact(ctx, all, tt.in)
			if got := pointers(t, err, tt.in.Email); got != tt.want {
				t.Errorf("fields = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestTenancyFitsTheLedger(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		anna, s := f.customer(t, "Anna"), f.server(t, "web1")
		var paths []string
		for i := range 16 {
			paths = append(paths, "/"+string(rune('a'+i))+strings.Repeat("x", 2000))
		}
		if _, err := f.CreateTenancy(f.ctx, f.all, customers.NewTenancy{Server: s.ID, Customer: anna.ID, Paths: paths}); err != nil {
			t.Errorf("nearly too much: %v", err)
		}
		paths = append(paths, "/z"+strings.Repeat("x", 2000))
		_, err := f.CreateTenancy(f.ctx, f.all, customers.NewTenancy{Server: s.ID, Customer: anna.ID, Paths: paths})
		if got := pointers(t, err, ""); got != "/paths" {
			t.Errorf("too much: fields = %q, want /paths", got)
		}
	})
}
