package backups

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/jobs"
	"ostler/controlplane/policy"
)

// SnapshotFilter narrows a list of snapshots; its zero value is all of
// the scope that the store has.
type SnapshotFilter struct {
	Customer, Server, Plan string
	Gone                   bool // those that the store has no more, instead of those that it has
	Limit                  int  // at most 200; 0 means 50
	PageToken              string
}

// Snapshots lists snapshots by arrival, newest first, and the token of the next
// page ("" at the end). Permission: snapshot.read.
func (s *Service) Snapshots(ctx context.Context, scope policy.Scope, f SnapshotFilter) ([]Snapshot, string, error) {
	if f.Limit <= 0 || f.Limit > 200 {
		f.Limit = 50
	}
	var before int64
	var beforeID string
	if f.PageToken != "" {
		if _, err := fmt.Sscanf(f.PageToken, "%d.%s", &before, &beforeID); err != nil {
			return nil, "", controlplane.Invalid(controlplane.Field{Pointer: "/page_token", Message: "Use the token of the page before."})
		}
	}
	var rows []snapshotRow
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		rows, err = snapshotPage(tx, scope, f, before, beforeID)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	next := ""
	if len(rows) > f.Limit {
		rows = rows[:f.Limit]
		last := rows[f.Limit-1]
		next = fmt.Sprintf("%d.%s", last.ArrivedAt, last.ID)
	}
	out := make([]Snapshot, len(rows))
	for i, r := range rows {
		out[i] = r.value()
	}
	return out, next, nil
}

// Snapshot returns one snapshot. Permission: snapshot.read.
func (s *Service) Snapshot(ctx context.Context, scope policy.Scope, id string) (Snapshot, error) {
	var out Snapshot
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		row, err := db.One[snapshotRow](tx, scope, "snapshot", id)
		out = row.value()
		return err
	})
	return out, err
}

// Folder is one folder of a snapshot, as far as it is known.
type Folder struct {
	Snapshot Snapshot
	Path     []byte
	// Job is the live listing; its state says whether Listing is there.
	Job     jobs.Job
	Listing *wire.Listing // nil until the job has succeeded
	// Source says where Listing comes from; there is no Job of the catalogue's.
	Source Source
	// Why is the text key of why the server was asked; "" of the catalogue's.
	Why string
}

const (
	listExpiry = 30 * time.Second
	listLimit  = 5000
	// maxOpenLists bounds the listings that one customer may have under way:
	// each starts restic on a server, which others may live on too.
	maxOpenLists = 20
)

// Browse lists one folder of a snapshot by a live job on the server, and waits
// for it at most wait. The answer of a job that succeeded serves again: a
// snapshot never changes. Permission: file.read. Errors: not_found, too many.
func (s *Service) Browse(ctx context.Context, scope policy.Scope, snapshot string, dir []byte, wait time.Duration) (Folder, error) {
	f := Folder{Path: cleanPath(dir)}
	var err error
	if f.Snapshot, err = s.Snapshot(ctx, scope, snapshot); err != nil {
		return f, err
	}
	job, err := s.listJob(ctx, scope, f)
	if err != nil {
		return f, err
	}
	if f.Job, err = s.jobs.Wait(ctx, scope, job, wait); err != nil {
		return f, err
	}
	if f.Job.State != jobs.Succeeded {
		return f, nil
	}
	f.Listing = &wire.Listing{}
	if err := json.Unmarshal(f.Job.Result, f.Listing); err != nil {
		return f, fmt.Errorf("backups: browse: %w", err)
	}
	return f, nil
}

// cleanPath makes a path absolute and lexically clean; bytes stay as they are.
func cleanPath(p []byte) []byte { return []byte(path.Clean("/" + string(p))) }

