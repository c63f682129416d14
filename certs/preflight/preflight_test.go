package preflight_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ostler/certs/preflight"
	"ostler/certs/preflight/dnstest"
)

const (
	token   = "ostler-preflight"
	good    = token + ".thumb"
	account = "https://ca.example/acct/1"
)

// world is a name server and web servers on loopback addresses, all on one port.
type world struct {
	dns   *dnstest.Server
	port  int
	check *preflight.Checker
}

func newWorld(t *testing.T, change func(*preflight.Options)) *world {
	t.Helper()
	w := &world{dns: dnstest.Start(t, dnstest.Options{})}
	w.dns.Zone("maple.example")
	first := listen(t, "127.0.0.1:0")
	w.port = first.Addr().(*net.TCPAddr).Port
	serve(t, first, func(rw http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.Host, "away."):
			http.Redirect(rw, r, "ftp://elsewhere.example/", http.StatusFound)
		case strings.HasPrefix(r.Host, "loop."):
			http.Redirect(rw, r, "http://"+r.Host+r.URL.Path, http.StatusFound)
		case strings.HasPrefix(r.Host, "moved."):
			http.Redirect(rw, r, "http://plane.maple.example"+r.URL.Path, http.StatusMovedPermanently)
		case strings.HasPrefix(r.Host, "dead."):
			http.Redirect(rw, r, "https://nowhere.maple.example"+r.URL.Path, http.StatusFound)
		case strings.HasPrefix(r.Host, "tls."), strings.HasPrefix(r.Host, "circle."):
			http.Redirect(rw, r, "https://"+r.Host+r.URL.Path, http.StatusFound)
		case strings.HasPrefix(r.Host, "lost."), r.URL.Path != "/.well-known/acme-challenge/"+token:
			http.NotFound(rw, r)
		default:
			fmt.Fprintln(rw, good)
		}
	})
	secure := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.Host, "circle.") {
			http.Redirect(rw, r, "http://"+r.Host+r.URL.Path, http.StatusFound)
			return
		}
		fmt.Fprint(rw, good)
	}))
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS() // with a certificate that nobody trusts
	t.Cleanup(secure.Close)
	serve(t, listen(t, w.at("127.0.0.2")), func(rw http.ResponseWriter, r *http.Request) { fmt.Fprint(rw, "welcome") })
	mute := listen(t, w.at("127.0.0.3")) // takes connections, never answers
	t.Cleanup(func() { mute.Close() })
	resolver, err := preflight.NewResolver(preflight.ResolverOptions{
		Servers: []string{w.dns.Addr()}, Port: w.dns.Port(), Timeout: 400 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	o := preflight.Options{Resolver: resolver, HTTPPort: w.port,
		HTTPSPort: secure.Listener.Addr().(*net.TCPAddr).Port, Private: true, HTTPTimeout: time.Second}
	if change != nil {
		change(&o)
	}
	if w.check, err = preflight.New(o); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) at(ip string) string { return net.JoinHostPort(ip, strconv.Itoa(w.port)) }

func listen(t *testing.T, addr string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func serve(t *testing.T, l net.Listener, h http.HandlerFunc) {
	s := &http.Server{Handler: h, ReadHeaderTimeout: time.Second}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { s.Close() })
}

func request(way preflight.Way, names ...string) preflight.Request {
	return preflight.Request{
		Names: names, Way: way, Account: account, Identities: []string{"ca.example"},
		Server:  []netip.Addr{netip.MustParseAddr("127.0.0.1")},
		Probe:   &preflight.Probe{Token: token, Answer: good, Plane: "http://plane.maple.example"},
		Targets: map[string]string{"maple.example": "_acme-challenge.m1.acme.house.example"},
	}
}

// codes are what was found; a fatal one has an exclamation mark.
func codes(ps []preflight.Problem) []string {
	var found []string
	for _, p := range ps {
		mark := ""
		if p.Fatal {
			mark = "!"
		}
		found = append(found, strings.TrimPrefix(string(p.Code), "preflight_")+mark)
	}
	return found
}

func TestCheckByHTTP(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		asked   string
		records []string
		fail    [3]string // name, type, how
		way     preflight.Way
		want    []string
		says    string
	}{
		{name: "right", asked: "www.maple.example", records: []string{"www.maple.example A 127.0.0.1"}},
		{name: "by two aliases", asked: "shop.maple.example",
			records: []string{"shop.maple.example CNAME web.maple.example", "web.maple.example CNAME h1.maple.example", "h1.maple.example A 127.0.0.1"}},
		{name: "an address", asked: "127.0.0.1"},
		{name: "no such name", asked: "nope.maple.example", want: []string{"no_name!"},
			says: "nope.maple.example does not exist in the DNS. Add an A or AAAA record for nope.maple.example that points to 127.0.0.1."},
		{name: "no address", asked: "mail.maple.example", records: []string{"mail.maple.example MX 10 mx.maple.example."}, want: []string{"no_address!"}},
		{name: "servfail", asked: "www.maple.example", fail: [3]string{"www.maple.example", "", "SERVFAIL"}, want: []string{"caa_failed!", "dns_failed!"},
			says: "(SERVFAIL)"},
		{name: "bad signatures", asked: "www.maple.example", fail: [3]string{"www.maple.example", "", "bogus"}, want: []string{"caa_failed!", "dnssec!"},
			says: "The DNSSEC signatures of www.maple.example are not valid"},
		{name: "silence", asked: "www.maple.example", fail: [3]string{"www.maple.example", "A", "silent"}, want: []string{"dns_timeout!"},
			says: "did not answer in time when asked for its A."},
		{name: "one kind fails, the other is there", asked: "www.maple.example", records: []string{"www.maple.example A 127.0.0.1"},
			fail: [3]string{"www.maple.example", "AAAA", "SERVFAIL"}, want: []string{"dns_failed"}},
		{name: "alias to nowhere", asked: "www.maple.example", records: []string{"www.maple.example CNAME gone.maple.example"}, want: []string{"cname_dangling!"},
			says: "www.maple.example is an alias of gone.maple.example, which does not exist."},
		{name: "aliases in a circle", asked: "a.maple.example", records: []string{"a.maple.example CNAME b.maple.example", "b.maple.example CNAME a.maple.example"},
			want: []string{"caa_failed!", "cname_loop!"}, says: "circle"},
		{name: "AAAA elsewhere", asked: "www.maple.example", records: []string{"www.maple.example A 127.0.0.1", "www.maple.example AAAA ::1"},
			want: []string{"other_aaaa!"}, says: "www.maple.example points to ::1 (AAAA), which is not this server; certificate authorities try IPv6 first. Remove its AAAA record."},
		{name: "A elsewhere", asked: "www.maple.example", records: []string{"www.maple.example A 127.0.0.2"}, want: []string{"other_a!"},
			says: "Change its A record to 127.0.0.1, or remove it."},
		{name: "nothing listens", asked: "www.maple.example", records: []string{"www.maple.example A 127.0.0.1", "www.maple.example A 127.0.0.4"}, want: []string{"other_a!"}},
		{name: "a mute server", asked: "www.maple.example", records: []string{"www.maple.example A 127.0.0.3"}, want: []string{"other_a!"}},
		{name: "404", asked: "lost.maple.example", records: []string{"lost.maple.example A 127.0.0.1"}, want: []string{"http_status!"},
			says: "answers with status 404 at 127.0.0.1."},
		{name: "redirect loop", asked: "loop.maple.example", records: []string{"loop.maple.example A 127.0.0.1"}, want: []string{"http_loop!"}},
		{name: "redirect away", asked: "away.maple.example", records: []string{"away.maple.example A 127.0.0.1"}, want: []string{"http_away!"}},
		{name: "redirect to TLS with any certificate", asked: "tls.maple.example", records: []string{"tls.maple.example A 127.0.0.1"}},
		{name: "redirects between http and https", asked: "circle.maple.example", records: []string{"circle.maple.example A 127.0.0.1"}, want: []string{"http_loop!"},
			says: "Port 80 of circle.maple.example redirects in a circle at 127.0.0.1, last to http://circle.maple.example/"},
		{name: "redirect to where nothing listens", asked: "dead.maple.example", records: []string{"dead.maple.example A 127.0.0.1", "nowhere.maple.example A 127.0.0.4"},
			want: []string{"http_dead_end!"}, says: "redirects to https://nowhere.maple.example/"},
		{name: "redirect to the plane", asked: "moved.maple.example", way: preflight.WayRedirect,
			records: []string{"moved.maple.example A 127.0.0.1", "plane.maple.example A 127.0.0.1"}},
		{name: "no redirect to the plane", asked: "lost.maple.example", way: preflight.WayRedirect, records: []string{"lost.maple.example A 127.0.0.1"},
			want: []string{"http_not_plane!"}, says: "Redirect /.well-known/acme-challenge/ on lost.maple.example to http://plane.maple.example/.well-known/acme-challenge/, with the rest of the path kept."},
		{name: "wildcard", asked: "*.maple.example", want: []string{"wildcard_dns!"}},
		{name: "bad name", asked: "under_score.maple.example", want: []string{"bad_name!"}},
		{name: "one label", asked: "localhost", want: []string{"bad_name!"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			w.dns.Add(tt.records...)
			if tt.fail[2] != "" {
				w.dns.Fail(tt.fail[0], tt.fail[1], tt.fail[2])
			}
			if tt.way == "" {
				tt.way = preflight.WayAgent
			}
			got := w.check.Check(t.Context(), request(tt.way, tt.asked))
			found := codes(got)
			slices.Sort(found)
			if diff := cmp.Diff(tt.want, found); diff != "" {
				t.Fatalf("(-want +got)\n%s%+v", diff, got)
			}
			if said := sentences(got); !strings.Contains(said, tt.says) {
				t.Errorf("says\n%s\nwant in it\n%s", said, tt.says)
			}
			if strings.Contains(sentences(got), "unknown") {
				t.Errorf("an argument is missing: %s", sentences(got))
			}
		})
	}
}

