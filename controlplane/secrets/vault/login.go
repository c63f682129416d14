package vault

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"

	"ostler/controlplane"
)

// signIn gets a new token, unless somebody else did since used was found bad.
func (c *Client) signIn(ctx context.Context, used string) error {
	select {
	case c.login <- struct{}{}:
	case <-ctx.Done(): // somebody else's sign-in lasts longer than we may wait
		return c.trouble("auth/"+c.o.Auth+"/login", ctx.Err())
	}
	defer func() { <-c.login }()
	if now := c.api.Token(); now != "" && now != used {
		return nil
	}
	err := c.signInNow(ctx)
	c.mu.Lock()
	c.lost = err
	c.mu.Unlock()
	return err
}

func (c *Client) signInNow(ctx context.Context) error {
	a, err := c.api.Clone()
	if err != nil {
		return fmt.Errorf("vault: sign in: %w", err)
	}
	a.SetNamespace(c.api.Namespace())
	a.ClearToken()
	secret, err := c.secretID(ctx, a)
	if err != nil {
		return err
	}
	a.ClearToken()
	path := "auth/" + c.o.Auth + "/login"
	s, err := a.Logical().WriteWithContext(ctx, path, map[string]any{"role_id": c.o.RoleID, "secret_id": secret})
	if err != nil {
		return c.trouble(path, err)
	}
	if s == nil || s.Auth == nil || s.Auth.ClientToken == "" {
		return c.say(&Error{Trouble: Refused, Path: path})
	}
	c.api.SetToken(s.Auth.ClientToken)
	c.renewed(s.Auth)
	c.o.Log.InfoContext(ctx, "vault.signed_in", "addr", c.api.Address(), "ttl_seconds", s.Auth.LeaseDuration, "renewable", s.Auth.Renewable)
	return nil
}

// renewed notes a token's new end.
func (c *Client) renewed(a *api.SecretAuth) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.auth, c.ends = a, time.Time{}
	if a.LeaseDuration > 0 {
		c.ends = time.Now().Add(time.Duration(a.LeaseDuration) * time.Second)
	}
}

// kept is what KeptFile holds: the secret id, and which wrapping token it came out of.
type kept struct {
	SecretID string `json:"secret_id"`
	From     string `json:"from"` // hex SHA-256 of the wrapping token
}

// secretID returns our secret id, unwrapping it where the file holds a wrapping
// token that was not opened by us before.
func (c *Client) secretID(ctx context.Context, a *api.Client) (string, error) {
	if c.o.SecretIDFile == "" {
		return "", nil // a role that is bound otherwise (bind_secret_id=false)
	}
	raw, err := readPrivate(c.o.SecretIDFile)
	given := strings.TrimSpace(string(raw))
	k, known := c.readKept()
	switch {
	case err != nil && known && errors.Is(err, fs.ErrNotExist):
		return k.SecretID, nil // opened before, and the file was taken away
	case err != nil:
		return "", settings(err, "Put a wrapped secret id there (vault write -wrap-ttl=10m -f auth/approle/role/ROLE/secret-id), mode 0600.", "The file vault.secret_id_file cannot be used")
	case !wrapped(given):
		return given, nil
	}
	from := hex.EncodeToString(sum(given))
	if known && k.From == from {
		return k.SecretID, nil
	}
	return c.unwrap(ctx, a, given, from)
}

// wrapped reports whether s is a token of Vault and not a secret id, which is a UUID.
func wrapped(s string) bool {
	return strings.HasPrefix(s, "hvs.") || strings.HasPrefix(s, "s.")
}

func sum(s string) []byte {
	b := sha256.Sum256([]byte(s))
	return b[:]
}

func (c *Client) unwrap(ctx context.Context, a *api.Client, token, from string) (string, error) {
	// Who could exchange the file could wrap a secret id of their own: a token
	// that was not made by AppRole is not opened.
	look, err := a.Logical().WriteWithContext(ctx, "sys/wrapping/lookup", map[string]any{"token": token})
	if err != nil {
		t := c.trouble("sys/wrapping/lookup", asWrapping(err))
		if is(t, Unwrapped) && c.wasOpening(from) {
			return "", controlplane.Errorf(controlplane.CodeUnavailable, "End that secret id in Vault, since nobody has it, and put a new wrapped one into vault.secret_id_file.",
				"We opened the wrapping token in vault.secret_id_file ourselves, and were stopped before what was in it was kept").Because(t)
		}
		return "", t
	}
	made, _ := field[string](look, "creation_path")
	if want := "auth/" + c.o.Auth + "/role/"; !strings.HasPrefix(made, want) || !strings.HasSuffix(made, "/secret-id") {
		return "", settings(nil, "Look into who wrote the file, then put a new wrapped secret id there.", "The token in vault.secret_id_file does not wrap a secret id of %s", c.o.Auth)
	}
	if err := c.noteOpening(from); err != nil { // it opens once: what is in it must have a place before
		return "", settings(err, "Make room and rights for it; the wrapping token is still good.", "The secret id could not be kept in %s, so its wrapping token was not opened", c.o.KeptFile)
	}
	s, err := a.Logical().UnwrapWithContext(ctx, token)
	if err != nil {
		return "", c.trouble("sys/wrapping/unwrap", asWrapping(err))
	}
	id, ok := field[string](s, "secret_id")
	if !ok {
		return "", c.say(&Error{Trouble: Refused, Path: "sys/wrapping/unwrap"})
	}
	if err := c.writeKept(kept{SecretID: id, From: from}); err != nil {
		return "", err
	}
	return id, nil
}

