package server_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"ostler/agents"
	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/server"
)

// run has the server listen until the test ends.
func (w *world) run() {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	started, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- w.s.Run(ctx, func() { close(started) }) }()
	select {
	case <-started:
	case err := <-done:
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Error(err)
		}
	})
}

func (w *world) url(listener, path string) string {
	scheme := "https://"
	if listener == server.Portal || listener == server.Metrics {
		scheme = "http://"
	}
	return scheme + w.s.Addr(listener).String() + path
}

// machine is a host's side over the network.
type machine struct {
	w     *world
	key   *ecdsa.PrivateKey
	chain [][]byte // the client certificate
	roots *x509.CertPool
	id    wire.EnrolResponse
	req   wire.EnrolRequest
}

func (w *world) newMachine(srv string) *machine {
	w.t.Helper()
	token, _, err := w.agents.NewToken(w.ctx, all, srv)
	w.must(err)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	w.must(err)
	m := &machine{w: w, key: key, roots: x509.NewCertPool()}
	m.req = wire.EnrolRequest{Token: token, CSR: m.csr(), MachineID: "m1", BootID: "b1", Hostname: "web1"}
	ca, err := x509.ParseCertificate(w.agents.Authority())
	w.must(err)
	_, pin, err := wire.ParseEnrolToken(token)
	w.must(err)
	if sha256.Sum256(ca.RawSubjectPublicKeyInfo) != pin {
		w.t.Error("the token's pin is not the CA's")
	}
	m.roots.AddCert(ca)
	return m
}

func (m *machine) csr() []byte {
	m.w.t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, m.key)
	m.w.must(err)
	return der
}

func (m *machine) client() *http.Client {
	conf := &tls.Config{RootCAs: m.roots, MinVersion: tls.VersionTLS13, Time: m.w.wall.Now}
	if m.chain != nil {
		conf.Certificates = []tls.Certificate{{Certificate: m.chain, PrivateKey: m.key}}
	}
	return &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{TLSClientConfig: conf, DisableKeepAlives: true}}
}

