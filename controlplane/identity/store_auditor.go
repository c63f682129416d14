package identity

import (
	"context"
	"errors"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"

	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// AuditorLife is the longest time for which an outside auditor is let in.
const AuditorLife = 90 * 24 * time.Hour

// prefixAuditor begins the ids of outside auditors.
const prefixAuditor = "aud_"

type auditorRow struct {
	ID         string `gorm:"column:id;primaryKey"`
	Customer   string `gorm:"column:customer_id"`
	Name       []byte `gorm:"column:name_sealed"`
	Email      []byte `gorm:"column:email_sealed"`
	EmailIndex []byte `gorm:"column:email_index"`
	Until      int64  `gorm:"column:until_at"`
	CreatedAt  int64  `gorm:"column:created_at;autoCreateTime:false"`
	EndedAt    int64  `gorm:"column:ended_at"`
}

func (auditorRow) TableName() string { return "auditors" }

// auditor returns the person of a row; past the time they are not active.
func (s *Store) auditor(r auditorRow, now time.Time) (Person, error) {
	p := Person{Kind: controlplane.ActorAuditor, ID: r.ID, Customer: r.Customer, Role: policy.RoleAuditor, Language: "en",
		Active: r.EndedAt == 0 && now.UnixMilli() < r.Until}
	var err error
	if p.Name, err = s.open("auditors", "name", r.ID, r.Customer, r.Name); err != nil {
		return Person{}, err
	}
	p.Email, err = s.open("auditors", "email", r.ID, r.Customer, r.Email)
	return p, err
}

// auditorIn finds an auditor within the scope.
func (s *Store) auditorIn(tx *db.Tx, scope policy.Scope, id string) (Person, error) {
	var row auditorRow
	if err := tx.Where("id = ?", id).Take(&row).Error; err != nil {
		return Person{}, missing("person", err)
	}
	if !scope.Allows(row.Customer) {
		return Person{}, controlplane.NotFound("person")
	}
	return s.auditor(row, tx.Now)
}

// auditorsByEmail are the auditors with an address who are let in now.
func (s *Store) auditorsByEmail(tx *db.Tx, email, customer string) ([]Person, error) {
	var rows []auditorRow
	q := tx.Where("email_index = ? AND ended_at = 0 AND until_at > ?", s.keeper.Index(customers.EmailIndex, email), tx.NowMillis())
	if customer != "" {
		q = q.Where("customer_id = ?", customer)
	}
	if err := q.Order("id").Find(&rows).Error; err != nil {
		return nil, err
	}
	out := make([]Person, len(rows))
	for i, r := range rows {
		p, err := s.auditor(r, tx.Now)
		if err != nil {
			return nil, err
		}
		out[i] = p
	}
	return out, nil
}

// NewAuditor is an outside person who may read one customer's evidence for a time.
type NewAuditor struct {
	Customer    string // id or slug
	Name, Email string
	Until       time.Time // at most AuditorLife ahead
}

// AddAuditor lets an outside auditor in for a time; Invite gives them a sign-in
// with two factors. They read what RoleAuditor may, of that customer alone.
//
// Errors: invalid, not_found, forbidden for anybody but staff.
func (s *Store) AddAuditor(ctx context.Context, scope policy.Scope, in NewAuditor) (Person, error) {
	if err := ofStaff(ctx, scope); err != nil {
		return Person{}, err
	}
	now, err := s.db.Now(ctx)
	if err != nil {
		return Person{}, wrap("add auditor", err)
	}
	name, email, err := in.check(now)
	if err != nil {
		return Person{}, err
	}
	c, err := s.customers.GetCustomer(ctx, scope, in.Customer)
	if err != nil {
		return Person{}, err
	}
	row := auditorRow{ID: controlplane.NewID(prefixAuditor), Customer: c.ID, EmailIndex: s.keeper.Index(customers.EmailIndex, email), Until: in.Until.UnixMilli()}
	var err1, err2 error
	row.Name, err1 = s.seal("auditors", "name", row.ID, c.ID, name)
	row.Email, err2 = s.seal("auditors", "email", row.ID, c.ID, email)
	if err := errors.Join(err1, err2); err != nil {
		return Person{}, wrap("add auditor", err)
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		row.CreatedAt = tx.NowMillis()
		if err := tx.Create(&row).Error; err != nil {
			return err
		}
		return s.append(tx, ledger.Entry{Customer: c.ID, Subject: row.ID, Kind: "auditor.added",
			Data: map[string]any{"until": controlplane.Instant(in.Until)}, Personal: map[string]string{"name": name, "email": email}})
	})
	if err != nil {
		return Person{}, wrap("add auditor", err)
	}
	return s.auditor(row, now)
}

func (in NewAuditor) check(now time.Time) (name, email string, err error) {
	var fields []controlplane.Field
	name, problem := cleanName(in.Name)
	if problem != "" {
		fields = append(fields, controlplane.Field{Pointer: "/name", Message: problem})
	}
	email = norm.NFC.String(strings.TrimSpace(in.Email))
	if !customers.ValidEmail(email) {
		fields = append(fields, controlplane.Field{Pointer: "/email", Message: "Enter one e-mail address, such as name@example.com."})
	}
	if !in.Until.After(now) || in.Until.After(now.Add(AuditorLife)) {
		fields = append(fields, controlplane.Field{Pointer: "/until", Message: "Say until when they are let in: at most 90 days ahead."})
	}
	if fields != nil {
		return name, email, controlplane.Invalid(fields...)
	}
	return name, email, nil
}

// EndAuditor ends an auditor's time now, with every session.
func (s *Store) EndAuditor(ctx context.Context, scope policy.Scope, id string) error {
	if err := ofStaff(ctx, scope); err != nil {
		return err
	}
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		p, err := s.auditorIn(tx, scope, id)
		if err != nil {
			return err
		}
		if err := tx.Table(auditorRow{}.TableName()).Where("id = ?", id).Update("ended_at", tx.NowMillis()).Error; err != nil {
			return err
		}
		if err := s.endAccess(tx, id, ""); err != nil {
			return err
		}
		return s.append(tx, ledger.Entry{Customer: p.Customer, Subject: id, Kind: "auditor.ended"})
	})
	return wrap("end auditor", err)
}
