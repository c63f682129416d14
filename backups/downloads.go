package backups

import (
	"context"
	"fmt"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/jobs"
	"ostler/controlplane/policy"
)

// doneDownload has the stored chunks checked before anybody may fetch them.
func (s *Service) doneDownload(tx *db.Tx, job jobs.Job) error {
	row, err := one[restoreRow](tx, policy.AllCustomers("job"), "restore", job.Subject)
	if err != nil {
		return err
	}
	if err := s.closeUpload(tx, row.ID); err != nil {
		return err
	}
	res, ok := result[wire.DownloadResult](job)
	if !ok {
		return s.restoreFailed(tx, &row, causeOf(job))
	}
	row.State, row.Size, row.SHA256, row.Chunks = string(RestoreChecking), res.Size, res.SHA256, int64(res.Chunks)
	if err := save(tx, &row); err != nil {
		return err
	}
	tx.AfterCommit(func() { s.opts.Bus.Publish("restore:" + row.ID) })
	_, err = s.jobs.Enqueue(tx, jobs.Spec{Kind: jobVerify, Executor: jobs.Plane, Server: row.ServerID, Customer: row.CustomerID, Resource: "restore:" + row.ID,
		Key: jobVerify + ":" + row.ID, Subject: row.ID, MaxAttempts: 3, Title: "job.download_verify"})
	return err
}

// runVerify checks that the file arrived whole.
func (s *Service) runVerify(ctx context.Context, job jobs.Job) (any, error) {
	var row restoreRow
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		row, err = one[restoreRow](tx, policy.AllCustomers("job"), "restore", job.Subject)
		return err
	})
	if err != nil {
		return nil, err
	}
	return nil, s.checkUpload(ctx, row.ID, wire.Upload{Size: row.Size, SHA256: row.SHA256, Chunks: int(row.Chunks)})
}

func (s *Service) doneVerify(tx *db.Tx, job jobs.Job) error {
	row, err := one[restoreRow](tx, policy.AllCustomers("job"), "restore", job.Subject)
	if err != nil {
		return err
	}
	if job.State != jobs.Succeeded {
		return s.restoreFailed(tx, &row, string(wire.CauseDamaged))
	}
	row.State, row.FinishedAt = string(RestoreReady), tx.NowMillis()
	row.ExpiresAt = tx.Now.Add(s.opts.KeepDownload).UnixMilli()
	if err := save(tx, &row); err != nil {
		return err
	}
	return s.restoreEntry(tx, row, "restore.ready", nil, map[string]any{"size": row.Size, "sha256": row.SHA256})
}

// File is a download that can be read from any offset.
type File struct {
	Restore Restore
	*uploaded
}

// OpenDownload opens a download that is ready, and enters in the ledger that it
// was fetched. Permission: restore.run. Errors: not_found, expired, conflict.
func (s *Service) OpenDownload(ctx context.Context, scope policy.Scope, id string) (*File, error) {
	var row restoreRow
	err := s.db.Write(ctx, func(tx *db.Tx) (err error) {
		if row, err = one[restoreRow](tx, scope, "download", id); err != nil {
			return err
		}
		expired := row.ExpiresAt != 0 && row.ExpiresAt <= tx.NowMillis()
		switch {
		case row.Kind != string(RestoreDownload):
			return controlplane.NotFound("download")
		case RestoreState(row.State) == RestoreExpired || RestoreState(row.State) == RestoreReady && expired:
			return controlplane.Errorf(controlplane.CodeExpired, "Fetch the file from its snapshot again.", "This download is no longer kept")
		case RestoreState(row.State) != RestoreReady:
			return controlplane.Errorf(controlplane.CodeConflict, "Look at its page for how far it is.", "This download is not ready")
		}
		if row.FetchedAt != 0 {
			return nil
		}
		row.FetchedAt = tx.NowMillis()
		if err := save(tx, &row); err != nil {
			return err
		}
		file, err := s.keeper.Open(row.CustomerID, ad("restores", "path", row.ID), row.Path)
		if err != nil {
			return fmt.Errorf("backups: download: %w", err)
		}
		return s.restoreEntry(tx, row, "restore.fetched", file, map[string]any{"size": row.Size, "sha256": row.SHA256})
	})
	if err != nil {
		return nil, err
	}
	r, err := s.restoreValue(row)
	if err != nil {
		return nil, err
	}
	u, err := s.readUpload(ctx, row.ID)
	return &File{Restore: r, uploaded: u}, err
}

// runExpire deletes the chunks of a download.
func (s *Service) runExpire(ctx context.Context, job jobs.Job) (any, error) {
	return nil, s.dropBlobs(ctx, job.Subject)
}

func (s *Service) doneExpire(tx *db.Tx, job jobs.Job) error {
	if job.State != jobs.Succeeded {
		return nil
	}
	row, err := one[restoreRow](tx, policy.AllCustomers("job"), "restore", job.Subject)
	if err != nil {
		return err
	}
	if err := forgetUpload(tx, row.ID); err != nil {
		return err
	}
	failed := row.State == string(RestoreFailed)
	row.State = string(RestoreExpired)
	if failed {
		row.State, row.ExpiresAt = string(RestoreFailed), 0
	}
	if err := save(tx, &row); err != nil {
		return err
	}
	return s.restoreEntry(tx, row, "restore.deleted", nil, nil)
}
