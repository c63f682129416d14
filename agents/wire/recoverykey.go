package wire

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"strings"
)

// upper is Crockford's base32 as people read it.
var upper = base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding)

// ErrRecoveryKey is the error of ParseRecoveryKey.
var ErrRecoveryKey = errors.New("not a recovery key: a character is missing or mistyped")

// NewRecoveryKey formats 256 random bits as a recovery key, which is also the
// repository password as restic takes it: 11 groups of 5 characters of
// Crockford's base32 with hyphens between. The last 3 characters are a checksum.
func NewRecoveryKey(random [32]byte) string {
	digits := upper.EncodeToString(random[:])
	sum := sha256.Sum256([]byte("ostler recovery key v1\n" + digits))
	digits += upper.EncodeToString(sum[:])[:3]
	groups := make([]string, 0, 11)
	for ; len(digits) > 0; digits = digits[5:] {
		groups = append(groups, digits[:5])
	}
	return strings.Join(groups, "-")
}

// ParseRecoveryKey takes a recovery key as a person types it (any case, spaces
// or hyphens or none, O for 0, I or L for 1) and returns its exact form.
func ParseRecoveryKey(s string) (string, error) {
	digits := strings.Map(func(r rune) rune {
		switch {
		case r == '-' || r == ' ' || r == '\t' || r == '\n' || r == '\r' || r == '\u00a0':
			return -1
		case r == 'o' || r == 'O':
			return '0'
		case r == 'i' || r == 'I' || r == 'l' || r == 'L':
			return '1'
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		}
		return r
	}, s)
	if len(digits) != 55 {
		return "", ErrRecoveryKey
	}
	raw, err := upper.DecodeString(digits[:52])
	if err != nil || len(raw) != 32 {
		return "", ErrRecoveryKey
	}
	key := NewRecoveryKey([32]byte(raw))
	if strings.ReplaceAll(key, "-", "") != digits {
		return "", ErrRecoveryKey
	}
	return key, nil
}

// KeyFingerprint returns RepoPrepared.KeyFingerprint of a repository password.
func KeyFingerprint(password string) string {
	sum := sha256.Sum256([]byte("ostler key fingerprint v1\n" + password))
	return hex.EncodeToString(sum[:])
}
