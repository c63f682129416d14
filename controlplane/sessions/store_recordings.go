package sessions

import (
	"fmt"
	"slices"

	"gorm.io/gorm"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// recordingRow is what is held of one session.
type recordingRow struct {
	SessionID                   string `gorm:"primaryKey"`
	SealOwner                   string // with whose key all of it is sealed
	RawBlob, CastBlob, TextBlob string
	SHA256                      string `gorm:"column:sha256"`
	CastSHA256                  string `gorm:"column:cast_sha256"`
	TextSHA256                  string `gorm:"column:text_sha256"`
	Bytes, CastBytes            int64
	DurationMS                  int64 `gorm:"column:duration_ms"`
	Width, Height               int64
	MomentsLeft, CommandsLeft   int64
	Partial                     string
	StoredAt, KeptUntil         int64
	LookAt, CheckAt, CheckedAt  int64
	Integrity                   string
	DeletedAt                   int64
	DeletedWhy                  []byte
}

func (recordingRow) TableName() string { return "session_recordings" }

// blobRow is one blob of a recording. DeleteAt is set until a recording names
// it, and again once none does: a process that dies leaves nothing behind.
type blobRow struct {
	Name      string `gorm:"primaryKey"`
	SessionID string
	SealOwner string
	Kind      string
	Size      int64
	Blocks    []byte
	CreatedAt int64 `gorm:"autoCreateTime:false"`
	DeleteAt  int64
}

func (blobRow) TableName() string { return "session_blobs" }

// commandsRow is what was run in one session.
type commandsRow struct {
	SessionID string `gorm:"primaryKey"`
	SealOwner string
	StartedAt int64
	Commands  []byte
	Others    []byte
}

func (commandsRow) TableName() string { return "session_commands" }

// recordingRows are the recordings of sessions.
func recordingRows(tx *db.Tx, ids []string) ([]recordingRow, error) {
	var rows []recordingRow
	if err := oneOf(tx, "session_id", ids).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("find recordings: %w", err)
	}
	return rows, nil
}

// recordingOf is the recording of one session; ok is false for none.
func recordingOf(tx *db.Tx, session string) (row recordingRow, ok bool, err error) {
	rows, err := recordingRows(tx, []string{session})
	if err != nil || len(rows) == 0 {
		return row, false, err
	}
	return rows[0], true, nil
}

// dueRecordings are recordings that are there and whose time to be let go of or
// to be checked has come, by column.
func dueRecordings(tx *db.Tx, column string, limit int) (rows []recordingRow, err error) {
	err = tx.Where("deleted_at = 0 AND "+column+" <= ?", tx.NowMillis()).Order(column).Limit(limit).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("find recordings by %s: %w", column, err)
	}
	return rows, nil
}

// checkNow has a recording checked at the next look.
func checkNow(tx *db.Tx, session string) error {
	return tx.Model(&recordingRow{}).Where("session_id = ? AND deleted_at = 0", session).Update("check_at", tx.NowMillis()).Error
}

// recordingOwner is with whose key some recordings are sealed.
type recordingOwner struct {
	SealOwner string
	N         int64
}

// recordingOwners counts the recordings that are there, by whose key seals them.
func recordingOwners(tx *db.Tx) (rows []recordingOwner, err error) {
	err = tx.Raw("SELECT seal_owner, COUNT(*) AS n FROM session_recordings WHERE deleted_at = 0 GROUP BY seal_owner").Scan(&rows).Error
	return rows, err
}

// lookNow has recordings looked at that a hold kept beyond their term.
func lookNow(tx *db.Tx, cond string, args ...any) error {
	return tx.Model(&recordingRow{}).Where("deleted_at = 0 AND look_at > kept_until AND "+cond, args...).Update("look_at", tx.NowMillis()).Error
}

// blobOf is a blob's row. Errors: not found.
func blobOf(tx *db.Tx, name string) (row blobRow, err error) {
	err = tx.Where("name = ?", name).Take(&row).Error
	if db.IsNotFound(err) {
		err = controlplane.NotFound("recording")
	}
	return row, err
}

// nameBlob says that a recording names a blob, and what is in it.
func nameBlob(tx *db.Tx, name string, size int64, blocks []byte) error {
	res := tx.Model(&blobRow{}).Where("name = ? AND delete_at > 0", name).Updates(map[string]any{"size": size, "blocks": blocks, "delete_at": 0})
	if res.Error == nil && res.RowsAffected != 1 {
		return fmt.Errorf("the blob %s was swept away", name)
	}
	return res.Error
}

// dropBlobs has blobs deleted from now on.
func dropBlobs(tx *db.Tx, names ...string) error {
	return oneOf(tx, "name", names).Model(&blobRow{}).Update("delete_at", tx.NowMillis()).Error
}

