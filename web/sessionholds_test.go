package web_test

import (
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"ostler/controlplane/findings"
	"ostler/controlplane/identity"
	"ostler/controlplane/policy"
	"ostler/controlplane/sessions"
)

// One person releases a hold alone: with a reason, what follows said before, the
// customer told, and somebody else to look at it.
func TestAHoldReleasedByOnePerson(t *testing.T) {
	h := newSQLite(t)
	lind := ok[identity.Person](t)(h.identity.AddStaff(h.ctx, all, identity.NewStaff{Name: "Tomas Lind", Email: "tomas@host.example", Role: policy.RoleAdmin}))
	sofia := ok[identity.Person](t)(h.identity.AddStaff(h.ctx, all, identity.NewStaff{Name: "Sofia Ops", Email: "sofia@host.example", Role: policy.RoleOps}))
	ada, tomas := h.browser(h.admin.ID), h.browser(lind.ID)
	ada.follow("/sessions/holds", "customer", h.maple.ID, "reason", "A dispute about <b>June</b>")
	at := regexp.MustCompile(`/sessions/holds/[a-z]{3}_[0-9a-z]{26}/alone`).FindString(ada.page("/sessions/holds"))
	if at == "" {
		t.Fatal("nobody is offered to release it alone")
	}
	body := html.UnescapeString(ada.page(at))
	for _, want := range []string{"cannot wait for a second person", "Every customer that it concerns is told that one person released it, and why.", "A finding stands until somebody else has looked at it.", "Maple Bakery", "A dispute about <b>June</b>"} {
		if !strings.Contains(body, want) {
			t.Errorf("the form does not say %q", want)
		}
	}
	for name, p := range map[string]*person{"ops": h.browser(sofia.ID), "the customer": h.browser(h.owner.ID), "nobody": h.browser("")} {
		if a := p.get(at); a.status == http.StatusOK && strings.Contains(a.body, "Release it now") {
			t.Errorf("%s is shown the form", name)
		}
		if a := p.post(at, "why", "x"); a.status == http.StatusSeeOther && strings.Contains(a.location(), "done=") {
			t.Errorf("%s released it", name)
		}
	}
	if a := ada.post(at, "why", " "); a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, `href="#why"`) {
		t.Errorf("without a reason: %d %s", a.status, heading(a.body))
	} else {
		checkPage(t, a.body)
	}
	body = html.UnescapeString(ada.follow(at, "why", "The court asks for it today"))
	if row := between(body, `id="holds"`, "</section>"); body == "" || strings.Contains(row, at) {
		t.Error("what was released can be released again")
	}
	body = html.UnescapeString(ada.page("/sessions/holds?all=1"))
	if !strings.Contains(body, "released by one person") || !strings.Contains(body, "Ada Keller did; somebody else looks at it") || strings.Contains(body, "Look at it") {
		t.Errorf("after it, to who did it: %s", between(body, "<main", "</main>"))
	}
	list, _, err := h.findings.List(h.ctx, all, findings.Filter{Customer: h.maple.ID, Kinds: []string{findings.SessionHoldAlone}, Limit: 5})
	if err != nil || len(list) != 1 {
		t.Errorf("the finding: got %+v, %v", list, err)
	}
	if a := ada.get(at); a.status != http.StatusNotFound && a.status != http.StatusConflict {
		t.Errorf("the form of a hold that has ended: %d", a.status)
	}
	if a := ada.post(at, "why", "Again"); a.status != http.StatusConflict || !strings.Contains(a.body, "You released this hold yourself") {
		t.Errorf("again: %d %s", a.status, between(a.body, `role="alert"`, "</div>"))
	}
	look := strings.TrimSuffix(at, "alone") + "release"
	if body = tomas.page("/sessions/holds?all=1"); !strings.Contains(body, look) {
		t.Fatal("a colleague is not offered to look at it")
	}
	tomas.page(look)
	tomas.follow(look, "why", "It was right")
	if body = html.UnescapeString(ada.page("/sessions/holds?all=1")); !strings.Contains(body, "released by one person, and looked at") || !strings.Contains(body, "Tomas Lind looked at it") {
		t.Errorf("looked at: %s", between(body, "<main", "</main>"))
	}
	if list, _, err = h.findings.List(h.ctx, all, findings.Filter{Customer: h.maple.ID, Kinds: []string{findings.SessionHoldAlone}, Limit: 5}); err != nil || len(list) != 0 {
		t.Errorf("the finding after somebody looked: got %+v, %v", list, err)
	}
	if a := ada.get("/sessions/holds/hld_00000000000000000000000000/alone"); a.status != http.StatusNotFound {
		t.Errorf("no such hold: %d", a.status)
	}
	ok[sessions.Hold](t)(h.sessions.Hold(h.ctx, all, sessions.Hold{Customer: h.harbour.ID, Reason: "Kept because of an incident"}))
	if body := ada.page("/sessions/holds"); !strings.Contains(between(body, `id="holds"`, "</section>"), "by itself") {
		t.Error("a hold that the plane placed names nobody")
	}
}
