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
	"ostler/controlplane/policy"
)

// chunks finds the chunks of an owner's upload, in their order.
func (s *Service) chunks(ctx context.Context, owner string) ([]chunkRow, error) {
	var rows []chunkRow
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		rows, err = db.Where[chunkRow](tx, policy.AllCustomers("chunks of one upload"), "idx", 0, "owner_id = ?", owner)
		return err
	})
	return rows, err
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
	data, err := s.keeper.Open(c.CustomerID, ad("restore_chunks", "data", chunkAD(c.OwnerID, c.Idx)), sealed)
	if err != nil {
		return nil, damaged("a part was changed where it is stored")
	}
	return data, nil
}

// checkUpload reads every chunk of an owner's upload back, opens it, and
// compares count, size and SHA-256 with what the host said. Errors: conflict
// where it is not the same.
func (s *Service) checkUpload(ctx context.Context, owner string, want wire.Upload) error {
	chunks, err := s.chunks(ctx, owner)
	if err != nil {
		return err
	}
	if !hexSHA256.MatchString(want.SHA256) || want.Chunks != len(chunks) || want.Chunks != wire.ChunkCount(want.Size) {
		return damaged("it is not what the server sent")
	}
	h := sha256.New()
	var size int64
	for i, c := range chunks {
		if int64(i) != c.Idx || i < len(chunks)-1 && c.Size != wire.ChunkSize {
			return damaged("a part is missing")
		}
		data, err := s.openChunk(ctx, c)
		if err != nil {
			return err
		}
		h.Write(data)
		size += int64(len(data))
	}
	if size != want.Size || hex.EncodeToString(h.Sum(nil)) != want.SHA256 {
		return damaged("it is not what the server sent")
	}
	return nil
}

// uploaded is an upload that can be read from any offset.
type uploaded struct {
	ctx    context.Context //nolint:containedctx // an io.ReadSeeker has no other way to carry the request's
	s      *Service
	chunks []chunkRow
	size   int64
	offset int64
	loaded int // index of the chunk in data, -1 for none
	data   []byte
}

// readUpload opens an owner's upload for reading, as long as ctx lasts. It does
// not check it (checkUpload), but a chunk that does not open is an error.
func (s *Service) readUpload(ctx context.Context, owner string) (*uploaded, error) {
	chunks, err := s.chunks(ctx, owner)
	if err != nil {
		return nil, err
	}
	u := &uploaded{ctx: ctx, s: s, chunks: chunks, loaded: -1}
	for _, c := range chunks {
		u.size += c.Size
	}
	return u, nil
}

// Size returns the upload's size in bytes.
func (u *uploaded) Size() int64 { return u.size }

// Read reads on; each chunk is opened when it is come to.
func (u *uploaded) Read(p []byte) (int, error) {
	if u.offset >= u.size {
		return 0, io.EOF
	}
	i := int(u.offset / wire.ChunkSize)
	if i != u.loaded {
		if i >= len(u.chunks) {
			return 0, io.ErrUnexpectedEOF
		}
		data, err := u.s.openChunk(u.ctx, u.chunks[i])
		if err != nil {
			return 0, err
		}
		u.loaded, u.data = i, data
	}
	n, err := bytes.NewReader(u.data).ReadAt(p, u.offset-int64(i)*wire.ChunkSize)
	u.offset += int64(n)
	if n > 0 {
		return n, nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return 0, err
}

// Seek is io.Seeker's.
func (u *uploaded) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += u.offset
	case io.SeekEnd:
		offset += u.size
	}
	if offset < 0 {
		return 0, fmt.Errorf("backups: seek before the start")
	}
	u.offset = offset
	return offset, nil
}

// dropUpload deletes an owner's upload: what is stored, then the rows. It may
// run again.
func (s *Service) dropUpload(ctx context.Context, owner string) error {
	if err := s.dropBlobs(ctx, owner); err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *db.Tx) error { return forgetUpload(tx, owner) })
}

// dropBlobs deletes what is stored of an owner's upload.
func (s *Service) dropBlobs(ctx context.Context, owner string) error {
	chunks, err := s.chunks(ctx, owner)
	if err != nil {
		return err
	}
	for _, c := range chunks {
		if err := s.blobs.Delete(ctx, c.BlobKey); err != nil && gcerrors.Code(err) != gcerrors.NotFound {
			return fmt.Errorf("backups: drop upload: %w", err)
		}
	}
	return nil
}

// forgetUpload deletes the rows of an owner's upload.
func forgetUpload(tx *db.Tx, owner string) error {
	if err := tx.Where("owner_id = ?", owner).Delete(&chunkRow{}).Error; err != nil {
		return fmt.Errorf("backups: forget upload: %w", err)
	}
	if err := tx.Where("owner_id = ?", owner).Delete(&uploadRow{}).Error; err != nil {
		return fmt.Errorf("backups: forget upload: %w", err)
	}
	return nil
}
