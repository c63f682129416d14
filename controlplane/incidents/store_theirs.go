package incidents

import (
	"ostler/controlplane"
	"ostler/controlplane/db"
)

// theirsRow is what a customer told us that they did for their own authority.
type theirsRow struct {
	ID         string `gorm:"primaryKey"`
	CaseID     string
	CustomerID string
	Step       string
	At         int64 // 0 is that they did not, after all
	ToldBy     []byte
	ByID       string
	RecordedAt int64
}

func (theirsRow) TableName() string { return "incident_theirs" }

// theirRows are all that the customers in a case told us, the earliest recorded first.
func theirRows(tx *db.Tx, incident string) (rows []theirsRow, err error) {
	err = tx.Where("case_id = ?", incident).Order("recorded_at, id").Find(&rows).Error
	return rows, err
}

// addTheirs writes a row, with who of theirs said so.
func (s *Service) addTheirs(tx *db.Tx, r theirsRow, toldBy string) (err error) {
	r.ID = controlplane.NewID("tsd_")
	if r.ToldBy, err = s.seal(r.CustomerID, "incident_theirs", "told_by", r.ID, toldBy); err != nil {
		return err
	}
	return db.Insert(tx, &r)
}

// readTheirs reads what the customers in a case told us.
func (s *Service) readTheirs(tx *db.Tx, d *dossier) error {
	rows, err := theirRows(tx, d.row.ID)
	if err != nil {
		return err
	}
	d.theySaid = map[string][]TheirWord{}
	for _, r := range rows {
		by, err := s.openOr(r.CustomerID, "incident_theirs", "told_by", r.ID, r.ToldBy)
		if err != nil {
			return err
		}
		d.theySaid[r.CustomerID] = append(d.theySaid[r.CustomerID], TheirWord{Step: TheirStep(r.Step), At: controlplane.FromMillis(r.At), ToldBy: by, By: r.ByID, RecordedAt: controlplane.FromMillis(r.RecordedAt)})
	}
	return nil
}

// bringTheirs copies what customers told us to the case that they go on in.
func (s *Service) bringTheirs(tx *db.Tx, p part) error {
	rows, err := theirRows(tx, p.from.ID)
	if err != nil {
		return err
	}
	along := map[string]bool{}
	for _, r := range p.customers {
		along[r.CustomerID] = true
	}
	for _, r := range rows {
		if !along[r.CustomerID] || r.RecordedAt < p.from.ClockFrom {
			continue
		}
		by, err := s.open(r.CustomerID, "incident_theirs", "told_by", r.ID, r.ToldBy)
		if err != nil {
			return err
		}
		r.CaseID = p.into.ID
		if err := s.addTheirs(tx, r, by); err != nil {
			return err
		}
	}
	return nil
}
