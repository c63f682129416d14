package secrets

import (
	"context"
	"fmt"

	"ostler/controlplane"
	"ostler/controlplane/db"
)

// What is removed from Vault.
const (
	removeCustomer   = "customer"   // the transit key and all credentials
	removeCredential = "credential" // one, unless a row names it
)

// Removals reports whether something is to be destroyed in Vault by now.
func (k *Keeper) Removals(tx *db.Tx) (bool, error) {
	rows, err := dueRemovals(tx, "", 1)
	return len(rows) > 0, err
}

// FinishRemovals destroys in Vault what the database has decided to: keys and
// credentials of customers that were erased, credentials that were removed or
// moved away, and those that no row ever named. It is idempotent; what Vault
// refuses is left for the next time, and keeps back nothing else. All stays
// while keys are moved: a credential on its way is named by no row yet.
func (k *Keeper) FinishRemovals(ctx context.Context, holder string) (done int, left []Left, err error) {
	ctx = controlplane.System(ctx, "secrets")
	epoch, err := k.hold(ctx, holder)
	if controlplane.ErrorCode(err) == controlplane.CodeConflict {
		return 0, nil, nil
	}
	if err != nil {
		return 0, nil, fmt.Errorf("secrets: remove: %w", err)
	}
	done, left, err = k.finishRemovals(ctx, epoch)
	if end := k.d.Write(context.WithoutCancel(ctx), func(tx *db.Tx) error { return endHold(tx, epoch) }); err == nil && end != nil {
		err = end
	}
	if err != nil {
		return done, left, fmt.Errorf("secrets: remove: %w", err)
	}
	return done, left, nil
}

func (k *Keeper) finishRemovals(ctx context.Context, epoch int64) (done int, left []Left, err error) {
	for after := ""; ; {
		var rows []removalRow
		used := map[string]bool{}
		err := k.d.Read(ctx, func(tx *db.Tx) (err error) {
			if rows, err = dueRemovals(tx, after, 100); err != nil {
				return err
			}
			list, err := k.listCredentials(tx)
			for _, c := range list {
				if InVault(c.Stored) {
					used[c.Customer+"/"+credentialName(c.AD)] = true
				}
			}
			return err
		})
		if err != nil || len(rows) == 0 {
			return done, left, err
		}
		if k.vault == nil {
			return done, left, noVault()
		}
		for _, r := range rows {
			if err := k.d.Write(ctx, func(tx *db.Tx) error { return stillHeld(tx, epoch) }); err != nil {
				return done, left, err
			}
			err := k.holding(ctx, epoch, 0, func(ctx context.Context) error { return k.finishRemoval(ctx, r, used[r.CustomerID+"/"+r.Name]) })
			switch after = r.ID; {
			case err == nil:
				done++
			case whole(ctx, err):
				return done, left, err
			default:
				l := Left{r.what(), r.CustomerID, err}
				k.log.WarnContext(ctx, "secrets.not_removed", "what", l.What, "customer", l.Customer, "error", err)
				left = append(left, l)
			}
		}
	}
}

func (k *Keeper) finishRemoval(ctx context.Context, r removalRow, used bool) error {
	did := ""
	switch {
	case r.Kind == removeCustomer:
		if err := k.homes[HomeVault].Destroy(ctx, r.CustomerID); err != nil {
			return err
		}
		did = "secrets.vault_key_destroyed"
	case r.Kind == removeCredential && !used:
		if err := k.vault.Remove(ctx, r.CustomerID, r.Name); err != nil {
			return err
		}
	}
	return k.d.Write(ctx, func(tx *db.Tx) error {
		if err := closeRemoval(tx, r.ID); err != nil || did == "" {
			return err
		}
		return k.note(tx, did, map[string]any{"customer": r.CustomerID, "key": k.vault.DataKey(r.CustomerID)})
	})
}

// note enters something in the ledger, where there is one.
func (k *Keeper) note(tx *db.Tx, kind string, data map[string]any) error {
	if k.record == nil {
		return nil
	}
	return k.record(tx, kind, data)
}
