package backups

import (
	"context"
	"sync"
)

const (
	// maxUploads bounds the chunks that are in memory at once. Of one server it is
	// one: a host that sends slowly keeps no other host's files from arriving.
	maxUploads = 8
	// maxSearches bounds the searches at work at once. Of one customer it is one:
	// whoever searches much waits, and nobody else does.
	maxSearches = 8
)

// turns gives out places: so many in all, and one to each who wants any.
type turns struct {
	all chan struct{}

	mu    sync.Mutex
	whose map[string]*turn
}

// turn is the place of one of them; waiting counts who uses it or wants to.
type turn struct {
	place   chan struct{}
	waiting int
}

func newTurns(n int) *turns {
	return &turns{all: make(chan struct{}, n), whose: map[string]*turn{}}
}

// take waits for the turn of a server or a customer; done gives it back.
func (u *turns) take(ctx context.Context, who string) (done func(), err error) {
	u.mu.Lock()
	t := u.whose[who]
	if t == nil {
		t = &turn{place: make(chan struct{}, 1)}
		u.whose[who] = t
	}
	t.waiting++
	u.mu.Unlock()
	leave := func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		if t.waiting--; t.waiting == 0 {
			delete(u.whose, who)
		}
	}
	if err := enter(ctx, t.place); err != nil {
		leave()
		return nil, err
	}
	if err := enter(ctx, u.all); err != nil {
		<-t.place
		leave()
		return nil, err
	}
	return func() { <-u.all; <-t.place; leave() }, nil
}

// enter takes a place that is free, however late it is, or waits for one.
func enter(ctx context.Context, places chan struct{}) error {
	select {
	case places <- struct{}{}:
		return nil
	default:
	}
	select {
	case places <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