// asWrapping makes a refusal of a wrapping token one: Vault answers 403 (and on
// unwrap 400) to a token that has ended or was opened.
func asWrapping(err error) error {
	var r *api.ResponseError
	if errors.As(err, &r) && (r.StatusCode == 400 || r.StatusCode == 403) {
		return &api.ResponseError{StatusCode: 400, Errors: []string{"wrapping token is not valid"}}
	}
	return err
}

func (c *Client) readKept() (k kept, ok bool) {
	if c.o.KeptFile == "" {
		return k, false
	}
	raw, err := readPrivate(c.o.KeptFile)
	return k, err == nil && json.Unmarshal(raw, &k) == nil && k.SecretID != ""
}

func (c *Client) writeKept(k kept) error {
	if c.o.KeptFile == "" {
		return nil
	}
	raw, err := json.Marshal(k)
	if err != nil {
		return fmt.Errorf("vault: keep the secret id: %w", err)
	}
	if err := writeSynced(c.o.KeptFile, raw); err != nil {
		return fmt.Errorf("vault: keep the secret id: %w", err)
	}
	_ = os.Remove(c.openingFile()) // what it says is not true any more, and is of this token only
	return nil
}

// openingFile says which wrapping token was about to be opened.
func (c *Client) openingFile() string { return c.o.KeptFile + ".opening" }

// noteOpening writes that a wrapping token is opened now: a process that ends
// before it has kept the secret id finds the note, and says what happened.
func (c *Client) noteOpening(from string) error {
	if c.o.KeptFile == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(c.o.KeptFile), 0o700); err != nil {
		return err
	}
	return writeSynced(c.openingFile(), []byte(from))
}

func (c *Client) wasOpening(from string) bool {
	if c.o.KeptFile == "" {
		return false
	}
	raw, err := os.ReadFile(c.openingFile())
	return err == nil && string(raw) == from
}

// writeSynced writes a file that nobody else may read, whole and on disk.
func writeSynced(path string, data []byte) error {
	temp := path + ".new"
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// readPrivate reads a file that nobody else may read.
func readPrivate(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s can be read by others: make it 0600", path)
	}
	return os.ReadFile(path)
}

// Waits between sign-ins that fail.
const (
	firstWait = time.Second
	longWait  = time.Minute
)

// keep renews the token until ctx ends, and signs in anew where it can be
// renewed no more.
func (c *Client) keep(ctx context.Context) {
	defer close(c.done)
	wait := firstWait
	for ctx.Err() == nil {
		if c.renewUntilOver(ctx) {
			wait = firstWait
		}
		if ctx.Err() != nil {
			return
		}
		if err := c.signIn(ctx, c.api.Token()); err == nil {
			continue
		} else if ctx.Err() == nil {
			c.o.Log.WarnContext(ctx, "vault.sign_in", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		wait = min(2*wait, longWait)
	}
}

// renewUntilOver watches one token's life; it reports whether it was renewed.
func (c *Client) renewUntilOver(ctx context.Context) (renewed bool) {
	c.mu.Lock()
	auth, lost := c.auth, c.lost
	c.mu.Unlock()
	if auth == nil || lost != nil {
		return false
	}
	if auth.LeaseDuration == 0 { // a token without an end
		<-ctx.Done()
		return true
	}
	w, err := c.api.NewLifetimeWatcher(&api.LifetimeWatcherInput{Secret: &api.Secret{Auth: auth}, RenewBehavior: api.RenewBehaviorIgnoreErrors})
	if err != nil {
		c.o.Log.ErrorContext(ctx, "vault.watch", "error", scrub(err))
		return false
	}
	go w.Start()
	defer w.Stop()
	for {
		select {
		case <-ctx.Done():
			return renewed
		case <-w.DoneCh():
			return renewed
		case r := <-w.RenewCh():
			if r.Secret != nil && r.Secret.Auth != nil {
				c.renewed(r.Secret.Auth)
				renewed = true
			}
		}
	}
}

// field reads one field of an answer.
func field[T any](s *api.Secret, name string) (v T, ok bool) {
	if s == nil || s.Data == nil {
		return v, false
	}
	v, ok = s.Data[name].(T)
	return v, ok
}

// Health is how it stands between us and Vault.
type Health struct {
	Err       error     // a controlplane.Error; nil: it answers and is open
	SignIn    error     // why the latest sign-in failed; nil
	Ends      time.Time // of our token, zero: never or not signed in
	TTL       time.Duration
	Renewable bool
}

// Ending reports whether the token is in the last fifth of its life: it is
// renewed after two thirds, so something keeps it from that.
func (h Health) Ending(now time.Time) bool {
	return !h.Ends.IsZero() && h.TTL > 0 && h.Ends.Sub(now) < h.TTL/5
}

// Health asks Vault whether it is open, and says how our token stands.
func (c *Client) Health(ctx context.Context) (h Health) {
	s, err := c.api.Sys().SealStatusWithContext(ctx)
	switch {
	case err != nil:
		h.Err = c.trouble("sys/seal-status", err)
	case s.Sealed:
		h.Err = c.say(&Error{Trouble: Sealed, Path: "sys/seal-status"})
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	h.SignIn, h.Ends = c.lost, c.ends
	if c.auth != nil {
		h.TTL, h.Renewable = time.Duration(c.auth.LeaseDuration)*time.Second, c.auth.Renewable
	}
	return h
}

// CanSignIn reports whether a sign-in would open no wrapping token: looking
// must not use up what works once.
func (c *Client) CanSignIn() bool {
	raw, err := readPrivate(c.o.SecretIDFile)
	given := strings.TrimSpace(string(raw))
	k, known := c.readKept()
	return c.o.SecretIDFile == "" || err == nil && !wrapped(given) || known && (err != nil || k.From == hex.EncodeToString(sum(given)))
}
