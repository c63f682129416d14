package secrets

import (
	"context"
	"crypto/ecdh"
	"crypto/hpke"
	"fmt"

	"ostler/agents/wire"
)

func kem() hpke.KEM { return hpke.DHKEM(ecdh.X25519()) }

func openEscrowKey(ctx context.Context, ring *keyring) (hpke.PrivateKey, error) {
	raw, err := ring.get(ctx, "escrow", func() ([]byte, error) {
		_, private, err := newPair()
		return private, err
	})
	if err != nil {
		return nil, err
	}
	key, err := kem().NewPrivateKey(raw)
	if err != nil {
		return nil, fmt.Errorf("secrets: the escrow key file is not an X25519 key")
	}
	return key, nil
}

func newPair() (public, private []byte, err error) {
	key, err := kem().GenerateKey()
	if err != nil {
		return nil, nil, fmt.Errorf("secrets: make a key pair: %w", err)
	}
	if private, err = key.Bytes(); err != nil {
		return nil, nil, fmt.Errorf("secrets: make a key pair: %w", err)
	}
	return key.PublicKey().Bytes(), private, nil
}

// EscrowPublic returns the raw public X25519 key that hosts seal repository
// passwords to, where the customer lets the company keep them.
func (k *Keeper) EscrowPublic() []byte { return k.escrow.PublicKey().Bytes() }

// OpenEscrow opens a repository password that a host sealed to EscrowPublic.
//
// Errors: ErrOpen, also where it was sealed for another repository.
func (k *Keeper) OpenEscrow(repository string, sealed []byte) ([]byte, error) {
	return openHPKE(k.escrow, wire.HPKEInfo+repository, sealed)
}

// NewRevealKey makes a key pair that is used once, to show a recovery key to
// the customer's own eyes.
func (k *Keeper) NewRevealKey() (public, private []byte, err error) { return newPair() }

// OpenReveal opens a repository password that a host sealed to a reveal key.
//
// Errors: ErrOpen, also where it was sealed for another repository.
func OpenReveal(private []byte, repository string, sealed []byte) ([]byte, error) {
	key, err := kem().NewPrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("secrets: the reveal key is not an X25519 key")
	}
	return openHPKE(key, wire.HPKEInfo+repository, sealed)
}

// SealTo seals plaintext to a raw public X25519 key: HPKE base mode (RFC 9180)
// with DHKEM(X25519), HKDF-SHA256 and AES-256-GCM; the encapsulated key stands
// before the ciphertext.
func SealTo(public []byte, info string, plaintext []byte) ([]byte, error) {
	key, err := kem().NewPublicKey(public)
	if err != nil {
		return nil, fmt.Errorf("secrets: seal to: not an X25519 public key")
	}
	sealed, err := hpke.Seal(key, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte(info), plaintext)
	if err != nil {
		return nil, fmt.Errorf("secrets: seal to: %w", err)
	}
	return sealed, nil
}

func openHPKE(key hpke.PrivateKey, info string, sealed []byte) ([]byte, error) {
	plain, err := hpke.Open(key, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte(info), sealed)
	if err != nil {
		return nil, ErrOpen
	}
	return plain, nil
}
