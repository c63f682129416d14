package preflight_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"ostler/certs/preflight"
	"ostler/certs/preflight/dnstest"
)

func TestCAA(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		asked   string
		records []string
		fail    string
		way     preflight.Way
		want    string // "" for none
		says    string
	}{
		{name: "none"},
		{name: "ours", records: []string{`maple.example CAA 0 issue "ca.example"`}},
		{name: "ours in capitals", records: []string{`maple.example CAA 0 ISSUE "CA.Example"`}},
		{name: "ours among others", records: []string{`maple.example CAA 0 issue "other.example"`, `maple.example CAA 0 issue "ca.example"`}},
		{name: "another", records: []string{`maple.example CAA 0 issue "other.example"`}, want: "caa_other",
			says: `A CAA record at maple.example allows other.example only, and not ca.example. Add the CAA record: maple.example CAA 0 issue "ca.example".`},
		{name: "nobody", records: []string{`maple.example CAA 0 issue ";"`}, want: "caa_none"},
		{name: "the nearest counts", records: []string{`maple.example CAA 0 issue "other.example"`, `www.maple.example CAA 0 issue "ca.example"`}},
		{name: "an alias's own, not its parent's", records: []string{
			`www.maple.example CNAME web.oak.example`, `oak.example CAA 0 issue "other.example"`}},
		{name: "at the end of an alias", records: []string{`www.maple.example CNAME web.oak.example`, `web.oak.example CAA 0 issue "other.example"`}, want: "caa_other"},
		{name: "iodef only", records: []string{`maple.example CAA 0 iodef "mailto:a@maple.example"`}},
		{name: "wildcards are another matter", records: []string{`maple.example CAA 0 issuewild ";"`}},
		{name: "issuewild for a wildcard", asked: "*.maple.example", way: preflight.WayDNS,
			records: []string{`maple.example CAA 0 issue "ca.example"`, `maple.example CAA 0 issuewild ";"`}, want: "caa_none"},
		{name: "issue for a wildcard where no issuewild is", asked: "*.maple.example", way: preflight.WayDNS, records: []string{`maple.example CAA 0 issue "ca.example"`}},
		{name: "our account", records: []string{`maple.example CAA 0 issue "ca.example; accounturi=https://ca.example/acct/1"`}},
		{name: "another account", records: []string{`maple.example CAA 0 issue "ca.example; accounturi=https://ca.example/acct/2"`}, want: "caa_account",
			says: "allows ca.example for the account https://ca.example/acct/2 only, and ours is https://ca.example/acct/1."},
		{name: "our method", records: []string{`maple.example CAA 0 issue "ca.example; validationmethods=dns-01,http-01"`}},
		{name: "another method", records: []string{`maple.example CAA 0 issue "ca.example; validationmethods=dns-01"`}, want: "caa_method", says: "by dns-01 only, and this certificate goes by http-01."},
		{name: "a parameter that is none", records: []string{`maple.example CAA 0 issue "ca.example; nonsense"`}, want: "caa_none"},
		{name: "critical and unknown", records: []string{`maple.example CAA 128 tbs "x"`}, want: "caa_critical"},
		{name: "unknown", records: []string{`maple.example CAA 0 tbs "x"`}},
		{name: "servfail above", fail: "SERVFAIL", want: "caa_failed", says: "cannot be looked up (SERVFAIL)"},
		{name: "silence above", fail: "silent", want: "caa_failed", says: "(no answer)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			w.dns.Zone("oak.example")
			if !strings.Contains(strings.Join(tt.records, " "), "CNAME") {
				w.dns.Add("www.maple.example A 127.0.0.1")
			}
			w.dns.Add("web.oak.example A 127.0.0.1")
			w.dns.Add(tt.records...)
			if tt.fail != "" {
				w.dns.Fail("maple.example", "CAA", tt.fail)
			}
			if tt.asked == "" {
				tt.asked, tt.way = "www.maple.example", preflight.WayAgent
			}
			got := w.check.Check(t.Context(), request(tt.way, tt.asked))
			var want []string
			if tt.want != "" {
				want = []string{tt.want + "!"}
			}
			if !slices.Equal(codes(got), want) {
				t.Fatalf("got %v, want %v", got, want)
			}
			if !strings.Contains(sentences(got), tt.says) {
				t.Errorf("says %s", sentences(got))
			}
		})
	}
}

