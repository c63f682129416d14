package web_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"gocloud.dev/blob/memblob"

	"ostler/agents"
	"ostler/agents/wire"
	"ostler/backups"
	"ostler/certs"
	"ostler/controlplane"
	"ostler/controlplane/access"
	"ostler/controlplane/bus"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/findings"
	"ostler/controlplane/identity"
	"ostler/controlplane/incidents"
	"ostler/controlplane/jobs"
	"ostler/controlplane/jobs/jobstest"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
	"ostler/controlplane/secrets"
	"ostler/controlplane/sessions"
	"ostler/controlplane/teleport"
	"ostler/web"
)

const (
	agentID  = "agt_00000000000000000000000001"
	password = "ABCDE-FGHJK-MNPQR-STVWX"
)

var all = policy.AllCustomers("test")

// house is a plane with its portal on loopback, and a host that the test plays.
type house struct {
	t         *testing.T
	ctx       context.Context // the machine's own
	clock     *dbtest.Clock
	d         *db.DB
	jobs      *jobs.Jobs
	findings  *findings.Findings
	customers *customers.Store
	identity  *identity.Store
	ledger    *ledger.Ledger
	agents    *agents.Agents
	backups   *backups.Service
	certs     *certs.Service
	access    *access.Service
	sessions  *sessions.Service
	incidents *incidents.Service
	letters   *letters
	stage     *stage
	crew      *crew
	bus       *bus.Bus
	portal    *web.Portal
	url       string

	admin          identity.Person
	maple, harbour customers.Customer
	owner, reader  identity.Person // of maple
	stranger       identity.Person // of harbour
	server, shared customers.Server
	tenancy        customers.Tenancy
}

