package certs

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"ostler/certs/limits"
	"ostler/controlplane"
	"ostler/controlplane/db"
)

type limitRow struct {
	AuthorityID  string `gorm:"primaryKey"`
	LimitName    string `gorm:"primaryKey"`
	Scope        string `gorm:"primaryKey"`
	FullAt       int64
	Held         int64
	InARow       int64 `gorm:"column:in_a_row"`
	BlockedUntil int64
	Said         string
}

func (limitRow) TableName() string { return "cert_limits" }

func (r limitRow) key() limits.Key {
	return limits.Key{Limit: limits.Limit(r.LimitName), Scope: r.Scope}
}

func (r limitRow) state() limits.State {
	at := controlplane.FromMillis
	return limits.State{Full: at(r.FullAt), Held: r.Held, Row: r.InARow, BlockedUntil: at(r.BlockedUntil), Said: r.Said}
}

func limitRowOf(authority string, k limits.Key, s limits.State) limitRow {
	return limitRow{AuthorityID: authority, LimitName: string(k.Limit), Scope: k.Scope, FullAt: controlplane.Millis(s.Full), Held: s.Held,
		InARow: s.Row, BlockedUntil: controlplane.Millis(s.BlockedUntil), Said: s.Said}
}

type ruleRow struct {
	AuthorityID string `gorm:"primaryKey"`
	LimitName   string `gorm:"primaryKey"`
	Max         int64
	PerMS       int64 `gorm:"column:per_ms"`
}

func (ruleRow) TableName() string { return "cert_limit_rules" }

type reservationRow struct {
	IssueID     string `gorm:"primaryKey"`
	AuthorityID string
	LimitName   string `gorm:"primaryKey"`
	Scope       string `gorm:"primaryKey"`
}

func (reservationRow) TableName() string { return "cert_reservations" }

func (r reservationRow) key() limits.Key {
	return limits.Key{Limit: limits.Limit(r.LimitName), Scope: r.Scope}
}

// keysAtOnce bounds the values that one statement binds.
const keysAtOnce = 25

// inKeys calls fn with a condition that some of the keys meet, until all were.
// The keys stay in their order.
func inKeys(keys []limits.Key, fn func(cond string, args []any) error) error {
	for part := range slices.Chunk(keys, keysAtOnce) {
		args := make([]any, 0, 2*len(part))
		for _, k := range part {
			args = append(args, string(k.Limit), k.Scope)
		}
		cond := "(limit_name, scope) IN (VALUES " + strings.TrimSuffix(strings.Repeat("(?, ?), ", len(part)), ", ") + ")"
		if err := fn(cond, args); err != nil {
			return err
		}
	}
	return nil
}

