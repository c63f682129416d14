package backups

import (
	"context"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/jobs"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// RestoreKind is where restored files go.
type RestoreKind string

// The kinds of restore.
const (
	RestoreDownload RestoreKind = "download" // one file, to the person's browser
	RestorePutBack  RestoreKind = "put_back" // one file on the server, beside the original, without a preview
	RestoreArchive  RestoreKind = "archive"  // files and folders, to the person's browser as one archive
	RestoreInPlace  RestoreKind = "in_place" // files and folders on a server, after a preview
)

// Valid reports whether k is a known kind.
func (k RestoreKind) Valid() bool {
	return k == RestoreDownload || k == RestorePutBack || k == RestoreArchive || k == RestoreInPlace
}

// OnServer reports whether the files go to a server and not to a browser.
func (k RestoreKind) OnServer() bool { return k == RestorePutBack || k == RestoreInPlace }

// RestoreState is how a restore stands.
type RestoreState string

// The states of a restore, by its kind:
//
//	download, archive: active → checking → ready → expired
//	put_back:          active → ready
//	in_place:          [active → checking →] previewing → previewed → applying → ready
//
// In brackets: only to another server, for the archive that the source sends
// here. Of put_back and in_place, ready → undoing → undone. Any of them may end
// failed or cancelled; a preview that nobody confirmed ends expired.
const (
	RestoreActive     RestoreState = "active"
	RestoreChecking   RestoreState = "checking"   // what came is read back and compared
	RestorePreviewing RestoreState = "previewing" // the server finds out what would change
	RestorePreviewed  RestoreState = "previewed"  // waits for a person: ConfirmRestore until Restore.ExpiresAt
	RestoreApplying   RestoreState = "applying"   // the files are put on the server
	RestoreReady      RestoreState = "ready"      // a download can be fetched; files are on the server
	RestoreUndoing    RestoreState = "undoing"
	RestoreUndone     RestoreState = "undone"
	RestoreFailed     RestoreState = "failed"
	RestoreCancelled  RestoreState = "cancelled"
	RestoreExpired    RestoreState = "expired" // a download was deleted, or a preview not confirmed in time
)

// Valid reports whether s is a known state.
func (s RestoreState) Valid() bool {
	return s.Busy() || s.Over() || s == RestorePreviewed
}

// Busy reports whether a job is at work for the restore.
func (s RestoreState) Busy() bool {
	switch s {
	case RestoreActive, RestoreChecking, RestorePreviewing, RestoreApplying, RestoreUndoing:
		return true
	}
	return false
}

// Over reports whether nothing more happens unless a person asks for it.
func (s RestoreState) Over() bool {
	switch s {
	case RestoreReady, RestoreUndone, RestoreFailed, RestoreCancelled, RestoreExpired:
		return true
	}
	return false
}

// Restore is files on their way out of snapshots.
type Restore struct {
	// Job is the job at work now, or the latest one; RestoreJobs has all.
	// Server is the source, Snapshot the (first) one that was chosen from.
	ID, Customer, Server, Snapshot, Job string
	Kind                                RestoreKind
	State                               RestoreState
	Path                                []byte // the (first) thing chosen, in the snapshot, raw bytes
	Items                               int    // how many files and folders were chosen
	// Of put_back and in_place. Target is the file on the server for put_back,
	// the folder for in_place with PlaceFolder, else empty.
	TargetServer string
	Target       []byte
	Placement    wire.Placement
	Conflict     wire.Conflict
	Special      bool // set-user-id bits and devices are kept
	// Format and Label are an archive's: "shop-1 2026-11-18".
	Format wire.ArchiveFormat
	Label  string
	// Size, SHA256 (hex) and Chunks are those of the file or archive as it is
	// fetched; of put_back those of the file.
	Size   int64
	SHA256 string
	Chunks int
	// Files and Bytes are what an archive holds, unpacked, or what was written.
	Files, Bytes int64
	// MissingCount is how much of what was asked for could not be read. Missing
	// are the first of it (at most wire.MaxProblems); only Service.Restore fills it.
	MissingCount int64
	Missing      []wire.Problem
	// Preview, Result and Undo are the figures of the steps on the server, nil
	// until a step is done. Service.Changes has what they count.
	Preview, Result, Undo *Tally
	FailureCause          string // a wire.Cause, or jobs.CauseOf's
	// UndoFailure is why the latest undo came to nothing, "" where none did.
	UndoFailure string
	// Resumable: an apply failed in the middle; ConfirmRestore goes on with it.
	Resumable bool
	// UndoUntil is until when UndoRestore can take it back (the safety copy is
	// kept until then); zero where there is nothing to take back.
	UndoUntil time.Time
	// CancelAsked: the server was asked to stop and has not answered yet.
	CancelAsked                      bool
	MailMe                           bool
	CreatedBy, ConfirmedBy           string // ids of persons
	CreatedAt, FinishedAt, ExpiresAt time.Time
	ConfirmedAt, FetchedAt           time.Time
	// Assist is under which staff restored it, nil where a contact did.
	Assist *Assist
}

// Tally is what a step on the server came to, in figures.
type Tally struct {
	Counts       map[wire.Act]int64 `json:"counts"`
	Bytes        int64              `json:"bytes"`        // that are, or would be, written
	FreeBytes    int64              `json:"free_bytes"`   // where they go; of a preview
	SafetyBytes  int64              `json:"safety_bytes"` // of the safety copy
	MissingCount int64              `json:"missing_count"`
	// List is the complete list of changes, Owner the upload that it is.
	List  wire.Upload `json:"list"`
	Owner string      `json:"owner"`
}

// Total is how many changes there are in the list.
func (t Tally) Total() (n int64) {
	for _, c := range t.Counts {
		n += c
	}
	return n
}

// Changing is how many of them change something on the server.
func (t Tally) Changing() int64 {
	return t.Counts[wire.ActCreate] + t.Counts[wire.ActReplace] + t.Counts[wire.ActBeside]
}

// Incomplete reports whether something that was asked for is missing from it.
func (r Restore) Incomplete() bool { return r.MissingCount > 0 }

// Fetchable reports whether it is fetched from us (Service.OpenDownload), once
// it is ready.
func (r Restore) Fetchable() bool { return r.Kind == RestoreDownload || r.Kind == RestoreArchive }

// CanCancel reports whether CancelRestore may stop it now.
func (r Restore) CanCancel() bool {
	return (r.State.Busy() || r.State == RestorePreviewed) && !r.CancelAsked
}

// CanUndo reports whether UndoRestore may take it back at an instant.
func (r Restore) CanUndo(now time.Time) bool {
	return r.State.Over() && r.State != RestoreUndone && r.UndoUntil.After(now)
}

// Name is the name of what is fetched: the file's own, or the archive's
// ("shop-1 2026-11-18.zip", "…-INCOMPLETE.zip" where something is missing from
// it). Of in_place it is the name of the first thing that was chosen.
func (r Restore) Name() string {
	if r.Kind != RestoreArchive {
		return path.Base(string(r.Path))
	}
	name := r.Label
	if r.Incomplete() {
		name += "-INCOMPLETE"
	}
	return name + "." + string(r.Format)
}

func (s *Service) restoreValue(row restoreRow) (Restore, error) {
	r := Restore{ID: row.ID, Customer: row.CustomerID, Server: row.ServerID, Snapshot: row.SnapshotID, Job: row.JobID,
		Kind: RestoreKind(row.Kind), State: RestoreState(row.State), Size: row.Size, SHA256: row.SHA256, Chunks: int(row.Chunks),
		FailureCause: row.FailureCause, CreatedBy: row.CreatedBy, CreatedAt: controlplane.FromMillis(row.CreatedAt),
		FinishedAt: controlplane.FromMillis(row.FinishedAt), ExpiresAt: controlplane.FromMillis(row.ExpiresAt), FetchedAt: controlplane.FromMillis(row.FetchedAt)}
	var err error
	if r.Path, err = s.keeper.Open(row.CustomerID, ad("restores", "path", row.ID), row.Path); err != nil {
		return r, fmt.Errorf("backups: restore: %w", err)
	}
	if r.Target, err = s.keeper.Open(row.CustomerID, ad("restores", "target", row.ID), row.Target); err != nil {
		return r, fmt.Errorf("backups: restore: %w", err)
	}
	return r, nil
}

// StartDownload has one file of a snapshot fetched for the person's browser.
// Permission: restore.run.
func (s *Service) StartDownload(ctx context.Context, scope policy.Scope, snapshot string, file []byte) (Restore, error) {
	return s.startRestore(ctx, scope, RestoreDownload, snapshot, file)
}

// StartPutBack has one file of a snapshot put on the server, beside the
// original under the name that PutBackName gives. Permission: restore.run.
func (s *Service) StartPutBack(ctx context.Context, scope policy.Scope, snapshot string, file []byte) (Restore, error) {
	return s.startRestore(ctx, scope, RestorePutBack, snapshot, file)
}

// PutBackName is the name under which a file comes back beside the original:
// "plan.ods" of 20 November 02:14 UTC becomes "plan.restored-20261120-0214.ods".
func PutBackName(file []byte, arrived time.Time) []byte {
	name := path.Base(string(file))
	ext := path.Ext(name)
	if ext == name { // .htaccess
		ext = ""
	}
	return []byte(strings.TrimSuffix(name, ext) + ".restored-" + arrived.UTC().Format("20060102-1504") + ext)
}

func (s *Service) startRestore(ctx context.Context, scope policy.Scope, kind RestoreKind, snapshot string, file []byte) (Restore, error) {
	file = cleanPath(file)
	if string(file) == "/" || strings.ContainsRune(string(file), 0) {
		return Restore{}, controlplane.Invalid(controlplane.Field{Pointer: "/path", Message: "Choose one file of the snapshot."})
	}
	a, _ := controlplane.ActorFrom(ctx)
	row := restoreRow{ID: controlplane.NewID(controlplane.PrefixRestore), Kind: string(kind), State: string(RestoreActive), CreatedBy: a.ID}
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		snap, err := one[snapshotRow](tx, scope, "snapshot", snapshot)
		if err != nil {
			return err
		}
		if err := s.mayRestore(tx, snap.CustomerID); err != nil {
			return err
		}
		row.CustomerID, row.ServerID, row.SnapshotID, row.CreatedAt = snap.CustomerID, snap.ServerID, snap.ID, tx.NowMillis()
		target := []byte{}
		if kind == RestorePutBack {
			target = []byte(path.Join(path.Dir(string(file)), string(PutBackName(file, controlplane.FromMillis(snap.ArrivedAt)))))
		}
		if row.Path, err = s.keeper.Seal(row.CustomerID, ad("restores", "path", row.ID), file); err != nil {
			return fmt.Errorf("backups: restore: %w", err)
		}
		if row.Target, err = s.keeper.Seal(row.CustomerID, ad("restores", "target", row.ID), target); err != nil {
			return fmt.Errorf("backups: restore: %w", err)
		}
		spec, err := s.restoreSpec(tx, snap, row, file)
		if err != nil {
			return err
		}
		job, err := s.jobs.Enqueue(tx, spec)
		if err != nil {
			return err
		}
		row.JobID = job.ID
		if err := insert(tx, &row); err != nil {
			return err
		}
		if kind == RestoreDownload {
			if err := s.expectUpload(tx, job, row.ID); err != nil {
				return err
			}
		}
		return s.restoreEntry(tx, row, "restore.requested", file, map[string]any{"restore_kind": string(kind), "snapshot": snap.ID})
	})
	if err != nil {
		return Restore{}, err
	}
	return s.restoreValue(row)
}

