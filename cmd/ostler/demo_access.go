package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/access"
	"ostler/controlplane/identity"
	"ostler/controlplane/policy"
	"ostler/controlplane/teleport"
	"ostler/controlplane/teleport/teleporttest"
)

// colleague is one of the hosting company's made-up staff, with the name that
// they have at Teleport.
type colleague struct {
	name, user string
	role       string // what grants give them
	companies  []int  // whose servers they look after
}

// colleagues beside the first, who administers Ostler. The last one is taken
// off the first company's list when the demo is ready.
var colleagues = []colleague{
	{"Bela Horvat", "bela", "engineer", []int{0, 1, 2, 3}},
	{"Chidi Okafor", "chidi", "operator", []int{1, 2, 3}},
	{"Dana Lindqvist", "dana", "operator", []int{0, 2}},
}

// startCluster starts a fake Teleport cluster in this process: it speaks the
// real api over mutual TLS, and nobody logs in to a server through it.
func (d *demo) startCluster(c *Config) error {
	var err error
	if d.cluster, err = teleporttest.New(teleporttest.Options{Name: "teleport.demo.invalid"}); err != nil {
		return fmt.Errorf("demo: teleport: %w", err)
	}
	if err := d.cluster.Listen(); err != nil {
		return fmt.Errorf("demo: teleport: %w", err)
	}
	dir := filepath.Join(d.dir, "teleport")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("demo: teleport: %w", err)
	}
	file, err := d.cluster.IdentityFile(dir, "ostler", 90*24*time.Hour, teleporttest.RoleReader, teleporttest.RoleEnforcer)
	if err != nil {
		return fmt.Errorf("demo: teleport: %w", err)
	}
	c.Teleport.Addr, c.Teleport.IdentityFile = d.cluster.Addr(), file
	c.Access.GatherSeconds, c.Access.TicketLink = 5, "https://tickets.ostler.example/{ticket}"
	c.Access.Zone = demoZone
	for i, co := range d.cast.company {
		label := co.slug
		if i >= 2 { // these share one server
			label = access.SharedLabel + co.server
		}
		if err := d.cluster.PutNode("node-"+co.server, co.server, map[string]string{"customer": label}); err != nil {
			return fmt.Errorf("demo: teleport: %w", err)
		}
	}
	for _, who := range colleagues {
		if err := d.cluster.PutUser(who.user); err != nil {
			return fmt.Errorf("demo: teleport: %w", err)
		}
	}
	return nil
}

// hostAccounts gives a host the files that say who can get in: root with the
// key that its installation left there, and an account of the customer's agency.
func hostAccounts(root string) error {
	const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI%s %s\n"
	files := map[string]string{
		"etc/passwd":                       "root:x:0:0:root:/root:/bin/bash\nops:x:1000:1000::/home/ops:/bin/bash\nagency:x:1001:1001::/home/agency:/bin/bash\nwww-data:x:33:33::/var/www:/usr/sbin/nologin\n",
		"etc/shadow":                       "root:!:20000:0:99999:7:::\nops:!:20000:0:99999:7:::\nagency:!:20000:0:99999:7:::\nwww-data:*:20000:0:99999:7:::\n",
		"etc/group":                        "root:x:0:\nsudo:x:27:ops\nops:x:1000:\nagency:x:1001:\n",
		"etc/sudoers":                      "root ALL=(ALL:ALL) ALL\n%sudo ALL=(ALL:ALL) ALL\n",
		"etc/ssh/sshd_config":              "PermitRootLogin prohibit-password\nPasswordAuthentication no\nAuthorizedKeysFile .ssh/authorized_keys\n",
		"root/.ssh/authorized_keys":        fmt.Sprintf(key, strings.Repeat("A", 42)+"E", "installer@rescue"),
		"var/log/auth.log":                 authLine(filepath.Base(filepath.Dir(root)), time.Now().AddDate(0, 0, -30), "systemd-logind[611]: New seat seat0."),
		"home/agency/.ssh/authorized_keys": fmt.Sprintf(key, strings.Repeat("B", 42)+"I", "dev@agency.example"),
	}
	for f, text := range files {
		file := filepath.Join(root, f)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return fmt.Errorf("demo: files: %w", err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return fmt.Errorf("demo: files: %w", err)
		}
	}
	return nil
}

