package e2e_test

import (
	"net"
	"net/http"
	"strconv"
	"testing"

	"ostler/e2e/world"
)

// A site whose port 80 is not the agent's sends challenges to the plane, and is
// certified all the same.
func TestCertificateByRedirect(t *testing.T) {
	t.Parallel()
	h := newLabHouse(t, "", world.NewLab(t, world.LabOptions{}), "moved.example")
	old := h.lab.Address()
	ln, err := net.Listen("tcp", net.JoinHostPort(old, strconv.Itoa(h.lab.HTTPPort)))
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := net.SplitHostPort(r.Host)
		http.Redirect(w, r, h.URL+r.URL.Path+"?host="+host, http.StatusFound)
	})}
	t.Cleanup(func() { _ = srv.Close() })
	go func() { _ = srv.Serve(ln) }() // ends with Close
	h.lab.Point([]string{"localhost"}, "127.0.0.1")
	h.site("moved.example")
	h.lab.Point([]string{"moved.example"}, old)
	x := h.maple.AddCert(world.NewCert{Tenancy: h.tenancy, Names: []string{"moved.example"}, Challenge: "http-redirect", Services: []string{"nginx"}, Endpoints: h.web.Listen})
	h.shows(h.maple.CertServed(x.ID, certLimit))
}
