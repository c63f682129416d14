package acme

import (
	"context"
	"errors"
	"net/http/httptrace"
	"net/netip"
	"syscall"

	"ostler/controlplane"
)

// A CA names the URLs that it is asked at. One whose directory is on the internet
// has nothing in our own network: what it names there is not asked. A CA within
// our network, or one behind a proxy there, may name what it likes.

// outsideKey marks the context of a request to a CA on the internet.
type outsideKey struct{}

var errInside = errors.New("a CA on the internet leads to an address in a private network")

// watch has a request see where the directory is, or be held to the internet.
func (c *Client) watch(ctx context.Context, o op, to string) context.Context {
	if o == opDirectory && to == c.opts.Directory {
		return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) {
			at, err := netip.ParseAddrPort(i.Conn.RemoteAddr().String())
			c.mu.Lock()
			defer c.mu.Unlock()
			c.outside = err == nil && controlplane.PublicAddress(at.Addr())
		}})
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.outside {
		return context.WithValue(ctx, outsideKey{}, true)
	}
	return ctx
}

// onTheInternet is asked before each connection, by the address itself: a name
// may lead anywhere.
func onTheInternet(ctx context.Context, _, address string, _ syscall.RawConn) error {
	if ctx.Value(outsideKey{}) == nil {
		return nil
	}
	at, err := netip.ParseAddrPort(address)
	if err == nil && !controlplane.PublicAddress(at.Addr()) {
		err = errInside
	}
	return err
}
