package vault

import (
	"context"
	"crypto/aes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
)

// ImportSigner puts the key that hosts trust into transit, so that hosts go on
// trusting it. It cannot be read out again. The key is wrapped as Vault asks
// for: an AES key under Vault's RSA key (OAEP, SHA-256), and our key under the
// AES key (RFC 5649). A key of that name that is there already is left alone:
// see SigningKey for whether it is the same.
func (c *Client) ImportSigner(ctx context.Context, key ed25519.PrivateKey) error {
	path := c.transit("keys", c.SignerKey())
	if s, err := c.read(ctx, path); err != nil || s != nil {
		return err
	}
	wrapPath := c.o.Transit + "/wrapping_key"
	s, err := c.read(ctx, wrapPath)
	if err != nil {
		return err
	}
	text, _ := field[string](s, "public_key")
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return c.say(&Error{Trouble: NotOurs, Path: wrapPath})
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return c.say(&Error{Trouble: NotOurs, Path: wrapPath})
	}
	theirs, ok := parsed.(*rsa.PublicKey)
	if !ok {
		return c.say(&Error{Trouble: NotOurs, Path: wrapPath})
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("vault: import: %w", err)
	}
	once := make([]byte, 32)
	_, _ = rand.Read(once) // crypto/rand.Read never returns an error
	sealedKey, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, theirs, once, nil)
	if err != nil {
		return fmt.Errorf("vault: import: %w", err)
	}
	body, err := WrapPadded(once, der)
	if err != nil {
		return err
	}
	_, err = c.write(ctx, path+"/import", map[string]any{"type": "ed25519", "hash_function": "SHA256", "allow_rotation": false, "exportable": false,
		"ciphertext": b64(append(sealedKey, body...))})
	return err
}

// kwpIV is the constant of RFC 5649, section 3.
const kwpIV = 0xA65959A6

// WrapPadded wraps data under an AES key by RFC 5649 (AES key wrap with padding).
func WrapPadded(kek, data []byte) ([]byte, error) {
	block, err := aes.NewCipher(kek)
	if err != nil || len(data) == 0 || len(data) > 1<<16 {
		return nil, errors.New("vault: this cannot be wrapped")
	}
	padded := append(append([]byte(nil), data...), make([]byte, (8-len(data)%8)%8)...)
	out := make([]byte, 8+len(padded))
	binary.BigEndian.PutUint32(out, kwpIV)
	binary.BigEndian.PutUint32(out[4:], uint32(len(data)))
	copy(out[8:], padded)
	n := len(padded) / 8
	if n == 1 {
		block.Encrypt(out, out)
		return out, nil
	}
	var b [16]byte
	copy(b[:8], out[:8])
	for j := range 6 {
		for i := 1; i <= n; i++ {
			copy(b[8:], out[8*i:])
			block.Encrypt(b[:], b[:])
			t := binary.BigEndian.Uint64(b[:8]) ^ uint64(n*j+i)
			binary.BigEndian.PutUint64(b[:8], t)
			copy(out[8*i:8*i+8], b[8:])
		}
	}
	copy(out[:8], b[:8])
	return out, nil
}

// UnwrapPadded opens what WrapPadded wrapped.
func UnwrapPadded(kek, wrapped []byte) ([]byte, error) {
	bad := errors.New("vault: the wrapped key does not open")
	block, err := aes.NewCipher(kek)
	if err != nil || len(wrapped) < 16 || len(wrapped)%8 != 0 {
		return nil, bad
	}
	out := append([]byte(nil), wrapped...)
	n := len(out)/8 - 1
	if n == 1 {
		block.Decrypt(out, out)
	} else {
		var b [16]byte
		copy(b[:8], out[:8])
		for j := 5; j >= 0; j-- {
			for i := n; i >= 1; i-- {
				t := binary.BigEndian.Uint64(b[:8]) ^ uint64(n*j+i)
				binary.BigEndian.PutUint64(b[:8], t)
				copy(b[8:], out[8*i:8*i+8])
				block.Decrypt(b[:], b[:])
				copy(out[8*i:], b[8:])
			}
		}
		copy(out[:8], b[:8])
	}
	size := int(binary.BigEndian.Uint32(out[4:]))
	if binary.BigEndian.Uint32(out) != kwpIV || size > 8*n || size <= 8*(n-1) {
		return nil, bad
	}
	for _, p := range out[8+size:] {
		if p != 0 {
			return nil, bad
		}
	}
	return out[8 : 8+size], nil
}
