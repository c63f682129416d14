// Package acmetest is a certificate authority for tests: Pebble in the test's
// own process, its DNS, a solver, and faults on the way to it. It keeps true
// that everything listens on loopback only and ends with its test.
//
// Pebble can lock up under many requests at once: keep to 8, and bound tests in
// time.
package acmetest

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"

	"ostler/certs/acme"
)

// Options say how an authority is set up.
type Options struct {
	NonceReject int // of 100 good nonces
	AuthzReuse  int // of 100 names that were shown before
	// EAB are the keys of external account binding (base64url) by their ids;
	// with one, accounts need it.
	EAB map[string]string
	// Profiles are lifetimes by name; nil is one, "default".
	Profiles map[string]time.Duration
	Blocked  []string // domains that it refuses
	// RetryAfter of an authorization and of an order that is not ready, in seconds.
	RetryAfter int
	// Resolver is the DNS server ("127.0.0.1:5300") that it asks in place of CA.DNS.
	Resolver string
}

// CA is an authority.
type CA struct {
	*Proxy
	Directory string       // its URL
	Client    *http.Client // trusts its TLS
	Solver    *Solver      // shows all names, by http-01
	DNS       *DNS         // all names lead to loopback
	store     *db.MemoryStore
	manage    http.Handler
	authority *ca.CAImpl
}

// building guards the environment: Pebble reads its options there.
var building sync.Mutex

// New starts an authority.
func New(t testing.TB, o Options) *CA {
	t.Helper()
	c := &CA{Solver: newSolver(t), DNS: newDNS(t), store: db.NewMemoryStore()}
	profiles := map[string]ca.Profile{}
	if o.Profiles == nil {
		o.Profiles = map[string]time.Duration{"default": 90 * 24 * time.Hour}
	}
	for name, life := range o.Profiles {
		profiles[name] = ca.Profile{Description: name, ValidityPeriod: uint64(life / time.Second)}
	}
	for id, key := range o.EAB {
		must(t, c.store.AddExternalAccountKeyByID(id, key))
	}
	for _, d := range o.Blocked {
		must(t, c.store.AddBlockedDomain(d))
	}
	quiet := log.New(io.Discard, "", 0)
	building.Lock()
	defer building.Unlock()
	restore := setenv(t, map[string]string{
		"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": strconv.Itoa(o.NonceReject),
		"PEBBLE_AUTHZREUSE": strconv.Itoa(o.AuthzReuse), "PEBBLE_WFE_ORDERS_PER_PAGE": "5",
	})
	defer restore()
	c.authority = ca.New(quiet, c.store, "", "ecdsa", 1, 2, profiles)
	look := va.New(quiet, c.Solver.port, 1, false, cmp.Or(o.Resolver, c.DNS.addr), c.store)
	front := wfe.New(quiet, c.store, look, c.authority, []string{"ca.example"}, false, len(o.EAB) > 0, o.RetryAfter, o.RetryAfter)
	c.manage = front.ManagementHandler()
	c.Proxy = NewProxy(front.Handler())
	srv := httptest.NewUnstartedServer(c.Proxy)
	srv.EnableHTTP2 = true
	srv.Config.ErrorLog = quiet
	srv.StartTLS()
	t.Cleanup(srv.Close)
	c.Directory = srv.URL + wfe.DirectoryPath
	c.Client = srv.Client()
	c.Client.Timeout = 0
	return c
}

