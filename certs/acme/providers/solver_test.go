package providers_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ostler/certs/acme"
	"ostler/certs/acme/providers"
	"ostler/certs/preflight"
	"ostler/certs/preflight/dnstest"
)

// memory is a zone whose name servers show a record after a while.
type memory struct {
	mu       sync.Mutex
	values   []string
	presents int
	lose     int // how many times what was written is overwritten by others at once
	silent   []string
	delay    time.Duration
	written  time.Time
}

func (m *memory) Present(_ context.Context, _, keyAuth string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.presents++
	if m.lose--; m.lose < 0 && !slices.Contains(m.values, providers.Value(keyAuth)) {
		m.values = append(m.values, providers.Value(keyAuth))
	}
	m.written = time.Now()
	return nil
}

func (m *memory) Clean(ctx context.Context, _, keyAuth string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	m.values = slices.DeleteFunc(m.values, func(v string) bool { return v == providers.Value(keyAuth) })
	return nil
}

func (m *memory) Record(_ context.Context, name, keyAuth string) (string, string, error) {
	return "_acme-challenge." + name, providers.Value(keyAuth), nil
}

func (m *memory) Follow(_ context.Context, name string) ([]string, error) { return []string{name}, nil }
func (m *memory) Zone(context.Context, string) (string, error)            { return apex, nil }

func (m *memory) Without(context.Context, string, string) ([]string, error) {
	return nil, errors.New("not asked by the Solver")
}

func (m *memory) Look(_ context.Context, _, value string) (lacking, silent []string, all int, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !slices.Contains(m.values, value) || time.Since(m.written) < m.delay {
		lacking = []string{"ns1.maple.example"}
	}
	return lacking, m.silent, 2, nil
}

func TestSolverWaits(t *testing.T) {
	tests := []struct {
		name   string
		zone   *memory
		want   time.Duration // when it says ready; 0: not at all
		writes int
		says   string
	}{
		{name: "at once", zone: &memory{}, want: time.Nanosecond, writes: 1},
		{name: "after a while", zone: &memory{delay: 7 * time.Second}, want: 7 * time.Second, writes: 1},
		{name: "a server is dead", zone: &memory{silent: []string{"ns2.maple.example"}}, want: 10 * time.Second, writes: 1},
		{name: "overwritten by another writer", zone: &memory{lose: 1}, want: 16 * time.Second, writes: 2},
		{name: "never", zone: &memory{delay: time.Hour}, writes: 8, says: "not shown by ns1.maple.example"},
		{name: "all are dead", zone: &memory{silent: []string{"ns1.maple.example", "ns2.maple.example"}}, writes: 1, says: "no answer from ns1.maple.example, ns2.maple.example"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				z := tt.zone
				s := providers.NewSolver(providers.SolverOptions{Presenter: z, Resolver: z})
				start := time.Now()
				hit, err := s.Present(t.Context(), acme.Challenge{Name: "maple.example", KeyAuth: "key"})
				took := time.Since(start)
				// A last write and the end fall together: either may come first.
				if (z.presents != tt.writes && (tt.writes < 8 || z.presents != tt.writes+1)) || hit != nil {
					t.Errorf("written %d times, want %d; hit %v", z.presents, tt.writes, hit)
				}
				if tt.want > 0 {
					if err != nil || took > tt.want || took < tt.want-time.Nanosecond || len(z.values) != 1 {
						t.Errorf("got %v after %v, want ready after %v; %d values", err, took, tt.want, len(z.values))
					}
					return
				}
				var e *providers.NotVisibleError
				if !errors.As(err, &e) || took != 2*time.Minute || !strings.Contains(err.Error(), tt.says) {
					t.Errorf("got %v after %v", err, took)
				}
				if len(z.values) != 0 {
					t.Error("the record is left behind")
				}
			})
		})
	}
}

// A caller that gives up gets its own reason, and nothing is left.
func TestSolverIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := &memory{delay: time.Hour}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		_, err := providers.NewSolver(providers.SolverOptions{Presenter: z, Resolver: z}).
			Present(ctx, acme.Challenge{Name: "maple.example", KeyAuth: "key"})
		if !errors.Is(err, context.DeadlineExceeded) || len(z.values) != 0 {
			t.Errorf("got %v, %d values left", err, len(z.values))
		}
	})
}

// All of it with real DNS: two name servers, of which the second copies the
// first a moment later, and two challenges of one name.
func TestSolverWithRealDNS(t *testing.T) {
	first, _ := names(t)
	second := dnstest.Start(t, dnstest.Options{Addr: strings.Replace(first.Addr(), "127.0.0.1", "127.0.0.2", 1)})
	second.Zone(apex)
	first.Add("maple.example NS ns2.maple.example.", "ns2.maple.example A 127.0.0.2")
	resolver, err := preflight.NewResolver(preflight.ResolverOptions{Private: true, Servers: []string{first.Addr()}, Port: first.Port()})
	if err != nil {
		t.Fatal(err)
	}
	p, err := providers.New(providers.RFC2136, map[string]string{"nameserver": first.Addr(), "tsig_key": "ostler", "tsig_secret": secret},
		providers.Options{Resolver: resolver})
	if err != nil {
		t.Fatal(err)
	}
	s := providers.NewSolver(providers.SolverOptions{Presenter: p, Resolver: resolver, Interval: 5 * time.Millisecond})
	var copied atomic.Bool
	start := time.Now()
	var g sync.WaitGroup
	for _, key := range []string{"key-1", "key-2"} {
		g.Go(func() {
			if _, err := s.Present(t.Context(), acme.Challenge{Name: "www.maple.example", KeyAuth: key}); err != nil || !copied.Load() {
				t.Errorf("%s: %v; the second server had it: %v", key, err, copied.Load())
			}
		})
	}
	for len(first.Values(name)) < 2 || second.Asked(name, "TXT") < 4 {
		if time.Since(start) > 20*time.Second {
			t.Fatalf("%d values, asked %d times", len(first.Values(name)), second.Asked(name, "TXT"))
		}
		time.Sleep(time.Millisecond)
	}
	copied.Store(true)
	for _, v := range first.Values(name) {
		second.Add(name + ` TXT "` + v + `"`)
	}
	g.Wait()
	for _, key := range []string{"key-1", "key-2"} {
		if err := s.Clean(t.Context(), acme.Challenge{Name: "www.maple.example", KeyAuth: key}); err != nil {
			t.Error(err)
		}
	}
	if left := first.Values(name); len(left) != 0 {
		t.Errorf("left: %q", left)
	}
}
