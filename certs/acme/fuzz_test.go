package acme_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"ostler/certs/acme"
	"ostler/certs/acme/acmetest"
)

// stub answers in a CA's place: its directory, its nonces, and one thing else.
type stub struct {
	status     int
	body       string
	retryAfter string
}

func (s stub) RoundTrip(r *http.Request) (*http.Response, error) {
	header, status, body := http.Header{}, s.status, s.body
	switch r.URL.Path {
	case "/dir":
		status = 200
		body = `{"newNonce":"https://ca.example/nonce","newAccount":"https://ca.example/account","newOrder":"https://ca.example/order","renewalInfo":"https://ca.example/ari"}`
	case "/nonce":
		status, body = 200, ""
		header.Set("Replay-Nonce", "bm9uY2U")
	default:
		if s.retryAfter != "" {
			header.Set("Retry-After", s.retryAfter)
		}
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

// FuzzAnswers reads any answer as a good one or as an error of the lists, on
// one line.
func FuzzAnswers(f *testing.F) {
	f.Add(429, `{"type":"urn:ietf:params:acme:error:rateLimited","detail":"too many certificates (5) already issued for \"a.example\""}`, "12")
	f.Add(503, "busy\nvery", "Sun, 22 Nov 2026 08:00:00 GMT")
	f.Add(400, `{"type":"urn:ietf:params:acme:error:compound","subproblems":[{"identifier":{"value":"x"}}]}`, "-1")
	f.Add(200, `{"suggestedWindow":{"start":"2030-01-01T00:00:00Z","end":"2031-01-01T00:00:00Z"}}`, "99999999999999999999")
	f.Add(200, `{"status":"valid"}`, "")
	f.Add(404, "null", "soon")
	key := acmetest.Key(f)
	f.Fuzz(func(t *testing.T, status int, body, retryAfter string) {
		if status < 200 || status > 599 || strings.Contains(body, "badNonce") {
			return // net/http reads no others; nonces are asked for without end
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		c, err := acme.Open(ctx, acme.Options{Directory: "https://ca.example/dir", Key: key, HTTP: &http.Client{Transport: stub{status, body, retryAfter}}})
		if err != nil {
			t.Fatal(err)
		}
		r, ariErr := c.RenewalInfo(ctx, "a.b")
		_, registerErr := c.Register(ctx, acme.Registration{})
		if ariErr == nil && (status != 200 || !r.End.After(r.Start)) {
			t.Errorf("%d %q: got the window %+v", status, body, r)
		}
		if registerErr == nil {
			t.Errorf("%d %q: got an account without a URL", status, body)
		}
		for _, err := range []error{ariErr, registerErr} {
			e, ok := errors.AsType[*acme.Error](err)
			if err == nil {
				continue
			}
			if !ok || !e.Kind.Valid() || !e.Scope.Valid() {
				t.Errorf("%d %q: got %v, want an error of the lists", status, body, err)
			} else if strings.Contains(e.Detail, "\n") || !utf8.ValidString(e.Detail) {
				t.Errorf("%d %q: got the detail %q, want one line", status, body, e.Detail)
			}
		}
	})
}
