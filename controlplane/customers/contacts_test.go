package customers_test

import (
	"bytes"
	"slices"
	"testing"

	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

func TestContacts(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		anna, bert := f.customer(t, "Anna"), f.customer(t, "Bert")
		ctx, scope := f.as(t.Context(), anna)
		zoe, err := f.AddContact(ctx, scope, customers.NewContact{Customer: anna.ID, Name: " Zoë Quill ", Email: "Zoe@Anna.example", Role: policy.RoleOwner})
		if err != nil {
			t.Fatal(err)
		}
		if zoe.Name != "Zoë Quill" || zoe.Language != "en" {
			t.Errorf("contact = %+v", zoe)
		}
		abel, err := f.AddContact(ctx, scope, customers.NewContact{Customer: "anna", Name: "abel", Email: "abel@anna.example", Role: policy.RoleReader, Language: "de"})
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.AddContact(ctx, scope, customers.NewContact{Customer: anna.ID, Name: "Twin", Email: "zoe@anna.example", Role: policy.RoleReader})
		wantCode(t, err, controlplane.CodeConflict)
		same, err := f.AddContact(f.ctx, f.all, customers.NewContact{Customer: bert.ID, Name: "Zoë for Bert", Email: "zoe@anna.example", Role: policy.RoleReader})
		if err != nil {
			t.Fatalf("the same address at another customer: %v", err)
		}
		_, err = f.AddContact(ctx, scope, customers.NewContact{Customer: bert.ID, Name: "Spy", Email: "spy@anna.example", Role: policy.RoleOwner})
		wantCode(t, err, controlplane.CodeNotFound)
		_, err = f.GetContact(ctx, scope, same.ID)
		wantCode(t, err, controlplane.CodeNotFound)

		list, err := f.ListContacts(ctx, scope, "")
		if err != nil || len(list) != 2 || list[0].ID != abel.ID || list[1] != zoe {
			t.Errorf("list = %+v, %v; want abel, then Zoë", list, err)
		}
		err = f.db.Read(f.ctx, func(tx *db.Tx) error {
			both, err := f.ContactsByEmailIn(tx, f.all, "ZOE@anna.example")
			if len(both) != 2 {
				t.Errorf("by e-mail: %d contacts, want 2", len(both))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}

		taken, name, role := "zoe@anna.example", "Abel Moss", policy.RoleRestorer
		_, err = f.UpdateContact(ctx, scope, abel.ID, customers.ContactChange{Email: &taken})
		wantCode(t, err, controlplane.CodeConflict)
		got, err := f.UpdateContact(ctx, scope, abel.ID, customers.ContactChange{Name: &name, Role: &role, Version: 1})
		if err != nil || got.Name != name || got.Role != role || got.Email != abel.Email || got.Version != 2 {
			t.Errorf("updated = %+v, %v", got, err)
		}
		staff := policy.RoleAdmin
		_, err = f.UpdateContact(ctx, scope, abel.ID, customers.ContactChange{Role: &staff})
		wantCode(t, err, controlplane.CodeInvalid)

		abelself := controlplane.WithActor(t.Context(), controlplane.Actor{Kind: controlplane.ActorContact, ID: abel.ID, Customer: anna.ID, Role: string(policy.RoleOwner)})
		_, err = f.UpdateContact(abelself, scope, abel.ID, customers.ContactChange{Role: &role})
		wantCode(t, err, controlplane.CodeForbidden)
		wantCode(t, f.RemoveContact(abelself, scope, abel.ID), controlplane.CodeForbidden)
		for range 2 {
			if err := f.RemoveContact(ctx, scope, abel.ID); err != nil {
				t.Fatal(err)
			}
		}
		wantCode(t, f.RemoveContact(ctx, scope, same.ID), controlplane.CodeNotFound)
		_, err = f.UpdateContact(ctx, scope, abel.ID, customers.ContactChange{Name: &name})
		wantCode(t, err, controlplane.CodeNotFound)
		if _, err := f.AddContact(ctx, scope, customers.NewContact{Customer: anna.ID, Name: "Abel again", Email: "abel@anna.example", Role: policy.RoleReader}); err != nil {
			t.Errorf("the address of somebody removed: %v", err)
		}
		want := []string{"contact.added", "contact.changed", "contact.removed"}
		if got := f.kinds(t, ledger.Filter{Subject: abel.ID}); !slices.Equal(got, want) {
			t.Errorf("ledger = %v, want %v", got, want)
		}
	})
}

// TestPersonsAreSealed looks for a name and an address in all columns of the
// row and of its ledger entry.
func TestPersonsAreSealed(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		anna := f.customer(t, "Anna")
		c, err := f.AddContact(f.ctx, f.all, customers.NewContact{Customer: anna.ID, Name: "Quillfeather", Email: "quillfeather@anna.example", Role: policy.RoleOwner})
		if err != nil {
			t.Fatal(err)
		}
		err = f.db.Read(f.ctx, func(tx *db.Tx) error {
			var row struct {
				Name  []byte `gorm:"column:name_sealed"`
				Email []byte `gorm:"column:email_sealed"`
				Index []byte `gorm:"column:email_index"`
			}
			if err := tx.Table("contacts").Where("id = ?", c.ID).Take(&row).Error; err != nil {
				return err
			}
			for _, b := range [][]byte{row.Name, row.Email, row.Index} {
				if len(b) == 0 || bytes.Contains(bytes.ToLower(b), []byte("quill")) {
					t.Errorf("not sealed: %q", b)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		items, _, err := f.ledger.List(f.ctx, f.all, ledger.Filter{Subject: c.ID})
		if err != nil || len(items) != 1 || items[0].Personal["name"] != "Quillfeather" || items[0].Data["name"] != nil {
			t.Errorf("ledger = %+v, %v", items, err)
		}
	})
}
