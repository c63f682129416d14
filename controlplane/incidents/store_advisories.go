package incidents

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
)

// advisoryRow is what is told that is no breach. Data is sealed with the company's key.
type advisoryRow struct {
	ID      string `gorm:"primaryKey"`
	Purpose string
	ByID    string
	MadeAt  int64
	SentAt  int64
	Drill   int64
	NextAt  int64 // when Watch drafts for those of whom there is no notice yet; 0 where there are none
	Data    []byte
}

func (advisoryRow) TableName() string { return "incident_advisories" }

// advisoryData is what is sealed of it.
type advisoryData struct {
	Title, Text     string
	Software, Below string
	Customers       []string
	Ground          string
	Silent          []string
}

// advisedRow is why a customer is told. Ground is sealed with their key.
type advisedRow struct {
	AdvisoryID string `gorm:"primaryKey"`
	CustomerID string `gorm:"primaryKey"`
	ServerID   string `gorm:"primaryKey"`
	Package    string `gorm:"primaryKey"`
	Version    string `gorm:"primaryKey"`
	SeenAt     int64
	Ground     []byte
}

func (advisedRow) TableName() string { return "incident_advisory_for" }

func (r advisedRow) key() string { return r.AdvisoryID + ":" + r.ServerID + ":" + r.Package }

// insertAdvisory stores an advisory with whom it concerns. Of who is left out, what
// would be sealed with their key is not kept.
func (s *Service) insertAdvisory(tx *db.Tx, a AdvisoryNote, left leftOut) error {
	text, err := json.Marshal(advisoryData{Title: a.Title, Text: a.Text, Software: a.Software, Below: a.Below, Customers: a.Customers, Ground: a.Ground, Silent: a.Silent})
	if err != nil {
		return fmt.Errorf("write advisory: %w", err)
	}
	r := advisoryRow{ID: a.ID, Purpose: string(a.Purpose), ByID: a.By, MadeAt: tx.NowMillis(), Drill: flag(a.Drill), NextAt: tx.Now.Add(takenOver).UnixMilli()}
	if r.Data, err = s.seal("", "incident_advisories", "data", a.ID, string(text)); err != nil {
		return err
	}
	if err := db.Insert(tx, &r); err != nil {
		return err
	}
	var rows []advisedRow
	for _, x := range a.For {
		v := advisedRow{AdvisoryID: a.ID, CustomerID: x.Customer, ServerID: x.Server, Package: x.Package, Version: x.Version, SeenAt: controlplane.Millis(x.SeenAt)}
		if left[x.Customer] != nil {
			x.Ground = ""
		}
		if v.Ground, err = s.seal(x.Customer, "incident_advisory_for", "ground", v.key(), x.Ground); err != nil {
			return err
		}
		rows = append(rows, v)
	}
	for part := range slices.Chunk(rows, 16) {
		if err := tx.Create(&part).Error; err != nil {
			return fmt.Errorf("insert whom it concerns: %w", err)
		}
	}
	return nil
}

// advisoryIn is an advisory whole.
func (s *Service) advisoryIn(tx *db.Tx, id string) (AdvisoryNote, error) {
	var row advisoryRow
	if err := tx.Where("id = ?", id).Take(&row).Error; db.IsNotFound(err) {
		return AdvisoryNote{}, controlplane.NotFound("advisory")
	} else if err != nil {
		return AdvisoryNote{}, err
	}
	a, err := s.advisoryOf(row)
	if err != nil {
		return a, err
	}
	var rows []advisedRow
	if err := tx.Where("advisory_id = ?", id).Order("customer_id, server_id, package, version").Find(&rows).Error; err != nil {
		return a, err
	}
	for _, r := range rows {
		x := Runs{Customer: r.CustomerID, Server: r.ServerID, Package: r.Package, Version: r.Version, SeenAt: controlplane.FromMillis(r.SeenAt)}
		if x.Ground, err = s.openOr(r.CustomerID, "incident_advisory_for", "ground", r.key(), r.Ground); err != nil {
			return a, err
		}
		a.For = append(a.For, x)
	}
	if a.Unwritten, err = unwritten(tx, id); err != nil {
		return a, err
	}
	counts, err := advisedCounts(tx)
	a.Told, a.Waiting = counts[id].told, counts[id].waiting
	return a, err
}

