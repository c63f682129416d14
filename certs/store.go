package certs

import (
	"encoding/json"
	"fmt"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

type certRow struct {
	ID, CustomerID, TenancyID, ServerID, Folder, Names, KeyType, Challenge, ProviderID, AuthorityID, Profile string
	Services, Endpoints, State                                                                               string
	Round                                                                                                    int64
	IssueID                                                                                                  string
	IssuedRound                                                                                              int64
	Serial, Leaf, Chain                                                                                      string
	SPKI                                                                                                     string `gorm:"column:spki"`
	Issuer, IssuedBy, IssuedNames                                                                            string
	AriID                                                                                                    string
	NotBefore, NotAfter, RevokedAt, RevokeReason, RenewAt                                                    int64
	RenewFrom, PlanFor                                                                                       string
	Hurried                                                                                                  int64
	WindowStart, WindowEnd                                                                                   int64
	Explanation                                                                                              string
	PollAt, AriFailures, Attempts, FailingSince, NextTry                                                     int64
	Why                                                                                                      string
	PausedUntil                                                                                              int64
	PauseReason                                                                                              []byte
	Seen                                                                                                     string
	LookAt, NoticeAt, Noticed, DueAt                                                                         int64
	OpenIssue, FoundID                                                                                       string
	TakenAt                                                                                                  int64
	Version                                                                                                  int64
	CreatedAt                                                                                                int64 `gorm:"autoCreateTime:false"`
	UpdatedAt                                                                                                int64 `gorm:"autoUpdateTime:false"`
	EndedAt                                                                                                  int64

	was *certRow
}

func (certRow) TableName() string { return "certificates" }

// Was is the row as it was read; db.Save writes what has changed since.
func (r *certRow) Was() *certRow { return r.was }

// AfterFind keeps the row as it was read.
func (r *certRow) AfterFind(*gorm.DB) error {
	was := *r
	was.was, r.was = nil, &was
	return nil
}

// names are the DNS names, in their order.
func (r certRow) names() ([]string, error) { return decode[[]string](r.Names) }

// value is the row as others see it, but for the pause's reason, which is sealed.
func (r certRow) value() (c Certificate, err error) {
	at := controlplane.FromMillis
	c = Certificate{ID: r.ID, Customer: r.CustomerID, Tenancy: r.TenancyID, Server: r.ServerID, Folder: r.Folder, Key: wire.KeyType(r.KeyType),
		Challenge: Challenge(r.Challenge), Provider: r.ProviderID, Authority: r.AuthorityID, Profile: r.Profile, State: State(r.State),
		Issued: Issued{Issue: r.IssueID, Round: r.IssuedRound, Serial: r.Serial, Leaf: r.Leaf, Chain: r.Chain, SPKI: r.SPKI, Issuer: r.Issuer,
			Authority: r.IssuedBy, NotBefore: at(r.NotBefore), NotAfter: at(r.NotAfter), RevokedAt: at(r.RevokedAt), RevokeReason: int(r.RevokeReason)},
		Renewal: Renewal{At: at(r.RenewAt), From: RenewalSource(r.RenewFrom), Start: at(r.WindowStart), End: at(r.WindowEnd),
			Explanation: r.Explanation, PollAt: at(r.PollAt)},
		Failing:     Failing{Attempts: int(r.Attempts), Since: at(r.FailingSince), NextTry: at(r.NextTry)},
		PausedUntil: at(r.PausedUntil), Open: r.OpenIssue, Version: r.Version, CreatedAt: at(r.CreatedAt), UpdatedAt: at(r.UpdatedAt), EndedAt: at(r.EndedAt)}
	if c.Names, err = decode[[]string](r.Names); err != nil {
		return c, err
	}
	if c.Services, err = decode[[]wire.Service](r.Services); err != nil {
		return c, err
	}
	if c.Endpoints, err = decode[[]Endpoint](r.Endpoints); err != nil {
		return c, err
	}
	if c.Failing.Why, err = decode[Why](r.Why); err != nil {
		return c, err
	}
	c.Seen, err = decode[[]Seen](r.Seen)
	return c, err
}

type nameRow struct{ CertificateID, CustomerID, Name string }

func (nameRow) TableName() string { return "cert_names" }

type issueRow struct {
	ID, CustomerID, CertificateID, ServerID, AuthorityID string
	Round                                                int64
	Reason, State                                        string
	DryRun, Rank                                         int64
	JobID, Names, KeyType                                string
	CSR                                                  []byte `gorm:"column:csr"`
	SPKI                                                 string `gorm:"column:spki"`
	OrderState                                           string
	OrderURL                                             string `gorm:"column:order_url"`
	Revision, Requests                                   int64
	ChainPEM                                             []byte `gorm:"column:chain_pem"`
	Serial, Leaf, Chain, Issuer                          string
	NotBefore, NotAfter                                  int64
	Why, Steps, CampaignID                               string
	RevokeOld, Tries                                     int64
	Endpoints                                            string
	StartedBy                                            string
	StartedAt, StartAt, EndedAt, NextTry                 int64

	was *issueRow
}

func (issueRow) TableName() string { return "cert_issues" }

// Was is the row as it was read; db.Save writes what has changed since.
func (r *issueRow) Was() *issueRow { return r.was }

// AfterFind keeps the row as it was read.
func (r *issueRow) AfterFind(*gorm.DB) error {
	was := *r
	was.was, r.was = nil, &was
	return nil
}

func (r issueRow) value() (i Issue, err error) {
	at := controlplane.FromMillis
	i = Issue{ID: r.ID, Certificate: r.CertificateID, Customer: r.CustomerID, Round: r.Round, Reason: Reason(r.Reason), State: IssueState(r.State),
		Authority: r.AuthorityID, OrderURL: r.OrderURL, Requests: int(r.Requests), DryRun: r.DryRun != 0,
		StartedBy: r.StartedBy, StartedAt: at(r.StartedAt), EndedAt: at(r.EndedAt), NextTry: at(r.NextTry)}
	if r.Serial != "" {
		i.Issued = Issued{Issue: r.ID, Round: r.Round, Serial: r.Serial, Leaf: r.Leaf, Chain: r.Chain, SPKI: r.SPKI, Issuer: r.Issuer,
			Authority: r.AuthorityID, NotBefore: at(r.NotBefore), NotAfter: at(r.NotAfter)}
	}
	if i.Why, err = decode[Why](r.Why); err != nil {
		return i, err
	}
	i.Steps, err = decode[[]Step](r.Steps)
	return i, err
}

type keyRow struct {
	SPKI                     string `gorm:"column:spki;primaryKey"`
	CertificateID            string
	Round, SeenAt, BlockedAt int64
}

func (keyRow) TableName() string { return "cert_keys" }

type tokenRow struct {
	Token                  string `gorm:"primaryKey"`
	KeyAuth, Name, IssueID string
	ExpiresAt              int64
}

func (tokenRow) TableName() string { return "cert_tokens" }

// encode is v as a column holds it.
func encode(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic("certs: encode: " + err.Error()) // our own types, all of which encode
	}
	return string(b)
}

