// Package jobs keeps durable jobs and schedules in one table each. It keeps
// true that a job committed with a change is carried out, at most once at a
// time and in the order of its resource; that an agent's job is delivered when
// its accept is stored, not when it is sent; that what might have had an effect
// is never silently run again; and that what a job's end means for a slice is
// stored in the transaction that ends the job.
//
// Two executors take jobs: "plane" jobs run in any replica, "agent" jobs wait
// for the agent of their server. Every offer or claim raises the job's epoch,
// and what comes from an older epoch is ignored.
package jobs

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/bus"
	"ostler/controlplane/db"
	"ostler/controlplane/secrets"
)

// Executor says who carries out a job.
type Executor string

// The executors.
const (
	Plane Executor = "plane" // any replica of the control plane
	Agent Executor = "agent" // the agent of Spec.Server
)

// Valid reports whether e is a known executor.
func (e Executor) Valid() bool { return e == Plane || e == Agent }

// Spec is a job to be queued.
type Spec struct {
	// Kind is a wire.Action for the agent, and a handled kind for the plane.
	Kind     string
	Executor Executor
	Server   string // required for the agent
	Customer string // "" for the company's own
	// Resource orders jobs: one at a time for each (server, resource), in the
	// order they were queued among those whose time has come; "" has no order.
	Resource string
	// Key is unique for ever: the same key again is the job that is there.
	// "" stands for no key.
	Key     string
	Subject string // id of the thing it works for
	Params  any    // JSON; sealed at rest; no secrets
	// NotBefore is the earliest start; ExpiresAt is the instant after which the
	// job does not start any more (zero: never for the plane, DefaultExpiry for an agent).
	NotBefore, ExpiresAt time.Time
	// Timeout bounds one run (zero: DefaultTimeout for the plane, the action's own for an agent).
	Timeout time.Duration
	// MaxAttempts is how often it may start (zero: 1 for what must run at most
	// once, else DefaultAttempts).
	MaxAttempts int
	// Supersedes is a key shared with other jobs: those of the key that are
	// still queued give way to this one.
	Supersedes string
	Title      string // text key for people: "job.backup"
}

// Defaults of a Spec.
const (
	DefaultExpiry   = 7 * 24 * time.Hour
	DefaultTimeout  = 10 * time.Minute
	DefaultAttempts = 5
)

// Job is a job as it stands. List leaves Params and Result out.
type Job struct {
	ID, Kind string
	Executor Executor
	Server   string
	Customer string
	Resource string
	Key      string
	Subject  string
	Title    string
	Params   json.RawMessage
	State    State
	// Epoch is the number of the latest offer or claim, 0 before the first.
	Epoch int64
	// Attempt is the number of the latest start, 0 before the first.
	Attempt, MaxAttempts int
	NotBefore, ExpiresAt time.Time
	CreatedAt, OfferedAt time.Time // OfferedAt: the latest offer or claim
	AcceptedAt           time.Time // the host's journal has it
	StartedAt            time.Time
	FinishedAt           time.Time
	Timeout              time.Duration
	Agent                string // who took the latest offer; a replica's name for the plane
	Progress             *wire.Progress
	Result               json.RawMessage
	// Failure is how it failed; on a queued job, how the latest attempt failed.
	Failure     *wire.Failure
	CreatedBy   controlplane.Actor // kind and id
	CancelAsked bool
}

// Handler says what a kind means to the plane.
type Handler struct {
	// Run carries out a job of the plane. It must be idempotent: after a crash
	// it runs again. ctx ends with the timeout, on cancel and on shutdown.
	Run func(ctx context.Context, job Job) (result any, err error)
	// Done runs in the transaction that makes the job terminal, whatever the
	// end, for agent jobs too. State, Result and Failure of job are final. An
	// error rolls the end back: it comes again.
	Done func(tx *db.Tx, job Job) error
	// Backoff is the wait after attempt n failed; nil is DefaultBackoff.
	Backoff func(attempt int) time.Duration
	// Retry says whether a failure may pass by itself; nil is DefaultRetry.
	Retry func(f wire.Failure) bool
}

// Options are the outside of Jobs.
type Options struct {
	Log *slog.Logger // nil discards
	// Replica names this process in claims; "" makes a random name.
	Replica string
	// Workers bounds the plane's jobs at work in this process; 0 is 8.
	Workers int
	// Sweep is how often Run looks without a wake-up; 0 is 5 s, jittered.
	Sweep time.Duration
	// LastHeard says when a server's agent was last heard of and whether it is
	// connected now, for Why; the zero time means never. nil leaves it out.
	LastHeard func(ctx context.Context, server string) (at time.Time, connected bool, err error)
}

// Jobs queues jobs and carries them out.
type Jobs struct {
	db   *db.DB
	keys *secrets.Keeper
	bus  *bus.Bus
	o    Options

	mu       sync.Mutex
	handlers map[string]Handler
	due      map[string]func(tx *db.Tx, s Schedule, at time.Time) error
	progress map[reported]*progress // by job: what was written and what waits
	wokenAt  int64                  // the last pass of wakeServers
	took     map[string]tookBack    // by server
}
