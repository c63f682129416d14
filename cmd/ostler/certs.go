package main

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"time"

	"ostler/agents/wire"
	"ostler/certs"
	"ostler/certs/preflight"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/mail"
	"ostler/controlplane/policy"
)

// CertsConfig is how certificates are asked for. Nothing is asked for before a
// person has added an authority and accepted its terms.
type CertsConfig struct {
	// Directory, Contact and RootsFile are what is proposed to whoever adds the
	// first authority.
	Directory string `koanf:"directory"`
	Contact   string `koanf:"contact"`
	RootsFile string `koanf:"roots_file"` // PEM; for an authority of one's own
	// PlaneURL is where sites redirect challenges to; "" is the portal's URL
	// where that is https.
	PlaneURL string `koanf:"plane_url"`
	// Resolver is the DNS server that is asked, with its port; "" is the system's.
	Resolver string `koanf:"resolver"`
	// NameServer stands in for every zone's own name servers; "" asks those.
	NameServer string `koanf:"name_server"`
	// HTTPPort is where the authority looks for http-01 answers; other than 80
	// only for an authority of one's own.
	HTTPPort int `koanf:"http_port"`
	// Private lets sites be at private addresses.
	Private bool `koanf:"private"`
	// Concurrent bounds the orders at one authority at a time.
	Concurrent int `koanf:"concurrent"`
	// FallbackAfterHours is how long a certificate fails before the fall-back is asked.
	FallbackAfterHours int `koanf:"fallback_after_hours"`
	// Program is the one program that DNS providers of the kind exec may run.
	Program string `koanf:"dns_program"`
}

func defaultCerts() CertsConfig {
	return CertsConfig{Directory: "https://acme-v02.api.letsencrypt.org/directory", HTTPPort: 80, Concurrent: 8, FallbackAfterHours: 72}
}

// openCerts wires certificates.
func (a *App) openCerts(ctx context.Context) error {
	c := a.Config.Certs
	ask := preflight.ResolverOptions{}
	if c.Resolver != "" {
		ask.Servers = []string{c.Resolver}
	}
	if c.NameServer != "" {
		ask.Authorities = []string{c.NameServer}
	}
	resolver, err := preflight.NewResolver(ask)
	if err != nil {
		return fmt.Errorf("serve: certs.resolver: %w", err)
	}
	checker, err := preflight.New(preflight.Options{Resolver: resolver, HTTPPort: c.HTTPPort, Private: c.Private})
	if err != nil {
		return fmt.Errorf("serve: certificates: %w", err)
	}
	o := certs.Options{Log: a.log, Bus: a.Bus, FallbackAfter: time.Duration(c.FallbackAfterHours) * time.Hour, Concurrent: c.Concurrent, Private: c.Private,
		PlaneURL: a.Config.planeURL(), UserAgent: "ostler/" + version, Resolve: addresses(c.Resolver),
		Proposed: certs.NewAuthority{Name: "Let's Encrypt", Directory: c.Directory, Role: certs.RolePrimary, Contact: c.Contact}}
	if c.Directory != defaultCerts().Directory {
		o.Proposed.Name = "Certificate authority"
	}
	if c.Program != "" {
		o.Programs = []string{c.Program}
	}
	if c.RootsFile != "" {
		if o.Proposed.RootsPEM, err = os.ReadFile(c.RootsFile); err != nil {
			return fmt.Errorf("config: certs.roots_file: %w", err)
		}
	}
	a.Certs, err = certs.New(certs.Deps{DB: a.DB, Keeper: a.Keeper, Ledger: a.Ledger, Jobs: a.Jobs, Findings: a.Findings, Customers: a.Customers,
		Mail: certLetters{a.Mail}, Preflight: checker, Resolver: resolver, Able: a.able}, o)
	return err
}

// able says whether a server's agent can do something, and may by its own policy.
func (a *App) able(ctx context.Context, server string, action wire.Action) (bool, error) {
	s, err := a.Agents.Status(ctx, policy.AllCustomers("whether an agent can be asked"), server)
	if controlplane.ErrorCode(err) == controlplane.CodeNotFound {
		return false, nil
	}
	return slices.Contains(s.Actions, action), err
}

// planeURL is where sites redirect challenges to, "" where they cannot.
func (c Config) planeURL() string {
	return cmp.Or(c.Certs.PlaneURL, c.Portal.URL)
}

// addresses returns a look-up of names' addresses at a DNS server; nil is the system's.
func addresses(server string) func(ctx context.Context, name string) ([]string, error) {
	if server == "" {
		return nil
	}
	r := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, network, server)
	}}
	return r.LookupHost
}

// certLetters sends what certificates have to say by mail.
type certLetters struct{ mail *mail.Mail }

// Enqueue implements certs.Mailer.
func (l certLetters) Enqueue(tx *db.Tx, x certs.Letter) error {
	_, err := l.mail.Enqueue(tx, mail.Message(x))
	return err
}
