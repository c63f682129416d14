package access

import (
	"encoding/json"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
	"ostler/controlplane/secrets"
)

// enforcing is the scope of the plane's own work on the cluster and the hosts.
func enforcing() policy.Scope {
	return policy.AllCustomers("access: what the cluster and the hosts enforce")
}

// clusterRow is the one cluster. seen is sealed.
type clusterRow struct {
	ID           int64  `gorm:"column:id;primaryKey;autoIncrement:false"`
	Mode         string `gorm:"column:mode"`
	ModeSince    int64  `gorm:"column:mode_since"`
	ModeBy       string `gorm:"column:mode_by"`
	LookedAt     int64  `gorm:"column:looked_at"` // latest clean look
	Trouble      string `gorm:"column:trouble"`
	TroubleSince int64  `gorm:"column:trouble_since"`
	Identity     int64  `gorm:"column:identity_until"`
	LocksRefused int64  `gorm:"column:locks_refused"`
	WantsHash    string `gorm:"column:wants_hash"`
	Seen         []byte `gorm:"column:seen"`
}

func (clusterRow) TableName() string { return "access_cluster" }

// seen is what the latest clean look found, as far as pages and the next look need it.
type seen struct {
	Cluster, Version string
	// Unread is what an unclean look could not read.
	Unread    []string
	Planned   []PlannedChange
	Foreign   []ForeignRole
	Connector string
	Missing   []string // users of single sign-on who lack roles
	// Users are those of single sign-on, with the roles that they had, and those
	// that were taken off them while we looked.
	Users map[string]seenUser
	// IdentityRenewed is when the identity's end was last seen to move.
	IdentityRenewed int64
}

type seenUser struct{ Roles, Gone []string }

const theCluster = 1

var seenAD = secrets.AD{Table: "access_cluster", Column: "seen", Row: "1"}

// clusterIn is the cluster's row, as it begins where there is none.
func (s *Service) clusterIn(tx *db.Tx) (clusterRow, seen, error) {
	row := clusterRow{ID: theCluster, Mode: string(s.opts.Mode)}
	var rows []clusterRow
	if err := tx.Where("id = ?", theCluster).Limit(1).Find(&rows).Error; err != nil {
		return row, seen{}, fmt.Errorf("find cluster: %w", err)
	}
	if len(rows) > 0 {
		row = rows[0]
	}
	var v seen
	if len(row.Seen) == 0 {
		return row, v, nil
	}
	text, err := s.keeper.Open("", seenAD, row.Seen)
	if err == nil {
		err = json.Unmarshal(text, &v)
	}
	return row, v, err
}

func (s *Service) saveCluster(tx *db.Tx, row clusterRow, v seen) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if row.Seen, err = s.keeper.Seal("", seenAD, text); err != nil {
		return err
	}
	return db.Upsert(tx, &row, "id")
}

// clusterRole is a role of ours in the cluster.
type clusterRole struct {
	Name   string `gorm:"column:name;primaryKey"`
	Person string `gorm:"column:person_id"`
	Role   string `gorm:"column:role"`
	MadeAt int64  `gorm:"column:made_at"`
}

func (clusterRole) TableName() string { return "access_cluster_roles" }

// clusterRoles are the roles of ours, of one person where that is not "".
func clusterRoles(tx *db.Tx, person string) (rows []clusterRole, err error) {
	q := tx.Order("name")
	if person != "" {
		q = q.Where("person_id = ?", person)
	}
	if err := q.Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("find cluster roles: %w", err)
	}
	return rows, nil
}

// acceptedRow is a role of others that somebody answers for.
type acceptedRow struct {
	Name       string `gorm:"column:name;primaryKey"`
	Owner      string `gorm:"column:owner_id"`
	Until      int64  `gorm:"column:until"`
	Reason     []byte `gorm:"column:reason"`
	AcceptedBy string `gorm:"column:accepted_by"`
	AcceptedAt int64  `gorm:"column:accepted_at"`
}

func (acceptedRow) TableName() string { return "access_cluster_accepted" }

func acceptedRoles(tx *db.Tx) (map[string]acceptedRow, error) {
	var rows []acceptedRow
	if err := tx.Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("find accepted roles: %w", err)
	}
	out := map[string]acceptedRow{}
	for _, r := range rows {
		out[r.Name] = r
	}
	return out, nil
}

// kickRow is a removal whose sessions have to end.
type kickRow struct {
	ID      string `gorm:"column:id;primaryKey"`
	Person  string `gorm:"column:person_id"`
	State   string `gorm:"column:state"`
	Locks   int64  `gorm:"column:locks"`
	AskedAt int64  `gorm:"column:asked_at"`
	EndedAt int64  `gorm:"column:ended_at"`
	Waits   int64  `gorm:"column:waits"` // for hosts that end sessions themselves
}

func (kickRow) TableName() string { return "access_kicks" }

// States of a kick.
const (
	kickWanted = "wanted"
	kickLocked = "locked" // a lock was set, and the session was not seen to end yet
	kickHost   = "host"   // locks are refused: the hosts are asked
	kickGap    = "gap"    // nobody could end it
	kickDone   = "done"
)

