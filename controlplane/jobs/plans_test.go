package jobs

import (
	"strings"
	"testing"

	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
)

// Those who look for jobs walk the indexes of what is open, however many jobs
// are over or wait for their time.
func TestPlansOfClaims(t *testing.T) {
	d := dbtest.SQLite(t, nil)
	for _, tc := range []struct {
		name, query string
		want        []string
	}{
		{"an agent's claim", "SELECT " + allColumns + " FROM jobs q WHERE q.executor = 'agent' AND q.server = 'srv' AND q." + open + " AND " + unheld + claimable + " ORDER BY q.seq LIMIT 32",
			[]string{"q USING INDEX jobs_server_open (server=? AND state=?)", "o USING INDEX jobs_resource_open"}},
		{"the plane's claim", "SELECT " + allColumns + " FROM jobs q WHERE q.executor = 'plane' AND q.kind IN ('a', 'b') AND " + claimable + " ORDER BY q.seq LIMIT 32",
			[]string{"q USING INDEX jobs_plane_queue", "o USING INDEX jobs_resource_open"}},
		{"whose time has come", "SELECT DISTINCT server FROM jobs WHERE executor = 'agent' AND state = 'queued' AND not_before > ? AND not_before <= ?", []string{"jobs_agents_due (not_before>? AND not_before<?)"}},
		{"what is out at a server", "SELECT seq FROM jobs WHERE server = 'srv' AND executor = 'agent' AND " + open + " AND state IN ('offered', 'accepted', 'running') AND cancel_asked = 1 ORDER BY +seq",
			[]string{"jobs_server_open (server=? AND state=?)"}},
	} {
		var steps []struct{ Detail string }
		var args []any
		for range strings.Count(tc.query, "?") {
			args = append(args, int64(1))
		}
		if err := d.Read(t.Context(), func(tx *db.Tx) error { return tx.Raw("EXPLAIN QUERY PLAN "+tc.query, args...).Scan(&steps).Error }); err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		for _, s := range steps {
			got.WriteString(s.Detail + "\n")
		}
		for _, w := range tc.want {
			if !strings.Contains(got.String(), w) {
				t.Errorf("%s: got\n%swant %q in it", tc.name, got.String(), w)
			}
		}
		if strings.Contains(got.String(), "ORDER BY") && strings.Contains(tc.name, "claim") {
			t.Errorf("%s: got\n%swant no sorting", tc.name, got.String())
		}
	}
}
