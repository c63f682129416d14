package sessions

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"gocloud.dev/blob"

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
	Blobs     *blob.Bucket // recordings, sealed
	Lists     Lists
	Cluster   Cluster // nil: no Teleport is configured
}

// Cluster is the Teleport cluster; *teleport.Client is one. Only jobs of the
// plane ask it.
type Cluster interface {
	Events(ctx context.Context, from, to time.Time, kinds []string, limit int, startKey string) (list []teleport.Event, next string, err error)
	Stream(ctx context.Context, sid string, take func(teleport.Event) error) error
	Observe(ctx context.Context) (teleport.State, error)
}

// Somebody is a person on lists, as far as sessions need one.
type Somebody struct{ ID, Name, Staff string }

// Lists says who people are and on what ground they were on a server.
type Lists interface {
	// ByUser returns all persons who use a name at the cluster; several are a
	// finding of the lists.
	ByUser(tx *db.Tx, user string) ([]Somebody, error)
	// ByStaff returns the person that a member of staff is; ok is false for nobody.
	ByStaff(tx *db.Tx, staff string) (who Somebody, ok bool, err error)
	// GroundOf returns on what a person stood on a customer's list at an instant;
	// the zero Ground for nothing. Lacks is not set.
	GroundOf(tx *db.Tx, customer, person, server string, at time.Time) (Ground, error)
	// LetIn reports whether an account of a server, or a key ("SHA256:...", "" is
	// not known), is of somebody whom the customer let in.
	LetIn(tx *db.Tx, server, account, key string, at time.Time) (bool, error)
	// Months is how long recordings of a customer's servers are kept at most.
	Months(tx *db.Tx, customer string) (int, error)
}

// Options are what the service may be told.
type Options struct {
	Log *slog.Logger
	Bus *bus.Bus
	// Every is how often the audit log is read (default 10 s); Overlap is how far
	// back each time (default 10 min), and Deep every hour (default 26 h: a node
	// whose clock is off, an upload that came late).
	Every, Overlap, Deep time.Duration
	// Grace is how long a recording may take after a session's end (default 15
	// min); Endless how long a session may go without an end once it does not run
	// any more (default 1 h).
	Grace, Endless time.Duration
	// ReviewWithin is by when a session in the queue is to be judged (default 5
	// working days are 7 days); Claim is how long a claim lasts without a sign of
	// its reviewer (default 10 min).
	ReviewWithin, Claim time.Duration
	// Percent is the sample where a customer's terms say nothing (default 5).
	Percent int
	// WatchPercent is how much of what happens in a recording somebody has to have
	// watched to say that it is fine (default 20); see looked.
	WatchPercent int
	// Months is for how long recordings are kept where nothing else is agreed (default 12).
	Months int
	// CheckEvery is how often each recording is read back (default 7 days).
	CheckEvery time.Duration
	// LoginsEvery is how often hosts are asked for logins (default 10 min).
	LoginsEvery time.Duration
	// Tick is how often Watch looks for what is due (default 5 s).
	Tick time.Duration
	// Zone is where nights and weekends are, for risk (default UTC).
	Zone *time.Location
	// OnViolation is told of every verdict that asks for an incident, in its
	// transaction, with what the reviewer wrote; nil is nobody.
	OnViolation func(tx *db.Tx, session, text string) error
	// OnUsed is told, in its transaction, of every person who took part in a session
	// on a customer's server, and since when; nil is nobody.
	OnUsed func(tx *db.Tx, customer, person, server string, at time.Time) error
}

// Service is the slice: its methods are all that others do with sessions.
type Service struct {
	db        *db.DB
	keeper    *secrets.Keeper
	ledger    *ledger.Ledger
	jobs      *jobs.Jobs
	findings  *findings.Findings
	customers *customers.Store
	identity  *identity.Store
	blobs     *blob.Bucket
	lists     Lists
	cluster   Cluster
	opts      Options
	// due are called by Watch at every tick: each looks for what its time has come.
	due []func(ctx context.Context) error
	// onEnded are told of every session that ended, in the transaction; onStored
	// of every recording that came.
	onEnded  []func(tx *db.Tx, id string) error
	onStored []func(tx *db.Tx, id string) error
	sight    sight
	reviews  reviewed
}

// New returns the service and registers its jobs. Call it before jobs.Run.
func New(d Deps, o Options) (*Service, error) {
	if d.DB == nil || d.Keeper == nil || d.Ledger == nil || d.Jobs == nil || d.Findings == nil || d.Customers == nil || d.Identity == nil || d.Blobs == nil || d.Lists == nil {
		return nil, errors.New("sessions: new: a part is missing")
	}
	o.fill()
	s := &Service{db: d.DB, keeper: d.Keeper, ledger: d.Ledger, jobs: d.Jobs, findings: d.Findings, customers: d.Customers,
		identity: d.Identity, blobs: d.Blobs, lists: d.Lists, cluster: d.Cluster, opts: o}
	s.registerIngest()
	s.registerLogins()
	s.registerRecordings()
	s.registerReviews()
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
	if o.Percent == 0 {
		o.Percent = 5
	}
	if o.WatchPercent == 0 {
		o.WatchPercent = 20
	}
	if o.Months == 0 {
		o.Months = 12
	}
	const day = 24 * time.Hour
	for d, v := range map[*time.Duration]time.Duration{&o.Every: 10 * time.Second, &o.Overlap: 10 * time.Minute, &o.Deep: 26 * time.Hour,
		&o.Grace: 15 * time.Minute, &o.Endless: time.Hour, &o.ReviewWithin: 7 * day, &o.Claim: 10 * time.Minute, &o.CheckEvery: 7 * day,
		&o.LoginsEvery: 10 * time.Minute, &o.Tick: 5 * time.Second} {
		if *d == 0 {
			*d = v
		}
	}
}

// Watch looks for what is due until ctx ends: events, recordings, reviews, ends.
func (s *Service) Watch(ctx context.Context) error {
	s.opts.Bus.Watch(ctx, s.opts.Tick, TopicWatch, func() {
		for _, due := range s.due {
			if err := due(ctx); err != nil && ctx.Err() == nil {
				s.opts.Log.ErrorContext(ctx, "sessions.watch", "err", err)
			}
		}
	})
	return nil
}

// TopicWatch wakes Watch before its tick.
const TopicWatch = "sessions.watch"