// admit puts people on lists, days before anybody looks: papers, grants, places,
// and the cluster that follows them.
func (d *demo) admit(ctx context.Context) error {
	if err := d.enforced(ctx); err != nil {
		return err
	}
	persons := make([]string, len(colleagues))
	for i, who := range colleagues {
		var err error
		if persons[i], err = d.employ(ctx, who); err != nil {
			return err
		}
	}
	if err := d.answered(ctx, persons[0]); err != nil {
		return err
	}
	for n, who := range colleagues {
		for _, i := range who.companies {
			g, err := d.app.Access.Grant(ctx, everyone, access.NewGrant{Customer: d.cast.company[i].slug, Person: persons[n], Role: who.role,
				Reason: "Looks after the server and its backups", Ticket: fmt.Sprintf("OPS-%d", 100+i), Until: d.clock.Now().AddDate(0, 2, 0)})
			if err != nil {
				return fmt.Errorf("demo: grant: %w", err)
			}
			d.grants[who.user+" "+d.cast.company[i].slug] = g.ID
		}
	}
	if err := d.places(ctx); err != nil {
		return err
	}
	return d.look(ctx)
}

// toldOf waits until a mail server has taken what every customer was told of
// their list: the clock jumps after it.
func (d *demo) toldOf(ctx context.Context) error {
	d.clock.Advance(time.Duration(d.app.Config.Access.GatherSeconds+1) * time.Second)
	d.app.Bus.Publish(access.TopicWatch)
	var last error
	err := waitFor(ctx, "the notices", func() bool {
		for _, co := range d.cast.company {
			cus, err := d.app.Customers.GetCustomer(ctx, everyone, co.slug)
			if err != nil {
				last = err
				return false
			}
			notices, _, err := d.app.Access.Notices(ctx, everyone, cus.ID, 10, "")
			if last = err; err != nil || len(notices) == 0 {
				return false
			}
			for _, n := range notices {
				if n.AcceptedAt.IsZero() {
					return false
				}
			}
		}
		return true
	})
	return errors.Join(err, last)
}

// employ makes a colleague one of the staff, with the papers without which
// nobody is granted anything.
func (d *demo) employ(ctx context.Context, who colleague) (person string, err error) {
	first, _, _ := strings.Cut(strings.ToLower(who.name), " ")
	staff, err := d.app.Identity.AddStaff(ctx, everyone, identity.NewStaff{Name: who.name, Email: first + "@ostler.example", Role: policy.RoleOps})
	if err != nil {
		return "", fmt.Errorf("demo: staff: %w", err)
	}
	p, err := d.app.Access.AddPerson(ctx, everyone, access.NewPerson{Kind: access.KindStaff, Staff: staff.ID, TeleportUsers: []string{who.user}})
	if controlplane.ErrorCode(err) == controlplane.CodeConflict { // the plane has seen them already
		p, err = d.known(ctx, staff.ID)
		if err == nil {
			p, err = d.app.Access.ChangePerson(ctx, everyone, p.ID, access.PersonChange{TeleportUsers: &[]string{who.user}})
		}
	}
	if err != nil {
		return "", fmt.Errorf("demo: person: %w", err)
	}
	for kind, until := range pairs(access.PaperConfidentiality, time.Time{}, access.PaperTraining, d.clock.Now().AddDate(1, 0, 0)) {
		if _, err := d.app.Access.AddPaper(ctx, everyone, access.Paper{Person: p.ID, Kind: kind, Version: "2026", From: d.clock.Now().AddDate(0, -3, 0), Until: until,
			Reference: "personnel file"}); err != nil {
			return "", fmt.Errorf("demo: paper: %w", err)
		}
	}
	return p.ID, nil
}

// known is the person on lists that a member of staff is: the plane makes one of
// each when it looks next.
func (d *demo) known(ctx context.Context, staff string) (access.Person, error) {
	var found access.Person
	var last error
	d.app.Bus.Publish(access.TopicWatch)
	err := waitFor(ctx, "the people on lists", func() bool {
		var all []access.Person
		all, last = d.app.Access.People(ctx, everyone)
		i := slices.IndexFunc(all, func(p access.Person) bool { return p.Staff == staff })
		if i >= 0 {
			found = all[i]
		}
		return i >= 0
	})
	return found, errors.Join(err, last)
}

// places are where servers stand, who may enter, and a visit.
func (d *demo) places(ctx context.Context) error {
	now := d.clock.Now()
	tech, err := d.app.Access.AddPerson(ctx, everyone, access.NewPerson{Kind: access.KindThirdParty, Name: "Greta Falk", Company: "Rhein Colocation"})
	if err != nil {
		return fmt.Errorf("demo: places: %w", err)
	}
	for i, name := range []string{"Frankfurt", "Falkenstein"} {
		f, err := d.app.Access.PutFacility(ctx, everyone, access.Facility{Name: name, Country: "DE", Location: name, Controls: "Photo ID, cameras, alarm; racks are locked.",
			Certificates: []access.FacilityPaper{{Name: "ISO 27001", Number: fmt.Sprintf("27K-%d", 310+i), Until: now.AddDate(0, 14, 0), Reference: "contract folder"}}})
		if err != nil {
			return fmt.Errorf("demo: places: %w", err)
		}
		if i > 0 {
			continue
		}
		if _, err := d.app.Access.AddEntry(ctx, everyone, access.Entry{Way: access.WayPhysical, Person: tech.ID, Facility: f.ID, Role: "remote hands",
			Reason: "Changes disks when we ask for it", ReviewBy: now.AddDate(0, 6, 0)}); err != nil {
			return fmt.Errorf("demo: places: %w", err)
		}
	}
	return nil
}

