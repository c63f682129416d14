package acme_test

import (
	"bytes"
	"encoding/pem"
	"slices"
	"testing"

	"ostler/certs/acme"
	"ostler/certs/acme/acmetest"
)

func TestChains(t *testing.T) {
	ca := acmetest.New(t, acmetest.Options{})
	c := ca.Open(t, ca.Options(t))
	for _, tt := range []struct {
		name, chain, root string
		offered           bool
	}{
		{"the default", "", ca.Root(0).Subject.CommonName, true},
		{"the default by name", ca.Root(0).Subject.CommonName, ca.Root(0).Subject.CommonName, true},
		{"an alternate", ca.Root(1).Subject.CommonName, ca.Root(1).Subject.CommonName, true},
		{"one that is not offered", "Honest Roots", ca.Root(0).Subject.CommonName, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := acmetest.Request(t, "a.example")
			r.Chain = tt.chain
			k := &acmetest.Keeper{}
			res, _, err := c.Issue(t.Context(), r, acme.State{}, k.Hooks(ca.HTTP01()))
			if err != nil {
				t.Fatal(err)
			}
			if got := top(t, res.Chain); got != tt.root {
				t.Errorf("the chain leads to %q, want %q", got, tt.root)
			}
			if got := slices.Contains(k.Events, acme.EventChainNotOffered); got == tt.offered {
				t.Errorf("events: got %v", k.Events)
			}
		})
	}
}

// top is the issuer of the last certificate.
func top(t *testing.T, chain []byte) string {
	t.Helper()
	last := chain
	for block, rest := pem.Decode(chain); block != nil; block, rest = pem.Decode(rest) {
		last = pem.EncodeToMemory(block)
	}
	return acmetest.Leaf(t, last).Issuer.CommonName
}

func TestChainThatIsNotOurs(t *testing.T) {
	ca := acmetest.New(t, acmetest.Options{})
	c := ca.Open(t, ca.Options(t))
	other, _ := issued(t, c, ca, acmetest.Request(t, "a.example"))
	leaf, _ := pem.Decode(other.Chain)
	for _, tt := range []struct{ name, body string }{
		{"another key", string(other.Chain)},
		{"nothing", ""},
		{"a page", "<html>"},
		{"a key among them", string(other.Chain) + string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte{1}}))},
		{"what is no certificate", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte{1}}))},
		{"in no order", string(bytes.Repeat(pem.EncodeToMemory(leaf), 2))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ca.On(acmetest.PathCert, 1, acmetest.Answer(200, "application/pem-certificate-chain", tt.body))
			t.Cleanup(ca.Heal)
			k := &acmetest.Keeper{}
			r := acmetest.Request(t, "a.example")
			_, _, err := c.Issue(t.Context(), r, acme.State{}, k.Hooks(ca.HTTP01()))
			if e := refusal(t, err); e.Kind != acme.KindBadAnswer {
				t.Errorf("got %v, want a bad answer", e)
			}
			if res, _, err := c.Issue(t.Context(), r, k.State(), k.Hooks(ca.HTTP01())); err != nil || len(res.Chain) == 0 {
				t.Errorf("downloaded again: %v", err)
			}
		})
	}
}
