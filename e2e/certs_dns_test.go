package e2e_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"ostler/e2e/world"
)

// A wildcard is shown to be ours in the customer's zone, through a provider
// whose credentials stand nowhere in the clear.
func TestCertificateByDNS(t *testing.T) {
	t.Parallel()
	h := newLabHouse(t, "", world.NewLab(t, world.LabOptions{}), "wild.example")
	const password = "correct-horse-battery"
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct{ FQDN, Value string }
		if _, p, _ := r.BasicAuth(); p != password || json.NewDecoder(r.Body).Decode(&in) != nil {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		if r.URL.Path == "/cleanup" {
			in.Value = ""
		}
		if err := h.lab.DNS.TXT(r.Context(), strings.TrimSuffix(in.FQDN, "."), in.Value); err != nil {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	t.Cleanup(api.Close)
	var p struct{ ID string }
	h.maple.Must(&p, http.MethodPost, "/dns-providers", map[string]any{"name": "our zone", "kind": "httpreq",
		"config": map[string]string{"endpoint": api.URL, "username": "maple", "password": password}})
	live := h.lab.NewLive(t, h.host, h.lab.Address())
	x := h.maple.AddCert(world.NewCert{Tenancy: h.tenancy, Names: []string{"*.wild.example"}, Challenge: "dns", Provider: p.ID, Endpoints: []string{live.Endpoint}})
	h.maple.CertServed(x.ID, certLimit)
	if err := h.lab.Trusted(live.Endpoint, "any.wild.example"); err != nil {
		t.Error(err)
	}
	if strings.Contains(h.Dump()+h.Plane.Log()+h.lab.Faults.Traffic(), password) {
		t.Error("the provider's password stands in the clear")
	}
}
