package bench_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	legoacme "github.com/go-acme/lego/v4/acme"
	"github.com/go-acme/lego/v4/acme/api"

	"ostler/certs/acme"
	"ostler/e2e/world"
	"ostler/internal/acmelab"
)

const (
	engineCerts  = 128
	engineMagic  = 32
	engineLego   = 16
	engineNames  = 25
	engineRounds = 9
	engineWide   = 3 // a certificate of 25 names against one of one
)

// BenchmarkCertificateEngine measures certs/acme alone, without a database and
// a host, beside lego, certmagic and the least that a driver on lego's Core can
// do. All ask the same Pebble, in the same run, eight at a time, for one name
// each; it names no time to wait, so that nobody waits for it.
func BenchmarkCertificateEngine(b *testing.B) {
	lab := newEngineLab(b)
	ours := lab.ours()
	speed := func(kind string, n int, obtain peer, address string) float64 {
		list := siteNames(kind, n+1)
		lab.point(list, address)
		if err := obtain(list[n]); err != nil { // the account, connections
			b.Fatal(err)
		}
		return float64(n) / atOnce(b, obtain, list[:n], certsAtATime).Seconds()
	}
	var engine, bare float64
	for turn := range 2 { // in turns: the later one finds more in Pebble's memory
		drive, listen := lab.bare()
		engine += speed(fmt.Sprint("engine", turn), engineCerts/2, ours.obtain, ours.listen) / 2
		bare += speed(fmt.Sprint("bare", turn), engineCerts/2, drive, listen) / 2
	}
	each := float64(ours.requests.Load()) / float64(ours.certificates.Load())
	at := lab.address()
	magic := speed("magic", engineMagic, certmagicObtain(b, lab.ca.Directory, lab.roots, at), at)
	at = lab.address()
	lego := speed("lego", engineLego, legoObtain(b, lab.ca.Directory, lab.roots, at), at)
	one, wide := ours.widths(lab)

	detail := fmt.Sprintf("%.0f a second, %d at a time", engine, certsAtATime)
	report(b, figure{name: "certificate engine: as fast as lego's Obtain loop, times", got: engine / lego, least: certsLegoBudget, unit: "×", detail: fmt.Sprintf("%s; lego %.1f", detail, lego)})
	report(b, figure{name: "certificate engine: as fast as certmagic without its limiter, times", got: engine / magic, least: certsMagicBudget, unit: "×", detail: fmt.Sprintf("%s; certmagic %.1f", detail, magic)})
	report(b, figure{name: "certificate engine: as fast as a bare driver on lego's Core, times", got: engine / bare, unit: "×", detail: fmt.Sprintf("%s; bare %.0f", detail, bare)})
	report(b, figure{name: "certificate engine: requests to the authority for each", got: each, budget: certsRequests, unit: "requests"})
	report(b, figure{name: fmt.Sprintf("certificate engine: %d names against one", engineNames), got: float64(wide) / float64(one), budget: engineWide, unit: "×",
		detail: fmt.Sprintf("%.0f ms against %.0f ms, medians of %d, one at a time", millis(wide), millis(one), engineRounds)})
}

// engineLab is a Pebble that never says when to ask again, and its DNS.
type engineLab struct {
	b     *testing.B
	ca    *acmelab.CA
	dns   *acmelab.DNS
	roots *x509.CertPool
	port  string
	last  int
}

func newEngineLab(b *testing.B) *engineLab {
	b.Helper()
	l := &engineLab{b: b, roots: x509.NewCertPool()}
	_, l.port = must2(b)(net.SplitHostPort(world.FreeAddr(b)))
	dns := world.FreeAddr(b)
	l.dns = acmelab.NewDNS(dns, world.FreeAddr(b))
	world.Start(b, "dns", world.Tool(b, "pebble-challtestsrv"), nil, l.dns.Program.Args...)
	dir := b.TempDir()
	l.ca = must[*acmelab.CA](b)(acmelab.NewCA(acmelab.CAOptions{Dir: dir, Listen: world.FreeAddr(b), Manage: world.FreeAddr(b),
		HTTPPort: must[int](b)(strconv.Atoi(l.port)), DNS: dns}))
	silent(b, filepath.Join(dir, "pebble.json"))
	world.Start(b, "pebble", world.Tool(b, "pebble"), l.ca.Program.Env, l.ca.Program.Args...)
	world.Eventually(b, "Pebble answers", patience, func() bool { return l.ca.Ready(b.Context()) && l.dns.Ready(b.Context()) })
	l.roots.AppendCertsFromPEM(l.ca.TLSRoot)
	return l
}

// silent takes the Retry-After out of Pebble's configuration.
func silent(b *testing.B, file string) {
	b.Helper()
	var config map[string]map[string]any
	if err := json.Unmarshal(must[[]byte](b)(os.ReadFile(file)), &config); err != nil {
		b.Fatal(err)
	}
	config["pebble"]["retryAfter"] = map[string]int{"authz": 0, "order": 0}
	if err := os.WriteFile(file, must[[]byte](b)(json.Marshal(config)), 0o600); err != nil {
		b.Fatal(err)
	}
}

// address is one that nobody listens at yet, with the port that Pebble asks.
func (l *engineLab) address() string {
	l.last++
	return net.JoinHostPort(fmt.Sprintf("127.11.7.%d", l.last), l.port)
}

func (l *engineLab) point(names []string, address string) {
	l.b.Helper()
	host, _ := must2(l.b)(net.SplitHostPort(address))
	for _, n := range names {
		if err := l.dns.Set(l.b.Context(), n, host); err != nil {
			l.b.Fatal(err)
		}
	}
}

func must2(b *testing.B) func(x, y string, err error) (string, string) {
	return func(x, y string, err error) (string, string) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
		return x, y
	}
}

