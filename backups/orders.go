package backups

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// Order asks for files and folders of a customer's snapshots.
type Order struct {
	Customer string // "" is the scope's only one
	// Picks are what is wanted (Basket.Picks); none is refused: nothing ticked
	// restores nothing.
	Picks  []Pick
	Format wire.ArchiveFormat // of StartArchive; "" is a zip
	Target Destination        // of StartInPlace
	// MailMe has a mail sent to the contact's own address when it is over.
	MailMe bool
}

// Destination is where on a server files go.
type Destination struct {
	Server    string         // "": each to the server that it is from
	Placement wire.Placement // "" is where they were
	Folder    []byte         // absolute, of PlaceFolder
	Conflict  wire.Conflict  // "" is ConflictBeside
	// Special keeps set-user-id bits and devices: staff only.
	Special bool
}

// StartArchive has files and folders packed for the person's browser: one
// restore for each server that they are from. A single file alone becomes a
// plain download. Permission: restore.run; staff by an open assist only.
//
// Errors: invalid (nothing picked, too much at once), not_found, too many,
// forbidden (staff without an assist).
func (s *Service) StartArchive(ctx context.Context, scope policy.Scope, o Order) ([]Restore, error) {
	if o.Format == "" {
		o.Format = wire.ArchiveZip
	}
	if !o.Format.Valid() {
		return nil, controlplane.Invalid(controlplane.Field{Pointer: "/format", Message: "Choose “zip” or “tar.gz”."})
	}
	var err error
	if o.Picks, err = s.looked(ctx, scope, o.Picks); err != nil {
		return nil, err
	}
	here := func([]part) bool { return true }
	return s.order(ctx, scope, o, here, func(tx *db.Tx, group []part, assist assistRow) (restoreRow, error) {
		if p := group[0]; len(group) == 1 && len(p.paths) == 1 && o.Format == wire.ArchiveZip && isFile(o.Picks, p.snap.ID, p.paths[0]) {
			return s.startFile(tx, RestoreDownload, p, assist, o.MailMe)
		}
		return s.startArchive(tx, o, group, assist)
	})
}

// startArchive makes the restore of many files for a browser, and its job.
func (s *Service) startArchive(tx *db.Tx, o Order, group []part, assist assistRow) (restoreRow, error) {
	row, err := s.newRestore(tx, RestoreArchive, group, []byte{}, assist, o.MailMe)
	if err != nil {
		return row, err
	}
	row.Format = string(o.Format)
	if row.Label, err = s.archiveLabel(tx, group); err != nil {
		return row, err
	}
	err = s.begin(tx, &row, group, func() error { return s.enqueueArchive(tx, &row, chosenParts(group), o.Format) })
	return row, err
}

// StartInPlace has files and folders put on a server: one restore for each pair
// of the server that they are from and the server that they go to. Each
// previews first and waits for ConfirmRestore. Permission: restore.run; staff
// by an open assist only.
//
// Errors: invalid (nothing picked, a target outside the customer's folders, one
// path from two snapshots), not_found, too many, forbidden.
func (s *Service) StartInPlace(ctx context.Context, scope policy.Scope, o Order) ([]Restore, error) {
	d, err := o.Target.checked(ctx)
	if err != nil {
		return nil, err
	}
	here := func(group []part) bool { return d.Server != "" && d.Server != group[0].snap.ServerID }
	if d.Server != "" { // what goes to another server comes through here
		if o.Picks, err = s.looked(ctx, scope, o.Picks); err != nil {
			return nil, err
		}
	}
	return s.order(ctx, scope, o, here, func(tx *db.Tx, group []part, assist assistRow) (restoreRow, error) {
		return s.startInPlace(tx, d, group, assist, o.MailMe)
	})
}

// startInPlace makes the restore of many files on a server, and its first job:
// the preview, or the archive that another server gets them in.
func (s *Service) startInPlace(tx *db.Tx, d Destination, group []part, assist assistRow, mailMe bool) (restoreRow, error) {
	snap := group[0].snap
	bounds, err := s.boundsOn(tx, snap.CustomerID, cmp.Or(d.Server, snap.ServerID))
	if err != nil {
		return restoreRow{}, err
	}
	folder := []byte{}
	if d.Placement == wire.PlaceFolder {
		folder = d.Folder
	} else if group, err = s.narrow(tx, group, bounds); err != nil {
		return restoreRow{}, err
	}
	row, err := s.newRestore(tx, RestoreInPlace, group, folder, assist, mailMe)
	if err != nil {
		return row, err
	}
	row.TargetServerID, row.Placement, row.Conflict = cmp.Or(d.Server, row.ServerID), string(d.Placement), string(d.Conflict)
	if d.Special {
		row.Special = 1
	}
	if err := fits(row, bounds, folder, group); err != nil {
		return row, err
	}
	err = s.begin(tx, &row, group, func() error {
		if row.TargetServerID != row.ServerID {
			return s.enqueueArchive(tx, &row, chosenParts(group), wire.ArchiveTarGz)
		}
		row.State = string(RestorePreviewing)
		return s.enqueuePreview(tx, &row, bounds)
	})
	return row, err
}

