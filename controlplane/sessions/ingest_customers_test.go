package sessions_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/ledger"
	"ostler/controlplane/sessions"
	"ostler/controlplane/teleport"
)

// TestSealed: no name, address or command stands in the database in clear.
func TestSealed(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		w.lists.grants(w.Maple, w.bobPerson)
		e := event("session.start", 0, of("user", "bob", "login", "loginname", "size", "80:25", "addr.remote", "192.0.2.77:5000", "initial_command", []string{"secretcommand"}))
		bad := teleport.Event{ID: "bad-1", Type: "exec", At: began, Raw: []byte(`{"user":"loginname"`), Bad: errors.New("it is not JSON")}
		if err := w.sessions.TakeIn(w.Ctx, []teleport.Event{e, bad}); err != nil {
			t.Fatal(err)
		}
		for _, table := range []string{"staff_sessions", "staff_session_customers", "staff_session_people", "session_batches", "session_events", "session_quarantine"} {
			var rows []map[string]any
			if err := d.Read(w.Ctx, func(tx *db.Tx) error { return tx.Table(table).Find(&rows).Error }); err != nil || len(rows) == 0 {
				t.Fatalf("%s: %d rows, %v", table, len(rows), err)
			}
			text, err := json.Marshal(rows)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range rows {
				for _, v := range r {
					if b, ok := v.([]byte); ok {
						text = append(text, b...)
					}
				}
			}
			for _, secret := range []string{"bob", "Bob", "loginname", "192.0.2.77", "secretcommand", "Keeps"} {
				if strings.Contains(string(text), secret) {
					t.Errorf("%s holds %q in clear", table, secret)
				}
			}
		}
	})
}

// TestErasedCustomer: once a customer's key is destroyed nobody reads who was on
// their servers, and everybody else's sessions are read as before.
func TestErasedCustomer(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		c := &scripted{list: []teleport.Event{event("session.start", 0, of("size", "80:25")),
			event("session.start", 1, of("sid", "sid-2", "size", "80:25", "server_hostname", "harbour-1"))}}
		w := newWorld(t, d, clock, func(d *sessions.Deps, _ *sessions.Options) { d.Cluster = c })
		w.Clock.Advance(began.Add(10 * time.Minute).Sub(w.Clock.Now()))
		w.run()
		if err := w.Keeper.Destroy(w.Ctx, w.Maple.ID); err != nil {
			t.Fatal(err)
		}
		names := map[string]string{}
		for _, x := range w.list(sessions.Filter{}) {
			names[x.Host] = x.PersonName + x.User + x.Login
		}
		if want := map[string]string{"maple-1": "", "harbour-1": "Bob Builderbobroot"}; fmt.Sprint(names) != fmt.Sprint(want) {
			t.Errorf("got %v, want %v", names, want)
		}
		c.list = append(c.list, event("session.end", 540, of("interactive", true)), event("session.start", 550, of("sid", "sid-3", "size", "80:25")))
		w.later(time.Minute)
		feed, err := w.sessions.Feed(w.Ctx, w.all)
		if err != nil || feed.Events != 4 || len(w.list(sessions.Filter{})) != 3 {
			t.Errorf("after it nothing is read: %+v, %v", feed, err)
		}
	})
}

// TestTenantWhoCameLater: whoever came to live on a server before a session there
// ended is a customer of it, from then on; whoever came after it is not.
func TestTenantWhoCameLater(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		c := &scripted{list: []teleport.Event{event("session.start", 0, of("size", "80:25"))}}
		w := newWorld(t, d, clock, func(d *sessions.Deps, _ *sessions.Options) { d.Cluster = c })
		w.Clock.Advance(began.Add(5 * time.Minute).Sub(w.Clock.Now()))
		w.run()
		same(t, "at first", w.one(sessions.Filter{}).Customers, []string{w.Maple.ID})
		if _, err := w.Customers.CreateTenancy(w.Ctx, w.all, customers.NewTenancy{Server: w.MapleOne.ID, Customer: w.Harbour.ID, Paths: []string{"/srv/harbour"}}); err != nil {
			t.Fatal(err)
		}
		c.list = append(c.list, event("session.end", 400, of("interactive", true)))
		w.later(5 * time.Minute)
		want := []string{w.Maple.ID, w.Harbour.ID}
		slices.Sort(want)
		same(t, "in the end", w.one(sessions.Filter{}).Customers, want)
		items, _, err := w.Ledger.List(w.Ctx, w.all, ledger.Filter{Customer: w.Harbour.ID, Kinds: []string{"session.begun", "session.ended"}})
		if err != nil || len(items) != 2 {
			t.Errorf("the ledger of who came later has %d entries, %v; want its beginning and end", len(items), err)
		}
		late := w.Customer("late", "Late Ltd")
		if _, err := w.Customers.CreateTenancy(w.Ctx, w.all, customers.NewTenancy{Server: w.MapleOne.ID, Customer: late.ID, Paths: []string{"/srv/late"}}); err != nil {
			t.Fatal(err)
		}
		c.list = append(c.list, event("session.upload", 401, map[string]any{"sid": "sid-1"}))
		w.later(2 * time.Hour)
		same(t, "after it", w.one(sessions.Filter{}).Customers, want)
	})
}

// TestListsAreToldOfSessions: a list says when somebody was last there.
func TestListsAreToldOfSessions(t *testing.T) {
	t.Parallel()
	clock := &dbtest.Clock{}
	c := &scripted{list: []teleport.Event{event("session.start", 0, of("size", "80:25", "server_hostname", "shared-1")), event("session.join", 5, map[string]any{"sid": "sid-1", "user": "cleo"})}}
	var told []string
	w := newWorld(t, dbtest.SQLite(t, clock), clock, func(d *sessions.Deps, o *sessions.Options) {
		d.Cluster = c
		o.OnUsed = func(_ *db.Tx, customer, person, server string, at time.Time) error {
			told = append(told, customer+" "+person+" "+server+" "+at.String())
			return nil
		}
	})
	w.Clock.Advance(began.Add(10 * time.Minute).Sub(w.Clock.Now()))
	w.run()
	var want []string
	for _, of := range []string{w.Maple.ID, w.Harbour.ID} {
		for _, p := range []sessions.Somebody{w.bobPerson, w.cleoPerson} {
			want = append(want, of+" "+p.ID+" "+w.Shared.ID+" "+began.String())
		}
	}
	slices.Sort(told)
	slices.Sort(want)
	same(t, "told", told, want)
}
