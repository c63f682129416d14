package host

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"ostler/controlplane"
)

// Files of the state folder.
const (
	fileIdentity = "identity.json"
	fileKey      = "agent.key" // P-256, PKCS #8 PEM
	fileSealKey  = "seal.key"  // X25519, raw
)

// Identity is who this agent is, as enrolment or renewal wrote it down.
type Identity struct {
	Server      string   `json:"server"`
	Agent       string   `json:"agent"`
	PlaneURL    string   `json:"plane_url"`  // where it enrolled
	StreamURL   string   `json:"stream_url"` // where it connects
	Certificate []byte   `json:"certificate"`
	CA          []byte   `json:"ca"`
	SignerKeys  [][]byte `json:"signer_keys"`
}

// ErrNotEnrolled is returned where the state folder holds no identity.
var ErrNotEnrolled = controlplane.Errorf(controlplane.CodeUnauthorized,
	"Make an enrolment token on the server's page of the portal, and run the command that it shows.",
	"This host is not enrolled: the state folder holds no identity")

// LoadIdentity reads the identity from the state folder.
func LoadIdentity(state string) (Identity, error) {
	var id Identity
	b, err := readIfThere(filepath.Join(state, fileIdentity))
	if err != nil {
		return id, fmt.Errorf("host: read identity: %w", err)
	}
	if b == nil {
		return id, ErrNotEnrolled
	}
	if err := json.Unmarshal(b, &id); err != nil {
		return id, fmt.Errorf("host: decode identity: %w", err)
	}
	return id, nil
}

func (id Identity) save(state string) error {
	b, err := json.MarshalIndent(id, "", "  ")
	if err != nil {
		return err
	}
	if err := writeFile(filepath.Join(state, fileIdentity), b); err != nil {
		return fmt.Errorf("host: write identity: %w", err)
	}
	return nil
}

// leaf returns the certificate, parsed.
func (id Identity) leaf() (*x509.Certificate, error) {
	c, err := x509.ParseCertificate(id.Certificate)
	if err != nil {
		return nil, fmt.Errorf("host: parse certificate: %w", err)
	}
	return c, nil
}

// check verifies that the identity hangs together: the certificate is the
// key's, says the server and agent that the answer says, and is the CA's.
func (id Identity) check(key *ecdsa.PrivateKey) error {
	leaf, err := id.leaf()
	if err != nil {
		return err
	}
	ca, err := x509.ParseCertificate(id.CA)
	if err != nil {
		return fmt.Errorf("host: parse the CA's certificate: %w", err)
	}
	if pub, ok := leaf.PublicKey.(*ecdsa.PublicKey); !ok || !pub.Equal(key.Public()) {
		return errors.New("host: the certificate is for another key")
	}
	if err := leaf.CheckSignatureFrom(ca); err != nil {
		return fmt.Errorf("host: the certificate is not the CA's: %w", err)
	}
	want := "/server/" + id.Server + "/agent/" + id.Agent
	if len(leaf.URIs) != 1 || leaf.URIs[0].Scheme != "spiffe" || leaf.URIs[0].Path != want {
		return errors.New("host: the certificate names another server or agent")
	}
	if !strings.HasPrefix(id.StreamURL, "https://") {
		return errors.New("host: the stream's address is not https")
	}
	if len(id.SignerKeys) == 0 {
		return errors.New("host: no signer key")
	}
	for _, k := range id.SignerKeys {
		if len(k) != 32 {
			return errors.New("host: a signer key is not an Ed25519 key")
		}
	}
	return nil
}

// loadKey returns the agent's key, made at the first call.
func loadKey(state string) (*ecdsa.PrivateKey, error) {
	path := filepath.Join(state, fileKey)
	b, err := readIfThere(path)
	if err != nil {
		return nil, fmt.Errorf("host: read key: %w", err)
	}
	if b != nil {
		block, _ := pem.Decode(b)
		if block == nil {
			return nil, fmt.Errorf("host: %s is damaged", fileKey)
		}
		k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("host: parse key: %w", err)
		}
		key, ok := k.(*ecdsa.PrivateKey)
		if !ok || key.Curve != elliptic.P256() {
			return nil, fmt.Errorf("host: %s is not a P-256 key", fileKey)
		}
		return key, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	if err := writeFile(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})); err != nil {
		return nil, fmt.Errorf("host: write key: %w", err)
	}
	return key, nil
}

// loadSealKey returns the agent's X25519 key, made at the first call.
func loadSealKey(state string) (*ecdh.PrivateKey, error) {
	path := filepath.Join(state, fileSealKey)
	b, err := readIfThere(path)
	if err != nil {
		return nil, fmt.Errorf("host: read seal key: %w", err)
	}
	if b != nil {
		return ecdh.X25519().NewPrivateKey(b)
	}
	k, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	if err := writeFile(path, k.Bytes()); err != nil {
		return nil, fmt.Errorf("host: write seal key: %w", err)
	}
	return k, nil
}

// newCSR asks for a certificate of key. The plane takes nothing but the public
// key from it: who the agent is comes from the token or the old certificate.
func newCSR(key *ecdsa.PrivateKey) ([]byte, error) {
	return x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: "ostler-agent"},
	}, key)
}

// clientTLS is mutual TLS 1.3 as id, trusting the agents' CA only. current is
// asked at each handshake, so a renewed certificate is used at once.
func clientTLS(current func() Identity, key *ecdsa.PrivateKey) (*tls.Config, error) {
	ca, err := x509.ParseCertificate(current().CA)
	if err != nil {
		return nil, fmt.Errorf("host: parse the CA's certificate: %w", err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		RootCAs:    roots,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return &tls.Certificate{Certificate: [][]byte{current().Certificate}, PrivateKey: key}, nil
		},
	}, nil
}
