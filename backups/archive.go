package backups

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/jobs"
	"ostler/controlplane/policy"
)

// enqueueArchive has the source pack what was chosen and send it here.
func (s *Service) enqueueArchive(tx *db.Tx, row *restoreRow, parts []chosen, format wire.ArchiveFormat) error {
	sel, _, err := s.selections(tx, *row, parts)
	if err == nil && len(sel) > 1 {
		err = s.label(tx, *row, parts, sel)
	}
	if err != nil {
		return err
	}
	row.State = string(RestoreActive)
	params := wire.ArchiveParams{Selections: sel, Format: format, MaxBytes: s.opts.MaxDownload}
	if err := s.enqueueStep(tx, row, step{action: wire.ActionArchive, server: row.ServerID, title: "job.archive", params: params, owner: row.ID}); err != nil {
		return err
	}
	row.SourceJobID = row.JobID
	return nil
}

// chosenOf reads what was chosen for a restore.
func (s *Service) chosenOf(tx *db.Tx, row restoreRow) ([]chosen, error) {
	contents, err := contentsOf(tx, policy.OneCustomer(row.CustomerID), row.ID)
	if err != nil {
		return nil, err
	}
	if contents.Selection == nil { // one file
		file, err := s.keeper.Open(row.CustomerID, ad("restores", "path", row.ID), row.Path)
		if err != nil {
			return nil, fmt.Errorf("backups: restore: %w", err)
		}
		return []chosen{{Snapshot: row.SnapshotID, Paths: [][]byte{file}}}, nil
	}
	var parts []chosen
	err = s.openJSON(row.CustomerID, ad("restore_contents", "selection", row.ID), contents.Selection, &parts)
	return parts, err
}

// selections are what was chosen as a host takes it, and the newest of its
// snapshots.
func (s *Service) selections(tx *db.Tx, row restoreRow, parts []chosen) ([]wire.Selection, snapshotRow, error) {
	own := policy.OneCustomer(row.CustomerID)
	var out []wire.Selection
	var newest snapshotRow
	for _, p := range parts {
		snap, err := db.One[snapshotRow](tx, own, "snapshot", p.Snapshot)
		if err != nil {
			return nil, newest, err
		}
		repo, err := db.One[repositoryRow](tx, own, "repository", snap.RepositoryID)
		if err != nil {
			return nil, newest, err
		}
		wr, err := s.wireRepository(tx, repo)
		if err != nil {
			return nil, newest, err
		}
		if snap.ArrivedAt >= newest.ArrivedAt {
			newest = snap
		}
		out = append(out, wire.Selection{Repository: wr, SnapshotID: snap.ResticID, Paths: p.Paths})
	}
	return out, newest, nil
}

// label gives each snapshot of an archive a folder of its own, named after the
// minute in which it arrived, by its plan's clock.
func (s *Service) label(tx *db.Tx, row restoreRow, parts []chosen, sel []wire.Selection) error {
	taken := map[string]bool{}
	for i, p := range parts {
		snap, err := db.One[snapshotRow](tx, policy.OneCustomer(row.CustomerID), "snapshot", p.Snapshot)
		if err != nil {
			return err
		}
		at, err := s.arrived(tx, snap)
		if err != nil {
			return err
		}
		name := at.Format("2006-01-02 15.04")
		for n := 2; taken[name]; n++ {
			name = fmt.Sprintf("%s (%d)", at.Format("2006-01-02 15.04"), n)
		}
		sel[i].Label, taken[name] = name, true
	}
	return nil
}

// restoreOf finds the restore that a job works for; ok is false where another
// job has taken its place, or it is over: then the job's end changes nothing.
func (s *Service) restoreOf(tx *db.Tx, job jobs.Job, in ...RestoreState) (row restoreRow, ok bool, err error) {
	if row, err = db.One[restoreRow](tx, policy.AllCustomers("job"), "restore", job.Subject); err != nil {
		return row, false, err
	}
	for _, state := range in {
		ok = ok || row.State == string(state)
	}
	return row, ok && (row.JobID == job.ID || job.Executor == jobs.Plane), nil
}

// doneDownload has the stored chunks checked before anybody may fetch them.
func (s *Service) doneDownload(tx *db.Tx, job jobs.Job) error {
	if err := s.closeUpload(tx, job.Subject); err != nil {
		return err
	}
	row, ok, err := s.restoreOf(tx, job, RestoreActive)
	if err != nil || !ok {
		return err
	}
	res, ok := jobs.Result[wire.DownloadResult](job)
	if !ok {
		return s.restoreEnded(tx, &row, job)
	}
	if !plausible(wire.Upload{Size: res.Size, SHA256: res.SHA256, Chunks: res.Chunks}) {
		return s.restoreFailed(tx, &row, string(wire.CauseDamaged))
	}
	row.Size, row.SHA256, row.Chunks, row.Files, row.Bytes = res.Size, res.SHA256, int64(res.Chunks), 1, res.Size
	row.TookMS = took(job)
	return s.check(tx, &row, "")
}

