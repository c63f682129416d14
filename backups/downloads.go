package backups

import (
	"context"
	"fmt"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// File is a download or an archive that can be read from any offset.
type File struct {
	Restore Restore
	*uploaded
}

// OpenDownload opens a download or an archive that is ready, and enters in the
// ledger that it was fetched. Permission: restore.run; staff by an open assist
// only. Errors: not_found, expired, conflict, forbidden.
func (s *Service) OpenDownload(ctx context.Context, scope policy.Scope, id string) (*File, error) {
	var row restoreRow
	err := s.db.Write(ctx, func(tx *db.Tx) (err error) {
		if row, err = db.One[restoreRow](tx, scope, "download", id); err != nil {
			return err
		}
		expired := row.ExpiresAt != 0 && row.ExpiresAt <= tx.NowMillis()
		switch {
		case RestoreKind(row.Kind).OnServer():
			return controlplane.NotFound("download")
		case RestoreState(row.State) == RestoreExpired || RestoreState(row.State) == RestoreReady && expired:
			return controlplane.Errorf(controlplane.CodeExpired, "Fetch the file from its snapshot again.", "This download is no longer kept")
		case RestoreState(row.State) != RestoreReady:
			return controlplane.Errorf(controlplane.CodeConflict, "Look at its page for how far it is.", "This download is not ready")
		}
		assist, err := s.restorer(tx, scope, row.CustomerID)
		if err != nil {
			return err
		}
		if row.FetchedAt != 0 && assist.ID == row.AssistID { // once for each of those who may
			return nil
		}
		row.FetchedAt = tx.NowMillis()
		if err := db.Save(tx, &row); err != nil {
			return err
		}
		file, err := s.keeper.Open(row.CustomerID, ad("restores", "path", row.ID), row.Path)
		if err != nil {
			return fmt.Errorf("backups: download: %w", err)
		}
		by := row
		by.AssistID = assist.ID // of who fetches it, not of who asked for it
		return s.restoreEntry(tx, by, "restore.fetched", file, map[string]any{"restore_kind": row.Kind, "size": row.Size, "sha256": row.SHA256})
	})
	if err != nil {
		return nil, err
	}
	r, err := s.openRestore(row)
	if err != nil {
		return nil, err
	}
	u, err := s.readUpload(ctx, row.ID)
	return &File{Restore: r, uploaded: u}, err
}
