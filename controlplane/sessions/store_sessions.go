package sessions

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
	"ostler/controlplane/secrets"
)

// sessionRow is a session but for its recording and its review, which have
// tables of their own.
type sessionRow struct {
	ID        string `gorm:"primaryKey"`
	Cluster   string
	Mark      string // sid, or the id of the event of a session without one
	SID       string `gorm:"column:sid"`
	Kind      string
	State     string
	ServerID  string
	Host      string
	SealOwner string // with whose key data is sealed
	PersonID  string
	Data      []byte
	StartedAt int64
	EndedAt   int64
	Endless   int64
	DueAt     int64
	Commands  int64
	Lacks     string // joined by ","; of any of its customers
	FirstSeen int64
	Version   int64
}

func (sessionRow) TableName() string { return "staff_sessions" }

// sessionData is what is sealed of a session.
type sessionData struct {
	User         string        `json:"user,omitempty"`
	PersonName   string        `json:"person_name,omitempty"`
	Login        string        `json:"login,omitempty"`
	Address      string        `json:"address,omitempty"`
	Command      string        `json:"command,omitempty"`
	Participants []Participant `json:"participants,omitempty"`
	Track        track         `json:"track"`
}

// customerRow is one customer on whose server a session was, and on what of
// their list it stood.
type customerRow struct {
	SessionID       string `gorm:"primaryKey"`
	CustomerID      string `gorm:"primaryKey"`
	StartedAt       int64
	GrantID         string
	GrantKind       string
	Role            string
	Ticket          string
	AuthorisationID string
	Reason          []byte
	Lacks           string
}

func (customerRow) TableName() string { return "staff_session_customers" }

// peopleRow is one person behind a name that took part; nobody is ”.
type peopleRow struct {
	SessionID string `gorm:"primaryKey"`
	UserMark  string `gorm:"primaryKey"`
	PersonID  string `gorm:"primaryKey"`
	StartedAt int64
}

func (peopleRow) TableName() string { return "staff_session_people" }

// sealOwner is with whose key something about a server is sealed: that of the
// one customer who lives there, else the company's.
func sealOwner(customers []string) string {
	if len(customers) == 1 {
		return customers[0]
	}
	return ""
}

// ready makes the keys of customers, and the company's, before a transaction
// seals with them. One that was destroyed stays so.
func (s *Service) ready(ctx context.Context, customers ...string) error {
	for _, c := range append(customers, "") {
		if err := s.keeper.EnsureKey(ctx, c); err != nil && !errors.Is(err, secrets.ErrErased) {
			return fmt.Errorf("sessions: %w", err)
		}
	}
	return nil
}

// seal seals a text; "" is nothing.
func (s *Service) seal(owner, table, column, row, text string) ([]byte, error) {
	if text == "" {
		return nil, nil
	}
	return s.keeper.Seal(owner, secrets.AD{Table: table, Column: column, Row: row}, []byte(text))
}

// open opens what seal made; of a customer whose key was destroyed it is "".
func (s *Service) open(owner, table, column, row string, sealed []byte) (string, error) {
	if len(sealed) == 0 {
		return "", nil
	}
	text, err := s.keeper.Open(owner, secrets.AD{Table: table, Column: column, Row: row}, sealed)
	if errors.Is(err, secrets.ErrErased) {
		return "", nil
	}
	return string(text), err
}

// sealData puts what is personal into a row.
func (s *Service) sealData(row *sessionRow, d sessionData) error {
	text, err := json.Marshal(d)
	if err != nil {
		return err
	}
	row.Data, err = s.keeper.Seal(row.SealOwner, secrets.AD{Table: "staff_sessions", Column: "data", Row: row.ID}, text)
	return err
}

// dataOf opens what is personal in a row: nothing is there any more where the
// customer's key was destroyed.
func (s *Service) dataOf(row sessionRow) (d sessionData, err error) {
	text, err := s.keeper.Open(row.SealOwner, secrets.AD{Table: "staff_sessions", Column: "data", Row: row.ID}, row.Data)
	if errors.Is(err, secrets.ErrErased) {
		return d, nil
	}
	if err != nil {
		return d, fmt.Errorf("session %s: %w", row.ID, err)
	}
	return d, json.Unmarshal(text, &d)
}

