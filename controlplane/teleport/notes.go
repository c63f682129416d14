package teleport

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"time"

	"github.com/gravitational/teleport/api/client"
	"google.golang.org/grpc/credentials"
)

// notes keep why attempts to connect failed: gRPC itself tells it late, and in
// words only.
type notes struct {
	mu   sync.Mutex
	last error
	more chan struct{} // closed by the next failure
}

func newNotes() *notes { return &notes{more: make(chan struct{})} }

func (n *notes) note(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.last = err
	close(n.more)
	n.more = make(chan struct{})
}

// failed is closed when the next attempt fails.
func (n *notes) failed() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.more
}

// why is how the last attempt failed, nil if none did.
func (n *notes) why() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.last
}

// dialer goes to addr, whatever it is asked for.
func (n *notes) dialer(d client.ContextDialer, addr string) client.ContextDialer {
	return client.ContextDialerFunc(func(ctx context.Context, network, _ string) (net.Conn, error) {
		conn, err := d.DialContext(ctx, network, addr)
		if err != nil {
			n.note(&connectError{err: err, dialing: true})
			return nil, err
		}
		return conn, nil
	})
}

// credentials note what goes wrong in handshakes of c, and just after them:
// TLS 1.3 refuses a client's certificate only then. So that the reason is not
// lost with what we would have sent meanwhile, we let the other side speak
// first, for as long as wait.
func (n *notes) credentials(c credentials.TransportCredentials, wait time.Duration) credentials.TransportCredentials {
	return &noted{TransportCredentials: c, notes: n, wait: wait}
}

type noted struct {
	credentials.TransportCredentials
	notes *notes
	wait  time.Duration
}

func (c *noted) Clone() credentials.TransportCredentials {
	return &noted{TransportCredentials: c.TransportCredentials.Clone(), notes: c.notes, wait: c.wait}
}

func (c *noted) ClientHandshake(ctx context.Context, authority string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := c.TransportCredentials.ClientHandshake(ctx, authority, raw)
	if err != nil {
		c.notes.note(&connectError{err: err})
		return nil, nil, err
	}
	first, err := c.listen(ctx, conn)
	if err != nil {
		_ = conn.Close() // what went wrong before counts
		c.notes.note(&connectError{err: err})
		return nil, nil, err
	}
	return &begun{Conn: conn, first: first, notes: c.notes}, info, nil
}

// listen is what the other side says first; nothing if it waits for us.
func (c *noted) listen(ctx context.Context, conn net.Conn) ([]byte, error) {
	now := func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) } // a connection that is closed needs none
	stop := context.AfterFunc(ctx, now)
	defer stop()
	if err := conn.SetReadDeadline(time.Now().Add(c.wait)); err != nil {
		return nil, err
	}
	b := make([]byte, 1024)
	got, err := conn.Read(b)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = nil
	}
	if got > 0 || err == nil {
		return b[:got], conn.SetReadDeadline(time.Time{})
	}
	return nil, err
}

// begun gives out what was heard already, and notes an error that comes before
// anything was.
type begun struct {
	net.Conn
	notes *notes

	mu    sync.Mutex
	first []byte
	heard bool
}

func (c *begun) Read(b []byte) (int, error) {
	c.mu.Lock()
	if len(c.first) > 0 {
		got := copy(b, c.first)
		c.first, c.heard = c.first[got:], true
		c.mu.Unlock()
		return got, nil
	}
	c.mu.Unlock()
	got, err := c.Conn.Read(b)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil && got == 0 && !c.heard {
		c.notes.note(&connectError{err: err})
	}
	c.heard = true
	return got, err
}

// connectError is what went wrong before there was a connection.
type connectError struct {
	err     error
	dialing bool // before the other side was there at all
}

func (e *connectError) Error() string { return e.err.Error() }
func (e *connectError) Unwrap() error { return e.err }
