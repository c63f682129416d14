package wire

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
)

// Errors of Verify.
var (
	ErrUnknownKey   = errors.New("signed by a key that this host does not know")
	ErrBadSignature = errors.New("signature does not match")
)

// KeyID returns the id of a signer key: hex of the first 8 bytes of its SHA-256.
func KeyID(public ed25519.PublicKey) string {
	sum := sha256.Sum256(public)
	return hex.EncodeToString(sum[:8])
}

// Sign signs e with the signer's key.
func Sign(private ed25519.PrivateKey, e Envelope) (SignedEnvelope, error) {
	return SignBy(private.Public().(ed25519.PublicKey), func(message []byte) ([]byte, error) { return ed25519.Sign(private, message), nil }, e)
}

// SignBy signs e with a key that somebody else holds: sign returns the plain
// Ed25519 signature of a message by the key of public.
func SignBy(public ed25519.PublicKey, sign func(message []byte) ([]byte, error), e Envelope) (SignedEnvelope, error) {
	payload, err := json.Marshal(e)
	if err != nil {
		return SignedEnvelope{}, fmt.Errorf("wire: encode envelope: %w", err)
	}
	signature, err := sign(append([]byte(SignContext), payload...))
	if err != nil {
		return SignedEnvelope{}, err
	}
	return SignedEnvelope{Payload: payload, Signature: signature, KeyID: KeyID(public)}, nil
}

// Verify checks s against the known signer keys (raw Ed25519 public keys) and
// returns the envelope. Nothing of the payload may be trusted before.
func Verify(keys [][]byte, s SignedEnvelope) (Envelope, error) {
	var key ed25519.PublicKey
	for _, k := range keys {
		if len(k) == ed25519.PublicKeySize && KeyID(k) == s.KeyID {
			key = k
			break
		}
	}
	if key == nil {
		return Envelope{}, ErrUnknownKey
	}
	if !ed25519.Verify(key, append([]byte(SignContext), s.Payload...), s.Signature) {
		return Envelope{}, ErrBadSignature
	}
	var e Envelope
	if err := json.Unmarshal(s.Payload, &e); err != nil {
		return Envelope{}, fmt.Errorf("wire: decode envelope: %w", err)
	}
	return e, nil
}
