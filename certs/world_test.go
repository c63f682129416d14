package certs_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ostler/agents/wire"
	"ostler/certs"
	"ostler/certs/acme"
	"ostler/certs/preflight"
	"ostler/controlplane"
	"ostler/controlplane/bus"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/findings"
	"ostler/controlplane/jobs"
	"ostler/controlplane/jobs/jobstest"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
	"ostler/controlplane/secrets"
)

const agentID = "agt_00000000000000000000000001"

// house is a plane without its edges, a CA, and a host that the test plays.
type house struct {
	t         *testing.T
	ctx       context.Context // an admin's
	db        *db.DB
	clock     *dbtest.Clock
	keeper    *secrets.Keeper
	ledger    *ledger.Ledger
	jobs      *jobs.Jobs
	findings  *findings.Findings
	customers *customers.Store
	certs     *certs.Service
	bus       *bus.Bus
	ca        *fakeCA
	checks    *fakeChecks
	letters   *letters
	all       policy.Scope

	server   customers.Server
	customer customers.Customer
	other    customers.Customer
	tenancy  customers.Tenancy
	primary  certs.Authority
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

// letters keeps what would be mailed.
type letters struct{ sent []certs.Letter }

func (l *letters) Enqueue(_ *db.Tx, x certs.Letter) error { l.sent = append(l.sent, x); return nil }

// fakeChecks is a preflight that finds what the test says of a name.
type fakeChecks struct {
	mu    sync.Mutex
	found map[string]preflight.Problem
	asked int
}

func (c *fakeChecks) Check(_ context.Context, r preflight.Request) (out []preflight.Problem) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	for _, n := range r.Names {
		if p, ok := c.found[n]; ok {
			p.Name = n
			out = append(out, p)
		}
	}
	return out
}

func newHouse(t *testing.T, d *db.DB, clock *dbtest.Clock) *house {
	t.Helper()
	return newHouseWith(t, d, clock, certs.Options{})
}

func newHouseWith(t *testing.T, d *db.DB, clock *dbtest.Clock, o certs.Options) *house {
	t.Helper()
	h := bareHouse(t, d, clock, o)
	h.primary = must[certs.Authority](t)(h.certs.AddAuthority(h.ctx, h.all, certs.NewAuthority{Name: "Test CA", Directory: "https://ca.test/dir", Role: certs.RolePrimary, Contact: "ops@example.com"}))
	return h
}

// bareHouse has no authority yet.
func bareHouse(t *testing.T, d *db.DB, clock *dbtest.Clock, o certs.Options) *house {
	t.Helper()
	ctx := controlplane.WithActor(t.Context(), controlplane.Actor{Kind: controlplane.ActorStaff, ID: "stf_00000000000000000000000001", Role: string(policy.RoleAdmin)})
	h := &house{t: t, ctx: ctx, db: d, clock: clock, all: policy.AllCustomers("test"), bus: bus.New(), ca: newFakeCA(t, clock), checks: &fakeChecks{found: map[string]preflight.Problem{}}, letters: &letters{}}
	h.keeper = must[*secrets.Keeper](t)(secrets.OpenFile(ctx, d, filepath.Join(t.TempDir(), "keyring")))
	h.ledger = must[*ledger.Ledger](t)(ledger.New(d, h.keeper, ledger.Options{Origin: "test.invalid/ledger", Bus: h.bus}))
	h.findings = findings.New(d, h.keeper, h.ledger, h.bus)
	h.jobs, h.customers, h.certs = h.replica(o)
	h.customer = must[customers.Customer](t)(h.customers.CreateCustomer(ctx, h.all, customers.NewCustomer{Slug: "maple", Name: "Maple Bakery", Country: "DE", Zone: "Europe/Berlin"}))
	h.other = must[customers.Customer](t)(h.customers.CreateCustomer(ctx, h.all, customers.NewCustomer{Slug: "harbour", Name: "Harbour Mail", Country: "DE", Zone: "Europe/Berlin"}))
	h.server = must[customers.Server](t)(h.customers.CreateServer(ctx, h.all, customers.NewServer{Name: "maple-1", Location: "Frankfurt", Country: "DE"}))
	h.tenancy = must[customers.Tenancy](t)(h.customers.CreateTenancy(ctx, h.all, customers.NewTenancy{Server: h.server.ID, Customer: h.customer.ID, Paths: []string{"/srv/shop"},
		Sites: []string{"maple.example", "www.maple.example", "shop.maple.example"}}))
	must[customers.Tenancy](t)(h.customers.CreateTenancy(ctx, h.all, customers.NewTenancy{Server: h.server.ID, Customer: h.other.ID, Paths: []string{"/srv/mail"}, Sites: []string{"harbour.example", "guest.maple.example"}}))
	return h
}

