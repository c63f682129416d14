package access_test

import (
	"testing"

	"ostler/controlplane/access"
)

// What is said of a line follows from its columns; what nobody confirmed is
// never said to be so, nor not to be so.
func TestStanding(t *testing.T) {
	in := &access.Interval{}
	for _, x := range []struct {
		name string
		line access.Line
		want access.Standing
	}{
		{"seen by a source that answered", access.Line{Way: access.WayTeleport, Listed: in, Enforced: in, Attested: true}, access.StandsEnforced},
		{"seen once, and nobody looked since", access.Line{Way: access.WayTeleport, Listed: in, Enforced: in}, access.StandsUnconfirmed},
		{"a key to a rack", access.Line{Way: access.WayPhysical, Listed: in}, access.StandsByHand},
		{"a key of the backups", access.Line{Way: access.WayBackupKey, Listed: in, Attested: true}, access.StandsByHand},
		{"granted, and nobody looked", access.Line{Way: access.WayTeleport, Listed: in}, access.StandsUnattested},
		{"possible, and nobody looked", access.Line{Way: access.WayTeleport, Could: in}, access.StandsUnattested},
		{"taken away, a session runs", access.Line{Way: access.WayTeleport, Could: in, Attested: true}, access.StandsOpen},
		{"granted, a session runs, the role is not there", access.Line{Way: access.WayTeleport, Listed: in, Could: in, Attested: true}, access.StandsOpen},
		{"a hypervisor", access.Line{Way: access.WayAdmin, Listed: in, Attested: true}, access.StandsKept},
		{"who administers Ostler", access.Line{Way: access.WayAdmin, Role: access.RoleOstler, Listed: in, Attested: true}, access.StandsNotEnforced},
		{"let in by the customer", access.Line{Way: access.WayCustomer, Listed: in, Attested: true}, access.StandsKept},
		{"granted, and not there", access.Line{Way: access.WayTeleport, Listed: in, Attested: true}, access.StandsNotEnforced},
		{"nothing", access.Line{Way: access.WayTeleport, Attested: true}, access.StandsNowhere},
	} {
		t.Run(x.name, func(t *testing.T) {
			if got := x.line.Standing(); got != x.want {
				t.Errorf("got %s, want %s", got, x.want)
			}
		})
	}
}
