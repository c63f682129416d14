package agents

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/secrets"
)

const (
	caKeyName  = "agents-ca"
	caLife     = 10 * 365 * 24 * time.Hour
	leafLife   = 90 * 24 * time.Hour
	backdating = time.Hour // for hosts whose clock is behind
)

// authority is the agents' certificate authority. Its key is made once and
// kept in the keyring; it signs agents and our own two listeners for them.
type authority struct {
	cert   *x509.Certificate
	key    crypto.Signer
	domain string
	wall   db.Clock
	pool   *x509.CertPool
}

func openAuthority(k *secrets.Keeper, domain string, wall db.Clock) (*authority, error) {
	data, err := k.KeyFile(caKeyName, func() ([]byte, error) { return makeAuthority(wall.Now()) })
	if err != nil {
		return nil, fmt.Errorf("agents: open certificate authority: %w", err)
	}
	pair, err := tls.X509KeyPair(data, data)
	if err != nil {
		return nil, fmt.Errorf("agents: read certificate authority: %w", err)
	}
	key, ok := pair.PrivateKey.(crypto.Signer)
	if !ok {
		return nil, errors.New("agents: read certificate authority: its key cannot sign")
	}
	ca := &authority{cert: pair.Leaf, key: key, domain: domain, wall: wall, pool: x509.NewCertPool()}
	ca.pool.AddCert(ca.cert)
	return ca, nil
}

func makeAuthority(now time.Time) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("agents: make certificate authority: %w", err)
	}
	t := &x509.Certificate{
		Subject:   pkix.Name{CommonName: "Ostler agents"},
		NotBefore: now.Add(-backdating), NotAfter: now.Add(caLife),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	cert, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("agents: make certificate authority: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("agents: make certificate authority: %w", err)
	}
	var out bytes.Buffer
	if err := errors.Join(pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: cert}),
		pem.Encode(&out, &pem.Block{Type: "PRIVATE KEY", Bytes: der})); err != nil {
		return nil, fmt.Errorf("agents: make certificate authority: %w", err)
	}
	return out.Bytes(), nil
}

// pin is the SHA-256 of the authority's public key info; tokens carry it.
func (ca *authority) pin() [32]byte { return sha256.Sum256(ca.cert.RawSubjectPublicKeyInfo) }

// issueAgent signs an agent's key. The validity follows the process's clock,
// as hosts check it with theirs, whatever clock the database is on.
func (ca *authority) issueAgent(server, agent string, public any, life time.Duration) (der []byte, notAfter time.Time, err error) {
	now := ca.wall.Now()
	notAfter = now.Add(life).Truncate(time.Second)
	id := &url.URL{Scheme: "spiffe", Host: ca.domain, Path: "/server/" + server + "/agent/" + agent}
	t := &x509.Certificate{
		Subject:   pkix.Name{CommonName: agent},
		NotBefore: now.Add(-backdating), NotAfter: notAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true, URIs: []*url.URL{id},
	}
	der, err = x509.CreateCertificate(rand.Reader, t, ca.cert, public, ca.key)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("agents: issue certificate: %w", err)
	}
	return der, notAfter, nil
}

// Identity is who a certificate says that an agent is. It comes from nowhere else.
type Identity struct {
	Server, Agent string
	KeyHash       [32]byte // SHA-256 of the public key info
	NotAfter      time.Time
}

// identify checks that our authority signed the certificate for client
// authentication, at a time when it was valid, and reads the identity.
func (ca *authority) identify(cert *x509.Certificate) (Identity, error) {
	at := ca.wall.Now()
	if at.After(cert.NotAfter) {
		at = cert.NotAfter // expired is for the caller to judge: it may still renew
	}
	_, err := cert.Verify(x509.VerifyOptions{Roots: ca.pool, CurrentTime: at,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	if err != nil {
		return Identity{}, unknownAgent().Because(fmt.Errorf("agents: verify certificate: %w", err))
	}
	if len(cert.URIs) != 1 || cert.URIs[0].Scheme != "spiffe" || cert.URIs[0].Host != ca.domain {
		return Identity{}, unknownAgent().Because(errors.New("agents: the certificate names no agent of this domain"))
	}
	p := strings.Split(cert.URIs[0].Path, "/")
	if len(p) != 5 || p[1] != "server" || p[3] != "agent" ||
		!controlplane.ValidID(controlplane.PrefixServer, p[2]) || !controlplane.ValidID(controlplane.PrefixAgent, p[4]) {
		return Identity{}, unknownAgent().Because(errors.New("agents: the certificate's name is malformed"))
	}
	return Identity{Server: p[2], Agent: p[4], KeyHash: sha256.Sum256(cert.RawSubjectPublicKeyInfo), NotAfter: cert.NotAfter}, nil
}

func unknownAgent() *controlplane.Error {
	return controlplane.Errorf(controlplane.CodeUnauthorized,
		"Enrol the server again with a new token from its Enrol page.", "This agent's certificate is not accepted")
}

// serverTLS returns the configuration of a listener for agents under those
// names (host names and IP addresses).
func (ca *authority) serverTLS(names []string, auth tls.ClientAuthType) *tls.Config {
	leaf := &leafSource{ca: ca, names: names}
	return &tls.Config{
		MinVersion: tls.VersionTLS13, GetCertificate: leaf.get, Time: ca.wall.Now,
		ClientAuth: auth, ClientCAs: ca.pool, SessionTicketsDisabled: true,
		NextProtos: []string{"http/1.1"}, // WebSocket
	}
}

// leafSource keeps a listener's certificate, in memory only, and replaces it
// when two thirds of its life are over.
type leafSource struct {
	ca    *authority
	names []string

	mu    sync.Mutex
	leaf  *tls.Certificate
	renew time.Time
}

func (l *leafSource) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.ca.wall.Now()
	if l.leaf != nil && now.Before(l.renew) {
		return l.leaf, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("agents: issue listener certificate: %w", err)
	}
	t := &x509.Certificate{
		Subject:   pkix.Name{CommonName: "Ostler"},
		NotBefore: now.Add(-backdating), NotAfter: now.Add(leafLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	for _, n := range l.names {
		if ip := net.ParseIP(n); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, n)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, t, l.ca.cert, key.Public(), l.ca.key)
	if err != nil {
		return nil, fmt.Errorf("agents: issue listener certificate: %w", err)
	}
	l.leaf = &tls.Certificate{Certificate: [][]byte{der, l.ca.cert.Raw}, PrivateKey: key}
	l.renew = now.Add(leafLife * 2 / 3)
	return l.leaf, nil
}
