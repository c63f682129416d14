package certs_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"net"
	"slices"
	"testing"
	"time"

	"ostler/agents/wire"
	"ostler/certs"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/findings"
)

// TestSigningRequestsThatAreRefused has a host answer with what it was not
// asked for: none of it reaches the CA.
func TestSigningRequestsThatAreRefused(t *testing.T) {
	shared := newKey(t)
	p384 := must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	of := func(key crypto.Signer, tpl x509.CertificateRequest) []byte {
		return must[[]byte](t)(x509.CreateCertificateRequest(rand.Reader, &tpl, key))
	}
	broken := csr(t, newKey(t), "maple.example")
	broken[len(broken)-3] ^= 0xff
	for _, c := range []struct {
		name, want string
		der        []byte
	}{
		{"another customer's name", certs.WhyCSRNames, csr(t, newKey(t), "harbour.example")},
		{"another customer's name beside ours", certs.WhyCSRNames, csr(t, newKey(t), "maple.example", "harbour.example")},
		{"fewer names", certs.WhyCSRNames, csr(t, newKey(t))},
		{"a common name of somebody else", certs.WhyCSRNames, of(newKey(t), x509.CertificateRequest{Subject: pkix.Name{CommonName: "harbour.example"}, DNSNames: []string{"maple.example"}})},
		{"an address beside", certs.WhyCSRNames, of(newKey(t), x509.CertificateRequest{DNSNames: []string{"maple.example"}, IPAddresses: []net.IP{net.IPv4(192, 0, 2, 1)}})},
		{"an e-mail address beside", certs.WhyCSRNames, of(newKey(t), x509.CertificateRequest{DNSNames: []string{"maple.example"}, EmailAddresses: []string{"a@b.example"}})},
		{"a CA's rights", certs.WhyCSRNames, of(newKey(t), x509.CertificateRequest{DNSNames: []string{"maple.example"}, ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 19}, Value: []byte{0x30, 3, 1, 1, 0xff}}}})},
		{"an organisation", certs.WhyCSRNames, of(newKey(t), x509.CertificateRequest{Subject: pkix.Name{Organization: []string{"Harbour Mail"}}, DNSNames: []string{"maple.example"}})},
		{"a weak key", certs.WhyCSRKey, csr(t, rsaKey(t, 1024), "maple.example")},
		{"another kind of key", certs.WhyCSRKey, csr(t, p384, "maple.example")},
		{"a wrong signature", certs.WhyCSRBroken, broken},
		{"no signing request", certs.WhyCSRBroken, []byte("hello")},
		{"nothing", certs.WhyCSRBroken, nil},
		{"the key of another certificate", certs.WhyKeyReused, csr(t, shared, "maple.example")},
	} {
		t.Run(c.name, func(t *testing.T) {
			dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
				h := newHouse(t, d, clock)
				h.create("shop.maple.example")
				h.host(answers(wire.ActionCertRequest, wire.CertRequested{CSR: csr(t, shared, "shop.maple.example")}))
				crt := h.create("maple.example")
				h.host(answers(wire.ActionCertRequest, wire.CertRequested{CSR: c.der}))
				i := h.newest(crt.ID)
				if i.State != certs.IssueFailed || i.Why.Code != c.want || h.ca.orders != 1 {
					t.Errorf("got %s, %+v, %d orders; want %s and one order", i.State, i.Why, h.ca.orders, c.want)
				}
				if cause, _ := i.Why.Text("en"); cause == "" {
					t.Error("it has no sentence")
				}
				if got := h.openFindings(findings.CertFailed); len(got) != 1 || got[0].Subject != crt.ID {
					t.Errorf("findings: got %+v", got)
				}
			})
		})
	}
}

// answers is a host that answers one action with data.
func answers(action wire.Action, data any) map[wire.Action]func(offer) wire.Result {
	return map[wire.Action]func(offer) wire.Result{action: func(offer) wire.Result { return wire.Result{Outcome: wire.Succeeded, Data: encode(data)} }}
}

// TestKeysAreUsedOnce covers keys that are blocked, of an earlier round, and of
// our own account.
func TestKeysAreUsedOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		key := newKey(t)
		mine := answers(wire.ActionCertRequest, wire.CertRequested{CSR: csr(t, key, "maple.example")})
		c := h.create("maple.example")
		h.host(mine)
		if got := h.get(c.ID).State; got != certs.StateServed {
			t.Fatalf("first: got %s", got)
		}
		must[certs.Issue](t)(h.certs.Renew(h.ctx, h.all, c.ID))
		h.host(mine)
		if i := h.newest(c.ID); i.Why.Code != certs.WhyKeyReused {
			t.Errorf("the key of the round before: got %+v", i.Why)
		}
		must[certs.Issue](t)(h.certs.Compromised(h.ctx, h.all, c.ID, "it was in a public repository"))
		h.host(mine)
		if i := h.newest(c.ID); i.Why.Code != certs.WhyKeyBlocked || i.Reason != certs.ReasonCompromise {
			t.Errorf("a blocked key: got %+v", i)
		}
	})
}

func TestAnAccountsKeyIsNoCertificates(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		c := h.create("maple.example")
		h.host(nil)
		// The fake engine hands out what no host has: the account's key.
		key := h.ca.account.(*ecdsa.PrivateKey)
		must[certs.Issue](t)(h.certs.Renew(h.ctx, h.all, c.ID))
		h.host(answers(wire.ActionCertRequest, wire.CertRequested{CSR: csr(t, key, "maple.example")}))
		if i := h.newest(c.ID); i.Why.Code != certs.WhyKeyAccount || h.ca.orders != 1 {
			t.Errorf("got %+v, %d orders", i.Why, h.ca.orders)
		}
	})
}

