package agents

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/bus"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/jobs"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
	"ostler/controlplane/secrets"
)

// Times of the protocol.
const (
	HeartbeatEvery = 30 * time.Second // what Welcome asks of agents
	SilentAfter    = 90 * time.Second // a server not heard for this long is silent
	TokenLife      = time.Hour        // an enrolment token's
	DefaultLife    = 7 * 24 * time.Hour
	MaxSkew        = 5 * time.Minute // more is a finding

	neverConnectedAfter = 10 * time.Minute
	// startGrace is for how long after its own start the plane calls nobody
	// silent: agents that it left alone come back within half a minute.
	startGrace = SilentAfter + 30*time.Second
	flushEvery = 3 * time.Second
	sweepEvery = 10 * time.Second
)

// Signer signs envelopes with a key that this process does not have; *signer.Client is one.
type Signer interface {
	Sign(ctx context.Context, e wire.Envelope) (wire.SignedEnvelope, error)
	Keys(ctx context.Context) ([][]byte, error)
}

// Servers knows which servers there are and who lives on them; *customers.Store is one.
type Servers interface {
	ServerIn(tx *db.Tx, scope policy.Scope, ref string) (customers.Server, error)
	MarkActive(tx *db.Tx, scope policy.Scope, server string) error
	CustomersOfServer(tx *db.Tx, server string) ([]string, error)
	LookedAfter(scope policy.Scope) (query string, args []any)
}

// Deps are what the package works with.
type Deps struct {
	DB       *db.DB
	Keeper   *secrets.Keeper
	Ledger   *ledger.Ledger
	Findings *findings.Findings
	Jobs     *jobs.Jobs
	Bus      *bus.Bus
	Signer   Signer
	Servers  Servers
}

// Options are the settings; the zero value is usable.
type Options struct {
	// Domain is the trust domain in agents' certificates ("ostler.internal").
	Domain string
	// StreamURL is what agents dial, "https://host:8444" ("https://localhost:8444").
	StreamURL string
	// CertLife is how long an agent's certificate lasts (7 days).
	CertLife time.Duration
	// Replica names this process among the replicas ("one").
	Replica string
	// Generation is the cluster generation that agents are told (1); it rises
	// when an older database was restored.
	Generation int64
	// Wall is the process's clock, for certificates, skew and liveness: hosts
	// live by it even where the database's clock is simulated.
	Wall db.Clock
	Log  *slog.Logger
}

// Agents is the plane's side of all agents. It is safe for concurrent use.
type Agents struct {
	Deps
	o   Options
	log *slog.Logger
	ca  *authority
	// started is when this process began to listen, by the wall.
	started time.Time

	mu       sync.Mutex
	sessions map[string]*session // by server
	keys     [][]byte            // the signer's, as last heard

	signerDown atomic.Bool
	drainOnce  sync.Once
	draining   chan struct{}
	// drainWithin is set before draining is closed, in milliseconds.
	drainWithin atomic.Int64
}

