package e2e_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"ostler/e2e/world"
	"ostler/internal/acmelab"
)

// What a look at the DNS shows to be hopeless never reaches the authority, and
// the customer reads what to change.
func TestCertificateStoppedBeforeTheAuthority(t *testing.T) {
	t.Parallel()
	h := newLabHouse(t, "", world.NewLab(t, world.LabOptions{}), "caa.example", "six.example", "gone.example", "broken.example")
	for name, addresses := range map[string][]string{"caa.example": {h.web.Addr}, "six.example": {h.web.Addr, "2001:db8::77"}, "broken.example": {h.web.Addr}} {
		h.lab.Point([]string{name}, addresses...)
	}
	ctx := t.Context()
	if err := h.lab.DNS.CAA(ctx, "caa.example", "another-ca.example"); err != nil {
		t.Fatal(err)
	}
	if err := h.lab.DNS.Broken(ctx, "broken.example", true); err != nil {
		t.Fatal(err)
	}
	h.registered(h.ca)
	h.lab.Faults.Forget()
	asked := map[string]string{} // certificates by name
	for _, name := range []string{"caa.example", "six.example", "gone.example", "broken.example"} {
		asked[name] = h.maple.AddCert(world.NewCert{Tenancy: h.tenancy, Names: []string{name}, Services: []string{"nginx"}, Endpoints: h.web.Listen}).ID
	}
	for name, want := range map[string]struct{ code, says string }{
		"caa.example":    {"preflight_caa_other", "another-ca.example"},
		"six.example":    {"", "2001:db8::77"},
		"gone.example":   {"preflight_no_address", "gone.example"},
		"broken.example": {"", "broken.example"},
	} {
		issue := h.maple.CertOver(asked[name], certLimit)
		h.why(name, issue, "failed", want.code)
		if !strings.HasPrefix(issue.Why.Code, "preflight_") || issue.Why.Next == "" {
			t.Errorf("%s: got %s, next %q", name, issue.Why.Code, issue.Why.Next)
		}
		if !strings.Contains(issue.Why.Message+issue.Why.Next, want.says) {
			t.Errorf("%s: %q is not in %q", name, want.says, issue.Why.Message+" "+issue.Why.Next)
		}
		if issue.NextTry == "" {
			t.Errorf("%s: no next try is told", name)
		}
	}
	if all := h.lab.Faults.Asked(); len(all) != 0 { // they are the very first certificates here
		t.Errorf("requests to the authority: got %+v, want none", all)
	}
	// Once it is mended a person has it tried again.
	if err := h.lab.DNS.CAA(ctx, "caa.example"); err != nil {
		t.Fatal(err)
	}
	h.site("caa.example")
	h.maple.Must(nil, http.MethodPost, "/certificates/"+asked["caa.example"]+"/renew", nil)
	h.again(world.Cert{ID: asked["caa.example"]}, 2)
	h.shows(h.maple.CertServed(asked["caa.example"], certLimit))
}

// An authority that says wait is not asked again before; only what it spoke of
// waits.
func TestCertificateAuthoritySaysWait(t *testing.T) {
	t.Parallel()
	h := newLabHouse(t, "", world.NewLab(t, world.LabOptions{}), "one.example", "two.example", "three.example", "busy.example", "later.example")
	inTwoHours := time.Now().Add(2 * time.Hour)
	for _, limit := range []struct{ name, retryAfter string }{{"one.example", "7200"}, {"two.example", inTwoHours.UTC().Format(http.TimeFormat)}} {
		h.lab.Faults.Make(withName(world.RateLimited(world.AskNewOrder, limit.retryAfter,
			fmt.Sprintf("too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s: %q", limit.name)), limit.name))
		h.lab.Point([]string{limit.name}, h.web.Addr)
		x := h.maple.AddCert(world.NewCert{Tenancy: h.tenancy, Names: []string{limit.name}, Services: []string{"nginx"}, Endpoints: h.web.Listen})
		if until := h.waits(limit.name, x, "ca_rate_limited"); until.Before(inTwoHours.Add(-2 * time.Second)) {
			t.Errorf("%s waits until %s, want %s at the earliest", limit.name, until, inTwoHours)
		}
	}
	h.served("three.example") // nobody spoke of it

	// A balancer in plain text: all of it waits.
	h.lab.Faults.Make(times(world.Unavailable(world.AskNewOrder, "600"), 1))
	for _, name := range []string{"busy.example", "later.example"} {
		h.lab.Point([]string{name}, h.web.Addr)
		x := h.maple.AddCert(world.NewCert{Tenancy: h.tenancy, Names: []string{name}, Services: []string{"nginx"}, Endpoints: h.web.Listen})
		until := h.waits(name, x, "ca_unreachable", "ca_rate_limited")
		if until.Before(time.Now().Add(9 * time.Minute)) {
			t.Errorf("%s waits until %s, want ten minutes", name, until)
		}
	}
	for name, want := range map[string]int{"one.example": 1, "two.example": 1, "busy.example": 1, "later.example": 0} {
		if got := h.orders(name); got != want {
			t.Errorf("%s: orders asked for: got %d, want %d", name, got, want)
		}
	}
}

