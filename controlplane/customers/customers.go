// Package customers owns customers (with resellers as parents), the servers of
// the hosting company, the tenancies that say who lives on them, and contacts.
//
// It keeps true that a path, site or database of a server belongs to one
// customer at most, that a contact sees a server if and only if their customer
// lives on it now, that another customer's object reads exactly like one that
// does not exist, and that every change stands in the ledger.
package customers

import (
	"time"

	"ostler/controlplane/db"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
	"ostler/controlplane/secrets"
)

// Customer is a company that the hosting company works for. All of it is kept clear.
type Customer struct {
	ID   string // cus_
	Slug string // unique, for addresses and the command line; never changes
	Name string
	// Parent is the reseller or agency that the customer came with, or "".
	Parent  string
	Country string // ISO 3166-1 alpha-2; the law that a clock follows
	Zone    string // IANA time zone of its people
	// Version rises by one with every change; it makes the ETag.
	Version              int64
	CreatedAt, UpdatedAt time.Time
}

// ServerState says how far a server is.
type ServerState string

// The states of a server.
const (
	ServerExpected ServerState = "expected" // made here, no agent has enrolled yet
	ServerActive   ServerState = "active"   // an agent has enrolled
	ServerRetired  ServerState = "retired"  // looked after no more
)

// Valid reports whether s is a known state.
func (s ServerState) Valid() bool {
	return s == ServerExpected || s == ServerActive || s == ServerRetired
}

// Server is a machine of the hosting company.
type Server struct {
	ID       string // srv_
	Name     string // its host name: unique, lower case
	Location string // facility, room, rack; may be ""
	Country  string // ISO 3166-1 alpha-2 of the facility
	State    ServerState
	// Version rises by one with every change; it makes the ETag.
	Version              int64
	CreatedAt, UpdatedAt time.Time
}

// Tenancy says that a customer lives on a server, and with what.
type Tenancy struct {
	ID       string // ten_
	Server   string
	Customer string
	// Dedicated says that the server is this customer's alone; only then may
	// a path be "/".
	Dedicated bool
	Paths     []string // absolute and cleaned, sorted; they bound restores
	Sites     []string // host names, lower case, sorted
	Databases []string // names, sorted
	// Version rises by one with every change; it makes the ETag.
	Version              int64
	CreatedAt, UpdatedAt time.Time
	EndedAt              time.Time // zero while the customer lives there
}

// Covers reports whether the cleaned absolute path lies in one of the
// tenancy's paths. A tenancy that has ended covers nothing: its folders may be
// another customer's by now.
func (t Tenancy) Covers(path string) bool {
	if !t.EndedAt.IsZero() {
		return false
	}
	for _, p := range t.Paths {
		if within(path, p) {
			return true
		}
	}
	return false
}

// Contact is a person of a customer. Name and e-mail address are sealed in the
// database; credentials are package identity's.
type Contact struct {
	ID       string // con_
	Customer string
	Name     string
	Email    string      // unique among the customer's contacts
	Role     policy.Role // owner, restorer or reader
	Language string      // BCP 47
	// Version rises by one with every change; it makes the ETag.
	Version              int64
	CreatedAt, UpdatedAt time.Time
	RemovedAt            time.Time // zero while the person is a contact
}

// Store reads and changes customers, servers, tenancies and contacts.
type Store struct {
	db     *db.DB
	keeper *secrets.Keeper
	ledger *ledger.Ledger
	// changed are told of tenancies that were changed or ended.
	changed []func(tx *db.Tx, now Tenancy) error
	// made are told of tenancies that are new.
	made []func(tx *db.Tx, made Tenancy) error
}

// OnTenancyChanged has f told, in the same transaction, of a tenancy that was changed
// or ended, as it is now: f ends what was begun for folders that it no longer
// covers. Call it before the store is used.
func (s *Store) OnTenancyChanged(f func(tx *db.Tx, now Tenancy) error) {
	s.changed = append(s.changed, f)
}

// OnTenancyMade has f told, in the same transaction, of a tenancy that is new.
// Call it before the store is used.
func (s *Store) OnTenancyMade(f func(tx *db.Tx, made Tenancy) error) {
	s.made = append(s.made, f)
}

func (s *Store) tellMade(tx *db.Tx, made Tenancy) error {
	for _, f := range s.made {
		if err := f(tx, made); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) tellChanged(tx *db.Tx, now Tenancy) error {
	for _, f := range s.changed {
		if err := f(tx, now); err != nil {
			return err
		}
	}
	return nil
}

// New returns a Store on an open database.
func New(d *db.DB, k *secrets.Keeper, l *ledger.Ledger) *Store {
	return &Store{db: d, keeper: k, ledger: l}
}
