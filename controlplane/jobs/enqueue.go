package jobs

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/bus"
	"ostler/controlplane/db"
	"ostler/controlplane/secrets"
)

// New returns the jobs of a database. b may be nil where nobody waits.
func New(d *db.DB, k *secrets.Keeper, b *bus.Bus, o Options) *Jobs {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Replica == "" {
		o.Replica = "replica-" + rand.Text()[:8]
	}
	if o.Workers <= 0 {
		o.Workers = 8
	}
	if o.Sweep <= 0 {
		o.Sweep = 5 * time.Second
	}
	return &Jobs{
		db: d, keys: k, bus: b, o: o,
		handlers: map[string]Handler{},
		due:      map[string]func(*db.Tx, Schedule, time.Time) error{},
		progress: map[reported]*progress{},
		took:     map[string]tookBack{},
	}
}

// Handle says what a kind means; before Run. A kind of the agent needs it only
// for its Done, Backoff or Retry. It panics where the kind is taken.
func (j *Jobs) Handle(kind string, h Handler) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, taken := j.handlers[kind]; taken {
		panic("jobs: two handlers for " + kind)
	}
	j.handlers[kind] = h
}

func (j *Jobs) handler(kind string) Handler {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.handlers[kind]
}

// planeKinds are the kinds that this process can run.
func (j *Jobs) planeKinds() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var kinds []string
	for kind, h := range j.handlers {
		if h.Run != nil {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

// Enqueue queues a job in the caller's transaction. Where the key of the Spec
// is taken it returns the job that is there, whatever has become of it. The
// actor of the transaction's context is kept as who asked for it; none is an
// error. The customer's data key must exist (Keeper.EnsureKey).
func (j *Jobs) Enqueue(tx *db.Tx, s Spec) (Job, error) {
	if err := j.checkSpec(s); err != nil {
		return Job{}, err
	}
	r, err := j.newRow(tx, s)
	if err != nil {
		return Job{}, fmt.Errorf("jobs: enqueue %s: %w", s.Kind, err)
	}
	inserted, err := insertRow(tx, r)
	if err != nil {
		return Job{}, fmt.Errorf("jobs: enqueue %s: %w", s.Kind, err)
	}
	if !inserted {
		there, err := rowByKey(tx, r.Key)
		if err != nil {
			return Job{}, fmt.Errorf("jobs: enqueue %s: %w", s.Kind, err)
		}
		if there == nil {
			return Job{}, fmt.Errorf("jobs: enqueue %s: its key is taken out of sight", s.Kind)
		}
		return j.job(there)
	}
	if s.Supersedes != "" {
		if err := j.supersede(tx, r); err != nil {
			return Job{}, fmt.Errorf("jobs: enqueue %s: %w", s.Kind, err)
		}
	}
	j.wake(tx, r)
	return j.job(r)
}

// supersede ends the older queued jobs of r's supersede key.
func (j *Jobs) supersede(tx *db.Tx, r *row) error {
	older, err := supersededBy(tx, r)
	if err != nil {
		return err
	}
	for _, id := range older {
		o, err := rowByID(tx, id)
		if err != nil {
			return err
		}
		if err := j.move(tx, o, Superseded, nil); err != nil {
			return err
		}
	}
	return nil
}

func (j *Jobs) checkSpec(s Spec) error {
	switch {
	case !s.Executor.Valid():
		return fmt.Errorf("jobs: enqueue %s: unknown executor %q", s.Kind, s.Executor)
	case s.Executor == Agent && !wire.Action(s.Kind).Valid():
		return fmt.Errorf("jobs: enqueue: unknown action %q", s.Kind)
	case s.Executor == Agent && s.Server == "":
		return fmt.Errorf("jobs: enqueue %s: no server", s.Kind)
	case s.Executor == Plane && j.handler(s.Kind).Run == nil:
		return fmt.Errorf("jobs: enqueue: no handler runs %q", s.Kind)
	case s.Timeout < 0 || s.MaxAttempts < 0:
		return fmt.Errorf("jobs: enqueue %s: negative timeout or attempts", s.Kind)
	}
	return nil
}

func (j *Jobs) newRow(tx *db.Tx, s Spec) (*row, error) {
	actor, ok := controlplane.ActorFrom(tx.Context())
	if !ok {
		return nil, fmt.Errorf("no actor in the context")
	}
	r := &row{
		ID: controlplane.NewID(controlplane.PrefixJob), Kind: s.Kind, Executor: string(s.Executor), Server: s.Server, Customer: s.Customer,
		Resource: s.Resource, Key: s.Key, Supersedes: s.Supersedes, Subject: s.Subject, Title: s.Title, State: Queued,
		MaxAttempts: s.MaxAttempts, NotBefore: controlplane.Millis(s.NotBefore), ExpiresAt: controlplane.Millis(s.ExpiresAt),
		TimeoutMillis: s.Timeout.Milliseconds(), CreatedAt: tx.NowMillis(), ActorKind: string(actor.Kind), ActorID: actor.ID,
	}
	if r.Key == "" {
		r.Key = r.ID
	}
	if r.Title == "" {
		r.Title = "job." + s.Kind
	}
	if s.Executor == Agent && r.ExpiresAt == 0 {
		r.ExpiresAt = max(tx.NowMillis(), r.NotBefore) + DefaultExpiry.Milliseconds()
	}
	if s.Executor == Plane && r.TimeoutMillis == 0 {
		r.TimeoutMillis = DefaultTimeout.Milliseconds()
	}
	if r.MaxAttempts == 0 {
		r.MaxAttempts = DefaultAttempts
		if r.restart() == wire.AtMostOnce {
			r.MaxAttempts = 1
		}
	}
	params, err := json.Marshal(s.Params)
	if err != nil {
		return nil, err
	}
	r.Params, err = j.seal(r, "params", params)
	return r, err
}
