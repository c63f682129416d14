package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"gorm.io/gorm"
)

// Bounds of what shares one commit.
const (
	maxTogether = 64
	togetherFor = 10 * time.Millisecond
)

// writer gives out SQLite's one writing connection. Who waits for it at the
// same time shares a transaction, each behind a savepoint of its own, and so
// one commit: to wait for the disk takes longer than all else that a
// transaction does. Nobody is told of success before that commit, and where it
// fails everybody runs again, alone. A transaction that meets no other one is
// begun and committed as ever.
type writer struct {
	pool    *sql.DB
	turn    chan struct{} // holds one token: whoever took it has the connection
	waiting atomic.Int64  // for the turn
	open    *together     // what is not committed yet; of whoever has the turn
}

// together is one transaction of several writers.
type together struct {
	conn    *sql.Conn
	since   time.Time
	members int
	done    chan struct{}
	err     error // of the commit; set before done is closed
}

func newWriter(pool *sql.DB) *writer {
	w := &writer{pool: pool, turn: make(chan struct{}, 1)}
	w.turn <- struct{}{}
	return w
}

// errAlone says that what was shared came to nothing.
var errAlone = errors.New("db: the shared transaction was rolled back")

// do runs fn in a transaction, shared or its own, and returns when that is
// committed. fn may run twice.
func (w *writer) do(ctx context.Context, fn func(gorm.ConnPool) error) error {
	err := w.share(ctx, fn, false)
	if errors.Is(err, errAlone) {
		err = w.share(ctx, fn, true)
	}
	return err
}

func (w *writer) share(ctx context.Context, fn func(gorm.ConnPool) error, alone bool) error {
	if err := w.take(ctx); err != nil {
		return fmt.Errorf("db: begin: %w", err)
	}
	if alone && w.open != nil {
		w.commit()
	}
	t, err := w.join(ctx)
	if err != nil {
		w.pass()
		return fmt.Errorf("db: begin: %w", err)
	}
	first := t.members == 1
	err = w.member(ctx, t, fn, alone)
	if first && err != nil {
		return err // it was rolled back, and nobody else was in it
	}
	<-t.done
	switch {
	case t.err == nil:
		return err
	case first && t.members == 1: // nobody else was in it
		return fmt.Errorf("db: commit: %w", t.err)
	}
	return errAlone
}

// take waits for the turn.
func (w *writer) take(ctx context.Context) error {
	w.waiting.Add(1)
	select {
	case <-w.turn:
		w.waiting.Add(-1)
		return nil
	case <-ctx.Done():
	}
	w.waiting.Add(-1)
	go func() { // somebody may have left a transaction open for us
		<-w.turn
		w.next(false)
	}()
	return ctx.Err()
}

func (w *writer) pass() { w.turn <- struct{}{} }

// join begins a transaction, or a part of the one that is open.
func (w *writer) join(ctx context.Context) (*together, error) {
	if t := w.open; t != nil {
		_, err := t.conn.ExecContext(context.WithoutCancel(ctx), "SAVEPOINT member")
		if err == nil {
			t.members++
			return t, nil
		}
		w.abandon(err)
	}
	conn, err := w.pool.Conn(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := conn.ExecContext(context.WithoutCancel(ctx), "BEGIN IMMEDIATE"); err != nil {
		_ = conn.Close() // there is an error to return already
		return nil, err
	}
	w.open = &together{conn: conn, since: time.Now(), members: 1, done: make(chan struct{})}
	return w.open, nil
}

// member runs fn as a part of t, undoes it where it fails, panics or ends its
// goroutine, and passes the turn on.
func (w *writer) member(ctx context.Context, t *together, fn func(gorm.ConnPool) error, alone bool) (err error) {
	first, good := t.members == 1, false
	defer func() {
		switch {
		case first && !good:
			w.abandon(errAlone)
		case !first:
			w.end(ctx, t, good)
		}
		w.next(alone)
	}()
	if err = fn(liteTx{t.conn}); err == nil {
		err = ctx.Err()
	}
	good = err == nil
	return err
}

// end keeps or undoes the part of a later member.
func (w *writer) end(ctx context.Context, t *together, good bool) {
	ctx = context.WithoutCancel(ctx)
	var err error
	if !good {
		_, err = t.conn.ExecContext(ctx, "ROLLBACK TO member")
	}
	if err == nil {
		_, err = t.conn.ExecContext(ctx, "RELEASE member")
	}
	if err != nil { // SQLite has rolled all of it back: a full disk, say
		w.abandon(err)
	}
}

// next commits what is open, unless somebody waits who may share it.
func (w *writer) next(alone bool) {
	if t := w.open; t != nil && (alone || w.waiting.Load() == 0 || t.members >= maxTogether || time.Since(t.since) >= togetherFor) {
		w.commit()
	}
	w.pass()
}

// commit commits what is open.
func (w *writer) commit() {
	t := w.open
	w.open = nil
	if _, t.err = t.conn.ExecContext(context.Background(), "COMMIT"); t.err != nil {
		_, _ = t.conn.ExecContext(context.Background(), "ROLLBACK") // it may be rolled back already
	}
	_ = t.conn.Close() // it goes back to the pool
	close(t.done)
}

// abandon rolls back what is open.
func (w *writer) abandon(why error) {
	t := w.open
	w.open = nil
	_, _ = t.conn.ExecContext(context.Background(), "ROLLBACK") // it may be rolled back already
	_ = t.conn.Close()                                          // it goes back to the pool
	t.err = why
	close(t.done)
}

// liteTx is the connection of a shared transaction, as gorm uses one.
type liteTx struct{ *sql.Conn }

var errNotOurs = errors.New("db: a shared transaction is not ended by one of its members")

// Commit implements gorm.TxCommitter.
func (liteTx) Commit() error { return errNotOurs }

// Rollback implements gorm.TxCommitter.
func (liteTx) Rollback() error { return errNotOurs }

// onceLite is once for SQLite's writer. Its statements are not interrupted when
// the caller goes away: that would roll back what others share, and the driver
// would start a watcher for each. The end of it all is.
func (d *DB) onceLite(ctx context.Context, fn func(*Tx) error) error {
	start := time.Now()
	var tx *Tx
	err := d.writer.do(ctx, func(conn gorm.ConnPool) error {
		session := d.write.Session(&gorm.Session{NewDB: true, Context: context.WithoutCancel(ctx)})
		session.Statement.ConnPool = conn
		tx = &Tx{DB: session, Now: d.clock.Now().UTC().Truncate(time.Millisecond), ctx: context.WithValue(ctx, inTx{}, true), dialect: d.dialect}
		return fn(tx)
	})
	if err != nil {
		return err
	}
	d.committed(ctx, tx, start)
	return nil
}