func setenv(t testing.TB, env map[string]string) (restore func()) {
	t.Helper()
	var undo []func()
	for k, v := range env {
		old, had := os.LookupEnv(k)
		must(t, os.Setenv(k, v))
		undo = append(undo, func() {
			if had {
				_ = os.Setenv(k, old)
			} else {
				_ = os.Unsetenv(k)
			}
		})
	}
	return func() {
		for _, fn := range undo {
			fn()
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Orders is how many orders an account has at the authority, and for how many
// of them it issued a certificate. Orders that were refused count too.
func (c *CA) Orders(accountURL string) (orders, issued int) {
	id := accountURL[strings.LastIndex(accountURL, "/")+1:]
	all := c.store.GetOrdersByAccountID(id)
	for _, o := range all {
		o.RLock()
		if o.CertificateObject != nil {
			issued++
		}
		o.RUnlock()
	}
	return len(all), issued
}

// ExpireOrder has the authority forget an order.
func (c *CA) ExpireOrder(orderURL string) {
	o := c.store.GetOrderByID(orderURL[strings.LastIndex(orderURL, "/")+1:])
	o.Lock()
	defer o.Unlock()
	o.ExpiresDate = time.Now().Add(-time.Hour)
	o.Expires = o.ExpiresDate.Format(time.RFC3339)
}

// SetAuthorizations puts all authorizations of an order into a state:
// "deactivated", "expired".
func (c *CA) SetAuthorizations(orderURL, status string) {
	o := c.store.GetOrderByID(orderURL[strings.LastIndex(orderURL, "/")+1:])
	o.RLock()
	defer o.RUnlock()
	for _, a := range o.AuthorizationObjects {
		a.Lock()
		a.Status = status
		a.Unlock()
	}
}

// Revoked reports whether a certificate was revoked, and why.
func (c *CA) Revoked(leaf *x509.Certificate) (reason uint, revoked bool) {
	r := c.store.GetRevokedCertificateBySerial(leaf.SerialNumber)
	if r == nil || r.Reason == nil {
		return 0, r != nil
	}
	return *r.Reason, true
}

// SetRenewalInfo has the authority answer questions about a certificate's
// renewal with a text, good or bad.
func (c *CA) SetRenewalInfo(leaf *x509.Certificate, answer string) error {
	raw, err := json.Marshal(map[string]string{
		"Certificate": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw})), "ARIResponse": answer,
	})
	if err != nil {
		return err
	}
	req := httptest.NewRequest(http.MethodPost, "/set-renewal-info/", strings.NewReader(string(raw)))
	req.Header.Set("User-Agent", "acmetest")
	w := httptest.NewRecorder()
	c.manage.ServeHTTP(w, req)
	if w.Code != http.StatusOK {
		return fmt.Errorf("acmetest: set renewal info: %d %s", w.Code, w.Body)
	}
	return nil
}

// Root is the n-th root that chains lead to; the first is the default one's.
func (c *CA) Root(n int) *x509.Certificate { return c.authority.GetRootCert(n).Cert }

// Options are those of a client with a new account key.
func (c *CA) Options(t testing.TB) acme.Options {
	t.Helper()
	return acme.Options{Directory: c.Directory, HTTP: c.Client, Key: Key(t), UserAgent: "ostler-test", Timeout: 20 * time.Second}
}

// Open opens a client with a new account.
func (c *CA) Open(t testing.TB, opts acme.Options) *acme.Client {
	t.Helper()
	client, err := acme.Open(t.Context(), opts)
	must(t, err)
	_, err = client.Register(t.Context(), acme.Registration{})
	must(t, err)
	return client
}

// Key is a new key of EC P-256.
func Key(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	return key
}

// Request is one for names and IP addresses, with a new key.
func Request(t testing.TB, names ...string) acme.Request {
	t.Helper()
	return acme.Request{Names: names, CSR: CSR(t, Key(t), names...)}
}

// CSR is a signing request for names and IP addresses.
func CSR(t testing.TB, key *ecdsa.PrivateKey, names ...string) []byte {
	t.Helper()
	tmpl := &x509.CertificateRequest{Subject: pkix.Name{}}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			tmpl.IPAddresses = append(tmpl.IPAddresses, ip)
		} else {
			tmpl.DNSNames = append(tmpl.DNSNames, n)
		}
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, tmpl, key)
	must(t, err)
	return csr
}

// Leaf is the first certificate of a chain.
func Leaf(t testing.TB, chain []byte) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode(chain)
	if block == nil {
		t.Fatal("the chain is empty")
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	must(t, err)
	return leaf
}

// SelfIssued is a certificate with an authority key identifier and a serial,
// of nobody in particular.
func SelfIssued(t testing.TB, serial *big.Int, aki []byte) *x509.Certificate {
	t.Helper()
	key := Key(t)
	tmpl := &x509.Certificate{SerialNumber: serial, NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour)}
	parent := &x509.Certificate{SubjectKeyId: aki, Subject: pkix.Name{CommonName: "parent"}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, key.Public(), key)
	must(t, err)
	cert, err := x509.ParseCertificate(der)
	must(t, err)
	return cert
}
