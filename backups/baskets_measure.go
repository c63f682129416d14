package backups

import (
	"context"
	"fmt"
	"slices"
	"time"

	"ostler/agents/wire"
	"ostler/backups/catalogue"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// measureTime bounds how long one look at the basket measures folders.
const measureTime = 2 * time.Second

// Whether an item's files and bytes are known.
const (
	measuredNo    = 0
	measuredYes   = 1
	measuredNever = 2 // too many to count
)

// measureRows fills what is not known yet of the items, as far as that goes in
// measureTime, and keeps it: a snapshot never changes.
func (s *Service) measureRows(ctx context.Context, rows []basketRow, snaps map[string]snapshotRow) error {
	if len(rows) == 0 || !slices.ContainsFunc(rows, func(r basketRow) bool { return r.Measured == measuredNo }) {
		return nil
	}
	within, cancel := context.WithTimeout(ctx, measureTime)
	defer cancel()
	done, err := s.searches.take(within, rows[0].CustomerID)
	if err != nil {
		return ctx.Err() // the next look measures
	}
	defer done()
	var learned []basketRow
	for i := range rows {
		r := &rows[i]
		snap, there := snaps[r.SnapshotID]
		if r.Measured != measuredNo || !there || within.Err() != nil {
			continue
		}
		p, err := s.keeper.Open(r.CustomerID, ad("restore_basket", "path", r.ID), r.Path)
		if err != nil {
			return fmt.Errorf("backups: basket: %w", err)
		}
		if s.weigh(within, snap, p, r) {
			learned = append(learned, *r)
		}
	}
	if len(learned) == 0 {
		return nil
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		for _, r := range learned {
			if err := keepMeasure(tx, r); err != nil {
				return err
			}
		}
		return nil
	})
}

// weigh asks the catalogue what a path is and how much lies beneath it; ok is
// false where it cannot tell now. An estimate is not worth a failure.
func (s *Service) weigh(ctx context.Context, snap snapshotRow, p []byte, r *basketRow) (ok bool) {
	e, known := s.stat(ctx, snap, p)
	if !known {
		return false
	}
	r.NodeType = string(e.Type)
	if e.Type != wire.NodeDir {
		r.Files, r.Bytes, r.Measured = 1, figure(e.Size), measuredYes
		return true
	}
	files, bytes, known, err := s.measure(ctx, snap, p)
	switch {
	case err != nil || ctx.Err() != nil:
		return false
	case known:
		r.Files, r.Bytes, r.Measured = files, bytes, measuredYes
	default:
		r.Measured = measuredNever
	}
	return true
}

// stat asks the catalogue what a path of a snapshot is.
func (s *Service) stat(ctx context.Context, snap snapshotRow, p []byte) (catalogue.Entry, bool) {
	x, err := s.indexedOf(ctx, snap)
	if err != nil || x.cat == nil {
		return catalogue.Entry{}, false
	}
	e, found, err := x.cat.Stat(ctx, x.ord, p)
	return e, found && err == nil
}

// looked fills in what the catalogue knows of picks, and refuses an archive that
// is known to be larger than one may be, before a server reads any of it.
func (s *Service) looked(ctx context.Context, scope policy.Scope, picks []Pick) ([]Pick, error) {
	within, cancel := context.WithTimeout(ctx, measureTime)
	defer cancel()
	out := slices.Clone(picks)
	total := map[string]int64{}
	for i, p := range out {
		var snap snapshotRow
		err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
			snap, err = db.One[snapshotRow](tx, scope, "snapshot", p.Snapshot)
			return err
		})
		if err != nil {
			return out, err
		}
		var r basketRow
		if within.Err() != nil || !s.weigh(within, snap, cleanPath(p.Path), &r) {
			continue // the server finds out
		}
		out[i].Type = wire.NodeType(r.NodeType)
		if r.Measured == measuredYes {
			out[i].Size = r.Bytes
		}
		if total[snap.ServerID] = figure(total[snap.ServerID] + r.Bytes); total[snap.ServerID] > s.opts.MaxDownload {
			return out, controlplane.Invalid(controlplane.Field{Pointer: "/picks", Message: fmt.Sprintf("That is more than the %d GiB that can be downloaded at once. Choose less, or restore it on the server.", s.opts.MaxDownload>>30)})
		}
	}
	return out, nil
}

// estimate notes how large parts are by what is known of the picks, and returns
// the sum.
func estimate(group []part, picks []Pick) (sum int64) {
	for i, p := range group {
		chosen := map[string]bool{}
		for _, path := range p.paths {
			chosen[string(path)] = true
		}
		for _, k := range picks {
			if path := string(cleanPath(k.Path)); k.Snapshot == p.snap.ID && chosen[path] {
				group[i].bytes = figure(group[i].bytes + max(0, k.Size))
				delete(chosen, path) // picked twice, it comes once
			}
		}
		sum = figure(sum + group[i].bytes)
	}
	return sum
}