func sentences(ps []preflight.Problem) string {
	var all []string
	for _, p := range ps {
		all = append(all, p.Sentence())
	}
	return strings.Join(all, "\n")
}

// At the server's own addresses each kind of failure has a code of its own.
func TestCheckAtTheServersAddresses(t *testing.T) {
	t.Parallel()
	for ip, want := range map[string]string{"127.0.0.2": "http_other!", "127.0.0.3": "http_timeout!", "127.0.0.4": "http_refused!"} {
		w := newWorld(t, nil)
		w.dns.Add("www.maple.example A " + ip)
		r := request(preflight.WayAgent, "www.maple.example")
		r.Server = []netip.Addr{netip.MustParseAddr(ip)}
		if got := codes(w.check.Check(t.Context(), r)); !slices.Equal(got, []string{want}) {
			t.Errorf("%s: got %v, want %v", ip, got, want)
		}
	}
	// A port that speaks something else.
	w := newWorld(t, nil)
	l := listen(t, w.at("127.0.0.5"))
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprint(c, "220 mail.maple.example ESMTP\r\n")
			c.Close()
		}
	}()
	w.dns.Add("www.maple.example A 127.0.0.5")
	r := request(preflight.WayAgent, "www.maple.example")
	r.Server = nil
	if got := codes(w.check.Check(t.Context(), r)); !slices.Equal(got, []string{"http_broken!"}) {
		t.Errorf("a mail server on the port: got %v", got)
	}
}

