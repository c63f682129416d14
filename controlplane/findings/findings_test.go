package findings_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/bus"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/findings"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
	"ostler/controlplane/secrets"
)

const (
	maple   = "cus_maple"
	harbour = "cus_harbour"
)

var everyone = policy.AllCustomers("test")

type house struct {
	*findings.Findings
	t      *testing.T
	d      *db.DB
	ledger *ledger.Ledger
	bus    *bus.Bus
	ctx    context.Context
}

func newHouse(t *testing.T, d *db.DB) *house {
	t.Helper()
	ctx := controlplane.System(t.Context(), "test")
	k, err := secrets.OpenFile(ctx, d, filepath.Join(t.TempDir(), "keys"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []string{"", maple, harbour} {
		if err := k.EnsureKey(ctx, c); err != nil {
			t.Fatal(err)
		}
	}
	l, err := ledger.New(d, k, ledger.Options{Origin: "test.invalid/ostler"})
	if err != nil {
		t.Fatal(err)
	}
	b := bus.New()
	return &house{Findings: findings.New(d, k, l, b), t: t, d: d, ledger: l, bus: b, ctx: ctx}
}

// missed is a backup that a customer sees; silent is the company's own.
func missed(customer, key string) findings.Finding {
	return findings.Finding{
		Key: "backup.missed:" + key, Customer: customer, Server: "srv_1", Subject: "pln_" + key, Kind: findings.BackupMissed,
		Severity: findings.Warn, Owner: findings.Ops, Args: map[string]string{"server": "orchard-db1", "for": "27 hours"}, Link: "/plans/" + key,
	}
}

func silent(key string, s findings.Severity) findings.Finding {
	return findings.Finding{Key: "server.silent:" + key, Server: key, Kind: findings.ServerSilent, Severity: s, Owner: findings.Ops, Args: map[string]string{"server": key}}
}

func (h *house) raise(xs ...findings.Finding) {
	h.t.Helper()
	for _, x := range xs {
		if err := h.d.Write(h.ctx, func(tx *db.Tx) error { return h.Raise(tx, x) }); err != nil {
			h.t.Fatal(err)
		}
	}
}

func (h *house) close(key, cause string) {
	h.t.Helper()
	if err := h.d.Write(h.ctx, func(tx *db.Tx) error { return h.Close(tx, key, cause) }); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) list(scope policy.Scope, f findings.Filter) []findings.Finding {
	h.t.Helper()
	items, next, err := h.List(h.ctx, scope, f)
	if err != nil || next != "" {
		h.t.Fatalf("list: %v, next page %q", err, next)
	}
	return items
}

// logged returns the kinds of the ledger's entries about findings, oldest first.
func (h *house) logged() (kinds []string) {
	h.t.Helper()
	items, _, err := h.ledger.List(h.ctx, everyone, ledger.Filter{Kinds: []string{"finding.opened", "finding.closed"}})
	if err != nil {
		h.t.Fatal(err)
	}
	for _, i := range items {
		kinds = append(kinds, i.Kind)
	}
	slices.Reverse(kinds)
	return kinds
}

func TestRaiseRefreshCloseReopen(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d)
		woken, cancel := h.bus.Subscribe(bus.TopicFindings)
		defer cancel()
		x := missed(maple, "1")
		h.raise(x)
		<-woken
		clock.Advance(time.Hour)
		x.Args["for"], x.Severity = "28 hours", findings.Bad
		h.raise(x)
		items := h.list(everyone, findings.Filter{})
		if len(items) != 1 {
			t.Fatalf("open: got %d, want 1", len(items))
		}
		got := items[0]
		if got.Count != 2 || got.Severity != findings.Bad || got.Args["for"] != "28 hours" || !got.OpenedAt.Equal(dbtest.Start) || !got.SeenAt.Equal(dbtest.Start.Add(time.Hour)) || !got.Open() {
			t.Errorf("refreshed: got %+v", got)
		}
		h.close(x.Key, "backup finished")
		h.close(x.Key, "again")
		h.close("backup.missed:none", "never was")
		if items := h.list(everyone, findings.Filter{}); len(items) != 0 {
			t.Errorf("after close: got %d open", len(items))
		}
		clock.Advance(time.Hour)
		h.raise(x)
		again := h.list(everyone, findings.Filter{})
		history := h.list(everyone, findings.Filter{Closed: true, Key: x.Key})
		if len(again) != 1 || again[0].ID == got.ID || again[0].Count != 1 {
			t.Errorf("opened again: got %+v", again)
		}
		if len(history) != 1 || history[0].ID != got.ID || history[0].Cause != "backup finished" || history[0].Open() {
			t.Errorf("history: got %+v", history)
		}
		if got, want := h.logged(), []string{"finding.opened", "finding.closed", "finding.opened"}; !slices.Equal(got, want) {
			t.Errorf("ledger: got %v, want %v", got, want)
		}
		one, err := h.Get(h.ctx, everyone, got.ID)
		if err != nil || one.Key != x.Key {
			t.Errorf("get: got %+v, %v", one, err)
		}
	})
}

