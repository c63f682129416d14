package web_test

import (
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"ostler/agents/wire"
	"ostler/certs"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
)

// newCert has a certificate looked after, of two names.
func (h *house) newCert() certs.Certificate {
	h.t.Helper()
	return ok[certs.Certificate](h.t)(h.certs.Create(h.ctx, all, certs.NewCertificate{Tenancy: h.tenancy.ID, Names: []string{"maple.example", "shop.maple.example"}, Services: []wire.Service{wire.ServiceNginx}}))
}

// setCert writes columns of a certificate, as if so much had happened.
func (h *house) setCert(id string, columns map[string]any) {
	h.t.Helper()
	err := h.d.Write(h.ctx, func(tx *db.Tx) error {
		return tx.Table("certificates").Where("id = ?", id).Updates(columns).Error
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

func encoded(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// servedCert has it issued, and served at one place for both names.
func (h *house) servedCert(id string, days int) {
	h.t.Helper()
	now := h.clock.Now()
	var seen []certs.Seen
	for _, n := range []string{"maple.example", "shop.maple.example"} {
		for _, from := range []string{"host", "plane"} {
			seen = append(seen, certs.Seen{From: from, At: now, CertSeen: wire.CertSeen{Endpoint: wire.Endpoint{Name: n, Address: "192.0.2.7:443", Protocol: wire.ProtocolTLS}, Leaf: "aa", Chain: "bb", Right: true}})
		}
	}
	h.setCert(id, map[string]any{"state": "served", "serial": "04a1", "leaf": "aa", "chain": "bb", "issuer": "R11", "issued_round": 1, "not_before": now.UnixMilli(), "not_after": now.AddDate(0, 0, days).UnixMilli(),
		"renew_at": now.AddDate(0, 0, days/2).UnixMilli(), "renew_from": "lifetime", "open_issue": "", "attempts": 0, "why": "", "seen": encoded(seen)})
}

// The pages of a certificate, for each who may see them, and what a form of
// each leads to.
func TestCertificatePages(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		ada, ines, jonas, otto := h.browser(h.admin.ID), h.browser(h.owner.ID), h.browser(h.reader.ID), h.browser(h.stranger.ID)
		for _, path := range []string{"/certificates", "/certificates?show=failing&q=x", "/certificates?show=soon", "/certificates/new", "/certificates/new?tenancy=" + h.tenancy.ID, "/certificates/limits", "/certificates/limits?n=10000", "/certificates/settings",
			"/certificates/campaigns", "/certificates/campaigns/new", "/servers/" + h.server.ID + "/certificates", "/certificates/providers/new?kind=hetzner"} {
			if a := ada.get(path); a.status == http.StatusOK {
				checkPage(t, a.body)
			} else if a.status != http.StatusSeeOther {
				t.Errorf("%s: %d %s", path, a.status, heading(a.body))
			}
		}
		sites := "/tenancies/" + h.tenancy.ID + "/sites"
		if body := ada.page(sites); !strings.Contains(body, "shop.maple.example") {
			t.Error("the sites are not in their form")
		}
		if a := ada.post(sites, "sites", "maple.example\r\nshop_1"); a.status != http.StatusUnprocessableEntity {
			t.Errorf("a wrong site: %d", a.status)
		}
		if a := ada.post(sites, "sites", "maple.example\r\nshop.maple.example\r\nblog.maple.example"); a.status != http.StatusSeeOther {
			t.Errorf("sites: %d", a.status)
		}
		if got := ines.get(sites).status; got != http.StatusNotFound {
			t.Errorf("a customer changes sites: %d", got)
		}
		if body := ada.page("/certificates/authorities/new"); !strings.Contains(body, `value="Proposed CA"`) {
			t.Error("the first authority is not proposed")
		}
		if a := ada.post("/certificates/authorities", "name", "Test CA", "directory", "http://ca.test.invalid", "role", "primary"); a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, `href="#directory"`) {
			t.Errorf("a wrong directory: %d", a.status)
		}
		if a := ada.post("/certificates/authorities", "name", "Test CA", "directory", "https://ca.test.invalid/dir", "role", "primary"); a.status != http.StatusSeeOther {
			t.Fatalf("an authority: %d %s", a.status, between(a.body, `id="errors"`, "</div>"))
		}
		if a := ada.post("/certificates/providers", "kind", "hetzner", "name", "Theirs", "customer", h.maple.ID, "config-api_token", "very-secret"); a.status != http.StatusSeeOther {
			t.Fatalf("a provider: %d %s", a.status, between(a.body, `id="errors"`, "</div>"))
		}
		if body := ada.page("/certificates/settings"); !strings.Contains(body, "Certificates come from Test CA") || !strings.Contains(body, "Theirs") || strings.Contains(body, "very-secret") {
			t.Errorf("settings: %q", heading(body))
		}
		a := ines.post("/certificates", "tenancy", h.tenancy.ID, "challenge", "http-agent")
		if a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, `href="#names"`) {
			t.Errorf("no names: %d", a.status)
		}
		checkPage(t, a.body)
		a = ines.send("/certificates", url.Values{"tenancy": {h.tenancy.ID}, "names": {"maple.example", "shop.maple.example"}, "challenge": {"http-agent"}})
		if a.status != http.StatusSeeOther || !strings.HasPrefix(a.location(), "/certificates/crt_") {
			t.Fatalf("new: %d %s", a.status, between(a.body, `id="errors"`, "</div>"))
		}
		self, _, _ := strings.Cut(a.location(), "?")
		for _, path := range []string{self, self + "/edit", self + "/pause", self + "/end"} {
			ines.page(path)
			ada.page(path)
		}
		jonas.page(self)
		for path, p := range map[string]*person{self: otto, self + "/edit": otto, self + "/pause": otto, "/certificates/new?tenancy=" + h.tenancy.ID: otto, "/servers/" + h.server.ID + "/certificates": otto, "/certificates/settings": ines, self + "/compromised": ines} {
			if got := p.get(path).status; got != http.StatusNotFound {
				t.Errorf("%s: got %d, want 404", path, got)
			}
		}
		for _, path := range []string{self + "/renew", self + "/pause", self + "/end", self + "/resume"} {
			if got := jonas.post(path).status; got != http.StatusForbidden {
				t.Errorf("a reader at %s: got %d, want 403", path, got)
			}
			if got := otto.post(path, "reason", "x").status; got != http.StatusNotFound {
				t.Errorf("a stranger at %s: got %d, want 404", path, got)
			}
		}
		h.actsOnCert(self, ada, ines)
	})
}

