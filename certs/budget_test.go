package certs_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ostler/certs"
	"ostler/certs/acme"
	"ostler/certs/limits"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
)

const (
	letsEncrypt = "https://acme-v02.api.letsencrypt.org/directory"
	noLimits    = "https://localhost:14000/dir"
)

// limited is a database with authorities, and what tests do with their limits.
type limited struct {
	t      testing.TB
	d      *db.DB
	budget certs.Budget
}

func newLimited(t testing.TB, d *db.DB, directories ...string) *limited {
	t.Helper()
	l := &limited{t: t, d: d}
	for i, dir := range directories {
		l.do(func(tx *db.Tx) error {
			return tx.Exec(`INSERT INTO cert_authorities (id, name, directory, role, contact, profile, account_url, thumbprint, account_key, eab_key_id, created_at)
				VALUES (?, ?, ?, 'primary', '', '', '', '', ?, '', 0)`, fmt.Sprintf("ca_%d", i), fmt.Sprintf("CA %d", i), dir, []byte{0}).Error
		})
	}
	return l
}

func (l *limited) do(fn func(tx *db.Tx) error) {
	l.t.Helper()
	if err := l.d.Write(l.t.Context(), fn); err != nil {
		l.t.Fatal(err)
	}
}

func (l *limited) reserve(issue string, renewal limits.Renewal, names ...string) (v limits.Verdict) {
	l.t.Helper()
	l.do(func(tx *db.Tx) (err error) {
		v, err = l.budget.Reserve(tx, certs.Ask{Issue: issue, Authority: "ca_0", Names: names, Renewal: renewal})
		return err
	})
	return v
}

// issue takes an order to its good end.
func (l *limited) issue(issue string, renewal limits.Renewal, names ...string) limits.Verdict {
	l.t.Helper()
	v := l.reserve(issue, renewal, names...)
	if v.Allowed {
		l.do(func(tx *db.Tx) error { return l.budget.Ordered(tx, issue) })
		l.do(func(tx *db.Tx) error { return l.budget.Issued(tx, issue, "ca_0", names) })
	}
	return v
}

func (l *limited) lines(authority string) (out []certs.Line) {
	l.t.Helper()
	l.do(func(tx *db.Tx) (err error) {
		out, err = l.budget.Lines(tx, authority)
		return err
	})
	return out
}

// used is what the page of limits shows of one.
func (l *limited) used(limit limits.Limit, scope string) int64 {
	l.t.Helper()
	for _, line := range l.lines("ca_0") {
		if line.Limit == limit && line.Scope == scope {
			return line.Used
		}
	}
	return 0
}

func (l *limited) rows() (n int64) {
	l.t.Helper()
	l.do(func(tx *db.Tx) error {
		return tx.Raw("SELECT (SELECT count(*) FROM cert_limits) + (SELECT count(*) FROM cert_reservations)").Scan(&n).Error
	})
	return n
}

func TestBudgetOfASet(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		l := newLimited(t, d, letsEncrypt)
		for i := range 5 {
			if v := l.issue(fmt.Sprint("iss_", i), limits.RenewalNone, "a.de", "www.a.de"); !v.Allowed {
				t.Fatalf("certificate %d: %+v", i, v)
			}
		}
		v := l.issue("iss_5", limits.RenewalNone, "www.a.de", "a.de")
		if v.Allowed || v.Limit != limits.PerSet || v.NotBefore.Sub(clock.Now()) != 33*time.Hour+36*time.Minute || v.Used != 5 || v.Max != 5 {
			t.Errorf("the sixth: %+v, want to wait 33 h 36 min for the set", v)
		}
		if v := l.issue("iss_6", limits.RenewalARI, "a.de", "www.a.de"); !v.Allowed {
			t.Errorf("a renewal in its window: %+v", v)
		}
		if v := l.issue("iss_7", limits.RenewalNone, "a.de"); !v.Allowed {
			t.Errorf("another set: %+v", v)
		}
		if got := l.used(limits.NewOrders, ""); got != 6 {
			t.Errorf("%d orders used, want 6: the renewal takes none", got)
		}
		clock.Advance(34 * time.Hour)
		if v := l.issue("iss_8", limits.RenewalNone, "a.de", "www.a.de"); !v.Allowed {
			t.Errorf("after its wait: %+v", v)
		}
	})
}

