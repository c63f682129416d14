package agents_test

import (
	"testing"

	"ostler/agents"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/policy"
)

// A list of a few servers looks each up, a long one reads all there are: both
// say the same, and of those only that were asked for.
func TestStatusesOfFewAndOfMany(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		w.connect(w.enrol(), hello("i1", "boot-1", "machine-1"))
		all := policy.AllCustomers("test")
		for _, n := range []int{0, 3, 200} {
			others := make([]string, n)
			for i := range others {
				others[i] = controlplane.NewID(controlplane.PrefixServer)
			}
			got, err := w.agents.Statuses(w.ctx, all, append(others, w.server))
			if err != nil || len(got) != n+1 || got[w.server].State != agents.Connected || got[w.server].HeardAt.IsZero() {
				t.Errorf("with %d others: got %d, %+v, %v", n, len(got), got[w.server], err)
			}
			without, err := w.agents.Statuses(w.ctx, all, others)
			if _, there := without[w.server]; err != nil || there || len(without) != n {
				t.Errorf("%d others alone: got %d, %v", n, len(without), err)
			}
		}
	})
}
