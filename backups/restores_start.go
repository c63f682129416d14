package backups

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/bus"
	"ostler/controlplane/db"
	"ostler/controlplane/jobs"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
	"ostler/controlplane/secrets"
)

// StartDownload has one file of a snapshot fetched for the person's browser.
// Permission: restore.run; staff by an open assist only.
func (s *Service) StartDownload(ctx context.Context, scope policy.Scope, snapshot string, file []byte) (Restore, error) {
	return s.startOne(ctx, scope, RestoreDownload, snapshot, file)
}

// StartPutBack has one file of a snapshot put on the server without asking
// again: where a file is in its place it goes beside it, under the name that
// PutBackName gives; nothing is overwritten. Permission: restore.run; staff by
// an open assist only.
func (s *Service) StartPutBack(ctx context.Context, scope policy.Scope, snapshot string, file []byte) (Restore, error) {
	return s.startOne(ctx, scope, RestorePutBack, snapshot, file)
}

// PutBackName is the name under which a file comes back beside the original:
// "plan.ods" of 20 November 02:14 UTC becomes "plan.restored-20261120-0214.ods".
func PutBackName(file []byte, arrived time.Time) []byte {
	name := path.Base(string(file))
	ext := path.Ext(name)
	if ext == name { // .htaccess
		ext = ""
	}
	return []byte(strings.TrimSuffix(name, ext) + besideSuffix(arrived) + ext)
}

// besideSuffix goes between name and extension of what is put beside.
func besideSuffix(arrived time.Time) string {
	return ".restored-" + arrived.UTC().Format("20060102-1504")
}

// startOne starts the restore of one file.
func (s *Service) startOne(ctx context.Context, scope policy.Scope, kind RestoreKind, snapshot string, file []byte) (Restore, error) {
	var rows []restoreRow
	here, bytes := kind == RestoreDownload, int64(0)
	if here {
		known, err := s.looked(ctx, scope, []Pick{{Snapshot: snapshot, Path: file, Size: -1}})
		if err != nil {
			return Restore{}, err
		}
		bytes = max(0, known[0].Size)
	}
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		rows = nil
		snap, err := db.One[snapshotRow](tx, scope, "snapshot", snapshot)
		if err != nil {
			return err
		}
		if file, err = pickable(file); err != nil {
			return err
		}
		if snap.GoneAt != 0 {
			return snapshotIsGone()
		}
		assist, err := s.restorer(tx, scope, snap.CustomerID)
		if err != nil {
			return err
		}
		if err := s.mayRestore(tx, snap.CustomerID, here, bytes); err != nil {
			return err
		}
		row, err := s.startFile(tx, kind, part{snap: snap, paths: [][]byte{file}, bytes: bytes}, assist, false)
		rows = []restoreRow{row}
		return err
	})
	if err != nil {
		return Restore{}, err
	}
	return s.Restore(ctx, scope, rows[0].ID)
}

// startFile makes the restore of one file, and its job.
func (s *Service) startFile(tx *db.Tx, kind RestoreKind, p part, assist assistRow, mailMe bool) (restoreRow, error) {
	snap, file := p.snap, p.paths[0]
	target := []byte{}
	if kind == RestorePutBack {
		target = []byte(path.Join(path.Dir(string(file)), string(PutBackName(file, controlplane.FromMillis(snap.ArrivedAt)))))
	}
	row, err := s.newRestore(tx, kind, []part{p}, target, assist, mailMe)
	if err != nil {
		return row, err
	}
	if kind == RestorePutBack {
		row.TargetServerID, row.Placement, row.Conflict = snap.ServerID, string(wire.PlaceOriginal), string(wire.ConflictBeside)
		bounds, err := s.boundsOn(tx, snap.CustomerID, snap.ServerID)
		if err != nil {
			return row, err
		}
		if outside(bounds, file) {
			return row, controlplane.Invalid(controlplane.Field{Pointer: "/path", Message: "This file lies outside your folders on the server: it can be downloaded, not put back."})
		}
		err = s.begin(tx, &row, nil, func() error { return s.enqueueApply(tx, &row, bounds) })
		return row, err
	}
	err = s.begin(tx, &row, nil, func() error {
		sel, _, err := s.selections(tx, row, []chosen{{Snapshot: snap.ID, Paths: p.paths}})
		if err != nil {
			return err
		}
		params := wire.DownloadParams{Repository: sel[0].Repository, SnapshotID: sel[0].SnapshotID, Path: file, MaxBytes: s.opts.MaxDownload}
		return s.enqueueStep(tx, &row, step{action: wire.ActionDownload, server: row.ServerID, title: "job.download", params: params, owner: row.ID})
	})
	return row, err
}

