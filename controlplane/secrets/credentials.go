package secrets

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// StoredCredential is a credential as a row of a slice holds it.
type StoredCredential struct {
	Customer string
	AD       AD
	Stored   []byte
}

// CredentialSource is a slice's table of credentials, for those who move them.
// A source reads all customers' rows.
type CredentialSource interface {
	// Credentials lists the rows that hold one.
	Credentials(tx *db.Tx, scope policy.Scope) ([]StoredCredential, error)
	// ExchangeCredential puts stored in the place of c.Stored, and reports
	// whether the row still held that.
	ExchangeCredential(tx *db.Tx, scope policy.Scope, c StoredCredential, stored []byte) (bool, error)
}

// AddCredentials names a table of credentials. Call it while wiring.
func (k *Keeper) AddCredentials(s CredentialSource) { k.sources = append(k.sources, s) }

// orphanAfter is how long a credential may stand in Vault before a row has to
// name it.
const orphanAfter = time.Hour

var allCredentials = policy.AllCustomers("keys and credentials are moved, and removed, by the plane itself")

// credentialName is what KV calls a row's credential.
func credentialName(ad AD) string { return ad.Table + "." + ad.Row }

// InVault reports whether what a row holds stands for a credential in Vault.
func InVault(stored []byte) bool { return len(stored) > 0 && stored[0] == formatVault }

func vaultRef(version int64) []byte {
	return binary.BigEndian.AppendUint32([]byte{formatVault}, uint32(version))
}

// StoreCredential keeps a credential and returns what its row is to hold. Call
// it before the transaction that writes the row; a credential in Vault that no
// row names after an hour is removed.
//
// Errors: those of EnsureKey, and a controlplane.Error where Vault does not take it.
func (k *Keeper) StoreCredential(ctx context.Context, customer string, ad AD, fields map[string]string) ([]byte, error) {
	if err := k.EnsureKey(ctx, customer); err != nil {
		return nil, err
	}
	ctx = controlplane.System(ctx, "secrets")
	home, _, err := k.active(ctx)
	if err != nil {
		return nil, err
	}
	if home == HomeVault {
		return k.putCredential(ctx, customer, ad, fields)
	}
	return k.sealCredential(customer, ad, fields)
}

func (k *Keeper) sealCredential(customer string, ad AD, fields map[string]string) ([]byte, error) {
	text, err := json.Marshal(fields)
	if err != nil {
		return nil, fmt.Errorf("secrets: credential: %w", err)
	}
	return k.Seal(customer, ad, text)
}

// putCredential writes to KV what is not there yet.
func (k *Keeper) putCredential(ctx context.Context, customer string, ad AD, fields map[string]string) ([]byte, error) {
	if err := addRemoval(ctx, k.d, customer, removeCredential, credentialName(ad), orphanAfter); err != nil {
		return nil, fmt.Errorf("secrets: credential: %w", err)
	}
	there, err := k.vault.Get(ctx, customer, credentialName(ad))
	if err != nil {
		return nil, fmt.Errorf("secrets: credential: %w", err)
	}
	if there.Same(fields) {
		return vaultRef(there.Version), nil
	}
	version, err := k.vault.Put(ctx, customer, credentialName(ad), fields, there.Version)
	if err != nil {
		return nil, fmt.Errorf("secrets: credential: %w", err)
	}
	return vaultRef(version), nil
}

// Credential returns the fields of a credential. It may use the network: call
// it outside transactions. In Vault the newest version counts, so that an
// operator may change it there.
func (k *Keeper) Credential(ctx context.Context, customer string, ad AD, stored []byte) (map[string]string, error) {
	if !InVault(stored) {
		text, err := k.Open(customer, ad, stored)
		if err != nil {
			return nil, err
		}
		var fields map[string]string
		if json.Unmarshal(text, &fields) != nil {
			return nil, fmt.Errorf("secrets: the credential of %s cannot be read", credentialName(ad)) // the cause could quote it
		}
		return fields, nil
	}
	if k.vault == nil {
		return nil, noVault()
	}
	got, err := k.vault.Get(ctx, customer, credentialName(ad))
	if err != nil {
		return nil, fmt.Errorf("secrets: credential: %w", err)
	}
	if !got.Found {
		return nil, controlplane.Errorf(controlplane.CodeUnavailable, "Put it back in Vault (vault kv undelete), or add the credential anew.",
			"The credential %s is not in Vault any more", credentialName(ad))
	}
	return got.Fields, nil
}

// ForgetCredential has what a row held destroyed, where the row alone does not
// hold it. The row must not name it any more after this transaction.
func (k *Keeper) ForgetCredential(tx *db.Tx, customer string, ad AD, stored []byte) error {
	if !InVault(stored) {
		return nil
	}
	return insertRemoval(tx, customer, removeCredential, credentialName(ad), 0)
}

func noVault() *controlplane.Error {
	return controlplane.Errorf(controlplane.CodeUnavailable, "Set vault.role_id and where Vault is in the configuration, as on the machine that moved the keys there.",
		"Keys of this database are in Vault, and the configuration names none")
}

// listCredentials reads what all sources hold.
func (k *Keeper) listCredentials(tx *db.Tx) (out []sourced, err error) {
	for _, s := range k.sources {
		list, err := s.Credentials(tx, allCredentials)
		if err != nil {
			return nil, err
		}
		for _, c := range list {
			out = append(out, sourced{c, s})
		}
	}
	return out, nil
}

// sourced is a credential with the table it is from.
type sourced struct {
	StoredCredential
	source CredentialSource
}

func (c sourced) home() HomeName {
	if InVault(c.Stored) {
		return HomeVault
	}
	return HomeFile
}
