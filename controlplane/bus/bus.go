// Package bus wakes those who wait for a change. It keeps true that publishing
// never blocks, that a topic published after Subscribe is seen at least once,
// and that topics carry names only, never data: what changed is read from the
// database, so a lost wake-up costs latency and nothing else.
package bus

import (
	"slices"
	"sync"
)

// All is the topic of a subscription to every topic. A subscriber to All that
// fell too far behind is sent All itself: anything may have changed.
const All = "*"

// Topics that stand alone.
const (
	TopicPlaneJobs = "plane-jobs" // a job of the plane may be due
	TopicFindings  = "findings"   // a finding opened, changed or closed
	TopicLedger    = "ledger"     // entries wait for the sequencer, or were sequenced
)

// TopicJob is the topic of one job.
func TopicJob(id string) string { return "job:" + id }

// TopicServer is the topic of one server.
func TopicServer(id string) string { return "server:" + id }

// TopicCustomer is the topic of one customer.
func TopicCustomer(id string) string { return "customer:" + id }

// TopicAgentJobs is the topic of the jobs that wait for one server's agent.
func TopicAgentJobs(server string) string { return "agent-jobs:" + server }

// TopicAgentCancels is the topic of one server's jobs that are out and to stop.
func TopicAgentCancels(server string) string { return "agent-cancels:" + server }

// TopicChallenge is the topic of a challenge's token: a validator fetched it.
func TopicChallenge(token string) string { return "acme:" + token }

// maxPending bounds what a slow subscriber is owed one by one.
const maxPending = 4096

// Bus carries topics within one process and, where Bridge runs, between the
// replicas of a control plane.
type Bus struct {
	mu     sync.Mutex
	subs   map[string]map[*subscription]struct{} // by topic; All among them
	remote *outbox                               // nil unless Bridge runs
}

// New returns a bus without subscribers.
func New() *Bus { return &Bus{subs: map[string]map[*subscription]struct{}{}} }

// Publish wakes the subscribers of the topics. It never blocks. Inside a
// transaction it belongs into Tx.AfterCommit.
func (b *Bus) Publish(topics ...string) {
	b.deliver(topics)
	b.mu.Lock()
	remote := b.remote
	b.mu.Unlock()
	if remote != nil {
		remote.add(topics)
	}
}

// deliver wakes this process's subscribers.
func (b *Bus) deliver(topics []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, topic := range topics {
		if topic == "" {
			continue
		}
		for s := range b.subs[topic] {
			s.put(topic)
		}
		if topic != All {
			for s := range b.subs[All] {
				s.put(topic)
			}
		}
	}
}

// wakeAll sends every subscriber its own topics: after a gap in the bridge
// anything may have changed.
func (b *Bus) wakeAll() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for topic, subs := range b.subs {
		for s := range subs {
			s.put(topic)
		}
	}
}

// Subscribe returns a channel of published topics among those given; All means
// every topic. Topics that are not yet received coalesce. cancel ends the
// subscription and closes the channel; it may be called more than once.
func (b *Bus) Subscribe(topics ...string) (ch <-chan string, cancel func()) {
	topics = slices.Compact(slices.Sorted(slices.Values(topics)))
	s := newSubscription(topics)
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, t := range topics {
		if b.subs[t] == nil {
			b.subs[t] = map[*subscription]struct{}{}
		}
		b.subs[t][s] = struct{}{}
	}
	return s.out, sync.OnceFunc(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, t := range topics {
			delete(b.subs[t], s)
			if len(b.subs[t]) == 0 {
				delete(b.subs, t)
			}
		}
		s.close()
	})
}

// subscription is one subscriber. With one plain topic a channel of one slot
// coalesces by itself; otherwise pump moves a set of pending topics.
type subscription struct {
	out    chan string
	single bool

	mu      sync.Mutex
	pending map[string]bool
	order   []string
	wake    chan struct{}
	done    chan struct{}
}

func newSubscription(topics []string) *subscription {
	s := &subscription{out: make(chan string, 1)}
	if len(topics) == 1 && topics[0] != All {
		s.single = true
		return s
	}
	s.pending = map[string]bool{}
	s.wake = make(chan struct{}, 1)
	s.done = make(chan struct{})
	go s.pump()
	return s
}

// put notes a topic; the bus's lock is held.
func (s *subscription) put(topic string) {
	if s.single {
		select {
		case s.out <- topic:
		default: // it is pending already
		}
		return
	}
	s.mu.Lock()
	if len(s.order) >= maxPending && !s.pending[topic] {
		clear(s.pending)
		s.order = s.order[:0]
		topic = All
	}
	if !s.pending[topic] && !s.pending[All] {
		s.pending[topic] = true
		s.order = append(s.order, topic)
	}
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// close ends the subscription; the bus's lock is held, so no put runs.
func (s *subscription) close() {
	if s.single {
		close(s.out)
		return
	}
	close(s.done) // pump closes out
}

func (s *subscription) pump() {
	defer close(s.out)
	for {
		topic, ok := s.next()
		if !ok {
			select {
			case <-s.wake:
				continue
			case <-s.done:
				return
			}
		}
		select {
		case s.out <- topic:
		case <-s.done:
			return
		}
	}
}

func (s *subscription) next() (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.order) == 0 {
		return "", false
	}
	topic := s.order[0]
	s.order = s.order[1:]
	delete(s.pending, topic)
	return topic, true
}