const (
	maxRestores = 20  // of one customer under way
	maxKept     = 200 // downloads of one customer that are kept
	keptFiles   = 4   // how many of the largest files they may be as large as together
)

// mayRestore refuses where a customer has enough under way, or so much kept
// that others would have no room.
func (s *Service) mayRestore(tx *db.Tx, customer string) error {
	rows, err := where[restoreRow](tx, policy.OneCustomer(customer), "id", maxKept+maxRestores, "state IN ? AND NOT (kind = ? AND state = ?)",
		[]string{string(RestoreActive), string(RestoreChecking), string(RestoreReady)}, string(RestorePutBack), string(RestoreReady))
	if err != nil {
		return err
	}
	var open, kept, bytes int64
	for _, r := range rows {
		if RestoreState(r.State) == RestoreReady {
			kept++
			bytes += r.Size
		} else {
			open++
		}
	}
	switch {
	case open >= maxRestores:
		return controlplane.Errorf(controlplane.CodeTooMany, "Wait until one of them is done, or cancel one.", "%d files are on their way already", open)
	case kept >= maxKept || bytes >= keptFiles*s.opts.MaxDownload:
		return controlplane.Errorf(controlplane.CodeTooMany, "Wait until one of them is deleted, a day after it was made, or put the file back on the server.", "There is no more room for your downloads")
	}
	return nil
}

