package acme

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	nonceAge = 10 * time.Minute // a CA forgets them
	nonceMax = 64
	nonceLen = 1 << 10 // bytes; one that is longer is no good to keep
)

// nonces are those that the CA gave us and that were not used yet, over all
// orders: the newest goes first, since the oldest are forgotten first.
type nonces struct {
	now func() time.Time

	mu   sync.Mutex
	pool []nonce
}

type nonce struct {
	value string
	at    time.Time
}

func (n *nonces) push(value string) {
	if value == "" || len(value) > nonceLen {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.pool) == nonceMax {
		n.pool = append(n.pool[:0], n.pool[nonceMax/2:]...)
	}
	n.pool = append(n.pool, nonce{value: value, at: n.now()})
}

// pop is "" where there is none.
func (n *nonces) pop() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.pool) == 0 {
		return ""
	}
	last := n.pool[len(n.pool)-1]
	n.pool = n.pool[:len(n.pool)-1]
	if n.now().Sub(last.at) > nonceAge {
		n.pool = n.pool[:0] // those below are older still
		return ""
	}
	return last.value
}

// counter counts the requests of one order.
type counter struct{ atomic.Int64 }
