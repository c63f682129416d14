package deploy

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"os"
	"slices"
	"strings"
	"time"

	"ostler/agents/wire"
)

// Bounds of a chain.
const (
	maxChain      = 10
	maxChainBytes = 256 << 10
	maxRSA        = 8192            // bits: checking a signature by a longer key takes a host's time
	clockSkew     = 5 * time.Minute // a host's clock may be behind the CA's
)

// LeafHash is how a leaf is named: hex SHA-256 of its DER.
func LeafHash(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

// ChainHash is how a whole chain is named: hex SHA-256 of all DER, in order.
func ChainHash(ders [][]byte) string {
	h := sha256.New()
	for _, der := range ders {
		h.Write(der)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// chain is a certificate and its issuers, in order.
type chain []*x509.Certificate

// parseChain reads PEM with certificates and nothing else.
func parseChain(b []byte) (chain, error) {
	if len(b) > maxChainBytes {
		return nil, fail(wire.CauseChain, nil, "the chain is longer than %d bytes", maxChainBytes)
	}
	var c chain
	for len(bytes.TrimSpace(b)) > 0 {
		block, rest := pem.Decode(b)
		if block == nil || block.Type != "CERTIFICATE" || len(c) == maxChain {
			return nil, fail(wire.CauseChain, nil, "the chain is not made of at most %d certificates in PEM", maxChain)
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fail(wire.CauseChain, err, "a certificate of the chain cannot be read")
		}
		if k, ok := cert.PublicKey.(*rsa.PublicKey); ok && k.N.BitLen() > maxRSA {
			return nil, fail(wire.CauseChain, nil, "a certificate of the chain has an RSA key of more than %d bits", maxRSA)
		}
		c, b = append(c, cert), rest
	}
	if len(c) == 0 {
		return nil, fail(wire.CauseChain, nil, "the chain is empty")
	}
	return c, nil
}

func (c chain) ders() [][]byte {
	out := make([][]byte, len(c))
	for i, cert := range c {
		out[i] = cert.Raw
	}
	return out
}

func (c chain) pem() []byte {
	var out []byte
	for _, cert := range c {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})...)
	}
	return out
}

// sight is what an endpoint must show.
type sight struct{ leaf, chain string }

func (c chain) sight() sight { return sight{LeafHash(c[0].Raw), ChainHash(c.ders())} }

// check refuses a chain that would not work: wrong key, time, names or order.
func (c chain) check(r *os.Root, now time.Time, endpoints []wire.Endpoint) error {
	leaf := c[0]
	key, err := readKey(r)
	if err != nil {
		return missing(err)
	}
	if !samePublic(leaf.PublicKey, key.Public()) {
		return fail(wire.CauseChain, nil, "the certificate is not for the key of this round")
	}
	switch {
	case now.Add(clockSkew).Before(leaf.NotBefore):
		return fail(wire.CauseChain, nil, "the certificate is not valid yet by this host's clock (from %s)", leaf.NotBefore.UTC().Format(time.RFC3339))
	case now.After(leaf.NotAfter):
		return fail(wire.CauseChain, nil, "the certificate is not valid any more by this host's clock (until %s)", leaf.NotAfter.UTC().Format(time.RFC3339))
	case leaf.IsCA:
		return fail(wire.CauseChain, nil, "the first certificate of the chain is an authority's")
	case len(leaf.ExtKeyUsage) > 0 && !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageServerAuth) && !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageAny):
		return fail(wire.CauseChain, nil, "the certificate is not for servers")
	}
	for i := 1; i < len(c); i++ {
		if err := c[i-1].CheckSignatureFrom(c[i]); err != nil {
			return fail(wire.CauseChain, err, "the chain is not in order: certificate %d is not signed by the one after it", i)
		}
	}
	return c.covers(r, endpoints)
}

// covers holds the leaf to the names that were requested and to those that are
// looked at.
func (c chain) covers(r *os.Root, endpoints []wire.Endpoint) error {
	der, err := readSmall(r, csrFile)
	if err != nil {
		return missing(err)
	}
	req, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return fail(wire.CauseInternal, err, "the round's signing request is damaged")
	}
	have := sorted(c.names())
	for _, n := range requestNames(req) {
		if _, ok := slices.BinarySearch(have, n); !ok {
			return fail(wire.CauseChain, nil, "the certificate does not cover %s", n)
		}
	}
	for _, ep := range endpoints {
		if err := c[0].VerifyHostname(serverName(ep.Name)); err != nil {
			return fail(wire.CauseChain, nil, "the certificate does not cover %s", ep.Name)
		}
	}
	return nil
}

// names are the leaf's names, as they stand in a request.
func (c chain) names() []string { return certNames(c[0]) }

func certNames(cert *x509.Certificate) []string {
	names := []string{}
	for _, n := range cert.DNSNames {
		names = append(names, strings.ToLower(n))
	}
	for _, ip := range cert.IPAddresses {
		names = append(names, ip.String())
	}
	return names
}

// Names are the names of the first certificate in PEM, for a host's policy.
func Names(pemChain []byte) ([]string, error) {
	c, err := parseChain(pemChain)
	if err != nil {
		return nil, err
	}
	return c.names(), nil
}
