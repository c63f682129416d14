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
	"ostler/controlplane/findings"
	"ostler/controlplane/policy"
)

const (
	keyA = "SHA256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	keyB = "SHA256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

// scan is what a host says: two keys of root, and who is in the group sudo.
func scan() wire.AccessScan {
	return wire.AccessScan{
		Accounts: []wire.HostAccount{{Name: "root"}, {Name: "dev", UID: 1000, Password: true}},
		Keys: []wire.HostKey{{Account: "root", Fingerprint: keyA, Type: "ssh-ed25519", Comment: "ops@old-laptop", File: "/root/.ssh/authorized_keys"},
			{Account: "dev", Fingerprint: keyB, Type: "ssh-rsa", Options: []string{"from"}, File: "/home/dev/.ssh/authorized_keys"}},
		Sudo:      []wire.HostSudo{{Who: "%sudo", Runs: "ALL", As: "ALL", Members: []string{"dev"}, File: "/etc/sudoers"}, {Who: "root", Runs: "ALL", As: "ALL"}},
		RootLogin: "prohibit-password", KeyFiles: []string{".ssh/authorized_keys"},
	}
}

// scanned has a server looked at, whose agent answers with what it is given.
func (p *plane) scanned(v customers.Server, s wire.AccessScan) {
	p.T.Helper()
	must[string](p.T)(p.access.Look(p.Ctx, p.all, v.ID))
	n := p.host(v, func(a wire.Action, _ json.RawMessage) (any, *wire.Failure) {
		if a != wire.ActionAccessScan {
			p.T.Errorf("asked for %s", a)
		}
		return s, nil
	})
	if n == 0 {
		p.T.Fatal("the host was not asked")
	}
	p.tick()
}

func (p *plane) foundOn(f access.FoundFilter) (out []string) {
	p.T.Helper()
	items, _, err := p.access.ListFound(p.Ctx, p.all, f)
	if err != nil {
		p.T.Fatal(err)
	}
	for _, x := range items {
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", x.Kind, x.Account, x.Rights, x.PersonName)))
	}
	slices.Sort(out)
	return out
}

func TestFirstScan(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		p := newPlane(t, d, clock)
		p.active(p.MapleOne)
		p.scanned(p.MapleOne, scan())
		same(t, "found", p.foundOn(access.FoundFilter{}), []string{"key dev from", "key root", "sudo dev sudo: ALL as ALL, by %sudo"})
		f := p.one(findings.AccessUnexplained)
		if title, _, _ := findings.Sentence("en", f); title != "3 ways in were found on maple-1, and nobody answers for them" || f.Severity != findings.Warn {
			t.Errorf("finding: got %q, %s", title, f.Severity)
		}
		same(t, "columns", p.columns(p.Maple), []string{keyA + " root @maple-1 enforced could", keyB + " dev @maple-1 enforced could", "account dev sudo: ALL as ALL, by %sudo @maple-1 enforced could"})
		if !attested(p.read(p.Maple, access.At{}), p.MapleOne.ID) {
			t.Error("the server is not attested")
		}
		same(t, "harbour", p.columns(p.Harbour), nil)

		// As it was found, with an owner: listed, and no finding.
		if n := must[int](t)(p.access.AcceptBaseline(p.Ctx, p.all, p.MapleOne.ID, p.ada.ID, clock.Now().AddDate(0, 3, 0), "before our time")); n != 3 {
			t.Errorf("accepted: got %d, want 3", n)
		}
		same(t, "findings", p.open(), nil)
		if l := p.columns(p.Maple); len(l) != 3 || !strings.HasSuffix(l[0], "listed enforced could") {
			t.Errorf("columns: got %v", l)
		}
		g := p.grant(p.Maple, p.bob, "operator", 100)
		if l := p.read(p.Maple, access.At{}); l.Persons != 1 || l.Unnamed != 3 || l.CustomersOwn != 0 {
			t.Errorf("counted: got %d persons, %d without a name, %d of the customer's own, want 1, 3, 0", l.Persons, l.Unnamed, l.CustomersOwn)
		}
		sums, _, err := p.access.Summaries(p.Ctx, p.all, 0, "")
		if i := slices.IndexFunc(sums, func(s access.Summary) bool { return s.Customer == p.Maple.ID }); err != nil || i < 0 || sums[i].Persons != 1 || sums[i].Unnamed != 3 {
			t.Errorf("summary: got %+v, %v, want 1 person and 3 without a name", sums, err)
		}
		p.revoke(g)
		items, _, err := p.access.Changes(p.Ctx, p.all, access.ChangeFilter{Customer: p.Maple.ID})
		if err != nil || len(items) < 3 {
			t.Fatalf("changes: got %d, %v", len(items), err)
		}
		for _, c := range items {
			if c.Unknown != "" && c.EnforcedAt.IsZero() {
				t.Errorf("what the scan saw is not said to be so: %+v", c)
			}
		}
		// The same again changes nothing.
		before := len(p.ledgerOf(p.MapleOne.ID))
		p.scanned(p.MapleOne, scan())
		same(t, "again", p.foundOn(access.FoundFilter{Unexplained: true}), nil)
		if after := len(p.ledgerOf(p.MapleOne.ID)); after != before {
			t.Errorf("ledger: got %d entries, want %d", after, before)
		}

		// One that is new is a finding of its own at once, since the last clean scan.
		clean := clock.Now()
		p.hours(1)
		s := scan()
		s.Keys = append(s.Keys, wire.HostKey{Account: "root", Fingerprint: "SHA256:new", Type: "ssh-ed25519"})
		p.scanned(p.MapleOne, s)
		if f := p.one(findings.AccessUnexplained); f.Severity != findings.Bad || !strings.Contains(f.Args["what"], "SHA256:new") {
			t.Errorf("new: got %+v", f)
		}
		for _, x := range p.read(p.Maple, access.At{}).Lines {
			if x.Unknown == "SHA256:new" && (x.Enforced == nil || x.Enforced.From.After(clean)) {
				t.Errorf("enforced: got %+v, want from before %s", x.Enforced, clean)
			}
		}
		p.scanned(p.MapleOne, scan())
		same(t, "gone", p.open(), nil)
		if got := p.foundOn(access.FoundFilter{Gone: true}); len(got) != 4 {
			t.Errorf("with what is gone: got %v", got)
		}

		p.hours(24 * 100)
		p.due()
		if f := p.one(findings.AccessBaselineReview); f.Args["person"] != "Ada Admin" || f.Args["where"] != "maple-1" {
			t.Errorf("review: got %+v", f.Args)
		}
		must[int](t)(p.access.AcceptBaseline(p.Ctx, p.all, p.MapleOne.ID, p.ada.ID, clock.Now().AddDate(0, 3, 0), "looked at again"))
		p.due()
		if slices.Contains(p.open(), findings.AccessBaselineReview) {
			t.Error("the review is still due")
		}
	})
}

