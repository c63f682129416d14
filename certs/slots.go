package certs

import (
	"context"
	"slices"
	"sync"
)

// slots bound the orders at work at each CA in this process. Who waits is let
// in by rank: what never failed goes before what did.
type slots struct {
	mu   sync.Mutex
	used map[string]int
	line map[string][]*waiter
}

type waiter struct {
	rank  int64
	ready chan struct{}
}

// take waits for a slot at a CA; free gives it back.
func (s *slots) take(ctx context.Context, ca string, n int, rank int64) (free func(), err error) {
	s.mu.Lock()
	if s.used == nil {
		s.used, s.line = map[string]int{}, map[string][]*waiter{}
	}
	if s.used[ca] < n && len(s.line[ca]) == 0 {
		s.used[ca]++
		s.mu.Unlock()
		return s.once(ca), nil
	}
	w := &waiter{rank: rank, ready: make(chan struct{})}
	at := slices.IndexFunc(s.line[ca], func(o *waiter) bool { return o.rank > rank })
	if at < 0 {
		at = len(s.line[ca])
	}
	s.line[ca] = slices.Insert(s.line[ca], at, w)
	s.mu.Unlock()
	select {
	case <-w.ready:
		return s.once(ca), nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.line[ca], w); i >= 0 {
		s.line[ca] = slices.Delete(s.line[ca], i, i+1)
	} else {
		s.next(ca) // it was let in at the same moment
	}
	return nil, ctx.Err()
}

func (s *slots) once(ca string) func() {
	var o sync.Once
	return func() {
		o.Do(func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.next(ca)
		})
	}
}

// next hands a slot that is free to the first in the line.
func (s *slots) next(ca string) {
	if line := s.line[ca]; len(line) > 0 {
		s.line[ca] = line[1:]
		close(line[0].ready)
		return
	}
	s.used[ca]--
}
