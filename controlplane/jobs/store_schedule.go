package jobs

import (
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
)

// scheduleRow is a schedule in the database. PlannedAt is the next time by the
// cron line, NextAt the same with the key's delay.
type scheduleRow struct {
	ID           string `gorm:"column:id;primaryKey"`
	Key          string `gorm:"column:sched_key"`
	Kind         string `gorm:"column:kind"`
	Customer     string `gorm:"column:customer_id"`
	Subject      string `gorm:"column:subject"`
	Cron         string `gorm:"column:cron"`
	Zone         string `gorm:"column:zone"`
	JitterMillis int64  `gorm:"column:jitter_ms"`
	CatchUp      int64  `gorm:"column:catch_up"`
	Enabled      int64  `gorm:"column:enabled"`
	PlannedAt    int64  `gorm:"column:planned_at"`
	NextAt       int64  `gorm:"column:next_at"`
	LastAt       int64  `gorm:"column:last_at"`
}

func (scheduleRow) TableName() string { return "job_schedules" }

// delay is the key's own, stable part of the jitter, in whole milliseconds.
func (r *scheduleRow) delay() time.Duration {
	return offset(r.Key, 0, time.Duration(r.JitterMillis)*time.Millisecond).Truncate(time.Millisecond)
}

func (r *scheduleRow) plan(at time.Time) {
	r.PlannedAt, r.NextAt = at.UnixMilli(), at.Add(r.delay()).UnixMilli()
}

func (r *scheduleRow) schedule() Schedule {
	return Schedule{
		ID: r.ID, Key: r.Key, Kind: r.Kind, Customer: r.Customer, Subject: r.Subject, Cron: r.Cron, Zone: r.Zone,
		Jitter: time.Duration(r.JitterMillis) * time.Millisecond, CatchUp: r.CatchUp == 1, Enabled: r.Enabled == 1,
		NextAt: controlplane.FromMillis(r.NextAt), LastAt: controlplane.FromMillis(r.LastAt),
	}
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func scheduleByKey(tx *db.Tx, key string) (*scheduleRow, error) {
	return oneSchedule(tx, "sched_key = ?", key)
}

func scheduleByID(tx *db.Tx, id string) (*scheduleRow, error) { return oneSchedule(tx, "id = ?", id) }

func oneSchedule(tx *db.Tx, where string, arg any) (*scheduleRow, error) {
	var rows []*scheduleRow
	if err := tx.Where(where, arg).Limit(1).Find(&rows).Error; err != nil || len(rows) == 0 {
		return nil, err
	}
	return rows[0], nil
}

func putSchedule(tx *db.Tx, r *scheduleRow, there bool) error {
	if there {
		return tx.Model(&scheduleRow{}).Where("id = ?", r.ID).Select("*").Updates(r).Error
	}
	return tx.Create(r).Error
}

// dueSchedules returns ids, the longest due first.
func dueSchedules(tx *db.Tx) (ids []string, err error) {
	err = tx.Raw("SELECT id FROM job_schedules WHERE enabled = 1 AND next_at <= ? ORDER BY next_at LIMIT 1000", tx.NowMillis()).Scan(&ids).Error
	return ids, err
}

func moveSchedule(tx *db.Tx, r *scheduleRow) error {
	return tx.Exec("UPDATE job_schedules SET planned_at = ?, next_at = ?, last_at = ? WHERE id = ?", r.PlannedAt, r.NextAt, r.LastAt, r.ID).Error
}
