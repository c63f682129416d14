package backups

import (
	"context"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/policy"
)

func notYet() error {
	return controlplane.Errorf(controlplane.CodeUnavailable, "Try again later.", "This is being built")
}

// Order asks for files and folders of a customer's snapshots.
type Order struct {
	Customer string // "" is the scope's only one
	// Picks are what is wanted (Basket.Picks); none is refused: nothing ticked
	// restores nothing.
	Picks  []Pick
	Format wire.ArchiveFormat // of StartArchive; "" is a zip
	Target Destination        // of StartInPlace
	// MailMe has a mail sent to the contact's own address when it is over.
	MailMe bool
}

// Destination is where on a server files go.
type Destination struct {
	Server    string         // "": each to the server that it is from
	Placement wire.Placement // "" is where they were
	Folder    []byte         // absolute, of PlaceFolder
	Conflict  wire.Conflict  // "" is ConflictBeside
	// Special keeps set-user-id bits and devices: staff only.
	Special bool
}

// StartArchive has files and folders packed for the person's browser: one
// restore for each server that they are from. A single file alone becomes a
// plain download. Permission: restore.run; staff by an open assist only.
//
// Errors: invalid (nothing picked, too much at once), not_found, too many,
// forbidden (staff without an assist).
func (s *Service) StartArchive(ctx context.Context, scope policy.Scope, o Order) ([]Restore, error) {
	return nil, notYet()
}

// StartInPlace has files and folders put on a server: one restore for each pair
// of the server that they are from and the server that they go to. Each
// previews first and waits for ConfirmRestore. Permission: restore.run; staff
// by an open assist only.
//
// Errors: invalid (nothing picked, a target outside the customer's folders, one
// path from two snapshots), not_found, too many, forbidden.
func (s *Service) StartInPlace(ctx context.Context, scope policy.Scope, o Order) ([]Restore, error) {
	return nil, notYet()
}
