package incidents

import (
	"encoding/json"
	"fmt"
	"slices"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// noticeRow is what one recipient is told. Data and Body are sealed with the key
// of CustomerID.
type noticeRow struct {
	ID         string `gorm:"primaryKey"`
	CaseID     string
	AdvisoryID string
	OrderID    string
	CustomerID string
	Audience   string
	Purpose    string
	Phase      int64
	Regime     string
	Lang       string
	State      string
	Drill      int64
	Unsafe     int64
	Author     string
	MadeAt     int64
	AskedAt    int64
	Second     string
	Alone      int64
	SentAt     int64
	DueAt      int64
	ToldAt     int64
	OpenedAt   int64
	AckAt      int64
	AckBy      string
	NextAt     int64
	News       int64
	SHA256     string `gorm:"column:sha256"`
	Version    int64
	Data       []byte
	Body       []byte
}

func (noticeRow) TableName() string { return "incident_notices" }

// noticeData is what is sealed of a notice beside its text.
type noticeData struct {
	Title     string  `json:"title"`
	Fields    []Field `json:"fields,omitempty"`
	Words     string  `json:"words,omitempty"`
	AloneWhy  string  `json:"alone_why,omitempty"`
	LateWhy   string  `json:"late_why,omitempty"`
	Discarded string  `json:"discarded,omitempty"`
	Reference string  `json:"reference,omitempty"`
	Why       string  `json:"why,omitempty"` // of a withdrawal, or of another ground
}

// tryRow is one attempt to reach somebody.
type tryRow struct {
	NoticeID   string `gorm:"primaryKey"`
	Seq        int64  `gorm:"primaryKey;autoIncrement:false"`
	CustomerID string
	ContactID  string
	How        string
	MailID     string
	State      string
	Cause      string
	Content    string
	At         int64
	ByID       string
	Data       []byte
}

func (tryRow) TableName() string { return "incident_tries" }

// tryData is who was tried, and what was said.
type tryData struct {
	Name string `json:"name,omitempty"`
	Note string `json:"note,omitempty"`
}

// orderRow is that customers are to be told something.
type orderRow struct {
	ID         string `gorm:"primaryKey"`
	CaseID     string
	CustomerID string
	Purpose    string
	ByID       string
	MadeAt     int64
	DoneAt     int64
	NextAt     int64
	Data       []byte
}

func (orderRow) TableName() string { return "incident_orders" }

// prefixOrder is of ids of orders.
const prefixOrder = "ord_"

// noticesScope is the scope of the plane's own work on notices.
func noticesScope() policy.Scope { return policy.AllCustomers("incidents: notices of all customers") }

// sealNotice seals what a notice says into its row.
func (s *Service) sealNotice(r *noticeRow, d noticeData, body string) (err error) {
	text, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("write notice: %w", err)
	}
	if r.Data, err = s.seal(r.CustomerID, "incident_notices", "data", r.ID, string(text)); err != nil {
		return err
	}
	r.Body, err = s.seal(r.CustomerID, "incident_notices", "body", r.ID, body)
	return err
}

// openNotice is a row as a notice, but for its tries, with what is sealed beside it.
func (s *Service) openNotice(r noticeRow) (n Notice, d noticeData, err error) {
	n = r.head()
	text, err := s.open(r.CustomerID, "incident_notices", "data", r.ID, r.Data)
	if err != nil {
		return n, d, err
	}
	if text != "" {
		if err := json.Unmarshal([]byte(text), &d); err != nil {
			return n, d, fmt.Errorf("read notice %s: %w", r.ID, err)
		}
	}
	if n.Text, err = s.open(r.CustomerID, "incident_notices", "body", r.ID, r.Body); err != nil {
		return n, d, err
	}
	n.Title, n.Fields, n.Words, n.AloneWhy, n.LateWhy = d.Title, d.Fields, d.Words, d.AloneWhy, d.LateWhy
	return n, d, nil
}

// head is a notice without what is sealed of it.
func (r noticeRow) head() Notice {
	at := controlplane.FromMillis
	return Notice{ID: r.ID, Case: r.CaseID, Advisory: r.AdvisoryID, Customer: r.CustomerID, Audience: Audience(r.Audience), Purpose: Purpose(r.Purpose), Phase: int(r.Phase),
		Regime: r.Regime, Lang: r.Lang, SHA256: r.SHA256, State: NoticeState(r.State), Author: r.Author, MadeAt: at(r.MadeAt), AskedAt: at(r.AskedAt), Second: r.Second,
		Alone: r.Alone == 1, SentAt: at(r.SentAt), DueAt: at(r.DueAt), ToldAt: at(r.ToldAt), Drill: r.Drill == 1, Version: r.Version}
}