// listJob returns the id of the listing's job: the one that answered or is
// under way, else a new one.
func (s *Service) listJob(ctx context.Context, scope policy.Scope, f Folder) (string, error) {
	hash := s.pathHash(f.Path)
	var known listingRow
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		rows, err := db.Where[listingRow](tx, scope, "asked_at", 1, "snapshot_id = ? AND path_hash = ?", f.Snapshot.ID, hash)
		if len(rows) == 1 {
			known = rows[0]
		}
		return err
	})
	if err != nil {
		return "", err
	}
	if known.JobID != "" {
		job, err := s.jobs.Get(ctx, scope, known.JobID)
		if err == nil && (!job.State.Terminal() || job.State == jobs.Succeeded) {
			return job.ID, nil
		}
	}
	open, _, err := s.jobs.List(ctx, scope, jobs.Filter{Customer: f.Snapshot.Customer, Kinds: []string{string(wire.ActionList)}, Open: true, Limit: maxOpenLists})
	if err != nil {
		return "", err
	}
	if len(open) >= maxOpenLists {
		return "", controlplane.Errorf(controlplane.CodeTooMany, "Wait until the server has answered, half a minute at most, and try again.", "You have asked for %d folders at once", len(open))
	}
	var id string
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		repo, err := db.One[repositoryRow](tx, scope, "repository", f.Snapshot.Repository)
		if err != nil {
			return err
		}
		wr, err := s.wireRepository(tx, repo)
		if err != nil {
			return err
		}
		job, err := s.jobs.Enqueue(tx, jobs.Spec{Kind: string(wire.ActionList), Executor: jobs.Agent, Server: repo.ServerID, Customer: repo.CustomerID,
			Resource: "read:" + hash[:16], Key: fmt.Sprintf("list:%s:%s:%d", f.Snapshot.ID, hash, tx.NowMillis()), Subject: f.Snapshot.ID,
			Params:    wire.ListParams{Repository: wr, SnapshotID: f.Snapshot.ResticID, Path: f.Path, Limit: listLimit},
			ExpiresAt: tx.Now.Add(listExpiry), Timeout: 2 * time.Minute, MaxAttempts: 1, Title: "job.list"})
		if err != nil {
			return err
		}
		id = job.ID
		row := listingRow{SnapshotID: f.Snapshot.ID, PathHash: hash, CustomerID: repo.CustomerID, JobID: id, AskedAt: tx.NowMillis()}
		return db.Upsert(tx, &row, "snapshot_id", "path_hash")
	})
	return id, err
}

// pathHash stands for a path where it can be seen. It is keyed: names of files
// are easily guessed. The index folds case, so it gets a hash of the bytes.
func (s *Service) pathHash(p []byte) string {
	sum := sha256.Sum256(p)
	return hex.EncodeToString(s.keeper.Index("backup_listings path", hex.EncodeToString(sum[:]))[1:])
}

// LatestSnapshots returns the newest snapshot of each of the servers, as far as
// the scope reaches; a server without one is absent. Permission: snapshot.read.
func (s *Service) LatestSnapshots(ctx context.Context, scope policy.Scope, servers []string) (map[string]Snapshot, error) {
	out := make(map[string]Snapshot, len(servers))
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		clear(out)
		rows, err := latestSnapshots(tx, scope, servers)
		for _, r := range rows {
			out[r.ServerID] = r.value()
		}
		return err
	})
	return out, err
}

// Day is one day of a plan's calendar, in the plan's zone.
type Day struct {
	Date time.Time
	// State is the best run of the day; "" where none was due.
	State RunState
	Runs  int
}

// rank orders runs of a day: the best copy of a day is what a customer has.
var rank = map[RunState]int{RunComplete: 8, RunPartial: 7, RunActive: 6, RunInterrupted: 5, RunFailed: 4, RunMissed: 3, RunCancelled: 2, RunSkipped: 1}

// Calendar returns the last days days of a plan, oldest first. Permission: plan.read.
func (s *Service) Calendar(ctx context.Context, scope policy.Scope, plan Plan, days int) ([]Day, error) {
	zone, err := time.LoadLocation(plan.Zone)
	if err != nil {
		return nil, fmt.Errorf("backups: calendar: %w", err)
	}
	now, err := s.db.Now(ctx)
	if err != nil {
		return nil, err
	}
	y, m, d := now.In(zone).Date()
	first := time.Date(y, m, d-days+1, 0, 0, 0, 0, zone)
	var runs []endedRun
	err = s.db.Read(ctx, func(tx *db.Tx) (err error) {
		runs, err = runsSince(tx, scope, plan.ID, first)
		return err
	})
	if err != nil {
		return nil, err
	}
	type date struct {
		year  int
		month time.Month
		day   int
	}
	dateOf := func(t time.Time) date { y, m, d := t.Date(); return date{y, m, d} }
	out := make([]Day, days)
	index := make(map[date]int, days)
	for i := range out {
		out[i].Date = time.Date(y, m, d-days+1+i, 0, 0, 0, 0, zone)
		index[dateOf(out[i].Date)] = i
	}
	for _, r := range runs {
		i, ok := index[dateOf(controlplane.FromMillis(r.DueAt).In(zone))]
		if !ok {
			continue
		}
		out[i].Runs++
		if rank[r.State] > rank[out[i].State] {
			out[i].State = r.State
		}
	}
	return out, nil
}
