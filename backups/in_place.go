package backups

import (
	"fmt"
	"regexp"
	"slices"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/jobs"
	"ostler/controlplane/policy"
)

// A restore on a server asks it what would change (preview), waits for a
// person, and has it done (apply).

// listOwner names the upload that a complete list of changes is to be: of a
// step that comes again, with its round.
func listOwner(tx *db.Tx, row restoreRow, list ChangeList) (string, error) {
	owner := row.ID + ":" + string(list)
	there, err := db.Where[uploadRow](tx, hostUploads(), "owner_id", 1, "owner_id = ?", owner)
	if len(there) > 0 {
		owner = fmt.Sprintf("%s.%d", owner, row.Round+1)
	}
	return owner, err
}

// boundsOn are the folders that a customer has on a server now; none where they
// do not live there.
func (s *Service) boundsOn(tx *db.Tx, customer, server string) ([]string, error) {
	tens, err := s.customers.TenanciesIn(tx, policy.OneCustomer(customer), customers.TenancyFilter{Server: server, Customer: customer})
	if err != nil {
		return nil, fmt.Errorf("backups: bounds: %w", err)
	}
	var out []string
	for _, t := range tens {
		out = append(out, t.Paths...)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// outside reports whether one of the paths lies in none of the bounds.
func outside(bounds []string, paths ...[]byte) bool {
	ten := customers.Tenancy{Paths: bounds}
	return slices.ContainsFunc(paths, func(p []byte) bool { return !ten.Covers(string(p)) })
}

// target is where a restore goes, as a host takes it.
func (s *Service) target(row restoreRow, newest snapshotRow, bounds []string) (wire.Target, error) {
	t := wire.Target{Placement: wire.Placement(row.Placement), Conflict: wire.Conflict(row.Conflict), Bounds: bounds, Special: row.Special != 0,
		Suffix: besideSuffix(controlplane.FromMillis(newest.ArrivedAt))}
	if t.Placement != wire.PlaceFolder {
		return t, nil
	}
	folder, err := s.keeper.Open(row.CustomerID, ad("restores", "target", row.ID), row.Target)
	if err != nil {
		return t, fmt.Errorf("backups: restore: %w", err)
	}
	t.Folder = folder
	return t, nil
}

// asked is what a preview and an apply have in common.
func (s *Service) asked(tx *db.Tx, row restoreRow, bounds []string) (p wire.PreviewParams, err error) {
	parts, err := s.chosenOf(tx, row)
	if err != nil {
		return p, err
	}
	sel, newest, err := s.selections(tx, row, parts)
	if err != nil {
		return p, err
	}
	if p.Target, err = s.target(row, newest, bounds); err != nil {
		return p, err
	}
	if row.SourceJobID == "" {
		p.Selections = sel
		return p, nil
	}
	p.Source = &wire.Source{Job: row.SourceJobID, Upload: wire.Upload{Size: row.Size, SHA256: row.SHA256, Chunks: int(row.Chunks)}}
	return p, nil
}

func (s *Service) enqueuePreview(tx *db.Tx, row *restoreRow, bounds []string) error {
	params, err := s.asked(tx, *row, bounds)
	if err != nil {
		return err
	}
	row.State = string(RestorePreviewing)
	return s.enqueueStep(tx, row, step{action: wire.ActionPreview, server: row.TargetServerID, title: "job.preview", params: params, list: ListPreview})
}

// enqueueApply has the files put on the server. A put_back stays active while
// it is at work.
func (s *Service) enqueueApply(tx *db.Tx, row *restoreRow, bounds []string) error {
	p, err := s.asked(tx, *row, bounds)
	if err != nil {
		return err
	}
	title := "job.put_back"
	if RestoreKind(row.Kind) == RestoreInPlace {
		title, row.State = "job.apply", string(RestoreApplying)
	}
	params := wire.ApplyParams{Restore: row.ID, Selections: p.Selections, Source: p.Source, Target: p.Target}
	return s.enqueueStep(tx, row, step{action: wire.ActionApply, server: row.TargetServerID, title: title, params: params, list: ListResult})
}

// goOn previews on the target once the source's archive is here and whole.
func (s *Service) goOn(tx *db.Tx, row *restoreRow) error {
	bounds, out, err := s.stillInside(tx, *row)
	if err != nil {
		return err
	}
	if out {
		return s.restoreFailed(tx, row, string(wire.CauseUnsafePath))
	}
	if err := s.enqueuePreview(tx, row, bounds); err != nil {
		return err
	}
	s.wakeRestore(tx, *row)
	return db.Save(tx, row)
}

// stillInside returns the bounds of a restore's target as they are now, and
// whether something of it would go outside of them.
func (s *Service) stillInside(tx *db.Tx, row restoreRow) (bounds []string, out bool, err error) {
	if bounds, err = s.boundsOn(tx, row.CustomerID, row.TargetServerID); err != nil {
		return nil, false, err
	}
	if wire.Placement(row.Placement) == wire.PlaceFolder {
		folder, err := s.keeper.Open(row.CustomerID, ad("restores", "target", row.ID), row.Target)
		if err != nil {
			return nil, false, fmt.Errorf("backups: restore: %w", err)
		}
		return bounds, outside(bounds, folder), nil
	}
	parts, err := s.chosenOf(tx, row)
	if err != nil {
		return nil, false, err
	}
	return bounds, slices.ContainsFunc(parts, func(c chosen) bool { return outside(bounds, c.Paths...) }), nil
}

// donePreview notes what would change, and has the list of it checked.
func (s *Service) donePreview(tx *db.Tx, job jobs.Job) error {
	row, ok, err := s.restoreOf(tx, job, RestorePreviewing)
	if err != nil {
		return err
	}
	owner, err := s.closeJobUpload(tx, job.ID)
	if err != nil || !ok {
		return err
	}
	res, ok := jobs.Result[wire.Changes](job)
	if !ok {
		return s.restoreEnded(tx, &row, job)
	}
	if row.Preview, err = tallyText(res, owner); err != nil {
		return err
	}
	if err := s.noteMissing(tx, &row, res.Missing, res.MissingCount); err != nil {
		return err
	}
	return s.check(tx, &row, ListPreview)
}

// previewed lets a person look at what would change, and confirm it.
func (s *Service) previewed(tx *db.Tx, row *restoreRow) error {
	row.State, row.ExpiresAt = string(RestorePreviewed), tx.Now.Add(s.opts.KeepPreview).UnixMilli()
	if err := db.Save(tx, row); err != nil {
		return err
	}
	t, err := tally(row.Preview)
	if err != nil {
		return err
	}
	return s.restoreEntry(tx, *row, "restore.previewed", nil, stepData(*row, t))
}

// stepData is what the ledger says of a step on a server.
func stepData(row restoreRow, t *Tally) map[string]any {
	counts := map[string]any{}
	for act, n := range t.Counts {
		counts[string(act)] = n
	}
	return map[string]any{"restore_kind": row.Kind, "counts": counts, "bytes": t.Bytes, "missing_count": row.MissingCount,
		"list_sha256": t.List.SHA256, "safety_bytes": t.SafetyBytes}
}

// doneApply notes what is on the server now, or how far it came.
func (s *Service) doneApply(tx *db.Tx, job jobs.Job) error {
	row, ok, err := s.restoreOf(tx, job, RestoreApplying, RestoreActive)
	if err != nil {
		return err
	}
	owner, err := s.closeJobUpload(tx, job.ID)
	if err != nil || !ok {
		return err
	}
	res, ok := jobs.Result[wire.Changes](job)
	if !ok {
		if !job.AcceptedAt.IsZero() { // the host had it: something may be changed
			row.Touched = 1
		}
		return s.restoreEnded(tx, &row, job)
	}
	if row.Result, err = tallyText(res, owner); err != nil {
		return err
	}
	if err := s.noteMissing(tx, &row, res.Missing, res.MissingCount); err != nil {
		return err
	}
	row.TookMS, row.Bytes = took(job), figure(res.Bytes)
	row.Files = figure(res.Counts[wire.ActCreate]) + figure(res.Counts[wire.ActReplace]) + figure(res.Counts[wire.ActBeside])
	row.FinishedAt, row.FailureCause, row.CancelAsked = tx.NowMillis(), "", 0
	row.ExpiresAt = tx.Now.Add(s.opts.KeepLists).UnixMilli()
	row.Touched, row.UndoUntil = 0, 0
	if res.Undoable {
		row.Touched, row.UndoUntil = 1, tx.Now.Add(s.opts.KeepSafety).UnixMilli()
		row.ExpiresAt = row.UndoUntil
	}
	if RestoreKind(row.Kind) == RestorePutBack {
		return s.putBack(tx, &row, res)
	}
	row.State = string(RestoreReady)
	if err := db.Save(tx, &row); err != nil {
		return err
	}
	if err := s.dropSource(tx, row); err != nil {
		return err
	}
	if err := s.incomplete(tx, row); err != nil {
		return err
	}
	if err := s.tell(tx, row, controlplane.FromMillis(row.UndoUntil)); err != nil {
		return err
	}
	t, err := tally(row.Result)
	if err != nil {
		return err
	}
	return s.restoreEntry(tx, row, "restore.applied", nil, stepData(row, t))
}

// putBack records where one file is now.
func (s *Service) putBack(tx *db.Tx, row *restoreRow, res wire.Changes) error {
	var at *wire.Change
	for i, c := range res.Changes {
		if c.Type != wire.NodeDir {
			at = &res.Changes[i]
			break
		}
	}
	switch {
	case at == nil:
		return s.restoreFailed(tx, row, string(wire.CauseNotFound))
	case at.Act == wire.ActRefuse:
		return s.restoreFailed(tx, row, putBackCause(at.Cause))
	case !at.Act.Valid() || len(at.Path) > maxPath:
		return s.restoreFailed(tx, row, string(wire.CauseInternal))
	}
	var err error
	if row.Target, err = s.keeper.Seal(row.CustomerID, ad("restores", "target", row.ID), at.Path); err != nil {
		return fmt.Errorf("backups: put back: %w", err)
	}
	row.State, row.Size, row.SHA256 = string(RestoreReady), figure(at.Size), ""
	if hexSHA256.MatchString(at.SHA256) {
		row.SHA256 = at.SHA256
	}
	if err := db.Save(tx, row); err != nil {
		return err
	}
	return s.restoreEntry(tx, *row, "restore.put_back", at.Path, map[string]any{"restore_kind": row.Kind, "size": row.Size, "sha256": row.SHA256, "act": string(at.Act)})
}

// causeForm is what a cause looks like: it stands in clear and in the ledger, and
// a host must not put anything else there.
var causeForm = regexp.MustCompile(`^[a-z][a-z_]{0,39}$`)

func putBackCause(c wire.Cause) string {
	if !causeForm.MatchString(string(c)) {
		return string(wire.CauseInternal)
	}
	return string(c)
}

// donePutBack ends a job of an earlier version of the control plane.
func (s *Service) donePutBack(tx *db.Tx, job jobs.Job) error {
	row, ok, err := s.restoreOf(tx, job, RestoreActive)
	if err != nil || !ok {
		return err
	}
	res, ok := jobs.Result[wire.PutBackResult](job)
	if !ok {
		return s.restoreEnded(tx, &row, job)
	}
	return s.putBack(tx, &row, wire.Changes{Changes: []wire.Change{{Path: res.Path, Type: wire.NodeFile, Act: wire.ActBeside, Size: res.Size, SHA256: res.SHA256}}})
}
