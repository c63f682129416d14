package access

import (
	"fmt"
	"time"

	"gorm.io/gorm/clause"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

type noticeRow struct {
	ID             string `gorm:"primaryKey"`
	CustomerID     string
	State          string
	Urgent         int64
	OpenedAt       int64
	GatherUntil    int64
	DueAt          int64
	TryAt          int64
	SentAt         int64
	AcceptedAt     int64
	ReadAt         int64
	AcknowledgedAt int64
	AcknowledgedBy string
	CalledAt       int64
	CallNote       []byte
	LateAt         int64
	Why            string
}

func (noticeRow) TableName() string { return "access_notices" }

type noticeItemRow struct {
	ChangeID   string `gorm:"primaryKey"`
	NoticeID   string
	CustomerID string
}

func (noticeItemRow) TableName() string { return "access_notice_items" }

type noticeMailRow struct {
	MailID     string `gorm:"primaryKey"`
	NoticeID   string
	CustomerID string
	ContactID  string
	Name       []byte
	Seq        int64
	State      string
	Cause      string
	At         int64
}

func (noticeMailRow) TableName() string { return "access_notice_mails" }

type seenRow struct {
	CustomerID string `gorm:"primaryKey"`
	Reader     string `gorm:"primaryKey"`
	At         int64
	BeforeAt   int64
}

func (seenRow) TableName() string { return "access_visits_seen" }

type authorisationRow struct {
	ID         string `gorm:"primaryKey"`
	CustomerID string
	ContactID  string
	Name       []byte
	Capacity   string
	Acts       string
	FromAt     int64
	UntilAt    int64
	Document   []byte
	EndedAt    int64
	EndedBy    string
	CreatedBy  string
	CreatedAt  int64 `gorm:"autoCreateTime:false"`
}

func (authorisationRow) TableName() string { return "access_authorisations" }

type instructionRow struct {
	ID              string `gorm:"primaryKey"`
	CustomerID      string
	AuthorisationID string
	What            []byte
	Ticket          string
	Subject         string
	FlaggedBy       string
	FlaggedAt       int64
	Why             []byte
	MailID          string
	DecidedAt       int64
	DecidedBy       string
	Decision        string
	Reasons         []byte
}

func (instructionRow) TableName() string { return "access_instructions" }

type staffNoticeRow struct {
	StaffID    string `gorm:"primaryKey"`
	TextSHA256 string `gorm:"column:text_sha256;primaryKey"`
	Months     int64
	At         int64
}

func (staffNoticeRow) TableName() string { return "access_staff_notices" }

// gatheringOf are the notices that gather now of customers, by customer.
func gatheringOf(tx *db.Tx, customers []string) (map[string]noticeRow, error) {
	var rows []noticeRow
	err := oneOf(tx.Where("state = ?", NoticeGathering), tx.Dialect(), "customer_id", customers).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("find notices: %w", err)
	}
	out := make(map[string]noticeRow, len(rows))
	for _, r := range rows {
		out[r.CustomerID] = r
	}
	return out, nil
}

// noticeHoursOf are the agreed hours of customers who have terms.
func noticeHoursOf(tx *db.Tx, customers []string) (map[string]int64, error) {
	var rows []struct {
		CustomerID  string
		NoticeHours int64
	}
	err := oneOf(tx.Table("access_terms"), tx.Dialect(), "customer_id", customers).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("find terms: %w", err)
	}
	out := make(map[string]int64, len(rows))
	for _, r := range rows {
		out[r.CustomerID] = r.NoticeHours
	}
	return out, nil
}

// breakGlassOf tells which of these grants are of emergency.
func breakGlassOf(tx *db.Tx, grants []string) (map[string]bool, error) {
	if len(grants) == 0 {
		return nil, nil
	}
	var ids []string
	err := oneOf(tx.Table("access_grants").Where("kind = ?", string(GrantBreakGlass)), tx.Dialect(), "id", grants).Pluck("id", &ids).Error
	if err != nil {
		return nil, fmt.Errorf("find grants: %w", err)
	}
	out := make(map[string]bool, len(ids))
	for _, id := range ids {
		out[id] = true
	}
	return out, nil
}

