package backups

import (
	"bytes"
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

// byJob finds the running download that a host uploads for, and checks that
// it is this host's, in this epoch.
func (s *Service) byJob(ctx context.Context, server, agent, job string, epoch int64) (restoreRow, error) {
	var row restoreRow
	j, err := s.jobs.Get(ctx, policy.AllCustomers("a host uploads for its own job"), job)
	if err != nil {
		return row, err
	}
	if j.Server != server || j.Agent != agent || j.Kind != string(wire.ActionDownload) {
		return row, controlplane.NotFound("job")
	}
	if j.State.Terminal() || epoch >= 0 && j.Epoch != epoch {
		return row, uploadOver()
	}
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		rows, err := where[restoreRow](tx, policy.AllCustomers("a host uploads for its own job"), "id", 1, "job_id = ?", job)
		if err == nil && len(rows) == 0 {
			err = controlplane.NotFound("job")
		}
		if err == nil {
			row = rows[0]
		}
		return err
	})
	return row, err
}

func chunkAD(restore string, index int64) string { return fmt.Sprintf("%s|%d", restore, index) }

// Put stores one chunk of a download, sealed. The same chunk again is fine.
// server and agent come from the host's certificate; digest is hex SHA-256.
func (s *Service) Put(ctx context.Context, server, agent, job string, epoch int64, index int, digest string, body io.Reader) error {
	row, err := s.byJob(ctx, server, agent, job, epoch)
	if err != nil {
		return err
	}
	if limit := s.opts.MaxDownload / wire.ChunkSize; index < 0 || int64(index) > limit {
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
	sealed, err := s.keeper.Seal(row.CustomerID, ad("restore_chunks", "data", chunkAD(row.ID, int64(index))), data)
	if err != nil {
		return fmt.Errorf("backups: chunk: %w", err)
	}
	key := fmt.Sprintf("downloads/%s/%06d-%s", row.ID, index, digest[:16])
	if err := s.blobs.WriteAll(ctx, key, sealed, nil); err != nil {
		return controlplane.Errorf(controlplane.CodeUnavailable, "Make room where the control plane keeps downloads.", "The chunk could not be stored").Because(err)
	}
	unused, err := s.keepChunk(ctx, chunkRow{RestoreID: row.ID, CustomerID: row.CustomerID, Idx: int64(index), Size: int64(len(data)), SHA256: digest, BlobKey: key})
	if unused != "" {
		if err := s.blobs.Delete(context.WithoutCancel(ctx), unused); err != nil && gcerrors.Code(err) != gcerrors.NotFound {
			return fmt.Errorf("backups: chunk: %w", err)
		}
	}
	return err
}

// keepChunk writes a chunk's row while its download still takes chunks: one
// that arrives later would replace what was checked. unused is the blob that
// no row names then, "" where there is none.
func (s *Service) keepChunk(ctx context.Context, c chunkRow) (unused string, err error) {
	upload := policy.AllCustomers("a host uploads for its own job")
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		unused = ""
		row, err := one[restoreRow](tx, upload, "restore", c.RestoreID)
		if err != nil {
			return err
		}
		there, err := where[chunkRow](tx, upload, "idx", 1, "restore_id = ? AND idx = ?", c.RestoreID, c.Idx)
		if err != nil {
			return err
		}
		same := len(there) == 1 && there[0].BlobKey == c.BlobKey
		switch {
		case RestoreState(row.State) != RestoreActive && !same:
			unused = c.BlobKey
			return uploadOver()
		case RestoreState(row.State) != RestoreActive:
			return uploadOver()
		case len(there) == 1 && !same:
			unused = there[0].BlobKey
		}
		c.StoredAt = tx.NowMillis()
		return upsert(tx, &c, "restore_id", "idx")
	})
	return unused, err
}

func uploadOver() error {
	return controlplane.Errorf(controlplane.CodeConflict, "Stop the upload.", "This job has ended or was given out again")
}

// Have lists the chunks of a download that are stored.
func (s *Service) Have(ctx context.Context, server, agent, job string) ([]int, error) {
	row, err := s.byJob(ctx, server, agent, job, -1)
	if err != nil {
		return nil, err
	}
	chunks, err := s.chunks(ctx, row.ID)
	have := make([]int, len(chunks))
	for i, c := range chunks {
		have[i] = int(c.Idx)
	}
	return have, err
}

