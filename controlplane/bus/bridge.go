package bus

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	channel    = "ostler_bus"
	coalesce   = 20 * time.Millisecond // at most this often one NOTIFY
	maxPayload = 7500                  // bytes; PostgreSQL takes 7999
	redialMin  = 100 * time.Millisecond
	redialMax  = 5 * time.Second
)

// message is the payload of one NOTIFY.
type message struct {
	From   string   `json:"from"` // the replica that sent it, which skips it
	Topics []string `json:"topics"`
}

// outbox collects topics for the other replicas.
type outbox struct {
	mu      sync.Mutex
	pending map[string]bool
	wake    chan struct{}
}

func newOutbox() *outbox {
	return &outbox{pending: map[string]bool{}, wake: make(chan struct{}, 1)}
}

func (o *outbox) add(topics []string) {
	o.mu.Lock()
	for _, t := range topics {
		if t == "" {
			continue
		}
		if len(o.pending) >= maxPending {
			clear(o.pending)
			t = All
		}
		o.pending[t] = true
	}
	o.mu.Unlock()
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// take empties the outbox.
func (o *outbox) take() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.pending[All] {
		clear(o.pending)
		return []string{All}
	}
	topics := make([]string, 0, len(o.pending))
	for t := range o.pending {
		topics = append(topics, t)
	}
	clear(o.pending)
	return topics
}

// Bridge carries topics to and from the other replicas on the same PostgreSQL
// until ctx ends, and then returns nil. It holds two connections of its own, one that listens
// and one that notifies, never inside anybody's transaction, and dials again
// when one breaks; after a gap every subscriber is woken. It returns an error
// only for a URL that cannot be read, or where a bridge runs already.
func (b *Bus) Bridge(ctx context.Context, pgURL string) error {
	cfg, err := pgx.ParseConfig(pgURL)
	if err != nil {
		return fmt.Errorf("bus: bridge: %w", err)
	}
	out := newOutbox()
	b.mu.Lock()
	if b.remote != nil {
		b.mu.Unlock()
		return errors.New("bus: bridge: one runs already")
	}
	b.remote = out
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		b.remote = nil
		b.mu.Unlock()
	}()
	self := rand.Text()
	var wg sync.WaitGroup
	wg.Go(func() {
		redial(ctx, cfg, func(c *pgx.Conn) error { return b.listen(ctx, c, self) })
	})
	wg.Go(func() {
		redial(ctx, cfg, func(c *pgx.Conn) error { return notify(ctx, c, self, out) })
	})
	wg.Wait()
	return nil
}

// redial keeps work running on a connection until ctx ends.
func redial(ctx context.Context, cfg *pgx.ConnConfig, work func(*pgx.Conn) error) {
	wait := redialMin
	for ctx.Err() == nil {
		if c, err := pgx.ConnectConfig(ctx, cfg); err == nil {
			wait = redialMin
			_ = work(c) // whatever broke it: dial again
			closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			_ = c.Close(closing)
			cancel()
		}
		if !sleep(ctx, wait) {
			return
		}
		wait = min(2*wait, redialMax)
	}
}

// listen hands what other replicas publish to this process's subscribers.
func (b *Bus) listen(ctx context.Context, c *pgx.Conn, self string) error {
	if _, err := c.Exec(ctx, "LISTEN "+channel); err != nil {
		return fmt.Errorf("bus: listen: %w", err)
	}
	b.wakeAll()
	for {
		n, err := c.WaitForNotification(ctx)
		if err != nil {
			return fmt.Errorf("bus: listen: %w", err)
		}
		var m message
		if json.Unmarshal([]byte(n.Payload), &m) != nil || m.From == self {
			continue
		}
		for _, t := range m.Topics {
			if t == All {
				b.wakeAll()
			}
		}
		b.deliver(m.Topics)
	}
}

// notify sends the outbox, at most every 20 ms.
func notify(ctx context.Context, c *pgx.Conn, self string, out *outbox) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-out.wake:
		}
		if !sleep(ctx, coalesce) {
			return ctx.Err()
		}
		topics := out.take()
		for _, m := range messages(self, topics) {
			if _, err := c.Exec(ctx, "SELECT pg_notify($1, $2)", channel, m); err != nil {
				out.add(topics)
				return fmt.Errorf("bus: notify: %w", err)
			}
		}
	}
}

// messages packs topics into payloads that PostgreSQL takes.
func messages(self string, topics []string) []string {
	var packed []string
	for len(topics) > 0 {
		size, n := 64, 0
		for n < len(topics) && (n == 0 || size+len(topics[n])+3 <= maxPayload) {
			size += len(topics[n]) + 3
			n++
		}
		if text, err := json.Marshal(message{From: self, Topics: topics[:n]}); err == nil && len(text) <= maxPayload {
			packed = append(packed, string(text))
		}
		topics = topics[n:]
	}
	return packed
}

// sleep waits for d and reports whether ctx still lives.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