func (s *Service) restoreSpec(tx *db.Tx, snap snapshotRow, row restoreRow, file []byte) (jobs.Spec, error) {
	repo, err := one[repositoryRow](tx, policy.OneCustomer(snap.CustomerID), "repository", snap.RepositoryID)
	if err != nil {
		return jobs.Spec{}, err
	}
	wr, err := s.wireRepository(tx, repo)
	if err != nil {
		return jobs.Spec{}, err
	}
	spec := jobs.Spec{Executor: jobs.Agent, Server: snap.ServerID, Customer: snap.CustomerID, Resource: "restore:" + row.ID, Subject: row.ID,
		Key: "restore:" + row.ID, ExpiresAt: tx.Now.Add(time.Hour), Timeout: 6 * time.Hour}
	if RestoreKind(row.Kind) == RestoreDownload {
		spec.Kind, spec.MaxAttempts, spec.Title = string(wire.ActionDownload), 3, "job.download"
		spec.Params = wire.DownloadParams{Repository: wr, SnapshotID: snap.ResticID, Path: file, MaxBytes: s.opts.MaxDownload}
		return spec, nil
	}
	ten, err := s.customers.TenancyIn(tx, policy.OneCustomer(snap.CustomerID), repo.TenancyID)
	if err != nil {
		return spec, fmt.Errorf("backups: bounds: %w", err)
	}
	if !ten.Covers(string(file)) {
		return spec, controlplane.Invalid(controlplane.Field{Pointer: "/path", Message: "This file lies outside your folders on the server: it can be downloaded, not put back."})
	}
	spec.Kind, spec.MaxAttempts, spec.Title = string(wire.ActionPutBack), 1, "job.put_back"
	spec.Params = wire.PutBackParams{Repository: wr, SnapshotID: snap.ResticID, Path: file,
		TargetName: PutBackName(file, controlplane.FromMillis(snap.ArrivedAt)), Bounds: ten.Paths}
	return spec, nil
}

