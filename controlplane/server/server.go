package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"ostler/agents"
	"ostler/backups"
	"ostler/certs"
	"ostler/controlplane"
	"ostler/controlplane/access"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/identity"
	"ostler/controlplane/incidents"
	"ostler/controlplane/jobs"
	"ostler/controlplane/ledger"
	"ostler/controlplane/mail"
	"ostler/controlplane/policy"
	"ostler/controlplane/secrets"
	"ostler/controlplane/sessions"
)

// Deps are what the server translates for.
type Deps struct {
	DB        *db.DB
	Keeper    *secrets.Keeper
	Auth      Authenticator
	Agents    *agents.Agents
	Customers *customers.Store
	Identity  *identity.Store
	Jobs      *jobs.Jobs
	Findings  *findings.Findings
	Ledger    *ledger.Ledger
	Chunks    ChunkSink
	Backups   *backups.Service   // nil leaves its operations out
	Mail      *mail.Mail         // nil leaves its operations out
	Certs     *certs.Service     // nil leaves its operations out
	Access    *access.Service    // nil leaves its operations out
	Sessions  *sessions.Service  // nil leaves its operations out
	Incidents *incidents.Service // nil leaves its operations out
}

// Options are the settings. Empty addresses are the default ones; "off" turns
// a listener off; port 0 takes a free port (see Addrs).
type Options struct {
	PortalAddr  string // pages and API, "127.0.0.1:8443"
	AgentsAddr  string // agents' sessions, ":8444"
	EnrolAddr   string // enrolment and renewal, ":8445"
	MetricsAddr string // "127.0.0.1:9464"
	// CertFile and KeyFile are the portal's TLS certificate (PEM); they are
	// read again for each handshake after they change. Without them the portal
	// speaks plain HTTP, and only on a loopback address.
	CertFile, KeyFile string
	// TrustedProxies are in front of the portal: their X-Forwarded-For says where a
	// request came from. Nobody else's does.
	TrustedProxies []netip.Prefix
	// AgentNames are the host names and addresses by which agents reach their
	// two listeners ("localhost", "127.0.0.1").
	AgentNames []string
	Version    string
	// Long names the portal's paths that live longer than an ordinary request
	// and bound themselves: event streams, downloads.
	Long func(path string) bool
	// DrainFor is how long a shutdown waits for agents and requests (5 s).
	DrainFor time.Duration
	Log      *slog.Logger
}

// Server is the listeners and what answers on them.
type Server struct {
	Deps
	o       Options
	log     *slog.Logger
	api     *API
	metrics *metrics
	portal  *echo.Echo
	agents  *echo.Echo
	enrol   *echo.Echo
	own     []policy.Route
	tables  [][]policy.Route
	ready   readiness

	// streams is the life of agents' sessions, which no request bounds.
	streams    context.Context
	endStreams context.CancelFunc
	sessions   sync.WaitGroup

	draining atomic.Bool
	mu       sync.Mutex
	addrs    map[string]net.Addr
}

// The listeners' names.
const (
	Portal  = "portal"
	Agents  = "agents"
	Enrol   = "enrol"
	Metrics = "metrics"
)

const off = "off"

// New puts everything together; nothing listens before Run.
func New(d Deps, o Options) (*Server, error) {
	for p, v := range map[*string]string{&o.PortalAddr: "127.0.0.1:8443", &o.AgentsAddr: ":8444", &o.EnrolAddr: ":8445", &o.MetricsAddr: "127.0.0.1:9464"} {
		if *p == "" {
			*p = v
		}
	}
	if len(o.AgentNames) == 0 {
		o.AgentNames = []string{"localhost", "127.0.0.1"}
	}
	if o.DrainFor <= 0 {
		o.DrainFor = 5 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if (o.CertFile == "") != (o.KeyFile == "") {
		return nil, errors.New("server: a certificate needs its key: give both files, or neither")
	}
	if o.CertFile == "" && o.PortalAddr != off && !loopback(o.PortalAddr) {
		return nil, fmt.Errorf("server: without a certificate the portal listens on loopback only, not on %s", o.PortalAddr)
	}
	s := &Server{Deps: d, o: o, log: o.Log, metrics: newMetrics(d.Agents.Connected), addrs: map[string]net.Addr{}}
	s.portal, s.agents, s.enrol = s.newEcho(Portal), s.newEcho(Agents), s.newEcho(Enrol)
	s.portal.Use(limits(func(p string) bool { return longLived(p) || o.Long != nil && o.Long(p) })...)
	s.enrol.Use(limits(nil)...)
	s.api = newAPI(s.portal, d.Auth, &memory{d: d.DB, k: d.Keeper}, o.Version, o.Log)
	s.streams, s.endStreams = context.WithCancel(context.Background())
	s.registerHealth()
	s.registerAgents()
	s.registerAPI()
	s.route(s.portal, policy.Route{Method: "GET", Path: OpenAPIPath, Audience: policy.Public, Name: "api.openapi"}, s.api.openAPI())
	return s, nil
}

// loopback reports whether an address is reachable from this machine only.
func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Portal returns the echo of pages and API, for the pages to be added to.
func (s *Server) Portal() *echo.Echo { return s.portal }

// API returns the API, for operations to be added with Register.
func (s *Server) API() *API { return s.api }

// AddRoutes adds another package's route table to what may be answered.
func (s *Server) AddRoutes(table []policy.Route) { s.tables = append(s.tables, table) }

// PageErrors has h answer the portal's errors outside the API: as pages.
func (s *Server) PageErrors(h echo.HTTPErrorHandler) {
	s.portal.HTTPErrorHandler = func(err error, c echo.Context) {
		if strings.HasPrefix(c.Request().URL.Path, "/api/") {
			s.handleError(err, c)
			return
		}
		h(err, c)
	}
}

// Check is the start-up check: everything that answers stands in a table.
func (s *Server) Check() error {
	if err := CheckRoutes(s.portal, append(s.tables, s.Routes())...); err != nil {
		return err
	}
	for _, e := range []*echo.Echo{s.agents, s.enrol} {
		if err := CheckRoutes(e, s.Routes()); err != nil {
			return err
		}
	}
	return nil
}

// Addr returns the address of a listener while Run runs, nil else.
func (s *Server) Addr(listener string) net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addrs[listener]
}

