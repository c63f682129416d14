package backups

import (
	"context"
	"fmt"
	"io"
	"time"

	"ostler/agents/wire"
	"ostler/backups/catalogue"
	"ostler/controlplane/db"
	"ostler/controlplane/jobs"
	"ostler/controlplane/policy"
)

// PlacesTaken is how many places for chunks are taken.
func PlacesTaken(s *Service) int { return len(s.uploads.all) }

// Measure is measure of a snapshot by its id.
func Measure(ctx context.Context, s *Service, snapshot, path string) (files, bytes int64, known bool, err error) {
	var row snapshotRow
	err = s.db.Read(ctx, func(tx *db.Tx) (err error) {
		row, err = db.One[snapshotRow](tx, policy.AllCustomers("test"), "snapshot", snapshot)
		return err
	})
	if err != nil {
		return 0, 0, false, err
	}
	return s.measure(ctx, row, []byte(path))
}

// SetFindTime sets how long a search may take.
func SetFindTime(s *Service, d time.Duration) { s.opts.FindTime = d }

// Merge carries out the job that merges a snapshot's list, as often as it is
// called: as after a crash.
func Merge(ctx context.Context, s *Service, j *jobs.Jobs, snapshot string) error {
	var row indexedRow
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		row, _, err = findIndexed(tx, snapshot)
		return err
	})
	if err != nil {
		return err
	}
	job, err := j.Get(ctx, policy.AllCustomers("test"), row.JobID)
	if err != nil {
		return err
	}
	_, err = s.runMerge(ctx, job)
	return err
}

// MergeWithoutSwap does what the job does before it stores the manifest, and
// then stops: as a process that is killed.
func MergeWithoutSwap(ctx context.Context, s *Service, snapshot string) error {
	var m merging
	if err := s.db.Read(ctx, func(tx *db.Tx) error { return m.read(tx, snapshot) }); err != nil {
		return err
	}
	list, err := s.readUpload(ctx, fmt.Sprintf("%s:catalogue:%d:%d", snapshot, m.catalogue.Generation, m.row.Tries))
	if err != nil {
		return err
	}
	manifest, err := m.catalogue.manifest()
	if err != nil {
		return err
	}
	blocks := s.blocksOf(m.catalogue.CustomerID, m.catalogue.ServerID, m.catalogue.PlanID)
	if _, _, _, err := catalogue.Open(blocks, manifest, s.index).Append(ctx, 0, catalogue.ReadListing(list)); err != nil {
		return err
	}
	return blocks.finish()
}

// ReadChanges reads a part of a list of changes.
func ReadChanges(ctx context.Context, r io.ReadSeeker, offset, limit int) ([]wire.Change, error) {
	return readChanges(ctx, r, offset, limit)
}

// TakeSearch takes the place of a customer's search.
func TakeSearch(s *Service, customer string) (done func()) {
	done, _ = s.searches.take(context.Background(), customer)
	return done
}

// SetMaxCatalogue sets how large a catalogue may become.
func SetMaxCatalogue(s *Service, n int64) { s.opts.MaxCatalogue = n }
