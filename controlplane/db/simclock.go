package db

import (
	"sync"
	"time"
)

// SimClock is the demo's clock: it starts in the past, runs on with the
// process's clock, and only ever jumps forward. CatchUp brings it to real time
// for good.
type SimClock struct {
	mu     sync.Mutex
	behind time.Duration
}

// NewSimClock returns a clock that is behind the process's clock by that much.
func NewSimClock(behind time.Duration) *SimClock { return &SimClock{behind: max(0, behind)} }

// Now returns the simulated time in UTC.
func (c *SimClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(-c.behind).UTC()
}

// Advance moves the clock forward by d, and never past real time.
func (c *SimClock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.behind = max(0, c.behind-min(c.behind, max(0, d)))
}

// CatchUp brings the clock to real time.
func (c *SimClock) CatchUp() { c.Advance(1 << 62) }

// Simulated reports whether the clock is still behind real time.
func (c *SimClock) Simulated() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.behind > 0
}
