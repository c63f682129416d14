package access

import "ostler/controlplane/db"

// versionsAfter are versions of spans, by their names, after one.
func versionsAfter(tx *db.Tx, rev string, limit int) (rows []spanRow, err error) {
	err = tx.Omit("unknown").Where("rev > ?", rev).Order("rev").Limit(limit).Find(&rows).Error
	return rows, err
}

// versionsOfSpan are the versions of one span.
func versionsOfSpan(tx *db.Tx, span string) (rows []spanRow, err error) {
	err = tx.Omit("unknown").Where("id = ?", span).Order("rev").Find(&rows).Error
	return rows, err
}