// listening is one open listener.
type listening struct {
	name string
	ln   net.Listener
	srv  *http.Server
}

// Listen opens the listeners, so that their addresses are known before Run.
func (s *Server) listen(ctx context.Context) (open []listening, err error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	portalTLS, err := s.portalTLS()
	if err != nil {
		return nil, err
	}
	metrics := http.NewServeMux()
	metrics.Handle("GET /metrics", promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{}))
	metrics.Handle("GET /healthz", s.portal)
	metrics.Handle("GET /readyz", s.portal)
	for _, l := range []struct {
		name, addr string
		tls        *tls.Config
		h          http.Handler
	}{
		{Portal, s.o.PortalAddr, portalTLS, s.portal},
		{Agents, s.o.AgentsAddr, s.Deps.Agents.StreamTLS(s.o.AgentNames...), s.agents},
		{Enrol, s.o.EnrolAddr, s.Deps.Agents.EnrolTLS(s.o.AgentNames...), s.enrol},
		{Metrics, s.o.MetricsAddr, nil, metrics},
	} {
		if l.addr == off {
			continue
		}
		var lc net.ListenConfig
		ln, err := lc.Listen(ctx, "tcp", l.addr)
		if err != nil {
			for _, o := range open {
				_ = o.ln.Close()
			}
			return nil, fmt.Errorf("server: listen for %s: %w", l.name, err)
		}
		s.mu.Lock()
		s.addrs[l.name] = ln.Addr()
		s.mu.Unlock()
		if l.tls != nil {
			ln = tls.NewListener(ln, l.tls)
		}
		open = append(open, listening{l.name, ln, &http.Server{Handler: l.h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
			MaxHeaderBytes: 32 << 10, ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug)}})
	}
	return open, nil
}

// Run listens and answers until ctx ends; then it drains: agents are told to
// come back, requests end, and what is left is cut after Options.DrainFor.
// started, where it is not nil, is called once the listeners are open.
func (s *Server) Run(ctx context.Context, started func()) error {
	open, err := s.listen(ctx)
	if err != nil {
		return err
	}
	failed := make(chan error, len(open))
	for _, l := range open {
		s.log.InfoContext(ctx, "server.listening", "listener", l.name, "address", l.ln.Addr().String())
		go func() { failed <- l.srv.Serve(l.ln) }()
	}
	if started != nil {
		started()
	}
	purge := time.NewTicker(time.Hour)
	defer purge.Stop()
	for err == nil && ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case err = <-failed:
			err = fmt.Errorf("server: %w", err)
		case <-purge.C:
			if perr := s.api.memory.purge(ctx); perr != nil {
				s.log.ErrorContext(ctx, "server.purge", "error", perr)
			}
		}
	}
	return errors.Join(err, s.drain(ctx, open))
}

// drain ends everything in order.
func (s *Server) drain(ctx context.Context, open []listening) error {
	s.draining.Store(true)
	s.Deps.Agents.Drain(s.o.DrainFor / 2)
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.o.DrainFor)
	defer cancel()
	var wg sync.WaitGroup
	errs := make([]error, len(open))
	for i, l := range open {
		wg.Go(func() {
			if err := l.srv.Shutdown(grace); errors.Is(err, context.DeadlineExceeded) {
				errs[i] = l.srv.Close() // long streams are cut: their clients come back
			} else {
				errs[i] = err
			}
		})
	}
	wg.Go(func() { s.endSessions(grace) })
	wg.Wait()
	return errors.Join(errs...)
}

// endSessions waits for drained agents to go, and cuts those that stay.
func (s *Server) endSessions(grace context.Context) {
	gone := make(chan struct{})
	go func() { s.sessions.Wait(); close(gone) }()
	select {
	case <-gone:
	case <-grace.Done():
	}
	s.endStreams()
	<-gone
}

// portalTLS returns nil for plain HTTP on loopback.
func (s *Server) portalTLS() (*tls.Config, error) {
	if s.o.CertFile == "" {
		return nil, nil
	}
	f := &certFiles{cert: s.o.CertFile, key: s.o.KeyFile}
	if _, err := f.get(nil); err != nil {
		return nil, err
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: f.get, NextProtos: []string{"h2", "http/1.1"}}, nil
}

// forAgent is a request's context with the agent as its actor.
func forAgent(ctx context.Context, id agents.Identity) context.Context {
	return controlplane.WithActor(ctx, controlplane.Actor{Kind: controlplane.ActorAgent, ID: id.Agent})
}
