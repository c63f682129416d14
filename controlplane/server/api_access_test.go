package server_test

import (
	"net/http"
	"strings"
	"testing"

	"ostler/controlplane/access"
	"ostler/controlplane/identity"
	"ostler/controlplane/policy"
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
		{"one change", "mine-reader", "GET", server.Base + "/access/changes/" + o.change, "", 200, `"notice":"` + o.notice},
		{"a change of nobody", "mine-reader", "GET", server.Base + "/access/changes/chg_00000000000000000000000000", "", 404, ""},
		{"a call before it was sent", "admin", "POST", server.Base + "/access/notices/" + o.notice + "/call", bodies["api.notice.call"], 409, ""},
		{"a call to nobody", "admin", "POST", server.Base + "/access/notices/" + o.notice + "/call", `{"who":" ","said":"They know"}`, 422, `"/who"`},
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
	w.byEmail(o)
	w.teamAndPlace(o)
	person := server.Base + "/access/people/" + o.person
	if a := w.call("admin", "PATCH", person, `{"company":"Other Ltd"}`, "If-Match", `"v99"`); a.status != http.StatusConflict {
		t.Errorf("from another version: got %d: %s", a.status, a.body)
	}
	tag := w.call("admin", "GET", person, "").header.Get("ETag")
	if p := into[server.AccessPerson](t, w.call("admin", "PATCH", person, `{"company":"Other Ltd"}`, "If-Match", tag), http.StatusOK); p.Company != "Other Ltd" {
		t.Errorf("changed: %+v", p)
	}
}

// byEmail finds who of us stands on lists by the address they sign in with.
func (w *world) byEmail(o tenant) {
	w.t.Helper()
	ida, err := w.identity.AddStaff(w.ctx, all, identity.NewStaff{Name: "Ida Night", Email: "ida@example.com", Role: policy.RoleOps})
	w.must(err)
	p, err := w.access.AddPerson(w.ctx, all, access.NewPerson{Kind: access.KindStaff, Staff: ida.ID})
	w.must(err)
	for email, want := range map[string]string{"ida@example.com": p.ID, "IDA@example.com": p.ID, "nobody@example.com": ""} {
		got := ""
		for _, x := range into[server.Page[server.AccessPerson]](w.t, w.call("admin", "GET", server.Base+"/access/people?email="+email, ""), http.StatusOK).Items {
			got += x.ID
		}
		if got != want {
			w.t.Errorf("%s: got %q, want %q", email, got, want)
		}
	}
	if a := w.call("mine-owner", "GET", server.Base+"/access/people?email=ida@example.com", ""); a.status != http.StatusNotFound {
		w.t.Errorf("a customer asks for our people: got %d", a.status)
	}
}

// teamAndPlace makes a team and a facility, and changes them from the version
// that was shown.
func (w *world) teamAndPlace(o tenant) {
	w.t.Helper()
	for path, body := range map[string]string{"/access/teams": `{"name":"Nights %s","members":[{"person":"` + o.person + `"}]}`, "/access/facilities": `{"name":"One %s","country":"DE","location":"Leipzig 1"}`} {
		made := into[struct{ ID string }](w.t, w.call("admin", "POST", server.Base+path, strings.Replace(body, "%s", "a", 1)), http.StatusCreated)
		self := server.Base + path + "/" + made.ID
		shown := w.call("admin", "GET", self, "")
		if shown.status != http.StatusOK || !strings.Contains(shown.body, `"id":"`+made.ID) || shown.header.Get("ETag") == "" {
			w.t.Errorf("%s: got %d: %s", self, shown.status, shown.body)
		}
		if a := w.call("admin", "PUT", self, strings.Replace(body, "%s", "b", 1), "If-Match", shown.header.Get("ETag")); a.status != http.StatusOK || !strings.Contains(a.body, " b") {
			w.t.Errorf("%s changed: got %d: %s", self, a.status, a.body)
		}
		if a := w.call("admin", "PUT", self, strings.Replace(body, "%s", "c", 1), "If-Match", shown.header.Get("ETag")); a.status != http.StatusConflict {
			w.t.Errorf("%s changed from an old version: got %d: %s", self, a.status, a.body)
		}
		if a := w.call("admin", "GET", self[:len(self)-1]+"_", ""); a.status != http.StatusNotFound {
			w.t.Errorf("nothing there: got %d", a.status)
		}
	}
}
