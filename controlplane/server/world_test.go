package server_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

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
	"ostler/controlplane/ledger"
	"ostler/controlplane/mail"
	"ostler/controlplane/policy"
	"ostler/controlplane/secrets"
	"ostler/controlplane/server"
	"ostler/controlplane/sessions"
)

var all = policy.AllCustomers("test")

// people is an Authenticator whose tokens are names.
type people map[string]controlplane.Actor

func (p people) AuthenticateToken(_ context.Context, secret string) (controlplane.Actor, identity.Token, error) {
	a, ok := p[secret]
	if !ok {
		return a, identity.Token{}, controlplane.Errorf(controlplane.CodeUnauthorized, "Make a new one.", "This API token is not good")
	}
	return a, identity.Token{}, nil
}

// signing signs in this process.
type signing struct {
	key  ed25519.PrivateKey
	mu   sync.Mutex
	down bool
}

func (s *signing) Sign(_ context.Context, e wire.Envelope) (wire.SignedEnvelope, error) {
	return wire.Sign(s.key, e)
}

func (s *signing) Keys(context.Context) ([][]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return nil, errors.New("down")
	}
	return [][]byte{s.key.Public().(ed25519.PublicKey)}, nil
}

// chunks is a ChunkSink in memory.
type chunks struct {
	mu   sync.Mutex
	puts []string // server/agent/job/epoch/index/sum/length
}