// New opens the agents' certificate authority (made on first use) and
// registers the inventory's job and schedule with d.Jobs.
func New(d Deps, o Options) (*Agents, error) {
	if o.Domain == "" {
		o.Domain = "ostler.internal"
	}
	if o.StreamURL == "" {
		o.StreamURL = "https://localhost:8444"
	}
	if o.CertLife <= 0 {
		o.CertLife = DefaultLife
	}
	if o.Replica == "" {
		o.Replica = "one"
	}
	if o.Generation <= 0 {
		o.Generation = 1
	}
	if o.Wall == nil {
		o.Wall = db.SystemClock{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	ca, err := openAuthority(d.Keeper, o.Domain, o.Wall)
	if err != nil {
		return nil, err
	}
	a := &Agents{Deps: d, o: o, log: o.Log, ca: ca, started: o.Wall.Now(), sessions: map[string]*session{}, draining: make(chan struct{})}
	a.registerInventory()
	return a, nil
}

// StreamTLS returns the TLS configuration of the agents' listener under those
// host names and addresses: TLS 1.3, and only certificates of our authority.
func (a *Agents) StreamTLS(names ...string) *tls.Config {
	return a.ca.serverTLS(names, tls.RequireAndVerifyClientCert)
}

// EnrolTLS returns the TLS configuration of the enrolment listener. It asks
// for a certificate without judging it: an expired one may still renew.
func (a *Agents) EnrolTLS(names ...string) *tls.Config {
	return a.ca.serverTLS(names, tls.RequestClientCert)
}

// Authority returns the DER certificate of the agents' CA.
func (a *Agents) Authority() []byte { return a.ca.cert.Raw }

// Authenticate returns the identity of a client certificate: ours, valid now,
// of the server's present agent, with a key that we issued for.
//
// Errors: unauthorized; expired where only a renewal is accepted; conflict
// where two machines use the certificate.
func (a *Agents) Authenticate(ctx context.Context, cert *x509.Certificate) (Identity, error) {
	id, err := a.ca.identify(cert)
	if err != nil {
		return Identity{}, err
	}
	if a.o.Wall.Now().After(id.NotAfter) {
		return Identity{}, controlplane.Errorf(controlplane.CodeExpired,
			"The agent renews it by itself on the enrolment address.", "This agent's certificate is past its time")
	}
	return id, a.DB.Read(ctx, func(tx *db.Tx) error {
		if _, err := activeAgent(tx, id); err != nil {
			return err
		}
		p, err := presenceOf(tx, id.Server)
		if err != nil {
			return fmt.Errorf("agents: find presence: %w", err)
		}
		if p != nil && p.FrozenAt != 0 {
			return frozen()
		}
		return nil
	})
}

// Connected returns how many agents are connected to this replica.
func (a *Agents) Connected() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.sessions)
}

// Drain tells every connected agent to reconnect at a random time within that
// time, elsewhere or here after the restart, and offers nothing more.
func (a *Agents) Drain(within time.Duration) {
	a.drainOnce.Do(func() {
		a.drainWithin.Store(within.Milliseconds())
		close(a.draining)
	})
}

// Ready reports what keeps jobs from going out: nil, or the signer's error.
func (a *Agents) Ready(ctx context.Context) error {
	_, err := a.signerKeys(ctx)
	return err
}

// signerKeys asks the signer, and raises or closes the finding about it.
func (a *Agents) signerKeys(ctx context.Context) ([][]byte, error) {
	keys, err := a.Signer.Keys(ctx)
	if err != nil {
		a.signerIs(ctx, false)
		return nil, err
	}
	a.mu.Lock()
	a.keys = keys
	a.mu.Unlock()
	a.signerIs(ctx, true)
	return keys, nil
}

// signerIs notes whether the signer answers; only a change writes.
func (a *Agents) signerIs(ctx context.Context, up bool) {
	if !a.signerDown.CompareAndSwap(up, !up) {
		return
	}
	err := a.DB.Write(controlplane.System(ctx, "agents"), func(tx *db.Tx) error {
		if up {
			return a.Findings.Close(tx, findingSigner, "the signer answers again")
		}
		return a.Findings.Raise(tx, findings.Finding{Key: findingSigner, Kind: findings.SignerDown,
			Severity: findings.Bad, Owner: findings.Ops})
	})
	if err != nil {
		a.signerDown.Store(up) // so that the next look tries again
		a.log.ErrorContext(ctx, "agents.signer_finding", "error", err)
	}
}

// Run keeps the presence table: heartbeats in batches, silence, clock skew, the
// signer. It returns when ctx ends.
func (a *Agents) Run(ctx context.Context) error {
	ctx = controlplane.System(ctx, "agents")
	if err := a.forgetSessions(ctx); err != nil {
		return err
	}
	flush, sweep := time.NewTicker(flushEvery), time.NewTicker(sweepEvery)
	defer flush.Stop()
	defer sweep.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return errors.Join(a.flush(context.WithoutCancel(ctx)))
		case <-flush.C:
			err = a.flush(ctx)
		case <-sweep.C:
			err = a.Tick(ctx)
		}
		if err != nil && ctx.Err() == nil {
			a.log.ErrorContext(ctx, "agents.presence", "error", err)
		}
	}
}

// Tick does one pass of Run now: writes heartbeats, raises and closes findings.
func (a *Agents) Tick(ctx context.Context) error {
	ctx = controlplane.System(ctx, "agents")
	_, _ = a.signerKeys(ctx) // its finding says it
	return errors.Join(a.flush(ctx), a.sweep(ctx), a.sweepJobs(ctx), a.sweepWindows(ctx))
}
