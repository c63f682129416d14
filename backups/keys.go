package backups

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/jobs"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
	"ostler/controlplane/secrets"
)

func ad(table, column, row string) secrets.AD {
	return secrets.AD{Table: table, Column: column, Row: row}
}

// reveal is a key pair that is used once: the host seals the recovery key to
// it, and only the page that shows the key opens it.
type reveal struct{ public, private []byte }

func (s *Service) newReveal() (reveal, error) {
	pub, priv, err := s.keeper.NewRevealKey()
	if err != nil {
		return reveal{}, fmt.Errorf("backups: reveal key: %w", err)
	}
	return reveal{pub, priv}, nil
}

// prepare has the host make its passwords and send the repository's, sealed to
// whom the custody says.
func (s *Service) prepare(tx *db.Tx, repo *repositoryRow, custody Custody, r reveal) error {
	repo.Custody, repo.State, repo.FailureCause = string(custody), string(RepositoryPreparing), ""
	repo.Round++
	repo.RevealPrivate, repo.RevealSealed, repo.KeyCheck = nil, nil, nil
	wr, err := s.wireRepository(tx, *repo)
	if err != nil {
		return err
	}
	params := wire.RepoPrepareParams{Repository: wr}
	if custody == CustodyEscrow {
		params.EscrowKey = s.keeper.EscrowPublic()
	} else {
		params.RevealKey = r.public
		if repo.RevealPrivate, err = s.keeper.Seal(repo.CustomerID, ad("backup_repositories", "reveal_private", repo.ID), r.private); err != nil {
			return fmt.Errorf("backups: prepare: %w", err)
		}
	}
	if err := db.Save(tx, repo); err != nil {
		return err
	}
	_, err = s.jobs.Enqueue(tx, jobs.Spec{Kind: string(wire.ActionRepoPrepare), Executor: jobs.Agent, Server: repo.ServerID, Customer: repo.CustomerID,
		Resource: "repository:" + repo.ID, Key: fmt.Sprintf("%s:%s:%d", wire.ActionRepoPrepare, repo.ID, repo.Round), Subject: repo.ID,
		Params: params, Timeout: time.Minute, MaxAttempts: 5, Title: "job.repository_prepare"})
	return err
}

// donePrepare takes the host's answer.
func (s *Service) donePrepare(tx *db.Tx, job jobs.Job) error {
	repo, err := db.One[repositoryRow](tx, policy.AllCustomers("job"), "repository", job.Subject)
	if err != nil {
		return err
	}
	if RepositoryState(repo.State) != RepositoryPreparing {
		return nil
	}
	res, ok := jobs.Result[wire.RepoPrepared](job)
	if !ok {
		return s.repositoryFailed(tx, &repo, job)
	}
	if repo.StoreHash, err = s.keeper.Seal(repo.CustomerID, ad("backup_repositories", "store_hash", repo.ID), []byte(res.StoreHash)); err != nil {
		return fmt.Errorf("backups: prepared: %w", err)
	}
	if repo.ConfirmedAt != 0 { // the key was safe before: it was returned
		return s.doneReturn(tx, &repo, res)
	}
	repo.KeyFingerprint = res.KeyFingerprint
	if Custody(repo.Custody) == CustodyEscrow {
		password, err := s.keeper.OpenEscrow(repo.ID, res.EscrowSealed)
		if err != nil || fingerprint(password) != res.KeyFingerprint {
			return s.failRepository(tx, &repo, wire.CauseNoKey)
		}
		repo.EscrowSealed = res.EscrowSealed
		repo.ConfirmedAt, repo.ConfirmedBy = tx.NowMillis(), "escrow"
		if _, err := s.ledger.Append(tx, ledger.Entry{Customer: repo.CustomerID, Server: repo.ServerID, Subject: repo.ID, Kind: "key.escrowed",
			Data: map[string]any{"key_fingerprint": res.KeyFingerprint}}); err != nil {
			return err
		}
		return s.register(tx, &repo)
	}
	repo.State, repo.RevealSealed = string(RepositoryUnconfirmed), res.RevealSealed
	if err := db.Save(tx, &repo); err != nil {
		return err
	}
	return s.raiseUnconfirmed(tx, repo)
}

// fingerprint is wire.RepoPrepared.KeyFingerprint of a password.
func fingerprint(password []byte) string {
	sum := sha256.Sum256(append([]byte("ostler key fingerprint v1\n"), password...))
	return hex.EncodeToString(sum[:])
}

func keyFindingKey(repo string) string { return "key.unconfirmed:" + repo }

func (s *Service) raiseUnconfirmed(tx *db.Tx, repo repositoryRow) error {
	name, err := s.serverName(tx, repo.ServerID)
	if err != nil {
		return err
	}
	return s.findings.Raise(tx, findings.Finding{Key: keyFindingKey(repo.ID), Customer: repo.CustomerID, Server: repo.ServerID, Subject: repo.ID,
		Kind: findings.KeyUnconfirmed, Severity: findings.Warn, Owner: findings.OfCustomer, Args: map[string]string{"server": name}, Link: "/keys/" + repo.ID})
}

