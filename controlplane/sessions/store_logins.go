package sessions

import (
	"encoding/json"
	"errors"
	"fmt"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
	"ostler/controlplane/secrets"
)

// loginHostRow is how one server's own records are read.
type loginHostRow struct {
	ServerID     string `gorm:"primaryKey"`
	NextAt       int64
	CursorAt     int64
	CleanAt      int64 // until when they were read whole
	Trouble      string
	TroubleSince int64
	UnreadFrom   int64 // since when a stretch was not read; 0 is none
}

func (loginHostRow) TableName() string { return "session_login_hosts" }

// loginReadRow is a time in which a server's records were read whole.
type loginReadRow struct {
	ServerID string `gorm:"primaryKey"`
	FromAt   int64  `gorm:"primaryKey;autoIncrement:false"`
	ToAt     int64
}

func (loginReadRow) TableName() string { return "session_login_reads" }

// loginRow is a login that a host saw.
type loginRow struct {
	ID          string `gorm:"primaryKey"`
	ServerID    string
	Mark        string
	AccountMark string
	SealOwner   string
	Kind        string
	State       string
	Teleport    int64
	Weak        int64 // a record told of it that any account of the host can write
	At          int64
	SeenAt      int64
	SessionID   string
	Data        []byte
	ExplainedBy string
	ExplainedAt int64
}

func (loginRow) TableName() string { return "session_logins" }

// loginData is what is sealed of a login.
type loginData struct {
	Account string `json:"account"`
	Target  string `json:"target,omitempty"`
	From    string `json:"from,omitempty"`
	Key     string `json:"key,omitempty"`
	Method  string `json:"method,omitempty"`
	Line    string `json:"line,omitempty"`
	Why     string `json:"why,omitempty"`
}

// loginCustomerRow is one customer who lived on the server then.
type loginCustomerRow struct {
	LoginID    string `gorm:"primaryKey"`
	CustomerID string `gorm:"primaryKey"`
	At         int64
}

func (loginCustomerRow) TableName() string { return "session_login_customers" }

func (s *Service) sealLogin(r *loginRow, d loginData) error {
	text, err := json.Marshal(d)
	if err != nil {
		return err
	}
	r.Data, err = s.keeper.Seal(r.SealOwner, secrets.AD{Table: "session_logins", Column: "data", Row: r.ID}, text)
	return err
}

func (s *Service) openLogin(r loginRow) (d loginData, err error) {
	text, err := s.keeper.Open(r.SealOwner, secrets.AD{Table: "session_logins", Column: "data", Row: r.ID}, r.Data)
	if errors.Is(err, secrets.ErrErased) {
		return d, nil
	}
	if err != nil {
		return d, fmt.Errorf("login %s: %w", r.ID, err)
	}
	return d, json.Unmarshal(text, &d)
}

// login opens a row, as far as the scope may see it.
func (s *Service) login(r loginRow, scope policy.Scope) (Login, error) {
	d, err := s.openLogin(r)
	x := Login{ID: r.ID, Server: r.ServerID, Kind: LoginKind(r.Kind), Account: d.Account, Target: d.Target, From: d.From, Key: d.Key, At: controlplane.FromMillis(r.At),
		State: LoginState(r.State), Session: r.SessionID, Why: d.Why, By: r.ExplainedBy, Weak: r.Weak == 1}
	if !scope.All() {
		x.From, x.Key = "", ""
	}
	return x, err
}

// loginHost is how a server's records are read, a new row where they are not yet.
func loginHost(tx *db.Tx, server string) (loginHostRow, error) {
	var rows []loginHostRow
	if err := tx.Where("server_id = ?", server).Limit(1).Find(&rows).Error; err != nil || len(rows) == 0 {
		return loginHostRow{ServerID: server}, err
	}
	return rows[0], nil
}

// dueLoginHosts are active servers whose records are not read yet, and those
// whose time has come.
func (s *Service) dueLoginHosts(tx *db.Tx, limit int) (ids []string, err error) {
	query, args := s.customers.Active(ofFeed())
	err1 := tx.Raw("SELECT v.id FROM ("+query+") v WHERE NOT EXISTS (SELECT 1 FROM session_login_hosts h WHERE h.server_id = v.id) ORDER BY v.id LIMIT ?", append(args, limit)...).Scan(&ids).Error
	var due []string
	err2 := tx.Raw("SELECT server_id FROM session_login_hosts WHERE next_at <= ? ORDER BY next_at, server_id LIMIT ?", tx.NowMillis(), limit).Scan(&due).Error
	return append(ids, due...), errors.Join(err1, err2)
}