func TestBudgetIsRepeatable(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		l := newLimited(t, d, letsEncrypt)
		for range 20 { // a plane that is killed again and again
			if v := l.reserve("iss_1", limits.RenewalNone, "a.de"); !v.Allowed {
				t.Fatalf("got %+v", v)
			}
		}
		if got := l.used(limits.PerSet, limits.Set([]string{"a.de"})); got != 0 {
			t.Errorf("%d certificates counted, want none before it is issued", got)
		}
		for range 3 {
			l.do(func(tx *db.Tx) error { return l.budget.Ordered(tx, "iss_1") })
		}
		if got := l.used(limits.NewOrders, ""); got != 1 {
			t.Errorf("%d orders counted, want 1", got)
		}
		for range 3 {
			l.do(func(tx *db.Tx) error { return l.budget.GiveBack(tx, "iss_1", "ca_0", "a.de") })
		}
		if got := l.used(limits.FailedNames, "a.de"); got != 1 {
			t.Errorf("%d failures counted, want 1", got)
		}
		if got := l.used(limits.PerDomain, "a.de"); got != 0 {
			t.Errorf("%d certificates counted, want none: none was issued", got)
		}
		var row int64
		l.do(func(tx *db.Tx) error {
			return tx.Raw("SELECT in_a_row FROM cert_limits WHERE limit_name = 'failures_in_a_row' AND scope = 'a.de'").Scan(&row).Error
		})
		if row != 1 {
			t.Errorf("%d failures in a row, want 1", row)
		}
		clock.Advance(time.Hour)
		l.issue("iss_2", limits.RenewalNone, "a.de")
		clock.Advance(8 * 24 * time.Hour)
		l.do(func(tx *db.Tx) error { _, err := l.budget.Tidy(tx, "ca_0"); return err })
		if n := l.rows(); n != 0 {
			t.Errorf("%d rows are left when all is free again, want 0", n)
		}
	})
}

func TestBudgetGivesBack(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		l := newLimited(t, d, letsEncrypt)
		for i := range 7 { // preflight says no each time: no request was made
			id := fmt.Sprint("iss_", i)
			if v := l.reserve(id, limits.RenewalNone, "a.de"); !v.Allowed {
				t.Fatalf("attempt %d: %+v", i, v)
			}
			l.do(func(tx *db.Tx) error { return l.budget.GiveBack(tx, id, "ca_0") })
		}
		if n := l.rows(); n != 0 {
			t.Errorf("%d rows, want 0: nothing was used", n)
		}
		for i := range 5 {
			l.reserve(fmt.Sprint("iss_1", i), limits.RenewalNone, "a.de")
		}
		v := l.reserve("iss_20", limits.RenewalNone, "a.de")
		if v.Allowed || v.Limit != limits.PerSet {
			t.Errorf("a sixth beside five under way: %+v, want it refused", v)
		}
		// Four end without a word; their attempts are over.
		l.do(func(tx *db.Tx) error {
			for i := range 4 {
				if err := endedIssue(tx, fmt.Sprint("iss_1", i)); err != nil {
					return err
				}
			}
			_, err := l.budget.Tidy(tx, "ca_0")
			return err
		})
		for i := range 4 {
			if v := l.reserve(fmt.Sprint("iss_3", i), limits.RenewalNone, "a.de"); !v.Allowed {
				t.Errorf("after they were tidied up, attempt %d: %+v", i, v)
			}
		}
		if v := l.reserve("iss_40", limits.RenewalNone, "a.de"); v.Allowed {
			t.Error("one too many is allowed")
		}
	})
}

// endedIssue is an attempt that is over.
func endedIssue(tx *db.Tx, id string) error {
	if err := fill(tx, "certificates", map[string]any{"id": "crt_of_" + id, "server_id": id, "ended_at": 1}); err != nil {
		return err
	}
	return fill(tx, "cert_issues", map[string]any{"id": id, "certificate_id": "crt_of_" + id, "ended_at": 1})
}

