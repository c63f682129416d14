// Package db opens the one database of a control plane, SQLite or PostgreSQL,
// and gives out its transactions. It keeps true that every transaction has one
// Now, that writes are serializable and repeatable, and that a contact's
// transaction on PostgreSQL sees that customer's rows only.
package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/gorm"

	"ostler/controlplane"
)

// Dialect is the database engine.
type Dialect string

// The engines.
const (
	SQLite   Dialect = "sqlite"
	Postgres Dialect = "postgres"
)

// Clock tells the time of transactions. SQL never calls now().
type Clock interface{ Now() time.Time }

// SystemClock is the clock of the process (a fake one inside testing/synctest).
type SystemClock struct{}

// Now returns the process's time in UTC.
func (SystemClock) Now() time.Time { return time.Now().UTC() }

// Options says which database to open.
type Options struct {
	// URL is "sqlite:/path/to/file.db" or "postgres://...".
	URL string
	// Clock is the time of transactions. nil means the process's clock on
	// SQLite and the server's clock_timestamp() on PostgreSQL.
	Clock Clock
	// Log receives retries and slow transactions; nil discards.
	Log *slog.Logger
}

// DB is an open database.
type DB struct {
	dialect Dialect
	write   *gorm.DB
	read    *gorm.DB // the same as write on PostgreSQL
	writer  *writer  // of SQLite
	clock   Clock    // nil: ask PostgreSQL
	log     *slog.Logger
	closers []func() error
}

// Open opens the database at o.URL. A SQLite file is created where it is
// missing, and locked: a second process gets an error that says who is first.
func Open(ctx context.Context, o Options) (*DB, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	scheme, rest, _ := strings.Cut(o.URL, ":")
	d := &DB{clock: o.Clock, log: o.Log}
	var err error
	switch scheme {
	case "sqlite":
		err = d.openSQLite(strings.TrimPrefix(rest, "//"))
	case "postgres", "postgresql":
		err = d.openPostgres(ctx, o.URL)
	default:
		err = fmt.Errorf("db: unknown database %q: want sqlite:/path or postgres://", scheme)
	}
	if err != nil {
		_ = d.Close()
		return nil, err
	}
	return d, nil
}

// Dialect returns the engine.
func (d *DB) Dialect() Dialect { return d.dialect }

// Close closes the connections and gives up the file lock.
func (d *DB) Close() error {
	var errs []error
	for i := len(d.closers) - 1; i >= 0; i-- {
		errs = append(errs, d.closers[i]())
	}
	d.closers = nil
	return errors.Join(errs...)
}

// Ping asks the database for a sign of life.
func (d *DB) Ping(ctx context.Context) error {
	sqlDB, err := d.read.DB()
	if err != nil {
		return fmt.Errorf("db: ping: %w", err)
	}
	if err := sqlDB.PingContext(ctx); err != nil {
		return fmt.Errorf("db: ping: %w", err)
	}
	return nil
}

// Tx is one transaction with its Now. Its embedded gorm session carries the
// caller's context.
type Tx struct {
	*gorm.DB
	// Now is the instant of the whole transaction, UTC, in whole milliseconds.
	Now time.Time

	ctx     context.Context
	dialect Dialect
	after   []func()
}

// Context returns the caller's context, marked so that a nested Write panics.
func (tx *Tx) Context() context.Context { return tx.ctx }

// Dialect returns the engine.
func (tx *Tx) Dialect() Dialect { return tx.dialect }

// NowMillis returns Now as Unix milliseconds.
func (tx *Tx) NowMillis() int64 { return tx.Now.UnixMilli() }

// AfterCommit has fn called once, after this transaction has committed.
// Wake-ups go here: a lost one costs latency only.
func (tx *Tx) AfterCommit(fn func()) { tx.after = append(tx.after, fn) }

// AtEnd runs a statement whose result nobody in this transaction looks at, such
// as one that every change ends with: now, or with the commit. PostgreSQL gets
// it together with the commit, so that one answer is waited for; what is wrong
// with it is an error of the commit then (see Flush). query has the engine's own
// placeholders.
func (tx *Tx) AtEnd(query string, args ...any) error {
	if t, ok := tx.Statement.ConnPool.(*pgTx); ok {
		return t.later(statement{query, args})
	}
	// A row is too short to interrupt, and the driver would start a watcher for it.
	_, err := tx.Statement.ConnPool.ExecContext(context.WithoutCancel(tx.ctx), query, args...)
	return err
}

// Flush has the statements of AtEnd be done now.
func (tx *Tx) Flush() error {
	if t, ok := tx.Statement.ConnPool.(*pgTx); ok && len(t.last) > 0 {
		return t.send("")
	}
	return nil
}

// SkipLocked is the tail of a claiming SELECT: rows that another replica holds
// are passed over. SQLite has one writer and needs none.
func (tx *Tx) SkipLocked() string {
	if tx.dialect == Postgres {
		return " FOR UPDATE SKIP LOCKED"
	}
	return ""
}

type inTx struct{}

const (
	maxAttempts = 8
	slowTx      = 2 * time.Second
)

// Write runs fn in a serializable transaction and commits it. fn may run more
// than once (40001 on PostgreSQL): it must be repeatable and touch nothing
// outside. A nested Write panics.
func (d *DB) Write(ctx context.Context, fn func(*Tx) error) error {
	return d.run(ctx, d.write, &sql.TxOptions{Isolation: sql.LevelSerializable}, fn)
}

// Claim is Write at READ COMMITTED, for taking rows with SkipLocked.
func (d *DB) Claim(ctx context.Context, fn func(*Tx) error) error {
	return d.run(ctx, d.write, &sql.TxOptions{Isolation: sql.LevelReadCommitted}, fn)
}

