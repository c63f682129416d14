//go:build slow

package e2e_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"ostler/agents/wire"
	"ostler/e2e/world"
)

// signing is a signing request for names.
func signing(t *testing.T, key crypto.Signer, names ...string) []byte {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: names}, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// keyFile is a private key of the host.
func keyFile(t *testing.T, path string) crypto.Signer {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(raw)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return key.(crypto.Signer)
}

// A server in other hands asks for a neighbour's name, or with a key that is
// weak or has a use already: the authority never hears of it.
func TestSlowCertificateHostileServer(t *testing.T) {
	t.Parallel()
	h := newLabHouse(t, "", world.NewLab(t, world.LabOptions{}), "shop.example", "blog.example")
	neighbour := h.AddCustomers("harbour")[0]
	h.AddTenancy(neighbour, h.host, "/srv/harbour", "harbour.example")
	shop := h.served("shop.example")
	used := keyFile(t, h.keys(shop)[0])
	fresh := func() crypto.Signer {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	h.host.Agent.Stop()
	impostor := h.host.Impostor()
	h.lab.Faults.Forget()
	blog := world.Cert{}
	for n, step := range []struct {
		name, code string
		csr        []byte
	}{
		{"a neighbour's name", "csr_names", signing(t, fresh(), "harbour.example")},
		{"a neighbour's name beside its own", "csr_names", signing(t, fresh(), "blog.example", "harbour.example")},
		{"a weak key", "csr_key", signing(t, weak, "blog.example")},
		{"the key of another certificate", "key_reused", signing(t, used, "blog.example")},
		{"no signing request", "csr_broken", []byte("hello")},
	} {
		h.Step(t, step.name, func(t *testing.T) {
			impostor.Answer(func(wire.CertRequestParams) []byte { return step.csr })
			if n == 0 {
				blog = h.ask("blog.example")
			} else {
				h.maple.Must(nil, http.MethodPost, "/certificates/"+blog.ID+"/renew", nil)
			}
			h.why(step.name, h.again(blog, n+1), "failed", step.code)
		})
	}
	if n := h.lab.Faults.Count("", world.AskNewOrder, world.AskAuthz, world.AskChallenge, world.AskFinalize); n != 0 {
		t.Errorf("requests about an order: got %d, want none", n)
	}
}

// keys are the private keys of a certificate on the host.
func (h *labHouse) keys(x world.Cert) []string {
	h.T.Helper()
	keys, err := filepath.Glob(filepath.Join(h.host.CertFolder(), x.Folder, "[0-9]*", "privkey.pem"))
	if err != nil {
		h.T.Fatal(err)
	}
	return keys
}
