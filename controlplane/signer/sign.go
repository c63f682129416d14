package signer

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane"
)

const (
	maxParams   = 1 << 20
	maxLifetime = 90 * 24 * time.Hour
)

// Key is the key that hosts trust: a file's, or one that stays in Vault.
type Key interface {
	Public() ed25519.PublicKey
	// Sign returns the Ed25519 signature of a message.
	Sign(ctx context.Context, message []byte) ([]byte, error)
	// Ready says what keeps it from signing.
	Ready(ctx context.Context) error
}

// InFile is a key that this process holds.
func InFile(key ed25519.PrivateKey) Key { return fileKey{key} }

type fileKey struct{ private ed25519.PrivateKey }

func (k fileKey) Public() ed25519.PublicKey { return k.private.Public().(ed25519.PublicKey) }

func (k fileKey) Sign(_ context.Context, message []byte) ([]byte, error) {
	return ed25519.Sign(k.private, message), nil
}

func (k fileKey) Ready(context.Context) error { return nil }

// Sign checks an envelope and signs it. Errors: invalid for an envelope that
// no host should be asked to accept; what the key says where it does not sign.
func Sign(ctx context.Context, key Key, e wire.Envelope) (wire.SignedEnvelope, error) {
	if why := unfit(e); why != "" {
		return wire.SignedEnvelope{}, controlplane.Errorf(controlplane.CodeInvalid,
			"This is a fault of ours: report it.", "The signer refuses the job: %s", why)
	}
	signed, err := wire.SignBy(key.Public(), func(message []byte) ([]byte, error) { return key.Sign(ctx, message) }, e)
	if err != nil {
		return wire.SignedEnvelope{}, fmt.Errorf("signer: %w", err)
	}
	return signed, nil
}

// unfit says why an envelope is not signed, or "".
func unfit(e wire.Envelope) string {
	switch {
	case !controlplane.ValidID(controlplane.PrefixJob, e.Job):
		return "it has no job id"
	case !controlplane.ValidID(controlplane.PrefixServer, e.Server):
		return "it names no server"
	case !e.Action.Valid():
		return "its action is not one that agents know"
	case len(e.Params) > maxParams:
		return "its parameters are too long"
	case len(e.Params) > 0 && !json.Valid(e.Params):
		return "its parameters are not JSON"
	case e.ExpiresAt <= 0:
		return "it never expires"
	case e.ExpiresAt <= e.NotBefore:
		return "it expires before it may start"
	case e.NotBefore > 0 && e.ExpiresAt-e.NotBefore > maxLifetime.Milliseconds():
		return "it lives longer than 90 days"
	case e.TimeoutSeconds < 0:
		return "its time limit is negative"
	}
	return ""
}
