package access

import (
	"fmt"

	"ostler/controlplane"
	"ostler/controlplane/db"
)

type paperRow struct {
	ID         string `gorm:"primaryKey"`
	PersonID   string
	Kind       string
	CustomerID string
	Version    string
	FromAt     int64
	UntilAt    int64
	RecordedBy string
	RecordedAt int64
	ReplacedAt int64
	Reference  []byte
	Told       int64
}

func (paperRow) TableName() string { return "access_papers" }

// holds reports whether the paper holds at an instant.
func (r paperRow) holds(at int64) bool { return r.FromAt <= at && (r.UntilAt == 0 || at < r.UntilAt) }

// paperFinding is the key of the finding that a paper ends.
func paperFinding(r paperRow) string {
	return "access.paper_expiring:" + r.PersonID + ":" + r.Kind + ":" + r.CustomerID
}

func (s *Service) paper(r paperRow) (Paper, error) {
	reference, err := s.open("", "access_papers", "reference", r.ID, r.Reference)
	return Paper{ID: r.ID, Person: r.PersonID, Kind: PaperKind(r.Kind), Customer: r.CustomerID, Version: r.Version, From: controlplane.FromMillis(r.FromAt),
		Until: controlplane.FromMillis(r.UntilAt), RecordedBy: r.RecordedBy, Reference: reference}, err
}

// papersOf are all papers of persons, by person, the newest first.
func papersOf(tx *db.Tx, persons []string) (map[string][]paperRow, error) {
	out := map[string][]paperRow{}
	if len(persons) == 0 {
		return out, nil
	}
	var rows []paperRow
	if err := oneOf(tx.DB, tx.Dialect(), "person_id", persons).Order("recorded_at DESC, id DESC").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("find papers: %w", err)
	}
	for _, r := range rows {
		out[r.PersonID] = append(out[r.PersonID], r)
	}
	return out, nil
}

// replacePapers has the papers before of a paper's kind count no more.
func replacePapers(tx *db.Tx, p Paper) error {
	err := tx.Exec("UPDATE access_papers SET replaced_at = ? WHERE person_id = ? AND kind = ? AND customer_id = ? AND replaced_at = 0",
		tx.NowMillis(), p.Person, string(p.Kind), p.Customer).Error
	if err != nil {
		return fmt.Errorf("replace papers: %w", err)
	}
	return nil
}

// endingPapers are papers, of persons who are here, of whose end somebody is to
// be told now: when it comes near, and when it is there.
func endingPapers(tx *db.Tx) (rows []paperRow, err error) {
	err = tx.Where("replaced_at = 0 AND until_at > 0 AND (until_at <= ? AND told = 0 OR until_at <= ? AND told = 1)", tx.Now.Add(paperAhead).UnixMilli(), tx.NowMillis()).
		Where("person_id IN (SELECT id FROM access_persons WHERE left_at = 0)").Order("until_at, id").Limit(200).Find(&rows).Error
	return rows, err
}

func markTold(tx *db.Tx, id string, told int64) error {
	return tx.Exec("UPDATE access_papers SET told = ? WHERE id = ?", told, id).Error
}
