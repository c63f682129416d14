package teleport

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/gravitational/teleport/api/breaker"
	"github.com/gravitational/teleport/api/client"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
)

const (
	dialTimeout = 5 * time.Second
	callTimeout = 15 * time.Second
	retryDelay  = 5 * time.Second // longest pause between two connections that nobody waits for
)

// Options say which cluster, and who we are to it.
type Options struct {
	// Addr is host:port of the auth service, or of a proxy where Cluster is set.
	Addr string
	// Cluster is the cluster's name, where Addr is a proxy with TLS routing.
	Cluster string
	// IdentityFile is what tbot or "tctl auth sign --format=file" writes. It is
	// read again whenever it changes.
	IdentityFile string
	// DialTimeout is how long a connection may take; 0 is 5 s.
	DialTimeout time.Duration
	// CallTimeout is how long one answer may take; 0 is 15 s.
	CallTimeout time.Duration
	Log         *slog.Logger // nil discards
}

// Client talks to one cluster over one long-lived connection, made at the
// first call. It is safe for concurrent use.
type Client struct {
	opts Options

	mu     sync.Mutex
	id     *identity
	link   *link // nil before the first call, and after the identity changed
	closed bool
}

// link is one connection with one identity. Calls that are under way keep it
// open when the next one has taken its place.
type link struct {
	api    *client.Client
	notes  *notes
	users  int
	ending bool
}

// Open reads the identity file and connects to nobody. ErrIdentity if the file
// cannot be used.
func Open(opts Options) (*Client, error) {
	opts.DialTimeout = cmp.Or(opts.DialTimeout, dialTimeout)
	opts.CallTimeout = cmp.Or(opts.CallTimeout, callTimeout)
	opts.Log = cmp.Or(opts.Log, slog.New(slog.DiscardHandler))
	id, err := readIdentity(opts.IdentityFile)
	if err != nil {
		return nil, fmt.Errorf("teleport: open: %w", err)
	}
	return &Client{opts: opts, id: id}, nil
}

// Expiry is when the identity ends, as the file says now; zero if it does not say.
func (c *Client) Expiry() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reload()
	return c.id.expiry()
}

// Close ends the connection once calls under way are done.
func (c *Client) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	return c.drop()
}

// Ping asks for the cluster's name and version. It needs no permission.
func (c *Client) Ping(ctx context.Context) (cluster, version string, err error) {
	err = c.do(ctx, "ping", func(ctx context.Context, api *client.Client) error {
		answer, err := api.Ping(ctx)
		cluster, version = answer.ClusterName, answer.ServerVersion
		return err
	})
	return cluster, version, err
}

// do runs one call on the connection, within CallTimeout, and names what went wrong.
func (c *Client) do(ctx context.Context, act string, call func(context.Context, *client.Client) error) error {
	return c.with(ctx, act, func(l *link) error {
		one, cancel := context.WithTimeout(ctx, c.opts.CallTimeout)
		defer cancel()
		return call(one, l.api)
	})
}

// with takes the connection, made ready, for as long as call runs.
func (c *Client) with(ctx context.Context, act string, call func(*link) error) error {
	l, err := c.take()
	if err != nil {
		return fmt.Errorf("teleport: %s: %w", act, err)
	}
	defer c.giveBack(l)
	if err = c.ready(ctx, l); err == nil {
		err = call(l)
	}
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("teleport: %s: %w", act, context.Cause(ctx))
	}
	return fmt.Errorf("teleport: %s: %w", act, c.name(err))
}

func (c *Client) take() (*link, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, errors.New("the client is closed")
	}
	if c.reload() {
		if err := c.drop(); err != nil {
			c.opts.Log.Warn("teleport.close", "error", err)
		}
	}
	if c.link == nil {
		l, err := c.connect()
		if err != nil {
			return nil, err
		}
		c.link = l
	}
	c.link.users++
	return c.link, nil
}

func (c *Client) giveBack(l *link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l.users--
	if l.ending && l.users == 0 {
		_ = l.api.Close() // nobody is left to be told
	}
}

// drop lets go of the connection; the last call on it closes it. c.mu is held.
func (c *Client) drop() error {
	l := c.link
	c.link = nil
	if l == nil {
		return nil
	}
	l.ending = true
	if l.users > 0 {
		return nil
	}
	return l.api.Close()
}

// reload reads the identity file if it has changed and reports whether it took
// it; one that cannot be used leaves us with the identity before. c.mu is held.
func (c *Client) reload() bool {
	if !c.id.changed() {
		return false
	}
	next, err := readIdentity(c.opts.IdentityFile)
	if err != nil {
		c.id.refuse()
		c.opts.Log.Warn("teleport.identity_refused", "error", err)
		return false
	}
	c.id = next
	return true
}

// connect begins a connection in the background. c.mu is held.
func (c *Client) connect() (*link, error) {
	n := newNotes()
	conf, err := c.id.creds.TLSConfig()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", ErrIdentity, plain(err))
	}
	dialer := client.NewDialer(context.Background(), 0, c.opts.DialTimeout)
	api, err := client.New(context.Background(), client.Config{
		Credentials:                []client.Credentials{c.id.creds},
		Dialer:                     n.dialer(dialer, c.opts.Addr),
		DialInBackground:           true,
		DialTimeout:                c.opts.DialTimeout,
		ALPNSNIAuthDialClusterName: c.opts.Cluster,
		// A breaker would go on refusing after the cluster is back; who calls
		// us retries with pauses.
		CircuitBreakerConfig: breaker.NoopBreakerConfig(),
		DialOpts: []grpc.DialOption{
			grpc.WithTransportCredentials(n.credentials(credentials.NewTLS(client.ConfigureALPN(conf, c.opts.Cluster)), c.opts.DialTimeout/2)),
			grpc.WithConnectParams(grpc.ConnectParams{
				Backoff:           backoff.Config{BaseDelay: 200 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: retryDelay},
				MinConnectTimeout: c.opts.DialTimeout,
			}),
		},
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %s", ErrUnreachable, plain(err))
	}
	return &link{api: api, notes: n}, nil
}

// ready waits until the connection stands: two tries, for one that was under
// way when we came may speak of a time before.
func (c *Client) ready(ctx context.Context, l *link) error {
	ctx, cancel := context.WithTimeout(ctx, c.opts.DialTimeout)
	defer cancel()
	conn := l.api.GetConnection()
	if conn.GetState() == connectivity.Ready {
		return nil
	}
	failed := l.notes.failed()
	conn.ResetConnectBackoff()
	for failures := 0; ; {
		state := conn.GetState()
		switch state {
		case connectivity.Ready:
			return nil
		case connectivity.Idle:
			conn.Connect()
		}
		if waitChange(ctx, conn, state, failed) {
			if failures++; failures == 2 {
				return l.notes.why()
			}
			failed = l.notes.failed()
			conn.ResetConnectBackoff()
		}
		if ctx.Err() != nil {
			if why := l.notes.why(); why != nil {
				return why
			}
			return &connectError{err: context.DeadlineExceeded}
		}
	}
}

// waitChange waits for the connection to leave state, or for an attempt to
// fail, and reports the latter.
func waitChange(ctx context.Context, conn *grpc.ClientConn, state connectivity.State, failed <-chan struct{}) bool {
	ctx, cancel := context.WithCancel(ctx)
	changed := make(chan struct{})
	go func() {
		defer close(changed)
		conn.WaitForStateChange(ctx, state)
	}()
	defer func() { cancel(); <-changed }()
	select {
	case <-failed:
		return true
	case <-changed:
		return false
	}
}
