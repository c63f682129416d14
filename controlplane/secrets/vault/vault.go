// Package vault talks to a HashiCorp Vault: it signs in by AppRole, keeps its
// token renewed, wraps keys with transit, keeps credentials in KV version 2,
// and signs with a transit key. It keeps true that nothing but a Vault whose
// certificate was verified gets a secret, that a wrapped secret id that somebody
// else opened first is an alarm, that every failure says which Trouble it is
// and which path it met, and that no error carries a secret.
//
// The address, namespace and certificates are what the options say and, where
// they say nothing, what Vault's own environment says (VAULT_ADDR,
// VAULT_NAMESPACE, VAULT_CACERT, VAULT_CLIENT_CERT ...).
package vault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/vault/api"

	"ostler/controlplane"
)

// Options say where Vault is and who we are there.
type Options struct {
	Addr      string // "": VAULT_ADDR
	Namespace string // "": VAULT_NAMESPACE
	CAFile    string // PEM; "": VAULT_CACERT or VAULT_CAPATH, else the system's
	Transit   string // mount of the transit engine; "": transit
	KV        string // mount of a KV engine of version 2; "": secret
	Prefix    string // what our names in both begin with; "": ostler
	Auth      string // mount of AppRole; "": approle

	RoleID string
	// SecretIDFile holds a wrapping token around a secret id (preferred: it
	// opens once), or the secret id itself.
	SecretIDFile string
	// KeptFile is where an unwrapped secret id is kept, mode 0600: a wrapping
	// token opens once, and a restart needs it again. "": it is not kept.
	KeptFile string

	Timeout time.Duration // of one call; 0: 10 s
	Log     *slog.Logger  // nil discards
}

func (o Options) complete() Options {
	for _, d := range []struct {
		field *string
		value string
	}{{&o.Transit, "transit"}, {&o.KV, "secret"}, {&o.Prefix, "ostler"}, {&o.Auth, "approle"}} {
		if *d.field = strings.Trim(*d.field, "/"); *d.field == "" {
			*d.field = d.value
		}
	}
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Client is signed in to one Vault. It is safe for concurrent use.
type Client struct {
	o   Options
	api *api.Client // holds our token; changed by sign-ins only

	login chan struct{} // one sign-in at a time
	mu    sync.Mutex
	auth  *api.SecretAuth
	ends  time.Time // when the token ends; zero: never
	lost  error     // why the latest sign-in failed, nil after a good one

	stop context.CancelFunc
	done chan struct{}
}

// Open signs in and keeps the token renewed until Close.
//
// Errors: controlplane.Error with a cause and a next step; see TroubleOf.
func Open(ctx context.Context, o Options) (*Client, error) {
	c, err := New(o)
	if err != nil {
		return nil, err
	}
	if err := c.signIn(ctx, ""); err != nil {
		return nil, err
	}
	c.start(ctx)
	return c, nil
}

// Start is Open for a process that has to run while Vault is away: the sign-in
// is tried again and again, and by each call. Errors: only those of settings.
func Start(ctx context.Context, o Options) (*Client, error) {
	c, err := New(o)
	if err != nil {
		return nil, err
	}
	if err := c.signIn(ctx, ""); err != nil {
		c.o.Log.WarnContext(ctx, "vault.sign_in", "error", err)
	}
	c.start(ctx)
	return c, nil
}

func (c *Client) start(ctx context.Context) {
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	c.stop, c.done = stop, make(chan struct{})
	go c.keep(run)
}

// New returns a client that is not signed in; Health and the first call that
// needs it sign in. Nothing renews its token.
func New(o Options) (*Client, error) {
	o = o.complete()
	a, err := newAPI(o)
	if err != nil {
		return nil, err
	}
	a.ClearToken() // VAULT_TOKEN is a person's, never ours
	return &Client{o: o, api: a, login: make(chan struct{}, 1)}, nil
}

// byHand is the time of one call that a person waits for: Vault makes an RSA key
// of 4096 bits when it is first asked how to wrap what is imported.
const byHand = 2 * time.Minute

// WithToken returns a client that has a person's token instead of an AppRole,
// for what is done once by hand. Nothing renews it.
func WithToken(o Options, token string) (*Client, error) {
	if o.Timeout == 0 {
		o.Timeout = byHand
	}
	o = o.complete()
	o.RoleID = ""
	a, err := newAPI(o)
	if err != nil {
		return nil, err
	}
	a.SetToken(token)
	return &Client{o: o, api: a, login: make(chan struct{}, 1)}, nil
}

// Close ends the renewal. It leaves the token to end by itself: another process
// of ours does not depend on it, and a signed-out plane would need Vault to stop.
func (c *Client) Close() error {
	if c.stop != nil {
		c.stop()
		<-c.done
	}
	return nil
}

// Addr is where Vault is, for people.
func (c *Client) Addr() string { return c.api.Address() }

// Format prints a fixed word, so that no verb of fmt shows a token.
func (c *Client) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "vault.Client") }

