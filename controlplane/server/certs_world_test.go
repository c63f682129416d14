package server_test

import (
	"context"
	"encoding/json"
	"time"

	"ostler/agents/wire"
	"ostler/certs"
	"ostler/controlplane"
	"ostler/controlplane/db"
)

// openCerts wires certificates without any CA: endpoints show nothing.
func (w *world) openCerts(d certs.Deps) {
	w.t.Helper()
	var err error
	w.certs, err = certs.New(d, certs.Options{Private: true, Resolve: func(context.Context, string) ([]string, error) { return []string{"192.0.2.7"}, nil },
		See: func(_ context.Context, e wire.Endpoint, _ time.Duration) wire.CertSeen {
			return wire.CertSeen{Endpoint: e, Problem: "connection refused"}
		}})
	w.must(err)
}

// certified gives a tenant a certificate with an attempt that waits for the
// host, a DNS provider, and a certificate that certbot renews.
func (w *world) certified(o *tenant) {
	w.t.Helper()
	cas, err := w.certs.Authorities(w.ctx, all)
	w.must(err)
	if len(cas) == 0 {
		_, err := w.certs.AddAuthority(w.ctx, all, certs.NewAuthority{Name: "Test CA", Directory: "https://ca.test.invalid/dir", Role: certs.RolePrimary, Contact: "certs@test.invalid"})
		w.must(err)
		_, err = w.certs.AddAuthority(w.ctx, all, certs.NewAuthority{Name: "Stage", Directory: "https://stage.test.invalid/dir", Role: certs.RoleStaging})
		w.must(err)
		cas, err = w.certs.Authorities(w.ctx, all)
		w.must(err)
	}
	o.authority = cas[0].ID
	c, err := w.certs.Create(w.ctx, all, certs.NewCertificate{Tenancy: o.tenancy.ID, Names: []string{o.tenancy.Sites[0]}, Services: []wire.Service{wire.ServiceNginx}})
	w.must(err)
	o.cert = c.ID
	i, err := w.certs.Renew(w.ctx, all, c.ID)
	if controlplane.ErrorCode(err) == controlplane.CodeConflict { // one has begun by itself
		i.ID, err = c.Open, nil
	}
	w.must(err)
	o.issue = i.ID
	p, err := w.certs.AddProvider(w.ctx, all, certs.NewProvider{Customer: o.customer.ID, Name: "Theirs", Kind: "hetzner", Config: map[string]string{"api_token": "very-secret-token"}})
	w.must(err)
	o.provider = p.ID
	o.campaign = controlplane.NewID(controlplane.PrefixCampaign) // staff only, whose there are
	w.foundOn(o)
}

// foundOn puts down what a host said that certbot renews there.
func (w *world) foundOn(o *tenant) {
	w.t.Helper()
	data, err := json.Marshal(wire.FoundCert{Path: "/etc/letsencrypt/live/x/fullchain.pem", Renewer: "certbot", Lineage: "x", Names: o.tenancy.Sites, Issuer: "R11", Serial: "04",
		NotBefore: 1_700_000_000_000, NotAfter: 4_000_000_000_000, Leaf: "aa", UsedBy: []string{"/etc/nginx/sites-enabled/x"}})
	w.must(err)
	o.found = controlplane.NewID(controlplane.PrefixFound)
	w.must(w.d.Write(w.ctx, func(tx *db.Tx) error {
		return tx.Exec("INSERT INTO cert_found (id, customer_id, server_id, path, data, seen_at, gone_at, taken_by) VALUES (?, ?, ?, ?, ?, ?, 0, '')",
			o.found, o.customer.ID, o.server.ID, "/etc/letsencrypt/live/x/fullchain.pem", string(data), tx.NowMillis()).Error
	}))
}
