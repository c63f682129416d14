package helper_test

import (
	"os"
	"path/filepath"
	"testing"

	"ostler/agents/host/helper"
	"ostler/agents/wire"
)

// A password that comes back to a host that lost it is taken; another one that
// is there is set aside and not lost, and nothing is sealed out any more.
func TestReturnedKey(t *testing.T) {
	key, other := wire.NewRecoveryKey([32]byte{1}), wire.NewRecoveryKey([32]byte{2})
	tests := []struct {
		name, there, returned string
		cause                 wire.Cause
		aside                 string
	}{
		{"nothing is there", "", key, "", ""},
		{"the same is there", key + "\n", key, "", ""},
		{"another is there", other + "\n", key, "", other + "\n"},
		{"a damaged one is there", "half a k", key, "", "half a k"},
		{"no key came", "", "not a key", wire.CauseNoKey, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var state string
			h := newHelper(t, t.TempDir(), newEngine(), func(o *helper.Options) { state = o.State })
			file := filepath.Join(state, "helper/keys/rep_1.key")
			if tt.there != "" {
				if err := os.WriteFile(file, []byte(tt.there), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			k, err := h.PrepareKey(t.Context(), helper.KeyRequest{Repository: "rep_1", Returned: tt.returned})
			if tt.cause != "" {
				wantCause(t, err, tt.cause)
				return
			}
			if err != nil || k.Fingerprint != wire.KeyFingerprint(key) {
				t.Fatalf("got %+v, %v", k, err)
			}
			if got, err := os.ReadFile(file); err != nil || string(got) != key+"\n" {
				t.Errorf("file: got %q, %v", got, err)
			}
			aside, _ := os.ReadFile(file + ".set-aside-1")
			if got := string(aside); got != tt.aside {
				t.Errorf("set aside: got %q, want %q", got, tt.aside)
			}
			_, err = h.PrepareKey(t.Context(), helper.KeyRequest{Repository: "rep_1", EscrowKey: make([]byte, 32)})
			wantCause(t, err, wire.CausePolicy)
		})
	}
}
