package web

import "ostler/controlplane/policy"

// byAdmins is a route that staff need to be admins for.
func byAdmins(r route) route {
	r.Staff = policy.CertAdmin
	return r
}

// certPages are certificates, for both sides.
func (p *Portal) certPages() []route {
	if p.Certs == nil {
		return nil
	}
	routes := []route{
		get("/certificates", policy.SignedIn, policy.CertRead, "portal.certs", p.certificates),
		get("/certificates/new", policy.SignedIn, policy.CertWrite, "portal.cert.new", p.certNew),
		post("/certificates", policy.SignedIn, policy.CertWrite, "portal.cert.create", p.certCreate),
		get("/certificates/limits", policy.Staff, policy.CertRead, "portal.cert.limits", p.certLimits),
		get("/certificates/settings", policy.Staff, policy.CertRead, "portal.cert.settings", p.certSettings),
		get("/certificates/authorities/new", policy.Staff, policy.CertAdmin, "portal.authority.new", p.authorityNew),
		post("/certificates/authorities", policy.Staff, policy.CertAdmin, "portal.authority.add", p.authorityAdd),
		get("/certificates/dns", policy.Customers, policy.CertWrite, "portal.providers", p.ownProviders),
		byAdmins(get("/certificates/providers/new", policy.SignedIn, policy.CertWrite, "portal.provider.new", p.providerNew)),
		byAdmins(post("/certificates/providers", policy.SignedIn, policy.CertWrite, "portal.provider.add", p.providerAdd)),
		byAdmins(get("/certificates/providers/:id/remove", policy.SignedIn, policy.CertWrite, "portal.provider.remove", p.providerRemove)),
		byAdmins(post("/certificates/providers/:id/remove", policy.SignedIn, policy.CertWrite, "portal.provider.remove.do", p.providerRemoveDo)),
		get("/certificates/campaigns", policy.Staff, policy.CertAdmin, "portal.campaigns", p.campaigns),
		get("/certificates/campaigns/new", policy.Staff, policy.CertAdmin, "portal.campaign.new", p.campaignNew),
		post("/certificates/campaigns", policy.Staff, policy.CertAdmin, "portal.campaign.start", p.campaignStart),
		get("/certificates/campaigns/:id", policy.Staff, policy.CertAdmin, "portal.campaign", p.campaign),
		post("/certificates/campaigns/:id/cancel", policy.Staff, policy.CertAdmin, "portal.campaign.cancel", p.campaignCancel),
		get("/certificates/:id", policy.SignedIn, policy.CertRead, "portal.cert", p.certificate),
		get("/certificates/:id/edit", policy.SignedIn, policy.CertWrite, "portal.cert.edit", p.certEdit),
		post("/certificates/:id", policy.SignedIn, policy.CertWrite, "portal.cert.save", p.certSave),
		post("/certificates/:id/renew", policy.SignedIn, policy.CertWrite, "portal.cert.renew", p.certRenew),
		post("/certificates/:id/check", policy.SignedIn, policy.CertRead, "portal.cert.check", p.certCheck),
		post("/certificates/:id/dry-run", policy.Staff, policy.CertWrite, "portal.cert.dry_run", p.certDryRun),
		post("/certificates/:id/resume", policy.SignedIn, policy.CertWrite, "portal.cert.resume", p.certResume),
		get("/servers/:id/certificates", policy.SignedIn, policy.CertRead, "portal.found_certs", p.foundCerts),
		get("/servers/:id/certificates/:found", policy.SignedIn, policy.CertWrite, "portal.cert.take", p.take),
		post("/servers/:id/certificates/:found", policy.SignedIn, policy.CertWrite, "portal.cert.take.do", p.takeDo),
	}
	for _, a := range p.certActions() {
		audience := policy.SignedIn
		if a.perm == policy.CertAdmin {
			audience = policy.Staff
		}
		ask, do := p.certConfirm(a)
		routes = append(routes, get("/certificates/:id/"+a.word, audience, a.perm, "portal.cert."+a.word, ask), post("/certificates/:id/"+a.word, audience, a.perm, "portal.cert."+a.word+".do", do))
	}
	return append(routes, get("/tenancies/:id/sites", policy.Staff, policy.CustomerWrite, "portal.sites", p.sites), post("/tenancies/:id/sites", policy.Staff, policy.CustomerWrite, "portal.sites.save", p.sitesSave))
}
