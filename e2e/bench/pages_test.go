package bench_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"runtime/debug"
	"sync"
	"testing"
	"time"

	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/identity"
	"ostler/controlplane/server"
	"ostler/web"
)

const (
	pageBudget = 80 // ms, the 99th percentile
	browsers   = 4
	views      = 75 // of each page, by each browser
)

// BenchmarkPages measures what a browser waits for each page, in a house of
// 1,000 servers and 100 customers on SQLite: the real portal with its
// middleware and over HTTP on loopback, four browsers at once, each asking for
// its next page as soon as it has the last.
func BenchmarkPages(b *testing.B) {
	started := time.Now()
	h := fill(newParts(b, dbtest.SQLite(b, db.SystemClock{})))
	b.Logf("filled in %.0f s", time.Since(started).Seconds())
	url := h.portal()
	var staff, owner [browsers]*http.Client
	for i := range browsers {
		staff[i], owner[i] = h.browser(url, h.admin), h.browser(url, h.contacts[i])
	}
	theirs := func(path string) func(i int) string { // customer i's own; their newest plan is among the servers
		return func(i int) string { return fmt.Sprintf(path, h.plans[i].ID) }
	}
	same := func(path string) func(int) string { return func(int) string { return path } }
	for _, page := range []struct {
		name string
		who  *[browsers]*http.Client
		path func(i int) string
	}{
		{"staff: today", &staff, same("/today")},
		{"staff: servers", &staff, same("/servers")},
		{"staff: server", &staff, func(i int) string { return "/servers/" + h.servers[100+i].ID }},
		{"staff: plan", &staff, theirs("/plans/%s")},
		{"staff: copies of a plan", &staff, theirs("/plans/%s/copies")},
		{"staff: jobs", &staff, same("/jobs")},
		{"staff: job", &staff, func(i int) string { return "/jobs/" + h.lastJob[h.plans[i].Customer] }},
		{"staff: activity", &staff, same("/activity")},
		{"staff: customers", &staff, same("/customers")},
		{"customer: home", &owner, same("/home")},
		{"customer: server", &owner, func(i int) string { return "/servers/" + h.plans[i].Server }},
		{"customer: backups", &owner, same("/backups")},
		{"customer: plan", &owner, theirs("/plans/%s")},
		{"customer: copies of a plan", &owner, theirs("/plans/%s/copies")},
		{"customer: job", &owner, func(i int) string { return "/jobs/" + h.lastJob[h.plans[i].Customer] }},
		{"customer: jobs", &owner, same("/jobs")},
		{"customer: activity", &owner, same("/activity")},
	} {
		before, rest := cpuTime(), others()
		t := h.load(page.who, url, page.path)
		cpu := (cpuTime() - before) / time.Duration(len(t)+browsers)
		report(b, figure{name: page.name, got: millis(t.at(0.99)), budget: pageBudget, unit: "ms",
			detail: fmt.Sprintf("p99 of %d; median %.1f ms, CPU of each %.1f ms%s", len(t), millis(t.median()), millis(cpu), rest())})
	}
}

// portal serves the pages as “ostler serve” does, and returns their address.
func (h *house) portal() string {
	h.b.Helper()
	debug.SetGCPercent(400)
	pages, err := web.New(web.Deps{Identity: h.identity, Customers: h.customers, Findings: h.findings, Jobs: h.jobs, Ledger: h.ledger, Agents: h.agents, Backups: h.backups, Bus: h.bus, Now: h.d.Now},
		web.Options{Company: "Harbour Hosting", EnrolURL: "https://localhost:8445"})
	if err != nil {
		h.b.Fatal(err)
	}
	s := must[*server.Server](h.b)(server.New(server.Deps{DB: h.d, Keeper: h.keeper, Auth: h.identity, Agents: h.agents, Customers: h.customers, Identity: h.identity,
		Jobs: h.jobs, Findings: h.findings, Ledger: h.ledger, Chunks: h.backups, Backups: h.backups},
		server.Options{PortalAddr: "127.0.0.1:0", AgentsAddr: "off", EnrolAddr: "off", MetricsAddr: "off", Long: pages.LongLived}))
	pages.Register(s.Portal())
	s.AddRoutes(pages.Routes())
	s.PageErrors(pages.Fault)
	ctx, stop := context.WithCancel(h.ctx)
	ready := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.Run(ctx, func() { close(ready) }); err != nil {
			h.b.Error(err)
		}
	})
	h.b.Cleanup(func() { stop(); wg.Wait() })
	<-ready
	return "http://" + s.Addr(server.Portal).String()
}

// browser signs somebody in by a demo's link.
func (h *house) browser(url, person string) *http.Client {
	h.b.Helper()
	jar := must[*cookiejar.Jar](h.b)(cookiejar.New(nil))
	c := &http.Client{Jar: jar, Transport: &http.Transport{}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	h.b.Cleanup(c.CloseIdleConnections)
	link := must[identity.Link](h.b)(h.identity.MintDemoLink(h.ctx, person))
	if status := get(h.b, c, url+link.Path); status != http.StatusSeeOther {
		h.b.Fatalf("sign in: %d", status)
	}
	return c
}

// get fetches a page, all of it.
func get(b *testing.B, c *http.Client, url string) (status int) {
	res, err := c.Get(url)
	if err != nil {
		b.Error(err)
		return 0
	}
	_, err = io.Copy(io.Discard, res.Body)
	if err := res.Body.Close(); err != nil {
		b.Error(err)
	}
	if err != nil {
		b.Error(err)
	}
	return res.StatusCode
}

// load has the browsers ask for a page, all at once, and returns all times.
func (h *house) load(who *[browsers]*http.Client, url string, path func(i int) string) times {
	h.b.Helper()
	var each [browsers]times
	var wg sync.WaitGroup
	for i, c := range who {
		if status := get(h.b, c, url+path(i)); status != http.StatusOK { // and warms up
			h.b.Fatalf("GET %s: %d", path(i), status)
		}
		wg.Go(func() {
			for range views {
				each[i] = append(each[i], timed(func() {
					if status := get(h.b, c, url+path(i)); status != http.StatusOK {
						h.b.Errorf("GET %s: %d", path(i), status)
					}
				}))
			}
		})
	}
	wg.Wait()
	var all times
	for _, t := range each {
		all = append(all, t...)
	}
	return all
}
