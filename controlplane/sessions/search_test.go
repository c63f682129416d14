package sessions_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/ledger"
	"ostler/controlplane/sessions"
	"ostler/controlplane/teleport"
)

// ran is a recording of commands.
func ran(commands ...string) func(began time.Time) []teleport.Event {
	return func(began time.Time) []teleport.Event { return typed(began, commands...) }
}

// found is what a search finds, as sessions with what matched.
func (r *recorded) search(q sessions.CommandQuery) (out []string) {
	r.T.Helper()
	found, err := r.sessions.SearchCommands(r.Ctx, r.all, q)
	if err != nil {
		r.T.Fatal(err)
	}
	for _, h := range found.Hits {
		out = append(out, h.Session.ID+": "+strings.Join(texts(h.Moments), "; "))
	}
	return out
}

func TestSearchCommands(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		r := newRecorded(t, d, clock)
		one := r.stored(ran("cat /etc/shadow", "systemctl restart nginx", "rm -rf /srv/OLD"), r.Maple)
		clock.Advance(24 * time.Hour)
		two := r.stored(ran("rm /etc/nginx/x.conf", "apt-get install grüße"), r.Maple, r.Harbour)
		var noted []string
		r.sessions.OnSearched(func(_ *db.Tx, ids []string, query string) error {
			noted = append(noted, fmt.Sprint(len(ids), " ", query))
			return nil
		})
		for _, c := range []struct {
			name string
			q    sessions.CommandQuery
			want []string
		}{
			{"a word", sessions.CommandQuery{Text: "nginx"}, []string{two.ID + ": rm /etc/nginx/x.conf", one.ID + ": systemctl restart nginx"}},
			{"any order", sessions.CommandQuery{Text: "  nginx Restart "}, []string{one.ID + ": systemctl restart nginx"}},
			{"words of several commands", sessions.CommandQuery{Text: "shadow nginx"}, nil},
			{"small letters", sessions.CommandQuery{Text: "srv/old"}, []string{one.ID + ": rm -rf /srv/OLD"}},
			{"not letters of ours", sessions.CommandQuery{Text: "GRÜSSE"}, nil},
			{"nor these", sessions.CommandQuery{Text: "GRÜßE"}, []string{two.ID + ": apt-get install grüße"}},
			{"no field of ours", sessions.CommandQuery{Text: "command"}, nil},
			{"customer", sessions.CommandQuery{Text: "rm", Customer: r.Harbour.ID}, []string{two.ID + ": rm /etc/nginx/x.conf"}},
			{"person", sessions.CommandQuery{Text: "rm", Person: r.cleoPerson.ID}, nil},
			{"from", sessions.CommandQuery{Text: "rm", From: two.StartedAt}, []string{two.ID + ": rm /etc/nginx/x.conf"}},
			{"to", sessions.CommandQuery{Text: "rm", To: two.StartedAt}, []string{one.ID + ": rm -rf /srv/OLD"}},
		} {
			same(t, c.name, r.search(c.q), c.want)
		}
		if len(noted) != 7 || noted[0] != "2 nginx" || noted[1] != "1 nginx Restart" {
			t.Errorf("got %q", noted)
		}
		for _, text := range []string{"", " ", "x", strings.Repeat("a", 201), strings.Repeat("ab ", 11)} {
			_, err := r.sessions.SearchCommands(r.Ctx, r.all, sessions.CommandQuery{Text: text})
			wants(t, text, err, controlplane.CodeInvalid, "")
		}
	})
}

// A search is on record for every customer whose sessions were found, with what
// was sought, and for no other one.
func TestSearchIsOnRecord(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		r := newRecorded(t, d, clock)
		x := r.stored(ran("cat /etc/shadow"), r.Maple)
		r.search(sessions.CommandQuery{Text: "etc/shadow"})
		r.search(sessions.CommandQuery{Text: "nobody did this"})
		items, _, err := r.Ledger.List(r.Ctx, r.all, ledger.Filter{Kinds: []string{"session.searched"}})
		if err != nil || len(items) != 3 {
			t.Fatalf("got %+v, %v, want two of ours and one of Maple's", items, err)
		}
		if empty := items[0]; empty.Customer != "" || empty.Personal["query"] != "nobody did this" || empty.Data["found"] != int64(0) || empty.Data["looked"] != int64(1) || empty.Actor.ID != r.ada.ID {
			t.Errorf("a search that found nothing: %+v", empty)
		}
		items = slices.DeleteFunc(items, func(i ledger.Item) bool { return i.Customer == "" })
		if i := items[0]; i.Customer != r.Maple.ID || i.Personal["query"] != "etc/shadow" || fmt.Sprint(i.Data["sessions"]) != "["+x.ID+"]" || i.Actor.ID != r.ada.ID {
			t.Errorf("got %+v", items[0])
		}
	})
}

