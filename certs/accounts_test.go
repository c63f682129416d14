package certs_test

import (
	"testing"
	"time"

	"ostler/certs"
	"ostler/certs/acme"
	"ostler/certs/preflight"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/jobs"
)

// account is the URL of our account at the primary authority.
func (h *house) account() string {
	h.t.Helper()
	return must[[]certs.Authority](h.t)(h.certs.Authorities(h.ctx, h.all))[0].AccountURL
}

// TestTheAccountIsMadeWithTheAuthority, and not with the first order: once,
// though the answer is lost.
func TestTheAccountIsMadeWithTheAuthority(t *testing.T) {
	for name, lost := range map[string]bool{"answered": false, "the answer is lost": true} {
		t.Run(name, func(t *testing.T) {
			dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
				h := newHouse(t, d, clock)
				h.ca.loseAccount = lost
				h.tick()
				for range 5 {
					clock.Advance(10 * time.Minute) // the job's own wait
					h.tick()
				}
				if got := h.account(); got == "" || len(h.ca.accounts) != 1 {
					t.Errorf("got %q, accounts %v, want one", got, h.ca.accounts)
				}
			})
		})
	}
}

// TestNoRequestBeforeTheNamesAreLookedAt: what stands in the way of the very
// first order, or of the first in a new process, costs no request to the CA.
func TestNoRequestBeforeTheNamesAreLookedAt(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := bareHouse(t, d, clock, certs.Options{})
		h.ca.refuseAccount = &acme.Error{Kind: acme.KindRefused, Status: 403, Detail: "no accounts today"}
		h.primary = must[certs.Authority](t)(h.certs.AddAuthority(h.ctx, h.all, certs.NewAuthority{Name: "Test CA", Directory: "https://ca.test/dir", Role: certs.RolePrimary}))
		h.tick()
		if h.ca.opened == 0 || h.account() != "" {
			t.Fatalf("the authority refuses us: opened %d times, account %q", h.ca.opened, h.account())
		}
		h.ca.opened = 0
		h.checks.found["maple.example"] = preflight.Problem{Code: preflight.NoAddress, Fatal: true, Args: map[string]string{"target": "maple.example", "server": "192.0.2.7"}}
		c := h.create("maple.example")
		h.host(nil)
		i := h.newest(c.ID)
		if i.State != certs.IssueFailed || i.Why.Code != string(preflight.NoAddress) || h.ca.opened != 0 {
			t.Errorf("the first: got %s, %+v, the authority was opened %d times", i.State, i.Why, h.ca.opened)
		}

		// Mended, the order itself makes the account that is missing.
		h.checks.found, h.ca.refuseAccount = map[string]preflight.Problem{}, nil
		must[certs.Issue](t)(h.certs.Renew(h.ctx, h.all, c.ID))
		h.host(nil)
		if got := h.get(c.ID).State; got != certs.StateServed || h.account() == "" {
			t.Errorf("mended: got %s, %+v", got, h.newest(c.ID).Why)
		}

		// A process that has just started.
		h.jobs, h.customers, h.certs = h.replica(certs.Options{})
		h.ca.opened = 0
		h.checks.found["shop.maple.example"] = preflight.Problem{Code: preflight.CAAFailed, Fatal: true, Args: map[string]string{"at": "shop.maple.example", "error": "SERVFAIL"}}
		c = h.create("shop.maple.example")
		h.host(nil)
		if i := h.newest(c.ID); i.State != certs.IssueFailed || h.ca.opened != 0 {
			t.Errorf("a new process: got %s, %+v, the authority was opened %d times", i.State, i.Why, h.ca.opened)
		}
	})
}

// TestTheAuthorityRefusesUs: the job says so, for good, and is not tried on and on.
func TestTheAuthorityRefusesUs(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := bareHouse(t, d, clock, certs.Options{})
		h.ca.refuseAccount = &acme.Error{Kind: acme.KindAccount, Status: 403, Type: "urn:ietf:params:acme:error:externalAccountRequired", Detail: "an external account is required"}
		must[certs.Authority](t)(h.certs.AddAuthority(h.ctx, h.all, certs.NewAuthority{Name: "Test CA", Directory: "https://ca.test/dir", Role: certs.RolePrimary}))
		h.tick()
		list, _, err := h.jobs.List(controlplane.System(t.Context(), "test"), h.all, jobs.Filter{})
		if err != nil || len(list) != 1 || list[0].State != jobs.Failed || list[0].Failure == nil {
			t.Fatalf("got %+v, %v", list, err)
		}
	})
}
