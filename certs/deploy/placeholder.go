package deploy

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io/fs"
	"math/big"
	"net"
	"time"

	"ostler/agents/wire"
)

// placeholder is the folder of what stands in a certificate's place before there
// is a first one: services whose configuration names our files start and reload,
// whether or not a CA has issued yet. Nobody trusts it, its key has no other use,
// and no round is called so.
const placeholder = "placeholder"

// placeholderLife is long: a placeholder that has ended is no better and no
// worse, and some services look at it.
const placeholderLife = 10 * 365 * 24 * time.Hour

// stand has the link "live" lead to a placeholder where it leads nowhere yet.
func (e *Engine) stand(s *shelf, names []string) error {
	_, err := s.Lstat(liveLink)
	if err == nil {
		return nil // a round, the placeholder, or something that Deploy refuses
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return diskFailure(err, "the certificate's folder cannot be read")
	}
	if err := e.makePlaceholder(s, names); err != nil {
		return err
	}
	e.at("placeholder")
	if err := replaceLink(s.Root, liveLink, placeholder); err != nil {
		return diskFailure(err, "the link to the placeholder cannot be made")
	}
	e.at("placed")
	return nil
}

// makePlaceholder writes the placeholder's files, those of a round.
func (e *Engine) makePlaceholder(s *shelf, names []string) error {
	if err := s.Mkdir(placeholder, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return diskFailure(err, "the placeholder's folder cannot be made")
	}
	r, err := openFolder(s.Root, placeholder)
	if err != nil {
		return diskFailure(err, "the placeholder's folder cannot be opened")
	}
	defer r.Close()
	sweep(r)
	if _, err := readSmall(r, fullchainFile); err == nil {
		return nil // whole: it is written last
	}
	key, cert, err := e.selfSigned(names)
	if err != nil {
		return err
	}
	both := append(append([]byte{}, cert...), key...)
	if err := writeFiles(r, func(string) {}, toWrite{keyFile, key, 0o600}, toWrite{leafFile, cert, 0o644}, toWrite{chainFile, cert, 0o644},
		toWrite{combinedFile, both, 0o600}, toWrite{fullchainFile, cert, 0o644}); err != nil {
		return diskFailure(err, "the placeholder cannot be written")
	}
	return nil
}

// selfSigned is a new key and a certificate of it by itself, both in PEM.
func (e *Engine) selfSigned(names []string) (keyPEM, certPEM []byte, err error) {
	key, err := newKey(wire.KeyP256)
	if err != nil {
		return nil, nil, fail(wire.CauseInternal, err, "a key cannot be made")
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, nil, fail(wire.CauseInternal, err, "a serial number cannot be made")
	}
	now := e.o.Now()
	tmpl := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: "No certificate yet"}, NotBefore: now.Add(-24 * time.Hour), NotAfter: now.Add(placeholderLife),
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
		return nil, nil, fail(wire.CauseInternal, err, "a placeholder cannot be made")
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, fail(wire.CauseInternal, nil, "a key cannot be encoded")
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}
