package identity

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"
	"gorm.io/gorm"

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
	From       int64  `gorm:"column:period_from"`
	To         int64  `gorm:"column:period_to"`
	Until      int64  `gorm:"column:until_at"`
	CreatedAt  int64  `gorm:"column:created_at;autoCreateTime:false"`
	EndedAt    int64  `gorm:"column:ended_at"`
}

func (auditorRow) TableName() string { return "auditors" }

// auditorCustomerRow is a customer whose records an auditor may read. The
// auditor's own row names the first, under whose key their name is sealed: with
// that customer's end they are out.
type auditorCustomerRow struct {
	Auditor  string `gorm:"column:auditor_id;primaryKey"`
	Customer string `gorm:"column:customer_id;primaryKey"`
}

func (auditorCustomerRow) TableName() string { return "auditor_customers" }

// auditor returns the person of a row; past the time they are not active.
func (s *Store) auditor(tx *db.Tx, r auditorRow) (Person, error) {
	p := Person{Kind: controlplane.ActorAuditor, ID: r.ID, Customer: r.Customer, Role: policy.RoleAuditor, Language: "en",
		From: controlplane.FromMillis(r.From), To: controlplane.FromMillis(r.To), Until: controlplane.FromMillis(r.Until), Active: r.EndedAt == 0 && tx.NowMillis() < r.Until}
	err := tx.Table(auditorCustomerRow{}.TableName()).Where("auditor_id = ?", r.ID).Order("customer_id").Pluck("customer_id", &p.Customers).Error
	if err != nil {
		return Person{}, err
	}
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
	p, err := s.auditor(tx, row)
	if err == nil && !slices.ContainsFunc(p.Customers, scope.Allows) {
		return Person{}, controlplane.NotFound("person")
	}
	return p, err
}

// auditorsByEmail are the auditors with an address who are let in now.
func (s *Store) auditorsByEmail(tx *db.Tx, email, customer string) ([]Person, error) {
	var rows []auditorRow
	q := tx.Where("email_index = ? AND ended_at = 0 AND until_at > ?", s.keeper.Index(customers.EmailIndex, email), tx.NowMillis())
	if customer != "" {
		q = q.Where("id IN (?)", auditorsOf(tx, customer))
	}
	if err := q.Order("id").Find(&rows).Error; err != nil {
		return nil, err
	}
	out := make([]Person, len(rows))
	for i, r := range rows {
		p, err := s.auditor(tx, r)
		if err != nil {
			return nil, err
		}
		out[i] = p
	}
	return out, nil
}

// auditorsOf are the ids of those who may read the records of any of these customers.
func auditorsOf(tx *db.Tx, customers ...string) *gorm.DB {
	return tx.Table(auditorCustomerRow{}.TableName()).Select("auditor_id").Where("customer_id IN ?", db.Padded(customers))
}

// NewAuditor is an outside person who may read some customers' evidence for a time.
type NewAuditor struct {
	Customer    string   // id or slug
	Also        []string // further customers, by id or slug; at most MaxAuditorCustomers in all
	Name, Email string
	// From and To bound the sessions that they see to those that began in that
	// time, To itself not included. Zero is open.
	From, To time.Time
	Until    time.Time // at most AuditorLife ahead
}

// MaxAuditorCustomers is how many customers one auditor can be let in to.
const MaxAuditorCustomers = 50

// AddAuditor lets an outside auditor in for a time; Invite gives them a sign-in
// with two factors. They read what RoleAuditor may, of those customers alone.
// Each of the customers finds it in their chain.
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
	var own []string
	for _, ref := range append([]string{in.Customer}, in.Also...) {
		c, err := s.customers.GetCustomer(ctx, scope, ref)
		if err != nil {
			return Person{}, err
		}
		if !slices.Contains(own, c.ID) {
			own = append(own, c.ID)
		}
	}
	row := auditorRow{ID: controlplane.NewID(prefixAuditor), Customer: own[0], EmailIndex: s.keeper.Index(customers.EmailIndex, email),
		From: controlplane.Millis(in.From), To: controlplane.Millis(in.To), Until: in.Until.UnixMilli()}
	var err1, err2 error
	row.Name, err1 = s.seal("auditors", "name", row.ID, row.Customer, name)
	row.Email, err2 = s.seal("auditors", "email", row.ID, row.Customer, email)
	if err := errors.Join(err1, err2); err != nil {
		return Person{}, wrap("add auditor", err)
	}
	var p Person
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		row.CreatedAt = tx.NowMillis()
		if err := tx.Create(&row).Error; err != nil {
			return err
		}
		for _, c := range own {
			if err := tx.Create(&auditorCustomerRow{Auditor: row.ID, Customer: c}).Error; err != nil {
				return err
			}
			if err := s.append(tx, ledger.Entry{Customer: c, Subject: row.ID, Kind: "auditor.added", Data: in.told(), Personal: map[string]string{"name": name, "email": email}}); err != nil {
				return err
			}
		}
		p, err = s.auditor(tx, row)
		return err
	})
	return p, wrap("add auditor", err)
}

// told is what the ledger says of an auditor's bounds.
func (in NewAuditor) told() map[string]any {
	data := map[string]any{"until": controlplane.Instant(in.Until)}
	for key, at := range map[string]time.Time{"period_from": in.From, "period_to": in.To} {
		if !at.IsZero() {
			data[key] = controlplane.Instant(at)
		}
	}
	return data
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
	if !in.To.IsZero() && !in.To.After(in.From) {
		fields = append(fields, controlplane.Field{Pointer: "/to", Message: "The period ends before it begins. Check both days."})
	}
	if len(in.Also) >= MaxAuditorCustomers {
		fields = append(fields, controlplane.Field{Pointer: "/customers", Message: "One auditor can be let in to 50 customers at most."})
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
		for _, c := range p.Customers {
			if err := s.append(tx, ledger.Entry{Customer: c, Subject: id, Kind: "auditor.ended"}); err != nil {
				return err
			}
		}
		return nil
	})
	return wrap("end auditor", err)
}