// Read runs fn on one snapshot of the database; a write in it is an error.
func (d *DB) Read(ctx context.Context, fn func(*Tx) error) error {
	return d.run(ctx, d.read, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}, fn)
}

func (d *DB) run(ctx context.Context, g *gorm.DB, opts *sql.TxOptions, fn func(*Tx) error) error {
	if ctx.Value(inTx{}) != nil {
		panic("db: nested transaction: pass the *db.Tx instead")
	}
	if d.dialect == SQLite {
		opts = &sql.TxOptions{} // one writer, WAL snapshots: serializable already
	}
	var err error
	for attempt := range maxAttempts {
		if attempt > 0 {
			d.log.DebugContext(ctx, "db.retry", "attempt", attempt, "error", err)
			if werr := sleep(ctx, time.Duration(1+rand.IntN(5<<attempt))*time.Millisecond); werr != nil {
				return fmt.Errorf("db: %w", werr)
			}
		}
		if err = d.once(ctx, g, opts, fn); IsFull(err) {
			return controlplane.Errorf(controlplane.CodeUnavailable, "Make room on the disk of the control plane's database, then try again. Nothing was changed.",
				"The control plane's disk is full").Because(err)
		}
		if !retryable(err) {
			return err
		}
	}
	return fmt.Errorf("db: gave up after %d attempts: %w", maxAttempts, err)
}

func (d *DB) once(ctx context.Context, g *gorm.DB, opts *sql.TxOptions, fn func(*Tx) error) (err error) {
	if d.dialect == SQLite && g == d.write {
		return d.onceLite(ctx, fn)
	}
	tx := &Tx{ctx: context.WithValue(ctx, inTx{}, true), dialect: d.dialect}
	start := time.Now()
	session, err := d.start(ctx, g, opts)
	if err != nil {
		return fmt.Errorf("db: begin: %w", err)
	}
	done := false
	defer func() {
		if !done { // error or panic
			session.Rollback()
		}
	}()
	tx.DB = session
	if tx.Now, err = d.begin(ctx, session); err != nil {
		return err
	}
	if err = fn(tx); err != nil {
		return err
	}
	done = true
	if err = session.Commit().Error; err != nil {
		return fmt.Errorf("db: commit: %w", err)
	}
	d.committed(ctx, tx, start)
	return nil
}

// committed does what is left to do when a transaction is committed.
func (d *DB) committed(ctx context.Context, tx *Tx, start time.Time) {
	if took := time.Since(start); took > slowTx {
		d.log.WarnContext(ctx, "db.slow", "took_ms", took.Milliseconds())
	}
	for _, f := range tx.after {
		f()
	}
}

// start begins a transaction.
func (d *DB) start(ctx context.Context, g *gorm.DB, opts *sql.TxOptions) (*gorm.DB, error) {
	if d.dialect == Postgres {
		return beginPostgres(ctx, g, opts)
	}
	session := g.WithContext(ctx).Begin(opts)
	return session, session.Error
}

// begin reads the clock and, on PostgreSQL, narrows a contact's transaction to
// their customer's rows (row-level security reads ostler.customer).
func (d *DB) begin(ctx context.Context, session *gorm.DB) (time.Time, error) {
	if d.dialect == SQLite {
		return d.clock.Now().UTC().Truncate(time.Millisecond), nil
	}
	var now time.Time
	var set string
	row := session.Raw("SELECT clock_timestamp(), set_config('ostler.customer', ?, true)", rowScope(ctx)).Row()
	if err := row.Scan(&now, &set); err != nil {
		return now, fmt.Errorf("db: begin: %w", err)
	}
	if d.clock != nil {
		now = d.clock.Now()
	}
	return now.UTC().Truncate(time.Millisecond), nil
}

// allRows is the row scope of everybody but contacts and auditors.
const allRows = "*"

// rowScope is the customer whose rows a transaction may see (an auditor's, with
// commas between them), or allRows.
func rowScope(ctx context.Context) string {
	a, _ := controlplane.ActorFrom(ctx)
	var own []string
	switch a.Kind {
	case controlplane.ActorContact:
		own = []string{a.Customer}
	case controlplane.ActorAuditor:
		own = a.Own()
	default:
		return allRows
	}
	return strings.Join(slices.DeleteFunc(own, func(id string) bool { return id == "" || strings.ContainsAny(id, allRows+",") }), ",") // no customer has such an id
}

// Now returns the time of the database's clock outside any transaction.
func (d *DB) Now(ctx context.Context) (time.Time, error) {
	if d.clock != nil {
		return d.clock.Now().UTC().Truncate(time.Millisecond), nil
	}
	var now time.Time
	err := d.Read(ctx, func(tx *Tx) error { now = tx.Now; return nil })
	return now, err
}

// retryable reports whether err is a serialization failure or a deadlock.
func retryable(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "40001" || pg.Code == "40P01")
}

// IsFull reports whether err says that the database's disk is full.
func IsFull(err error) bool {
	var pg *pgconn.PgError
	var lite interface{ Code() int } // SQLite's, extended: the low byte is SQLITE_FULL
	return errors.As(err, &pg) && pg.Code == "53100" || errors.As(err, &lite) && lite.Code()&0xff == 13
}

// IsDuplicate reports whether err says that a unique key is taken.
func IsDuplicate(err error) bool { return errors.Is(err, gorm.ErrDuplicatedKey) }

// IsNotFound reports whether err says that there is no such row.
func IsNotFound(err error) bool { return errors.Is(err, gorm.ErrRecordNotFound) }

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