func TestScanNotWhole(t *testing.T) {
	clock := &dbtest.Clock{}
	p := newPlane(t, dbtest.SQLite(t, clock), clock)
	p.active(p.MapleOne)
	p.scanned(p.MapleOne, scan())
	p.hours(3)
	s := scan()
	s.Keys, s.Unread = nil, []string{"/root/.ssh/authorized_keys"}
	p.scanned(p.MapleOne, s)
	if got := p.foundOn(access.FoundFilter{}); len(got) != 3 {
		t.Errorf("what was not read is not gone: got %v", got)
	}
	if attested(p.read(p.Maple, access.At{}), p.MapleOne.ID) {
		t.Error("it reads attested")
	}
	if f := p.one(findings.AccessHostUnread); !strings.Contains(f.Args["because"], "/root/.ssh/authorized_keys") || f.Args["for"] != "3 hours" {
		t.Errorf("got %+v", f.Args)
	}
	s = scan()
	s.KeysCommand = true
	p.scanned(p.MapleOne, s)
	if f := p.one(findings.AccessHostUnread); !strings.Contains(f.Args["because"], "AuthorizedKeysCommand") {
		t.Errorf("got %+v", f.Args)
	}
	p.scanned(p.MapleOne, scan())
	if slices.Contains(p.open(), findings.AccessHostUnread) {
		t.Error("it stays open")
	}
	must[string](t)(p.access.Look(p.Ctx, p.all, p.MapleOne.ID))
	p.host(p.MapleOne, func(wire.Action, json.RawMessage) (any, *wire.Failure) {
		return nil, &wire.Failure{Cause: wire.CauseUnsupported}
	})
	if f := p.one(findings.AccessHostUnread); !strings.Contains(f.Args["because"], "too old") {
		t.Errorf("got %+v", f.Args)
	}
}

