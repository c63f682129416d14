package agents_test

import (
	"fmt"
	"slices"
	"testing"

	"ostler/agents"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/policy"
)

func names(items []agents.Listed) (out []string) {
	for _, s := range items {
		out = append(out, s.Name)
	}
	return out
}

// The roster holds every server that is looked after and not connected, and
// says of each what a look at it by itself says.
func TestRoster(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		retired := w.newServer("web3.example.com")
		w.newServer("web2.example.com")
		if _, err := w.store.RetireServer(w.ctx, all, retired); err != nil {
			t.Fatal(err)
		}
		look := func(when string, scope policy.Scope, total, silent, missing int, open ...string) {
			t.Helper()
			r, err := w.agents.Roster(w.ctx, scope)
			if err != nil || r.Total != total || r.Silent() != silent || r.Missing() != missing || !slices.Equal(names(r.Open), open) {
				t.Errorf("%s: got %+v, %v, want %d, %d silent, %d missing, open %v", when, r, err, total, silent, missing, open)
			}
			for _, s := range r.Open {
				if v, err := w.agents.Status(w.ctx, scope, s.Server); err != nil || v.State != s.State || !v.HeardAt.Equal(s.HeardAt) {
					t.Errorf("%s: %s: got %s %v, by itself %s %v, %v", when, s.Name, s.State, s.HeardAt, v.State, v.HeardAt, err)
				}
			}
		}
		mine := policy.OneCustomer(w.customer)
		look("nobody enrolled", all, 2, 0, 2, "web1.example.com", "web2.example.com")
		look("nobody enrolled, theirs", mine, 1, 0, 1, "web1.example.com")
		c := w.enrol()
		look("enrolled", all, 2, 0, 2, "web1.example.com", "web2.example.com")
		w.connect(c, hello("i1", "boot-1", "machine-1"))
		look("connected", all, 2, 0, 1, "web2.example.com")
		look("connected, theirs", mine, 1, 0, 0)
		look("of another customer", policy.OneCustomer("cus_none"), 0, 0, 0)
		for _, x := range []struct {
			what, sql string
			silent    int
		}{{"gone", "connected = 0", 0}, {"silent", "silent_at = heard_at", 1}, {"frozen", "connected = 1, silent_at = 0, frozen_at = heard_at", 1}} {
			if err := d.Write(w.ctx, func(tx *db.Tx) error {
				return tx.Exec("UPDATE presence SET "+x.sql+" WHERE server = ?", w.server).Error
			}); err != nil {
				t.Fatal(err)
			}
			look(x.what, mine, 1, x.silent, 0, "web1.example.com")
		}
	})
}

func TestListOfServers(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock) // has web1.example.com
		var ids []string
		for i := range 6 {
			ids = append(ids, w.newServer(fmt.Sprintf("db-%d.example.com", i)))
		}
		list := func(scope policy.Scope, f agents.ListFilter) ([]string, bool) {
			t.Helper()
			items, more, err := w.agents.List(w.ctx, scope, f)
			if err != nil {
				t.Fatal(err)
			}
			return names(items), more
		}
		for _, tc := range []struct {
			name  string
			scope policy.Scope
			f     agents.ListFilter
			want  string
			more  bool
		}{
			{"first page", all, agents.ListFilter{Limit: 2}, "[db-0.example.com db-1.example.com]", true},
			{"last page", all, agents.ListFilter{Limit: 2, After: "db-4.example.com"}, "[db-5.example.com web1.example.com]", false},
			{"left out", all, agents.ListFilter{Limit: 2, Without: map[string]bool{ids[0]: true, ids[2]: true}}, "[db-1.example.com db-3.example.com]", true},
			{"left out, to the end", all, agents.ListFilter{Limit: 3, After: "db-2.example.com", Without: map[string]bool{ids[4]: true}}, "[db-3.example.com db-5.example.com web1.example.com]", false},
			{"only", all, agents.ListFilter{Only: []string{ids[3], w.server}}, "[db-3.example.com web1.example.com]", false},
			{"by name, in any case", all, agents.ListFilter{Name: "B-3"}, "[db-3.example.com]", false},
			{"no pattern", all, agents.ListFilter{Name: "b_3"}, "[]", false},
			{"no pattern either", all, agents.ListFilter{Name: "%"}, "[]", false},
			{"a customer's", policy.OneCustomer(w.customer), agents.ListFilter{}, "[web1.example.com]", false},
		} {
			got, more := list(tc.scope, tc.f)
			if fmt.Sprint(got) != tc.want || more != tc.more {
				t.Errorf("%s: got %v, more %v, want %s, %v", tc.name, got, more, tc.want, tc.more)
			}
		}
		for text, want := range map[string]int{"": 7, "DB-": 6, "_": 0} {
			if n, err := w.agents.Count(w.ctx, all, text); err != nil || n != want {
				t.Errorf("count %q: got %d, %v, want %d", text, n, err, want)
			}
		}
	})
}
