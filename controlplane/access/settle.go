package access

import (
	"time"

	"ostler/controlplane/db"
)

// want is one line that ought to stand in a column now.
type want struct {
	Customer, Person string
	Unknown          string // where Person is "": what was found
	Way              Way
	Role, Server     string
	// Ground is what puts it there: grt_, ent_, a key found, a role of the cluster.
	Ground      string
	From, Until time.Time // Until zero is open
	Why         string
}

// part is what a call of settle answers for: the open spans of one column and
// one source of wants, of these customers and, where Persons is not nil, these
// persons. Spans outside of it stay as they are.
type part struct {
	Column    Column
	Source    string // "grant", "entry", "staff", "teleport", "host"
	Customers []string
	Persons   []string // nil is all
	Servers   []string // nil is all
}

// settle makes the open spans of a part equal to the wants and returns what it
// wrote: spans, ledger entries and Changes, and whoever asked is told of those
// in the same transaction (Service.onChanged). The same wants again write nothing.
// Names of persons are read and sealed before; the keys must exist.
func (s *Service) settle(tx *db.Tx, p part, wants []want) ([]Change, error) {
	return nil, errContract
}
