package server

import (
	"crypto/tls"
	"fmt"
	"os"
	"sync"
	"time"
)

// certFiles serves a certificate from files and reads them again once they change.
type certFiles struct {
	cert, key string

	mu   sync.Mutex
	at   time.Time
	pair *tls.Certificate
}

func (f *certFiles) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	info, err := os.Stat(f.cert)
	if err == nil && f.pair != nil && info.ModTime().Equal(f.at) {
		return f.pair, nil
	}
	var pair tls.Certificate
	if err == nil {
		pair, err = tls.LoadX509KeyPair(f.cert, f.key)
	}
	if err != nil && f.pair != nil {
		return f.pair, nil // half written: the old one until both fit
	}
	if err != nil {
		return nil, fmt.Errorf("server: portal certificate: %w", err)
	}
	f.pair, f.at = &pair, info.ModTime()
	return f.pair, nil
}
