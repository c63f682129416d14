package backups

import (
	"context"
	"fmt"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/jobs"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
	"ostler/controlplane/secrets"
)

// SealKey returns the public HPKE key (X25519, raw) of a server's agent: what
// goes down to the host in secret is sealed to it. nil where the server never
// had an agent.
type SealKey func(ctx context.Context, scope policy.Scope, server string) ([]byte, error)

// ReturnKey gives a server its repository's password again, after it was set up
// anew and has lost it. Of a repository in escrow our copy goes, typed is then
// ignored; else typed is the recovery key that the customer kept. It travels
// sealed to the host's own key and is stored nowhere here. The host makes a new
// password for the store, which the store then learns. Permission: key.confirm.
// Errors: conflict while the repository is in the making, invalid for another key.
func (s *Service) ReturnKey(ctx context.Context, scope policy.Scope, id, typed string) error {
	repo, err := s.Repository(ctx, scope, id)
	if err != nil {
		return err
	}
	public, err := s.opts.SealKey(ctx, scope, repo.Server)
	if err != nil {
		return err
	}
	if len(public) == 0 {
		return controlplane.Errorf(controlplane.CodeConflict, "Enrol the server first; then return the key.", "The server has no agent that could take the key")
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		row, err := db.One[repositoryRow](tx, scope, "repository", id)
		if err != nil {
			return err
		}
		password, err := s.returnable(row, typed)
		if err != nil {
			return err
		}
		sealed, err := secrets.SealTo(public, wire.HPKEInfo+row.ID, []byte(password))
		if err != nil {
			return fmt.Errorf("backups: return key: %w", err)
		}
		if err := s.sendBack(tx, &row, sealed); err != nil {
			return err
		}
		_, err = s.ledger.Append(tx, ledger.Entry{Customer: row.CustomerID, Server: row.ServerID, Subject: row.ID, Kind: "key.returned",
			Data: map[string]any{"key_fingerprint": row.KeyFingerprint, "custody": row.Custody}})
		return err
	})
}

// returnable is the password that goes back to the host.
func (s *Service) returnable(row repositoryRow, typed string) (string, error) {
	switch st := RepositoryState(row.State); {
	case row.ConfirmedAt == 0:
		return "", controlplane.Errorf(controlplane.CodeConflict, "Look at the page of the key for what comes next.", "There is no key yet that could be returned")
	case st != RepositoryReady && st != RepositoryFailed:
		return "", controlplane.Errorf(controlplane.CodeConflict, "Wait until that is done.", "The server and the store are at work on this repository")
	}
	if Custody(row.Custody) == CustodyEscrow {
		password, err := s.keeper.OpenEscrow(row.ID, row.EscrowSealed)
		if err != nil || fingerprint(password) != row.KeyFingerprint {
			return "", controlplane.Errorf(controlplane.CodeConflict, "Ask us; it wants a look at the keyring of the control plane.", "Our copy of the key cannot be opened").Because(err)
		}
		return string(password), nil
	}
	key, err := wire.ParseRecoveryKey(typed)
	if err != nil {
		return "", controlplane.Invalid(controlplane.Field{Pointer: "/recovery_key", Message: "That is not a whole recovery key: look at your copy again. It has groups of letters and digits with hyphens between them."})
	}
	if wire.KeyFingerprint(key) != row.KeyFingerprint {
		return "", controlplane.Invalid(controlplane.Field{Pointer: "/recovery_key", Message: "That is a recovery key, but not the one of this repository. Compare its print with the one below."})
	}
	return key, nil
}

func (s *Service) sendBack(tx *db.Tx, row *repositoryRow, sealed []byte) error {
	row.State, row.FailureCause = string(RepositoryPreparing), ""
	row.Round++
	wr, err := s.wireRepository(tx, *row)
	if err != nil {
		return err
	}
	if err := db.Save(tx, row); err != nil {
		return err
	}
	_, err = s.jobs.Enqueue(tx, jobs.Spec{Kind: string(wire.ActionRepoPrepare), Executor: jobs.Agent, Server: row.ServerID, Customer: row.CustomerID,
		Resource: "repository:" + row.ID, Key: fmt.Sprintf("%s:%s:%d", wire.ActionRepoPrepare, row.ID, row.Round), Subject: row.ID,
		Params:  wire.RepoPrepareParams{Repository: wr, Returned: sealed, KeyFingerprint: row.KeyFingerprint},
		Timeout: time.Minute, MaxAttempts: 5, Title: "job.key_return"})
	return err
}

// doneReturn goes on with a repository whose host has its password again.
func (s *Service) doneReturn(tx *db.Tx, repo *repositoryRow, res wire.RepoPrepared) error {
	if res.KeyFingerprint != repo.KeyFingerprint {
		return s.failRepository(tx, repo, wire.CauseNoKey)
	}
	return s.register(tx, repo)
}
