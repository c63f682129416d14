package hosttest

import (
	"context"
	"sync"

	"ostler/agents/host/helper"
	"ostler/agents/wire"
)

// Helper is a helper that runs nothing: each method calls the function of its
// name, or answers with a zero value. It counts backups.
type Helper struct {
	OnBackup  func(ctx context.Context, b helper.Backup, r helper.Report) (wire.BackupResult, error)
	OnList    func(ctx context.Context, snapshot string, path []byte) (wire.Listing, error)
	OnFetch   func(ctx context.Context, f helper.Fetch) (helper.Staged, error)
	OnArchive func(ctx context.Context, a helper.Archive, r helper.Report) (helper.Archived, error)
	// OnCatalogue makes a listing.
	OnCatalogue func(ctx context.Context, c helper.Catalogue, r helper.Report) (helper.Catalogued, error)
	OnStage     func(job string, size int64) (string, error)
	OnPreview   func(ctx context.Context, p helper.Preview) (helper.Changed, error)
	OnApply     func(ctx context.Context, a helper.Apply, r helper.Report) (helper.Changed, error)
	OnUndo      func(ctx context.Context, u helper.Undo) (helper.Changed, error)
	OnSettle    func(ctx context.Context, restore string) (wire.Settled, error)
	OnVersion   func(ctx context.Context) (string, string, error)
	OnAccess    func(ctx context.Context) (wire.AccessScan, error)
	OnLogins    func(ctx context.Context, p wire.LoginsScanParams) (wire.LoginsScan, error)
	OnEndLogins func(ctx context.Context, p wire.EndLoginParams) (wire.EndedLogins, error)

	mu        sync.Mutex
	backups   int
	discarded []string
}

var _ helper.Helper = (*Helper)(nil)

// Backups is how many backups were started.
func (h *Helper) Backups() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.backups
}

// Discarded lists the jobs whose staging was given up.
func (h *Helper) Discarded() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]string(nil), h.discarded...)
}

// Version implements helper.Helper.
func (h *Helper) Version(ctx context.Context) (string, string, error) {
	if h.OnVersion != nil {
		return h.OnVersion(ctx)
	}
	return "0.0.0-fake", "", nil
}

// PrepareKey implements helper.Helper.
func (h *Helper) PrepareKey(context.Context, helper.KeyRequest) (helper.Key, error) {
	return helper.Key{Fingerprint: "fake"}, nil
}

// Init implements helper.Helper.
func (h *Helper) Init(context.Context, helper.Repo) (wire.RepoInitialised, error) {
	return wire.RepoInitialised{ResticID: "fake", Created: true}, nil
}

// Backup implements helper.Helper.
func (h *Helper) Backup(ctx context.Context, b helper.Backup, r helper.Report) (wire.BackupResult, error) {
	h.mu.Lock()
	h.backups++
	h.mu.Unlock()
	if h.OnBackup != nil {
		return h.OnBackup(ctx, b, r)
	}
	return wire.BackupResult{Outcome: wire.BackupComplete}, nil
}

// List implements helper.Helper.
func (h *Helper) List(ctx context.Context, _ helper.Repo, snapshot string, path []byte, _ int) (wire.Listing, error) {
	if h.OnList != nil {
		return h.OnList(ctx, snapshot, path)
	}
	return wire.Listing{Found: true}, nil
}

// Fetch implements helper.Helper.
func (h *Helper) Fetch(ctx context.Context, f helper.Fetch, _ helper.Report) (helper.Staged, error) {
	if h.OnFetch != nil {
		return h.OnFetch(ctx, f)
	}
	return helper.Staged{}, helper.Fail(wire.CauseNotFound, nil, "the fake has no file")
}

// Archive implements helper.Helper.
func (h *Helper) Archive(ctx context.Context, a helper.Archive, r helper.Report) (helper.Archived, error) {
	if h.OnArchive != nil {
		return h.OnArchive(ctx, a, r)
	}
	return helper.Archived{}, helper.Fail(wire.CauseNotFound, nil, "the fake has no archive")
}

// Catalogue implements helper.Helper.
func (h *Helper) Catalogue(ctx context.Context, c helper.Catalogue, r helper.Report) (helper.Catalogued, error) {
	if h.OnCatalogue != nil {
		return h.OnCatalogue(ctx, c, r)
	}
	return helper.Catalogued{}, helper.Fail(wire.CauseNotFound, nil, "the fake has no listing")
}

// Stage implements helper.Helper.
func (h *Helper) Stage(_ context.Context, job string, size int64) (string, error) {
	if h.OnStage != nil {
		return h.OnStage(job, size)
	}
	return "", helper.Fail(wire.CauseDiskFull, nil, "the fake has no staging")
}

// Preview implements helper.Helper.
func (h *Helper) Preview(ctx context.Context, p helper.Preview, _ helper.Report) (helper.Changed, error) {
	if h.OnPreview != nil {
		return h.OnPreview(ctx, p)
	}
	return helper.Changed{}, helper.Fail(wire.CauseNotFound, nil, "the fake has nothing to restore")
}

// Apply implements helper.Helper.
func (h *Helper) Apply(ctx context.Context, a helper.Apply, r helper.Report) (helper.Changed, error) {
	if h.OnApply != nil {
		return h.OnApply(ctx, a, r)
	}
	return helper.Changed{}, helper.Fail(wire.CauseNotFound, nil, "the fake has nothing to restore")
}

// Undo implements helper.Helper.
func (h *Helper) Undo(ctx context.Context, u helper.Undo, _ helper.Report) (helper.Changed, error) {
	if h.OnUndo != nil {
		return h.OnUndo(ctx, u)
	}
	return helper.Changed{}, helper.Fail(wire.CauseNotFound, nil, "the fake has nothing to take back")
}

// Settle implements helper.Helper.
func (h *Helper) Settle(ctx context.Context, restore string) (wire.Settled, error) {
	if h.OnSettle != nil {
		return h.OnSettle(ctx, restore)
	}
	return wire.Settled{}, nil
}

// PutBack implements helper.Helper.
func (h *Helper) PutBack(context.Context, helper.PutBack, helper.Report) (wire.PutBackResult, error) {
	return wire.PutBackResult{}, nil
}

// Discard implements helper.Helper.
func (h *Helper) Discard(_ context.Context, job string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.discarded = append(h.discarded, job)
	return nil
}

// Access implements helper.Helper.
func (h *Helper) Access(ctx context.Context) (wire.AccessScan, error) {
	if h.OnAccess != nil {
		return h.OnAccess(ctx)
	}
	return wire.AccessScan{}, nil
}

// Logins implements helper.Helper.
func (h *Helper) Logins(ctx context.Context, p wire.LoginsScanParams) (wire.LoginsScan, error) {
	if h.OnLogins != nil {
		return h.OnLogins(ctx, p)
	}
	return wire.LoginsScan{Logins: []wire.SeenLogin{}, Sources: []string{}}, nil
}

// EndLogins implements helper.Helper.
func (h *Helper) EndLogins(ctx context.Context, p wire.EndLoginParams) (wire.EndedLogins, error) {
	if h.OnEndLogins != nil {
		return h.OnEndLogins(ctx, p)
	}
	return wire.EndedLogins{}, nil
}
