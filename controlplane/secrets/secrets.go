// Package secrets seals what the plane must hold. It keeps true that a sealed
// value opens only at the table, column, row and customer it was sealed for,
// that destroying one customer's key makes everything sealed for that customer
// unreadable at once, that a lost key file is an error and never a new key, and
// that no error or log line carries key material.
//
// Three layers: a key-encryption key in a Home (a file, or Vault's transit), a
// data key for each customer that the Home wraps, and AES-256-GCM envelopes
// under the data keys. Credentials of others' services are envelopes too, or
// stand in Vault's KV. Which home has a key or a credential stands with it: both
// homes are read, and new ones go to the one that the database names.
package secrets

import (
	"context"
	"crypto/cipher"
	"crypto/hpke"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/secrets/vault"
)

// AD says where a sealed value stands. With the customer it is the associated
// data of the seal: a value that is moved elsewhere does not open.
type AD struct{ Table, Column, Row string }

// ErrErased says that the customer's data key was destroyed: what was sealed
// for that customer is gone for good.
var ErrErased = errors.New("secrets: erased: the customer's data key was destroyed")

// ErrNoKey says that a customer has no data key: nobody called EnsureKey.
var ErrNoKey = errors.New("secrets: the customer has no data key yet")

// ErrOpen says that a sealed value does not open: it was changed, it was sealed
// for another place or customer, or with another key.
var ErrOpen = errors.New("secrets: the sealed value does not open here")

// HomeName says where keys are.
type HomeName string

// The homes.
const (
	HomeFile  HomeName = "file"
	HomeVault HomeName = "vault"
)

// Valid reports whether h is a known home.
func (h HomeName) Valid() bool { return h == HomeFile || h == HomeVault }

// Home keeps the key-encryption key: a file, or Vault's transit engine. Its
// methods may use the network, so none is called inside a transaction.
type Home interface {
	// Wrap seals a customer's data key under the newest key-encryption key.
	Wrap(ctx context.Context, customer string, version int64, key []byte) ([]byte, error)
	// Unwrap opens what Wrap made, under whichever key version it names.
	Unwrap(ctx context.Context, customer string, version int64, wrapped []byte) ([]byte, error)
	// Rotate makes a new version of the key-encryption key, or of the one that
	// each of the customers has. Old versions stay: the plane's own backups hold
	// keys wrapped with them.
	Rotate(ctx context.Context, customers []string) error
	// Destroy destroys what the home holds of a customer alone.
	Destroy(ctx context.Context, customer string) error
	// Check tries all that the home is needed for, and changes no key in use.
	Check(ctx context.Context) error
}

// Recorder enters in the ledger, in the transaction of the change, what was
// done to keys.
type Recorder func(tx *db.Tx, kind string, data map[string]any) error

// Options are what a Keeper may have beside its keyring.
type Options struct {
	// Vault is the second home; nil where none is configured. The keeper does
	// not close it.
	Vault *vault.Client
	Log   *slog.Logger // nil discards
}

// Keeper seals, opens, indexes and signs. It is safe for concurrent use.
type Keeper struct {
	d      *db.DB
	ring   *keyring
	homes  map[HomeName]Home
	vault  *vault.Client // nil: none
	log    *slog.Logger
	index  []byte
	local  cipher.AEAD
	escrow hpke.PrivateKey

	record  Recorder
	sources []CredentialSource

	mu     sync.RWMutex
	keys   map[string]*customerKeys
	broken map[string]error // why a customer's keys could not be loaded
}

// RecordBy has what is done to keys entered in the ledger from now on. Call it
// while wiring.
func (k *Keeper) RecordBy(r Recorder) { k.record = r }

// Vault returns the second home's client; nil where none is configured.
func (k *Keeper) Vault() *vault.Client { return k.vault }

// customerKeys are the data keys of one customer, by version.
type customerKeys struct {
	newest int64
	aeads  map[int64]cipher.AEAD
	erased bool
}

