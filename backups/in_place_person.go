package backups

import (
	"context"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/jobs"
	"ostler/controlplane/policy"
)

// What a person does with a restore that is under way or over.

// act changes a restore of the scope in a transaction, by an actor who may
// restore, and returns it as it is then. What is paused does not go on, by whomever.
func (s *Service) act(ctx context.Context, scope policy.Scope, id string, change func(tx *db.Tx, row *restoreRow) error) (Restore, error) {
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		row, err := db.One[restoreRow](tx, scope, "restore", id)
		if err != nil {
			return err
		}
		if _, err := s.restorer(tx, scope, row.CustomerID); err != nil {
			return err
		}
		if s.told != nil {
			if err := s.told.Hold(tx, row.CustomerID, row.ID); err != nil {
				return err
			}
		}
		return change(tx, &row)
	})
	if err != nil {
		return Restore{}, err
	}
	return s.Restore(ctx, scope, id)
}

// takeBack is act for what stops a restore or takes it back: paused or not.
func (s *Service) takeBack(ctx context.Context, scope policy.Scope, id string, change func(tx *db.Tx, row *restoreRow) error) (Restore, error) {
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		row, err := db.One[restoreRow](tx, scope, "restore", id)
		if err != nil {
			return err
		}
		if _, err := s.asRestorer(tx, scope, row.CustomerID); err != nil {
			return err
		}
		return change(tx, &row)
	})
	if err != nil {
		return Restore{}, err
	}
	return s.Restore(ctx, scope, id)
}

// ConfirmRestore carries out a restore that was previewed, or goes on with one
// that stopped in the middle (Restore.Resumable). The bounds are those of the
// target's tenancy at this moment. Permission: restore.run; staff by an open
// assist only. Errors: not_found, conflict (another state, nothing to change,
// a folder that is not the customer's any more), expired.
func (s *Service) ConfirmRestore(ctx context.Context, scope policy.Scope, id string) (Restore, error) {
	return s.act(ctx, scope, id, func(tx *db.Tx, row *restoreRow) error {
		if err := confirmable(*row, tx.NowMillis()); err != nil {
			return err
		}
		bounds, out, err := s.stillInside(tx, *row)
		if err != nil {
			return err
		}
		if out {
			return notTheirs()
		}
		a, _ := controlplane.ActorFrom(tx.Context())
		row.ConfirmedBy, row.ConfirmedAt = a.ID, tx.NowMillis()
		row.FailureCause, row.FinishedAt, row.ExpiresAt, row.UndoUntil = "", 0, 0, 0
		if err := s.enqueueApply(tx, row, bounds); err != nil {
			return err
		}
		if err := db.Save(tx, row); err != nil {
			return err
		}
		return s.restoreEntry(tx, *row, "restore.confirmed", nil, map[string]any{"restore_kind": row.Kind, "job": row.JobID})
	})
}

// confirmable refuses where there is nothing to confirm.
func confirmable(row restoreRow, now int64) error {
	if RestoreKind(row.Kind) != RestoreInPlace {
		return controlplane.NotFound("restore")
	}
	over := row.ExpiresAt != 0 && row.ExpiresAt <= now
	switch state := RestoreState(row.State); {
	case row.resumable() && !over:
		return nil
	case state == RestoreExpired, state == RestorePreviewed && over:
		return controlplane.Errorf(controlplane.CodeExpired, "Start it again: what is on the server may have changed since.", "This preview is too old")
	case state != RestorePreviewed || row.CancelAsked != 0:
		return controlplane.Errorf(controlplane.CodeConflict, "Look at its page for how far it is.", "This restore does not wait to be confirmed")
	}
	t, err := tally(row.Preview)
	if err != nil {
		return err
	}
	if t == nil || t.Changing() == 0 {
		return controlplane.Errorf(controlplane.CodeConflict, "Look at the list for why.", "There is nothing to do: nothing on the server would change")
	}
	return nil
}

func notTheirs() error {
	return controlplane.Errorf(controlplane.CodeConflict, "Download the files, or restore them into a folder that is the customer's.",
		"The folders on the server are not this customer's any more")
}

// UndoRestore takes a restore on a server back, until Restore.UndoUntil: what
// it made goes, what it replaced returns, what somebody changed since stays.
// What an apply did that failed or was cancelled can be taken back too.
// Permission: restore.run; staff by an open assist only. Errors: not_found,
// conflict (nothing to take back, or done already), expired.
func (s *Service) UndoRestore(ctx context.Context, scope policy.Scope, id string) (Restore, error) {
	return s.takeBack(ctx, scope, id, func(tx *db.Tx, row *restoreRow) error {
		if err := undoable(*row, tx.NowMillis()); err != nil {
			return err
		}
		bounds, out, err := s.stillInside(tx, *row)
		if err != nil {
			return err
		}
		if out {
			return notTheirs()
		}
		row.UndoneFrom, row.State, row.UndoFailure = row.State, string(RestoreUndoing), ""
		params := wire.UndoParams{Restore: row.ID, Bounds: bounds}
		if err := s.enqueueStep(tx, row, step{action: wire.ActionUndo, server: row.TargetServerID, title: "job.undo", params: params, list: ListUndo}); err != nil {
			return err
		}
		if err := db.Save(tx, row); err != nil {
			return err
		}
		return s.restoreEntry(tx, *row, "restore.undo_requested", nil, map[string]any{"restore_kind": row.Kind, "job": row.JobID})
	})
}

