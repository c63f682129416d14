package teleporttest

import (
	"net"
	"sync"
)

// gate is a listener that can stop answering and keep its port.
type gate struct {
	net.Listener
	mu    sync.Mutex
	off   bool
	ended bool
	open  map[net.Conn]bool
}

func newGate(l net.Listener) *gate { return &gate{Listener: l, open: map[net.Conn]bool{}} }

// Accept gives out connections while the gate is up; others it closes.
func (g *gate) Accept() (net.Conn, error) {
	for {
		conn, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		g.mu.Lock()
		if !g.off {
			g.open[conn] = true
			g.mu.Unlock()
			return &passed{Conn: conn, gate: g}, nil
		}
		g.mu.Unlock()
		_ = conn.Close() // that is the fault
	}
}

// Close closes the listener.
func (g *gate) Close() error {
	g.mu.Lock()
	done := g.ended
	g.ended = true
	g.mu.Unlock()
	if done {
		return nil
	}
	return g.Listener.Close()
}

func (g *gate) closed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.ended
}

func (g *gate) down() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.off = true
	for conn := range g.open {
		_ = conn.Close() // that is the fault
	}
	clear(g.open)
}

func (g *gate) up() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.off = false
}

type passed struct {
	net.Conn
	gate *gate
}

func (p *passed) Close() error {
	p.gate.mu.Lock()
	delete(p.gate.open, p.Conn)
	p.gate.mu.Unlock()
	return p.Conn.Close()
}
