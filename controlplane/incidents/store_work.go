package incidents

import (
	"fmt"
	"time"

	"gorm.io/gorm/clause"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// noteRow is a line that somebody wrote into a case's timeline.
type noteRow struct {
	ID         string `gorm:"primaryKey"`
	CaseID     string
	At         int64
	Text       []byte
	ByID       string
	RecordedAt int64
}

func (noteRow) TableName() string { return "incident_notes" }

// taskRow is something to be done in a case.
type taskRow struct {
	ID      string `gorm:"primaryKey"`
	CaseID  string
	Text    []byte
	OwnerID string
	DueAt   int64
	MadeAt  int64
	MadeBy  string
	DoneAt  int64
	DoneBy  string
	Note    []byte
	ToldAt  int64
}

func (taskRow) TableName() string { return "incident_tasks" }

// actionRow is what was done to contain an incident. EndedAt 0: what came of it
// is not known.
type actionRow struct {
	ID      string `gorm:"primaryKey"`
	CaseID  string
	Kind    string
	Target  string
	Why     []byte
	ByID    string
	At      int64
	Result  []byte
	Failed  int64
	Refs    string // JSON
	EndedAt int64
}

func (actionRow) TableName() string { return "incident_actions" }

// decisionRow is a decision as it was made.
type decisionRow struct {
	ID                   string `gorm:"primaryKey"`
	CaseID               string
	Likelihood, Severity string
	Risk                 string
	Authority, People    int64
	Exemption            string
	Reasons              []byte
	Rule                 string
	NotDue               int64
	ByID                 string
	At                   int64
}

func (decisionRow) TableName() string { return "incident_decisions" }

// freezeRow is what of a case is kept.
type freezeRow struct {
	CaseID    string `gorm:"primaryKey"`
	SinceAt   int64
	UntilAt   int64
	ByID      string
	FrozenAt  int64
	Customers string
	Held      []byte
	Failed    []byte
	ToldAt    int64
	ThawedAt  int64
	ThawedBy  string
	Why       []byte
}

func (freezeRow) TableName() string { return "incident_freezes" }

// ofCase are the rows of a table that belong to a case, in an order.
func ofCase[T any](tx *db.Tx, incident, order string) (rows []T, err error) {
	if err = tx.Where("case_id = ?", incident).Order(order).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("find %T: %w", rows, err)
	}
	return rows, nil
}

// oneByID finds a row that has no customer. Errors: not found, naming the noun,
// also for everybody but staff.
func oneByID[T any](tx *db.Tx, scope policy.Scope, noun, id string) (row T, err error) {
	if !scope.All() {
		return row, controlplane.NotFound(noun)
	}
	return db.One[T](tx, scope, noun, id)
}

// lateTasks are those past their time that no finding tells of yet, but of false alarms.
func lateTasks(tx *db.Tx) (rows []taskRow, err error) {
	err = tx.Where("done_at = 0 AND told_at = 0 AND due_at > 0 AND due_at <= ? AND NOT EXISTS (SELECT 1 FROM incident_cases c WHERE c.id = case_id AND c.state = 'false_alarm')", tx.NowMillis()).Order("due_at, id").Limit(200).Find(&rows).Error
	return rows, err
}

// lostActions are those that were begun long ago, and whose end nobody wrote.
func lostActions(tx *db.Tx, after time.Duration) (rows []actionRow, err error) {
	err = tx.Where("ended_at = 0 AND at <= ?", tx.Now.Add(-after).UnixMilli()).Order("at, id").Limit(200).Find(&rows).Error
	return rows, err
}

// freezeOf is what of a case is kept; ok is false where nothing was frozen yet.
func freezeOf(tx *db.Tx, incident string) (row freezeRow, ok bool, err error) {
	rows, err := ofCase[freezeRow](tx, incident, "case_id")
	if err != nil || len(rows) == 0 {
		return row, false, err
	}
	return rows[0], true, nil
}

// unfrozen are the open cases, no drills, of which nothing was frozen, or that
// are known to have begun before what is kept.
func unfrozen(tx *db.Tx) (ids []string, err error) {
	err = tx.Raw(`SELECT c.id FROM incident_cases c LEFT JOIN incident_freezes f ON f.case_id = c.id
		WHERE c.state = 'open' AND c.drill = 0 AND (f.case_id IS NULL OR f.thawed_at = 0 AND c.occurred_from > 0 AND c.occurred_from < f.since_at)
		ORDER BY c.id LIMIT 200`).Scan(&ids).Error
	return ids, err
}

// endingFreezes are those that end before an instant and that no finding tells of.
func endingFreezes(tx *db.Tx, before time.Time) (rows []freezeRow, err error) {
	err = tx.Where("thawed_at = 0 AND told_at = 0 AND until_at <= ?", before.UnixMilli()).Order("until_at").Limit(200).Find(&rows).Error
	return rows, err
}

// overFreezes are those whose time is over.
func overFreezes(tx *db.Tx) (rows []freezeRow, err error) {
	err = tx.Where("thawed_at = 0 AND until_at <= ?", tx.NowMillis()).Order("until_at").Limit(200).Find(&rows).Error
	return rows, err
}

// setFrozen writes until when a case's data is kept beside the case itself: it is
// no change that a person made.
func setFrozen(tx *db.Tx, incident string, until int64) error {
	return tx.Exec("UPDATE incident_cases SET frozen_until = ? WHERE id = ?", until, incident).Error
}

