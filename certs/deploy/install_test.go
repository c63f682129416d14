package deploy_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ostler/agents/wire"
	"ostler/certs/deploy"
	"ostler/internal/killpoint"
)

func TestDeploy(t *testing.T) {
	w := newWorld(t)
	tlsAt, smtpAt := listen(t, w.loaded, wire.ProtocolTLS), listen(t, w.loaded, wire.ProtocolSMTP)
	imapAt, popAt := listen(t, w.loaded, wire.ProtocolIMAP), listen(t, w.loaded, wire.ProtocolPOP3)
	first := w.params(1, tlsAt, smtpAt, imapAt, popAt)
	w.served(first)
	second := w.params(2, tlsAt, smtpAt, imapAt, popAt)
	res, err := w.deploy(t.Context(), second)
	w.must(err)
	if res.Reached != wire.CertServed || len(res.Seen) != 4 || !res.Services[0].Tested || !res.Services[0].Loaded || w.live() != "2" {
		t.Errorf("got %+v", res)
	}
	for _, s := range res.Seen {
		if !s.Right || s.Leaf == "" || s.NotAfter == 0 {
			t.Errorf("seen: got %+v", s)
		}
	}
	for f, want := range map[string]os.FileMode{"privkey.pem": 0o600, "combined.pem": 0o600, "fullchain.pem": 0o644, "chain.pem": 0o644, "cert.pem": 0o644} {
		info, err := os.Stat(w.file("live/" + f))
		if err != nil || info.Mode() != want {
			t.Errorf("%s: got %v, %v, want %v", f, info, err, want)
		}
	}
	w.served(second) // again
	_, err = w.deploy(t.Context(), w.params(2, tlsAt))
	wantCause(t, err, wire.CauseChain) // another one under a round in use
	w.served(first)                    // and back, by order

	looked, err := w.e.Look(t.Context(), wire.CertLookParams{Endpoints: []wire.Endpoint{tlsAt, smtpAt}})
	w.must(err)
	if len(looked.Seen) != 2 || !looked.Seen[0].Right || !looked.Seen[1].Right {
		t.Errorf("look: got %+v", looked.Seen)
	}
}

func TestDeployWithoutEndpoints(t *testing.T) {
	w := newWorld(t)
	res, err := w.deploy(t.Context(), w.params(1))
	if err != nil || res.Reached != wire.CertReloaded || res.Failure != nil {
		t.Errorf("got %+v, %v: what nobody looked at is not served", res, err)
	}
}

// What goes wrong after the switch, with a round before and without one.
func TestRollback(t *testing.T) {
	tests := []struct {
		name         string
		test, reload []string // nil: as it should be
		other        bool     // a second address that is never told
		cause        wire.Cause
		reached      wire.CertStep
		says         string
	}{
		{"configuration refused", []string{"sh", "-c", "echo unknown directive >&2; exit 1"}, nil, false, wire.CauseServiceConfig, wire.CertWritten, "unknown directive"},
		{"reload fails", nil, []string{"false"}, false, wire.CauseServiceReload, wire.CertTested, "nginx could not be reloaded"},
		{"reload hangs", nil, []string{"sleep", "60"}, false, wire.CauseServiceReload, wire.CertTested, "nginx could not be reloaded"},
		{"reload does nothing", nil, []string{"true"}, false, wire.CauseNotServed, wire.CertReloaded, "another certificate"},
		{"one of two addresses old", nil, nil, true, wire.CauseNotServed, wire.CertReloaded, "1 of 2: shop.example at 127.0.0.1:"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.opts.Command = time.Minute
			if slices.Contains(tt.reload, "sleep") {
				w.opts.Command = 2 * time.Second
			}
			at := listen(t, w.loaded, wire.ProtocolTLS)
			w.served(w.params(1, at))
			endpoints := []wire.Endpoint{at}
			if tt.other {
				endpoints = append(endpoints, listen(t, copyOf(t, w.loaded), wire.ProtocolTLS))
			}
			test, reload := []string{"true"}, w.copies()
			if tt.test != nil {
				test = tt.test
			}
			if tt.reload != nil {
				reload = tt.reload
			}
			w.set(test, reload)
			p := w.params(2, endpoints...)
			for range 2 { // the second time is the same
				res, err := w.deploy(t.Context(), p)
				w.must(err)
				if !res.RolledBack || res.Round != 1 || res.Reached != tt.reached || res.Failure == nil || res.Failure.Cause != tt.cause || !strings.Contains(res.Failure.Detail, tt.says) {
					t.Fatalf("got %+v %+v", res, res.Failure)
				}
				for _, ep := range endpoints {
					if got := w.shows(ep); got != "1" {
						t.Errorf("%s shows %s, want round 1", ep.Address, got)
					}
				}
				if w.live() != "1" {
					t.Errorf("live: got %s", w.live())
				}
				w.fits()
			}
		})
	}
}

