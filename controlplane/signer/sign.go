package signer

import (
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

// Sign checks an envelope and signs it. Errors: invalid for an envelope that
// no host should be asked to accept.
func Sign(key ed25519.PrivateKey, e wire.Envelope) (wire.SignedEnvelope, error) {
	if why := unfit(e); why != "" {
		return wire.SignedEnvelope{}, controlplane.Errorf(controlplane.CodeInvalid,
			"This is a fault of ours: report it.", "The signer refuses the job: %s", why)
	}
	signed, err := wire.Sign(key, e)
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
