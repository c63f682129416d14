package agents_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ostler/agents"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

var patching = agents.NewWindow{Server: "web1.example.com", Ticket: "OPS-7", Who: "ada on bastion-1", What: "patch.yml"}

func (w *world) open1(n agents.NewWindow) agents.Window {
	w.t.Helper()
	v, err := w.agents.OpenWindow(w.ctx, all, n)
	w.must(err)
	return v
}

// at returns the tickets of the windows that lasted at an instant.
func (w *world) at(at time.Time) (tickets []string) {
	w.t.Helper()
	got, err := w.agents.WindowsAt(w.ctx, all, w.server, at)
	w.must(err)
	for _, v := range got {
		tickets = append(tickets, v.Ticket)
	}
	return tickets
}

// told returns the kinds of the ledger's entries about a window, oldest first.
func (w *world) told(id string) (kinds []string) {
	w.t.Helper()
	items, _, err := w.ledger.List(w.ctx, all, ledger.Filter{Subject: id})
	w.must(err)
	for _, it := range slices.Backward(items) {
		kinds = append(kinds, it.Kind)
	}
	return kinds
}

func TestChangeWindow(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		began := clock.Now()
		v := w.open1(patching)
		want := agents.Window{ID: v.ID, Server: w.server, ServerName: "web1.example.com", Ticket: "OPS-7", Who: "ada on bastion-1", What: "patch.yml",
			OpenedAt: v.OpenedAt, EndsAt: v.OpenedAt.Add(agents.WindowLife), OpenedBy: v.OpenedBy}
		if diff := cmp.Diff(want, v); diff != "" || !v.Open() || v.OpenedBy == "" {
			t.Errorf("opened: -want +got\n%s", diff)
		}
		clock.Advance(30 * time.Minute)
		other := patching
		other.Ticket, other.For = "OPS-8", time.Hour
		second := w.open1(other)
		clock.Advance(10 * time.Minute)
		closed, err := w.agents.CloseWindow(w.ctx, all, v.ID)
		w.must(err)
		if want := v.OpenedAt.Add(40 * time.Minute); !closed.ClosedAt.Equal(want) || closed.ClosedBy != v.OpenedBy || closed.Open() {
			t.Errorf("closed: got %v by %q, want %v", closed.ClosedAt, closed.ClosedBy, want)
		}
		clock.Advance(time.Minute)
		if again, err := w.agents.CloseWindow(w.ctx, all, v.ID); err != nil || !again.ClosedAt.Equal(closed.ClosedAt) {
			t.Errorf("closed again: got %+v, %v", again, err)
		}
		for _, tt := range []struct {
			name  string
			after time.Duration
			want  []string
		}{
			{"before", -time.Second, nil}, {"its first instant", 0, []string{"OPS-7"}}, {"both", 35 * time.Minute, []string{"OPS-7", "OPS-8"}},
			{"its end", 40 * time.Minute, []string{"OPS-8"}}, {"the other's end", 90 * time.Minute, nil},
		} {
			if got := w.at(v.OpenedAt.Add(tt.after)); !slices.Equal(got, tt.want) {
				t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
			}
		}
		between, err := w.agents.WindowsDuring(w.ctx, all, w.server, began.Add(-time.Hour), began.Add(20*time.Minute))
		if err != nil || len(between) != 1 || between[0].ID != v.ID {
			t.Errorf("between two looks: got %+v, %v", between, err)
		}
		// The other one ends by itself, at its own end and not when somebody looks.
		clock.Advance(3 * time.Hour)
		w.must(w.agents.Tick(w.ctx))
		w.must(w.agents.Tick(w.ctx))
		items, _, err := w.agents.Windows(w.ctx, all, agents.WindowFilter{Server: w.server})
		w.must(err)
		if len(items) != 2 || items[0].ID != second.ID || !items[0].ClosedAt.Equal(second.EndsAt) || items[0].ClosedBy != "" {
			t.Errorf("ended: got %+v, want %s ended at %v by nobody", items, second.ID, second.EndsAt)
		}
		for id, want := range map[string][]string{v.ID: {"window.opened", "window.closed"}, second.ID: {"window.opened", "window.ended"}} {
			if got := w.told(id); !slices.Equal(got, want) {
				t.Errorf("ledger: got %v, want %v", got, want)
			}
		}
	})
}

