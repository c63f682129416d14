//go:build slow

package e2e_test

import (
	"net/http"
	"regexp"
	"testing"

	"ostler/e2e/world"
)

// replaceStatus has an order or authorization be in another state; more stands
// before it.
func replaceStatus(body []byte, status, more string) []byte {
	return stateOf.ReplaceAll(body, []byte(more+`"status":"`+status+`"`))
}

var stateOf = regexp.MustCompile(`"status": ?"(valid|processing|pending|ready)"`)

// to rewrites whatever state there is to another.
func to(status, more string) func([]byte) []byte {
	return func(body []byte) []byte { return replaceStatus(body, status, more) }
}

// gone is what an authority says of an order that it does not know any more.
func gone(ask world.Ask) world.Fault {
	return world.Fault{Ask: ask, Status: http.StatusNotFound, Header: map[string]string{"Content-Type": "application/problem+json"},
		Body: `{"type":"urn:ietf:params:acme:error:malformed","detail":"Order expired","status":404}`}
}

// An order or an authorization that lapses in the middle is made anew in the
// same attempt.
func TestSlowCertificateOrderLapses(t *testing.T) {
	t.Parallel()
	steps := []struct {
		site, name string
		fault      world.Fault
	}{
		{"a.example", "the authorization was deactivated", world.Fault{Ask: world.AskAuthz, Rewrite: to("deactivated", "")}},
		{"b.example", "the authorization has expired", world.Fault{Ask: world.AskAuthz, Rewrite: to("expired", "")}},
		{"c.example", "the authorization was revoked", world.Fault{Ask: world.AskAuthz, Rewrite: to("revoked", "")}},
		{"d.example", "the order has expired before its signing request", gone(world.AskFinalize)},
		{"e.example", "the order has expired when it is looked at", gone(world.AskOrder)},
	}
	var sites []string
	for _, step := range steps {
		sites = append(sites, step.site)
	}
	h := newLabHouse(t, "", world.NewLab(t, world.LabOptions{}), sites...)
	for _, step := range steps { // each with a name of its own: Pebble sometimes takes one for valid that was so before
		h.Step(t, step.name, func(t *testing.T) {
			h.lab.Faults.Forget()
			if step.fault.Ask == world.AskOrder { // Pebble is done at once: nobody would look
				defer h.lab.Faults.Make(times(world.Fault{Ask: world.AskFinalize, Rewrite: to("processing", "")}, 1))()
			}
			defer h.lab.Faults.Make(times(step.fault, 1))()
			x := h.served(step.site)
			if got := len(h.maple.CertIssues(x.ID)); got != 1 {
				t.Errorf("attempts: got %d, want 1", got)
			}
			if got := h.answeredOrders(step.site); got != 2 {
				t.Errorf("orders: got %d, want the one that lapsed and another", got)
			}
		})
	}
}

// An order that turns invalid is told from the first look that says so: no other
// question is asked, and the old certificate stays served.
func TestSlowCertificateInvalidAfterSigningRequest(t *testing.T) {
	t.Parallel()
	h := newLabHouse(t, "", world.NewLab(t, world.LabOptions{}), "shop.example", "www.shop.example")
	old := h.served("shop.example", "www.shop.example")
	said := `"error":{"type":"urn:ietf:params:acme:error:caa","detail":"Rechecking CAA for \"www.shop.example\": forbidden","status":403},`
	never := world.Fault{Ask: world.AskOrder, Hang: true} // whoever asks once more waits for ever
	look := times(world.Fault{Ask: world.AskOrder, Rewrite: to("invalid", said)}, 1)
	for n, step := range []struct {
		name   string
		faults []world.Fault
	}{
		{"in the answer to the signing request", []world.Fault{{Ask: world.AskFinalize, Rewrite: to("invalid", said)}, look, never}},
		{"when it is looked at", []world.Fault{{Ask: world.AskFinalize, Rewrite: to("processing", "")}, look, never}},
	} {
		h.Step(t, step.name, func(t *testing.T) {
			h.lab.Faults.Forget()
			for _, f := range step.faults {
				defer h.lab.Faults.Make(f)()
			}
			h.maple.Must(nil, http.MethodPost, "/certificates/"+old.ID+"/renew", nil)
			issue := h.again(old, n+2)
			h.why(step.name, issue, "failed", "ca_order_invalid")
			if issue.Why.Name != "www.shop.example" {
				t.Errorf("the culprit: got %q, want www.shop.example", issue.Why.Name)
			}
			if got := h.lab.Faults.Count("", world.AskOrder); got != 1 {
				t.Errorf("questions about the order: got %d, want 1", got)
			}
			if got := h.answeredOrders("shop.example"); got != 1 {
				t.Errorf("orders: got %d, want 1", got)
			}
			for _, addr := range h.web.Listen {
				if got := world.Leaf(addr, "shop.example"); got != old.Issued.Leaf {
					t.Errorf("served at %s: got %.12s, want the old one %.12s", addr, got, old.Issued.Leaf)
				}
			}
		})
	}
}
