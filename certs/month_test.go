package certs_test

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"ostler/certs"
	"ostler/certs/limits"
	"ostler/certs/renewal"
	"ostler/controlplane"
)

// A month of certificates on a virtual clock: the planner, the renewal rules and
// the twin of the limits on one side, a CA with limits on the other that shares
// no line of code with them.

// drip is a bucket of the CA: tokens that drip in.
type drip struct {
	max, tokens float64
	per         time.Duration
	at          time.Time
}

func (b *drip) has(now time.Time) bool {
	b.tokens = min(b.max, b.tokens+b.max*float64(now.Sub(b.at))/float64(b.per))
	b.at = now
	return b.tokens > 1-1e-6
}

func (b *drip) spend(now time.Time) {
	if b.has(now) {
		b.tokens--
	}
}

// strictCA is Let's Encrypt, as its documentation reads.
type strictCA struct {
	buckets  map[string]*drip
	row      map[string]int
	breaches []string
}

func (ca *strictCA) bucket(key string, most float64, per time.Duration, now time.Time) *drip {
	if ca.buckets[key] == nil {
		ca.buckets[key] = &drip{max: most, tokens: most, per: per, at: now}
	}
	return ca.buckets[key]
}

func lastTwo(name string) string {
	labels := strings.Split(name, ".")
	return strings.Join(labels[len(labels)-2:], ".")
}

// order answers a new order; in is whether it renews within its window.
func (ca *strictCA) order(now time.Time, c *site, in bool) {
	refuse := func(why string) {
		ca.breaches = append(ca.breaches, fmt.Sprintf("%s: %s: %s", now.Format(time.DateTime), c.name, why))
	}
	switch {
	case ca.row[c.name] >= 1152:
		refuse("paused")
	case in:
	case !ca.bucket("failed "+c.name, 5, time.Hour, now).has(now):
		refuse("failures")
	case !ca.bucket("set "+c.name, 5, 7*days, now).has(now):
		refuse("set")
	case c.issued > 0: // the same names as before
	case !ca.bucket("domain "+lastTwo(c.name), 50, 7*days, now).has(now):
		refuse("domain")
	case !ca.bucket("orders", 300, 3*time.Hour, now).has(now):
		refuse("orders")
	default:
		ca.bucket("orders", 300, 3*time.Hour, now).spend(now)
	}
}

func (ca *strictCA) end(now time.Time, c *site, good, in bool) {
	if !good {
		ca.row[c.name]++
		ca.bucket("failed "+c.name, 5, time.Hour, now).spend(now)
		return
	}
	ca.row[c.name] = 0
	ca.bucket("set "+c.name, 5, 7*days, now).spend(now)
	if c.issued == 0 {
		ca.bucket("domain "+lastTwo(c.name), 50, 7*days, now).spend(now)
	}
}

// window is what the CA answers about a certificate: the centre at two thirds
// of its life, half under ten days, a hundredth to either side; the past for
// one that it has revoked.
func (ca *strictCA) window(c *site, now time.Time) renewal.Answer {
	life := c.notAfter.Sub(c.notBefore)
	centre := c.notBefore.Add(life * 2 / 3)
	if life < 10*days {
		centre = c.notBefore.Add(life / 2)
	}
	a := renewal.Answer{Start: centre.Add(-life / 100), End: centre.Add(life / 100), RetryAfter: 6 * time.Hour}
	if c.revoked {
		a = renewal.Answer{Start: now.Add(-time.Hour), End: now.Add(-time.Minute), Explanation: "https://ca.example/incident", RetryAfter: 6 * time.Hour}
	}
	return a
}

// site is a certificate of the month.
type site struct {
	id, customer, name      string
	life                    time.Duration
	notBefore, notAfter     time.Time
	plan                    renewal.Plan
	issued, attempts        int64
	next, created           time.Time
	open, revoked           bool
	offlineFrom, offlineTo  time.Time // its server
	brokenFrom, brokenTo    time.Time // its names lead elsewhere
	ariBadFrom, ariBadUntil time.Time // the CA talks nonsense of it
	gone                    bool      // its names lead elsewhere for ever
}

func (c *site) certificate() renewal.Certificate {
	return renewal.Certificate{CertID: fmt.Sprint(c.id, ".", c.issued), NotBefore: c.notBefore, NotAfter: c.notAfter}
}

func between(t, from, to time.Time) bool { return !t.Before(from) && t.Before(to) }

type later struct {
	at time.Time
	do func(now time.Time)
}

type laters []later

func (l laters) Len() int           { return len(l) }
func (l laters) Less(i, j int) bool { return l[i].at.Before(l[j].at) }
func (l laters) Swap(i, j int)      { l[i], l[j] = l[j], l[i] }
func (l *laters) Push(x any)        { *l = append(*l, x.(later)) }
func (l *laters) Pop() any {
	old := *l
	x := old[len(old)-1]
	*l = old[:len(old)-1]
	return x
}

