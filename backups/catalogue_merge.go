package backups

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"ostler/agents/wire"
	"ostler/backups/catalogue"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/jobs"
	"ostler/controlplane/policy"
)

// The kinds of the catalogue's plane jobs.
const (
	jobMerge    = "catalogue.merge"
	jobCompact  = "catalogue.compact"
	jobTidy     = "catalogue.tidy"      // deletes segments that nothing names
	jobDropList = "catalogue.drop_list" // deletes an upload that nobody needs
)

const mergeTimeout = 2 * time.Hour

func (s *Service) handleCatalogue() {
	s.jobs.Handle(string(wire.ActionCatalogue), jobs.Handler{Done: s.doneCatalogue})
	s.jobs.Handle(jobMerge, jobs.Handler{Run: s.runMerge, Done: s.doneMerge})
	s.jobs.Handle(jobCompact, jobs.Handler{Run: s.runCompact})
	s.jobs.Handle(jobTidy, jobs.Handler{Run: s.runTidy})
	s.jobs.Handle(jobDropList, jobs.Handler{Run: s.runDropList})
}

// merging is a list on its way into the catalogue.
type merging struct {
	mergeParams
	catalogue catalogueRow
	row       indexedRow
	snap      snapshotRow
}

// wanted reports whether the list is still waited for.
func (m *merging) wanted() bool {
	return m.catalogue.on() && m.catalogue.Generation == m.Generation && m.row.Generation == m.Generation && indexState(m.row.State) == indexListed
}

// read finds where the list and the catalogue stand.
func (m *merging) read(tx *db.Tx, snapshot string) (err error) {
	if m.snap, err = db.One[snapshotRow](tx, policy.AllCustomers("job"), "snapshot", snapshot); err != nil {
		return err
	}
	if m.row, _, err = findIndexed(tx, snapshot); err != nil {
		return err
	}
	m.catalogue, _, err = findCatalogue(tx, policy.AllCustomers("job"), m.snap.PlanID)
	return err
}

// runMerge merges a list into its plan's catalogue and lets go of the list. It
// may run again after a crash: what was swapped in is not merged twice.
func (s *Service) runMerge(ctx context.Context, job jobs.Job) (any, error) {
	var m merging
	if err := json.Unmarshal(job.Params, &m.mergeParams); err != nil {
		return nil, fmt.Errorf("backups: merge: %w", err)
	}
	if err := s.db.Read(ctx, func(tx *db.Tx) error { return m.read(tx, job.Subject) }); err != nil {
		return nil, err
	}
	if m.wanted() {
		if m.catalogue.before(m.snap) {
			if err := s.skip(ctx, &m); err != nil {
				return nil, err
			}
		} else if err := s.merge(ctx, &m); err != nil {
			return nil, err
		}
	}
	return nil, s.dropUpload(ctx, m.Owner)
}

// skip leaves a snapshot out that came too late: newer ones are merged.
func (s *Service) skip(ctx context.Context, m *merging) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if err := m.read(tx, m.snap.ID); err != nil || !m.wanted() {
			return err
		}
		m.row.State, m.row.UpdatedAt = string(indexSkipped), tx.NowMillis()
		return db.Save(tx, &m.row)
	})
}

// merge writes the segments, then swaps the manifest in.
func (s *Service) merge(ctx context.Context, m *merging) error {
	bad := jobs.Fail(wire.CauseDamaged, "the list did not arrive as the server sent it")
	if err := s.checkUpload(ctx, m.Owner, m.Upload); controlplane.ErrorCode(err) == controlplane.CodeConflict {
		return bad
	} else if err != nil {
		return err
	}
	list, err := s.readUpload(ctx, m.Owner)
	if err != nil {
		return err
	}
	ord := catalogue.Ordinal(m.catalogue.NextOrdinal)
	var stats catalogue.Stats
	err = s.rewrite(ctx, m.catalogue, func(c *catalogue.Catalogue) (next catalogue.Manifest, old []string, err error) {
		next, old, stats, err = c.Append(ctx, ord, catalogue.ReadListing(list))
		if err == nil && next.Bytes() > s.opts.MaxCatalogue {
			err = jobs.Fail(wire.CausePlaneFull, "with this list the catalogue would be larger than one may be")
		}
		return next, old, err
	}, func(tx *db.Tx, now *catalogueRow) error {
		m.catalogue = *now
		if m.row, _, err = findIndexed(tx, m.snap.ID); err != nil {
			return err
		}
		if !m.wanted() {
			return errSwapped
		}
		now.NextOrdinal, now.LastArrived, now.LastSnapshot, now.Entries = int64(ord)+1, m.snap.ArrivedAt, m.snap.ID, stats.Entries
		m.row.State, m.row.Ordinal, m.row.Entries, m.row.UpdatedAt = string(indexMerged), int64(ord), stats.Entries, tx.NowMillis()
		return db.Save(tx, &m.row)
	})
	if errors.Is(err, catalogue.ErrListing) {
		s.opts.Log.WarnContext(ctx, "backups.catalogue.listing", "snapshot", m.snap.ID, "error", err)
		return bad
	}
	return err
}

