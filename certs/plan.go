package certs

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"ostler/controlplane"
)

// Planner holds what decides the order of all certificates, in memory: whose
// turn it is, and about whom a CA is to be asked. It reads the table (Refresh)
// and writes nothing: whoever starts an attempt looks at the row again, so a
// plan may be some seconds old, and two replicas may have the same one. It is
// safe for use by several goroutines.
type Planner struct {
	reading sync.Mutex // one Refresh at a time; others go on while it reads

	mu     sync.Mutex
	at     map[string]int32 // id → entry
	all    []entry
	free   []int32          // entries that are nobody's
	shared map[string]int32 // ids that many certificates share, once each
	names  []string
	hours  map[int64]int32 // hour → renewals planned in it
	whole  int64           // when the whole table was read, Unix ms; 0 never
}

// entry is one certificate. Instants are Unix milliseconds, 0 is none.
type entry struct {
	id                           string
	authority, customer          int32
	failures                     int32
	issued, asked, ari           bool
	notBefore, notAfter, renewAt int64
	windowStart, windowEnd       int64
	attempt, poll, due           int64
	created                      int64
}

// Class is why an attempt is due, the most urgent first.
type Class string

// The classes.
const (
	ClassExpiring Class = "expiring" // its renewal is late, and its life runs out
	ClassAsked    Class = "asked"    // a person asked for it
	ClassRenewal  Class = "renewal"  // the instant of its renewal has come
	ClassNew      Class = "new"      // it never had one
)

// Valid reports whether c is a known class.
func (c Class) Valid() bool { return slices.Contains(classes[:], c) }

// classes in their order.
var classes = [...]Class{ClassExpiring, ClassAsked, ClassRenewal, ClassNew}

// Due is a certificate whose turn it is.
type Due struct {
	Certificate string
	Authority   string // ca_ of the certificate; "" the primary one
	Class       Class
	Failures    int // attempts that failed since the last success
	// Spared says that it takes nothing from the account's new orders.
	Spared bool
}

// NewPlanner returns a planner that knows nothing yet: see Refresh.
func NewPlanner() *Planner {
	p := &Planner{}
	p.reset()
	return p
}

// reset forgets everything.
func (p *Planner) reset() {
	p.at, p.shared, p.hours = map[string]int32{}, map[string]int32{"": 0}, map[int64]int32{}
	p.all, p.free, p.names = nil, nil, []string{""}
}

// Len is how many certificates it knows.
func (p *Planner) Len() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.at)
}

// share is the number of an id that many certificates share.
func (p *Planner) share(id string) int32 {
	n, ok := p.shared[id]
	if !ok {
		n = int32(len(p.names))
		p.shared[id], p.names = n, append(p.names, id)
	}
	return n
}

const hour = int64(time.Hour / time.Millisecond)

// reading is a row of the table, as the planner knows it.
type reading struct {
	entry
	authority, customer string
}

func readingOf(r certRow) reading {
	return reading{authority: r.AuthorityID, customer: r.CustomerID, entry: entry{id: r.ID, failures: int32(r.Attempts),
		issued: r.NotAfter > 0, asked: r.RenewFrom == string(FromPerson), ari: r.RenewFrom == string(FromARI),
		notBefore: r.NotBefore, notAfter: r.NotAfter, renewAt: r.RenewAt, windowStart: r.WindowStart, windowEnd: r.WindowEnd,
		attempt: r.attemptAt(), poll: r.PollAt, due: r.DueAt, created: r.CreatedAt}}
}

// put makes a row known, or known anew.
func (p *Planner) put(r reading) {
	i, ok := p.at[r.id]
	switch {
	case ok:
		p.count(p.all[i].renewAt, -1)
	case len(p.free) > 0:
		i = p.free[len(p.free)-1]
		p.free = p.free[:len(p.free)-1]
	default:
		i = int32(len(p.all))
		p.all = append(p.all, entry{})
	}
	r.entry.authority, r.entry.customer = p.share(r.authority), p.share(r.customer)
	p.at[r.id], p.all[i] = i, r.entry
	p.count(r.renewAt, 1)
}

// drop forgets a certificate.
func (p *Planner) drop(id string) {
	i, ok := p.at[id]
	if !ok {
		return
	}
	p.count(p.all[i].renewAt, -1)
	p.all[i] = entry{}
	p.free = append(p.free, i)
	delete(p.at, id)
}

// count changes how many renewals an hour has.
func (p *Planner) count(at int64, by int32) {
	if at == 0 {
		return
	}
	if p.hours[at/hour] += by; p.hours[at/hour] <= 0 {
		delete(p.hours, at/hour)
	}
}

// Load is how many renewals are planned for the hour of an instant: what
// renewal.Planner spreads them by.
func (p *Planner) Load(at time.Time) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return int(p.hours[at.UnixMilli()/hour])
}

// Planned has a renewal counted for Load that Refresh has not read yet.
func (p *Planner) Planned(certificate string, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i, ok := p.at[certificate]; ok {
		p.count(p.all[i].renewAt, -1)
		p.all[i].renewAt = controlplane.Millis(at)
		p.count(p.all[i].renewAt, 1)
	}
}

