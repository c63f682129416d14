package web

import (
	"cmp"
	"maps"
	"strings"

	"ostler/controlplane"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// called are the names of the certificates that entries are about.
func (v *visit) called(items []ledger.Item) (map[string]string, error) {
	ids := map[string]bool{}
	for _, it := range items {
		if controlplane.ValidID(controlplane.PrefixCertificate, it.Subject) {
			ids[it.Subject] = true
		}
	}
	if len(ids) == 0 || v.p.Certs == nil || !v.can(policy.CertRead) {
		return nil, nil
	}
	scope, err := v.scope(policy.CertRead)
	if err != nil {
		return nil, err
	}
	return v.p.Certs.Called(v.ctx, scope, keysOf(ids))
}

// withName adds what a certificate is called to an entry's data.
func withName(data map[string]any, name, other string) map[string]any {
	out := maps.Clone(data)
	if out == nil {
		out = map[string]any{}
	}
	out["certificate"] = cmp.Or(name, other)
	return out
}

// eventOfCert leads to the certificate that an entry is about, and says why an
// attempt failed, or why somebody paused it.
func (v *visit) eventOfCert(e *Event, it ledger.Item) {
	if !strings.HasPrefix(it.Kind, "certificate.") || !v.can(policy.CertRead) {
		return
	}
	if controlplane.ValidID(controlplane.PrefixCertificate, it.Subject) {
		e.Link = Link{v.t("cert.open"), "/certificates/" + it.Subject}
	}
	if controlplane.ValidID(controlplane.PrefixCampaign, it.Subject) && v.can(policy.CertAdmin) {
		e.Link = Link{v.t("campaign.one"), "/certificates/campaigns/" + it.Subject}
	}
	dry, _ := it.Data["dry_run"].(bool)
	switch {
	case dry && it.Kind == "certificate.attempt_started":
		e.Text = v.t("event.cert_dry_run", "certificate", it.Data["certificate"])
	case dry && it.Kind == "certificate.failed":
		e.Text, e.Tone = v.t("event.cert_dry_run_failed", "certificate", it.Data["certificate"]), ToneWarn
	}
	if reason := it.Personal["reason"]; reason != "" {
		e.Detail = PlainName([]byte(reason))
	}
	if name := text(it.Data["name"]); name != text(it.Data["certificate"]) && it.Kind == "certificate.failed" {
		e.Detail = name
	}
}

// certOfJob leads to the certificate that a job works for, by the certificate
// or by its attempt.
func (v *visit) certOfJob(subject string) Link {
	if v.p.Certs == nil || !v.can(policy.CertRead) {
		return Link{}
	}
	if controlplane.ValidID(controlplane.PrefixIssue, subject) {
		scope, err := v.scope(policy.CertRead)
		if err != nil {
			return Link{}
		}
		i, err := v.p.Certs.GetIssue(v.ctx, scope, subject)
		if err != nil { // it may be deleted by now: the job's page stands without it
			return Link{}
		}
		subject = i.Certificate
	}
	return Link{v.t("cert.open"), "/certificates/" + subject}
}