// fill inserts a row with values for some columns, and empty ones for all others.
func fill(tx *db.Tx, table string, values map[string]any) error {
	insert, err := filler(tx, table)
	if err != nil {
		return err
	}
	return insert(values)
}

// filler is fill for many rows.
func filler(tx *db.Tx, table string) (func(values map[string]any) error, error) {
	types, err := tx.Migrator().ColumnTypes(table)
	if err != nil {
		return nil, err
	}
	return func(values map[string]any) error {
		var columns, marks []string
		var args []any
		for _, c := range types {
			v, ok := values[c.Name()]
			if null, _ := c.Nullable(); !ok && null {
				continue
			}
			if kind := strings.ToLower(c.DatabaseTypeName()); !ok && (strings.HasPrefix(kind, "int") || kind == "bigint") {
				v = 0
			} else if !ok && (kind == "blob" || kind == "bytea") {
				v = []byte{}
			} else if !ok {
				v = ""
			}
			columns, marks, args = append(columns, c.Name()), append(marks, "?"), append(args, v)
		}
		return tx.Exec("INSERT INTO "+table+" ("+strings.Join(columns, ", ")+") VALUES ("+strings.Join(marks, ", ")+")", args...).Error
	}, nil
}

func TestBudgetHearsTheCA(t *testing.T) {
	names := []string{"a.de", "www.a.de"}
	at := dbtest.Start.Add(90 * time.Minute)
	for _, tt := range []struct {
		name  string
		err   acme.Error
		until time.Time
		waits []string // names whose orders wait; "all" is any other
	}{
		{"of a name", acme.Error{Kind: acme.KindRateLimited, Scope: acme.ScopeName, Name: "www.a.de", RetryAfter: at, Detail: "too many failed"}, at, []string{"www.a.de", "a.de+www.a.de"}},
		{"of the domain", acme.Error{Kind: acme.KindRateLimited, Scope: acme.ScopeDomain, Name: "a.de", RetryAfter: at}, at, []string{"a.de", "www.a.de", "a.de+www.a.de"}},
		{"of a set", acme.Error{Kind: acme.KindRateLimited, Scope: acme.ScopeSet, RetryAfter: at}, at, []string{"a.de+www.a.de"}},
		{"of the account's orders", acme.Error{Kind: acme.KindRateLimited, Scope: acme.ScopeOrders, RetryAfter: at}, at, []string{"a.de", "www.a.de", "a.de+www.a.de", "all"}},
		{"of everything", acme.Error{Kind: acme.KindUnreachable, Scope: acme.ScopeAuthority, Status: 503, RetryAfter: at}, at, []string{"a.de", "www.a.de", "a.de+www.a.de", "all"}},
		{"for how long it did not say", acme.Error{Kind: acme.KindRateLimited, Scope: acme.ScopeIP}, dbtest.Start.Add(time.Minute), []string{"a.de", "www.a.de", "a.de+www.a.de", "all"}},
		{"paused", acme.Error{Kind: acme.KindPaused, Name: "a.de", Link: "https://ca.example/unpause"}, certs.Forever, []string{"a.de", "a.de+www.a.de"}},
		{"a 500", acme.Error{Kind: acme.KindUnreachable, Scope: acme.ScopeAuthority, Status: 500}, time.Time{}, nil},
		{"a refusal", acme.Error{Kind: acme.KindRefused, Name: "a.de"}, time.Time{}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := newLimited(t, dbtest.SQLite(t, &dbtest.Clock{}), noLimits, "https://other.example/dir")
			var until time.Time
			l.do(func(tx *db.Tx) (err error) {
				until, err = l.budget.Refused(tx, "ca_0", names, &tt.err)
				return err
			})
			if !until.Equal(tt.until) {
				t.Errorf("until %s, want %s", until, tt.until)
			}
			for _, q := range []string{"a.de", "www.a.de", "a.de+www.a.de", "all"} {
				ask := certs.Ask{Issue: "iss_" + q, Authority: "ca_0", Names: strings.Split(q, "+")}
				if q == "all" {
					ask.Names = []string{"other.de"}
				}
				waits := slices.Contains(tt.waits, q)
				var got []limits.Verdict
				l.do(func(tx *db.Tx) (err error) {
					got, err = l.budget.Refusals(tx, ask)
					return err
				})
				if (len(got) > 0) != waits {
					t.Errorf("an order for %s: %+v, want it to wait: %t", q, got, waits)
				}
				if len(got) > 0 && (!got[0].NotBefore.Equal(tt.until) || !got[0].ByCA || got[0].Said == "") {
					t.Errorf("an order for %s: %+v, want the CA's word until %s", q, got[0], tt.until)
				}
				ask.Authority = "ca_1"
				var elsewhere limits.Verdict
				l.do(func(tx *db.Tx) (err error) {
					elsewhere, err = l.budget.Reserve(tx, ask)
					return err
				})
				if !elsewhere.Allowed {
					t.Errorf("an order for %s at another CA: %+v", q, elsewhere)
				}
			}
		})
	}
}

