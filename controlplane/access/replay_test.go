package access_test

import (
	"testing"

	"ostler/controlplane/access"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
)

// The spans follow from the ledger's entries, and whatever is changed beside them is named.
func TestVerifyReplay(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		w.Share()
		first := w.grant(w.Maple, w.bob, "operator", 24)
		w.grant(w.Harbour, w.cleo, "engineer", 5)
		w.hours(1)
		must[access.Grant](t)(w.access.Extend(w.Ctx, w.all, first.ID, clock.Now().AddDate(0, 1, 0), "more to do", ""))
		ahead := must[access.Grant](t)(w.access.Grant(w.Ctx, w.all, access.NewGrant{Customer: w.Maple.ID, Person: w.cleo.ID, Role: "operator", Reason: "cover",
			From: clock.Now().AddDate(0, 0, 2), Until: clock.Now().AddDate(0, 0, 3)}))
		w.due()
		w.hours(10)
		w.due()
		must[access.Grant](t)(w.access.Revoke(w.Ctx, w.all, first.ID, "done"))
		must[access.Grant](t)(w.access.Revoke(w.Ctx, w.all, ahead.ID, "not needed"))
		n, differ, err := w.access.VerifyReplay(w.Ctx)
		if err != nil || len(differ) > 0 || n < 15 {
			t.Fatalf("got %d entries, %v differ, %v; want all as the ledger says", n, differ, err)
		}
		for name, change := range map[string]string{
			"another end":            "UPDATE access_spans SET until_at = until_at + 1 WHERE rev = ?",
			"a version gone":         "DELETE FROM access_spans WHERE rev = ?",
			"another person":         "UPDATE access_spans SET person_id = 'prs_0' WHERE rev = ?",
			"out of the tree's way":  "UPDATE access_spans SET node = node + 1 WHERE rev = ?",
			"known since some other": "UPDATE access_spans SET known_from = known_from - 1 WHERE rev = ?",
		} {
			var rev, id string
			var kept []map[string]any
			w.Write(func(tx *db.Tx) error {
				if err := tx.Raw("SELECT rev, id FROM access_spans WHERE ground = ? ORDER BY rev LIMIT 1", first.ID).Row().Scan(&rev, &id); err != nil {
					return err
				}
				if err := tx.Table("access_spans").Where("rev = ?", rev).Find(&kept).Error; err != nil {
					return err
				}
				return tx.Exec(change, rev).Error
			})
			if _, differ, err := w.access.VerifyReplay(w.Ctx); err != nil {
				t.Fatal(err)
			} else {
				same(t, name, differ, []string{id})
			}
			w.Write(func(tx *db.Tx) error {
				if err := tx.Exec("DELETE FROM access_spans WHERE rev = ?", rev).Error; err != nil {
					return err
				}
				return tx.Table("access_spans").Create(kept).Error
			})
		}
		if _, differ, err := w.access.VerifyReplay(w.Ctx); err != nil || len(differ) > 0 {
			t.Errorf("afterwards %v differ, %v; want none", differ, err)
		}
	})
}
