package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"
	"golang.org/x/sync/errgroup"

	"ostler/agents"
	"ostler/backups"
	"ostler/certs"
	"ostler/controlplane"
	"ostler/controlplane/access"
	"ostler/controlplane/bus"
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
	"ostler/controlplane/server"
	"ostler/controlplane/sessions"
	"ostler/controlplane/signer"
	"ostler/controlplane/teleport"
	"ostler/web"
)

// AppOptions are what serve and demo do differently.
type AppOptions struct {
	Clock     db.Clock    // nil: the process's, or PostgreSQL's
	Simulated func() bool // whether Clock is behind real time; nil: never
	Demo      bool        // allows one-time sign-in links
	Log       *slog.Logger
}

// App is a whole control plane, wired: every slice on one database.
type App struct {
	Config    Config
	DB        *db.DB
	Bus       *bus.Bus
	Keeper    *secrets.Keeper
	Ledger    *ledger.Ledger
	Jobs      *jobs.Jobs
	Findings  *findings.Findings
	Mail      *mail.Mail
	Customers *customers.Store
	Identity  *identity.Store
	Agents    *agents.Agents
	Backups   *backups.Service
	Certs     *certs.Service
	Access    *access.Service
	Sessions  *sessions.Service
	Incidents *incidents.Service
	Server    *server.Server
	signer    *signer.Client
	cluster   *teleport.Client // nil: none is configured
	blobs     *blob.Bucket
	log       *slog.Logger
	closers   []func() error
}

// OpenApp opens the database and wires the slices; nothing listens before Run.
func OpenApp(ctx context.Context, c Config, o AppOptions) (*App, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Simulated == nil {
		o.Simulated = func() bool { return false }
	}
	a := &App{Config: c, Bus: bus.New(), log: o.Log}
	if err := a.open(controlplane.System(ctx, "serve"), o); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

func (a *App) open(ctx context.Context, o AppOptions) error {
	if err := a.foundations(ctx, o); err != nil {
		return err
	}
	if err := a.slices(ctx, o); err != nil {
		return err
	}
	if err := errors.Join(a.watch(ctx), a.keyJobs(ctx)); err != nil {
		return err
	}
	return a.edges(o)
}

// foundations opens the database, the keys and the ledger.
func (a *App) foundations(ctx context.Context, o AppOptions) (err error) {
	if a.DB, err = db.Open(ctx, db.Options{URL: a.Config.Database.URL, Clock: o.Clock, Log: a.log}); err != nil {
		return err
	}
	a.closers = append(a.closers, a.DB.Close)
	if err := a.migrate(ctx); err != nil {
		return err
	}
	var closeVault func() error
	if a.Keeper, closeVault, err = a.Config.openKeeper(ctx, a.DB, a.log); err != nil {
		return err
	}
	a.closers = append(a.closers, closeVault)
	if a.Ledger, err = ledger.New(a.DB, a.Keeper, ledger.Options{Origin: a.Config.Ledger.Origin, Log: a.log, Bus: a.Bus, SimulatedClock: o.Simulated()}); err != nil {
		return err
	}
	recordKeys(a.Keeper, a.Ledger)
	return nil
}

// migrate brings SQLite to this version; PostgreSQL is brought by "ostler migrate".
func (a *App) migrate(ctx context.Context) error {
	if a.DB.Dialect() == db.SQLite {
		_, err := a.DB.Migrate(ctx)
		return err
	}
	pending, err := a.DB.Pending(ctx)
	if err != nil {
		return err
	}
	if pending {
		return controlplane.Errorf(controlplane.CodeConflict, "Run “ostler migrate”, then start again.", "The database has older tables than this version needs")
	}
	return nil
}

// planeWorkers are the plane's own jobs at a time. Most of them wait: for a CA,
// for name servers.
const planeWorkers = 48

func (a *App) slices(ctx context.Context, o AppOptions) (err error) {
	a.Jobs = jobs.New(a.DB, a.Keeper, a.Bus, jobs.Options{Log: a.log, Replica: a.Config.Replica, Workers: planeWorkers, LastHeard: func(ctx context.Context, server string) (time.Time, bool, error) {
		return a.Agents.LastHeard(ctx, server)
	}})
	a.Findings = findings.New(a.DB, a.Keeper, a.Ledger, a.Bus)
	if err := a.openMail(ctx); err != nil {
		return err
	}
	a.Customers = customers.New(a.DB, a.Keeper, a.Ledger)
	life := time.Duration(0)
	if o.Demo {
		life = 24 * time.Hour
	}
	if a.Identity, err = identity.New(ctx, a.DB, a.Keeper, a.Ledger, a.Customers, identity.Options{Demo: o.Demo, DemoLinkLife: life, Log: a.log}); err != nil {
		return err
	}
	if err := a.openAccess(); err != nil {
		return err
	}
	if err := a.openSessions(); err != nil {
		return err
	}
	a.signer = signer.Dial(a.Config.Signer.Socket)
	a.closers = append(a.closers, func() error { a.signer.Close(); return nil })
	if a.Agents, err = agents.New(agents.Deps{DB: a.DB, Keeper: a.Keeper, Ledger: a.Ledger, Findings: a.Findings, Jobs: a.Jobs, Bus: a.Bus,
		Signer: a.signer, Servers: a.Customers}, agents.Options{Domain: a.Config.Agents.Domain, StreamURL: a.Config.streamURL(), Replica: a.Config.Replica, Log: a.log}); err != nil {
		return err
	}
	dir := filepath.Join(a.Config.DataDir, "downloads")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("serve: downloads: %w", err)
	}
	if a.blobs, err = fileblob.OpenBucket(dir, &fileblob.Options{NoTempDir: true, Metadata: fileblob.MetadataDontWrite}); err != nil {
		return fmt.Errorf("serve: downloads: %w", err)
	}
	a.closers = append(a.closers, a.blobs.Close)
	a.Backups = backups.New(backups.Deps{DB: a.DB, Keeper: a.Keeper, Ledger: a.Ledger, Jobs: a.Jobs, Findings: a.Findings, Customers: a.Customers, Blobs: a.blobs, Mail: letters{a.Mail}, Instructions: a.Access},
		backups.Options{Log: a.log, Bus: a.Bus, SimulatedClock: o.Simulated, SealKey: func(ctx context.Context, scope policy.Scope, server string) ([]byte, error) {
			s, err := a.Agents.Status(ctx, scope, server)
			return s.SealKey, err
		}})
	if err := a.openCerts(ctx); err != nil {
		return err
	}
	return a.openIncidents()
}

