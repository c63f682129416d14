package limits

import (
	"sync"
	"time"
)

// Endpoint is a resource of a CA that has a limit of requests per IP address.
type Endpoint string

// The endpoints.
const (
	EndpointNonce       Endpoint = "new-nonce"
	EndpointOrder       Endpoint = "new-order"
	EndpointRenewalInfo Endpoint = "renewal-info"
	EndpointOther       Endpoint = "other"
)

// Valid reports whether e is a known endpoint.
func (e Endpoint) Valid() bool {
	switch e {
	case EndpointNonce, EndpointOrder, EndpointRenewalInfo, EndpointOther:
		return true
	}
	return false
}

// Pace is how many requests a second are made of each endpoint at most; one
// that is missing, or 0, has no bound.
type Pace map[Endpoint]float64

// LetsEncryptPace is what Let's Encrypt takes from one address, less a twelfth:
// other programs ask from here too, and requests do not arrive as evenly as
// they leave.
func LetsEncryptPace() Pace {
	return Pace{EndpointNonce: 18, EndpointOrder: 275, EndpointRenewalInfo: 917, EndpointOther: 229}
}

// Pacer spreads requests evenly: it gives each a turn. It is safe for use by
// several goroutines at once, and lives in one process: replicas that share an
// address share the pace by Pace.Share.
type Pacer struct {
	pace Pace
	mu   sync.Mutex
	next map[Endpoint]time.Time
}

// Share is the pace of one of n who share an address.
func (p Pace) Share(n int) Pace {
	out := Pace{}
	for e, rate := range p {
		out[e] = rate / float64(max(n, 1))
	}
	return out
}

// NewPacer returns a pacer of its own.
func NewPacer(p Pace) *Pacer { return &Pacer{pace: p, next: map[Endpoint]time.Time{}} }

// Take takes the next turn, and returns how long to wait for it. A turn that is
// not used is lost.
func (p *Pacer) Take(now time.Time, e Endpoint) time.Duration {
	rate := p.pace[e]
	if rate <= 0 {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	at := p.next[e]
	if at.Before(now) {
		at = now
	}
	p.next[e] = at.Add(time.Duration(float64(time.Second) / rate))
	return at.Sub(now)
}

// Stop keeps everybody from an endpoint until an instant: the CA said so.
func (p *Pacer) Stop(e Endpoint, until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until.After(p.next[e]) {
		p.next[e] = until
	}
}