func (s *Service) sealTry(r *tryRow, d tryData) error {
	text, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("write try: %w", err)
	}
	r.Data, err = s.seal(r.CustomerID, "incident_tries", "data", fmt.Sprint(r.NoticeID, ":", r.Seq), string(text))
	return err
}

func (s *Service) openTry(r tryRow) (Try, error) {
	x := Try{Contact: r.ContactID, How: r.How, Mail: r.MailID, State: r.State, Cause: r.Cause, At: controlplane.FromMillis(r.At), By: r.ByID}
	text, err := s.open(r.CustomerID, "incident_tries", "data", fmt.Sprint(r.NoticeID, ":", r.Seq), r.Data)
	if err != nil || text == "" {
		return x, err
	}
	var d tryData
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		return x, fmt.Errorf("read try of %s: %w", r.NoticeID, err)
	}
	x.Name, x.Note = d.Name, d.Note
	return x, nil
}

// noticesAtOnce bounds an INSERT: the SQLite driver binds in quadratic time.
const noticesAtOnce = 8

// insertNotices adds new notices.
func insertNotices(tx *db.Tx, rows []noticeRow) error {
	for part := range slices.Chunk(rows, noticesAtOnce) {
		if err := tx.Create(&part).Error; err != nil {
			return fmt.Errorf("insert notices: %w", err)
		}
	}
	return nil
}

// triesOf are the tries of a notice in their order.
func triesOf(tx *db.Tx, notice string) (rows []tryRow, err error) {
	err = tx.Where("notice_id = ?", notice).Order("seq").Find(&rows).Error
	return rows, err
}

// tryByMail is the try that a mail was; ok is false where it was none.
func tryByMail(tx *db.Tx, mail string) (row tryRow, ok bool, err error) {
	var rows []tryRow
	err = tx.Where("mail_id = ? AND mail_id <> ''", mail).Limit(1).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return row, false, err
	}
	return rows[0], true, nil
}

// saveTry writes what became of a try.
func saveTry(tx *db.Tx, r tryRow) error {
	return tx.Exec("UPDATE incident_tries SET state = ?, cause = ?, content = ?, at = ? WHERE notice_id = ? AND seq = ?", r.State, r.Cause, r.Content, r.At, r.NoticeID, r.Seq).Error
}

// noticeHeads are the notices of a case without what is sealed, those made first
// before.
func noticeHeads(tx *db.Tx, incident string) (rows []noticeRow, err error) {
	err = tx.Select("id, case_id, order_id, customer_id, audience, purpose, phase, regime, lang, state, drill, author, made_at, asked_at, sent_at, due_at, told_at, version").
		Where("case_id = ?", incident).Order("id").Find(&rows).Error
	return rows, err
}

// dueNotices are those at which Watch looks now.
func dueNotices(tx *db.Tx, limit int) (ids []string, err error) {
	err = tx.Raw("SELECT id FROM incident_notices WHERE next_at > 0 AND next_at <= ? ORDER BY next_at, id LIMIT ?", tx.NowMillis(), limit).Scan(&ids).Error
	return ids, err
}

// newsOf are notices of which their case does not know yet what became.
func newsOf(tx *db.Tx, limit int) (ids []string, err error) {
	err = tx.Raw("SELECT id FROM incident_notices WHERE news = 1 ORDER BY id LIMIT ?", limit).Scan(&ids).Error
	return ids, err
}

// openOrders are the orders that are to be carried out now.
func openOrders(tx *db.Tx) (rows []orderRow, err error) {
	err = tx.Where("done_at = 0 AND next_at <= ?", tx.NowMillis()).Order("made_at, id").Limit(20).Find(&rows).Error
	return rows, err
}

// orderedOf are the customers whom an order has told.
func orderedOf(tx *db.Tx, order string) (ids []string, err error) {
	err = tx.Raw("SELECT customer_id FROM incident_notices WHERE order_id = ?", order).Scan(&ids).Error
	return ids, err
}

// customerName is a customer by the names that a text may hold.
type customerName struct{ ID, Slug, Name string }

// serverName is a server.
type serverName struct{ ID, Name string }

// livesOn is that a customer lives on a server.
type livesOn struct{ ServerID, CustomerID string }

// livedOn is that a customer lives on a server, or did, with what is theirs there.
type livedOn struct {
	ServerID, CustomerID string
	Sites                string `gorm:"column:sites_json"`
	Databases            string `gorm:"column:databases_json"`
}

// allNames are what all customers and servers are called, who lives where, and who
// ever did.
type allNames struct {
	called []customerName
	hosts  []serverName // retired ones, too
	living []livesOn
	lived  []livedOn
}