// TestCompromise: the new one is served before the old one is revoked.
func TestCompromise(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		c := h.create("maple.example")
		h.host(nil)
		old := h.get(c.ID).Issued
		if _, err := h.certs.Compromised(h.ctx, h.all, c.ID, ""); err == nil {
			t.Error("without a reason: got none")
		}
		must[certs.Issue](t)(h.certs.Compromised(h.ctx, h.all, c.ID, "it was in a public repository"))
		h.host(map[wire.Action]func(offer) wire.Result{wire.ActionCertDeploy: func(o offer) wire.Result {
			var p wire.CertDeployParams
			h.read(o, &p)
			return wire.Result{Outcome: wire.Succeeded, Data: encode(h.ca.deployed(t, p, false))}
		}})
		if i := h.newest(c.ID); i.State != certs.IssueRolledBack || len(h.ca.revoked) != 0 {
			t.Errorf("not served: got %s, revoked %v", i.State, h.ca.revoked)
		}
		clock.Advance(2 * time.Minute)
		h.look()
		if got := h.openFindings(findings.CertKeyBlocked); len(got) != 1 {
			t.Errorf("findings: got %+v", got)
		}
		h.host(map[wire.Action]func(offer) wire.Result{wire.ActionCertDeploy: func(o offer) wire.Result {
			if len(h.ca.revoked) != 0 {
				t.Error("it was revoked before the new one was served")
			}
			return wire.Result{Outcome: wire.Succeeded, Data: encode(h.good(o))}
		}})
		now := h.get(c.ID)
		if now.State != certs.StateServed || now.Issued.SPKI == old.SPKI || h.ca.revoked[old.Serial] != 1 || len(h.ca.revoked) != 1 || h.ca.issued != 2 {
			t.Errorf("got %+v, revoked %v (old %s)", now, h.ca.revoked, old.Serial)
		}
		if got := h.openFindings(findings.CertKeyBlocked); len(got) != 0 {
			t.Errorf("findings after it: got %+v", got)
		}
	})
}

// TestRevokeRenews: what is revoked by hand is renewed at once.
func TestRevokeRenews(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		c := h.create("maple.example")
		h.host(nil)
		old := h.get(c.ID).Issued.Serial
		must[certs.Certificate](t)(h.certs.Revoke(h.ctx, h.all, c.ID, 4))
		h.tick()
		if got := h.get(c.ID); got.State != certs.StateRevoked || got.Issued.RevokedAt.IsZero() || h.ca.revoked[old] != 4 {
			t.Errorf("got %+v", got)
		}
		h.look()
		h.host(nil)
		if got := h.get(c.ID); got.State != certs.StateServed || got.Issued.Serial == old || !got.Issued.RevokedAt.IsZero() {
			t.Errorf("after it: got %+v", got)
		}
	})
}

// TestAccountKeyRolls changes the account's key, also where an answer was lost.
func TestAccountKeyRolls(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		if _, err := h.certs.RollAccountKey(h.ctx, h.all, h.primary.ID); err == nil {
			t.Error("without an account: got none")
		}
		c := h.create("maple.example")
		h.host(nil)
		a := must[certs.Authority](t)(h.certs.RollAccountKey(h.ctx, h.all, h.primary.ID))
		if a.Thumbprint == h.primary.Thumbprint || a.Thumbprint == "" {
			t.Errorf("thumbprint: got %q", a.Thumbprint)
		}
		h.ca.loseRollover = true
		b := must[certs.Authority](t)(h.certs.RollAccountKey(h.ctx, h.all, h.primary.ID))
		if b.Thumbprint == a.Thumbprint {
			t.Error("a lost answer: the key was not taken up")
		}
		must[certs.Issue](t)(h.certs.Renew(h.ctx, h.all, c.ID))
		h.host(nil)
		if i := h.newest(c.ID); i.State != certs.IssueServed || len(h.ca.accounts) != 1 {
			t.Errorf("after it: got %+v, accounts %v", i, h.ca.accounts)
		}
	})
}

// TestOldKeysAreForgotten some time after the new one is served, and never
// those of a round that has begun since.
func TestOldKeysAreForgotten(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		c := h.create("maple.example")
		var kept [][]int64
		odd := map[wire.Action]func(offer) wire.Result{wire.ActionCertForget: func(o offer) wire.Result {
			var p wire.CertForgetParams
			h.read(o, &p)
			kept = append(kept, p.Keep)
			return wire.Result{Outcome: wire.Succeeded, Data: encode(wire.CertForgotten{})}
		}}
		h.host(odd)
		must[certs.Issue](t)(h.certs.Renew(h.ctx, h.all, c.ID))
		h.host(odd)
		must[certs.Issue](t)(h.certs.Renew(h.ctx, h.all, c.ID)) // its key is made after the time of the deletions
		clock.Advance(time.Hour)
		h.host(odd)
		if len(kept) != 0 {
			t.Errorf("deleted beside a new round: got %v", kept)
		}
		clock.Advance(time.Hour)
		h.host(odd)
		if len(kept) != 1 || !slices.Equal(kept[0], []int64{3, 2}) {
			t.Errorf("kept: got %v, want [[3 2]]", kept)
		}
	})
}
