package agents

import (
	"context"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/ledger"
)

// Renew issues a new certificate to the server's present agent. The old one may
// be past its time: a known key is enough for this, and for nothing else. A new
// key in the request counts from its first use; until then the old one does too,
// so that a lost answer locks nobody out.
//
// Errors: unauthorized, invalid request, conflict where the agent is frozen.
func (a *Agents) Renew(ctx context.Context, cert *x509.Certificate, req wire.RenewRequest) (wire.RenewResponse, error) {
	id, err := a.ca.identify(cert)
	if err != nil {
		return wire.RenewResponse{}, err
	}
	public, keyHash, err := readCSR(req.CSR)
	if err != nil {
		return wire.RenewResponse{}, err
	}
	keys, err := a.trustedKeys(ctx)
	if err != nil {
		return wire.RenewResponse{}, err
	}
	ctx = controlplane.WithActor(ctx, controlplane.Actor{Kind: controlplane.ActorAgent, ID: id.Agent})
	der, notAfter, err := a.ca.issueAgent(id.Server, id.Agent, public, a.o.CertLife)
	if err != nil {
		return wire.RenewResponse{}, err
	}
	next := []byte{}
	if keyHash != id.KeyHash {
		next = keyHash[:]
	}
	err = a.DB.Write(ctx, func(tx *db.Tx) error {
		row, err := activeAgent(tx, id)
		if err != nil {
			return err
		}
		p, err := presenceOf(tx, id.Server)
		if err != nil {
			return fmt.Errorf("agents: find presence: %w", err)
		}
		if p != nil && p.FrozenAt != 0 {
			return frozen()
		}
		if err := errors.Join(promoteKey(tx, row.ID, id.KeyHash[:]),
			storeRenewal(tx, row.ID, next, der, controlplane.Millis(notAfter))); err != nil {
			return fmt.Errorf("agents: store renewal: %w", err)
		}
		_, err = a.Ledger.Append(tx, ledger.Entry{Server: id.Server, Subject: id.Agent, Kind: "agent.renewed",
			Data: map[string]any{"not_after": controlplane.Instant(notAfter), "key_sha256": hex.EncodeToString(keyHash[:])}})
		return err
	})
	if err != nil {
		return wire.RenewResponse{}, err
	}
	return wire.RenewResponse{Certificate: der, CA: a.ca.cert.Raw, SignerKeys: keys}, nil
}