// replica is another plane on the same database.
func (h *house) replica(o certs.Options) (*jobs.Jobs, *customers.Store, *certs.Service) {
	h.t.Helper()
	j := jobs.New(h.db, h.keeper, h.bus, jobs.Options{Workers: 16})
	c := customers.New(h.db, h.keeper, h.ledger)
	o.Bus = h.bus
	if o.Resolve == nil {
		o.Resolve = func(context.Context, string) ([]string, error) { return []string{"192.0.2.7"}, nil }
	}
	if o.See == nil {
		o.See = h.ca.see
	}
	o.Private = true
	s := must[*certs.Service](h.t)(certs.New(certs.Deps{DB: h.db, Keeper: h.keeper, Ledger: h.ledger, Jobs: j, Findings: h.findings, Customers: c, Mail: h.letters, Preflight: h.checks,
		Engine: h.ca.open}, o))
	return j, c, s
}

// owner returns a context of a contact of the customer, and their scope.
func (h *house) owner(customer string) (context.Context, policy.Scope) {
	a := controlplane.Actor{Kind: controlplane.ActorContact, ID: "con_00000000000000000000000001", Customer: customer, Role: string(policy.RoleOwner)}
	return controlplane.WithActor(h.t.Context(), a), policy.ScopeOf(a)
}

// offer is a job that the played host took.
type offer = jobstest.Job

// agent plays the agent of the server.
func (h *house) agent() jobstest.Agent {
	return jobstest.Agent{T: h.t, Jobs: h.jobs, Server: h.server.ID, ID: agentID}
}

// offers takes all that is due for the host.
func (h *house) offers() []offer { h.t.Helper(); return h.agent().Take() }

func (h *house) finish(ref wire.JobRef, data any) { h.t.Helper(); h.agent().Finish(ref, data) }

func (h *house) end(r wire.Result) { h.t.Helper(); h.agent().End(r) }

// tick has the plane do its own jobs.
func (h *house) tick() { h.t.Helper(); h.agent().Tick() }

