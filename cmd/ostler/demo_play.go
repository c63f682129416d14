package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"ostler/backups"
	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/identity"
	"ostler/controlplane/ledger"
	"ostler/controlplane/mail/mailtest"
	"ostler/controlplane/policy"
	"ostler/controlplane/teleport/teleporttest"
)

const (
	demoCron = "15 2 * * *"
	demoZone = "Europe/Berlin"
)

var everyone = policy.AllCustomers("the demo sets up the whole company")

// demo is a running demo: a plane in this process, the rest in processes of
// their own.
type demo struct {
	dir   string
	o     demoOptions
	procs *procs
	clock *db.SimClock
	app   *App
	cast  cast
	store demoStore
	mails *mailtest.Sink
	lab   *demoLab
	vault demoVault
	// cluster is the fake Teleport; grants are those of colleagues, by user and slug.
	cluster *teleporttest.Cluster
	grants  map[string]string
	failed  chan error
	fallen  context.Context // ends when the plane does, by its error
	stop    context.CancelFunc
	agents  []string // names of the agents' processes
	plans   []string
	certs   []string                   // one for each company, in their order
	people  map[string]identity.Person // by e-mail
	ids     map[string]string          // host name: server id
	// tenancies are those of the companies, by slug.
	tenancies map[string]string
	customers map[string]string // id by slug
	// moments are what is still to happen, each at its instant.
	moments []moment
	// lostSum is the SHA-256 of the lost file as the night before the last has it.
	lostSum string
}

func (d *demo) host(name string) string { return filepath.Join(d.dir, "hosts", name, "root") }

