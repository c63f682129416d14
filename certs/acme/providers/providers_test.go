package providers_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-acme/lego/v4/challenge/dns01"

	"ostler/certs/acme/providers"
	"ostler/certs/preflight/dnstest"
	"ostler/controlplane"
)

// subject is a provider under the suite: how to open it, and what it keeps.
type subject struct {
	kind   providers.Kind
	fields map[string]string
	opts   providers.Options
	values func() []string
}

func subjects(t *testing.T) []subject {
	dnsServer, resolver := names(t)
	web := func(z *zone, stub func(*zone) http.HandlerFunc) (providers.Options, func() []string) {
		return providers.Options{Resolver: resolver, HTTP: client(t, stub(z))}, func() []string { return z.get(name) }
	}
	var all []subject
	add := func(kind providers.Kind, stub func(*zone) http.HandlerFunc, fields map[string]string) {
		o, values := web(newZone(foreign), stub)
		all = append(all, subject{kind: kind, fields: fields, opts: o, values: values})
	}
	add(providers.PowerDNS, pdnsStub, map[string]string{"url": "http://ns1.maple.example:8081", "api_key": "hush"})
	add(providers.Cloudflare, cloudflareStub, map[string]string{"api_token": "hush"})
	add(providers.Hetzner, hetznerStub, map[string]string{"api_token": "hush"})
	add(providers.OVH, ovhStub, map[string]string{"application_key": "app", "application_secret": "hush", "consumer_key": "consume"})
	add(providers.HTTPReq, httpreqStub, map[string]string{"endpoint": "https://hooks.maple.example/dns", "username": "ostler", "password": "hush"})

	dnsServer.Add(name + ` TXT "` + foreign + `"`)
	all = append(all, subject{kind: providers.RFC2136, opts: providers.Options{Resolver: resolver},
		fields: map[string]string{"nameserver": dnsServer.Addr(), "tsig_key": "ostler", "tsig_secret": secret},
		values: func() []string { return dnsServer.Values(name) }})

	script, dir := script(t)
	all = append(all, subject{kind: providers.Exec, opts: providers.Options{Resolver: resolver, Programs: []string{"/bin/true", script}},
		fields: map[string]string{"program": script}, values: func() []string { return files(t, dir) }})
	return all
}

// httpreqStub is a web service as its owner would write one.
func httpreqStub(z *zone) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in struct{ FQDN, Value string }
		read(r, &in)
		if user, pass, _ := r.BasicAuth(); user != "ostler" || pass != "hush" {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprintln(w, "bad password: hush")
			return
		}
		z.mu.Lock()
		defer z.mu.Unlock()
		fqdn := strings.TrimSuffix(in.FQDN, ".")
		left := slices.DeleteFunc(slices.Clone(z.values[fqdn]), func(v string) bool { return v == in.Value })
		switch r.URL.Path {
		case "/dns/present":
			z.set(fqdn, append(left, in.Value))
		case "/dns/cleanup":
			z.set(fqdn, left)
		default:
			http.NotFound(w, r)
		}
	}
}

// script keeps one file for each value.
func script(t *testing.T) (path, dir string) {
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, foreign), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "dns")
	body := "#!/bin/sh\n[ \"$2\" = " + name + ". ] || { echo wrong name; exit 3; }\n[ -z \"$OSTLERTEST_LEAK\" ] || exit 4\n" +
		"case $1 in\npresent) : > " + dir + "/\"$3\" ;;\ncleanup) rm -f " + dir + "/\"$3\" ;;\n*) exit 2 ;;\nesac\n"
	if err := os.WriteFile(path, []byte(body), 0o700); err != nil {
		t.Fatal(err)
	}
	return path, dir
}

func files(t *testing.T, dir string) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, e := range entries {
		found = append(found, e.Name())
	}
	return found
}

