package wire

import (
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
)

// enrolPrefix begins every enrolment token, so that scanners for leaked secrets
// know one when they see it.
const enrolPrefix = "ost_enrol_"

// crockford is Crockford's base32 in lower case: no i, l, o, u.
var crockford = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// Errors of ParseEnrolToken.
var (
	ErrTokenForm     = errors.New("not an enrolment token")
	ErrTokenChecksum = errors.New("enrolment token is damaged: its checksum is wrong")
)

// NewEnrolToken formats an enrolment token:
// "ost_enrol_<secret, 52 base32>_<pin, 64 hex>_<CRC-32 of all before, 8 hex>".
// The pin is the SHA-256 of the public key info (SPKI) of the agents' CA, which
// signs the enrolment listener's certificate: the host trusts nothing else.
func NewEnrolToken(secret, pin [32]byte) string {
	s := enrolPrefix + crockford.EncodeToString(secret[:]) + "_" + hex.EncodeToString(pin[:]) + "_"
	return s + fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(s)))
}

// ParseEnrolToken is the inverse of NewEnrolToken; white space around s is
// ignored. Its errors never quote the token.
func ParseEnrolToken(s string) (secret, pin [32]byte, err error) {
	s = strings.TrimSpace(s)
	rest, ok := strings.CutPrefix(s, enrolPrefix)
	parts := strings.Split(rest, "_")
	if !ok || len(parts) != 3 || len(parts[2]) != 8 {
		return secret, pin, ErrTokenForm
	}
	if fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(s[:len(s)-8]))) != parts[2] {
		return secret, pin, ErrTokenChecksum
	}
	a, errA := crockford.DecodeString(parts[0])
	b, errB := hex.DecodeString(parts[1])
	if errA != nil || errB != nil || len(a) != len(secret) || len(b) != len(pin) {
		return secret, pin, ErrTokenForm
	}
	return [32]byte(a), [32]byte(b), nil
}
