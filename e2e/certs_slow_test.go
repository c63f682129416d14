//go:build slow

package e2e_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"ostler/e2e/world"
)

// The plane is killed at each step of an order, before the authority knows and
// after: one order, one certificate, each time.
func TestSlowPlaneKilledAtEachStepOfAnOrder(t *testing.T) {
	t.Parallel()
	var sites []string
	for n := range 10 {
		sites = append(sites, fmt.Sprintf("step-%d.example", n))
	}
	h := newLabHouse(t, "", world.NewLab(t, world.LabOptions{}), sites...)
	for n, ask := range []world.Ask{world.AskNewOrder, world.AskAuthz, world.AskChallenge, world.AskFinalize, world.AskCertificate} {
		for m, after := range []bool{false, true} {
			step := killStep{fmt.Sprintf("%s, after: %v", ask, after), ask, after}
			h.Step(t, step.name, func(t *testing.T) { killPlane(t, h, sites[2*n+m], step) })
		}
	}
}

// The agent is killed when it has made the key, and when it installs: one key,
// one order, and the new certificate is served when it is back.
func TestSlowAgentKilledAtEachStepOfACertificate(t *testing.T) {
	t.Parallel()
	h := newLabHouse(t, "", world.NewLab(t, world.LabOptions{}), "shop.example")
	x := h.served("shop.example")
	h.host.Agent.Stop()
	pipe := h.host.Through(func(addr string) *world.Pipe { return world.NewPipe(t, addr) })
	h.host.Start()
	h.host.WaitConnected()

	h.Step(t, "when it has made the key", func(t *testing.T) {
		h.lab.Faults.Forget()
		full := pipe.Limit(0)
		h.maple.Must(nil, http.MethodPost, "/certificates/"+x.ID+"/renew", nil)
		within(t, "the agent has something to say", full)
		world.Eventually(t, "the key is there", certLimit, func() bool { return len(h.keys(x)) == 2 })
		h.killAgent(pipe.Open)
		h.agentKilled(t, x, 2)
	})
	h.Step(t, "when it has written and tests", func(t *testing.T) {
		h.lab.Faults.Forget()
		stop := filepath.Join(h.web.Dir, "hold")
		if err := os.WriteFile(stop, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		h.maple.Must(nil, http.MethodPost, "/certificates/"+x.ID+"/renew", nil)
		world.Eventually(t, "it tests", certLimit, func() bool { _, err := os.Stat(stop + "ing"); return err == nil })
		h.killAgent(func() {
			if err := os.Remove(stop); err != nil {
				t.Fatal(err)
			}
		})
		h.agentKilled(t, x, 3)
	})
}

// killAgent kills the agent, and starts it again when the plane's patience with
// it is over.
func (h *labHouse) killAgent(open func()) {
	h.T.Helper()
	h.host.Agent.Kill()
	h.Plane.Kill()
	h.Passed("agent")
	open()
	h.StartPlane()
	h.host.Start()
}

// agentKilled expects the nth attempt to come to its end with one order and one key.
func (h *labHouse) agentKilled(t *testing.T, x world.Cert, n int) {
	t.Helper()
	h.again(x, n)
	h.shows(h.maple.CertServed(x.ID, 5*time.Minute))
	if got := len(h.maple.CertIssues(x.ID)); got != n {
		t.Errorf("attempts: got %d, want %d", got, n)
	}
	if got := h.answeredOrders(x.Names[0]); got != 1 {
		t.Errorf("orders: got %d, want 1", got)
	}
	if got := len(h.keys(x)); got > n {
		t.Errorf("keys: got %d, want one for each of %d rounds", got, n)
	}
}

// A hundred broken names keep nobody else waiting: the good ones take at most
// twice as long as without them.
func TestSlowBrokenNamesHoldUpNobody(t *testing.T) {
	t.Parallel()
	const good, broken = 20, 100
	var sites []string
	for i := range good {
		sites = append(sites, fmt.Sprintf("clean-%02d.example", i), fmt.Sprintf("good-%02d.example", i))
	}
	for i := range broken {
		sites = append(sites, fmt.Sprintf("broken-%03d.example", i))
	}
	h := newLabHouse(t, "", world.NewLab(t, world.LabOptions{}), sites...)
	live := h.lab.NewLive(t, h.host, h.lab.Address())
	nobody := h.lab.Address()
	for _, s := range sites {
		h.lab.Point([]string{s}, h.web.Addr)
	}
	add := func(name string) string {
		return h.maple.AddCert(world.NewCert{Tenancy: h.tenancy, Names: []string{name}, Endpoints: []string{live.Endpoint}}).ID
	}
	took := func(kind string) time.Duration {
		start := time.Now()
		var ids []string
		for i := range good {
			ids = append(ids, add(fmt.Sprintf("%s-%02d.example", kind, i)))
		}
		for _, id := range ids {
			h.maple.CertServed(id, 5*time.Minute)
		}
		return time.Since(start)
	}
	clean := took("clean")
	// The pre-flight lets them through; the authority then finds nobody there,
	// or refuses the order.
	for i := range broken {
		name := fmt.Sprintf("broken-%03d.example", i)
		if i%2 == 0 {
			h.lab.Point([]string{name}, nobody)
		} else {
			h.lab.Faults.Make(world.Fault{Ask: world.AskNewOrder, If: name, Status: 403, Header: map[string]string{"Content-Type": "application/problem+json"},
				Body: `{"type":"urn:ietf:params:acme:error:rejectedIdentifier","detail":"policy forbids it","status":403}`})
		}
		add(name)
	}
	with := took("good")
	t.Logf("20 good ones: %s alone, %s beside 100 broken ones", clean, with)
	if with > 2*clean+20*time.Second { // 20 s for a machine that is not ours alone; held up, it is minutes
		t.Errorf("20 good ones took %s beside broken ones, %s alone: want at most twice as long", with, clean)
	}
}

// Nonces that are refused, nine times of ten at worst, cost time and never a certificate.
func TestSlowNoncesRefused(t *testing.T) {
	t.Parallel()
	for _, percent := range []int{5, 50, 90} {
		t.Run(fmt.Sprint(percent), func(t *testing.T) {
			t.Parallel()
			h := newLabHouse(t, "", world.NewLab(t, world.LabOptions{NonceReject: percent}), "one.example", "two.example")
			for _, name := range []string{"one.example", "two.example"} {
				h.site(name)
				x := h.maple.AddCert(world.NewCert{Tenancy: h.tenancy, Names: []string{name}, Endpoints: []string{h.lab.NewLive(t, h.host, h.lab.Address()).Endpoint}})
				h.maple.CertServed(x.ID, 5*time.Minute)
			}
		})
	}
}

// A CA that takes a minute over a signing request is waited for, by few questions.
func TestSlowOrderIsProcessed(t *testing.T) {
	t.Parallel()
	h := newLabHouse(t, "", world.NewLab(t, world.LabOptions{}), "shop.example")
	old := h.served("shop.example")
	h.lab.Faults.Forget()
	var first time.Time
	slow := func(body []byte) []byte {
		if first.IsZero() {
			first = time.Now()
		}
		if time.Since(first) > time.Minute {
			return body
		}
		return replaceStatus(body, "processing", "")
	}
	var one sync.Mutex // answers come side by side
	guarded := func(body []byte) []byte {
		one.Lock()
		defer one.Unlock()
		return slow(body)
	}
	defer h.lab.Faults.Make(world.Fault{Ask: world.AskFinalize, Rewrite: guarded})()
	defer h.lab.Faults.Make(world.Fault{Ask: world.AskOrder, Rewrite: guarded})()
	h.maple.Must(nil, http.MethodPost, "/certificates/"+old.ID+"/renew", nil)
	world.Eventually(t, "there is another attempt", certLimit, func() bool { return len(h.maple.CertIssues(old.ID)) == 2 })
	h.maple.CertOver(old.ID, 5*time.Minute)
	x := h.maple.CertServed(old.ID, certLimit)
	if x.Issued.Leaf == old.Issued.Leaf {
		t.Error("it was not renewed")
	}
	h.shows(x)
	if n := h.lab.Faults.Count("", world.AskOrder); n < 3 || n > 40 {
		t.Errorf("it was asked %d times in a minute", n)
	}
	if n := h.orders("shop.example"); n != 1 {
		t.Errorf("orders: got %d, want 1", n)
	}
}