// turn is an entry that is due, and what orders it: its line first (class, what
// failed behind what did not, laps), then its rank.
type turn struct {
	line    uint64
	rank    float64
	entry   int32
	class   int8
	failing bool
}

const (
	classBit   = 40 // of a turn's line
	failingBit = 39
)

// Due are the certificates whose turn it is at now, in their order, as far as
// there is room (by authority, ca_ or "" for the primary one; an authority that
// is missing has none), at most limit. Those that expire go first, the least
// life left before all; then what a person asked for, then renewals by their
// instants, then new ones, by turns of their customers. Within a class those
// that failed stand behind those that did not, and of an authority's slots they
// get a quarter while others wait: a hundred broken names hold nobody up.
func (p *Planner) Due(now time.Time, rooms map[string]Room, limit int) []Due {
	p.mu.Lock()
	defer p.mu.Unlock()
	turns := p.turns(now)
	places := make([]place, len(p.names))
	for id, r := range rooms {
		if n, ok := p.shared[id]; ok && !r.Blocked.After(now) && r.Slots > 0 {
			places[n] = place{slots: r.Slots, orders: r.Orders, failing: max(1, r.Slots/4)}
		}
	}
	var out []Due
	taken := make([]bool, len(turns))
	for _, again := range []bool{false, true} { // what is left over is for those that fail
		for i, t := range turns {
			if len(out) == limit {
				return out
			}
			e := &p.all[t.entry]
			spared := e.spared(now)
			if taken[i] || again && !t.failing || !places[e.authority].take(t.failing && !again, spared) {
				continue
			}
			taken[i] = true
			out = append(out, Due{Certificate: e.id, Authority: p.names[e.authority], Class: classes[t.class], Failures: int(e.failures), Spared: spared})
		}
	}
	return out
}

// place is what is left of a room.
type place struct {
	slots, failing int
	orders         int64
}

// take takes a slot, and an order where it needs one; bounded ones take a
// failing one's too.
func (p *place) take(bounded, spared bool) bool {
	if p.slots == 0 || bounded && p.failing == 0 || !spared && p.orders == 0 {
		return false
	}
	p.slots--
	if bounded {
		p.failing--
	}
	if !spared && p.orders > 0 {
		p.orders--
	}
	return true
}

// turns are all that are due, in their order.
func (p *Planner) turns(now time.Time) []turn {
	ms := now.UnixMilli()
	var turns []turn
	var fresh []int32 // new ones, in turns
	for i := range p.all {
		e := &p.all[i]
		if e.attempt == 0 || e.attempt > ms {
			continue
		}
		t := turn{entry: int32(i), failing: e.failures > 0, rank: float64(e.attempt)}
		switch left := e.left(ms); {
		case !e.issued:
			t.class, t.rank = 3, float64(e.created)
			fresh = append(fresh, int32(len(turns)))
		case left < e.late():
			t.class, t.rank = 0, left
		case e.asked:
			t.class = 1
		default:
			t.class = 2
		}
		if t.line = uint64(t.class) << classBit; t.failing {
			t.line |= 1 << failingBit
		}
		turns = append(turns, t)
	}
	slices.SortFunc(fresh, func(a, b int32) int { return cmp.Compare(turns[a].rank, turns[b].rank) })
	laps := make([]uint64, len(p.names))
	for _, i := range fresh {
		n := p.all[turns[i].entry].customer
		turns[i].line |= laps[n]
		laps[n]++
	}
	slices.SortFunc(turns, func(a, b turn) int {
		if a.line != b.line {
			return cmp.Compare(a.line, b.line)
		}
		if a.rank != b.rank {
			return cmp.Compare(a.rank, b.rank)
		}
		return cmp.Compare(a.entry, b.entry)
	})
	return turns
}

// left is the share of its life that is left.
func (e *entry) left(ms int64) float64 {
	if e.notAfter <= ms || e.notAfter <= e.notBefore {
		return 0
	}
	return float64(e.notAfter-ms) / float64(e.notAfter-e.notBefore)
}

// late is the share of its life below which a renewal is late: half of what is
// left when it is due.
func (e *entry) late() float64 {
	if e.notAfter-e.notBefore < 10*24*hour {
		return 1. / 4
	}
	return 1. / 6
}

// spared reports whether it is renewed within its window.
func (e *entry) spared(now time.Time) bool {
	ms := now.UnixMilli()
	return e.ari && e.windowStart <= ms && ms < e.windowEnd
}

// Polls are the certificates about which a CA is to be asked at now, those that
// have waited longest first, at most limit.
func (p *Planner) Polls(now time.Time, limit int) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	ms := now.UnixMilli()
	var due []int32
	for i := range p.all {
		if e := &p.all[i]; e.poll > 0 && e.poll <= ms {
			due = append(due, int32(i))
		}
	}
	slices.SortFunc(due, func(a, b int32) int { return cmp.Or(cmp.Compare(p.all[a].poll, p.all[b].poll), cmp.Compare(a, b)) })
	out := make([]string, min(len(due), limit))
	for i := range out {
		out[i] = p.all[due[i]].id
	}
	return out
}
