package web_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// What takes a clock away is said by one person and confirmed by another.
func TestASecondPersonInACase(t *testing.T) {
	h := newSQLite(t)
	ada, tomas := h.browser(h.admin.ID), h.browser(h.colleague().ID)
	h.known(ada)
	a := ada.post("/incidents/new", "title", "A disk was lost", "servers", h.server.ID, "certainty", "certain", "our_data", "unknown", "ground", "It is not there")
	at, _, _ := strings.Cut(a.location(), "?")
	if a.status != http.StatusSeeOther {
		t.Fatalf("open: %d %s", a.status, between(a.body, `id="errors"`, "</div>"))
	}
	body := ada.page(at)
	if !strings.Contains(body, "Say whether our own data are touched") || !strings.Contains(body, "Nobody has said yet") {
		t.Errorf("that nobody answered is not said: %q", heading(body))
	}
	if body := ada.page("/incidents"); !strings.Contains(body, "were it certain") {
		t.Error("the list does not say what would be due")
	}
	if a := ada.post(at+"/close", "state", "closed", "why", "Over"); a.status == http.StatusSeeOther || !strings.Contains(a.body, "Nobody has said whether our own data") {
		t.Errorf("closed: %d", a.status)
	}
	ada.follow(at+"/affect", "customer", h.maple.ID, "state", "affected", "because", "Theirs was on it")
	ada.page(at + "/they-knew?customer=" + h.maple.ID)
	if body = ada.follow(at+"/they-knew", "customer", h.maple.ID, "since", h.clock.Now().UTC().Format("2006-01-02T15:04:05Z")); !strings.Contains(body, "They say that they knew since") {
		t.Error("since when they knew is not shown")
	}
	if body = ada.follow(at+"/clear", "customer", h.maple.ID, "why", "It was another disk"); !strings.Contains(body, "A colleague is asked to confirm it") || strings.Contains(body, "/confirm\"") {
		t.Error("it does not say that a colleague is asked, or its author may confirm it")
	}
	withdraw := regexp.MustCompile(`/incidents/inc_[0-9a-z]{26}/asked/sec_[0-9a-z]{26}/withdraw`).FindString(body)
	if body = ada.follow(withdraw); !strings.Contains(body, "withdrawn") {
		t.Error("it is not withdrawn")
	}
	ada.follow(at+"/close", "state", "false_alarm", "why", "It was found in another rack")
	body = tomas.page(at)
	if !strings.Contains(body, "It was a false alarm: confirm it, as the second person") {
		t.Error("a colleague is not asked")
	}
	confirm := regexp.MustCompile(`/incidents/inc_[0-9a-z]{26}/asked/sec_[0-9a-z]{26}/confirm`).FindString(body)
	if body = tomas.follow(confirm); !strings.Contains(body, "confirmed") || !strings.Contains(heading(body), "false alarm") {
		t.Errorf("it is not confirmed: %q", heading(body))
	}
	if a := tomas.post(confirm); a.status == http.StatusSeeOther {
		t.Error("it is confirmed twice")
	}
}
