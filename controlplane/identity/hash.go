package identity

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Hasher hashes passwords, slowly and with a salt.
type Hasher interface {
	// Hash returns the encoded hash of a password.
	Hash(password string) (string, error)
	// Verify reports whether the password has the encoded hash.
	Verify(encoded, password string) (bool, error)
}

// Argon2id hashes with Argon2id (RFC 9106) into PHC strings.
type Argon2id struct {
	MemoryKiB uint32
	Passes    uint32
	Lanes     uint8
}

// OWASP returns what the OWASP Password Storage Cheat Sheet asks for at least: 19
// MiB, two passes, one lane. The hash is sealed on top with a key that is not
// in the database, so a stolen database alone cannot be guessed at.
func OWASP() Argon2id { return Argon2id{MemoryKiB: 19 * 1024, Passes: 2, Lanes: 1} }

const (
	saltLen   = 16
	digestLen = 32
)

// Hash returns "$argon2id$v=19$m=...,t=...,p=...$salt$digest".
func (a Argon2id) Hash(password string) (string, error) {
	salt := make([]byte, saltLen)
	_, _ = rand.Read(salt) // never returns an error
	digest := argon2.IDKey([]byte(password), salt, a.Passes, a.MemoryKiB, a.Lanes, digestLen)
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, a.MemoryKiB, a.Passes, a.Lanes, b64.EncodeToString(salt), b64.EncodeToString(digest)), nil
}

var errHash = errors.New("identity: password hash cannot be read")

// Verify checks a password against a hash made with any parameters.
func (Argon2id) Verify(encoded, password string) (bool, error) {
	parts := strings.Split(encoded, "$")
	if len(parts) != 6 || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return false, errHash
	}
	var a Argon2id
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &a.MemoryKiB, &a.Passes, &a.Lanes); err != nil {
		return false, errHash
	}
	salt, err1 := base64.RawStdEncoding.DecodeString(parts[4])
	digest, err2 := base64.RawStdEncoding.DecodeString(parts[5])
	if err1 != nil || err2 != nil || len(digest) != digestLen || a.Passes == 0 || a.Lanes == 0 || a.MemoryKiB > 1<<21 {
		return false, errHash
	}
	got := argon2.IDKey([]byte(password), salt, a.Passes, a.MemoryKiB, a.Lanes, digestLen)
	return subtle.ConstantTimeCompare(got, digest) == 1, nil
}

// hashing waits for one of the few slots: sign-ins cannot take all the memory.
func (s *Store) hashing(ctx context.Context) (release func(), err error) {
	select {
	case s.slots <- struct{}{}:
		return func() { <-s.slots }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *Store) hash(ctx context.Context, password string) (string, error) {
	release, err := s.hashing(ctx)
	if err != nil {
		return "", err
	}
	defer release()
	return s.hasher.Hash(normal(password))
}

func (s *Store) verify(ctx context.Context, encoded, password string) (bool, error) {
	release, err := s.hashing(ctx)
	if err != nil {
		return false, err
	}
	defer release()
	return s.hasher.Verify(encoded, normal(password))
}
