package signer

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	keyFile = "signer.pem"
	pemType = "PRIVATE KEY"
)

// OpenKey returns the signing key kept in dir, and makes it on first use: the
// folder 0700, the file 0600. It refuses a key that others can read, and one
// that was moved to Vault: no new one is made in its place.
func OpenKey(dir string) (ed25519.PrivateKey, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("signer: open key: %w", err)
	}
	if public, err := InVault(dir); err != nil || public != nil {
		return nil, errors.Join(err, errMoved(public))
	}
	path := filepath.Join(dir, keyFile)
	key, err := readKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	return makeKey(dir, path)
}

func readKey(path string) (ed25519.PrivateKey, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("signer: open key: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("signer: open key: %s can be read by others: make it 0600", path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("signer: open key: %w", err)
	}
	block, _ := pem.Decode(data)
	if block == nil || block.Type != pemType {
		return nil, fmt.Errorf("signer: open key: %s holds no private key", path)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("signer: open key: %w", err)
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("signer: open key: %s holds a %T, not an Ed25519 key", path, parsed)
	}
	return key, nil
}

// makeKey writes a new key whole or not at all; of two processes that start at
// once, the first one's key stays.
func makeKey(dir, path string) (ed25519.PrivateKey, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("signer: make key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("signer: make key: %w", err)
	}
	f, err := os.CreateTemp(dir, ".signer-*") // CreateTemp makes 0600
	if err != nil {
		return nil, fmt.Errorf("signer: make key: %w", err)
	}
	defer os.Remove(f.Name())
	if err := errors.Join(pem.Encode(f, &pem.Block{Type: pemType, Bytes: der}), f.Sync(), f.Close()); err != nil {
		return nil, fmt.Errorf("signer: make key: %w", err)
	}
	if err := os.Link(f.Name(), path); errors.Is(err, fs.ErrExist) {
		return readKey(path)
	} else if err != nil {
		return nil, fmt.Errorf("signer: make key: %w", err)
	}
	return key, nil
}
