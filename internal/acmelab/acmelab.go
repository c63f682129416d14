// Package acmelab is what a test and the demo need around certificates, on
// loopback: a certificate authority (Pebble), its DNS (pebble-challtestsrv) and
// web servers (nginx, or a small one of our own). It keeps true that nothing
// here starts a process: it writes configurations, says what to run, and talks
// to what runs. Who starts a program also stops it.
package acmelab

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
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"
)

// Program says what to run: the arguments and what to add to the environment.
type Program struct {
	Args, Env []string
}

// CAOptions say how an authority is set up.
type CAOptions struct {
	Dir      string // it keeps its configuration and its own TLS certificate here
	Listen   string // address of the ACME API
	Manage   string // address of the management API
	HTTPPort int    // where it looks for http-01 answers
	DNS      string // address of the DNS server that it asks
	// NonceReject is how many of 100 good nonces it refuses.
	NonceReject int
	// EAB are the keys of external account binding by their ids (base64url);
	// with one, accounts need it.
	EAB map[string]string
	// Blocked are domains that it refuses orders for.
	Blocked []string
	// Profiles are lifetimes by the profile's name; nil is Profiles().
	Profiles map[string]time.Duration
	// Slow has its validator wait some seconds before it looks, as a real one does.
	Slow bool
	// RetryAfter is what it says while an authorization or order is not ready, in
	// whole seconds; 0 says nothing.
	RetryAfter time.Duration
}

// Profiles are the lifetimes of an authority in 2026.
func Profiles() map[string]time.Duration {
	return map[string]time.Duration{"default": 90 * 24 * time.Hour, "tlsserver": 45 * 24 * time.Hour, "shortlived": 160 * time.Hour}
}

// CA is a Pebble.
type CA struct {
	// Directory is its ACME directory.
	Directory string
	// TLSRoot (PEM) is what its own TLS is trusted by.
	TLSRoot []byte
	// Program runs it (pebble).
	Program Program
	// CertFile and KeyFile are of its own TLS, for what stands before it.
	CertFile, KeyFile string

	manage string
	client *http.Client
}

// NewCA writes the configuration of an authority.
func NewCA(o CAOptions) (*CA, error) {
	ca := &CA{Directory: "https://" + o.Listen + "/dir", manage: "https://" + o.Manage,
		CertFile: filepath.Join(o.Dir, "ca-tls.pem"), KeyFile: filepath.Join(o.Dir, "ca-tls-key.pem")}
	host, _, err := net.SplitHostPort(o.Listen)
	if err != nil {
		return nil, fmt.Errorf("acmelab: authority: %w", err)
	}
	if ca.TLSRoot, err = SelfSigned(ca.CertFile, ca.KeyFile, time.Now(), host, "127.0.0.1", "localhost"); err != nil {
		return nil, err
	}
	if ca.client, err = client(ca.TLSRoot); err != nil {
		return nil, err
	}
	type profile struct {
		Description    string `json:"description"`
		ValidityPeriod int64  `json:"validityPeriod"`
	}
	if o.Profiles == nil {
		o.Profiles = Profiles()
	}
	profiles := map[string]profile{}
	for name, life := range o.Profiles {
		profiles[name] = profile{Description: name, ValidityPeriod: int64(life / time.Second)}
	}
	wait := int(o.RetryAfter / time.Second)
	config := map[string]any{"pebble": map[string]any{
		"listenAddress": o.Listen, "managementListenAddress": o.Manage, "certificate": ca.CertFile, "privateKey": ca.KeyFile,
		"httpPort": o.HTTPPort, "tlsPort": 1, "externalAccountBindingRequired": len(o.EAB) > 0, "externalAccountMACKeys": o.EAB,
		"domainBlocklist": o.Blocked, "caaIdentities": []string{CAAIdentity}, "keyAlgorithm": "ecdsa", "profiles": profiles,
		"retryAfter": map[string]int{"authz": wait, "order": wait},
	}}
	raw, err := json.Marshal(config)
	if err != nil {
		return nil, fmt.Errorf("acmelab: authority: %w", err)
	}
	file := filepath.Join(o.Dir, "pebble.json")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		return nil, fmt.Errorf("acmelab: authority: %w", err)
	}
	ca.Program = Program{Args: []string{"-config", file, "-dnsserver", o.DNS}, Env: []string{
		"PEBBLE_WFE_NONCEREJECT=" + fmt.Sprint(o.NonceReject), "PEBBLE_AUTHZREUSE=0", "PEBBLE_CHAIN_LENGTH=3", "PEBBLE_ALTERNATE_ROOTS=2"}}
	if !o.Slow {
		ca.Program.Env = append(ca.Program.Env, "PEBBLE_VA_NOSLEEP=1")
	}
	return ca, nil
}

