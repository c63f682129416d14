package world

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ostler/internal/acmelab"
)

// Lab is a certificate authority of one's own: Pebble, a proxy before it that
// makes faults, and the DNS in which names lead to hosts on loopback. Each lab
// has 127.a.b.0/24 for itself, so that all hosts answer http-01 at one port.
type Lab struct {
	T        testing.TB
	CA       *acmelab.CA
	DNS      *acmelab.DNS
	Faults   *Faults // what the plane is told to ask
	HTTPPort int     // where the authority and the pre-flight look for http-01
	TLSPort  int     // where sites are served
	Pebble   *Proc

	settle time.Duration

	net  string // "127.a.b."
	next int
	root testing.TB
}

// LabOptions say how a lab is made.
type LabOptions struct {
	NonceReject int                      // of 100 good nonces
	Profiles    map[string]time.Duration // nil: acmelab.Profiles
	EAB         map[string]string        // key ids and MAC keys (base64url)
	RetryAfter  time.Duration
	// Settle is how long the hosts wait for a new certificate to be shown: long by
	// itself, so that a busy machine is no failure; short where it never is.
	Settle time.Duration
}

var labs atomic.Uint32

// NewLab starts an authority and its DNS.
func NewLab(t testing.TB, o LabOptions) *Lab {
	t.Helper()
	l := &Lab{T: t, root: t, settle: o.Settle}
	// Several test processes may run on one machine: the process and the lab make the net.
	seed := sha256.Sum256(fmt.Appendf(nil, "%d %d %d", os.Getpid(), labs.Add(1), time.Now().UnixNano()))
	l.net = fmt.Sprintf("127.%d.%d.", 1+seed[0]%254, seed[1])
	l.HTTPPort, l.TLSPort = 20000+int(binary.BigEndian.Uint16(seed[2:]))%10000, 443
	if os.Geteuid() != 0 {
		l.TLSPort = 8443
	}
	dns := FreeAddr(t)
	l.DNS = acmelab.NewDNS(dns, FreeAddr(t))
	Start(t, "dns", Tool(t, "pebble-challtestsrv"), nil, l.DNS.Program.Args...)
	ca, err := acmelab.NewCA(acmelab.CAOptions{Dir: t.TempDir(), Listen: FreeAddr(t), Manage: FreeAddr(t), HTTPPort: l.HTTPPort, DNS: dns,
		NonceReject: o.NonceReject, Profiles: o.Profiles, EAB: o.EAB, RetryAfter: o.RetryAfter, Blocked: []string{"blocked.example"}})
	if err != nil {
		t.Fatal(err)
	}
	l.CA = ca
	l.StartCA()
	Eventually(t, "the DNS answers", 20*time.Second, func() bool { return l.DNS.Ready(t.Context()) })
	l.Faults = newFaults(t, ca)
	return l
}

// Second is another authority: it asks the same DNS, and looks for http-01 at the
// same port. Names and hosts are those of the first.
func (l *Lab) Second() *Lab {
	l.T.Helper()
	ca, err := acmelab.NewCA(acmelab.CAOptions{Dir: l.root.TempDir(), Listen: FreeAddr(l.T), Manage: FreeAddr(l.T), HTTPPort: l.HTTPPort, DNS: l.DNS.Addr})
	l.must(err)
	other := &Lab{T: l.T, root: l.root, CA: ca, DNS: l.DNS, HTTPPort: l.HTTPPort, TLSPort: l.TLSPort, net: l.net}
	other.StartCA()
	other.Faults = newFaults(l.root, ca)
	return other
}

// StartCA starts the authority (again, after it was stopped: it has forgotten
// every account and certificate then), and waits for it.
func (l *Lab) StartCA() {
	l.T.Helper()
	l.Pebble = Start(l.root, "pebble", Tool(l.T, "pebble"), l.CA.Program.Env, l.CA.Program.Args...)
	Eventually(l.T, "Pebble answers", 20*time.Second, func() bool { return l.CA.Ready(l.T.Context()) })
}

// ctx bounds every question to the lab's own parts.
func (l *Lab) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	l.root.Cleanup(cancel)
	return ctx
}

func (l *Lab) must(err error) {
	l.T.Helper()
	if err != nil {
		l.T.Fatal(err)
	}
}

// Address is a loopback address that nobody else has.
func (l *Lab) Address() string {
	l.next++
	return l.net + strconv.Itoa(l.next)
}

// Point has names lead to addresses.
func (l *Lab) Point(names []string, addresses ...string) {
	l.T.Helper()
	for _, n := range names {
		l.must(l.DNS.Set(l.ctx(), n, addresses...))
	}
}