func TestRaiseRefuses(t *testing.T) {
	h := newHouse(t, dbtest.SQLite(t, &dbtest.Clock{}))
	h.raise(missed(maple, "taken"))
	for name, change := range map[string]func(x *findings.Finding){
		"no key":             func(x *findings.Finding) { x.Key = "" },
		"unknown kind":       func(x *findings.Finding) { x.Kind = "backup.odd" },
		"unknown severity":   func(x *findings.Finding) { x.Severity = "fine" },
		"unknown owner":      func(x *findings.Finding) { x.Owner = "nobody" },
		"unknown argument":   func(x *findings.Finding) { x.Args["host"] = "a" },
		"unknown step":       func(x *findings.Finding) { x.Next = "step.dance" },
		"another's open key": func(x *findings.Finding) { x.Key = "backup.missed:taken"; x.Customer = harbour },
		"no data key":        func(x *findings.Finding) { x.Customer = "cus_none" },
	} {
		x := missed(maple, "1")
		change(&x)
		if err := h.d.Write(h.ctx, func(tx *db.Tx) error { return h.Raise(tx, x) }); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}

func TestScope(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d)
		inner := findings.Finding{Key: "restic.old:1", Customer: maple, Kind: findings.ResticOld, Severity: findings.Bad, Owner: findings.Ops}
		theirs := inner
		theirs.Key, theirs.Owner, theirs.Severity = "restic.old:2", findings.OfCustomer, findings.Unknown
		h.raise(missed(maple, "1"), missed(harbour, "2"), silent("srv_1", findings.Unknown), inner, theirs)
		for _, c := range []struct {
			name, customer string
			scope          policy.Scope
			want           []string
			worst          findings.Severity
		}{
			{"staff", "", everyone, []string{"restic.old:1", "backup.missed:1", "backup.missed:2", "restic.old:2", "server.silent:srv_1"}, findings.Bad},
			{"a customer", maple, policy.OneCustomer(maple), []string{"backup.missed:1", "restic.old:2"}, findings.Warn},
			{"another customer", harbour, policy.OneCustomer(harbour), []string{"backup.missed:2"}, findings.Warn},
			{"no customer", "cus_none", policy.OneCustomer("cus_none"), nil, ""},
			{"an empty customer", "", policy.OneCustomer(""), nil, ""},
			{"nothing", "", policy.Scope{}, nil, ""},
		} {
			ctx := h.ctx
			if c.customer != "" {
				ctx = controlplane.WithActor(t.Context(), controlplane.Actor{Kind: controlplane.ActorContact, ID: "con_1", Customer: c.customer})
			}
			items, _, err := h.List(ctx, c.scope, findings.Filter{})
			if err != nil {
				t.Fatal(err)
			}
			var keys []string
			for _, x := range items {
				keys = append(keys, x.Key)
			}
			slices.Sort(keys)
			slices.Sort(c.want)
			if !slices.Equal(keys, c.want) {
				t.Errorf("%s: got %v, want %v", c.name, keys, c.want)
			}
			worst, n, err := h.Worst(ctx, c.scope)
			if err != nil || worst != c.worst || n != len(c.want) {
				t.Errorf("%s: worst %q of %d, %v; want %q of %d", c.name, worst, n, err, c.worst, len(c.want))
			}
			for _, x := range h.list(everyone, findings.Filter{}) {
				_, err := h.Get(ctx, c.scope, x.ID)
				if seen := slices.Contains(c.want, x.Key); seen != (err == nil) || !seen && controlplane.ErrorCode(err) != controlplane.CodeNotFound {
					t.Errorf("%s: get %s: %v", c.name, x.Key, err)
				}
			}
		}
	})
}