// CAAIdentity is what a CAA record has to name to allow the authority.
const CAAIdentity = "ca.ostler.example"

// Ready reports whether the authority answers on both of its addresses.
func (c *CA) Ready(ctx context.Context) bool {
	for _, u := range []string{c.Directory, c.manage + "/roots/0"} {
		if _, err := ask(ctx, c.client, http.MethodGet, u, nil); err != nil {
			return false
		}
	}
	return true
}

// Roots are the certificates (PEM) that what it issues leads to: the first one,
// and the alternates.
func (c *CA) Roots(ctx context.Context) ([]byte, error) {
	var all []byte
	for i := range 3 {
		one, err := ask(ctx, c.client, http.MethodGet, fmt.Sprintf("%s/roots/%d", c.manage, i), nil)
		if err != nil {
			return nil, err
		}
		all = append(all, one...)
	}
	return all, nil
}

// SetRenewalInfo has the authority answer questions about a certificate's
// renewal (RFC 9773) with a text, good or bad; "" takes that back.
func (c *CA) SetRenewalInfo(ctx context.Context, leafPEM []byte, answer string) error {
	_, err := ask(ctx, c.client, http.MethodPost, c.manage+"/set-renewal-info/", map[string]string{"Certificate": string(leafPEM), "ARIResponse": answer})
	return err
}

// Window is the renewal info of a window, with a page that explains it.
func Window(start, end time.Time, explanation string) string {
	raw, _ := json.Marshal(map[string]any{"suggestedWindow": map[string]string{ // strings: it cannot fail
		"start": start.UTC().Format(time.RFC3339), "end": end.UTC().Format(time.RFC3339)}, "explanationURL": explanation})
	return string(raw)
}

// CertStatus is what the authority says of a certificate.
type CertStatus struct {
	Status string // Valid or Revoked
	Reason *uint  // RFC 5280, 5.3.1
}

// CertStatus asks for a certificate by its serial number in hex.
func (c *CA) CertStatus(ctx context.Context, serial string) (CertStatus, error) {
	var s CertStatus
	raw, err := ask(ctx, c.client, http.MethodGet, c.manage+"/cert-status-by-serial/"+url.PathEscape(serial), nil)
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		return s, fmt.Errorf("acmelab: status: %w", err)
	}
	return s, nil
}

// SelfSigned writes a certificate that nobody but itself vouches for, valid
// for a day before and a month after an instant, and returns it (PEM).
func SelfSigned(certFile, keyFile string, at time.Time, names ...string) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("acmelab: certificate: %w", err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(at.UnixNano()), Subject: pkix.Name{CommonName: "self-signed"}, NotBefore: at.Add(-24 * time.Hour), NotAfter: at.Add(30 * 24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			tmpl.IPAddresses = append(tmpl.IPAddresses, ip)
		} else {
			tmpl.DNSNames = append(tmpl.DNSNames, n)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("acmelab: certificate: %w", err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("acmelab: certificate: %w", err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	err = errors.Join(os.WriteFile(certFile, cert, 0o600), os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600))
	if err != nil {
		return nil, fmt.Errorf("acmelab: certificate: %w", err)
	}
	return cert, nil
}

// client trusts one root and waits ten seconds at most: Pebble can hang.
func client(root []byte) (*http.Client, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(root) {
		return nil, errors.New("acmelab: the root is no certificate")
	}
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}, nil
}

func ask(ctx context.Context, c *http.Client, method, url string, body any) ([]byte, error) {
	var in io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("acmelab: %w", err)
		}
		in = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, url, in)
	if err != nil {
		return nil, fmt.Errorf("acmelab: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := c.Do(req)
	if err != nil {
		return nil, fmt.Errorf("acmelab: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, fmt.Errorf("acmelab: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("acmelab: %s: %s: %s", url, res.Status, raw)
	}
	return raw, nil
}

// Ports for FreePort lie below those that the system gives to anybody who
// connects: what is free now, or while its server is started again, stays so.
const (
	firstPort = 12_000
	ports     = 20_000
)

// triedPorts counts what this process tried: none is given twice.
var triedPorts atomic.Uint32

// FreePort is a TCP port that is free now at every one of some addresses.
func FreePort(addresses ...string) (int, error) {
	var last error
	for range 200 {
		port := firstPort + (os.Getpid()*97+int(triedPorts.Add(1)))%ports
		last = nil
		for _, a := range addresses {
			ln, err := net.Listen("tcp", net.JoinHostPort(a, fmt.Sprint(port)))
			if err != nil {
				last = err
				break
			}
			last = errors.Join(last, ln.Close())
		}
		if last == nil {
			return port, nil
		}
	}
	return 0, fmt.Errorf("acmelab: no free port: %w", last)
}
