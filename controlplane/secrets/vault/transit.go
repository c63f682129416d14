package vault

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/hashicorp/vault/api"
)

// DataKey is the name of the transit key that wraps a customer's data keys; ""
// is the company.
func (c *Client) DataKey(customer string) string { return c.o.Prefix + "-data-" + owner(customer) }

// SignerKey is the name of the transit key that signs jobs.
func (c *Client) SignerKey() string { return c.o.Prefix + "-signer" }

func owner(customer string) string {
	if customer == "" {
		return "company"
	}
	return customer
}

func (c *Client) transit(verb, name string) string { return c.o.Transit + "/" + verb + "/" + name }

// MakeKey makes an AES-256-GCM transit key; one that is there stays as it is.
func (c *Client) MakeKey(ctx context.Context, name string) error {
	_, err := c.write(ctx, c.transit("keys", name), map[string]any{"type": "aes256-gcm96"})
	return err
}

// Encrypt seals plaintext under the newest version of a key, for a place that
// Decrypt has to name too. The key is never made by it.
func (c *Client) Encrypt(ctx context.Context, name string, plaintext, place []byte) (string, error) {
	path := c.transit("encrypt", name)
	s, err := c.write(ctx, path, map[string]any{"plaintext": b64(plaintext), "associated_data": b64(place)})
	if err != nil {
		return "", err
	}
	sealed, ok := field[string](s, "ciphertext")
	if !ok {
		return "", c.say(&Error{Trouble: NotOurs, Path: path})
	}
	return sealed, nil
}

// Decrypt opens what Encrypt sealed for the same place.
func (c *Client) Decrypt(ctx context.Context, name, sealed string, place []byte) ([]byte, error) {
	path := c.transit("decrypt", name)
	s, err := c.write(ctx, path, map[string]any{"ciphertext": sealed, "associated_data": b64(place)})
	if err != nil {
		return nil, err
	}
	text, _ := field[string](s, "plaintext")
	plain, err := base64.StdEncoding.DecodeString(text)
	if err != nil || text == "" {
		return nil, c.say(&Error{Trouble: NotOurs, Path: path})
	}
	return plain, nil
}

// RotateKey makes a new version of a key. Older ones still open.
func (c *Client) RotateKey(ctx context.Context, name string) error {
	_, err := c.write(ctx, c.transit("keys", name)+"/rotate", nil)
	return err
}

// DestroyKey destroys a key for good; one that is not there is destroyed.
func (c *Client) DestroyKey(ctx context.Context, name string) error {
	path := c.transit("keys", name)
	s, err := c.read(ctx, path)
	if err != nil || s == nil {
		return err
	}
	if _, err := c.write(ctx, path+"/config", map[string]any{"deletion_allowed": true}); err != nil {
		return err
	}
	return c.remove(ctx, path)
}

// SigningKey is an Ed25519 key that stays in Vault.
type SigningKey struct {
	c       *Client
	public  ed25519.PublicKey
	version int
}

// SigningKey returns the version of the signer's key whose public half is want.
//
// Errors: NoKey where there is no such key, NotOurs where none of its versions
// is the one that hosts trust.
func (c *Client) SigningKey(ctx context.Context, want ed25519.PublicKey) (*SigningKey, error) {
	path := c.transit("keys", c.SignerKey())
	s, err := c.read(ctx, path)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return nil, c.say(&Error{Trouble: NoKey, Path: path})
	}
	versions, _ := field[map[string]any](s, "keys")
	for v, about := range versions {
		fields, _ := about.(map[string]any)
		text, _ := fields["public_key"].(string)
		public, err := base64.StdEncoding.DecodeString(text)
		n, verr := strconv.Atoi(v)
		if err == nil && verr == nil && want.Equal(ed25519.PublicKey(public)) {
			return &SigningKey{c: c, public: want, version: n}, nil
		}
	}
	return nil, c.say(&Error{Trouble: NotOurs, Path: path})
}

// Public returns the public half.
func (k *SigningKey) Public() ed25519.PublicKey { return k.public }

// Sign has Vault sign a message, and checks the signature.
func (k *SigningKey) Sign(ctx context.Context, message []byte) ([]byte, error) {
	path := k.c.transit("sign", k.c.SignerKey())
	s, err := k.c.write(ctx, path, map[string]any{"input": b64(message), "key_version": k.version})
	if err != nil {
		return nil, err
	}
	text, _ := field[string](s, "signature")
	parts := strings.Split(text, ":") // vault:v1:base64
	signature, err := base64.StdEncoding.DecodeString(parts[len(parts)-1])
	if err != nil || !ed25519.Verify(k.public, message, signature) {
		return nil, k.c.say(&Error{Trouble: NotOurs, Path: path})
	}
	return signature, nil
}

// Ready asks whether the key is still there and Vault open.
func (k *SigningKey) Ready(ctx context.Context) error {
	_, err := k.c.SigningKey(ctx, k.public)
	return err
}

func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// number reads a JSON number of an answer.
func number(s *api.Secret, name string) (int64, error) {
	if s == nil || s.Data == nil {
		return 0, fmt.Errorf("vault: no %s", name)
	}
	switch v := s.Data[name].(type) {
	case json.Number:
		return v.Int64()
	case float64:
		return int64(v), nil
	}
	return 0, fmt.Errorf("vault: no %s", name)
}
