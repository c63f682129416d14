package main

import "testing"

// TestVersionsAsDpkgComparesThem holds examples of Debian policy and of dpkg's own tests.
func TestVersionsAsDpkgComparesThem(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want int
	}{
		{"3.0.11-1~deb12u2", "3.0.13-1~deb12u1", -1},
		{"3.0.13-1~deb12u1", "3.0.13-1", -1},
		{"1:1.0", "2.0", 1},
		{"0:1.0", "1.0", 0},
		{"1.0~rc1", "1.0", -1},
		{"1.0", "1.0-0", 0},
		{"1.0-1", "1.0-1+deb12u1", -1},
		{"1.9", "1.10", -1},
		{"1.09", "1.9", 0},
		{"2.4.57-2", "2.4.57-10", -1},
		{"1.0a", "1.0+", -1},
		{"~~", "~~a", -1},
		{"~~a", "~", -1},
		{"~", "", -1},
		{"", "a", -1},
		{"9.2p1-2+deb12u3", "9.2p1-2+deb12u3", 0},
		{"99999999999999999999.1", "100000000000000000000", -1},
		{"6.1.0-18", "6.1.0-9", 1},
	} {
		for _, c := range []struct {
			a, b string
			want int
		}{{tc.a, tc.b, tc.want}, {tc.b, tc.a, -tc.want}} {
			got := compareVersions(c.a, c.b)
			if got > 0 && c.want <= 0 || got < 0 && c.want >= 0 || got == 0 && c.want != 0 {
				t.Errorf("%q and %q: got %d, want %d", c.a, c.b, got, c.want)
			}
		}
	}
}
