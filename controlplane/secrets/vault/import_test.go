package vault_test

import (
	"bytes"
	"encoding/hex"
	"testing"

	"ostler/controlplane/secrets/vault"
)

// The examples of RFC 5649, section 6.
func TestWrapPadded(t *testing.T) {
	kek := unhex(t, "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8")
	for _, c := range []struct{ name, key, want string }{
		{"20 bytes", "c37b7e6492584340bed12207808941155068f738", "138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a"},
		{"7 bytes", "466f7250617369", "afbeb0f07dfbf5419200f2ccb50bb24f"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := vault.WrapPadded(kek, unhex(t, c.key))
			if err != nil || hex.EncodeToString(got) != c.want {
				t.Fatalf("wrapped: got %x, %v, want %s", got, err, c.want)
			}
			back, err := vault.UnwrapPadded(kek, got)
			if err != nil || !bytes.Equal(back, unhex(t, c.key)) {
				t.Errorf("unwrapped: got %x, %v, want %s", back, err, c.key)
			}
			for i := range got {
				bad := bytes.Clone(got)
				bad[i] ^= 1
				if _, err := vault.UnwrapPadded(kek, bad); err == nil {
					t.Errorf("byte %d changed: it opens", i)
				}
			}
		})
	}
	for _, n := range []int{0, 8, 15, 17} {
		if _, err := vault.UnwrapPadded(kek, make([]byte, n)); err == nil {
			t.Errorf("%d bytes: they open", n)
		}
	}
	if _, err := vault.WrapPadded(kek, nil); err == nil {
		t.Error("nothing was wrapped")
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
