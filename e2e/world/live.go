package world

import (
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"ostler/internal/acmelab"
)

// Live is a TLS server that reads a host's certificates whenever they change,
// as some servers do: it needs no reload, and a folder that is not there yet
// disturbs no other.
type Live struct {
	Endpoint string

	dir   string
	mu    sync.Mutex
	known map[string]*liveCert // by folder
	other tls.Certificate
}

type liveCert struct {
	round string // what “live” leads to
	cert  tls.Certificate
}

// NewLive starts a server at an address of a host.
func (l *Lab) NewLive(t testing.TB, h *Host, address string) *Live {
	t.Helper()
	own := t.TempDir()
	if _, err := acmelab.SelfSigned(filepath.Join(own, "cert"), filepath.Join(own, "key"), time.Now(), "default.invalid"); err != nil {
		t.Fatal(err)
	}
	other, err := tls.LoadX509KeyPair(filepath.Join(own, "cert"), filepath.Join(own, "key"))
	if err != nil {
		t.Fatal(err)
	}
	v := &Live{Endpoint: net.JoinHostPort(address, strconv.Itoa(l.TLSPort)), dir: h.CertFolder(), known: map[string]*liveCert{}, other: other}
	ln, err := net.Listen("tcp", v.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{ErrorLog: log.New(io.Discard, "", 0), Handler: http.NotFoundHandler(), TLSConfig: &tls.Config{GetCertificate: v.certificate}}
	t.Cleanup(func() { _ = srv.Close() })
	go func() {
		if err := srv.ServeTLS(ln, "", ""); !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	}()
	return v
}

func (v *Live) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	folders, err := os.ReadDir(v.dir)
	if err != nil {
		return &v.other, nil
	}
	for _, f := range folders {
		if c := v.read(f.Name()); c != nil && c.Leaf.VerifyHostname(hello.ServerName) == nil {
			return c, nil
		}
	}
	return &v.other, nil
}

// read returns what is in a folder, nil where there is nothing whole.
func (v *Live) read(folder string) *tls.Certificate {
	round, err := os.Readlink(filepath.Join(v.dir, folder, "live"))
	if err != nil {
		return nil
	}
	if c := v.known[folder]; c != nil && c.round == round {
		return &c.cert
	}
	dir := filepath.Join(v.dir, folder, round)
	cert, err := tls.LoadX509KeyPair(filepath.Join(dir, "fullchain.pem"), filepath.Join(dir, "privkey.pem"))
	if err != nil {
		return nil
	}
	v.known[folder] = &liveCert{round, cert}
	return &v.known[folder].cert
}
