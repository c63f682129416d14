package host

import (
	"net"
	"net/netip"
	"sync"
)

// responderEach is how many connections one neighbour may have at a time: one
// who opens them and says nothing must not keep validators out.
const responderEach = 16

// fairListener closes connections of neighbours that have too many. Those of
// this host, a web server's that passes challenges on, are not counted.
type fairListener struct {
	net.Listener
	mu   sync.Mutex
	open map[netip.Prefix]int
}

func fair(l net.Listener) net.Listener {
	return &fairListener{Listener: l, open: map[netip.Prefix]int{}}
}

// neighbour is whom an address is counted for: itself, or its network of IPv6,
// of which one has as many addresses as one likes.
func neighbour(a net.Addr) (p netip.Prefix, counted bool) {
	at, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return p, false
	}
	ip, bits := at.Addr().Unmap().WithZone(""), 32
	if ip.Is6() {
		bits = 64
	}
	p, err = ip.Prefix(bits)
	return p, err == nil && !ip.IsLoopback()
}

func (l *fairListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		who, counted := neighbour(conn.RemoteAddr())
		if !counted {
			return conn, nil
		}
		if l.take(who) {
			return &fairConn{Conn: conn, done: sync.OnceFunc(func() { l.give(who) })}, nil
		}
		_ = conn.Close()
	}
}

func (l *fairListener) take(who netip.Prefix) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[who] >= responderEach {
		return false
	}
	l.open[who]++
	return true
}

func (l *fairListener) give(who netip.Prefix) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[who]--; l.open[who] == 0 {
		delete(l.open, who)
	}
}

// fairConn is counted until it is closed.
type fairConn struct {
	net.Conn
	done func()
}

func (c *fairConn) Close() error {
	defer c.done()
	return c.Conn.Close()
}
