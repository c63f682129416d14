package signer

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"ostler/controlplane"
)

const (
	homeFile  = "signer.home"      // the note: "vault", and the public half
	movedFile = "signer.pem.moved" // the key's file, until a person puts it away
)

// InVault returns the public half of the key that was moved to Vault, nil where
// the key is a file.
func InVault(dir string) (ed25519.PublicKey, error) {
	raw, err := os.ReadFile(filepath.Join(dir, homeFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("signer: where the key is: %w", err)
	}
	home, text, _ := strings.Cut(strings.TrimSpace(string(raw)), " ")
	public, err := base64.StdEncoding.DecodeString(text)
	if err != nil || home != "vault" || len(public) != ed25519.PublicKeySize {
		return nil, controlplane.Errorf(controlplane.CodeUnavailable, "Put the file back from a copy, or move the key again.",
			"The file %s does not say where the key is", filepath.Join(dir, homeFile))
	}
	return public, nil
}

func errMoved(public ed25519.PublicKey) error {
	if public == nil {
		return nil
	}
	return controlplane.Errorf(controlplane.CodeConflict, "Run “ostler secrets move-signer --to file” with the copy of its file in the folder.", "The key that signs jobs is in Vault")
}

// FileKey reads the key's file and makes none: signer.pem, or the one that a
// move put aside. fs.ErrNotExist where there is neither.
func FileKey(dir string) (ed25519.PrivateKey, error) {
	key, err := readKey(filepath.Join(dir, keyFile))
	if errors.Is(err, fs.ErrNotExist) {
		return readKey(filepath.Join(dir, movedFile))
	}
	return key, err
}

// GiveUp notes that the key is in Vault from now on, and puts its file aside for
// a person to keep elsewhere: it is the only way back. It returns that file's
// path. It can be repeated.
func GiveUp(dir string, public ed25519.PublicKey) (aside string, err error) {
	note := "vault " + base64.StdEncoding.EncodeToString(public) + "\n"
	if err := putFile(filepath.Join(dir, homeFile), note); err != nil {
		return "", fmt.Errorf("signer: move: %w", err)
	}
	aside = filepath.Join(dir, movedFile)
	if err := os.Rename(filepath.Join(dir, keyFile), aside); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("signer: move: %w", err)
	}
	return aside, nil
}

// TakeBack makes the key's file count again. Its folder must have the file, and
// it must be the key that hosts trust. It can be repeated.
func TakeBack(dir string) (ed25519.PublicKey, error) {
	want, err := InVault(dir)
	if err != nil {
		return nil, err
	}
	key, err := FileKey(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, controlplane.Errorf(controlplane.CodeConflict, fmt.Sprintf("Put the copy that was kept when the key was moved to %s (mode 0600), and run it again.", filepath.Join(dir, movedFile)),
			"Vault does not give the key out, and its file is not there")
	}
	if err != nil {
		return nil, err
	}
	have := key.Public().(ed25519.PublicKey)
	if want != nil && !want.Equal(have) {
		return nil, controlplane.Errorf(controlplane.CodeConflict, "Put the right copy there: hosts take jobs that the other key signed, and no others.",
			"The file in %s is not the key that hosts trust", dir)
	}
	if err := os.Rename(filepath.Join(dir, movedFile), filepath.Join(dir, keyFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("signer: move: %w", err)
	}
	if err := os.Remove(filepath.Join(dir, homeFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("signer: move: %w", err)
	}
	return have, nil
}

// putFile writes a file whole or not at all.
func putFile(path, text string) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".signer-*") // CreateTemp makes 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
