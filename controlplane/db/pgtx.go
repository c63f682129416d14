package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/gorm"
)

const (
	maxLast      = 64 // statements that wait for the commit
	rollbackWait = 5 * time.Second
	beginTries   = 3 // connections that may turn out to be gone
)

// statement waits for the commit.
type statement struct {
	query string
	args  []any
}

// pgTx is a transaction on a PostgreSQL connection, as gorm uses one.
// database/sql has its own, but nothing can go to the server together with its
// commit. A connection that comes back with an open transaction is thrown away
// by the driver before anybody else gets it.
type pgTx struct {
	ctx  context.Context // the transaction's
	conn *sql.Conn
	last []statement
}

// beginPostgres begins a transaction.
func beginPostgres(ctx context.Context, g *gorm.DB, opts *sql.TxOptions) (*gorm.DB, error) {
	pool, err := g.DB()
	if err != nil {
		return nil, err
	}
	begin := "BEGIN ISOLATION LEVEL " + opts.Isolation.String()
	if opts.ReadOnly {
		begin += " READ ONLY"
	}
	for try := 1; ; try++ {
		conn, err := pool.Conn(ctx)
		if err != nil {
			return nil, err
		}
		if _, err = conn.ExecContext(ctx, begin); err == nil {
			session := g.Session(&gorm.Session{NewDB: true, Context: ctx})
			session.Statement.ConnPool = &pgTx{ctx: ctx, conn: conn}
			return session, nil
		}
		_ = conn.Close()
		if !errors.Is(err, driver.ErrBadConn) || try == beginTries {
			return nil, err
		}
	}
}

func (t *pgTx) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	return t.conn.PrepareContext(ctx, query)
}

func (t *pgTx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return t.conn.ExecContext(ctx, query, args...)
}

func (t *pgTx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return t.conn.QueryContext(ctx, query, args...)
}

func (t *pgTx) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return t.conn.QueryRowContext(ctx, query, args...)
}

// Commit sends what waits and the commit, and waits for their answers at once.
// Where any of it fails, the transaction is rolled back.
func (t *pgTx) Commit() error {
	err := t.ctx.Err()
	if err == nil {
		err = t.send("COMMIT")
	}
	if err != nil {
		_ = t.Rollback() // there is an error to return already
		return err
	}
	_ = t.conn.Close() // it is committed
	return nil
}

// Rollback gives up the transaction and its connection.
func (t *pgTx) Rollback() error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.ctx), rollbackWait)
	defer cancel()
	_, err := t.conn.ExecContext(ctx, "ROLLBACK")
	return errors.Join(err, t.conn.Close())
}

// later has a statement wait for the commit.
func (t *pgTx) later(s statement) error {
	if t.last = append(t.last, s); len(t.last) < maxLast {
		return nil
	}
	return t.send("")
}

// send sends what waits and one more statement, "" for none, in one go.
func (t *pgTx) send(end string) error {
	var b pgx.Batch
	for _, s := range t.last {
		b.Queue(s.query, s.args...)
	}
	if end != "" {
		b.Queue(end)
	}
	t.last = nil
	return t.conn.Raw(func(c any) error {
		conn, ok := c.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("the connection is a %T", c)
		}
		answers := conn.Conn().SendBatch(t.ctx, &b)
		var tag pgconn.CommandTag
		var err error
		for i := 0; i < b.Len() && err == nil; i++ {
			tag, err = answers.Exec()
		}
		if closed := answers.Close(); err == nil {
			err = closed
		}
		if err == nil && end != "" && tag.String() == "ROLLBACK" { // an error in it was passed over
			return pgx.ErrTxCommitRollback
		}
		return err
	})
}
