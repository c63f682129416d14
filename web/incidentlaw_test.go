package web_test

import (
	"html"
	"net/http"
	"strings"
	"testing"

	"ostler/controlplane/incidents"
	"ostler/controlplane/incidents/law"
)

// What the company is to NIS2 is recorded and said, and what an incident is judged
// by stays as it was answered.
func TestWhatNIS2Asks(t *testing.T) {
	h := newSQLite(t)
	ada := h.browser(h.admin.ID)
	h.known(ada)
	const company = "/incidents/company"
	if body := html.UnescapeString(ada.page(company)); !strings.Contains(body, "Missing is which of the services that the law names the company gives.") {
		t.Error("it does not say what is missing")
	}
	body := ada.follow(company, "version", version(ada.page(company)), "name", "Harbour Hosting", "jurisdiction", "EU", "country", "DE", "zone", "Europe/Berlin", "contact", "Priya Nair", "contact_email", "privacy@host.example",
		"entity_type", "unknown", "entity_size", "medium", "services", "managed_service", "services", "tld")
	for _, want := range []string{"NIS2 is about you.", `value="medium" selected`, `value="tld" checked`} {
		if !strings.Contains(html.UnescapeString(body), want) {
			t.Errorf("the company’s page has no %q", want)
		}
	}
	if a := ada.post(company, "version", version(body), "name", "Harbour Hosting", "jurisdiction", "EU", "zone", "Europe/Berlin", "entity_type", "enormous", "entity_size", "medium"); a.status != http.StatusUnprocessableEntity {
		t.Errorf("a type that is none: %d", a.status)
	}
	opened := ada.post("/incidents", "title", "The name servers are away")
	at, _, _ := strings.Cut(opened.location(), "?")
	no := law.No
	ok[incidents.Case](t)(h.incidents.Update(h.ctx, all, strings.TrimPrefix(at, "/incidents/"), 0, incidents.CaseChange{OurData: &no}))
	ok[incidents.Case](t)(h.incidents.Affect(h.ctx, all, strings.TrimPrefix(at, "/incidents/"), incidents.Affect{Customers: []string{h.maple.ID}, State: incidents.Possible, Because: "It is their server"}))
	if body = ada.page(at); !strings.Contains(body, "Answer whether it is significant for NIS2") {
		t.Error("the case’s steps do not ask whether it is significant")
	}
	ada.follow(at+"/impact", "version", version(ada.page(at+"/impact")), "outage_minutes", "31", "malicious", "no", "physical_access", "no", "trade_secrets", "unknown", "harm", "no", "intrusion", "yes", "recurring", "no")
	body = ada.page(at + "/impact")
	for _, want := range []string{`value="31"`, "Somebody died, or their health was damaged considerably", "Trade secrets were taken out"} {
		if !strings.Contains(body, want) {
			t.Errorf("the answers have no %q", want)
		}
	}
	if n := strings.Count(body, `value="yes" selected`); n != 1 {
		t.Errorf("%d answers are yes, want the one that was given", n)
	}
	if body = ada.page(at); !strings.Contains(body, "the incident itself, whatever data it touched") {
		t.Error("who answers so is not on record as certain of the incident itself")
	}
}

// Where the people live, and what a financial entity told its own authority.
func TestTheirStepsAndCountries(t *testing.T) {
	h := newSQLite(t)
	ada := h.browser(h.admin.ID)
	ok[incidents.Terms](t)(h.incidents.SetTerms(h.ctx, all, incidents.Terms{Customer: h.maple.ID, Financial: true}))
	opened := ada.post("/incidents", "title", "I think we were hacked")
	at, _, _ := strings.Cut(opened.location(), "?")
	body := ada.follow(at+"/affect", "customer", h.maple.ID, "state", "affected", "because", "The order database was read")
	form := at + "/their-steps?customer=" + h.maple.ID
	if !strings.Contains(body, html.EscapeString(form)) {
		t.Error("no way to write down what they told their authority")
	}
	checkPage(t, ada.page(form))
	body = ada.follow(at+"/their-steps", "customer", h.maple.ID, "step", "classified", "at", "", "told_by", "Their <b>officer</b>")
	if strings.Contains(body, "<b>officer") {
		t.Error("what they said is shown as markup")
	}
	if body = ada.page(form); !strings.Contains(html.UnescapeString(body), "they classified it as a major incident") || !strings.Contains(body, "officer") {
		t.Error("what was written down before is not shown")
	}
	if clocks := html.UnescapeString(ada.page(at + "/clocks")); !strings.Contains(clocks, "Missing is when they sent their initial notification") || !strings.Contains(clocks, "It is theirs, not ours.") {
		t.Error("their times do not stand among the clocks")
	} else if strings.Contains(clocks, `id="known"`) {
		t.Error("the page of clocks has an empty section of what is known")
	}
	if a := ada.post(at+"/their-steps", "customer", h.maple.ID, "step", "classified", "told_by", ""); a.status != http.StatusUnprocessableEntity {
		t.Errorf("nobody said so: %d", a.status)
	}
	edit := ada.page(at + "/edit")
	if a := ada.post(at+"/edit", "version", version(edit), "title", "I think we were hacked", "our_data", "unknown", "lead", h.admin.ID, "people_in", "Austria"); a.status != http.StatusUnprocessableEntity {
		t.Errorf("a country by its name: %d", a.status)
	}
	body = ada.follow(at+"/edit", "version", version(edit), "title", "I think we were hacked", "our_data", "unknown", "lead", h.admin.ID, "people_in", "fr, AT")
	if !strings.Contains(body, "AT and FR") {
		t.Error("the countries are not with what is known")
	}
	if body = ada.page(at + "/papers/edpb"); !strings.Contains(html.UnescapeString(body), "The people live in: AT, FR.") {
		t.Error("the authority’s form does not name the countries")
	}
}
