package access

import (
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// personOfStaff is the person that a member of staff is.
func personOfStaff(tx *db.Tx, scope policy.Scope, staff string) (personRow, bool, error) {
	if staff == "" {
		return personRow{}, false, nil
	}
	rows, err := db.Where[personRow](tx, scope, "id", 1, "staff_id = ?", staff)
	if err != nil || len(rows) == 0 {
		return personRow{}, false, err
	}
	return rows[0], true, nil
}

// agreedBy is the contact who agreed to a grant, "" where none had to.
func agreedBy(tx *db.Tx, grant string) (by string, err error) {
	err = tx.Raw("SELECT by_id FROM access_approvals WHERE grant_id = ? AND as_kind = 'customer' AND yes = 1 ORDER BY round DESC LIMIT 1", grant).Scan(&by).Error
	return by, err
}

// foundAt are the ways in that were known to be open on a server at an instant, as far
// as somebody answers for them or not; sessions are no way in.
func foundAt(tx *db.Tx, server string, at int64) (rows []foundRow, err error) {
	err = tx.Where("server_id = ? AND kind IN ('key', 'account') AND since_at <= ? AND (gone_at = 0 OR gone_at > ?)", server, at, at).Order("id").Find(&rows).Error
	return rows, err
}
