package identity

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
	"ostler/controlplane/secrets"
)

type staffRow struct {
	ID         string `gorm:"column:id;primaryKey"`
	Name       []byte `gorm:"column:name_sealed"`
	Email      []byte `gorm:"column:email_sealed"`
	EmailIndex []byte `gorm:"column:email_index"`
	Role       string `gorm:"column:role"`
	Language   string `gorm:"column:language"`
	Version    int64  `gorm:"column:version"`
	CreatedAt  int64  `gorm:"column:created_at;autoCreateTime:false"`
	UpdatedAt  int64  `gorm:"column:updated_at;autoUpdateTime:false"`
	DisabledAt int64  `gorm:"column:disabled_at"`
}

func (staffRow) TableName() string { return "staff" }

// seal seals a personal value of a row under the key of the customer whose row
// it is, or the company's.
func (s *Store) seal(table, column, row, customer, value string) ([]byte, error) {
	b, err := s.keeper.Seal(customer, secrets.AD{Table: table, Column: column, Row: row}, []byte(value))
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", table, column, err)
	}
	return b, nil
}

func (s *Store) open(table, column, row, customer string, sealed []byte) (string, error) {
	b, err := s.keeper.Open(customer, secrets.AD{Table: table, Column: column, Row: row}, sealed)
	if err != nil {
		column, _, _ = strings.Cut(column, "/") // what it is bound to is for nobody's eyes
		return "", fmt.Errorf("%s %s: %s: %w", table, row, column, err)
	}
	return string(b), nil
}

func (s *Store) staff(r staffRow) (Person, error) {
	p := Person{Kind: controlplane.ActorStaff, ID: r.ID, Role: policy.Role(r.Role), Language: r.Language, Active: r.DisabledAt == 0, Version: r.Version}
	if !p.Role.OfStaff() {
		return Person{}, fmt.Errorf("staff %s: unknown role %q", r.ID, r.Role)
	}
	var err error
	if p.Name, err = s.open("staff", "name", r.ID, "", r.Name); err != nil {
		return Person{}, err
	}
	p.Email, err = s.open("staff", "email", r.ID, "", r.Email)
	return p, err
}

// NewStaff is what a person of the hosting company is made of.
type NewStaff struct {
	Name, Email string
	Role        policy.Role // ops, admin or support
}

// StaffChange says what to change; nil stays as it is.
type StaffChange struct {
	Name     *string
	Role     *policy.Role
	Disabled *bool // true ends every session and token of the person
	// Version is the version that the change was made from; 0 takes any.
	Version int64
}

// AddStaff adds a person to the hosting company; Invite gives them a sign-in.
//
// Errors: invalid, conflict where the e-mail address is taken, forbidden for
// anybody but staff.
func (s *Store) AddStaff(ctx context.Context, scope policy.Scope, in NewStaff) (Person, error) {
	if err := ofStaff(ctx, scope); err != nil {
		return Person{}, err
	}
	var out Person
	row, personal, err := s.newStaff(in)
	if err != nil {
		return out, err
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error { out, err = s.insertStaff(tx, row, personal); return err })
	if db.IsDuplicate(err) {
		e := controlplane.Errorf(controlplane.CodeConflict, "Change the marked field and send it again.", "This is taken already")
		e.Fields = []controlplane.Field{{Pointer: "/email", Message: "Somebody of your company has this e-mail address already."}}
		return Person{}, e
	}
	return out, wrap("add staff", err)
}

func (s *Store) newStaff(in NewStaff) (staffRow, map[string]string, error) {
	var fields []controlplane.Field
	email := norm.NFC.String(strings.TrimSpace(in.Email))
	name, problem := cleanName(in.Name)
	if problem != "" {
		fields = append(fields, controlplane.Field{Pointer: "/name", Message: problem})
	}
	if !customers.ValidEmail(email) {
		fields = append(fields, controlplane.Field{Pointer: "/email", Message: "Enter one e-mail address, such as name@example.com."})
	}
	if !in.Role.OfStaff() {
		fields = append(fields, controlplane.Field{Pointer: "/role", Message: "Choose ops, admin or support."})
	}
	if fields != nil {
		return staffRow{}, nil, controlplane.Invalid(fields...)
	}
	row := staffRow{ID: controlplane.NewID(controlplane.PrefixStaff), Role: string(in.Role), Language: "en", Version: 1, EmailIndex: s.keeper.Index(customers.EmailIndex, email)}
	var err1, err2 error
	row.Name, err1 = s.seal("staff", "name", row.ID, "", name)
	row.Email, err2 = s.seal("staff", "email", row.ID, "", email)
	return row, map[string]string{"name": name, "email": email}, errors.Join(err1, err2)
}

func cleanName(name string) (clean, problem string) {
	name = norm.NFC.String(strings.TrimSpace(name))
	switch {
	case name == "":
		return name, "Enter a name."
	case !utf8.ValidString(name) || utf8.RuneCountInString(name) > 200:
		return name, "Enter a name of at most 200 characters."
	case strings.ContainsFunc(name, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }):
		return name, "This contains characters that cannot be seen. Type it anew instead of pasting it."
	}
	return name, ""
}

func (s *Store) insertStaff(tx *db.Tx, row staffRow, personal map[string]string) (Person, error) {
	row.CreatedAt, row.UpdatedAt = tx.NowMillis(), tx.NowMillis()
	if err := tx.Create(&row).Error; err != nil {
		return Person{}, err
	}
	if err := s.append(tx, ledger.Entry{Subject: row.ID, Kind: "staff.added", Data: map[string]any{"role": row.Role}, Personal: personal}); err != nil {
		return Person{}, err
	}
	return s.staff(row)
}