func TestCheckByDNS(t *testing.T) {
	t.Parallel()
	const target = "_acme-challenge.m1.acme.house.example"
	tests := []struct {
		name    string
		asked   string
		way     preflight.Way
		records []string
		fail    [3]string
		want    []string
		says    string
	}{
		{name: "in the zone", way: preflight.WayDNS},
		{name: "a wildcard", asked: "*.maple.example", way: preflight.WayDNS},
		{name: "an address", asked: "192.0.2.1", way: preflight.WayDNS, want: []string{"address_http!"}},
		{name: "where the site lives does not matter", way: preflight.WayDNS, records: []string{"maple.example A 192.0.2.99"}},
		{name: "left over", way: preflight.WayDNS, records: []string{`_acme-challenge.maple.example TXT "old"`}, want: []string{"stale_txt"}, says: "still has 1 TXT values"},
		{name: "an alias that we follow", way: preflight.WayDNS, records: []string{"_acme-challenge.maple.example CNAME " + target}, want: []string{"challenge_away"}},
		{name: "servfail", way: preflight.WayDNS, fail: [3]string{"_acme-challenge.maple.example", "TXT", "SERVFAIL"}, want: []string{"dns_failed!"}},
		{name: "no such zone", asked: "www.nowhere.example", way: preflight.WayDNS, want: []string{"zone_unknown!"}},
		{name: "delegated", way: preflight.WayDelegate, records: []string{"_acme-challenge.maple.example CNAME " + target}},
		{name: "delegated in two steps", way: preflight.WayDelegate,
			records: []string{"_acme-challenge.maple.example CNAME c.maple.example", "c.maple.example CNAME " + target}},
		{name: "not delegated", way: preflight.WayDelegate, want: []string{"delegation_none!"},
			says: "Add the record: _acme-challenge.maple.example CNAME " + target + "."},
		{name: "delegated to others", way: preflight.WayDelegate, records: []string{"_acme-challenge.maple.example CNAME x.other.example"},
			want: []string{"delegation_other!"}, says: "leads to x.other.example, and not to us"},
		{name: "a record in place of it", way: preflight.WayDelegate, records: []string{`_acme-challenge.maple.example TXT "old"`}, want: []string{"delegation_record!"}},
		{name: "the plane's own zone is dead", way: preflight.WayDelegate,
			records: []string{"_acme-challenge.maple.example CNAME " + target}, fail: [3]string{target, "TXT", "REFUSED"}, want: []string{"dns_failed!"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			w.dns.Zone("acme.house.example")
			w.dns.Add(tt.records...)
			if tt.fail[2] != "" {
				w.dns.Fail(tt.fail[0], tt.fail[1], tt.fail[2])
			}
			if tt.asked == "" {
				tt.asked = "maple.example"
			}
			got := w.check.Check(t.Context(), request(tt.way, tt.asked))
			if !slices.Equal(codes(got), tt.want) {
				t.Fatalf("got %+v, want %v", got, tt.want)
			}
			if !strings.Contains(sentences(got), tt.says) || strings.Contains(sentences(got), "unknown") {
				t.Errorf("says %s", sentences(got))
			}
		})
	}
}

// A zone with two servers, one of which is dead, and then both.
func TestNameServersThatDoNotAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.dns.Add("maple.example NS ns2.maple.example.", "ns2.maple.example A 127.0.0.77")
	got := w.check.Check(t.Context(), request(preflight.WayDNS, "maple.example"))
	if want := []string{"ns_some"}; !slices.Equal(codes(got), want) || !strings.Contains(sentences(got), "do not answer: ns2.maple.example.") {
		t.Errorf("got %v, %s", codes(got), sentences(got))
	}
	w.dns.Remove("ns1.maple.example", "A")
	got = w.check.Check(t.Context(), request(preflight.WayDNS, "maple.example"))
	if want := []string{"ns_unreachable!"}; !slices.Equal(codes(got), want) {
		t.Errorf("got %v, want %v", codes(got), want)
	}
}

