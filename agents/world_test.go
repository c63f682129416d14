package agents_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"net/netip"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"ostler/agents"
	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/bus"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/findings"
	"ostler/controlplane/jobs"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
	"ostler/controlplane/secrets"
)

var (
	all    = policy.AllCustomers("test")
	remote = netip.MustParseAddr("192.0.2.7")
)

// fakeSigner signs in this process, and can be down.
type fakeSigner struct {
	mu   sync.Mutex
	key  ed25519.PrivateKey
	down bool
}

func (s *fakeSigner) setDown(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

func (s *fakeSigner) err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return controlplane.Errorf(controlplane.CodeUnavailable, "Start it.", "The signer is down")
	}
	return nil
}

func (s *fakeSigner) Sign(_ context.Context, e wire.Envelope) (wire.SignedEnvelope, error) {
	if err := s.err(); err != nil {
		return wire.SignedEnvelope{}, err
	}
	return wire.Sign(s.key, e)
}

func (s *fakeSigner) Keys(context.Context) ([][]byte, error) {
	return [][]byte{s.key.Public().(ed25519.PublicKey)}, s.err()
}

// world is a plane's slices over one database.
type world struct {
	t        *testing.T
	ctx      context.Context
	clock    *dbtest.Clock
	d        *db.DB
	agents   *agents.Agents
	signer   *fakeSigner
	jobs     *jobs.Jobs
	findings *findings.Findings
	ledger   *ledger.Ledger
	store    *customers.Store
	server   string
	customer string
}

func newWorld(t *testing.T, d *db.DB, clock *dbtest.Clock) *world {
	t.Helper()
	return newWorldOn(t, d, clock, clock)
}

// newWorldOn has a database's clock and another one on the wall.
func newWorldOn(t *testing.T, d *db.DB, clock, wall *dbtest.Clock) *world {
	t.Helper()
	w := &world{t: t, d: d, clock: clock, ctx: controlplane.WithActor(t.Context(),
		controlplane.Actor{Kind: controlplane.ActorStaff, ID: controlplane.NewID(controlplane.PrefixStaff), Role: string(policy.RoleOps)})}
	k, err := secrets.OpenFile(w.ctx, d, filepath.Join(t.TempDir(), "keys"))
	w.must(err)
	b := bus.New()
	w.ledger, err = ledger.New(d, k, ledger.Options{Origin: "test.invalid/ostler", Bus: b})
	w.must(err)
	w.store = customers.New(d, k, w.ledger)
	w.findings = findings.New(d, k, w.ledger, b)
	w.jobs = jobs.New(d, k, b, jobs.Options{})
	_, key, err := ed25519.GenerateKey(rand.Reader)
	w.must(err)
	w.signer = &fakeSigner{key: key}
	w.agents, err = agents.New(agents.Deps{DB: d, Keeper: k, Ledger: w.ledger, Findings: w.findings, Jobs: w.jobs, Bus: b, Signer: w.signer, Servers: w.store},
		agents.Options{Domain: "test.invalid", StreamURL: "https://localhost:1", Wall: wall})
	w.must(err)
	c, err := w.store.CreateCustomer(w.ctx, all, customers.NewCustomer{Name: "Bakery", Country: "DE", Zone: "Europe/Berlin"})
	w.must(err)
	w.customer = c.ID
	w.server = w.newServer("web1.example.com")
	_, err = w.store.CreateTenancy(w.ctx, all, customers.NewTenancy{Server: w.server, Customer: c.ID, Paths: []string{"/srv/bakery"}})
	w.must(err)
	return w
}

func (w *world) newServer(name string) string {
	w.t.Helper()
	s, err := w.store.CreateServer(w.ctx, all, customers.NewServer{Name: name, Country: "DE"})
	w.must(err)
	return s.ID
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) token() string {
	w.t.Helper()
	token, _, err := w.agents.NewToken(w.ctx, all, w.server)
	w.must(err)
	return token
}

// open returns the kinds of open findings, the company's and the customer's.
func (w *world) open() (company, customer []string) {
	w.t.Helper()
	items, _, err := w.findings.List(w.ctx, all, findings.Filter{})
	w.must(err)
	for _, f := range items {
		if f.Customer == "" {
			company = append(company, f.Kind)
		} else {
			customer = append(customer, f.Kind)
		}
	}
	slices.Sort(company)
	return company, customer
}

func (w *world) wantOpen(want ...string) {
	w.t.Helper()
	if got, _ := w.open(); !slices.Equal(got, want) {
		w.t.Errorf("open findings: got %v, want %v", got, want)
	}
}

func (w *world) wantCode(err error, want controlplane.Code) {
	w.t.Helper()
	if got := controlplane.ErrorCode(err); got != want {
		w.t.Errorf("got %v (%s), want %s", err, got, want)
	}
}