// What every kind keeps true: values of others stay, twice is as once, two of
// one name at a time, and another process cleans up.
func TestEveryKind(t *testing.T) {
	t.Setenv("OSTLERTEST_LEAK", "1") // programs do not see it
	for _, s := range subjects(t) {
		t.Run(string(s.kind), func(t *testing.T) { suite(t, s) })
	}
	t.Run("route53", func(t *testing.T) {
		z := newZone(foreign)
		server := httptest.NewServer(route53Stub(z))
		t.Cleanup(server.Close)
		t.Setenv("AWS_ENDPOINT_URL_ROUTE_53", server.URL)
		_, resolver := names(t)
		suite(t, subject{kind: providers.Route53, opts: providers.Options{Resolver: resolver}, values: func() []string { return z.get(name) },
			fields: route53Fields})
	})
}

var route53Fields = map[string]string{"access_key_id": "AKIDTEST", "secret_access_key": "hush", "hosted_zone_id": "Z1"}

// The one provider that follows CNAMEs by itself writes where they lead too.
func TestRoute53Delegated(t *testing.T) {
	z := newZone()
	server := httptest.NewServer(route53Stub(z))
	t.Cleanup(server.Close)
	t.Setenv("AWS_ENDPOINT_URL_ROUTE_53", server.URL)
	s, resolver := names(t)
	s.Add("_acme-challenge.oak.example CNAME oak.example.acme.maple.example", "_acme-challenge.elm.example CNAME "+name)
	if err := dns01.AddRecursiveNameservers([]string{s.Addr()})(nil); err != nil { // lego's belong to the process
		t.Fatal(err)
	}
	p, err := providers.New(providers.Route53, route53Fields, providers.Options{Resolver: resolver})
	if err != nil {
		t.Fatal(err)
	}
	for domain, fqdn := range map[string]string{"oak.example": "oak.example.acme.maple.example", "elm.example": name} {
		if err := p.Present(t.Context(), domain, "key"); err != nil {
			t.Fatal(err)
		}
		if got := z.get(fqdn); !slices.Equal(got, []string{providers.Value("key")}) {
			t.Errorf("%s: got %q at %s", domain, got, fqdn)
		}
	}
}

func suite(t *testing.T, s subject) {
	open := func() providers.Presenter {
		p, err := providers.New(s.kind, s.fields, s.opts)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	is := func(when string, want ...string) {
		t.Helper()
		got := s.values()
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Fatalf("%s: got %q, want %q", when, got, want)
		}
	}
	one, two := providers.Value("key-1"), providers.Value("key-2")
	p := open()
	var g sync.WaitGroup
	for _, key := range []string{"key-1", "key-2"} {
		g.Go(func() {
			if err := p.Present(t.Context(), "www.maple.example", key); err != nil {
				t.Errorf("present %s: %v", key, err)
			}
		})
	}
	g.Wait()
	is("two at a time", foreign, one, two)
	if err := p.Present(t.Context(), "www.maple.example", "key-1"); err != nil {
		t.Fatalf("present again: %v", err)
	}
	is("present again", foreign, one, two)

	later := open() // after a kill
	if err := later.Present(t.Context(), "www.maple.example", "key-2"); err != nil {
		t.Fatalf("present by another process: %v", err)
	}
	for range 2 {
		if err := later.Clean(t.Context(), "www.maple.example", "key-1"); err != nil {
			t.Fatalf("clean: %v", err)
		}
		is("clean", foreign, two)
	}
	if err := p.Clean(t.Context(), "www.maple.example", "key-2"); err != nil {
		t.Fatalf("clean: %v", err)
	}
	is("clean all", foreign)
	if fqdn, value, err := p.Record(t.Context(), "www.maple.example", "key-1"); fqdn != name || value != one || err != nil {
		t.Errorf("record: got %s, %s, %v", fqdn, value, err)
	}
}

func TestACMEDNS(t *testing.T) {
	var got []string
	hc := client(t, func(w http.ResponseWriter, r *http.Request) {
		var in struct{ Subdomain, Txt string }
		read(r, &in)
		got = append(got, r.Header.Get("X-Api-User"), r.Header.Get("X-Api-Key"), r.URL.Path, in.Subdomain, in.Txt)
		reply(w, 200, object{"txt": in.Txt})
	})
	fields := map[string]string{"url": "https://auth.example", "username": "u", "password": "hush", "subdomain": "d420c923"}
	p, err := providers.New(providers.ACMEDNS, fields, providers.Options{Resolver: fixed{"d420c923.auth.example"}, HTTP: hc})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Present(t.Context(), "x.example", "key"); err != nil {
		t.Fatal(err)
	}
	if want := []string{"u", "hush", "/update", "d420c923", providers.Value("key")}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if err := p.Clean(t.Context(), "x.example", "key"); err != nil {
		t.Error(err)
	}
	p, err = providers.New(providers.ACMEDNS, fields, providers.Options{Resolver: fixed{"other.auth.example"}, HTTP: hc})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Present(t.Context(), "x.example", "key"); err == nil || !strings.Contains(err.Error(), "a CNAME to it is missing") {
		t.Errorf("another account's name: %v", err)
	}
}