// openKick is the person's kick that is not over, the zero row where there is none.
func openKick(tx *db.Tx, person string) (kickRow, error) {
	var rows []kickRow
	if err := tx.Where("person_id = ? AND ended_at = 0", person).Order("asked_at").Limit(1).Find(&rows).Error; err != nil || len(rows) == 0 {
		return kickRow{}, err
	}
	return rows[0], nil
}

func kickByID(tx *db.Tx, id string) (kickRow, error) {
	var rows []kickRow
	if err := tx.Where("id = ?", id).Limit(1).Find(&rows).Error; err != nil || len(rows) == 0 {
		return kickRow{}, err
	}
	return rows[0], nil
}

// openKicks are the persons with one.
func openKicks(tx *db.Tx) (map[string]bool, error) {
	return kickedIn(tx.Raw("SELECT person_id FROM access_kicks WHERE ended_at = 0"))
}

// freshKicks are the persons on whose sessions the cluster is at work, and who
// were asked to be out at that instant or later.
func freshKicks(tx *db.Tx, since int64) (map[string]bool, error) {
	return kickedIn(tx.Raw("SELECT person_id FROM access_kicks WHERE ended_at = 0 AND state IN ? AND asked_at >= ?", []string{kickWanted, kickLocked}, since))
}

// takenLine is what somebody could do for a customer, wherever.
type takenLine struct{ CustomerID, PersonID, Role string }

func (r driftRow) taken() takenLine { return takenLine{r.CustomerID, r.PersonID, r.Role} }

// justTaken are the lines among those that differ that were taken off a list since
// an instant, of persons on whom the cluster is at work.
func justTaken(tx *db.Tx, rows []driftRow, since int64) (map[takenLine]bool, error) {
	out := map[takenLine]bool{}
	busy, err := freshKicks(tx, since)
	if err != nil || len(busy) == 0 {
		return out, err
	}
	var persons []string
	for _, r := range rows {
		if busy[r.PersonID] {
			persons = append(persons, r.PersonID)
		}
	}
	for _, person := range unique(persons) {
		var lines []takenLine
		err := tx.Raw("SELECT DISTINCT customer_id, person_id, role FROM access_changes WHERE person_id = ? AND col = 'listed' AND known_at >= ? AND kind = 'removed' AND way = 'teleport'", person, since).Scan(&lines).Error
		if err != nil {
			return nil, fmt.Errorf("find what was taken: %w", err)
		}
		for _, l := range lines {
			out[l] = true
		}
	}
	return out, nil
}

func kickedIn(query *gorm.DB) (map[string]bool, error) {
	var ids []string
	if err := query.Scan(&ids).Error; err != nil {
		return nil, err
	}
	out := map[string]bool{}
	for _, id := range ids {
		out[id] = true
	}
	return out, nil
}

// certRow is a certificate that may be out after a removal.
type certRow struct {
	ID       string `gorm:"column:id;primaryKey"`
	Customer string `gorm:"column:customer_id"`
	Person   string `gorm:"column:person_id"`
	Role     string `gorm:"column:role"`
	Server   string `gorm:"column:server_id"`
	From     int64  `gorm:"column:from_at"`
	Until    int64  `gorm:"column:until"`
}

func (certRow) TableName() string { return "access_certificates" }

// certsOut are those that have not ended; the rest is forgotten.
func certsOut(tx *db.Tx) (rows []certRow, err error) {
	err1 := tx.Exec("DELETE FROM access_certificates WHERE until <= ?", tx.NowMillis()).Error
	err2 := tx.Order("id").Find(&rows).Error
	return rows, errors.Join(err1, err2)
}

func forgetCerts(tx *db.Tx, person string) error {
	return tx.Exec("DELETE FROM access_certificates WHERE person_id = ?", person).Error
}

// calledRow is a customer as far as the cluster knows them.
type calledRow struct{ ID, Slug, Name string }

func (s *Service) called(tx *db.Tx) (rows []calledRow, err error) {
	query, args := s.customers.Called(enforcing())
	return rows, tx.Raw(query, args...).Scan(&rows).Error
}

// placeRow is a server that is looked after; livingRow who lives on one.
type (
	placeRow  struct{ ID, Name string }
	livingRow struct{ ServerID, CustomerID string }
)

func (s *Service) places(tx *db.Tx) (servers []placeRow, living []livingRow, err error) {
	query, args := s.customers.LookedAfter(enforcing())
	err1 := tx.Raw("SELECT id, name FROM ("+query+") x", args...).Scan(&servers).Error
	query, args = s.customers.Living(enforcing())
	err2 := tx.Raw("SELECT DISTINCT server_id, customer_id FROM ("+query+") x ORDER BY server_id, customer_id", args...).Scan(&living).Error
	return servers, living, errors.Join(err1, err2)
}

// listedRow is a line that is listed and has begun.
type listedRow struct{ CustomerID, PersonID, Role, ServerID, Source string }

