package vaulttest

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"ostler/controlplane/secrets/vault"
)

// transitKey is a key of the transit engine: AES-256-GCM, or Ed25519.
type transitKey struct {
	sort      string
	versions  [][]byte // AES keys or Ed25519 seeds; the first is version 1
	deletable bool
}

func (f *Fake) aead(k *transitKey, version int) cipher.AEAD {
	block, err := aes.NewCipher(k.versions[version-1])
	if err != nil {
		panic(err) // it made the key itself
	}
	a, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return a
}

func fresh() []byte {
	b := make([]byte, 32)
	_, _ = rand.Read(b)
	return b
}

// exists reports whether something is at a path that is written: Vault asks for
// "create" where there is nothing, on the paths that have a look first.
func (f *Fake) exists(path string) bool {
	for mount, kind := range f.mounts {
		rest, ok := strings.CutPrefix(path, mount)
		switch {
		case ok && kind == "kv":
			v := f.values[mount+strings.TrimPrefix(rest, "data/")]
			return v != nil && len(v.versions) > 0
		case ok && kind == "transit" && strings.HasPrefix(rest, "encrypt/"):
			return f.keys[mount+strings.TrimPrefix(rest, "encrypt/")] != nil
		}
	}
	return true
}

func (f *Fake) transit(q request, rest string) answer {
	mount := strings.TrimSuffix(q.path, rest)
	verb, name, _ := strings.Cut(rest, "/")
	name, act, _ := strings.Cut(name, "/")
	k := f.keys[mount+name]
	switch {
	case rest == "wrapping_key":
		return f.wrappingKey()
	case verb == "keys":
		return f.transitKeys(q, mount+name, act, k)
	case verb == "encrypt":
		return f.encrypt(q, mount+name, k)
	case verb == "decrypt":
		return f.decrypt(q, k)
	case verb == "sign":
		if k == nil {
			return fail(400, "signing key not found")
		}
		version := len(k.versions)
		if v := int(q.number("key_version")); v > 0 {
			version = v
		}
		if k.sort != "ed25519" || version > len(k.versions) {
			return fail(400, "key type "+k.sort+" does not support signing")
		}
		input, _ := base64.StdEncoding.DecodeString(q.text("input"))
		s := ed25519.Sign(ed25519.NewKeyFromSeed(k.versions[version-1]), input)
		return data(map[string]any{"signature": "vault:v" + strconv.Itoa(version) + ":" + base64.StdEncoding.EncodeToString(s), "key_version": version})
	}
	return fail(404, "unsupported path")
}

func (f *Fake) transitKeys(q request, at, act string, k *transitKey) answer {
	switch {
	case act == "import":
		return f.importKey(q, at, k)
	case q.method == http.MethodPost && act == "" && k == nil:
		f.keys[at] = &transitKey{sort: q.text("type"), versions: [][]byte{fresh()}}
		return data(map[string]any{"type": q.text("type"), "latest_version": 1})
	case q.method == http.MethodPost && act == "":
		return data(map[string]any{"type": k.sort, "latest_version": len(k.versions)})
	case k == nil && q.method == http.MethodGet:
		return fail(404)
	case k == nil && act == "config":
		return fail(400, "no existing key named "+at[strings.LastIndex(at, "/")+1:]+" could be found")
	case k == nil && act == "rotate":
		return fail(400, "key not found")
	case k == nil:
		return fail(400, "error deleting policy "+at+": could not delete key; not found")
	case q.method == http.MethodGet:
		return f.about(k)
	case act == "rotate":
		k.versions = append(k.versions, fresh())
		return data(map[string]any{"latest_version": len(k.versions)})
	case act == "config":
		k.deletable, _ = q.body["deletion_allowed"].(bool)
		return data(map[string]any{"deletion_allowed": k.deletable})
	case q.method == http.MethodDelete && !k.deletable:
		return fail(400, "error deleting policy: deletion is not allowed for this key")
	case q.method == http.MethodDelete:
		delete(f.keys, at)
		return empty
	}
	return fail(405, "unsupported operation")
}

func (f *Fake) about(k *transitKey) answer {
	keys := map[string]any{}
	for i, v := range k.versions {
		if k.sort == "ed25519" {
			public := ed25519.NewKeyFromSeed(v).Public().(ed25519.PublicKey)
			keys[strconv.Itoa(i+1)] = map[string]any{"name": "ed25519", "public_key": base64.StdEncoding.EncodeToString(public)}
		} else {
			keys[strconv.Itoa(i+1)] = time.Now().Unix()
		}
	}
	return data(map[string]any{"type": k.sort, "keys": keys, "latest_version": len(k.versions), "deletion_allowed": k.deletable})
}

func (f *Fake) encrypt(q request, at string, k *transitKey) answer {
	if k == nil { // whoever may create makes one, as in Vault
		k = &transitKey{sort: "aes256-gcm96", versions: [][]byte{fresh()}}
		f.keys[at] = k
	}
	plain, err := base64.StdEncoding.DecodeString(q.text("plaintext"))
	if err != nil {
		return fail(400, "failed to base64-decode plaintext")
	}
	place, _ := base64.StdEncoding.DecodeString(q.text("associated_data"))
	a := f.aead(k, len(k.versions))
	nonce := fresh()[:a.NonceSize()]
	out := a.Seal(nonce, nonce, plain, place)
	return data(map[string]any{"ciphertext": "vault:v" + strconv.Itoa(len(k.versions)) + ":" + base64.StdEncoding.EncodeToString(out), "key_version": len(k.versions)})
}

