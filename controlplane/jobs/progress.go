package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane/bus"
	"ostler/controlplane/db"
)

// progressEvery is how often a job's progress is written.
const progressEvery = time.Second

// Bounds of what is kept of a report, in bytes.
const (
	maxStep    = 64
	maxCurrent = 4 << 10
)

// reported is whose report of which job: no server touches what is kept of
// another one's, whatever job it names.
type reported struct{ server, job string }

// progress is what this process knows of one job's reports.
type progress struct {
	server, agent string
	newest        wire.Progress
	waiting       bool // newest is not written yet
	writtenAt     time.Time
}

// Progress takes an agent's report: the newest counts. The first one starts the
// job and is written at once, later ones at most every second and together.
func (j *Jobs) Progress(ctx context.Context, server, agent string, p wire.Progress) error {
	now := db.SystemClock{}.Now() // of the process: it only spaces writes
	p.Step, p.Current = strings.Clone(p.Step[:min(len(p.Step), maxStep)]), strings.Clone(p.Current[:min(len(p.Current), maxCurrent)])
	about := reported{server, p.Job}
	j.mu.Lock()
	known := j.progress[about]
	if known == nil || known.newest.Epoch < p.Epoch {
		known = &progress{server: server, agent: agent}
		j.progress[about] = known
	}
	if known.agent != agent || p.Epoch < known.newest.Epoch || p.Seq < known.newest.Seq {
		j.mu.Unlock()
		return nil
	}
	known.newest, known.waiting = p, true
	if now.Sub(known.writtenAt) < progressEvery {
		j.mu.Unlock()
		return nil // flushProgress writes it
	}
	known.waiting, known.writtenAt = false, now
	j.mu.Unlock()
	err := j.writeProgress(ctx, []progress{{server: server, agent: agent, newest: p}})
	if err != nil {
		return fmt.Errorf("jobs: progress: %w", err)
	}
	return nil
}

// flushProgress writes what waits, in one transaction.
func (j *Jobs) flushProgress(ctx context.Context) error {
	now := db.SystemClock{}.Now()
	var batch []progress
	j.mu.Lock()
	for about, p := range j.progress {
		switch {
		case p.waiting && now.Sub(p.writtenAt) >= progressEvery:
			p.waiting, p.writtenAt = false, now
			batch = append(batch, *p)
		case !p.waiting && now.Sub(p.writtenAt) > time.Hour:
			delete(j.progress, about)
		}
	}
	j.mu.Unlock()
	if err := j.writeProgress(ctx, batch); err != nil {
		return fmt.Errorf("jobs: progress: %w", err)
	}
	return nil
}

func (j *Jobs) forgetProgress(server, job string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.progress, reported{server, job})
}

func (j *Jobs) writeProgress(ctx context.Context, batch []progress) error {
	if len(batch) == 0 {
		return nil
	}
	return j.db.Claim(ctx, func(tx *db.Tx) error {
		for _, p := range batch {
			if err := j.storeProgress(tx, p); err != nil && !errors.Is(err, errMoved) {
				return err
			}
		}
		return nil
	})
}

func (j *Jobs) storeProgress(tx *db.Tx, p progress) error {
	r, err := lockedRow(tx, p.newest.Job)
	if err != nil {
		return err
	}
	late := r != nil && r.Lost == 1 // it was said before the agent came back and did not know the job
	if r == nil || late || !mine(r, p.server, p.agent, p.newest.Epoch) || r.State != Accepted && r.State != Running {
		j.forgetProgress(p.server, p.newest.Job) // a host may name any job, and as many as it likes
		return nil
	}
	text, err := json.Marshal(p.newest)
	if err != nil {
		return err
	}
	sealed, err := j.seal(r, "progress", text)
	if err != nil {
		return err
	}
	change := func(r *row) {
		r.Progress, r.Lost = sealed, 0
		r.LeaseUntil = tx.NowMillis() + runLease(r).Milliseconds()
	}
	if r.State == Accepted {
		return j.move(tx, r, Running, func(r *row) { change(r); r.StartedAt = tx.NowMillis() })
	}
	change(r)
	if err := save(tx, r, r.State, r.Epoch); err != nil {
		return err
	}
	tx.AfterCommit(func() { j.publish(bus.TopicJob(r.ID)) })
	return nil
}
