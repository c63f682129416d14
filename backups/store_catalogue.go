package backups

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"ostler/backups/catalogue"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// catalogueRow is a plan's catalogue. Version rises with every change of the
// manifest: whoever changes it compares first.
type catalogueRow struct {
	PlanID               string `gorm:"primaryKey"`
	CustomerID, ServerID string
	State                string
	Generation, Version  int64
	Manifest             []byte
	NextOrdinal          int64
	LastArrived          int64
	LastSnapshot         string
	Entries, Bytes       int64
	UpdatedAt            int64 `gorm:"autoUpdateTime:false"`
}

func (catalogueRow) TableName() string { return "catalogues" }

func (r catalogueRow) status() CatalogueStatus { return CatalogueStatus(r.State) }

// on reports whether snapshots are to go into it.
func (r catalogueRow) on() bool {
	return r.status() == CatalogueReady || r.status() == CatalogueBuilding || r.status() == CatalogueDamaged
}

// before reports whether what is in it is as new as the snapshot, or newer.
func (r catalogueRow) before(snap snapshotRow) bool {
	return snap.ArrivedAt < r.LastArrived || snap.ArrivedAt == r.LastArrived && snap.ID <= r.LastSnapshot
}

func (r catalogueRow) manifest() (m catalogue.Manifest, err error) {
	if err := json.Unmarshal(r.Manifest, &m); err != nil {
		return m, fmt.Errorf("backups: catalogue %s: %w", r.PlanID, err)
	}
	return m, nil
}

// indexState is how far a snapshot is on its way into the catalogue.
type indexState string

// The states of a snapshot in the catalogue.
const (
	indexPending indexState = "pending" // its server is to list it; retry_at is when it is asked again, 0 while it is asked
	indexListed  indexState = "listed"  // the list is here and is to be merged
	indexMerged  indexState = "merged"
	indexFailed  indexState = "failed"  // left out, with the cause
	indexSkipped indexState = "skipped" // newer ones were merged before
	indexGone    indexState = "gone"    // the store has it no more
)

// indexedRow is one snapshot on its way into the catalogue, or in it.
type indexedRow struct {
	SnapshotID              string `gorm:"primaryKey"`
	CustomerID, PlanID      string
	Generation, Ordinal     int64 // Ordinal is -1 where it has none
	State, Cause            string
	Entries, Tries, RetryAt int64
	JobID                   string
	UpdatedAt               int64 `gorm:"autoUpdateTime:false"`
}

func (indexedRow) TableName() string { return "catalogue_snapshots" }

// segmentRow is a segment that is stored, or about to be.
type segmentRow struct {
	Name               string `gorm:"primaryKey"`
	CustomerID, PlanID string
	DeleteAt           int64
}

func (segmentRow) TableName() string { return "catalogue_segments" }

const (
	keepUnnamed  = 24 * time.Hour   // a segment that no manifest names yet: longer than any merge
	keepObsolete = 10 * time.Minute // a segment that no manifest names any more: longer than any reader
)

// findCatalogue returns a plan's catalogue; ok is false where it has none yet.
func findCatalogue(tx *db.Tx, scope policy.Scope, plan string) (row catalogueRow, ok bool, err error) {
	rows, err := db.Where[catalogueRow](tx, scope, "plan_id", 1, "plan_id = ?", plan)
	if err != nil || len(rows) == 0 {
		return row, false, err
	}
	return rows[0], true, nil
}

// findIndexed returns where a snapshot is on its way into the catalogue.
func findIndexed(tx *db.Tx, snapshot string) (row indexedRow, ok bool, err error) {
	rows, err := db.Where[indexedRow](tx, policy.AllCustomers("one snapshot's"), "snapshot_id", 1, "snapshot_id = ?", snapshot)
	if err != nil || len(rows) == 0 {
		return row, false, err
	}
	return rows[0], true, nil
}

