package access

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"ostler/controlplane/bus"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/identity"
	"ostler/controlplane/jobs"
	"ostler/controlplane/ledger"
	"ostler/controlplane/secrets"
	"ostler/controlplane/teleport"
)

// Deps are the parts that the service stands on.
type Deps struct {
	DB        *db.DB
	Keeper    *secrets.Keeper
	Ledger    *ledger.Ledger
	Jobs      *jobs.Jobs
	Findings  *findings.Findings
	Customers *customers.Store
	Identity  *identity.Store
	Mail      Mailer  // nil: nobody is mailed, and notices say so
	Cluster   Cluster // nil: no Teleport is configured
}

// Cluster is the Teleport cluster; *teleport.Client is one. Only jobs of the
// plane ask it.
type Cluster interface {
	Observe(ctx context.Context) (teleport.State, error)
	Users(ctx context.Context) ([]teleport.User, error)
	PutRole(ctx context.Context, r teleport.Role) error
	DeleteRole(ctx context.Context, name string) error
	SetUserRoles(ctx context.Context, user string, add, remove []string) error
	PutLock(ctx context.Context, l teleport.Lock) error
	DeleteLock(ctx context.Context, name string) error
	Expiry() time.Time
}

// Options are what the service may be told.
type Options struct {
	Log   *slog.Logger
	Bus   *bus.Bus
	Roles []Role // what grants may give; nil is DefaultRoles
	// LabelKey is the nodes' label that names the customer (default "customer").
	LabelKey string
	// Mode is how the cluster is dealt with before anybody has said so (default observe).
	Mode Mode
	// Every is how often the cluster is looked at (default 5 min); a gap of more
	// than twice that is unattested.
	Every time.Duration
	// ScanEvery is how often hosts are looked at (default 1 h).
	ScanEvery time.Duration
	// Batch is how long changes are gathered into one mail (default 2 min).
	Batch time.Duration
	// Kick is how long the lock is that cuts a live session (default 30 s).
	Kick time.Duration
	// Tick is how often Watch looks for what is due (default 15 s).
	Tick time.Duration
	// TicketLink is the address of a ticket with {ticket} in it; "" shows none.
	TicketLink string
	// CheckTicket asks the ticket system; nil takes every reference of the right form.
	CheckTicket func(ctx context.Context, ticket string) (TicketAnswer, error)
	// Zone is where the company's working days are counted (default UTC).
	Zone *time.Location
}

// DefaultRoles are what grants give where the configuration lists nothing.
func DefaultRoles() []Role {
	return []Role{
		{Name: "engineer", Title: "Everything on the server, root included", Logins: []string{"root"}, MaxTTL: 8 * time.Hour},
		{Name: "operator", Title: "Looks after services, without root", Logins: []string{"ops"}, MaxTTL: 12 * time.Hour},
	}
}

// TicketAnswer is what a ticket system says of a reference.
type TicketAnswer string

// The answers. An error of CheckTicket means that it did not answer.
const (
	TicketGood    TicketAnswer = "good"
	TicketUnknown TicketAnswer = "unknown"
	TicketClosed  TicketAnswer = "closed"
)

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

// Mailer has a mail sent, queued in the transaction of what it tells of, and
// says what became of it.
type Mailer interface {
	Enqueue(tx *db.Tx, l Letter) (id string, err error)
}

// Service is the slice: its methods are all that others do with access lists.
type Service struct {
	db        *db.DB
	keeper    *secrets.Keeper
	ledger    *ledger.Ledger
	jobs      *jobs.Jobs
	findings  *findings.Findings
	customers *customers.Store
	identity  *identity.Store
	mail      Mailer
	cluster   Cluster
	opts      Options
	// onChanged are told of every difference that settle wrote, in its transaction.
	onChanged []func(tx *db.Tx, changes []Change) error
	// onBegun are told of what was written before and begins now, onGrant of every
	// grant whose state or terms changed, onLeave of persons who left: each in
	// its transaction.
	onBegun []func(tx *db.Tx, changes []Change) error
	onGrant []func(tx *db.Tx, g Grant) error
	onLeave []func(tx *db.Tx, p Person, why string) error
	// onFlagged stop what is under way for an instruction that was flagged.
	onFlagged []func(tx *db.Tx, customer string, about ...string) error
	// onNames are told that a person was added or changed.
	onNames []func(tx *db.Tx)
	// staffLast is what was settled last of whom our staff are.
	staffMu   sync.Mutex
	staffLast string
	// due are called by Watch at every tick: each looks for what its time has come.
	due []func(ctx context.Context) error
	// placesSeen is where servers stood when entries were looked at last, reviewed
	// when reviews were, scheduled whether the schedule of campaigns stands.
	placesSeen atomic.Pointer[string]
	reviewed   atomic.Int64
	scheduled  atomic.Bool
	// observed is the latest interval for which this process asked for a look at the cluster.
	observed atomic.Int64
}

// New returns the service and registers its jobs. Call it before jobs.Run.
func New(d Deps, o Options) (*Service, error) {
	if d.DB == nil || d.Keeper == nil || d.Ledger == nil || d.Jobs == nil || d.Findings == nil || d.Customers == nil || d.Identity == nil {
		return nil, errors.New("access: new: a part is missing")
	}
	o.fill()
	s := &Service{db: d.DB, keeper: d.Keeper, ledger: d.Ledger, jobs: d.Jobs, findings: d.Findings, customers: d.Customers,
		identity: d.Identity, mail: d.Mail, cluster: d.Cluster, opts: o}
	s.registerLists()
	s.registerEnforcement()
	s.registerTelling()
	return s, nil
}

func (o *Options) fill() {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Bus == nil {
		o.Bus = bus.New()
	}
	if o.Roles == nil {
		o.Roles = DefaultRoles()
	}
	if o.LabelKey == "" {
		o.LabelKey = "customer"
	}
	if o.Mode == "" {
		o.Mode = Observe
	}
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	for d, v := range map[*time.Duration]time.Duration{&o.Every: 5 * time.Minute, &o.ScanEvery: time.Hour, &o.Batch: 2 * time.Minute,
		&o.Kick: 30 * time.Second, &o.Tick: 15 * time.Second} {
		if *d == 0 {
			*d = v
		}
	}
}

// Roles lists what grants may give.
func (s *Service) Roles() []Role { return s.opts.Roles }

// Watch looks for what is due until ctx ends: grants that begin or end, answers
// that did not come, looks at the cluster and the hosts, notices.
func (s *Service) Watch(ctx context.Context) error {
	s.opts.Bus.Watch(ctx, s.opts.Tick, TopicWatch, func() {
		for _, due := range s.due {
			if err := due(ctx); err != nil && ctx.Err() == nil {
				s.opts.Log.ErrorContext(ctx, "access.watch", "err", err)
			}
		}
	})
	return nil
}

// TopicWatch wakes Watch before its tick.
const TopicWatch = "access.watch"