func TestBudgetLift(t *testing.T) {
	l := newLimited(t, dbtest.SQLite(t, &dbtest.Clock{}), letsEncrypt)
	l.do(func(tx *db.Tx) error {
		_, err := l.budget.Refused(tx, "ca_0", []string{"a.de"}, &acme.Error{Kind: acme.KindPaused, Link: "https://ca.example/unpause"})
		return err
	})
	if v := l.reserve("iss_1", limits.RenewalARI, "a.de"); v.Allowed || v.Limit != limits.FailedInRow || !strings.Contains(v.Said, "https://ca.example/unpause") {
		t.Errorf("paused: %+v", v)
	}
	l.do(func(tx *db.Tx) error { return l.budget.Lift(tx, "ca_0", []string{"a.de"}) })
	if v := l.reserve("iss_1", limits.RenewalARI, "a.de"); !v.Allowed {
		t.Errorf("lifted: %+v", v)
	}
}

func TestBudgetRules(t *testing.T) {
	l := newLimited(t, dbtest.SQLite(t, &dbtest.Clock{}), letsEncrypt)
	set := func(limit limits.Limit, r limits.Rule) (err error) {
		l.do(func(tx *db.Tx) error { err = l.budget.SetRule(tx, "ca_0", limit, r); return nil })
		return err
	}
	if err := set(limits.NewOrders, limits.Rule{Max: 3, Per: time.Hour}); err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		v := l.issue(fmt.Sprint("iss_", i), limits.RenewalNone, fmt.Sprintf("site%d.de", i))
		if v.Allowed != (i < 3) {
			t.Errorf("order %d: %+v", i, v)
		}
	}
	if err := set(limits.NewOrders, limits.Rule{}); err != nil {
		t.Fatal(err)
	}
	if v := l.issue("iss_9", limits.RenewalNone, "site9.de"); !v.Allowed {
		t.Errorf("with the limit lifted: %+v", v)
	}
	if err := set("per_moon", limits.Rule{Max: 1, Per: time.Hour}); err == nil {
		t.Error("an unknown limit is taken")
	}
	if err := set(limits.PerSet, limits.Rule{Max: 1}); err == nil {
		t.Error("a limit that is never free again is taken")
	}
}

func TestBudgetPages(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		l := newLimited(t, d, letsEncrypt, noLimits)
		if got := l.lines("ca_0"); len(got) != 1 || got[0].Limit != limits.NewOrders || got[0].Used != 0 || got[0].Max != 300 {
			t.Errorf("nothing used: %+v, want the account's orders alone", got)
		}
		if got := l.lines("ca_1"); len(got) != 0 {
			t.Errorf("a CA without limits: %+v, want nothing", got)
		}
		for i := range 50 {
			l.issue(fmt.Sprint("iss_", i), limits.RenewalNone, fmt.Sprintf("host%d.a.de", i))
		}
		got := l.lines("ca_0")
		if len(got) != 52 || got[0].Used != 50 || got[1].Limit != limits.PerDomain || got[1].Used != 50 || !got[1].Next.After(clock.Now()) {
			t.Errorf("got %d lines, the first %+v, want the account, the domain, and 50 sets", len(got), got[:min(len(got), 2)])
		}
		var room, none certs.Room
		var f limits.Forecast
		l.do(func(tx *db.Tx) (err error) {
			if room, err = l.budget.Room(tx, "ca_0"); err != nil {
				return err
			}
			if none, err = l.budget.Room(tx, "ca_1"); err != nil {
				return err
			}
			f, err = l.budget.Forecast(tx, "ca_0", limits.Load{Sites: 10_000})
			return err
		})
		if room.Orders != 250 || none.Orders >= 0 || !room.Blocked.IsZero() {
			t.Errorf("room for %+v and %+v, want 250 orders and no limit", room, none)
		}
		if want := 101*time.Hour + 50*36*time.Second; f.Takes != want || f.Limit != limits.NewOrders {
			t.Errorf("forecast %+v, want %s", f, want)
		}
	})
}

