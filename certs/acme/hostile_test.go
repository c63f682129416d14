package acme_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"ostler/certs/acme"
	"ostler/certs/acme/acmetest"
)

// records shows by dns-01, and may be dead: what it wrote stays then.
type records struct {
	acme.Solver
	mu    sync.Mutex
	dead  bool
	fails string // the name that cannot be written
	there map[string]bool
}

func (r *records) Present(ctx context.Context, c acme.Challenge) (<-chan struct{}, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.Name == r.fails {
		return nil, errors.New("no such zone")
	}
	r.there[c.Name+" "+c.KeyAuth] = true
	return r.Solver.Present(ctx, c)
}

func (r *records) Clean(ctx context.Context, c acme.Challenge) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.dead {
		return nil
	}
	delete(r.there, c.Name+" "+c.KeyAuth)
	return r.Solver.Clean(ctx, c)
}

// A process that is killed after the CA has looked, and before its records are
// taken away: who goes on with the order takes them away.
func TestRecordsOfAKilledProcess(t *testing.T) {
	for _, tt := range []struct {
		name   string
		killAt int
		fails  string
	}{
		{"all names were shown", 3, ""},
		{"one name was shown", 0, "b.example"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ca := acmetest.New(t, acmetest.Options{})
			c := ca.Open(t, ca.Options(t))
			s := &records{Solver: ca.DNS, dead: true, fails: tt.fails, there: map[string]bool{}}
			hooks := map[string]acme.Solver{acme.DNS01: s}
			k := &acmetest.Keeper{KillAt: tt.killAt}
			r := acmetest.Request(t, "a.example", "b.example")
			if _, _, err := c.Issue(t.Context(), r, acme.State{}, k.Hooks(hooks)); err == nil || len(s.there) == 0 {
				t.Fatalf("got %v and %d records, want to be killed", err, len(s.there))
			}
			s.dead, s.fails, k.KillAt = false, "", 0
			if _, _, err := c.Issue(t.Context(), r, k.State(), k.Hooks(hooks)); err != nil {
				t.Fatal(err)
			}
			if len(s.there) != 0 {
				t.Errorf("records that are left: %v", s.there)
			}
		})
	}
}

// A CA that wants another name shown, or a token that is a path, is not obliged.
func TestChallengesThatNobodyAskedFor(t *testing.T) {
	for name, change := range map[string]func(doc map[string]any){
		"another's name": func(doc map[string]any) { doc["identifier"] = map[string]any{"type": "dns", "value": "oak.example"} },
		"a name below":   func(doc map[string]any) { doc["identifier"] = map[string]any{"type": "dns", "value": "x.a.example"} },
		"a path": func(doc map[string]any) {
			for _, ch := range doc["challenges"].([]any) {
				ch.(map[string]any)["token"] = "../../admin?x="
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			ca := acmetest.New(t, acmetest.Options{})
			c := ca.Open(t, ca.Options(t))
			ca.On(acmetest.PathAuthz, -1, acmetest.Edit(func(doc map[string]any, _ http.Header) { change(doc) }))
			s := &records{Solver: ca.DNS, there: map[string]bool{}}
			_, _, err := c.Issue(t.Context(), acmetest.Request(t, "a.example"), acme.State{}, (&acmetest.Keeper{}).Hooks(map[string]acme.Solver{acme.DNS01: s}))
			if e := refusal(t, err); e.Kind != acme.KindBadAnswer || len(s.there) != 0 {
				t.Errorf("got %v and %d records", e, len(s.there))
			}
		})
	}
}

// URLs of a CA are https.
func TestPlainURLs(t *testing.T) {
	ca := acmetest.New(t, acmetest.Options{})
	c := ca.Open(t, ca.Options(t))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ca.On(acmetest.PathNewOrder, 1, acmetest.Edit(func(doc map[string]any, _ http.Header) {
		doc["authorizations"] = []any{"http://" + l.Addr().String() + "/authz"}
	}))
	_, _, err = c.Issue(t.Context(), acmetest.Request(t, "a.example"), acme.State{}, (&acmetest.Keeper{}).Hooks(ca.HTTP01()))
	if e := refusal(t, err); !strings.Contains(strings.ToLower(e.Error()), "https") {
		t.Errorf("got %v", e)
	}
	_ = l.(*net.TCPListener).SetDeadline(time.Now().Add(10 * time.Millisecond))
	if _, err := l.Accept(); err == nil {
		t.Error("it was asked over http")
	}
}

