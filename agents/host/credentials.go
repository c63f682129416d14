package host

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"

	"golang.org/x/crypto/bcrypt"

	"ostler/agents/wire"
)

// storeName is what a store's user and a repository's name look like: one path
// element that needs no escape.
var storeName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]{0,127}$`)

// checkRepository refuses what cannot be the address of a repository.
func checkRepository(r wire.Repository) error {
	u, err := url.Parse(r.StoreURL)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("the store's address is not https://host:port")
	}
	if !storeName.MatchString(r.User) || !storeName.MatchString(r.Name) || !jobName.MatchString(r.ID) {
		return errors.New("the repository's id, user or name has a form that none has")
	}
	if pin, err := hex.DecodeString(r.StorePin); err != nil || len(pin) != 0 && len(pin) != sha256.Size {
		return errors.New("the store's pin is not a SHA-256")
	}
	return nil
}

// credential is what the agent shows a store. The helper never sees it, and the
// plane only its hash.
type credential struct {
	StoreURL string `json:"store_url"`
	User     string `json:"user"`
	Password string `json:"password"`
	Hash     string `json:"hash"` // bcrypt
}

func credentialPath(state string, r wire.Repository) string {
	sum := sha256.Sum256([]byte(r.StoreURL + "\n" + r.User))
	return filepath.Join(state, "stores", hex.EncodeToString(sum[:16])+".json")
}

// loadCredential returns the credential for r's store; ok is false where none was made.
func loadCredential(state string, r wire.Repository) (c credential, ok bool, err error) {
	b, err := readIfThere(credentialPath(state, r))
	if err != nil || b == nil {
		return c, false, err
	}
	if err := json.Unmarshal(b, &c); err != nil {
		return c, false, fmt.Errorf("host: decode store credential: %w", err)
	}
	return c, true, nil
}

// makeCredential returns the credential for r's store, made at the first call.
func makeCredential(state string, r wire.Repository) (credential, error) {
	c, ok, err := loadCredential(state, r)
	if ok || err != nil {
		return c, err
	}
	var random [32]byte
	_, _ = rand.Read(random[:]) // crypto/rand.Read never returns an error
	c = credential{StoreURL: r.StoreURL, User: r.User, Password: base64.RawURLEncoding.EncodeToString(random[:])}
	// 256 random bits need no slow hash: the lowest cost keeps the store quick.
	hash, err := bcrypt.GenerateFromPassword([]byte(c.Password), bcrypt.MinCost)
	if err != nil {
		return c, fmt.Errorf("host: hash store password: %w", err)
	}
	c.Hash = string(hash)
	b, err := json.Marshal(c)
	if err != nil {
		return c, err
	}
	if err := writeFile(credentialPath(state, r), b); err != nil {
		return c, fmt.Errorf("host: write store credential: %w", err)
	}
	return c, nil
}
