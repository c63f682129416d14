package certs_test

import (
	"testing"

	"ostler/certs"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
)

// A provider for a customer who is not there is refused before a key is made for
// them: in Vault that key would stay.
func TestProviderOfNobody(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		keys := func() (n int) {
			t.Helper()
			if err := d.Read(h.ctx, func(tx *db.Tx) error { return tx.Raw("SELECT COUNT(*) FROM data_keys").Row().Scan(&n) }); err != nil {
				t.Fatal(err)
			}
			return n
		}
		before := keys()
		_, err := h.certs.AddProvider(h.ctx, h.all, certs.NewProvider{Customer: controlplane.NewID(controlplane.PrefixCustomer), Name: "Theirs", Kind: "hetzner", Config: map[string]string{"api_token": "x"}})
		if controlplane.ErrorCode(err) != controlplane.CodeNotFound || keys() != before {
			t.Errorf("got %v and %d data keys, want not found and %d", err, keys(), before)
		}
	})
}
