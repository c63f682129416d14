package customers

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
	"ostler/controlplane/secrets"
)

type contactRow struct {
	ID         string `gorm:"column:id;primaryKey"`
	Customer   string `gorm:"column:customer_id"`
	Name       []byte `gorm:"column:name_sealed"`
	Email      []byte `gorm:"column:email_sealed"`
	EmailIndex []byte `gorm:"column:email_index"`
	Role       string `gorm:"column:role"`
	Language   string `gorm:"column:language"`
	Version    int64  `gorm:"column:version"`
	CreatedAt  int64  `gorm:"column:created_at;autoCreateTime:false"`
	UpdatedAt  int64  `gorm:"column:updated_at;autoUpdateTime:false"`
	RemovedAt  int64  `gorm:"column:removed_at"`
}

func (contactRow) TableName() string { return "contacts" }

// EmailIndex is the name of the blind index by which people are found by their
// e-mail address; staff and contacts share it.
const EmailIndex = "email"

func (s *Store) seal(customer, id, column, value string) ([]byte, error) {
	b, err := s.keeper.Seal(customer, secrets.AD{Table: "contacts", Column: column, Row: id}, []byte(value))
	if err != nil {
		return nil, fmt.Errorf("contact %s: %w", column, err)
	}
	return b, nil
}

func (s *Store) contact(r contactRow) (Contact, error) {
	c := Contact{
		ID: r.ID, Customer: r.Customer, Role: policy.Role(r.Role), Language: r.Language, Version: r.Version,
		CreatedAt: controlplane.FromMillis(r.CreatedAt), UpdatedAt: controlplane.FromMillis(r.UpdatedAt), RemovedAt: controlplane.FromMillis(r.RemovedAt),
	}
	if c.Role.Kind() != controlplane.ActorContact {
		return Contact{}, fmt.Errorf("contact %s: unknown role %q", r.ID, r.Role)
	}
	name, err := s.keeper.Open(r.Customer, secrets.AD{Table: "contacts", Column: "name", Row: r.ID}, r.Name)
	if err != nil {
		return Contact{}, fmt.Errorf("contact %s: name: %w", r.ID, err)
	}
	email, err := s.keeper.Open(r.Customer, secrets.AD{Table: "contacts", Column: "email", Row: r.ID}, r.Email)
	if err != nil {
		return Contact{}, fmt.Errorf("contact %s: email: %w", r.ID, err)
	}
	c.Name, c.Email = string(name), string(email)
	return c, nil
}

// NewContact is what a contact is made of.
type NewContact struct {
	Customer    string // id or slug
	Name, Email string
	Role        policy.Role // owner, restorer or reader
	Language    string      // BCP 47; "" is "en"
}

// ContactChange says what to change; nil stays as it is.
type ContactChange struct {
	Name, Email, Language *string
	Role                  *policy.Role
	// Version is the version that the change was made from; 0 takes any.
	Version int64
}

// AddContact adds a person to a customer. They sign in only after an invitation
// (package identity).
//
// Errors: invalid, conflict where the customer has a contact with this e-mail
// address, not found for a customer outside the scope.
func (s *Store) AddContact(ctx context.Context, scope policy.Scope, in NewContact) (Contact, error) {
	var c check
	v := Contact{ID: controlplane.NewID(controlplane.PrefixContact), Role: in.Role, Version: 1}
	v.Name = c.text("/name", in.Name, true)
	v.Email = c.email("/email", in.Email)
	v.Language = c.language("/language", in.Language)
	c.role("/role", in.Role)
	if err := c.err(); err != nil {
		return Contact{}, err
	}
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		customer, err := s.CustomerIn(tx, scope, in.Customer)
		if err != nil {
			return err
		}
		v.Customer, v.CreatedAt, v.UpdatedAt = customer.ID, tx.Now, tx.Now
		row := contactRow{
			ID: v.ID, Customer: v.Customer, EmailIndex: s.keeper.Index(EmailIndex, v.Email), Role: string(v.Role), Language: v.Language,
			Version: v.Version, CreatedAt: tx.NowMillis(), UpdatedAt: tx.NowMillis(),
		}
		if row.Name, err = s.seal(v.Customer, v.ID, "name", v.Name); err != nil {
			return err
		}
		if row.Email, err = s.seal(v.Customer, v.ID, "email", v.Email); err != nil {
			return err
		}
		if err := tx.Create(&row).Error; err != nil {
			return err
		}
		return s.append(tx, ledger.Entry{
			Customer: v.Customer, Subject: v.ID, Kind: "contact.added",
			Data:     map[string]any{"role": string(v.Role), "language": v.Language},
			Personal: map[string]string{"name": v.Name, "email": v.Email},
		})
	})
	if db.IsDuplicate(err) {
		return Contact{}, takenEmail()
	}
	return v, wrap("add contact", err)
}

func takenEmail() error {
	return taken("/email", "A contact of this customer has this e-mail address already.")
}

// GetContact returns a contact, also one that was removed.
func (s *Store) GetContact(ctx context.Context, scope policy.Scope, id string) (c Contact, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error { c, err = s.ContactIn(tx, scope, id); return err })
	return c, err
}

// ContactIn is GetContact inside a transaction.
func (s *Store) ContactIn(tx *db.Tx, scope policy.Scope, id string) (Contact, error) {
	var row contactRow
	if err := inScope(tx.DB, "customer_id", scope).Where("id = ?", id).Take(&row).Error; err != nil {
		return Contact{}, missing("contact", err)
	}
	return s.contact(row)
}

