package agents

import (
	"errors"
	"time"

	"ostler/controlplane/db"
	"ostler/controlplane/policy"
	"ostler/controlplane/secrets"
)

// windowRow is one change window; who and what are sealed.
type windowRow struct {
	ID       string `gorm:"column:id;primaryKey"`
	Server   string `gorm:"column:server"`
	Ticket   string `gorm:"column:ticket"`
	Who      []byte `gorm:"column:who"`
	What     []byte `gorm:"column:what"`
	OpenedAt int64  `gorm:"column:opened_at"`
	OpenedBy string `gorm:"column:opened_by"`
	EndsAt   int64  `gorm:"column:ends_at"`
	ClosedAt int64  `gorm:"column:closed_at"` // 0 while it lasts
	ClosedBy string `gorm:"column:closed_by"`
	Name     string `gorm:"column:name;->"` // of the server, where a query joins it
}

func (windowRow) TableName() string { return "change_windows" }

func windowAD(id, column string) secrets.AD {
	return secrets.AD{Table: "change_windows", Column: column, Row: id}
}

func insertWindow(tx *db.Tx, r windowRow) error { return tx.Create(&r).Error }

// windowByID returns nil where there is none.
func windowByID(tx *db.Tx, id string) (*windowRow, error) {
	return take[windowRow](tx.Where("id = ?", id))
}

// closeWindow stores the end of a window, once.
func closeWindow(tx *db.Tx, r *windowRow) error {
	res := tx.Exec("UPDATE change_windows SET closed_at = ?, closed_by = ? WHERE id = ? AND closed_at = 0", r.ClosedAt, r.ClosedBy, r.ID)
	if res.Error == nil && res.RowsAffected != 1 {
		return errors.New("the window was closed meanwhile")
	}
	return res.Error
}

// dueWindows are open windows whose time is over, some at a time.
func dueWindows(tx *db.Tx) (ids []string, err error) {
	return ids, tx.Raw("SELECT id FROM change_windows WHERE closed_at = 0 AND ends_at <= ? ORDER BY ends_at LIMIT 100", tx.NowMillis()).Scan(&ids).Error
}

// listWindows returns a page of windows, newest first, and one more where there
// is one. A server in the filter is one that the scope reaches; it is not named
// in the rows.
func (a *Agents) listWindows(tx *db.Tx, scope policy.Scope, f WindowFilter) (rows []windowRow, err error) {
	query, args := "SELECT w.* FROM change_windows w WHERE w.server = ?", []any{f.Server}
	if f.Server == "" {
		servers, of := a.Servers.LookedAfter(scope)
		query, args = "SELECT w.*, s.name FROM change_windows w JOIN ("+servers+") s ON s.id = w.server WHERE 1 = 1", of
	}
	if f.Open {
		query, args = query+" AND w.closed_at = 0 AND w.ends_at > ?", append(args, tx.NowMillis())
	}
	if f.PageToken != "" {
		query, args = query+" AND w.id < ?", append(args, f.PageToken)
	}
	return rows, tx.Raw(query+" ORDER BY w.id DESC LIMIT ?", append(args, f.Limit+1)...).Scan(&rows).Error
}

// windowsDuring are a server's windows that lasted between two instants. None
// is longer than MaxWindowLife, so older ones are not looked at.
func windowsDuring(tx *db.Tx, server string, from, until time.Time) (rows []windowRow, err error) {
	return rows, tx.Raw("SELECT * FROM change_windows WHERE server = ? AND opened_at >= ? AND opened_at <= ? AND ends_at > ? AND (closed_at = 0 OR closed_at > ?) ORDER BY opened_at, id",
		server, from.Add(-MaxWindowLife).UnixMilli(), until.UnixMilli(), from.UnixMilli(), from.UnixMilli()).Scan(&rows).Error
}
