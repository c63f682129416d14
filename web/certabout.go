package web

import (
	"slices"
	"strconv"
	"strings"

	"ostler/agents/wire"
	"ostler/certs"
	"ostler/controlplane/policy"
)

// certAbout is what a certificate is made of.
func (v *visit) certAbout(scope policy.Scope, page *Certificate, c certs.Certificate, cas map[string]string) error {
	page.Server = Link{v.serverName(c.Server), "/servers/" + c.Server}
	names, err := v.customerNames([]string{c.Customer})
	if err != nil {
		return err
	}
	page.Sub = page.Server.Label
	if n := names[c.Customer]; n != "" {
		page.Sub = n + " · " + page.Sub
		page.Customer = Link{n, "/customers/" + c.Customer}
	}
	add := func(key, value string, mono bool) {
		if value != "" {
			page.About = append(page.About, Pair{Label: v.t(key), Value: value, Mono: mono})
		}
	}
	add("cert.challenge", v.challengeWord(c.Challenge), false)
	if c.Provider != "" {
		providers, err := v.p.Certs.Providers(v.ctx, scope, c.Customer)
		if err != nil {
			return err
		}
		for _, x := range providers {
			if x.ID == c.Provider {
				add("certform.provider", x.Name, false)
			}
		}
	}
	add("certform.authority", cas[c.Authority], false)
	add("certform.profile", c.Profile, true)
	add("certform.key", v.keyWord(c.Key), false)
	var services []string
	for _, s := range c.Services {
		services = append(services, serviceNames[s])
	}
	add("certform.services", strings.Join(services, ", "), false)
	add("cert.folder", c.Folder, true)
	if c.Issued.Serial != "" {
		add("cert.serial", hexColons(c.Issued.Serial), true)
		add("cert.sha256", c.Issued.Leaf, true)
		add("cert.since", v.moment(c.Issued.NotBefore), false)
	}
	if !c.Issued.RevokedAt.IsZero() {
		add("cert.revoked_at", v.moment(c.Issued.RevokedAt), false)
	}
	if v.paused(c) {
		add("cert.pause", v.pauseNote(c), false)
	}
	return nil
}

// serviceNames are what programs call themselves.
var serviceNames = map[wire.Service]string{wire.ServiceNginx: "nginx", wire.ServiceApache: "Apache", wire.ServiceHAProxy: "HAProxy", wire.ServicePostfix: "Postfix", wire.ServiceDovecot: "Dovecot", wire.ServiceCaddy: "Caddy"}

var keyWords = []struct {
	key  wire.KeyType
	word string
}{{wire.KeyP256, "certkey.ec256"}, {wire.KeyP384, "certkey.ec384"}, {wire.KeyRSA2048, "certkey.rsa2048"}, {wire.KeyRSA3072, "certkey.rsa3072"}, {wire.KeyRSA4096, "certkey.rsa4096"}}

func (v *visit) keyWord(k wire.KeyType) string {
	for _, x := range keyWords {
		if x.key == k {
			return v.t(x.word)
		}
	}
	return string(k)
}

// certActs are what the reader can do now.
func (v *visit) certActs(scope policy.Scope, page *Certificate, c certs.Certificate) error {
	self := page.Self
	if c.State == certs.StateEnded {
		return nil
	}
	if c.Issued.Serial != "" {
		page.Acts.Check = self + "/check"
	}
	if !v.can(policy.CertWrite) {
		return nil
	}
	a := &page.Acts
	a.Edit, a.End = self+"/edit", self+"/end"
	if v.paused(c) {
		a.Resume = self + "/resume"
	} else {
		a.Pause = self + "/pause"
	}
	if c.Open == "" {
		if !v.paused(c) {
			a.Renew, a.Try = self+"/renew", c.Issued.Serial == "" || c.Failing.Attempts > 0
		}
		if v.staff() {
			cas, err := v.p.Certs.Authorities(v.ctx, scope)
			if err != nil {
				return err
			}
			if slices.ContainsFunc(cas, func(ca certs.Authority) bool { return ca.Role == certs.RoleStaging }) {
				a.DryRun = self + "/dry-run"
			}
		}
	}
	if c.Issued.Serial != "" && c.Issued.RevokedAt.IsZero() {
		a.Revoke = self + "/revoke"
		if v.staff() && v.can(policy.CertAdmin) {
			a.Compromised = self + "/compromised"
		}
	}
	found, err := v.p.Certs.Found(v.ctx, scope, c.Server)
	if slices.ContainsFunc(found, func(f certs.Found) bool { return f.TakenBy == c.ID }) {
		a.Undo = self + "/undo"
	}
	return err
}

// records are what must stand in the customer's DNS for a delegated challenge.
func (v *visit) records(scope policy.Scope, c certs.Certificate) ([]RecordRow, error) {
	if c.Challenge != certs.ChallengeDelegate || c.State == certs.StateEnded {
		return nil, nil
	}
	list, err := v.p.Certs.Delegations(v.ctx, scope, c.ID)
	var out []RecordRow
	for i, d := range list {
		out = append(out, RecordRow{ID: "record-" + strconv.Itoa(i), Name: d.Name, Type: "CNAME", Value: d.Target})
	}
	return out, err
}
