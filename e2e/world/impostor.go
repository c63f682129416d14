package world

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"ostler/agents/host"
	"ostler/agents/wire"
)

// Impostor speaks to the plane in the place of a host's agent, with its key and
// certificate: whoever has taken a server over can do so. It answers requests
// for signing requests with whatever a test wants, and nothing else.
type Impostor struct {
	h    *Host
	conn *websocket.Conn
	send sync.Mutex

	mu     sync.Mutex
	answer func(wire.CertRequestParams) []byte // a signing request
}

// Impostor connects in the place of the agent, which must have been stopped.
func (h *Host) Impostor() *Impostor {
	h.W.T.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	i := &Impostor{h: h}
	i.connect(ctx)
	var all sync.WaitGroup
	all.Go(func() { i.read(ctx) })
	all.Go(func() { i.pulse(ctx) })
	h.W.root.Cleanup(func() {
		cancel()
		_ = i.conn.CloseNow()
		all.Wait()
	})
	h.WaitConnected()
	return i
}

// Answer has it answer from now on.
func (i *Impostor) Answer(f func(wire.CertRequestParams) []byte) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.answer = f
}

func (i *Impostor) connect(ctx context.Context) {
	t := i.h.W.T
	t.Helper()
	id, err := host.LoadIdentity(i.h.State)
	if err != nil {
		t.Fatal(err)
	}
	own, err := tls.X509KeyPair(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: id.Certificate}), []byte(i.file(i.h.State, "agent.key")))
	if err != nil {
		t.Fatal(err)
	}
	ca, err := x509.ParseCertificate(id.CA)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	i.conn, _, err = websocket.Dial(ctx, id.StreamURL+wire.PathStream, &websocket.DialOptions{HTTPClient: &http.Client{
		Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{own}}}}})
	if err != nil {
		t.Fatal(err)
	}
	i.conn.SetReadLimit(wire.MaxFrame)
	base := filepath.Dir(i.h.config)
	i.say(wire.Frame{Type: wire.FrameHello, Hello: &wire.Hello{Version: wire.Version, AgentVersion: "impostor", BootID: i.file(base, "boot-id"), MachineID: i.file(base, "machine-id"),
		Instance: "impostor", Actions: wire.Actions()}})
}

// file is what a small file of the host says.
func (i *Impostor) file(dir, name string) string {
	i.h.W.T.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		i.h.W.T.Fatal(err)
	}
	return strings.TrimSpace(string(raw))
}

// say sends a frame; what is not sent is missed by the test.
func (i *Impostor) say(f wire.Frame) {
	raw, _ := json.Marshal(f) // our own types: it cannot fail
	i.send.Lock()
	defer i.send.Unlock()
	_ = i.conn.Write(context.Background(), websocket.MessageText, raw)
}

func (i *Impostor) pulse(ctx context.Context) {
	every := time.NewTicker(10 * time.Second)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-every.C:
			i.say(wire.Frame{Type: wire.FrameHeartbeat, Heartbeat: &wire.Heartbeat{UnixMilli: now.UnixMilli()}})
		}
	}
}

// read takes what it is offered, until the connection ends.
func (i *Impostor) read(ctx context.Context) {
	for {
		_, raw, err := i.conn.Read(ctx)
		if err != nil {
			return
		}
		var f wire.Frame
		if json.Unmarshal(raw, &f) == nil && f.Type == wire.FrameOffer && f.Offer != nil {
			i.offered(*f.Offer)
		}
	}
}

func (i *Impostor) offered(o wire.Offer) {
	var e wire.Envelope
	var p wire.CertRequestParams
	i.mu.Lock()
	answer := i.answer
	i.mu.Unlock()
	if json.Unmarshal(o.Envelope.Payload, &e) != nil || e.Action != wire.ActionCertRequest || json.Unmarshal(e.Params, &p) != nil || answer == nil {
		return
	}
	ref := wire.JobRef{Job: e.Job, Epoch: o.Epoch}
	i.say(wire.Frame{Type: wire.FrameAccept, JobRef: &ref})
	data, _ := json.Marshal(wire.CertRequested{CSR: answer(p)}) // bytes: it cannot fail
	now := time.Now().UnixMilli()
	i.say(wire.Frame{Type: wire.FrameResult, Result: &wire.Result{JobRef: ref, Outcome: wire.Succeeded, Data: data, StartedAt: now, EndedAt: now}})
}