func (s *Service) chunks(ctx context.Context, restore string) ([]chunkRow, error) {
	var rows []chunkRow
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		rows, err = where[chunkRow](tx, policy.AllCustomers("chunks of one restore"), "idx", 0, "restore_id = ?", restore)
		return err
	})
	return rows, err
}

// doneDownload has the stored chunks checked before anybody may fetch them.
func (s *Service) doneDownload(tx *db.Tx, job jobs.Job) error {
	row, err := one[restoreRow](tx, policy.AllCustomers("job"), "restore", job.Subject)
	if err != nil {
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

// runVerify reads every chunk back, opens it, and compares count, size and
// SHA-256 with what the host said of the file.
func (s *Service) runVerify(ctx context.Context, job jobs.Job) (any, error) {
	var row restoreRow
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		row, err = one[restoreRow](tx, policy.AllCustomers("job"), "restore", job.Subject)
		return err
	})
	if err != nil {
		return nil, err
	}
	chunks, err := s.chunks(ctx, row.ID)
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	var size int64
	for i, c := range chunks {
		if int64(i) != c.Idx {
			return nil, damaged("a part is missing")
		}
		data, err := s.openChunk(ctx, c)
		if err != nil {
			return nil, err
		}
		h.Write(data)
		size += int64(len(data))
	}
	if int64(len(chunks)) != row.Chunks || size != row.Size || hex.EncodeToString(h.Sum(nil)) != row.SHA256 {
		return nil, damaged("it is not the file that the server read")
	}
	return nil, nil
}

func damaged(why string) error {
	return controlplane.Errorf(controlplane.CodeConflict, "Ask for the file again.", "The download did not arrive whole: %s", why)
}

func (s *Service) openChunk(ctx context.Context, c chunkRow) ([]byte, error) {
	sealed, err := s.blobs.ReadAll(ctx, c.BlobKey)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil, damaged("a part is missing")
	}
	if err != nil {
		return nil, fmt.Errorf("backups: chunk: %w", err)
	}
	data, err := s.keeper.Open(c.CustomerID, ad("restore_chunks", "data", chunkAD(c.RestoreID, c.Idx)), sealed)
	if err != nil {
		return nil, damaged("a part was changed where it is stored")
	}
	return data, nil
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
	ctx     context.Context //nolint:containedctx // an io.ReadSeeker has no other way to carry the request's
	s       *Service
	chunks  []chunkRow
	offset  int64
	loaded  int // index of the chunk in data, -1 for none
	data    []byte
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
	chunks, err := s.chunks(ctx, row.ID)
	return &File{Restore: r, ctx: ctx, s: s, chunks: chunks, loaded: -1}, err
}

// Read reads on; each chunk is opened when it is come to.
func (f *File) Read(p []byte) (int, error) {
	if f.offset >= f.Restore.Size {
		return 0, io.EOF
	}
	i := int(f.offset / wire.ChunkSize)
	if i != f.loaded {
		if i >= len(f.chunks) {
			return 0, io.ErrUnexpectedEOF
		}
		data, err := f.s.openChunk(f.ctx, f.chunks[i])
		if err != nil {
			return 0, err
		}
		f.loaded, f.data = i, data
	}
	n, err := bytes.NewReader(f.data).ReadAt(p, f.offset-int64(i)*wire.ChunkSize)
	f.offset += int64(n)
	if n > 0 {
		return n, nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return 0, err
}

// Seek is io.Seeker's.
func (f *File) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += f.offset
	case io.SeekEnd:
		offset += f.Restore.Size
	}
	if offset < 0 {
		return 0, fmt.Errorf("backups: seek before the start")
	}
	f.offset = offset
	return offset, nil
}

// runExpire deletes the chunks of a download.
func (s *Service) runExpire(ctx context.Context, job jobs.Job) (any, error) {
	chunks, err := s.chunks(ctx, job.Subject)
	if err != nil {
		return nil, err
	}
	for _, c := range chunks {
		if err := s.blobs.Delete(ctx, c.BlobKey); err != nil && gcerrors.Code(err) != gcerrors.NotFound {
			return nil, fmt.Errorf("backups: expire: %w", err)
		}
	}
	return nil, nil
}

func (s *Service) doneExpire(tx *db.Tx, job jobs.Job) error {
	if job.State != jobs.Succeeded {
		return nil
	}
	row, err := one[restoreRow](tx, policy.AllCustomers("job"), "restore", job.Subject)
	if err != nil {
		return err
	}
	if err := deleteChunks(tx, row.ID); err != nil {
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
