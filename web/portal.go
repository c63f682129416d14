package web

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"ostler/agents"
	"ostler/backups"
	"ostler/certs"
	"ostler/controlplane/access"
	"ostler/controlplane/bus"
	"ostler/controlplane/customers"
	"ostler/controlplane/findings"
	"ostler/controlplane/identity"
	"ostler/controlplane/incidents"
	"ostler/controlplane/jobs"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
	"ostler/controlplane/sessions"
)

// Deps are the slices whose answers the pages show.
type Deps struct {
	Identity  *identity.Store
	Customers *customers.Store
	Findings  *findings.Findings
	Jobs      *jobs.Jobs
	Ledger    *ledger.Ledger
	Agents    *agents.Agents
	Backups   *backups.Service
	Certs     *certs.Service
	Access    *access.Service
	Sessions  *sessions.Service
	Incidents *incidents.Service
	Bus       *bus.Bus
	// Now is the plane's time: (*db.DB).Now.
	Now func(context.Context) (time.Time, error)
}

// Options are the portal's settings; the zero value is usable on loopback.
type Options struct {
	Company string // the hosting company's name, beside its people's
	// URL is how people reach the portal, for links that are given on; "" is
	// what the browser asked for.
	URL string
	// Secure says that browsers come over TLS: cookies are then bound to this
	// host and never sent in clear.
	Secure bool
	// EnrolURL is what a server to be enrolled dials: "https://host:8445".
	EnrolURL string
	// Zone is the readers' time zone until their browser has said another; nil
	// is UTC. A customer's people and auditors begin with their customer's.
	Zone *time.Location
	// Note stands on every page, such as what a demo simulates.
	Note string
	// BrowseWait is how long a folder's page waits for the server's answer
	// before it says that it waits; 0 is 4 seconds.
	BrowseWait time.Duration
	// Lang is the language of the pages; "" is "en".
	Lang string
	// Mails says that a mail server is set up: pages offer mails only then.
	Mails bool
	Log   *slog.Logger // nil discards
}

// Portal answers people's browsers.
type Portal struct {
	Deps
	o      Options
	r      *Renderer
	tx     *Text
	log    *slog.Logger
	cross  *http.CrossOriginProtection
	routes []route
	checks checks
	open   openStreams
}

// route is one line of the portal's table with its handler.
type route struct {
	policy.Route
	handle func(*visit) error
}

// New parses the templates and returns a portal.
func New(d Deps, o Options) (*Portal, error) {
	if o.Lang == "" {
		o.Lang = "en"
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.BrowseWait == 0 {
		o.BrowseWait = 4 * time.Second
	}
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	r, err := NewRenderer(o.Lang)
	if err != nil {
		return nil, err
	}
	p := &Portal{Deps: d, o: o, r: r, tx: r.Text(), log: o.Log, cross: http.NewCrossOriginProtection()}
	p.routes = p.table()
	return p, nil
}

// Routes is the table of everything that the portal answers.
func (p *Portal) Routes() []policy.Route {
	out := make([]policy.Route, 0, len(p.routes))
	for _, r := range p.routes {
		out = append(out, r.Route)
	}
	return out
}

// Register adds the portal's routes, each behind its audience, its permission
// and the protection against requests from other sites.
func (p *Portal) Register(e *echo.Echo) {
	for _, r := range p.routes {
		e.Add(r.Method, r.Path, p.serve(r))
	}
}

// LongLived reports whether a path's answer may outlive an ordinary request:
// event streams and downloads.
func (p *Portal) LongLived(path string) bool {
	return path == "/events" || path == "/evidence/bundle" || len(path) > 11 && path[:11] == "/downloads/"
}

// Fault answers a request that no handler of the portal took, such as an
// unknown page, with a page in its own words.
func (p *Portal) Fault(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	headers(c)
	v := &visit{p: p, c: c, ctx: c.Request().Context(), now: p.now(c.Request().Context()), zone: p.zoneOf(c, p.o.Zone)}
	_ = p.authenticate(v) // nobody is signed in then; the page is the same without a name
	if err := v.fault(err); err != nil {
		p.log.ErrorContext(v.ctx, "web.fault", "error", err)
	}
}

// now returns the plane's time; the process's where the database is away, so
// that an error page can still say when.
func (p *Portal) now(ctx context.Context) time.Time {
	t, err := p.Now(ctx)
	if err != nil {
		return time.Now()
	}
	return t
}

// static serves a file of static/; with its hash in the address it may be kept.
func (p *Portal) static(v *visit) error {
	a, ok := p.r.Asset(v.c.Param("*"))
	if !ok {
		return echo.ErrNotFound
	}
	h := v.c.Response().Header()
	h.Set("ETag", `"`+a.Hash+`"`)
	h.Set("Cache-Control", "no-cache")
	if v.c.QueryParam("v") == a.Hash {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	if v.c.Request().Header.Get("If-None-Match") == `"`+a.Hash+`"` {
		return v.c.NoContent(http.StatusNotModified)
	}
	h.Set("Vary", "Accept-Encoding")
	body := a.Body
	if strings.Contains(v.c.Request().Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body = a.Gzip
	}
	if err := v.c.Blob(http.StatusOK, a.ContentType, body); err != nil {
		return fmt.Errorf("web: static: %w", err)
	}
	return nil
}
