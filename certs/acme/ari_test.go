package acme_test

import (
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"ostler/certs/acme"
	"ostler/certs/acme/acmetest"
)

// TestCertID holds to the example of RFC 9773, 4.1, and to serials that would
// be negative without their zero.
func TestCertID(t *testing.T) {
	aki := []byte{0x69, 0x88, 0x5b, 0x6b, 0x87, 0x46, 0x40, 0x41, 0xe1, 0xb3, 0x7b, 0x84, 0x7b, 0xa0, 0xae, 0x2c, 0xde, 0x01, 0xc8, 0xd4}
	for _, tt := range []struct {
		serial int64
		want   string
	}{
		{0x8765_4321, "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"},
		{0x0765_4321, "aYhba4dGQEHhs3uEe6CuLN4ByNQ.B2VDIQ"},
	} {
		got, err := acme.CertID(acmetest.SelfIssued(t, big.NewInt(tt.serial), aki))
		if err != nil || got != tt.want {
			t.Errorf("%x: got %q (%v), want %q", tt.serial, got, err, tt.want)
		}
	}
	if got, err := acme.CertID(acmetest.SelfIssued(t, big.NewInt(1), nil)); err == nil {
		t.Errorf("no key of the issuer: got %q", got)
	}
}

func TestRenewalInfo(t *testing.T) {
	ca := acmetest.New(t, acmetest.Options{})
	c := ca.Open(t, ca.Options(t))
	res, _ := issued(t, c, ca, acmetest.Request(t, "a.example"))
	leaf := acmetest.Leaf(t, res.Chain)
	id, err := acme.CertID(leaf)
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.RenewalInfo(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if !r.Start.After(leaf.NotBefore) || !r.End.After(r.Start) || r.End.After(leaf.NotAfter) {
		t.Errorf("got %+v, want a window within the lifetime", r)
	}
	if got := time.Until(r.RetryAfter); got < 5*time.Hour || got > 6*time.Hour {
		t.Errorf("retry after: got %s, want Pebble's 6 h", got)
	}
	start := time.Now().Add(-time.Hour).UTC().Truncate(time.Second)
	doc := fmt.Sprintf(`{"suggestedWindow":{"start":%q,"end":%q},"explanationURL":"https://ca.example/why"}`, start.Format(time.RFC3339), start.Add(time.Minute).Format(time.RFC3339))
	if err := ca.SetRenewalInfo(leaf, doc); err != nil {
		t.Fatal(err)
	}
	r, err = c.RenewalInfo(t.Context(), id)
	if err != nil || !r.Start.Equal(start) || r.Explanation != "https://ca.example/why" {
		t.Errorf("got %+v (%v), want the window of an incident, and why", r, err)
	}
	if err := ca.SetRenewalInfo(leaf, strings.Replace(doc, "/why", "/"+strings.Repeat("why", 1000), 1)); err != nil {
		t.Fatal(err)
	}
	if r, err = c.RenewalInfo(t.Context(), id); err != nil || r.Explanation != "" {
		t.Errorf("got %d bytes of an address (%v), want none", len(r.Explanation), err)
	}
}

func TestRenewalInfoThatIsNone(t *testing.T) {
	ca := acmetest.New(t, acmetest.Options{})
	c := ca.Open(t, ca.Options(t))
	window := func(start, end string) string {
		return fmt.Sprintf(`{"suggestedWindow":{"start":%q,"end":%q}}`, start, end)
	}
	const json = "application/json"
	for _, tt := range []struct {
		name  string
		fault acmetest.Fault
		kind  acme.Kind
		wait  bool
	}{
		{"404", acmetest.Problem(404, "malformed", "no such certificate"), acme.KindRefused, false},
		{"404 without a word", acmetest.Answer(404, "text/html", "<html>"), acme.KindBadAnswer, false},
		{"500", acmetest.Problem(500, "serverInternal", "oops"), acme.KindUnreachable, false},
		{"503 in plain text", acmetest.Answer(503, "text/plain", "busy", "Retry-After", "60"), acme.KindUnreachable, true},
		{"429", acmetest.Answer(429, "text/plain", "slow down", "Retry-After", "60"), acme.KindRateLimited, true},
		{"a page", acmetest.Answer(200, "text/html", "<html>welcome</html>"), acme.KindBadAnswer, false},
		{"nothing", acmetest.Answer(200, json, ""), acme.KindBadAnswer, false},
		{"{}", acmetest.Answer(200, json, "{}", "Retry-After", "60"), acme.KindBadAnswer, true},
		{"null", acmetest.Answer(200, json, "null"), acme.KindBadAnswer, false},
		{"no end", acmetest.Answer(200, json, `{"suggestedWindow":{"start":"2030-01-01T00:00:00Z"}}`), acme.KindBadAnswer, false},
		{"no start", acmetest.Answer(200, json, `{"suggestedWindow":{"end":"2030-01-01T00:00:00Z"}}`), acme.KindBadAnswer, false},
		{"an end before the start", acmetest.Answer(200, json, window("2030-01-02T00:00:00Z", "2030-01-01T00:00:00Z")), acme.KindBadAnswer, false},
		{"no time at all", acmetest.Answer(200, json, window("2030-01-02T00:00:00Z", "2030-01-02T00:00:00Z")), acme.KindBadAnswer, false},
		{"no instants", acmetest.Answer(200, json, window("soon", "later")), acme.KindBadAnswer, false},
		{"elsewhere", acmetest.Answer(302, "text/html", "", "Location", "https://127.0.0.1:1/"), acme.KindBadAnswer, false},
		{"nothing new", acmetest.Answer(204, json, ""), acme.KindBadAnswer, false},
		{"a broken connection", acmetest.Drop, acme.KindUnreachable, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ca.On(acmetest.PathRenewal, 2, tt.fault) // a GET may be repeated by net/http
			t.Cleanup(ca.Heal)
			r, err := c.RenewalInfo(t.Context(), "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE")
			e := refusal(t, err)
			if e.Kind != tt.kind || e.RetryAfter.IsZero() == tt.wait {
				t.Errorf("got %v until %s, want %s", e, e.RetryAfter, tt.kind)
			}
			if r != (acme.Renewal{}) {
				t.Errorf("got %+v beside the error", r)
			}
		})
	}
	if _, err := c.RenewalInfo(t.Context(), "../dir"); err == nil {
		t.Error("asked for what is no id")
	}
}

func TestExplanationIsAPage(t *testing.T) {
	ca := acmetest.New(t, acmetest.Options{})
	c := ca.Open(t, ca.Options(t))
	ca.On(acmetest.PathRenewal, 1, acmetest.Answer(200, "application/json", `{"suggestedWindow":{"start":"2030-01-01T00:00:00Z","end":"2030-01-02T00:00:00Z"},"explanationURL":"javascript:alert(1)"}`))
	r, err := c.RenewalInfo(t.Context(), "a.b")
	if err != nil || r.Explanation != "" {
		t.Errorf("got %q (%v), want none", r.Explanation, err)
	}
}

func TestNoRenewalInfo(t *testing.T) {
	ca := acmetest.New(t, acmetest.Options{})
	ca.On(acmetest.PathDirectory, -1, acmetest.Edit(func(doc map[string]any, _ http.Header) { delete(doc, "renewalInfo") }))
	c := ca.Open(t, ca.Options(t))
	_, err := c.RenewalInfo(t.Context(), "a.b")
	if e := refusal(t, err); e.Kind != acme.KindUnsupported {
		t.Errorf("got %v, want unsupported", e)
	}
}
