package deploy_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ostler/agents/wire"
	"ostler/certs/deploy"
)

// A take-over that is cut off finds the file that it keeps, and no other.
func TestKeptFilesAreNotLost(t *testing.T) {
	w := newWorld(t)
	p := takeover(t, w, "lego.example")
	p.Renewer, p.Lineage, p.Path = "lego", "lego.example", "/var/lib/lego/certificates/lego.example.crt"
	key := filepath.Join(w.root, "var/lib/lego/certificates/lego.example.key")
	before, err := os.ReadFile(key)
	w.must(err)
	w.e.SetAt(func(point string) { // after the plan was made
		if point == "stopped" {
			w.must(os.WriteFile(key+".before-ostler", []byte("of somebody else"), 0o600))
		}
	})
	_, err = w.e.Take(t.Context(), p, any1)
	wantCause(t, err, wire.CauseRenewer)
	after, err1 := os.ReadFile(key)
	other, err2 := os.ReadFile(key + ".before-ostler")
	if err := errors.Join(err1, err2); err != nil || string(after) != string(before) || string(other) != "of somebody else" {
		t.Errorf("got %q and %q, %v", after, other, err)
	}
}

// Two take-overs of certbot's certificates go one after another: a lock of one
// process is ended by any of its handles.
func TestOneHolderOfCertbotsLock(t *testing.T) {
	w := newWorld(t)
	p := takeover(t, w)
	done := make(chan error, 1)
	first := true
	w.e.SetAt(func(point string) {
		if point != "stopped" || !first {
			return
		}
		first = false
		go func() {
			other := p
			other.Certificate, other.Folder = "crt_02", "other.example"
			_, err := w.e.Take(t.Context(), other, any1)
			done <- err
		}()
		select {
		case err := <-done:
			t.Fatalf("another one went on in the middle: %v", err)
		case <-time.After(50 * time.Millisecond):
		}
	})
	w.put("etc/ostler/certificates/other.example/state.json", []byte(`{"certificate":"crt_02"}`))
	if _, err := w.e.Take(t.Context(), p, any1); err != nil {
		t.Fatal(err)
	}
	wantCause(t, <-done, wire.CauseRenewer) // it has none of its own
}

// Anybody makes certificates: what is told of them is short and can be shown.
func TestFoundIsTidy(t *testing.T) {
	w := newWorld(t)
	w.everything()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	w.must(err)
	leaf := w.ca.leaf(k.Public(), []string{strings.Repeat("a", 1<<18) + ".example", "\x1b[2J.example"})
	w.put("etc/ssl/apache.crt", pemOf(leaf))
	found := w.e.Find()
	if len(found) != 6 {
		t.Fatalf("got %d certificates, want 6", len(found))
	}
	for _, f := range found {
		for _, n := range append(f.Names, f.Issuer) {
			if len(n) > 255 || strings.ContainsRune(n, '\x1b') {
				t.Errorf("%s: got %d bytes, %q", f.Path, len(n), n[:min(len(n), 20)])
			}
		}
	}
}

// What a program says of a key is kept back, also where most of it has passed.
func TestKeysInWhatProgramsSay(t *testing.T) {
	for name, script := range map[string]string{
		"long":     `echo "-----BEGIN PRIVATE KEY-----" >&2; i=0; while [ $i -lt 90 ]; do echo "SECRET+line+of+a+key+in+base64+that+is+somewhat+shorter" >&2; i=$((i+1)); done; exit 1`,
		"one line": `echo 'nginx: [emerg] unknown directive "SECRETAoGBAJ0SECRETAoGBAJ0SECRETAoGBAJ0SECRETAoGBAJ0SECRETAoGB12"' >&2; exit 1`,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.set([]string{"sh", "-c", script}, []string{"true"})
			res, err := w.deploy(t.Context(), w.params(1))
			if err != nil || res.Failure == nil || len(res.Services) != 1 {
				t.Fatalf("got %+v, %v", res, err)
			}
			for _, said := range []string{res.Failure.Detail, res.Services[0].Output} {
				if strings.Contains(said, "SECRET") || !strings.Contains(said, "kept back") {
					t.Errorf("got %q", said)
				}
			}
		})
	}
}

// A chain with a key that takes minutes to check is refused unchecked.
func TestHugeKeyInAChain(t *testing.T) {
	w := newWorld(t)
	n := new(big.Int).Lsh(big.NewInt(1), 20000)
	k := &rsa.PublicKey{N: n.Add(n, big.NewInt(1)), E: 1<<31 - 1}
	huge := w.ca.leaf(k, []string{"huge.example"}, func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true })
	p := w.params(1)
	p.Chain = append(p.Chain, pemOf(huge)...)
	_, err := w.deploy(t.Context(), p)
	wantCause(t, err, wire.CauseChain)
	if _, err := deploy.Names(p.Chain); err == nil {
		t.Error("the chain can be read")
	}
}
