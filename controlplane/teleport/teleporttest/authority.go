package teleporttest

import (
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"path/filepath"
	"sync"
	"time"

	"github.com/gravitational/teleport/api/constants"
	"github.com/gravitational/teleport/api/identityfile"
	"golang.org/x/crypto/ssh"
)

// authority signs the certificates of the cluster and of its users.
type authority struct {
	name string
	now  func() time.Time
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	pem  []byte
	pool *x509.CertPool
	ssh  ssh.Signer

	mu     sync.Mutex
	serial int64
}

func newAuthority(name string, now func() time.Time) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	a := &authority{name: name, now: now, key: key, serial: 1}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name, Organization: []string{name}},
		NotBefore: now().Add(-20 * 365 * 24 * time.Hour), NotAfter: now().Add(20 * 365 * 24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		return nil, err
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		return nil, err
	}
	a.pem = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	a.pool = x509.NewCertPool()
	a.pool.AddCert(a.cert)
	a.ssh, err = ssh.NewSignerFromKey(key)
	return a, err
}

func (a *authority) next() *big.Int {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.serial++
	return big.NewInt(a.serial)
}

// serverTLS is the auth service's side: a client without a certificate of this
// authority, valid by the cluster's clock, does not get in.
func (a *authority) serverTLS() (*tls.Config, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	now := a.now()
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: a.next(), Subject: pkix.Name{CommonName: a.name}, DNSNames: []string{constants.APIDomain, a.name},
		NotBefore: now.Add(-24 * time.Hour), NotAfter: now.Add(10 * 365 * 24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, a.cert, key.Public(), a.key)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		ClientAuth:   tls.RequireAndVerifyClientCert, ClientCAs: a.pool,
		NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS12, Time: a.now,
	}, nil
}

// IdentityFile writes an identity of a user with these roles (the user's own if
// none are given) to dir, valid for ttl from now, or ended if ttl is negative,
// and returns its path: what "tctl auth sign --format=file" does. It replaces
// one of the same user, whole.
func (c *Cluster) IdentityFile(dir, user string, ttl time.Duration, roles ...string) (string, error) {
	if len(roles) == 0 {
		roles = c.rolesOf(user)
	}
	content, err := c.ca.identity(user, roles, ttl)
	if err != nil {
		return "", fmt.Errorf("teleporttest: identity file: %w", err)
	}
	path := filepath.Join(dir, user+".identity")
	if err := replace(path, content); err != nil {
		return "", fmt.Errorf("teleporttest: identity file: %w", err)
	}
	return path, nil
}

func (a *authority) identity(user string, roles []string, ttl time.Duration) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	now := a.now()
	from, until := now.Add(-time.Minute), now.Add(ttl)
	if ttl < 0 {
		from = until.Add(-time.Hour)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: a.next(), Subject: pkix.Name{CommonName: user, Organization: roles},
		NotBefore: from, NotAfter: until,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, a.cert, key.Public(), a.key)
	if err != nil {
		return nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	sshCert, err := a.sshCertificate(user, key.Public(), from, until)
	if err != nil {
		return nil, err
	}
	known := fmt.Sprintf("@cert-authority %s %s", cmp.Or(a.name, "*"), ssh.MarshalAuthorizedKey(a.ssh.PublicKey()))
	return identityfile.Encode(&identityfile.IdentityFile{
		PrivateKey: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}),
		Certs:      identityfile.Certs{SSH: sshCert, TLS: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})},
		CACerts:    identityfile.CACerts{SSH: [][]byte{[]byte(known)}, TLS: [][]byte{a.pem}},
	})
}

// sshCertificate is part of every identity file; the fake has no SSH.
func (a *authority) sshCertificate(user string, public crypto.PublicKey, from, until time.Time) ([]byte, error) {
	pub, err := ssh.NewPublicKey(public)
	if err != nil {
		return nil, err
	}
	cert := &ssh.Certificate{
		Key: pub, CertType: ssh.UserCert, KeyId: user, ValidPrincipals: []string{"-teleport-internal-join"},
		ValidAfter: uint64(max(from.Unix(), 0)), ValidBefore: uint64(max(until.Unix(), 0)),
	}
	if err := cert.SignCert(rand.Reader, a.ssh); err != nil {
		return nil, err
	}
	return ssh.MarshalAuthorizedKey(cert), nil
}
