package access

import (
	"context"

	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// GetEntry returns one entry. Permission: access.read. Errors: not found.
func (s *Service) GetEntry(ctx context.Context, scope policy.Scope, id string) (e Entry, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		r, err := db.One[entryRow](tx, scope, "entry", id)
		if err != nil {
			return err
		}
		e, err = s.entry(tx, r)
		return err
	})
	return e, wrap("entry", err)
}

// GetInstruction returns one disputed instruction. Permission: access.read.
// Errors: not found.
func (s *Service) GetInstruction(ctx context.Context, scope policy.Scope, id string) (in Instruction, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		r, err := db.One[instructionRow](tx, scope, "instruction", id)
		if err != nil {
			return err
		}
		in, err = s.instruction(r)
		return err
	})
	return in, wrap("instruction", err)
}

// GetFound returns one way in that a scan found. Permission: access.read over
// all customers. Errors: not found.
func (s *Service) GetFound(ctx context.Context, scope policy.Scope, id string) (f Found, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		r, err := db.One[foundRow](tx, scope, "way in", id)
		if err != nil {
			return err
		}
		all, err := s.foundValues(tx, scope, []foundRow{r})
		if err == nil {
			f = all[0]
		}
		return err
	})
	return f, wrap("found", err)
}