// OpenFile opens the keyring in the folder dir (mode 0700, files 0600), making
// the folder and its keys on first use, and loads the data keys of d. For a
// database that has been used before, every missing or foreign key file is an
// error that says which.
func OpenFile(ctx context.Context, d *db.DB, dir string) (*Keeper, error) {
	return Open(ctx, d, dir, Options{})
}

// Open is OpenFile with a second home. A key of one customer that Vault does not
// open is that customer's trouble; a Vault that opens none is an error.
func Open(ctx context.Context, d *db.DB, dir string, o Options) (*Keeper, error) {
	ctx = controlplane.System(ctx, "secrets")
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	ring, err := openKeyring(d, dir)
	if err != nil {
		return nil, err
	}
	home, err := openFileHome(ctx, ring)
	if err != nil {
		return nil, err
	}
	k := &Keeper{d: d, ring: ring, homes: map[HomeName]Home{HomeFile: home}, vault: o.Vault, log: o.Log,
		keys: map[string]*customerKeys{}, broken: map[string]error{}}
	if o.Vault != nil {
		k.homes[HomeVault] = &vaultHome{c: o.Vault}
	}
	if k.index, err = ring.get(ctx, fmt.Sprintf("index-%d", indexVersion), randomKey); err != nil {
		return nil, err
	}
	local, err := ring.get(ctx, fmt.Sprintf("local-%d", localVersion), randomKey)
	if err != nil {
		return nil, err
	}
	if k.local, err = newAEAD(local); err != nil {
		return nil, err
	}
	if k.escrow, err = openEscrowKey(ctx, ring); err != nil {
		return nil, err
	}
	if err := k.Refresh(ctx); err != nil {
		return nil, err
	}
	return k, nil
}

// Seal returns an envelope of plaintext under the customer's newest data key
// ("" is the company). It is safe inside a transaction.
//
// Errors: ErrNoKey where EnsureKey was never called, ErrErased.
func (k *Keeper) Seal(customer string, ad AD, plaintext []byte) ([]byte, error) {
	aead, version, err := k.dataKey(customer, 0)
	if err != nil {
		return nil, fmt.Errorf("%w (customer %q)", err, customer)
	}
	return seal(aead, formatCustomer, version, ad.with(customer), plaintext), nil
}

// Open returns the plaintext of an envelope that Seal made for the same
// customer and place.
//
// Errors: ErrOpen, ErrErased, ErrNoKey.
func (k *Keeper) Open(customer string, ad AD, sealed []byte) ([]byte, error) {
	version, err := keyVersion(sealed, formatCustomer)
	if err != nil {
		return nil, err
	}
	aead, _, err := k.dataKey(customer, version)
	if err != nil {
		return nil, err
	}
	return open(aead, formatCustomer, ad.with(customer), sealed)
}

// SealLocal is Seal under the key that never leaves this machine's keyring,
// for sign-in secrets: nobody is locked out while Vault is away.
func (k *Keeper) SealLocal(ad AD, plaintext []byte) ([]byte, error) {
	return seal(k.local, formatLocal, localVersion, ad.with(""), plaintext), nil
}

// OpenLocal opens what SealLocal made for the same place.
//
// Errors: ErrOpen.
func (k *Keeper) OpenLocal(ad AD, sealed []byte) ([]byte, error) {
	version, err := keyVersion(sealed, formatLocal)
	if err != nil {
		return nil, err
	}
	if version != localVersion {
		return nil, ErrOpen
	}
	return open(k.local, formatLocal, ad.with(""), sealed)
}

// Format prints a fixed word, so that no verb of fmt shows a key.
func (k *Keeper) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "secrets.Keeper") }

const loadTimeout = 10 * time.Second

// background is the context of key look-ups that have no caller's context: a
// miss inside a transaction reads on a connection of its own.
func background() (context.Context, context.CancelFunc) {
	return context.WithTimeout(controlplane.System(context.Background(), "secrets"), loadTimeout)
}
