package host_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"ostler/agents/host"
	"ostler/agents/host/helper"
	"ostler/agents/host/hosttest"
	"ostler/agents/wire"
)

// store is a rest-server as far as the proxy is concerned.
type store struct {
	*httptest.Server
	mu   sync.Mutex
	seen []string
}

func newStore(t *testing.T, answer http.HandlerFunc) *store {
	s := &store{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		s.mu.Lock()
		s.seen = append(s.seen, user+":"+password+" "+r.Method+" "+r.URL.RequestURI())
		s.mu.Unlock()
		answer(w, r)
	}))
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	s.StartTLS()
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

func (s *store) pin() string {
	sum := sha256.Sum256(s.Certificate().RawSubjectPublicKeyInfo)
	return hex.EncodeToString(sum[:])
}

// patient is longer than any answer takes on a busy machine.
const patient = 8 * time.Second

func startProxy(t *testing.T, url, pin string, access host.StoreAccess, idle time.Duration) (*host.StoreProxy, *http.Client, chan wire.Cause) {
	t.Helper()
	broken := make(chan wire.Cause, 1)
	p, err := host.NewStoreProxy(host.StoreProxyOptions{Dir: shortDir(t), User: "u1", Password: "secret", Access: access,
		Repository: wire.Repository{StoreURL: url, StorePin: pin, User: "u1", Name: "r1"},
		Idle:       idle, Stall: 200 * time.Millisecond, Log: slog.New(slog.DiscardHandler),
		Broken: func(c wire.Cause) { broken <- c }})
	if err != nil {
		t.Fatal(err)
	}
	tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", p.Socket())
	}}
	t.Cleanup(func() {
		tr.CloseIdleConnections()
		_ = p.Close()
	})
	return p, &http.Client{Transport: tr}, broken
}

func TestStoreProxyLetsThrough(t *testing.T) {
	id := strings.Repeat("ab", 32)
	tests := []struct {
		method, path      string
		read, write, init bool
	}{
		{"GET", "/u1/r1/config", true, true, true},
		{"HEAD", "/u1/r1/config", true, true, true},
		{"GET", "/u1/r1/data/", true, true, true},
		{"GET", "/u1/r1/data/" + id, true, true, true},
		{"POST", "/u1/r1/locks/" + id, true, true, true},
		{"DELETE", "/u1/r1/locks/" + id, true, true, true},
		{"POST", "/u1/r1/data/" + id, false, true, true},
		{"POST", "/u1/r1/snapshots/" + id, false, true, true},
		{"POST", "/u1/r1/index/" + id, false, true, true},
		{"POST", "/u1/r1/keys/" + id, false, false, true},
		{"POST", "/u1/r1/config", false, false, true},
		{"POST", "/u1/r1/?create=true", false, false, true},
		{"POST", "/u1/r1/", false, false, false},
		{"DELETE", "/u1/r1/", false, false, false},
		{"DELETE", "/u1/r1/config", false, false, false},
		{"DELETE", "/u1/r1/locks/", false, false, false},
		{"DELETE", "/u1/r1/snapshots/" + id, false, false, false},
		{"DELETE", "/u1/r1/data/" + id, false, false, false},
		{"DELETE", "/u1/r1/keys/" + id, false, false, false},
		{"PUT", "/u1/r1/data/" + id, false, false, false},
		{"GET", "/u1/r2/config", false, false, false},
		{"GET", "/u2/r1/config", false, false, false},
		{"GET", "/u1/r1", false, false, false},
		{"GET", "/", false, false, false},
		{"GET", "/metrics", false, false, false},
		{"GET", "/u1/r1/../../u2/r1/config", false, false, false},
		{"GET", "/u1/r1/%2e%2e/r2/config", false, false, false},
		{"GET", "/u1/r1/..%2fr2/config", false, false, false},
		{"GET", "/u1/r1//config", false, false, false},
		{"GET", "/u1%2fr1/config", false, false, false},
		{"GET", "/u1/r1/data/" + id + "/x", false, false, false},
		{"GET", "/u1/r1/data/" + id[:63], false, false, false},
		{"GET", "/u1/r1/config?x=1", false, false, false},
		{"POST", "/u1/r1/?create=true&x=1", false, false, false},
		{"GET", "/u1/r1/config%00", false, false, false},
	}
	s := newStore(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })
	for _, access := range []host.StoreAccess{host.StoreRead, host.StoreWrite, host.StoreInit} {
		_, client, _ := startProxy(t, s.URL, s.pin(), access, patient)
		for _, tt := range tests {
			want := map[host.StoreAccess]bool{host.StoreRead: tt.read, host.StoreWrite: tt.write, host.StoreInit: tt.init}[access]
			s.seen = nil
			req, err := http.NewRequest(tt.method, "http://store", nil)
			if err != nil {
				t.Fatal(err)
			}
			path, query, _ := strings.Cut(tt.path, "?")
			req.URL.Opaque, req.URL.RawQuery = path, query // as it stands, without cleaning
			req.Header.Set("Authorization", "Basic bm90Om91cnM=")
			res, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
			if got := res.StatusCode == http.StatusOK; got != want {
				t.Errorf("%s: %s %s: got status %d, want let through: %v", access, tt.method, tt.path, res.StatusCode, want)
			}
			if got := len(s.seen) == 1; got != want {
				t.Errorf("%s: %s %s: the store saw %v", access, tt.method, tt.path, s.seen)
			}
			if len(s.seen) == 1 && s.seen[0] != "u1:secret "+tt.method+" "+tt.path {
				t.Errorf("got %q", s.seen[0])
			}
		}
	}
}