func TestWaysIn(t *testing.T) {
	past, later := dbtest.Start.Add(-time.Hour).UnixMilli(), dbtest.Start.Add(100*24*time.Hour).UnixMilli()
	key := func(account string, expires int64) wire.HostKey {
		return wire.HostKey{Account: account, Fingerprint: keyA, ExpiresAt: expires}
	}
	for _, tt := range []struct {
		name string
		scan wire.AccessScan
		want []string
	}{
		{"passwords where sshd takes them", wire.AccessScan{Passwords: true, RootLogin: "prohibit-password", Accounts: []wire.HostAccount{{Name: "root", Password: true}, {Name: "a", UID: 1, Password: true}, {Name: "b", UID: 2}, {Name: "c", UID: 3, Password: true, Locked: true}, {Name: "toor", Password: true}}},
			[]string{"account a password"}},
		{"root's password", wire.AccessScan{Passwords: true, RootLogin: "yes", Accounts: []wire.HostAccount{{Name: "root", Password: true}}}, []string{"account root password, root"}},
		{"keys that have ended, of locked accounts, of a root that may not sign in", wire.AccessScan{RootLogin: "no", Accounts: []wire.HostAccount{{Name: "l", Locked: true}}, Keys: []wire.HostKey{key("a", past), key("l", 0), key("root", 0)}}, nil},
		{"keys that end later, and authorities", wire.AccessScan{Keys: []wire.HostKey{key("a", later), {Account: "a", Fingerprint: keyB, Authority: true, Options: []string{"principals"}}}}, []string{"key a", "key a whoever it signs, principals"}},
		{"the same key in two files is one", wire.AccessScan{Keys: []wire.HostKey{{Account: "a", Fingerprint: keyA, File: "1"}, {Account: "a", Fingerprint: keyA, File: "2"}}}, []string{"key a"}},
		{"Teleport's authority is found like any other", wire.AccessScan{CAs: []wire.HostCA{{Fingerprint: keyA, Teleport: true}}}, []string{"ca  whoever it signs; by its place, Teleport's"}},
		{"a group without members", wire.AccessScan{Sudo: []wire.HostSudo{{Who: "%sudo", Runs: "ALL", As: "ALL"}}}, nil},
		{"sudo for everybody", wire.AccessScan{Sudo: []wire.HostSudo{{Who: "ALL", Runs: "/bin/x", As: "root", NoPassword: true}}}, []string{"sudo ALL sudo: /bin/x as root, without a password"}},
		{"sessions, but Teleport's", wire.AccessScan{Logins: []wire.HostLogin{{Account: "a", Line: "pts/0", From: "192.0.2.1"}, {Account: "b", Line: "pts/1", Teleport: true}}}, []string{"login a"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			clock := &dbtest.Clock{}
			p := newPlane(t, dbtest.SQLite(t, clock), clock)
			p.active(p.MapleOne)
			p.scanned(p.MapleOne, tt.scan)
			same(t, "found", p.foundOn(access.FoundFilter{}), tt.want)
		})
	}
}

// TestWhoseByName: an account of a person's own name says whose a session or a
// password is, and nothing of a key, an authority or a right.
func TestWhoseByName(t *testing.T) {
	clock := &dbtest.Clock{}
	p := newPlane(t, dbtest.SQLite(t, clock), clock)
	p.active(p.MapleOne)
	p.scanned(p.MapleOne, wire.AccessScan{Passwords: true, Accounts: []wire.HostAccount{{Name: "bob", UID: 1, Password: true}}, Logins: []wire.HostLogin{{Account: "bob", Line: "pts/0"}},
		Keys: []wire.HostKey{{Account: "bob", Fingerprint: keyA}}, Sudo: []wire.HostSudo{{Who: "bob", Runs: "ALL", As: "ALL"}}})
	same(t, "found", p.foundOn(access.FoundFilter{}), []string{"account bob password Bob Builder", "key bob", "login bob  Bob Builder", "sudo bob sudo: ALL as ALL"})
}