// ChooseCustody says who holds the key, while no repository exists yet.
// Permission: key.confirm for customers, plan.write for staff choosing escrow.
func (s *Service) ChooseCustody(ctx context.Context, scope policy.Scope, id string, c Custody) error {
	if c != CustodyCustomer && c != CustodyEscrow {
		return controlplane.Invalid(controlplane.Field{Pointer: "/custody", Message: "Choose “customer” or “escrow”."})
	}
	r, err := s.newReveal()
	if err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		repo, err := db.One[repositoryRow](tx, scope, "repository", id)
		if err != nil {
			return err
		}
		switch RepositoryState(repo.State) {
		case RepositoryChoosing, RepositoryUnconfirmed, RepositoryFailed:
		default:
			return controlplane.Errorf(controlplane.CodeConflict, "Nothing is left to choose here.", "Who holds this key has been decided already")
		}
		if err := s.findings.Close(tx, keyFindingKey(repo.ID), "custody chosen"); err != nil {
			return err
		}
		if err := s.prepare(tx, &repo, c, r); err != nil {
			return err
		}
		_, err = s.ledger.Append(tx, ledger.Entry{Customer: repo.CustomerID, Server: repo.ServerID, Subject: repo.ID, Kind: "key.custody_chosen",
			Data: map[string]any{"custody": string(c)}})
		return err
	})
}

// RevealKey opens the recovery key for the customer's eyes, once. What made it
// readable is destroyed in the same transaction. Permission: key.confirm.
func (s *Service) RevealKey(ctx context.Context, scope policy.Scope, id string) (string, error) {
	var key string
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		repo, err := db.One[repositoryRow](tx, scope, "repository", id)
		if err != nil {
			return err
		}
		if RepositoryState(repo.State) != RepositoryUnconfirmed || repo.RevealPrivate == nil {
			return controlplane.Errorf(controlplane.CodeConflict, "If it was not written down, have the server send it again.",
				"This key cannot be shown now: it was shown already, or the server has not made it yet")
		}
		private, err := s.keeper.Open(repo.CustomerID, ad("backup_repositories", "reveal_private", repo.ID), repo.RevealPrivate)
		if err != nil {
			return fmt.Errorf("backups: reveal: %w", err)
		}
		password, err := secrets.OpenReveal(private, repo.ID, repo.RevealSealed)
		if err != nil || fingerprint(password) != repo.KeyFingerprint {
			return controlplane.Errorf(controlplane.CodeConflict, "Have the server send it again.", "The key that the server sent cannot be opened").Because(err)
		}
		key = string(password)
		repo.RevealPrivate, repo.RevealSealed = nil, nil
		repo.KeyCheck = s.keeper.Index("recovery-key", repo.ID+lastGroup(key))
		if err := db.Save(tx, &repo); err != nil {
			return err
		}
		_, err = s.ledger.Append(tx, ledger.Entry{Customer: repo.CustomerID, Server: repo.ServerID, Subject: repo.ID, Kind: "key.shown",
			Data: map[string]any{"key_fingerprint": repo.KeyFingerprint}})
		return err
	})
	if err != nil {
		return "", err
	}
	return key, nil
}

// lastGroup is the last group of a recovery key, upper case, without spaces.
func lastGroup(key string) string {
	key = strings.ToUpper(strings.TrimSpace(key))
	if i := strings.LastIndexByte(key, '-'); i >= 0 {
		key = key[i+1:]
	}
	return key
}

// ConfirmKey takes the last group of the recovery key, typed back, and lets the
// repository be made. Permission: key.confirm.
func (s *Service) ConfirmKey(ctx context.Context, scope policy.Scope, id, typed string) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		repo, err := db.One[repositoryRow](tx, scope, "repository", id)
		if err != nil {
			return err
		}
		if RepositoryState(repo.State) != RepositoryUnconfirmed || repo.KeyCheck == nil {
			return controlplane.Errorf(controlplane.CodeConflict, "Show the key first, and keep a copy of it.", "There is no key to confirm now")
		}
		if subtle.ConstantTimeCompare(repo.KeyCheck, s.keeper.Index("recovery-key", repo.ID+lastGroup(typed))) != 1 {
			return controlplane.Invalid(controlplane.Field{Pointer: "/last_group", Message: "That is not the last group of the key: look at your copy again. If you have none, have the server send the key again."})
		}
		a, _ := controlplane.ActorFrom(tx.Context())
		repo.ConfirmedAt, repo.ConfirmedBy, repo.KeyCheck = tx.NowMillis(), a.ID, nil
		if err := s.findings.Close(tx, keyFindingKey(repo.ID), "recovery key confirmed"); err != nil {
			return err
		}
		if _, err := s.ledger.Append(tx, ledger.Entry{Customer: repo.CustomerID, Server: repo.ServerID, Subject: repo.ID, Kind: "key.confirmed",
			Data: map[string]any{"key_fingerprint": repo.KeyFingerprint}}); err != nil {
			return err
		}
		return s.register(tx, &repo)
	})
}

