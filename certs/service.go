package certs

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"time"

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
	// Dial connects to endpoints, for the look from here (default: net.Dialer).
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Resolve finds a name's addresses, A and AAAA (default: the system's).
	Resolve func(ctx context.Context, name string) ([]string, error)
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
	opts      Options
}

// New returns the service and registers its jobs. Call it before jobs.Run.
func New(d Deps, o Options) (*Service, error) {
	if d.DB == nil || d.Jobs == nil {
		return nil, errors.New("certs: new: a database and jobs are needed")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Bus == nil {
		o.Bus = bus.New()
	}
	return &Service{db: d.DB, keeper: d.Keeper, ledger: d.Ledger, jobs: d.Jobs, findings: d.Findings, customers: d.Customers,
		mail: d.Mail, opts: o}, nil
}