// Customers search where they may watch, and never on a server they share.
func TestSearchOfCustomers(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		r := newRecorded(t, d, clock)
		own := r.stored(ran("rm own"), r.Maple)
		r.stored(ran("rm shared"), r.Maple, r.Harbour)
		r.stored(ran("rm other"), r.Harbour)
		ctx, scope := r.Owner(r.Maple)
		r.sessions.OnSearched(func(*db.Tx, []string, string) error { return nil })
		search := func() (out []string) {
			found, err := r.sessions.SearchCommands(ctx, scope, sessions.CommandQuery{Text: "rm"})
			if err != nil {
				t.Fatal(err)
			}
			for _, h := range found.Hits {
				out = append(out, h.Session.ID)
			}
			return out
		}
		same(t, "not agreed", search(), nil)
		must[sessions.Terms](t)(r.sessions.SetTerms(r.Ctx, r.all, sessions.Terms{Customer: r.Maple.ID, Watch: true}))
		same(t, "agreed", search(), []string{own.ID})

		auditor := controlplane.Actor{Kind: controlplane.ActorAuditor, ID: "aud_00000000000000000000000001", Customer: r.Maple.ID, Role: "auditor", From: clock.Now()}
		found, err := r.sessions.SearchCommands(controlplane.WithActor(t.Context(), auditor), scope, sessions.CommandQuery{Text: "rm"})
		if err != nil || len(found.Hits) != 0 {
			t.Errorf("an auditor of another time got %d, %v", len(found.Hits), err)
		}
		auditor.From = own.StartedAt.Add(-time.Hour)
		found, err = r.sessions.SearchCommands(controlplane.WithActor(t.Context(), auditor), scope, sessions.CommandQuery{Text: "rm"})
		if err != nil || len(found.Hits) != 1 || found.Hits[0].Session.ID != own.ID {
			t.Errorf("an auditor got %+v, %v", found, err)
		}
	})
}

// Pages go on behind the last session that was looked through.
func TestSearchPages(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		r := newRecorded(t, d, clock)
		var want []string
		for i := range 7 {
			want = append(want, r.session(ran(fmt.Sprintf("rm -rf part-%d", i)), r.Maple))
			if i%2 == 0 {
				clock.Advance(time.Hour)
			}
		}
		r.run()
		slices.Sort(want)
		var got []string
		for token := ""; ; {
			found, err := r.sessions.SearchCommands(r.Ctx, r.all, sessions.CommandQuery{Text: "rm", Limit: 2, PageToken: token})
			if err != nil {
				t.Fatal(err)
			}
			for _, h := range found.Hits {
				got = append(got, h.Session.ID)
			}
			if token = found.Next; token == "" {
				break
			}
		}
		slices.Sort(got)
		same(t, "all of them", got, want)
		_, err := r.sessions.SearchCommands(r.Ctx, r.all, sessions.CommandQuery{Text: "rm", PageToken: "x"})
		wants(t, "a token", err, controlplane.CodeInvalid, "")
	})
}

// A search that stops says so, and is not the same as one that found nothing.
func TestSearchThatStops(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		r := newRecorded(t, d, clock)
		last := r.session(ran("needle"), r.Maple)
		for range 4 {
			clock.Advance(time.Hour)
			r.session(ran("hay"), r.Maple)
		}
		r.run()
		r.sessions.SearchMost(3)
		found, err := r.sessions.SearchCommands(r.Ctx, r.all, sessions.CommandQuery{Text: "needle"})
		if err != nil || len(found.Hits) != 0 || !found.Stopped || found.Looked != 3 || found.Of != 5 || found.Next == "" {
			t.Fatalf("got %+v, %v, want that it stopped after 3 of 5", found, err)
		}
		found, err = r.sessions.SearchCommands(r.Ctx, r.all, sessions.CommandQuery{Text: "needle", PageToken: found.Next})
		if err != nil || len(found.Hits) != 1 || found.Hits[0].Session.ID != last || found.Stopped || found.Looked != 2 || found.Of != 2 || found.Next != "" {
			t.Errorf("got %+v, %v, want the rest", found, err)
		}
	})
}

// A customer whose key was destroyed stops no search of others.
func TestSearchWithoutAKey(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		r := newRecorded(t, d, clock)
		one := r.stored(ran("rm one"), r.Maple)
		r.stored(ran("rm two"), r.Harbour)
		if err := r.Keeper.Destroy(r.Ctx, r.Harbour.ID); err != nil {
			t.Fatal(err)
		}
		found, err := r.sessions.SearchCommands(r.Ctx, r.all, sessions.CommandQuery{Text: "rm"})
		if err != nil || len(found.Hits) != 1 || found.Hits[0].Session.ID != one.ID || found.Skipped != 1 || found.Looked != 2 {
			t.Errorf("got %+v, %v", found, err)
		}
	})
}

// What was sought on a server that customers share is not told to either of them.
func TestSearchOnSharedServers(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		r := newRecorded(t, d, clock)
		shared, own := r.stored(ran("grep secret /srv/harbour"), r.Maple, r.Harbour), r.stored(ran("grep secret /srv/maple"), r.Maple)
		r.search(sessions.CommandQuery{Text: "grep secret"})
		for _, c := range []struct {
			of   customers.Customer
			want map[string]string // what was sought, by session
		}{{r.Maple, map[string]string{own.ID: "grep secret", shared.ID: ""}}, {r.Harbour, map[string]string{shared.ID: ""}}} {
			ctx, scope := r.Owner(c.of)
			items, _, err := r.sessions.Viewings(ctx, scope, sessions.ViewingFilter{})
			if err != nil || len(items) != len(c.want) {
				t.Fatalf("%s reads %+v, %v", c.of.Name, items, err)
			}
			for _, v := range items {
				if v.Query != c.want[v.Session] {
					t.Errorf("%s reads %q of %s, want %q", c.of.Name, v.Query, v.Session, c.want[v.Session])
				}
			}
		}
		entries, _, err := r.Ledger.List(r.Ctx, r.all, ledger.Filter{Kinds: []string{"session.searched"}, Customer: r.Harbour.ID})
		if err != nil || len(entries) != 1 || entries[0].Personal["query"] != "" {
			t.Errorf("Harbour's chain: %+v, %v", entries, err)
		}
	})
}
