package limits

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// RegisteredDomain is what PerDomain counts a name for: the label before its
// public suffix and the suffix, the list's private part included
// ("a.b.example.co.uk" is "example.co.uk", "me.github.io" is itself). A name
// that is a public suffix is its own. Of an IP address it is the address, or
// its /64.
func RegisteredDomain(name string) string {
	name = plain(name)
	if addr, err := netip.ParseAddr(name); err == nil {
		if addr = addr.Unmap(); addr.Is4() {
			return addr.String()
		}
		p, err := addr.WithZone("").Prefix(64)
		if err != nil {
			return addr.String()
		}
		return p.String()
	}
	domain, err := publicsuffix.EffectiveTLDPlusOne(strings.TrimPrefix(name, "*."))
	if err != nil {
		return strings.TrimPrefix(name, "*.")
	}
	return domain
}

// RegisteredDomains are those of all names, sorted, each once.
func RegisteredDomains(names []string) []string { return each(names, RegisteredDomain) }

// Set is what PerSet counts names for: a hash of exactly these, in any order,
// in any case, each counted once.
func Set(names []string) string {
	sum := sha256.Sum256([]byte(strings.Join(each(names, plain), ",")))
	return hex.EncodeToString(sum[:])
}

// Name is what failures of a name are counted for. A wildcard and its base
// count together, which is never less than the CA counts.
func Name(name string) string { return strings.TrimPrefix(plain(name), "*.") }

// each are the distinct values of f, sorted.
func each(names []string, f func(string) string) []string {
	out := make([]string, 0, len(names))
	for _, n := range names {
		out = append(out, f(n))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// plain is a name as it is compared.
func plain(name string) string { return strings.TrimSuffix(strings.ToLower(name), ".") }
