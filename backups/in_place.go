package backups

import (
	"context"

	"ostler/agents/wire"
	"ostler/controlplane/jobs"
	"ostler/controlplane/policy"
)

// ChangeList names one of the complete lists of an in-place restore.
type ChangeList string

// The lists.
const (
	ListPreview ChangeList = "preview"
	ListResult  ChangeList = "result"
	ListUndo    ChangeList = "undo"
)

// Valid reports whether l is a known list.
func (l ChangeList) Valid() bool { return l == ListPreview || l == ListResult || l == ListUndo }

// ConfirmRestore carries out a restore that was previewed, or goes on with one
// that stopped in the middle (Restore.Resumable). The bounds are those of the
// target's tenancy at this moment. Permission: restore.run; staff by an open
// assist only. Errors: not_found, conflict (another state, nothing to change,
// a folder that is not the customer's any more), expired.
func (s *Service) ConfirmRestore(ctx context.Context, scope policy.Scope, id string) (Restore, error) {
	return Restore{}, notYet()
}

// UndoRestore takes a restore on a server back, until Restore.UndoUntil: what
// it made goes, what it replaced returns, what somebody changed since stays.
// Permission: restore.run; staff by an open assist only. Errors: not_found,
// conflict (nothing to take back, or done already), expired.
func (s *Service) UndoRestore(ctx context.Context, scope policy.Scope, id string) (Restore, error) {
	return Restore{}, notYet()
}

// CancelRestore stops a restore at any moment before its end. One that waits is
// cancelled at once; one that is out is asked to stop (Restore.CancelAsked).
// What an apply did until then can be undone. Permission: restore.run; staff by
// an open assist only. Errors: not_found, conflict where it is over.
func (s *Service) CancelRestore(ctx context.Context, scope policy.Scope, id string) (Restore, error) {
	return Restore{}, notYet()
}

// Changes reads a part of a complete list of changes, from offset on, at most
// limit of them (at most wire.MaxChanges; 0 is 100), and how many there are in
// all. Permission: restore.run. Errors: not_found, expired (the list is no
// longer kept), conflict (the list is damaged).
func (s *Service) Changes(ctx context.Context, scope policy.Scope, id string, list ChangeList, offset, limit int) (items []wire.Change, total int64, err error) {
	return nil, 0, notYet()
}

// RestoreJobs returns the jobs of a restore, newest first, without their
// parameters and results: for rate and time left. Permission: restore.run.
func (s *Service) RestoreJobs(ctx context.Context, scope policy.Scope, id string) ([]jobs.Job, error) {
	return nil, notYet()
}
