package access

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"gorm.io/gorm"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/secrets"
)

// foundRow is a way in that a scan found; data is sealed with the company's key.
type foundRow struct {
	ID          string `gorm:"column:id;primaryKey"`
	Customer    string `gorm:"column:customer_id"`
	Server      string `gorm:"column:server_id"`
	Kind        string `gorm:"column:kind"`
	Mark        []byte `gorm:"column:mark"`
	Print       []byte `gorm:"column:print"` // of a key, on every server the same
	Data        []byte `gorm:"column:data"`
	Person      string `gorm:"column:person_id"`
	Confirmed   string `gorm:"column:confirmed"` // "", "yes", "no"
	ConfirmedBy string `gorm:"column:confirmed_by"`
	ConfirmedAt int64  `gorm:"column:confirmed_at"`
	Baseline    int64  `gorm:"column:baseline"`
	Owner       string `gorm:"column:owner_id"`
	ReviewBy    int64  `gorm:"column:review_by"`
	FirstScan   int64  `gorm:"column:first_scan"` // it was there when we first looked
	FirstAt     int64  `gorm:"column:first_at"`
	SinceAt     int64  `gorm:"column:since_at"` // the clean scan before
	SeenAt      int64  `gorm:"column:seen_at"`
	GoneAt      int64  `gorm:"column:gone_at"`
	UsedAt      int64  `gorm:"column:used_at"`
}

func (foundRow) TableName() string { return "access_found" }

// foundData is what is sealed of a row.
type foundData struct {
	Account     string `json:"account,omitempty"`
	Fingerprint string `json:"fingerprint,omitempty"`
	Rights      string `json:"rights,omitempty"`
	Comment     string `json:"comment,omitempty"`
	File        string `json:"file,omitempty"`
	Home        string `json:"home,omitempty"` // of the account
	From        string `json:"from,omitempty"`
	Reason      string `json:"reason,omitempty"` // of a baseline
}

func foundAD(id string) secrets.AD {
	return secrets.AD{Table: "access_found", Column: "data", Row: id}
}

func (s *Service) sealFound(r *foundRow, d foundData) error {
	text, err := json.Marshal(d)
	if err != nil {
		return err
	}
	r.Data, err = s.keeper.Seal("", foundAD(r.ID), text)
	return err
}

func (s *Service) openFound(r foundRow) (d foundData, err error) {
	text, err := s.keeper.Open("", foundAD(r.ID), r.Data)
	if err != nil {
		return d, err
	}
	return d, json.Unmarshal(text, &d)
}

// confirmedBy answers of a customer.
const (
	saidYes = "yes"
	saidNo  = "no"
)

// ofCustomer reports whether the customer let them in, by their own word.
func (r foundRow) ofCustomer() bool { return r.Customer != "" && r.Confirmed == saidYes }

// whose is the person behind it. Where it is said to be a customer's, nobody is
// before they confirmed it.
func (r foundRow) whose() string {
	if r.Customer != "" && !r.ofCustomer() {
		return ""
	}
	return r.Person
}

// unexplained reports whether nobody answers for it. Sessions are no way in.
func (r foundRow) unexplained() bool {
	return r.Kind != string(FoundLogin) && r.GoneAt == 0 && r.whose() == "" && !r.ofCustomer() && r.Baseline == 0
}

// foundOn are the ways in that are open on a server.
func foundOn(tx *db.Tx, server string) (rows []foundRow, err error) {
	if err := tx.Where("server_id = ? AND gone_at = 0", server).Order("id").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("find ways in: %w", err)
	}
	return rows, nil
}

// explainedAs is whose a key is by what was said of it on another server, "" where
// nothing was.
func explainedAs(tx *db.Tx, print []byte) (person string, err error) {
	err = tx.Raw("SELECT person_id FROM access_found WHERE print = ? AND person_id <> '' AND customer_id = '' ORDER BY id DESC LIMIT 1", print).Scan(&person).Error
	return person, err
}

// foundByID is a way in, the zero row where there is none.
func (s *Service) foundByID(tx *db.Tx, id string) (r foundRow, d foundData, err error) {
	var rows []foundRow
	if err := tx.Where("id = ?", id).Limit(1).Find(&rows).Error; err != nil || len(rows) == 0 {
		return r, d, err
	}
	d, err = s.openFound(rows[0])
	return rows[0], d, err
}

// samePrint are the open rows of one key on all servers.
func samePrint(tx *db.Tx, print []byte) (rows []foundRow, err error) {
	if len(print) == 0 {
		return nil, nil
	}
	if err := tx.Where("print = ? AND gone_at = 0", print).Order("server_id, id").Limit(5000).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("find a key: %w", err)
	}
	return rows, nil
}

