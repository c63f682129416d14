package access

import "ostler/controlplane/db"

// What the rules of settle are tested by.
type (
	Want = want
	Part = part
)

// Settle is settle.
func (s *Service) Settle(tx *db.Tx, p Part, wants []Want) ([]Change, error) {
	return s.settle(tx, p, wants)
}

// OnChanged has f told of what settle wrote.
func (s *Service) OnChanged(f func(tx *db.Tx, changes []Change) error) {
	s.onChanged = append(s.onChanged, f)
}

// Fork and Ancestors are the interval tree's.
var (
	Fork      = fork
	Ancestors = ancestors
)