// usage loads the states of keys. Locked ones nobody else changes before the
// end of the transaction: they are there, and taken in their order.
func usage(tx *db.Tx, authority string, keys []limits.Key, lock bool) (limits.Usage, error) {
	tail := ""
	if lock {
		if err := makeLimits(tx, authority, keys); err != nil {
			return nil, err
		}
		if tx.Dialect() == db.Postgres {
			tail = ` ORDER BY limit_name COLLATE "C", scope COLLATE "C" FOR UPDATE`
		}
	}
	u := limits.Usage{}
	err := inKeys(keys, func(cond string, args []any) error {
		var rows []limitRow
		err := tx.Raw("SELECT * FROM cert_limits WHERE authority_id = ? AND "+cond+tail, append([]any{authority}, args...)...).Scan(&rows).Error
		for _, r := range rows {
			u[r.key()] = r.state()
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("certs: limits: %w", err)
	}
	return u, nil
}

// makeLimits has a row for each of the keys.
func makeLimits(tx *db.Tx, authority string, keys []limits.Key) error {
	for part := range slices.Chunk(keys, keysAtOnce) {
		var b strings.Builder
		var args []any
		for i, k := range part {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString("(?, ?, ?, 0, 0, 0, 0, '')")
			args = append(args, authority, string(k.Limit), k.Scope)
		}
		if err := tx.Exec("INSERT INTO cert_limits (authority_id, limit_name, scope, full_at, held, in_a_row, blocked_until, said) VALUES "+
			b.String()+" ON CONFLICT DO NOTHING", args...).Error; err != nil {
			return fmt.Errorf("certs: limits: %w", err)
		}
	}
	return nil
}

// hold reserves one of each of the keys for an attempt; their rows are there.
func hold(tx *db.Tx, issue, authority string, keys []limits.Key) error {
	err := inKeys(keys, func(cond string, args []any) error {
		return tx.Exec("UPDATE cert_limits SET held = held + 1 WHERE authority_id = ? AND "+cond, append([]any{authority}, args...)...).Error
	})
	if err != nil {
		return fmt.Errorf("certs: reserve: %w", err)
	}
	rows := make([]reservationRow, len(keys))
	for i, k := range keys {
		rows[i] = reservationRow{IssueID: issue, AuthorityID: authority, LimitName: string(k.Limit), Scope: k.Scope}
	}
	if err := tx.CreateInBatches(&rows, keysAtOnce).Error; err != nil {
		return fmt.Errorf("certs: reserve: %w", err)
	}
	return nil
}

// reserved is what an attempt holds, in the order of locking; authority is whose.
func reserved(tx *db.Tx, issue string) (authority string, keys []limits.Key, err error) {
	var rows []reservationRow
	if err := tx.Where("issue_id = ?", issue).Find(&rows).Error; err != nil {
		return "", nil, fmt.Errorf("certs: reservations: %w", err)
	}
	for _, r := range rows {
		authority, keys = r.AuthorityID, append(keys, r.key())
	}
	slices.SortFunc(keys, limits.Key.Compare)
	return authority, keys, nil
}

// settle ends an attempt's hold on keys: what the CA counted is counted.
func settle(tx *db.Tx, issue, authority string, keys []limits.Key, count func(limits.Key, limits.State) limits.State) error {
	if len(keys) == 0 {
		return nil
	}
	err := change(tx, authority, keys, func(k limits.Key, s limits.State) limits.State { return count(k, s.Release()) })
	if err != nil {
		return err
	}
	err = inKeys(keys, func(cond string, args []any) error {
		return tx.Exec("DELETE FROM cert_reservations WHERE issue_id = ? AND "+cond, append([]any{issue}, args...)...).Error
	})
	if err != nil {
		return fmt.Errorf("certs: settle: %w", err)
	}
	return nil
}

// change changes the states of keys, which need not be there; what is idle
// afterwards is deleted.
func change(tx *db.Tx, authority string, keys []limits.Key, fn func(limits.Key, limits.State) limits.State) error {
	u, err := usage(tx, authority, keys, true)
	if err != nil {
		return err
	}
	var idle []limits.Key
	for _, k := range keys {
		s := fn(k, u[k])
		if s.Idle(tx.Now) {
			idle = append(idle, k)
			continue
		}
		row := limitRowOf(authority, k, s)
		if err := db.Upsert(tx, &row, "authority_id", "limit_name", "scope"); err != nil { // a scope may be ""
			return err
		}
	}
	err = inKeys(idle, func(cond string, args []any) error {
		return tx.Exec("DELETE FROM cert_limits WHERE authority_id = ? AND "+cond, append([]any{authority}, args...)...).Error
	})
	if err != nil {
		return fmt.Errorf("certs: limits: %w", err)
	}
	return nil
}

// rulesOf are the limits of a CA: what is known of it by its directory, and the
// exceptions that were entered.
func rulesOf(tx *db.Tx, authority string) (limits.Rules, error) {
	var directory string
	if err := tx.Raw("SELECT directory FROM cert_authorities WHERE id = ?", authority).Scan(&directory).Error; err != nil {
		return limits.Rules{}, fmt.Errorf("certs: rules: %w", err)
	}
	var rows []ruleRow
	if err := tx.Where("authority_id = ?", authority).Order("limit_name").Find(&rows).Error; err != nil {
		return limits.Rules{}, fmt.Errorf("certs: rules: %w", err)
	}
	rules := limits.Of(directory)
	for _, r := range rows {
		var err error
		if rules, err = rules.With(limits.Limit(r.LimitName), limits.Rule{Max: r.Max, Per: time.Duration(r.PerMS) * time.Millisecond}); err != nil {
			return rules, fmt.Errorf("certs: rules: %w", err)
		}
	}
	return rules, nil
}

// saveRule enters an exception.
func saveRule(tx *db.Tx, authority string, l limits.Limit, r limits.Rule) error {
	return db.Upsert(tx, &ruleRow{AuthorityID: authority, LimitName: string(l), Max: r.Max, PerMS: r.Per.Milliseconds()}, "authority_id", "limit_name")
}

// inUse are the states of a CA that are not idle, the fullest first.
func inUse(tx *db.Tx, authority string, limit int) (limits.Usage, error) {
	u := limits.Usage{}
	for _, q := range []struct {
		cond string
		args []any
	}{
		{"full_at > ? ORDER BY full_at DESC LIMIT ?", []any{tx.NowMillis(), limit}},
		{"blocked_until > ? ORDER BY blocked_until DESC LIMIT ?", []any{tx.NowMillis(), limit}},
		{"scope = '' LIMIT ?", []any{limit}},
	} {
		var rows []limitRow
		if err := tx.Raw("SELECT * FROM cert_limits WHERE authority_id = ? AND "+q.cond, append([]any{authority}, q.args...)...).Scan(&rows).Error; err != nil {
			return nil, fmt.Errorf("certs: limits in use: %w", err)
		}
		for _, r := range rows {
			u[r.key()] = r.state()
		}
	}
	return u, nil
}

// tidyLimits deletes some rows that are idle again.
func tidyLimits(tx *db.Tx, authority string, most int) (deleted int64, err error) {
	res := tx.Exec(`DELETE FROM cert_limits WHERE authority_id = ? AND (limit_name, scope) IN (SELECT limit_name, scope FROM cert_limits
		WHERE authority_id = ? AND full_at <= ? AND held = 0 AND in_a_row = 0 AND blocked_until <= ? ORDER BY full_at LIMIT ?)`,
		authority, authority, tx.NowMillis(), tx.NowMillis(), most)
	if res.Error != nil {
		return 0, fmt.Errorf("certs: tidy limits: %w", res.Error)
	}
	return res.RowsAffected, nil
}

// leftBehind are attempts that have ended and hold something still.
func leftBehind(tx *db.Tx, authority string, most int) (issues []string, err error) {
	err = tx.Raw(`SELECT DISTINCT r.issue_id FROM cert_reservations r JOIN cert_issues i ON i.id = r.issue_id
		WHERE r.authority_id = ? AND i.ended_at > 0 ORDER BY r.issue_id LIMIT ?`, authority, most).Scan(&issues).Error
	if err != nil {
		return nil, fmt.Errorf("certs: reservations: %w", err)
	}
	return issues, nil
}

var errNoIssue = errors.New("certs: reserve: an attempt is needed")
