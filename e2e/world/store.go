package world

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// Store is a real rest-server: TLS, append-only, private repositories.
type Store struct {
	T                       testing.TB // the test that is told of failures
	root                    testing.TB // it runs until this test's end
	Dir, URL, Pin           string
	Htpasswd, PIDFile       string
	Proc                    *Proc
	addr, certFile, keyFile string
}

// NewStore starts a store.
func NewStore(t testing.TB) *Store {
	t.Helper()
	s := &Store{T: t, root: t, Dir: t.TempDir(), addr: FreeAddr(t)}
	s.URL = "https://" + s.addr
	s.Htpasswd, s.PIDFile = filepath.Join(s.Dir, "htpasswd"), filepath.Join(s.Dir, "store.pid")
	s.certificate()
	s.put(s.Htpasswd, nil)
	s.Start()
	return s
}

func (s *Store) put(file string, data []byte) {
	s.T.Helper()
	if err := os.WriteFile(file, data, 0o600); err != nil {
		s.T.Fatal(err)
	}
}

func (s *Store) certificate() {
	s.T.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.T.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		s.T.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		s.T.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		s.T.Fatal(err)
	}
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	s.Pin, s.certFile, s.keyFile = hex.EncodeToString(sum[:]), filepath.Join(s.Dir, "crt"), filepath.Join(s.Dir, "key")
	s.put(s.certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	s.put(s.keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
}

// Start starts the store (again, after it was stopped), and waits for it. args
// are more arguments of rest-server.
func (s *Store) Start(args ...string) {
	s.T.Helper()
	s.Proc = Start(s.root, "store", Tool(s.T, "rest-server"), nil, append(args, "--path", filepath.Join(s.Dir, "data"), "--listen", s.addr, "--tls",
		"--tls-cert", s.certFile, "--tls-key", s.keyFile, "--append-only", "--private-repos", "--htpasswd-file", s.Htpasswd)...)
	s.put(s.PIDFile, fmt.Appendf(nil, "%d\n", s.Proc.Cmd.Process.Pid))
	Eventually(s.T, "the store answers", 10*time.Second, func() bool {
		conn, err := tls.Dial("tcp", s.addr, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // only: does it answer
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
}

// Users replaces the store's user file, has the store read it, and returns what
// it was.
func (s *Store) Users(text string) (before string) {
	s.T.Helper()
	old, err := os.ReadFile(s.Htpasswd)
	if err != nil {
		s.T.Fatal(err)
	}
	s.put(s.Htpasswd, []byte(text))
	if err := s.Proc.Cmd.Process.Signal(syscall.SIGHUP); err != nil {
		s.T.Fatal(err)
	}
	time.Sleep(200 * time.Millisecond) // rest-server tells nobody when it has read it
	return string(old)
}