// What is kept in the database says the same as the rules in memory.
func TestBudgetIsTheRules(t *testing.T) {
	clock := &dbtest.Clock{}
	l := newLimited(t, dbtest.SQLite(t, clock), letsEncrypt)
	rnd := rand.New(rand.NewPCG(5, 5))
	rules, u := limits.LetsEncrypt(), limits.Usage{}
	kinds := []limits.Renewal{limits.RenewalNone, limits.RenewalNone, limits.RenewalSameSet, limits.RenewalARI}
	refused := 0
	for i := range 400 {
		clock.Advance(time.Duration(rnd.IntN(3600)) * time.Second)
		names := []string{fmt.Sprintf("host%d.a.de", rnd.IntN(3)), fmt.Sprintf("b%d.de", rnd.IntN(2))}
		q := limits.Request{Names: names, Renewal: kinds[rnd.IntN(len(kinds))]}
		id := fmt.Sprint("iss_", i)
		got, want := l.reserve(id, q.Renewal, names...), rules.Check(clock.Now(), q, u)
		if got != want {
			t.Fatalf("order %d: got %+v, want %+v", i, got, want)
		}
		if !want.Allowed {
			refused++
			continue
		}
		good := rnd.IntN(3) > 0
		l.do(func(tx *db.Tx) error {
			if err := l.budget.Ordered(tx, id); err != nil || good {
				return errors.Join(err, l.budget.Issued(tx, id, "ca_0", names))
			}
			return l.budget.GiveBack(tx, id, "ca_0", names[0])
		})
		for _, k := range rules.Counted(q) {
			if k.Limit == limits.NewOrders || k.Limit != limits.FailedNames && good || k.Limit == limits.FailedNames && !good && k.Scope == names[0] {
				u[k] = u[k].Spend(rules.Rule(k.Limit), clock.Now())
			}
		}
		for j, n := range names {
			k := limits.Key{Limit: limits.FailedInRow, Scope: n}
			if good {
				u[k] = u[k].Succeed()
			} else if j == 0 {
				u[k] = u[k].Fail()
			}
		}
	}
	if refused < 50 {
		t.Errorf("%d of 400 refused: the test tries too little", refused)
	}
}

// Replicas that reserve at once never take more than there is, whatever kind of
// transaction they do it in.
func TestBudgetUnderConcurrency(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		l := newLimited(t, d, letsEncrypt)
		for kind, run := range map[string]func(context.Context, func(*db.Tx) error) error{"write": d.Write, "claim": d.Claim} {
			var allowed atomic.Int64
			var wg sync.WaitGroup
			for w := range 6 {
				wg.Go(func() {
					for i := range 4 {
						var v limits.Verdict
						err := run(t.Context(), func(tx *db.Tx) (err error) {
							ask := certs.Ask{Issue: fmt.Sprintf("iss_%s_%d_%d", kind, w, i), Authority: "ca_0", Names: []string{kind + "-a.de", kind + "-b.de", "www." + kind + "-a.de"}}
							v, err = l.budget.Reserve(tx, ask)
							return err
						})
						if err != nil {
							t.Error(err)
						}
						if v.Allowed {
							allowed.Add(1)
						}
					}
				})
			}
			wg.Wait()
			if allowed.Load() != 5 {
				t.Errorf("%s: %d of 24 orders for one set were allowed, want 5", kind, allowed.Load())
			}
		}
	})
}
