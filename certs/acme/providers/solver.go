package providers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"ostler/certs/acme"
)

// SolverOptions configure a Solver.
type SolverOptions struct {
	Presenter Presenter
	Resolver  Resolver
	// Timeout is how long a record may take until every name server shows it;
	// 0 means 2 min.
	Timeout time.Duration
	// Interval is the time between two looks; 0 means 1 s.
	Interval time.Duration
	// Grace is how long servers that do not answer at all are waited for, once
	// all others show the record; 0 means 10 s.
	Grace time.Duration
	Log   *slog.Logger // nil: none
}

// rewrite is how often the record is written again while it is not visible:
// where another writer of the same name has overwritten it.
const rewrite = 15 * time.Second

// cleanTime is how long a failed Present may take to remove its record.
const cleanTime = 30 * time.Second

// Solver shows names by dns-01: it has the record written and says that the CA
// may look when every name server of the zone shows it. One Solver does for many
// names at once.
type Solver struct{ o SolverOptions }

var _ acme.Solver = (*Solver)(nil)

// NewSolver returns a Solver.
func NewSolver(o SolverOptions) *Solver {
	o.Timeout, o.Interval = cmp.Or(o.Timeout, 2*time.Minute), cmp.Or(o.Interval, time.Second)
	o.Grace, o.Log = cmp.Or(o.Grace, 10*time.Second), cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	return &Solver{o}
}

// A NotVisibleError is a record that was written and that not all name servers
// show in time.
type NotVisibleError struct {
	FQDN            string
	Lacking, Silent []string // servers that answer without it, and that do not answer
	After           time.Duration
	Err             error // of the last look, nil where there was none
}

// Error says which servers do not show it.
func (e *NotVisibleError) Error() string {
	parts := []string{fmt.Sprintf("providers: the record at %s is not visible after %s", e.FQDN, e.After)}
	if len(e.Lacking) > 0 {
		parts = append(parts, "not shown by "+strings.Join(e.Lacking, ", "))
	}
	if len(e.Silent) > 0 {
		parts = append(parts, "no answer from "+strings.Join(e.Silent, ", "))
	}
	if e.Err != nil {
		parts = append(parts, e.Err.Error())
	}
	return strings.Join(parts, "; ")
}

// Unwrap returns why the last look failed.
func (e *NotVisibleError) Unwrap() error { return e.Err }

// Present writes the record and returns when it is visible. Where it fails,
// nothing of it is left. Nobody can tell when a CA looked: the channel is nil.
// Errors: NotVisibleError; those of the provider.
func (s *Solver) Present(ctx context.Context, c acme.Challenge) (<-chan struct{}, error) {
	err := s.o.Presenter.Present(ctx, c.Name, c.KeyAuth)
	if err == nil {
		err = s.wait(ctx, c)
	}
	if err != nil {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTime)
		defer cancel()
		if left := s.o.Presenter.Clean(last, c.Name, c.KeyAuth); left != nil {
			s.o.Log.Warn("dns-01 record is left behind", "dns.name", c.Name, "error", left)
		}
		return nil, err
	}
	return nil, nil
}

// Clean removes the record, whoever wrote it.
func (s *Solver) Clean(ctx context.Context, c acme.Challenge) error {
	return s.o.Presenter.Clean(ctx, c.Name, c.KeyAuth)
}

// wait looks until all name servers show the record.
func (s *Solver) wait(ctx context.Context, c acme.Challenge) error {
	fqdn, value, err := s.o.Presenter.Record(ctx, c.Name, c.KeyAuth)
	if err != nil {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	start, written := time.Now(), time.Now()
	tick := time.NewTicker(s.o.Interval)
	defer tick.Stop()
	last := &NotVisibleError{FQDN: fqdn, After: s.o.Timeout}
	for {
		lacking, silent, all, err := s.o.Resolver.Look(bounded, fqdn, value)
		if bounded.Err() == nil { // what an ended context makes fail says nothing
			last.Lacking, last.Silent, last.Err = lacking, silent, err
			if err == nil && len(lacking) == 0 && (len(silent) == 0 || len(silent) < all && time.Since(start) >= s.o.Grace) {
				return nil
			}
			if len(lacking) > 0 && time.Since(written) >= rewrite {
				if err := s.o.Presenter.Present(bounded, c.Name, c.KeyAuth); err != nil && !errors.Is(err, context.DeadlineExceeded) {
					return err
				}
				written = time.Now()
			}
		}
		select {
		case <-bounded.Done():
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return last
		case <-tick.C:
		}
	}
}