// restoreEntry enters a step of a restore in the ledger; the path is personal.
func (s *Service) restoreEntry(tx *db.Tx, row restoreRow, kind string, file []byte, data map[string]any) error {
	e := ledger.Entry{Customer: row.CustomerID, Server: row.ServerID, Subject: row.ID, Kind: kind, Data: data}
	if file != nil {
		e.Personal = map[string]string{"path": Shown(file)}
	}
	tx.AfterCommit(func() { s.opts.Bus.Publish("restore:"+row.ID, "server:"+row.ServerID) })
	_, err := s.ledger.Append(tx, e)
	return err
}

// Shown is a path as text: itself where it is valid UTF-8, else quoted as a Go
// string literal without its quotes, so that every byte can be told.
func Shown(p []byte) string {
	if utf8.Valid(p) {
		return string(p)
	}
	q := strconv.Quote(string(p))
	return q[1 : len(q)-1]
}

// Restore returns one restore. Permission: restore.run.
func (s *Service) Restore(ctx context.Context, scope policy.Scope, id string) (Restore, error) {
	var row restoreRow
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		row, err = one[restoreRow](tx, scope, "restore", id)
		return err
	})
	if err != nil {
		return Restore{}, err
	}
	return s.restoreValue(row)
}

// Restores lists the newest restores of the scope (at most limit). Permission: restore.run.
func (s *Service) Restores(ctx context.Context, scope policy.Scope, limit int) ([]Restore, error) {
	var rows []restoreRow
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		rows, err = where[restoreRow](tx, scope, "created_at DESC, id DESC", limit, "1 = 1")
		return err
	})
	if err != nil {
		return nil, err
	}
	out := make([]Restore, len(rows))
	for i, r := range rows {
		if out[i], err = s.restoreValue(r); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// restoreFailed records a restore that came to nothing.
func (s *Service) restoreFailed(tx *db.Tx, row *restoreRow, cause string) error {
	row.State, row.FailureCause, row.FinishedAt = string(RestoreFailed), cause, tx.NowMillis()
	if row.Kind == string(RestoreDownload) {
		row.ExpiresAt = tx.NowMillis() // the sweep deletes the chunks that came
	}
	if err := save(tx, row); err != nil {
		return err
	}
	return s.restoreEntry(tx, *row, "restore.failed", nil, map[string]any{"restore_kind": row.Kind, "failure_cause": cause})
}

// donePutBack records where the file is now.
func (s *Service) donePutBack(tx *db.Tx, job jobs.Job) error {
	row, err := one[restoreRow](tx, policy.AllCustomers("job"), "restore", job.Subject)
	if err != nil {
		return err
	}
	res, ok := result[wire.PutBackResult](job)
	if !ok {
		return s.restoreFailed(tx, &row, causeOf(job))
	}
	row.State, row.Size, row.SHA256, row.FinishedAt = string(RestoreReady), res.Size, res.SHA256, tx.NowMillis()
	if row.Target, err = s.keeper.Seal(row.CustomerID, ad("restores", "target", row.ID), res.Path); err != nil {
		return fmt.Errorf("backups: put back: %w", err)
	}
	if err := save(tx, &row); err != nil {
		return err
	}
	return s.restoreEntry(tx, row, "restore.put_back", res.Path, map[string]any{"size": res.Size, "sha256": res.SHA256})
}
