package incidents

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/incidents/law"
	"ostler/controlplane/policy"
	"ostler/controlplane/secrets"
)

// caseRow is a case but for what hangs on it.
type caseRow struct {
	ID            string `gorm:"primaryKey"`
	Year, Seq     int64
	State         string
	Drill         int64
	OurData       int64 // 0 is that nobody said
	ChannelUnsafe int64
	Kinds         string // joined by ","
	Zone          string
	DetectedAt    int64
	OccurredFrom  int64
	ContainedAt   int64
	HandledAt     int64
	OpenedAt      int64
	OpenedBy      string
	Lead          string
	Source        string
	ClockFrom     int64
	FrozenUntil   int64
	MergedInto    string
	ClosedAt      int64
	NextDue       int64
	ShadowDue     int64
	Late          int64
	WakeAt        int64
	Version       int64
	Data          []byte
}

func (caseRow) TableName() string { return "incident_cases" }

// caseData is what people wrote in a case: sealed.
type caseData struct {
	Title   string      `json:"title"`
	Summary string      `json:"summary,omitempty"`
	Impact  *law.Impact `json:"impact,omitempty"`
	// PeopleIn are the countries in which the people affected live.
	PeopleIn []string `json:"people_in,omitempty"`
	// OurDataAt is when it was first said that our own data is touched, in Unix
	// milliseconds: 0 is never, ourDataAlways with the opening. OursSaidAt is when
	// that was said last: decisions from before were not about our data.
	OurDataAt  int64 `json:"our_data_at,omitempty"`
	OursSaidAt int64 `json:"ours_said_at,omitempty"`
	// SignificantAt is when an answer about its size made the incident significant for
	// NIS2, the last time: decisions from before were not about that. 0 is never.
	SignificantAt int64   `json:"significant_at,omitempty"`
	ContainedHow  string  `json:"contained_how,omitempty"`
	HandledHow    string  `json:"handled_how,omitempty"`
	ClosedWhy     string  `json:"closed_why,omitempty"`
	FrozenGround  string  `json:"frozen_ground,omitempty"`
	Facts         []Field `json:"facts,omitempty"`
	// Eras are its times before it was reopened on new facts.
	Eras []era `json:"eras,omitempty"`
}

// ourDataAlways is an OurDataAt before every awareness.
const ourDataAlways = 1

// versionRow is a case as it was after a change.
type versionRow struct {
	CaseID  string `gorm:"primaryKey"`
	Version int64  `gorm:"primaryKey;autoIncrement:false"`
	At      int64
	Data    []byte
}

func (versionRow) TableName() string { return "incident_versions" }

// serverRow is a server of a case.
type serverRow struct {
	CaseID    string `gorm:"primaryKey"`
	ServerID  string `gorm:"primaryKey"`
	AddedAt   int64
	AddedBy   string
	RemovedAt int64
}

func (serverRow) TableName() string { return "incident_servers" }

// affectedRow is a customer in a case.
type affectedRow struct {
	CaseID     string `gorm:"primaryKey"`
	CustomerID string `gorm:"primaryKey"`
	State      string
	Servers    string // joined by ","
	AddedAt    int64
	Because    []byte
	ClearedAt  int64
	ClearedWhy []byte
	History    string
	RemovedAt  int64
}

func (affectedRow) TableName() string { return "incident_affected" }

// stateAt is a state of a customer in a case since an instant, or what somebody wrote
// down then: since when the customer says that they knew, in Unix milliseconds.
type stateAt struct {
	At       int64         `json:"at"`
	State    AffectedState `json:"state,omitempty"`
	TheyKnew int64         `json:"they_knew,omitempty"`
	By       string        `json:"by,omitempty"` // who wrote it down
}

// assertionRow is somebody's word about awareness.
type assertionRow struct {
	ID          string `gorm:"primaryKey"`
	CaseID      string
	CustomerID  string
	Certainty   string
	At          int64
	ByID        string
	Ground      []byte
	RecordedAt  int64
	Supersedes  string
	ConfirmedBy string
	ConfirmedAt int64
	BroughtAt   int64 // when it came here from another case; 0 is never
}

func (assertionRow) TableName() string { return "incident_assertions" }

// ours is whether our own data is touched, as a row has it.
func (r caseRow) ours() law.Answer {
	switch r.OurData {
	case 1:
		return law.Yes
	case 2:
		return law.No
	}
	return law.Unknown
}

// oursColumn is an answer as a row has it.
func oursColumn(a law.Answer) int64 {
	return map[law.Answer]int64{law.Yes: 1, law.No: 2}[a]
}

