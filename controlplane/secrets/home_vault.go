package secrets

import (
	"context"
	"crypto/subtle"
	"fmt"
	"strings"

	"ostler/controlplane"
	"ostler/controlplane/secrets/vault"
)

// vaultHome wraps with Vault's transit engine: one key for each customer, which
// never leaves Vault.
type vaultHome struct{ c *vault.Client }

// Wrap seals a data key for a customer who has no other: the transit key is
// made where it is not there.
func (h *vaultHome) Wrap(ctx context.Context, customer string, version int64, key []byte) ([]byte, error) {
	name := h.c.DataKey(customer)
	if err := h.c.MakeKey(ctx, name); err != nil {
		return nil, err
	}
	sealed, err := h.c.Encrypt(ctx, name, key, dataKeyPlace(customer, version))
	return []byte(sealed), err
}

// Unwrap opens a wrapped data key.
func (h *vaultHome) Unwrap(ctx context.Context, customer string, version int64, wrapped []byte) ([]byte, error) {
	return h.c.Decrypt(ctx, h.c.DataKey(customer), string(wrapped), dataKeyPlace(customer, version))
}

// Rotate makes a new version of each customer's transit key.
func (h *vaultHome) Rotate(ctx context.Context, customers []string) error {
	for _, c := range customers {
		if err := h.c.RotateKey(ctx, h.c.DataKey(c)); err != nil {
			return err
		}
	}
	return nil
}

// Destroy destroys a customer's transit key and all versions of the credentials
// that KV keeps for them.
func (h *vaultHome) Destroy(ctx context.Context, customer string) error {
	if customer == "" {
		return fmt.Errorf("secrets: destroy: the company's own keys are never destroyed")
	}
	names, err := h.c.Names(ctx, customer)
	if err != nil {
		return err
	}
	for _, n := range names {
		if err := h.c.Remove(ctx, customer, n); err != nil {
			return err
		}
	}
	return h.c.DestroyKey(ctx, h.c.DataKey(customer))
}

// Check asks for every right that we need, and wraps and opens something.
func (h *vaultHome) Check(ctx context.Context) error {
	if err := h.c.Health(ctx).Err; err != nil {
		return err
	}
	denied, err := h.c.Denials(ctx, vault.PartPlane)
	if err != nil {
		return err
	}
	if len(denied) > 0 {
		return controlplane.Errorf(controlplane.CodeUnavailable, "Give our role the policy that “ostler secrets policy” prints.",
			"Vault's policy denies us %s", strings.Join(denied, "; ")).Because(&vault.Error{Trouble: vault.Denied, Path: denied[0]})
	}
	return tryHome(ctx, h)
}

// tryHome wraps and opens something of the company's that is no key.
func tryHome(ctx context.Context, h Home) error {
	const noVersion = 0
	want, _ := randomKey()
	wrapped, err := h.Wrap(ctx, "", noVersion, want)
	if err != nil {
		return fmt.Errorf("secrets: check: %w", err)
	}
	got, err := h.Unwrap(ctx, "", noVersion, wrapped)
	if err != nil {
		return fmt.Errorf("secrets: check: %w", err)
	}
	if subtle.ConstantTimeCompare(got, want) != 1 {
		return fmt.Errorf("secrets: check: %w", ErrOpen)
	}
	return nil
}
