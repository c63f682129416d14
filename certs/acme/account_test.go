package acme_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"math/big"
	"strings"
	"testing"
	"time"

	"ostler/certs/acme"
	"ostler/certs/acme/acmetest"
)

func TestRegisterFindsTheAccountOfTheKey(t *testing.T) {
	ca := acmetest.New(t, acmetest.Options{})
	opts := ca.Options(t)
	c, err := acme.Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Register(t.Context(), acme.Registration{Existing: true})
	if e := refusal(t, err); e.Kind != acme.KindAccount {
		t.Errorf("before there is one: got %v, want account", e)
	}
	first, err := c.Register(t.Context(), acme.Registration{Contact: "mailto:ops@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	other, err := acme.Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	for _, existing := range []bool{true, false} {
		got, err := other.Register(t.Context(), acme.Registration{Existing: existing})
		if err != nil || got != first {
			t.Errorf("got %q (%v), want %q", got, err, first)
		}
	}
	issued(t, other, ca, acmetest.Request(t, "a.example"))
}

func TestNoAccountYet(t *testing.T) {
	ca := acmetest.New(t, acmetest.Options{})
	c, err := acme.Open(t.Context(), ca.Options(t))
	if err != nil {
		t.Fatal(err)
	}
	before := ca.Total()
	if _, _, err := c.Issue(t.Context(), acmetest.Request(t, "a.example"), acme.State{}, (&acmetest.Keeper{}).Hooks(ca.HTTP01())); err == nil {
		t.Error("issued without an account")
	}
	if err := c.Revoke(t.Context(), []byte{1}, 0); err == nil {
		t.Error("revoked without an account")
	}
	if err := c.Rollover(t.Context(), acmetest.Key(t)); err == nil {
		t.Error("changed the key of no account")
	}
	if got := ca.Total() - before; got != 0 {
		t.Errorf("the CA was asked %d times, want 0", got)
	}
}

func TestForgottenAccount(t *testing.T) {
	ca := acmetest.New(t, acmetest.Options{})
	opts := ca.Options(t)
	opts.AccountURL = strings.Replace(ca.Directory, "/dir", "/my-account/ffff", 1)
	c, err := acme.Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = c.Issue(t.Context(), acmetest.Request(t, "a.example"), acme.State{}, (&acmetest.Keeper{}).Hooks(ca.HTTP01()))
	if e := refusal(t, err); e.Kind != acme.KindAccount {
		t.Errorf("got %v, want account", e)
	}
}

func TestExternalAccount(t *testing.T) {
	mac := base64.RawURLEncoding.EncodeToString([]byte("a key of thirty-two bytes, or so"))
	ca := acmetest.New(t, acmetest.Options{EAB: map[string]string{"kid-1": mac}})
	c, err := acme.Open(t.Context(), ca.Options(t))
	if err != nil {
		t.Fatal(err)
	}
	if d, err := c.Directory(t.Context()); err != nil || !d.ExternalAccount {
		t.Errorf("got %+v (%v), want a CA that wants one", d, err)
	}
	for _, tt := range []struct {
		name string
		eab  *acme.EAB
		good bool
	}{
		{"none", nil, false},
		{"an unknown one", &acme.EAB{KeyID: "kid-2", HMAC: mac}, false},
		{"another key", &acme.EAB{KeyID: "kid-1", HMAC: base64.RawURLEncoding.EncodeToString([]byte("another key of thirty-two bytes."))}, false},
		{"no base64", &acme.EAB{KeyID: "kid-1", HMAC: "?"}, false},
		{"the right one", &acme.EAB{KeyID: "kid-1", HMAC: mac}, true},
	} {
		_, err := c.Register(t.Context(), acme.Registration{EAB: tt.eab})
		if (err == nil) != tt.good {
			t.Errorf("%s: got %v", tt.name, err)
		}
	}
	issued(t, c, ca, acmetest.Request(t, "a.example"))
}

func TestRollover(t *testing.T) {
	ca := acmetest.New(t, acmetest.Options{NonceReject: 30})
	opts := ca.Options(t)
	c := ca.Open(t, opts)
	account, err := c.Register(t.Context(), acme.Registration{Existing: true})
	if err != nil {
		t.Fatal(err)
	}
	next := acmetest.Key(t)
	if err := c.Rollover(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	issued(t, c, ca, acmetest.Request(t, "a.example"))
	for _, tt := range []struct {
		name string
		key  *ecdsa.PrivateKey
		good bool
	}{{"new key", next, true}, {"old key", opts.Key.(*ecdsa.PrivateKey), false}} {
		o := opts
		o.Key = tt.key
		other, err := acme.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		got, err := other.Register(t.Context(), acme.Registration{Existing: true})
		if (err == nil) != tt.good || tt.good && got != account {
			t.Errorf("%s: got %q (%v)", tt.name, got, err)
		}
	}
	if err := c.Rollover(t.Context(), next); err == nil {
		t.Error("the same key again: got no error")
	}
}

func TestKeysOfOtherKinds(t *testing.T) {
	ca := acmetest.New(t, acmetest.Options{})
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	opts := ca.Options(t)
	opts.Key = rsaKey
	if _, err := acme.Open(t.Context(), opts); err == nil {
		t.Error("RSA: opened")
	}
	opts.Key = p384
	if _, err := acme.Open(t.Context(), opts); err == nil {
		t.Error("P-384: opened")
	}
	if err := ca.Open(t, ca.Options(t)).Rollover(t.Context(), p384); err == nil {
		t.Error("P-384: rolled over")
	}
}

// TestThumbprint holds to the example of RFC 7638, 3.1, and to an EC key whose
// x begins with a zero byte.
func TestThumbprint(t *testing.T) {
	n, err := base64.RawURLEncoding.DecodeString("0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw")
	if err != nil {
		t.Fatal(err)
	}
	got, err := acme.Thumbprint(&rsa.PublicKey{N: new(big.Int).SetBytes(n), E: 65537})
	if want := "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"; err != nil || got != want {
		t.Errorf("got %q (%v), want %q", got, err, want)
	}
	for {
		k := acmetest.Key(t)
		raw, err := k.PublicKey.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		if raw[1] != 0 {
			continue
		}
		if got, err := acme.Thumbprint(&k.PublicKey); err != nil || len(got) != 43 {
			t.Errorf("got %q (%v)", got, err)
		}
		return
	}
}

func TestRevoke(t *testing.T) {
	ca := acmetest.New(t, acmetest.Options{})
	c := ca.Open(t, ca.Options(t))
	res, _ := issued(t, c, ca, acmetest.Request(t, "a.example"))
	leaf := acmetest.Leaf(t, res.Chain)
	const keyCompromise = 1
	for _, bad := range []int{-1, 7, 11} {
		if err := c.Revoke(t.Context(), leaf.Raw, bad); err == nil {
			t.Errorf("reason %d: revoked", bad)
		}
	}
	other := ca.Open(t, ca.Options(t))
	if e := refusal(t, other.Revoke(t.Context(), leaf.Raw, keyCompromise)); e.Kind != acme.KindRefused {
		t.Errorf("by another account: got %v, want refused", e)
	}
	if err := c.Revoke(t.Context(), leaf.Raw, keyCompromise); err != nil {
		t.Fatal(err)
	}
	if reason, revoked := ca.Revoked(leaf); !revoked || reason != keyCompromise {
		t.Errorf("got revoked %v for %d, want key compromise", revoked, reason)
	}
	if e := refusal(t, c.Revoke(t.Context(), leaf.Raw, keyCompromise)); e.Kind != acme.KindRevoked {
		t.Errorf("again: got %v, want revoked", e)
	}
}

func TestProfiles(t *testing.T) {
	ca := acmetest.New(t, acmetest.Options{Profiles: map[string]time.Duration{"long": 90 * 24 * time.Hour, "short": 160 * time.Hour}})
	c := ca.Open(t, ca.Options(t))
	for name, want := range map[string]time.Duration{"long": 90 * 24 * time.Hour, "short": 160 * time.Hour} {
		r := acmetest.Request(t, "a.example")
		r.Profile = name
		res, _ := issued(t, c, ca, r)
		leaf := acmetest.Leaf(t, res.Chain)
		if got := leaf.NotAfter.Sub(leaf.NotBefore).Round(time.Hour); got != want {
			t.Errorf("%s: got a lifetime of %s, want %s", name, got, want)
		}
	}
	before := ca.Total()
	r := acmetest.Request(t, "a.example")
	r.Profile = "forever"
	_, s, err := c.Issue(t.Context(), r, acme.State{}, (&acmetest.Keeper{}).Hooks(ca.HTTP01()))
	if e := refusal(t, err); e.Kind != acme.KindProfile || !strings.Contains(e.Detail, "forever") || s.Step != "" {
		t.Errorf("got %v, want a profile that is not offered", e)
	}
	if got := ca.Total() - before; got != 0 {
		t.Errorf("the CA was asked %d times, want 0", got)
	}
	if d, err := c.Directory(t.Context()); err != nil || len(d.Profiles) != 2 || d.Profiles["short"] == "" || !d.RenewalInfo || d.CAAIdentities[0] != "ca.example" {
		t.Errorf("got %+v (%v), want two profiles", d, err)
	}
}