// edges wires the API, the agents' endpoints and the pages.
func (a *App) edges(o AppOptions) (err error) {
	c := a.Config
	proxies, err := c.Portal.proxies()
	if err != nil {
		return err
	}
	note := ""
	if o.Demo {
		note = "This is a demo: the companies, the people and their files are made up."
	}
	portal, err := web.New(web.Deps{Identity: a.Identity, Customers: a.Customers, Findings: a.Findings, Jobs: a.Jobs, Ledger: a.Ledger, Agents: a.Agents,
		Backups: a.Backups, Certs: a.Certs, Access: a.Access, Sessions: a.Sessions, Incidents: a.Incidents, Bus: a.Bus, Now: a.DB.Now},
		web.Options{Company: c.Portal.Company, URL: c.Portal.URL, Secure: c.Portal.secure(), EnrolURL: c.enrolURL(), Note: note, Mails: a.Mail.Configured(), Log: a.log})
	if err != nil {
		return err
	}
	a.Server, err = server.New(server.Deps{DB: a.DB, Keeper: a.Keeper, Auth: a.Identity, Agents: a.Agents, Customers: a.Customers, Identity: a.Identity,
		Jobs: a.Jobs, Findings: a.Findings, Ledger: a.Ledger, Chunks: a.Backups, Backups: a.Backups, Certs: a.Certs, Access: a.Access, Sessions: a.Sessions, Incidents: a.Incidents, Mail: a.Mail},
		server.Options{PortalAddr: c.Portal.Listen, AgentsAddr: c.Agents.Listen, EnrolAddr: c.Agents.EnrolListen, MetricsAddr: c.Metrics.Listen,
			CertFile: c.Portal.TLSCert, KeyFile: c.Portal.TLSKey, TrustedProxies: proxies, AgentNames: c.Agents.Names, Version: version, Log: a.log,
			Long: func(path string) bool { return portal.LongLived(path) }})
	if err != nil {
		return err
	}
	portal.Register(a.Server.Portal())
	a.Server.AddRoutes(portal.Routes())
	a.Server.PageErrors(portal.Fault)
	return a.Server.Check()
}

// Run serves until ctx ends or a part fails.
func (a *App) Run(ctx context.Context) error {
	sys := controlplane.System(ctx, "serve")
	g, gctx := errgroup.WithContext(sys)
	parts := map[string]func(context.Context) error{
		"ledger": a.Ledger.Run, "jobs": a.Jobs.Run, "agents": a.Agents.Run, "identity": a.Identity.Run, "backups": a.Backups.Watch, "certs": a.Certs.Watch, "access": a.Access.Watch, "sessions": a.Sessions.Watch, "incidents": a.Incidents.Watch,
		"server": func(ctx context.Context) error { return a.Server.Run(ctx, nil) }, "secrets": a.refreshKeys, "vault": a.watchVault,
	}
	if a.DB.Dialect() == db.Postgres {
		parts["bus"] = func(ctx context.Context) error { return a.Bus.Bridge(ctx, a.Config.Database.URL) }
	}
	for name, run := range parts {
		g.Go(func() error {
			if err := run(gctx); err != nil && gctx.Err() == nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			return nil
		})
	}
	return g.Wait()
}

// refreshKeys has this process forget data keys that another one destroyed.
func (a *App) refreshKeys(ctx context.Context) error {
	for t := time.NewTicker(time.Minute); ; {
		select {
		case <-ctx.Done():
			t.Stop()
			return nil
		case <-t.C:
			if err := a.Keeper.Refresh(ctx); err != nil {
				a.log.ErrorContext(ctx, "secrets.refresh", "error", err)
			}
		}
	}
}

// Close closes what OpenApp opened.
func (a *App) Close() error {
	var errs []error
	for i := len(a.closers) - 1; i >= 0; i-- {
		errs = append(errs, a.closers[i]())
	}
	a.closers = nil
	return errors.Join(errs...)
}
