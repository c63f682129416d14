package certs_test

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"testing"
	"time"

	"ostler/agents/wire"
	"ostler/certs"
	"ostler/certs/acme"
	"ostler/certs/acme/acmetest"
	"ostler/controlplane/bus"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/findings"
	"ostler/controlplane/jobs"
)

// solved is a real engine whose challenges are answered by the test's own
// server, as the host's agent does.
type solved struct {
	*acme.Client
	solvers map[string]acme.Solver
}

func (e solved) Issue(ctx context.Context, r acme.Request, s acme.State, h acme.Hooks) (acme.Result, acme.State, error) {
	h.Solvers = e.solvers
	return e.Client.Issue(ctx, r, s, h)
}

// TestPebble takes the way with a real authority in this process: issued,
// renewed as the replacement of the one before, and revoked for its key.
func TestPebble(t *testing.T) {
	clock := db.SystemClock{}
	d := dbtest.SQLite(t, clock)
	ca := acmetest.New(t, acmetest.Options{NonceReject: 20})
	h := bareHouse(t, d, &dbtest.Clock{}, certs.Options{})
	h.bus = bus.New()
	h.jobs = jobs.New(d, h.keeper, h.bus, jobs.Options{})
	h.findings = findings.New(d, h.keeper, h.ledger, h.bus)
	h.customers = customers.New(d, h.keeper, h.ledger)
	h.certs = must[*certs.Service](t)(certs.New(certs.Deps{DB: d, Keeper: h.keeper, Ledger: h.ledger, Jobs: h.jobs, Findings: h.findings, Customers: h.customers,
		Engine: func(ctx context.Context, o acme.Options) (certs.Engine, error) {
			o.HTTP = ca.Client
			c, err := acme.Open(ctx, o)
			return solved{c, ca.HTTP01()}, err
		}}, certs.Options{Bus: h.bus, See: h.ca.see, Private: true, Resolve: func(context.Context, string) ([]string, error) { return []string{"127.0.0.1"}, nil }}))
	must[certs.Authority](t)(h.certs.AddAuthority(h.ctx, h.all, certs.NewAuthority{Name: "Pebble", Directory: ca.Directory, Role: certs.RolePrimary}))

	c := h.create("maple.example", "www.maple.example")
	var leaf *x509.Certificate
	keep := map[wire.Action]func(offer) wire.Result{wire.ActionCertDeploy: func(o offer) wire.Result {
		var p wire.CertDeployParams
		h.read(o, &p)
		b, _ := pem.Decode(p.Chain)
		leaf = must[*x509.Certificate](t)(x509.ParseCertificate(b.Bytes))
		return wire.Result{Outcome: wire.Succeeded, Data: encode(h.ca.deployed(t, p, true))}
	}}
	h.host(keep)
	got, i := h.get(c.ID), h.newest(c.ID)
	if got.State != certs.StateServed || i.Requests == 0 || i.OrderURL == "" {
		t.Fatalf("got %+v, %+v", got, i)
	}
	first := leaf
	if names := leaf.DNSNames; len(names) != 2 || leaf.Subject.CommonName != "" {
		t.Errorf("leaf: got %v, %q", names, leaf.Subject.CommonName)
	}
	if a := must[[]certs.Authority](t)(h.certs.Authorities(h.ctx, h.all)); a[0].AccountURL == "" {
		t.Errorf("account: got %+v", a[0])
	}
	h.look() // asks about the renewal
	if r := h.get(c.ID).Renewal; r.At.IsZero() || r.At.Before(time.Now().Add(time.Hour)) {
		t.Errorf("renewal: got %+v", r)
	}
	must[certs.Issue](t)(h.certs.Compromised(h.ctx, h.all, c.ID, "a drill"))
	h.host(keep)
	if got := h.get(c.ID); got.State != certs.StateServed || got.Issued.Round != 2 {
		t.Errorf("after it: got %+v, %+v", got, h.newest(c.ID))
	}
	if reason, revoked := ca.Revoked(first); !revoked || reason != 1 {
		t.Errorf("the first one: revoked %v, reason %d", revoked, reason)
	}
	if _, revoked := ca.Revoked(leaf); revoked {
		t.Error("the second one was revoked")
	}
	if orders, issued := ca.Orders(must[[]certs.Authority](t)(h.certs.Authorities(h.ctx, h.all))[0].AccountURL); orders != 2 || issued != 2 {
		t.Errorf("the authority has %d orders and %d certificates, want 2 and 2", orders, issued)
	}
}