// listedLines are the lines by Teleport that are listed now, of one person where
// that is not "".
func listedLines(tx *db.Tx, person string) (rows []listedRow, err error) {
	query := `SELECT DISTINCT customer_id, person_id, role, server_id, source FROM access_spans
		WHERE live = 1 AND col = 'listed' AND way = 'teleport' AND begun = 1 AND from_at <= ? AND (until_at = 0 OR until_at > ?)`
	args := []any{tx.NowMillis(), tx.NowMillis()}
	if person != "" {
		query, args = query+" AND person_id = ?", append(args, person)
	}
	if err := tx.Raw(query, args...).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("find listed lines: %w", err)
	}
	return rows, nil
}

// sameLine joins a span of one column to those of another that say the same: of
// one server, or of all of the customer's.
// The index of the customer is the short one: a person may stand on every list.
const sameLine = `o.live = 1 AND o.customer_id = a.customer_id AND o.person_id || '' = a.person_id AND o.way = a.way AND o.role = a.role AND (o.server_id = a.server_id OR o.server_id = '')`

// driftRow is a line that one column has and the other lacks.
type driftRow struct {
	Col, CustomerID, PersonID, UnknownIndex, Way, Role, ServerID, Source, ID string
	Unknown                                                                  []byte
	FromAt, KnownFrom                                                        int64
}

// drifting are the lines by Teleport or the hosts that are enforced and not
// listed, and those by Teleport that are listed and not enforced: of one person
// where that is not "".
func drifting(tx *db.Tx, person string, limit int) (rows []driftRow, err error) {
	columns := "SELECT a.col, a.customer_id, a.person_id, a.unknown_index, a.way, a.role, a.server_id, a.source, a.id, a.unknown, a.from_at, a.known_from FROM access_spans a WHERE a.live = 1 AND a.begun = 1 AND "
	args := []any{limit}
	if person != "" {
		columns, args = columns+"a.person_id = ? AND ", []any{person, limit}
	}
	var more []driftRow
	err1 := tx.Raw(columns+`a.col = 'enforced' AND a.source IN ('teleport', 'host') AND NOT EXISTS (SELECT 1 FROM access_spans o
		WHERE `+sameLine+` AND o.unknown_index = a.unknown_index AND o.col = 'listed' AND o.begun = 1) ORDER BY a.customer_id, a.person_id, a.id LIMIT ?`, args...).Scan(&rows).Error
	err2 := tx.Raw(columns+`a.col = 'listed' AND a.way = 'teleport' AND a.source = 'grant' AND NOT EXISTS (SELECT 1 FROM access_spans o
		WHERE `+sameLine+` AND o.col = 'enforced') ORDER BY a.customer_id, a.person_id, a.id LIMIT ?`, args...).Scan(&more).Error
	return append(rows, more...), errors.Join(err1, err2)
}

// stampEnforced notes that the cluster does what was changed in lists: of one
// person, or of all. Older changes than since stay as they are.
func stampEnforced(tx *db.Tx, person string, since int64) error {
	const there = "EXISTS (SELECT 1 FROM access_spans o WHERE o.live = 1 AND o.col = 'enforced' AND o.customer_id = access_changes.customer_id AND o.person_id || '' = access_changes.person_id AND o.way = access_changes.way AND o.role = access_changes.role AND (o.server_id = access_changes.server_id OR o.server_id = ''))"
	query := "UPDATE access_changes SET enforced_at = ? WHERE enforced_at = 0 AND col = 'listed' AND way = 'teleport' AND person_id <> '' AND known_at >= ? AND at <= ? AND ((kind = 'removed' AND NOT " + there + ") OR (kind <> 'removed' AND " + there + "))"
	args := []any{tx.NowMillis(), since, tx.NowMillis()}
	if person != "" {
		query, args = query+" AND person_id = ?", append(args, person)
	}
	if err := tx.Exec(query, args...).Error; err != nil {
		return fmt.Errorf("stamp changes: %w", err)
	}
	return nil
}

// stampSeen notes of what this transaction changed in lists that it is so: for
// the sources that say what is granted and what is enforced at once.
func stampSeen(tx *db.Tx, source string) error {
	const there = "EXISTS (SELECT 1 FROM access_spans o WHERE o.live = 1 AND o.col = 'enforced' AND o.source = access_changes.source AND o.customer_id = access_changes.customer_id AND o.person_id = access_changes.person_id AND o.way = access_changes.way AND o.role = access_changes.role AND o.server_id = access_changes.server_id AND (o.person_id <> '' OR o.ground = access_changes.ground))"
	if err := tx.Exec("UPDATE access_changes SET enforced_at = ? WHERE col = 'listed' AND known_at = ? AND enforced_at = 0 AND source = ? AND ((kind = 'removed' AND NOT "+there+") OR (kind <> 'removed' AND "+there+"))",
		tx.NowMillis(), tx.NowMillis(), source).Error; err != nil {
		return fmt.Errorf("stamp changes: %w", err)
	}
	return nil
}

// rowID is one of rows that nobody sees.
func rowID() string { return controlplane.NewID("row_") }
