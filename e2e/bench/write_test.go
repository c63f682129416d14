package bench_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"ostler/agents/wire"
	"ostler/backups"
	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/jobs"
	"ostler/controlplane/ledger"
	"ostler/controlplane/secrets"
	"ostler/internal/pgtest"
)

const (
	entryBudget = 1.25
	writeTurns  = 2000
)

// BenchmarkLedgerEntry measures what a ledger entry costs the write that it
// tells of, while the sequencer runs: the smallest write there is (one small
// row), and a write of the product (a person asks for a file).
func BenchmarkLedgerEntry(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) { ledgerEntry(b, "SQLite", dbtest.SQLite(b, db.SystemClock{})) })
	b.Run("postgres", func(b *testing.B) { ledgerEntry(b, "PostgreSQL", durablePostgres(b)) })
}

// durablePostgres is a database of a cluster that syncs, as in production.
func durablePostgres(b *testing.B) *db.DB {
	b.Helper()
	if os.Getenv(pgtest.Env) == "" {
		url, stop, err := pgtest.Start(pgtest.Options{})
		if errors.Is(err, pgtest.ErrMissing) {
			b.Skip(err)
		}
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(stop)
		b.Setenv(pgtest.Env, url)
	}
	return dbtest.Postgres(b, nil)
}

func ledgerEntry(b *testing.B, engine string, d *db.DB) {
	p := newParts(b, d)
	restore := newRestoreWrite(p)
	n := 0
	smallest := func(entry bool) {
		n++
		p.write(func(tx *db.Tx) error {
			err := sqlExec(tx, "INSERT INTO settings (name, value, updated_at) VALUES (?, ?, ?)", fmt.Sprint("bench-", n), []byte("value"), tx.NowMillis())
			if err == nil && entry {
				_, err = p.ledger.Append(tx, ledger.Entry{Customer: restore.customer, Subject: "run_1", Kind: "backup.finished",
					Data: map[string]any{"bytes": int64(n), "outcome": "complete"}})
			}
			return err
		})
	}
	whole := restore.bySlice(writeTurns / 8)
	quiet := p.pairs(smallest) // first without the sequencer: what it adds is its share
	stop := p.sequencer()
	defer stop()
	p.entryFigure(engine+": the smallest write, with its entry", smallest, quiet)
	p.entryFigure(engine+": asking for a file, with its entry", restore.write, pairs{})
	report(b, figure{name: engine + ": asking for a file, by the slice itself", got: micros(whole.median()), unit: "µs", detail: "the same write and its checks, with its entry, while no sequencer runs"})
}

// pairs are the times of a write with its entry and without, turn by turn.
type pairs struct{ with, without times }

func (p *parts) pairs(write func(entry bool)) pairs {
	var out pairs
	for i := range writeTurns {
		for turn := range 2 {
			if entry := (i+turn)%2 == 0; entry { // each goes first as often
				out.with = append(out.with, timed(func() { write(true) }))
			} else {
				out.without = append(out.without, timed(func() { write(false) }))
			}
		}
	}
	return out
}

func (p *parts) entryFigure(name string, write func(entry bool), quiet pairs) {
	p.b.Helper()
	t := p.pairs(write)
	with, without := t.with.median(), t.without.median()
	detail := fmt.Sprintf("%.0f µs, %.0f without", micros(with), micros(without))
	if q := quiet.with.median(); q > 0 {
		detail += fmt.Sprintf("; %.0f, %.0f without while no sequencer runs", micros(q), micros(quiet.without.median()))
	}
	report(p.b, figure{name: name, got: float64(with) / float64(without), budget: entryBudget, unit: "×", detail: detail})
}

// sequencer runs the ledger's until stop is called.
func (p *parts) sequencer() (stop func()) {
	ctx, cancel := context.WithCancel(p.ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := p.ledger.Run(ctx); err != nil {
			p.b.Error(err)
		}
	})
	return func() { cancel(); wg.Wait() }
}

const restorePath = "/srv/shop/orders/2026/november.ods"

// restoreWrite is the write of backups.StartDownload, taken apart so that it
// can be done without its entry: the same look-ups, sealed values, job and row.
// It leaves out what the slice checks first, so the entry weighs more here.
type restoreWrite struct {
	p                                                     *parts
	customer, server, snapshot, repository, store, restic string
}

