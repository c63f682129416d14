package incidents

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"ostler/controlplane/bus"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/identity"
	"ostler/controlplane/jobs"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
	"ostler/controlplane/secrets"
)

// Deps are the parts that the service stands on. What is nil is said where it
// is missed.
type Deps struct {
	DB        *db.DB
	Keeper    *secrets.Keeper
	Ledger    *ledger.Ledger
	Jobs      *jobs.Jobs
	Findings  *findings.Findings
	Customers *customers.Store
	Identity  *identity.Store
	Mail      Mailer
	Around    Around
	Acts      Acts
	Holds     Holds
	Inventory Inventory
}

// Letter is a mail to one person; it has the fields of package mail's Message.
type Letter struct {
	Key      string // unique for ever: once enqueued, never again
	Customer string
	Person   string // con_, stf_
	To, Name string
	Template string
	Lang     string
	Args     map[string]string
	Path     string
	Subject  string
}

// Mailer has a mail sent, queued in the transaction of what it tells of.
type Mailer interface {
	Enqueue(tx *db.Tx, l Letter) (id string, err error)
}

// Around finds what happened on servers around a time: sessions, jobs, findings
// and logins. Unread, as its error, names what could not be read: the rest counts.
type Around interface {
	Around(ctx context.Context, scope policy.Scope, servers []string, from, to time.Time) ([]Moment, error)
}

// Acts does what contains an incident. It answers what was done in words, and
// with the ids of what carries it out.
type Acts interface {
	Act(ctx context.Context, scope policy.Scope, c Case, a NewAction) (result string, refs []string, err error)
}

// Holds keeps what belongs to a case from being deleted.
type Holds interface {
	// Freeze holds recordings, logs and backups of servers since an instant; the
	// same again with a later until makes it longer. It answers what is held, in words.
	Freeze(ctx context.Context, scope policy.Scope, incident string, servers []string, since, until time.Time, why string) ([]string, error)
	// Thaw lets go.
	Thaw(ctx context.Context, scope policy.Scope, incident, why string) error
}

// Inventory says who runs some software.
type Inventory interface {
	// Runs lists installations of a package with a version before below ("" is
	// any), and the servers whose packages are not known.
	Runs(ctx context.Context, scope policy.Scope, software, below string) (runs []Runs, silent []string, err error)
}

// Options are what the service may be told.
type Options struct {
	Log *slog.Logger
	Bus *bus.Bus
	// Zone is the company's (default UTC), where Company says none.
	Zone *time.Location
	// Assess is within which a suspicion is decided (default 24 h); Second how long
	// a first notice waits for a second person at most (default 1 h); Escalate how
	// long a contact has to open a notice before the next one is written to
	// (default 4 h); Freeze how long data is kept without a ground (default 30 days).
	Assess, Second, Escalate, Freeze time.Duration
	// Tick is how often Watch looks for what is due (default 15 s).
	Tick time.Duration
	// Keep is how many years the register is kept (default 5).
	Keep int
	// Reports is how many reports one address may hand in within an hour (default 5).
	Reports int
	// ReporterMonths is for how many months after a report was dealt with the name
	// and the contact of whoever handed it in are kept (default 12).
	ReporterMonths int
}

// Service is the slice: its methods are all that others do with incidents.
type Service struct {
	db        *db.DB
	keeper    *secrets.Keeper
	ledger    *ledger.Ledger
	jobs      *jobs.Jobs
	findings  *findings.Findings
	customers *customers.Store
	identity  *identity.Store
	deps      Deps
	opts      Options
	// due are called by Watch at every tick: each looks for what its time has come.
	due []func(ctx context.Context) error
	// onAffected are told, in the transaction, of every customer who came into a
	// case or whose state in it changed; onClosed of every case that ended.
	onAffected []func(tx *db.Tx, c Case, a Affected) error
	onClosed   []func(tx *db.Tx, c Case) error
	// onFrozen are told of every case whose data is kept now, and until when.
	onFrozen    []func(tx *db.Tx, c Case) error
	freezeAsked atomic.Pointer[freezeAsk]
	// onDelivered are told of every notice that reached somebody for the first time.
	onDelivered []func(tx *db.Tx, n Notice) error
}

// New returns the service and registers its jobs. Call it before jobs.Run.
func New(d Deps, o Options) (*Service, error) {
	if d.DB == nil || d.Keeper == nil || d.Ledger == nil || d.Jobs == nil || d.Findings == nil || d.Customers == nil || d.Identity == nil {
		return nil, errors.New("incidents: new: a part is missing")
	}
	o.fill()
	s := &Service{db: d.DB, keeper: d.Keeper, ledger: d.Ledger, jobs: d.Jobs, findings: d.Findings, customers: d.Customers,
		identity: d.Identity, deps: d, opts: o}
	s.registerCases()
	s.registerWork()
	s.registerNotices()
	return s, nil
}

func (o *Options) fill() {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Bus == nil {
		o.Bus = bus.New()
	}
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	for n, v := range map[*int]int{&o.Keep: 5, &o.Reports: 5, &o.ReporterMonths: 12} {
		if *n == 0 {
			*n = v
		}
	}
	const day = 24 * time.Hour
	for d, v := range map[*time.Duration]time.Duration{&o.Assess: day, &o.Second: time.Hour, &o.Escalate: 4 * time.Hour, &o.Freeze: 30 * day, &o.Tick: 15 * time.Second} {
		if *d == 0 {
			*d = v
		}
	}
}

// Watch looks for what is due until ctx ends: deadlines, answers that did not
// come, notices nobody opened.
func (s *Service) Watch(ctx context.Context) error {
	s.opts.Bus.Watch(ctx, s.opts.Tick, TopicWatch, func() {
		for _, due := range s.due {
			if err := due(ctx); err != nil && ctx.Err() == nil {
				s.opts.Log.ErrorContext(ctx, "incidents.watch", "err", err)
			}
		}
	})
	return nil
}

// TopicWatch wakes Watch before its tick.
const TopicWatch = "incidents.watch"
