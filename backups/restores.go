package backups

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/jobs"
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

// openRestore opens what is sealed in a row.
func (s *Service) openRestore(row restoreRow) (Restore, error) {
	r := Restore{ID: row.ID, Customer: row.CustomerID, Server: row.ServerID, Snapshot: row.SnapshotID, Job: row.JobID,
		Kind: RestoreKind(row.Kind), State: RestoreState(row.State), Items: int(row.Items),
		TargetServer: row.TargetServerID, Placement: wire.Placement(row.Placement), Conflict: wire.Conflict(row.Conflict), Special: row.Special != 0,
		Format: wire.ArchiveFormat(row.Format), Label: row.Label, Size: row.Size, SHA256: row.SHA256, Chunks: int(row.Chunks),
		Files: row.Files, Bytes: row.Bytes, MissingCount: row.MissingCount, FailureCause: row.FailureCause, UndoFailure: row.UndoFailure,
		Resumable: row.resumable(), UndoUntil: controlplane.FromMillis(row.UndoUntil), CancelAsked: row.CancelAsked != 0 && !RestoreState(row.State).Over(), MailMe: row.MailMe != 0,
		CreatedBy: row.CreatedBy, ConfirmedBy: row.ConfirmedBy, CreatedAt: controlplane.FromMillis(row.CreatedAt),
		FinishedAt: controlplane.FromMillis(row.FinishedAt), ExpiresAt: controlplane.FromMillis(row.ExpiresAt),
		ConfirmedAt: controlplane.FromMillis(row.ConfirmedAt), FetchedAt: controlplane.FromMillis(row.FetchedAt)}
	if row.Files == 0 && row.Result == "" {
		r.Bytes = 0 // an estimate, by which room is kept
	}
	var err error
	if r.Path, err = s.keeper.Open(row.CustomerID, ad("restores", "path", row.ID), row.Path); err != nil {
		return r, fmt.Errorf("backups: restore: %w", err)
	}
	if r.Target, err = s.keeper.Open(row.CustomerID, ad("restores", "target", row.ID), row.Target); err != nil {
		return r, fmt.Errorf("backups: restore: %w", err)
	}
	for _, t := range []struct {
		text string
		into **Tally
	}{{row.Preview, &r.Preview}, {row.Result, &r.Result}, {row.Undo, &r.Undo}} {
		if *t.into, err = tally(t.text); err != nil {
			return r, err
		}
	}
	return r, nil
}

// resumable reports whether an apply stopped in the middle and can go on.
func (r restoreRow) resumable() bool {
	return RestoreKind(r.Kind) == RestoreInPlace && RestoreState(r.State) == RestoreFailed && r.Touched != 0 && r.Result == ""
}

// tally reads a Tally as it is stored; "" is none.
func tally(text string) (*Tally, error) {
	if text == "" {
		return nil, nil
	}
	var t Tally
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		return nil, fmt.Errorf("backups: restore: figures: %w", err)
	}
	return &t, nil
}

// tallyText writes what a host said of a step as a Tally. An act that is not
// known is left out of the figures; so is what is below zero.
func tallyText(c wire.Changes, owner string) (string, error) {
	t := Tally{Counts: map[wire.Act]int64{}, Bytes: figure(c.Bytes), FreeBytes: figure(c.FreeBytes), SafetyBytes: figure(c.SafetyBytes), MissingCount: figure(c.MissingCount), List: c.Upload, Owner: owner}
	if !plausible(t.List) {
		t.List = wire.Upload{} // there is none to be read
	}
	for act, n := range c.Counts {
		if act.Valid() && n > 0 {
			t.Counts[act] = figure(n)
		}
	}
	text, err := json.Marshal(t)
	if err != nil {
		return "", fmt.Errorf("backups: figures: %w", err)
	}
	return string(text), nil
}

// restoreValues opens rows and puts their assists to them.
func (s *Service) restoreValues(rows []restoreRow, assists map[string]Assist) ([]Restore, error) {
	out := make([]Restore, len(rows))
	for i, row := range rows {
		r, err := s.openRestore(row)
		if err != nil {
			return nil, err
		}
		if a, ok := assists[row.AssistID]; ok {
			r.Assist = &a
		}
		out[i] = r
	}
	return out, nil
}

// assistsOf finds the assists that restores were made under.
func (s *Service) assistsOf(tx *db.Tx, rows []restoreRow) (map[string]Assist, error) {
	out := map[string]Assist{}
	for _, r := range rows {
		if _, known := out[r.AssistID]; known || r.AssistID == "" {
			continue
		}
		row, err := db.One[assistRow](tx, policy.OneCustomer(r.CustomerID), "assist", r.AssistID)
		if err != nil {
			return nil, err
		}
		if out[row.ID], err = s.openAssistRow(row); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Restore returns one restore. Permission: restore.run. It changes with the
// topic "restore:<id>".
func (s *Service) Restore(ctx context.Context, scope policy.Scope, id string) (Restore, error) {
	var row restoreRow
	var contents contentsRow
	var assists map[string]Assist
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		if row, err = db.One[restoreRow](tx, scope, "restore", id); err != nil {
			return err
		}
		if contents, err = contentsOf(tx, scope, id); err != nil {
			return err
		}
		assists, err = s.assistsOf(tx, []restoreRow{row})
		return err
	})
	if err != nil {
		return Restore{}, err
	}
	out, err := s.restoreValues([]restoreRow{row}, assists)
	if err != nil {
		return Restore{}, err
	}
	r := out[0]
	if len(contents.Missing) > 0 {
		if err := s.openJSON(row.CustomerID, ad("restore_contents", "missing", row.ID), contents.Missing, &r.Missing); err != nil {
			return r, err
		}
	}
	return r, nil
}

// RestoreItems returns everything that was chosen for a restore, without sizes.
// Permission: restore.run.
func (s *Service) RestoreItems(ctx context.Context, scope policy.Scope, id string) ([]Pick, error) {
	var parts []chosen
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		row, err := db.One[restoreRow](tx, scope, "restore", id)
		if err != nil {
			return err
		}
		parts, err = s.chosenOf(tx, row)
		return err
	})
	var out []Pick
	for _, c := range parts {
		for i, p := range c.Paths {
			pick := Pick{Snapshot: c.Snapshot, Path: p, Size: -1}
			if i < len(c.Of) && len(c.Of[i]) > 0 {
				pick.Chosen = c.Of[i]
			}
			out = append(out, pick)
		}
	}
	return out, err
}

// Restores lists the newest restores of the scope (at most limit). Permission: restore.run.
func (s *Service) Restores(ctx context.Context, scope policy.Scope, limit int) ([]Restore, error) {
	var rows []restoreRow
	var assists map[string]Assist
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		if rows, err = db.Where[restoreRow](tx, scope, "created_at DESC, id DESC", limit, "1 = 1"); err != nil {
			return err
		}
		assists, err = s.assistsOf(tx, rows)
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.restoreValues(rows, assists)
}

// RestoreJobs returns the jobs of a restore, newest first, without their
// parameters and results: for rate and time left. Permission: restore.run.
func (s *Service) RestoreJobs(ctx context.Context, scope policy.Scope, id string) ([]jobs.Job, error) {
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		_, err := db.One[restoreRow](tx, scope, "restore", id)
		return err
	})
	if err != nil {
		return nil, err
	}
	items, _, err := s.jobs.List(ctx, scope, jobs.Filter{Subject: id})
	return items, err
}
