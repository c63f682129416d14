package jobs_test

import (
	"testing"

	"ostler/controlplane/jobs"
)

// TestTransitions walks all pairs of states: each cell of the table stands here
// once more, in words.
func TestTransitions(t *testing.T) {
	order := jobs.States()
	// One column for each state in the order of States: x is allowed.
	table := map[jobs.State]string{
		//                 q o a r S F I E C U R
		jobs.Queued:      "  x x x x x x x x x x",
		jobs.Offered:     "x   x x x x x x x   x",
		jobs.Accepted:    "x     x x x x x x   x",
		jobs.Running:     "x       x x x x x    ",
		jobs.Succeeded:   "                     ",
		jobs.Failed:      "                     ",
		jobs.Interrupted: "                     ",
		jobs.Expired:     "                     ",
		jobs.Cancelled:   "                     ",
		jobs.Superseded:  "                     ",
		jobs.Rejected:    "                     ",
	}
	if len(order) != len(table) {
		t.Fatalf("states: got %d, want %d", len(order), len(table))
	}
	for _, from := range order {
		terminal := true
		for i, to := range order {
			got, want := from.Allows(to), table[from][2*i] == 'x'
			if got != want {
				t.Errorf("%s to %s: got %v, want %v", from, to, got, want)
			}
			terminal = terminal && !got
		}
		if from.Terminal() != terminal {
			t.Errorf("%s terminal: got %v, want %v", from, from.Terminal(), terminal)
		}
		if !from.Valid() || from.Allows(from) || from.Allows("done") {
			t.Errorf("%s: valid %v, to itself %v", from, from.Valid(), from.Allows(from))
		}
	}
	if s := jobs.State("done"); s.Valid() || s.Terminal() || s.Allows(jobs.Queued) {
		t.Error("an unknown state is taken for one")
	}
}