// undoable refuses where there is nothing to take back.
func undoable(row restoreRow, now int64) error {
	state := RestoreState(row.State)
	switch {
	case !RestoreKind(row.Kind).OnServer():
		return controlplane.NotFound("restore")
	case state == RestoreUndone:
		return controlplane.Errorf(controlplane.CodeConflict, "Restore the files again if they are wanted after all.", "This restore was taken back already")
	case !state.Over():
		return controlplane.Errorf(controlplane.CodeConflict, "Wait until it is over, or cancel it first.", "This restore is not over")
	case row.Touched == 0 && row.FinishedAt != 0 && row.Result != "":
		return controlplane.Errorf(controlplane.CodeExpired, "Restore the files from a copy of before instead.", "What this restore replaced is not kept any more, or nothing was changed")
	case row.Touched == 0:
		return controlplane.Errorf(controlplane.CodeConflict, "There is nothing left to do.", "This restore changed nothing on the server")
	case row.UndoUntil <= now:
		return controlplane.Errorf(controlplane.CodeExpired, "Restore the files from a copy of before instead.", "What this restore replaced is not kept any more")
	}
	return nil
}

// doneUndo notes what was taken back. One that failed leaves the restore as it
// was, and can be tried again.
func (s *Service) doneUndo(tx *db.Tx, job jobs.Job) error {
	row, ok, err := s.restoreOf(tx, job, RestoreUndoing)
	if err != nil {
		return err
	}
	owner, err := s.closeJobUpload(tx, job.ID)
	if err != nil || !ok {
		return err
	}
	row.CancelAsked = 0
	res, ok := jobs.Result[wire.Changes](job)
	if !ok {
		row.State, row.UndoFailure = row.UndoneFrom, causeOf(job)
		if row.UndoFailure == string(wire.CauseNothingToUndo) {
			row.Touched, row.UndoUntil = 0, 0 // not offered again
		}
		if err := db.Save(tx, &row); err != nil {
			return err
		}
		return s.restoreEntry(tx, row, "restore.undo_failed", nil, map[string]any{"restore_kind": row.Kind, "failure_cause": row.UndoFailure})
	}
	if row.Undo, err = tallyText(res, owner); err != nil {
		return err
	}
	row.State, row.UndoUntil = string(RestoreUndone), 0 // what was changed since is kept until ExpiresAt
	if err := db.Save(tx, &row); err != nil {
		return err
	}
	if err := s.dropSource(tx, row); err != nil {
		return err
	}
	t, err := tally(row.Undo)
	if err != nil {
		return err
	}
	return s.restoreEntry(tx, row, "restore.undone", nil, stepData(row, t))
}

// CancelRestore stops a restore at any moment before its end. One that waits is
// cancelled at once; one that is out is asked to stop (Restore.CancelAsked).
// What an apply did until then can be undone. Permission: restore.run; staff by
// an open assist only. Errors: not_found, conflict where it is over.
func (s *Service) CancelRestore(ctx context.Context, scope policy.Scope, id string) (Restore, error) {
	return s.takeBack(ctx, scope, id, func(tx *db.Tx, row *restoreRow) error {
		if RestoreState(row.State).Over() {
			return controlplane.Errorf(controlplane.CodeConflict, "There is nothing left to cancel; look at its result instead.", "This restore is over already")
		}
		return s.stop(tx, row, "")
	})
}

// stepActions are the actions of hosts that a restore has at work.
var stepActions = []wire.Action{wire.ActionDownload, wire.ActionArchive, wire.ActionPreview, wire.ActionApply, wire.ActionPutBack, wire.ActionUndo}

// stop cancels a restore that is not over: at once where nothing is out, else
// once its host says that it stopped. cause says why where no person asked.
func (s *Service) stop(tx *db.Tx, row *restoreRow, cause string) error {
	row.CancelAsked = 1
	if cause != "" && RestoreState(row.State) != RestoreUndoing {
		row.FailureCause = cause
	}
	if RestoreState(row.State) == RestorePreviewed {
		return s.restoreCancelled(tx, row)
	}
	if err := db.Save(tx, row); err != nil {
		return err
	}
	s.wakeRestore(tx, *row)
	servers := []string{row.ServerID}
	if row.TargetServerID != "" && row.TargetServerID != row.ServerID {
		servers = append(servers, row.TargetServerID)
	}
	for _, server := range servers {
		for _, a := range stepActions {
			if err := s.jobs.CancelOpen(tx, server, row.CustomerID, string(a), func(subject string) (bool, error) { return subject == row.ID, nil }); err != nil {
				return err
			}
		}
	}
	return nil
}
