package e2e_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"ostler/controlplane/mail/mailtest"
	"ostler/e2e/world"
)

// incidentLimit is how long anything about an incident may take at most.
const incidentLimit = 2 * time.Minute

// phone is the screen of somebody who was woken.
var phone = world.View{Width: 360, Height: 800}

// From “I think we were hacked”, said on a phone, to a notice that a real mail
// server took, that the customer opened and that they say they have.
func TestIncidentMainLine(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser; make test runs it")
	}
	t.Parallel()
	incidentMainLine(t, "")
}

func incidentMainLine(t *testing.T, database string) {
	sink, letters := world.MailServer(t)
	w := world.New(t, world.Options{Database: database, Config: letters})
	all := w.AddCustomers("maple", "birch")
	maple, birch := all[0], all[1]
	host := w.NewHost("maple-1")
	w.AddTenancy(maple, host, "/srv/maple")
	browser := world.NewBrowser(t)
	ada, owner, other := w.Ada().Tab(browser), maple.Portal.Tab(browser), birch.Portal.Tab(browser)
	for _, tab := range []*world.Tab{ada, owner, other} {
		tab.Look(phone)
	}
	ada.Goto(w.URL + "/incidents/company")
	ada.Fill("name", "Harbour Hosting", "contact", "Priya Nair", "contact_email", "privacy@host.example", "zone", "Europe/Berlin")
	ada.ClickText("Save")
	ada.WaitText("Saved.")

	ada.Goto(w.URL + "/incidents")
	ada.Fill("title", "I think we were hacked")
	ada.ClickText("Open a case")
	ada.WaitText("Nobody is known to be affected yet.")
	at, _, _ := strings.Cut(ada.URL(), "?")
	ada.Check("incident-opened")
	ada.Look(phone)
	ada.ClickText("Add servers or customers")
	ada.WaitText("Say what it touches.")
	ada.Click("input[name=servers]")
	ada.Fill("state", "affected", "because", "Somebody read the order database")
	ada.ClickText("Add them")
	ada.WaitText("One customer is affected.")
	w.Says("the case", ada.Text(), "left", "Draft the notice to a customer who is affected")
	owner.Goto(w.URL + "/home")
	owner.WaitText("e are looking into something that may concern maple-1")
	other.Goto(w.URL + "/home")
	if strings.Contains(other.Text(), "looking into") {
		t.Errorf("a customer whom it does not touch reads of it:\n%s", other.Text())
	}

	ada.ClickText("Draft and send notices")
	ada.WaitText("Draft notices to customers")
	ada.ClickText("Draft")
	ada.WaitText("Look before you send")
	notice := ada.URL()
	notice = notice[strings.LastIndex(notice, "/")+1:]
	notice, _, _ = strings.Cut(notice, "?")
	ada.Check("incident-notice")
	ada.Look(phone)
	ada.ClickText("Send now")
	ada.WaitText("Exactly as it was sent")
	world.Eventually(t, "the mail is at the customer's server", incidentLimit, func() bool {
		return slices.ContainsFunc(sink.Messages(), func(m mailtest.Message) bool {
			return m.To == "owner@maple.example" && strings.Contains(strings.ReplaceAll(string(m.Raw), "=\r\n", ""), "/notices/"+notice)
		})
	})
	world.Eventually(t, "the page says that it was accepted, and not that it was read", incidentLimit, func() bool {
		ada.Goto(w.URL + "/incidents/notices/" + notice)
		return strings.Contains(ada.Text(), "accepted by their mail server, not read yet")
	})

	other.Goto(w.URL + "/notices/" + notice)
	if strings.Contains(other.Text(), "order") {
		t.Errorf("another customer reads it:\n%s", other.Text())
	}
	owner.Goto(w.URL + "/notices/" + notice)
	owner.WaitText("What we told you")
	owner.Check("incident-told")
	owner.Look(phone)
	owner.ClickText("I have taken note")
	owner.WaitText("acknowledged")

	ada.Goto(at)
	w.Says("the case at the end", ada.Text(), "acknowledged", "One was told.", "Done ")
	ada.Check("incident-told")
	for _, m := range sink.Messages() {
		if m.To == "owner@birch.example" {
			t.Errorf("a mail went to a customer whom it does not touch: %s", m.Subject)
		}
	}
	if out, errs, code := w.CLI("ledger", "verify"); code != 0 {
		t.Errorf("ledger verify: exit %d\n%s%s", code, out, errs)
	}
}