// ask sends a request and decodes a 200 into out; it returns the status and, of
// a refusal, the wire.Refusal.
func (m *machine) ask(method, url string, in, out any, headers ...string) (int, wire.Refusal, error) {
	m.w.t.Helper()
	var body io.Reader
	if b, ok := in.([]byte); ok {
		body = bytes.NewReader(b)
	} else if in != nil {
		b, err := json.Marshal(in)
		m.w.must(err)
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(m.w.t.Context(), method, url, body)
	m.w.must(err)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := m.client().Do(req)
	if err != nil {
		return 0, wire.Refusal{}, err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	m.w.must(err)
	var r wire.Refusal
	if res.StatusCode > 299 {
		if err := json.Unmarshal(data, &r); err != nil || r.Code == "" || r.Message == "" {
			m.w.t.Errorf("%s %s: got %d %s: no refusal that agents can read", method, url, res.StatusCode, data)
		}
	} else if out != nil {
		m.w.must(json.Unmarshal(data, out))
	}
	return res.StatusCode, r, nil
}

func (m *machine) enrol() {
	m.w.t.Helper()
	status, r, err := m.ask("POST", m.w.url(server.Enrol, wire.PathEnrol), m.req, &m.id)
	if err != nil || status != http.StatusOK {
		m.w.t.Fatalf("enrol: got %d %v, %v", status, r, err)
	}
	m.chain = [][]byte{m.id.Certificate}
}

// stream dials the agents' listener and says hello.
func (m *machine) stream(instance string) *websocket.Conn {
	m.w.t.Helper()
	ws, _, err := websocket.Dial(m.w.t.Context(), m.w.url(server.Agents, wire.PathStream), &websocket.DialOptions{HTTPClient: m.client()})
	m.w.must(err)
	m.w.t.Cleanup(func() { _ = ws.CloseNow() })
	m.send(ws, wire.Frame{Type: wire.FrameHello, Hello: &wire.Hello{Version: wire.Version, AgentVersion: "t", BootID: "b1", MachineID: "m1", Instance: instance, Actions: wire.Actions()}})
	return ws
}

func (m *machine) send(ws *websocket.Conn, f wire.Frame) {
	m.w.t.Helper()
	data, err := json.Marshal(f)
	m.w.must(err)
	m.w.must(ws.Write(m.w.t.Context(), websocket.MessageText, data))
}

func (m *machine) next(ws *websocket.Conn, want wire.FrameType) wire.Frame {
	m.w.t.Helper()
	ctx, cancel := context.WithTimeout(m.w.t.Context(), 15*time.Second)
	defer cancel()
	for {
		_, data, err := ws.Read(ctx)
		if err != nil {
			m.w.t.Fatalf("waiting for %s: %v", want, err)
		}
		var f wire.Frame
		m.w.must(json.Unmarshal(data, &f))
		if f.Type == want {
			return f
		}
	}
}

func TestAgentOverTLS(t *testing.T) {
	w := newWorld(t)
	o := w.newTenant("Mine")
	w.run()
	m := w.newMachine(o.server.ID)
	m.enrol()
	ws := m.stream("i1")
	if got := m.next(ws, wire.FrameWelcome).Welcome; got.Server != o.server.ID || got.HeartbeatSeconds != 30 {
		t.Errorf("welcome: got %+v", got)
	}
	offer := m.next(ws, wire.FrameOffer).Offer
	e, err := wire.Verify(m.id.SignerKeys, offer.Envelope)
	if err != nil || e.Server != o.server.ID {
		t.Fatalf("offer: got %+v, %v", e, err)
	}
	ref := wire.JobRef{Job: e.Job, Epoch: offer.Epoch}
	m.send(ws, wire.Frame{Type: wire.FrameAccept, JobRef: &ref})
	m.send(ws, wire.Frame{Type: wire.FrameResult, Result: &wire.Result{JobRef: ref, Outcome: wire.Failed, Failure: &wire.Failure{Cause: wire.CausePolicy}}})
	m.next(ws, wire.FrameAck)
	if n := w.agents.Connected(); n != 1 {
		t.Errorf("connected: got %d, want 1", n)
	}
	var renewed wire.RenewResponse
	if status, r, err := m.ask("POST", w.url(server.Agents, wire.PathRenew), wire.RenewRequest{CSR: m.csr()}, &renewed); err != nil || status != 200 {
		t.Fatalf("renew: got %d %v, %v", status, r, err)
	}
	m.chain = [][]byte{renewed.Certificate}
	m.testChunks(o.server.ID)
	res, err := http.Get(w.url(server.Metrics, "/metrics"))
	w.must(err)
	defer res.Body.Close()
	figures, err := io.ReadAll(res.Body)
	w.must(err)
	for _, want := range []string{"ostler_agents_connected 1", `ostler_enrolments_total{outcome="ok"} 1`, `route="/agent/v1/enrol"`} {
		if !strings.Contains(string(figures), want) {
			t.Errorf("metrics: no %s", want)
		}
	}
	if strings.Contains(string(figures), o.server.ID) || strings.Contains(string(figures), m.id.Agent) {
		t.Error("metrics have labels of one agent")
	}
}

func (m *machine) testChunks(srv string) {
	t, w := m.w.t, m.w
	t.Helper()
	sum := sha256.Sum256([]byte("data"))
	put := func(path string, body []byte, headers ...string) (int, string) {
		t.Helper()
		status, r, err := m.ask("PUT", w.url(server.Agents, path), body, nil, headers...)
		w.must(err)
		return status, r.Code
	}
	good := []string{wire.HeaderEpoch, "3", wire.HeaderChunkSHA256, hex.EncodeToString(sum[:])}
	if status, code := put(wire.ChunkPath("job_1", 0), []byte("data"), good...); status != http.StatusNoContent {
		t.Errorf("chunk: got %d %s, want 204", status, code)
	}
	if got, want := w.chunks.puts[0], srv+" "+m.id.Agent+" job_1 "+hex.EncodeToString(sum[:])+" data"; got != want {
		t.Errorf("chunk: got %s, want %s", got, want)
	}
	if status, code := put(wire.ChunkPath("job_foreign", 0), []byte("data"), good...); status != http.StatusNotFound || code != "not_found" {
		t.Errorf("another's job: got %d %s, want 404", status, code)
	}
	if status, _ := put(wire.PathChunks+"/job_1/-1", []byte("data"), good...); status != http.StatusUnprocessableEntity {
		t.Errorf("negative index: got %d, want 422", status)
	}
	if status, _ := put(wire.ChunkPath("job_1", 0), []byte("data"), wire.HeaderEpoch, "3"); status != http.StatusUnprocessableEntity {
		t.Errorf("no hash: got %d, want 422", status)
	}
	status, _, err := m.ask("PUT", w.url(server.Agents, wire.ChunkPath("job_1", 0)), make([]byte, wire.ChunkSize+1), nil, good...)
	if err == nil && status != http.StatusRequestEntityTooLarge || len(w.chunks.puts) != 1 { // the connection may break before the answer is read
		t.Errorf("too large: got %d, %d chunks, want 413 and 1", status, len(w.chunks.puts))
	}
	var have wire.ChunksHave
	status, _, err = m.ask("GET", w.url(server.Agents, wire.ChunkPath("job_1", -1)), nil, &have)
	if err != nil || status != 200 || len(have.Have) != 2 {
		t.Errorf("have: got %d %v, %v", status, have, err)
	}
	get := func(path string, headers ...string) (status int, code, said string) {
		t.Helper()
		status, r, err := m.ask("GET", w.url(server.Agents, path), nil, &said, headers...)
		w.must(err)
		return status, r.Code, said
	}
	if status, _, said := get(wire.ChunkPath("job_1", 4), wire.HeaderEpoch, "3"); status != 200 || said != srv+" "+m.id.Agent+" job_1 3 4" {
		t.Errorf("chunk of a source: got %d %q", status, said)
	}
	if status, code, _ := get(wire.ChunkPath("job_foreign", 0), wire.HeaderEpoch, "3"); status != http.StatusNotFound || code != "not_found" {
		t.Errorf("chunk of another's: got %d %s, want 404", status, code)
	}
	for name, path := range map[string]string{"no epoch": wire.ChunkPath("job_1", 0), "no index": wire.PathChunks + "/job_1/x", "below 0": wire.PathChunks + "/job_1/-1"} {
		if status, _, _ := get(path); status != http.StatusUnprocessableEntity {
			t.Errorf("%s: got %d, want 422", name, status)
		}
	}
}

func TestAgentsRefused(t *testing.T) {
	w := newWorld(t)
	o := w.newTenant("Mine")
	w.run()
	stranger := newWorld(t)
	stranger.run()
	theirs := stranger.newMachine(stranger.newTenant("Theirs").server.ID)
	theirs.enrol()

	m := w.newMachine(o.server.ID)
	t.Run("no certificate", func(t *testing.T) {
		if _, _, err := m.ask("GET", w.url(server.Agents, wire.PathStream), nil, nil); err == nil {
			t.Error("the agents' listener spoke to a client without a certificate")
		}
		if status, r, _ := m.ask("POST", w.url(server.Enrol, wire.PathRenew), wire.RenewRequest{CSR: m.csr()}, nil); status != 401 {
			t.Errorf("renew: got %d %v, want 401", status, r)
		}
	})
	t.Run("bad tokens", func(t *testing.T) {
		bad := m.req
		bad.Token = theirs.req.Token
		if status, r, err := m.ask("POST", w.url(server.Enrol, wire.PathEnrol), bad, nil); err != nil || status != 401 || r.Next == "" {
			t.Errorf("another plane's token: got %d %v, %v, want 401", status, r, err)
		}
		if status, _, _ := m.ask("POST", w.url(server.Enrol, wire.PathEnrol), []byte("{"), nil); status != 422 {
			t.Errorf("not JSON: got %d, want 422", status)
		}
		m.enrol()
		copied := w.newMachine(o.server.ID)
		copied.req.Token = m.req.Token
		if status, _, _ := copied.ask("POST", w.url(server.Enrol, wire.PathEnrol), copied.req, nil); status != 401 {
			t.Errorf("used token, another key: got %d, want 401", status)
		}
	})
	t.Run("another plane's certificate", func(t *testing.T) {
		evil := &machine{w: w, key: theirs.key, chain: theirs.chain, roots: m.roots}
		if _, _, err := evil.ask("GET", w.url(server.Agents, wire.PathStream), nil, nil); err == nil {
			t.Error("the agents' listener spoke to another plane's agent")
		}
		if status, _, err := evil.ask("POST", w.url(server.Enrol, wire.PathRenew), wire.RenewRequest{CSR: evil.csr()}, nil); err == nil && status != 401 {
			t.Errorf("renew: got %d, want 401", status)
		}
	})
	t.Run("replaced", func(t *testing.T) {
		second := w.newMachine(o.server.ID)
		second.enrol()
		if status, _, err := m.ask("GET", w.url(server.Agents, wire.PathStream), nil, nil); err != nil || status != 401 {
			t.Errorf("got %d, %v, want 401", status, err)
		}
		m = second
	})
	t.Run("expired", func(t *testing.T) {
		w.wall.Advance(8 * 24 * time.Hour)
		if _, _, err := m.ask("GET", w.url(server.Agents, wire.PathStream), nil, nil); err == nil {
			t.Error("the agents' listener took an expired certificate")
		}
		var res wire.RenewResponse
		if status, r, err := m.ask("POST", w.url(server.Enrol, wire.PathRenew), wire.RenewRequest{CSR: m.csr()}, &res); err != nil || status != 200 {
			t.Fatalf("renewing an expired one: got %d %v, %v", status, r, err)
		}
		m.chain = [][]byte{res.Certificate}
		m.next(m.stream("i1"), wire.FrameWelcome)
	})
}

// Two machines with one certificate: both lose their sessions, and learn why
// when they come back.
func TestCloneOverTLS(t *testing.T) {
	w := newWorld(t)
	o := w.newTenant("Mine")
	w.run()
	m := w.newMachine(o.server.ID)
	m.enrol()
	first := m.stream("i1")
	m.next(first, wire.FrameWelcome)
	ended := make(chan error, 1)
	go func() { // a live agent reads, and so answers pings
		for {
			if _, _, err := first.Read(t.Context()); err != nil {
				ended <- err
				return
			}
		}
	}()
	second := m.stream("i2")
	_, _, err := second.Read(t.Context())
	if websocket.CloseStatus(err) != websocket.StatusPolicyViolation || !strings.Contains(err.Error(), string(controlplane.CodeConflict)) {
		t.Errorf("the second: got %v, want a refusal that says conflict", err)
	}
	<-ended
	if status, r, err := m.ask("GET", w.url(server.Agents, wire.PathStream), nil, nil); err != nil || status != 409 || r.Next == "" {
		t.Errorf("afterwards: got %d %v, %v, want 409 with a next step", status, r, err)
	}
	s, err := w.agents.Status(w.ctx, all, o.server.ID)
	if err != nil || s.State != agents.Frozen {
		t.Errorf("got %s, %v, want frozen", s.State, err)
	}
}

// A shutdown tells agents to come back, and waits for those who go.
func TestDrainOverTLS(t *testing.T) {
	w := newWorld(t)
	o := w.newTenant("Mine")
	ctx, stop := context.WithCancel(t.Context())
	started, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- w.s.Run(ctx, func() { close(started) }) }()
	<-started
	m := w.newMachine(o.server.ID)
	m.enrol()
	ws := m.stream("i1")
	m.next(ws, wire.FrameWelcome)
	stop()
	if f := m.next(ws, wire.FrameDrain); f.DrainMillis != 1000 {
		t.Errorf("drain: got %d ms, want 1000", f.DrainMillis)
	}
	_ = ws.Close(websocket.StatusNormalClosure, "")
	if err := <-done; err != nil {
		t.Error(err)
	}
	if a := w.call("", "GET", "/readyz", ""); a.status != 503 {
		t.Errorf("readyz while draining: got %d, want 503", a.status)
	}
}

// TestEnrolKnocking holds that whoever only knocks is turned away before
// anything is looked up, and that agents who renew are not.
func TestEnrolKnocking(t *testing.T) {
	w := newWorld(t)
	o := w.newTenant("Bakery")
	w.run()
	m := w.newMachine(o.server.ID)
	var last int
	var said wire.Refusal
	for range 200 {
		if last, said, _ = m.ask("POST", w.url(server.Enrol, wire.PathEnrol), []byte("{"), nil); last == http.StatusTooManyRequests {
			break
		}
	}
	if last != http.StatusTooManyRequests || said.Code != string(controlplane.CodeTooMany) || said.Next == "" {
		t.Errorf("after 200 knocks: got %d %+v, want 429 with a next step", last, said)
	}
	if status, _, _ := m.ask("POST", w.url(server.Enrol, wire.PathRenew), wire.RenewRequest{CSR: m.csr()}, nil); status != http.StatusUnauthorized {
		t.Errorf("renewal: got %d, want 401", status)
	}
}