// versionAt is the version of a case that stood at an instant; ok is false
// where it did not exist yet.
func versionAt(tx *db.Tx, incident string, at int64) (row versionRow, ok bool, err error) {
	var rows []versionRow
	err = tx.Where("case_id = ? AND at <= ?", incident, at).Order("version DESC").Limit(1).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return row, false, err
	}
	return rows[0], true, nil
}

// registered are the cases that may be in the register: no drills, and kept still.
func registered(tx *db.Tx, year int, keptFrom int64) (rows []caseRow, err error) {
	q := tx.Where("drill = 0 AND (closed_at = 0 OR closed_at >= ?)", keptFrom)
	if year > 0 {
		q = q.Where("year = ?", year)
	}
	err = q.Order("year DESC, seq DESC").Find(&rows).Error
	return rows, err
}

// reportRow is somebody's word that something may be wrong.
type reportRow struct {
	ID         string `gorm:"primaryKey"`
	CustomerID string
	Source     string
	ServerID   string
	ReportKey  string
	Subject    string
	Text       []byte
	Name       []byte
	Contact    []byte
	ByID       string
	ReceivedAt int64
	ToldAt     int64
	CaseID     string
	Aside      []byte
	DecidedAt  int64
	DecidedBy  string
	// Reporter is a keyed hash of name and contact, from when they were deleted.
	Reporter    []byte
	ForgottenAt int64
}

func (reportRow) TableName() string { return "incident_reports" }

// reportMarkRow counts reports of one address for a while.
type reportMarkRow struct {
	Mark    []byte `gorm:"primaryKey"`
	N       int64
	UntilAt int64
}

func (reportMarkRow) TableName() string { return "incident_report_marks" }

// countReport counts one more of a mark within a window, and returns how many
// there are. Marks whose time is over are deleted: no address stays longer.
func countReport(tx *db.Tx, mark []byte, window time.Duration) (int64, error) {
	if err := sweepMarks(tx); err != nil {
		return 0, err
	}
	err := tx.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "mark"}},
		DoUpdates: clause.Set{{Column: clause.Column{Name: "n"}, Value: clause.Expr{SQL: "incident_report_marks.n + 1"}}}}).
		Create(&reportMarkRow{Mark: mark, N: 1, UntilAt: tx.Now.Add(window).UnixMilli()}).Error
	if err != nil {
		return 0, err
	}
	var row reportMarkRow
	err = tx.Where("mark = ?", mark).Take(&row).Error
	return row.N, err
}

// staleMarks is how many marks there are whose time is over.
func staleMarks(tx *db.Tx) (n int64, err error) {
	err = tx.Model(&reportMarkRow{}).Where("until_at <= ?", tx.NowMillis()).Count(&n).Error
	return n, err
}

// sweepMarks deletes the marks whose time is over.
func sweepMarks(tx *db.Tx) error {
	return tx.Where("until_at <= ?", tx.NowMillis()).Delete(&reportMarkRow{}).Error
}

// forgettable are the reports, or the one of an id, with somebody's name that were
// dealt with until an instant, and whose case, if they have one, had ended then.
func forgettable(tx *db.Tx, until int64, id string) (rows []reportRow, err error) {
	q := tx.Where("decided_at > 0 AND forgotten_at = 0 AND decided_at <= ? AND COALESCE(LENGTH(name), 0) + COALESCE(LENGTH(contact), 0) > 0", until).
		Where("NOT EXISTS (SELECT 1 FROM incident_cases c WHERE c.id = incident_reports.case_id AND (c.state = 'open' OR c.closed_at > ?))", until)
	if id != "" {
		q = q.Where("id = ?", id)
	}
	err = q.Order("decided_at, id").Limit(200).Find(&rows).Error
	return rows, err
}

// reportByKey finds what another slice reported once already.
func reportByKey(tx *db.Tx, key string) (row reportRow, ok bool, err error) {
	var rows []reportRow
	err = tx.Where("report_key = ? AND report_key <> ''", key).Limit(1).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return row, false, err
	}
	return rows[0], true, nil
}

// reportRows are reports that a scope sees: contacts those that their customer
// handed in. Those that nobody has looked at come first, the oldest of them
// first, and what came from outside after what came from people we know: a flood
// buries nothing; then the latest.
func reportRows(tx *db.Tx, scope policy.Scope, waiting bool) (rows []reportRow, err error) {
	q := db.Within(tx.DB, scope)
	if !scope.All() {
		q = q.Where("source = ?", string(FromCustomer))
	}
	if err = q.Where("decided_at = 0").Order("CASE source WHEN 'public' THEN 1 ELSE 0 END, received_at, id").Limit(500).Find(&rows).Error; err != nil || waiting {
		return rows, err
	}
	var done []reportRow
	q = db.Within(tx.DB, scope)
	if !scope.All() {
		q = q.Where("source = ?", string(FromCustomer))
	}
	err = q.Where("decided_at > 0").Order("received_at DESC, id DESC").Limit(500).Find(&done).Error
	return append(rows, done...), err
}

// neglected are reports older than a time that nobody has looked at, and that no
// finding tells of yet.
func neglected(tx *db.Tx, after time.Duration) (rows []reportRow, err error) {
	err = tx.Where("decided_at = 0 AND told_at = 0 AND received_at <= ?", tx.Now.Add(-after).UnixMilli()).Order("received_at, id").Limit(200).Find(&rows).Error
	return rows, err
}

// reportsOf are the reports that belong to a case.
func reportsOf(tx *db.Tx, incident string) (rows []reportRow, err error) {
	err = tx.Where("case_id = ? AND case_id <> ''", incident).Order("received_at, id").Find(&rows).Error
	return rows, err
}
