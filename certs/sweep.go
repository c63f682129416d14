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
	// Ask asks about one certificate and keeps the answer. It is called by
	// several goroutines at once, and says itself what went wrong.
	Ask   func(ctx context.Context, certificate string)
	Pacer *limits.Pacer
	Now   func() time.Time
	// Workers is how many are asked at a time (default 100): the pace times what
	// an answer takes.
	Workers int
}

// Run asks about all of them, in their order, and returns how many it asked
// about; fewer than all where ctx ended.
func (s Sweep) Run(ctx context.Context, certificates []string) (asked int, err error) {
	line := make(chan string)
	var wg sync.WaitGroup
	workers := s.Workers
	if workers <= 0 {
		workers = 100
	}
	for range min(workers, len(certificates)) {
		wg.Go(func() {
			for id := range line {
				s.Ask(ctx, id)
			}
		})
	}
	for _, id := range certificates {
		if err = s.wait(ctx); err != nil {
			break
		}
		select {
		case line <- id:
			asked++
			continue
		case <-ctx.Done():
			err = ctx.Err()
		}
		break
	}
	close(line)
	wg.Wait()
	return asked, err
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
