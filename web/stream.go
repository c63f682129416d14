package web

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/bus"
	"ostler/controlplane/policy"
)

// maxTopics bounds how many topics one page listens to, maxStreams how many
// pages one person has live.
const (
	maxTopics  = 32
	maxStreams = 30
)

// openStreams counts the open streams of each person.
type openStreams struct {
	mu sync.Mutex
	by map[string]int
}

// enter counts one more; ok is false where the person has enough.
func (o *openStreams) enter(person string) (leave func(), ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.by[person] >= maxStreams {
		return nil, false
	}
	if o.by == nil {
		o.by = map[string]int{}
	}
	o.by[person]++
	return func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.by[person]--; o.by[person] == 0 {
			delete(o.by, person)
		}
	}, true
}

const (
	// beat keeps a quiet stream open through proxies, and finds out that a
	// session is over.
	beat = 20 * time.Second
	// streamLife ends a stream; the browser opens the next, which signs in anew.
	streamLife = 15 * time.Minute
)

// events is the stream of a live page. It says that a topic changed, never
// what: the page asks for itself again and is authorised again. Its first word
// comes at once, so that what changed before it began, or while it was broken,
// is not missed.
func (p *Portal) eventStream(v *visit) error {
	topics := v.c.QueryParams()["topic"]
	if len(topics) == 0 || len(topics) > maxTopics {
		return controlplane.NotFound("topic")
	}
	for _, t := range topics {
		if err := p.mayHear(v, t); err != nil {
			return err
		}
	}
	done, ok := p.open.enter(v.actor.ID)
	if !ok {
		return controlplane.Errorf(controlplane.CodeTooMany, "Close some of the pages that are open.", "You have too many live pages open")
	}
	defer done()
	ch, cancel := p.Bus.Subscribe(topics...)
	defer cancel()
	w := v.c.Response()
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	rc := http.NewResponseController(w)
	_ = rc.SetWriteDeadline(time.Time{}) // not every server has one
	send := func(s string) error {
		if _, err := fmt.Fprint(w, s); err != nil {
			return err
		}
		return rc.Flush()
	}
	if err := send("retry: 2000\nevent: changed\ndata: open\n\n"); err != nil {
		return nil
	}
	return p.stream(v, ch, send)
}

// stream sends topics until the browser leaves, the session ends or the
// stream's time is over.
func (p *Portal) stream(v *visit, ch <-chan string, send func(string) error) error {
	tick, end := time.NewTicker(beat), time.NewTimer(streamLife)
	defer tick.Stop()
	defer end.Stop()
	for {
		select {
		case <-v.ctx.Done():
			return nil
		case <-end.C:
			return nil
		case <-tick.C:
			if _, _, err := p.Identity.Authenticate(v.ctx, p.cookie(v.c, cookieSession)); err != nil {
				return nil
			}
			if send(": still here\n\n") != nil {
				return nil
			}
		case topic, ok := <-ch:
			if !ok || send("event: changed\ndata: "+topic+"\n\n") != nil {
				return nil
			}
		}
	}
}

// mayHear reports whether the reader may know that a topic changed: whoever
// may read the thing itself.
func (p *Portal) mayHear(v *visit, topic string) error {
	kind, id, _ := strings.Cut(topic, ":")
	switch kind {
	case "job":
		scope, err := v.scope(policy.JobRead)
		if err != nil {
			return err
		}
		_, err = p.Jobs.Get(v.ctx, scope, id)
		return err
	case "server":
		scope, err := v.scope(policy.ServerRead)
		if err != nil {
			return err
		}
		_, err = p.Customers.GetServer(v.ctx, scope, id)
		return err
	case "restore":
		scope, err := v.scope(policy.RestoreRun)
		if err != nil {
			return err
		}
		_, err = p.Backups.Restore(v.ctx, scope, id)
		return err
	case "basket":
		if id == v.actor.ID {
			return nil
		}
	case "ask":
		scope, err := v.asksScope()
		if err != nil {
			return err
		}
		_, err = p.Backups.Ask(v.ctx, scope, id)
		return err
	case "certificate":
		_, _, err := v.aCert(policy.CertRead, id)
		return err
	case "customer":
		if policy.ScopeOf(v.actor).Allows(id) {
			return nil
		}
	case bus.TopicFindings, bus.TopicLedger, bus.All:
		if v.staff() {
			return nil
		}
	}
	return controlplane.NotFound("topic")
}
