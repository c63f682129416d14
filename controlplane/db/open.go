package db

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/glebarez/sqlite"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

func gormConfig() *gorm.Config {
	return &gorm.Config{
		Logger:                 logger.Discard,
		TranslateError:         true,
		SkipDefaultTransaction: true,
		PrepareStmt:            false,
	}
}

// openSQLite opens one writer connection (BEGIN IMMEDIATE) and a few readers
// on a write-ahead log with synchronous=FULL.
func (d *DB) openSQLite(path string) error {
	d.dialect = SQLite
	if d.clock == nil {
		d.clock = SystemClock{}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("db: %w", err)
	}
	if err := d.lock(path + ".lock"); err != nil {
		return err
	}
	if f, err := os.OpenFile(path, os.O_CREATE, 0o600); err != nil {
		return fmt.Errorf("db: %w", err)
	} else if err := f.Close(); err != nil {
		return fmt.Errorf("db: %w", err)
	}
	pragmas := url.Values{"_pragma": {
		"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "temp_store(2)", "cache_size(-32000)",
	}, "_txlock": {"immediate"}}
	var err error
	if d.write, err = d.pool("file:"+path+"?"+pragmas.Encode(), 1); err != nil {
		return err
	}
	pool, err := d.write.DB()
	if err != nil {
		return fmt.Errorf("db: open sqlite: %w", err)
	}
	d.writer = newWriter(pool)
	pragmas.Add("_pragma", "query_only(1)")
	pragmas.Set("_txlock", "deferred")
	d.read, err = d.pool("file:"+path+"?"+pragmas.Encode(), max(4, runtime.NumCPU()))
	return err
}

func (d *DB) pool(dsn string, conns int) (*gorm.DB, error) {
	g, err := gorm.Open(sqlite.Open(dsn), gormConfig())
	if err != nil {
		return nil, fmt.Errorf("db: open sqlite: %w", err)
	}
	sqlDB, err := g.DB()
	if err != nil {
		return nil, fmt.Errorf("db: open sqlite: %w", err)
	}
	sqlDB.SetMaxOpenConns(conns)
	sqlDB.SetMaxIdleConns(conns)
	d.closers = append(d.closers, sqlDB.Close)
	return g, nil
}

// lock keeps a second plane off the same file: SQLite means one replica.
func (d *DB) lock(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("db: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return fmt.Errorf("db: %s is held by another process: SQLite takes one control plane at a time; stop the other one, or use PostgreSQL: %w", path, err)
	}
	d.closers = append(d.closers, f.Close)
	return nil
}

func (d *DB) openPostgres(ctx context.Context, dsn string) error {
	d.dialect = Postgres
	g, err := gorm.Open(postgres.New(postgres.Config{DSN: dsn}), gormConfig())
	if err != nil {
		return fmt.Errorf("db: open postgres: %w", err)
	}
	sqlDB, err := g.DB()
	if err != nil {
		return fmt.Errorf("db: open postgres: %w", err)
	}
	d.closers = append(d.closers, sqlDB.Close)
	sqlDB.SetMaxOpenConns(4 * max(4, runtime.NumCPU()))
	sqlDB.SetMaxIdleConns(4)
	sqlDB.SetConnMaxIdleTime(5 * time.Minute)
	d.write, d.read = g, g
	// Row-level security does not hold for such a role, and nothing would show it.
	var role string
	var free bool
	err = sqlDB.QueryRowContext(ctx, "SELECT rolname, rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user").Scan(&role, &free)
	switch {
	case err != nil:
		return fmt.Errorf("db: open postgres: %w", err)
	case free:
		return fmt.Errorf("db: the role %s passes by row-level security: connect as a role that is NOSUPERUSER and NOBYPASSRLS and owns the database", role)
	}
	return nil
}
