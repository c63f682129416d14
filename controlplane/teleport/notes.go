package teleport

import (
	"context"
	"net"
	"sync"
	"sync/atomic"

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
			n.note(&connectError{err})
			return nil, err
		}
		return conn, nil
	})
}

// credentials note what goes wrong in handshakes of c, and just after them:
// TLS 1.3 refuses a client's certificate only then.
func (n *notes) credentials(c credentials.TransportCredentials) credentials.TransportCredentials {
	return &noted{TransportCredentials: c, notes: n}
}

type noted struct {
	credentials.TransportCredentials
	notes *notes
}

func (c *noted) Clone() credentials.TransportCredentials {
	return &noted{TransportCredentials: c.TransportCredentials.Clone(), notes: c.notes}
}

func (c *noted) ClientHandshake(ctx context.Context, authority string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := c.TransportCredentials.ClientHandshake(ctx, authority, raw)
	if err != nil {
		c.notes.note(&connectError{err})
		return nil, nil, err
	}
	return &firstRead{Conn: conn, notes: c.notes}, info, nil
}

// firstRead notes an error that comes before anything else.
type firstRead struct {
	net.Conn
	notes *notes
	heard atomic.Bool
}

func (f *firstRead) Read(b []byte) (int, error) {
	got, err := f.Conn.Read(b)
	if got > 0 {
		f.heard.Store(true)
	} else if err != nil && !f.heard.Swap(true) {
		f.notes.note(&connectError{err})
	}
	return got, err
}

// connectError is what went wrong before there was a connection.
type connectError struct{ err error }

func (e *connectError) Error() string { return e.err.Error() }
func (e *connectError) Unwrap() error { return e.err }
