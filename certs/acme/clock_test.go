package acme_test

import (
	"context"
	"errors"
	"sync"
	"time"

	"ostler/certs/acme"
)

// hurried is a clock on which every wait is over at once, and was as long as it
// should be.
type hurried struct {
	mu    sync.Mutex
	ahead time.Duration
	waits []time.Duration
}

func newHurried() *hurried { return &hurried{} }

func (h *hurried) now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return time.Now().Add(h.ahead)
}

// after lets a little real time pass, too: the CA is on a real clock.
func (h *hurried) after(d time.Duration) <-chan time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ahead += d
	h.waits = append(h.waits, d)
	return time.After(min(d, 5*time.Millisecond))
}

func (h *hurried) longest() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	var most time.Duration
	for _, d := range h.waits {
		most = max(most, d)
	}
	return most
}

func (h *hurried) total() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ahead
}

// broken is a solver that cannot.
type broken struct{}

func (broken) Present(context.Context, acme.Challenge) (<-chan struct{}, error) {
	return nil, errors.New("the server is silent")
}
func (broken) Clean(context.Context, acme.Challenge) error { return nil }