// RenewNow has the authority say that a certificate is to be renewed now, and why.
func (l *Lab) RenewNow(leafPEM []byte, explanation string) {
	l.T.Helper()
	now := time.Now()
	l.must(l.CA.SetRenewalInfo(l.ctx(), leafPEM, acmelab.Window(now.Add(-48*time.Hour), now.Add(-24*time.Hour), explanation)))
}

// Web is a web server of a host: nginx where it is on this machine.
type Web struct {
	*acmelab.Web
	Addr string // "127.a.b.n"
	Proc *Proc
	lab  *Lab
}

// NewWeb starts a web server at the addresses of a host.
func (l *Lab) NewWeb(addresses ...string) *Web {
	l.T.Helper()
	web := &Web{lab: l, Addr: addresses[0], Web: &acmelab.Web{Dir: filepath.Join(l.root.TempDir(), "web"), Nginx: acmelab.FindNginx(),
		Self: []string{filepath.Join(Binaries(l.T), "ostler"), "demo", "web"}}}
	if web.Nginx == "" {
		l.T.Log("nginx is not on this machine: a small TLS server stands in for it")
	}
	for _, a := range addresses {
		web.Listen = append(web.Listen, net.JoinHostPort(a, strconv.Itoa(l.TLSPort)))
	}
	l.must(os.MkdirAll(web.Dir, 0o755))
	l.must(web.Make())
	web.Start()
	return web
}

// Start starts the server (again, after it was stopped), and waits for it.
func (w *Web) Start() {
	w.lab.T.Helper()
	run := w.Run()
	w.Proc = Start(w.lab.root, "web", run[0], nil, run[1:]...)
	Eventually(w.lab.T, "the web server runs", 20*time.Second, func() bool { return w.Running() && Shown(w.Listen[0], "default.invalid") != nil })
}

// Endpoint is the server's first address with its port.
func (w *Web) Endpoint() string { return w.Listen[0] }

// Shown is the chain that an address shows for a name, nil where there is no handshake.
func Shown(addr, name string) []*x509.Certificate {
	d := &net.Dialer{Timeout: 5 * time.Second}
	conn, err := tls.DialWithDialer(d, "tcp", addr, &tls.Config{ServerName: name, InsecureSkipVerify: true}) //nolint:gosec // only: what does it show
	if err != nil {
		return nil
	}
	defer func() { _ = conn.Close() }()
	return conn.ConnectionState().PeerCertificates
}

// Leaf is the hex SHA-256 of the leaf that an address shows for a name, "" where
// there is no handshake.
func Leaf(addr, name string) string {
	chain := Shown(addr, name)
	if len(chain) == 0 {
		return ""
	}
	sum := sha256.Sum256(chain[0].Raw)
	return hex.EncodeToString(sum[:])
}

// Trusted verifies what an address shows for a name against the authority's roots.
func (l *Lab) Trusted(addr, name string) error {
	roots, err := l.CA.Roots(l.ctx())
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(roots)
	d := &net.Dialer{Timeout: 5 * time.Second}
	conn, err := tls.DialWithDialer(d, "tcp", addr, &tls.Config{ServerName: name, RootCAs: pool})
	if err != nil {
		return fmt.Errorf("%s at %s: %w", name, addr, err)
	}
	return conn.Close()
}

// planeConfig is what the plane is told of the lab.
func (l *Lab) planeConfig() string {
	return fmt.Sprintf("certs:\n  resolver: %q\n  name_server: %[1]q\n  http_port: %d\n  private: true\n", l.DNS.Addr, l.HTTPPort)
}

// HostConfig are lines of an agent's configuration: where it answers http-01,
// and how its web server is tested and reloaded.
func (l *Lab) HostConfig(web *Web) []string {
	return []string{
		fmt.Sprintf("acme:\n  listen: %q", net.JoinHostPort(web.Addr, strconv.Itoa(l.HTTPPort))),
		fmt.Sprintf("cert_settle: %s", cmp.Or(l.settle, time.Minute)),
		fmt.Sprintf("services:\n  nginx:\n    test: %s\n    reload: %s", flow(web.held()), flow(web.Reload())),
	}
}

// held is the server's test, which waits while there is a file “hold” in its
// folder, a minute at most; that it waits it says by a file “holding”.
func (w *Web) held() []string {
	script := fmt.Sprintf("#!/bin/sh\nn=0\nwhile [ -e %[1]s/hold ] && [ $n -lt 600 ]; do : > %[1]s/holding; sleep 0.1; n=$((n+1)); done\nexec %[2]s\n", w.Dir, strings.Join(w.Test(), " "))
	file := filepath.Join(w.Dir, "test.sh")
	w.lab.must(os.WriteFile(file, []byte(script), 0o755))
	return []string{file}
}

// flow is a list as YAML.
func flow(args []string) string {
	raw, _ := json.Marshal(args) // strings: it cannot fail
	return string(raw)
}