// underWay returns the snapshots of a plan that are asked for or wait to be merged.
func underWay(tx *db.Tx, plan string) ([]indexedRow, error) {
	return db.Where[indexedRow](tx, policy.AllCustomers("one plan's"), "ordinal, snapshot_id", 0, "plan_id = ? AND ordinal < 0 AND state IN ('pending', 'listed')", plan)
}

// nextUnindexed returns the oldest living snapshot of a plan that is newer than
// what its catalogue has, and that nobody asked for yet.
func nextUnindexed(tx *db.Tx, c catalogueRow) (snapshotRow, bool, error) {
	rows, err := db.Where[snapshotRow](tx, policy.OneCustomer(c.CustomerID), "arrived_at, id", 1,
		`plan_id = ? AND gone_at = 0 AND (arrived_at > ? OR arrived_at = ? AND id > ?)
		AND NOT EXISTS (SELECT 1 FROM catalogue_snapshots i WHERE i.snapshot_id = backup_snapshots.id)`,
		c.PlanID, c.LastArrived, c.LastArrived, c.LastSnapshot)
	if err != nil || len(rows) == 0 {
		return snapshotRow{}, false, err
	}
	return rows[0], true, nil
}

// forgetIndexed drops what is known of a plan's snapshots in its catalogue.
func forgetIndexed(tx *db.Tx, plan string) error {
	if err := tx.Where("plan_id = ?", plan).Delete(&indexedRow{}).Error; err != nil {
		return fmt.Errorf("backups: catalogue: %w", err)
	}
	return nil
}

// retireSegments has all stored segments of a plan deleted from an instant on.
func retireSegments(tx *db.Tx, plan string, at time.Time) error {
	err := tx.Model(&segmentRow{}).Where("plan_id = ? AND (delete_at = 0 OR delete_at > ?)", plan, at.UnixMilli()).Update("delete_at", at.UnixMilli()).Error
	if err != nil {
		return fmt.Errorf("backups: catalogue segments: %w", err)
	}
	return nil
}

// markSegments sets when the named segments of a plan may be deleted; names are
// few. It is an error where one of them is being deleted.
func markSegments(tx *db.Tx, plan string, names []string, deleteAt int64) error {
	if len(names) == 0 {
		return nil
	}
	res := tx.Model(&segmentRow{}).Where("plan_id = ? AND name IN ? AND delete_at >= 0", plan, names).Update("delete_at", deleteAt)
	if res.Error != nil {
		return fmt.Errorf("backups: catalogue segments: %w", res.Error)
	}
	if deleteAt == 0 && res.RowsAffected != int64(len(names)) {
		return fmt.Errorf("backups: catalogue segments: %d of %d are there", res.RowsAffected, len(names))
	}
	return nil
}

// dropUnnamed has segments deleted that no manifest came to name; names are few.
func dropUnnamed(tx *db.Tx, plan string, names []string) error {
	if len(names) == 0 {
		return nil
	}
	err := tx.Model(&segmentRow{}).Where("plan_id = ? AND name IN ? AND delete_at > 0", plan, names).Update("delete_at", tx.NowMillis()).Error
	if err != nil {
		return fmt.Errorf("backups: catalogue segments: %w", err)
	}
	return nil
}

// doomedSegments takes at most n segments of a plan whose time has come, and
// marks them: from then on no manifest can name them.
func doomedSegments(tx *db.Tx, plan string, n int) ([]segmentRow, error) {
	rows, err := db.Where[segmentRow](tx, policy.AllCustomers("what nobody reads any more"), "name", n,
		"plan_id = ? AND delete_at <> 0 AND delete_at <= ?", plan, tx.NowMillis())
	for i := range rows {
		if err == nil && rows[i].DeleteAt > 0 {
			rows[i].DeleteAt = -1
			err = db.Save(tx, &rows[i])
		}
	}
	return rows, err
}

