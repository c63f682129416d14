package bench_test

import (
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"ostler/e2e/world"
)

const (
	certsAtATime     = 8 // beyond that Pebble itself locks up
	certsLegoBudget  = 10
	certsMagicBudget = 3
	certsOurs        = 96
	certsMagic       = 48
	certsLego        = 16
	certsRequests    = 8
)

// BenchmarkCertificates measures the whole road of a certificate: asked for
// over the API, its key and signing request made on the host by a real agent,
// ordered with every step of the order in the database, brought to the host,
// installed, and seen in a handshake with a TLS server there. The peers only
// obtain: they have their keys in the same process, keep their certificates in
// memory or a file, and install nothing.
//
// All ask the same Pebble, in the same run, eight at a time, for one name each,
// with a P-256 key; the pre-flight, which the peers do not have, is on.
func BenchmarkCertificates(b *testing.B) {
	lab := world.NewLab(b, world.LabOptions{})
	w := world.New(b, world.Options{Lab: lab})
	maple := w.AddCustomers("maple")[0]
	web := lab.NewWeb(lab.Address())
	host := w.AddHost("maple-1", append(lab.HostConfig(web), fmt.Sprintf("parallel: %d", certsAtATime))...)
	live := lab.NewLive(b, host, lab.Address())
	sites := siteNames("site", certsOurs+certsAtATime)
	tenancy := w.AddTenancy(maple, host, "/srv/maple", sites...)
	w.Staff().Must(nil, http.MethodPost, "/certificate-authorities", map[string]any{"name": "Test authority", "directory": lab.CA.Directory, "profile": "default", "roots": string(lab.CA.TLSRoot)})
	lab.Point(sites, web.Addr)
	everyone := spenders{"plane": w.Plane, "agent": host.Agent, "signer": w.Signer, "authority": lab.Pebble}
	asked := 0
	obtain := func(list []string) time.Duration {
		start := time.Now()
		atOnce(b, func(name string) error {
			status, raw := maple.Do(http.MethodPost, "/certificates", map[string]any{"tenancy": tenancy, "names": []string{name},
				"endpoints": []map[string]string{{"address": live.Endpoint, "protocol": "tls"}}})
			if status != http.StatusCreated {
				return fmt.Errorf("status %d: %s", status, raw)
			}
			return nil
		}, list, certsAtATime)
		asked += len(list)
		of := func(state string, atMost int) int {
			var out struct{ Items []world.Cert }
			maple.Must(&out, http.MethodGet, fmt.Sprintf("/certificates?state=%s&page_size=%d", state, atMost), nil)
			return len(out.Items)
		}
		world.Eventually(b, "all are issued", 5*time.Minute, func() bool { return of("new", 1) == 0 })
		took := time.Since(start)
		if got := of("served", 200); got != asked {
			b.Fatalf("served: got %d, want %d", got, asked)
		}
		return took
	}
	obtain(sites[:certsAtATime]) // the account, connections, caches
	before := everyone.spent()
	took := obtain(sites[certsAtATime:])
	cost, costs := everyone.since(before, certsOurs)
	ours := certsOurs / took.Seconds()
	requests := 0
	for _, s := range sites[certsAtATime:] {
		requests += maple.CertIssues(s)[0].Requests
	}

	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(lab.CA.TLSRoot)
	speed := func(kind string, n int, make func(listen string) peer) (each, cost float64) {
		address := lab.Address()
		obtain := make(net.JoinHostPort(address, strconv.Itoa(lab.HTTPPort)))
		list := siteNames(kind, n+1)
		lab.Point(list, address)
		if err := obtain(list[n]); err != nil { // the account, connections
			b.Fatal(err)
		}
		before := everyone.spent()
		took := atOnce(b, obtain, list[:n], certsAtATime)
		cost, _ = everyone.since(before, n)
		return float64(n) / took.Seconds(), cost
	}
	magic, magicCost := speed("magic", certsMagic, func(listen string) peer { return certmagicObtain(b, lab.CA.Directory, pool, listen) })
	lego, _ := speed("lego", certsLego, func(listen string) peer { return legoObtain(b, lab.CA.Directory, pool, listen) })

	each := fmt.Sprintf("%.1f a second; %d at a time, on the whole road", ours, certsAtATime)
	report(b, figure{name: "certificates: as fast as lego's Obtain loop, times", got: ours / lego, least: certsLegoBudget, unit: "×", detail: fmt.Sprintf("%s; lego %.1f", each, lego)})
	report(b, figure{name: "certificates: as fast as certmagic without its limiter, times", got: ours / magic, least: certsMagicBudget, unit: "×", detail: fmt.Sprintf("%s; certmagic %.1f", each, magic)})
	report(b, figure{name: "certificates: processor time of each, in all processes", got: cost, unit: "ms", detail: fmt.Sprintf("%s; certmagic's %.1f", costs, magicCost)})
	report(b, figure{name: "certificates: requests to the authority for each", got: float64(requests) / certsOurs, budget: certsRequests, unit: "requests", detail: "without questions about renewals"})
}

// siteNames are names of sites, each in a domain of its own.
func siteNames(kind string, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("%s-%03d.example", kind, i)
	}
	return slices.Clip(list)
}