func TestChangeWindowRefusals(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		for _, tt := range []struct {
			name   string
			change func(n *agents.NewWindow)
			code   controlplane.Code
			field  string
		}{
			{"no ticket", func(n *agents.NewWindow) { n.Ticket = " " }, controlplane.CodeInvalid, "/ticket"},
			{"nobody", func(n *agents.NewWindow) { n.Who = "" }, controlplane.CodeInvalid, "/who"},
			{"two lines", func(n *agents.NewWindow) { n.Ticket = "OPS-7\nOPS-8" }, controlplane.CodeInvalid, "/ticket"},
			{"turns the writing", func(n *agents.NewWindow) { n.Who = "ada\u202e" }, controlplane.CodeInvalid, "/who"},
			{"long", func(n *agents.NewWindow) { n.What = strings.Repeat("x", 401) }, controlplane.CodeInvalid, "/what"},
			{"too long a time", func(n *agents.NewWindow) { n.For = 12*time.Hour + 1 }, controlplane.CodeInvalid, "/minutes"},
			{"backwards", func(n *agents.NewWindow) { n.For = -time.Hour }, controlplane.CodeInvalid, "/minutes"},
			{"no such server", func(n *agents.NewWindow) { n.Server = "web9.example.com" }, controlplane.CodeNotFound, ""},
		} {
			n := patching
			tt.change(&n)
			_, err := w.agents.OpenWindow(w.ctx, all, n)
			var e *controlplane.Error
			if controlplane.ErrorCode(err) != tt.code {
				t.Errorf("%s: got %v, want %s", tt.name, err, tt.code)
			} else if tt.field != "" && (!errors.As(err, &e) || len(e.Fields) != 1 || e.Fields[0].Pointer != tt.field) {
				t.Errorf("%s: fields: got %+v, want %s", tt.name, e, tt.field)
			}
		}
		if items, _, err := w.agents.Windows(w.ctx, all, agents.WindowFilter{}); err != nil || len(items) != 0 {
			t.Errorf("windows: got %+v, %v, want none", items, err)
		}
		for _, id := range []string{"win_none", controlplane.NewID(controlplane.PrefixWindow)} {
			if _, err := w.agents.CloseWindow(w.ctx, all, id); controlplane.ErrorCode(err) != controlplane.CodeNotFound {
				t.Errorf("close %s: got %v, want not found", id, err)
			}
		}
	})
}

// A customer sees that there was a window on their server, and nothing in
// which a neighbour could be named; of others' servers they see nothing.
func TestChangeWindowsOfACustomer(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		mine, theirs := policy.OneCustomer(w.customer), policy.OneCustomer("cus_none")
		v := w.open1(patching)
		w.newServer("web2.example.com")
		foreign := patching
		foreign.Server = "web2.example.com"
		f := w.open1(foreign)
		items, next, err := w.agents.Windows(w.ctx, mine, agents.WindowFilter{})
		want := []agents.Window{{ID: v.ID, Server: w.server, ServerName: "web1.example.com", OpenedAt: v.OpenedAt, EndsAt: v.EndsAt}}
		if diff := cmp.Diff(want, items); diff != "" || err != nil || next != "" {
			t.Errorf("%v, next %q: -want +got\n%s", err, next, diff)
		}
		if got, err := w.agents.WindowsAt(w.ctx, mine, w.server, clock.Now()); err != nil || len(got) != 1 || got[0].Who != "" {
			t.Errorf("at: got %+v, %v", got, err)
		}
		for _, scope := range []policy.Scope{theirs, mine} {
			if _, err := w.agents.CloseWindow(w.ctx, scope, f.ID); controlplane.ErrorCode(err) != controlplane.CodeNotFound {
				t.Errorf("close another's: got %v", err)
			}
			if got, _, err := w.agents.Windows(w.ctx, scope, agents.WindowFilter{Server: "web2.example.com"}); err != nil || len(got) != 0 {
				t.Errorf("list another's: got %+v, %v", got, err)
			}
			if _, err := w.agents.WindowsAt(w.ctx, scope, f.Server, clock.Now()); controlplane.ErrorCode(err) != controlplane.CodeNotFound {
				t.Errorf("at another's: got %v", err)
			}
		}
		// Pages, newest first; open ones only.
		page, next, err := w.agents.Windows(w.ctx, all, agents.WindowFilter{Limit: 1})
		if err != nil || len(page) != 1 || page[0].ID != f.ID || next != f.ID {
			t.Errorf("first page: got %+v, %q, %v", page, next, err)
		}
		page, next, err = w.agents.Windows(w.ctx, all, agents.WindowFilter{Limit: 1, PageToken: next})
		if err != nil || len(page) != 1 || page[0].ID != v.ID || next != "" {
			t.Errorf("second page: got %+v, %q, %v", page, next, err)
		}
		if _, _, err := w.agents.Windows(w.ctx, all, agents.WindowFilter{PageToken: "x"}); controlplane.ErrorCode(err) != controlplane.CodeInvalid {
			t.Errorf("a wrong token: got %v", err)
		}
		_, err = w.agents.CloseWindow(w.ctx, all, f.ID)
		w.must(err)
		if page, _, err = w.agents.Windows(w.ctx, all, agents.WindowFilter{Open: true}); err != nil || len(page) != 1 || page[0].ID != v.ID {
			t.Errorf("open ones: got %+v, %v", page, err)
		}
		// Who and what are not in the database to be read.
		var who, what []byte
		w.must(d.Read(w.ctx, func(tx *db.Tx) error {
			return tx.Raw("SELECT who, what FROM change_windows WHERE id = ?", v.ID).Row().Scan(&who, &what)
		}))
		if strings.Contains(string(who), "ada") || strings.Contains(string(what), "patch") {
			t.Errorf("in clear: %q, %q", who, what)
		}
	})
}
