package secrets

import (
	"context"
	"fmt"

	"ostler/controlplane"
	"ostler/controlplane/db"
)

// RetireFile destroys the key-encryption keys in the keyring that no key of this
// database needs, which is all of them once every data key is in Vault. After
// that no copy of the database from before the move opens, wherever it is; so
// says its entry in the ledger. The rest of the keyring stays. A stop in the
// middle leaves files that nothing uses: RetireFile again takes them away, and
// so it does on another machine with a copy of the keyring.
//
// It returns the files that it destroyed here. Errors: conflict while a key is
// in the keyring, or new ones go there, or somebody moves keys.
func (k *Keeper) RetireFile(ctx context.Context, holder string) (files []string, err error) {
	ctx = controlplane.System(ctx, "secrets")
	epoch, err := k.hold(ctx, holder)
	if err != nil {
		return nil, err
	}
	var names []string
	err = k.d.Write(ctx, func(tx *db.Tx) error {
		r, err := homeOf(tx)
		if err != nil {
			return err
		}
		n, err := inFile(tx)
		if err != nil {
			return err
		}
		if r.Home != string(HomeVault) || n > 0 {
			return controlplane.Errorf(controlplane.CodeConflict, "Move all of them first: ostler secrets move --to vault. Then run it again.",
				"Data keys are in the keyring (%d), or new ones go there, so its key files are still needed", n)
		}
		now, all, err := retireKEKs(tx)
		if names = all; err != nil || len(now) == 0 {
			return err
		}
		return k.note(tx, "secrets.file_retired", map[string]any{"files": now})
	})
	if err == nil {
		if h, ok := k.homes[HomeFile].(*fileHome); ok {
			h.forget()
		}
		for _, name := range names {
			gone, derr := k.ring.destroy(name)
			if derr != nil {
				err = derr
				break
			}
			if gone {
				files = append(files, name+".key")
			}
		}
	}
	if end := k.d.Write(context.WithoutCancel(ctx), func(tx *db.Tx) error { return endHold(tx, epoch) }); err == nil && end != nil {
		err = end
	}
	if err != nil && controlplane.ErrorCode(err) != controlplane.CodeConflict {
		return files, fmt.Errorf("secrets: retire: %w", err)
	}
	return files, err
}