func TestOrderPagesAndFilters(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d)
		for i, s := range []findings.Severity{findings.Unknown, findings.Warn, findings.Bad, findings.Warn, findings.Unknown, findings.Bad, findings.Warn} {
			h.raise(silent(fmt.Sprint("srv_", i), s))
			if i%2 == 0 {
				clock.Advance(time.Minute)
			}
		}
		read := func(f findings.Filter) (servers []string) {
			for {
				items, next, err := h.List(h.ctx, everyone, f)
				if err != nil {
					t.Fatal(err)
				}
				for _, x := range items {
					servers = append(servers, x.Server)
				}
				if f.PageToken = next; next == "" {
					return servers
				}
			}
		}
		want := []string{"srv_2", "srv_5", "srv_1", "srv_3", "srv_6", "srv_0", "srv_4"} // worst first, then longest open
		if got := read(findings.Filter{Limit: 2}); !slices.Equal(got, want) {
			t.Errorf("order: got %v, want %v", got, want)
		}
		if got := read(findings.Filter{Server: "srv_3", Kinds: []string{findings.ServerSilent}, Owner: findings.Ops}); !slices.Equal(got, []string{"srv_3"}) {
			t.Errorf("filter: got %v", got)
		}
		for _, s := range want {
			clock.Advance(time.Second)
			h.close("server.silent:"+s, "heard of")
		}
		slices.Reverse(want)
		if got := read(findings.Filter{Closed: true, Limit: 3}); !slices.Equal(got, want) {
			t.Errorf("closed: got %v, want %v", got, want)
		}
		if _, _, err := h.List(h.ctx, everyone, findings.Filter{PageToken: "1.x.y"}); controlplane.ErrorCode(err) != controlplane.CodeInvalid {
			t.Errorf("bad token: got %v", err)
		}
	})
}

func TestGroups(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d)
		for i := range 4 {
			x := missed([]string{maple, harbour}[i%2], fmt.Sprint(i))
			x.Group = "store.full:sto_1"
			if i == 2 {
				x.Severity = findings.Bad
			}
			h.raise(x)
		}
		h.raise(silent("srv_9", findings.Unknown))
		items := h.list(everyone, findings.Filter{Grouped: true})
		if len(items) != 2 || items[0].Key != "backup.missed:2" || items[0].InGroup != 4 || items[1].InGroup != 1 {
			t.Errorf("groups: got %+v", items)
		}
		own := h.list(policy.OneCustomer(harbour), findings.Filter{Grouped: true})
		if len(own) != 1 || own[0].Customer != harbour || own[0].InGroup != 2 {
			t.Errorf("a customer's group counts others': got %+v", own)
		}
		if items, next, err := h.List(h.ctx, everyone, findings.Filter{Grouped: true, Limit: 1}); err != nil || len(items) != 1 || next == "" {
			t.Errorf("first page of groups: got %d, %q, %v", len(items), next, err)
		} else if items, _, err = h.List(h.ctx, everyone, findings.Filter{Grouped: true, Limit: 1, PageToken: next}); err != nil || len(items) != 1 || items[0].Server != "srv_9" {
			t.Errorf("second page of groups: got %+v, %v", items, err)
		}
		if members := h.list(everyone, findings.Filter{Group: "store.full:sto_1"}); len(members) != 4 {
			t.Errorf("members: got %d", len(members))
		}
		h.close("backup.missed:0", "it came")
		h.close("backup.missed:1", "it came")
		if items := h.list(everyone, findings.Filter{Grouped: true, Closed: true}); len(items) != 1 || items[0].InGroup != 2 {
			t.Errorf("closed groups: got %+v", items)
		}
	})
}

func TestWorse(t *testing.T) {
	order := []findings.Severity{findings.Bad, findings.Warn, findings.Unknown, ""}
	for i, a := range order {
		for k, b := range order {
			if got, want := a.Worse(b), i < k; got != want {
				t.Errorf("%q worse than %q: got %v, want %v", a, b, got, want)
			}
		}
	}
}
