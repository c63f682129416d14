package mail

import (
	"fmt"

	"gorm.io/gorm/clause"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
	"ostler/controlplane/secrets"
)

// row is a mail in the database.
type row struct {
	ID             string `gorm:"column:id;primaryKey"`
	Key            string `gorm:"column:unique_key"` // the id where the Message has none
	Customer       string `gorm:"column:customer_id"`
	Audience       string `gorm:"column:audience"` // whose list shows it
	Person         string `gorm:"column:person"`
	Subject        string `gorm:"column:subject"`
	Template       string `gorm:"column:template"`
	Lang           string `gorm:"column:language"`
	Path           string `gorm:"column:path"`
	MessageID      string `gorm:"column:message_id"` // without angle brackets
	Address        []byte `gorm:"column:address"`
	Title          []byte `gorm:"column:title"`
	Raw            []byte `gorm:"column:raw"`
	SHA256         string `gorm:"column:sha256"`
	Size           int64  `gorm:"column:size"`
	State          State  `gorm:"column:state"`
	Cause          Cause  `gorm:"column:cause"`
	InDoubt        int64  `gorm:"column:in_doubt"`
	Content        string `gorm:"column:content"`
	Attempts       int    `gorm:"column:attempts"`
	CreatedAt      int64  `gorm:"column:created_at;autoCreateTime:false"`
	AcceptedAt     int64  `gorm:"column:accepted_at"`
	EndedAt        int64  `gorm:"column:ended_at"`
	OpenedAt       int64  `gorm:"column:opened_at"`
	AcknowledgedAt int64  `gorm:"column:acknowledged_at"`
	CalledAt       int64  `gorm:"column:called_at"`
	CallNote       []byte `gorm:"column:call_note"`
}

func (row) TableName() string { return "mails" }

// mutable are the columns that change after a mail was queued.
var mutable = []string{"state", "cause", "in_doubt", "content", "attempts", "accepted_at", "ended_at", "opened_at", "acknowledged_at", "called_at", "call_note"}

// attemptRow is one try, or several that met the same obstacle.
type attemptRow struct {
	Mail      string  `gorm:"column:mail_id;primaryKey"`
	N         int     `gorm:"column:n;primaryKey;autoIncrement:false"`
	Customer  string  `gorm:"column:customer_id"`
	Tries     int     `gorm:"column:tries"`
	StartedAt int64   `gorm:"column:started_at"`
	EndedAt   int64   `gorm:"column:ended_at"`
	Outcome   Outcome `gorm:"column:outcome"`
	Cause     Cause   `gorm:"column:cause"`
	Content   string  `gorm:"column:content"`
	Sent      []byte  `gorm:"column:sent"` // the bytes of a notice; a mail's own stand in mails
	SHA256    string  `gorm:"column:sha256"`
	Code      int     `gorm:"column:code"`
	Reply     []byte  `gorm:"column:reply"`
	QueueID   string  `gorm:"column:queue_id"`
	Server    string  `gorm:"column:server"`
	TLS       string  `gorm:"column:tls"`
	Peer      string  `gorm:"column:peer"`
	DSN       int64   `gorm:"column:dsn"`
}

func (attemptRow) TableName() string { return "mail_attempts" }

// reportRow is what came back about a mail.
type reportRow struct {
	Mail       string `gorm:"column:mail_id;primaryKey"`
	SHA256     string `gorm:"column:sha256;primaryKey"`
	Customer   string `gorm:"column:customer_id"`
	ReceivedAt int64  `gorm:"column:received_at"`
	Action     string `gorm:"column:action"`
	Status     string `gorm:"column:status"`
	Reporter   string `gorm:"column:reporter"`
	Diagnostic []byte `gorm:"column:diagnostic"`
	Raw        []byte `gorm:"column:raw"`
}

func (reportRow) TableName() string { return "mail_reports" }

// serverRow says since when a mail server takes nothing.
type serverRow struct {
	Address   string `gorm:"column:address;primaryKey"`
	DownSince int64  `gorm:"column:down_since"`
	RaisedAt  int64  `gorm:"column:raised_at"`
}

func (serverRow) TableName() string { return "mail_servers" }

func (m *Mail) seal(customer, table, column, id, value string) ([]byte, error) {
	return m.keys.Seal(customer, secrets.AD{Table: table, Column: column, Row: id}, []byte(value))
}

func (m *Mail) unseal(customer, table, column, id string, sealed []byte) (string, error) {
	if len(sealed) == 0 {
		return "", nil
	}
	b, err := m.keys.Open(customer, secrets.AD{Table: table, Column: column, Row: id}, sealed)
	return string(b), err
}

// insertRow stores a new mail; inserted is false where its key is taken.
func insertRow(tx *db.Tx, r *row) (inserted bool, err error) {
	res := tx.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "unique_key"}}, DoNothing: true}).Create(r)
	return res.RowsAffected == 1, res.Error
}

func rowByKey(tx *db.Tx, key string) (*row, error) { return one(tx, "unique_key = ?", key) }

func rowByID(tx *db.Tx, id string) (*row, error) { return one(tx, "id = ?", id) }

func rowByMessageID(tx *db.Tx, id string) (*row, error) { return one(tx, "message_id = ?", id) }

// one returns the mail of a condition, nil where there is none.
func one(tx *db.Tx, where string, args ...any) (*row, error) {
	var rows []*row
	if err := tx.Where(where, args...).Limit(1).Find(&rows).Error; err != nil || len(rows) == 0 {
		return nil, err
	}
	return rows[0], nil
}

// scoped returns the mail of an id as far as the scope reaches.
func scoped(tx *db.Tx, scope policy.Scope, id string) (*row, error) {
	where, args := visible(scope)
	r, err := one(tx, "id = ? AND "+where, append([]any{id}, args...)...)
	if err == nil && r == nil {
		err = controlplane.NotFound("mail")
	}
	return r, err
}

func save(tx *db.Tx, r *row) error {
	res := tx.Model(&row{}).Where("id = ?", r.ID).Select(mutable).Updates(r)
	if res.Error == nil && res.RowsAffected != 1 {
		return fmt.Errorf("mail %s is gone", r.ID)
	}
	return res.Error
}

// attempt returns try n of a mail, nil where there is none.
func attempt(tx *db.Tx, mail string, n int) (*attemptRow, error) {
	var rows []*attemptRow
	if err := tx.Where("mail_id = ? AND n = ?", mail, n).Limit(1).Find(&rows).Error; err != nil || len(rows) == 0 {
		return nil, err
	}
	return rows[0], nil
}

func insertAttempt(tx *db.Tx, a *attemptRow) error { return tx.Create(a).Error }

func saveAttempt(tx *db.Tx, a *attemptRow) error {
	return tx.Model(&attemptRow{}).Where("mail_id = ? AND n = ?", a.Mail, a.N).
		Select("tries", "ended_at", "outcome", "cause", "code", "reply", "queue_id", "server", "tls", "peer", "dsn").Updates(a).Error
}

// insertReport stores a report; inserted is false where it is there already.
func insertReport(tx *db.Tx, r *reportRow) (inserted bool, err error) {
	res := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(r)
	return res.RowsAffected == 1, res.Error
}

func serverByAddress(tx *db.Tx, address string) (serverRow, error) {
	rows := []serverRow{}
	if err := tx.Where("address = ?", address).Limit(1).Find(&rows).Error; err != nil || len(rows) == 0 {
		return serverRow{Address: address}, err
	}
	return rows[0], nil
}

func putServer(tx *db.Tx, r serverRow) error {
	return tx.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "address"}}, UpdateAll: true}).Create(&r).Error
}
