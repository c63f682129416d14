package secrets_test

import (
	"testing"
	"time"

	"ostler/controlplane/secrets/vault"
	"ostler/controlplane/secrets/vaulttest"
)

// A token is renewed while it can be, and after that there is a new sign-in.
// Vault's own watcher of lifetimes does it, by the process's clock.
func TestRenewal(t *testing.T) {
	s, fake := startFake(t)
	o, err := s.Enter(t.Context(), t.TempDir(), vault.PartPlane, vaulttest.Role{TTL: "1s", Max: "3s"})
	try(t, err)
	c := open(t, o)
	until(t, "two renewals", func() bool { return fake.Calls("POST auth/token/renew-self") >= 2 })
	until(t, "a new sign-in", func() bool { return fake.Calls("POST auth/approle/login") >= 2 })
	try(t, c.MakeKey(t.Context(), c.DataKey("")))
}

// A token that nobody can renew any more shows before its end.
func TestTokenEnding(t *testing.T) {
	h := vault.Health{Ends: time.Unix(1000, 0), TTL: 100 * time.Second}
	for at, want := range map[int64]bool{900: false, 979: false, 981: true, 1001: true} {
		if got := h.Ending(time.Unix(at, 0)); got != want {
			t.Errorf("at %d: got %v, want %v", at, got, want)
		}
	}
	if (vault.Health{}).Ending(time.Unix(1000, 0)) {
		t.Error("a token without an end is ending")
	}
}

// until waits for a condition, as long as it takes.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("this did not come: ", what)
		}
	}
}