// newRestore makes a row with what every kind has. Its job is still to come.
func (s *Service) newRestore(tx *db.Tx, kind RestoreKind, parts []part, target []byte, assist assistRow, mailMe bool) (row restoreRow, err error) {
	a, _ := controlplane.ActorFrom(tx.Context())
	snap := parts[0].snap
	row = restoreRow{ID: controlplane.NewID(controlplane.PrefixRestore), Kind: string(kind), State: string(RestoreActive), CreatedBy: a.ID,
		CustomerID: snap.CustomerID, ServerID: snap.ServerID, SnapshotID: snap.ID, CreatedAt: tx.NowMillis()}
	row.AssistID = assist.ID
	if mailMe {
		row.MailMe = 1
	}
	for _, p := range parts {
		row.Items += int64(len(p.paths))
		row.Bytes = figure(row.Bytes + p.bytes) // until it is known
	}
	if row.Path, err = s.keeper.Seal(row.CustomerID, ad("restores", "path", row.ID), parts[0].paths[0]); err != nil {
		return row, fmt.Errorf("backups: restore: %w", err)
	}
	if row.Target, err = s.keeper.Seal(row.CustomerID, ad("restores", "target", row.ID), target); err != nil {
		return row, fmt.Errorf("backups: restore: %w", err)
	}
	return row, nil
}

// begin stores a new restore: first sets its job going (which fills JobID), the
// row and what was chosen follow, and the entry that it was asked for.
func (s *Service) begin(tx *db.Tx, row *restoreRow, parts []part, first func() error) error {
	row.JobID = row.ID // until the job has an id: the column is unique
	if err := db.Insert(tx, row); err != nil {
		return err
	}
	if parts != nil {
		contents := contentsRow{RestoreID: row.ID, CustomerID: row.CustomerID}
		var err error
		if contents.Selection, err = s.sealJSON(row.CustomerID, ad("restore_contents", "selection", row.ID), chosenParts(parts)); err != nil {
			return err
		}
		if err := db.Insert(tx, &contents); err != nil {
			return err
		}
	}
	if err := first(); err != nil {
		return err
	}
	if err := db.Save(tx, row); err != nil {
		return err
	}
	file, err := s.keeper.Open(row.CustomerID, ad("restores", "path", row.ID), row.Path)
	if err != nil {
		return fmt.Errorf("backups: restore: %w", err)
	}
	data := map[string]any{"restore_kind": row.Kind, "snapshot": row.SnapshotID, "items": row.Items}
	if row.TargetServerID != "" && row.TargetServerID != row.ServerID {
		data["from_server"] = row.ServerID
	}
	return s.restoreEntry(tx, *row, "restore.requested", file, data)
}

const (
	maxRestores = 20  // of one customer under way
	maxKept     = 200 // downloads of one customer that are kept
	keptFiles   = 4   // how many of the largest files they may be as large as together
)

// mayRestore refuses where a customer has enough under way, or so much kept
// that others would have no room. here says that what is restored is kept here
// for a while, and bytes how much that is, as far as it is known.
func (s *Service) mayRestore(tx *db.Tx, customer string, here bool, bytes int64) error {
	l, err := restoreLoad(tx, customer)
	room := keptFiles*s.opts.MaxDownload - l.Bytes
	switch {
	case err != nil:
		return err
	case l.Open >= maxRestores:
		return controlplane.Errorf(controlplane.CodeTooMany, "Wait until one of them is done, or cancel one.", "%d restores are on their way already", l.Open)
	case here && (l.Kept >= maxKept || room <= 0 || bytes > room):
		return controlplane.Errorf(controlplane.CodeTooMany, "Choose less, put the files on the server that they are from, or wait: each download is deleted a day after it was made.", "There is no more room for your downloads")
	}
	return nil
}

