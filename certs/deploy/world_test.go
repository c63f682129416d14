package deploy_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"ostler/agents/wire"
	"ostler/certs/deploy"
)

const (
	crt    = "crt_01"
	folder = "shop.example"
	name   = "shop.example"
)

// authority is a CA with a root and an intermediate.
type authority struct {
	t     testing.TB
	key   *ecdsa.PrivateKey
	inter *x509.Certificate
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	ca := func(cn string, parent *x509.Certificate, signer *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: cn}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
			IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
		if parent == nil {
			parent, signer = tmpl, key
		}
		der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, key.Public(), signer)
		if err != nil {
			t.Fatal(err)
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return cert, key
	}
	root, rootKey := ca("root", nil, nil)
	inter, key := ca("Test Intermediate", root, rootKey)
	return &authority{t, key, inter}
}

// leafOptions are what a test changes of a leaf.
type leafOptions func(*x509.Certificate)

// leaf issues a certificate for a public key, in DER.
func (a *authority) leaf(pub crypto.PublicKey, names []string, change ...leafOptions) []byte {
	a.t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<60))
	if err != nil {
		a.t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: serial, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(12 * time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			tmpl.IPAddresses = append(tmpl.IPAddresses, ip)
		} else {
			tmpl.DNSNames = append(tmpl.DNSNames, n)
		}
	}
	for _, f := range change {
		f(tmpl)
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.inter, pub, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	return der
}

func pemOf(ders ...[]byte) []byte {
	var out []byte
	for _, der := range ders {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return out
}

// issue signs a request.
func (a *authority) issue(csr []byte, change ...leafOptions) []byte {
	a.t.Helper()
	req, err := x509.ParseCertificateRequest(csr)
	if err != nil {
		a.t.Fatal(err)
	}
	names := req.DNSNames
	for _, ip := range req.IPAddresses {
		names = append(names, ip.String())
	}
	return pemOf(a.leaf(req.PublicKey, names, change...), a.inter.Raw)
}

// world is a host with a service that serves what it loaded at its last reload.
type world struct {
	t      testing.TB
	root   string
	loaded string // what the service serves
	ca     *authority
	logs   *bytes.Buffer
	opts   deploy.Options
	e      *deploy.Engine
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, root: t.TempDir(), loaded: t.TempDir(), ca: newAuthority(t), logs: &bytes.Buffer{}}
	w.opts = deploy.Options{Root: w.root, Settle: 300 * time.Millisecond, Handshake: 2 * time.Second, Command: time.Minute,
		Log:      slog.New(slog.NewJSONHandler(w.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Services: map[wire.Service]deploy.Commands{wire.ServiceNginx: {Test: []string{"true"}, Reload: w.copies()}}}
	w.open()
	return w
}

// copies is a reload: the service reads what is live, and keeps it in memory.
func (w *world) copies() []string {
	return []string{"cp", "-L", w.file("live/fullchain.pem"), w.file("live/privkey.pem"), w.loaded}
}

func (w *world) open() {
	w.t.Helper()
	e, err := deploy.New(w.opts)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = e.Close() })
	w.e = e
}

// set changes how the service is tested and reloaded.
func (w *world) set(test, reload []string) {
	w.t.Helper()
	w.opts.Services = map[wire.Service]deploy.Commands{wire.ServiceNginx: {Test: test, Reload: reload}}
	w.open()
}

