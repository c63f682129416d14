package secrets

import (
	"crypto/hmac"
	"crypto/sha256"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// Index returns the blind index of a value: equal values (in NFC, lower case)
// of one name have equal indexes, and nothing else shows. name says which
// column it is for, so that indexes of two columns never match. The first byte
// is the key's version.
func (k *Keeper) Index(name, value string) []byte {
	folded := norm.NFC.String(strings.ToLower(norm.NFC.String(value)))
	mac := hmac.New(sha256.New, k.index)
	mac.Write(lengthPrefixed(name, folded))
	return mac.Sum([]byte{indexVersion})
}
