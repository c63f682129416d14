package jobs

import (
	"context"
	"errors"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane/bus"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
	"ostler/controlplane/secrets"
)

var errNotYet = errors.New("jobs: not yet")

type progress struct{}

func New(d *db.DB, k *secrets.Keeper, b *bus.Bus, o Options) *Jobs {
	return &Jobs{db: d, keys: k, bus: b, o: o}
}

func (j *Jobs) Handle(kind string, h Handler)          {}
func (j *Jobs) Enqueue(tx *db.Tx, s Spec) (Job, error) { return Job{}, errNotYet }
func (j *Jobs) Get(ctx context.Context, scope policy.Scope, id string) (Job, error) {
	return Job{}, errNotYet
}

// Filter narrows List; zero fields do not.
type Filter struct {
	Server, Customer, Subject string
	Kinds                     []string
	States                    []State
	Open                      bool // only jobs that are not terminal
	Limit                     int  // 0 is 50, at most 200
	PageToken                 string
}

func (j *Jobs) List(ctx context.Context, scope policy.Scope, f Filter) ([]Job, string, error) {
	return nil, "", errNotYet
}
func (j *Jobs) Cancel(ctx context.Context, scope policy.Scope, id string) error { return errNotYet }
func (j *Jobs) Wait(ctx context.Context, scope policy.Scope, id string, d time.Duration) (Job, error) {
	return Job{}, errNotYet
}

// Reason is why a job waits: a text key, its arguments and, where one is
// known, the instant it is over.
type Reason struct {
	Key   string            // "why.server_silent"
	Args  map[string]string // see Text
	Until time.Time
}

func (r Reason) Text(lang string) string { return r.Key }

func (j *Jobs) Why(ctx context.Context, scope policy.Scope, id string) ([]Reason, error) {
	return nil, errNotYet
}
func (j *Jobs) Offers(ctx context.Context, server, agent string, sign func(wire.Envelope) (wire.SignedEnvelope, error)) ([]wire.Offer, error) {
	return nil, errNotYet
}
func (j *Jobs) Accept(ctx context.Context, server, agent string, ref wire.JobRef) (ok bool, err error) {
	return false, errNotYet
}
func (j *Jobs) Reject(ctx context.Context, server, agent string, r wire.Reject) error {
	return errNotYet
}
func (j *Jobs) Progress(ctx context.Context, server, agent string, p wire.Progress) error {
	return errNotYet
}
func (j *Jobs) Finish(ctx context.Context, server, agent string, r wire.Result) (known bool, err error) {
	return false, errNotYet
}
func (j *Jobs) CancelAsked(ctx context.Context, server string) ([]wire.JobRef, error) {
	return nil, errNotYet
}
func (j *Jobs) Renew(ctx context.Context, server string, refs []wire.JobRef) error { return errNotYet }
func (j *Jobs) Reconnected(ctx context.Context, server, agent string, running []wire.JobRef) error {
	return errNotYet
}

// Schedule has a kind's due callback run at the times of a cron line.
type Schedule struct {
	ID, Key, Kind, Customer, Subject string
	Cron                             string // five fields, or @daily and the like
	Zone                             string // IANA name; "" is UTC
	// Jitter spreads schedules of one time: each key has its own, stable offset below it.
	Jitter time.Duration
	// CatchUp runs a missed time once, late; without it a missed time is left out.
	CatchUp bool
	Enabled bool
	NextAt  time.Time // with the jitter
	LastAt  time.Time // the latest run's own time, without the jitter
}

func (j *Jobs) PutSchedule(tx *db.Tx, s Schedule) (Schedule, error) { return s, errNotYet }
func (j *Jobs) DeleteSchedule(tx *db.Tx, key string) error          { return errNotYet }
func (j *Jobs) HandleSchedule(kind string, due func(tx *db.Tx, s Schedule, at time.Time) error) {
}
func NextRuns(cron, zone string, from time.Time, n int) ([]time.Time, error) { return nil, errNotYet }
func (j *Jobs) Run(ctx context.Context) error                                { return errNotYet }
func (j *Jobs) Tick(ctx context.Context) error                               { return errNotYet }
