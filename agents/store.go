package agents

import (
	"crypto/subtle"
	"errors"
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// agentState is where a credential is in its life.
type agentState string

const (
	stateActive   agentState = "active"   // the server's present agent
	stateReplaced agentState = "replaced" // the server enrolled again
)

// enrolmentRow is one enrolment token; its secret is kept as a hash.
type enrolmentRow struct {
	ID         string `gorm:"column:id;primaryKey"`
	SecretHash []byte `gorm:"column:secret_hash"`
	Server     string `gorm:"column:server"`
	CIDR       string `gorm:"column:cidr"`
	CreatedAt  int64  `gorm:"column:created_at;autoCreateTime:false"`
	ExpiresAt  int64  `gorm:"column:expires_at"`
	UsedAt     int64  `gorm:"column:used_at"`
	Agent      string `gorm:"column:agent"`
}

func (enrolmentRow) TableName() string { return "enrolments" }

// agentRow is one agent: a server's credential, present or past.
type agentRow struct {
	ID          string `gorm:"column:id;primaryKey"`
	Server      string `gorm:"column:server"`
	Enrolment   string `gorm:"column:enrolment"`
	State       string `gorm:"column:state"`
	KeyHash     []byte `gorm:"column:key_hash"`
	NextHash    []byte `gorm:"column:next_hash"` // of a renewal's new key, until it is used; empty else
	Certificate []byte `gorm:"column:certificate"`
	NotAfter    int64  `gorm:"column:not_after"`
	Hostname    string `gorm:"column:hostname"`
	MachineID   string `gorm:"column:machine_id"`
	CreatedAt   int64  `gorm:"column:created_at;autoCreateTime:false"`
	EndedAt     int64  `gorm:"column:ended_at"`
}

func (agentRow) TableName() string { return "agents" }

func insertEnrolment(tx *db.Tx, r enrolmentRow) error { return tx.Create(&r).Error }

// enrolmentByHash returns nil where no token has the hash.
func enrolmentByHash(tx *db.Tx, hash []byte) (*enrolmentRow, error) {
	return take[enrolmentRow](tx.Where("secret_hash = ?", hash))
}

// latestEnrolment returns the newest token of a server, nil for none.
func latestEnrolment(tx *db.Tx, server string) (*enrolmentRow, error) {
	return take[enrolmentRow](tx.Where("server = ?", server).Order("created_at DESC, id DESC"))
}

// useEnrolment marks a token as used, once.
func useEnrolment(tx *db.Tx, id, agent string) error {
	res := tx.Exec("UPDATE enrolments SET used_at = ?, agent = ? WHERE id = ? AND used_at = 0", tx.NowMillis(), agent, id)
	if res.Error == nil && res.RowsAffected != 1 {
		return errors.New("agents: the enrolment token was used meanwhile")
	}
	return res.Error
}

// activeByServer returns the server's present agent, nil for none.
func activeByServer(tx *db.Tx, server string) (*agentRow, error) {
	return take[agentRow](tx.Where("server = ? AND state = ?", server, string(stateActive)))
}

func agentByID(tx *db.Tx, id string) (*agentRow, error) {
	return take[agentRow](tx.Where("id = ?", id))
}

// activeAgent returns the row of an identity that is its server's present
// agent and whose key we issued for. Errors: unauthorized.
func activeAgent(tx *db.Tx, id Identity) (*agentRow, error) {
	r, err := agentByID(tx, id.Agent)
	if err != nil {
		return nil, fmt.Errorf("agents: find agent: %w", err)
	}
	if r == nil || r.Server != id.Server {
		return nil, unknownAgent().Because(errors.New("agents: no such agent"))
	}
	if r.State != string(stateActive) {
		return nil, unknownAgent().Because(errors.New("agents: the server has enrolled again since"))
	}
	if subtle.ConstantTimeCompare(r.KeyHash, id.KeyHash[:]) != 1 && subtle.ConstantTimeCompare(r.NextHash, id.KeyHash[:]) != 1 {
		return nil, unknownAgent().Because(errors.New("agents: not a key that this agent was issued for"))
	}
	return r, nil
}

// replaceAgents ends the server's present agent, if there is one.
func replaceAgents(tx *db.Tx, server string) error {
	return tx.Exec("UPDATE agents SET state = ?, ended_at = ? WHERE server = ? AND state = ?",
		string(stateReplaced), tx.NowMillis(), server, string(stateActive)).Error
}

func insertAgent(tx *db.Tx, r agentRow) error { return tx.Create(&r).Error }

// promoteKey makes a renewal's key the agent's key: the old one is done.
func promoteKey(tx *db.Tx, agent string, key []byte) error {
	return tx.Exec("UPDATE agents SET key_hash = ?, next_hash = ? WHERE id = ? AND next_hash = ?", key, []byte{}, agent, key).Error
}

// storeRenewal keeps a renewed certificate; next is empty where the key stays.
func storeRenewal(tx *db.Tx, agent string, next, certificate []byte, notAfter int64) error {
	return tx.Exec("UPDATE agents SET next_hash = ?, certificate = ?, not_after = ? WHERE id = ?", next, certificate, notAfter, agent).Error
}

// inventoryRow is the newest inventory of a server.
type inventoryRow struct {
	Server      string `gorm:"column:server;primaryKey"`
	Agent       string `gorm:"column:agent"`
	Job         string `gorm:"column:job"`
	Data        string `gorm:"column:data"`
	CollectedAt int64  `gorm:"column:collected_at"`
}

func (inventoryRow) TableName() string { return "inventories" }

func inventoryOf(tx *db.Tx, server string) (*inventoryRow, error) {
	return take[inventoryRow](tx.Where("server = ?", server))
}

// listsPackages is what is in an inventory that lists packages.
const listsPackages = `"installed":[`

// inventories are the latest inventories of the servers that are looked after which
// mention a name: whole. Of others, which are very many, there is only whether they
// list packages.
func (a *Agents) inventories(tx *db.Tx, scope policy.Scope, name string) (rows []inventoryRow, err error) {
	servers, args := a.Servers.LookedAfter(scope)
	args = append([]any{"%" + listsPackages + "%", "%" + name + "%", listsPackages}, args...)
	err = tx.Raw("SELECT s.id AS server, CASE WHEN i.data IS NULL OR i.data NOT LIKE ? THEN '' WHEN i.data LIKE ? THEN i.data ELSE ? END AS data, COALESCE(i.collected_at, 0) AS collected_at FROM ("+
		servers+") s LEFT JOIN inventories i ON i.server = s.id ORDER BY s.id", args...).Scan(&rows).Error
	return rows, err
}

func putInventory(tx *db.Tx, r inventoryRow) error {
	return tx.Clauses(clause.OnConflict{UpdateAll: true}).Create(&r).Error
}

// take returns the first row of a query, nil for none.
func take[T any](q *gorm.DB) (*T, error) {
	var rows []T
	if err := q.Limit(1).Find(&rows).Error; err != nil || len(rows) == 0 {
		return nil, err
	}
	return &rows[0], nil
}