// unwritten are whom an advisory concerns and who have no notice of it.
func unwritten(tx *db.Tx, advisory string) (ids []string, err error) {
	err = tx.Raw("SELECT DISTINCT f.customer_id FROM incident_advisory_for f WHERE f.advisory_id = ? AND NOT EXISTS "+
		"(SELECT 1 FROM incident_notices n WHERE n.advisory_id = f.advisory_id AND n.customer_id = f.customer_id) ORDER BY f.customer_id", advisory).Scan(&ids).Error
	return ids, err
}

// takenOver is after how long Watch does what whoever began it has not ended.
const takenOver = 2 * time.Minute

// dueAdvisories are those for which Watch drafts now.
func dueAdvisories(tx *db.Tx) (ids []string, err error) {
	err = tx.Raw("SELECT id FROM incident_advisories WHERE next_at > 0 AND next_at <= ? ORDER BY next_at, id LIMIT 20", tx.NowMillis()).Scan(&ids).Error
	return ids, err
}

// advisoryNext is when Watch drafts for an advisory; 0 is never.
func advisoryNext(tx *db.Tx, id string, at int64) error {
	return tx.Exec("UPDATE incident_advisories SET next_at = ? WHERE id = ?", at, id).Error
}

func (s *Service) advisoryOf(r advisoryRow) (AdvisoryNote, error) {
	a := AdvisoryNote{ID: r.ID, NewAdvisory: NewAdvisory{Purpose: Purpose(r.Purpose)}, MadeAt: controlplane.FromMillis(r.MadeAt), By: r.ByID, SentAt: controlplane.FromMillis(r.SentAt), Drill: r.Drill == 1}
	text, err := s.open("", "incident_advisories", "data", r.ID, r.Data)
	if err != nil {
		return a, err
	}
	var d advisoryData
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		return a, fmt.Errorf("read advisory: %w", err)
	}
	a.Title, a.Text, a.Software, a.Below, a.Customers, a.Ground, a.Silent = d.Title, d.Text, d.Software, d.Below, d.Customers, d.Ground, d.Silent
	return a, nil
}

// advisoriesIn are the latest 200 advisories, newest first.
func (s *Service) advisoriesIn(tx *db.Tx) ([]AdvisoryNote, error) {
	var rows []advisoryRow
	if err := tx.Order("id DESC").Limit(200).Find(&rows).Error; err != nil {
		return nil, err
	}
	counts, err := advisedCounts(tx)
	if err != nil {
		return nil, err
	}
	var out []AdvisoryNote
	for _, r := range rows {
		a, err := s.advisoryOf(r)
		if err != nil {
			return nil, err
		}
		a.Told, a.Waiting = counts[r.ID].told, counts[r.ID].waiting
		out = append(out, a)
	}
	return out, nil
}

type advisedCount struct{ told, waiting int }

// advisedCounts are how many notices of each advisory were delivered, and how many
// were not yet.
func advisedCounts(tx *db.Tx) (map[string]advisedCount, error) {
	var rows []struct {
		AdvisoryID    string
		Told, Waiting int
	}
	err := tx.Raw("SELECT advisory_id, SUM(CASE WHEN told_at > 0 THEN 1 ELSE 0 END) AS told, SUM(CASE WHEN told_at = 0 THEN 1 ELSE 0 END) AS waiting FROM incident_notices "+
		"WHERE advisory_id <> '' AND state <> ? GROUP BY advisory_id", string(Discarded)).Scan(&rows).Error
	out := map[string]advisedCount{}
	for _, r := range rows {
		out[r.AdvisoryID] = advisedCount{r.Told, r.Waiting}
	}
	return out, err
}

// openAdvised are the notices of an advisory that were not sent yet.
func openAdvised(tx *db.Tx, advisory string) (rows []noticeRow, err error) {
	err = tx.Where("advisory_id = ? AND state IN (?, ?)", advisory, string(Draft), string(Waiting)).Order("id").Find(&rows).Error
	return rows, err
}

// advisorySent notes when it began to be sent.
func advisorySent(tx *db.Tx, id string, at int64) error {
	return tx.Exec("UPDATE incident_advisories SET sent_at = ? WHERE id = ? AND sent_at = 0", at, id).Error
}