// TestHostileScan: what a host says is one line, and no name for a key that is none.
func TestHostileScan(t *testing.T) {
	clock := &dbtest.Clock{}
	p := newPlane(t, dbtest.SQLite(t, clock), clock)
	p.active(p.MapleOne)
	odd := wire.HostKey{Account: "dev", Fingerprint: "SHA256:\x1b[2J\n" + strings.Repeat("x", 500), File: strings.Repeat("f", 500)}
	p.scanned(p.MapleOne, wire.AccessScan{Keys: []wire.HostKey{odd}})
	list := must[[]access.Found](t)(first(p.access.ListFound(p.Ctx, p.all, access.FoundFilter{})))
	if len(list) != 1 || len([]rune(list[0].Fingerprint)) > 80 || strings.ContainsAny(list[0].Fingerprint, "\x1b\n") {
		t.Fatalf("got %+v", list)
	}
	must[access.Found](t)(p.access.Explain(p.Ctx, p.all, list[0].ID, p.bob.ID, ""))
	p.active(p.HarbourOne)
	p.scanned(p.HarbourOne, wire.AccessScan{Keys: []wire.HostKey{odd}})
	same(t, "no fingerprint is known again", p.foundOn(access.FoundFilter{Server: p.HarbourOne.ID}), []string{"key dev"})
}

// TestManyWays: so many of one account are taken; the rest is said not to be known.
func TestManyWays(t *testing.T) {
	clock := &dbtest.Clock{}
	p := newPlane(t, dbtest.SQLite(t, clock), clock)
	p.active(p.HarbourOne)
	var s wire.AccessScan
	for i := range 510 {
		s.Keys = append(s.Keys, wire.HostKey{Account: "dev", Fingerprint: fmt.Sprintf("SHA256:%043d", i)})
	}
	s.Keys = append(s.Keys, wire.HostKey{Account: "other", Fingerprint: keyB})
	p.scanned(p.HarbourOne, s)
	n := 0
	for page := ""; ; {
		items, next, err := p.access.ListFound(p.Ctx, p.all, access.FoundFilter{Server: p.HarbourOne.ID, Limit: 200, PageToken: page})
		if err != nil {
			t.Fatal(err)
		}
		n += len(items)
		if page = next; page == "" {
			break
		}
	}
	if n != 501 {
		t.Errorf("ways in: got %d, want 501", n)
	}
	if f := p.one(findings.AccessHostUnread); !strings.Contains(f.Args["because"], "more than 500 ways in as dev") {
		t.Errorf("got %+v", f.Args)
	}
	if attested(p.read(p.Harbour, access.At{}), p.HarbourOne.ID) {
		t.Error("the server is attested")
	}
}

// TestSameByWhatIsNotShown: a key with other values of its options, or a right to
// other commands, is new though it reads the same.
func TestSameByWhatIsNotShown(t *testing.T) {
	clock := &dbtest.Clock{}
	p := newPlane(t, dbtest.SQLite(t, clock), clock)
	p.active(p.MapleOne)
	s := func(options, runs string) wire.AccessScan {
		return wire.AccessScan{Keys: []wire.HostKey{{Account: "dev", Fingerprint: keyA, Options: []string{"from"}, OptionsHash: options}},
			Sudo: []wire.HostSudo{{Who: "dev", Runs: "/bin/a...", As: "root", RunsHash: runs}}}
	}
	for _, tt := range []struct {
		options, runs string
		all           int
	}{{"a", "a", 2}, {"a", "a", 2}, {"b", "a", 3}, {"b", "b", 4}} {
		p.scanned(p.MapleOne, s(tt.options, tt.runs))
		if all, now := p.foundOn(access.FoundFilter{Gone: true}), p.foundOn(access.FoundFilter{}); len(all) != tt.all || len(now) != 2 {
			t.Errorf("%+v: got %d with what is gone, %d now", tt, len(all), len(now))
		}
	}
}