// hostRow is how a host was last looked at.
type hostRow struct {
	Server    string `gorm:"column:server_id;primaryKey"`
	NextAt    int64  `gorm:"column:next_at"`
	AskedAt   int64  `gorm:"column:asked_at"`
	ScannedAt int64  `gorm:"column:scanned_at"`
	CleanAt   int64  `gorm:"column:clean_at"`
}

func (hostRow) TableName() string { return "access_hosts" }

func hostOf(tx *db.Tx, server string) (hostRow, error) {
	row := hostRow{Server: server}
	var rows []hostRow
	if err := tx.Where("server_id = ?", server).Limit(1).Find(&rows).Error; err != nil || len(rows) == 0 {
		return row, err
	}
	return rows[0], nil
}

// newHosts are active servers that are not looked at yet; dueHosts those whose
// time has come; strangers those that are looked at and are not active any more.
func (s *Service) newHosts(tx *db.Tx, limit int) (ids []string, err error) {
	query, args := s.customers.Active(enforcing())
	err = tx.Raw("SELECT v.id FROM ("+query+") v WHERE NOT EXISTS (SELECT 1 FROM access_hosts h WHERE h.server_id = v.id) ORDER BY v.id LIMIT ?", append(args, limit)...).Scan(&ids).Error
	return ids, err
}

func dueHosts(tx *db.Tx, limit int) (ids []string, err error) {
	err = tx.Raw("SELECT server_id FROM access_hosts WHERE next_at <= ? ORDER BY next_at, server_id LIMIT ?", tx.NowMillis(), limit).Scan(&ids).Error
	return ids, err
}

func forgetHost(tx *db.Tx, server string) error {
	return errors.Join(tx.Exec("DELETE FROM access_hosts WHERE server_id = ?", server).Error,
		tx.Exec("UPDATE access_found SET gone_at = ? WHERE server_id = ? AND gone_at = 0", tx.NowMillis(), server).Error)
}

// reviewsDue are baselines whose review is due and that have no finding yet.
func reviewsDue(tx *db.Tx, limit int) (rows []foundRow, err error) {
	err = tx.Raw(`SELECT * FROM access_found a WHERE review_by > 0 AND review_by <= ? AND gone_at = 0 AND baseline = 1
		AND NOT EXISTS (SELECT 1 FROM access_found b WHERE b.server_id = a.server_id AND b.review_by = a.review_by AND b.owner_id = a.owner_id AND b.gone_at = 0 AND b.baseline = 1 AND b.id < a.id)
		ORDER BY review_by, id LIMIT ?`, tx.NowMillis(), limit).Scan(&rows).Error
	return rows, err
}

// listFound is a page of what was found, the newest first.
func listFound(tx *db.Tx, q *gorm.DB, f FoundFilter, after string, limit int) (rows []foundRow, err error) {
	if f.Server != "" {
		q = q.Where("server_id = ?", f.Server)
	}
	if f.Person != "" {
		q = q.Where("person_id = ?", f.Person)
	}
	if !f.Gone {
		q = q.Where("gone_at = 0")
	}
	if f.Unexplained {
		q = q.Where("kind <> 'login' AND gone_at = 0 AND baseline = 0 AND (customer_id = '' AND person_id = '' OR customer_id <> '' AND confirmed <> 'yes')")
	}
	if after != "" {
		q = q.Where("id < ?", after)
	}
	if err := q.Order("id DESC").Limit(limit).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("list ways in: %w", err)
	}
	return rows, nil
}

// foundWithin narrows to what customers see: what is on servers where they live,
// their own and ours, and never another customer's.
func (s *Service) foundWithin(tx *db.Tx, customers []string, all bool) *gorm.DB {
	if all {
		return tx.DB
	}
	query, args := s.customers.Living(enforcing())
	args = append(args, customers)
	return tx.Where("server_id IN (SELECT server_id FROM ("+query+") x WHERE customer_id IN ?)", args...).Where("customer_id = '' OR customer_id IN ?", customers)
}

// foundValue is a row as others see it, but for names.
func foundValue(r foundRow, d foundData) Found {
	at := controlplane.FromMillis
	return Found{ID: r.ID, Server: r.Server, Kind: FoundKind(r.Kind), Account: d.Account, Fingerprint: d.Fingerprint, Rights: d.Rights, Comment: strings.TrimSpace(d.Comment + fromText(d.From)),
		Person: r.Person, Customer: r.Customer, Confirmed: r.Confirmed, ConfirmedBy: r.ConfirmedBy, ConfirmedAt: at(r.ConfirmedAt), Baseline: r.Baseline == 1, Owner: r.Owner,
		ReviewBy: at(r.ReviewBy), SeenAt: at(r.SeenAt), FirstAt: at(r.FirstAt), GoneAt: at(r.GoneAt), LastUsed: at(r.UsedAt)}
}

func fromText(from string) string {
	if from == "" {
		return ""
	}
	return " from " + from
}
