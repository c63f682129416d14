package e2e_test

import (
	"net/http"
	"testing"

	"ostler/e2e/world"
)

// registered waits until there is an account at an authority, and returns its URL.
func (h *labHouse) registered(authority string) (account string) {
	h.T.Helper()
	world.Eventually(h.T, "there is an account", certLimit, func() bool {
		var list struct {
			Items []struct {
				ID      string
				Account string `json:"account_url"`
			}
		}
		h.Staff().Must(&list, http.MethodGet, "/certificate-authorities", nil)
		for _, a := range list.Items {
			if a.ID == authority {
				account = a.Account
			}
		}
		return account != ""
	})
	return account
}

// The account is made when an authority is added, and not with the first
// certificate; a plane that is killed in the middle makes no second one.
func TestCertificateAccount(t *testing.T) {
	t.Parallel()
	h := bareLabHouse(t, "", world.NewLab(t, world.LabOptions{}), "shop.example")
	reached := h.lab.Faults.Hold(world.AskAccount, true)
	h.ca = h.AddAuthority("Test authority", "primary", "default")
	within(t, "the authority has made the account", reached)
	h.Plane.Kill()
	h.Passed("plane")
	h.lab.Faults.OpenAll()
	h.StartPlane()
	account := h.registered(h.ca)
	made := 0
	for _, a := range h.lab.Faults.Asked() {
		if a.Ask == world.AskAccount && a.Status == http.StatusCreated {
			made++
		}
	}
	if made != 1 {
		t.Errorf("accounts that were made: got %d, want 1", made)
	}
	if n := h.lab.Faults.Count("", world.AskNewOrder); n != 0 {
		t.Errorf("orders before anybody asked for a certificate: %d", n)
	}
	before := h.lab.Faults.Count("", world.AskAccount)
	h.served("shop.example")
	if got := h.registered(h.ca); got != account {
		t.Errorf("account: got %s, want %s", got, account)
	}
	if n := h.lab.Faults.Count("", world.AskAccount); n != before {
		t.Errorf("it was asked about the account again: %d times", n-before)
	}
}
