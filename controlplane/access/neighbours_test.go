package access_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/access"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
	"ostler/controlplane/teleport"
)

// TestReadAs is the rule of what customers learn of each other.
func TestReadAs(t *testing.T) {
	const maple, harbour, server = "cus_maple", "cus_harbour", "srv_1"
	staff, mine := policy.AllCustomers("a test"), policy.OneCustomer(maple)
	for _, tt := range []struct {
		name   string
		scope  policy.Scope
		owner  string
		named  bool
		server string
		shared bool
		within []string
		want   string
	}{
		{"one of ours", mine, "", true, server, true, nil, ""},
		{"their own person", mine, maple, true, server, true, nil, ""},
		{"another's person", mine, harbour, true, server, true, nil, access.OthersPersonHere},
		{"another's person, on a server that is not shared any more", mine, harbour, true, server, false, nil, access.OthersPersonHere},
		{"another's person, everywhere", mine, harbour, true, "", false, nil, access.OthersPerson},
		{"whom another let in, unnamed", mine, harbour, false, server, true, nil, access.OthersPersonHere},
		{"whom another let in, within my bounds", mine, harbour, false, server, true, []string{maple}, access.OthersPersonHere},
		{"a way in on my own server", mine, "", false, server, false, nil, ""},
		{"a way in within my bounds", mine, "", false, server, true, []string{maple}, ""},
		{"a way in within another's bounds", mine, "", false, server, true, []string{harbour}, access.UnexplainedOnShare},
		{"a way in within nobody's bounds", mine, "", false, server, true, nil, access.UnexplainedOnShare},
		{"a way in that has one of ours behind it", mine, "", true, server, true, []string{harbour}, ""},
		{"another's person, to us", staff, harbour, true, server, true, nil, ""},
		{"a way in, to us", staff, "", false, server, true, []string{harbour}, ""},
		{"to nobody", policy.Scope{}, maple, true, server, true, nil, access.OthersPersonHere},
	} {
		if got := access.ReadAs(tt.scope, tt.owner, tt.named, tt.server, tt.shared, tt.within...); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

// neighbour is everything that the owner of harbour can read about access, as one
// text, with the mails that they got.
func (w *world) neighbour() string {
	w.T.Helper()
	ctx, scope := w.Owner(w.Harbour)
	var all []any
	l := must[access.List](w.T)(w.access.List(ctx, scope, w.Harbour.ID, access.At{}))
	all = append(all, l.Lines)
	for _, column := range []access.Column{access.Listed, access.Enforced, access.Could} {
		items, _, err := w.access.Changes(ctx, scope, access.ChangeFilter{Customer: w.Harbour.ID, Column: column})
		if err != nil {
			w.T.Fatal(err)
		}
		all = append(all, items)
		for _, c := range items {
			all = append(all, must[access.ToldChange](w.T)(w.access.GetChange(ctx, scope, c.ID)))
		}
	}
	notices, _, err := w.access.Notices(ctx, scope, w.Harbour.ID, 0, "")
	if err != nil {
		w.T.Fatal(err)
	}
	for _, n := range notices {
		all = append(all, n, must[access.Notice](w.T)(w.access.GetNotice(ctx, scope, n.ID)))
	}
	all = append(all, must[[]access.Person](w.T)(w.access.People(ctx, scope)), must[[]access.Found](w.T)(first(w.access.ListFound(ctx, scope, access.FoundFilter{}))))
	entries, _, err := w.Ledger.List(w.Ctx, policy.OneCustomer(w.Harbour.ID), ledger.Filter{Limit: 500})
	if err != nil {
		w.T.Fatal(err)
	}
	all = append(all, entries)
	for _, m := range w.mail.sent {
		if m.Customer == w.Harbour.ID {
			all = append(all, m)
		}
	}
	text, err := json.Marshal(all)
	if err != nil {
		w.T.Fatal(err)
	}
	return string(text)
}

// never fails where a text has one of the words in it.
func never(t *testing.T, what, text string, words ...string) {
	t.Helper()
	for _, word := range words {
		if i := strings.Index(strings.ToLower(text), strings.ToLower(word)); i >= 0 {
			t.Errorf("%s: %q stands in ...%s...", what, word, text[max(0, i-150):min(len(text), i+80)])
		}
	}
}

// TestSharedLater has a server become shared on which a customer's own developer
// has access: the neighbour reads that somebody can come, and nothing of who.
func TestSharedLater(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		p := enforcing(t, d, clock)
		p.contact(p.Harbour, "Berta", policy.RoleOwner)
		p.Lives(p.Shared, p.Maple)
		p.c.nodes[2].Labels = map[string]string{"customer": "maple"}
		eve := must[access.Person](t)(p.access.AddPerson(p.Ctx, p.all, access.NewPerson{Kind: access.KindCustomer, Customer: p.Maple.ID, Name: "Louie Ilium", TeleportUsers: []string{"louie"}}))
		p.c.users["louie"] = teleport.User{Name: "louie"}
		p.grant(p.Maple, eve, "operator", 100)
		until := clock.Now().Add(100 * time.Hour)
		p.tick()
		p.hours(1)
		p.Lives(p.Shared, p.Harbour)
		joined := clock.Now()
		p.c.nodes[2].Labels = map[string]string{"customer": access.SharedLabel + "shared-1"}
		p.look()
		p.tick()
		p.after(3 * time.Minute)

		ctx, scope := p.Owner(p.Harbour)
		var lines []access.Line
		for _, x := range must[access.List](t)(p.access.List(ctx, scope, p.Harbour.ID, access.At{})).Lines {
			if x.Way == access.WayTeleport {
				lines = append(lines, x)
			}
		}
		if len(lines) != 1 {
			t.Fatalf("the neighbour's list: got %+v, want one line", lines)
		}
		x := lines[0]
		if x.Unknown != access.OthersPersonHere || !x.Others || x.Person.ID != "" || x.Person.Name != "" || x.Reason != "" || x.By != "" || len(x.Grants) != 0 ||
			x.Place != "shared-1" || x.Listed == nil || !x.Listed.From.Equal(joined) || !x.Listed.Until.Equal(until) || x.Enforced == nil {
			t.Errorf("the line: got %+v, listed %+v", x, x.Listed)
		}
		never(t, "the neighbour", p.neighbour(), "louie", "ilium", "looks after the shop", "maple")
		if text := p.neighbour(); strings.Contains(text, `"Person":"`+eve.ID) || strings.Contains(text, `"ID":"`+eve.ID) {
			t.Error("the neighbour reads the person's id")
		}
		if _, err := p.access.GetPerson(ctx, scope, eve.ID); code(err) != controlplane.CodeNotFound {
			t.Errorf("the person: got %v, want not found", err)
		}
		if i := slices.IndexFunc(p.mail.sent, func(l access.Letter) bool { return l.Customer == p.Harbour.ID }); i < 0 ||
			!strings.Contains(p.mail.sent[i].Args["items"], "A person of another customer on this server can sign in to shared-1 (operator)") {
			t.Errorf("the mail: got %+v", p.mail.sent)
		}
		same(t, "ours read who it is", p.columns(p.Harbour), []string{"Louie Ilium operator @shared-1 listed enforced could"})
		same(t, "her own company too", p.columns(p.Maple), []string{"Louie Ilium operator listed enforced could"})
		if _, differ, err := p.access.VerifyReplay(p.Ctx); err != nil || len(differ) != 0 {
			t.Errorf("replay: got %v, %v", differ, err)
		}
		if _, err := p.access.Grant(p.Ctx, p.all, access.NewGrant{Customer: p.Harbour.ID, Person: eve.ID, Role: "operator", Reason: "helps out", Until: until}); code(err) != controlplane.CodeInvalid {
			t.Errorf("a grant to another customer's servers: got %v, want invalid", err)
		}
	})
}

