package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/labstack/echo/v4"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/policy"
	"ostler/controlplane/server"
)

var update = flag.Bool("update", false, "write golden files")

// testLog writes to a buffer, one line at a time.
func testLog(b *bytes.Buffer) *slog.Logger {
	return slog.New(slog.NewJSONHandler(&locked{b: b}, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

type locked struct {
	mu sync.Mutex
	b  *bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func TestOpenAPI(t *testing.T) {
	w := newWorld(t)
	a := w.call("", "GET", server.OpenAPIPath, "")
	var got bytes.Buffer
	if err := json.Indent(&got, []byte(a.body), "", "  "); err != nil || a.status != http.StatusOK {
		t.Fatalf("got %d, %v", a.status, err)
	}
	got.WriteByte('\n')
	const golden = "testdata/openapi.json"
	if *update {
		w.must(os.WriteFile(golden, got.Bytes(), 0o644))
	}
	want, err := os.ReadFile(golden)
	w.must(err)
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("the API's description has changed: look at it, then run the test with -update")
	}
	for _, bad := range []string{"$schema", "docs"} {
		if strings.Contains(a.body, `"/`+bad) || strings.Contains(a.body, `"`+bad+`":`) {
			t.Errorf("the description has %s", bad)
		}
	}
	for _, path := range []string{"/docs", "/openapi.json", "/openapi.yaml", "/schemas/Problem.json", server.Base + "/docs"} {
		if a := w.call("admin", "GET", path, ""); a.status != http.StatusNotFound {
			t.Errorf("%s: got %d, want 404", path, a.status)
		}
	}
}

func TestProblems(t *testing.T) {
	w := newWorld(t)
	secret := "hunter2-rejected-value"
	tests := []struct {
		name, method, path, body string
		status                   int
		code                     controlplane.Code
		pointer                  string
	}{
		{"missing field", "POST", "/customers", `{"name":"X"}`, 422, controlplane.CodeInvalid, ""},
		{"wrong type", "POST", "/customers", `{"name":["` + secret + `"],"country":"DE","zone":"Europe/Berlin"}`, 422, controlplane.CodeInvalid, "/name"},
		{"unknown field", "POST", "/customers", `{"name":"X","country":"DE","zone":"Europe/Berlin","x":"` + secret + `"}`, 422, controlplane.CodeInvalid, "/x"},
		{"not JSON", "POST", "/customers", `{"name":` + secret, 400, controlplane.CodeInvalid, ""},
		{"no body", "POST", "/customers", ``, 400, controlplane.CodeInvalid, ""},
		{"the slice's rule", "POST", "/customers", `{"name":"Xavier","country":"` + secret + `","zone":"Europe/Berlin"}`, 422, controlplane.CodeInvalid, "/country"},
		{"enum", "GET", "/servers?state=" + secret, "", 422, controlplane.CodeInvalid, "/state"},
		{"not a number", "GET", "/servers?page_size=" + secret, "", 422, controlplane.CodeInvalid, "/page_size"},
		{"too many", "GET", "/servers?page_size=201", "", 422, controlplane.CodeInvalid, "/page_size"},
		{"unknown parameter", "GET", "/servers?" + secret + "=1", "", 422, controlplane.CodeInvalid, ""},
		{"bad page token", "GET", "/jobs?page_token=" + secret, "", 422, controlplane.CodeInvalid, "/page_token"},
		{"no such server", "GET", "/servers/" + secret, "", 404, controlplane.CodeNotFound, ""},
		{"no such path", "GET", "/nothing/" + secret, "", 404, controlplane.CodeNotFound, ""},
		{"no such method", "PUT", "/servers", "", 405, controlplane.CodeNotFound, ""},
		{"too large", "POST", "/customers", `{"name":"` + strings.Repeat("x", 3<<20) + `"}`, 413, controlplane.CodeInvalid, ""},
		{"wait too long", "GET", "/jobs/job_x?wait=31s", "", 422, controlplane.CodeInvalid, "/wait"},
		{"bad If-Match", "PATCH", "/customers/cus_x", `{}`, 422, controlplane.CodeInvalid, "/If-Match"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var headers []string
			if tt.method == "PATCH" {
				headers = []string{"If-Match", secret}
			}
			a := w.call("admin", tt.method, server.Base+tt.path, tt.body, headers...)
			p := a.problem(t)
			if a.status != tt.status || p.Status != tt.status || p.Code != tt.code {
				t.Errorf("got %d %s, want %d %s: %s", a.status, p.Code, tt.status, tt.code, a.body)
			}
			if ct := a.header.Get("Content-Type"); !strings.HasPrefix(ct, "application/problem+json") {
				t.Errorf("content type: got %s", ct)
			}
			if p.Detail == "" || p.Next == "" || p.RequestID == "" || p.RequestID != a.header.Get("X-Request-Id") {
				t.Errorf("cause, next step or request id is missing: %s", a.body)
			}
			if tt.pointer != "" && (len(p.Errors) == 0 || p.Errors[0].Pointer != tt.pointer) {
				t.Errorf("pointer: got %v, want %s", p.Errors, tt.pointer)
			}
			if strings.Contains(a.body, secret) && tt.name != "unknown parameter" {
				t.Errorf("the refused value comes back: %s", a.body)
			}
		})
	}
}

// Inner errors stay inside, with their cause in the log under the request's id.
func TestInternalError(t *testing.T) {
	w := newWorld(t)
	type none struct{}
	op := server.Op{Method: "GET", Path: "/broken", Name: "test.broken", Summary: "Broken", Audience: policy.SignedIn, Permission: policy.SelfRead}
	server.Register(w.s.API(), op, func(context.Context, policy.Scope, *none) (*none, error) {
		return nil, errors.New("dial tcp 10.0.0.9: password=s3cret")
	})
	op.Path, op.Name = "/panics", "test.panics"
	server.Register(w.s.API(), op, func(context.Context, policy.Scope, *none) (*none, error) { panic("s3cret in a panic") })
	for _, path := range []string{"/broken", "/panics"} {
		a := w.call("admin", "GET", server.Base+path, "")
		p := a.problem(t)
		if a.status != 500 || p.Detail != "Internal error" || strings.Contains(a.body, "s3cret") {
			t.Errorf("%s: got %d %s", path, a.status, a.body)
		}
		if !strings.Contains(w.log.String(), p.RequestID) || !strings.Contains(w.log.String(), "s3cret") {
			t.Errorf("%s: the log does not have the cause under the request's id", path)
		}
	}
}

func TestIdempotencyKey(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorldOn(t, d)
		post := func(body, key, who string) answer {
			return w.call(who, "POST", server.Base+"/customers", body, "Idempotency-Key", key)
		}
		const bakery, brewery = `{"name":"Bakery","country":"DE","zone":"Europe/Berlin"}`, `{"name":"Brewery","country":"DE","zone":"Europe/Berlin"}`
		first := post(bakery, "k1", "admin")
		again := post(bakery, "k1", "admin")
		if first.status != 201 || again.status != 201 || first.body != again.body || first.header.Get("ETag") != again.header.Get("ETag") {
			t.Errorf("again: got %d %s, want %d %s", again.status, again.body, first.status, first.body)
		}
		if again.header.Get("Idempotent-Replayed") != "true" {
			t.Error("the repeated answer does not say so")
		}
		if a := post(brewery, "k1", "admin"); a.status != 422 {
			t.Errorf("another request with the key: got %d, want 422", a.status)
		}
		w.people["ops"] = controlplane.Actor{Kind: controlplane.ActorStaff, ID: controlplane.NewID(controlplane.PrefixStaff), Role: string(policy.RoleOps)}
		if a := post(brewery, "k1", "ops"); a.status != 201 {
			t.Errorf("another person's same key: got %d, want 201", a.status)
		}
		if a := post(`{"name":"","country":"DE","zone":"Europe/Berlin"}`, "k2", "admin"); a.status != 422 {
			t.Errorf("invalid: got %d, want 422", a.status)
		}
		if a := post(`{"name":"Third","country":"DE","zone":"Europe/Berlin"}`, "k2", "admin"); a.status != 201 {
			t.Errorf("corrected, with the same key: got %d, want 201: what failed is not kept", a.status)
		}
		clock.Advance(25 * 60 * 60 * 1e9)
		if a := post(brewery, "k1", "admin"); a.status == 422 {
			t.Error("the key is remembered for longer than a day")
		}
		srv := w.newTenant("Tenant").server.ID
		token := func() answer {
			return w.call("admin", "POST", server.Base+"/servers/"+srv+"/enrolment-tokens", "", "Idempotency-Key", "k3")
		}
		if a := token(); a.status != 201 || !strings.Contains(a.body, "ost_enrol_") {
			t.Errorf("token: got %d %s", a.status, a.body)
		}
		if a := token(); a.status != 409 || strings.Contains(a.body, "ost_enrol_") {
			t.Errorf("token again: got %d %s, want 409", a.status, a.body)
		}
	})
}