// decode reads what encode wrote; "" is the zero value.
func decode[T any](s string) (v T, err error) {
	if s == "" {
		return v, nil
	}
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		return v, fmt.Errorf("certs: decode: %w", err)
	}
	return v, nil
}

// company finds rows of tables that belong to nobody but us.
func company[T any](tx *db.Tx, order string, limit int, cond string, args ...any) ([]T, error) {
	return db.Where[T](tx, policy.AllCustomers("what belongs to the company"), order, limit, cond, args...)
}

func count[T any](tx *db.Tx, cond string, args ...any) (n int64, err error) {
	var row T
	if err := tx.Model(&row).Where(cond, args...).Count(&n).Error; err != nil {
		return 0, fmt.Errorf("certs: count: %w", err)
	}
	return n, nil
}

// remove deletes the rows of a condition.
func remove[T any](tx *db.Tx, cond string, args ...any) error {
	var row T
	if err := tx.Where(cond, args...).Delete(&row).Error; err != nil {
		return fmt.Errorf("certs: delete: %w", err)
	}
	return nil
}

// listCerts finds a page of certificates after (notAfter, id), and one more.
func listCerts(tx *db.Tx, scope policy.Scope, f Filter, after int64, afterID string) ([]certRow, error) {
	q := db.Within(tx.DB, scope).Order("not_after, id").Limit(f.PageSize + 1)
	if !f.Ended {
		q = q.Where("ended_at = 0")
	}
	for column, v := range map[string]string{"customer_id": f.Customer, "server_id": f.Server, "tenancy_id": f.Tenancy, "state": string(f.State)} {
		if v != "" {
			q = q.Where(clause.Eq{Column: column, Value: v})
		}
	}
	if f.Text != "" {
		q = q.Where("id IN (?)", tx.Model(&nameRow{}).Select("certificate_id").Where("name LIKE ? ESCAPE '!'", "%"+like(f.Text)+"%"))
	}
	if !f.Before.IsZero() {
		q = q.Where("not_after < ?", controlplane.Millis(f.Before))
	}
	if f.Failing {
		q = q.Where("attempts > 0")
	}
	if afterID != "" {
		q = q.Where("(not_after > ? OR not_after = ? AND id > ?)", after, after, afterID)
	}
	var rows []certRow
	if err := q.Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("certs: list: %w", err)
	}
	return rows, nil
}

// like is text as part of a LIKE pattern whose escape is "!".
func like(text string) string {
	return strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(strings.ToLower(text))
}

// keepOrder keeps the state of an attempt's order, where it is still that job's
// and at that revision, and moves the revision on.
func keepOrder(tx *db.Tx, row issueRow, job, state, url string, requests int64) error {
	res := tx.Exec("UPDATE cert_issues SET order_state = ?, order_url = ?, requests = ?, revision = revision + 1 WHERE id = ? AND job_id = ? AND revision = ? AND ended_at = 0",
		state, url, requests, row.ID, job, row.Revision)
	if res.Error != nil {
		return fmt.Errorf("certs: save: %w", res.Error)
	}
	if res.RowsAffected != 1 {
		return errMoved
	}
	return nil
}