// fits refuses what would go outside of the customer's folders, and what two
// snapshots would put in one place.
func fits(row restoreRow, bounds []string, folder []byte, group []part) error {
	if len(bounds) == 0 && row.TargetServerID != row.ServerID {
		return controlplane.NotFound("server")
	}
	if wire.Placement(row.Placement) == wire.PlaceFolder {
		if outside(bounds, folder) {
			return controlplane.Invalid(controlplane.Field{Pointer: "/target/folder", Message: "This folder lies outside your folders on the server. " + withinSome(bounds)})
		}
	} else if slices.ContainsFunc(group, func(p part) bool { return outside(bounds, p.paths...) }) {
		return controlplane.Invalid(controlplane.Field{Pointer: "/picks", Message: "Something of it was outside your folders on the server. Choose a folder within them to put it in, or download it."})
	}
	var all [][]byte
	for _, p := range group {
		all = append(all, p.paths...)
	}
	if len(fold(all)) != len(all) {
		return controlplane.Invalid(controlplane.Field{Pointer: "/picks", Message: "The same file or folder is chosen from two copies. Choose one of them, or restore them one after the other."})
	}
	return nil
}

// checked returns the destination with what was left open filled in.
func (d Destination) checked(ctx context.Context) (Destination, error) {
	d.Placement, d.Conflict = cmp.Or(d.Placement, wire.PlaceOriginal), cmp.Or(d.Conflict, wire.ConflictBeside)
	a, _ := controlplane.ActorFrom(ctx)
	var wrong []controlplane.Field
	if !d.Placement.Valid() {
		wrong = append(wrong, controlplane.Field{Pointer: "/target/placement", Message: "Choose “original” or “folder”."})
	}
	if !d.Conflict.Valid() {
		wrong = append(wrong, controlplane.Field{Pointer: "/target/conflict", Message: "Choose “overwrite”, “keep” or “beside”."})
	}
	if d.Placement == wire.PlaceFolder {
		if len(d.Folder) == 0 || d.Folder[0] != '/' || len(d.Folder) > maxPath || bytes.ContainsRune(d.Folder, 0) {
			wrong = append(wrong, controlplane.Field{Pointer: "/target/folder", Message: "Name a folder on the server, from / on."})
		}
		d.Folder = cleanPath(d.Folder)
	}
	switch {
	case len(wrong) > 0:
		return d, controlplane.Invalid(wrong...)
	case d.Special && a.Kind != controlplane.ActorStaff:
		return d, controlplane.Errorf(controlplane.CodeForbidden, "Leave it out, or ask us to restore it.", "Only we restore set-user-id bits and devices")
	}
	return d, nil
}

// part is what is wanted of one snapshot: its paths, folded.
type part struct {
	snap  snapshotRow
	paths [][]byte
	of    map[string][]byte // what was chosen for a path that was narrowed
	bytes int64             // of the files beneath them, as far as that is known and matters
}

// chosen is a part as it is stored. Of has, for each path, what was chosen where
// it was narrowed; it is empty where none was.
type chosen struct {
	Snapshot string   `json:"snapshot"`
	Paths    [][]byte `json:"paths"`
	Of       [][]byte `json:"of,omitempty"`
}

func chosenParts(group []part) []chosen {
	out := make([]chosen, len(group))
	for i, p := range group {
		out[i] = chosen{Snapshot: p.snap.ID, Paths: p.paths}
		if len(p.of) == 0 {
			continue
		}
		for _, path := range p.paths {
			out[i].Of = append(out[i].Of, p.of[string(path)])
		}
	}
	return out
}