// outside is a connection to the test's CA that claims to be one over the internet.
type outside struct{ net.Conn }

func (outside) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 443} }

// A CA on the internet does not have us ask around in our own network.
func TestOutsideLeadsNotInside(t *testing.T) {
	ca := acmetest.New(t, acmetest.Options{})
	pool := ca.Client.Transport.(*http.Transport).TLSClientConfig.RootCAs
	for name, public := range map[string]bool{"inside": false, "outside": true} {
		t.Run(name, func(t *testing.T) {
			transport := acme.Transport(pool)
			guarded := transport.DialContext
			transport.DisableKeepAlives = true
			first := true
			transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := guarded(ctx, network, address)
				if err == nil && public && first {
					first = false
					return outside{conn}, nil
				}
				return conn, err
			}
			opts := ca.Options(t)
			opts.HTTP = &http.Client{Transport: transport}
			transport.ForceAttemptHTTP2 = false
			c, err := acme.Open(t.Context(), opts)
			if err != nil {
				t.Fatal(err)
			}
			_, err = c.Register(t.Context(), acme.Registration{})
			if !public {
				if err != nil {
					t.Errorf("a CA within our network: %v", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), "private network") {
				t.Errorf("got %v, want it refused", err)
			}
		})
	}
}

// A date that is centuries away, and words for terminals, are brought into bounds.
func TestWordsOfACA(t *testing.T) {
	ca := acmetest.New(t, acmetest.Options{})
	c := ca.Open(t, ca.Options(t))
	ca.On(acmetest.PathNewOrder, 1, acmetest.Problem(http.StatusTooManyRequests, "rateLimited\x1b[2J"+strings.Repeat("x", 5000), "wait\x1b[2J"+strings.Repeat("y", 5000),
		"Retry-After", "Fri, 31 Dec 9999 23:59:59 GMT", "Link", `<javascript:alert(1)>;rel="help"`))
	_, _, err := c.Issue(t.Context(), acmetest.Request(t, "a.example"), acme.State{}, (&acmetest.Keeper{}).Hooks(ca.HTTP01()))
	e := refusal(t, err)
	if most := time.Now().Add(366 * 24 * time.Hour); e.RetryAfter.IsZero() || e.RetryAfter.After(most) {
		t.Errorf("retry after %v", e.RetryAfter)
	}
	if e.Link != "" || strings.ContainsRune(e.Error()+e.Type+e.Detail, '\x1b') || len(e.Type) > 1000 || len(e.Detail) > 1000 {
		t.Errorf("got link %q, %d and %d bytes, %q", e.Link, len(e.Type), len(e.Detail), e.Detail[:20])
	}
}

// Chains that would cost a host its time are refused here.
func TestChainsWithoutBounds(t *testing.T) {
	n := new(big.Int).Lsh(big.NewInt(1), 20000)
	key := acmetest.Key(t)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	huge, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &rsa.PublicKey{N: n.Add(n, big.NewInt(1)), E: 1<<31 - 1}, key)
	if err != nil {
		t.Fatal(err)
	}
	small, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	text := func(der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	for name, chain := range map[string]string{"a huge key": text(small) + text(huge), "many": strings.Repeat(text(small), 11), "long": strings.Repeat(" ", 300<<10) + text(small)} {
		t.Run(name, func(t *testing.T) {
			ca := acmetest.New(t, acmetest.Options{})
			c := ca.Open(t, ca.Options(t))
			ca.On(acmetest.PathCert, -1, acmetest.Answer(http.StatusOK, "application/pem-certificate-chain", chain))
			_, _, err := c.Issue(t.Context(), acmetest.Request(t, "a.example"), acme.State{}, (&acmetest.Keeper{}).Hooks(ca.HTTP01()))
			if e := refusal(t, err); e.Kind != acme.KindBadAnswer || strings.Contains(e.Error(), "another key") {
				t.Errorf("got %v", e)
			}
		})
	}
}