// month is the whole of it.
type month struct {
	t         testing.TB
	rnd       *rand.Rand
	now       time.Time
	ca        *strictCA
	rules     limits.Rules
	usage     limits.Usage
	planner   *certs.Planner
	renewal   renewal.Planner
	sites     map[string]*site
	line      laters
	hours     map[int64]int // renewals begun by plan
	expired   map[string]bool
	renewed   int
	first     int // new sites issued
	slots     int
	lastFirst map[string]time.Time // by registered domain, "" for domains of one name
}

const monthSlots = 16

func newMonth(t testing.TB, seed uint64) *month {
	m := &month{t: t, rnd: rand.New(rand.NewPCG(seed, 42)), now: monthStart, ca: &strictCA{buckets: map[string]*drip{}, row: map[string]int{}},
		rules: limits.LetsEncrypt(), usage: limits.Usage{}, planner: certs.NewPlanner(), sites: map[string]*site{}, hours: map[int64]int{},
		expired: map[string]bool{}, lastFirst: map[string]time.Time{}, slots: monthSlots}
	m.renewal = renewal.Planner{Rand: m.rnd, Load: m.planner.Load}
	return m
}

var monthStart = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

func (m *month) after(d time.Duration, do func(time.Time)) {
	heap.Push(&m.line, later{m.now.Add(d).Truncate(time.Millisecond), do})
}

func (m *month) upTo(d time.Duration) time.Duration { return time.Duration(m.rnd.Int64N(int64(d))) }

// known tells the planner how a site stands.
func (m *month) known(c *site) {
	ms := controlplane.Millis
	r := certs.PlanRow{ID: c.id, Customer: c.customer, From: string(c.plan.From), NotBefore: ms(c.notBefore), NotAfter: ms(c.notAfter), Start: ms(c.plan.Start),
		End: ms(c.plan.End), RenewAt: ms(c.plan.At), PollAt: ms(c.plan.PollAt), NextTry: ms(c.next), Attempts: c.attempts, Issued: c.issued, CreatedAt: ms(c.created)}
	if c.open {
		r.Open = "iss_" + c.id
	}
	certs.Put(m.planner, r)
}

// begin takes an attempt to its host, and from there to the CA.
func (m *month) begin(c *site, class certs.Class) {
	c.open = true
	m.known(c)
	if class != certs.ClassNew && c.attempts == 0 && !c.revoked {
		m.hours[int64(m.now.Sub(monthStart)/time.Hour)]++
	}
	wait := m.upTo(30 * time.Second)
	if between(m.now, c.offlineFrom, c.offlineTo) { // the job waits for its server
		wait += c.offlineTo.Sub(m.now)
	}
	m.slots--
	m.after(wait, func(now time.Time) { m.order(c, now) })
}

// order asks the twin, and then the CA.
func (m *month) order(c *site, now time.Time) {
	q := limits.Request{Names: []string{c.name}}
	if c.issued > 0 {
		q.Renewal = limits.RenewalSameSet
		if c.plan.From == renewal.FromARI && between(now, c.plan.Start, c.plan.End) {
			q.Renewal = limits.RenewalARI
		}
	}
	v := m.rules.Check(now, q, m.usage)
	if !v.Allowed {
		m.done(c)
		if c.next = v.NotBefore; c.next.IsZero() {
			c.next = now.Add(days)
		}
		m.known(c)
		return
	}
	keys := m.rules.Counted(q)
	for _, k := range keys {
		m.usage[k] = m.usage[k].Hold()
	}
	in, good := q.Renewal == limits.RenewalARI, !c.gone && !between(now, c.brokenFrom, c.brokenTo)
	m.after(m.upTo(2*time.Second), func(now time.Time) {
		m.ca.order(now, c, in)
		m.after(m.upTo(20*time.Second), func(now time.Time) {
			m.ca.end(now, c, good, in)
			m.after(m.upTo(2*time.Second), func(now time.Time) { m.ended(c, now, keys, good) })
		})
	})
}

func (m *month) done(c *site) { c.open, m.slots = false, m.slots+1 }

