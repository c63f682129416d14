package bench_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/go-acme/lego/v4/certcrypto"
	"github.com/go-acme/lego/v4/certificate"
	"github.com/go-acme/lego/v4/lego"
	legolog "github.com/go-acme/lego/v4/log"
	"github.com/go-acme/lego/v4/registration"
	"go.uber.org/zap"
)

// peer obtains one certificate for a name, with a new P-256 key.
type peer func(name string) error

// atOnce obtains certificates for names, some at a time, and returns how long
// all of them took.
func atOnce(b *testing.B, obtain peer, names []string, at int) time.Duration {
	b.Helper()
	start := time.Now()
	work := make(chan string)
	errs := make(chan error, len(names))
	var wg sync.WaitGroup
	for range at {
		wg.Go(func() {
			for name := range work {
				if err := obtain(name); err != nil {
					errs <- fmt.Errorf("%s: %w", name, err)
				}
			}
		})
	}
	for _, n := range names {
		work <- n
	}
	close(work)
	wg.Wait()
	took := time.Since(start)
	close(errs)
	for err := range errs {
		b.Fatal(err)
	}
	return took
}

// answers is a server of http-01 answers that several orders share: lego has
// one listener for each of its own.
type answers struct{ keys sync.Map }

func (a *answers) Present(domain, token, key string) error {
	a.keys.Store(token, key)
	return nil
}

func (a *answers) CleanUp(domain, token, key string) error {
	a.keys.Delete(token)
	return nil
}

func (a *answers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if key, ok := a.keys.Load(r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]); ok {
		_, _ = w.Write([]byte(key.(string))) // the validator may be gone
		return
	}
	http.NotFound(w, r)
}

// legoUser is an account of lego's.
type legoUser struct {
	key crypto.PrivateKey
	reg *registration.Resource
}

func (u *legoUser) GetEmail() string                        { return "" }
func (u *legoUser) GetRegistration() *registration.Resource { return u.reg }
func (u *legoUser) GetPrivateKey() crypto.PrivateKey        { return u.key }

// legoObtain is the loop over certificate.Obtain that lego's users write; one
// client for all, answers at listen.
func legoObtain(b *testing.B, directory string, roots *x509.CertPool, listen string) peer {
	b.Helper()
	legolog.Logger = log.New(io.Discard, "", 0)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	user := &legoUser{key: key}
	c := lego.NewConfig(user)
	c.CADirURL, c.Certificate.KeyType = directory, certcrypto.EC256
	c.HTTPClient = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, MaxIdleConnsPerHost: 16}}
	client, err := lego.NewClient(c)
	if err != nil {
		b.Fatal(err)
	}
	if user.reg, err = client.Registration.Register(registration.RegisterOptions{TermsOfServiceAgreed: true}); err != nil {
		b.Fatal(err)
	}
	a := &answers{}
	ln, err := net.Listen("tcp", listen)
	if err != nil {
		b.Fatal(err)
	}
	srv := &http.Server{Handler: a}
	b.Cleanup(func() { _ = srv.Close() })
	go func() { _ = srv.Serve(ln) }() // ends with Close
	if err := client.Challenge.SetHTTP01Provider(a); err != nil {
		b.Fatal(err)
	}
	return func(name string) error {
		_, err := client.Certificate.Obtain(certificate.ObtainRequest{Domains: []string{name}, Bundle: true, Profile: "default"})
		return err
	}
}

// certmagicObtain is certmagic with its limiter off; its own solver answers at listen.
func certmagicObtain(b *testing.B, directory string, roots *x509.CertPool, listen string) peer {
	b.Helper()
	certmagic.RateLimitEvents, certmagic.RateLimitEventsWindow = 0, 0
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		b.Fatal(err)
	}
	at, err := net.LookupPort("tcp", port)
	if err != nil {
		b.Fatal(err)
	}
	log.SetOutput(io.Discard)                                                               // its solver writes to the standard logger
	certmagic.DefaultACME.Email, certmagic.DefaultACME.Agreed = "peer@ostler.example", true // else it asks on the terminal
	quiet := zap.NewNop()
	certmagic.Default.Logger, certmagic.DefaultACME.Logger = quiet, quiet
	var magic *certmagic.Config
	cache := certmagic.NewCache(certmagic.CacheOptions{GetConfigForCert: func(certmagic.Certificate) (*certmagic.Config, error) { return magic, nil }, Logger: quiet})
	b.Cleanup(cache.Stop)
	magic = certmagic.New(cache, certmagic.Config{Storage: &certmagic.FileStorage{Path: b.TempDir()}, Logger: quiet, KeySource: certmagic.StandardKeyGenerator{KeyType: certmagic.P256}})
	magic.Issuers = []certmagic.Issuer{certmagic.NewACMEIssuer(magic, certmagic.ACMEIssuer{CA: directory, TestCA: directory, TrustedRoots: roots, Agreed: true, Profile: "default",
		DisableTLSALPNChallenge: true, ListenHost: host, AltHTTPPort: at, Logger: quiet})}
	return func(name string) error { return magic.ObtainCertSync(context.Background(), name) }
}