// TestWaysInOfOthers: what a scan finds on a shared server is on everybody's list;
// its account and key are for those in whose bounds it lies, and for us.
func TestWaysInOfOthers(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		p := newPlane(t, d, clock)
		p.contact(p.Harbour, "Berta", policy.RoleOwner)
		p.Share()
		p.active(p.Shared)
		s := wire.AccessScan{Accounts: []wire.HostAccount{{Name: "mlou", UID: 1000, Home: "/srv/maple"}, {Name: "hlou", UID: 1001, Home: "/srv/harbour/home"}},
			Keys: []wire.HostKey{{Account: "mlou", Fingerprint: keyA, Comment: "louie@studio", File: "/srv/maple/.ssh/authorized_keys"}, {Account: "root", Fingerprint: keyB, File: "/root/.ssh/authorized_keys"}},
			Sudo: []wire.HostSudo{{Who: "hlou", Runs: "/usr/bin/reload", As: "root", File: "/etc/sudoers"}, {Who: "mlou", Runs: "/usr/bin/purge", As: "root", File: "/etc/sudoers"}}, RootLogin: "yes"}
		p.scanned(p.Shared, s)
		read := func(c customers.Customer) (out []string) {
			ctx, scope := p.Owner(c)
			for _, x := range must[access.List](t)(p.access.List(ctx, scope, c.ID, access.At{})).Lines {
				if x.Way == access.WayLogin {
					out = append(out, fmt.Sprint(x.Unknown, " ", x.Role))
				}
			}
			slices.Sort(out)
			return out
		}
		hidden := access.UnexplainedOnShare + " "
		same(t, "maple", read(p.Maple), []string{keyA + " mlou", "account mlou sudo: /usr/bin/purge as root", hidden, hidden})
		same(t, "harbour", read(p.Harbour), []string{"account hlou sudo: /usr/bin/reload as root", hidden, hidden, hidden})
		same(t, "us", p.columns(p.Harbour), []string{keyA + " mlou @shared-1 enforced could", keyB + " root @shared-1 enforced could",
			"account hlou sudo: /usr/bin/reload as root @shared-1 enforced could", "account mlou sudo: /usr/bin/purge as root @shared-1 enforced could"})
		secret := []string{keyA, keyB, "mlou", "purge", "studio", "/srv/maple", "maple"}
		never(t, "found", p.neighbour(), secret...)

		// Accepted as it was found: told to each, in the words that each may read.
		must[int](t)(p.access.AcceptBaseline(p.Ctx, p.all, p.Shared.ID, p.ada.ID, clock.Now().AddDate(0, 3, 0), "before our time"))
		p.after(3 * time.Minute)
		text := p.neighbour()
		never(t, "accepted", text, secret...)
		if !strings.Contains(text, "Somebody unknown ("+access.UnexplainedOnShare+") can log in to shared-1 directly") {
			t.Errorf("the mail does not tell of it: %s", text)
		}
		if n := strings.Count(strings.Join(read(p.Harbour), "\n"), hidden); n != 3 {
			t.Errorf("each is a line of its own: got %d, want 3", n)
		}
		if _, differ, err := p.access.VerifyReplay(p.Ctx); err != nil || len(differ) != 0 {
			t.Errorf("replay: got %v, %v", differ, err)
		}
	})
}

