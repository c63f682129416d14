package main

import (
	"fmt"
	"net/netip"
	"strings"
)

// proxies are the addresses whose X-Forwarded-For counts.
func (c PortalConfig) proxies() (out []netip.Prefix, err error) {
	for _, s := range c.TrustedProxies {
		if !strings.Contains(s, "/") {
			a, err := netip.ParseAddr(s)
			if err != nil || a.Zone() != "" {
				return nil, fmt.Errorf("config: portal.trusted_proxies: %q is no address, and no network such as 10.0.0.0/24", s)
			}
			a = a.Unmap()
			out = append(out, netip.PrefixFrom(a, a.BitLen()))
			continue
		}
		p, err := netip.ParsePrefix(s)
		switch {
		case err != nil:
			return nil, fmt.Errorf("config: portal.trusted_proxies: %q is no address, and no network such as 10.0.0.0/24", s)
		case p != p.Masked():
			return nil, fmt.Errorf("config: portal.trusted_proxies: %q names a host in a network: write %s, or the address alone", s, p.Masked())
		case p.Bits() == 0:
			return nil, fmt.Errorf("config: portal.trusted_proxies: %q is everybody: then anybody chooses the address that they are counted by", s)
		case p.Addr().Is4In6():
			return nil, fmt.Errorf("config: portal.trusted_proxies: write %q as an IPv4 network", s)
		}
		out = append(out, p)
	}
	return out, nil
}

// secure reports whether browsers come over TLS: to us, or to the proxy before us.
func (c PortalConfig) secure() bool {
	return c.TLSCert != "" || len(c.TrustedProxies) > 0 && strings.HasPrefix(c.URL, "https://")
}