// forgetSegment drops the row of a segment that is deleted.
func forgetSegment(tx *db.Tx, name string) error {
	if err := tx.Where("name = ?", name).Delete(&segmentRow{}).Error; err != nil {
		return fmt.Errorf("backups: catalogue segments: %w", err)
	}
	return nil
}

// plansToTidy returns plans that have segments to delete.
func plansToTidy(tx *db.Tx, n int) (rows []segmentRow, err error) {
	err = tx.Raw("SELECT DISTINCT plan_id, customer_id FROM catalogue_segments WHERE delete_at <> 0 AND delete_at <= ? LIMIT ?", tx.NowMillis(), n).Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("backups: catalogue segments: %w", err)
	}
	return rows, nil
}

// plansToFeed returns plans whose catalogue a snapshot may have to go into: at
// most n that have one that nobody asked for, and those whose time to ask again
// has come.
func plansToFeed(tx *db.Tx, n int) (ids []string, err error) {
	err = tx.Raw(`SELECT p.id FROM backup_plans p JOIN backup_repositories r ON r.id = p.repository_id
		LEFT JOIN catalogues c ON c.plan_id = p.id
		WHERE r.state = 'ready' AND (c.state IN ('ready', 'building', 'damaged') OR c.plan_id IS NULL AND r.custody = 'escrow')
			AND NOT EXISTS (SELECT 1 FROM catalogue_snapshots w WHERE w.plan_id = p.id AND w.ordinal < 0 AND w.state IN ('pending', 'listed'))
			AND EXISTS (SELECT 1 FROM backup_snapshots s WHERE s.plan_id = p.id AND s.gone_at = 0 AND s.arrived_at >= COALESCE(c.last_arrived, 0)
				AND NOT EXISTS (SELECT 1 FROM catalogue_snapshots i WHERE i.snapshot_id = s.id))
		UNION SELECT plan_id FROM catalogue_snapshots WHERE retry_at > 0 AND retry_at <= ? LIMIT ?`, tx.NowMillis(), n).Scan(&ids).Error
	if err != nil {
		return nil, fmt.Errorf("backups: catalogues to feed: %w", err)
	}
	return ids, nil
}

// swapCatalogue writes a catalogue where it is still the version that the
// change was made from.
func swapCatalogue(tx *db.Tx, row *catalogueRow) error {
	from := row.Version
	row.Version++
	row.UpdatedAt = tx.NowMillis()
	res := tx.Model(&catalogueRow{}).Where("plan_id = ? AND version = ?", row.PlanID, from).Select("*").Updates(row)
	if res.Error != nil {
		return fmt.Errorf("backups: catalogue: %w", res.Error)
	}
	if res.RowsAffected != 1 {
		return errSwapped
	}
	return nil
}

// errSwapped says that somebody else changed a catalogue meanwhile.
var errSwapped = errors.New("backups: the catalogue was changed meanwhile")

