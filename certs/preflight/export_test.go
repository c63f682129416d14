package preflight

import (
	"context"
	"net"
	"net/netip"
)

// Dial connects as the probe of a name at an address does.
func (c *Checker) Dial(ctx context.Context, name, at, address string) (net.Conn, error) {
	return c.transport(name, netip.MustParseAddr(at)).DialContext(ctx, "tcp", address)
}
