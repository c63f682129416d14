package certs

import (
	"context"
	"crypto"
	"errors"
	"log/slog"
	"net"
	"time"

	"ostler/agents/wire"
	"ostler/certs/acme"
	"ostler/certs/acme/providers"
	"ostler/certs/deploy"
	"ostler/certs/preflight"
	"ostler/controlplane/bus"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/jobs"
	"ostler/controlplane/ledger"
	"ostler/controlplane/secrets"
)

// Deps are the parts that the service stands on.
type Deps struct {
	DB        *db.DB
	Keeper    *secrets.Keeper
	Ledger    *ledger.Ledger
	Jobs      *jobs.Jobs
	Findings  *findings.Findings
	Customers *customers.Store
	Mail      Mailer // nil: nobody is mailed
	// Engine opens an account at a CA (nil: certs/acme).
	Engine func(ctx context.Context, o acme.Options) (Engine, error)
	// Preflight looks at names before a CA is asked (nil: nothing is looked at).
	Preflight Preflight
	// Able says whether a server's agent can do something and its own policy
	// allows it (nil: all can all).
	Able func(ctx context.Context, server string, action wire.Action) (bool, error)
	// Resolver is what DNS providers ask (nil: dns challenges are refused).
	Resolver providers.Resolver
}

// Engine is one account at one CA; *acme.Client is one.
type Engine interface {
	Directory(ctx context.Context) (acme.Directory, error)
	Register(ctx context.Context, r acme.Registration) (accountURL string, err error)
	Rollover(ctx context.Context, newKey crypto.Signer) error
	Issue(ctx context.Context, r acme.Request, s acme.State, h acme.Hooks) (acme.Result, acme.State, error)
	RenewalInfo(ctx context.Context, certID string) (acme.Renewal, error)
	Revoke(ctx context.Context, der []byte, reason int) error
}

// Preflight looks at names; *preflight.Checker is one.
type Preflight interface {
	Check(ctx context.Context, r preflight.Request) []preflight.Problem
}

// Options are what the service may be told. The zero value is usable: nothing
// is issued before a person has added an authority.
type Options struct {
	Log *slog.Logger
	Bus *bus.Bus
	// FallbackAfter is how long a certificate fails at its authority before the
	// fall-back is asked (default 3 days).
	FallbackAfter time.Duration
	// LookEvery is how often every name is looked at from here (default 24 h).
	LookEvery time.Duration
	// Concurrent bounds the orders at one authority at a time, in one replica
	// (default 8).
	Concurrent int
	// See makes one handshake at an endpoint, for the look from here (default: deploy.See).
	See func(ctx context.Context, e wire.Endpoint, limit time.Duration) wire.CertSeen
	// Private lets endpoints and providers be at private and loopback addresses:
	// a demo, a test, a company's own network.
	Private bool
	// Resolve finds a name's addresses, A and AAAA (default: the system's).
	Resolve func(ctx context.Context, name string) ([]string, error)
	// Every is how often Watch looks for what is due (default 15 s).
	Every time.Duration
	// PlaneURL is where sites redirect challenges to ("https://plane.example"),
	// for ChallengePlane; "" refuses that challenge.
	PlaneURL string
	// Programs are what DNS providers of the kind exec may run.
	Programs []string
	// Proposed is the authority that is proposed to whoever adds the first one.
	Proposed NewAuthority
	// UserAgent is what CAs see of us.
	UserAgent string
}

// Letter is a mail to one person. It has the fields of package mail's Message,
// so that one converts to the other.
type Letter struct {
	Key      string // unique for ever: once enqueued, never again
	Customer string
	Person   string // con_, stf_
	To, Name string
	Template string // "certificate.expiring" (args names, days, server), "certificate.expired"
	Lang     string
	Args     map[string]string
	Path     string // page of the portal: "/certificates/crt_..."
	Subject  string
}

// Mailer has a mail sent, queued in the transaction of what it tells of.
type Mailer interface {
	Enqueue(tx *db.Tx, l Letter) error
}

