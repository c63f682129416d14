package agents

import (
	"regexp"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane/bus"
)

// A host may say that often that a validator came: a certificate with many
// names is looked at from several places at once.
const (
	hitBurst = 600
	hitEvery = 50 * time.Millisecond
)

// tokenForm is what a challenge's token looks like (RFC 8555, 8.3).
var tokenForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)

// allowance is a bounded rate. Its zero value is full.
type allowance struct {
	used int
	at   time.Time
}

func (a *allowance) take(now time.Time, burst int, every time.Duration) bool {
	if back := int(min(now.Sub(a.at)/every, time.Duration(burst))); back > 0 {
		a.used, a.at = max(0, a.used-back), now
	}
	if a.used >= burst {
		return false
	}
	a.used++
	return true
}

// hit wakes whoever waits for a challenge. A token is a CA's random value, so
// nobody but who set it is woken; too many hints of one host are left out.
func (a *Agents) hit(s *session, h wire.Hit) {
	if tokenForm.MatchString(h.Token) && s.hits.take(a.o.Wall.Now(), hitBurst, hitEvery) {
		a.Bus.Publish(bus.TopicChallenge(h.Token))
	}
}
