package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"ostler/agents/wire"
	"ostler/certs"
	"ostler/internal/acmelab"
)

// demoLab is what stands around the demo's certificates: a test CA with its
// DNS, and a web server for each host.
type demoLab struct {
	ca       *acmelab.CA
	dns      *acmelab.DNS
	httpPort int // where the CA looks for http-01 answers
	tlsPort  int // where the sites are served
	address  map[string]string
	webs     map[string]*acmelab.Web
}

// elsewhere is an address that is not the hosts': of documentation (RFC 3849).
const elsewhere = "2001:db8::77"

// startLab starts the authority and its DNS, and gives each host an address.
func startLab(ctx context.Context, p *procs, dir string, hosts []string) (*demoLab, error) {
	l := &demoLab{address: map[string]string{}, webs: map[string]*acmelab.Web{}}
	var all []string
	for i, h := range hosts {
		l.address[h] = "127.0.0." + strconv.Itoa(11+i)
		all = append(all, l.address[h])
	}
	var err error
	if l.httpPort, err = acmelab.FreePort(all...); err != nil {
		return nil, err
	}
	if l.tlsPort, err = acmelab.FreePort(all...); err != nil {
		return nil, err
	}
	var addrs [4]string
	for i := range addrs {
		if addrs[i], err = freeAddress(); err != nil {
			return nil, err
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("demo: authority: %w", err)
	}
	l.dns = acmelab.NewDNS(addrs[0], addrs[1])
	if l.ca, err = acmelab.NewCA(acmelab.CAOptions{Dir: dir, Listen: addrs[2], Manage: addrs[3], HTTPPort: l.httpPort, DNS: addrs[0]}); err != nil {
		return nil, err
	}
	for name, what := range pairs("pebble-challtestsrv", l.dns.Program, "pebble", l.ca.Program) {
		bin, err := program(name, "run “make tools”")
		if err != nil {
			return nil, err
		}
		if _, err := p.startWith(name, what.Env, bin, what.Args...); err != nil {
			return nil, err
		}
	}
	return l, waitFor(ctx, "the certificate authority", func() bool { return l.ca.Ready(ctx) && l.dns.Ready(ctx) })
}

// startWeb starts a host's web server: nginx, or a small one of our own where
// that is not on this machine.
func (l *demoLab) startWeb(ctx context.Context, p *procs, host, dir string) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	web := &acmelab.Web{Dir: dir, Listen: []string{l.endpoint(host)}, Nginx: acmelab.FindNginx(), Self: []string{self, "demo", "web"}}
	if err := web.Make(); err != nil {
		return err
	}
	run := web.Run()
	if _, err := p.start("web-"+host, run[0], run[1:]...); err != nil {
		return err
	}
	l.webs[host] = web
	return waitFor(ctx, "the web server of "+host, web.Running)
}

// agentConfig are lines of an agent's configuration: where it answers http-01,
// and how its web server is tested and reloaded.
func (l *demoLab) agentConfig(host string) string {
	list := func(args []string) string {
		raw, _ := json.Marshal(args) // strings: it cannot fail
		return string(raw)
	}
	web := l.webs[host]
	return fmt.Sprintf("acme:\n  listen: %q\nservices:\n  nginx:\n    test: %s\n    reload: %s\n", net.JoinHostPort(l.address[host], strconv.Itoa(l.httpPort)), list(web.Test()), list(web.Reload()))
}

// endpoint is where a host's sites are served.
func (l *demoLab) endpoint(host string) string {
	return l.address[host] + ":" + strconv.Itoa(l.tlsPort)
}

// simulated says what of it is not as in earnest.
func (l *demoLab) simulated() []string {
	out := []string{
		"the certificate authority: Pebble, which is what Let's Encrypt tests clients with; no browser trusts it, and it answers on loopback",
		fmt.Sprintf("the sites' DNS, and their ports: %d in place of 443 and %d in place of 80, so that nothing needs root", l.tlsPort, l.httpPort),
	}
	if acmelab.FindNginx() == "" {
		out = append(out, "the web servers: nginx is not on this machine, a small TLS server of our own stands in for it")
	}
	return out
}

// demoWebCommand is the small web server that stands in for nginx.
func demoWebCommand() *cobra.Command {
	var dir string
	var test, reload bool
	cmd := &cobra.Command{
		Use:    "web",
		Short:  "A small TLS server that stands in where nginx is missing",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case test:
				return acmelab.TestWeb(dir)
			case reload:
				return acmelab.ReloadWeb(dir)
			}
			return acmelab.ServeWeb(cmd.Context(), dir, cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "its folder")
	cmd.Flags().BoolVar(&test, "test", false, "only test its configuration")
	cmd.Flags().BoolVar(&reload, "reload", false, "have the one that runs take its configuration up")
	return cmd
}

// demoCertificate is one certificate of the demo.
type demoCertificate struct {
	ID    string `json:"id"`
	Name  string `json:"name"` // its first name
	URL   string `json:"url"`  // its page
	State string `json:"state"`
	At    string `json:"at"` // where it is served
	// Note is what is to be seen there.
	Note string `json:"note"`
}

// behind is how far the plane's clock is behind when certificates are issued:
// more than the six hours after which the authority wants to be asked again.
const behind = 8 * time.Hour

