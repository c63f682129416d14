package web_test

import (
	"html"
	"net/http"
	"strings"
	"testing"
)

// What is to be done now stands first, and no page says that all is sent, or of
// nobody that “no were told”, where a customer who is affected has no notice.
func TestStepsOfANewCase(t *testing.T) {
	h := newSQLite(t)
	ada := h.browser(h.admin.ID)
	at, _, _ := strings.Cut(ada.post("/incidents", "title", "I think we were hacked").location(), "?")
	body := html.UnescapeString(ada.page(at))
	touches, ours := strings.Index(body, "Say which servers or customers it touches"), strings.Index(body, "Say whether our own data are touched")
	if touches < 0 || ours < 0 || touches > ours {
		t.Errorf("steps: got %d and %d, want whom it touches before whose data it is", touches, ours)
	}
	body = html.UnescapeString(ada.follow(at+"/affect", "servers", h.server.ID, "state", "affected", "because", "Their files were read"))
	if !strings.Contains(body, "Nobody was told yet.") || strings.Contains(body, "No were") {
		t.Errorf("heading: got %s", heading(body))
	}
	body = html.UnescapeString(ada.page(at + "/notices"))
	if want := "One customer is affected, and nobody has written to them about it."; heading(body) != want {
		t.Errorf("notices: got %q, want %q", heading(body), want)
	}
}

// A form about a customer is there for customers of the case only: never with a gap
// where a name should be.
func TestFormsAboutACustomerOfTheCase(t *testing.T) {
	h := newSQLite(t)
	ada := h.browser(h.admin.ID)
	at := h.opened(ada, "I think we were hacked")
	for _, form := range []string{"/clear", "/they-knew", "/their-steps"} {
		if a := ada.get(at + form + "?customer=" + h.maple.ID); a.status != http.StatusOK {
			t.Errorf("%s of a customer in the case: got %d", form, a.status)
		}
		for _, other := range []string{"", "?customer=", "?customer=cus_x", "?customer=" + h.admin.ID} {
			if a := ada.get(at + form + other); a.status != http.StatusNotFound {
				t.Errorf("%s%s: got %d %s", form, other, a.status, heading(a.body))
			}
		}
	}
}
