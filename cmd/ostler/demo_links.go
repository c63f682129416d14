package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/identity"
	"ostler/controlplane/policy"
)

// links mints a sign-in link for each audience and a token for the command line.
func (d *demo) links(ctx context.Context) (demoReady, error) {
	r := demoReady{URL: d.app.Config.Portal.URL, Links: map[string]string{}, Folder: d.dir, Servers: map[string]string{}, LostFile: d.cast.company[0].root + "/" + lostFile,
		Customer: d.cast.company[0].name, LostSum: d.lostSum, TokenFile: filepath.Join(d.dir, "token"), Simulated: []string{
			fmt.Sprintf("the plane's clock: it started %d days back, jumped from night to night, and has run in real time since before you could sign in", d.o.days),
			"the companies, the people and their files",
			"the mailboxes: mails go by SMTP and TLS to a server that keeps them in a folder",
			"Teleport: a fake that speaks its real interface over mutual TLS; roles and locks are as on a real one, and nobody logs in to a server through it",
			"accounts and keys on the three servers: files below each agent's folder",
			"boot id, machine id and package list of the three servers (each agent sees a folder as its root)",
		}}
	r.Simulated = append(r.Simulated, d.lab.simulated()...)
	r.Vault = d.vault.note
	var err error
	if r.Certificates, err = d.told(ctx); err != nil {
		return r, err
	}
	if r.Roots, err = d.roots(ctx); err != nil {
		return r, err
	}
	auditor, err := d.app.Identity.AddAuditor(controlplane.System(ctx, "demo"), everyone, identity.NewAuditor{Customer: d.people[string(policy.RoleOwner)].Customer,
		Name: "Helle Nyberg", Email: "helle.nyberg@audit.example", Until: d.clock.Now().Add(30 * 24 * time.Hour)})
	if err != nil {
		return r, err
	}
	d.people["auditor"] = auditor
	for audience, who := range map[string]string{"ops": "ops", "customer": string(policy.RoleOwner), "restorer": string(policy.RoleRestorer), "auditor": "auditor"} {
		link, err := d.app.Identity.MintDemoLink(controlplane.System(ctx, "demo"), d.people[who].ID)
		if err != nil {
			return r, err
		}
		r.Links[audience] = r.URL + link.Path
	}
	for name := range d.ids {
		r.Servers[name] = d.host(name)
	}
	ops := d.people["ops"]
	a := controlplane.Actor{Kind: ops.Kind, ID: ops.ID, Role: string(ops.Role), Session: "demo"}
	now, err := d.app.DB.Now(ctx)
	if err != nil {
		return r, err
	}
	secret, _, err := d.app.Identity.MakeToken(controlplane.WithActor(ctx, a), identity.NewToken{Name: "demo command line",
		Permissions: policy.Permissions(ops.Role), ExpiresAt: now.Add(24 * time.Hour)})
	if err != nil {
		return r, err
	}
	return r, os.WriteFile(r.TokenFile, []byte(secret+"\n"), 0o600)
}