func (w *world) file(name string) string {
	return filepath.Join(w.root, deploy.DefaultFolder, folder, name)
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func ask(round int64, names ...string) wire.CertRequestParams {
	if len(names) == 0 {
		names = []string{name}
	}
	return wire.CertRequestParams{Certificate: crt, Folder: folder, Round: round, Names: names, Key: wire.KeyP256}
}

func (w *world) request(round int64) []byte {
	w.t.Helper()
	res, err := w.e.Request(w.t.Context(), ask(round))
	w.must(err)
	return res.CSR
}

// params is an installation of a round, with a chain that fits.
func (w *world) params(round int64, endpoints ...wire.Endpoint) wire.CertDeployParams {
	w.t.Helper()
	return wire.CertDeployParams{Certificate: crt, Folder: folder, Round: round, Chain: w.ca.issue(w.request(round)),
		Services: []wire.Service{wire.ServiceNginx}, Endpoints: endpoints}
}

func (w *world) deploy(ctx context.Context, p wire.CertDeployParams) (wire.CertDeployed, error) {
	return w.e.Deploy(ctx, p, any1)
}

// served installs a round that must be served.
func (w *world) served(p wire.CertDeployParams) {
	w.t.Helper()
	res, err := w.deploy(w.t.Context(), p)
	if err != nil || res.Reached != wire.CertServed || res.Round != p.Round || res.Failure != nil {
		w.t.Fatalf("deploy round %d: got %+v %+v, %v", p.Round, res, res.Failure, err)
	}
}

func (w *world) live() string {
	target, err := os.Readlink(w.file("live"))
	if errors.Is(err, os.ErrNotExist) {
		return ""
	}
	w.must(err)
	return target
}

// fits holds what is live to be a whole pair.
func (w *world) fits() {
	w.t.Helper()
	if w.live() == "" {
		return
	}
	if _, err := tls.LoadX509KeyPair(w.file("live/fullchain.pem"), w.file("live/privkey.pem")); err != nil {
		w.t.Errorf("what is live does not fit: %v", err)
	}
}

// listen serves the pair of a folder at each handshake, under a protocol.
func listen(t testing.TB, dir string, p wire.CertProtocol) wire.Endpoint {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	conf := &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "fullchain.pem"), filepath.Join(dir, "privkey.pem"))
		return &pair, err
	}}
	var open sync.WaitGroup
	open.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			open.Go(func() {
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
				if !greet(conn, p) {
					return
				}
				_ = tls.Server(conn, conf).Handshake()
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		open.Wait()
	})
	return wire.Endpoint{Name: name, Address: l.Addr().String(), Protocol: p}
}

// greet is the server's side of STARTTLS.
func greet(conn net.Conn, p wire.CertProtocol) bool {
	script := map[wire.CertProtocol][]string{
		wire.ProtocolTLS:  nil,
		wire.ProtocolSMTP: {"220 mail\r\n", "250-mail\r\n250-SIZE 1\r\n250 STARTTLS\r\n", "220 go\r\n"},
		wire.ProtocolIMAP: {"* OK mail\r\n", "* CAPABILITY IMAP4rev1\r\na OK go\r\n"},
		wire.ProtocolPOP3: {"+OK mail\r\n", "+OK go\r\n"},
		"bare smtp":       {"220 mail\r\n", "250-mail\r\n250 SIZE 1\r\n"},
		"rude":            {"554 no\r\n"},
		"hasty":           {"220 mail\r\n", "250-mail\r\n250 STARTTLS\r\n", "220 go\r\n250 injected\r\n"},
		"silent":          {""},
	}[p]
	for i, s := range script {
		if i > 0 {
			if _, err := conn.Read(make([]byte, 512)); err != nil {
				return false
			}
		}
		if _, err := conn.Write([]byte(s)); err != nil {
			return false
		}
	}
	if p == "silent" || p == "rude" {
		_, _ = conn.Read(make([]byte, 1))
	}
	return true
}

// copyOf keeps a folder's pair as it is now, for a service that is never told.
func copyOf(t testing.TB, dir string) string {
	t.Helper()
	to := t.TempDir()
	for _, f := range []string{"fullchain.pem", "privkey.pem"} {
		b, err := os.ReadFile(filepath.Join(dir, f))
		if err == nil {
			err = os.WriteFile(filepath.Join(to, f), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// shows is the round whose leaf an endpoint shows.
func (w *world) shows(ep wire.Endpoint) string {
	w.t.Helper()
	seen := deploy.See(w.t.Context(), ep, 2*time.Second)
	for round := 1; round < 10; round++ {
		b, err := os.ReadFile(w.file(strconv.Itoa(round) + "/cert.pem"))
		if err != nil {
			continue
		}
		block, _ := pem.Decode(b)
		if deploy.LeafHash(block.Bytes) == seen.Leaf {
			return strconv.Itoa(round)
		}
	}
	return "none: " + seen.Problem
}

func wantCause(t testing.TB, err error, want wire.Cause) {
	t.Helper()
	var e *deploy.Error
	if !errors.As(err, &e) || e.Cause != want || e.Detail == "" {
		t.Fatalf("got %v, want cause %s", err, want)
	}
}
