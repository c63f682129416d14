package incidents

import (
	"encoding/json"
	"fmt"
	"strconv"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/incidents/law"
)

// termsRow is one version of what a customer's contract says.
type termsRow struct {
	CustomerID    string `gorm:"primaryKey"`
	Version       int64  `gorm:"primaryKey;autoIncrement:false"`
	Amount        int64
	Unit          string
	FromSuspicion int64
	Role          string
	Jurisdiction  string
	Country       string
	Zone          string
	Financial     int64
	Services      string
	RecordedAt    int64
	ByID          string
}

func (termsRow) TableName() string { return "incident_terms" }

// companyRow is one version of who we are to the law.
type companyRow struct {
	Version    int64 `gorm:"primaryKey;autoIncrement:false"`
	Data       []byte
	RecordedAt int64
	ByID       string
}

func (companyRow) TableName() string { return "incident_company" }

// companyAt is one version, opened.
type companyAt struct {
	Company
	recordedAt int64
}

// rulesRow is a pack of rules, whole.
type rulesRow struct {
	ID       string `gorm:"primaryKey"`
	Pack     string
	SHA256   string `gorm:"column:sha256"`
	Shipped  int64
	FromAt   int64
	LoadedAt int64
	ByID     string
	Data     string
}

func (rulesRow) TableName() string { return "incident_rules" }

// packAt is a pack, and since when it is known.
type packAt struct {
	law.Pack
	row rulesRow
}

// termsVersions are all versions of a customer's terms, the oldest first.
func termsVersions(tx *db.Tx, customer string) (rows []termsRow, err error) {
	err = tx.Where("customer_id = ?", customer).Order("version").Find(&rows).Error
	return rows, err
}

// termsOfCase are all versions of the terms of the customers in a case.
func termsOfCase(tx *db.Tx, incident string) (map[string][]termsRow, error) {
	var rows []termsRow
	err := tx.Where("customer_id IN (SELECT a.customer_id FROM incident_affected a WHERE a.case_id = ?)", incident).Order("customer_id, version").Find(&rows).Error
	out := map[string][]termsRow{}
	for _, r := range rows {
		out[r.CustomerID] = append(out[r.CustomerID], r)
	}
	return out, err
}

// whereRow is how a customer is called, and where they are.
type whereRow struct{ ID, Name, Country, Zone string }

// calledIn are the customers in a case, by id.
func (s *Service) calledIn(tx *db.Tx, incident string) (map[string]whereRow, error) {
	called, args := s.customers.Called(everyone())
	var rows []whereRow
	err := tx.Raw("SELECT c.id, c.name, c.country, c.zone FROM ("+called+") c JOIN incident_affected a ON a.customer_id = c.id WHERE a.case_id = ?", append(args, incident)...).Scan(&rows).Error
	out := make(map[string]whereRow, len(rows))
	for _, r := range rows {
		out[r.ID] = r
	}
	return out, err
}

// companiesIn are all versions of who we are to the law, the oldest first.
func (s *Service) companiesIn(tx *db.Tx) (out []companyAt, err error) {
	var rows []companyRow
	if err = tx.Order("version").Find(&rows).Error; err != nil {
		return nil, err
	}
	for _, r := range rows {
		c := companyAt{recordedAt: r.RecordedAt}
		text, err := s.open("", "incident_company", "data", strconv.FormatInt(r.Version, 10), r.Data)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(text), &c.Company); err != nil {
			return nil, fmt.Errorf("read company: %w", err)
		}
		c.Version = r.Version
		out = append(out, c)
	}
	return out, nil
}

// saveCompany writes the next version.
func (s *Service) saveCompany(tx *db.Tx, c Company) error {
	text, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("write company: %w", err)
	}
	row := companyRow{Version: c.Version, RecordedAt: tx.NowMillis(), ByID: actorOf(tx.Context()).ID}
	if row.Data, err = s.seal("", "incident_company", "data", strconv.FormatInt(c.Version, 10), string(text)); err != nil {
		return err
	}
	return db.Insert(tx, &row)
}

// ruleRows are all packs, the one that was known first before.
func ruleRows(tx *db.Tx) (rows []rulesRow, err error) {
	err = tx.Order("from_at, loaded_at, id").Find(&rows).Error
	return rows, err
}

// terms opens a row.
func (r termsRow) terms() (Terms, error) {
	t := Terms{Customer: r.CustomerID, Amount: int(r.Amount), Unit: law.Unit(r.Unit), FromSuspicion: r.FromSuspicion == 1, Role: DataRole(r.Role), Jurisdiction: r.Jurisdiction,
		Country: r.Country, Zone: r.Zone, Financial: r.Financial == 1, Version: r.Version}
	if r.Services != "" {
		if err := json.Unmarshal([]byte(r.Services), &t.Services); err != nil {
			return t, fmt.Errorf("read terms: %w", err)
		}
	}
	return t, nil
}

// rowOf is the row of a version of terms.
func rowOf(t Terms, by string, now int64) (termsRow, error) {
	text, err := json.Marshal(t.Services)
	if err != nil {
		return termsRow{}, fmt.Errorf("write terms: %w", err)
	}
	return termsRow{CustomerID: t.Customer, Version: t.Version, Amount: int64(t.Amount), Unit: string(t.Unit), FromSuspicion: flag(t.FromSuspicion), Role: string(t.Role),
		Jurisdiction: t.Jurisdiction, Country: t.Country, Zone: t.Zone, Financial: flag(t.Financial), Services: string(text), RecordedAt: now, ByID: by}, nil
}

// packsIn are all packs, or the shipped one where none was loaded yet.
func packsIn(tx *db.Tx) ([]packAt, error) {
	rows, err := ruleRows(tx)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		p, err := law.Shipped()
		return []packAt{{Pack: p, row: rulesRow{Pack: p.Version, Shipped: 1}}}, err
	}
	out := make([]packAt, len(rows))
	for i, r := range rows {
		p, err := law.Parse([]byte(r.Data))
		if err != nil {
			return nil, err
		}
		out[i] = packAt{Pack: p, row: r}
	}
	return out, nil
}

// insertRules adds a pack.
func insertRules(tx *db.Tx, r rulesRow) error {
	r.ID = controlplane.NewID("rul_")
	return db.Insert(tx, &r)
}
