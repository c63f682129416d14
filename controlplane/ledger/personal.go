package ledger

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"ostler/controlplane/db"
	"ostler/controlplane/secrets"
)

const saltSize = 32

// commit returns HMAC-SHA-256(salt, value).
func commit(salt []byte, value string) []byte {
	mac := hmac.New(sha256.New, salt)
	mac.Write([]byte(value))
	return mac.Sum(nil)
}

func personalAD(entry, name string) secrets.AD {
	return secrets.AD{Table: "ledger_personal", Column: "sealed", Row: entry + "/" + name}
}

// sealPersonal returns the commitments to an entry's personal values and the
// sealed rows. Salt and value stand in one envelope.
func (l *Ledger) sealPersonal(id string, e Entry) (map[string][]byte, []personalRow, error) {
	if len(e.Personal) == 0 {
		return nil, nil, nil
	}
	commitments := make(map[string][]byte, len(e.Personal))
	var rows []personalRow
	for name, value := range e.Personal {
		if !nameForm.MatchString(name) {
			return nil, nil, fmt.Errorf("%q is not a name of a personal value", name)
		}
		if len(value) > MaxPersonal || !utf8.ValidString(value) {
			return nil, nil, fmt.Errorf("personal value %s is too long or not UTF-8", name)
		}
		salt := make([]byte, saltSize, saltSize+len(value))
		_, _ = rand.Read(salt) // crypto/rand.Read never returns an error
		commitments[name] = commit(salt, value)
		sealed, err := l.k.Seal(e.Customer, personalAD(id, name), append(salt, value...))
		if err != nil {
			return nil, nil, fmt.Errorf("seal %s: %w", name, err)
		}
		rows = append(rows, personalRow{EntryID: id, Name: name, CustomerID: e.Customer, Sealed: sealed})
	}
	return commitments, rows, nil
}

// openPersonal returns the salt and the value of a row.
//
// Errors: secrets.ErrErased where the customer's key is gone, secrets.ErrOpen.
func (l *Ledger) openPersonal(r personalRow) (salt []byte, value string, err error) {
	plain, err := l.k.Open(r.CustomerID, personalAD(r.EntryID, r.Name), r.Sealed)
	if err != nil {
		return nil, "", err
	}
	if len(plain) < saltSize {
		return nil, "", secrets.ErrOpen
	}
	return plain[:saltSize:saltSize], string(plain[saltSize:]), nil
}

// Forget deletes the personal values and salts of entries. The leaves stay and
// every proof still verifies; what the commitments were to can no longer be
// found out. Each customer's chain gets an entry "ledger.forgotten" that names
// the entries: a value that is missing without one is a fault.
func (l *Ledger) Forget(tx *db.Tx, ids ...string) error {
	byCustomer, err := deletePersonal(tx, ids)
	if err != nil {
		return fmt.Errorf("ledger: forget: %w", err)
	}
	customers := make([]string, 0, len(byCustomer))
	for customer := range byCustomer {
		customers = append(customers, customer)
	}
	slices.Sort(customers)
	for _, customer := range customers {
		for part := range slices.Chunk(byCustomer[customer], forgottenPerEntry) {
			e := Entry{Customer: customer, Kind: KindForgotten, Data: map[string]any{"entries": part}}
			if _, err := l.Append(tx, e); err != nil {
				return err
			}
		}
	}
	return nil
}

const forgottenPerEntry = 1000

// erased reports whether err says that a value was erased with its key.
func erased(err error) bool { return errors.Is(err, secrets.ErrErased) }