// session opens a row. Customers, ground, recording, risk and review stand elsewhere:
// see filled.
func (s *Service) session(row sessionRow) (Session, error) {
	d, err := s.dataOf(row)
	if err != nil {
		return Session{}, err
	}
	at := controlplane.FromMillis
	return Session{ID: row.ID, Cluster: row.Cluster, SID: row.SID, Kind: Kind(row.Kind), State: State(row.State), Server: row.ServerID, Host: row.Host,
		User: d.User, Person: row.PersonID, PersonName: d.PersonName, Login: d.Login, Address: d.Address, StartedAt: at(row.StartedAt), EndedAt: at(row.EndedAt),
		Endless: row.Endless == 1, Participants: d.Participants, Ground: Ground{Lacks: split(row.Lacks)}, Command: d.Command, Commands: int(row.Commands),
		DueAt: at(row.DueAt), Version: row.Version}, nil
}

// sessionIn is a session's row within a scope. Errors: not found.
func (s *Service) sessionIn(tx *db.Tx, scope policy.Scope, id string) (sessionRow, error) {
	var row sessionRow
	err := within(tx.DB, scope).Where("staff_sessions.id = ?", id).Take(&row).Error
	switch {
	case db.IsNotFound(err):
		return row, controlplane.NotFound("session")
	case err != nil:
		return row, fmt.Errorf("find session: %w", err)
	}
	return row, nil
}

// within narrows a query of staff_sessions to those that touch a customer of
// the scope.
func within(q *gorm.DB, scope policy.Scope) *gorm.DB {
	if scope.All() {
		return q
	}
	return q.Where("EXISTS (SELECT 1 FROM staff_session_customers c WHERE c.session_id = staff_sessions.id AND c.customer_id IN ?)", db.Padded(scope.Customers()))
}

// saveSession writes a row that is there, as a new version.
func saveSession(tx *db.Tx, row *sessionRow) error {
	row.Version++
	return db.Save(tx, row)
}

// customersOf are the customers of sessions that the scope reaches, by session.
func customersOf(tx *db.Tx, scope policy.Scope, ids []string) (map[string][]customerRow, error) {
	var rows []customerRow
	q := oneOf(tx, "session_id", ids)
	if !scope.All() {
		q = q.Where("customer_id IN ?", db.Padded(scope.Customers()))
	}
	if err := q.Order("session_id, customer_id").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("find customers of sessions: %w", err)
	}
	out := map[string][]customerRow{}
	for _, r := range rows {
		out[r.SessionID] = append(out[r.SessionID], r)
	}
	return out, nil
}

// customerIDs are the customers that a session touches, all of them: for entries
// in the ledger and for findings, never for showing them to each other.
func customerIDs(tx *db.Tx, session string) ([]string, error) {
	var ids []string
	err := tx.Raw("SELECT customer_id FROM staff_session_customers WHERE session_id = ? ORDER BY customer_id", session).Scan(&ids).Error
	return ids, err
}

// oneOf narrows a query to rows whose column is one of any number of values: one
// parameter, because the SQLite driver binds many in quadratic time.
func oneOf(tx *db.Tx, column string, values []string) *gorm.DB {
	if len(values) == 1 {
		return tx.Where(column+" = ?", values[0])
	}
	return tx.Where(column+" IN "+listed(tx.Dialect()), textList(values))
}

// listed is the right side of IN for a parameter made by textList.
func listed(dialect db.Dialect) string {
	if dialect == db.Postgres {
		return "(SELECT json_array_elements_text(CAST(? AS json)) AS value)"
	}
	return "(SELECT value FROM json_each(?))"
}

func textList(values []string) string {
	if values == nil {
		values = []string{}
	}
	b, _ := json.Marshal(values) // strings always marshal
	return string(b)
}

// split is what a column holds that is joined by ",".
func split(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}

// ground is on what a session stood by a customer's list.
func (s *Service) ground(r customerRow) (Ground, error) {
	reason, err := s.open(r.CustomerID, "staff_session_customers", "reason", r.SessionID, r.Reason)
	return Ground{Grant: r.GrantID, Kind: r.GrantKind, Role: r.Role, Ticket: r.Ticket, Reason: reason, Authorisation: r.AuthorisationID, Lacks: split(r.Lacks)}, err
}

// idsOf are the ids of rows.
func idsOf(rows []sessionRow) []string {
	ids := make([]string, len(rows))
	for i, r := range rows {
		ids[i] = r.ID
	}
	return ids
}

// wrap says in what a method of the service was when err came up; the errors that
// people read stay as they are.
func wrap(doing string, err error) error {
	if err == nil || controlplane.ErrorCode(err) != controlplane.CodeInternal {
		return err
	}
	return fmt.Errorf("sessions: %s: %w", doing, err)
}

// distinct are the values in order, each once, without "".
func distinct(values []string) []string {
	out := slices.Sorted(slices.Values(values))
	out = slices.Compact(out)
	return slices.DeleteFunc(out, func(v string) bool { return v == "" })
}
