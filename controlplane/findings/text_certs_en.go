package findings

import "maps"

// Kinds of finding about certificates.
const (
	CertExpiring   = "certificate.expiring"
	CertFailed     = "certificate.failed"
	CertNotServed  = "certificate.not_served"
	CertRevoked    = "certificate.revoked"
	CertKeyBlocked = "certificate.key_blocked"
	CertNotCovered = "certificate.not_covered"
	CertARIBad     = "certificate.ari_bad"
	CertRenewer    = "certificate.renewer"
)

// certKinds are the kinds of certificates. names is the first name and how many
// more; because is a sentence in plain words; for is the time that is left.
var certKinds = map[string]kind{
	CertExpiring: {
		Args: []string{"names", "server", "for", "because"},
		Ops: text{
			Title: []string{"The certificate of {names} ends in {for}", "The certificate of {names} has ended", "A certificate ends soon"},
			Cause: []string{"{because}.", "It has not been renewed yet."},
			Step:  "step.open_certificate",
		},
		Customer: text{
			Title: []string{"The certificate of {names} ends in {for}", "The certificate of {names} has ended", "A certificate ends soon"},
			Cause: []string{"{because}.", "It has not been renewed yet."},
			Step:  "step.see_certificate",
		},
	},
	CertFailed: {
		Args: []string{"names", "server", "because", "count", "change"},
		Ops: text{
			Title: []string{"The certificate of {names} could not be issued", "A certificate could not be issued"},
			Cause: []string{"{because}.", "No cause was reported."},
			Step:  "step.open_certificate",
		},
		Customer: text{
			Title: []string{"The certificate of {names} could not be issued", "A certificate could not be issued"},
			Cause: []string{"{because}. {change}.", "{because}.", "We do not know yet why."},
			Step:  "step.see_certificate",
		},
	},
	CertNotServed: {
		Args: []string{"names", "server", "because", "address"},
		Ops: text{
			Title: []string{"{names} does not show its certificate on {server}", "{names} does not show its certificate", "A site does not show its certificate"},
			Cause: []string{"{because}.", "Something else is served, or nothing."},
			Step:  "step.open_certificate",
		},
		Customer: text{
			Title: []string{"{names} does not show its newest certificate", "A site does not show its newest certificate"},
			Cause: []string{"{because}.", "Something else is served, or nothing."},
			Step:  "step.we_act",
		},
	},
	CertRevoked: {
		Args: []string{"names", "server"},
		Ops: text{
			Title: []string{"The certificate of {names} was revoked", "A certificate was revoked"},
			Cause: []string{"It is still installed on {server} until a new one is served.", "It is still installed until a new one is served."},
			Step:  "step.open_certificate",
		},
		Customer: text{
			Title: []string{"The certificate of {names} was revoked", "A certificate was revoked"},
			Cause: []string{"A new one is on its way."},
			Step:  "step.we_act",
		},
	},
	CertKeyBlocked: {
		Args: []string{"names", "server", "because"},
		Ops: text{
			Title: []string{"The key of {names} is known to others", "A certificate's key is known to others"},
			Cause: []string{"The key is blocked. The old certificate is revoked once the new one is served."},
			Step:  "step.open_certificate",
		},
		Customer: text{
			Title: []string{"The key of {names} is being replaced", "A certificate's key is being replaced"},
			Cause: []string{"The key became known to others. The old certificate is revoked once the new one is served."},
			Step:  "step.we_act",
		},
	},
	CertNotCovered: {
		Args: []string{"names", "server", "name"},
		Ops: text{
			Title: []string{"The certificate of {names} is paused", "A certificate is paused"},
			Cause: []string{"{name} is no longer among the customer's sites on {server}.", "{name} is no longer among the customer's sites on this server.", "It has a name that is no longer the customer's here."},
			Step:  "step.open_certificate",
		},
	},
	CertARIBad: {
		Args: []string{"names", "authority", "because"},
		Ops: text{
			Title: []string{"{authority} gives no usable answer about when to renew {names}", "An authority gives no usable answer about a renewal"},
			Cause: []string{"{because}. The certificate's lifetime decides until it does.", "The certificate's lifetime decides until it does."},
			Step:  "step.open_certificate",
		},
	},
	CertRenewer: {
		Args: []string{"names", "server", "because", "renewer"},
		Ops: text{
			Title: []string{"{renewer} on {server} could not be stopped for {names}", "An old renewer could not be stopped"},
			Cause: []string{"{because}.", "Two renewers look after the same names."},
			Step:  "step.open_certificate",
		},
	},
}

// withCerts adds them to the other kinds.
func withCerts(base map[string]kind) map[string]kind {
	maps.Copy(base, certKinds)
	return base
}
