package web

import (
	"ostler/certs"
	"ostler/controlplane/policy"
)

// certsOnServer is how many certificates a server's page shows.
const certsOnServer = 8

// serverCerts puts a server's certificates onto its page.
func (v *visit) serverCerts(page *Server, server string) error {
	if v.p.Certs == nil || !v.can(policy.CertRead) {
		return nil
	}
	scope, err := v.scope(policy.CertRead)
	if err != nil {
		return err
	}
	list, next, err := v.p.Certs.List(v.ctx, scope, certs.Filter{Server: server, PageSize: certsOnServer})
	if err != nil {
		return err
	}
	if page.Certs, err = v.certRows(list); err != nil {
		return err
	}
	for i := range page.Certs {
		page.Certs[i].Server = Link{} // it is this page
	}
	page.Others = Link{v.t("server.certs_found"), "/servers/" + server + "/certificates"}
	if next != "" {
		page.CertsMore = "/certificates?" + query("server", server)
		if !v.staff() {
			page.CertsMore = "/certificates"
		}
	}
	return nil
}