func TestETag(t *testing.T) {
	w := newWorld(t)
	o := w.newTenant("Mine")
	path := server.Base + "/customers/" + o.customer.ID
	tag := w.call("admin", "GET", path, "").header.Get("ETag")
	if a := w.call("admin", "PATCH", path, `{"name":"One"}`, "If-Match", tag); a.status != 200 {
		t.Errorf("got %d %s", a.status, a.body)
	}
	if a := w.call("admin", "PATCH", path, `{"name":"Two"}`, "If-Match", tag); a.status != 409 {
		t.Errorf("an old version: got %d, want 409", a.status)
	}
}

func TestNounsRoundTrip(t *testing.T) {
	w := newWorld(t)
	o := w.newTenant("Mine")
	for path, want := range map[string]string{
		"/customers/" + o.customer.ID:               `"slug":"mine"`,
		"/customers/mine":                           `"slug":"mine"`,
		"/customers/" + o.customer.ID + "/contacts": `"email":"kim@mine.example"`,
		"/contacts/" + o.contact.ID:                 `"role":"owner"`,
		"/servers/mine.example.com":                 `"agent_state":"not_enrolled"`,
		"/servers/" + o.server.ID + "/checklist":    `"step":"token"`,
		"/servers/" + o.server.ID + "/agent":        `"state":"not_enrolled"`,
		"/tenancies/" + o.tenancy.ID:                `"paths":["/srv/mine"]`,
		"/jobs/" + o.job:                            `"state":"queued"`,
		"/jobs/" + o.job + "/why":                   `"reason":"why.`,
		"/findings/" + o.finding:                    `"kind":"server.silent"`,
		"/ledger/" + o.entry:                        `"at":"2026-11-20T09:00:00.000Z"`,
	} {
		if a := w.call("admin", "GET", server.Base+path, ""); a.status != 200 || !strings.Contains(a.body, want) {
			t.Errorf("%s: got %d %s, want %s", path, a.status, a.body, want)
		}
	}
	if a := w.call("admin", "GET", server.Base+"/servers/"+o.server.ID+"/inventory", ""); a.status != 404 {
		t.Errorf("no inventory yet: got %d", a.status)
	}
	_, err := w.ledger.Sequence(w.ctx)
	w.must(err)
	for path, want := range map[string]string{"/ledger/" + o.entry + "/proof": `"checkpoint":"test.invalid/ostler`, "/ledger-checkpoint": "test.invalid"} {
		if a := w.call("mine-owner", "GET", server.Base+path, ""); a.status != 200 || !strings.Contains(a.body, want) {
			t.Errorf("%s: got %d %s", path, a.status, a.body)
		}
	}
	if a := w.call("admin", "POST", server.Base+"/ledger-verification", ""); a.status != 200 || !strings.Contains(a.body, `"ok":true`) {
		t.Errorf("verify: got %d %s", a.status, a.body)
	}
	if a := w.call("mine-owner", "POST", server.Base+"/jobs/"+o.job+"/cancel", ""); a.status != 202 || a.header.Get("Location") != server.Base+"/jobs/"+o.job {
		t.Errorf("cancel: got %d %s", a.status, a.body)
	}
	if a := w.call("mine-owner", "GET", server.Base+"/jobs/"+o.job+"?wait=1s", ""); !strings.Contains(a.body, `"over":true`) {
		t.Errorf("cancelled: got %s", a.body)
	}
	if a := w.call("mine-owner", "GET", server.Base+"/tokens", ""); a.status != 200 {
		t.Errorf("tokens: got %d %s", a.status, a.body)
	}
}

