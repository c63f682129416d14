package server_test

import (
	"net/http"
	"strings"
	"testing"

	"ostler/controlplane/server"
)

// A customer's list through the API, and a grant's way: who may, what is
// refused in which words, and from which version a change is made.
func TestAccess(t *testing.T) {
	w := newWorld(t)
	o := w.newTenant("Mine")
	at := server.Base + "/customers/" + o.customer.Slug + "/access"
	l := into[server.AccessList](t, w.call("mine-reader", "GET", at, ""), http.StatusOK)
	ways := ""
	for _, x := range l.Lines {
		if x.Person == o.person && x.Listed != nil {
			ways += x.Way + " "
		}
	}
	if l.Customer != o.customer.ID || !strings.Contains(ways, "teleport") || !strings.Contains(ways, "backup_key") {
		t.Errorf("list: %s of %+v", ways, l)
	}
	grant := server.Base + "/access/grants/" + o.grant
	for _, x := range []struct {
		name, role, method, path, body string
		want                           int
		says                           string
	}{
		{"before anything was known", "mine-reader", "GET", at + "?at=2001-01-01T00:00:00Z", "", 200, `"lines":[]`},
		{"an instant without a form", "mine-reader", "GET", at + "?at=yesterday", "", 422, ""},
		{"what changed", "mine-reader", "GET", at + "/changes", "", 200, `"kind":"added"`},
		{"a column that is none", "mine-reader", "GET", at + "/changes?column=most", "", 422, ""},
		{"a customer grants", "mine-owner", "POST", server.Base + "/access/grants", bodies["api.grant.create"], 404, ""},
		{"to nobody", "admin", "POST", server.Base + "/access/grants", `{"customer":"` + o.customer.Slug + `","role":"operator","reason":"x","ticket":"OPS-1","until":"2099-01-01T00:00:00Z"}`, 422, `"/person"`},
		{"a customer reads the grant", "mine-reader", "GET", grant, "", 200, `"reason":"Moves the shop"`},
		{"a reader acknowledges", "mine-reader", "POST", server.Base + "/access/notices/" + o.notice + "/acknowledge", "", 403, ""},
		{"an owner acknowledges what still gathers changes", "mine-owner", "POST", server.Base + "/access/notices/" + o.notice + "/acknowledge", "", 409, ""},
		{"an owner says that it is not theirs", "mine-owner", "POST", server.Base + "/access/found/" + o.wayIn + "/confirm", `{"yes":false}`, 200, `"confirmed":"no"`},
		{"a customer calls it lawful", "mine-owner", "POST", server.Base + "/access/instructions/" + o.instruction + "/decide", `{"decision":"lawful","reasons":"We say so"}`, 422, `"/decision"`},
		{"revoked", "admin", "POST", grant + "/revoke", `{"why":"It is done"}`, 200, `"state":"revoked"`},
		{"lists and ledger agree", "admin", "POST", server.Base + "/access/verification", "", 200, `"ok":true`},
	} {
		t.Run(x.name, func(t *testing.T) {
			if a := w.call(x.role, x.method, x.path, x.body); a.status != x.want || x.says != "" && !strings.Contains(a.body, x.says) {
				t.Errorf("got %d, want %d with %s: %s", a.status, x.want, x.says, a.body)
			}
		})
	}
	person := server.Base + "/access/people/" + o.person
	if a := w.call("admin", "PATCH", person, `{"company":"Other Ltd"}`, "If-Match", `"v99"`); a.status != http.StatusConflict {
		t.Errorf("from another version: got %d: %s", a.status, a.body)
	}
	tag := w.call("admin", "GET", person, "").header.Get("ETag")
	if p := into[server.AccessPerson](t, w.call("admin", "PATCH", person, `{"company":"Other Ltd"}`, "If-Match", tag), http.StatusOK); p.Company != "Other Ltd" {
		t.Errorf("changed: %+v", p)
	}
}