// actsOnCert does what can be done with a certificate, on its pages.
func (h *house) actsOnCert(self string, ada, ines *person) {
	t := h.t
	t.Helper()
	if a := ines.post(self+"/pause", "words", "The site moves", "until", ""); a.status != http.StatusSeeOther {
		t.Fatalf("pause: %d %s", a.status, between(a.body, `id="errors"`, "</div>"))
	}
	if body := ada.page(self); !strings.Contains(body, "The site moves") || !strings.Contains(body, self+"/resume") || strings.Contains(body, self+`/renew"`) {
		t.Errorf("paused: %q", heading(body))
	}
	if a := ada.post(self + "/renew"); a.status != http.StatusConflict || !strings.Contains(a.body, `role="alert"`) {
		t.Errorf("renew what is paused: %d", a.status)
	}
	if a := ada.post(self + "/resume"); a.location() != self+"?done=cert_resume" {
		t.Errorf("resume: %d %s", a.status, a.location())
	}
	if a := ada.send(self, url.Values{"names": {"maple.example"}, "challenge": {"http-agent"}, "key": {"rsa2048"}, "version": {"1"}}); a.status != http.StatusConflict {
		t.Errorf("a change from an old version: %d", a.status)
	}
	id := strings.TrimPrefix(self, "/certificates/")
	h.servedCert(id, 90)
	if got := heading(ada.page(self)); !strings.Contains(got, "is served everywhere") {
		t.Errorf("served: %q", got)
	}
	ada.page(self + "/revoke")
	ada.page(self + "/compromised")
	if a := ada.post(self+"/revoke", "reason", "4", "typed", "maple"); a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, `href="#typed"`) {
		t.Errorf("revoke without the name: %d", a.status)
	}
	if a := ada.post(self+"/check", "x", ""); a.status != http.StatusSeeOther {
		t.Errorf("look: %d %s", a.status, between(a.body, `id="errors"`, "</div>"))
	}
	if a := ines.post(self+"/end", "typed", "maple.example"); a.status != http.StatusSeeOther {
		t.Errorf("end: %d %s", a.status, between(a.body, `id="errors"`, "</div>"))
	}
	if got := heading(ines.page(self)); !strings.Contains(got, "looked after no more") {
		t.Errorf("ended: %q", got)
	}
	if body := ada.page("/activity?show=certs"); !strings.Contains(body, "The certificate of maple.example was paused.") || !strings.Contains(body, "The site moves") {
		t.Error("the record does not tell of the pause")
	}
}

