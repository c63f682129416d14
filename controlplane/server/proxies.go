package server

import (
	"net"
	"net/netip"

	"github.com/labstack/echo/v4"
)

// clientAddress says where a request of a listener came from: all that is counted
// by address (logins, reports of the public page) asks it by way of RealIP. It is
// the address that dialled us, and no header says otherwise; but where that is a
// trusted proxy of the portal's, X-Forwarded-For is read from the right, and the
// first address in it that is no trusted proxy is the client. Agents are never
// dialled through a proxy.
func (s *Server) clientAddress(listener string) echo.IPExtractor {
	if listener != Portal || len(s.o.TrustedProxies) == 0 {
		return echo.ExtractIPDirect()
	}
	trust := []echo.TrustOption{echo.TrustLoopback(false), echo.TrustLinkLocal(false), echo.TrustPrivateNet(false)}
	for _, p := range s.o.TrustedProxies {
		trust = append(trust, echo.TrustIPRange(ipNet(p)))
	}
	return echo.ExtractIPFromXFFHeader(trust...)
}

// ipNet is a prefix as package net has it.
func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