func (s *Service) activeServer(tx *db.Tx, server string) (bool, error) {
	query, args := s.customers.Active(ofFeed())
	var n int64
	err := tx.Raw("SELECT COUNT(*) FROM ("+query+") v WHERE v.id = ?", append(args, server)...).Scan(&n).Error
	return n > 0, err
}

// knownLogins are those of the marks that are here.
func knownLogins(tx *db.Tx, server string, marks []string) (map[string]bool, error) {
	var known []string
	err := tx.Raw("SELECT mark FROM session_logins WHERE server_id = ? AND mark IN "+listed(tx.Dialect()), server, textList(marks)).Scan(&known).Error
	out := make(map[string]bool, len(known))
	for _, m := range known {
		out[m] = true
	}
	return out, err
}

// readWhole notes that a server's records were read whole from one instant to
// another: times that meet are one.
func readWhole(tx *db.Tx, server string, from, to, leeway int64) error {
	if to <= from {
		return nil
	}
	var before []loginReadRow
	if err := tx.Where("server_id = ? AND from_at <= ?", server, from).Order("from_at DESC").Limit(1).Find(&before).Error; err != nil {
		return err
	}
	if len(before) == 1 && before[0].ToAt+leeway >= from {
		from, to = before[0].FromAt, max(to, before[0].ToAt)
	}
	return db.Upsert(tx, &loginReadRow{ServerID: server, FromAt: from, ToAt: to}, "server_id", "from_at")
}

// readsOf are the times in which servers' records were read whole, by server,
// that reach beyond an instant.
func readsOf(tx *db.Tx, servers []string, from int64) (map[string][]loginReadRow, error) {
	var rows []loginReadRow
	err := oneOf(tx, "server_id", servers).Where("to_at >= ?", from).Order("server_id, from_at").Find(&rows).Error
	out := map[string][]loginReadRow{}
	for _, r := range rows {
		out[r.ServerID] = append(out[r.ServerID], r)
	}
	return out, err
}

// awaitedLogins are those whose time to turn up in the cluster's log is over.
func awaitedLogins(tx *db.Tx, before int64, limit int) (ids []string, err error) {
	err = tx.Raw("SELECT id FROM session_logins WHERE state = 'awaited' AND at <= ? ORDER BY at, id LIMIT ?", before, limit).Scan(&ids).Error
	return ids, err
}

// outsideSince are logins outside since an instant.
func outsideSince(tx *db.Tx, since int64, limit int) (ids []string, err error) {
	err = tx.Raw("SELECT id FROM session_logins WHERE state = 'outside' AND at >= ? ORDER BY at, id LIMIT ?", since, limit).Scan(&ids).Error
	return ids, err
}

// sessionsAround are the sessions on a server that an instant lies in, give or take.
func sessionsAround(tx *db.Tx, server string, at, leeway int64) (rows []sessionRow, err error) {
	err = tx.Where("server_id = ? AND started_at <= ? AND (ended_at = 0 OR ended_at >= ?) AND started_at >= ?", server, at+leeway, at-leeway, at-longest).
		Order("started_at DESC, id DESC").Limit(50).Find(&rows).Error
	return rows, err
}

// longest is how long before a login its session may have begun, Unix milliseconds.
const longest = 7 * 24 * 60 * 60 * 1000

// signedIn is how many sign-ins a session explains.
func signedIn(tx *db.Tx, session string) (n int, err error) {
	err = tx.Raw("SELECT COUNT(*) FROM session_logins WHERE session_id = ? AND kind <> 'sudo'", session).Scan(&n).Error
	return n, err
}

// lastEventOf is when the cluster last told of a session, 0 where nothing is kept.
func lastEventOf(tx *db.Tx, cluster, mark string) (at int64, err error) {
	err = tx.Raw("SELECT COALESCE(MAX(at), 0) FROM session_events WHERE cluster = ? AND mark = ? AND mark <> ''", cluster, mark).Scan(&at).Error
	return at, err
}

