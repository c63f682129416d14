package secrets

import (
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sync"

	"ostler/controlplane"
	"ostler/controlplane/db"
)

// keyring is a folder of key files. The database remembers which files it
// needs, with a fingerprint of each: a file that is gone or was exchanged is
// found before anything is sealed with a wrong key.
type keyring struct {
	d   *db.DB
	dir string

	mu    sync.Mutex
	files map[string][]byte
}

var keyName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,99}$`)

func openKeyring(d *db.DB, dir string) (*keyring, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("secrets: keyring: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("secrets: keyring: %w", err)
	}
	if !info.IsDir() {
		return nil, controlplane.Errorf(controlplane.CodeUnavailable, "Name a folder in the setting for the keyring.", "The keyring %s is not a folder", dir)
	}
	if err := private(dir, info, 0o700); err != nil {
		return nil, err
	}
	return &keyring{d: d, dir: dir, files: map[string][]byte{}}, nil
}

// private refuses modes that let anyone but the owner in.
func private(path string, info fs.FileInfo, want fs.FileMode) error {
	if info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	return controlplane.Errorf(controlplane.CodeUnavailable,
		fmt.Sprintf("Find out who could read it, then run: chmod %04o %s", want, path),
		"Other users of this machine can reach the keys in %s (mode %04o)", path, info.Mode().Perm())
}

// KeyFile returns the bytes of the key file of that name, which make makes
// once. Call it outside transactions. A name is lower case letters, digits,
// dots, dashes and underscores.
func (k *Keeper) KeyFile(name string, make func() ([]byte, error)) ([]byte, error) {
	ctx, cancel := background()
	defer cancel()
	return k.ring.get(ctx, "file-"+name, make)
}

// Ed25519 returns the signing key of that name, made once and kept in the
// keyring. Call it outside transactions.
func (k *Keeper) Ed25519(name string) (ed25519.PrivateKey, error) {
	ctx, cancel := background()
	defer cancel()
	seed, err := k.ring.get(ctx, "ed25519-"+name, randomKey)
	if err != nil {
		return nil, err
	}
	if len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("secrets: signing key %q has %d bytes, want %d", name, len(seed), ed25519.SeedSize)
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// get returns the key file of that name and checks it against the database.
func (r *keyring) get(ctx context.Context, name string, make func() ([]byte, error)) ([]byte, error) {
	if !keyName.MatchString(name) {
		return nil, fmt.Errorf("secrets: %q is not a name of a key", name)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if b, ok := r.files[name]; ok {
		return append([]byte(nil), b...), nil
	}
	known, isKnown, err := readKeyFileRow(ctx, r.d, name)
	if err != nil {
		return nil, fmt.Errorf("secrets: keyring: %w", err)
	}
	path := filepath.Join(r.dir, name+".key")
	data, err := readPrivate(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && isKnown:
		return nil, missing(path).Because(err)
	case errors.Is(err, fs.ErrNotExist):
		data, err = r.make(path, make)
	}
	if err != nil {
		return nil, err
	}
	if !isKnown {
		if known, err = insertKeyFileRow(ctx, r.d, name, fingerprint(name, data)); err != nil {
			return nil, fmt.Errorf("secrets: keyring: %w", err)
		}
	}
	if !hmac.Equal(known, fingerprint(name, data)) {
		return nil, controlplane.Errorf(controlplane.CodeUnavailable,
			"Put back the keyring that belongs to this database, or point the plane at the right database.",
			"The key file %s is not the one that this database was used with", path)
	}
	r.files[name] = data
	return append([]byte(nil), data...), nil
}

// destroy overwrites a key file and takes it away, and reports whether it was
// there. A disk or a copy may keep what was written before: see docs/security.md.
func (r *keyring) destroy(name string) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.files, name)
	path := filepath.Join(r.dir, name+".key")
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("secrets: retire: %w", err)
	}
	noise, _ := randomKey()
	_, err = f.WriteAt(noise, 0)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Remove(path)
	}
	if err != nil {
		return false, fmt.Errorf("secrets: retire: %w", err)
	}
	return true, nil
}

func missing(path string) *controlplane.Error {
	return controlplane.Errorf(controlplane.CodeUnavailable,
		"Put the file back from the copy of the keyring; nothing sealed with it can be read without it, and no new key is made in its place.",
		"The key file %s is missing, and this database was used with it", path)
}

// make makes a key file that is not there; if another process is first, its
// file is read.
func (r *keyring) make(path string, make func() ([]byte, error)) ([]byte, error) {
	data, err := make()
	if err != nil {
		return nil, fmt.Errorf("secrets: make %s: %w", filepath.Base(path), err)
	}
	if err := writeOnce(path, data); errors.Is(err, fs.ErrExist) {
		return readPrivate(path)
	} else if err != nil {
		return nil, fmt.Errorf("secrets: make %s: %w", filepath.Base(path), err)
	}
	return append([]byte(nil), data...), nil
}

func readPrivate(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("secrets: keyring: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("secrets: keyring: %w", err)
	}
	if err := private(path, info, 0o600); err != nil {
		return nil, err
	}
	data := make([]byte, info.Size())
	if _, err := f.ReadAt(data, 0); err != nil {
		return nil, fmt.Errorf("secrets: keyring: read %s: %w", filepath.Base(path), err)
	}
	return data, nil
}

// writeOnce puts a whole file at path, on disk, or nothing; fs.ErrExist where
// there is one already.
func writeOnce(path string, data []byte) error {
	temp := path + ".new-" + rand.Text()
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer os.Remove(temp)
	_, err = f.Write(data)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(temp, path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// fingerprint is what the database knows a key file by. It tells nothing about
// the key.
func fingerprint(name string, data []byte) []byte {
	mac := hmac.New(sha256.New, data)
	mac.Write(lengthPrefixed("ostler key file v1", name))
	return mac.Sum(nil)[:16]
}