// openDemo starts the store, the signer, and the plane on a clock that is some
// days back.
func openDemo(ctx context.Context, dir string, p *procs, o demoOptions) (*demo, error) {
	d := &demo{dir: dir, o: o, procs: p, cast: newCast(o.seed), failed: make(chan error, 1), people: map[string]identity.Person{}, ids: map[string]string{}, tenancies: map[string]string{}, customers: map[string]string{}, grants: map[string]string{}}
	d.clock = db.NewSimClock(time.Duration(o.days) * 24 * time.Hour)
	var err error
	if d.store, err = startStore(ctx, p, filepath.Join(dir, "store")); err != nil {
		return nil, err
	}
	if d.lab, err = startLab(ctx, p, filepath.Join(dir, "authority"), d.cast.servers()); err != nil {
		return nil, err
	}
	c, err := d.config()
	if err != nil {
		return nil, err
	}
	if err := d.startMail(&c); err != nil {
		return nil, err
	}
	if err := d.startCluster(&c); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	config, err := d.signerConfig(ctx, &c)
	if err != nil {
		return nil, err
	}
	if _, err := p.start("signer", self, "signer", "--config", config); err != nil {
		return nil, err
	}
	if err := waitFor(ctx, "the signer", func() bool { _, err := os.Stat(c.Signer.Socket); return err == nil }); err != nil {
		return nil, err
	}
	logFile, err := os.OpenFile(filepath.Join(p.dir, "plane.log"), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	var sink io.Writer = logFile
	if o.log {
		sink = os.Stderr
	}
	if d.app, err = OpenApp(ctx, c, AppOptions{Clock: d.clock, Simulated: d.clock.Simulated, Demo: true, Log: c.Log.logger(sink)}); err != nil {
		return nil, err
	}
	if err := d.keysToVault(ctx); err != nil {
		return nil, err
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	d.stop = stop
	fallen, fell := context.WithCancelCause(run)
	d.fallen = fallen
	go func() {
		err := d.app.Run(run)
		fell(err)
		d.failed <- err
	}()
	return d, nil
}

// startMail starts a mail server that keeps what it is given in a folder: real
// SMTP and TLS, and nobody's mailbox.
func (d *demo) startMail(c *Config) (err error) {
	var ca string
	if d.mails, ca, err = mailtest.StartIn(d.mailFolder()); err != nil {
		return fmt.Errorf("demo: mail: %w", err)
	}
	o := d.mails.Options()
	c.Mail.Host, c.Mail.Port, c.Mail.CAFile, c.Mail.From = o.Host, o.Port, ca, "ostler@hosting.example"
	return nil
}

func (d *demo) mailFolder() string { return filepath.Join(d.dir, "mail") }

func (d *demo) config() (Config, error) {
	c := defaults()
	c.DataDir = filepath.Join(d.dir, "plane")
	c.Signer = SignerConfig{Socket: filepath.Join(d.dir, "signer.sock"), KeyDir: filepath.Join(d.dir, "signer")}
	c.Ledger.Origin = "demo.invalid/ostler"
	c.Log.Level = "debug"
	c.Certs.Resolver, c.Certs.HTTPPort, c.Certs.Private = d.lab.dns.Addr, d.lab.httpPort, true
	c.Portal.Listen = d.o.listen
	for _, addr := range []*string{&c.Agents.Listen, &c.Agents.EnrolListen, &c.Metrics.Listen} {
		free, err := freeAddress()
		if err != nil {
			return c, err
		}
		*addr = free
	}
	if strings.HasSuffix(c.Portal.Listen, ":0") {
		free, err := freeAddress()
		if err != nil {
			return c, err
		}
		c.Portal.Listen = free
	}
	_, port, _ := strings.Cut(c.Portal.Listen, ":")
	c.Portal.URL = "http://localhost:" + port
	c.Agents.Names = []string{"localhost", "127.0.0.1"}
	if err := os.MkdirAll(c.DataDir, 0o700); err != nil {
		return c, fmt.Errorf("demo: %w", err)
	}
	return c.complete()
}

func (d *demo) close() {
	d.stop()
	select {
	case <-d.failed:
	case <-time.After(10 * time.Second):
	}
	_ = d.app.Close()
	_ = d.mails.Close()
	_ = d.cluster.Close()
}

// lastLogs are the last lines of every log, for a demo that could not start.
func (d *demo) lastLogs() string {
	var b strings.Builder
	for _, name := range append([]string{"plane", "store", "signer", "pebble"}, d.agents...) {
		for _, line := range d.procs.tail(name, 8) {
			fmt.Fprintf(&b, "  %s: %s\n", name, line)
		}
	}
	return b.String()
}

// play sets the company up, lets the days pass, and mints the links.
func (d *demo) play(ctx context.Context, progress io.Writer) (demoReady, error) {
	say := func(format string, args ...any) { fmt.Fprintf(progress, format+"\n", args...) }
	ctx, err := d.staff(ctx)
	if err != nil {
		return demoReady{}, err
	}
	say("Customers, servers and their files …")
	if err := d.company(ctx); err != nil {
		return demoReady{}, err
	}
	say("Three agents enrol …")
	if err := d.enrolAll(ctx); err != nil {
		return demoReady{}, err
	}
	say("Backup plans; each server makes its own key …")
	if err := d.makePlans(ctx); err != nil {
		return demoReady{}, err
	}
	if err := d.settle(ctx); err != nil {
		return demoReady{}, err
	}
	say("Who can reach the servers: people, grants, a look at every host …")
	if err := d.admit(ctx); err != nil {
		return demoReady{}, err
	}
	if err := d.baselines(ctx); err != nil {
		return demoReady{}, err
	}
	if err := d.toldOf(ctx); err != nil {
		return demoReady{}, err
	}
	d.moments = d.plot()
	if err := d.days(ctx, say); err != nil {
		return demoReady{}, err
	}
	say("An incident comes into its hour %d …", hour)
	if err := d.until(ctx, time.Now()); err != nil {
		return demoReady{}, err
	}
	d.clock.CatchUp()
	say("The authority wants a certificate renewed …")
	if err := d.renewed(ctx); err != nil {
		return demoReady{}, err
	}
	say("Sessions on the servers are read and reviewed …")
	if err := d.reviewed(ctx, say); err != nil {
		return demoReady{}, err
	}
	if err := d.drifted(ctx); err != nil {
		return demoReady{}, err
	}
	if err := d.app.DB.Write(controlplane.System(ctx, "demo"), func(tx *db.Tx) error {
		_, err := d.app.Ledger.Append(tx, ledger.Entry{Kind: "clock.caught_up", Subject: "demo", Data: map[string]any{"simulated_days": d.o.days}})
		return err
	}); err != nil {
		return demoReady{}, err
	}
	return d.links(ctx)
}

// staff makes the hosting company's people and returns a context of the first.
func (d *demo) staff(ctx context.Context) (context.Context, error) {
	sys := controlplane.System(ctx, "demo")
	p, _, err := d.app.Identity.Bootstrap(sys, "ada.keller@ostler.example", "Ada Keller")
	if err != nil {
		return nil, err
	}
	d.people["ops"] = p
	return controlplane.WithActor(ctx, controlplane.Actor{Kind: controlplane.ActorStaff, ID: p.ID, Role: string(p.Role)}), nil
}

// pairs ranges over two pairs in their order.
func pairs[K, V any](k1 K, v1 V, k2 K, v2 V) func(func(K, V) bool) {
	return func(yield func(K, V) bool) { _ = yield(k1, v1) && yield(k2, v2) }
}

// company makes customers, contacts, servers, tenancies and files.
func (d *demo) company(ctx context.Context) error {
	start := d.clock.Now().Add(-24 * time.Hour)
	for i, co := range d.cast.company {
		cus, err := d.app.Customers.CreateCustomer(ctx, everyone, customers.NewCustomer{Name: co.name, Slug: co.slug, Country: "DE", Zone: demoZone})
		if err != nil {
			return err
		}
		for person, role := range pairs(co.owner, policy.RoleOwner, co.helper, policy.RoleRestorer) {
			con, err := d.app.Customers.AddContact(ctx, everyone, customers.NewContact{Customer: cus.ID, Name: person, Email: email(person, co.slug), Role: role})
			if err != nil {
				return err
			}
			if i == 0 {
				d.people[string(role)] = identity.Person{Kind: controlplane.ActorContact, ID: con.ID, Customer: cus.ID, Role: role, Name: person}
			}
		}
		if d.ids[co.server] == "" {
			srv, err := d.app.Customers.CreateServer(ctx, everyone, customers.NewServer{Name: co.server, Location: co.location, Country: "DE"})
			if err != nil {
				return err
			}
			d.ids[co.server] = srv.ID
			if err := furnish(d.host(co.server), co.server); err != nil {
				return err
			}
			if err := hostAccounts(d.host(co.server)); err != nil {
				return err
			}
			if err := d.lab.startWeb(ctx, d.procs, co.server, filepath.Join(d.dir, "hosts", co.server, "web")); err != nil {
				return err
			}
		}
		ten, err := d.app.Customers.CreateTenancy(ctx, everyone, customers.NewTenancy{Server: d.ids[co.server], Customer: cus.ID, Dedicated: i < 2,
			Paths: []string{co.root}, Sites: sites(co)})
		if err != nil {
			return err
		}
		d.tenancies[co.slug], d.customers[co.slug] = ten.ID, cus.ID
		if err := d.cast.plant(d.host(co.server), co, start); err != nil {
			return err
		}
	}
	return nil
}

// makePlans gives each tenancy a plan whose key goes into escrow.
func (d *demo) makePlans(ctx context.Context) error {
	if _, err := d.app.Backups.AddStore(ctx, everyone, backups.OffSite{Name: "off-site", URL: d.store.url, Pin: d.store.pin,
		HtpasswdPath: d.store.htpasswd, PIDPath: d.store.pidFile, Location: "Helsinki", Country: "FI"}); err != nil {
		return err
	}
	for i, co := range d.cast.company {
		tens, err := d.app.Customers.TenanciesOf(ctx, everyone, d.ids[co.server])
		if err != nil {
			return err
		}
		for _, ten := range tens {
			if ten.Paths[0] != co.root {
				continue
			}
			paths := []string{co.root}
			if i == 1 { // one plan names a folder that is not there: its backups are partial, and say so
				paths = append(paths, co.root+"/uploads-2025")
				if err := os.MkdirAll(filepath.Join(d.host(co.server), co.root, "uploads-2025"), 0o755); err != nil {
					return fmt.Errorf("demo: %w", err)
				}
			}
			plan, err := d.app.Backups.CreatePlan(ctx, everyone, backups.PlanInput{Tenancy: ten.ID, Name: "Every night", Paths: paths, Cron: demoCron,
				Zone: demoZone, CatchUp: true, Custody: backups.CustodyEscrow})
			if err != nil {
				return err
			}
			d.plans = append(d.plans, plan.ID)
		}
	}
	return nil
}
