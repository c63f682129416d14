package wire_test

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"ostler/agents/wire"
)

func TestEnrolToken(t *testing.T) {
	secret, pin := [32]byte{1, 2, 3}, [32]byte{9, 8, 7}
	token := wire.NewEnrolToken(secret, pin)
	tests := []struct {
		name, token string
		want        error
	}{
		{"as made", token, nil},
		{"with white space", "  " + token + "\n", nil},
		{"empty", "", wire.ErrTokenForm},
		{"another token", "ost_api_abc_00000000", wire.ErrTokenForm},
		{"cut off", token[:len(token)-4], wire.ErrTokenForm},
		{"one character changed", strings.Replace(token, "_09", "_19", 1), wire.ErrTokenChecksum},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			gotSecret, gotPin, err := wire.ParseEnrolToken(tt.token)
			if !errors.Is(err, tt.want) {
				t.Fatalf("err: got %v, want %v", err, tt.want)
			}
			if err == nil && (gotSecret != secret || gotPin != pin) {
				t.Error("got another secret or pin than was put in")
			}
		})
	}
}

func TestRecoveryKey(t *testing.T) {
	key := wire.NewRecoveryKey([32]byte{0xff, 0, 1, 0x42, 31: 0x5a})
	if got, want := strings.Count(key, "-"), 10; got != want || len(key) != 65 {
		t.Fatalf("got %q, want 11 groups of 5", key)
	}
	swap := func(s string) string { return s[:1] + s[2:3] + s[1:2] + s[3:] }
	tests := []struct {
		name, typed string
		ok          bool
	}{
		{"exact", key, true},
		{"lower case without hyphens", strings.ToLower(strings.ReplaceAll(key, "-", "")), true},
		{"read aloud: o and l", strings.NewReplacer("0", "o", "1", "l").Replace(key), true},
		{"one character missing", key[1:], false},
		{"two characters swapped", swap(swap(key))[:3] + "Z" + key[4:], false},
		{"another alphabet", strings.Replace(key, "Z", "U", 1), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := wire.ParseRecoveryKey(tt.typed)
			if (err == nil) != tt.ok || tt.ok && got != key {
				t.Errorf("got %q, %v; want ok %v", got, err, tt.ok)
			}
		})
	}
}

func TestVerify(t *testing.T) {
	pub, priv, _ := ed25519.GenerateKey(nil)
	other, otherPriv, _ := ed25519.GenerateKey(nil)
	want := wire.Envelope{Job: "job_1", Server: "srv_1", Action: wire.ActionInventory, Params: json.RawMessage(`{}`)}
	good, err := wire.Sign(priv, want)
	if err != nil {
		t.Fatal(err)
	}
	changed := good
	changed.Payload = []byte(strings.Replace(string(good.Payload), "srv_1", "srv_2", 1))
	forged, _ := wire.Sign(otherPriv, want)
	forged.KeyID = wire.KeyID(pub)
	bare := good
	bare.Signature = ed25519.Sign(priv, good.Payload) // without the context
	tests := []struct {
		name string
		keys [][]byte
		s    wire.SignedEnvelope
		want error
	}{
		{"good", [][]byte{other, pub}, good, nil},
		{"unknown key", [][]byte{other}, good, wire.ErrUnknownKey},
		{"no key", nil, good, wire.ErrUnknownKey},
		{"short key", [][]byte{pub[:5]}, good, wire.ErrUnknownKey},
		{"payload changed", [][]byte{pub}, changed, wire.ErrBadSignature},
		{"other key under this id", [][]byte{pub}, forged, wire.ErrBadSignature},
		{"signed without the context", [][]byte{pub}, bare, wire.ErrBadSignature},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := wire.Verify(tt.keys, tt.s)
			if !errors.Is(err, tt.want) {
				t.Fatalf("err: got %v, want %v", err, tt.want)
			}
			if err == nil && got.Job != want.Job {
				t.Errorf("got job %q, want %q", got.Job, want.Job)
			}
		})
	}
}

func TestChunkCount(t *testing.T) {
	for size, want := range map[int64]int{0: 0, 1: 1, wire.ChunkSize: 1, wire.ChunkSize + 1: 2} {
		if got := wire.ChunkCount(size); got != want {
			t.Errorf("ChunkCount(%d): got %d, want %d", size, got, want)
		}
	}
}