// blobsToDelete are the blobs of a session that nothing names, or any more.
func blobsToDelete(tx *db.Tx, session string) (rows []blobRow, err error) {
	err = tx.Where("session_id = ? AND delete_at > 0 AND delete_at <= ?", session, tx.NowMillis()).Order("name").Find(&rows).Error
	return rows, err
}

// forgetBlob drops the row of a blob that was deleted.
func forgetBlob(tx *db.Tx, name string) error {
	return tx.Where("name = ? AND delete_at > 0", name).Delete(&blobRow{}).Error
}

// orphan is a session with blobs that are to be deleted, and since when.
type orphan struct {
	SessionID string
	DeleteAt  int64
}

// orphans are sessions with blobs that are to be deleted.
func orphans(tx *db.Tx, limit int) (out []orphan, err error) {
	err = tx.Raw("SELECT session_id, MAX(delete_at) AS delete_at FROM session_blobs WHERE delete_at > 0 AND delete_at <= ? GROUP BY session_id ORDER BY 2 LIMIT ?", tx.NowMillis(), limit).Scan(&out).Error
	return out, err
}

// commandsOf is what was run in a session; the zero row for nothing.
func commandsOf(tx *db.Tx, session string) (row commandsRow, err error) {
	var rows []commandsRow
	if err = tx.Where("session_id = ?", session).Find(&rows).Error; err == nil && len(rows) > 0 {
		row = rows[0]
	}
	return row, err
}

// forgetCommands drops what was run in a session.
func forgetCommands(tx *db.Tx, session string) error {
	return tx.Where("session_id = ?", session).Delete(&commandsRow{}).Error
}

// searchable are rows of what was run, the latest session first, from behind a
// place on.
func searchable(tx *db.Tx, scope policy.Scope, f Filter, at int64, after string, limit int) (rows []commandsRow, err error) {
	q := toSearch(tx, scope, f, at, after).Select("x.session_id, x.seal_owner, x.started_at, x.commands")
	if err = q.Order("x.started_at DESC, x.session_id DESC").Limit(limit).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("search commands: %w", err)
	}
	return rows, nil
}

// countSearchable is how many there are from behind a place on.
func countSearchable(tx *db.Tx, scope policy.Scope, f Filter, at int64, after string) (int, error) {
	var n int64
	if err := toSearch(tx, scope, f, at, after).Count(&n).Error; err != nil {
		return 0, fmt.Errorf("count what to search: %w", err)
	}
	return int(n), nil
}

// toSearch is what a search looks through.
func toSearch(tx *db.Tx, scope policy.Scope, f Filter, at int64, after string) *gorm.DB {
	q := tx.Table("session_commands AS x").Where("x.commands IS NOT NULL")
	for _, c := range scopeLists(scope, f.Customer) {
		q = q.Where("EXISTS (SELECT 1 FROM staff_session_customers c WHERE c.session_id = x.session_id AND c.customer_id IN ?)", db.Padded(c))
	}
	if f.Person != "" {
		q = q.Where("EXISTS (SELECT 1 FROM staff_session_people p WHERE p.session_id = x.session_id AND p.person_id = ?)", f.Person)
	}
	if !f.From.IsZero() {
		q = q.Where("x.started_at >= ?", f.From.UnixMilli())
	}
	if !f.To.IsZero() {
		q = q.Where("x.started_at < ?", f.To.UnixMilli())
	}
	if after != "" {
		q = q.Where("(x.started_at < ? OR x.started_at = ? AND x.session_id < ?)", at, at, after)
	}
	return q
}

// scopeLists are the lists of customers, of each of which a session must touch one.
func scopeLists(scope policy.Scope, customer string) (out [][]string) {
	if !scope.All() {
		out = append(out, scope.Customers())
	}
	if customer != "" {
		out = append(out, []string{customer})
	}
	return out
}

// uploadedCount is how many sessions have a recording at the cluster that is not here.
func uploadedCount(tx *db.Tx) (n int64, err error) {
	err = tx.Model(&sessionRow{}).Where("state = ?", string(Uploaded)).Count(&n).Error
	return n, err
}

// blobsOf are the blobs that a recording names.
func blobsOf(tx *db.Tx, rec recordingRow) (rows []blobRow, err error) {
	err = oneOf(tx, "name", []string{rec.RawBlob, rec.CastBlob, rec.TextBlob}).Order("name").Find(&rows).Error
	return rows, err
}

// inOrder are the rows of sessions in the order of their ids.
func inOrder(tx *db.Tx, ids []string) ([]sessionRow, error) {
	var rows []sessionRow
	if err := oneOf(tx, "id", ids).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("find sessions: %w", err)
	}
	place := make(map[string]int, len(ids))
	for i, id := range ids {
		place[id] = i
	}
	slices.SortFunc(rows, func(a, b sessionRow) int { return place[a.ID] - place[b.ID] })
	return rows, nil
}