// namesIn reads them.
func (s *Service) namesIn(tx *db.Tx) (all allNames, err error) {
	scope := noticesScope()
	q, args := s.customers.Called(scope)
	if err = tx.Raw("SELECT id, slug, name FROM ("+q+") c", args...).Scan(&all.called).Error; err != nil {
		return all, err
	}
	q, args = s.customers.Known(scope)
	if err = tx.Raw(q, args...).Scan(&all.hosts).Error; err != nil {
		return all, err
	}
	q, args = s.customers.Living(scope)
	if err = tx.Raw("SELECT server_id, customer_id FROM ("+q+") t", args...).Scan(&all.living).Error; err != nil {
		return all, err
	}
	q, args = s.customers.Lived(scope)
	err = tx.Raw(q, args...).Scan(&all.lived).Error
	return all, err
}

// ownerSpeaks is what an owner among the contacts of a customer reads.
type ownerSpeaks struct{ CustomerID, Language string }

// ownersSpeak are what the owners read, those there the longest first.
func (s *Service) ownersSpeak(tx *db.Tx) (rows []ownerSpeaks, err error) {
	q, args := s.customers.Speaking(noticesScope())
	err = tx.Raw("SELECT customer_id, language FROM ("+q+") c WHERE role = ? ORDER BY created_at, id", append(args, string(policy.RoleOwner))...).Scan(&rows).Error
	return rows, err
}

// waitingOf counts the notices of a case, or of an advisory, that wait for a
// second person, without that of an id.
func waitingOf(tx *db.Tx, incident, advisory, but string) (n int64, err error) {
	q := tx.Model(&noticeRow{}).Where("state = ? AND id <> ?", string(Waiting), but)
	if incident != "" {
		q = q.Where("case_id = ?", incident)
	} else {
		q = q.Where("advisory_id = ?", advisory)
	}
	err = q.Count(&n).Error
	return n, err
}

// customersOf are the customers of notices.
func customersOf(tx *db.Tx, ids []string) (out []string, err error) {
	for _, id := range ids {
		var c string
		if err := tx.Raw("SELECT customer_id FROM incident_notices WHERE id = ?", id).Scan(&c).Error; err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return distinct(out), nil
}

// noNews says that the case of a notice knows what became of it.
func noNews(tx *db.Tx, id string) error {
	return tx.Exec("UPDATE incident_notices SET news = 0 WHERE id = ?", id).Error
}

// putOff has Watch look at a notice later.
func putOff(tx *db.Tx, id string, at int64) error {
	return tx.Exec("UPDATE incident_notices SET next_at = ? WHERE id = ?", at, id).Error
}

// noticePage are notices of a filter, one more than its limit.
func noticePage(tx *db.Tx, scope policy.Scope, f NoticeFilter) ([]noticeRow, error) {
	where, args := "1 = 1", []any{}
	and := func(cond string, v any) { where, args = where+" AND "+cond, append(args, v) }
	for column, v := range map[string]string{"case_id": f.Case, "advisory_id": f.Advisory, "customer_id": f.Customer, "audience": string(f.Audience), "state": string(f.State)} {
		if v != "" {
			and(column+" = ?", v)
		}
	}
	if !scope.All() {
		and("audience = ?", string(ToCustomer))
		and("sent_at > 0 AND drill = 0 AND state <> ?", string(Discarded))
	}
	if f.Token != "" {
		and("id < ?", f.Token)
	}
	if f.Heads || f.noText {
		sealed := []string{"body"}
		if f.Heads {
			sealed = append(sealed, "data")
		}
		var rows []noticeRow
		err := db.Within(tx.DB, scope).Omit(sealed...).Where(where, args...).Order("id DESC").Limit(f.Limit + 1).Find(&rows).Error
		return rows, err
	}
	return db.Where[noticeRow](tx, scope, "id DESC", f.Limit+1, where, args...)
}

// openDrafts are the ids of the drafts of a case, or of those to one customer.
func openDrafts(tx *db.Tx, incident, customer string) (ids []string, err error) {
	err = tx.Raw("SELECT id FROM incident_notices WHERE "+draftsOf+" ORDER BY id", incident, string(Draft), string(Waiting), customer, customer, string(ToCustomer)).Scan(&ids).Error
	return ids, err
}

const draftsOf = "case_id = ? AND state IN (?, ?) AND (? = '' OR customer_id = ? AND audience = ?)"

// discardRows puts them aside.
func discardRows(tx *db.Tx, incident, customer string) error {
	return tx.Exec("UPDATE incident_notices SET state = ?, next_at = 0, version = version + 1 WHERE "+draftsOf, string(Discarded), incident, string(Draft), string(Waiting), customer, customer, string(ToCustomer)).Error
}

// orderDone notes that an order is carried out.
func orderDone(tx *db.Tx, id string, at int64) error {
	return tx.Exec("UPDATE incident_orders SET done_at = ? WHERE id = ?", at, id).Error
}

// orderLater has Watch look at an order later.
func orderLater(tx *db.Tx, id string, at int64) error {
	return tx.Exec("UPDATE incident_orders SET next_at = ? WHERE id = ?", at, id).Error
}
