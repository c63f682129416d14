package host_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"io/fs"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ostler/agents/host"
	"ostler/agents/host/hosttest"
	"ostler/agents/wire"
	"ostler/certs/deploy"
)

func unixTransport(socket string) *http.Transport {
	return &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}
}

// sign makes a chain for a signing request.
func sign(t *testing.T, csr []byte) []byte {
	t.Helper()
	req, err := x509.ParseCertificateRequest(csr)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: req.DNSNames, NotBefore: ca.NotBefore, NotAfter: ca.NotAfter}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, req.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	var out []byte
	for _, d := range [][]byte{der, caDER} {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: d})...)
	}
	return out
}

// serveLoaded is a service that serves what its reload copied to dir.
func serveLoaded(t *testing.T, dir string) string {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "fullchain.pem"), filepath.Join(dir, "privkey.pem"))
		return &pair, err
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_ = conn.(*tls.Conn).Handshake()
				_ = conn.Close()
			}()
		}
	}()
	return l.Addr().String()
}

// The whole way of a certificate on a host: requested, validated, installed,
// looked at, forgotten; and no key in anything that leaves or is kept.
func TestCertificate(t *testing.T) {
	r := newRig(t, &hosttest.Helper{})
	loaded := t.TempDir()
	live := filepath.Join(r.root, deploy.DefaultFolder, "shop.example/live")
	r.opts = func(o *host.Options) {
		o.ACMEListen, o.CertSettle = "127.0.0.1:0", 2*time.Second
		o.Services = map[wire.Service]deploy.Commands{wire.ServiceNginx: {Test: []string{"true"},
			Reload: []string{"cp", "-L", live + "/fullchain.pem", live + "/privkey.pem", loaded}}}
	}
	stop := r.start()
	run := func(job string, a wire.Action, p any) wire.Result {
		t.Helper()
		r.plane.Offer(wire.Envelope{Job: job, Action: a, Resource: "certificate:crt_1", Params: params(t, p)})
		res := r.plane.Result(job)
		if res.Outcome != wire.Succeeded {
			t.Fatalf("%s: got %s %+v\n%s", a, res.Outcome, res.Failure, r.logs)
		}
		return res
	}

	ask := wire.CertRequestParams{Certificate: "crt_1", Folder: "shop.example", Round: 1, Names: []string{"shop.example"}, Key: wire.KeyP256,
		Thumbprint: print1, AnswerUntil: time.Now().Add(time.Hour).UnixMilli()}
	var asked wire.CertRequested
	waitFor(t, "the responder", func() bool {
		asked = decode[wire.CertRequested](t, run("job_ask"+time.Now().Format("150405000000000"), wire.ActionCertRequest, ask).Data)
		return asked.Responder != ""
	})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+asked.Responder+"/.well-known/acme-challenge/tok-1", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "shop.example"
	res, err := new(http.Transport).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil || string(body) != "tok-1."+print1 {
		t.Errorf("challenge: got %q, %v", body, err)
	}
	hit := r.plane.Wait("hit", func(f wire.Frame) bool { return f.Type == wire.FrameHit })
	if hit.Hit == nil || hit.Hit.Token != "tok-1" || hit.Hit.Name != "shop.example" {
		t.Errorf("hit: got %+v", hit.Hit)
	}

	at := wire.Endpoint{Name: "shop.example", Address: serveLoaded(t, loaded), Protocol: wire.ProtocolTLS}
	install := wire.CertDeployParams{Certificate: "crt_1", Folder: "shop.example", Round: 1, Chain: sign(t, asked.CSR),
		Services: []wire.Service{wire.ServiceNginx}, Endpoints: []wire.Endpoint{at}}
	done := decode[wire.CertDeployed](t, run("job_install", wire.ActionCertDeploy, install).Data)
	if done.Reached != wire.CertServed || done.Failure != nil {
		t.Errorf("deploy: got %+v %+v", done, done.Failure)
	}
	looked := decode[wire.CertLooked](t, run("job_look", wire.ActionCertLook, wire.CertLookParams{Endpoints: []wire.Endpoint{at}, Find: true}).Data)
	if len(looked.Seen) != 1 || !looked.Seen[0].Right || looked.Found == nil {
		t.Errorf("look: got %+v", looked)
	}

	install.Round = 2
	r.plane.Offer(wire.Envelope{Job: "job_no_key", Action: wire.ActionCertDeploy, Params: params(t, install)})
	if got := r.plane.Result("job_no_key"); got.Failure == nil || got.Failure.Cause != wire.CauseCertKey {
		t.Errorf("a round without a key: got %+v", got)
	}
	take := wire.CertTakeParams{Certificate: "crt_1", Folder: "shop.example", Path: "/etc/ssl/x.pem", Renewer: "certbot", Lineage: "x"}
	r.plane.Offer(wire.Envelope{Job: "job_take", Action: wire.ActionCertTake, Params: params(t, take)})
	if got := r.plane.Result("job_take"); got.Failure == nil || got.Failure.Cause != wire.CauseRenewer {
		t.Errorf("taking what is not there: got %+v", got)
	}

	key, err := os.ReadFile(filepath.Join(live, "privkey.pem"))
	if err != nil {
		t.Fatal(err)
	}
	stop()
	keyStays(t, r, key)

	r.start() // after a restart
	forgot := decode[wire.CertForgotten](t, run("job_forget", wire.ActionCertForget, wire.CertForgetParams{Certificate: "crt_1", Folder: "shop.example"}).Data)
	if len(forgot.Rounds) != 1 {
		t.Errorf("forget: got %+v", forgot)
	}
	if b, err := os.ReadFile(filepath.Join(r.state, "challenges.json")); err != nil || strings.Contains(string(b), "shop.example") {
		t.Errorf("the responder still answers: %s, %v", b, err)
	}
}