// Bootstrap makes the first admin of an installation, or gives the staff member
// with this e-mail address a new invitation, whatever they may have lost. It is
// for the command line on the machine itself: the actor must be the system.
func (s *Store) Bootstrap(ctx context.Context, email, name string) (Person, Link, error) {
	if a, _ := controlplane.ActorFrom(ctx); a.Kind != controlplane.ActorSystem {
		return Person{}, Link{}, controlplane.Errorf(controlplane.CodeForbidden, "Run `ostler staff add` on the machine of the control plane.", "This is done on the machine itself only")
	}
	row, personal, err := s.newStaff(NewStaff{Name: name, Email: email, Role: policy.RoleAdmin})
	if err != nil {
		return Person{}, Link{}, err
	}
	var p Person
	var link Link
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		var there staffRow
		err := tx.Where("email_index = ? AND disabled_at = 0", row.EmailIndex).Take(&there).Error
		switch {
		case db.IsNotFound(err):
			p, err = s.insertStaff(tx, row, personal)
		case err == nil:
			p, err = s.staff(there)
		}
		if err != nil {
			return err
		}
		link, err = s.invite(tx, p)
		return err
	})
	return p, link, wrap("bootstrap", err)
}

// UpdateStaff changes a person of the hosting company. Nobody can disable or
// demote themselves: there is always an admin left who did it.
//
// Errors: invalid, not found, forbidden, conflict where somebody changed the
// person since.
func (s *Store) UpdateStaff(ctx context.Context, scope policy.Scope, id string, in StaffChange) (Person, error) {
	if err := ofStaff(ctx, scope); err != nil {
		return Person{}, err
	}
	change, data, personal, err := s.staffChange(ctx, id, in)
	if err != nil {
		return Person{}, err
	}
	var out Person
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		var row staffRow
		if err := tx.Where("id = ?", id).Take(&row).Error; err != nil {
			return missing("person", err)
		}
		if in.Version != 0 && in.Version != row.Version {
			return controlplane.Errorf(controlplane.CodeConflict, "Load it again, look at what changed, and make your change anew.", "Somebody else changed this in the meantime")
		}
		columns := map[string]any{"version": row.Version + 1, "updated_at": tx.NowMillis()}
		for k, v := range change {
			columns[k] = v
		}
		if in.Disabled != nil {
			columns["disabled_at"] = int64(0)
			if *in.Disabled {
				columns["disabled_at"] = tx.NowMillis()
				if err := s.endAccess(tx, id, ""); err != nil {
					return err
				}
			}
		}
		if err := tx.Table(row.TableName()).Where("id = ?", id).Updates(columns).Error; err != nil {
			return err
		}
		if err := s.append(tx, ledger.Entry{Subject: id, Kind: "staff.changed", Data: data, Personal: personal}); err != nil {
			return err
		}
		if err := tx.Where("id = ?", id).Take(&row).Error; err != nil {
			return err
		}
		out, err = s.staff(row)
		return err
	})
	if db.IsDuplicate(err) {
		return Person{}, controlplane.Errorf(controlplane.CodeConflict, "Disable the other person first.", "Somebody else has this person's e-mail address now")
	}
	return out, wrap("update staff", err)
}

func (s *Store) staffChange(ctx context.Context, id string, in StaffChange) (change, data map[string]any, personal map[string]string, err error) {
	change, data, personal = map[string]any{}, map[string]any{}, map[string]string{}
	if a, _ := controlplane.ActorFrom(ctx); a.ID == id && (in.Role != nil || in.Disabled != nil) {
		return nil, nil, nil, controlplane.Errorf(controlplane.CodeForbidden, "Ask another admin to do it.", "You cannot change your own role or disable yourself")
	}
	if in.Name != nil {
		name, problem := cleanName(*in.Name)
		if problem != "" {
			return nil, nil, nil, controlplane.Invalid(controlplane.Field{Pointer: "/name", Message: problem})
		}
		if change["name_sealed"], err = s.seal("staff", "name", id, "", name); err != nil {
			return nil, nil, nil, wrap("update staff", err)
		}
		personal["name"] = name
	}
	if in.Role != nil {
		if !in.Role.OfStaff() {
			return nil, nil, nil, controlplane.Invalid(controlplane.Field{Pointer: "/role", Message: "Choose ops, admin or support."})
		}
		change["role"], data["role"] = string(*in.Role), string(*in.Role)
	}
	if in.Disabled != nil {
		data["disabled"] = *in.Disabled
	}
	return change, data, personal, nil
}

// ofStaff refuses everybody but staff and the plane itself.
func ofStaff(ctx context.Context, scope policy.Scope) error {
	a, _ := controlplane.ActorFrom(ctx)
	if scope.All() && (a.Kind == controlplane.ActorStaff || a.Kind == controlplane.ActorSystem) {
		return nil
	}
	return controlplane.Errorf(controlplane.CodeForbidden, "Ask us to do it.", "Only the hosting company may do this")
}

func (s *Store) append(tx *db.Tx, e ledger.Entry) error {
	if _, err := s.ledger.Append(tx, e); err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	return nil
}

func missing(noun string, err error) error {
	if db.IsNotFound(err) {
		return controlplane.NotFound(noun)
	}
	return err
}

// wrap says where an error came from; what people may read stays as it is.
func wrap(act string, err error) error {
	var e *controlplane.Error
	if err == nil || errors.As(err, &e) {
		return err
	}
	return fmt.Errorf("identity: %s: %w", act, err)
}
