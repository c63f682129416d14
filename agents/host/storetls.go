package host

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

var errStorePin = errors.New("the store's certificate has another key than the pinned one")

// storeTransport speaks TLS to a store and counts every byte. With a pin only
// that public key counts; without one the system's roots decide. A connection
// on which nothing moves for idle is broken off: a store that hangs is an error.
func storeTransport(pin string, idle time.Duration, moved *atomic.Int64) *http.Transport {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if pin != "" {
		conf.InsecureSkipVerify = true // VerifyConnection decides, by the key
		conf.VerifyConnection = func(s tls.ConnectionState) error {
			if spkiPin(s.PeerCertificates[0]) != pin {
				return errStorePin
			}
			return nil
		}
	}
	dialer := &net.Dialer{Timeout: min(10*time.Second, idle)}
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		TLSClientConfig:     conf,
		TLSHandshakeTimeout: min(10*time.Second, idle),
		MaxIdleConnsPerHost: 16,
		IdleConnTimeout:     30 * time.Second,
		WriteBufferSize:     64 << 10,
		ReadBufferSize:      64 << 10,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := dialer.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return &countingConn{Conn: c, idle: idle, moved: moved}, nil
		},
	}
}

// spkiPin is the hex SHA-256 of a certificate's public key info.
func spkiPin(c *x509.Certificate) string {
	sum := sha256.Sum256(c.RawSubjectPublicKeyInfo)
	return hex.EncodeToString(sum[:])
}

// countingConn counts bytes and sets a deadline before each step.
type countingConn struct {
	net.Conn
	idle  time.Duration
	moved *atomic.Int64
}

func (c *countingConn) Read(p []byte) (int, error) {
	_ = c.SetReadDeadline(time.Now().Add(c.idle))
	n, err := c.Conn.Read(p)
	c.moved.Add(int64(n))
	return n, err
}

func (c *countingConn) Write(p []byte) (int, error) {
	// A large upload keeps the answer waiting: the reader's deadline moves too.
	_ = c.SetDeadline(time.Now().Add(c.idle))
	n, err := c.Conn.Write(p)
	c.moved.Add(int64(n))
	return n, err
}
