package teleport

import (
	"context"
	"log/slog"
	"time"
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
	Log         *slog.Logger
}

// Client talks to one cluster over one long-lived connection, made at the
// first call. It is safe for concurrent use.
type Client struct{ opts Options }

// Open reads the identity file and connects to nobody. ErrIdentity if the file
// cannot be used.
func Open(opts Options) (*Client, error) { return &Client{opts: opts}, nil }

// Expiry is when the identity ends, as the file says now.
func (c *Client) Expiry() time.Time { return time.Time{} }

// Ping asks for the cluster's name and version. It needs no permission.
func (c *Client) Ping(ctx context.Context) (cluster, version string, err error) {
	return "", "", ErrUnreachable
}

// Observe reads all of the cluster's roles, users, locks, nodes and live
// sessions. What the identity may not read is counted in Skipped.
func (c *Client) Observe(ctx context.Context) (State, error) { return State{}, ErrUnreachable }

// PutRole makes a role what r says, with our mark. What r does not model is
// kept. ErrNotOurs if there is one of this name without our mark, ErrChanged if
// r has a Revision and the cluster another.
func (c *Client) PutRole(ctx context.Context, r Role) error { return ErrUnreachable }

// DeleteRole deletes a role of ours; no error if there is none. ErrNotOurs,
// and ErrInUse while users or connectors name it.
func (c *Client) DeleteRole(ctx context.Context, name string) error { return ErrUnreachable }

// SetUserRoles adds and removes roles of a local user and leaves the others.
// ErrRefused and ErrSSO for a user whose roles come from single sign-on.
func (c *Client) SetUserRoles(ctx context.Context, user string, add, remove []string) error {
	return ErrUnreachable
}

// PutLock locks one target out; the name makes it idempotent. ErrRefused where
// the cluster does not do locks, ErrDenied where it does not for us.
func (c *Client) PutLock(ctx context.Context, l Lock) error { return ErrUnreachable }

// DeleteLock deletes a lock of ours; no error if there is none. ErrNotOurs.
func (c *Client) DeleteLock(ctx context.Context, name string) error { return ErrUnreachable }

// Close ends the connection.
func (c *Client) Close() error { return nil }
