package server_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"ostler/controlplane/customers"
	"ostler/controlplane/server"
)

func TestWindowsAPI(t *testing.T) {
	w := newWorld(t)
	mine := w.newTenant("Mine")
	var opened, closed server.Window
	a := w.call("admin", "POST", server.Base+"/windows", `{"server":"`+mine.server.Name+`","ticket":"OPS-7","who":"ada on bastion-1","what":"patch.yml","minutes":30}`)
	a.into(t, http.StatusCreated, &opened)
	if opened.State != "open" || opened.Ticket != "OPS-7" || opened.Who != "ada on bastion-1" || opened.What != "patch.yml" || opened.ServerName != mine.server.Name {
		t.Errorf("opened: got %+v", opened)
	}
	w.call("admin", "POST", server.Base+"/windows/"+opened.ID+"/close", "").into(t, http.StatusOK, &closed)
	if closed.State != "closed" || closed.ClosedAt == "" {
		t.Errorf("closed: got %+v", closed)
	}
	var list server.Page[server.Window]
	w.call("admin", "GET", server.Base+"/windows?open=true&server="+mine.server.Name, "").into(t, http.StatusOK, &list)
	if len(list.Items) != 1 || list.Items[0].ID != mine.window || list.Items[0].Who != "Kim Sample" {
		t.Errorf("open ones: got %+v", list.Items)
	}
	var theirs server.Page[server.Window]
	w.call("mine-owner", "GET", server.Base+"/windows", "").into(t, http.StatusOK, &theirs)
	if len(theirs.Items) != 2 {
		t.Errorf("a customer: got %+v, want both windows", theirs.Items)
	}
	for _, v := range theirs.Items {
		if v.Who != "" || v.Ticket != "" || v.What != "" {
			t.Errorf("a customer reads %+v", v)
		}
	}
	for body, field := range map[string]string{
		`{"server":"` + mine.server.ID + `","ticket":"","who":"ada"}`:                     "/ticket",
		`{"server":"` + mine.server.ID + `","ticket":"OPS-1","who":"ada","minutes":9999}`: "minutes",
	} {
		if a := w.call("admin", "POST", server.Base+"/windows", body); a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, field) {
			t.Errorf("%s: got %d %s", body, a.status, a.body)
		}
	}
}

// The inventory is one's own, says nothing that changes by the minute, and is
// not sent again to who has it.
func TestInventoryAPI(t *testing.T) {
	w := newWorld(t)
	mine, other := w.newTenant("Mine"), w.newTenant("Other")
	_, err := w.store.CreateTenancy(w.ctx, all, customers.NewTenancy{Server: mine.server.ID, Customer: other.customer.ID, Paths: []string{"/srv/else"}, Databases: []string{"shop"}})
	w.must(err)
	gone, err := w.store.CreateServer(w.ctx, all, customers.NewServer{Name: "gone.example.com", Country: "DE"})
	w.must(err)
	_, err = w.store.RetireServer(w.ctx, all, gone.ID)
	w.must(err)
	var staff, owner server.Hosts
	a := w.call("admin", "GET", server.Base+"/inventory", "")
	a.into(t, http.StatusOK, &staff)
	want := server.HostEntry{ID: mine.server.ID, Name: mine.server.Name, Country: "DE", State: "expected", Agent: "not_enrolled"}
	if len(staff.Items) != 2 || strings.Contains(a.body, "gone.example.com") {
		t.Fatalf("staff: got %+v, want two servers that are looked after", staff.Items)
	}
	got := staff.Items[0]
	if strings.Join(got.Customers, " ") != "mine other" || !got.Shared || strings.Join(got.Roles, " ") != "database web" ||
		got.ID != want.ID || got.Name != want.Name || got.State != want.State || got.Agent != want.Agent || got.Country != want.Country {
		t.Errorf("staff: got %+v", got)
	}
	w.call("mine-owner", "GET", server.Base+"/inventory", "").into(t, http.StatusOK, &owner)
	if len(owner.Items) != 1 || strings.Join(owner.Items[0].Customers, " ") != "mine" || owner.Items[0].Shared || strings.Join(owner.Items[0].Roles, " ") != "web" {
		t.Errorf("owner: got %+v", owner.Items)
	}
	if staff.Scope != "all" || owner.Scope != "own" {
		t.Errorf("who sees everything: got %q for staff and %q for an owner, want all and own", staff.Scope, owner.Scope)
	}
	tag := a.header.Get("ETag")
	if again := w.call("admin", "GET", server.Base+"/inventory", "", "If-None-Match", tag); again.status != http.StatusNotModified || again.body != "" || tag == "" {
		t.Errorf("the same again: got %d %q for %s", again.status, again.body, tag)
	}
	if theirs := w.call("mine-owner", "GET", server.Base+"/inventory", "", "If-None-Match", tag); theirs.status != http.StatusOK {
		t.Errorf("another's tag: got %d", theirs.status)
	}
	_, err = w.store.CreateServer(w.ctx, all, customers.NewServer{Name: "new.example.com", Country: "DE"})
	w.must(err)
	if changed := w.call("admin", "GET", server.Base+"/inventory", "", "If-None-Match", tag); changed.status != http.StatusOK || changed.header.Get("ETag") == tag {
		t.Errorf("after a change: got %d %s", changed.status, changed.header.Get("ETag"))
	}
}

// into reads the body of an answer with that status.
func (a answer) into(t *testing.T, status int, v any) {
	t.Helper()
	if a.status != status {
		t.Fatalf("got %d, want %d: %s", a.status, status, a.body)
	}
	if err := json.Unmarshal([]byte(a.body), v); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
}
