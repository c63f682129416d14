package main

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func TestTrustedProxies(t *testing.T) {
	for _, tt := range []struct {
		in   []string
		want []string
		err  string
	}{
		{nil, nil, ""},
		{[]string{"127.0.0.1", "10.0.0.0/24", "2001:db8::/32", "::1"}, []string{"127.0.0.1/32", "10.0.0.0/24", "2001:db8::/32", "::1/128"}, ""},
		{[]string{"::ffff:10.0.0.1"}, []string{"10.0.0.1/32"}, ""},
		{[]string{"nginx.example"}, nil, "is no address"},
		{[]string{"10.0.0.0/33"}, nil, "is no address"},
		{[]string{"fe80::1%eth0"}, nil, "is no address"},
		{[]string{""}, nil, "is no address"},
		{[]string{"10.0.0.7/24"}, nil, "write 10.0.0.0/24"},
		{[]string{"0.0.0.0/0"}, nil, "is everybody"},
		{[]string{"::/0"}, nil, "is everybody"},
		{[]string{"::ffff:10.0.0.0/120"}, nil, "IPv4 network"},
	} {
		got, err := PortalConfig{TrustedProxies: tt.in}.proxies()
		if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%v: got %v, want %q", tt.in, err, tt.err)
			continue
		}
		var words []string
		for _, p := range got {
			words = append(words, netip.Prefix.String(p))
		}
		if !slices.Equal(words, tt.want) {
			t.Errorf("%v: got %v, want %v", tt.in, words, tt.want)
		}
		c := defaults()
		c.Portal.TrustedProxies = tt.in
		if _, err := c.complete(); (err == nil) != (tt.err == "") {
			t.Errorf("%v: the configuration says %v", tt.in, err)
		}
	}
}

// Behind a proxy that browsers reach over TLS cookies are bound to it.
func TestPortalSecure(t *testing.T) {
	for name, tt := range map[string]struct {
		c    PortalConfig
		want bool
	}{
		"plain on loopback":          {PortalConfig{URL: "http://localhost:8443"}, false},
		"TLS of our own":             {PortalConfig{URL: "https://a.example", TLSCert: "a.pem"}, true},
		"behind a proxy with TLS":    {PortalConfig{URL: "https://a.example", TrustedProxies: []string{"127.0.0.1"}}, true},
		"behind a proxy without TLS": {PortalConfig{URL: "http://a.internal", TrustedProxies: []string{"127.0.0.1"}}, false},
		"no proxy is named":          {PortalConfig{URL: "https://a.example"}, false},
	} {
		if got := tt.c.secure(); got != tt.want {
			t.Errorf("%s: got %v, want %v", name, got, tt.want)
		}
	}
}
