package server_test

import (
	"net/http/httptest"
	"net/netip"
	"testing"

	"ostler/controlplane/server"
)

// Where a request came from is who dialled us; behind a trusted proxy it is the
// first address from the right of X-Forwarded-For that is no trusted proxy. What a
// client writes into the header itself never counts.
func TestWhereARequestCameFrom(t *testing.T) {
	w := newWorld(t)
	nginx, rack := []string{"127.0.0.1/32", "::1/128"}, []string{"127.0.0.1/32", "10.0.0.0/24", "2001:db8:1::/48"}
	for name, tt := range map[string]struct {
		trusted   []string
		remote    string
		forwarded []string
		want      string
	}{
		"nobody is trusted":                     {nil, "127.0.0.1:4711", []string{"203.0.113.5"}, "127.0.0.1"},
		"no header":                             {nginx, "127.0.0.1:4711", nil, "127.0.0.1"},
		"one proxy":                             {nginx, "127.0.0.1:4711", []string{"203.0.113.5"}, "203.0.113.5"},
		"one proxy, over IPv6":                  {nginx, "[::1]:4711", []string{"2001:db8::7"}, "2001:db8::7"},
		"the client writes into it":             {nginx, "127.0.0.1:4711", []string{"192.0.2.99, 203.0.113.5"}, "203.0.113.5"},
		"the client writes a proxy into it":     {nginx, "127.0.0.1:4711", []string{"127.0.0.1, 203.0.113.5"}, "203.0.113.5"},
		"the client writes nonsense into it":    {nginx, "127.0.0.1:4711", []string{"<b>, , 203.0.113.5"}, "203.0.113.5"},
		"the client writes lines of their own":  {nginx, "127.0.0.1:4711", []string{"192.0.2.99", "203.0.113.5"}, "203.0.113.5"},
		"two proxies":                           {rack, "127.0.0.1:4711", []string{"203.0.113.5, 10.0.0.8"}, "203.0.113.5"},
		"two proxies, one is not trusted":       {nginx, "127.0.0.1:4711", []string{"203.0.113.5, 10.0.0.8"}, "10.0.0.8"},
		"a private address is not trusted":      {nginx, "10.0.0.8:4711", []string{"203.0.113.5"}, "10.0.0.8"},
		"somebody else dials us":                {rack, "198.51.100.3:4711", []string{"203.0.113.5"}, "198.51.100.3"},
		"the proxy itself, all are trusted":     {rack, "127.0.0.1:4711", []string{"10.0.0.9, 10.0.0.8"}, "10.0.0.9"},
		"an address that is none from a proxy":  {nginx, "127.0.0.1:4711", []string{"unknown"}, "127.0.0.1"},
		"a trusted network of IPv6":             {rack, "[2001:db8:1::5]:4711", []string{"2001:db8:2::7"}, "2001:db8:2::7"},
		"another network of IPv6":               {rack, "[2001:db8:9::5]:4711", []string{"2001:db8:2::7"}, "2001:db8:9::5"},
		"IPv4 on an IPv6 socket is that proxy":  {nginx, "[::ffff:127.0.0.1]:4711", []string{"203.0.113.5"}, "203.0.113.5"},
		"with brackets, as some proxies write":  {nginx, "127.0.0.1:4711", []string{"[2001:db8::7]"}, "2001:db8::7"},
		"an empty header is no header":          {nginx, "127.0.0.1:4711", []string{""}, "127.0.0.1"},
		"a very long header is read from right": {nginx, "127.0.0.1:4711", []string{longHeader() + "203.0.113.5"}, "203.0.113.5"},
	} {
		var trusted []netip.Prefix
		for _, p := range tt.trusted {
			trusted = append(trusted, netip.MustParsePrefix(p))
		}
		s, err := server.New(w.s.Deps, server.Options{PortalAddr: "127.0.0.1:0", AgentNames: []string{"localhost"}, TrustedProxies: trusted})
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/report", nil)
		r.RemoteAddr = tt.remote
		for _, f := range tt.forwarded {
			r.Header.Add("X-Forwarded-For", f)
		}
		if got := s.Portal().IPExtractor(r); got != tt.want {
			t.Errorf("%s: got %s, want %s", name, got, tt.want)
		}
	}
}

func longHeader() (s string) {
	for range 1000 {
		s += "192.0.2.99, "
	}
	return s
}
