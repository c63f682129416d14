package db_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/policy"
)

// thing is a row of somebody, or of the company.
type thing struct {
	ID, CustomerID, Kind, Cause string
}

func TestScopes(t *testing.T) {
	none := policy.Scope{}
	a, b, all := policy.OneCustomer("cus_a"), policy.OneCustomer("cus_b"), policy.AllCustomers("a test")
	dbtest.Each(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		write(t, d, func(tx *db.Tx) error {
			return errors.Join(
				tx.Exec("CREATE TABLE things (id TEXT PRIMARY KEY, customer_id TEXT NOT NULL, kind TEXT NOT NULL, cause TEXT NOT NULL)").Error,
				db.Insert(tx, &thing{"1", "cus_a", "k", ""}), db.Insert(tx, &thing{"2", "cus_a", "k", ""}),
				db.Insert(tx, &thing{"3", "cus_b", "k", ""}), db.Insert(tx, &thing{"4", "", "k", ""}))
		})
		for _, tc := range []struct {
			name  string
			scope policy.Scope
			want  string
		}{
			{"nobody's", none, ""},
			{"one customer's", a, "1 2"},
			{"the other customer's", b, "3"},
			{"no customer is not the company", policy.OneCustomer(""), ""},
			{"all", all, "1 2 3 4"},
		} {
			t.Run(tc.name, func(t *testing.T) {
				write(t, d, func(tx *db.Tx) error {
					rows, err := db.Where[thing](tx, tc.scope, "id", 0, "kind = ?", "k")
					if got := ids(rows); err != nil || got != tc.want {
						t.Errorf("Where: %q, %v; want %q", got, err, tc.want)
					}
					first, err := db.Where[thing](tx, tc.scope, "id DESC", 1, "kind = ?", "k")
					if err != nil || len(first) > 1 || len(first) == 1 && !strings.HasSuffix(tc.want, first[0].ID) {
						t.Errorf("Where, at most one: %v, %v; want the last of %q", first, err, tc.want)
					}
					for _, id := range []string{"1", "3", "4", "5"} {
						row, err := db.One[thing](tx, tc.scope, "thing", id)
						if want := strings.Contains(tc.want, id); want && (err != nil || row.ID != id) || !want && controlplane.ErrorCode(err) != controlplane.CodeNotFound {
							t.Errorf("One %s: %v, %v; want it %v, or not_found", id, row, err, want)
						}
					}
					return nil
				})
			})
		}
	})
}

// Another customer's row and none at all are one and the same answer.
func TestOneTellsNothingOfOthers(t *testing.T) {
	d := dbtest.SQLite(t, &dbtest.Clock{})
	write(t, d, func(tx *db.Tx) error {
		return errors.Join(tx.Exec("CREATE TABLE things (id TEXT PRIMARY KEY, customer_id TEXT, kind TEXT, cause TEXT)").Error,
			db.Insert(tx, &thing{"1", "cus_a", "k", ""}))
	})
	write(t, d, func(tx *db.Tx) error {
		_, theirs := db.One[thing](tx, policy.OneCustomer("cus_b"), "thing", "1")
		_, nobodys := db.One[thing](tx, policy.OneCustomer("cus_b"), "thing", "2")
		if theirs == nil || nobodys == nil || theirs.Error() != nobodys.Error() {
			t.Errorf("another customer's %v, nobody's %v; want the same", theirs, nobodys)
		}
		return nil
	})
}

func TestRows(t *testing.T) {
	all := policy.AllCustomers("a test")
	dbtest.Each(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		write(t, d, func(tx *db.Tx) error {
			return tx.Exec("CREATE TABLE things (id TEXT PRIMARY KEY, customer_id TEXT NOT NULL, kind TEXT NOT NULL, cause TEXT NOT NULL)").Error
		})
		write(t, d, func(tx *db.Tx) error { return db.Insert(tx, &thing{"1", "cus_a", "new", "x"}) })
		err := d.Write(t.Context(), func(tx *db.Tx) error { return db.Insert(tx, &thing{"1", "cus_a", "again", ""}) })
		if !db.IsDuplicate(err) || !strings.Contains(err.Error(), "thing") {
			t.Errorf("inserted twice: %v, want a duplicate that names what it was", err)
		}
		write(t, d, func(tx *db.Tx) error {
			return errors.Join(db.Save(tx, &thing{"1", "cus_a", "saved", ""}),
				db.Upsert(tx, &thing{"2", "cus_a", "put", "x"}, "id"))
		})
		write(t, d, func(tx *db.Tx) error { return db.Upsert(tx, &thing{"2", "cus_b", "over", ""}, "id") })
		var got []thing
		write(t, d, func(tx *db.Tx) (err error) { got, err = db.Where[thing](tx, all, "id", 0, "kind <> ''"); return err })
		if want := []thing{{"1", "cus_a", "saved", ""}, {"2", "cus_b", "over", ""}}; !slices.Equal(got, want) {
			t.Errorf("rows %v, want %v", got, want)
		}
	})
}

func TestPadded(t *testing.T) {
	for _, tc := range []struct{ in, want []int }{
		{nil, nil},
		{[]int{1}, []int{1}},
		{[]int{1, 2}, []int{1, 2}},
		{[]int{1, 2, 3}, []int{1, 2, 3, 3}},
		{[]int{1, 2, 3, 4, 5}, []int{1, 2, 3, 4, 5, 5, 5, 5}},
	} {
		if got := db.Padded(tc.in); !slices.Equal(got, tc.want) {
			t.Errorf("%v: %v, want %v", tc.in, got, tc.want)
		}
	}
}

func write(t *testing.T, d *db.DB, fn func(tx *db.Tx) error) {
	t.Helper()
	if err := d.Write(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

func ids(rows []thing) string {
	all := make([]string, len(rows))
	for i, r := range rows {
		all[i] = r.ID
	}
	return strings.Join(all, " ")
}