func ok[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

type signer struct{ key ed25519.PrivateKey }

func (s signer) Sign(_ context.Context, e wire.Envelope) (wire.SignedEnvelope, error) {
	return wire.Sign(s.key, e)
}

func (s signer) Keys(context.Context) ([][]byte, error) {
	return [][]byte{s.key.Public().(ed25519.PublicKey)}, nil
}

func newHouse(t *testing.T, d *db.DB, clock *dbtest.Clock) *house {
	t.Helper()
	h := &house{t: t, ctx: controlplane.System(t.Context(), "test"), clock: clock, d: d, bus: bus.New()}
	k := ok[*secrets.Keeper](t)(secrets.OpenFile(h.ctx, d, filepath.Join(t.TempDir(), "keys")))
	l := ok[*ledger.Ledger](t)(ledger.New(d, k, ledger.Options{Origin: "test.invalid/ledger", Bus: h.bus}))
	h.ledger = l
	h.customers = customers.New(d, k, l)
	h.findings = findings.New(d, k, l, h.bus)
	h.identity = ok[*identity.Store](t)(identity.New(h.ctx, d, k, l, h.customers, identity.Options{Demo: true, Hasher: identity.Argon2id{MemoryKiB: 8, Passes: 1, Lanes: 1}}))
	h.jobs = jobs.New(d, k, h.bus, jobs.Options{LastHeard: func(ctx context.Context, server string) (time.Time, bool, error) {
		return h.agents.LastHeard(ctx, server)
	}})
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	h.agents = ok[*agents.Agents](t)(agents.New(agents.Deps{DB: d, Keeper: k, Ledger: l, Findings: h.findings, Jobs: h.jobs, Bus: h.bus, Signer: signer{key}, Servers: h.customers},
		agents.Options{Domain: "test.invalid", StreamURL: "https://localhost:1", Wall: clock}))
	blobs := memblob.OpenBucket(nil)
	t.Cleanup(func() { _ = blobs.Close() })
	h.backups = backups.New(backups.Deps{DB: d, Keeper: k, Ledger: l, Jobs: h.jobs, Findings: h.findings, Customers: h.customers, Blobs: blobs}, backups.Options{Bus: h.bus})
	h.certs = ok[*certs.Service](t)(certs.New(certs.Deps{DB: d, Keeper: k, Ledger: l, Jobs: h.jobs, Findings: h.findings, Customers: h.customers}, certs.Options{Bus: h.bus, Private: true, Proposed: certs.NewAuthority{Name: "Proposed CA"},
		Resolve: func(context.Context, string) ([]string, error) { return []string{"192.0.2.7"}, nil },
		See: func(_ context.Context, e wire.Endpoint, _ time.Duration) wire.CertSeen {
			return wire.CertSeen{Endpoint: e, Problem: "connection refused"}
		}}))
	h.access = ok[*access.Service](t)(access.New(access.Deps{DB: d, Keeper: k, Ledger: l, Jobs: h.jobs, Findings: h.findings, Customers: h.customers, Identity: h.identity}, access.Options{Bus: h.bus, TicketLink: "https://tickets.example/{ticket}"}))
	h.stage = &stage{tapes: map[string][]teleport.Event{}}
	h.crew = &crew{users: map[string]string{}, ground: map[string]sessions.Ground{}}
	h.sessions = ok[*sessions.Service](t)(sessions.New(sessions.Deps{DB: d, Keeper: k, Ledger: l, Jobs: h.jobs, Findings: h.findings, Customers: h.customers, Identity: h.identity, Blobs: blobs, Lists: h.crew, Cluster: h.stage}, sessions.Options{Bus: h.bus}))
	h.letters = &letters{}
	h.incidents = ok[*incidents.Service](t)(incidents.New(incidents.Deps{DB: d, Keeper: k, Ledger: l, Jobs: h.jobs, Findings: h.findings, Customers: h.customers, Identity: h.identity, Mail: h.letters}, incidents.Options{Bus: h.bus}))
	h.serve(web.Options{Company: "Harbour Hosting", EnrolURL: "https://localhost:8445", BrowseWait: time.Millisecond, Mails: true})
	h.people()
	return h
}

// serve opens the portal.
func (h *house) serve(o web.Options) {
	h.t.Helper()
	h.portal = ok[*web.Portal](h.t)(web.New(web.Deps{Identity: h.identity, Customers: h.customers, Findings: h.findings, Jobs: h.jobs, Ledger: h.ledger, Agents: h.agents, Backups: h.backups, Certs: h.certs, Access: h.access, Sessions: h.sessions, Incidents: h.incidents, Bus: h.bus, Now: h.d.Now}, o))
	e := echo.New()
	h.portal.Register(e)
	e.HTTPErrorHandler = h.portal.Fault
	s := httptest.NewServer(e)
	h.t.Cleanup(s.Close)
	h.url = s.URL
}

func (h *house) people() {
	h.t.Helper()
	var err error
	if h.admin, _, err = h.identity.Bootstrap(h.ctx, "ada@host.example", "Ada Keller"); err != nil {
		h.t.Fatal(err)
	}
	customer := func(name string) customers.Customer {
		return ok[customers.Customer](h.t)(h.customers.CreateCustomer(h.ctx, all, customers.NewCustomer{Name: name, Country: "DE", Zone: "Europe/Berlin"}))
	}
	h.maple, h.harbour = customer("Maple Bakery"), customer("Harbour Mail")
	contact := func(c customers.Customer, name string, r policy.Role) identity.Person {
		x := ok[customers.Contact](h.t)(h.customers.AddContact(h.ctx, all, customers.NewContact{Customer: c.ID, Name: name, Email: strings.ToLower(name[:3]) + "@" + c.Slug + ".example", Role: r}))
		return identity.Person{ID: x.ID, Name: name}
	}
	h.owner, h.reader, h.stranger = contact(h.maple, "Ines Moreau", policy.RoleOwner), contact(h.maple, "Jonas Weber", policy.RoleReader), contact(h.harbour, "Otto Brandt", policy.RoleOwner)
	server := func(name string) customers.Server {
		return ok[customers.Server](h.t)(h.customers.CreateServer(h.ctx, all, customers.NewServer{Name: name, Location: "Frankfurt", Country: "DE"}))
	}
	h.server, h.shared = server("maple-1"), server("shared-1")
	h.tenancy = ok[customers.Tenancy](h.t)(h.customers.CreateTenancy(h.ctx, all, customers.NewTenancy{Server: h.server.ID, Customer: h.maple.ID, Paths: []string{"/srv/shop"}, Sites: []string{"maple.example", "shop.maple.example"}}))
	ok[customers.Tenancy](h.t)(h.customers.CreateTenancy(h.ctx, all, customers.NewTenancy{Server: h.shared.ID, Customer: h.harbour.ID, Paths: []string{"/srv/mail"}}))
	ok[backups.OffSite](h.t)(h.backups.AddStore(h.ctx, all, backups.OffSite{Name: "off-site", URL: "https://127.0.0.1:1", HtpasswdPath: filepath.Join(h.t.TempDir(), "htpasswd"), Location: "Falkenstein", Country: "DE"}))
}

// person is somebody's browser.
type person struct {
	h      *house
	client *http.Client
	jar    *cookiejar.Jar
}

// browser opens a browser for somebody, by a demo's link; "" signs nobody in.
func (h *house) browser(id string) *person {
	h.t.Helper()
	jar := ok[*cookiejar.Jar](h.t)(cookiejar.New(nil))
	p := &person{h: h, jar: jar, client: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	if id != "" {
		link := ok[identity.Link](h.t)(h.identity.MintDemoLink(h.ctx, id))
		if a := p.get(link.Path); a.status != http.StatusSeeOther {
			h.t.Fatalf("demo link: %d", a.status)
		}
	}
	return p
}

// answer is what a browser got.
type answer struct {
	status int
	body   string
	header http.Header
}

func (a answer) location() string { return a.header.Get("Location") }

func (p *person) do(r *http.Request) answer {
	p.h.t.Helper()
	res, err := p.client.Do(r)
	if err != nil {
		p.h.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	return answer{res.StatusCode, string(ok[[]byte](p.h.t)(io.ReadAll(res.Body))), res.Header}
}

func (p *person) get(path string) answer {
	p.h.t.Helper()
	return p.do(ok[*http.Request](p.h.t)(http.NewRequestWithContext(p.h.t.Context(), http.MethodGet, p.h.url+path, nil)))
}

// page gets a page that is there, and holds it to what every page keeps.
func (p *person) page(path string) string {
	p.h.t.Helper()
	a := p.get(path)
	if a.status != http.StatusOK {
		p.h.t.Fatalf("GET %s: %d %s\n%s", path, a.status, a.location(), heading(a.body))
	}
	checkPage(p.h.t, a.body)
	return a.body
}

func (p *person) post(path string, pairs ...string) answer {
	p.h.t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	r := ok[*http.Request](p.h.t)(http.NewRequestWithContext(p.h.t.Context(), http.MethodPost, p.h.url+path, strings.NewReader(form.Encode())))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return p.do(r)
}

// heading is the sentence of a page.
func heading(page string) string {
	_, rest, _ := strings.Cut(page, "<h1>")
	said, _, _ := strings.Cut(rest, "</h1>")
	return said
}

// agent plays the agent of the server.
func (h *house) agent() jobstest.Agent {
	return jobstest.Agent{T: h.t, Jobs: h.jobs, Server: h.server.ID, ID: agentID, Leaves: lists}
}

// lists of a backup's files follow each backup.
func lists(kind wire.Action) bool { return kind == wire.ActionCatalogue }

// take has the played host take the next job of a kind.
func (h *house) take(kind wire.Action, params any) wire.JobRef {
	h.t.Helper()
	return h.agent().Next(kind, params)
}

func (h *house) end(r wire.Result) { h.t.Helper(); h.agent().End(r) }

func (h *house) finish(ref wire.JobRef, data any) { h.t.Helper(); h.agent().Finish(ref, data) }

// tick has the plane do its own jobs.
func (h *house) tick() { h.t.Helper(); h.agent().Tick() }

// prepared answers as a host that made its passwords.
func (h *house) prepared() {
	h.t.Helper()
	var p wire.RepoPrepareParams
	ref := h.take(wire.ActionRepoPrepare, &p)
	sum := sha256.Sum256([]byte("ostler key fingerprint v1\n" + password))
	res := wire.RepoPrepared{StoreHash: "$2a$10$" + strings.Repeat("x", 53), KeyFingerprint: hex.EncodeToString(sum[:])}
	if p.EscrowKey != nil {
		res.EscrowSealed = ok[[]byte](h.t)(secrets.SealTo(p.EscrowKey, wire.HPKEInfo+p.Repository.ID, []byte(password)))
	}
	if p.RevealKey != nil {
		res.RevealSealed = ok[[]byte](h.t)(secrets.SealTo(p.RevealKey, wire.HPKEInfo+p.Repository.ID, []byte(password)))
	}
	h.finish(ref, res)
}

// backup answers the next run of a plan.
func (h *house) backup(res wire.BackupResult) {
	h.t.Helper()
	var p wire.BackupParams
	ref := h.take(wire.ActionBackup, &p)
	sum := sha256.Sum256([]byte(p.Run))
	res.SnapshotID = hex.EncodeToString(sum[:])
	h.finish(ref, res)
}

func (h *house) newPlan(custody backups.Custody) backups.Plan {
	h.t.Helper()
	return ok[backups.Plan](h.t)(h.backups.CreatePlan(h.ctx, all, backups.PlanInput{Tenancy: h.tenancy.ID, Name: "Files", Paths: []string{"/srv/shop"}, Cron: "15 2 * * *", Zone: "Europe/Berlin", CatchUp: true, Custody: custody}))
}

// initialised answers as a host whose repository is made.
func (h *house) initialised() {
	h.t.Helper()
	h.tick()
	var p wire.RepoInitParams
	h.finish(h.take(wire.ActionRepoInit, &p), wire.RepoInitialised{ResticID: "abc", Created: true})
}

// ready has a plan with one copy.
func (h *house) ready(res wire.BackupResult) (backups.Plan, backups.Snapshot) {
	h.t.Helper()
	plan := h.newPlan(backups.CustodyEscrow)
	h.prepared()
	h.initialised()
	h.backup(res)
	snaps, _, err := h.backups.Snapshots(h.ctx, all, backups.SnapshotFilter{Plan: plan.ID})
	if err != nil || len(snaps) != 1 {
		h.t.Fatalf("copies: %d, %v", len(snaps), err)
	}
	return plan, snaps[0]
}

func (p *person) cookies() []*http.Cookie {
	return p.jar.Cookies(ok[*url.URL](p.h.t)(url.Parse(p.h.url)))
}