// No page of any reader gives an all-clear while a certificate is not served,
// expired, revoked or failing.
func TestNoAllClearWithABadCertificate(t *testing.T) {
	h := newSQLite(t)
	h.ready(wire.BackupResult{Outcome: wire.BackupComplete, TotalFiles: 1})
	ok[certs.Authority](t)(h.certs.AddAuthority(h.ctx, all, certs.NewAuthority{Name: "Test CA", Directory: "https://ca.test.invalid/dir", Role: certs.RolePrimary}))
	c := h.newCert()
	ada, ines := h.browser(h.admin.ID), h.browser(h.owner.ID)
	self := "/certificates/" + c.ID
	now := h.clock.Now()
	wrong := encoded([]certs.Seen{{From: "plane", At: now, CertSeen: wire.CertSeen{Endpoint: wire.Endpoint{Name: "maple.example", Address: "192.0.2.7:443", Protocol: wire.ProtocolTLS}, Leaf: "cc"}}})
	for _, tc := range []struct {
		name    string
		columns map[string]any
		want    string // in a list of what is open
	}{
		{"not served", map[string]any{"state": "unserved", "seen": wrong}, "does not show its newest certificate"},
		{"expired, and nobody noted it", map[string]any{"not_after": now.Add(-time.Hour).UnixMilli()}, "has expired"},
		{"expired", map[string]any{"state": "expired", "not_after": now.Add(-time.Hour).UnixMilli()}, "has expired"},
		{"revoked", map[string]any{"state": "revoked", "revoked_at": now.UnixMilli()}, "was revoked"},
		{"failing", map[string]any{"attempts": 2, "failing_since": now.UnixMilli(), "why": encoded(certs.Why{Code: "preflight_no_name", Name: "shop.maple.example", Args: map[string]string{"server": "192.0.2.7"}})}, "could not be issued or renewed"},
		{"late", map[string]any{"not_after": now.AddDate(0, 0, 2).UnixMilli(), "not_before": now.AddDate(0, 0, -88).UnixMilli()}, "could not be issued or renewed"},
		{"never issued", map[string]any{"state": "new", "serial": "", "issued_round": 0, "not_after": 0, "not_before": 0}, "has no certificate of ours yet"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h.servedCert(c.ID, 90)
			h.setCert(c.ID, tc.columns)
			for path, p := range map[string]*person{"/today": ada, "/customers/" + h.maple.ID: ada, "/servers/" + h.server.ID: ada, "/home": ines} {
				body := html.UnescapeString(p.page(path))
				if said := heading(body); strings.Contains(said, "Nothing needs") || strings.Contains(said, "complete") || !strings.Contains(between(body, `<ul class="need">`, "</ul>"), tc.want) {
					t.Errorf("%s says %q and lists\n%s", path, said, between(body, `<ul class="need">`, "</ul>"))
				}
			}
			for path, p := range map[string]*person{"/certificates": ines, self: ines, "/certificates?q=maple": ada} {
				body := p.page(path)
				if said := heading(body); strings.Contains(said, "are good") || strings.Contains(said, "is served everywhere") || strings.Contains(said, "will be renewed") || strings.Contains(body, `<header class="say good">`) {
					t.Errorf("%s says %q", path, said)
				}
			}
		})
	}
	h.servedCert(c.ID, 90)
	for path, p := range map[string]*person{"/certificates": ada, self: ines} {
		if body := p.page(path); !strings.Contains(body, `<header class="say good">`) {
			t.Errorf("all is well, and %s says %q", path, heading(body))
		}
	}
}

// The padlock page says of each site who renews it, and what the customer must
// change in their DNS.
func TestPadlocks(t *testing.T) {
	h := newSQLite(t)
	ines := h.browser(h.owner.ID)
	body := ines.page("/certificates")
	if got := heading(body); got != "We do not look after the padlocks of 2 of your 2 sites." || !strings.Contains(body, "We found no certificate for it on the server") {
		t.Errorf("nothing is known: %q", got)
	}
	found := wire.FoundCert{Path: "/etc/letsencrypt/live/x/fullchain.pem", Renewer: "certbot", Lineage: "x", Names: []string{"*.maple.example"}, Issuer: "R11", Serial: "04", NotBefore: h.clock.Now().UnixMilli(), NotAfter: h.clock.Now().AddDate(0, 0, 80).UnixMilli()}
	fid := controlplane.NewID(controlplane.PrefixFound)
	if err := h.d.Write(h.ctx, func(tx *db.Tx) error {
		return tx.Exec("INSERT INTO cert_found (id, customer_id, server_id, path, data, seen_at, gone_at, taken_by) VALUES (?, ?, ?, ?, ?, ?, 0, '')", fid, h.maple.ID, h.server.ID, found.Path, encoded(found), tx.NowMillis()).Error
	}); err != nil {
		t.Fatal(err)
	}
	if body = ines.page("/certificates"); strings.Count(body, "certbot, on the server") != 1 {
		t.Error("a wildcard covers one level, and one site")
	}
	list := ines.page("/servers/" + h.server.ID + "/certificates")
	take := "/servers/" + h.server.ID + "/certificates/" + fid
	if !strings.Contains(list, `href="`+take+`"`) {
		t.Error("the found certificate cannot be taken over")
	}
	if body = ines.page(take); !strings.Contains(body, "certbot is stopped for this certificate") {
		t.Errorf("it is not said what will happen: %q", heading(body))
	}
	c := h.newCert()
	h.servedCert(c.ID, 90)
	if got := heading(ines.page("/certificates")); got != "The padlocks of your 2 sites are good, and we renew them." {
		t.Errorf("good: %q", got)
	}
	h.setCert(c.ID, map[string]any{"attempts": 1, "failing_since": h.clock.Now().UnixMilli(), "why": encoded(certs.Why{Code: "preflight_no_name", Name: "shop.maple.example", Args: map[string]string{"server": "192.0.2.7"}})})
	body = ines.page("/certificates")
	if got := heading(body); got != "shop.maple.example needs a change from you, or its padlock will break." || !strings.Contains(body, "Add an A or AAAA record for shop.maple.example that points to 192.0.2.7.") {
		t.Errorf("a change: %q", got)
	}
}