// order has start called for each server that picks are from, in one
// transaction, and returns what became of them. here says of which of them the
// files are kept here for a while.
func (s *Service) order(ctx context.Context, scope policy.Scope, o Order, here func(group []part) bool, start func(tx *db.Tx, group []part, assist assistRow) (restoreRow, error)) ([]Restore, error) {
	if len(o.Picks) == 0 {
		return nil, controlplane.Invalid(controlplane.Field{Pointer: "/picks", Message: "Nothing is chosen, so nothing is restored. Choose files or folders first."})
	}
	var ids []string
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		ids = nil
		customer, err := s.customerOf(tx, scope, o.Customer)
		if err != nil {
			return err
		}
		groups, err := s.sorted(tx, scope, customer, o.Picks)
		if err != nil {
			return err
		}
		assist, err := s.restorer(tx, scope, customer)
		if err != nil {
			return err
		}
		for _, g := range groups {
			bytes := int64(0)
			if here(g) {
				bytes = estimate(g, o.Picks)
			}
			if err := s.mayRestore(tx, customer, here(g), bytes); err != nil {
				return err
			}
			row, err := start(tx, g, assist)
			if err != nil {
				return err
			}
			ids = append(ids, row.ID)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := make([]Restore, len(ids))
	for i, id := range ids {
		if out[i], err = s.Restore(ctx, scope, id); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// maxPath is the longest path, in bytes.
const maxPath = 4096

// pickable returns a path that can be chosen, clean.
func pickable(p []byte) ([]byte, error) {
	clean := cleanPath(p)
	if string(clean) == "/" || len(clean) > maxPath || bytes.ContainsRune(clean, 0) {
		return nil, controlplane.Invalid(controlplane.Field{Pointer: "/path", Message: "Choose a file or folder of the snapshot."})
	}
	return clean, nil
}

// sorted groups picks by server and snapshot, oldest snapshot first, with paths
// folded.
func (s *Service) sorted(tx *db.Tx, scope policy.Scope, customer string, picks []Pick) ([][]part, error) {
	paths, snaps := map[string][][]byte{}, map[string]snapshotRow{}
	for _, p := range picks {
		if _, known := snaps[p.Snapshot]; !known {
			snap, err := db.One[snapshotRow](tx, scope, "snapshot", p.Snapshot)
			switch {
			case err == nil && snap.CustomerID != customer:
				err = controlplane.NotFound("snapshot")
			case err == nil && snap.GoneAt != 0:
				err = snapshotIsGone()
			}
			if err != nil {
				return nil, err
			}
			snaps[p.Snapshot] = snap
		}
		clean, err := s.picked(tx, snaps[p.Snapshot], p.Path)
		if err != nil {
			return nil, err
		}
		paths[p.Snapshot] = append(paths[p.Snapshot], clean...)
	}
	byServer := map[string][]part{}
	items, size := 0, 0
	for id, snap := range snaps {
		folded := fold(paths[id])
		items += len(folded)
		for _, p := range folded {
			size += len(p)
		}
		byServer[snap.ServerID] = append(byServer[snap.ServerID], part{snap: snap, paths: folded})
	}
	if items > wire.MaxSelected || size > maxPathBytes {
		return nil, tooMuch()
	}
	var out [][]part
	for _, group := range byServer {
		slices.SortFunc(group, func(a, b part) int {
			return cmp.Or(cmp.Compare(a.snap.ArrivedAt, b.snap.ArrivedAt), cmp.Compare(a.snap.ID, b.snap.ID))
		})
		out = append(out, group)
	}
	slices.SortFunc(out, func(a, b []part) int { return cmp.Compare(a[0].snap.ServerID, b[0].snap.ServerID) })
	return out, nil
}

func tooMuch() error {
	return controlplane.Invalid(controlplane.Field{Pointer: "/picks", Message: fmt.Sprintf("That is too much at once: at most %d files and folders. Choose whole folders instead.", wire.MaxSelected)})
}

// fold sorts clean paths and leaves out what is there twice, and what lies
// beneath another.
func fold(paths [][]byte) [][]byte {
	have := make(map[string]bool, len(paths))
	for _, p := range paths {
		have[string(p)] = true
	}
	var out [][]byte
	for p := range have {
		if !beneathAny(p, have) {
			out = append(out, []byte(p))
		}
	}
	slices.SortFunc(out, bytes.Compare)
	return out
}

// beneathAny reports whether a folder around p is in have.
func beneathAny(p string, have map[string]bool) bool {
	for dir := path.Dir(p); dir != "/"; dir = path.Dir(dir) {
		if have[dir] {
			return true
		}
	}
	return false
}

// isFile reports whether the pick of a path is known to be a regular file.
func isFile(picks []Pick, snapshot string, p []byte) bool {
	return slices.ContainsFunc(picks, func(k Pick) bool {
		return k.Snapshot == snapshot && k.Type == wire.NodeFile && bytes.Equal(cleanPath(k.Path), p)
	})
}

// archiveLabel names an archive: "shop-1 2026-11-18", the day of the newest
// snapshot in it by its plan's clock.
func (s *Service) archiveLabel(tx *db.Tx, group []part) (string, error) {
	newest := group[len(group)-1].snap
	at, err := s.arrived(tx, newest)
	if err != nil {
		return "", err
	}
	name, err := s.serverName(tx, newest.ServerID)
	return name + " " + at.Format("2006-01-02"), err
}

// arrived is when a snapshot arrived, by its plan's clock.
func (s *Service) arrived(tx *db.Tx, snap snapshotRow) (time.Time, error) {
	p, err := db.One[planRow](tx, policy.OneCustomer(snap.CustomerID), "plan", snap.PlanID)
	if err != nil {
		return time.Time{}, err
	}
	zone, err := time.LoadLocation(p.Zone)
	if err != nil {
		return time.Time{}, fmt.Errorf("backups: zone: %w", err)
	}
	return controlplane.FromMillis(snap.ArrivedAt).In(zone), nil
}
