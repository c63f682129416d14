package secrets

import (
	"context"
	"crypto/cipher"
	"fmt"
	"strconv"
	"sync"
)

// fileHome keeps the key-encryption keys as files kek-1, kek-2 ... of the
// keyring.
type fileHome struct {
	ring *keyring

	mu     sync.Mutex
	newest int64
	fresh  bool // the newest is not made yet: those before it were retired
	aeads  map[int64]cipher.AEAD
}

func openFileHome(ctx context.Context, ring *keyring) (*fileHome, error) {
	newest, retired, err := newestKEK(ctx, ring.d)
	if err != nil {
		return nil, fmt.Errorf("secrets: keyring: %w", err)
	}
	h := &fileHome{ring: ring, newest: max(1, newest), aeads: map[int64]cipher.AEAD{}}
	if retired {
		h.newest, h.fresh = newest+1, true
		return h, nil
	}
	if _, err := h.aead(ctx, h.newest, newest == 0); err != nil {
		return nil, err
	}
	return h, nil
}

func kekName(version int64) string { return "kek-" + strconv.FormatInt(version, 10) }

// aead returns the cipher of a version; only fresh ones are made.
func (h *fileHome) aead(ctx context.Context, version int64, fresh bool) (cipher.AEAD, error) {
	if a, ok := h.aeads[version]; ok {
		return a, nil
	}
	name := kekName(version)
	make := randomKey
	if !fresh {
		make = func() ([]byte, error) { return nil, missing(name + ".key") }
	}
	key, err := h.ring.get(ctx, name, make)
	if err != nil {
		return nil, err
	}
	a, err := newAEAD(key)
	if err != nil {
		return nil, err
	}
	h.aeads[version] = a
	return a, nil
}

// Wrap seals a data key under the newest key-encryption key.
func (h *fileHome) Wrap(ctx context.Context, customer string, version int64, key []byte) ([]byte, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	a, err := h.aead(ctx, h.newest, h.fresh)
	if err != nil {
		return nil, err
	}
	h.fresh = false
	return seal(a, formatDataKey, h.newest, dataKeyPlace(customer, version), key), nil
}

// Unwrap opens a wrapped data key.
func (h *fileHome) Unwrap(ctx context.Context, customer string, version int64, wrapped []byte) ([]byte, error) {
	kek, err := keyVersion(wrapped, formatDataKey)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	a, err := h.aead(ctx, kek, false)
	if err != nil {
		return nil, err
	}
	return open(a, formatDataKey, dataKeyPlace(customer, version), wrapped)
}

// Destroy does nothing: one key-encryption key wraps all customers' keys, and
// the wrapped ones are emptied in the database.
func (h *fileHome) Destroy(context.Context, string) error { return nil }

// Check wraps and opens something under the newest key-encryption key.
func (h *fileHome) Check(ctx context.Context) error { return tryHome(ctx, h) }

// Rotate makes the next key-encryption key, one for all customers.
func (h *fileHome) Rotate(ctx context.Context, _ []string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	newest, _, err := newestKEK(ctx, h.ring.d)
	if err != nil {
		return fmt.Errorf("secrets: keyring: %w", err)
	}
	if _, err := h.aead(ctx, newest+1, true); err != nil {
		return err
	}
	h.newest, h.fresh = newest+1, false
	return nil
}

// forget drops the keys from memory: the next one is made when something is
// wrapped here again.
func (h *fileHome) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.fresh {
		return
	}
	h.newest, h.fresh, h.aeads = h.newest+1, true, map[int64]cipher.AEAD{}
}

func dataKeyPlace(customer string, version int64) []byte {
	return lengthPrefixed("data_keys", "wrapped", strconv.FormatInt(version, 10), customer)
}
