package access

import (
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
)

// sourceTeleport is the cluster as a source of attestations; servers are
// sources by their ids.
const sourceTeleport = "teleport"

// attestRow is a time in which a source was looked at without a gap.
type attestRow struct {
	ID     string `gorm:"column:id;primaryKey"`
	Source string `gorm:"column:source"`
	From   int64  `gorm:"column:from_at"`
	To     int64  `gorm:"column:to_at"`
}

func (attestRow) TableName() string { return "access_attestations" }

// gap is how long after a clean look nothing counts as unconfirmed yet.
func (s *Service) gap(source string) time.Duration {
	if source == sourceTeleport {
		return 2 * s.opts.Every
	}
	return 2 * s.opts.ScanEvery
}

// attest notes that a source was looked at now without anything left out. It
// goes on with the attestation before where there was no gap since.
func (s *Service) attest(tx *db.Tx, source string) error {
	last, found, err := latestAttest(tx, source, tx.NowMillis())
	if err != nil {
		return err
	}
	if found && tx.Now.Sub(controlplane.FromMillis(last.To)) <= s.gap(source) {
		last.To = max(last.To, tx.NowMillis())
		return db.Save(tx, &last)
	}
	return db.Insert(tx, &attestRow{ID: controlplane.NewID("att_"), Source: source, From: tx.NowMillis(), To: tx.NowMillis()})
}

// latestAttest is the newest attestation of a source that had begun at an instant.
func latestAttest(tx *db.Tx, source string, at int64) (attestRow, bool, error) {
	var rows []attestRow
	err := tx.Where("source = ? AND from_at <= ?", source, at).Order("from_at DESC").Limit(1).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return attestRow{}, false, err
	}
	return rows[0], true, nil
}

// attestations says of each source when it was last confirmed before an instant,
// as it was known at another, and whether the instant lies inside: until a gap
// is longer than twice the time between two looks it is none. A source that was
// never looked at by then has zero times and is not good.
func (s *Service) attestations(tx *db.Tx, at, known time.Time, sources []string) (map[string]Attestation, error) {
	out := make(map[string]Attestation, len(sources))
	for _, source := range sources {
		a := Attestation{Source: source}
		row, found, err := latestAttest(tx, source, min(at.UnixMilli(), known.UnixMilli()))
		if err != nil {
			return nil, err
		}
		if found {
			to := controlplane.FromMillis(min(row.To, known.UnixMilli()))
			a.From, a.To = controlplane.FromMillis(row.From), to
			end := to.Add(s.gap(source))
			a.Good = !at.After(to) || !at.After(end) && !known.After(end)
		}
		out[source] = a
	}
	return out, nil
}
