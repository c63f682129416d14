package access

import (
	"fmt"

	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// noticeOf is the notice that tells of a change, if one does.
func noticeOf(tx *db.Tx, change string) (n noticeRow, found bool, err error) {
	var rows []noticeRow
	q := tx.Table("access_notice_items i").Select("n.*").Joins("JOIN access_notices n ON n.id = i.notice_id").Where("i.change_id = ?", change)
	if err := q.Limit(1).Find(&rows).Error; err != nil {
		return n, false, fmt.Errorf("find the notice of a change: %w", err)
	}
	if len(rows) == 0 {
		return n, false, nil
	}
	return rows[0], true, nil
}

// standingOf are the spans of a person that hold now.
func standingOf(tx *db.Tx, scope policy.Scope, person string) (rows []spanRow, err error) {
	err = db.Within(tx.DB, scope).Where("person_id = ? AND live = 1 AND from_at <= ? AND (until_at = 0 OR until_at > ?)", person, tx.NowMillis(), tx.NowMillis()).
		Select("customer_id", "id", "col", "way", "role", "until_at").Find(&rows).Error
	return rows, err
}