// ended keeps what an order brought.
func (m *month) ended(c *site, now time.Time, keys []limits.Key, good bool) {
	for _, k := range keys {
		s := m.usage[k].Release()
		if k.Limit == limits.NewOrders || (k.Limit == limits.FailedNames) != good {
			s = s.Spend(m.rules.Rule(k.Limit), now)
		}
		m.usage[k] = s
	}
	row := limits.Key{Limit: limits.FailedInRow, Scope: c.name}
	m.done(c)
	if !good {
		m.usage[row] = m.usage[row].Fail()
		c.attempts++
		cert := c.certificate()
		if c.issued == 0 {
			cert = renewal.Certificate{NotBefore: now, NotAfter: now.Add(90 * days)}
		}
		c.next = m.renewal.Retry(cert, int(c.attempts), now)
		m.known(c)
		return
	}
	m.usage[row] = m.usage[row].Succeed()
	if c.issued == 0 {
		m.first++
		m.lastFirst[strings.TrimPrefix(lastTwo(c.name), c.name)] = now
	} else {
		m.renewed++
	}
	c.issued++
	c.attempts, c.next, c.revoked = 0, time.Time{}, false
	c.notBefore, c.notAfter = now.Add(-time.Hour), now.Add(-time.Hour).Add(c.life)
	c.plan = m.renewal.First(c.certificate(), now)
	m.known(c)
}

// poll asks the CA about a site's renewal.
func (m *month) poll(c *site) {
	if c.open { // its window is settled when the attempt is
		c.plan.PollAt = m.now.Add(time.Minute)
	} else if between(m.now, c.ariBadFrom, c.ariBadUntil) {
		c.plan, _ = m.renewal.Answered(c.plan, c.certificate(), renewal.Answer{RetryAfter: time.Second}, m.now)
	} else {
		c.plan, _ = m.renewal.Answered(c.plan, c.certificate(), m.ca.window(c, m.now), m.now)
	}
	m.known(c)
}

// run lives until an instant, in steps.
func (m *month) run(until time.Time, step time.Duration) {
	for ; m.now.Before(until); m.now = m.now.Add(step) {
		for len(m.line) > 0 && !m.line[0].at.After(m.now) {
			e := heap.Pop(&m.line).(later)
			clock := m.now
			m.now = e.at // what comes of it comes after it
			e.do(e.at)
			m.now = clock
		}
		for _, id := range m.planner.Polls(m.now, 1<<20) {
			m.poll(m.sites[id])
		}
		room := map[string]certs.Room{"": {Slots: m.slots, Orders: 300 - m.usage[limits.Key{Limit: limits.NewOrders}].Used(m.rules.Rule(limits.NewOrders), m.now)}}
		for _, d := range m.planner.Due(m.now, room, m.slots) {
			m.begin(m.sites[d.Certificate], d.Class)
		}
		if m.now.Minute() == 0 && m.now.Second() == 0 {
			for _, c := range m.sites {
				if c.issued > 0 && !c.gone && m.now.After(c.notAfter) {
					m.expired[c.id] = true
				}
			}
		}
	}
}

// populate has n certificates of a lifetime in all ages, as a company that has
// been at it for years has them.
func (m *month) populate(n int, life time.Duration, kind string) {
	for i := range n {
		c := &site{id: fmt.Sprintf("crt_%s_%d", kind, i), customer: fmt.Sprintf("cus_%d", m.rnd.IntN(400)), name: fmt.Sprintf("%s-%d.de", kind, i), life: life, issued: 1, created: m.now}
		used := 2. / 3
		if life < 10*days {
			used = 1. / 2
		}
		c.notBefore = m.now.Add(-time.Duration(float64(life) * used * (float64(i) + m.rnd.Float64()) / float64(n)))
		c.notAfter = c.notBefore.Add(life)
		c.plan = m.renewal.First(c.certificate(), m.now)
		c.plan.PollAt = m.now.Add(m.upTo(6 * time.Hour))
		m.trouble(c, i)
		m.sites[c.id] = c
		m.known(c)
	}
}

// trouble gives a site some: a server that is offline, names that lead
// elsewhere, a CA that talks nonsense. None lasts longer than half of the life
// that is left when a renewal is due.
func (m *month) trouble(c *site, i int) {
	most := min(c.life/6, 4*days)
	span := func() (from, to time.Time) {
		from = monthStart.Add(m.upTo(29 * days))
		return from, from.Add(m.upTo(most))
	}
	switch i % 25 {
	case 3, 4:
		c.offlineFrom, c.offlineTo = span()
	case 7:
		c.brokenFrom, c.brokenTo = span()
	case 11, 12:
		c.ariBadFrom, c.ariBadUntil = span()
	case 13:
		c.gone = i%50 == 13 // the customer has left and told nobody
	}
}

// peak is the busiest hour's renewals against the mean of all hours.
func (m *month) peak() (ratio, mean float64) {
	hours := int64(m.now.Sub(monthStart) / time.Hour)
	most, all := 0, 0
	for h := range hours {
		most, all = max(most, m.hours[h]), all+m.hours[h]
	}
	mean = float64(all) / float64(hours)
	return float64(most) / mean, mean
}

