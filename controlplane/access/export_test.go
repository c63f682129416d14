package access

import (
	"context"
	"errors"

	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// What the rules of settle are tested by.
type (
	Want = want
	Part = part
)

// Settle is settle.
func (s *Service) Settle(tx *db.Tx, p Part, wants []Want) ([]Change, error) {
	return s.settle(tx, p, wants)
}

// ReadAs is the rule of what customers learn of each other.
func ReadAs(scope policy.Scope, owner string, named bool, server string, shared bool, within ...string) string {
	return about{owner: owner, named: named, server: server, shared: shared, within: within}.readAs(scope)
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

// Due does once what Watch does again and again.
func (s *Service) Due(ctx context.Context) (err error) {
	for _, due := range s.due {
		err = errors.Join(err, due(ctx))
	}
	return err
}

// OnBegun has f told of what begins.
func (s *Service) OnBegun(f func(tx *db.Tx, changes []Change) error) {
	s.onBegun = append(s.onBegun, f)
}

// OnLeave has f told of who leaves.
func (s *Service) OnLeave(f func(tx *db.Tx, p Person, why string) error) {
	s.onLeave = append(s.onLeave, f)
}
