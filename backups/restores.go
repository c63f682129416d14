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

// RestoreKind is where a restored file goes.
type RestoreKind string

// The kinds of restore.
const (
	RestoreDownload RestoreKind = "download" // to the person's browser
	RestorePutBack  RestoreKind = "put_back" // on the server, beside the original
)

// Valid reports whether k is a known kind.
func (k RestoreKind) Valid() bool { return k == RestoreDownload || k == RestorePutBack }

// RestoreState is how a restore stands.
type RestoreState string

// The states of a restore. A download is checked after its last chunk has come
// and can be fetched only when it is ready.
const (
	RestoreActive   RestoreState = "active"
	RestoreChecking RestoreState = "checking"
	RestoreReady    RestoreState = "ready" // a download can be fetched; a file is back on the server
	RestoreFailed   RestoreState = "failed"
	RestoreExpired  RestoreState = "expired"
)

// Valid reports whether s is a known state.
func (s RestoreState) Valid() bool {
	switch s {
	case RestoreActive, RestoreChecking, RestoreReady, RestoreFailed, RestoreExpired:
		return true
	}
	return false
}

// Restore is one file on its way out of a snapshot.
type Restore struct {
	ID, Customer, Server, Snapshot, Job string
	Kind                                RestoreKind
	State                               RestoreState
	Path                                []byte // in the snapshot, raw bytes
	Target                              []byte // on the server, for put_back
	Size                                int64
	SHA256                              string // hex; "" until known
	Chunks                              int
	FailureCause                        string
	CreatedBy                           string
	CreatedAt, FinishedAt, ExpiresAt    time.Time
	FetchedAt                           time.Time
}

// Name is the file's own name.
func (r Restore) Name() string { return path.Base(string(r.Path)) }

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
