package secrets

import (
	"context"
	"crypto/cipher"
	"fmt"

	"ostler/controlplane"
	"ostler/controlplane/db"
)

// EnsureKey makes or loads the data key of a customer ("" is the company), so
// that Seal and Open need no network. Call it before db.Write.
//
// Errors: ErrErased.
func (k *Keeper) EnsureKey(ctx context.Context, customer string) error {
	if done, err := k.cached(customer); done {
		return err
	}
	ctx = controlplane.System(ctx, "secrets")
	if err := k.load(ctx, customer); err != nil {
		return err
	}
	if done, err := k.cached(customer); done {
		return err
	}
	key, _ := randomKey()
	wrapped, err := k.home.Wrap(ctx, customer, 1, key)
	if err != nil {
		return fmt.Errorf("secrets: wrap a data key: %w", err)
	}
	err = insertDataKey(ctx, k.d, customer, wrapped)
	if err != nil && !db.IsDuplicate(err) { // a duplicate: another process made it meanwhile
		return fmt.Errorf("secrets: store a data key: %w", err)
	}
	return k.load(ctx, customer)
}

// cached reports whether the cache has an answer for the customer.
func (k *Keeper) cached(customer string) (bool, error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	c, ok := k.keys[customer]
	if ok && c.erased {
		return true, ErrErased
	}
	return ok, nil
}

// dataKey returns a version of a customer's data key (0: the newest).
func (k *Keeper) dataKey(customer string, version int64) (cipher.AEAD, int64, error) {
	if aead, v, err := k.lookup(customer, version); err == nil || err == ErrErased {
		return aead, v, err
	}
	ctx, cancel := background()
	defer cancel()
	if err := k.load(ctx, customer); err != nil {
		return nil, 0, err
	}
	return k.lookup(customer, version)
}

func (k *Keeper) lookup(customer string, version int64) (cipher.AEAD, int64, error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	c, ok := k.keys[customer]
	if !ok {
		return nil, 0, ErrNoKey
	}
	if c.erased {
		return nil, 0, ErrErased
	}
	if version == 0 {
		version = c.newest
	}
	aead, ok := c.aeads[version]
	if !ok {
		return nil, 0, ErrOpen
	}
	return aead, version, nil
}

// load reads the data keys of one customer into the cache.
func (k *Keeper) load(ctx context.Context, customer string) error {
	rows, err := readDataKeys(ctx, k.d, &customer)
	if err != nil {
		return fmt.Errorf("secrets: read data keys: %w", err)
	}
	return k.fill(ctx, rows)
}

// Refresh reads every data key again: keys that another replica destroyed are
// dropped from this one's memory, and new ones are loaded.
func (k *Keeper) Refresh(ctx context.Context) error {
	ctx = controlplane.System(ctx, "secrets")
	rows, err := readDataKeys(ctx, k.d, nil)
	if err != nil {
		return fmt.Errorf("secrets: read data keys: %w", err)
	}
	return k.fill(ctx, rows)
}

// fill puts rows into the cache; the rows of one customer are all among them.
func (k *Keeper) fill(ctx context.Context, rows []dataKeyRow) error {
	fresh := map[string]*customerKeys{}
	for _, r := range rows {
		c := fresh[r.CustomerID]
		if c == nil {
			c = &customerKeys{aeads: map[int64]cipher.AEAD{}}
			fresh[r.CustomerID] = c
		}
		c.newest = max(c.newest, r.Version)
		if r.DestroyedAt != 0 {
			c.erased = true
			continue
		}
		aead, _, err := k.lookup(r.CustomerID, r.Version)
		if err != nil {
			if aead, err = k.unwrap(ctx, r); err != nil {
				return err
			}
		}
		c.aeads[r.Version] = aead
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for customer, c := range fresh {
		if old, ok := k.keys[customer]; ok && old.erased {
			continue // destroyed while these rows were read
		}
		if c.erased {
			c.aeads = nil
		}
		k.keys[customer] = c
	}
	return nil
}

func (k *Keeper) unwrap(ctx context.Context, r dataKeyRow) (cipher.AEAD, error) {
	key, err := k.home.Unwrap(ctx, r.CustomerID, r.Version, r.Wrapped)
	if err != nil {
		return nil, fmt.Errorf("secrets: unwrap data key %d of customer %q: %w", r.Version, r.CustomerID, err)
	}
	return newAEAD(key)
}

// Destroy destroys a customer's data keys for good: what was sealed for that
// customer reads "erased" from now on. Copies of the wrapped keys live in the
// plane's own backups until those expire. Other replicas follow with their next
// Refresh. The company's own key is never destroyed.
func (k *Keeper) Destroy(ctx context.Context, customer string) error {
	if customer == "" {
		return fmt.Errorf("secrets: destroy: the company's own data key is never destroyed")
	}
	if err := destroyDataKeys(controlplane.System(ctx, "secrets"), k.d, customer); err != nil {
		return fmt.Errorf("secrets: destroy: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys[customer] = &customerKeys{erased: true}
	return nil
}

// Rotate makes a new key-encryption key and wraps every data key with it. What
// the data keys sealed stays as it is. A stop in the middle leaves keys under
// both versions, and both are good.
func (k *Keeper) Rotate(ctx context.Context) error {
	ctx = controlplane.System(ctx, "secrets")
	if err := k.home.Rotate(ctx); err != nil {
		return fmt.Errorf("secrets: rotate: %w", err)
	}
	rows, err := readDataKeys(ctx, k.d, nil)
	if err != nil {
		return fmt.Errorf("secrets: rotate: %w", err)
	}
	for _, r := range rows {
		if r.DestroyedAt != 0 {
			continue
		}
		key, err := k.home.Unwrap(ctx, r.CustomerID, r.Version, r.Wrapped)
		if err != nil {
			return fmt.Errorf("secrets: rotate: data key %d of customer %q: %w", r.Version, r.CustomerID, err)
		}
		wrapped, err := k.home.Wrap(ctx, r.CustomerID, r.Version, key)
		if err != nil {
			return fmt.Errorf("secrets: rotate: data key %d of customer %q: %w", r.Version, r.CustomerID, err)
		}
		if err := rewrapDataKey(ctx, k.d, r, wrapped); err != nil {
			return fmt.Errorf("secrets: rotate: %w", err)
		}
	}
	return nil
}
