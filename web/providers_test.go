package web_test

import (
	"net/http"
	"strings"
	"testing"

	"ostler/agents/wire"
	"ostler/certs"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
)

// Owners keep credentials of their own DNS providers and take them back; nobody
// else's are shown to them, and none is shown at all.
func TestOwnDNSProviders(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		ada, ines, jonas, otto := h.browser(h.admin.ID), h.browser(h.owner.ID), h.browser(h.reader.ID), h.browser(h.stranger.ID)
		if body := ines.page("/certificates"); !strings.Contains(body, `href="/certificates/dns"`) {
			t.Error("the page of padlocks does not lead there")
		}
		body := ines.page("/certificates/dns")
		if !strings.Contains(heading(body), "We have no credentials") || strings.Contains(body, `value="exec"`) || !strings.Contains(body, `value="hetzner"`) {
			t.Errorf("none yet: %q", heading(body))
		}
		form := ines.page("/certificates/providers/new?kind=hetzner")
		if strings.Contains(form, `name="customer"`) || strings.Contains(form, `name="zone"`) || strings.Contains(form, "Harbour Mail") {
			t.Error("a customer chooses whose it is, or a zone of ours")
		}
		if got := ines.get("/certificates/providers/new?kind=exec").status; got != http.StatusNotFound {
			t.Errorf("programs of ours: got %d, want 404", got)
		}
		if a := ines.post("/certificates/providers", "kind", "hetzner", "name", ""); a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, `href="#name"`) {
			t.Errorf("without a name: %d", a.status)
		}
		// Whose it is is no choice of the form's.
		if a := ines.post("/certificates/providers", "kind", "hetzner", "name", "Our account", "customer", h.harbour.ID, "zone", "acme.example.com", "config-api_token", "very-secret"); a.status != http.StatusSeeOther || !strings.HasPrefix(a.location(), "/certificates/dns") {
			t.Fatalf("add: %d %s", a.status, between(a.body, `id="errors"`, "</div>"))
		}
		list := ok[[]certs.Provider](t)(h.certs.Providers(h.ctx, all, ""))
		if len(list) != 1 || list[0].Customer != h.maple.ID || list[0].Zone != "" {
			t.Fatalf("kept: got %+v", list)
		}
		body = ines.page("/certificates/dns")
		if !strings.Contains(body, "Our account") || strings.Contains(body, "very-secret") {
			t.Errorf("the list: %q", heading(body))
		}
		remove := "/certificates/providers/" + list[0].ID + "/remove"
		if !strings.Contains(body, `href="`+remove+`"`) || !strings.Contains(ada.page("/certificates/settings"), `href="`+remove+`"`) {
			t.Error("it cannot be removed")
		}
		for name, tt := range map[string]struct {
			got, want int
		}{
			"a reader lists them":       {jonas.get("/certificates/dns").status, http.StatusForbidden},
			"staff have a page of them": {ada.get("/certificates/dns").status, http.StatusNotFound},
			"a reader adds":             {jonas.post("/certificates/providers", "kind", "hetzner", "name", "x").status, http.StatusForbidden},
			"a reader removes":          {jonas.post(remove).status, http.StatusForbidden},
			"another customer asks":     {otto.get(remove).status, http.StatusNotFound},
			"another customer removes":  {otto.post(remove).status, http.StatusNotFound},
		} {
			if tt.got != tt.want {
				t.Errorf("%s: got %d, want %d", name, tt.got, tt.want)
			}
		}
		// While a certificate needs it, it stays.
		c := ok[certs.Certificate](t)(h.certs.Create(h.ctx, all, certs.NewCertificate{Tenancy: h.tenancy.ID, Names: []string{"maple.example"}, Challenge: certs.ChallengeDNS, Provider: list[0].ID, Services: []wire.Service{wire.ServiceNginx},
			Endpoints: []certs.Endpoint{{Address: "192.0.2.7:443", Protocol: wire.ProtocolTLS}}}))
		if a := ines.post(remove); a.status != http.StatusConflict || !strings.Contains(a.body, "use this provider") {
			t.Errorf("while it is used: %d", a.status)
		}
		ok[certs.Certificate](t)(h.certs.End(h.ctx, all, c.ID))
		if page := ines.page(remove); !strings.Contains(heading(page), "Our account") {
			t.Errorf("the question: %q", heading(page))
		}
		if a := ines.post(remove); a.status != http.StatusSeeOther || !strings.HasPrefix(a.location(), "/certificates/dns") {
			t.Errorf("remove: %d %s", a.status, between(a.body, `id="errors"`, "</div>"))
		}
		if got := ines.get(remove).status; got != http.StatusNotFound {
			t.Errorf("removed: got %d, want 404", got)
		}
	})
}

// A dry run is offered where there is an authority for it.
func TestDryRunIsOffered(t *testing.T) {
	h := newSQLite(t)
	ok[certs.Authority](t)(h.certs.AddAuthority(h.ctx, all, certs.NewAuthority{Name: "Test CA", Directory: "https://ca.test.invalid/dir", Role: certs.RolePrimary}))
	c := h.newCert()
	h.servedCert(c.ID, 90)
	ada, self := h.browser(h.admin.ID), "/certificates/"+c.ID
	if strings.Contains(ada.page(self), self+"/dry-run") {
		t.Error("without an authority for dry runs one is offered")
	}
	ok[certs.Authority](t)(h.certs.AddAuthority(h.ctx, all, certs.NewAuthority{Name: "Staging", Directory: "https://staging.test.invalid/dir", Role: certs.RoleStaging}))
	if !strings.Contains(ada.page(self), self+"/dry-run") {
		t.Error("with one it is not offered")
	}
}
