package limits_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"ostler/certs/limits"
)

// bucket is a limit as a CA may write it down: tokens that drip in.
type bucket struct {
	max, tokens float64
	per         time.Duration
	at          time.Time
}

func (b *bucket) drip(now time.Time) {
	b.tokens = min(b.max, b.tokens+b.max*float64(now.Sub(b.at))/float64(b.per))
	b.at = now
}

// slack is what a sum of fractions may be off by.
const slack = 1e-6

func (b *bucket) has(now time.Time) bool {
	b.drip(now)
	return b.tokens >= 1-slack
}

func (b *bucket) spend(now time.Time) {
	if b.has(now) {
		b.tokens--
	}
}

// naive is a CA with limits, written without a look at the twin.
type naive struct {
	buckets map[string]*bucket
	row     map[string]int
	rules   map[limits.Limit]limits.Rule
}

func (c *naive) bucket(l limits.Limit, scope string, now time.Time) *bucket {
	key := string(l) + " " + scope
	if c.buckets[key] == nil {
		r := c.rules[l]
		c.buckets[key] = &bucket{max: float64(r.Max), tokens: float64(r.Max), per: r.Per, at: now}
	}
	return c.buckets[key]
}

func domainOf(name string) string {
	parts := strings.Split(strings.TrimPrefix(name, "*."), ".")
	return strings.Join(parts[len(parts)-2:], ".")
}

func setOf(names []string) string {
	return strings.Join(slices.Compact(slices.Sorted(slices.Values(names))), " ")
}

// order answers newOrder: the limit that refuses it, "" for none.
func (c *naive) order(now time.Time, names []string, r limits.Renewal) string {
	for _, n := range names {
		if c.row[n] >= int(c.rules[limits.FailedInRow].Max) {
			return "paused " + n
		}
	}
	if r == limits.RenewalARI {
		return ""
	}
	for _, n := range names {
		if !c.bucket(limits.FailedNames, n, now).has(now) {
			return "failed " + n
		}
		if r == limits.RenewalNone && !c.bucket(limits.PerDomain, domainOf(n), now).has(now) {
			return "domain " + n
		}
	}
	if !c.bucket(limits.PerSet, setOf(names), now).has(now) {
		return "set " + setOf(names)
	}
	if r == limits.RenewalNone {
		b := c.bucket(limits.NewOrders, "", now)
		if !b.has(now) {
			return "orders"
		}
		b.spend(now)
	}
	return ""
}

func (c *naive) issued(now time.Time, names []string, r limits.Renewal) {
	c.bucket(limits.PerSet, setOf(names), now).spend(now)
	seen := map[string]bool{}
	for _, n := range names {
		c.row[n] = 0
		if d := domainOf(n); r == limits.RenewalNone && !seen[d] {
			seen[d] = true
			c.bucket(limits.PerDomain, d, now).spend(now)
		}
	}
}

func (c *naive) failed(now time.Time, name string) {
	c.row[name]++
	c.bucket(limits.FailedNames, name, now).spend(now)
}

// client is the twin, as its users use it.
type client struct {
	rules limits.Rules
	usage limits.Usage
}

func (c *client) all(keys []limits.Key, fn func(limits.Key, limits.State) limits.State) {
	for _, k := range keys {
		c.usage[k] = fn(k, c.usage[k])
	}
}

// event is something that happens later in the test.
type event struct {
	at time.Time
	do func(now time.Time)
}

// TestTwinNeverAllowsMore has orders of overlapping names begin, end and fail in
// any order, with all delays between us and the CA: what the twin allows the CA
// never refuses, and no order waits for ever.
func TestTwinNeverAllowsMore(t *testing.T) {
	for seed := range uint64(10) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { twin(t, seed) })
	}
}