// told is a notice of a case as far as clocks ask.
type told struct {
	Notice, Customer string // Customer "" is the company's own
	Audience         Audience
	Purpose          Purpose
	Regime           string
	Phase            int
	// SentAt and ToldAt are Unix milliseconds: handed to mail, and delivered or
	// handed in; 0 is not yet.
	SentAt, ToldAt int64
}

// numberOf is a case's number.
func (r caseRow) numberOf() string {
	return strconv.FormatInt(r.Year, 10) + "-" + strconv.FormatInt(r.Seq, 10)
}

// caseRowIn finds a case by id or number. Errors: not found, for everybody but staff.
func caseRowIn(tx *db.Tx, scope policy.Scope, ref string) (row caseRow, err error) {
	if !scope.All() {
		return row, controlplane.NotFound("case")
	}
	q := tx.Where("id = ?", ref)
	if y, n, ok := strings.Cut(ref, "-"); ok {
		year, err1 := strconv.ParseInt(y, 10, 64)
		seq, err2 := strconv.ParseInt(n, 10, 64)
		if errors.Join(err1, err2) == nil {
			q = tx.Where("year = ? AND seq = ?", year, seq)
		}
	}
	if err = q.Take(&row).Error; db.IsNotFound(err) {
		return row, controlplane.NotFound("case")
	}
	return row, err
}

// nextSeq is the count of the next case of a year.
func nextSeq(tx *db.Tx, year int) (n int64, err error) {
	err = tx.Raw("SELECT COALESCE(MAX(seq), 0) + 1 FROM incident_cases WHERE year = ?", year).Scan(&n).Error
	return n, err
}

// caseRows are a page of cases, the latest opened first.
func caseRows(tx *db.Tx, f CaseFilter, at int64, after string, limit int) (rows []caseRow, err error) {
	q := tx.Order("opened_at DESC, id DESC").Limit(limit)
	if f.State != "" {
		q = q.Where("state = ?", string(f.State))
	}
	if !f.Drills {
		q = q.Where("drill = 0")
	}
	if f.Customer != "" {
		q = q.Where("EXISTS (SELECT 1 FROM incident_affected a WHERE a.case_id = incident_cases.id AND a.customer_id = ? AND a.removed_at = 0)", f.Customer)
	}
	if f.Server != "" {
		q = q.Where("EXISTS (SELECT 1 FROM incident_servers v WHERE v.case_id = incident_cases.id AND v.server_id = ? AND v.removed_at = 0)", f.Server)
	}
	if after != "" {
		q = q.Where("opened_at < ? OR opened_at = ? AND id < ?", at, at, after)
	}
	err = q.Find(&rows).Error
	return rows, err
}

// serverRows are the servers of a case, those added first before; splitOff with
// those that went to another case.
func serverRows(tx *db.Tx, incident string, splitOff bool) (rows []serverRow, err error) {
	q := tx.Where("case_id = ?", incident).Order("added_at, server_id")
	if !splitOff {
		q = q.Where("removed_at = 0")
	}
	err = q.Find(&rows).Error
	return rows, err
}

// affectedRows are the customers in a case.
func affectedRows(tx *db.Tx, incident string) (rows []affectedRow, err error) {
	err = tx.Where("case_id = ? AND removed_at = 0", incident).Order("added_at, customer_id").Find(&rows).Error
	return rows, err
}

// assertionRows are all that was said of awareness in a case.
func assertionRows(tx *db.Tx, incident string) (rows []assertionRow, err error) {
	err = tx.Where("case_id = ?", incident).Order("recorded_at, id").Find(&rows).Error
	return rows, err
}

// wakeable are the cases that Watch has something to say of.
func wakeable(tx *db.Tx, now int64) (ids []string, err error) {
	err = tx.Raw("SELECT id FROM incident_cases WHERE state = 'open' AND wake_at > 0 AND wake_at <= ? ORDER BY wake_at LIMIT 200", now).Scan(&ids).Error
	return ids, err
}

// saveCase writes a changed case, with what it was then.
func (s *Service) saveCase(tx *db.Tx, row *caseRow, d caseData) error {
	row.Version++
	text, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("write case: %w", err)
	}
	if row.Data, err = s.seal("", "incident_cases", "data", row.ID, string(text)); err != nil {
		return err
	}
	if row.Version == 1 {
		err = db.Insert(tx, row)
	} else {
		err = db.Save(tx, row)
	}
	if err != nil {
		return err
	}
	was := *row
	was.Data = nil
	text, err = json.Marshal(struct {
		Row  caseRow
		Data caseData
	}{was, d})
	if err != nil {
		return fmt.Errorf("write version: %w", err)
	}
	v := versionRow{CaseID: row.ID, Version: row.Version, At: tx.NowMillis()}
	if v.Data, err = s.seal("", "incident_versions", "data", row.ID+":"+strconv.FormatInt(row.Version, 10), string(text)); err != nil {
		return err
	}
	return db.Insert(tx, &v)
}

