package teleport_test

import (
	"cmp"
	"context"
	"sync"
	"testing"
	"time"

	"ostler/controlplane/teleport"
	"ostler/controlplane/teleport/teleporttest"
)

// patience is how long a test waits for what must come; what comes at once
// takes no time.
const patience = time.Minute

// clock is the time that a test sets.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Now()} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// fake is a cluster that serves, and ends with the test.
func fake(t *testing.T, o teleporttest.Options) *teleporttest.Cluster {
	t.Helper()
	c, err := teleporttest.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// client is one with the roles given, "admin" if none are.
func client(t *testing.T, c *teleporttest.Cluster, roles ...string) *teleport.Client {
	t.Helper()
	if len(roles) == 0 {
		roles = []string{teleporttest.RoleAdmin}
	}
	file, err := c.IdentityFile(t.TempDir(), "bot-ostler", time.Hour, roles...)
	if err != nil {
		t.Fatal(err)
	}
	return open(t, teleport.Options{Addr: c.Addr(), IdentityFile: file})
}

// open is a client that waits as long as a slow machine needs.
func open(t *testing.T, o teleport.Options) *teleport.Client {
	t.Helper()
	o.DialTimeout, o.CallTimeout = cmp.Or(o.DialTimeout, patience), cmp.Or(o.CallTimeout, patience)
	cl, err := teleport.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cl.Close(); err != nil {
			t.Error(err)
		}
	})
	return cl
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// reaching bounds a test in time, so that one that hangs names itself.
func reaching(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience) // clean-ups call, too
	t.Cleanup(cancel)
	return ctx
}

// over waits for a session to be over.
func over(t *testing.T, s *teleporttest.Session) string {
	t.Helper()
	select {
	case <-s.Done():
		return s.Cause()
	case <-time.After(patience):
		t.Fatal("the session still runs")
		return ""
	}
}