func TestHealth(t *testing.T) {
	w := newWorld(t)
	if a := w.call("", "GET", "/healthz", ""); a.status != 200 {
		t.Errorf("healthz: got %d", a.status)
	}
	if a := w.call("", "GET", "/readyz", ""); a.status != 200 || !strings.Contains(a.body, `"ready":true`) {
		t.Errorf("readyz: got %d %s", a.status, a.body)
	}
	down := newWorld(t)
	down.signer.down = true
	if a := down.call("", "GET", "/readyz", ""); a.status != 503 || !strings.Contains(a.body, `"name":"signer","ok":false`) {
		t.Errorf("readyz without a signer: got %d %s", a.status, a.body)
	}
}

func TestPlainHTTPOnLoopbackOnly(t *testing.T) {
	w := newWorld(t)
	for _, addr := range []string{":8443", "0.0.0.0:8443", "192.0.2.1:8443"} {
		if _, err := server.New(server.Deps{Agents: w.agents}, server.Options{PortalAddr: addr}); err == nil {
			t.Errorf("%s: plain HTTP outside loopback", addr)
		}
	}
}

// The log has no address, no query and no token.
func TestAccessLog(t *testing.T) {
	w := newWorld(t)
	o := w.newTenant("Mine")
	w.call("admin", "GET", server.Base+"/servers?customer="+o.customer.ID, "", "X-Forwarded-For", "203.0.113.5", echo.HeaderXRequestID, "chosen")
	line := w.log.String()
	if !strings.Contains(line, `"route":"/api/v1/servers"`) {
		t.Errorf("no line for the request: %s", line)
	}
	for _, bad := range []string{"203.0.113.5", "192.0.2.1", o.customer.ID, "chosen", "Bearer"} {
		if strings.Contains(line, bad) {
			t.Errorf("the log has %s: %s", bad, line)
		}
	}
}