// TestBounds: whose a way in is to see follows who lives where.
func TestBounds(t *testing.T) {
	clock := &dbtest.Clock{}
	p := newPlane(t, dbtest.SQLite(t, clock), clock)
	p.Lives(p.Shared, p.Maple)
	p.active(p.Shared)
	s := wire.AccessScan{Accounts: []wire.HostAccount{{Name: "web", UID: 1000, Home: "/srv"}, {Name: "shop", UID: 1001, Home: "/srv/maple-home"}},
		Keys: []wire.HostKey{{Account: "web", Fingerprint: keyA, File: "/srv/.ssh/authorized_keys"}, {Account: "shop", Fingerprint: keyB, File: "/srv/maple-home/.ssh/authorized_keys"}}}
	p.scanned(p.Shared, s)
	ctx, scope := p.Owner(p.Maple)
	read := func() (out []string) {
		for _, x := range must[access.List](t)(p.access.List(ctx, scope, p.Maple.ID, access.At{})).Lines {
			if x.Way == access.WayLogin {
				out = append(out, x.Unknown)
			}
		}
		slices.Sort(out)
		return out
	}
	same(t, "alone", read(), []string{keyA, keyB})
	there := p.Lives(p.Shared, p.Harbour)
	p.tick()
	same(t, "shared", read(), []string{access.UnexplainedOnShare, access.UnexplainedOnShare})
	of := must[[]customers.Tenancy](t)(p.Customers.Tenancies(p.Ctx, p.all, customers.TenancyFilter{Server: p.Shared.ID, Customer: p.Maple.ID}))
	paths := []string{"/srv/maple-home/htdocs"}
	must[customers.Tenancy](t)(p.Customers.UpdateTenancy(p.Ctx, p.all, of[0].ID, customers.TenancyChange{Paths: &paths}))
	p.tick()
	same(t, "its home holds maple's paths alone", read(), []string{keyB, access.UnexplainedOnShare})
	must[customers.Tenancy](t)(p.Customers.EndTenancy(p.Ctx, p.all, there.ID))
	p.tick()
	same(t, "alone again", read(), []string{keyA, keyB})
}
