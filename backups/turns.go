package backups

import (
	"context"
	"sync"
)

// maxUploads bounds the chunks that are in memory at once. Of one server it is
// one: a host that sends slowly keeps no other host's files from arriving.
const maxUploads = 8

// turns gives out the places for chunks that are on their way in.
type turns struct {
	all chan struct{}

	mu       sync.Mutex
	byServer map[string]*turn
}

// turn is one server's place; waiting counts who uses it or wants to.
type turn struct {
	place   chan struct{}
	waiting int
}

func newTurns() *turns {
	return &turns{all: make(chan struct{}, maxUploads), byServer: map[string]*turn{}}
}

// take waits for a server's turn; done gives it back.
func (u *turns) take(ctx context.Context, server string) (done func(), err error) {
	u.mu.Lock()
	t := u.byServer[server]
	if t == nil {
		t = &turn{place: make(chan struct{}, 1)}
		u.byServer[server] = t
	}
	t.waiting++
	u.mu.Unlock()
	leave := func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		if t.waiting--; t.waiting == 0 {
			delete(u.byServer, server)
		}
	}
	select {
	case t.place <- struct{}{}:
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
	select {
	case u.all <- struct{}{}:
	case <-ctx.Done():
		<-t.place
		leave()
		return nil, ctx.Err()
	}
	return func() { <-u.all; <-t.place; leave() }, nil
}
