package agents_test

import (
	"encoding/json"
	"testing"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/findings"
	"ostler/controlplane/policy"
)

// An old restic and a full disk are findings; the next inventory closes them.
func TestInventoryIsJudged(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, database *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, database, clock)
		h := w.enrol()
		s := w.connect(h, hello("i1", "boot-1", "machine-1"))
		answer := func(inv any) {
			t.Helper()
			offer := s.next(wire.FrameOffer).Offer
			var e wire.Envelope
			w.must(json.Unmarshal(offer.Envelope.Payload, &e))
			ref := wire.JobRef{Job: e.Job, Epoch: offer.Epoch}
			s.send(wire.Frame{Type: wire.FrameAccept, JobRef: &ref})
			data, err := json.Marshal(inv)
			w.must(err)
			s.send(wire.Frame{Type: wire.FrameResult, Result: &wire.Result{JobRef: ref, Outcome: wire.Succeeded, Data: data}})
			s.next(wire.FrameAck)
		}
		answer(wire.Inventory{ResticVersion: "0.18.1", Disks: []wire.Disk{{Mount: "/", SizeBytes: 100e9, FreeBytes: 50e9}, {Mount: "/srv", SizeBytes: 100e9, FreeBytes: 4e9}}})
		w.wantOpen(findings.ResticOld, findings.ServerDiskLow)
		s.hangUp()
		clock.Advance(26 * time.Hour) // the next night's inventory is due
		w.must(w.jobs.Tick(controlplane.System(t.Context(), "test")))
		s = w.connect(h, hello("i1", "boot-1", "machine-1"))
		all := policy.AllCustomers("a test")
		if got, unknown, err := w.agents.Installed(t.Context(), all, "openssl"); err != nil || len(got) != 0 || len(unknown) != 1 {
			t.Errorf("an agent that lists no packages: got %v, unknown %v, %v", got, unknown, err)
		}
		answer(wire.InventoryAnswer{Inventory: wire.Inventory{ResticVersion: "0.19.1", Disks: []wire.Disk{{Mount: "/srv", SizeBytes: 100e9, FreeBytes: 30e9}}},
			Installed: []wire.Package{{Name: "libssl3", Version: "3.0.11-1~deb12u2", Source: "openssl"}, {Name: "openssl", Version: "3.0.11-1~deb12u2"}, {Name: "openssh-server", Version: "1:9.2p1-2"}}})
		w.wantOpen()
		got, unknown, err := w.agents.Installed(t.Context(), all, "openssl")
		if err != nil || len(unknown) != 0 || len(got) != 2 || got[0].Name != "libssl3" || got[1].Version != "3.0.11-1~deb12u2" || got[0].SeenAt.IsZero() {
			t.Errorf("installed: got %+v, unknown %v, %v", got, unknown, err)
		}
		if got, _, err := w.agents.Installed(t.Context(), policy.OneCustomer("cus_0000000000000000000000000z"), "openssl"); err != nil || len(got) != 0 {
			t.Errorf("of somebody who does not live there: got %+v, %v", got, err)
		}
	})
}