// look has the plane begin what is due.
func (h *house) look() {
	h.t.Helper()
	if err := h.certs.Look(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
}

// host answers every job that is due for the server, as a good host does, until
// none is left. Answers in odd replace its own, by action.
func (h *house) host(odd map[wire.Action]func(o offer) wire.Result) {
	h.t.Helper()
	for range 50 {
		h.tick()
		all := h.offers()
		if len(all) == 0 {
			return
		}
		for _, o := range all {
			if fn := odd[o.Action]; fn != nil {
				r := fn(o)
				r.JobRef = o.Ref
				h.end(r)
				continue
			}
			h.finish(o.Ref, h.good(o))
		}
	}
	h.t.Fatal("the host's jobs do not end")
}

// good is what a good host answers.
func (h *house) good(o offer) any {
	h.t.Helper()
	switch o.Action {
	case wire.ActionCertRequest:
		var p wire.CertRequestParams
		h.read(o, &p)
		return wire.CertRequested{CSR: csr(h.t, newKey(h.t), p.Names...)}
	case wire.ActionCertDeploy:
		var p wire.CertDeployParams
		h.read(o, &p)
		return h.ca.deployed(h.t, p, true)
	case wire.ActionCertLook:
		var p wire.CertLookParams
		h.read(o, &p)
		res := wire.CertLooked{}
		for _, e := range p.Endpoints {
			res.Seen = append(res.Seen, h.ca.see(h.ctx, e, 0))
		}
		return res
	case wire.ActionCertTake:
		return wire.CertTaken{Changed: []string{"the renewal of it is switched off"}}
	}
	return wire.CertForgotten{}
}

func (h *house) read(o offer, v any) { h.t.Helper(); o.Read(h.t, v) }

// create makes a certificate for names of the tenancy.
func (h *house) create(names ...string) certs.Certificate {
	h.t.Helper()
	return must[certs.Certificate](h.t)(h.certs.Create(h.ctx, h.all, certs.NewCertificate{Tenancy: h.tenancy.ID, Names: names, Services: []wire.Service{wire.ServiceNginx}}))
}

func (h *house) get(id string) certs.Certificate {
	h.t.Helper()
	return must[certs.Certificate](h.t)(h.certs.Get(h.ctx, h.all, id))
}

// newest is the latest attempt at a certificate.
func (h *house) newest(id string) certs.Issue {
	h.t.Helper()
	items, _, err := h.certs.Issues(h.ctx, h.all, id, certs.Page{})
	if err != nil || len(items) == 0 {
		h.t.Fatalf("issues: got %d, %v", len(items), err)
	}
	return items[0]
}

func (h *house) openFindings(kinds ...string) []findings.Finding {
	h.t.Helper()
	items, _, err := h.findings.List(h.ctx, h.all, findings.Filter{Kinds: kinds})
	if err != nil {
		h.t.Fatal(err)
	}
	return items
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	return must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
}

// privateScalar is the secret number of a key of EC P-256.
func privateScalar(t testing.TB, key crypto.Signer) []byte {
	t.Helper()
	k, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		t.Fatalf("a key of the kind %T", key)
	}
	return must[[]byte](t)(k.Bytes())
}

func rsaKey(t testing.TB, bits int) *rsa.PrivateKey {
	t.Helper()
	return must[*rsa.PrivateKey](t)(rsa.GenerateKey(rand.Reader, bits))
}

func csr(t testing.TB, key crypto.Signer, names ...string) []byte {
	t.Helper()
	return must[[]byte](t)(x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: names}, key))
}

// fakeCA signs what it is asked for, and fails where the test says so.
type fakeCA struct {
	clock *dbtest.Clock
	key   *ecdsa.PrivateKey
	cert  *x509.Certificate
	life  time.Duration

	mu       sync.Mutex
	serial   int64
	opened   int
	orders   int
	issued   int
	busy     int
	most     int
	asked    []time.Time
	fail     func(dir string, r acme.Request) error
	at       func(step string) error // a step of an order that is about to be kept
	renewal  func(id string) (acme.Renewal, error)
	revoked  map[string]int
	replaces []string
	accounts map[string]string // thumbprint to URL
	live     map[string][2]string
	order    []string // the first name of each order, in their order

	account                   crypto.Signer          // of the latest engine
	solve                     func(acme.Hooks) error // done in each order
	loseAccount, loseRollover bool                   // the next account is made, or the next change of a key done, and not answered
	refuseAccount             error                  // what every registration gets
}

func encode(v any) json.RawMessage {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return raw
}

