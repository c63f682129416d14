package world

import (
	"encoding/json"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// Pipe forwards connections to an address, and stops when as many bytes as a
// test says have gone that way.
type Pipe struct {
	Addr string

	mu   sync.Mutex
	wake *sync.Cond
	left int64 // bytes that may still go to the address; negative: no limit
	full chan struct{}
}

// NewPipe opens a pipe to an address.
func NewPipe(t testing.TB, to string) *Pipe {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Pipe{Addr: ln.Addr().String(), left: -1}
	p.wake = sync.NewCond(&p.mu)
	t.Cleanup(func() {
		p.Open()
		_ = ln.Close()
	})
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go p.forward(c, to)
		}
	}()
	return p
}

func (p *Pipe) forward(from net.Conn, addr string) {
	defer func() { _ = from.Close() }()
	to, err := net.Dial("tcp", addr)
	if err != nil {
		return
	}
	defer func() { _ = to.Close() }()
	go func() {
		_, _ = io.Copy(from, to)
		_ = from.Close()
	}()
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		p.take(int64(n))
		if n > 0 {
			if _, err := to.Write(b[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// take waits until n bytes may go.
func (p *Pipe) take(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.left >= 0 && p.left < n {
		if p.full != nil {
			close(p.full)
			p.full = nil
		}
		p.wake.Wait()
	}
	if p.left >= 0 {
		p.left -= n
	}
}

// Limit lets n more bytes through; the channel is closed when they have gone
// and more wait.
func (p *Pipe) Limit(n int64) (full <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := make(chan struct{})
	p.left, p.full = n, c
	return c
}

// Open lifts the limit.
func (p *Pipe) Open() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left, p.full = -1, nil
	p.wake.Broadcast()
}

// Through has the host's agent, which must not run, reach the plane by a pipe.
func (h *Host) Through(pipe func(addr string) *Pipe) *Pipe {
	h.W.T.Helper()
	file := filepath.Join(h.State, "identity.json")
	var id map[string]any
	b, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(b, &id)
	}
	if err != nil {
		h.W.T.Fatal(err)
	}
	at, err := url.Parse(id["stream_url"].(string))
	if err != nil {
		h.W.T.Fatal(err)
	}
	p := pipe(net.JoinHostPort("127.0.0.1", at.Port()))
	_, port, _ := net.SplitHostPort(p.Addr)
	at.Host = net.JoinHostPort(at.Hostname(), port)
	id["stream_url"] = at.String()
	if b, err = json.Marshal(id); err == nil {
		err = os.WriteFile(file, b, 0o600)
	}
	if err != nil {
		h.W.T.Fatal(err)
	}
	return p
}
