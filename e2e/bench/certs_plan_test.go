package bench_test

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"runtime"
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
	manyCerts       = 100_000
	planBudget      = 100  // ms
	coldBudget      = 3000 // ms
	certBudget      = 1024 // bytes
	sweepBudget     = 120  // seconds
	sweepRate       = 1000 // requests a second
	answerTakes     = 50 * time.Millisecond
	certsCustomers  = 1000
	planTurns       = 50
	renewalsPlanned = 20 * 24 * time.Hour // from now, for two days
)

// slowCA answers only when a certificate should be renewed, and takes its time.
type slowCA struct {
	start, end time.Time
	asked      atomic.Int64
	mu         sync.Mutex
	seconds    map[int64]int // requests in each
}

var errNotAsked = errors.New("nobody asks this here")

func (c *slowCA) Directory(context.Context) (acme.Directory, error) {
	return acme.Directory{RenewalInfo: true}, nil
}
func (c *slowCA) Register(context.Context, acme.Registration) (string, error) {
	return "https://ca.invalid/account", nil
}
func (c *slowCA) Rollover(context.Context, crypto.Signer) error { return errNotAsked }
func (c *slowCA) Revoke(context.Context, []byte, int) error     { return errNotAsked }
func (c *slowCA) Issue(context.Context, acme.Request, acme.State, acme.Hooks) (acme.Result, acme.State, error) {
	return acme.Result{}, acme.State{}, errNotAsked
}

func (c *slowCA) RenewalInfo(context.Context, string) (acme.Renewal, error) {
	now := time.Now()
	c.mu.Lock()
	c.seconds[now.Unix()]++
	c.mu.Unlock()
	time.Sleep(answerTakes)
	c.asked.Add(1)
	return acme.Renewal{Start: c.start, End: c.end, RetryAfter: now.Add(6 * time.Hour)}, nil
}

// busiest is the most requests in one second.
func (c *slowCA) busiest() (most int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range c.seconds {
		most = max(most, n)
	}
	return most
}

// BenchmarkCertificatePlan measures what 100,000 certificates cost the plane:
// to read them all after a start, to say whose turn it is, to keep them in
// memory, and to ask a CA about every one of them, which takes 50 ms to answer.
func BenchmarkCertificatePlan(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) { certificatePlan(b, "SQLite", dbtest.SQLite(b, db.SystemClock{}), true) })
	b.Run("postgres", func(b *testing.B) { certificatePlan(b, "PostgreSQL", durablePostgres(b), false) })
}

func certificatePlan(b *testing.B, engine string, d *db.DB, sweep bool) {
	p := newParts(b, d)
	now := time.Now().Truncate(time.Millisecond)
	ca := &slowCA{start: now.Add(renewalsPlanned), end: now.Add(renewalsPlanned + 48*time.Hour), seconds: map[int64]int{}}
	service := must[*certs.Service](b)(certs.New(certs.Deps{DB: d, Keeper: p.keeper, Ledger: p.ledger, Jobs: p.jobs, Findings: p.findings, Customers: p.customers,
		Engine: func(context.Context, acme.Options) (certs.Engine, error) { return ca, nil }}, certs.Options{Bus: p.bus}))
	authority := must[certs.Authority](b)(service.AddAuthority(p.ctx, everyone, certs.NewAuthority{Name: "Slow CA", Directory: "https://ca.invalid/dir", Role: certs.RolePrimary}))
	p.manyCertificates(authority.ID, now)

	var colds times
	for range 5 {
		colds = append(colds, timed(func() { p.plannerOf(certs.NewPlanner()) }))
	}
	report(b, figure{name: engine + ": cold start of 100,000 certificates", got: millis(colds.median()), budget: coldBudget, unit: "ms", detail: "median of 5"})

	before := heap()
	planner := certs.NewPlanner()
	p.plannerOf(planner)
	size := float64(heap()-before) / manyCerts
	if sweep { // the same on both engines
		report(b, figure{name: "certificates: memory of the plan, each", got: size, budget: certBudget, unit: "bytes", detail: "heap after a collection, of 100,000"})
		for name, at := range map[string]time.Time{"nothing due": now, "everything due": now.Add(renewalsPlanned + 72*time.Hour)} {
			var plans times
			rooms := map[string]certs.Room{"": {Slots: 1000, Orders: 300}}
			for range planTurns {
				plans = append(plans, timed(func() { planner.Due(at, rooms, 1000) }))
			}
			report(b, figure{name: "certificates: full plan, " + name, got: millis(plans.at(0.95)), budget: planBudget, unit: "ms", detail: fmt.Sprintf("p95 of %d", planTurns)})
		}
	}
	runtime.KeepAlive(planner)
	if sweep {
		p.pacedSweep(planner, ca, now)
		p.sweepOfService(service, ca, engine)
	}
}

