package access

import (
	"context"
	"errors"
	"slices"

	"ostler/controlplane"
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

// Bulk is a span as a bench makes many of them: planned until Planned, ended at
// Until.
type Bulk struct {
	Customer, Person     string
	From, Until, Planned int64
}

// InsertBulk inserts spans of grants with the versions that they would have by
// now, without changes and entries.
func (s *Service) InsertBulk(tx *db.Tx, all []Bulk) error {
	rows := make([]spanRow, 0, 2*len(all))
	for _, b := range all {
		first := spanRow{ID: controlplane.NewID(controlplane.PrefixSpan), CustomerID: b.Customer, Col: string(Listed), Source: sourceGrant, PersonID: b.Person, Way: string(WayTeleport),
			Role: "operator", Ground: "grt_bulk", FromAt: b.From, UntilAt: b.Planned, KnownFrom: b.From, Begun: 1}
		first.Rev = revision(first.ID, 1)
		first.place()
		if b.Until < b.Planned {
			next := first.next(b.Until, b.Until)
			first = first.superseded(b.Until)
			rows = append(rows, next)
		}
		rows = append(rows, first)
	}
	for part := range slices.Chunk(rows, 64) {
		if err := tx.Create(&part).Error; err != nil {
			return err
		}
	}
	return nil
}