func (m *month) check(name string, wantPeak float64) {
	m.t.Helper()
	if n := len(m.ca.breaches); n > 0 {
		m.t.Errorf("%s: %d orders were refused for a limit, the first: %v", name, n, m.ca.breaches[:min(n, 3)])
	}
	if n := len(m.expired); n > 0 {
		var some []string
		for id := range m.expired {
			some = append(some, id)
		}
		slices.Sort(some)
		m.t.Errorf("%s: %d certificates expired, such as %v", name, n, some[:min(n, 5)])
	}
	if ratio, mean := m.peak(); wantPeak > 0 && ratio > wantPeak {
		m.t.Errorf("%s: the busiest hour has %.2f times the mean of %.1f renewals, want at most %.2f", name, ratio, mean, wantPeak)
	}
}

// TestAMonth is 30 days of 6,000 certificates, while 1,500 sites come to us.
func TestAMonth(t *testing.T) {
	m := newMonth(t, 1)
	m.populate(2000, 90*days, "classic")
	m.populate(1000, 64*days, "middle")
	m.populate(1200, 45*days, "short")
	m.populate(1800, 160*time.Hour, "shortlived")
	m.run(monthStart.Add(5*days), 4*time.Minute)
	const onboarded = 1500
	for i := range onboarded {
		c := &site{id: fmt.Sprint("crt_new_", i), customer: fmt.Sprint("cus_new_", i%3), name: fmt.Sprintf("new-%d.de", i), life: 90 * days, created: m.now, next: m.now}
		if i < 70 { // a shop with a name for each of its branches
			c.name = fmt.Sprintf("branch-%d.shop.de", i)
		}
		m.sites[c.id] = c
		m.known(c)
	}
	onboarding := m.now
	forecast := m.rules.Forecast(m.now, limits.Load{Sites: onboarded}, m.usage)
	m.run(monthStart.Add(30*days), 4*time.Minute)
	m.check("a month", 1.5)
	if m.first != onboarded {
		t.Errorf("%d of %d new sites have a certificate", m.first, onboarded)
	}
	// 70 names of one domain: 50 at once, and one every 3 h 21 min.
	if took, want := m.lastFirst["shop.de"].Sub(onboarding), 20*7*days/50; took < want-4*time.Hour || took > want+4*time.Hour {
		t.Errorf("the last shop had its certificate after %s, want about %s", took, want)
	}
	if took := m.lastFirst[""].Sub(onboarding); took > forecast.Takes+15*time.Minute || took < forecast.Takes*9/10 {
		t.Errorf("the last of the others had its certificate after %s, want %s, as was forecast", took, forecast.Takes)
	}
	ratio, mean := m.peak()
	t.Logf("%d renewals, %.1f an hour, busiest hour %.2f times that; forecast for all but one domain %s", m.renewed, mean, ratio, forecast.Takes)
}

// TestTheCAOfTheMonthRefuses has a client without a twin: the CA is no pushover.
func TestTheCAOfTheMonthRefuses(t *testing.T) {
	m := newMonth(t, 3)
	m.rules = limits.None()
	for i := range 400 {
		c := &site{id: fmt.Sprint("crt_", i), name: fmt.Sprintf("new-%d.de", i), life: 90 * days, created: m.now, next: m.now, gone: i == 0}
		m.sites[c.id] = c
		m.known(c)
	}
	m.slots = 400
	m.run(monthStart.Add(time.Hour), time.Minute)
	if n := len(m.ca.breaches); n < 90 || n > 100 {
		t.Errorf("%d of 400 orders in an hour were refused, want 400 less 300 and what drips in", n)
	}
}

// TestMassRevocation has a CA revoke a fifth of all at once: their windows are
// in the past, and each is replaced within an hour of the next poll.
func TestMassRevocation(t *testing.T) {
	m := newMonth(t, 2)
	m.populate(2000, 90*days, "classic")
	m.populate(1000, 45*days, "short")
	m.run(monthStart.Add(days), 4*time.Minute)
	at, revoked := m.now, 0
	for i, id := range sortedIDs(m.sites) {
		if c := m.sites[id]; i%5 == 0 && !c.gone && c.offlineTo.IsZero() && c.brokenTo.IsZero() && c.ariBadUntil.IsZero() {
			c.revoked = true
			revoked++
		}
	}
	m.run(at.Add(8*time.Hour), 4*time.Minute)
	left := 0
	for _, c := range m.sites {
		if c.revoked {
			left++
		}
	}
	if revoked < 400 || left > 0 {
		t.Errorf("%d of %d revoked certificates are not replaced 8 hours later", left, revoked)
	}
	m.check("a mass revocation", 0)
}

func sortedIDs(m map[string]*site) (out []string) {
	for id := range m {
		out = append(out, id)
	}
	slices.Sort(out)
	return out
}
