package agents

import (
	"encoding/json"
	"errors"
	"fmt"

	"gorm.io/gorm/clause"

	"ostler/agents/wire"
	"ostler/controlplane/db"
)

// presenceRow is what we know of a server's agent now.
type presenceRow struct {
	Server         string `gorm:"column:server;primaryKey"`
	Agent          string `gorm:"column:agent"`
	Epoch          int64  `gorm:"column:epoch"` // rises with each session
	Connected      int64  `gorm:"column:connected"`
	Replica        string `gorm:"column:replica"`
	Instance       string `gorm:"column:instance"`
	Superseded     string `gorm:"column:superseded"` // JSON list of instances that gave way
	BootID         string `gorm:"column:boot_id"`
	MachineID      string `gorm:"column:machine_id"`
	Version        string `gorm:"column:version"`
	Actions        string `gorm:"column:actions"` // JSON list
	SealKey        []byte `gorm:"column:seal_key"`
	ConnectedAt    int64  `gorm:"column:connected_at"` // 0: this agent never was
	DisconnectedAt int64  `gorm:"column:disconnected_at"`
	HeardAt        int64  `gorm:"column:heard_at"` // from the enrolment on
	SkewMS         int64  `gorm:"column:skew_ms"`
	DiskFree       int64  `gorm:"column:disk_free"`
	DiskSize       int64  `gorm:"column:disk_size"`
	SilentAt       int64  `gorm:"column:silent_at"`
	SkewedAt       int64  `gorm:"column:skewed_at"`
	FrozenAt       int64  `gorm:"column:frozen_at"`
}

func (presenceRow) TableName() string { return "presence" }

// maxSuperseded bounds the instances that are remembered.
const maxSuperseded = 8

func (p *presenceRow) superseded() ([]string, error) {
	var list []string
	if p.Superseded == "" {
		return nil, nil
	}
	if err := json.Unmarshal([]byte(p.Superseded), &list); err != nil {
		return nil, fmt.Errorf("agents: read superseded instances: %w", err)
	}
	return list, nil
}

// supersede remembers that an instance gave way to another.
func (p *presenceRow) supersede(instance string) error {
	list, err := p.superseded()
	if err != nil {
		return err
	}
	list = append(list, instance)
	list = list[max(0, len(list)-maxSuperseded):]
	data, err := json.Marshal(list)
	p.Superseded = string(data)
	return err
}

func (p *presenceRow) actions() ([]wire.Action, error) {
	var list []wire.Action
	if p.Actions == "" {
		return nil, nil
	}
	if err := json.Unmarshal([]byte(p.Actions), &list); err != nil {
		return nil, fmt.Errorf("agents: read actions: %w", err)
	}
	return list, nil
}

func presenceOf(tx *db.Tx, server string) (*presenceRow, error) {
	return take[presenceRow](tx.Where("server = ?", server))
}

// fewServers is how many servers are looked up one by one: beyond it the whole
// table is read, which takes less than a statement of so many values.
const fewServers = 64

// presencesOf returns what a list of servers shows of each; of very many, it
// returns that of all servers there are. It scans by hand: lists are long.
func presencesOf(tx *db.Tx, servers []string) (all []presenceRow, err error) {
	q := tx.Model(&presenceRow{}).Select("server, connected, connected_at, heard_at, silent_at, frozen_at")
	if len(servers) <= fewServers {
		q = q.Where("server IN ?", servers)
	}
	rows, err := q.Rows()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Err(), rows.Close()) }()
	for rows.Next() {
		var p presenceRow
		if err := rows.Scan(&p.Server, &p.Connected, &p.ConnectedAt, &p.HeardAt, &p.SilentAt, &p.FrozenAt); err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

func putPresence(tx *db.Tx, p presenceRow) error {
	if p.SealKey == nil {
		p.SealKey = []byte{}
	}
	return tx.Clauses(clause.OnConflict{UpdateAll: true}).Create(&p).Error
}

// endSession notes a disconnect, unless a newer session has begun.
func endSession(tx *db.Tx, server string, epoch int64) (bool, error) {
	res := tx.Exec("UPDATE presence SET connected = 0, disconnected_at = ? WHERE server = ? AND epoch = ? AND connected = 1",
		tx.NowMillis(), server, epoch)
	return res.RowsAffected == 1, res.Error
}

// endReplica notes that the sessions of a replica that was restarted are gone.
func endReplica(tx *db.Tx, replica string) error {
	return tx.Exec("UPDATE presence SET connected = 0, disconnected_at = ? WHERE replica = ? AND connected = 1", tx.NowMillis(), replica).Error
}

// beat writes a heartbeat; false where the session is no longer the server's.
func beat(tx *db.Tx, server string, epoch, heardAt, skewMS, diskFree, diskSize int64) (bool, error) {
	res := tx.Exec(`UPDATE presence SET heard_at = ?, skew_ms = ?, disk_free = ?, disk_size = ?
		WHERE server = ? AND epoch = ? AND connected = 1`, heardAt, skewMS, diskFree, diskSize, server, epoch)
	return res.RowsAffected == 1, res.Error
}

// sweepable returns the rows that may open or close a finding: unheard since
// the instants given, or with a clock that is newly off or newly right.
func sweepable(tx *db.Tx, silentBefore, neverBefore, maxSkewMS int64) ([]presenceRow, error) {
	var rows []presenceRow
	err := tx.Raw(`SELECT * FROM presence WHERE
		(silent_at = 0 AND connected_at > 0 AND heard_at < ?) OR (silent_at = 0 AND connected_at = 0 AND heard_at < ?)
		OR (skewed_at = 0 AND connected = 1 AND (skew_ms > ? OR skew_ms < ?))
		OR (skewed_at > 0 AND connected = 1 AND skew_ms BETWEEN ? AND ?)`,
		silentBefore, neverBefore, maxSkewMS, -maxSkewMS, -maxSkewMS, maxSkewMS).Scan(&rows).Error
	return rows, err
}

// setSilent marks a server as silent, unless it was heard since it was looked at.
func setSilent(tx *db.Tx, server string, heardAt int64) (bool, error) {
	res := tx.Exec("UPDATE presence SET silent_at = ?, connected = 0 WHERE server = ? AND heard_at = ? AND silent_at = 0",
		tx.NowMillis(), server, heardAt)
	return res.RowsAffected == 1, res.Error
}

func setSkewed(tx *db.Tx, server string, at int64) error {
	return tx.Exec("UPDATE presence SET skewed_at = ? WHERE server = ?", at, server).Error
}