// step is one job of a restore for a host.
type step struct {
	action wire.Action
	server string
	title  string
	params any
	// The host sends an upload: of an owner, or the list that has the name.
	owner string
	list  ChangeList
}

const (
	stepExpiry  = time.Hour
	stepTimeout = 6 * time.Hour
)

// enqueueStep queues a step's job, lets its host send its upload, and notes it
// as the restore's. The row is saved by the caller.
func (s *Service) enqueueStep(tx *db.Tx, row *restoreRow, st step) error {
	if st.list != "" {
		var err error
		if st.owner, err = listOwner(tx, *row, st.list); err != nil {
			return err
		}
	}
	row.Round++
	job, err := s.jobs.Enqueue(tx, jobs.Spec{Kind: string(st.action), Executor: jobs.Agent, Server: st.server, Customer: row.CustomerID, Resource: "restore:" + row.ID,
		Subject: row.ID, Key: fmt.Sprintf("restore:%s:%d", row.ID, row.Round), ExpiresAt: tx.Now.Add(stepExpiry), Timeout: stepTimeout, MaxAttempts: 3,
		Title: st.title, Params: st.params})
	if err != nil {
		return err
	}
	row.JobID = job.ID
	return s.expectUpload(tx, job, st.owner)
}

// restoreEntry enters a step of a restore in the ledger; the path is personal.
// What staff do carries the assist that they do it under.
func (s *Service) restoreEntry(tx *db.Tx, row restoreRow, kind string, file []byte, data map[string]any) error {
	e := ledger.Entry{Customer: row.CustomerID, Server: row.ServerID, Subject: row.ID, Kind: kind, Data: data, Personal: map[string]string{}}
	if row.TargetServerID != "" {
		e.Server = row.TargetServerID
	}
	if file != nil {
		e.Personal["path"] = Shown(file)
	}
	if row.AssistID != "" {
		assist, err := db.One[assistRow](tx, policy.OneCustomer(row.CustomerID), "assist", row.AssistID)
		if err != nil {
			return err
		}
		if e.Data == nil {
			e.Data = map[string]any{}
		}
		e.Data["assist"], e.Data["ticket"] = assist.ID, assist.Ticket
		if kind == "restore.requested" {
			a, err := s.openAssistRow(assist)
			if err != nil {
				return err
			}
			e.Personal["reason"] = a.Reason
		}
	}
	s.wakeRestore(tx, row)
	_, err := s.ledger.Append(tx, e)
	return err
}

// wakeRestore has pages that show a restore look again.
func (s *Service) wakeRestore(tx *db.Tx, row restoreRow) {
	tx.AfterCommit(func() {
		topics := []string{"restore:" + row.ID, bus.TopicServer(row.ServerID), bus.TopicCustomer(row.CustomerID)}
		if row.TargetServerID != "" && row.TargetServerID != row.ServerID {
			topics = append(topics, bus.TopicServer(row.TargetServerID))
		}
		s.opts.Bus.Publish(topics...)
	})
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

// sealJSON seals a value as JSON.
func (s *Service) sealJSON(customer string, at secrets.AD, v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("backups: seal: %w", err)
	}
	sealed, err := s.keeper.Seal(customer, at, text)
	if err != nil {
		return nil, fmt.Errorf("backups: seal: %w", err)
	}
	return sealed, nil
}

// openJSON opens what sealJSON made.
func (s *Service) openJSON(customer string, at secrets.AD, sealed []byte, into any) error {
	text, err := s.keeper.Open(customer, at, sealed)
	if err != nil {
		return fmt.Errorf("backups: open: %w", err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("backups: open: %w", err)
	}
	return nil
}
