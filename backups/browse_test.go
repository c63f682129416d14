package backups_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/jobs"
)

func TestBrowsingIsBounded(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		_, snap := h.ready()
		ctx, scope := h.owner(h.customer.ID)
		for i := range 20 {
			if _, err := h.backups.Browse(ctx, scope, snap.ID, fmt.Appendf(nil, "/srv/shop/%d", i), 0); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := h.backups.Browse(ctx, scope, snap.ID, []byte("/srv/shop/one-more"), 0); controlplane.ErrorCode(err) != controlplane.CodeTooMany {
			t.Errorf("got %v, want too many", err)
		}
		if _, err := h.backups.Browse(ctx, scope, snap.ID, []byte("/srv/shop/3"), 0); err != nil {
			t.Errorf("a folder that was asked for already: got %v", err)
		}
	})
}

// A file's name must not be found out from what stands in clear: its hash
// without a key would tell whoever guesses it.
func TestAListingShowsNoPathHash(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		_, snap := h.ready()
		ctx, scope := h.owner(h.customer.ID)
		const path = "/srv/shop/Accounts"
		f, err := h.backups.Browse(ctx, scope, snap.ID, []byte(path), 0)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256([]byte(path))
		plain := hex.EncodeToString(sum[:8])
		j := must[jobs.Job](t)(h.jobs.Get(ctx, scope, f.Job.ID))
		if strings.Contains(j.Key+j.Resource, plain) {
			t.Errorf("the job's key %q or resource %q holds the path's hash", j.Key, j.Resource)
		}
		var n int64
		err = d.Read(ctx, func(tx *db.Tx) error {
			return tx.Raw("SELECT count(*) FROM backup_listings WHERE path_hash LIKE ?", plain+"%").Scan(&n).Error
		})
		if err != nil || n != 0 {
			t.Errorf("got %d rows with the path's hash, %v", n, err)
		}
		lower, err := h.backups.Browse(ctx, scope, snap.ID, []byte(strings.ToLower(path)), 0)
		if err != nil || lower.Job.ID == f.Job.ID {
			t.Errorf("two folders that differ in case share a listing: %v", err)
		}
	})
}
