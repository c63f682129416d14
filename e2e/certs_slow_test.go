//go:build slow

package e2e_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"ostler/e2e/world"
)

// The plane is killed at each step of an order, before the authority knows and
// after: one order, one certificate, each time.
func TestSlowPlaneKilledAtEachStepOfAnOrder(t *testing.T) {
	t.Parallel()
	h := newLabHouse(t, "", world.NewLab(t, world.LabOptions{}), "shop.example")
	x := h.served("shop.example")
	for _, ask := range []world.Ask{world.AskNewOrder, world.AskAuthz, world.AskChallenge, world.AskFinalize, world.AskCertificate} {
		for _, after := range []bool{false, true} {
			step := killStep{fmt.Sprintf("%s, after: %v", ask, after), ask, after}
			h.Step(t, step.name, func(t *testing.T) { killPlane(t, h, x, step) })
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

// keys are the private keys of a certificate on the host.
func (h *labHouse) keys(x world.Cert) []string {
	h.T.Helper()
	keys, err := filepath.Glob(filepath.Join(h.host.CertFolder(), x.Folder, "[0-9]*", "privkey.pem"))
	if err != nil {
		h.T.Fatal(err)
	}
	return keys
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
	if with > 2*clean+2*time.Second {
		t.Errorf("20 good ones took %s beside broken ones, %s alone: want at most twice as long", with, clean)
	}
}

// Nonces that are refused nine times of ten cost time, never a certificate.
func TestSlowNoncesRefused(t *testing.T) {
	t.Parallel()
	for _, percent := range []int{50, 90} {
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

// An order that lapses, or turns invalid at the end, is told within seconds, and
// the old certificate stays served.
func TestSlowOrderGoesBad(t *testing.T) {
	t.Parallel()
	h := newLabHouse(t, "", world.NewLab(t, world.LabOptions{}), "shop.example")
	old := h.served("shop.example")
	invalid := func(body []byte) []byte {
		return replaceStatus(body, "invalid", `"error":{"type":"urn:ietf:params:acme:error:serverInternal","detail":"could not sign","status":500},`)
	}
	n := 1
	for _, step := range []struct {
		name, code string
		faults     []world.Fault
	}{
		{"invalid after the signing request", "ca_order_invalid", []world.Fault{{Ask: world.AskFinalize, Rewrite: invalid}, {Ask: world.AskOrder, Rewrite: invalid}}},
	} {
		h.Step(t, step.name, func(t *testing.T) {
			var lift []func()
			for _, f := range step.faults {
				lift = append(lift, h.lab.Faults.Make(f))
			}
			h.maple.Must(nil, http.MethodPost, "/certificates/"+old.ID+"/renew", nil)
			n++
			issue := h.again(old, n)
			h.why(step.name, issue, "failed", step.code)
			for _, l := range lift {
				l()
			}
			if got := world.Leaf(h.web.Endpoint(), "shop.example"); got != old.Issued.Leaf {
				t.Errorf("served: got %.12s, want the old one", got)
			}
		})
	}
	h.Step(t, "processing for a while", func(t *testing.T) {
		until := time.Now().Add(20 * time.Second)
		slow := func(body []byte) []byte {
			if time.Now().After(until) {
				return body
			}
			return replaceStatus(body, "processing", "")
		}
		defer h.lab.Faults.Make(world.Fault{Ask: world.AskFinalize, Rewrite: slow})()
		defer h.lab.Faults.Make(world.Fault{Ask: world.AskOrder, Rewrite: slow})()
		h.maple.Must(nil, http.MethodPost, "/certificates/"+old.ID+"/renew", nil)
		n++
		h.again(old, n)
		h.shows(h.maple.CertServed(old.ID, 5*time.Minute))
	})
}

// replaceStatus has an order be in another state.
func replaceStatus(body []byte, status, more string) []byte {
	return orderStatus.ReplaceAll(body, []byte(more+`"status":"`+status+`"`))
}

var orderStatus = regexp.MustCompile(`"status": ?"(valid|processing)"`)
