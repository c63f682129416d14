package certs

import (
	"context"
	"sync"
	"time"

	"ostler/certs/limits"
)

// Sweep asks CAs about the renewal of many certificates, at the pace that one
// address is allowed.
type Sweep struct {
	// Ask asks about one certificate. It is called by several goroutines at
	// once, and says itself what went wrong.
	Ask func(ctx context.Context, certificate string)
	// Keep, where it is not nil, keeps what was answered about some of them, each
	// once, while others are asked about: an answer that is long in coming and a
	// database that is slow do not add up. It is not called twice at a time, and
	// goes on when ctx has ended: what was asked is kept.
	Keep  func(ctx context.Context, certificates []string)
	Pacer *limits.Pacer
	Now   func() time.Time
	// Workers is how many are asked at a time (default 100): the pace times what
	// an answer takes.
	Workers int
}

// keepAtOnce bounds the certificates of one call of Keep.
const keepAtOnce = 250

// Run asks about all of them, in their order, and returns how many it asked
// about; fewer than all where ctx ended. All that was asked is kept then.
func (s Sweep) Run(ctx context.Context, certificates []string) (asked int, err error) {
	line, done := make(chan string), make(chan string, len(certificates))
	var workers, keeper sync.WaitGroup
	n := s.Workers
	if n <= 0 {
		n = 100
	}
	for range min(n, len(certificates)) {
		workers.Go(func() {
			for id := range line {
				s.Ask(ctx, id)
				done <- id
			}
		})
	}
	keeper.Go(func() { s.keep(context.WithoutCancel(ctx), done) })
	asked, err = s.feed(ctx, certificates, line)
	close(line)
	workers.Wait()
	close(done)
	keeper.Wait()
	return asked, err
}

// feed has them asked about, each at its turn.
func (s Sweep) feed(ctx context.Context, certificates []string, line chan<- string) (asked int, err error) {
	for _, id := range certificates {
		if err := s.wait(ctx); err != nil {
			return asked, err
		}
		select {
		case line <- id:
			asked++
		case <-ctx.Done():
			return asked, ctx.Err()
		}
	}
	return asked, nil
}

// keep hands on what was answered, as much of it as there is.
func (s Sweep) keep(ctx context.Context, done <-chan string) {
	var some []string
	for id := range done {
		if s.Keep == nil {
			continue
		}
		some = append(some, id)
		if len(done) > 0 && len(some) < keepAtOnce {
			continue
		}
		s.Keep(ctx, some)
		some = nil
	}
	if len(some) > 0 {
		s.Keep(ctx, some)
	}
}

// wait waits for a turn.
func (s Sweep) wait(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	d := s.Pacer.Take(s.Now(), limits.EndpointRenewalInfo)
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
