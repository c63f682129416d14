package acmelab

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// loaded is a configuration with its certificates in memory, as a web server
// holds it until it is told to reload.
type loaded struct {
	certs map[string]*tls.Certificate // by name
	texts map[string]string
	other *tls.Certificate // for every other name
}

// TestWeb reads the folder of a Web as the server does, and says what is wrong.
func TestWeb(dir string) error {
	_, err := load(dir)
	return err
}

func load(dir string) (*loaded, error) {
	other, err := tls.LoadX509KeyPair(filepath.Join(dir, "default.pem"), filepath.Join(dir, "default-key.pem"))
	if err != nil {
		return nil, fmt.Errorf("web: default: %w", err)
	}
	l := &loaded{certs: map[string]*tls.Certificate{}, texts: map[string]string{}, other: &other}
	files, err := filepath.Glob(filepath.Join(dir, "sites", "*.json"))
	if err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			return nil, fmt.Errorf("web: %w", err)
		}
		var s Site
		if err := json.Unmarshal(raw, &s); err != nil {
			return nil, fmt.Errorf("web: %s: %w", filepath.Base(f), err)
		}
		pair, err := tls.LoadX509KeyPair(s.Cert, s.Key)
		if err != nil {
			return nil, fmt.Errorf("web: %s: %w", s.Name, err)
		}
		for _, n := range s.Names {
			l.certs[n], l.texts[n] = &pair, s.Text
		}
	}
	return l, nil
}

// ReloadWeb tells the server of a folder to take its configuration up.
func ReloadWeb(dir string) error {
	raw, err := os.ReadFile(filepath.Join(dir, "web.pid"))
	if err != nil {
		return fmt.Errorf("web: it does not run: %w", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(raw)))
	if err != nil || pid <= 1 {
		return fmt.Errorf("web: %q is no process id", raw)
	}
	if err := syscall.Kill(pid, syscall.SIGHUP); err != nil {
		return fmt.Errorf("web: reload: %w", err)
	}
	return nil
}

// ServeWeb is the small web server that stands in where nginx is missing: it
// serves the folder of a Web until ctx ends, reads its certificates when it
// starts and at SIGHUP, and keeps what it has where a new configuration is bad.
func ServeWeb(ctx context.Context, dir string, out io.Writer) error {
	raw, err := os.ReadFile(filepath.Join(dir, "web.json"))
	if err != nil {
		return fmt.Errorf("web: %w", err)
	}
	var c webConfig
	if err := json.Unmarshal(raw, &c); err != nil {
		return fmt.Errorf("web: %w", err)
	}
	first, err := load(dir)
	if err != nil {
		return err
	}
	var now atomic.Pointer[loaded]
	now.Store(first)
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	srv := &http.Server{ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(out, "", 0), Handler: pages(&now),
		TLSConfig: &tls.Config{GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) { return now.Load().show(h.ServerName), nil }}}
	ended := make(chan error, len(c.Listen))
	for _, addr := range c.Listen {
		ln, err := net.Listen("tcp", addr)
		if err != nil {
			return errors.Join(fmt.Errorf("web: %w", err), srv.Close())
		}
		go func() { ended <- srv.ServeTLS(ln, "", "") }()
	}
	if err := os.WriteFile(filepath.Join(dir, "web.pid"), []byte(strconv.Itoa(os.Getpid())+"\n"), 0o644); err != nil {
		return errors.Join(fmt.Errorf("web: %w", err), srv.Close())
	}
	for {
		select {
		case <-hup:
			next, err := load(dir)
			if err != nil {
				fmt.Fprintln(out, err)
				continue
			}
			now.Store(next)
			fmt.Fprintln(out, "reloaded:", slices.Sorted(maps.Keys(next.texts)))
		case err := <-ended:
			return errors.Join(fmt.Errorf("web: %w", err), srv.Close())
		case <-ctx.Done():
			return srv.Close()
		}
	}
}

// show is the certificate for a name.
func (l *loaded) show(name string) *tls.Certificate {
	if cert, ok := l.certs[name]; ok {
		return cert
	}
	return l.other
}

// pages answers with the text of a site.
func pages(now *atomic.Pointer[loaded]) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, ok := now.Load().texts[hostOnly(r.Host)]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, text) // it may be gone
	})
}

func hostOnly(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		return h
	}
	return host
}
