package certs

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// Bounds of one certificate.
const (
	maxNames     = 100 // Let's Encrypt, "classic"; 25 with the profile tlsserver
	maxEndpoints = 32
)

// check validates what a person says of a certificate.
func (s *Service) check(tx *db.Tx, scope policy.Scope, ten customers.Tenancy, in NewCertificate) error {
	bad := checkNames(ten, in)
	say := func(pointer, message string) {
		bad = append(bad, controlplane.Field{Pointer: pointer, Message: message})
	}
	if !in.Key.Valid() {
		say("/key", "Choose ec256, ec384, rsa2048, rsa3072 or rsa4096.")
	}
	if len(in.Profile) > 64 || strings.ContainsAny(in.Profile, " \t\n") {
		say("/profile", "A profile is one short word of the authority's own list, such as “tlsserver”.")
	}
	for i, v := range in.Services {
		if !v.Valid() || slices.Index(in.Services, v) != i {
			say(fmt.Sprintf("/services/%d", i), "Name each service once: nginx, apache, haproxy, postfix, dovecot or caddy.")
		}
	}
	if len(in.Endpoints) > maxEndpoints {
		say("/endpoints", fmt.Sprintf("At most %d addresses can be looked at.", maxEndpoints))
	}
	for i, e := range in.Endpoints {
		if at, err := netip.ParseAddrPort(e.Address); err != nil || !e.Protocol.Valid() {
			say(fmt.Sprintf("/endpoints/%d", i), "An endpoint is an address with its port, such as 192.0.2.7:443 or [2001:db8::7]:443, and tls, smtp, imap or pop3.")
		} else if !scope.All() && !s.mayLookAt(at) {
			say(fmt.Sprintf("/endpoints/%d", i), "Name an address on the internet, and one of the ports 25, 110, 143, 443, 465, 587, 993 and 995. For another one, ask us.")
		}
	}
	others, err := s.othersBelow(tx, ten, in.Names)
	if err != nil {
		return err
	}
	bad = append(bad, others...)
	more, err := s.checkWay(tx, scope, ten, in)
	if err != nil {
		return err
	}
	if bad = append(bad, more...); bad != nil {
		return controlplane.Invalid(bad...)
	}
	return nil
}

// mayLookAt says whether a customer may have us look at an endpoint: neither we
// nor their server are there to try the ports of a private network.
func (s *Service) mayLookAt(at netip.AddrPort) bool {
	return s.opts.Private || controlplane.PublicAddress(at.Addr()) && slices.Contains([]uint16{25, 110, 143, 443, 465, 587, 993, 995}, at.Port())
}

// othersBelow refuses a wildcard that would cover another customer's site on
// the same server.
func (s *Service) othersBelow(tx *db.Tx, ten customers.Tenancy, names []string) (bad []controlplane.Field, err error) {
	var there []customers.Tenancy
	for i, n := range names {
		base, wild := strings.CutPrefix(n, "*.")
		if !wild {
			continue
		}
		if there == nil {
			all := policy.AllCustomers("a wildcard must not cover a neighbour's site")
			if there, err = s.customers.TenanciesIn(tx, all, customers.TenancyFilter{Server: ten.Server}); err != nil {
				return nil, err
			}
		}
		for _, other := range there {
			if other.Customer != ten.Customer && slices.ContainsFunc(other.Sites, func(site string) bool { return below(site, base) }) {
				bad = append(bad, controlplane.Field{Pointer: fmt.Sprintf("/names/%d", i), Message: n + " would cover a site of somebody else on this server. Name each site instead."})
				break
			}
		}
	}
	return bad, nil
}

// below reports whether a wildcard over base covers the site.
func below(site, base string) bool {
	label, rest, ok := strings.Cut(site, ".")
	return ok && label != "" && rest == base
}

func checkNames(ten customers.Tenancy, in NewCertificate) (bad []controlplane.Field) {
	say := func(i int, message string) {
		bad = append(bad, controlplane.Field{Pointer: fmt.Sprintf("/names/%d", i), Message: message})
	}
	if len(in.Names) == 0 || len(in.Names) > maxNames {
		return []controlplane.Field{{Pointer: "/names", Message: fmt.Sprintf("Name at least one site, and at most %d.", maxNames)}}
	}
	for i, n := range in.Names {
		switch {
		case !validName(n):
			say(i, "A name is a host name in lower case, such as www.example.com; other alphabets are written as xn--…")
		case slices.Index(in.Names, n) != i:
			say(i, "This name is there twice.")
		case !ten.EndedAt.IsZero() || !covers(ten, n):
			say(i, n+" is not among the sites of this customer on this server. Add it there first.")
		case strings.HasPrefix(n, "*.") && in.Challenge.Valid() && in.Challenge != ChallengeDNS && in.Challenge != ChallengeDelegate:
			say(i, "A wildcard can only be shown to be yours by DNS: choose the challenge “dns” or “dns-delegated”.")
		}
	}
	return bad
}

// validName reports whether n is a DNS name in lower case and A-labels, "*."
// first where it is a wildcard, with at least two labels.
func validName(n string) bool {
	n = strings.TrimPrefix(n, "*.")
	labels := strings.Split(n, ".")
	if len(n) > 253 || len(labels) < 2 {
		return false
	}
	for _, l := range labels {
		if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' {
			return false
		}
		for _, c := range []byte(l) {
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
				return false
			}
		}
	}
	_, err := netip.ParseAddr(n)
	return err != nil
}

// checkWay validates the challenge, its provider, and the authority.
func (s *Service) checkWay(tx *db.Tx, scope policy.Scope, ten customers.Tenancy, in NewCertificate) (bad []controlplane.Field, err error) {
	say := func(pointer, message string) {
		bad = append(bad, controlplane.Field{Pointer: pointer, Message: message})
	}
	switch in.Challenge {
	case ChallengeAgent:
	case ChallengePlane:
		if s.opts.PlaneURL == "" {
			say("/challenge", "The control plane has no public address that sites can redirect to. Set certs.plane_url, or choose another challenge.")
		}
	case ChallengeDNS:
		rows, err := db.Where[providerRow](tx, scope, "id", 1, "id = ? AND customer_id = ? AND removed_at = 0", in.Provider, ten.Customer)
		if err != nil {
			return nil, err
		}
		if len(rows) == 0 {
			say("/provider", "Choose a DNS provider of this customer, or add one first.")
		}
	case ChallengeDelegate:
		rows, err := company[providerRow](tx, "id", 1, "customer_id = '' AND removed_at = 0 AND zone <> ''")
		if err != nil {
			return nil, err
		}
		if len(rows) == 0 && scope.All() {
			say("/challenge", "There is no zone of ours to delegate to. Add a DNS provider of the company with its zone first.")
		}
	default:
		say("/challenge", "Choose http-agent, http-redirect, dns or dns-delegated.")
	}
	if dns := in.Challenge == ChallengeDNS || in.Challenge == ChallengeDelegate; dns && len(in.Endpoints) == 0 {
		say("/endpoints", "Say where these names are served: with a DNS challenge they may still point elsewhere. Name an address with its port, such as 192.0.2.7:443.")
	}
	if in.Authority != "" {
		row, err := authorityIn(tx, in.Authority)
		if controlplane.ErrorCode(err) == controlplane.CodeNotFound || err == nil && row.Role == string(RoleStaging) {
			say("/authority", "Choose one of the authorities that are not for dry runs, or leave it out.")
		} else if err != nil {
			return nil, err
		}
	}
	return bad, nil
}