// dataOf opens what people wrote in a case.
func (s *Service) dataOf(row caseRow) (d caseData, err error) {
	text, err := s.open("", "incident_cases", "data", row.ID, row.Data)
	if err != nil || text == "" {
		return d, err
	}
	if err = json.Unmarshal([]byte(text), &d); err != nil {
		return d, fmt.Errorf("read case: %w", err)
	}
	return d, nil
}

// assertionOf opens a row.
func (s *Service) assertionOf(r assertionRow) (law.Assertion, error) {
	ground, err := s.openOr(keyOf(r.CustomerID), "incident_assertions", "ground", r.ID, r.Ground)
	return law.Assertion{ID: r.ID, Customer: r.CustomerID, Certainty: law.Certainty(r.Certainty), At: controlplane.FromMillis(r.At), By: r.ByID, Ground: ground,
		RecordedAt: controlplane.FromMillis(r.RecordedAt), Supersedes: r.Supersedes, ConfirmedBy: r.ConfirmedBy, ConfirmedAt: controlplane.FromMillis(r.ConfirmedAt)}, err
}

// seal seals a text with a customer's key, "" with the company's; "" is nothing.
func (s *Service) seal(customer, table, column, row, text string) ([]byte, error) {
	if text == "" {
		return nil, nil
	}
	return s.keeper.Seal(customer, secrets.AD{Table: table, Column: column, Row: row}, []byte(text))
}

// open opens what seal made; of a customer whose key was destroyed it is "".
func (s *Service) open(customer, table, column, row string, sealed []byte) (string, error) {
	if len(sealed) == 0 {
		return "", nil
	}
	text, err := s.keeper.Open(customer, secrets.AD{Table: table, Column: column, Row: row}, sealed)
	if errors.Is(err, secrets.ErrErased) {
		return "", nil
	}
	return string(text), err
}

// affectedMap are all who were ever in a case, by customer.
func affectedMap(tx *db.Tx, incident string) (map[string]affectedRow, error) {
	var rows []affectedRow
	if err := tx.Where("case_id = ?", incident).Find(&rows).Error; err != nil {
		return nil, err
	}
	out := make(map[string]affectedRow, len(rows))
	for _, r := range rows {
		out[r.CustomerID] = r
	}
	return out, nil
}

// serversOfCases are the servers of each of a page of cases.
func serversOfCases(tx *db.Tx, ids []string) (map[string][]string, error) {
	out := map[string][]string{}
	for part := range slices.Chunk(ids, 50) {
		var rows []serverRow
		if err := tx.Where("case_id IN ? AND removed_at = 0", db.Padded(part)).Order("added_at, server_id").Find(&rows).Error; err != nil {
			return nil, err
		}
		for _, r := range rows {
			out[r.CaseID] = append(out[r.CaseID], r.ServerID)
		}
	}
	return out, nil
}

// markRemoved has rows of a case be no more in it: they were split off.
func markRemoved(tx *db.Tx, table, column, incident string, ids []string) error {
	for _, id := range ids {
		if err := tx.Exec("UPDATE "+table+" SET removed_at = ? WHERE case_id = ? AND "+column+" = ?", tx.NowMillis(), incident, id).Error; err != nil {
			return err
		}
	}
	return nil
}

// affectedThen are the customers who were in a case at an instant, or came later.
func affectedThen(tx *db.Tx, incident string, at int64) (rows []affectedRow, err error) {
	err = tx.Where("case_id = ? AND (removed_at = 0 OR removed_at > ?)", incident, at).Order("added_at, customer_id").Find(&rows).Error
	return rows, err
}

// goneOnIn are the cases in which a case, or a part of it, goes on: a part that
// was split off keeps the instant at which the whole was opened.
func goneOnIn(tx *db.Tx, row caseRow) (ids []string, err error) {
	err = tx.Raw("SELECT id FROM incident_cases WHERE id <> ? AND (opened_at = ? OR id = ?)", row.ID, row.OpenedAt, row.MergedInto).Scan(&ids).Error
	return ids, err
}
