package certs

import (
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
	"ostler/controlplane/secrets"
)

// Credentials are the rows that hold credentials of DNS providers, for whoever
// moves them from one home of keys to another.
type Credentials struct{}

// Credentials lists the living rows.
func (Credentials) Credentials(tx *db.Tx, scope policy.Scope) (out []secrets.StoredCredential, err error) {
	rows, err := db.Where[providerRow](tx, scope, "id", 0, "removed_at = 0")
	for _, r := range rows {
		out = append(out, secrets.StoredCredential{Customer: r.CustomerID, AD: ad("cert_providers", "config", r.ID), Stored: r.Config})
	}
	return out, err
}

// ExchangeCredential puts stored in the place of what c has, if the row still
// holds that.
func (Credentials) ExchangeCredential(tx *db.Tx, scope policy.Scope, c secrets.StoredCredential, stored []byte) (bool, error) {
	got := db.Within(tx.Model(&providerRow{}), scope).Where("id = ? AND customer_id = ? AND config = ? AND removed_at = 0", c.AD.Row, c.Customer, c.Stored).
		Updates(map[string]any{"config": stored})
	return got.RowsAffected == 1, got.Error
}