func newRestoreWrite(p *parts) *restoreWrite {
	b := p.b
	c := must[customers.Customer](b)(p.customers.CreateCustomer(p.ctx, everyone, customers.NewCustomer{Name: "Maple Bakery", Country: "DE", Zone: "Europe/Berlin"}))
	s := must[customers.Server](b)(p.customers.CreateServer(p.ctx, everyone, customers.NewServer{Name: "maple-1", Location: "Frankfurt", Country: "DE"}))
	t := must[customers.Tenancy](b)(p.customers.CreateTenancy(p.ctx, everyone, customers.NewTenancy{Server: s.ID, Customer: c.ID, Paths: []string{"/srv/shop"}}))
	store := p.addStore()
	plan := must[backups.Plan](b)(p.backups.CreatePlan(p.ctx, everyone, backups.PlanInput{Tenancy: t.ID, Name: "Files", Paths: []string{"/srv/shop"}, Cron: "15 2 * * *", Zone: "Europe/Berlin"}))
	w := &restoreWrite{p: p, customer: c.ID, server: s.ID, snapshot: controlplane.NewID(controlplane.PrefixSnapshot), repository: plan.Repository.ID, store: store.ID, restic: fmt.Sprintf("%064x", 1)}
	p.write(func(tx *db.Tx) error { return insertSnapshot(tx, plan, w.snapshot, "run_1", w.restic, tx.Now, 1) })
	return w
}

// insertSnapshot records a snapshot as a run that ends does.
func insertSnapshot(tx *db.Tx, plan backups.Plan, id, run, restic string, at time.Time, n int64) error {
	return sqlExec(tx, `INSERT INTO backup_snapshots (id, customer_id, plan_id, repository_id, server_id, run_id, restic_id, claimed_at, arrived_at,
		outcome, unread_count, files, bytes, added_bytes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		id, plan.Customer, plan.ID, plan.Repository.ID, plan.Server, run, restic, at.UnixMilli(), at.UnixMilli(), "complete", 0, 12_000+n, 3<<30+n, 4<<20+n)
}

// bySlice are the times of the slice's own write. Between two, what was asked
// for is over: the slice lets nobody ask for too much at once.
func (w *restoreWrite) bySlice(turns int) (t times) {
	for range turns {
		t = append(t, timed(func() {
			must[backups.Restore](w.p.b)(w.p.backups.StartDownload(w.p.ctx, everyone, w.snapshot, []byte(restorePath)))
		}))
		w.p.write(func(tx *db.Tx) error {
			return sqlExec(tx, "UPDATE restores SET state = 'expired' WHERE state = 'active'")
		})
	}
	return t
}

func (w *restoreWrite) write(entry bool) {
	p, id := w.p, controlplane.NewID(controlplane.PrefixRestore)
	p.write(func(tx *db.Tx) error {
		for _, q := range []struct{ table, id string }{{"backup_snapshots", w.snapshot}, {"backup_repositories", w.repository}, {"backup_stores", w.store}} {
			rows, err := tx.Raw("SELECT * FROM "+q.table+" WHERE id = ? LIMIT 1", q.id).Rows()
			if err != nil {
				return err
			}
			if err := errors.Join(found(rows), rows.Close()); err != nil {
				return err
			}
		}
		var sealed [2][]byte
		for i, column := range []string{"path", "target"} {
			var err error
			if sealed[i], err = p.keeper.Seal(w.customer, secrets.AD{Table: "restores", Column: column, Row: id}, []byte(restorePath)); err != nil {
				return err
			}
		}
		job, err := p.jobs.Enqueue(tx, jobs.Spec{Kind: string(wire.ActionDownload), Executor: jobs.Agent, Server: w.server, Customer: w.customer, Resource: "restore:" + id,
			Subject: id, Key: "restore:" + id, ExpiresAt: tx.Now.Add(time.Hour), Timeout: 6 * time.Hour, MaxAttempts: 3, Title: "job.download",
			Params: wire.DownloadParams{Repository: wire.Repository{ID: w.repository, StoreURL: "https://127.0.0.1:1", User: w.repository, Name: "main"}, SnapshotID: w.restic, Path: []byte(restorePath), MaxBytes: 20 << 30}})
		if err != nil {
			return err
		}
		err = sqlExec(tx, `INSERT INTO restores (id, customer_id, server_id, snapshot_id, kind, job_id, state, path, target, size, sha256, chunks, failure_cause, created_by,
			created_at, finished_at, expires_at, fetched_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			id, w.customer, w.server, w.snapshot, "download", job.ID, "active", sealed[0], sealed[1], 0, "", 0, "", "con_1", tx.NowMillis(), 0, 0, 0)
		tx.AfterCommit(func() { p.bus.Publish("restore:"+id, "server:"+w.server) })
		if err != nil || !entry {
			return err
		}
		_, err = p.ledger.Append(tx, ledger.Entry{Customer: w.customer, Server: w.server, Subject: id, Kind: "restore.requested",
			Data: map[string]any{"restore_kind": "download", "snapshot": w.snapshot}, Personal: map[string]string{"path": restorePath}})
		return err
	})
}

func found(rows *sql.Rows) error {
	if !rows.Next() {
		return errors.Join(sql.ErrNoRows, rows.Err())
	}
	return rows.Err()
}