// host is a host's side of an enrolment.
type host struct {
	key  *ecdsa.PrivateKey
	req  wire.EnrolRequest
	res  wire.EnrolResponse
	cert *x509.Certificate
}

func newHost(t *testing.T, token string) *host {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &host{key: key, req: wire.EnrolRequest{Token: token, CSR: csr(t, key), MachineID: "machine-1", BootID: "boot-1", Hostname: "web1"}}
}

func csr(t *testing.T, key any) []byte {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// enrol makes the server's agent.
func (w *world) enrol() *host {
	w.t.Helper()
	h := newHost(w.t, w.token())
	var err error
	h.res, err = w.agents.Redeem(w.t.Context(), remote, h.req)
	w.must(err)
	h.cert, err = x509.ParseCertificate(h.res.Certificate)
	w.must(err)
	return h
}

var errClosed = errors.New("closed")

// conn is a connection in memory.
type conn struct {
	up, down chan wire.Frame
	gone     chan struct{}
	once     sync.Once
}

func newConn() *conn {
	return &conn{up: make(chan wire.Frame), down: make(chan wire.Frame, 64), gone: make(chan struct{})}
}

func (c *conn) close() { c.once.Do(func() { close(c.gone) }) }

func (c *conn) Read(ctx context.Context) (wire.Frame, error) {
	select {
	case f := <-c.up:
		return f, nil
	case <-c.gone:
		return wire.Frame{}, errClosed
	case <-ctx.Done():
		return wire.Frame{}, ctx.Err()
	}
}

func (c *conn) Write(ctx context.Context, f wire.Frame) error {
	select {
	case c.down <- f:
		return nil
	case <-c.gone:
		return errClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// answering is a connection whose other end answers pings.
type answering struct{ *conn }

func (a answering) Ping(context.Context) error {
	select {
	case <-a.gone:
		return errClosed
	default:
		return nil
	}
}

// live is an agent's session in the making.
type live struct {
	w    *world
	c    *conn
	done chan error
}

func hello(instance, boot, machine string) *wire.Hello {
	return &wire.Hello{Version: wire.Version, AgentVersion: "0.1", BootID: boot, MachineID: machine, Instance: instance,
		Actions: wire.Actions(), SealKey: make([]byte, 32)}
}

// dial serves a connection of the host and sends hello.
func (w *world) dial(h *host, hi *wire.Hello, ping bool) *live {
	w.t.Helper()
	return w.dialWith(h, wire.Frame{Type: wire.FrameHello, Hello: hi}, ping)
}

// dialWith sends any first frame.
func (w *world) dialWith(h *host, first wire.Frame, ping bool) *live {
	w.t.Helper()
	l := &live{w: w, c: newConn(), done: make(chan error, 1)}
	id, err := w.agents.Authenticate(w.t.Context(), h.cert)
	w.must(err)
	var c agents.Conn = l.c
	if ping {
		c = answering{l.c}
	}
	go func() { l.done <- w.agents.Serve(w.t.Context(), id, c) }()
	w.t.Cleanup(l.c.close)
	l.send(first)
	return l
}

// connect dials and waits for the welcome.
func (w *world) connect(h *host, hi *wire.Hello) *live {
	w.t.Helper()
	l := w.dial(h, hi, false)
	l.next(wire.FrameWelcome)
	return l
}

func (l *live) send(f wire.Frame) {
	l.w.t.Helper()
	select {
	case l.c.up <- f:
	case err := <-l.done:
		l.w.t.Fatalf("the session ended: %v", err)
	case <-time.After(10 * time.Second):
		l.w.t.Fatal("the plane does not read")
	}
}

// next returns the next frame of that type.
func (l *live) next(want wire.FrameType) wire.Frame {
	l.w.t.Helper()
	for {
		select {
		case f := <-l.c.down:
			if f.Type == want {
				return f
			}
		case err := <-l.done:
			l.w.t.Fatalf("waiting for %s: the session ended: %v", want, err)
		case <-time.After(10 * time.Second):
			l.w.t.Fatalf("no %s", want)
		}
	}
}

// end waits for the session's end.
func (l *live) end() error {
	l.w.t.Helper()
	select {
	case err := <-l.done:
		return err
	case <-time.After(10 * time.Second):
		l.w.t.Fatal("the session does not end")
		return nil
	}
}

// hangUp closes from the agent's side.
func (l *live) hangUp() {
	l.w.t.Helper()
	l.c.close()
	if err := l.end(); err != nil && !errors.Is(err, errClosed) { // it may have been writing
		l.w.t.Errorf("hang up: got %v, want nil", err)
	}
}