func newFakeCA(t testing.TB, clock *dbtest.Clock) *fakeCA {
	t.Helper()
	c := &fakeCA{clock: clock, key: newKey(t), life: 90 * 24 * time.Hour, revoked: map[string]int{}, accounts: map[string]string{}, live: map[string][2]string{}}
	tpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Fake CA"}, NotBefore: clock.Now().Add(-time.Hour), NotAfter: clock.Now().Add(10 * 365 * 24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, SubjectKeyId: []byte{1, 2, 3, 4}}
	der := must[[]byte](t)(x509.CreateCertificate(rand.Reader, tpl, tpl, c.key.Public(), c.key))
	c.cert = must[*x509.Certificate](t)(x509.ParseCertificate(der))
	return c
}

// sign issues a certificate for a signing request.
func (c *fakeCA) sign(der []byte) ([]byte, error) {
	req, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.serial++
	n := c.serial
	c.issued++
	c.mu.Unlock()
	tpl := &x509.Certificate{SerialNumber: big.NewInt(1<<40 + n), DNSNames: req.DNSNames, NotBefore: c.clock.Now().Truncate(time.Second), NotAfter: c.clock.Now().Add(c.life).Truncate(time.Second)}
	leaf, err := x509.CreateCertificate(rand.Reader, tpl, c.cert, req.PublicKey, c.key)
	if err != nil {
		return nil, err
	}
	out := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf})
	return append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.cert.Raw})...), nil
}

// deployed has the chain live at its endpoints (or not), as a host says it.
func (c *fakeCA) deployed(t testing.TB, p wire.CertDeployParams, good bool) wire.CertDeployed {
	t.Helper()
	sums := sumsOf(t, p.Chain)
	res := wire.CertDeployed{Reached: wire.CertServed, Round: p.Round}
	if good {
		c.mu.Lock()
		for _, e := range p.Endpoints {
			c.live[e.Name+"@"+e.Address] = sums
		}
		c.mu.Unlock()
	} else {
		res = wire.CertDeployed{Reached: wire.CertReloaded, RolledBack: true, Round: p.Round - 1, Failure: &wire.Failure{Cause: wire.CauseNotServed, Detail: "another leaf"}}
	}
	for _, e := range p.Endpoints {
		s := c.see(t.Context(), e, 0)
		s.Right = s.Leaf == sums[0]
		res.Seen = append(res.Seen, s)
	}
	return res
}

// see is a handshake at an endpoint.
func (c *fakeCA) see(_ context.Context, e wire.Endpoint, _ time.Duration) wire.CertSeen {
	c.mu.Lock()
	defer c.mu.Unlock()
	sums, ok := c.live[e.Name+"@"+e.Address]
	if !ok {
		return wire.CertSeen{Endpoint: e, Problem: "connection refused"}
	}
	return wire.CertSeen{Endpoint: e, Leaf: sums[0], Chain: sums[1]}
}

func sumsOf(t testing.TB, chain []byte) [2]string {
	t.Helper()
	var all []byte
	var first string
	for rest := chain; ; {
		var b *pem.Block
		if b, rest = pem.Decode(rest); b == nil {
			break
		}
		if all == nil {
			sum := sha256.Sum256(b.Bytes)
			first = hex.EncodeToString(sum[:])
		}
		all = append(all, b.Bytes...)
	}
	sum := sha256.Sum256(all)
	return [2]string{first, hex.EncodeToString(sum[:])}
}

// open is a client's first question to the CA.
func (c *fakeCA) open(_ context.Context, o acme.Options) (certs.Engine, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.opened++
	return &fakeEngine{ca: c, o: o}, nil
}

// fakeEngine is an account at the CA.
type fakeEngine struct {
	ca *fakeCA
	o  acme.Options
}

func (e *fakeEngine) Directory(context.Context) (acme.Directory, error) {
	return acme.Directory{RenewalInfo: true, CAAIdentities: []string{"ca.test"}}, nil
}

