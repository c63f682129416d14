package backups

import (
	"fmt"

	"gorm.io/gorm"

	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// restoreRow is a restore. Preview, Result and Undo are a Tally as JSON, ""
// where there is none.
type restoreRow struct {
	ID, CustomerID, ServerID, SnapshotID, Kind, JobID, State string
	Path, Target                                             []byte
	Size                                                     int64
	SHA256                                                   string `gorm:"column:sha256"`
	Chunks                                                   int64
	FailureCause, CreatedBy                                  string
	CreatedAt                                                int64 `gorm:"autoCreateTime:false"`
	FinishedAt, ExpiresAt, FetchedAt                         int64
	TargetServerID, Placement, Conflict, Format, Label       string
	Special, Items, Files, Bytes, MissingCount               int64
	// SourceJobID is the job whose chunks the target's host may get.
	SourceJobID string
	// Round counts the jobs of hosts that there were: it is in their keys.
	Round int64
	// Touched is 1 while the server may have been changed and was not settled.
	Touched, UndoUntil      int64
	UndoFailure, UndoneFrom string
	TookMS                  int64 `gorm:"column:took_ms"`
	Preview, Result, Undo   string
	AssistID                string
	MailMe, CancelAsked     int64
	ConfirmedBy             string
	ConfirmedAt             int64
}

func (restoreRow) TableName() string { return "restores" }

// contentsRow is what was chosen, and what of it could not be read.
type contentsRow struct {
	RestoreID          string `gorm:"primaryKey"`
	CustomerID         string
	Selection, Missing []byte
}

func (contentsRow) TableName() string { return "restore_contents" }

type basketRow struct {
	ID, CustomerID, PersonID, SnapshotID, PathHash string
	Path                                           []byte
	NodeType                                       string
	Files, Bytes, Measured, AddedAt                int64
}

func (basketRow) TableName() string { return "restore_basket" }

type assistRow struct {
	ID, CustomerID, StaffID    string
	Reason                     []byte
	Ticket                     string
	StartedAt, EndsAt, EndedAt int64
}

func (assistRow) TableName() string { return "restore_assists" }

type askRow struct {
	ID, CustomerID, ContactID, State string
	What, Answer                     []byte
	MailMe                           int64
	CreatedAt                        int64 `gorm:"autoCreateTime:false"`
	TakenBy                          string
	TakenAt                          int64
	DoneBy                           string
	DoneAt                           int64
}

func (askRow) TableName() string { return "restore_asks" }

// busyStates are the states in which a job is at work.
var busyStates = []string{string(RestoreActive), string(RestoreChecking), string(RestorePreviewing), string(RestoreApplying), string(RestoreUndoing)}

// load is how much a customer's restores weigh: under way, waiting, and kept.
// Bytes are what is kept here, and what is on its way here.
type load struct{ Open, Kept, Bytes int64 }

// restoreLoad counts them in one pass over the customer's rows.
func restoreLoad(tx *db.Tx, customer string) (l load, err error) {
	open := append([]string{string(RestorePreviewed)}, busyStates...)
	if err := tx.Model(&restoreRow{}).Where("customer_id = ? AND state IN ?", customer, open).Count(&l.Open).Error; err != nil {
		return l, fmt.Errorf("backups: restores under way: %w", err)
	}
	err = tx.Model(&restoreRow{}).Select("COUNT(*) AS kept, COALESCE(SUM(size), 0) AS bytes").
		Where("customer_id = ? AND state = ? AND kind IN ?", customer, string(RestoreReady), []string{string(RestoreDownload), string(RestoreArchive)}).
		Row().Scan(&l.Kept, &l.Bytes)
	if err != nil {
		return l, fmt.Errorf("backups: restores kept: %w", err)
	}
	coming, err := comingHere(tx, customer, open)
	l.Bytes += coming
	return l, err
}

// comingHere is how much restores under way will keep here: each as it is
// estimated, or as much as has come of it already where that is more.
func comingHere(tx *db.Tx, customer string, open []string) (sum int64, err error) {
	rows, err := db.Where[restoreRow](tx, policy.OneCustomer(customer), "id", 0, "customer_id = ? AND state IN ? AND (kind IN ? OR kind = ? AND target_server_id <> server_id)",
		customer, open, []string{string(RestoreDownload), string(RestoreArchive)}, string(RestoreInPlace))
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	for _, r := range rows {
		var come int64
		if err := tx.Model(&chunkRow{}).Select("COALESCE(SUM(size), 0)").Where("owner_id = ?", r.ID).Row().Scan(&come); err != nil {
			return 0, fmt.Errorf("backups: restores under way: %w", err)
		}
		sum += max(r.Bytes, come)
	}
	return sum, nil
}

// pace is what a customer's latest restores of many files moved, and in what time.
func pace(tx *db.Tx, scope policy.Scope, customer string) (bytes, millis int64, err error) {
	latest := db.Within(tx.Model(&restoreRow{}), scope).Select("bytes, took_ms").
		Where("customer_id = ? AND state IN ? AND bytes > 0 AND took_ms > 0", customer, []string{string(RestoreReady), string(RestoreExpired), string(RestoreUndone)}).
		Order("created_at DESC, id DESC").Limit(20)
	if err := tx.Table("(?) AS l", latest).Select("COALESCE(SUM(bytes), 0), COALESCE(SUM(took_ms), 0)").Row().Scan(&bytes, &millis); err != nil {
		return 0, 0, fmt.Errorf("backups: pace: %w", err)
	}
	return bytes, millis, nil
}

// uploadsOf finds the uploads of a restore: its archive, and its lists.
func uploadsOf(tx *db.Tx, restore string) ([]uploadRow, error) {
	return db.Where[uploadRow](tx, policy.AllCustomers("the uploads of one restore"), "owner_id", 0,
		"owner_id = ? OR owner_id > ? AND owner_id < ?", restore, restore+":", restore+";")
}

func contentsOf(tx *db.Tx, scope policy.Scope, restore string) (contentsRow, error) {
	rows, err := db.Where[contentsRow](tx, scope, "restore_id", 1, "restore_id = ?", restore)
	if err != nil || len(rows) == 0 {
		return contentsRow{}, err
	}
	return rows[0], nil
}

// basketOf finds a person's items, in the order in which they came.
func basketOf(tx *db.Tx, person, customer string) ([]basketRow, error) {
	return db.Where[basketRow](tx, policy.OneCustomer(customer), "added_at, id", 0, "person_id = ? AND customer_id = ?", person, customer)
}

func mine(tx *db.Tx, person, customer string) *gorm.DB {
	return tx.Where("person_id = ? AND customer_id = ?", person, customer)
}

func basketSize(tx *db.Tx, person, customer string) (n int64, err error) {
	if err := mine(tx, person, customer).Model(&basketRow{}).Count(&n).Error; err != nil {
		return 0, fmt.Errorf("backups: basket: %w", err)
	}
	return n, nil
}

func dropItem(tx *db.Tx, person, customer, id string) error {
	if err := mine(tx, person, customer).Where("id = ?", id).Delete(&basketRow{}).Error; err != nil {
		return fmt.Errorf("backups: basket: %w", err)
	}
	return nil
}

func clearBasket(tx *db.Tx, person, customer string) error {
	if err := mine(tx, person, customer).Delete(&basketRow{}).Error; err != nil {
		return fmt.Errorf("backups: basket: %w", err)
	}
	return nil
}

// basketOwners finds whose baskets hold something: persons by their customers.
func basketOwners(tx *db.Tx) (out []basketRow, err error) {
	err = tx.Model(&basketRow{}).Distinct("customer_id", "person_id").Order("customer_id, person_id").Find(&out).Error
	if err != nil {
		return nil, fmt.Errorf("backups: baskets: %w", err)
	}
	return out, nil
}

// restoresAbout are a customer's restores that are under way or wait, and are
// meant by ids or tickets; not those that are taken back.
func restoresAbout(tx *db.Tx, customer string, about []string) ([]restoreRow, error) {
	var open []string
	for _, state := range append([]string{string(RestorePreviewed)}, busyStates...) {
		if state != string(RestoreUndoing) {
			open = append(open, state)
		}
	}
	return db.Where[restoreRow](tx, policy.OneCustomer(customer), "id", 0,
		"customer_id = ? AND state IN ? AND (id IN ? OR assist_id <> '' AND assist_id IN (SELECT id FROM restore_assists WHERE customer_id = ? AND (id IN ? OR ticket <> '' AND ticket IN ?)))",
		customer, open, about, customer, about, about)
}

// openAssist finds the assist that a member of staff has open.
func openAssist(tx *db.Tx, staff string) (assistRow, bool, error) {
	rows, err := db.Where[assistRow](tx, policy.AllCustomers("one's own assist"), "started_at DESC", 1,
		"staff_id = ? AND ended_at = 0 AND ends_at > ?", staff, tx.NowMillis())
	if err != nil || len(rows) == 0 {
		return assistRow{}, false, err
	}
	return rows[0], true, nil
}

// closeJobUpload is closeUpload for the upload of a job; it returns its owner,
// "" where the job has none.
func (s *Service) closeJobUpload(tx *db.Tx, job string) (owner string, err error) {
	rows, err := db.Where[uploadRow](tx, hostUploads(), "owner_id", 1, "job_id = ?", job)
	if err != nil || len(rows) == 0 {
		return "", err
	}
	return rows[0].OwnerID, s.closeUpload(tx, rows[0].OwnerID)
}

// restorePage is a page of restores, newest first, before the last one of the
// page before (id "": from the newest on).
func restorePage(tx *db.Tx, scope policy.Scope, f RestoreFilter, before int64, beforeID string, limit int) ([]restoreRow, error) {
	cond, args := "1 = 1", []any{}
	if f.Customer != "" {
		cond, args = cond+" AND customer_id = ?", append(args, f.Customer)
	}
	if f.Server != "" {
		cond, args = cond+" AND (server_id = ? OR target_server_id = ?)", append(args, f.Server, f.Server)
	}
	if beforeID != "" {
		cond, args = cond+" AND (created_at < ? OR created_at = ? AND id < ?)", append(args, before, before, beforeID)
	}
	return db.Where[restoreRow](tx, scope, "created_at DESC, id DESC", limit, cond, args...)
}

func assists(tx *db.Tx, scope policy.Scope, f AssistFilter) ([]assistRow, error) {
	cond, args := "1 = 1", []any{}
	if f.Customer != "" {
		cond, args = cond+" AND customer_id = ?", append(args, f.Customer)
	}
	if f.Open {
		cond, args = cond+" AND ended_at = 0 AND ends_at > ?", append(args, tx.NowMillis())
	}
	return db.Where[assistRow](tx, scope, "started_at DESC, id DESC", page(f.Limit), cond, args...)
}

func asks(tx *db.Tx, scope policy.Scope, f AskFilter) ([]askRow, error) {
	cond, args := "1 = 1", []any{}
	if f.Customer != "" {
		cond, args = cond+" AND customer_id = ?", append(args, f.Customer)
	}
	if f.Waiting {
		cond, args = cond+" AND state IN ?", append(args, []string{string(AskOpen), string(AskTaken)})
	}
	return db.Where[askRow](tx, scope, "created_at DESC, id DESC", page(f.Limit), cond, args...)
}

// page is the length of a list: 50 where nothing is said, at most 200.
func page(limit int) int {
	if limit <= 0 {
		return 50
	}
	return min(limit, 200)
}

// keepMeasure writes what an item of a basket holds.
func keepMeasure(tx *db.Tx, r basketRow) error {
	err := tx.Model(&basketRow{}).Where("id = ?", r.ID).Updates(map[string]any{"node_type": r.NodeType, "files": r.Files, "bytes": r.Bytes, "measured": r.Measured}).Error
	if err != nil {
		return fmt.Errorf("backups: basket: %w", err)
	}
	return nil
}