func TestFirstHasNothingBefore(t *testing.T) {
	w := newWorld(t)
	w.set([]string{"true"}, []string{"false"})
	res, err := w.deploy(t.Context(), w.params(1, listen(t, w.loaded, wire.ProtocolTLS)))
	w.must(err)
	if res.RolledBack || res.Round != 1 || res.Failure == nil || res.Failure.Cause != wire.CauseServiceReload || w.live() != "1" {
		t.Errorf("got %+v %+v", res, res.Failure)
	}
}

// A round that was never found good is nothing to go back to.
func TestGoesBackPastAnUnprovenRound(t *testing.T) {
	w := newWorld(t)
	at := listen(t, w.loaded, wire.ProtocolTLS)
	w.served(w.params(1, at))
	w.e.SetAt(killAt("reloaded", 1))
	if got := killpoint.Until(func() { _, _ = w.deploy(t.Context(), w.params(2, at)) }); got != "reloaded" || w.live() != "2" {
		t.Fatalf("killed at %q, live %s", got, w.live())
	}
	w.set([]string{"false"}, w.copies()) // the configuration is refused from now on
	res, err := w.deploy(t.Context(), w.params(3, at))
	w.must(err)
	if !res.RolledBack || res.Round != 1 || w.live() != "1" || w.shows(at) != "1" {
		t.Errorf("got %+v, live %s, shows %s", res, w.live(), w.shows(at))
	}
}

func TestDeployRefuses(t *testing.T) {
	w := newWorld(t)
	at := listen(t, w.loaded, wire.ProtocolTLS)
	w.served(w.params(1, at))
	good := w.params(2, at)
	csr := w.request(2)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	w.must(err)
	leaf := w.ca.leaf(publicOf(t, csr), []string{name})
	other := newAuthority(t)
	tests := []struct {
		name   string
		change func(p *wire.CertDeployParams)
		want   wire.Cause
	}{
		{"empty", func(p *wire.CertDeployParams) { p.Chain = nil }, wire.CauseChain},
		{"no PEM", func(p *wire.CertDeployParams) { p.Chain = []byte("hello") }, wire.CauseChain},
		{"something behind it", func(p *wire.CertDeployParams) { p.Chain = append(p.Chain, "hello"...) }, wire.CauseChain},
		{"a key in it", func(p *wire.CertDeployParams) {
			p.Chain = append(p.Chain, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"...)
		}, wire.CauseChain},
		{"too long", func(p *wire.CertDeployParams) { p.Chain = make([]byte, 300<<10) }, wire.CauseChain},
		{"another key", func(p *wire.CertDeployParams) {
			p.Chain = pemOf(w.ca.leaf(key.Public(), []string{name}), w.ca.inter.Raw)
		}, wire.CauseChain},
		{"the other round's key", func(p *wire.CertDeployParams) { p.Chain = w.ca.issue(w.request(1)) }, wire.CauseChain},
		{"over", func(p *wire.CertDeployParams) {
			p.Chain = w.ca.issue(csr, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
		}, wire.CauseChain},
		{"not yet", func(p *wire.CertDeployParams) {
			p.Chain = w.ca.issue(csr, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Hour) })
		}, wire.CauseChain},
		{"a name missing", func(p *wire.CertDeployParams) {
			p.Chain = w.ca.issue(csr, func(c *x509.Certificate) { c.DNSNames = []string{"www.shop.example"} })
		}, wire.CauseChain},
		{"not for servers", func(p *wire.CertDeployParams) {
			p.Chain = w.ca.issue(csr, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })
		}, wire.CauseChain},
		{"out of order", func(p *wire.CertDeployParams) { p.Chain = pemOf(w.ca.inter.Raw, leaf) }, wire.CauseChain},
		{"another issuer", func(p *wire.CertDeployParams) { p.Chain = pemOf(leaf, other.inter.Raw) }, wire.CauseChain},
		{"an endpoint of another name", func(p *wire.CertDeployParams) {
			p.Endpoints = []wire.Endpoint{{Name: "else.example", Address: at.Address, Protocol: wire.ProtocolTLS}}
		}, wire.CauseChain},
		{"an endpoint by name", func(p *wire.CertDeployParams) {
			p.Endpoints = []wire.Endpoint{{Name: name, Address: "localhost:443", Protocol: wire.ProtocolTLS}}
		}, wire.CauseUnsupported},
		{"an unknown protocol", func(p *wire.CertDeployParams) {
			p.Endpoints = []wire.Endpoint{{Name: name, Address: at.Address, Protocol: "ftp"}}
		}, wire.CauseUnsupported},
		{"no key of this round", func(p *wire.CertDeployParams) { p.Round = 7 }, wire.CauseCertKey},
		{"another certificate", func(p *wire.CertDeployParams) { p.Certificate = "crt_02" }, wire.CauseCertFolder},
		{"a service that nobody set up", func(p *wire.CertDeployParams) { p.Services = []wire.Service{wire.ServicePostfix} }, wire.CauseNoService},
		{"an unknown service", func(p *wire.CertDeployParams) { p.Services = []wire.Service{"sh"} }, wire.CauseUnsupported},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := good
			p.Chain = append([]byte{}, good.Chain...)
			tt.change(&p)
			_, err := w.deploy(t.Context(), p)
			wantCause(t, err, tt.want)
			if w.live() != "1" || w.shows(at) != "1" {
				t.Errorf("live: got %s, want 1", w.live())
			}
		})
	}
	w.set([]string{"true"}, []string{"/nowhere/nginx"})
	_, err = w.deploy(t.Context(), good)
	wantCause(t, err, wire.CauseNoService)
}