// doneArchive notes what is in an archive, and what is missing from it, and has
// it checked.
func (s *Service) doneArchive(tx *db.Tx, job jobs.Job) error {
	if err := s.closeUpload(tx, job.Subject); err != nil {
		return err
	}
	row, ok, err := s.restoreOf(tx, job, RestoreActive)
	if err != nil || !ok {
		return err
	}
	res, ok := jobs.Result[wire.ArchiveResult](job)
	if !ok {
		return s.restoreEnded(tx, &row, job)
	}
	if !plausible(res.Upload) {
		return s.restoreFailed(tx, &row, string(wire.CauseDamaged))
	}
	row.Size, row.SHA256, row.Chunks, row.Files, row.Bytes = res.Size, res.SHA256, int64(res.Chunks), figure(res.Files), figure(res.Bytes)
	row.TookMS = took(job)
	if err := s.noteMissing(tx, &row, res.Missing, res.MissingCount); err != nil {
		return err
	}
	return s.check(tx, &row, "")
}

// plausible reports whether an upload can be what a host says: it stands in
// clear and in the ledger before it is compared.
func plausible(u wire.Upload) bool {
	return u.Size >= 0 && u.Size == figure(u.Size) && hexSHA256.MatchString(u.SHA256) && u.Chunks == wire.ChunkCount(u.Size)
}

// figure is a number that a host says, kept to where sums of them stay numbers
// that the ledger takes.
func figure(n int64) int64 { return min(max(0, n), 1<<50) }

// noteMissing keeps what could not be read.
func (s *Service) noteMissing(tx *db.Tx, row *restoreRow, missing []wire.Problem, count int64) error {
	row.MissingCount = max(row.MissingCount, figure(count), int64(len(missing)))
	if len(missing) == 0 {
		return nil
	}
	contents, err := contentsOf(tx, policy.OneCustomer(row.CustomerID), row.ID)
	if err != nil || contents.RestoreID == "" {
		return err
	}
	missing = missing[:min(len(missing), wire.MaxProblems)]
	if contents.Missing, err = s.sealJSON(row.CustomerID, ad("restore_contents", "missing", row.ID), missing); err != nil {
		return err
	}
	return db.Save(tx, &contents)
}

// took is how long a job ran, in milliseconds.
func took(job jobs.Job) int64 {
	from := job.StartedAt
	if from.IsZero() {
		from = job.AcceptedAt
	}
	if from.IsZero() || job.FinishedAt.Before(from) {
		return 0
	}
	return job.FinishedAt.Sub(from).Milliseconds()
}

// verifyParams are those of the job that reads an upload back: of a list, or of
// the file or archive where List is "".
type verifyParams struct {
	List ChangeList `json:"list,omitempty"`
}

// verifyTimeout is enough to read back the largest archive from a slow disk.
const verifyTimeout = time.Hour

// check has what arrived read back and compared. A preview stays one while its
// list is checked.
func (s *Service) check(tx *db.Tx, row *restoreRow, list ChangeList) error {
	if list == "" {
		row.State = string(RestoreChecking)
	}
	if err := db.Save(tx, row); err != nil {
		return err
	}
	s.wakeRestore(tx, *row)
	_, err := s.jobs.Enqueue(tx, jobs.Spec{Kind: jobVerify, Executor: jobs.Plane, Server: row.ServerID, Customer: row.CustomerID, Resource: "restore:" + row.ID,
		Key: fmt.Sprintf("%s:%s:%d", jobVerify, row.ID, row.Round), Subject: row.ID, Params: verifyParams{List: list}, Timeout: verifyTimeout, MaxAttempts: 3, Title: "job.download_verify"})
	return err
}

// runVerify checks that what a host sent arrived whole.
func (s *Service) runVerify(ctx context.Context, job jobs.Job) (any, error) {
	var p verifyParams
	if err := json.Unmarshal(job.Params, &p); err != nil {
		return nil, fmt.Errorf("backups: verify: %w", err)
	}
	var row restoreRow
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		row, err = db.One[restoreRow](tx, policy.AllCustomers("job"), "restore", job.Subject)
		return err
	})
	if err != nil {
		return nil, err
	}
	if p.List == "" {
		return nil, s.checkUpload(ctx, row.ID, wire.Upload{Size: row.Size, SHA256: row.SHA256, Chunks: int(row.Chunks)})
	}
	t, err := tally(row.Preview)
	if err != nil || t == nil {
		return nil, err
	}
	return nil, s.checkUpload(ctx, t.Owner, t.List)
}

