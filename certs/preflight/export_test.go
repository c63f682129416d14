package preflight

import (
	"context"
	"net"
	"net/netip"
)

// Dial connects as the probe of a name at an address does; plane is the control
// plane's host.
func (c *Checker) Dial(ctx context.Context, name, plane, at, address string) (net.Conn, error) {
	return c.transport(name, plane, netip.MustParseAddr(at)).DialContext(ctx, "tcp", address)
}