func publicOf(t testing.TB, csr []byte) any {
	t.Helper()
	req, err := x509.ParseCertificateRequest(csr)
	if err != nil {
		t.Fatal(err)
	}
	return req.PublicKey
}

func TestLinksInTheWay(t *testing.T) {
	w := newWorld(t)
	at := listen(t, w.loaded, wire.ProtocolTLS)
	p := w.params(1, at)
	secret := filepath.Join(w.root, "secret")
	w.must(errors.Join(os.WriteFile(secret, []byte("untouched"), 0o600), os.Symlink("../../../../../secret", w.file("1/fullchain.pem"))))
	w.served(p) // replaced, not followed
	if b, err := os.ReadFile(secret); err != nil || string(b) != "untouched" {
		t.Errorf("got %q, %v", b, err)
	}
	w.must(errors.Join(os.Remove(w.file("live")), os.Symlink("../../../../", w.file("live"))))
	_, err := w.deploy(t.Context(), p)
	wantCause(t, err, wire.CauseCertFolder)
}

// A job that is stopped in the middle goes back first.
func TestStopped(t *testing.T) {
	w := newWorld(t)
	at := listen(t, w.loaded, wire.ProtocolTLS)
	w.served(w.params(1, at))
	why := errors.New("stopped by a person")
	ctx, cancel := context.WithCancelCause(t.Context())
	w.e.SetAt(func(point string) {
		if point == "reloaded" {
			cancel(why)
		}
	})
	if _, err := w.deploy(ctx, w.params(2, at)); !errors.Is(err, why) {
		t.Errorf("got %v, want %v", err, why)
	}
	if w.live() != "1" || w.shows(at) != "1" {
		t.Errorf("live %s, shows %s", w.live(), w.shows(at))
	}
}

func TestProblems(t *testing.T) {
	w := newWorld(t)
	w.served(w.params(1, listen(t, w.loaded, wire.ProtocolTLS)))
	closed := listen(t, w.loaded, wire.ProtocolTLS)
	closed.Address = "127.0.0.1:1"
	as := func(ep wire.Endpoint, p wire.CertProtocol) wire.Endpoint {
		ep.Protocol = p
		return ep
	}
	tests := []struct {
		name string
		ep   wire.Endpoint
		want string
	}{
		{"nobody there", closed, "connection refused"},
		{"no STARTTLS", as(listen(t, w.loaded, "bare smtp"), wire.ProtocolSMTP), "the server does not offer STARTTLS"},
		{"refused", as(listen(t, w.loaded, "rude"), wire.ProtocolSMTP), "the server does not take STARTTLS"},
		{"words before TLS", as(listen(t, w.loaded, "hasty"), wire.ProtocolSMTP), "the server speaks before TLS has begun"},
		{"not IMAP", as(listen(t, w.loaded, "rude"), wire.ProtocolIMAP), "what answers does not speak IMAP"},
		{"not POP3", as(listen(t, w.loaded, "rude"), wire.ProtocolPOP3), "what answers does not speak POP3"},
		{"silent", as(listen(t, w.loaded, "silent"), wire.ProtocolSMTP), "no answer in time"},
		{"not TLS", as(listen(t, w.loaded, "rude"), wire.ProtocolTLS), "what answers does not speak TLS"},
		{"no certificate", listen(t, t.TempDir(), wire.ProtocolTLS), "internal error"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := deploy.See(t.Context(), tt.ep, 300*time.Millisecond)
			if !strings.Contains(got.Problem, tt.want) || got.Leaf != "" || got.Right {
				t.Errorf("got %+v, want %q", got, tt.want)
			}
		})
	}
}