// waits waits until a certificate waits for one of some reasons, and returns
// until when.
func (h *labHouse) waits(name string, x world.Cert, codes ...string) time.Time {
	h.T.Helper()
	var why world.CertWhy
	world.Eventually(h.T, name+" waits", certLimit, func() bool {
		for _, w := range h.maple.WhyNot(x.ID) {
			if w.Until != "" && slices.Contains(codes, w.Code) {
				why = w
			}
		}
		return why.Code != ""
	})
	until, err := time.Parse(time.RFC3339, why.Until)
	if err != nil {
		h.T.Fatalf("%s: %v", name, err)
	}
	return until
}

func withName(f world.Fault, name string) world.Fault { f.If = `"` + name + `"`; return f }
func times(f world.Fault, n int) world.Fault          { f.Times = n; return f }

// One of several names cannot be shown to be ours: it is named, and the old
// certificate stays served.
func TestCertificateOneNameFails(t *testing.T) {
	t.Parallel()
	h := newLabHouse(t, "", world.NewLab(t, world.LabOptions{}), "good.example", "bad.example")
	old := h.served("good.example")
	h.lab.Point([]string{"bad.example"}, h.web.Addr)
	reached := h.lab.Faults.Hold(world.AskAuthz, false)
	h.maple.Must(nil, http.MethodPatch, "/certificates/"+old.ID, map[string]any{"names": []string{"good.example", "bad.example"}})
	within(t, "the order is there", reached)
	h.lab.Point([]string{"bad.example"}, h.lab.Address()) // after the pre-flight: nobody answers there
	h.lab.Faults.OpenAll()
	issue := h.again(old, 2)
	h.why("one name fails", issue, "failed", "ca_validation")
	if issue.Why.Name != "bad.example" || !strings.Contains(issue.Why.Message, "bad.example") {
		t.Errorf("the culprit: got %q, want bad.example: %s", issue.Why.Name, issue.Why.Message)
	}
	if got := world.Leaf(h.web.Endpoint(), "good.example"); got != old.Issued.Leaf {
		t.Errorf("served: got %.12s, want the old one %.12s", got, old.Issued.Leaf)
	}
}

