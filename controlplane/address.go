package controlplane

import (
	"net/netip"
	"slices"
)

// ownNetworks are addresses that no host on the internet has, beside those that
// netip.Addr knows of (RFC 6890): behind carriers' NAT, "this network", protocol
// assignments, tests of devices, reserved, deprecated site-local.
var ownNetworks = addressPrefixes("100.64.0.0/10", "0.0.0.0/8", "192.0.0.0/24", "198.18.0.0/15", "240.0.0.0/4", "fec0::/10")

// embedding are IPv6 networks whose addresses have an IPv4 address in them, which
// a translator may lead to: the offset of that in bytes.
var embedding = map[netip.Prefix]int{
	netip.MustParsePrefix("64:ff9b::/96"): 12, // RFC 6052
	netip.MustParsePrefix("::/96"):        12, // RFC 4291, 2.5.5.1
	netip.MustParsePrefix("2002::/16"):    2,  // RFC 3056
}

// localTranslation is 64:ff9b:1::/48, for translation within a network (RFC 8215).
var localTranslation = netip.MustParsePrefix("64:ff9b:1::/48")

func addressPrefixes(list ...string) (out []netip.Prefix) {
	for _, p := range list {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

// PublicAddress reports whether everybody can reach an address over the internet,
// and so whether it is none of our own network. One behind which a translator may
// put a private one counts as that: what strangers name must not lead us inside.
func PublicAddress(ip netip.Addr) bool {
	ip = ip.Unmap()
	if ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsUnspecified() || ip.IsMulticast() || localTranslation.Contains(ip) ||
		slices.ContainsFunc(ownNetworks, func(p netip.Prefix) bool { return p.Contains(ip) }) {
		return false
	}
	for p, at := range embedding {
		if p.Contains(ip) {
			b := ip.As16()
			return PublicAddress(netip.AddrFrom4([4]byte(b[at : at+4])))
		}
	}
	return true
}
