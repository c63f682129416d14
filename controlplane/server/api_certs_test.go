package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/server"
)

// Whoever asks for a token of ours gets its answer, and for nothing else.
func TestChallengesAreAnswered(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorldOn(t, d)
		for token, life := range map[string]time.Duration{"Tok_en-1": time.Hour, "gone": -time.Hour} {
			w.must(d.Write(w.ctx, func(tx *db.Tx) error {
				return tx.Exec("INSERT INTO cert_tokens (token, key_auth, name, issue_id, expires_at) VALUES (?, ?, 'a.example', 'iss_1', ?)", token, token+".print", tx.Now.Add(life).UnixMilli()).Error
			}))
		}
		for path, want := range map[string]int{"Tok_en-1": 200, "gone": 404, "none": 404, "Tok_en-1%00": 404, "..%2f": 404, strings.Repeat("a", 129): 404} {
			a := w.call("", "GET", "/.well-known/acme-challenge/"+path, "")
			if a.status != want || want == 200 && (a.body != "Tok_en-1.print" || a.header.Get("Content-Type") != "text/plain") {
				t.Errorf("%s: got %d %q as %s", path, a.status, a.body, a.header.Get("Content-Type"))
			}
			if a.header.Get("Set-Cookie") != "" {
				t.Errorf("%s: sets a cookie", path)
			}
		}
		if a := w.call("", "POST", "/.well-known/acme-challenge/Tok_en-1", ""); a.status == http.StatusOK {
			t.Error("a POST was answered")
		}
	})
}

// A certificate's way through the API: by its name as well, with the version
// that a change is made from, and with words for what stands in the way.
func TestCertificates(t *testing.T) {
	w := newWorld(t)
	o := w.newTenant("Mine")
	at := server.Base + "/certificates/"
	a := w.call("mine-reader", "GET", at+o.tenancy.Sites[0], "")
	c := into[server.Certificate](t, a, http.StatusOK)
	if c.ID != o.cert || c.State != "new" || c.OpenIssue != o.issue || c.ServerName != o.server.Name || c.CustomerName != o.customer.Name || a.header.Get("ETag") == "" {
		t.Fatalf("by its name: %+v", c)
	}
	i := into[server.CertIssue](t, w.call("mine-reader", "GET", server.Base+"/issues/"+o.issue, ""), http.StatusOK)
	if i.State != "requesting" || i.Over || len(i.Steps) == 0 || i.Steps[0].Message == "" {
		t.Errorf("attempt: %+v", i)
	}
	why := into[server.Page[server.CertWhy]](t, w.call("mine-reader", "GET", at+o.cert+"/why", ""), http.StatusOK)
	if len(why.Items) == 0 || why.Items[0].Message == "" {
		t.Errorf("why not: %+v", why)
	}
	for _, x := range []struct {
		name, role, method, path, body string
		want                           int
		says                           string
	}{
		{"a reader pauses", "mine-reader", "POST", "/pause", `{"reason":"x"}`, 403, ""},
		{"paused until a word", "mine-owner", "POST", "/pause", `{"reason":"x","until":"tomorrow"}`, 422, `"/until"`},
		{"paused", "mine-owner", "POST", "/pause", `{"reason":"The site moves"}`, 200, `"paused_until":"forever"`},
		{"renewed while it is paused", "mine-owner", "POST", "/renew", "", 409, ""},
		{"resumed", "mine-owner", "POST", "/resume", "", 200, `"state":"new"`},
		{"a name of nobody", "mine-owner", "PATCH", "", `{"names":["other.example"]}`, 422, `"/names/0"`},
		{"an unknown challenge", "mine-owner", "PATCH", "", `{"challenge":"guess"}`, 422, ""},
		{"a customer knows the key to be known", "mine-owner", "POST", "/compromised", `{"detail":"x"}`, 404, ""},
		{"revoke what is not issued", "mine-owner", "POST", "/revoke", `{}`, 409, ""},
	} {
		t.Run(x.name, func(t *testing.T) {
			if a := w.call(x.role, x.method, at+o.cert+x.path, x.body); a.status != x.want || x.says != "" && !strings.Contains(a.body, x.says) {
				t.Errorf("got %d, want %d with %s: %s", a.status, x.want, x.says, a.body)
			}
		})
	}
	if a := w.call("mine-owner", "PATCH", at+o.cert, `{"key":"rsa2048"}`, "If-Match", `"v1"`); a.status != http.StatusConflict {
		t.Errorf("from an old version: got %d", a.status)
	}
	tag := w.call("mine-owner", "GET", at+o.cert, "").header.Get("ETag")
	if c := into[server.Certificate](t, w.call("mine-owner", "PATCH", at+o.cert, `{"key":"rsa2048"}`, "If-Match", tag), http.StatusOK); c.Key != "rsa2048" {
		t.Errorf("changed: %+v", c)
	}
	if c := into[server.Certificate](t, w.call("mine-owner", "DELETE", at+o.cert, ""), http.StatusOK); c.State != "ended" || c.EndedAt == "" {
		t.Errorf("ended: %+v", c)
	}
	if l := into[server.Page[server.Certificate]](t, w.call("mine-owner", "GET", server.Base+"/certificates", ""), http.StatusOK); len(l.Items) != 0 {
		t.Errorf("listed after its end: %+v", l)
	}
}

// What was given of a DNS provider does not come back.
func TestProvidersKeepTheirSecrets(t *testing.T) {
	w := newWorld(t)
	o := w.newTenant("Mine")
	body := fmt.Sprintf(`{"name":"At Hetzner","kind":"hetzner","customer":%q,"config":{"api_token":"another-secret"}}`, o.customer.Slug)
	made := w.call("admin", "POST", server.Base+"/dns-providers", body)
	p := into[server.DNSProvider](t, made, http.StatusCreated)
	if p.CustomerID != o.customer.ID || len(p.Fields) != 1 {
		t.Errorf("made: %+v", p)
	}
	list := w.call("mine-owner", "GET", server.Base+"/dns-providers", "")
	if strings.Contains(made.body+list.body, "secret") || !strings.Contains(list.body, p.ID) {
		t.Errorf("secrets: %s %s", made.body, list.body)
	}
	if own := into[server.DNSProvider](t, w.call("mine-owner", "POST", server.Base+"/dns-providers", `{"name":"Own","kind":"hetzner","config":{"api_token":"x"}}`), http.StatusCreated); own.CustomerID != o.customer.ID {
		t.Errorf("a customer's own: %+v", own)
	}
	if a := w.call("admin", "DELETE", server.Base+"/dns-providers/"+p.ID, ""); a.status != http.StatusNoContent {
		t.Errorf("removed: %d %s", a.status, a.body)
	}
	kinds := into[server.Page[server.DNSProviderKind]](t, w.call("mine-reader", "GET", server.Base+"/dns-providers/kinds", ""), http.StatusOK)
	if len(kinds.Items) < 5 {
		t.Errorf("kinds: %+v", kinds)
	}
}
