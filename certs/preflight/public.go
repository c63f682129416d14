package preflight

import (
	"net/netip"
	"slices"
)

// special are addresses that no host on the internet has, beside those that
// netip.Addr knows of (RFC 6890): behind carriers' NAT, "this network", protocol
// assignments, tests of devices, reserved, deprecated site-local.
var special = prefixes("100.64.0.0/10", "0.0.0.0/8", "192.0.0.0/24", "198.18.0.0/15", "240.0.0.0/4", "fec0::/10")

// carriers are IPv6 networks whose addresses have an IPv4 address in them, which
// a translator may lead to: the offset of that in bytes.
var carriers = map[netip.Prefix]int{
	netip.MustParsePrefix("64:ff9b::/96"): 12, // RFC 6052
	netip.MustParsePrefix("::/96"):        12, // RFC 4291, 2.5.5.1
	netip.MustParsePrefix("2002::/16"):    2,  // RFC 3056
}

// translated is 64:ff9b:1::/48, for translation within a network (RFC 8215).
var translated = netip.MustParsePrefix("64:ff9b:1::/48")

func prefixes(list ...string) (out []netip.Prefix) {
	for _, p := range list {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

// public reports whether a CA can reach an address over the internet, and so
// whether it is none of our own network.
func public(ip netip.Addr) bool {
	ip = ip.Unmap()
	if ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsUnspecified() || ip.IsMulticast() || translated.Contains(ip) ||
		slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(ip) }) {
		return false
	}
	for p, at := range carriers {
		if p.Contains(ip) {
			b := ip.As16()
			return public(netip.AddrFrom4([4]byte(b[at : at+4])))
		}
	}
	return true
}
