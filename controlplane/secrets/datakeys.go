package secrets

import (
	"context"
	"crypto/cipher"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/secrets/vault"
)

// EnsureKey makes or loads the data key of a customer ("" is the company), so
// that Seal and Open need no network. Call it before db.Write.
//
// Errors: ErrErased; a controlplane.Error where Vault is needed and not there.
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
	for {
		home, h, err := k.active(ctx)
		if err != nil {
			return err
		}
		key, _ := randomKey()
		wrapped, err := h.Wrap(ctx, customer, 1, key)
		if err != nil {
			return fmt.Errorf("secrets: wrap a data key: %w", err)
		}
		err = insertDataKey(ctx, k.d, customer, home, wrapped)
		if errors.Is(err, errMoved) {
			continue // the keys' home changed meanwhile
		}
		if err != nil && !db.IsDuplicate(err) { // a duplicate: another process made it meanwhile
			return fmt.Errorf("secrets: store a data key: %w", err)
		}
		return k.load(ctx, customer)
	}
}

// active returns the home that new keys go to.
func (k *Keeper) active(ctx context.Context) (HomeName, Home, error) {
	name, err := activeHome(ctx, k.d)
	if err != nil {
		return "", nil, fmt.Errorf("secrets: home of keys: %w", err)
	}
	h := k.homes[name]
	if h == nil {
		return name, nil, noVault()
	}
	return name, h, nil
}

// cached reports whether the cache has an answer for the customer.
func (k *Keeper) cached(customer string) (bool, error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	c, ok := k.keys[customer]
	if ok && c.erased {
		return true, ErrErased
	}
	if err := k.broken[customer]; err != nil {
		return true, err // never a new key in the place of one that does not open
	}
	return ok, nil
}