// issue has certificates issued while the plane's clock is behind, so that the
// authority is asked about them once more when it has caught up.
func (d *demo) issue(ctx context.Context, say func(string, ...any)) error {
	if ahead := time.Until(d.clock.Now()); -ahead > behind {
		d.clock.Advance(-ahead - behind)
	}
	say("Certificates are issued and served …")
	if err := d.certificates(ctx); err != nil {
		return err
	}
	return d.renewalWanted(ctx)
}

// certificates has every site's certificate issued and served, but for the last
// one, whose DNS is not right.
func (d *demo) certificates(ctx context.Context) error {
	ca, err := d.app.Certs.AddAuthority(ctx, everyone, certs.NewAuthority{Name: "Pebble (test authority)", Directory: d.lab.ca.Directory, Role: certs.RolePrimary,
		Profile: "default", RootsPEM: d.lab.ca.TLSRoot})
	if err != nil {
		return fmt.Errorf("demo: authority: %w", err)
	}
	for i, co := range d.cast.company {
		names := sites(co)
		addrs := []string{d.lab.address[co.server]}
		if i == len(d.cast.company)-1 {
			addrs = append(addrs, elsewhere)
		} else if err := d.site(co, names); err != nil {
			return err
		}
		for _, n := range names {
			if err := d.lab.dns.Set(ctx, n, addrs...); err != nil {
				return err
			}
		}
		c, err := d.app.Certs.Create(ctx, everyone, certs.NewCertificate{Tenancy: d.tenancies[co.slug], Names: names, Authority: ca.ID, Services: []wire.Service{wire.ServiceNginx},
			Endpoints: []certs.Endpoint{{Address: d.lab.endpoint(co.server), Protocol: wire.ProtocolTLS}}})
		if err != nil {
			return fmt.Errorf("demo: certificate: %w", err)
		}
		d.certs = append(d.certs, c.ID)
	}
	for _, id := range d.certs {
		if err := d.attempted(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// sites are the names of a company's site.
func sites(co company) []string { return []string{co.slug + ".example", "www." + co.slug + ".example"} }

// site has a host's web server serve a company's names with what is going to be
// in the certificate's folder.
func (d *demo) site(co company, names []string) error {
	live := filepath.Join(d.host(co.server), "etc/ostler/certificates", names[0], "live")
	return d.lab.webs[co.server].Put(acmelab.Site{Name: co.slug, Names: names, Cert: filepath.Join(live, "fullchain.pem"), Key: filepath.Join(live, "privkey.pem"),
		Text: "This is " + co.name + "."})
}

// attempted waits until there has been an attempt at a certificate and it is over.
func (d *demo) attempted(ctx context.Context, id string) error {
	var last error
	err := waitFor(ctx, "the certificates", func() bool {
		var all []certs.Issue
		all, _, last = d.app.Certs.Issues(ctx, everyone, id, certs.Page{})
		return last == nil && len(all) > 0 && all[0].State.Terminal()
	})
	return errors.Join(err, last)
}

// renewalWanted has the authority say of the first certificate that it should
// have been renewed already, as it does when it has to revoke many.
func (d *demo) renewalWanted(ctx context.Context) error {
	names := sites(d.cast.company[0])
	chain, err := os.ReadFile(filepath.Join(d.host(d.cast.company[0].server), "etc/ostler/certificates", names[0], "live", "fullchain.pem"))
	if err != nil {
		return fmt.Errorf("demo: certificate: %w", err)
	}
	now := time.Now()
	return d.lab.ca.SetRenewalInfo(ctx, chain, acmelab.Window(now.Add(-2*time.Hour), now.Add(-time.Hour), "https://ca.example/incidents/2026-11"))
}

// renewed waits until the first certificate was renewed. The plane looks for
// what is due every 15 s; the demo has it look at once.
func (d *demo) renewed(ctx context.Context) error {
	id := d.certs[0]
	var last error
	err := waitFor(ctx, "the renewal", func() bool {
		if last = d.app.Certs.Look(ctx); last != nil {
			return false
		}
		var all []certs.Issue
		all, _, last = d.app.Certs.Issues(ctx, everyone, id, certs.Page{})
		return last == nil && len(all) >= 2 && all[0].State.Terminal()
	})
	return errors.Join(err, last)
}

// told are the certificates as they stand when the demo is ready.
func (d *demo) told(ctx context.Context) ([]demoCertificate, error) {
	var out []demoCertificate
	for i, id := range d.certs {
		c, err := d.app.Certs.Get(ctx, everyone, id)
		if err != nil {
			return nil, err
		}
		x := demoCertificate{ID: id, Name: c.Names[0], URL: d.app.Config.Portal.URL + "/certificates/" + id, State: string(c.State), At: d.lab.endpoint(d.cast.company[i].server),
			Note: "issued, installed and seen in a handshake"}
		switch {
		case c.Failing.Attempts > 0:
			x.Note, _ = c.Failing.Why.Text("en")
		case i == 0:
			x.Note = "renewed because the authority asked for it"
		}
		out = append(out, x)
	}
	return out, nil
}

// roots writes down what vouches for the demo's certificates.
func (d *demo) roots(ctx context.Context) (file string, err error) {
	raw, err := d.lab.ca.Roots(ctx)
	if err != nil {
		return "", err
	}
	file = filepath.Join(d.dir, "authority", "roots.pem")
	if err := os.WriteFile(file, raw, 0o644); err != nil {
		return "", fmt.Errorf("demo: authority: %w", err)
	}
	return file, nil
}
