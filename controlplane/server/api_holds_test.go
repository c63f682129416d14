package server_test

import (
	"net/http"
	"strings"
	"testing"

	"ostler/controlplane"
	"ostler/controlplane/findings"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
	"ostler/controlplane/server"
)

// A hold is released by one person alone, with a reason; who did it is said, the
// customer can read it, and a finding stands until another person has looked.
func TestReleaseAlone(t *testing.T) {
	w := newWorld(t)
	mine := w.newTenant("Mine")
	w.connected(&mine)
	w.people["second"] = controlplane.Actor{Kind: controlplane.ActorStaff, ID: controlplane.NewID(controlplane.PrefixStaff), Role: string(policy.RoleAdmin)}
	w.people["ops"] = controlplane.Actor{Kind: controlplane.ActorStaff, ID: controlplane.NewID(controlplane.PrefixStaff), Role: string(policy.RoleOps)}
	at := server.Base + "/session-holds/" + mine.hold
	found := func() int {
		list, _, err := w.findings.List(w.ctx, all, findings.Filter{Customer: mine.customer.ID, Kinds: []string{findings.SessionHoldAlone}})
		w.must(err)
		return len(list)
	}
	for who, want := range map[string]int{"ops": http.StatusForbidden, "mine-owner": http.StatusNotFound, "": http.StatusUnauthorized} {
		if a := w.call(who, "POST", at+"/release-alone", `{"why":"It cannot wait"}`); a.status != want {
			t.Errorf("%q: got %d, want %d: %s", who, a.status, want, a.body)
		}
	}
	for _, body := range []string{`{"why":""}`, `{"why":"  "}`, `{}`} {
		if a := w.call("admin", "POST", at+"/release-alone", body); a.status != http.StatusUnprocessableEntity {
			t.Errorf("%s: got %d: %s", body, a.status, a.body)
		}
	}
	if n := found(); n != 0 {
		t.Errorf("before: %d findings", n)
	}
	a := w.call("admin", "POST", at+"/release-alone", `{"why":"The court asks for it today"}`)
	if a.status != http.StatusOK || !strings.Contains(a.body, `"alone":true`) || !strings.Contains(a.body, `"released_by":"`+w.people["admin"].ID+`"`) || strings.Contains(a.body, `"reviewed_by":"`) {
		t.Fatalf("released: got %d: %s", a.status, a.body)
	}
	if n := found(); n != 1 {
		t.Errorf("after: %d findings", n)
	}
	entries, _, err := w.ledger.List(w.ctx, policy.OneCustomer(mine.customer.ID), ledger.Filter{Limit: 20})
	w.must(err)
	told := false
	for _, e := range entries {
		told = told || e.Kind == "session.hold_released" && e.Data["alone"] == true
	}
	if !told {
		t.Error("the customer's ledger does not say that one person released it")
	}
	if a := w.call("admin", "POST", at+"/release-alone", `{"why":"Again"}`); a.status != http.StatusConflict {
		t.Errorf("again: got %d: %s", a.status, a.body)
	}
	if a := w.call("admin", "POST", at+"/release", `{"why":"I looked"}`); a.status != http.StatusConflict {
		t.Errorf("looked at by who released it: got %d: %s", a.status, a.body)
	}
	if a := w.call("second", "POST", at+"/release", `{"why":"It was right"}`); a.status != http.StatusOK || !strings.Contains(a.body, `"reviewed_by":"`+w.people["second"].ID+`"`) {
		t.Errorf("looked at: got %d: %s", a.status, a.body)
	}
	if n := found(); n != 0 {
		t.Errorf("after somebody looked: %d findings", n)
	}
	if a := w.call("second", "POST", at+"/release-alone", `{"why":"More"}`); a.status != http.StatusConflict || !strings.Contains(a.body, "ended") {
		t.Errorf("one that has ended: got %d: %s", a.status, a.body)
	}
}
