package helper

import (
	"context"
	"crypto/ecdh"
	"crypto/hpke"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"ostler/agents/wire"
)

// idForm is what a repository's or job's id looks like; it becomes a file name.
var idForm = regexp.MustCompile(`^[a-z0-9_]{1,64}$`)

func (h *Local) keyPath(repository string) string {
	return filepath.Join(h.keyDir(), repository+".key")
}

// PrepareKey implements Helper.
func (h *Local) PrepareKey(_ context.Context, k KeyRequest) (Key, error) {
	if !idForm.MatchString(k.Repository) {
		return Key{}, Fail(wire.CausePolicy, nil, "the repository's id has a form that none has")
	}
	h.keys.Lock()
	defer h.keys.Unlock()
	if k.Returned != "" {
		if err := h.takeBack(k.Repository, k.Returned); err != nil {
			return Key{}, err
		}
	}
	password, err := h.password(k.Repository)
	if err != nil {
		return Key{}, err
	}
	out := Key{Fingerprint: wire.KeyFingerprint(password)}
	if len(k.EscrowKey)+len(k.RevealKey) > 0 && h.settled(k.Repository) {
		return Key{}, Fail(wire.CausePolicy, nil, "the repository is in use: its password is not sealed to anybody any more; whoever may have it got it before")
	}
	if len(k.EscrowKey) > 0 {
		if out.EscrowSealed, err = seal(k.EscrowKey, k.Repository, password); err != nil {
			return Key{}, err
		}
	}
	if len(k.RevealKey) > 0 {
		if out.RevealSealed, err = seal(k.RevealKey, k.Repository, password); err != nil {
			return Key{}, err
		}
	}
	return out, nil
}

// settle notes that a repository was made. From then on its password leaves the
// host no more, not even sealed: who holds a copy was decided before, and a
// control plane in wrong hands cannot decide it again.
func (h *Local) settle(repository string) error {
	if h.settled(repository) {
		return nil
	}
	if err := os.WriteFile(h.keyPath(repository)+settledSuffix, nil, 0o600); err != nil {
		return fmt.Errorf("helper: note that the repository was made: %w", err)
	}
	return nil
}

const settledSuffix = ".settled"

// settled reports whether settle was called; what cannot be looked at counts.
func (h *Local) settled(repository string) bool {
	_, err := os.Stat(h.keyPath(repository) + settledSuffix)
	return !errors.Is(err, fs.ErrNotExist)
}

// password reads the password, or makes it.
func (h *Local) password(repository string) (string, error) {
	b, err := os.ReadFile(h.keyPath(repository))
	if err == nil {
		key, err := wire.ParseRecoveryKey(string(b))
		if err != nil {
			return "", Fail(wire.CauseNoKey, err, "the repository password's file on the server is damaged")
		}
		return key, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", Fail(wire.CauseNoKey, err, "the repository password's file cannot be read")
	}
	var random [32]byte
	_, _ = rand.Read(random[:]) // crypto/rand.Read never returns an error
	key := wire.NewRecoveryKey(random)
	return key, h.writePassword(repository, key)
}

// writePassword makes the password's file: 0600, complete before it has its
// name, and never over another.
func (h *Local) writePassword(repository, key string) error {
	f, err := os.CreateTemp(h.keyDir(), ".new-*")
	if err != nil {
		return fmt.Errorf("helper: make password file: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(key + "\n")
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Link(f.Name(), h.keyPath(repository)) // unlike a rename it never replaces
	}
	if err == nil {
		err = syncDir(h.keyDir())
	}
	if err != nil {
		return fmt.Errorf("helper: write password file: %w", err)
	}
	return nil
}

// takeBack writes a password that a host had lost. One that is there and is
// another, or is damaged, is set aside and not lost: "<id>.key.set-aside-1".
// The repository is in use, so the password leaves the host no more.
func (h *Local) takeBack(repository, returned string) error {
	key, err := wire.ParseRecoveryKey(returned)
	if err != nil {
		return Fail(wire.CauseNoKey, err, "what came back is not a recovery key")
	}
	path := h.keyPath(repository)
	b, err := os.ReadFile(path)
	if err == nil {
		if there, perr := wire.ParseRecoveryKey(string(b)); perr == nil && there == key {
			return h.settle(repository)
		}
		if err := setAside(path); err != nil {
			return err
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return Fail(wire.CauseNoKey, err, "the repository password's file cannot be read")
	}
	if err := h.writePassword(repository, key); err != nil {
		return err
	}
	return h.settle(repository)
}

// setAside gives a file the first free name after it.
func setAside(path string) error {
	for n := 1; ; n++ {
		aside := fmt.Sprintf("%s.set-aside-%d", path, n)
		err := os.Link(path, aside) // unlike a rename it never replaces
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("helper: set the old password aside: %w", err)
		}
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("helper: set the old password aside: %w", err)
		}
		return nil
	}
}

// seal seals a password to an X25519 public key: enc || ciphertext.
func seal(public []byte, repository, password string) ([]byte, error) {
	pk, err := hpke.DHKEM(ecdh.X25519()).NewPublicKey(public)
	if err != nil {
		return nil, Fail(wire.CauseUnsupported, err, "a public key to seal to is not an X25519 key")
	}
	sealed, err := hpke.Seal(pk, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte(wire.HPKEInfo+repository), []byte(strings.TrimSpace(password)))
	if err != nil {
		return nil, fmt.Errorf("helper: seal password: %w", err)
	}
	return sealed, nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