func get(client *http.Client) (status int, err error) {
	res, err := client.Get("http://store/u1/r1/config")
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode, err
}

func TestStoreProxyGivesUp(t *testing.T) {
	hang := make(chan struct{})
	defer close(hang)
	tests := []struct {
		name   string
		answer http.HandlerFunc
		pin    func(*store) string
		want   wire.Cause
		why    string
	}{
		{"full", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInsufficientStorage) }, (*store).pin, wire.CauseStoreFull, ""},
		{"refused", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }, (*store).pin, wire.CauseStoreRefused, ""},
		{"failing for too long", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, (*store).pin, wire.CauseStoreUnreachable, "it answers with status 502"},
		{"silent", func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-hang:
			case <-r.Context().Done():
			}
		}, (*store).pin, wire.CauseStoreUnreachable, "no answer in time"},
		{"silent after the status", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "10")
			w.WriteHeader(http.StatusOK)
			w.(http.Flusher).Flush()
			select {
			case <-hang:
			case <-r.Context().Done():
			}
		}, (*store).pin, wire.CauseStoreUnreachable, "no answer in time"},
		{"another key than the pinned one", func(http.ResponseWriter, *http.Request) {}, func(*store) string { return strings.Repeat("00", 32) }, wire.CauseStoreUnreachable, "the store's certificate has another key than the pinned one"},
		{"no root for it", func(http.ResponseWriter, *http.Request) {}, func(*store) string { return "" }, wire.CauseStoreUnreachable, "its certificate is not of an authority that this server trusts"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newStore(t, tt.answer)
			idle := patient
			if strings.HasPrefix(tt.name, "silent") {
				idle = 100 * time.Millisecond
			}
			p, client, broken := startProxy(t, s.URL, tt.pin(s), host.StoreWrite, idle)
			_, _ = get(client)
			select {
			case got := <-broken:
				if got != tt.want {
					t.Errorf("got %s, want %s", got, tt.want)
				}
				if got := p.Failing(); got != tt.why {
					t.Errorf("why: got %q, want %q", got, tt.why)
				}
			case <-time.After(10 * time.Second):
				t.Fatal("never gave up")
			}
		})
	}
}

func TestStoreProxyForgivesAShortFailure(t *testing.T) {
	var mu sync.Mutex
	bad := true
	s := newStore(t, func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if bad {
			w.WriteHeader(http.StatusBadGateway)
		}
		bad = false
		_, _ = io.WriteString(w, "ok")
	})
	p, client, broken := startProxy(t, s.URL, s.pin(), host.StoreWrite, patient)
	if status, _ := get(client); status != http.StatusBadGateway {
		t.Fatalf("got %d", status)
	}
	if got, want := p.Cause(), wire.CauseStoreUnreachable; got != want {
		t.Errorf("while it fails: got %q, want %q", got, want)
	}
	if status, err := get(client); status != http.StatusOK || err != nil {
		t.Fatalf("got %d, %v", status, err)
	}
	if got := p.Cause(); got != "" || p.Failing() != "" {
		t.Errorf("after: got %q, %q", got, p.Failing())
	}
	select {
	case c := <-broken:
		t.Errorf("gave up: %s", c)
	case <-time.After(300 * time.Millisecond):
	}
	if p.Moved() == 0 {
		t.Error("no byte was counted")
	}
}

func TestStoreProxySocket(t *testing.T) {
	p, _, _ := startProxy(t, "https://127.0.0.1:1", "", host.StoreRead, patient)
	info, err := os.Stat(p.Socket())
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v; want mode 0600", info.Mode(), err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(p.Socket()); !os.IsNotExist(err) {
		t.Errorf("after Close: got %v", err)
	}
	_, err = host.NewStoreProxy(host.StoreProxyOptions{Dir: t.TempDir() + "/" + strings.Repeat("x", 10), Log: slog.New(slog.DiscardHandler)})
	if err == nil {
		t.Error("a folder that is not there: got no error")
	}
}

// A store that is not there reaches the plane as what it is, not as the 502
// that restic gets from us.
func TestStoreDownDetail(t *testing.T) {
	r := newRig(t, &hosttest.Helper{OnBackup: func(ctx context.Context, b helper.Backup, _ helper.Report) (wire.BackupResult, error) {
		client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", b.Repo.Socket)
		}}}
		defer client.CloseIdleConnections()
		if status, err := get(client); status != http.StatusBadGateway {
			return wire.BackupResult{}, err
		}
		return wire.BackupResult{}, helper.Fail(wire.CauseStoreUnreachable, nil, "the store answered 502")
	}})
	r.start()
	r.prepared()
	r.plane.Offer(r.backupEnvelope("job_1"))
	got := r.plane.Result("job_1")
	if got.Failure == nil || got.Failure.Cause != wire.CauseStoreUnreachable || got.Failure.Detail != "the store does not answer: connection refused" {
		t.Errorf("got %+v", got.Failure)
	}
}