// A certificate that a service does not take up, or that one of two addresses
// does not show, is taken back, and a finding says so.
func TestCertificateNotServed(t *testing.T) {
	t.Parallel()
	h := newLabHouse(t, "", world.NewLab(t, world.LabOptions{Settle: 6 * time.Second}), "shop.example", "both.example")
	old := h.served("shop.example")
	t.Run("the configuration is refused", func(t *testing.T) {
		if err := h.web.Break(true); err != nil {
			t.Fatal(err)
		}
		h.maple.Must(nil, http.MethodPost, "/certificates/"+old.ID+"/renew", nil)
		issue := h.again(old, 2)
		h.why("refused", issue, "rolled_back", "service_config")
		if err := h.web.Break(false); err != nil {
			t.Fatal(err)
		}
		if got := world.Leaf(h.web.Endpoint(), "shop.example"); got != old.Issued.Leaf {
			t.Errorf("served: got %.12s, want the old one %.12s", got, old.Issued.Leaf)
		}
		if n := len(h.maple.Findings("")); n == 0 {
			t.Error("no finding tells of it")
		}
		before := h.orders("shop.example")
		h.maple.Must(nil, http.MethodPost, "/certificates/"+old.ID+"/renew", nil)
		h.again(old, 3)
		h.shows(h.maple.CertServed(old.ID, certLimit))
		if n := h.orders("shop.example") - before; n > 1 {
			t.Errorf("orders for it: got %d more", n)
		}
	})
	t.Run("one of two addresses is old", func(t *testing.T) {
		other := h.lab.NewWeb(h.lab.Address()) // it is not told of anything
		x := h.served("both.example")
		h.maple.Must(nil, http.MethodPatch, "/certificates/"+x.ID, map[string]any{"endpoints": []map[string]string{
			{"address": h.web.Endpoint(), "protocol": "tls"}, {"address": other.Endpoint(), "protocol": "tls"}}})
		h.maple.Must(nil, http.MethodPost, "/certificates/"+x.ID+"/renew", nil)
		issue := h.again(x, 2)
		h.why("one address", issue, "rolled_back", "not_served")
		if got := world.Leaf(h.web.Endpoint(), "both.example"); got != x.Issued.Leaf {
			t.Errorf("served: got %.12s, want the old one %.12s", got, x.Issued.Leaf)
		}
		if !strings.Contains(issue.Why.Message+issue.Why.Detail, other.Addr) {
			t.Errorf("the address %s is not told: %+v", other.Addr, issue.Why)
		}
		if got := h.maple.Cert(x.ID).State; got != "unserved" {
			t.Errorf("after going back: got %s, want unserved: one address does not show it", got)
		}
	})
}

// The host is offline when its certificate is to be renewed: it is renewed when
// the host is back.
func TestCertificateHostOffline(t *testing.T) {
	t.Parallel()
	h := newLabHouse(t, "", world.NewLab(t, world.LabOptions{}), "shop.example")
	old := h.served("shop.example")
	h.host.Agent.Stop()
	h.wanted(old, "https://ca.example/why")
	world.Eventually(t, "the attempt waits for the host", certLimit, func() bool { return len(h.maple.CertIssues(old.ID)) == 2 })
	if i := h.maple.CertIssues(old.ID)[0]; i.Over {
		t.Errorf("without the host: got %s %+v", i.State, i.Why)
	}
	h.host.Start()
	h.again(old, 2)
	x := h.maple.CertServed(old.ID, certLimit)
	if x.Issued.Leaf == old.Issued.Leaf {
		t.Error("it was not renewed")
	}
	h.shows(x)
	if got := h.orders("shop.example"); got != 2 {
		t.Errorf("orders: got %d, want 2", got)
	}
}

// A bad answer about the renewal renews nothing.
func TestCertificateBadRenewalInfo(t *testing.T) {
	t.Parallel()
	h := newLabHouse(t, "", world.NewLab(t, world.LabOptions{}), "shop.example")
	old := h.served("shop.example")
	now := time.Now()
	for name, fault := range map[string]world.Fault{
		"404":              {Ask: world.AskRenewal, Status: 404, Body: "not found"},
		"500":              {Ask: world.AskRenewal, Status: 500},
		"HTML":             {Ask: world.AskRenewal, Status: 200, Body: "<html>busy</html>", Header: map[string]string{"Content-Type": "text/html"}},
		"{}":               {Ask: world.AskRenewal, Status: 200, Body: "{}"},
		"end before start": {Ask: world.AskRenewal, Status: 200, Body: acmelab.Window(now, now.Add(-time.Hour), "")},
	} {
		lift := h.lab.Faults.Make(fault)
		h.lab.Faults.Forget()
		h.soon(old)
		world.Eventually(t, name+": the authority is asked", certLimit, func() bool { return h.lab.Faults.Count("", world.AskRenewal) > 0 })
		world.Eventually(t, name+": the answer is dealt with", certLimit, func() bool {
			r := h.maple.Cert(old.ID).Renewal
			return r != nil && r.PollAt > now.UTC().Format(time.RFC3339)
		})
		lift()
		if n := len(h.maple.CertIssues(old.ID)); n != 1 {
			t.Fatalf("%s: attempts: got %d, want 1", name, n)
		}
		at, err := time.Parse(time.RFC3339, h.maple.Cert(old.ID).Renewal.At)
		if err != nil || at.Before(now.Add(50*24*time.Hour)) {
			t.Errorf("%s: renewed at %s (%v), want about a third of 90 days before the end", name, at, err)
		}
	}
}