// dataKey returns a version of a customer's data key (0: the newest).
func (k *Keeper) dataKey(customer string, version int64) (cipher.AEAD, int64, error) {
	if aead, v, err := k.lookup(customer, version); err == nil || !errors.Is(err, ErrNoKey) && !errors.Is(err, ErrOpen) {
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
	if err := k.broken[customer]; err != nil && (!ok || !c.erased) {
		return nil, 0, err
	}
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
// dropped from this one's memory, new ones are loaded, and what could not be
// loaded before is tried again.
func (k *Keeper) Refresh(ctx context.Context) error {
	ctx = controlplane.System(ctx, "secrets")
	rows, err := readDataKeys(ctx, k.d, nil)
	if err != nil {
		return fmt.Errorf("secrets: read data keys: %w", err)
	}
	k.mu.Lock()
	clear(k.broken)
	k.mu.Unlock()
	return k.fill(ctx, rows)
}

// fill puts rows into the cache; the rows of one customer are all among them.
// A key of one customer that does not open in Vault is remembered as that
// customer's trouble; every other fault is returned, after what did open is
// in the cache.
func (k *Keeper) fill(ctx context.Context, rows []dataKeyRow) error {
	opened, failed := k.openRows(ctx, rows)
	fresh, broken := map[string]*customerKeys{}, map[string]error{}
	var first error
	for i, r := range rows {
		c := fresh[r.CustomerID]
		if c == nil {
			c = &customerKeys{aeads: map[int64]cipher.AEAD{}}
			fresh[r.CustomerID] = c
		}
		c.newest = max(c.newest, r.Version)
		switch err := failed[i]; {
		case r.DestroyedAt != 0:
			c.erased = true
		case err != nil:
			broken[r.CustomerID] = err
			if first == nil && !k.ofOneKey(r, err) {
				first = err
			}
		default:
			c.aeads[r.Version] = opened[i]
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for customer, c := range fresh {
		if old, ok := k.keys[customer]; ok && old.erased {
			continue // destroyed while these rows were read
		}
		switch err := broken[customer]; {
		case c.erased:
			c.aeads = nil
		case err != nil:
			if first == nil { // what is wrong with the whole home is asked again each time
				k.broken[customer] = err
				k.log.ErrorContext(ctx, "secrets.key", "customer", customer, "error", err)
			}
			continue
		}
		delete(k.broken, customer)
		k.keys[customer] = c
	}
	return first
}

// Broken returns why keys of single customers could not be loaded, one error of
// them, and how many customers they are of.
func (k *Keeper) Broken() (n int, why error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	for _, err := range k.broken {
		why = err
	}
	return len(k.broken), why
}

// ofOneKey reports whether a fault is of one customer's key alone. Without the
// company's own nothing works. A wrapped key that does not open is of one only
// where somebody looks at Broken, which is where Vault is watched.
func (k *Keeper) ofOneKey(r dataKeyRow, err error) bool {
	t, _ := vault.TroubleOf(err)
	return r.CustomerID != "" && (t != "" && !t.Whole() || k.vault != nil && errors.Is(err, ErrOpen))
}

// atOnce bounds the calls that load keys.
const atOnce = 8

// openRows opens the rows that are not in the cache; what is of no use is nil.
func (k *Keeper) openRows(ctx context.Context, rows []dataKeyRow) (opened []cipher.AEAD, failed []error) {
	opened, failed = make([]cipher.AEAD, len(rows)), make([]error, len(rows))
	var g errgroup.Group
	g.SetLimit(atOnce)
	for i, r := range rows {
		if r.DestroyedAt != 0 {
			continue
		}
		if aead, _, err := k.lookup(r.CustomerID, r.Version); err == nil {
			opened[i] = aead
			continue
		}
		g.Go(func() error {
			opened[i], failed[i] = k.unwrap(ctx, r)
			return nil
		})
	}
	_ = g.Wait() // failed says it
	return opened, failed
}

func (k *Keeper) unwrap(ctx context.Context, r dataKeyRow) (cipher.AEAD, error) {
	key, err := k.unwrapKey(ctx, r)
	if err != nil {
		return nil, err
	}
	return newAEAD(key)
}

// unwrapKey opens a data key in the home that it is in.
func (k *Keeper) unwrapKey(ctx context.Context, r dataKeyRow) ([]byte, error) {
	h := k.homes[HomeName(r.Home)]
	if h == nil {
		return nil, noVault()
	}
	key, err := h.Unwrap(ctx, r.CustomerID, r.Version, r.Wrapped)
	if err != nil {
		return nil, fmt.Errorf("secrets: unwrap data key %d of customer %q: %w", r.Version, r.CustomerID, err)
	}
	return key, nil
}

// Destroy destroys a customer's data keys for good: what was sealed for that
// customer reads "erased" from now on. Copies of the wrapped keys live in the
// plane's own backups until those expire; where Vault is configured, the
// transit key that opens them is destroyed too, by FinishRemovals, as soon as
// Vault takes it. Other replicas follow with their next Refresh. The company's
// own key is never destroyed.
func (k *Keeper) Destroy(ctx context.Context, customer string) error {
	if customer == "" {
		return fmt.Errorf("secrets: destroy: the company's own data key is never destroyed")
	}
	err := k.d.Write(controlplane.System(ctx, "secrets"), func(tx *db.Tx) error {
		inVault, err := destroyDataKeys(tx, customer)
		if err != nil {
			return err
		}
		if inVault || k.vault != nil {
			if err := insertRemoval(tx, customer, removeCustomer, "", 0); err != nil {
				return err
			}
		}
		return k.note(tx, "secrets.key_destroyed", map[string]any{"customer": customer})
	})
	if err != nil {
		return fmt.Errorf("secrets: destroy: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys[customer] = &customerKeys{erased: true}
	return nil
}

// RotateReport says what a rotation did.
type RotateReport struct {
	Keys int    // wrapped anew
	Left []Left // still under the key-encryption key of before, which stays good
}

// Rotate makes a new key-encryption key in each home that holds data keys, and
// wraps every data key with it. What the data keys sealed stays as it is. A stop
// in the middle leaves keys under both versions, and both are good; so does a
// key that cannot be wrapped anew, which keeps back no other.
func (k *Keeper) Rotate(ctx context.Context) (RotateReport, error) {
	ctx = controlplane.System(ctx, "secrets")
	var report RotateReport
	rows, err := readDataKeys(ctx, k.d, nil)
	if err != nil {
		return report, fmt.Errorf("secrets: rotate: %w", err)
	}
	rows = slices.DeleteFunc(rows, func(r dataKeyRow) bool { return r.DestroyedAt != 0 })
	turned := map[string]error{} // by home, and by customer in Vault
	inVault := 0
	for _, r := range rows {
		h, one := k.homes[HomeName(r.Home)], r.Home
		if h == nil {
			return report, noVault()
		}
		var customers []string
		if HomeName(r.Home) == HomeVault {
			one, customers = one+" "+r.CustomerID, []string{r.CustomerID}
			inVault++
		}
		err, done := turned[one]
		if !done {
			err = h.Rotate(ctx, customers)
			turned[one] = err
		}
		if err == nil {
			err = k.rotateOne(ctx, r)
		}
		switch {
		case err == nil:
			report.Keys++
		case whole(ctx, err):
			return report, fmt.Errorf("secrets: rotate: data key %d of customer %q: %w", r.Version, r.CustomerID, err)
		default:
			l := Left{fmt.Sprintf("data key %d", r.Version), r.CustomerID, err}
			k.log.WarnContext(ctx, "secrets.left", "what", l.What, "customer", l.Customer, "error", err)
			report.Left = append(report.Left, l)
		}
	}
	err = k.d.Write(ctx, func(tx *db.Tx) error {
		return k.note(tx, "secrets.rotated", map[string]any{"keys": report.Keys, "in_vault": inVault, "left": len(report.Left)})
	})
	if err != nil {
		return report, fmt.Errorf("secrets: rotate: %w", err)
	}
	return report, nil
}

func (k *Keeper) rotateOne(ctx context.Context, r dataKeyRow) error {
	key, err := k.unwrapKey(ctx, r)
	if err != nil {
		return err
	}
	wrapped, err := k.rewrap(ctx, HomeName(r.Home), r, key)
	if err != nil {
		return err
	}
	return k.d.Write(ctx, func(tx *db.Tx) error {
		_, err := rewrapDataKey(tx, r, HomeName(r.Home), wrapped)
		return err
	})
}

// rewrap wraps a key in a home and proves it by opening it there again.
func (k *Keeper) rewrap(ctx context.Context, to HomeName, r dataKeyRow, key []byte) ([]byte, error) {
	h := k.homes[to]
	wrapped, err := h.Wrap(ctx, r.CustomerID, r.Version, key)
	if err != nil {
		return nil, err
	}
	proof, err := h.Unwrap(ctx, r.CustomerID, r.Version, wrapped)
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare(proof, key) != 1 {
		return nil, ErrOpen
	}
	return wrapped, nil
}
