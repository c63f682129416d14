package access_test

import (
	"strings"
	"testing"
	"time"

	"ostler/controlplane/access"
)

// Every way and every kind of change reads as a sentence.
func TestChangesReadAsSentences(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		name   string
		change access.Change
		server string
		want   string
	}{
		{"grant", access.Change{Kind: access.Added, Name: "Bob", Way: access.WayTeleport, Role: "operator", At: at, Until: at.Add(time.Hour), Why: "looks after it."}, "",
			"Bob can sign in to your servers (operator), from 1 March 2026 12:00 UTC until 1 March 2026 13:00 UTC. Why: looks after it."},
		{"end", access.Change{Kind: access.Removed, Name: "Bob", Way: access.WayTeleport, At: at, Why: access.WhyLeft}, "web-1",
			"Bob can no longer sign in to web-1, since 1 March 2026 12:00 UTC. Why: they left the company."},
		{"baseline", access.Change{Kind: access.Added, Baseline: true, Name: "Bob", Way: access.WayLogin, Role: "root", At: at}, "web-1",
			"Bob can log in to web-1 directly (root); it was so before we kept this list, without an end yet."},
		{"moved", access.Change{Kind: access.Moved, Name: "Bob", Way: access.WayPhysical, Role: "rack 7", At: at, Until: at}, "web-1",
			"Bob can stand before web-1 (rack 7) until 1 March 2026 12:00 UTC; before, it was to end at another time."},
		{"another ground", access.Change{Kind: access.Ground, Name: "Bob", Way: access.WayBackupKey, At: at}, "",
			"Bob can still read the backups of your servers, without an end yet, on another ground."},
		{"unknown", access.Change{Kind: access.Added, Unknown: "SHA256:abc", Way: access.WayLogin, Role: "root", At: at, Why: access.WhyEnded}, "web-1",
			"Somebody unknown (SHA256:abc) can log in to web-1 directly (root), from 1 March 2026 12:00 UTC, without an end yet."},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := access.Sentence(tc.change, tc.server, time.UTC); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
	seen := map[string]bool{}
	for _, w := range access.Ways() {
		s := access.Sentence(access.Change{Kind: access.Added, Name: "Bob", Way: w, At: at}, "", time.UTC)
		if seen[s] || strings.HasPrefix(s, "Bob can reach your servers, from") {
			t.Errorf("%s has no words of its own: %s", w, s)
		}
		seen[s] = true
	}
}
