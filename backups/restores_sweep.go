package backups

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/jobs"
	"ostler/controlplane/policy"
)

// sweepRestores ends what has had its time: previews that nobody confirmed,
// safety copies, and what is kept here, each by a job.
func (s *Service) sweepRestores(tx *db.Tx) error {
	rows, err := db.Where[restoreRow](tx, policy.AllCustomers("sweep"), "id", 500, "expires_at > 0 AND expires_at <= ? AND state NOT IN ?", tx.NowMillis(), busyStates)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if err := s.sweepRestore(tx, &r); err != nil {
			return err
		}
	}
	return s.sweepBaskets(tx)
}

// sweepBaskets empties the baskets of people who are no contacts any more: what
// they chose is nobody's business now.
func (s *Service) sweepBaskets(tx *db.Tx) error {
	owners, err := basketOwners(tx)
	if err != nil {
		return err
	}
	for _, o := range owners {
		if !controlplane.ValidID(controlplane.PrefixContact, o.PersonID) {
			continue
		}
		c, err := s.customers.ContactIn(tx, policy.OneCustomer(o.CustomerID), o.PersonID)
		gone := controlplane.ErrorCode(err) == controlplane.CodeNotFound || err == nil && !c.RemovedAt.IsZero()
		if err != nil && !gone {
			return err
		}
		if gone {
			if err := clearBasket(tx, o.PersonID, o.CustomerID); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Service) sweepRestore(tx *db.Tx, row *restoreRow) error {
	if RestoreState(row.State) == RestorePreviewed {
		row.State, row.FinishedAt = string(RestoreExpired), tx.NowMillis()
		if err := db.Save(tx, row); err != nil {
			return err
		}
		if err := s.restoreEntry(tx, *row, "restore.expired", nil, map[string]any{"restore_kind": row.Kind}); err != nil {
			return err
		}
	}
	if row.Touched != 0 {
		srv, err := s.customers.ServerIn(tx, policy.AllCustomers("sweep"), row.TargetServerID)
		if err != nil {
			return fmt.Errorf("backups: sweep: %w", err)
		}
		if srv.State != customers.ServerRetired {
			_, err := s.jobs.Enqueue(tx, jobs.Spec{Kind: string(wire.ActionSettle), Executor: jobs.Agent, Server: row.TargetServerID, Customer: row.CustomerID,
				Resource: "restore:" + row.ID, Key: fmt.Sprintf("settle:%s:%d", row.ID, row.ExpiresAt), Subject: row.ID, Params: wire.SettleParams{Restore: row.ID},
				Timeout: 10 * time.Minute, MaxAttempts: 5, Title: "job.settle"})
			return err
		}
		return s.settled(tx, row) // what is left goes with its disks
	}
	return s.enqueueExpire(tx, *row, expireParams{})
}

// doneSettle lets go of a safety copy; a server that could not is asked again
// after a day.
func (s *Service) doneSettle(tx *db.Tx, job jobs.Job) error {
	row, err := db.One[restoreRow](tx, policy.AllCustomers("job"), "restore", job.Subject)
	if err != nil || row.Touched == 0 {
		return err
	}
	if job.State != jobs.Succeeded {
		row.ExpiresAt = tx.Now.Add(24 * time.Hour).UnixMilli()
		return db.Save(tx, &row)
	}
	return s.settled(tx, &row)
}

// settled records that a restore cannot be taken back any more.
func (s *Service) settled(tx *db.Tx, row *restoreRow) error {
	row.Touched, row.UndoUntil = 0, 0
	row.ExpiresAt = max(tx.NowMillis(), controlplane.FromMillis(row.FinishedAt).Add(s.opts.KeepLists).UnixMilli())
	if err := db.Save(tx, row); err != nil {
		return err
	}
	return s.restoreEntry(tx, *row, "restore.settled", nil, map[string]any{"restore_kind": row.Kind})
}

// expireParams are those of the job that deletes what is kept of a restore.
type expireParams struct {
	// Source: only the archive that another server was to get.
	Source bool `json:"source,omitempty"`
}

func (s *Service) enqueueExpire(tx *db.Tx, row restoreRow, p expireParams) error {
	key := fmt.Sprintf("%s:%s:%d", jobExpire, row.ID, row.ExpiresAt)
	if p.Source {
		key = fmt.Sprintf("%s:%s:source:%d", jobExpire, row.ID, row.Round)
	}
	_, err := s.jobs.Enqueue(tx, jobs.Spec{Kind: jobExpire, Executor: jobs.Plane, Server: row.ServerID, Customer: row.CustomerID, Resource: "restore:" + row.ID,
		Key: key, Subject: row.ID, Params: p, MaxAttempts: 20, Title: "job.download_expire"})
	return err
}

// dropSource deletes the archive of a restore to another server, once that has
// what was in it.
func (s *Service) dropSource(tx *db.Tx, row restoreRow) error {
	if row.SourceJobID == "" {
		return nil
	}
	return s.enqueueExpire(tx, row, expireParams{Source: true})
}

// expiring are the owners of the uploads that a job of expiry deletes.
func expiring(tx *db.Tx, job jobs.Job) (owners []string, p expireParams, err error) {
	if err := json.Unmarshal(job.Params, &p); err != nil {
		return nil, p, fmt.Errorf("backups: expire: %w", err)
	}
	if p.Source {
		return []string{job.Subject}, p, nil
	}
	ups, err := uploadsOf(tx, job.Subject)
	for _, u := range ups {
		owners = append(owners, u.OwnerID)
	}
	return owners, p, err
}

// runExpire deletes what is stored of a restore's uploads.
func (s *Service) runExpire(ctx context.Context, job jobs.Job) (any, error) {
	var owners []string
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		owners, _, err = expiring(tx, job)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, o := range owners {
		if err := s.dropBlobs(ctx, o); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func (s *Service) doneExpire(tx *db.Tx, job jobs.Job) error {
	if job.State != jobs.Succeeded {
		return nil
	}
	row, err := db.One[restoreRow](tx, policy.AllCustomers("job"), "restore", job.Subject)
	if err != nil {
		return err
	}
	owners, p, err := expiring(tx, job)
	if err != nil {
		return err
	}
	for _, o := range owners {
		if err := forgetUpload(tx, o); err != nil {
			return err
		}
	}
	if p.Source {
		return nil
	}
	row.ExpiresAt = 0
	if RestoreState(row.State) == RestoreReady && !RestoreKind(row.Kind).OnServer() {
		row.State = string(RestoreExpired)
	}
	if err := db.Save(tx, &row); err != nil {
		return err
	}
	if len(owners) == 0 {
		return nil // nothing had come
	}
	return s.restoreEntry(tx, row, "restore.deleted", nil, map[string]any{"restore_kind": row.Kind})
}

// narrowRestores ends what has not ended and would still write into folders
// that are not the tenancy's any more. What is only fetched goes on.
func (s *Service) narrowRestores(tx *db.Tx, ten customers.Tenancy) error {
	open := append([]string{string(RestorePreviewed)}, busyStates...)
	rows, err := db.Where[restoreRow](tx, policy.OneCustomer(ten.Customer), "id", 0, "target_server_id = ? AND state IN ?", ten.Server, open)
	if err != nil {
		return err
	}
	for _, r := range rows {
		_, out, err := s.stillInside(tx, r)
		if err == nil && out {
			err = s.stop(tx, &r, string(wire.CauseUnsafePath))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
