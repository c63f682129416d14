package restic_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	//lint:ignore SA1019 restic wraps its keys with Poly1305-AES, which is this
	"golang.org/x/crypto/poly1305"
	"golang.org/x/crypto/scrypt"
)

// keyFile is a key of a repository, as restic's design document has it.
type keyFile struct {
	Created  string `json:"created"`
	Username string `json:"username"`
	Hostname string `json:"hostname"`
	KDF      string `json:"kdf"`
	N        int    `json:"N"`
	R        int    `json:"r"`
	P        int    `json:"p"`
	Salt     []byte `json:"salt"`
	Data     []byte `json:"data"` // nonce, ciphertext, tag
}

// cheapen wraps a repository's key again with scrypt parameters that cost
// nothing. Half a second of each of restic's runs is scrypt; the rest of it
// stays as it is.
func cheapen(t *testing.T, repo, password string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(repo, "keys/*"))
	if err != nil || len(names) != 1 {
		t.Fatalf("got keys %v, %v", names, err)
	}
	var k keyFile
	b, err := os.ReadFile(names[0])
	if err == nil {
		err = json.Unmarshal(b, &k)
	}
	if err != nil {
		t.Fatal(err)
	}
	master, err := k.crypt(password, k.Data[:16], k.Data[16:len(k.Data)-16], k.Data[len(k.Data)-16:])
	if err != nil {
		t.Fatal(err)
	}
	k.N, k.R, k.P = 2, 1, 1
	nonce := make([]byte, 16)
	_, _ = rand.Read(nonce)
	k.Data, err = k.crypt(password, nonce, master, nil)
	if err != nil {
		t.Fatal(err)
	}
	if b, err = json.Marshal(k); err != nil {
		t.Fatal(err)
	}
	id := sha256.Sum256(b)
	if err := errors.Join(os.Remove(names[0]), os.WriteFile(filepath.Join(repo, "keys", hex.EncodeToString(id[:])), b, 0o600)); err != nil {
		t.Fatal(err)
	}
}

// crypt opens text where tag is given, and else seals it.
func (k keyFile) crypt(password string, nonce, text, tag []byte) ([]byte, error) {
	derived, err := scrypt.Key([]byte(password), k.Salt, k.N, k.R, k.P, 64)
	if err != nil {
		return nil, err
	}
	mac, err := aes.NewCipher(derived[32:48])
	if err != nil {
		return nil, err
	}
	var once [32]byte
	copy(once[:16], derived[48:64])
	mac.Encrypt(once[16:], nonce)
	block, err := aes.NewCipher(derived[:32])
	if err != nil {
		return nil, err
	}
	out := make([]byte, len(text))
	cipher.NewCTR(block, nonce).XORKeyStream(out, text)
	if tag != nil {
		if !poly1305.Verify((*[16]byte)(tag), text, &once) {
			return nil, errors.New("the key does not open")
		}
		return out, nil
	}
	var sum [16]byte
	poly1305.Sum(&sum, out, &once)
	return append(append(nonce, out...), sum[:]...), nil
}