// itemsOf are the changes in a notice, in the order in which they were written.
func itemsOf(tx *db.Tx, notices []string) (map[string][]changeRow, error) {
	out := map[string][]changeRow{}
	if len(notices) == 0 {
		return out, nil
	}
	var rows []struct {
		Change   changeRow `gorm:"embedded"`
		NoticeID string
	}
	q := tx.Table("access_notice_items i").Select("c.*, i.notice_id").Joins("JOIN access_changes c ON c.id = i.change_id")
	if err := oneOf(q, tx.Dialect(), "i.notice_id", notices).Order("c.id").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("find items: %w", err)
	}
	for _, r := range rows {
		out[r.NoticeID] = append(out[r.NoticeID], r.Change)
	}
	return out, nil
}

// mailsOf are the mails of notices in the order in which contacts were tried.
func mailsOf(tx *db.Tx, notices []string) (map[string][]noticeMailRow, error) {
	out := map[string][]noticeMailRow{}
	if len(notices) == 0 {
		return out, nil
	}
	var rows []noticeMailRow
	if err := oneOf(tx.Order("seq"), tx.Dialect(), "notice_id", notices).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("find mails of notices: %w", err)
	}
	for _, r := range rows {
		out[r.NoticeID] = append(out[r.NoticeID], r)
	}
	return out, nil
}

// lastMails are the latest mails of notices to a customer's contacts, newest first.
func lastMails(tx *db.Tx, customer string) ([]noticeMailRow, error) {
	return db.Where[noticeMailRow](tx, policy.OneCustomer(customer), "at DESC", 20, "customer_id = ?", customer)
}

// stamp notes of the changes in a notice when they were accepted or
// acknowledged; 0 takes it back.
func stamp(tx *db.Tx, column, notice string, at int64) error {
	if column != "notified_at" && column != "acknowledged_at" {
		return fmt.Errorf("stamp %q", column)
	}
	return tx.Exec("UPDATE access_changes SET "+column+" = ? WHERE id IN (SELECT change_id FROM access_notice_items WHERE notice_id = ?)", at, notice).Error
}

// dueNotices are those that go out now, or whose next contact is tried, after an id.
func dueNotices(tx *db.Tx, after string) ([]noticeRow, error) {
	const open = "id > ? AND (state = ? AND gather_until <= ? OR state IN ? AND try_at > 0 AND try_at <= ?)"
	return db.Where[noticeRow](tx, everyone(), "id", 200, open, after, NoticeGathering, tx.NowMillis(), []string{NoticeBounced, NoticeUnreachable}, tx.NowMillis())
}

// overdueNotices are those whose time is over, and which nobody has yet.
func overdueNotices(tx *db.Tx) ([]noticeRow, error) {
	return db.Where[noticeRow](tx, everyone(), "due_at, id", 200,
		"accepted_at = 0 AND late_at = 0 AND due_at <= ? AND read_at = 0 AND called_at = 0 AND acknowledged_at = 0", tx.NowMillis())
}

// putSeen notes when somebody looked.
func putSeen(tx *db.Tx, r seenRow) error {
	return tx.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "customer_id"}, {Name: "reader"}}, UpdateAll: true}).Create(&r).Error
}

// longestRecording is the longest time for which a customer's recordings are kept, in months.
func longestRecording(tx *db.Tx) (int, error) {
	var months int
	err := tx.Raw("SELECT COALESCE(MAX(recording_months), 0) FROM access_terms").Scan(&months).Error
	return max(months, recordingMonths), err
}

// staffNoticeSeen is when a member of the staff took note of a text.
func staffNoticeSeen(tx *db.Tx, staff, sha256 string) (time.Time, error) {
	var rows []staffNoticeRow
	err := tx.Where("staff_id = ? AND text_sha256 = ?", staff, sha256).Limit(1).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return time.Time{}, err
	}
	return controlplane.FromMillis(rows[0].At), nil
}