// ListContacts returns the contacts of a customer by name; of all customers of
// the scope where customer is "". Names are sealed, so the list is sorted in
// memory and has no pages.
func (s *Store) ListContacts(ctx context.Context, scope policy.Scope, customer string) ([]Contact, error) {
	var rows []contactRow
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		q := inScope(tx.DB, "customer_id", scope).Where("removed_at = 0")
		if customer != "" {
			q = q.Where("customer_id = ?", customer)
		}
		return q.Find(&rows).Error
	})
	if err != nil {
		return nil, wrap("list contacts", err)
	}
	return s.contacts(rows)
}

func (s *Store) contacts(rows []contactRow) ([]Contact, error) {
	out := make([]Contact, 0, len(rows))
	for _, r := range rows {
		c, err := s.contact(r)
		if err != nil {
			return nil, wrap("list contacts", err)
		}
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b Contact) int {
		return cmp.Or(strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), strings.Compare(a.ID, b.ID))
	})
	return out, nil
}

// ContactsByEmailIn returns the contacts with the e-mail address that the scope
// reaches: one for each customer at most.
func (s *Store) ContactsByEmailIn(tx *db.Tx, scope policy.Scope, email string) ([]Contact, error) {
	var rows []contactRow
	err := inScope(tx.DB, "customer_id", scope).Where("email_index = ? AND removed_at = 0", s.keeper.Index(EmailIndex, email)).Find(&rows).Error
	if err != nil {
		return nil, wrap("find contact", err)
	}
	return s.contacts(rows)
}

// UpdateContact changes a contact.
//
// Errors: invalid, not found, conflict where the e-mail address is taken or
// somebody changed the contact since.
func (s *Store) UpdateContact(ctx context.Context, scope policy.Scope, id string, in ContactChange) (Contact, error) {
	var c check
	plain, personal := map[string]any{}, map[string]string{}
	setText(personal, "name", in.Name, func(v string) string { return c.text("/name", v, true) })
	setText(personal, "email", in.Email, func(v string) string { return c.email("/email", v) })
	set(plain, "language", in.Language, func(v string) string { return c.language("/language", v) })
	if in.Role != nil {
		if err := notOneself(ctx, id); err != nil {
			return Contact{}, err
		}
		c.role("/role", *in.Role)
		plain["role"] = string(*in.Role)
	}
	if err := c.err(); err != nil {
		return Contact{}, err
	}
	var out Contact
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		before, err := s.ContactIn(tx, scope, id)
		if err != nil {
			return err
		}
		if !before.RemovedAt.IsZero() {
			return controlplane.NotFound("contact")
		}
		columns := make(map[string]any, len(plain)+len(personal)+1)
		for k, v := range plain {
			columns[k] = v
		}
		for k, v := range personal {
			if columns[k+"_sealed"], err = s.seal(before.Customer, before.ID, k, v); err != nil {
				return err
			}
		}
		if email, ok := personal["email"]; ok {
			columns["email_index"] = s.keeper.Index(EmailIndex, email)
		}
		if err := update(tx, contactRow{}.TableName(), before.ID, before.Version, in.Version, columns); err != nil {
			return err
		}
		if err := s.append(tx, ledger.Entry{Customer: before.Customer, Subject: before.ID, Kind: "contact.changed", Data: plain, Personal: personal}); err != nil {
			return err
		}
		out, err = s.ContactIn(tx, scope, before.ID)
		return err
	})
	if db.IsDuplicate(err) {
		return Contact{}, takenEmail()
	}
	return out, wrap("update contact", err)
}

func setText(change map[string]string, key string, v *string, clean func(string) string) {
	if v != nil {
		change[key] = clean(*v)
	}
}

// RemoveContact ends that a person is a contact: their sessions and tokens end
// with it. Removing them again changes nothing.
func (s *Store) RemoveContact(ctx context.Context, scope policy.Scope, id string) error {
	if err := notOneself(ctx, id); err != nil {
		return err
	}
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		c, err := s.ContactIn(tx, scope, id)
		if err != nil || !c.RemovedAt.IsZero() {
			return err
		}
		if err := update(tx, contactRow{}.TableName(), c.ID, c.Version, 0, map[string]any{"removed_at": tx.NowMillis()}); err != nil {
			return err
		}
		return s.append(tx, ledger.Entry{Customer: c.Customer, Subject: c.ID, Kind: "contact.removed", Data: map[string]any{"role": string(c.Role)}})
	})
	return wrap("remove contact", err)
}

// notOneself keeps a customer with an owner: whoever takes rights away from the
// last other one still has them.
func notOneself(ctx context.Context, id string) error {
	if a, _ := controlplane.ActorFrom(ctx); a.ID == id {
		return controlplane.Errorf(controlplane.CodeForbidden, "Ask another owner, or us, to do it.", "You cannot remove yourself or change your own role")
	}
	return nil
}

// ContactsIn returns the contacts of a customer inside a transaction, the
// longest there first; also those who were removed where removed is set.
func (s *Store) ContactsIn(tx *db.Tx, scope policy.Scope, customer string, removed bool) ([]Contact, error) {
	q := inScope(tx.DB, "customer_id", scope).Where("customer_id = ?", customer)
	if !removed {
		q = q.Where("removed_at = 0")
	}
	var rows []contactRow
	if err := q.Order("id").Find(&rows).Error; err != nil {
		return nil, wrap("contacts", err)
	}
	out := make([]Contact, 0, len(rows))
	for _, r := range rows {
		c, err := s.contact(r)
		if err != nil {
			return nil, wrap("contacts", err)
		}
		out = append(out, c)
	}
	return out, nil
}