// keyStays holds that a key is in nothing but its own files.
func keyStays(t *testing.T, r *rig, key []byte) {
	t.Helper()
	block, _ := pem.Decode(key)
	needles := [][]byte{[]byte(strings.Split(string(key), "\n")[2]), block.Bytes[40:60], []byte("PRIVATE KEY")}
	frames, err := json.Marshal(r.plane.Frames())
	if err != nil {
		t.Fatal(err)
	}
	places := map[string][]byte{"frames": frames, "log": []byte(r.logs.String())}
	err = filepath.WalkDir(r.state, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || filepath.Base(path) == "key.pem" {
			return err
		}
		places[path], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for place, text := range places {
		for _, n := range needles[:2] {
			if bytes.Contains(text, n) {
				t.Errorf("%s has a part of the key", place)
			}
		}
	}
	if len(places) < 4 || bytes.Contains(places["frames"], needles[2]) || bytes.Contains(places["log"], needles[2]) {
		t.Errorf("looked at %d places; a private key is in a frame or in the log", len(places))
	}
}

func TestCertificatePolicy(t *testing.T) {
	r := newRig(t, &hosttest.Helper{})
	r.policy("services: [nginx]\nnames: ['*.shop.example', shop.example]\n")
	r.start()
	ask := func(names ...string) wire.CertRequestParams {
		return wire.CertRequestParams{Certificate: "crt_1", Folder: "f", Round: 1, Names: names, Key: wire.KeyP256}
	}
	install := func(s wire.Service, chain []byte) wire.CertDeployParams {
		return wire.CertDeployParams{Certificate: "crt_1", Folder: "f", Round: 1, Chain: chain, Services: []wire.Service{s}}
	}
	csr := func(name string) []byte {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: []string{name}}, key)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	tests := []struct {
		name   string
		action wire.Action
		params any
	}{
		{"another name", wire.ActionCertRequest, ask("shop.example", "else.example")},
		{"a service", wire.ActionCertDeploy, install(wire.ServicePostfix, sign(t, csr("shop.example")))},
		{"a chain of another name", wire.ActionCertDeploy, install(wire.ServiceNginx, sign(t, csr("else.example")))},
		{"no chain", wire.ActionCertDeploy, install(wire.ServiceNginx, nil)},
	}
	for i, tt := range tests {
		job := "job_" + string(rune('a'+i))
		r.plane.Offer(wire.Envelope{Job: job, Action: tt.action, Params: params(t, tt.params)})
		if got := r.plane.Rejected(job); got.Cause != wire.CausePolicy {
			t.Errorf("%s: got %+v", tt.name, got)
		}
	}
	r.plane.Offer(wire.Envelope{Job: "job_right", Action: wire.ActionCertRequest, Params: params(t, ask("shop.example", "*.shop.example", "a.b.shop.example"))})
	if got := r.plane.Result("job_right"); got.Outcome != wire.Succeeded {
		t.Errorf("allowed names: got %+v", got)
	}
}