func (e *fakeEngine) Register(_ context.Context, r acme.Registration) (string, error) {
	print, err := acme.Thumbprint(e.o.Key.Public())
	if err != nil {
		return "", err
	}
	e.ca.mu.Lock()
	defer e.ca.mu.Unlock()
	if url, ok := e.ca.accounts[print]; ok {
		return url, nil
	}
	if r.Existing {
		return "", &acme.Error{Kind: acme.KindAccount}
	}
	e.ca.accounts[print] = "https://ca.test/acct/" + print
	if e.ca.loseAccount {
		e.ca.loseAccount = false
		return "", &acme.Error{Kind: acme.KindUnreachable, Detail: "the answer was lost"}
	}
	return e.ca.accounts[print], e.ca.refuseAccount
}

func (e *fakeEngine) Rollover(_ context.Context, next crypto.Signer) error {
	old, _ := acme.Thumbprint(e.o.Key.Public())
	now, err := acme.Thumbprint(next.Public())
	if err != nil {
		return err
	}
	e.ca.mu.Lock()
	defer e.ca.mu.Unlock()
	e.ca.accounts[now] = e.ca.accounts[old]
	delete(e.ca.accounts, old)
	if e.ca.loseRollover {
		e.ca.loseRollover = false
		return &acme.Error{Kind: acme.KindUnreachable}
	}
	return nil
}

func (e *fakeEngine) Issue(ctx context.Context, r acme.Request, s acme.State, h acme.Hooks) (acme.Result, acme.State, error) {
	c := e.ca
	c.mu.Lock()
	c.busy++
	c.most = max(c.most, c.busy)
	c.asked = append(c.asked, c.clock.Now())
	c.account = e.o.Key
	fail, at := c.fail, c.at
	c.mu.Unlock()
	defer func() { c.mu.Lock(); c.busy--; c.mu.Unlock() }()
	step := func(name string) error {
		if at != nil {
			if err := at("before " + name); err != nil {
				return err
			}
		}
		if err := h.Save(ctx, s); err != nil {
			return err
		}
		if at != nil {
			return at("after " + name)
		}
		return nil
	}
	if s.Order == "" {
		if err := step("order"); err != nil {
			return acme.Result{}, s, err
		}
		if fail != nil {
			if err := fail(e.o.Directory, r); err != nil {
				return acme.Result{}, s, err
			}
		}
		c.mu.Lock()
		c.orders++
		c.order = append(c.order, r.Names[0])
		if r.Replaces != "" {
			c.replaces = append(c.replaces, r.Replaces)
		}
		s.Order = "https://ca.test/order/" + strings.Repeat("x", c.orders)
		c.mu.Unlock()
		s.Requests += 5
		if err := step("made"); err != nil {
			return acme.Result{}, s, err
		}
		h.Event(acme.EventOrdered, nil)
		if c.solve != nil {
			if err := c.solve(h); err != nil {
				return acme.Result{}, s, err
			}
		}
	} else {
		h.Event(acme.EventResumed, nil)
	}
	s.Step = acme.StepFinalizing
	if err := step("finalize"); err != nil {
		return acme.Result{}, s, err
	}
	if s.Certificate == "" {
		s.Certificate = s.Order + "/cert"
	}
	s.Requests += 2
	s.Step = acme.StepIssued
	if err := step("issued"); err != nil {
		return acme.Result{}, s, err
	}
	chain, err := c.sign(r.CSR)
	return acme.Result{Chain: chain, URL: s.Certificate}, s, err
}

func (e *fakeEngine) RenewalInfo(_ context.Context, id string) (acme.Renewal, error) {
	e.ca.mu.Lock()
	fn := e.ca.renewal
	e.ca.mu.Unlock()
	if fn == nil {
		return acme.Renewal{}, &acme.Error{Kind: acme.KindUnsupported}
	}
	return fn(id)
}

func (e *fakeEngine) Revoke(_ context.Context, der []byte, reason int) error {
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return err
	}
	e.ca.mu.Lock()
	defer e.ca.mu.Unlock()
	e.ca.revoked[hex.EncodeToString(leaf.SerialNumber.Bytes())] = reason
	return nil
}
