package incidents

import "ostler/controlplane/db"

// alarmRow is a level of a deadline that was raised.
type alarmRow struct {
	CaseID   string `gorm:"primaryKey"`
	Rule     string `gorm:"primaryKey"`
	DueAt    int64  `gorm:"primaryKey;autoIncrement:false"`
	Level    string `gorm:"primaryKey"`
	RaisedAt int64
}

func (alarmRow) TableName() string { return "incident_alarms" }

// alarmRows are the alarms of a case that stand.
func alarmRows(tx *db.Tx, incident string) (rows []alarmRow, err error) {
	err = tx.Where("case_id = ?", incident).Order("due_at, rule, raised_at").Find(&rows).Error
	return rows, err
}

// deleteAlarm takes an alarm back; the ledger keeps that it was raised.
func deleteAlarm(tx *db.Tx, r alarmRow) error {
	return tx.Exec("DELETE FROM incident_alarms WHERE case_id = ? AND rule = ? AND due_at = ? AND level = ?", r.CaseID, r.Rule, r.DueAt, r.Level).Error
}

// setDue writes what is due in a case, what would be were it certain, and when it is
// to be looked at.
func setDue(tx *db.Tx, incident string, next, shadow, late, wake int64) error {
	return tx.Exec("UPDATE incident_cases SET next_due = ?, shadow_due = ?, late = ?, wake_at = ? WHERE id = ?", next, shadow, late, wake, incident).Error
}

// askedRow is what takes a clock away, with what became of it.
type askedRow struct {
	ID         string `gorm:"primaryKey"`
	CaseID     string
	CustomerID string
	Act        string
	ByID       string
	At         int64
	Why        []byte
	State      string
	SettledBy  string
	SettledAt  int64
	Alone      int64
}

func (askedRow) TableName() string { return "incident_asked" }

// ordersOf are the orders of a case that are not carried out yet.
func ordersOf(tx *db.Tx, incident string) (rows []orderRow, err error) {
	err = tx.Where("case_id = ? AND done_at = 0", incident).Order("made_at, id").Find(&rows).Error
	return rows, err
}

// moveOrder has an order be carried out in another case.
func moveOrder(tx *db.Tx, id, into string) error {
	return tx.Exec("UPDATE incident_orders SET case_id = ? WHERE id = ?", into, id).Error
}

// moveWork has the tasks, actions and reports of a case go on in another.
func moveWork(tx *db.Tx, from, into string) error {
	for _, q := range []string{"UPDATE incident_tasks SET case_id = ?, told_at = 0 WHERE case_id = ?", "UPDATE incident_actions SET case_id = ? WHERE case_id = ?",
		"UPDATE incident_reports SET case_id = ? WHERE case_id = ?"} {
		if err := tx.Exec(q, into, from).Error; err != nil {
			return err
		}
	}
	return nil
}
