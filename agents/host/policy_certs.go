package host

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"ostler/agents/wire"
	"ostler/certs/deploy"
)

// narrowCertificates applies the keys services and names of one file.
func (p *Policy) narrowCertificates(key string, v any) error {
	list, err := stringList(v)
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	for _, s := range list {
		switch {
		case key == "services" && !wire.Service(s).Valid():
			return fmt.Errorf("unknown service %q", s)
		case key == "names" && !validPattern(s):
			return fmt.Errorf("name %q is neither a name in lower case, nor one after *., nor an IP address", s)
		}
	}
	if key == "services" {
		p.Services = append(p.Services, list)
	} else {
		p.Names = append(p.Names, list)
	}
	return nil
}

// AllowsService reports whether certificates may be installed for a service.
func (p Policy) AllowsService(s wire.Service) bool {
	for _, list := range p.Services {
		if !slices.Contains(list, string(s)) {
			return false
		}
	}
	return true
}

// AllowsName reports whether certificates may have a name. "*.example.com" in a
// policy allows every name below example.com, the wildcard too, and not
// example.com itself.
func (p Policy) AllowsName(name string) bool {
	for _, list := range p.Names {
		if !slices.ContainsFunc(list, func(pattern string) bool { return matchesName(pattern, name) }) {
			return false
		}
	}
	return true
}

func matchesName(pattern, name string) bool {
	if rest, ok := strings.CutPrefix(pattern, "*"); ok {
		return strings.HasSuffix(name, rest) && len(name) > len(rest)
	}
	return pattern == name
}

func validPattern(s string) bool {
	if ip, err := netip.ParseAddr(s); err == nil {
		return ip.String() == s
	}
	rest := strings.TrimPrefix(s, "*.")
	return rest != "" && rest == strings.ToLower(rest) && !strings.ContainsAny(rest, "* \t/") && !strings.HasPrefix(rest, ".") && !strings.HasSuffix(rest, ".")
}

// certificate checks the parameters of actions with certificates. What a
// request must look like is the engine's to check.
func (v verifier) certificate(e wire.Envelope) *refusal {
	switch e.Action {
	case wire.ActionCertRequest:
		return check(e, func(p wire.CertRequestParams) *refusal { return v.names(p.Names) })
	case wire.ActionCertDeploy:
		return check(e, v.certDeploy)
	case wire.ActionCertLook:
		return check(e, func(wire.CertLookParams) *refusal { return nil })
	case wire.ActionCertTake: // whose names are known when the certificate is found
		return check(e, func(p wire.CertTakeParams) *refusal { return v.services(p.Services) })
	case wire.ActionCertForget:
		return check(e, func(wire.CertForgetParams) *refusal { return nil })
	}
	return refuse(wire.CauseUnsupported, "this agent does not know the action")
}

func (v verifier) certDeploy(p wire.CertDeployParams) *refusal {
	if r := v.services(p.Services); r != nil {
		return r
	}
	if p.Take != nil && !v.policy.AllowsAction(wire.ActionCertTake) {
		return refuse(wire.CausePolicy, "the host's policy does not allow %s", wire.ActionCertTake)
	}
	if len(v.policy.Names) == 0 {
		return nil
	}
	names, err := deploy.Names(p.Chain)
	if err != nil {
		return refuse(wire.CausePolicy, "the names of the certificate cannot be held to the host's policy")
	}
	return v.names(names)
}

func (v verifier) services(list []wire.Service) *refusal {
	for _, s := range list {
		if !v.policy.AllowsService(s) {
			return refuse(wire.CausePolicy, "the host's policy does not allow certificates for %s", s)
		}
	}
	return nil
}

func (v verifier) names(list []string) *refusal {
	for _, n := range list {
		if !v.policy.AllowsName(n) {
			return refuse(wire.CausePolicy, "the host's policy does not allow certificates for %s", n)
		}
	}
	return nil
}
