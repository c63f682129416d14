package backups

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"

	"gocloud.dev/gcerrors"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/jobs"
	"ostler/controlplane/policy"
)

// An upload is one file that a host sends up in chunks for a job: a file or an
// archive for a person, a list of names for the catalogue. Its owner is what it
// belongs to, a restore or a part of one ("res_...:preview").

// uploadState says whether an upload takes chunks.
type uploadState string

// The states of an upload. One that is closed is never changed again: what was
// checked is what is read.
const (
	uploadOpen   uploadState = "open"
	uploadClosed uploadState = "closed"
)

type uploadRow struct {
	OwnerID                     string `gorm:"primaryKey"`
	CustomerID, ServerID, JobID string
	State                       string
	CreatedAt                   int64 `gorm:"autoCreateTime:false"`
}

func (uploadRow) TableName() string { return "backup_uploads" }

type chunkRow struct {
	OwnerID, CustomerID string
	Idx, Size           int64
	SHA256              string `gorm:"column:sha256"`
	BlobKey             string
	StoredAt            int64
}

func (chunkRow) TableName() string { return "backup_chunks" }

// chunkAD is what a chunk is sealed for.
func chunkAD(owner string, index int64) string { return fmt.Sprintf("%s|%d", owner, index) }

// hostUploads is the scope of what hosts send up: the job says whose it is.
func hostUploads() policy.Scope { return policy.AllCustomers("a host uploads for its own job") }

// expectUpload lets the host of a job send chunks for an owner, which must not
// have an upload yet. It belongs into the transaction that queues the job.
func (s *Service) expectUpload(tx *db.Tx, job jobs.Job, owner string) error {
	return db.Insert(tx, &uploadRow{OwnerID: owner, CustomerID: job.Customer, ServerID: job.Server, JobID: job.ID, State: string(uploadOpen), CreatedAt: tx.NowMillis()})
}

// closeUpload ends the taking of chunks: in the transaction that ends the job,
// however it ended.
func (s *Service) closeUpload(tx *db.Tx, owner string) error {
	if err := tx.Model(&uploadRow{}).Where("owner_id = ?", owner).Update("state", string(uploadClosed)).Error; err != nil {
		return fmt.Errorf("backups: close upload: %w", err)
	}
	return nil
}

// maxList bounds a list of names or of changes as it is sent, in bytes: a
// hundred million files have one of 2 GiB.
const maxList = 4 << 30

// maxUpload bounds an upload, in bytes: what a person gets has the id of its
// restore, everything else is a list.
func (s *Service) maxUpload(owner string) int64 {
	if controlplane.ValidID(controlplane.PrefixRestore, owner) {
		return s.opts.MaxDownload
	}
	return maxList
}

// byJob finds the open upload of a host's running job. An epoch below 0 is not
// compared.
func (s *Service) byJob(ctx context.Context, server, agent, job string, epoch int64) (uploadRow, error) {
	var row uploadRow
	j, err := s.jobs.Get(ctx, hostUploads(), job)
	if err != nil {
		return row, err
	}
	if j.Server != server || j.Agent != agent {
		return row, controlplane.NotFound("job")
	}
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		rows, err := db.Where[uploadRow](tx, hostUploads(), "owner_id", 1, "job_id = ?", job)
		if err == nil && len(rows) == 0 {
			err = controlplane.NotFound("job")
		}
		if err == nil {
			row = rows[0]
		}
		return err
	})
	if err == nil && (j.State.Terminal() || epoch >= 0 && j.Epoch != epoch) {
		err = uploadOver()
	}
	return row, err
}

// Put stores one chunk of a job's upload, sealed. The same chunk again is fine.
// server and agent come from the host's certificate; digest is hex SHA-256.
func (s *Service) Put(ctx context.Context, server, agent, job string, epoch int64, index int, digest string, body io.Reader) error {
	row, err := s.byJob(ctx, server, agent, job, epoch)
	if err != nil {
		return err
	}
	if index < 0 || int64(index) > s.maxUpload(row.OwnerID)/wire.ChunkSize {
		return controlplane.Errorf(controlplane.CodeInvalid, "Send chunks from 0 on, within the job's limit.", "There is no such chunk")
	}
	done, err := s.uploads.take(ctx, server)
	if err != nil {
		return err
	}
	defer done()
	data, err := io.ReadAll(io.LimitReader(body, wire.ChunkSize+1))
	if err != nil {
		return controlplane.Errorf(controlplane.CodeInvalid, "Send the chunk again.", "The chunk did not arrive whole").Because(err)
	}
	sum := sha256.Sum256(data)
	if len(data) > wire.ChunkSize || hex.EncodeToString(sum[:]) != digest {
		return controlplane.Errorf(controlplane.CodeInvalid, "Send the chunk again.", "The chunk is too large or does not match its SHA-256")
	}
	sealed, err := s.keeper.Seal(row.CustomerID, ad("restore_chunks", "data", chunkAD(row.OwnerID, int64(index))), data)
	if err != nil {
		return fmt.Errorf("backups: chunk: %w", err)
	}
	key := fmt.Sprintf("downloads/%s/%06d-%s", row.OwnerID, index, digest[:16])
	if err := s.blobs.WriteAll(ctx, key, sealed, nil); err != nil {
		return controlplane.Errorf(controlplane.CodeUnavailable, "Make room where the control plane keeps downloads.", "The chunk could not be stored").Because(err)
	}
	unused, err := s.keepChunk(ctx, chunkRow{OwnerID: row.OwnerID, CustomerID: row.CustomerID, Idx: int64(index), Size: int64(len(data)), SHA256: digest, BlobKey: key})
	if unused != "" {
		if err := s.blobs.Delete(context.WithoutCancel(ctx), unused); err != nil && gcerrors.Code(err) != gcerrors.NotFound {
			return fmt.Errorf("backups: chunk: %w", err)
		}
	}
	return err
}

// keepChunk writes a chunk's row while its upload still takes chunks: one that
// arrives later would replace what was checked. unused is the blob that no row
// names then, "" where there is none.
func (s *Service) keepChunk(ctx context.Context, c chunkRow) (unused string, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		unused = ""
		ups, err := db.Where[uploadRow](tx, hostUploads(), "owner_id", 1, "owner_id = ?", c.OwnerID)
		if err != nil {
			return err
		}
		there, err := db.Where[chunkRow](tx, hostUploads(), "idx", 1, "owner_id = ? AND idx = ?", c.OwnerID, c.Idx)
		if err != nil {
			return err
		}
		open := len(ups) == 1 && uploadState(ups[0].State) == uploadOpen
		same := len(there) == 1 && there[0].BlobKey == c.BlobKey
		switch {
		case !open && !same:
			unused = c.BlobKey
			return uploadOver()
		case !open:
			return uploadOver()
		case len(there) == 1 && !same:
			unused = there[0].BlobKey
		}
		c.StoredAt = tx.NowMillis()
		return db.Upsert(tx, &c, "owner_id", "idx")
	})
	return unused, err
}

func uploadOver() error {
	return controlplane.Errorf(controlplane.CodeConflict, "Stop the upload.", "This job has ended or was given out again")
}

// Have lists the chunks of a job's upload that are stored.
func (s *Service) Have(ctx context.Context, server, agent, job string) ([]int, error) {
	row, err := s.byJob(ctx, server, agent, job, -1)
	if err != nil {
		return nil, err
	}
	chunks, err := s.chunks(ctx, row.OwnerID)
	have := make([]int, len(chunks))
	for i, c := range chunks {
		have[i] = int(c.Idx)
	}
	return have, err
}