func TestExplain(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		p := newPlane(t, d, clock)
		p.Share()
		for _, v := range []customers.Server{p.MapleOne, p.Shared} {
			p.active(v)
			p.scanned(v, wire.AccessScan{Keys: []wire.HostKey{{Account: "root", Fingerprint: keyA}, {Account: "bob", Fingerprint: keyB}}, RootLogin: "yes"})
		}
		// A key of an account of somebody's name is nobody's before it is said whose.
		same(t, "found", p.foundOn(access.FoundFilter{}), []string{"key bob", "key bob", "key root", "key root"})
		var root access.Found
		for _, x := range must[[]access.Found](t)(first(p.access.ListFound(p.Ctx, p.all, access.FoundFilter{Server: p.Shared.ID, Unexplained: true}))) {
			if x.Account == "root" {
				root = x
				continue
			}
			must[access.Found](t)(p.access.Explain(p.Ctx, p.all, x.ID, p.bob.ID, ""))
		}
		got := must[access.Found](t)(p.access.Explain(p.Ctx, p.all, root.ID, p.cleo.ID, ""))
		if got.PersonName != "Cleo Clark" || got.ServerName != "shared-1" {
			t.Errorf("got %+v", got)
		}
		// The same key on another server is hers too, and one that turns up later.
		same(t, "explained", p.foundOn(access.FoundFilter{Unexplained: true}), nil)
		p.active(p.HarbourOne)
		p.scanned(p.HarbourOne, wire.AccessScan{Keys: []wire.HostKey{{Account: "root", Fingerprint: keyA}}, RootLogin: "yes"})
		same(t, "later", p.columns(p.Harbour), []string{"Bob Builder bob @shared-1 enforced could", "Cleo Clark root @harbour-1 enforced could", "Cleo Clark root @shared-1 enforced could"})
		p.look()
		if f := p.openFindings(); len(f) != 4 || slices.ContainsFunc(f, func(x findings.Finding) bool { return x.Kind != findings.AccessDrift }) {
			t.Errorf("whose it is is known, and nobody granted it: got %v", p.open())
		}
		for _, bad := range []struct{ person, customer, field string }{{"prs_00000000000000000000000000", "", "/person"}, {"", "cus_00000000000000000000000000", "/customer"}} {
			_, err := p.access.Explain(p.Ctx, p.all, root.ID, bad.person, bad.customer)
			if controlplane.ErrorCode(err) != controlplane.CodeInvalid || !strings.Contains(fmt.Sprintf("%+v", fields(err)), bad.field) {
				t.Errorf("%+v: got %v", bad, err)
			}
		}
	})
}

func first[T any](items []T, _ string, err error) ([]T, error) { return items, err }

func fields(err error) []controlplane.Field {
	e, _ := err.(*controlplane.Error)
	if e == nil {
		return nil
	}
	return e.Fields
}

// TestCustomersWord: the customer says whom they let in, and whom not.
func TestCustomersWord(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		p := newPlane(t, d, clock)
		p.Share()
		p.active(p.Shared)
		p.scanned(p.Shared, wire.AccessScan{Keys: []wire.HostKey{{Account: "maple-dev", Fingerprint: keyA, Comment: "eve@agency"}, {Account: "root", Fingerprint: keyB, Comment: "ours"}}, RootLogin: "yes"})
		var id string
		for _, x := range must[[]access.Found](t)(first(p.access.ListFound(p.Ctx, p.all, access.FoundFilter{}))) {
			if x.Account == "maple-dev" {
				id = x.ID
			}
		}
		maple, mapleScope := p.Owner(p.Maple)
		harbour, harbourScope := p.Owner(p.Harbour)
		if _, err := p.access.ConfirmFound(maple, mapleScope, id, true, ""); controlplane.ErrorCode(err) != controlplane.CodeNotFound {
			t.Errorf("one that is not said to be theirs: got %v", err)
		}
		must[access.Found](t)(p.access.Explain(p.Ctx, p.all, id, "", p.Maple.ID))
		// Before they say so, it is nobody's.
		everybody := []string{keyA + " maple-dev @shared-1 enforced could", keyB + " root @shared-1 enforced could"}
		same(t, "maple", p.columns(p.Maple), everybody)
		same(t, "harbour", p.columns(p.Harbour), everybody)
		same(t, "unexplained", p.foundOn(access.FoundFilter{Unexplained: true}), []string{"key maple-dev", "key root"})
		if f := p.one(findings.AccessUnexplained); f.Args["count"] != "2 ways in" {
			t.Errorf("finding: got %+v", f.Args)
		}

		see := func(scope policy.Scope) (out []string) {
			for _, x := range must[[]access.Found](t)(first(p.access.ListFound(maple, scope, access.FoundFilter{}))) {
				out = append(out, x.Account+" "+x.Comment)
			}
			slices.Sort(out)
			return out
		}
		same(t, "maple sees", see(mapleScope), []string{" ", "maple-dev eve@agency"})
		same(t, "harbour sees", see(harbourScope), []string{" "})
		if _, err := p.access.ConfirmFound(harbour, harbourScope, id, true, ""); controlplane.ErrorCode(err) != controlplane.CodeNotFound {
			t.Errorf("another customer's: got %v", err)
		}
		got := must[access.Found](t)(p.access.ConfirmFound(maple, mapleScope, id, true, "Eve of the agency"))
		if got.Confirmed != "yes" || got.PersonName != "Eve of the agency" || got.ConfirmedAt.IsZero() {
			t.Errorf("confirmed: got %+v", got)
		}
		p.tick()
		same(t, "named", p.columns(p.Maple), []string{keyB + " root @shared-1 enforced could", "Eve of the agency maple-dev @shared-1 listed enforced could"})
		same(t, "without a name to the neighbour", p.columns(p.Harbour), []string{keyA + " maple-dev @shared-1 listed enforced could", keyB + " root @shared-1 enforced could"})
		same(t, "explained", p.foundOn(access.FoundFilter{Unexplained: true}), []string{"key root"})
		if f := p.one(findings.AccessUnexplained); f.Args["what"] != "One way in" {
			t.Errorf("finding: got %+v", f.Args)
		}

		got = must[access.Found](t)(p.access.ConfirmFound(maple, mapleScope, id, false, ""))
		if got.Confirmed != "no" {
			t.Errorf("denied: got %+v", got)
		}
		if f := p.one(findings.AccessNotConfirmed); f.Customer != p.Maple.ID || f.Severity != findings.Bad {
			t.Errorf("finding: got %+v", f)
		}
		p.tick()
		if got := p.columns(p.Harbour); len(got) != 2 {
			t.Errorf("now it is everybody's who lives there: got %v", got)
		}
		p.scanned(p.Shared, wire.AccessScan{RootLogin: "yes"})
		if slices.Contains(p.open(), findings.AccessNotConfirmed) {
			t.Error("it is gone and the finding stays")
		}
	})
}

