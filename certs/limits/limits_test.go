package limits_test

import (
	"testing"
	"time"

	"ostler/certs/limits"
)

var start = time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)

func TestRegisteredDomain(t *testing.T) {
	for name, want := range map[string]string{
		"example.com":           "example.com",
		"www.Example.com":       "example.com",
		"a.b.example.co.uk.":    "example.co.uk",
		"*.shop.example.de":     "example.de",
		"*.example.de":          "example.de",
		"me.github.io":          "me.github.io", // private part of the list
		"a.me.github.io":        "me.github.io",
		"github.io":             "github.io", // a public suffix is its own
		"com":                   "com",
		"host.internal":         "host.internal",
		"xn--mnchen-3ya.de":     "xn--mnchen-3ya.de",
		"192.0.2.7":             "192.0.2.7",
		"::ffff:192.0.2.7":      "192.0.2.7",
		"2001:db8:1:2:3:4:5:6":  "2001:db8:1:2::/64",
		"2001:db8:1:2:ffff::1":  "2001:db8:1:2::/64",
		"www.city.kawasaki.jp":  "city.kawasaki.jp",
		"a.b.foo.kawasaki.jp":   "b.foo.kawasaki.jp",
		"x.s3.dualstack.foo.eu": "foo.eu",
	} {
		if got := limits.RegisteredDomain(name); got != want {
			t.Errorf("RegisteredDomain(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestSet(t *testing.T) {
	same := [][]string{{"a.de", "b.de"}, {"b.de", "a.de"}, {"B.de", "a.de."}, {"a.de", "b.de", "a.de"}}
	for _, names := range same[1:] {
		if got, want := limits.Set(names), limits.Set(same[0]); got != want {
			t.Errorf("Set(%v) = %s, want %s: the same names", names, got, want)
		}
	}
	for _, names := range [][]string{{"a.de"}, {"a.de", "*.b.de"}, {"a.de", "b.de", "c.de"}} {
		if limits.Set(names) == limits.Set(same[0]) {
			t.Errorf("Set(%v) is that of %v", names, same[0])
		}
	}
}

func TestWith(t *testing.T) {
	for _, c := range []struct {
		name string
		l    limits.Limit
		r    limits.Rule
		ok   bool
	}{
		{"an exception", limits.NewOrders, limits.Rule{Max: 3000, Per: 3 * time.Hour}, true},
		{"lifted", limits.NewOrders, limits.Rule{}, true},
		{"in a row", limits.FailedInRow, limits.Rule{Max: 10}, true},
		{"in a row, by time", limits.FailedInRow, limits.Rule{Max: 10, Per: time.Hour}, false},
		{"for ever", limits.NewOrders, limits.Rule{Max: 10}, false},
		{"none in an hour", limits.NewOrders, limits.Rule{Per: time.Hour}, false},
		{"negative", limits.PerSet, limits.Rule{Max: -1, Per: time.Hour}, false},
		{"no limit of a rate", limits.All, limits.Rule{Max: 1, Per: time.Hour}, false},
		{"unknown", "per_moon", limits.Rule{Max: 1, Per: time.Hour}, false},
	} {
		before := limits.LetsEncrypt()
		after, err := before.With(c.l, c.r)
		if (err == nil) != c.ok {
			t.Errorf("%s: error %v, want none: %t", c.name, err, c.ok)
		}
		if err == nil && after.Rule(c.l) != c.r {
			t.Errorf("%s: rule %v, want %v", c.name, after.Rule(c.l), c.r)
		}
		if before.Rule(limits.NewOrders).Max != 300 {
			t.Errorf("%s: the rules it was made from changed", c.name)
		}
	}
}

// used is a state of which n were spent at start.
func used(l limits.Limit, n int) limits.State {
	var s limits.State
	for range n {
		s = s.Spend(limits.LetsEncrypt().Rule(l), start)
	}
	return s
}

func TestCheck(t *testing.T) {
	names := []string{"example.de", "www.example.de"}
	set, dom := limits.Key{Limit: limits.PerSet, Scope: limits.Set(names)}, limits.Key{Limit: limits.PerDomain, Scope: "example.de"}
	orders, all := limits.Key{Limit: limits.NewOrders}, limits.Key{Limit: limits.All}
	failed, row := limits.Key{Limit: limits.FailedNames, Scope: "www.example.de"}, limits.Key{Limit: limits.FailedInRow, Scope: "example.de"}
	paused := limits.State{Row: 1152}
	held := limits.State{Held: 5}
	blocked := limits.State{}.Block(start.Add(90*time.Minute), "too many")
	for _, c := range []struct {
		name    string
		usage   limits.Usage
		renewal limits.Renewal
		limit   limits.Limit // "" is allowed
		after   time.Duration
	}{
		{"nothing used", nil, "", "", 0},
		{"299 orders", limits.Usage{orders: used(limits.NewOrders, 299)}, "", "", 0},
		{"300 orders", limits.Usage{orders: used(limits.NewOrders, 300)}, "", limits.NewOrders, 36 * time.Second},
		{"300 orders, the same set", limits.Usage{orders: used(limits.NewOrders, 300)}, limits.RenewalSameSet, "", 0},
		{"300 orders, in its window", limits.Usage{orders: used(limits.NewOrders, 300)}, limits.RenewalARI, "", 0},
		{"50 of a domain", limits.Usage{dom: used(limits.PerDomain, 50)}, "", limits.PerDomain, 3*time.Hour + 21*time.Minute + 36*time.Second},
		{"5 of a set", limits.Usage{set: used(limits.PerSet, 5)}, "", limits.PerSet, 33*time.Hour + 36*time.Minute},
		{"5 of a set, the same set", limits.Usage{set: used(limits.PerSet, 5)}, limits.RenewalSameSet, limits.PerSet, 33*time.Hour + 36*time.Minute},
		{"5 of a set, in its window", limits.Usage{set: used(limits.PerSet, 5)}, limits.RenewalARI, "", 0},
		{"5 of a set under way", limits.Usage{set: held}, "", limits.PerSet, 33*time.Hour + 36*time.Minute},
		{"5 failures of a name", limits.Usage{failed: used(limits.FailedNames, 5)}, "", limits.FailedNames, 12 * time.Minute},
		{"the longest wait", limits.Usage{failed: used(limits.FailedNames, 5), set: used(limits.PerSet, 5), orders: used(limits.NewOrders, 300)}, "",
			limits.PerSet, 33*time.Hour + 36*time.Minute},
		{"1,151 in a row", limits.Usage{row: limits.State{Row: 1151}}, "", "", 0},
		{"paused", limits.Usage{row: paused}, "", limits.FailedInRow, -1},
		{"paused, in its window", limits.Usage{row: paused}, limits.RenewalARI, limits.FailedInRow, -1},
		{"paused before all others", limits.Usage{row: paused, set: used(limits.PerSet, 5)}, "", limits.FailedInRow, -1},
		{"the CA said so", limits.Usage{orders: blocked}, "", limits.NewOrders, 90 * time.Minute},
		{"the CA said so of the domain, in its window", limits.Usage{dom: blocked}, limits.RenewalARI, limits.PerDomain, 90 * time.Minute},
		{"the CA said so of everything", limits.Usage{all: blocked}, limits.RenewalARI, limits.All, 90 * time.Minute},
		{"the CA spoke of another domain", limits.Usage{{Limit: limits.PerDomain, Scope: "other.de"}: blocked}, "", "", 0},
		{"what it said is over", limits.Usage{all: limits.State{}.Block(start, "")}, "", "", 0},
	} {
		v := limits.LetsEncrypt().Check(start, limits.Request{Names: names, Renewal: c.renewal}, c.usage)
		want := start.Add(c.after)
		if c.after < 0 {
			want = time.Time{}
		}
		if v.Allowed != (c.limit == "") || v.Limit != c.limit || !v.NotBefore.Equal(want) {
			t.Errorf("%s: got %+v, want limit %q until %s", c.name, v, c.limit, want)
		}
		if v.ByCA != (v.Said != "") {
			t.Errorf("%s: got %+v, want the CA's words beside its verdict", c.name, v)
		}
	}
}

func TestNoRulesButTheWordOfTheCA(t *testing.T) {
	q := limits.Request{Names: []string{"example.de"}}
	if got := limits.None().Counted(q); len(got) != 0 {
		t.Errorf("counted %v, want nothing", got)
	}
	k := limits.Key{Limit: limits.PerDomain, Scope: "example.de"}
	u := limits.Usage{k: limits.State{Held: 9000}.Block(start.Add(time.Second), "busy")}
	v := limits.None().Check(start, q, u)
	if v.Allowed || v.Limit != limits.PerDomain || !v.NotBefore.Equal(start.Add(time.Second)) {
		t.Errorf("got %+v, want the CA's word", v)
	}
	if v := limits.None().Check(start.Add(time.Second), q, u); !v.Allowed {
		t.Errorf("got %+v, want it allowed when that is over", v)
	}
}

func TestRefusalsTellAll(t *testing.T) {
	names := []string{"a.de", "b.de"}
	u := limits.Usage{
		{Limit: limits.FailedNames, Scope: "b.de"}:           used(limits.FailedNames, 5),
		{Limit: limits.NewOrders}:                            used(limits.NewOrders, 300),
		{Limit: limits.PerSet, Scope: limits.Set(names)}:     used(limits.PerSet, 4),
		{Limit: limits.PerDomain, Scope: "a.de"}:             used(limits.PerDomain, 50),
		{Limit: limits.FailedInRow, Scope: "c.de"}:           {Row: 5000},
		{Limit: limits.FailedNames, Scope: "elsewhere.a.de"}: used(limits.FailedNames, 5),
	}
	var got []limits.Limit
	for _, v := range limits.LetsEncrypt().Refusals(start, limits.Request{Names: names}, u) {
		got = append(got, v.Limit)
		if v.Used == 0 || v.Used != v.Max {
			t.Errorf("%s: used %d of %d, want all", v.Limit, v.Used, v.Max)
		}
	}
	want := []limits.Limit{limits.PerDomain, limits.FailedNames, limits.NewOrders}
	if len(got) != len(want) || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestState(t *testing.T) {
	rule := limits.LetsEncrypt().Rule(limits.PerSet)
	s := used(limits.PerSet, 5)
	if got := s.Spend(rule, start); !got.Full.Equal(s.Full) {
		t.Errorf("a sixth counts until %s, want %s: the CA counts none", got.Full, s.Full)
	}
	if got := s.Used(rule, start.Add(33*time.Hour+36*time.Minute)); got != 4 {
		t.Errorf("used %d a fifth later, want 4", got)
	}
	if s.Idle(start.Add(7*24*time.Hour - time.Millisecond)) {
		t.Error("idle before it is full again")
	}
	if !s.Idle(start.Add(7 * 24 * time.Hour)) {
		t.Error("not idle when it is full again")
	}
	if got := (limits.State{}).Release(); got.Held != 0 {
		t.Errorf("held %d, want 0", got.Held)
	}
	if got := s.Hold().Hold().Release(); got.Held != 1 {
		t.Errorf("held %d, want 1", got.Held)
	}
	if s.Hold().Idle(start.Add(1000 * time.Hour)) {
		t.Error("idle while one is held")
	}
	if got := (limits.State{}).Fail().Fail().Succeed().Fail(); got.Row != 1 {
		t.Errorf("%d in a row, want 1", got.Row)
	}
	later := limits.State{}.Block(start.Add(time.Hour), "later").Block(start.Add(time.Minute), "sooner")
	if !later.BlockedUntil.Equal(start.Add(time.Minute)) {
		t.Errorf("blocked until %s, want the CA's latest word", later.BlockedUntil)
	}
}

func TestForecast(t *testing.T) {
	orders := limits.Key{Limit: limits.NewOrders}
	for _, c := range []struct {
		name  string
		load  limits.Load
		usage limits.Usage
		takes time.Duration
		limit limits.Limit
		scope string
	}{
		{"none", limits.Load{}, nil, 0, "", ""},
		{"a hundred", limits.Load{Sites: 100}, nil, 0, "", ""},
		{"ten thousand", limits.Load{Sites: 10_000}, nil, 4*24*time.Hour + 5*time.Hour, limits.NewOrders, ""},
		{"ten thousand, all used now", limits.Load{Sites: 10_000}, limits.Usage{orders: used(limits.NewOrders, 300)}, 104 * time.Hour, limits.NewOrders, ""},
		{"ten thousand, some under way", limits.Load{Sites: 10_000}, limits.Usage{orders: {Held: 100}}, 102 * time.Hour, limits.NewOrders, ""},
		{"a hundred, the CA said wait", limits.Load{Sites: 100}, limits.Usage{orders: limits.State{}.Block(start.Add(time.Hour), "")}, time.Hour, limits.NewOrders, ""},
		{"a hundred of one domain", limits.Load{Sites: 100, Domains: map[string]int64{"example.de": 100}}, nil, 7 * 24 * time.Hour, limits.PerDomain, "example.de"},
		{"fifty of one domain", limits.Load{Sites: 50, Domains: map[string]int64{"example.de": 50}}, nil, 0, "", ""},
	} {
		got := limits.LetsEncrypt().Forecast(start, c.load, c.usage)
		if got.Takes != c.takes || got.Limit != c.limit || got.Scope != c.scope {
			t.Errorf("%s: got %+v, want %s by %q %q", c.name, got, c.takes, c.limit, c.scope)
		}
	}
	if got := limits.None().Forecast(start, limits.Load{Sites: 1_000_000}, nil); got.Takes != 0 {
		t.Errorf("without limits: got %+v, want at once", got)
	}
}

func TestPacer(t *testing.T) {
	p := limits.NewPacer(limits.LetsEncryptPace())
	var last time.Duration
	for i := range 918 {
		wait := p.Take(start, limits.EndpointRenewalInfo)
		if i > 0 && wait <= last {
			t.Fatalf("turn %d waits %s, the one before it %s", i, wait, last)
		}
		last = wait
	}
	if last < 999*time.Millisecond || last > 1001*time.Millisecond {
		t.Errorf("the 918th waits %s, want a second", last)
	}
	if got := p.Take(start, limits.EndpointNonce); got != 0 {
		t.Errorf("another endpoint waits %s, want 0", got)
	}
	p.Stop(limits.EndpointNonce, start.Add(time.Hour))
	if got := p.Take(start, limits.EndpointNonce); got != time.Hour {
		t.Errorf("a stopped endpoint waits %s, want an hour", got)
	}
	if got := limits.LetsEncryptPace().Share(2)[limits.EndpointNonce]; got != 9 {
		t.Errorf("one of two has %v nonces a second, want 9", got)
	}
	if got := limits.NewPacer(nil).Take(start, limits.EndpointOther); got != 0 {
		t.Errorf("without a pace it waits %s, want 0", got)
	}
}

func TestOf(t *testing.T) {
	for url, want := range map[string]int64{
		"https://acme-v02.api.letsencrypt.org/directory":         300,
		"https://acme-staging-v02.api.letsencrypt.org/directory": 1500,
		"https://localhost:14000/dir":                            0,
		"::":                                                     0,
	} {
		if got := limits.Of(url).Rule(limits.NewOrders).Max; got != want {
			t.Errorf("Of(%s) allows %d orders, want %d", url, got, want)
		}
	}
}