// answered has a colleague answer for what the cluster has of its own: its
// administrator, who is the first of the staff, and the roles of our identity.
func (d *demo) answered(ctx context.Context, colleague string) error {
	ada, err := d.known(ctx, d.people["ops"].ID)
	if err != nil {
		return fmt.Errorf("demo: teleport: %w", err)
	}
	// Nobody changes their own names, so the plane does it.
	if _, err := d.app.Access.ChangePerson(controlplane.System(ctx, "demo"), everyone, ada.ID, access.PersonChange{TeleportUsers: &[]string{"admin"}}); err != nil {
		return fmt.Errorf("demo: teleport: %w", err)
	}
	e, err := d.app.Access.Enforcement(ctx, everyone)
	if err != nil {
		return fmt.Errorf("demo: teleport: %w", err)
	}
	for _, r := range e.Foreign {
		if err := d.app.Access.AcceptRole(ctx, everyone, r.Role, colleague, d.clock.Now().AddDate(0, 6, 0), "Of the cluster itself: its administrator, and Ostler's own identity"); err != nil {
			return fmt.Errorf("demo: teleport: %w", err)
		}
	}
	return d.look(ctx)
}

// enforced has the cluster looked at, and from then on follow the lists.
func (d *demo) enforced(ctx context.Context) error {
	if err := d.look(ctx); err != nil {
		return err
	}
	for _, m := range []access.Mode{access.Shadow, access.Enforce} {
		if _, err := d.app.Access.SetMode(ctx, everyone, m, "The demo begins with lists that are enforced"); err != nil {
			return fmt.Errorf("demo: teleport: %w", err)
		}
	}
	return nil
}

// look has the cluster and every host looked at now.
func (d *demo) look(ctx context.Context) error {
	servers := []string{""}
	for _, id := range d.ids {
		servers = append(servers, id)
	}
	for _, id := range servers {
		if _, err := d.app.Access.Look(ctx, everyone, id); err != nil {
			return fmt.Errorf("demo: look: %w", err)
		}
	}
	return d.settle(ctx, "access.observe", "access.enforce", "access.host", string(wire.ActionAccessScan))
}

// baselines accepts what the first look at each host found; the agency's key is
// for the customer to say.
func (d *demo) baselines(ctx context.Context) error {
	owner, err := d.known(ctx, d.people["ops"].ID)
	if err != nil {
		return fmt.Errorf("demo: baseline: %w", err)
	}
	for _, co := range d.cast.company[:2] {
		found, _, err := d.app.Access.ListFound(ctx, everyone, access.FoundFilter{Server: d.ids[co.server], Unexplained: true, Limit: 200})
		if err != nil {
			return fmt.Errorf("demo: baseline: %w", err)
		}
		cus, err := d.app.Customers.GetCustomer(ctx, everyone, co.slug)
		if err != nil {
			return fmt.Errorf("demo: baseline: %w", err)
		}
		for _, f := range found {
			if f.Account == "agency" {
				if _, err := d.app.Access.Explain(ctx, everyone, f.ID, "", cus.ID); err != nil {
					return fmt.Errorf("demo: baseline: %w", err)
				}
			}
		}
	}
	for _, id := range d.ids {
		if _, err := d.app.Access.AcceptBaseline(ctx, everyone, id, owner.ID, d.clock.Now().AddDate(0, 3, 0), "It was there when we took the server over"); err != nil {
			return fmt.Errorf("demo: baseline: %w", err)
		}
	}
	return nil
}

// drifted makes the last changes, in real time: somebody edited a role by hand
// at the cluster, and the last colleague is taken off the first list.
func (d *demo) drifted(ctx context.Context) error {
	if err := d.cluster.PutRole(teleport.Role{Name: "debug", Allow: teleport.Reach{Logins: []string{"root"}, NodeLabels: map[string][]string{"customer": {d.cast.company[0].slug}}}}); err != nil {
		return fmt.Errorf("demo: teleport: %w", err)
	}
	who := colleagues[1]
	if err := d.cluster.PutUser(who.user, append(d.cluster.RolesOf(who.user), "debug")...); err != nil {
		return fmt.Errorf("demo: teleport: %w", err)
	}
	last := colleagues[len(colleagues)-1]
	if _, err := d.app.Access.Revoke(ctx, everyone, d.grants[last.user+" "+d.cast.company[0].slug], "Moved to another team"); err != nil {
		return fmt.Errorf("demo: revoke: %w", err)
	}
	return d.look(ctx)
}