// rewrite changes a catalogue: work writes new segments and returns the next
// manifest and what it needs no more; swap notes the rest of the change in the
// transaction that stores the manifest. Where it comes to nothing, what was
// written is deleted later. Damage starts a rebuild.
func (s *Service) rewrite(ctx context.Context, from catalogueRow, work func(*catalogue.Catalogue) (catalogue.Manifest, []string, error), swap func(*db.Tx, *catalogueRow) error) error {
	manifest, err := from.manifest()
	if err != nil {
		return err
	}
	blocks := s.blocksOf(from.CustomerID, from.ServerID, from.PlanID)
	next, obsolete, err := work(catalogue.Open(blocks, manifest, s.index))
	if err == nil {
		err = blocks.finish()
	}
	blocks.discard()
	if err == nil {
		err = s.swapManifest(ctx, from, next, obsolete, swap)
	}
	if err == nil {
		return nil
	}
	rest := context.WithoutCancel(ctx)
	if cerr := s.db.Write(rest, func(tx *db.Tx) error { return dropUnnamed(tx, from.PlanID, blocks.put) }); cerr != nil {
		s.opts.Log.ErrorContext(ctx, "backups.catalogue.discard", "plan", from.PlanID, "error", cerr)
	}
	if errors.Is(err, catalogue.ErrDamaged) {
		s.opts.Log.WarnContext(ctx, "backups.catalogue.damaged", "plan", from.PlanID, "error", err)
		return errors.Join(jobs.Fail(wire.CauseDamaged, "the catalogue is damaged and is made anew"), s.catalogueDamaged(ctx, from))
	}
	return err
}

// swapManifest stores a manifest where the catalogue is still what it was made from.
func (s *Service) swapManifest(ctx context.Context, from catalogueRow, next catalogue.Manifest, obsolete []string, swap func(*db.Tx, *catalogueRow) error) error {
	raw, err := json.Marshal(next)
	if err != nil {
		return fmt.Errorf("backups: catalogue: %w", err)
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		now, ok, err := findCatalogue(tx, policy.AllCustomers("job"), from.PlanID)
		if err != nil {
			return err
		}
		if !ok || now.Version != from.Version {
			return errSwapped
		}
		if err := swap(tx, &now); err != nil {
			return err
		}
		if err := markSegments(tx, now.PlanID, obsolete, tx.Now.Add(keepObsolete).UnixMilli()); err != nil {
			return err
		}
		if err := markSegments(tx, now.PlanID, next.Names(), 0); err != nil {
			return err
		}
		now.Manifest, now.Bytes = raw, next.Bytes()
		tx.AfterCommit(func() { s.opts.Bus.Publish("server:" + now.ServerID) })
		return swapCatalogue(tx, &now)
	})
}

// doneMerge goes on with the plan's next snapshot.
func (s *Service) doneMerge(tx *db.Tx, job jobs.Job) error {
	snap, err := db.One[snapshotRow](tx, policy.AllCustomers("job"), "snapshot", job.Subject)
	if err != nil {
		return err
	}
	if job.State == jobs.Succeeded {
		return s.feedPlan(tx, snap.PlanID)
	}
	var p mergeParams
	if err := json.Unmarshal(job.Params, &p); err != nil {
		return fmt.Errorf("backups: merge: %w", err)
	}
	if err := s.dropList(tx, job, p.Owner); err != nil {
		return err
	}
	row, ok, err := findIndexed(tx, snap.ID)
	if err != nil || !ok || row.JobID != job.ID || indexState(row.State) != indexListed {
		return err
	}
	return s.listFailed(tx, row, wire.CausePlane)
}

// runDropList deletes an upload.
func (s *Service) runDropList(ctx context.Context, job jobs.Job) (any, error) {
	var p mergeParams
	if err := json.Unmarshal(job.Params, &p); err != nil {
		return nil, fmt.Errorf("backups: drop list: %w", err)
	}
	return nil, s.dropUpload(ctx, p.Owner)
}

// runCompact rewrites a catalogue without what no living snapshot has.
func (s *Service) runCompact(ctx context.Context, job jobs.Job) (any, error) {
	var c catalogueRow
	var living []mergedSnapshot
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		if c, _, err = findCatalogue(tx, policy.AllCustomers("job"), job.Subject); err == nil {
			living, err = mergedSnapshots(tx, job.Subject)
		}
		return err
	})
	if err != nil || !c.on() {
		return nil, err
	}
	manifest, err := c.manifest()
	if err != nil {
		return nil, err
	}
	alive := aliveOf(living)
	if !catalogue.Open(s.blocksOf(c.CustomerID, c.ServerID, c.PlanID), manifest, s.index).Worth(alive) {
		return nil, nil
	}
	return nil, s.rewrite(ctx, c, func(cat *catalogue.Catalogue) (catalogue.Manifest, []string, error) {
		return cat.Compact(ctx, alive)
	}, func(tx *db.Tx, now *catalogueRow) error {
		still, err := mergedSnapshots(tx, now.PlanID)
		if err == nil && !slices.EqualFunc(still, living, func(a, b mergedSnapshot) bool { return a.ordinal == b.ordinal }) {
			err = errSwapped // one went, or came back, meanwhile
		}
		if err != nil {
			return err
		}
		return compacted(tx, now.PlanID)
	})
}
