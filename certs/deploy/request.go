package deploy

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"

	"ostler/agents/wire"
)

// maxNames bounds the names of one certificate.
const maxNames = 100

// Request makes the key of a round and a signing request for it, or finds those
// that it made before. The key is on the disk before the request is answered.
// Where the certificate has no first one yet, a placeholder stands in its place
// from now on.
func (e *Engine) Request(ctx context.Context, p wire.CertRequestParams) (wire.CertRequested, error) {
	if err := checkRequest(p); err != nil {
		return wire.CertRequested{}, err
	}
	defer e.lock(p.Folder)()
	s, err := e.shelf(p.Folder, p.Certificate, true)
	if err != nil {
		return wire.CertRequested{}, err
	}
	defer s.Close()
	r, err := s.round(p.Round, true)
	if err != nil {
		return wire.CertRequested{}, err
	}
	defer r.Close()
	key, err := e.key(r, p.Key)
	if err != nil {
		return wire.CertRequested{}, err
	}
	e.at("key")
	csr, err := e.csr(r, p, key)
	if err != nil {
		return wire.CertRequested{}, err
	}
	e.at("csr")
	if err := e.stand(s, p.Names); err != nil {
		return wire.CertRequested{}, err
	}
	return wire.CertRequested{CSR: csr}, nil
}

func checkRequest(p wire.CertRequestParams) error {
	if p.Round < 1 || !p.Key.Valid() || len(p.Names) == 0 || len(p.Names) > maxNames {
		return fail(wire.CauseUnsupported, nil, "the request has no round, no name, too many names, or an unknown kind of key")
	}
	seen := map[string]bool{}
	for _, n := range p.Names {
		if !validName(n) || seen[n] {
			return fail(wire.CauseUnsupported, nil, "a name is neither a DNS name in lower case nor an IP address, or is there twice")
		}
		seen[n] = true
	}
	return nil
}

var label = regexp.MustCompile(`^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$`)

// validName reports whether n is a DNS name in lower case (with "*." before it
// at most) or an IP address in its usual form.
func validName(n string) bool {
	if ip, err := netip.ParseAddr(n); err == nil {
		return ip.Zone() == "" && ip.String() == n
	}
	labels := strings.Split(strings.TrimPrefix(n, "*."), ".")
	if len(n) > 253 || len(labels) < 2 {
		return false
	}
	return !slices.ContainsFunc(labels, func(l string) bool { return !label.MatchString(l) })
}

// key reads the round's key, or makes it.
func (e *Engine) key(r *os.Root, kind wire.KeyType) (crypto.Signer, error) {
	key, err := readKey(r)
	if err == nil {
		if kindOf(key.Public()) != kind {
			return nil, fail(wire.CauseCertKey, nil, "the round has a key of another kind")
		}
		return key, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, diskFailure(err, "the round's key cannot be read")
	}
	if key, err = newKey(kind); err != nil {
		return nil, fail(wire.CauseInternal, err, "a key cannot be made")
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fail(wire.CauseInternal, nil, "a key cannot be encoded")
	}
	if err := writeFile(r, keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		return nil, diskFailure(err, "the key cannot be written")
	}
	return key, nil
}

// readKey reads a round's key. Its errors say nothing of the key's bytes.
func readKey(r *os.Root) (crypto.Signer, error) {
	b, err := readSmall(r, keyFile)
	if err != nil {
		return nil, err
	}
	key, err := parseKey(b)
	if err != nil {
		return nil, fail(wire.CauseInternal, nil, "the round's key is damaged")
	}
	if info, err := r.Lstat(keyFile); err != nil || info.Mode() != 0o600 {
		return nil, fail(wire.CauseCertKey, err, "the round's key can be read by others")
	}
	return key, nil
}

// parseKey reads a private key in PEM, in any of the forms that are about.
func parseKey(b []byte) (crypto.Signer, error) {
	for {
		var block *pem.Block
		if block, b = pem.Decode(b); block == nil {
			return nil, errors.New("no private key")
		}
		var key any
		var err error
		switch block.Type {
		case "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			key, err = x509.ParseECPrivateKey(block.Bytes)
		case "RSA PRIVATE KEY":
			key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		default: // EC PARAMETERS, certificates
			continue
		}
		if signer, ok := key.(crypto.Signer); ok && err == nil {
			return signer, nil
		}
		return nil, errors.New("not a private key that can be read")
	}
}

func newKey(kind wire.KeyType) (crypto.Signer, error) {
	switch kind {
	case wire.KeyP256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case wire.KeyP384:
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case wire.KeyRSA2048:
		return rsa.GenerateKey(rand.Reader, 2048)
	case wire.KeyRSA3072:
		return rsa.GenerateKey(rand.Reader, 3072)
	case wire.KeyRSA4096:
		return rsa.GenerateKey(rand.Reader, 4096)
	}
	return nil, errors.New("unknown kind of key")
}

// kindOf is the kind of a public key, "" where it is none of ours.
func kindOf(pub crypto.PublicKey) wire.KeyType {
	switch k := pub.(type) {
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256():
			return wire.KeyP256
		case elliptic.P384():
			return wire.KeyP384
		}
	case *rsa.PublicKey:
		switch k.N.BitLen() {
		case 2048:
			return wire.KeyRSA2048
		case 3072:
			return wire.KeyRSA3072
		case 4096:
			return wire.KeyRSA4096
		}
	}
	return ""
}

// csr reads the round's signing request, or makes it. A round has one: it is
// refused with other names.
func (e *Engine) csr(r *os.Root, p wire.CertRequestParams, key crypto.Signer) ([]byte, error) {
	der, err := readSmall(r, csrFile)
	if err == nil {
		req, err := x509.ParseCertificateRequest(der)
		if err != nil || !samePublic(req.PublicKey, key.Public()) {
			return nil, fail(wire.CauseInternal, err, "the round's signing request is damaged")
		}
		if !slices.Equal(sorted(requestNames(req)), sorted(p.Names)) {
			return nil, fail(wire.CauseCertKey, nil, "the round was requested before with other names")
		}
		return der, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, diskFailure(err, "the round's signing request cannot be read")
	}
	var req x509.CertificateRequest // names in the SAN only
	for _, n := range p.Names {
		if ip := net.ParseIP(n); ip != nil {
			req.IPAddresses = append(req.IPAddresses, ip)
		} else {
			req.DNSNames = append(req.DNSNames, n)
		}
	}
	if der, err = x509.CreateCertificateRequest(rand.Reader, &req, key); err != nil {
		return nil, fail(wire.CauseInternal, err, "the signing request cannot be made")
	}
	if err := writeFile(r, csrFile, der, 0o644); err != nil {
		return nil, diskFailure(err, "the signing request cannot be written")
	}
	return der, nil
}

func requestNames(req *x509.CertificateRequest) []string {
	names := slices.Clone(req.DNSNames)
	for _, ip := range req.IPAddresses {
		names = append(names, ip.String())
	}
	return names
}

func sorted(names []string) []string { return slices.Sorted(slices.Values(names)) }

func samePublic(a, b crypto.PublicKey) bool {
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(b)
}
