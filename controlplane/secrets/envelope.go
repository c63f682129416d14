package secrets

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"fmt"
)

// The formats of envelopes: first byte, and part of the associated data, so
// that an envelope of one sort never opens as another.
const (
	formatCustomer byte = 1 // under a customer's data key
	formatLocal    byte = 2 // under the local key
	formatDataKey  byte = 3 // a data key under the key-encryption key
	formatVault    byte = 4 // no envelope: the value stands in Vault's KV
)

const (
	keySize    = 32
	headerSize = 1 + 4 // format, key version
	nonceSize  = 12
	tagSize    = 16

	localVersion = 1
	indexVersion = 1
)

// randomKey returns 32 random bytes.
func randomKey() ([]byte, error) {
	key := make([]byte, keySize)
	_, _ = rand.Read(key) // crypto/rand.Read never returns an error
	return key, nil
}

// newAEAD returns AES-256-GCM that makes its own random nonces.
func newAEAD(key []byte) (cipher.AEAD, error) {
	if len(key) != keySize {
		return nil, fmt.Errorf("secrets: a key has %d bytes, want %d", len(key), keySize)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("secrets: %w", err)
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// with returns the associated data of a place and a customer: each part after
// its length, so that no two places read the same.
func (ad AD) with(customer string) []byte {
	return lengthPrefixed(ad.Table, ad.Column, ad.Row, customer)
}

func lengthPrefixed(parts ...string) []byte {
	n := 0
	for _, p := range parts {
		n += 4 + len(p)
	}
	b := make([]byte, 0, n)
	for _, p := range parts {
		b = binary.BigEndian.AppendUint32(b, uint32(len(p)))
		b = append(b, p...)
	}
	return b
}

// seal returns format | key version | nonce | ciphertext and tag.
func seal(aead cipher.AEAD, format byte, version int64, place, plaintext []byte) []byte {
	out := make([]byte, headerSize, headerSize+nonceSize+len(plaintext)+tagSize)
	out[0] = format
	binary.BigEndian.PutUint32(out[1:], uint32(version))
	return aead.Seal(out, nil, plaintext, associated(out[:headerSize], place))
}

// keyVersion reads the key version of an envelope of that format.
func keyVersion(sealed []byte, format byte) (int64, error) {
	if len(sealed) < headerSize+nonceSize+tagSize || sealed[0] != format {
		return 0, ErrOpen
	}
	version := int64(binary.BigEndian.Uint32(sealed[1:]))
	if version == 0 {
		return 0, ErrOpen
	}
	return version, nil
}

func open(aead cipher.AEAD, format byte, place, sealed []byte) ([]byte, error) {
	if _, err := keyVersion(sealed, format); err != nil {
		return nil, err
	}
	plain, err := aead.Open(nil, nil, sealed[headerSize:], associated(sealed[:headerSize], place))
	if err != nil {
		return nil, ErrOpen
	}
	return plain, nil
}

func associated(header, place []byte) []byte {
	return append(append(make([]byte, 0, len(header)+len(place)), header...), place...)
}