// hits answers http-01 and tells when the authority looked.
type hits struct{ shown sync.Map }

type hit struct {
	answer string
	seen   chan struct{}
}

// Present implements acme.Solver.
func (h *hits) Present(_ context.Context, c acme.Challenge) (<-chan struct{}, error) {
	return h.show(c.Token, c.KeyAuth), nil
}

// Clean implements acme.Solver.
func (h *hits) Clean(_ context.Context, c acme.Challenge) error {
	h.shown.Delete(c.Token)
	return nil
}

func (h *hits) show(token, answer string) <-chan struct{} {
	v := &hit{answer: answer, seen: make(chan struct{}, 8)}
	h.shown.Store(token, v)
	return v.seen
}

func (h *hits) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v, ok := h.shown.Load(r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:])
	if !ok {
		http.NotFound(w, r)
		return
	}
	_, _ = w.Write([]byte(v.(*hit).answer)) // the validator may be gone
	select {
	case v.(*hit).seen <- struct{}{}:
	default:
	}
}

// serve answers at an address of its own.
func (l *engineLab) serve(h http.Handler) string {
	l.b.Helper()
	address := l.address()
	ln := must[net.Listener](l.b)(net.Listen("tcp", address))
	srv := &http.Server{Handler: h}
	l.b.Cleanup(func() { _ = srv.Close() })
	go func() { _ = srv.Serve(ln) }() // ends with Close
	return address
}

// oursDriver is our engine.
type oursDriver struct {
	b                      *testing.B
	client                 *acme.Client
	solver                 *hits
	listen                 string
	requests, certificates atomic.Int64
}

func (l *engineLab) ours() *oursDriver {
	l.b.Helper()
	d := &oursDriver{b: l.b, solver: &hits{}}
	d.listen = l.serve(d.solver)
	d.client = must[*acme.Client](l.b)(acme.Open(l.b.Context(), acme.Options{Directory: l.ca.Directory, HTTP: &http.Client{Transport: acme.Transport(l.roots)},
		Key: newP256(l.b), UserAgent: "ostler-bench"}))
	must[string](l.b)(d.client.Register(l.b.Context(), acme.Registration{}))
	return d
}

func (d *oursDriver) obtain(name string) error { return d.issue(name) }

func (d *oursDriver) issue(names ...string) error {
	csr, err := newCSR(names...)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(d.b.Context(), patience)
	defer cancel()
	_, s, err := d.client.Issue(ctx, acme.Request{Names: names, CSR: csr, Profile: "default"}, acme.State{}, acme.Hooks{
		Solvers: map[string]acme.Solver{acme.HTTP01: d.solver},
		Save:    func(_ context.Context, s acme.State) error { _, err := json.Marshal(s); return err },
	})
	if len(names) == 1 {
		d.requests.Add(int64(s.Requests))
		d.certificates.Add(1)
	}
	return err
}

// widths are how long a certificate of one name and one of many take.
func (d *oursDriver) widths(l *engineLab) (one, wide time.Duration) {
	var narrow, broad times
	for round := range engineRounds {
		names := siteNames(fmt.Sprint("wide", round), engineNames+1)
		l.point(names, d.listen)
		narrow = append(narrow, timed(func() { must[any](d.b)(nil, d.issue(names[engineNames])) }))
		broad = append(broad, timed(func() { must[any](d.b)(nil, d.issue(names[:engineNames]...)) }))
	}
	return narrow.median(), broad.median()
}

func newP256(b *testing.B) *ecdsa.PrivateKey {
	b.Helper()
	return must[*ecdsa.PrivateKey](b)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
}

func newCSR(names ...string) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	return x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: names}, key)
}

// bare is the least that a driver on lego's Core can do: it keeps nothing,
// counts nothing, and gives up at the first refusal.
func (l *engineLab) bare() (obtain peer, listen string) {
	l.b.Helper()
	solver := &hits{}
	listen = l.serve(solver)
	client := &http.Client{Timeout: patience, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: l.roots}, MaxIdleConnsPerHost: 16}}
	key := newP256(l.b)
	core := must[*api.Core](l.b)(api.New(client, "bare", l.ca.Directory, "", key))
	must[legoacme.ExtendedAccount](l.b)(core.Accounts.New(legoacme.Account{TermsOfServiceAgreed: true}))
	return func(name string) error { return bareDrive(core, solver, name) }, listen
}

func bareDrive(core *api.Core, solver *hits, name string) error {
	const pollEvery = 10 * time.Millisecond
	csr, err := newCSR(name)
	if err != nil {
		return err
	}
	order, err := core.Orders.NewWithOptions([]string{name}, &api.OrderOptions{Profile: "default"})
	if err != nil {
		return err
	}
	a, err := core.Authorizations.Get(order.Authorizations[0])
	if err != nil {
		return err
	}
	for _, ch := range a.Challenges {
		if ch.Type != "http-01" {
			continue
		}
		answer, err := core.GetKeyAuthorization(ch.Token)
		if err != nil {
			return err
		}
		seen := solver.show(ch.Token, answer)
		if _, err := core.Challenges.New(ch.URL); err != nil {
			return err
		}
		<-seen
	}
	for a.Status == legoacme.StatusPending {
		time.Sleep(pollEvery)
		if a, err = core.Authorizations.Get(order.Authorizations[0]); err != nil {
			return err
		}
	}
	done, err := core.Orders.UpdateForCSR(order.Finalize, csr)
	for err == nil && done.Certificate == "" {
		time.Sleep(pollEvery)
		done, err = core.Orders.Get(order.Location)
	}
	if err != nil {
		return err
	}
	_, _, err = core.Certificates.Get(done.Certificate, true)
	return err
}