func newAPI(o Options) (*api.Client, error) {
	cfg := api.DefaultConfig()
	if cfg.Error != nil {
		return nil, settings(scrub(cfg.Error), "Correct Vault's variables in the environment.", "Vault's environment cannot be used")
	}
	if v := os.Getenv(api.EnvVaultSkipVerify); v != "" && v != "0" && v != "false" {
		return nil, settings(nil, "Unset it, and name the authority's certificate in vault.ca_file or VAULT_CACERT.", "VAULT_SKIP_VERIFY is set, and keys go to a verified Vault only")
	}
	cfg.AgentAddress = "" // VAULT_AGENT_ADDR would go past vault.addr, and past the check of it
	if o.Addr != "" {
		cfg.Address = o.Addr
	}
	u, err := url.Parse(cfg.Address)
	if err != nil || u.Host == "" {
		return nil, settings(nil, "Write it as https://vault.example.com:8200.", "The address of Vault cannot be read")
	}
	if u.Scheme != "https" && !loopback(u.Hostname()) {
		return nil, settings(nil, "Give an address that begins with https://.", "Vault at %s would be reached without encryption", cfg.Address)
	}
	if o.CAFile != "" {
		if err := cfg.ConfigureTLS(&api.TLSConfig{CACert: o.CAFile, ClientCert: os.Getenv(api.EnvVaultClientCert), ClientKey: os.Getenv(api.EnvVaultClientKey),
			TLSServerName: os.Getenv(api.EnvVaultTLSServerName)}); err != nil {
			return nil, settings(err, "Correct vault.ca_file: a PEM file that this user can read.", "The certificates for Vault cannot be read")
		}
	}
	cfg.Timeout, cfg.MaxRetries = o.Timeout, 0 // whoever calls is a job, and comes again
	a, err := api.NewClient(cfg)
	if err != nil {
		return nil, settings(scrub(err), "Correct Vault's settings.", "Vault's settings cannot be used")
	}
	if o.Namespace != "" {
		a.SetNamespace(o.Namespace)
	}
	return a, nil
}

// settings is a fault of what we were told, with its cause for the log or nil.
func settings(cause error, next, format string, args ...any) *controlplane.Error {
	return controlplane.Errorf(controlplane.CodeUnavailable, next, format, args...).Because(&Error{Trouble: Settings, Err: cause})
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// do carries out one call, and once more after a new sign-in where our token
// has ended meanwhile.
func (c *Client) do(ctx context.Context, path string, call func(*api.Logical) (*api.Secret, error)) (*api.Secret, error) {
	if c.o.RoleID != "" && c.api.Token() == "" {
		if err := c.signIn(ctx, ""); err != nil {
			return nil, err
		}
	}
	used := c.api.Token()
	s, err := call(c.api.Logical())
	if err == nil {
		return s, nil
	}
	t := c.trouble(path, err)
	if !is(t, Denied) || c.o.RoleID == "" || c.tokenGood(ctx) {
		return nil, t
	}
	if err := c.signIn(ctx, used); err != nil {
		return nil, err
	}
	if s, err = call(c.api.Logical()); err != nil {
		return nil, c.trouble(path, err)
	}
	return s, nil
}

// tokenGood tells a token that has ended from a policy that says no: Vault
// answers 403 to both. Every token may look at itself.
func (c *Client) tokenGood(ctx context.Context) bool {
	_, err := c.api.Logical().ReadWithContext(ctx, "auth/token/lookup-self")
	var r *api.ResponseError
	return !errors.As(err, &r) || r.StatusCode != 403
}

func (c *Client) read(ctx context.Context, path string) (*api.Secret, error) {
	return c.do(ctx, path, func(l *api.Logical) (*api.Secret, error) { return l.ReadWithContext(ctx, path) })
}

func (c *Client) write(ctx context.Context, path string, data map[string]any) (*api.Secret, error) {
	return c.do(ctx, path, func(l *api.Logical) (*api.Secret, error) { return l.WriteWithContext(ctx, path, data) })
}

func (c *Client) remove(ctx context.Context, path string) error {
	_, err := c.do(ctx, path, func(l *api.Logical) (*api.Secret, error) { return l.DeleteWithContext(ctx, path) })
	return err
}
