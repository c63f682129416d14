package web

import (
	"context"
	"errors"
	"sync"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

const (
	// checkTime bounds a check of the record while a browser waits.
	checkTime = 20 * time.Second
	// checkAgain is how soon it is worth checking again.
	checkAgain = 20 * time.Second
)

// checks keeps the newest check of the record since this process began. One
// runs at a time: it reads everything.
type checks struct {
	mu      sync.Mutex
	running bool
	done    bool
	at      time.Time
	report  ledger.Report
}

// last returns the newest check; ok is false where there was none.
func (c *checks) last() (r ledger.Report, at time.Time, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.report, c.at, c.done
}

// begin reports whether a check should run: none does, and the last is old.
func (c *checks) begin(now time.Time) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running {
		return false, controlplane.Errorf(controlplane.CodeTooMany, "Look again in half a minute: its result will be here.", "The record is being checked just now")
	}
	if c.done && now.Sub(c.at) < checkAgain {
		return false, nil
	}
	c.running = true
	return true, nil
}

func (c *checks) end(r ledger.Report, at time.Time, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running = false
	if err == nil {
		c.report, c.at, c.done = r, at, true
	}
}

// check verifies the whole log, for whoever asks: what one reader sees hangs
// on all of it. Whose entries differ is for the page to say.
func (p *Portal) check(ctx context.Context, now time.Time) error {
	run, err := p.checks.begin(now)
	if err != nil || !run {
		return err
	}
	ctx, cancel := context.WithTimeout(controlplane.System(ctx, "evidence"), checkTime)
	defer cancel()
	r, err := p.Ledger.Verify(ctx, policy.AllCustomers("the record is checked as a whole; the page shows each reader their own entries"), ledger.VerifyOptions{})
	p.checks.end(r, p.now(ctx), err)
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return controlplane.Errorf(controlplane.CodeUnavailable, "Take the file with you and check it there: that has no limit of time.", "The record is too long to be checked while a page waits").Because(err)
	}
	return err
}