// Service is the slice: its methods are all that others do with certificates.
type Service struct {
	db        *db.DB
	keeper    *secrets.Keeper
	ledger    *ledger.Ledger
	jobs      *jobs.Jobs
	findings  *findings.Findings
	customers *customers.Store
	mail      Mailer
	preflight Preflight
	resolver  providers.Resolver
	open      func(ctx context.Context, o acme.Options) (Engine, error)
	able      func(ctx context.Context, server string, action wire.Action) (bool, error)
	opts      Options
	accounts  accounts
	slots     slots
	servers   instant // when new servers were last looked for
	tidied    instant
	turns     *Planner // what is planned, for choosing quieter hours
	pacers    pacers
}

// New returns the service and registers its jobs. Call it before jobs.Run.
func New(d Deps, o Options) (*Service, error) {
	if d.DB == nil || d.Keeper == nil || d.Ledger == nil || d.Jobs == nil || d.Findings == nil || d.Customers == nil {
		return nil, errors.New("certs: new: a part is missing")
	}
	if d.Engine == nil {
		d.Engine = func(ctx context.Context, o acme.Options) (Engine, error) { return acme.Open(ctx, o) }
	}
	if d.Able == nil {
		d.Able = func(context.Context, string, wire.Action) (bool, error) { return true, nil }
	}
	o.fill()
	s := &Service{db: d.DB, keeper: d.Keeper, ledger: d.Ledger, jobs: d.Jobs, findings: d.Findings, customers: d.Customers, mail: d.Mail,
		preflight: d.Preflight, resolver: d.Resolver, open: d.Engine, able: d.Able, opts: o, turns: NewPlanner()}
	s.handle()
	return s, nil
}

func (o *Options) fill() {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Bus == nil {
		o.Bus = bus.New()
	}
	if o.FallbackAfter == 0 {
		o.FallbackAfter = 3 * 24 * time.Hour
	}
	if o.LookEvery == 0 {
		o.LookEvery = 24 * time.Hour
	}
	if o.Concurrent == 0 {
		o.Concurrent = 8
	}
	if o.Every == 0 {
		o.Every = 15 * time.Second
	}
	if o.See == nil {
		o.See = deploy.See
	}
	if o.Resolve == nil {
		o.Resolve = net.DefaultResolver.LookupHost
	}
	if o.UserAgent == "" {
		o.UserAgent = "ostler"
	}
}

// The kinds of the slice's own jobs of the plane.
const (
	jobOrder    = "certificate.order"
	jobRevoke   = "certificate.revoke"
	jobRegister = "authority.register"
)

// handle registers what the slice does when its jobs end.
func (s *Service) handle() {
	s.jobs.Handle(string(wire.ActionCertRequest), jobs.Handler{Done: s.doneRequest})
	s.jobs.Handle(jobOrder, jobs.Handler{Run: s.runOrder, Done: s.doneOrder, Backoff: orderBackoff})
	s.jobs.Handle(string(wire.ActionCertDeploy), jobs.Handler{Done: s.doneDeploy})
	s.jobs.Handle(jobRevoke, jobs.Handler{Run: s.runRevoke, Done: s.doneRevoke, Retry: caMayAnswer})
	s.jobs.Handle(jobRegister, jobs.Handler{Run: s.runRegister, Retry: caMayAnswer})
	s.jobs.Handle(string(wire.ActionCertLook), jobs.Handler{Done: s.doneLook})
	s.jobs.Handle(string(wire.ActionCertTake), jobs.Handler{Done: s.doneTake})
	s.jobs.Handle(string(wire.ActionCertForget), jobs.Handler{})
	s.customers.OnTenancyChanged(s.narrowed)
}

// ad says where a sealed value stands.
func ad(table, column, row string) secrets.AD {
	return secrets.AD{Table: table, Column: column, Row: row}
}

// orderBackoff is short: what stopped an order was the end of a process, or a
// database that was busy.
func orderBackoff(attempt int) time.Duration {
	return min(time.Duration(attempt)*2*time.Second, time.Minute)
}

// caMayAnswer adds what passes by itself at a CA.
func caMayAnswer(f wire.Failure) bool { return f.Cause == wire.CauseCA || jobs.DefaultRetry(f) }