func (c *chunks) Put(_ context.Context, srv, agent, job string, epoch int64, index int, sum string, body io.Reader) error {
	data, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	if job == "job_foreign" {
		return controlplane.NotFound("download")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.puts = append(c.puts, srv+" "+agent+" "+job+" "+sum+" "+string(data))
	_, _ = epoch, index
	return nil
}

func (c *chunks) Have(_ context.Context, _, _, job string) ([]int, error) {
	if job == "job_none" {
		return nil, nil
	}
	return []int{0, 2}, nil
}

func (c *chunks) SourceChunk(_ context.Context, srv, agent, job string, epoch int64, index int) ([]byte, string, error) {
	if job == "job_foreign" {
		return nil, "", controlplane.NotFound("job")
	}
	return fmt.Appendf(nil, "%q", fmt.Sprintf("%s %s %s %d %d", srv, agent, job, epoch, index)), strings.Repeat("a", 64), nil
}

type world struct {
	t         *testing.T
	ctx       context.Context
	d         *db.DB
	s         *server.Server
	agents    *agents.Agents
	signer    *signing
	store     *customers.Store
	jobs      *jobs.Jobs
	findings  *findings.Findings
	ledger    *ledger.Ledger
	people    people
	chunks    *chunks
	backups   *backups.Service
	certs     *certs.Service
	mail      *mail.Mail
	access    *access.Service
	sessions  *sessions.Service
	incidents *incidents.Service
	feed      feed
	identity  *identity.Store
	keeper    *secrets.Keeper
	wall      *dbtest.Clock
	log       *bytes.Buffer
}

// newWorld is a whole plane on SQLite behind its server, which does not listen yet.
func newWorld(t *testing.T) *world {
	t.Helper()
	return newWorldOn(t, dbtest.SQLite(t, &dbtest.Clock{}))
}

func newWorldOn(t *testing.T, d *db.DB) *world {
	t.Helper()
	w := &world{t: t, d: d, people: people{}, chunks: &chunks{}, wall: &dbtest.Clock{}, log: &bytes.Buffer{}}
	w.people["admin"] = controlplane.Actor{Kind: controlplane.ActorStaff, ID: controlplane.NewID(controlplane.PrefixStaff), Role: string(policy.RoleAdmin)}
	w.ctx = controlplane.WithActor(t.Context(), w.people["admin"])
	k, err := secrets.OpenFile(w.ctx, d, filepath.Join(t.TempDir(), "keys"))
	w.must(err)
	w.keeper = k
	b := bus.New()
	w.ledger, err = ledger.New(d, k, ledger.Options{Origin: "test.invalid/ostler", Bus: b})
	w.must(err)
	w.store = customers.New(d, k, w.ledger)
	w.findings = findings.New(d, k, w.ledger, b)
	w.jobs = jobs.New(d, k, b, jobs.Options{})
	w.identity, err = identity.New(w.ctx, d, k, w.ledger, w.store, identity.Options{})
	w.must(err)
	_, key, err := ed25519.GenerateKey(rand.Reader)
	w.must(err)
	w.signer = &signing{key: key}
	w.agents, err = agents.New(agents.Deps{DB: d, Keeper: k, Ledger: w.ledger, Findings: w.findings, Jobs: w.jobs, Bus: b, Signer: w.signer, Servers: w.store},
		agents.Options{Domain: "test.invalid", Wall: w.wall})
	w.must(err)
	blobs := memblob.OpenBucket(nil)
	t.Cleanup(func() { _ = blobs.Close() })
	w.backups = backups.New(backups.Deps{DB: d, Keeper: k, Ledger: w.ledger, Jobs: w.jobs, Findings: w.findings, Customers: w.store, Blobs: blobs}, backups.Options{Bus: b})
	_, err = w.backups.AddStore(w.ctx, all, backups.OffSite{Name: "off-site", URL: "https://127.0.0.1:1", HtpasswdPath: filepath.Join(t.TempDir(), "htpasswd"), Country: "DE"})
	w.must(err)
	w.mail, err = mail.New(d, k, w.ledger, w.jobs, w.findings, mail.Options{PortalURL: "https://portal.test.invalid", Company: "Test"})
	w.must(err)
	w.openCerts(certs.Deps{DB: d, Keeper: k, Ledger: w.ledger, Jobs: w.jobs, Findings: w.findings, Customers: w.store})
	w.openAccess(access.Deps{DB: d, Keeper: k, Ledger: w.ledger, Jobs: w.jobs, Findings: w.findings, Customers: w.store, Identity: w.identity, Mail: accessLetters{w.mail}})
	w.openSessions(sessions.Deps{DB: d, Keeper: k, Ledger: w.ledger, Jobs: w.jobs, Findings: w.findings, Customers: w.store, Identity: w.identity, Blobs: blobs})
	w.openIncidents(incidents.Deps{DB: d, Keeper: k, Ledger: w.ledger, Jobs: w.jobs, Findings: w.findings, Customers: w.store, Identity: w.identity, Mail: incidentLetters{w.mail}})
	w.s, err = server.New(server.Deps{DB: d, Keeper: k, Auth: w.people, Agents: w.agents, Customers: w.store, Identity: w.identity, Jobs: w.jobs,
		Findings: w.findings, Ledger: w.ledger, Chunks: w.chunks, Backups: w.backups, Certs: w.certs, Mail: w.mail, Access: w.access, Sessions: w.sessions, Incidents: w.incidents}, server.Options{PortalAddr: "127.0.0.1:0", AgentsAddr: "127.0.0.1:0",
		EnrolAddr: "127.0.0.1:0", MetricsAddr: "127.0.0.1:0", Version: "test", DrainFor: 2 * time.Second, Log: testLog(w.log)})
	w.must(err)
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// tenant is a customer with everything that belongs to one.
type tenant struct {
	customer customers.Customer
	server   customers.Server
	tenancy  customers.Tenancy
	contact  customers.Contact
	job      string
	finding  string
	entry    string

	plan     backups.Plan
	run      string
	snapshot string
	restore  string
	assist   string // over
	window   string
	ask      string
	mail     string

	cert, issue, authority, provider, campaign, found string

	person, grant, ground, authorisation, instruction, notice, wayIn, change string

	session, hold string // where connected was called

	incident, breach, task, report, advisory string // where alarmed was called
}

func (w *world) newTenant(name string) tenant {
	w.t.Helper()
	var o tenant
	var err error
	o.customer, err = w.store.CreateCustomer(w.ctx, all, customers.NewCustomer{Name: name, Country: "DE", Zone: "Europe/Berlin"})
	w.must(err)
	o.server, err = w.store.CreateServer(w.ctx, all, customers.NewServer{Name: o.customer.Slug + ".example.com", Country: "DE"})
	w.must(err)
	win, err := w.agents.OpenWindow(w.ctx, all, agents.NewWindow{Server: o.server.ID, Ticket: "OPS-1", Who: "Kim Sample"})
	w.must(err)
	o.window = win.ID
	o.tenancy, err = w.store.CreateTenancy(w.ctx, all, customers.NewTenancy{Server: o.server.ID, Customer: o.customer.ID, Paths: []string{"/srv/" + o.customer.Slug}, Sites: []string{"www." + o.customer.Slug + ".example"}})
	w.must(err)
	o.contact, err = w.store.AddContact(w.ctx, all, customers.NewContact{Customer: o.customer.ID, Name: "Kim Sample", Email: "kim@" + o.customer.Slug + ".example", Role: policy.RoleOwner})
	w.must(err)
	w.backedUp(&o)
	w.certified(&o)
	w.letIn(&o)
	w.must(w.d.Write(w.ctx, func(tx *db.Tx) error {
		j, err := w.jobs.Enqueue(tx, jobs.Spec{Kind: string(wire.ActionInventory), Executor: jobs.Agent, Server: o.server.ID, Customer: o.customer.ID,
			ExpiresAt: tx.Now.Add(time.Hour), Params: struct{}{}})
		o.job = j.ID
		if err != nil {
			return err
		}
		return w.findings.Raise(tx, findings.Finding{Key: "server.silent:" + o.customer.ID, Kind: findings.ServerSilent, Customer: o.customer.ID,
			Server: o.server.ID, Severity: findings.Bad, Owner: findings.Ops})
	}))
	items, _, err := w.findings.List(w.ctx, all, findings.Filter{Customer: o.customer.ID})
	w.must(err)
	o.finding = items[0].ID
	w.helped(&o)
	entries, _, err := w.ledger.List(w.ctx, all, ledger.Filter{Customer: o.customer.ID})
	w.must(err)
	o.entry = entries[0].ID
	for _, role := range []policy.Role{policy.RoleOwner, policy.RoleRestorer, policy.RoleReader} {
		w.people[o.customer.Slug+"-"+string(role)] = controlplane.Actor{Kind: controlplane.ActorContact, ID: o.contact.ID, Customer: o.customer.ID, Role: string(role)}
	}
	return o
}

// answer is one response.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) problem(t *testing.T) server.Problem {
	t.Helper()
	var p server.Problem
	if err := json.Unmarshal([]byte(a.body), &p); err != nil {
		t.Fatalf("no problem: %v: %s", err, a.body)
	}
	return p
}

// call asks the portal's listener without a network.
func (w *world) call(token, method, path, body string, headers ...string) answer {
	w.t.Helper()
	r := httptest.NewRequestWithContext(w.t.Context(), method, path, strings.NewReader(body))
	if body == "" {
		r = httptest.NewRequestWithContext(w.t.Context(), method, path, nil)
	} else {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	w.s.Portal().ServeHTTP(rec, r)
	return answer{rec.Code, rec.Header(), rec.Body.String()}
}