func twin(t *testing.T, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 7))
	rules := limits.LetsEncrypt()
	small := map[limits.Limit]limits.Rule{limits.NewOrders: {Max: 20 + rnd.Int64N(30), Per: 3 * time.Hour}, limits.PerDomain: {Max: 7, Per: 50 * time.Hour},
		limits.PerSet: {Max: 3, Per: 29 * time.Hour}, limits.FailedNames: {Max: 2 + rnd.Int64N(4), Per: time.Hour}, limits.FailedInRow: {Max: 100_000}}
	for l, r := range small {
		var err error
		if rules, err = rules.With(l, r); err != nil {
			t.Fatal(err)
		}
	}
	ca := &naive{buckets: map[string]*bucket{}, row: map[string]int{}, rules: small}
	us := &client{rules: rules, usage: limits.Usage{}}
	var names []string
	for d := range 6 {
		for _, h := range []string{"", "www.", "shop.", "mail."} {
			names = append(names, fmt.Sprintf("%ssite%d.de", h, d))
		}
	}
	sets := make([][]string, 40) // some of them meet
	for i := range sets {
		for range 1 + rnd.IntN(3) {
			sets[i] = append(sets[i], names[rnd.IntN(len(names))])
		}
	}
	var later []event
	after := func(now time.Time, most time.Duration, do func(time.Time)) {
		later = append(later, event{now.Add(time.Duration(rnd.Int64N(int64(most)))), do})
	}
	allowed, refused := 0, 0
	for now := start; now.Before(start.Add(6 * 24 * time.Hour)); now = now.Add(time.Duration(rnd.IntN(120_000)) * time.Millisecond) {
		slices.SortFunc(later, func(a, b event) int { return a.at.Compare(b.at) })
		for len(later) > 0 && !later[0].at.After(now) {
			e := later[0]
			later = later[1:]
			e.do(e.at.Truncate(time.Millisecond).Add(time.Millisecond))
		}
		q := limits.Request{Names: sets[rnd.IntN(len(sets))]}
		q.Renewal = []limits.Renewal{limits.RenewalNone, limits.RenewalNone, limits.RenewalSameSet, limits.RenewalARI}[rnd.IntN(4)]
		v := us.rules.Check(now, q, us.usage)
		if !v.Allowed {
			refused++
			if !v.NotBefore.IsZero() && !v.NotBefore.After(now) {
				t.Fatalf("%s: refused until %s, which is over", now, v.NotBefore)
			}
			continue
		}
		allowed++
		keys := us.rules.Counted(q)
		us.all(keys, func(_ limits.Key, s limits.State) limits.State { return s.Hold() })
		renewal, bad := q.Renewal, rnd.IntN(3) == 0
		after(now, 40*time.Second, func(now time.Time) { // the order reaches the CA
			if limit := ca.order(now, q.Names, renewal); limit != "" {
				t.Fatalf("%s: the CA refuses %v (%q) for %s", now, q.Names, renewal, limit)
			}
			after(now, 10*time.Minute, func(now time.Time) { // it ends
				if bad {
					ca.failed(now, q.Names[0])
				} else {
					ca.issued(now, q.Names, renewal)
				}
				after(now, 10*time.Minute, func(now time.Time) { us.ended(now, q, keys, bad) })
			})
		})
	}
	if allowed < 200 || refused < 200 {
		t.Errorf("%d allowed, %d refused: the test tries too little", allowed, refused)
	}
}

// ended counts what an order has brought.
func (c *client) ended(now time.Time, q limits.Request, keys []limits.Key, bad bool) {
	c.all(keys, func(k limits.Key, s limits.State) limits.State {
		s = s.Release()
		counts := k.Limit == limits.NewOrders || k.Limit == limits.FailedNames && bad && k.Scope == q.Names[0] || k.Limit != limits.FailedNames && !bad
		if counts {
			return s.Spend(c.rules.Rule(k.Limit), now)
		}
		return s
	})
	if bad {
		k := limits.Key{Limit: limits.FailedInRow, Scope: q.Names[0]}
		c.usage[k] = c.usage[k].Fail()
		return
	}
	for _, n := range q.Names {
		k := limits.Key{Limit: limits.FailedInRow, Scope: n}
		c.usage[k] = c.usage[k].Succeed()
	}
}

// TestPausedAsTheCADoes has a name fail until the CA pauses it.
func TestPausedAsTheCADoes(t *testing.T) {
	rules, err := limits.LetsEncrypt().With(limits.FailedNames, limits.Rule{Max: 1, Per: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	ca := &naive{buckets: map[string]*bucket{}, row: map[string]int{}, rules: map[limits.Limit]limits.Rule{
		limits.NewOrders: {Max: 300, Per: 3 * time.Hour}, limits.PerDomain: {Max: 50, Per: time.Hour}, limits.PerSet: {Max: 5, Per: time.Hour},
		limits.FailedNames: {Max: 1, Per: time.Minute}, limits.FailedInRow: {Max: 1152}}}
	us := &client{rules: rules, usage: limits.Usage{}}
	q := limits.Request{Names: []string{"moved.de"}, Renewal: limits.RenewalSameSet}
	made := 0
	for now := start; ; now = now.Add(30 * time.Second) {
		v := us.rules.Check(now, q, us.usage)
		refused := ca.order(now, q.Names, q.Renewal)
		if v.Allowed != (refused == "") {
			t.Fatalf("order %d: the twin allows it: %t; the CA refuses it for %q", made+1, v.Allowed, refused)
		}
		if v.Limit == limits.FailedInRow {
			break
		}
		if v.Allowed {
			made++
			keys := us.rules.Counted(q)
			us.all(keys, func(_ limits.Key, s limits.State) limits.State { return s.Hold() })
			ca.failed(now, "moved.de")
			us.ended(now, q, keys, true)
		}
	}
	if made != 1152 {
		t.Errorf("paused after %d failures, want 1,152", made)
	}
}

// TestTwinWastesLittle has nothing fail: what the CA allows the twin allows, but
// for what is under way.
func TestTwinWastesLittle(t *testing.T) {
	us := &client{rules: limits.LetsEncrypt(), usage: limits.Usage{}}
	made := 0
	for now := start; now.Before(start.Add(30 * time.Hour)); now = now.Add(time.Second) {
		q := limits.Request{Names: []string{fmt.Sprintf("site%d.de", made)}}
		if us.rules.Check(now, q, us.usage).Allowed {
			us.all(us.rules.Counted(q), func(k limits.Key, s limits.State) limits.State { return s.Spend(us.rules.Rule(k.Limit), now) })
			made++
		}
	}
	if want := 300 + 3000; made < want-2 || made > want {
		t.Errorf("%d orders in 30 hours, want %d", made, want)
	}
}