// A proxy before the server has other addresses and gives the right answer.
func TestOtherAddressWithTheRightAnswerDoesNotStop(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.dns.Add("www.maple.example A 127.0.0.1")
	r := request(preflight.WayAgent, "www.maple.example")
	r.Server = []netip.Addr{netip.MustParseAddr("192.0.2.7")}
	got := w.check.Check(t.Context(), r)
	if want := []string{"other_a"}; !slices.Equal(codes(got), want) {
		t.Errorf("got %v, want %v", codes(got), want)
	}
	if _, stops := preflight.Stops(got); stops {
		t.Error("it stops")
	}
}

func TestPrivateAddressesStop(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *preflight.Options) { o.Private = false })
	for i, ip := range []string{"A 10.1.2.3", "A 127.0.0.1", "A 100.64.3.4", "A 169.254.1.1", "AAAA fd00::1", "AAAA fe80::1", "AAAA ::1"} {
		name := fmt.Sprintf("n%d.maple.example", i)
		w.dns.Add(name + " " + ip)
		if got := codes(w.check.Check(t.Context(), request(preflight.WayAgent, name))); !slices.Equal(got, []string{"private_address!"}) {
			t.Errorf("%s: got %v", ip, got)
		}
	}
}

// A site must not lead the plane to what only the plane can reach.
func TestRedirectsIntoPrivateNetworksAreNotFollowed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *preflight.Options) { o.Private = false })
	w.dns.Add("inside.maple.example A 127.0.0.1", "mapped.maple.example AAAA ::ffff:127.0.0.1")
	for _, to := range []string{"127.0.0.1:80", "[::1]:80", "169.254.169.254:80", "inside.maple.example:80", "mapped.maple.example:443"} {
		c, err := w.check.Dial(t.Context(), "www.maple.example", "plane.maple.example", "192.0.2.1", to)
		if err == nil || !strings.Contains(err.Error(), "where no CA follows") {
			t.Errorf("%s: got %v, %v", to, c, err)
		}
	}
	// The plane itself may be inside.
	w.dns.Add("plane.maple.example A 127.0.0.1")
	c, err := w.check.Dial(t.Context(), "www.maple.example", "plane.maple.example", "192.0.2.1", "plane.maple.example:80")
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

func TestCheckIsBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *preflight.Options) { o.Bound = 200 * time.Millisecond })
	var names []string
	for i := range 40 {
		names = append(names, fmt.Sprintf("n%d.maple.example", i))
		w.dns.Fail(names[i], "", "silent")
	}
	start := time.Now()
	got := w.check.Check(context.Background(), request(preflight.WayAgent, names...))
	if took := time.Since(start); took > 30*time.Second { // without a bound: minutes
		t.Errorf("took %v", took)
	}
	if len(got) != 80 || !got[0].Fatal {
		t.Errorf("got %d problems, want two for each of 40 names", len(got))
	}
}

func TestManyNamesGoSideBySide(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	var names []string
	for i := range 16 {
		names = append(names, fmt.Sprintf("n%d.maple.example", i))
		w.dns.Add(names[i] + " A 127.0.0.1")
	}
	w.dns.Remove("n7.maple.example", "A")
	got := w.check.Check(t.Context(), request(preflight.WayAgent, names...))
	if len(got) != 1 || got[0].Name != "n7.maple.example" || got[0].Code != preflight.NoName {
		t.Errorf("got %+v, want n7 only", got)
	}
}

func TestEveryCodeHasASentence(t *testing.T) {
	t.Parallel()
	if got := len(preflight.Codes()); got < 30 {
		t.Fatalf("got %d codes", got)
	}
	for _, c := range preflight.Codes() {
		cause, next, ok := preflight.Text(c, "www.maple.example", nil)
		if !ok || !c.Valid() || cause == "" {
			t.Errorf("%s: no sentence", c)
		}
		for _, s := range []string{cause, next} {
			if strings.ContainsAny(s, "!{}") || (s != "" && !strings.HasSuffix(s, ".")) {
				t.Errorf("%s: %q", c, s)
			}
		}
	}
	if _, _, ok := preflight.Text("preflight_nothing", "", nil); ok {
		t.Error("an unknown code has a sentence")
	}
}

// The manual has every code, so that a sentence can be looked up.
func TestEveryCodeIsInTheManual(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/certificates.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range preflight.Codes() {
		if word := "`" + strings.TrimPrefix(string(c), "preflight_") + "`"; !strings.Contains(string(text), word) {
			t.Errorf("%s is missing", word)
		}
	}
}