func (f *Fake) decrypt(q request, k *transitKey) answer {
	if k == nil {
		return fail(400, "encryption key not found")
	}
	parts := strings.SplitN(q.text("ciphertext"), ":", 3)
	if len(parts) != 3 || parts[0] != "vault" {
		return fail(400, "invalid ciphertext: no prefix")
	}
	version, err := strconv.Atoi(strings.TrimPrefix(parts[1], "v"))
	raw, berr := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || berr != nil || version < 1 || version > len(k.versions) {
		return fail(400, "invalid ciphertext: version is too new")
	}
	a := f.aead(k, version)
	if len(raw) < a.NonceSize() {
		return fail(400, "invalid ciphertext length")
	}
	place, _ := base64.StdEncoding.DecodeString(q.text("associated_data"))
	plain, err := a.Open(nil, raw[:a.NonceSize()], raw[a.NonceSize():], place)
	if err != nil {
		return fail(400, "cipher: message authentication failed")
	}
	if f.corrupt {
		plain[0] ^= 1
	}
	return data(map[string]any{"plaintext": base64.StdEncoding.EncodeToString(plain)})
}

// wrappingBits keeps the tests fast; Vault's own key has 4096.
const wrappingBits = 2048

func (f *Fake) wrappingKey() answer {
	if f.wrapping == nil {
		key, err := rsa.GenerateKey(rand.Reader, wrappingBits)
		if err != nil {
			return fail(500, "internal error")
		}
		f.wrapping = key
	}
	der, err := x509.MarshalPKIXPublicKey(&f.wrapping.PublicKey)
	if err != nil {
		return fail(500, "internal error")
	}
	return data(map[string]any{"public_key": string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))})
}

func (f *Fake) importKey(q request, at string, k *transitKey) answer {
	if k != nil {
		return fail(400, "the import path cannot be used with an existing key; use import-version to rotate an existing imported key")
	}
	raw, err := base64.StdEncoding.DecodeString(q.text("ciphertext"))
	if err != nil || f.wrapping == nil || len(raw) <= f.wrapping.Size() {
		return fail(400, "provided ciphertext is not valid")
	}
	once, err := rsa.DecryptOAEP(sha256.New(), nil, f.wrapping, raw[:f.wrapping.Size()], nil)
	if err != nil {
		return fail(400, "failed to decrypt the ephemeral key")
	}
	der, err := vault.UnwrapPadded(once, raw[f.wrapping.Size():])
	if err != nil {
		return fail(400, "failed to unwrap the key")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	key, ok := parsed.(ed25519.PrivateKey)
	if err != nil || !ok || q.text("type") != "ed25519" {
		return fail(400, "error parsing the key")
	}
	f.keys[at] = &transitKey{sort: "ed25519", versions: [][]byte{key.Seed()}}
	return empty
}

// value is what KV version 2 keeps at a path.
type value struct{ versions []kvVersion }

type kvVersion struct {
	data    map[string]any
	deleted bool
}

func (f *Fake) kv(q request, rest string) answer {
	mount := strings.TrimSuffix(q.path, rest)
	sort, path, _ := strings.Cut(rest, "/")
	at := mount + path
	v := f.values[at]
	switch {
	case sort == "data" && q.method == http.MethodGet:
		if v == nil {
			return fail(404)
		}
		return f.newest(v)
	case sort == "data" && q.method == http.MethodPost:
		return f.putValue(q, at, v)
	case sort == "data" && q.method == http.MethodDelete:
		if v != nil {
			v.versions[len(v.versions)-1].deleted = true
		}
		return empty
	case sort == "metadata" && q.method == http.MethodDelete:
		delete(f.values, at)
		return empty
	case sort == "metadata" && q.method == "LIST":
		var names []string
		for p := range maps.Keys(f.values) {
			if name, ok := strings.CutPrefix(p, at+"/"); ok {
				names = append(names, name)
			}
		}
		if names == nil {
			return fail(404)
		}
		slices.Sort(names)
		return data(map[string]any{"keys": names})
	}
	return fail(404, "unsupported path")
}

func (f *Fake) newest(v *value) answer {
	n := len(v.versions)
	last := v.versions[n-1]
	about := map[string]any{"version": n, "deletion_time": "", "destroyed": false}
	if !last.deleted {
		return data(map[string]any{"data": last.data, "metadata": about})
	}
	about["deletion_time"] = "2026-01-01T00:00:00Z"
	return answer{status: 404, body: map[string]any{"data": map[string]any{"data": nil, "metadata": about}}}
}

func (f *Fake) putValue(q request, at string, v *value) answer {
	if v == nil {
		v = &value{}
	}
	options, _ := q.body["options"].(map[string]any)
	if cas, ok := options["cas"].(float64); ok && int(cas) != len(v.versions) {
		return fail(400, "check-and-set parameter did not match the current version")
	}
	fields, _ := q.body["data"].(map[string]any)
	v.versions = append(v.versions, kvVersion{data: fields})
	f.values[at] = v
	return data(map[string]any{"version": len(v.versions), "deletion_time": "", "destroyed": false})
}