// A name that is delegated is written where its CNAME leads, by the provider of
// that zone, also where the target has a form of its own.
func TestDelegation(t *testing.T) {
	s, resolver := names(t)
	s.Zone("acme.house.example")
	s.Add("_acme-challenge.oak.example CNAME k7.acme.house.example")
	p, err := providers.New(providers.RFC2136, map[string]string{"nameserver": s.Addr(), "tsig_key": "ostler.", "tsig_secret": secret},
		providers.Options{Resolver: resolver})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Present(t.Context(), "oak.example", "key"); err != nil {
		t.Fatal(err)
	}
	if got := s.Values("k7.acme.house.example"); !slices.Equal(got, []string{providers.Value("key")}) {
		t.Errorf("got %q", got)
	}
	elsewhere, err := providers.New(providers.RFC2136, map[string]string{"nameserver": s.Addr(), "zone": "maple.example"}, providers.Options{Resolver: resolver})
	if err != nil {
		t.Fatal(err)
	}
	if err := elsewhere.Present(t.Context(), "oak.example", "key"); err == nil || !strings.Contains(err.Error(), "is not in the zone maple.example") {
		t.Errorf("another zone: %v", err)
	}
}

func TestErrors(t *testing.T) {
	_, resolver := names(t)
	t.Run("secrets stay out of them", func(t *testing.T) {
		for kind, stub := range map[providers.Kind]http.HandlerFunc{
			providers.PowerDNS: pdnsStub(newZone()), providers.Cloudflare: cloudflareStub(newZone()), providers.HTTPReq: httpreqStub(newZone())} {
			fields := map[providers.Kind]map[string]string{
				providers.PowerDNS:   {"url": "http://ns1.example", "api_key": "hush-hush"},
				providers.Cloudflare: {"api_token": "hush-hush"},
				providers.HTTPReq:    {"endpoint": "http://hook.example", "username": "o", "password": "hush-hush"},
			}[kind]
			echo := func(w http.ResponseWriter, r *http.Request) {
				rec := httptest.NewRecorder()
				stub(rec, r)
				w.WriteHeader(rec.Code)
				fmt.Fprint(w, rec.Body.String(), r.Header.Get("Authorization"), r.Header.Get("X-API-Key"), "hush-hush")
			}
			p, err := providers.New(kind, fields, providers.Options{Resolver: resolver, HTTP: client(t, echo)})
			if err != nil {
				t.Fatal(err)
			}
			err = p.Present(t.Context(), "www.maple.example", "key")
			if err == nil || strings.Contains(err.Error(), "hush-hush") || !strings.Contains(err.Error(), "status 40") {
				t.Errorf("%s: %v", kind, err)
			}
		}
	})
	t.Run("a wrong TSIG key", func(t *testing.T) {
		s := dnstest.Start(t, dnstest.Options{Keys: map[string]string{"ostler.": secret}})
		p, err := providers.New(providers.RFC2136, map[string]string{"nameserver": s.Addr(), "tsig_key": "ostler", "tsig_secret": "d3Jvbmc="}, providers.Options{Resolver: resolver})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Present(t.Context(), "www.maple.example", "key"); err == nil || !strings.Contains(err.Error(), "NOTAUTH") || s.Updates() != 0 {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a program that fails", func(t *testing.T) {
		path, _ := script(t)
		p, err := providers.New(providers.Exec, map[string]string{"program": path}, providers.Options{Resolver: resolver, Programs: []string{path}})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Present(t.Context(), "maple.example", "key"); err == nil || !strings.Contains(err.Error(), "exit status 3: wrong name") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("private networks are closed to customers' providers", func(t *testing.T) {
		hit := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was reached") }))
		t.Cleanup(hit.Close)
		s, _ := names(t)
		for kind, fields := range map[providers.Kind]map[string]string{
			providers.HTTPReq: {"endpoint": hit.URL}, providers.RFC2136: {"nameserver": s.Addr()}} {
			p, err := providers.New(kind, fields, providers.Options{Resolver: resolver, Public: true})
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Present(t.Context(), "www.maple.example", "key"); err == nil || !strings.Contains(err.Error(), "private network") {
				t.Errorf("%s: %v", kind, err)
			}
		}
	})
}

func TestFields(t *testing.T) {
	tests := []struct {
		name   string
		kind   providers.Kind
		fields map[string]string
		want   string // pointers
	}{
		{"unknown kind", "bind", nil, "/kind"},
		{"missing", providers.OVH, map[string]string{"application_key": "a"}, "/config/application_secret /config/consumer_key"},
		{"blank", providers.Hetzner, map[string]string{"api_token": "  "}, "/config/api_token"},
		{"unknown field", providers.Hetzner, map[string]string{"api_token": "hush", "hush-2": "x"}, "/config/"},
		{"not a choice", providers.OVH, map[string]string{"endpoint": "hush", "application_key": "a", "application_secret": "b", "consumer_key": "c"}, "/config/endpoint"},
		{"not an address", providers.PowerDNS, map[string]string{"url": "ftp://hush", "api_key": "x"}, "/config/url"},
		{"a password in an address", providers.HTTPReq, map[string]string{"endpoint": "https://a:hush@b.example/"}, "/config/endpoint"},
		{"two lines", providers.Cloudflare, map[string]string{"api_token": "hush\r\nX-Evil: 1"}, "/config/api_token"},
		{"half a TSIG key", providers.RFC2136, map[string]string{"nameserver": "ns1.example", "tsig_secret": secret}, "/config/tsig_secret"},
		{"a TSIG secret that is no base64", providers.RFC2136, map[string]string{"nameserver": "ns1.example", "tsig_key": "k", "tsig_secret": "hush!"}, "/config/tsig_secret"},
		{"a program that is not listed", providers.Exec, map[string]string{"program": "/bin/hush"}, "/config/program"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := providers.New(tt.kind, tt.fields, providers.Options{Programs: []string{"/bin/true"}})
			var e *controlplane.Error
			if !errors.As(err, &e) || e.Code != controlplane.CodeInvalid {
				t.Fatalf("got %v", err)
			}
			var pointers []string
			for _, f := range e.Fields {
				pointers = append(pointers, f.Pointer)
			}
			if got := strings.Join(pointers, " "); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if said := fmt.Sprint(err, e.Fields); strings.Contains(said, "hush") || strings.Contains(said, secret) {
				t.Errorf("a value is told: %s", said)
			}
		})
	}
}

func TestKindsAreData(t *testing.T) {
	kinds := providers.Kinds()
	if len(kinds) != 9 || !slices.IsSortedFunc(kinds, func(a, b providers.Description) int {
		return strings.Compare(strings.ToLower(a.Label), strings.ToLower(b.Label))
	}) {
		t.Errorf("%d kinds, or not in the order of their labels", len(kinds))
	}
	for _, k := range kinds {
		if !k.Kind.Valid() || k.Label == "" || len(k.Fields) == 0 {
			t.Errorf("%s: incomplete", k.Kind)
		}
		for _, f := range k.Fields {
			if f.Label == "" || f.Name != strings.ToLower(f.Name) || (f.Required && f.Default != "") {
				t.Errorf("%s: field %+v", k.Kind, f)
			}
			for _, word := range []string{"secret", "password", "token", "api_key"} {
				if strings.Contains(f.Name, word) && !f.Secret && f.Name != "" {
					t.Errorf("%s: %s is a secret", k.Kind, f.Name)
				}
			}
		}
	}
	if _, err := json.Marshal(kinds); err != nil {
		t.Error(err)
	}
	if providers.Kind("bind").Valid() {
		t.Error("bind is valid")
	}
}
