package identity

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"strings"
)

// newSecret returns 256 random bits in base64url.
func newSecret() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never returns an error
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// hashOf is how a secret of 80 bits or more is kept. use keeps a value from
// one column from being good in another.
func hashOf(use, secret string) []byte {
	h := sha256.Sum256([]byte("ostler " + use + "\x00" + secret))
	return h[:]
}

// bound names a sealed column together with what must not change beside it.
func bound(column string, hash []byte, more ...string) string {
	return column + "/" + hex.EncodeToString(hash) + "/" + strings.Join(more, "/")
}

// The uses of secrets.
const (
	useSession  = "session"
	usePending  = "pending"
	useLink     = "link"
	useToken    = "token"
	useRecovery = "recovery"
)

// TokenKind says whose an API token is.
type TokenKind string

// The kinds of API tokens.
const (
	TokenStaff    TokenKind = "staff"
	TokenCustomer TokenKind = "customer" // one customer's
)

// Valid reports whether k is a known kind.
func (k TokenKind) Valid() bool { return k == TokenStaff || k == TokenCustomer }

const tokenPrefix = "ost_"

// newTokenSecret returns ost_<kind>_<random>_<crc32>: 256 random bits in lower
// case base32, and a checksum over all before it by which scanners for leaked
// secrets know a token.
func newTokenSecret(kind TokenKind) string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never returns an error
	random := strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:]))
	body := tokenPrefix + string(kind) + "_" + random
	return body + "_" + checksum(body)
}

func checksum(body string) string {
	return fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(body)))
}

// parseToken returns the kind of a well-formed token.
func parseToken(token string) (TokenKind, bool) {
	i := strings.LastIndexByte(token, '_')
	if i < 0 || !strings.HasPrefix(token, tokenPrefix) || checksum(token[:i]) != token[i+1:] {
		return "", false
	}
	kind, random, ok := strings.Cut(token[len(tokenPrefix):i], "_")
	return TokenKind(kind), ok && len(random) == 52 && TokenKind(kind).Valid()
}

// recoveryCodes is how many recovery codes a person has.
const recoveryCodes = 10

// newRecoveryCodes returns ten codes of 80 bits, "abcd-efgh-ijkl-mnop".
func newRecoveryCodes() []string {
	codes := make([]string, recoveryCodes)
	for i := range codes {
		var b [10]byte
		_, _ = rand.Read(b[:]) // never returns an error
		c := strings.ToLower(base32.StdEncoding.EncodeToString(b[:]))
		codes[i] = c[:4] + "-" + c[4:8] + "-" + c[8:12] + "-" + c[12:]
	}
	return codes
}

// recoveryHash hashes a recovery code as typed: any case, with or without
// hyphens and spaces.
func recoveryHash(person, typed string) []byte {
	c := strings.NewReplacer("-", "", " ", "").Replace(strings.ToLower(normal(typed)))
	return hashOf(useRecovery, person+"\x00"+c)
}