// reopenLogins has what became of logins decided anew that a session explained
// although it was over: after is until when it can.
func reopenLogins(tx *db.Tx, session string, after int64) error {
	return tx.Exec("UPDATE session_logins SET state = 'awaited', session_id = '' WHERE session_id = ? AND state = 'matched' AND kind = 'sudo' AND at > ?", session, after).Error
}

// outsideOf are the logins of an account of a server that are outside, the
// latest first.
func outsideOf(tx *db.Tx, server, account string) (n int64, last []loginRow, err error) {
	const of = "server_id = ? AND account_mark = ? AND state = 'outside'"
	err1 := tx.Model(&loginRow{}).Where(of, server, account).Count(&n).Error
	err2 := tx.Where(of, server, account).Order("at DESC, id DESC").Limit(1).Find(&last).Error
	return n, last, errors.Join(err1, err2)
}

// loginCustomers are the customers of a login.
func loginCustomers(tx *db.Tx, login string) (ids []string, err error) {
	err = tx.Raw("SELECT customer_id FROM session_login_customers WHERE login_id = ? ORDER BY customer_id", login).Scan(&ids).Error
	return ids, err
}

// loginIn is a login within a scope. Errors: not found.
func loginIn(tx *db.Tx, scope policy.Scope, id string) (row loginRow, err error) {
	q := tx.Where("id = ?", id)
	if !scope.All() {
		q = q.Where("EXISTS (SELECT 1 FROM session_login_customers c WHERE c.login_id = session_logins.id AND c.customer_id IN ?)", db.Padded(scope.Customers()))
	}
	switch err := q.Take(&row).Error; {
	case db.IsNotFound(err):
		return row, controlplane.NotFound("login")
	case err != nil:
		return row, fmt.Errorf("find login: %w", err)
	}
	return row, nil
}

// loginRows is a page of logins, the latest first.
func loginRows(tx *db.Tx, scope policy.Scope, f LoginFilter, at int64, after string, limit int) (rows []loginRow, err error) {
	q := tx.Order("at DESC, id DESC").Limit(limit)
	if !scope.All() {
		only := scope.Customers()
		if f.Customer != "" {
			if only = nil; scope.Allows(f.Customer) {
				only = []string{f.Customer}
			}
		}
		q = q.Where("id IN (SELECT login_id FROM session_login_customers WHERE customer_id IN ?)", db.Padded(append(only, "")))
	} else if f.Customer != "" {
		q = q.Where("id IN (SELECT login_id FROM session_login_customers WHERE customer_id = ?)", f.Customer)
	}
	if f.Server != "" {
		q = q.Where("server_id = ?", f.Server)
	}
	if len(f.States) > 0 {
		q = q.Where("state IN ?", db.Padded(f.States))
	}
	if !f.From.IsZero() {
		q = q.Where("at >= ?", f.From.UnixMilli())
	}
	if !f.To.IsZero() {
		q = q.Where("at < ?", f.To.UnixMilli())
	}
	if after != "" {
		q = q.Where("(at, id) < (?, ?)", at, after)
	}
	if err := q.Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("list logins: %w", err)
	}
	return rows, nil
}

// counted is how many of something have a state, and how many of them are weak.
type counted struct {
	State   string
	N, Weak int
}

// countSessions counts a customer's sessions of a time, by state.
func countSessions(tx *db.Tx, customer string, from, to int64) (out []counted, err error) {
	err = tx.Raw(`SELECT s.state, COUNT(*) AS n FROM staff_session_customers c JOIN staff_sessions s ON s.id = c.session_id
		WHERE c.customer_id = ? AND c.started_at >= ? AND c.started_at < ? GROUP BY s.state`, customer, from, to).Scan(&out).Error
	return out, err
}

// countLogins counts a customer's logins of a time, by state.
func countLogins(tx *db.Tx, customer string, from, to int64) (out []counted, err error) {
	err = tx.Raw(`SELECT l.state, COUNT(*) AS n, SUM(l.weak) AS weak FROM session_login_customers c JOIN session_logins l ON l.id = c.login_id
		WHERE c.customer_id = ? AND c.at >= ? AND c.at < ? GROUP BY l.state`, customer, from, to).Scan(&out).Error
	return out, err
}
