package sessions_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ostler/controlplane"
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
	r.t.Helper()
	hits, _, err := r.sessions.SearchCommands(r.ctx, r.all, q)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, h := range hits {
		out = append(out, h.Session.ID+": "+strings.Join(texts(h.Moments), "; "))
	}
	return out
}

func TestSearchCommands(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		r := newRecorded(t, d, clock)
		one := r.stored(ran("cat /etc/shadow", "systemctl restart nginx", "rm -rf /srv/OLD"), r.maple)
		clock.Advance(24 * time.Hour)
		two := r.stored(ran("rm /etc/nginx/x.conf", "apt-get install grüße"), r.maple, r.harbour)
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
			{"customer", sessions.CommandQuery{Text: "rm", Customer: r.harbour.ID}, []string{two.ID + ": rm /etc/nginx/x.conf"}},
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
			_, _, err := r.sessions.SearchCommands(r.ctx, r.all, sessions.CommandQuery{Text: text})
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
		x := r.stored(ran("cat /etc/shadow"), r.maple)
		r.search(sessions.CommandQuery{Text: "etc/shadow"})
		r.search(sessions.CommandQuery{Text: "nobody did this"})
		items, _, err := r.ledger.List(r.ctx, r.all, ledger.Filter{Kinds: []string{"session.searched"}})
		if err != nil || len(items) != 1 {
			t.Fatalf("got %+v, %v, want one entry", items, err)
		}
		if i := items[0]; i.Customer != r.maple.ID || i.Personal["query"] != "etc/shadow" || fmt.Sprint(i.Data["sessions"]) != "["+x.ID+"]" || i.Actor.ID != r.ada.ID {
			t.Errorf("got %+v", items[0])
		}
	})
}

// Customers search where they may watch, and never on a server they share.
func TestSearchOfCustomers(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		r := newRecorded(t, d, clock)
		own := r.stored(ran("rm own"), r.maple)
		r.stored(ran("rm shared"), r.maple, r.harbour)
		r.stored(ran("rm other"), r.harbour)
		ctx, scope := r.owner(r.maple)
		r.sessions.OnSearched(func(*db.Tx, []string, string) error { return nil })
		search := func() (out []string) {
			hits, _, err := r.sessions.SearchCommands(ctx, scope, sessions.CommandQuery{Text: "rm"})
			if err != nil {
				t.Fatal(err)
			}
			for _, h := range hits {
				out = append(out, h.Session.ID)
			}
			return out
		}
		same(t, "not agreed", search(), nil)
		must[sessions.Terms](t)(r.sessions.SetTerms(r.ctx, r.all, sessions.Terms{Customer: r.maple.ID, Watch: true}))
		same(t, "agreed", search(), []string{own.ID})

		auditor := controlplane.Actor{Kind: controlplane.ActorAuditor, ID: "aud_00000000000000000000000001", Customer: r.maple.ID, Role: "auditor", From: clock.Now()}
		hits, _, err := r.sessions.SearchCommands(controlplane.WithActor(t.Context(), auditor), scope, sessions.CommandQuery{Text: "rm"})
		if err != nil || len(hits) != 0 {
			t.Errorf("an auditor of another time got %d, %v", len(hits), err)
		}
		auditor.From = own.StartedAt.Add(-time.Hour)
		hits, _, err = r.sessions.SearchCommands(controlplane.WithActor(t.Context(), auditor), scope, sessions.CommandQuery{Text: "rm"})
		if err != nil || len(hits) != 1 || hits[0].Session.ID != own.ID {
			t.Errorf("an auditor got %+v, %v", hits, err)
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
			want = append(want, r.session(ran(fmt.Sprintf("rm -rf part-%d", i)), r.maple))
			if i%2 == 0 {
				clock.Advance(time.Hour)
			}
		}
		r.run()
		slices.Sort(want)
		var got []string
		for token := ""; ; {
			hits, next, err := r.sessions.SearchCommands(r.ctx, r.all, sessions.CommandQuery{Text: "rm", Limit: 2, PageToken: token})
			if err != nil {
				t.Fatal(err)
			}
			for _, h := range hits {
				got = append(got, h.Session.ID)
			}
			if token = next; token == "" {
				break
			}
		}
		slices.Sort(got)
		same(t, "all of them", got, want)
		_, _, err := r.sessions.SearchCommands(r.ctx, r.all, sessions.CommandQuery{Text: "rm", PageToken: "x"})
		wants(t, "a token", err, controlplane.CodeInvalid, "")
	})
}
