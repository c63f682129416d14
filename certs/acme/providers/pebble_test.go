package providers_test

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"slices"
	"testing"
	"time"

	"ostler/certs/acme"
	"ostler/certs/acme/acmetest"
	"ostler/certs/acme/providers"
	"ostler/certs/preflight"
)

// From a name without any record of its own to a certificate: preflight, DNS
// UPDATE signed with TSIG, Pebble's validator, and nothing left in the zone. The
// wildcard and its base share one name for two values; oak.example is delegated.
func TestCertificatesByDNS(t *testing.T) {
	s, resolver := names(t)
	s.Zone("acme.house.example")
	s.Zone("oak.example")
	s.Add("oak.example A 192.0.2.99", // it lives elsewhere still
		"_acme-challenge.oak.example CNAME _acme-challenge.m1.acme.house.example",
		`maple.example CAA 0 issuewild "ca.example"`)
	ca := acmetest.New(t, acmetest.Options{Resolver: s.Addr()})
	check, err := preflight.New(preflight.Options{Resolver: resolver})
	if err != nil {
		t.Fatal(err)
	}
	client := ca.Open(t, ca.Options(t))
	tests := []struct {
		name   string
		way    preflight.Way
		names  []string
		fields map[string]string
		record string
	}{
		{"in the zone, with a wildcard", preflight.WayDNS, []string{"*.maple.example", "maple.example"},
			map[string]string{"nameserver": s.Addr(), "tsig_key": "ostler", "tsig_secret": secret}, "_acme-challenge.maple.example"},
		{"delegated", preflight.WayDelegate, []string{"oak.example", "*.oak.example"},
			map[string]string{"nameserver": s.Addr(), "tsig_key": "ostler", "tsig_secret": secret, "zone": "acme.house.example"}, "_acme-challenge.m1.acme.house.example"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			found := check.Check(ctx, preflight.Request{Names: tt.names, Way: tt.way, Identities: []string{"ca.example"},
				Targets: map[string]string{"oak.example": "_acme-challenge.m1.acme.house.example"}})
			if len(found) > 0 {
				t.Fatalf("preflight: %+v", found)
			}
			p, err := providers.New(providers.RFC2136, tt.fields, providers.Options{Resolver: resolver})
			if err != nil {
				t.Fatal(err)
			}
			updates := s.Updates()
			solver := providers.NewSolver(providers.SolverOptions{Presenter: p, Resolver: resolver, Interval: 10 * time.Millisecond})
			got, _, err := client.Issue(ctx, acmetest.Request(t, tt.names...), acme.State{}, acme.Hooks{
				Save: func(context.Context, acme.State) error { return nil }, Solvers: map[string]acme.Solver{acme.DNS01: solver}})
			if err != nil {
				t.Fatal(err)
			}
			block, _ := pem.Decode(got.Chain)
			leaf, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				t.Fatal(err)
			}
			slices.Sort(leaf.DNSNames)
			slices.Sort(tt.names)
			if !slices.Equal(leaf.DNSNames, tt.names) {
				t.Errorf("got %q, want %q", leaf.DNSNames, tt.names)
			}
			if n := s.Updates() - updates; n != 4 {
				t.Errorf("%d updates, want two values written and removed", n)
			}
			if left := s.Values(tt.record); len(left) > 0 {
				t.Errorf("left: %q", left)
			}
		})
	}
}