func TestResolver(t *testing.T) {
	t.Parallel()
	w := dnstest.Start(t, dnstest.Options{})
	w.Zone("maple.example")
	w.Zone("sub.maple.example")
	w.Add("a.maple.example CNAME b.sub.maple.example", "b.sub.maple.example CNAME c.gone.example")
	r, err := preflight.NewResolver(preflight.ResolverOptions{Servers: []string{"127.0.0.1:1", w.Addr()}, Port: w.Port(), Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	chain, err := r.Follow(t.Context(), "A.Maple.Example.")
	if got, want := strings.Join(chain, " "), "a.maple.example b.sub.maple.example c.gone.example"; got != want || err != nil {
		t.Errorf("follow: got %s, %v, want %s", got, err, want)
	}
	for name, want := range map[string]string{"_acme-challenge.www.maple.example": "maple.example", "x.y.sub.maple.example": "sub.maple.example", "maple.example": "maple.example",
		"a.maple.example": "maple.example"} {
		if got, err := r.Zone(t.Context(), name); got != want || err != nil {
			t.Errorf("zone of %s: got %s, %v, want %s", name, got, err, want)
		}
	}
	if _, err := r.Zone(t.Context(), "oak.example"); !errors.Is(err, preflight.ErrNoZone) {
		t.Errorf("zone of nobody: %v", err)
	}
	w.Fail("maple.example", "SOA", "REFUSED")
	var e *preflight.DNSError
	if _, err := r.Zone(t.Context(), "maple.example"); !errors.As(err, &e) || e.Rcode != "REFUSED" {
		t.Errorf("a refusal: %v", err)
	}
	for _, bad := range []preflight.ResolverOptions{{Servers: []string{"127.0.0.1"}}, {Servers: []string{w.Addr()}, Authorities: []string{"x"}}} {
		if _, err := preflight.NewResolver(bad); err == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
}

// Two servers of one zone, and the second learns of the value later.
func TestLook(t *testing.T) {
	t.Parallel()
	first := dnstest.Start(t, dnstest.Options{})
	second := dnstest.Start(t, dnstest.Options{Addr: strings.Replace(first.Addr(), "127.0.0.1", "127.0.0.2", 1)})
	first.Zone("maple.example")
	first.Add("maple.example NS ns2.maple.example.", "ns2.maple.example A 127.0.0.2")
	r, err := preflight.NewResolver(preflight.ResolverOptions{Private: true, Servers: []string{first.Addr()}, Port: first.Port(), Timeout: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	const name = "_acme-challenge.maple.example"
	check := func(lacking, silent string) {
		t.Helper()
		l, s, all, err := r.Look(t.Context(), name, "v")
		if got := strings.Join(l, " "); err != nil || got != lacking || all != 2 {
			t.Errorf("lacking: got %q, %v, want %q", got, err, lacking)
		}
		if got := strings.Join(s, " "); got != silent {
			t.Errorf("silent: got %q, want %q", got, silent)
		}
		both, err := r.Without(t.Context(), name, "v")
		if got := strings.Join(both, " "); err != nil || got != strings.TrimSpace(lacking+" "+silent) {
			t.Errorf("without: got %q, %v", got, err)
		}
	}
	first.Add(name + ` TXT "other"`)
	check("ns1.maple.example ns2.maple.example", "")
	first.Add(name + ` TXT "v"`)
	check("ns2.maple.example", "")
	second.Fail(name, "TXT", "silent")
	check("", "ns2.maple.example")
	second.Fail(name, "TXT", "")
	second.Add(name + ` TXT "v"`)
	check("", "")
}