// doneVerify makes a download ready, and lets a restore on a server go on.
func (s *Service) doneVerify(tx *db.Tx, job jobs.Job) error {
	row, ok, err := s.restoreOf(tx, job, RestoreChecking, RestorePreviewing)
	if err != nil || !ok {
		return err
	}
	switch {
	case row.CancelAsked != 0 || job.State == jobs.Cancelled:
		return s.restoreCancelled(tx, &row)
	case job.State != jobs.Succeeded:
		return s.restoreFailed(tx, &row, string(wire.CauseDamaged))
	case RestoreState(row.State) == RestorePreviewing:
		return s.previewed(tx, &row)
	case RestoreKind(row.Kind) == RestoreInPlace:
		return s.goOn(tx, &row)
	}
	row.State, row.FinishedAt = string(RestoreReady), tx.NowMillis()
	row.ExpiresAt = tx.Now.Add(s.opts.KeepDownload).UnixMilli()
	if err := db.Save(tx, &row); err != nil {
		return err
	}
	if err := s.incomplete(tx, row); err != nil {
		return err
	}
	if err := s.tell(tx, row, controlplane.FromMillis(row.ExpiresAt)); err != nil {
		return err
	}
	return s.restoreEntry(tx, row, "restore.ready", nil, map[string]any{"restore_kind": row.Kind, "size": row.Size, "sha256": row.SHA256,
		"files": row.Files, "bytes": row.Bytes, "missing_count": row.MissingCount})
}

// incomplete says that a restore lacks something, and closes that once one of
// the same snapshot's repository lacks nothing.
func (s *Service) incomplete(tx *db.Tx, row restoreRow) error {
	snap, err := db.One[snapshotRow](tx, policy.AllCustomers("job"), "snapshot", row.SnapshotID)
	if err != nil {
		return err
	}
	key := findings.RestoreIncomplete + ":" + snap.RepositoryID
	if row.MissingCount == 0 {
		if row.Items <= 1 && RestoreKind(row.Kind) != RestoreArchive && RestoreKind(row.Kind) != RestoreInPlace {
			return nil // one file says nothing of the others
		}
		return s.findings.Close(tx, key, "a later restore of these backups was complete")
	}
	name, err := s.serverName(tx, row.ServerID)
	if err != nil {
		return err
	}
	return s.findings.Raise(tx, findings.Finding{Key: key, Customer: row.CustomerID, Server: row.ServerID, Subject: row.ID, Kind: findings.RestoreIncomplete,
		Severity: findings.Bad, Owner: findings.Ops, Link: "/servers/" + row.ServerID, Args: map[string]string{"server": name, "count": countOf(row.MissingCount, "file", "files")}})
}

// restoreEnded records a step whose job came to nothing: cancelled, or failed.
func (s *Service) restoreEnded(tx *db.Tx, row *restoreRow, job jobs.Job) error {
	if job.State == jobs.Cancelled || row.CancelAsked != 0 {
		return s.restoreCancelled(tx, row)
	}
	return s.restoreFailed(tx, row, causeOf(job))
}

// restoreCancelled records that a restore was stopped; FailureCause says why
// where it was not a person.
func (s *Service) restoreCancelled(tx *db.Tx, row *restoreRow) error {
	row.State, row.FinishedAt, row.CancelAsked = string(RestoreCancelled), tx.NowMillis(), 0
	s.sweepSoon(tx, row)
	if err := db.Save(tx, row); err != nil {
		return err
	}
	return s.restoreEntry(tx, *row, "restore.cancelled", nil, map[string]any{"restore_kind": row.Kind, "failure_cause": row.FailureCause})
}

// restoreFailed records a restore that came to nothing.
func (s *Service) restoreFailed(tx *db.Tx, row *restoreRow, cause string) error {
	row.State, row.FailureCause, row.FinishedAt, row.CancelAsked = string(RestoreFailed), cause, tx.NowMillis(), 0
	s.sweepSoon(tx, row)
	if err := db.Save(tx, row); err != nil {
		return err
	}
	if err := s.tell(tx, *row, controlplane.FromMillis(0)); err != nil {
		return err
	}
	return s.restoreEntry(tx, *row, "restore.failed", nil, map[string]any{"restore_kind": row.Kind, "failure_cause": cause})
}

// sweepSoon has the sweep delete what came of a restore that is over: at once,
// or when what was begun on the server can be taken back no more.
func (s *Service) sweepSoon(tx *db.Tx, row *restoreRow) {
	row.ExpiresAt = tx.NowMillis()
	if row.Touched != 0 {
		row.ExpiresAt = cmp.Or(row.UndoUntil, tx.Now.Add(s.opts.KeepSafety).UnixMilli())
		row.UndoUntil = row.ExpiresAt
	}
}
