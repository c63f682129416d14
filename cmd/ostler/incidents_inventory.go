package main

import (
	"context"
	"strings"

	"ostler/agents"
	"ostler/controlplane/incidents"
	"ostler/controlplane/policy"
)

// incidentInventory says who runs some software, by what servers listed of their
// packages.
type incidentInventory struct{ agents *agents.Agents }

// Runs implements incidents.Inventory. Versions are compared as dpkg compares them.
func (i incidentInventory) Runs(ctx context.Context, scope policy.Scope, software, below string) (runs []incidents.Runs, silent []string, err error) {
	found, silent, err := i.agents.Installed(ctx, scope, software)
	if err != nil {
		return nil, nil, err
	}
	for _, x := range found {
		if below == "" || compareVersions(x.Version, below) < 0 {
			runs = append(runs, incidents.Runs{Server: x.Server, Package: x.Name, Version: x.Version, SeenAt: x.SeenAt})
		}
	}
	return runs, silent, nil
}

// compareVersions orders two versions of a package by the rules of Debian policy
// 5.6.12: the epoch as a number, then the version, then the revision; "~" stands
// before the end of a part, letters before other characters, and digits are numbers.
func compareVersions(a, b string) int {
	ea, va, ra := versionParts(a)
	eb, vb, rb := versionParts(b)
	for _, p := range [][2]string{{ea, eb}, {va, vb}, {ra, rb}} {
		if n := comparePart(p[0], p[1]); n != 0 {
			return n
		}
	}
	return 0
}

// versionParts takes epoch:version-revision apart.
func versionParts(s string) (epoch, version, revision string) {
	version = s
	if e, rest, ok := strings.Cut(s, ":"); ok {
		epoch, version = e, rest
	}
	if i := strings.LastIndexByte(version, '-'); i >= 0 {
		version, revision = version[:i], version[i+1:]
	}
	return epoch, version, revision
}

// comparePart compares in turn what is not a digit, and numbers.
func comparePart(a, b string) int {
	for a != "" || b != "" {
		var x, y string
		x, a = leading(a, false)
		y, b = leading(b, false)
		if n := compareText(x, y); n != 0 {
			return n
		}
		x, a = leading(a, true)
		y, b = leading(b, true)
		x, y = strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
		if len(x) != len(y) {
			return len(x) - len(y)
		}
		if n := strings.Compare(x, y); n != 0 {
			return n
		}
	}
	return 0
}

// leading splits off the digits, or what is none, that a text begins with.
func leading(s string, digits bool) (head, rest string) {
	i := strings.IndexFunc(s, func(r rune) bool { return (r >= '0' && r <= '9') != digits })
	if i < 0 {
		return s, ""
	}
	return s[:i], s[i:]
}

// compareText compares what is no digit.
func compareText(a, b string) int {
	for i := range max(len(a), len(b)) {
		if n := orderOf(a, i) - orderOf(b, i); n != 0 {
			return n
		}
	}
	return 0
}

// orderOf is where a character stands: "~", the end, letters, everything else.
func orderOf(s string, i int) int {
	switch {
	case i >= len(s):
		return 0
	case s[i] == '~':
		return -1
	case s[i] >= 'a' && s[i] <= 'z', s[i] >= 'A' && s[i] <= 'Z':
		return int(s[i])
	}
	return int(s[i]) + 256
}
