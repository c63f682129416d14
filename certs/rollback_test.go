package certs_test

import (
	"strings"
	"testing"

	"ostler/agents/wire"
	"ostler/certs"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/findings"
)

// TestAfterGoingBack: a certificate that is in use again is served as far as its
// endpoints show it, and not because it was before.
func TestAfterGoingBack(t *testing.T) {
	for _, tt := range []struct {
		name string
		back func(old []wire.CertSeen) []wire.CertSeen // what the host saw then
		look string                                    // what is shown from here; "" as before
		want certs.State                               // at once
		then certs.State                               // after a look from here
	}{
		{"it is shown", func(old []wire.CertSeen) []wire.CertSeen { return old }, "", certs.StateServed, certs.StateServed},
		{"another is shown", func(old []wire.CertSeen) []wire.CertSeen {
			old[1].Leaf, old[1].Right = strings.Repeat("ab", 32), true // whatever the host thinks of it
			return old
		}, "", certs.StateUnserved, certs.StateServed},
		{"nothing is shown", func(old []wire.CertSeen) []wire.CertSeen {
			old[0].Leaf, old[0].Chain, old[0].Problem = "", "", "connection refused"
			return old
		}, "", certs.StateUnserved, certs.StateServed},
		{"nobody looked, it is there", func([]wire.CertSeen) []wire.CertSeen { return nil }, "", certs.StateServed, certs.StateServed},
		{"nobody looked, it is not there", func([]wire.CertSeen) []wire.CertSeen { return nil }, "gone", certs.StateServed, certs.StateUnserved},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
				h := newHouse(t, d, clock)
				c := h.create("maple.example", "www.maple.example")
				h.host(nil)
				woken, cancel := h.bus.Subscribe("certificates")
				defer cancel()
				must[certs.Issue](t)(h.certs.Renew(h.ctx, h.all, c.ID))
				h.host(map[wire.Action]func(offer) wire.Result{wire.ActionCertDeploy: func(o offer) wire.Result {
					var p wire.CertDeployParams
					h.read(o, &p)
					res := h.ca.deployed(t, p, false)
					var old []wire.CertSeen
					for _, e := range p.Endpoints {
						old = append(old, h.ca.see(h.ctx, e, 0))
					}
					res.Back = tt.back(old)
					return wire.Result{Outcome: wire.Succeeded, Data: encode(res)}
				}})
				now := h.get(c.ID)
				if now.State != tt.want || h.newest(c.ID).State != certs.IssueRolledBack {
					t.Errorf("at once: got %s, %s; want %s", now.State, h.newest(c.ID).State, tt.want)
				}
				if got := h.openFindings(findings.CertNotServed); len(got) != 1 {
					t.Errorf("findings: got %+v", got)
				}
				for _, s := range now.Seen {
					if want := s.Leaf == now.Issued.Leaf && s.Chain == now.Issued.Chain; s.Right != want {
						t.Errorf("kept: %+v, want right %v", s, want)
					}
				}
				select {
				case <-woken:
				default:
					if tt.back(make([]wire.CertSeen, 2)) == nil {
						t.Error("nobody is woken to look from here")
					}
				}
				if tt.look != "" {
					h.ca.live = map[string][2]string{}
				}
				if tt.back(make([]wire.CertSeen, 2)) != nil {
					must[certs.Served](t)(h.certs.CheckServed(h.ctx, h.all, c.ID))
				} else {
					h.look()
				}
				if got := h.get(c.ID).State; got != tt.then {
					t.Errorf("after a look: got %s, want %s", got, tt.then)
				}
			})
		})
	}
}
