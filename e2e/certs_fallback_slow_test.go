//go:build slow

package e2e_test

import (
	"net/http"
	"testing"
	"time"

	"ostler/e2e/world"
)

// An authority that refuses a name for days is not the end of it: the fall-back
// issues, and the first is asked again for the next.
func TestSlowCertificateSecondAuthority(t *testing.T) {
	t.Parallel()
	h := newLabHouse(t, "", world.NewLab(t, world.LabOptions{}), "shop.example")
	lift := h.lab.Faults.Make(world.Fault{Ask: world.AskNewOrder, Status: http.StatusForbidden, Header: map[string]string{"Content-Type": "application/problem+json"},
		Body: `{"type":"urn:ietf:params:acme:error:rejectedIdentifier","detail":"policy forbids it","status":403}`})
	x := h.ask("shop.example")
	h.why("the first authority", h.maple.CertOver(x.ID, certLimit), "failed", "ca_refused")
	second := h.lab.Second()
	fallback := h.AddAuthorityOf(second, "Second authority", "fallback", "default")
	h.registered(fallback)
	if n := second.Faults.Count("", world.AskNewOrder); n != 0 {
		t.Errorf("the second was asked for an order before its time: %d", n)
	}

	h.daysLater(x)
	if issue := h.again(x, 2); issue.State != "served" || issue.Authority != fallback {
		t.Fatalf("after days: got %s at %s, %+v", issue.State, issue.Authority, issue.Why)
	}
	x = h.maple.CertServed(x.ID, certLimit)
	if err := second.Trusted(h.web.Endpoint(), "shop.example"); err != nil {
		t.Errorf("the second's roots: %v", err)
	}
	if n := h.orders("shop.example"); n != 1 {
		t.Errorf("the first authority was asked for %d orders, want 1", n)
	}

	// Mended, the first is asked again; what the other issued is nothing that it
	// could replace.
	lift()
	h.maple.Must(nil, http.MethodPost, "/certificates/"+x.ID+"/renew", nil)
	if issue := h.again(x, 3); issue.State != "served" || issue.Authority != h.ca {
		t.Errorf("mended: got %s at %s, %+v", issue.State, issue.Authority, issue.Why)
	}
	h.shows(h.maple.CertServed(x.ID, certLimit))
	if n := h.lab.Faults.Count(`"replaces"`, world.AskNewOrder); n != 0 {
		t.Errorf("the first authority is to replace what the second issued: %d times", n)
	}
}

// daysLater has a certificate have failed for days, and be due again.
func (h *labHouse) daysLater(x world.Cert) {
	h.T.Helper()
	h.Plane.Stop()
	h.Exec("UPDATE certificates SET failing_since = "+h.Arg(1)+", next_try = 1, due_at = 1 WHERE id = "+h.Arg(2), time.Now().Add(-73*time.Hour).UnixMilli(), x.ID)
	h.StartPlane()
}
