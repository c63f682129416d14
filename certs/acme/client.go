package acme

import (
	"cmp"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/go-acme/lego/v4/acme"
)

const (
	inFlight        = 8
	renewalInFlight = 64
	requestTimeout  = 30 * time.Second
	patience        = 10 * time.Minute
	directoryAge    = time.Hour // profiles and terms change, seldom
	// idleTime is shorter than a CA's own: a new order must not go off on a
	// connection that is just being closed.
	idleTime = 20 * time.Second
)

// A Client is one account at one CA, for as long as the process lives. It is
// safe for concurrent use.
type Client struct {
	opts     Options
	http     http.RoundTripper
	nonces   nonces
	orders   chan struct{} // a place for each request of an order under way
	renewals chan struct{}

	mu        sync.Mutex
	outside   bool // the directory is on the internet
	account   account
	directory directory
	open      map[string]bool // URLs of the orders that are being worked on
}

// account is who asks.
type account struct {
	key *ecdsa.PrivateKey
	url string // "" before it is known
}

// directory is the CA's, as it was read.
type directory struct {
	acme.Directory
	raw []byte
	at  time.Time
}

// Transport is one made for a Client: it keeps as many connections as there
// are requests at once, and has a CA that is on the internet lead us nowhere
// else. Nil roots are the system's.
func Transport(roots *x509.CertPool) *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = renewalInFlight
	t.IdleConnTimeout = idleTime
	t.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	t.ForceAttemptHTTP2 = true
	t.MaxResponseHeaderBytes = 64 << 10
	t.DialContext = (&net.Dialer{Timeout: requestTimeout, ControlContext: onTheInternet}).DialContext
	return t
}

// Open reads the CA's directory.
func Open(ctx context.Context, opts Options) (*Client, error) {
	key, err := accountKey(opts.Key)
	if err != nil {
		return nil, err
	}
	opts.InFlight = cmp.Or(opts.InFlight, inFlight)
	opts.RenewalInFlight = cmp.Or(opts.RenewalInFlight, renewalInFlight)
	opts.Timeout = cmp.Or(opts.Timeout, requestTimeout)
	opts.Patience = cmp.Or(opts.Patience, patience)
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.After == nil {
		opts.After = time.After
	}
	c := &Client{
		opts: opts, nonces: nonces{now: opts.Now},
		orders: make(chan struct{}, opts.InFlight), renewals: make(chan struct{}, opts.RenewalInFlight),
		account: account{key: key, url: opts.AccountURL}, open: make(map[string]bool),
	}
	if opts.HTTP != nil {
		c.http = opts.HTTP.Transport
	}
	if c.http == nil {
		c.http = Transport(nil)
	}
	if _, err := c.readDirectory(ctx, new(counter)); err != nil {
		return nil, err
	}
	return c, nil
}

func accountKey(key crypto.Signer) (*ecdsa.PrivateKey, error) {
	k, ok := key.(*ecdsa.PrivateKey)
	if !ok || k.Curve != elliptic.P256() {
		return nil, errors.New("acme: the account's key is not one of EC P-256")
	}
	return k, nil
}

// Directory is what the CA says about itself.
func (c *Client) Directory(ctx context.Context) (Directory, error) {
	d, err := c.readDirectory(ctx, new(counter))
	if err != nil {
		return Directory{}, err
	}
	return Directory{
		Profiles: d.Meta.Profiles, CAAIdentities: d.Meta.CaaIdentities, Terms: d.Meta.TermsOfService,
		ExternalAccount: d.Meta.ExternalAccountRequired, RenewalInfo: d.RenewalInfo != "",
	}, nil
}

// readDirectory reads the directory, once in a while. One that was read before
// stands in where it cannot be read again.
func (c *Client) readDirectory(ctx context.Context, n *counter) (directory, error) {
	c.mu.Lock()
	known := c.directory
	c.mu.Unlock()
	now := c.opts.Now()
	if known.raw != nil && now.Sub(known.at) < directoryAge {
		return known, nil
	}
	d, err := c.fetchDirectory(ctx, n)
	switch {
	case err != nil && (known.raw == nil || ctx.Err() != nil):
		return directory{}, fmt.Errorf("acme: read the directory: %w", err)
	case err != nil:
		c.opts.Log.Warn("acme: the directory cannot be read again, the one read before is used", "error", err)
		d = known
	}
	d.at = now
	c.mu.Lock()
	c.directory = d
	c.mu.Unlock()
	return d, nil
}

func (c *Client) fetchDirectory(ctx context.Context, n *counter) (directory, error) {
	a, err := c.get(ctx, c.opts.Directory, c.orders, n, opDirectory)
	if err != nil {
		return directory{}, err
	}
	d := directory{raw: a.body}
	if err := json.Unmarshal(a.body, &d.Directory); err != nil {
		return directory{}, badAnswer("the directory is no JSON", err)
	}
	if d.NewNonceURL == "" || d.NewAccountURL == "" || d.NewOrderURL == "" {
		return directory{}, badAnswer("the directory names no newNonce, newAccount or newOrder", nil)
	}
	return d, nil
}

// who is the account as it is now.
func (c *Client) who() account {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.account
}