// TestScansAreDue: the first one soon after enrolment, then one an hour for each
// host, at an instant of its own; a host that is retired is forgotten.
func TestScansAreDue(t *testing.T) {
	clock := &dbtest.Clock{}
	p := newPlane(t, dbtest.SQLite(t, clock), clock)
	asked := func() (n int) {
		p.due()
		return p.host(p.MapleOne, func(wire.Action, json.RawMessage) (any, *wire.Failure) { return scan(), nil })
	}
	if n := asked(); n != 0 {
		t.Fatalf("before enrolment: asked %d times", n)
	}
	p.active(p.MapleOne)
	if n := asked(); n != 1 {
		t.Errorf("after it: asked %d times, want 1", n)
	}
	n := 0
	for range 10 * 60 {
		clock.Advance(time.Minute)
		n += asked()
	}
	if n < 8 || n > 11 {
		t.Errorf("in ten hours: asked %d times, want about ten", n)
	}
	for _, ten := range must[[]customers.Tenancy](t)(p.Customers.TenanciesOf(p.Ctx, p.all, p.MapleOne.ID)) {
		must[customers.Tenancy](t)(p.Customers.EndTenancy(p.Ctx, p.all, ten.ID))
	}
	must[customers.Server](t)(p.Customers.RetireServer(p.Ctx, p.all, p.MapleOne.ID))
	for range 2 {
		p.hours(1)
		p.due()
	}
	same(t, "found on a retired server", p.foundOn(access.FoundFilter{}), nil)
	same(t, "columns", p.columns(p.Maple), nil)
}

// TestSessionsOnHosts: who is in now could have access, and is no finding.
func TestSessionsOnHosts(t *testing.T) {
	clock := &dbtest.Clock{}
	p := newPlane(t, dbtest.SQLite(t, clock), clock)
	p.active(p.MapleOne)
	p.scanned(p.MapleOne, wire.AccessScan{Logins: []wire.HostLogin{{Account: "cleo", Line: "pts/0", From: "192.0.2.9"}, {Account: "root", Line: "tty1"}}})
	same(t, "in now", p.columns(p.Maple), []string{"session of root session as root @maple-1 could", "Cleo Clark session as cleo @maple-1 could"})
	same(t, "findings", p.open(), nil)
	s := wire.AccessScan{Unread: []string{"/etc/sudoers"}}
	p.scanned(p.MapleOne, s)
	same(t, "after they left", p.columns(p.Maple), nil)
}
