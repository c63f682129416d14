package acme

import (
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"

	"github.com/go-acme/lego/v4/acme"
	"github.com/go-acme/lego/v4/acme/api"
)

// Bounds of what a CA gives: alternate chains that are looked at, certificates of
// one, its bytes, and the bits of an RSA key in it. A host takes no more either.
const (
	maxChains     = 8
	maxChain      = 10
	maxChainBytes = 256 << 10
	maxRSA        = 8192
)

// download fetches the chain that the request wants, or the default one.
func (o *order) download(ctx context.Context) (Result, error) {
	first, header, err := o.chain(ctx, o.state.Certificate)
	if err != nil {
		return Result{}, err
	}
	r := Result{Chain: encode(first), URL: o.state.Certificate}
	if o.req.Chain == "" || leadsTo(first, o.req.Chain) {
		return r, nil
	}
	alternates := links(header, "alternate")
	for _, to := range alternates[:min(len(alternates), maxChains)] {
		other, _, err := o.chain(ctx, to)
		if err != nil {
			return Result{}, err
		}
		if leadsTo(other, o.req.Chain) {
			return Result{Chain: encode(other), URL: o.state.Certificate}, nil
		}
	}
	o.event(EventChainNotOffered, "chain", o.req.Chain)
	return r, nil
}

func (o *order) chain(ctx context.Context, to string) ([]*x509.Certificate, http.Header, error) {
	var raw []byte
	header, err := o.c.call(ctx, o.who, &o.n, opOrder, func(core *api.Core) (err error) {
		raw, _, err = core.Certificates.Get(to, true)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	chain, err := decode(raw)
	if err == nil {
		err = o.fits(chain[0])
	}
	if err != nil {
		return nil, nil, badAnswer("", err)
	}
	return chain, header, nil
}

// decode reads a chain (RFC 8555, 9.1): certificates and nothing else.
func decode(raw []byte) ([]*x509.Certificate, error) {
	if len(raw) > maxChainBytes {
		return nil, errors.New("the chain is too long")
	}
	var chain []*x509.Certificate
	for rest := bytes.TrimSpace(raw); len(rest) > 0; rest = bytes.TrimSpace(rest) {
		block, more := pem.Decode(rest)
		if block == nil || block.Type != "CERTIFICATE" || len(chain) == maxChain {
			return nil, fmt.Errorf("the chain is not all certificates, or more than %d", maxChain)
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d of the chain: %w", len(chain)+1, err)
		}
		if k, ok := cert.PublicKey.(*rsa.PublicKey); ok && k.N.BitLen() > maxRSA {
			return nil, fmt.Errorf("certificate %d of the chain has an RSA key of %d bits", len(chain)+1, k.N.BitLen())
		}
		chain, rest = append(chain, cert), more
	}
	if len(chain) == 0 {
		return nil, errors.New("the chain is empty")
	}
	for i := range chain[:len(chain)-1] {
		if !bytes.Equal(chain[i].RawIssuer, chain[i+1].RawSubject) {
			return nil, fmt.Errorf("certificate %d of the chain was not issued by the one after it", i+1)
		}
	}
	return chain, nil
}

func encode(chain []*x509.Certificate) []byte {
	var b bytes.Buffer
	for _, c := range chain {
		_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}) // never fails into a buffer
	}
	return b.Bytes()
}

// leadsTo reports whether a root or an intermediate of the chain has the name.
func leadsTo(chain []*x509.Certificate, name string) bool {
	return slices.ContainsFunc(chain, func(c *x509.Certificate) bool { return c.Issuer.CommonName == name })
}

// fits checks that a leaf is what was asked for.
func (o *order) fits(leaf *x509.Certificate) error {
	if !bytes.Equal(leaf.RawSubjectPublicKeyInfo, o.csr.RawSubjectPublicKeyInfo) {
		return errors.New("the certificate has another key than was asked for")
	}
	if got := namesOf(leaf.DNSNames, leaf.IPAddresses); !slices.Equal(got, o.sorted) {
		return fmt.Errorf("the certificate names %q, asked for were %q", got, o.sorted)
	}
	return nil
}

// namesOf are names and addresses as a set: canonical, sorted, each once.
func namesOf(dns []string, ips []net.IP) []string {
	var all []string
	for _, n := range dns {
		all = append(all, canonical(n))
	}
	for _, ip := range ips {
		all = append(all, canonical(ip.String()))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func identifiersOf(ids []acme.Identifier) []string {
	var all []string
	for _, id := range ids {
		all = append(all, id.Value)
	}
	return namesOf(all, nil)
}
