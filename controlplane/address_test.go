package controlplane_test

import (
	"net/netip"
	"testing"

	"ostler/controlplane"
)

func TestPublicAddress(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"8.8.8.8": true, "2a00:1450::1": true, "64:ff9b::808:808": true, "2002:808:808::1": true,
		"10.0.0.1": false, "127.0.0.1": false, "169.254.169.254": false, "100.64.0.1": false, "0.0.0.0": false, "0.1.2.3": false,
		"255.255.255.255": false, "240.0.0.1": false, "198.18.0.1": false, "192.0.0.8": false, "224.0.0.1": false,
		"::1": false, "::": false, "fd00::1": false, "fe80::1": false, "fec0::1": false, "::ffff:10.0.0.1": false, "::127.0.0.1": false,
		"64:ff9b::7f00:1": false, "64:ff9b::a9fe:a9fe": false, "64:ff9b:1::1": false, "2002:7f00:1::": false, "2002:a00:1::1": false,
	} {
		if got := controlplane.PublicAddress(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: got %v, want %v", address, got, want)
		}
	}
}