// Repository returns one repository. Permission: plan.read.
func (s *Service) Repository(ctx context.Context, scope policy.Scope, id string) (Repository, error) {
	var out Repository
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		row, err := db.One[repositoryRow](tx, scope, "repository", id)
		out = row.value()
		return err
	})
	return out, err
}

// doneRegister goes on with the repository itself, once the store knows the host.
func (s *Service) doneRegister(tx *db.Tx, job jobs.Job) error {
	repo, err := db.One[repositoryRow](tx, policy.AllCustomers("job"), "repository", job.Subject)
	if err != nil {
		return err
	}
	if job.State != jobs.Succeeded {
		return s.repositoryFailed(tx, &repo, job)
	}
	wr, err := s.wireRepository(tx, repo)
	if err != nil {
		return err
	}
	repo.State = string(RepositoryInitialising)
	if err := db.Save(tx, &repo); err != nil {
		return err
	}
	_, err = s.jobs.Enqueue(tx, jobs.Spec{Kind: string(wire.ActionRepoInit), Executor: jobs.Agent, Server: repo.ServerID, Customer: repo.CustomerID,
		Resource: "repository:" + repo.ID, Key: fmt.Sprintf("%s:%s:%d", wire.ActionRepoInit, repo.ID, repo.Round), Subject: repo.ID,
		Params: wire.RepoInitParams{Repository: wr}, Timeout: 5 * time.Minute, MaxAttempts: 20, Title: "job.repository_init"})
	return err
}

// doneInit makes the repository ready and starts the first run of its plans.
func (s *Service) doneInit(tx *db.Tx, job jobs.Job) error {
	repo, err := db.One[repositoryRow](tx, policy.AllCustomers("job"), "repository", job.Subject)
	if err != nil {
		return err
	}
	res, ok := jobs.Result[wire.RepoInitialised](job)
	if !ok {
		return s.repositoryFailed(tx, &repo, job)
	}
	repo.State, repo.ResticID = string(RepositoryReady), res.ResticID
	if err := db.Save(tx, &repo); err != nil {
		return err
	}
	if err := s.findings.Close(tx, repoFindingKey(repo.ID), "the repository was made"); err != nil {
		return err
	}
	if _, err := s.ledger.Append(tx, ledger.Entry{Customer: repo.CustomerID, Server: repo.ServerID, Subject: repo.ID, Kind: "repository.ready",
		Data: map[string]any{"restic_id": res.ResticID, "custody": repo.Custody}}); err != nil {
		return err
	}
	plans, err := db.Where[planRow](tx, policy.AllCustomers("job"), "id", 0, "repository_id = ? AND enabled = 1", repo.ID)
	if err != nil {
		return err
	}
	for _, p := range plans {
		if _, err := s.startRun(tx, p, repo, "first", tx.Now, tx.Now.Add(24*time.Hour)); err != nil {
			return err
		}
	}
	return nil
}

func repoFindingKey(repo string) string { return "repository.failed:" + repo }

func (s *Service) repositoryFailed(tx *db.Tx, repo *repositoryRow, job jobs.Job) error {
	return s.failRepository(tx, repo, wire.Cause(causeOf(job)))
}

func (s *Service) failRepository(tx *db.Tx, repo *repositoryRow, cause wire.Cause) error {
	repo.State, repo.FailureCause = string(RepositoryFailed), string(cause)
	if err := db.Save(tx, repo); err != nil {
		return err
	}
	name, err := s.serverName(tx, repo.ServerID)
	if err != nil {
		return err
	}
	return s.findings.Raise(tx, findings.Finding{Key: repoFindingKey(repo.ID), Customer: repo.CustomerID, Server: repo.ServerID, Subject: repo.ID,
		Kind: findings.BackupFailed, Severity: findings.Bad, Owner: findings.Ops, Link: "/servers/" + repo.ServerID,
		Args: map[string]string{"server": name, "cause": string(cause), "detail": "the repository could not be made: " + string(cause)}})
}

// Retry goes on with a repository that could not be made. Permission: plan.write.
func (s *Service) Retry(ctx context.Context, scope policy.Scope, id string) error {
	r, err := s.newReveal()
	if err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		repo, err := db.One[repositoryRow](tx, scope, "repository", id)
		if err != nil {
			return err
		}
		if RepositoryState(repo.State) != RepositoryFailed {
			return controlplane.Errorf(controlplane.CodeConflict, "Look at the server's jobs for what it is doing.", "This repository has not failed")
		}
		if repo.ConfirmedAt != 0 { // the key is safe: only the store or the first contact failed
			repo.Round++
			return s.register(tx, &repo)
		}
		return s.prepare(tx, &repo, Custody(repo.Custody), r)
	})
}
