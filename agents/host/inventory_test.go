package host_test

import (
	"slices"
	"testing"

	"ostler/agents/host"
	"ostler/agents/wire"
)

// What is installed is listed with its version and its source; what was removed is not.
func TestPackages(t *testing.T) {
	got := host.ParseDpkg([]byte(`Package: openssl
Status: install ok installed
Version: 3.0.11-1~deb12u2

Package: old
Status: deinstall ok config-files
Version: 1.0

Package: libssl3
Status: install ok installed
Source: openssl (3.0.11-1)
Version: 3.0.11-1~deb12u2
`))
	want := []wire.Package{{Name: "libssl3", Version: "3.0.11-1~deb12u2", Source: "openssl"}, {Name: "openssl", Version: "3.0.11-1~deb12u2"}}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := host.ParseDpkg(nil); len(got) != 0 {
		t.Errorf("got %+v", got)
	}
}