// manyCertificates fills the table: certificates in the midst of their lives,
// all of which a CA is to be asked about.
func (p *parts) manyCertificates(authority string, now time.Time) {
	p.b.Helper()
	p.write(func(tx *db.Tx) error {
		types, err := tx.Migrator().ColumnTypes("certificates")
		if err != nil {
			return err
		}
		var columns []string
		empty := map[string]any{}
		for _, c := range types {
			if null, _ := c.Nullable(); null && c.Name() != "id" {
				continue
			}
			columns = append(columns, c.Name())
			if kind := strings.ToLower(c.DatabaseTypeName()); strings.HasPrefix(kind, "int") || kind == "bigint" {
				empty[c.Name()] = 0
			} else {
				empty[c.Name()] = ""
			}
		}
		one := "(" + strings.TrimSuffix(strings.Repeat("?, ", len(columns)), ", ") + ")"
		const each = 10
		for i := 0; i < manyCerts; i += each {
			var args []any
			for n := i; n < i+each; n++ {
				row := certificateRow(n, authority, now)
				for _, c := range columns {
					v, ok := row[c]
					if !ok {
						v = empty[c]
					}
					args = append(args, v)
				}
			}
			if err := sqlExec(tx, "INSERT INTO certificates ("+strings.Join(columns, ", ")+") VALUES "+strings.TrimSuffix(strings.Repeat(one+", ", each), ", "), args...); err != nil {
				return err
			}
		}
		return nil
	})
}

// certificateRow is one of them.
func certificateRow(n int, authority string, now time.Time) map[string]any {
	ms := func(d time.Duration) int64 { return now.Add(d).UnixMilli() }
	id, ari := fmt.Sprintf("crt_%026d", n), fmt.Sprintf("aYhba4dGQEHhs3uEe6CuLN4ByNQ.%016x", n)
	return map[string]any{"id": id, "customer_id": fmt.Sprintf("cus_%026d", n%certsCustomers), "server_id": fmt.Sprintf("srv_%026d", n/50), "folder": fmt.Sprintf("site-%d.example", n),
		"names": fmt.Sprintf(`["site-%d.example","www.site-%d.example"]`, n, n), "issued_names": fmt.Sprintf(`["site-%d.example","www.site-%d.example"]`, n, n),
		"key_type": "ec256", "challenge": "http-agent", "services": `["nginx"]`, "endpoints": "[]", "state": "served", "round": 1, "issued_round": 1, "issued_by": authority,
		"serial": fmt.Sprintf("%032x", n), "leaf": fmt.Sprintf("%064x", n), "chain": fmt.Sprintf("%064x", n), "spki": fmt.Sprintf("%064x", n), "issuer": "R11",
		"ari_id": ari, "plan_for": ari, "not_before": ms(-40 * 24 * time.Hour), "not_after": ms(50 * 24 * time.Hour), "renew_from": "ari",
		"renew_at":     ms(renewalsPlanned + time.Duration(n)*48*time.Hour/manyCerts),
		"window_start": ms(renewalsPlanned), "window_end": ms(renewalsPlanned + 48*time.Hour), "poll_at": ms(-time.Minute), "due_at": ms(-time.Minute),
		"seen": "[]", "version": 1, "created_at": ms(-400 * 24 * time.Hour), "updated_at": ms(-40 * 24 * time.Hour)}
}

func (p *parts) plannerOf(planner *certs.Planner) {
	p.b.Helper()
	if err := p.d.Read(p.ctx, func(tx *db.Tx) error { _, err := planner.Refresh(tx); return err }); err != nil {
		p.b.Fatal(err)
	}
	if planner.Len() != manyCerts {
		p.b.Fatalf("the planner knows %d certificates", planner.Len())
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// pacedSweep asks about a fifth of them, and keeps nothing.
func (p *parts) pacedSweep(planner *certs.Planner, ca *slowCA, now time.Time) {
	p.b.Helper()
	ids := planner.Polls(now, manyCerts/5)
	s := certs.Sweep{Pacer: limits.NewPacer(limits.LetsEncryptPace()), Now: time.Now, Ask: func(ctx context.Context, id string) { _, _ = ca.RenewalInfo(ctx, id) }}
	took := timed(func() {
		if n, err := s.Run(p.ctx, ids); err != nil || n != manyCerts/5 {
			p.b.Fatalf("asked about %d: %v", n, err)
		}
	})
	report(p.b, figure{name: "renewal windows: a paced sweep of 20,000", got: took.Seconds(), budget: sweepBudget / 5., unit: "s", detail: "answers in 50 ms; asked only"})
	report(p.b, figure{name: "renewal windows: requests in its busiest second", got: float64(ca.busiest()), budget: sweepRate, unit: "requests"})
}

// sweepOfService has the service ask about all of them, and keep every answer.
func (p *parts) sweepOfService(service *certs.Service, ca *slowCA, engine string) {
	p.b.Helper()
	ca.asked.Store(0)
	ca.mu.Lock()
	clear(ca.seconds)
	ca.mu.Unlock()
	took := timed(func() {
		for ca.asked.Load() < manyCerts {
			before := ca.asked.Load()
			if err := service.Look(p.ctx); err != nil {
				p.b.Fatal(err)
			}
			if ca.asked.Load() == before {
				p.b.Fatalf("asked about %d and no more", before)
			}
		}
	})
	report(p.b, figure{name: engine + ": renewal windows of 100,000, answers kept", got: took.Seconds(), budget: sweepBudget, unit: "s",
		detail: fmt.Sprintf("answers in 50 ms; busiest second %d requests", ca.busiest())})
}