// mergedSnapshots returns the living snapshots of a plan that are in its
// catalogue, with their ordinals, oldest first. It is scanned by hand: every
// search reads all of them.
func mergedSnapshots(tx *db.Tx, plan string) (out []mergedSnapshot, err error) {
	rows, err := tx.Raw(`SELECT i.ordinal, s.id, s.customer_id, s.plan_id, s.repository_id, s.server_id, s.run_id, s.restic_id, s.claimed_at, s.arrived_at, s.outcome,
			s.unread_count, s.files, s.bytes, s.added_bytes
		FROM catalogue_snapshots i JOIN backup_snapshots s ON s.id = i.snapshot_id
		WHERE i.plan_id = ? AND i.ordinal >= 0 AND i.state = 'merged' AND s.gone_at = 0 ORDER BY i.ordinal`, plan).Rows()
	if err != nil {
		return nil, fmt.Errorf("backups: snapshots of a catalogue: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Err(), rows.Close()) }()
	for rows.Next() {
		var m mergedSnapshot
		s := &m.snap
		if err := rows.Scan(&m.ordinal, &s.ID, &s.CustomerID, &s.PlanID, &s.RepositoryID, &s.ServerID, &s.RunID, &s.ResticID, &s.ClaimedAt, &s.ArrivedAt, &s.Outcome,
			&s.UnreadCount, &s.Files, &s.Bytes, &s.AddedBytes); err != nil {
			return nil, fmt.Errorf("backups: snapshots of a catalogue: %w", err)
		}
		out = append(out, m)
	}
	return out, nil
}

// behindRow is how many living snapshots of a plan stand where on their way.
type behindRow struct {
	State, Cause string // State is "" for those that nobody asked for
	Retry        bool
	N            int
}

// behindOf counts the living snapshots of a plan that its catalogue has not and
// that arrived at or after from and before until. Those that nobody asked for and
// that are older than what it has (last) count as skipped.
func behindOf(tx *db.Tx, plan string, last, from, until int64) (out []behindRow, err error) {
	err = tx.Raw(`SELECT CASE WHEN i.state IS NOT NULL THEN i.state WHEN s.arrived_at < ? THEN 'skipped' ELSE '' END AS state,
			COALESCE(i.cause, '') AS cause, COALESCE(i.retry_at, 0) > 0 AS retry, COUNT(*) AS n
		FROM backup_snapshots s LEFT JOIN catalogue_snapshots i ON i.snapshot_id = s.id
		WHERE s.plan_id = ? AND s.gone_at = 0 AND s.arrived_at >= ? AND s.arrived_at < ? AND COALESCE(i.state, '') <> 'merged'
		GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`, last, plan, from, until).Scan(&out).Error
	if err != nil {
		return nil, fmt.Errorf("backups: catalogue: %w", err)
	}
	return out, nil
}

// snapshotsOfRepository returns the snapshots of a repository that arrived at or
// before an instant, those that are gone included.
func snapshotsOfRepository(tx *db.Tx, repository string, until int64) ([]snapshotRow, error) {
	return db.Where[snapshotRow](tx, policy.AllCustomers("one repository's"), "arrived_at, id", 0, "repository_id = ? AND arrived_at <= ?", repository, until)
}

// setGone writes when a snapshot was found gone; 0 is that it is there.
func setGone(tx *db.Tx, snapshot string, at int64) error {
	if err := tx.Model(&snapshotRow{}).Where("id = ?", snapshot).Update("gone_at", at).Error; err != nil {
		return fmt.Errorf("backups: gone: %w", err)
	}
	return nil
}

// recopied notes when the oldest copy arrived that a plan still has.
func recopied(tx *db.Tx, plan string) error {
	err := tx.Exec(`UPDATE backup_plans SET copied_at = COALESCE((SELECT MIN(arrived_at) FROM backup_snapshots WHERE plan_id = ? AND gone_at = 0), 0)
		WHERE id = ?`, plan, plan).Error
	if err != nil {
		return fmt.Errorf("backups: note a copy: %w", err)
	}
	return nil
}

// plansToCompact returns the catalogues that have snapshots which are gone.
func plansToCompact(tx *db.Tx, n int) (rows []catalogueRow, err error) {
	return db.Where[catalogueRow](tx, policy.AllCustomers("sweep"), "plan_id", n,
		"state = 'ready' AND plan_id IN (SELECT plan_id FROM catalogue_snapshots WHERE state = 'gone' AND ordinal >= 0)")
}

// compacted notes that a plan's catalogue has nothing more of what is gone.
func compacted(tx *db.Tx, plan string) error {
	err := tx.Model(&indexedRow{}).Where("plan_id = ? AND ordinal >= 0 AND state = 'gone'", plan).Update("ordinal", -1).Error
	if err != nil {
		return fmt.Errorf("backups: catalogue: %w", err)
	}
	return nil
}
