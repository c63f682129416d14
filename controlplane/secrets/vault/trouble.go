package vault

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/vault/api"

	"ostler/controlplane"
)

// Trouble says what is wrong between us and Vault.
type Trouble string

// The troubles.
const (
	Settings    Trouble = "settings"    // our own settings cannot be used
	Unreachable Trouble = "unreachable" // nothing answers, or it answers with a fault of its own
	Untrusted   Trouble = "untrusted"   // its certificate is not good
	Sealed      Trouble = "sealed"
	Refused     Trouble = "refused"   // our role id or secret id
	Unwrapped   Trouble = "unwrapped" // the wrapping token was opened before us
	Denied      Trouble = "denied"    // the policy denies a path
	NoMount     Trouble = "no_mount"  // there is no such engine
	NoKey       Trouble = "no_key"    // a transit key is not there
	Conflict    Trouble = "conflict"  // somebody else wrote the value first
	NotOurs     Trouble = "not_ours"  // a value that does not open, or is not what we wrote
)

// Valid reports whether t is a known trouble.
func (t Trouble) Valid() bool {
	switch t {
	case Settings, Unreachable, Untrusted, Sealed, Refused, Unwrapped, Denied, NoMount, NoKey, Conflict, NotOurs:
		return true
	}
	return false
}

// Whole reports whether t keeps us from everything in Vault, and not from one
// path or key.
func (t Trouble) Whole() bool {
	switch t {
	case Settings, Unreachable, Untrusted, Sealed, Refused, Unwrapped, NoMount:
		return true
	}
	return false
}

// Error is a trouble at a path. It stands beneath the controlplane.Error that
// people read.
type Error struct {
	Trouble Trouble
	Path    string // without the mount's namespace; "" where none was met
	Status  int    // of the answer; 0 for none
	Err     error  // without secrets; may be nil
}

// Error says trouble, path and cause.
func (e *Error) Error() string {
	s := "vault: " + string(e.Trouble)
	if e.Path != "" {
		s += " at " + e.Path
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// TroubleOf returns the trouble in err's chain, and the path it met; "" where
// err is not about Vault.
func TroubleOf(err error) (t Trouble, path string) {
	var e *Error
	if !errors.As(err, &e) {
		return "", ""
	}
	return e.Trouble, e.Path
}

func is(err error, t Trouble) bool {
	got, _ := TroubleOf(err)
	return got == t
}

// trouble says what an error of a call at a path means.
func (c *Client) trouble(path string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	e := &Error{Trouble: Unreachable, Path: path, Err: scrub(err)}
	var r *api.ResponseError
	if errors.As(err, &r) {
		e.Status, e.Trouble = r.StatusCode, byAnswer(r)
	} else if untrusted(err) {
		e.Trouble = Untrusted
	}
	return c.say(e)
}

// byAnswer tells a trouble from a status and what Vault wrote.
func byAnswer(r *api.ResponseError) Trouble {
	text := strings.ToLower(strings.Join(r.Errors, " "))
	has := func(parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(text, p) {
				return true
			}
		}
		return false
	}
	switch {
	case r.StatusCode == 503 && has("sealed"):
		return Sealed
	case r.StatusCode == 403:
		return Denied
	case r.StatusCode == 404 && has("no handler for route", "unsupported path"):
		return NoMount
	case r.StatusCode == 400 && has("check-and-set"):
		return Conflict
	case r.StatusCode == 400 && has("key not found", "no existing key named"):
		return NoKey
	case r.StatusCode == 400 && has("invalid role or secret id", "invalid role id", "invalid secret id"):
		return Refused
	case r.StatusCode == 400 && has("wrapping token"):
		return Unwrapped
	case r.StatusCode == 400:
		return NotOurs
	}
	return Unreachable
}

func untrusted(err error) bool {
	var verify *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	return errors.As(err, &verify) || errors.As(err, &unknown) || errors.As(err, &host) || errors.As(err, &invalid)
}

// say puts a trouble into words for people.
func (c *Client) say(e *Error) error {
	at := c.api.Address()
	say := func(code controlplane.Code, next, format string, args ...any) error {
		return controlplane.Errorf(code, next, format, args...).Because(e)
	}
	const waits = "What needs it waits, and goes on by itself."
	switch e.Trouble {
	case Sealed:
		return say(controlplane.CodeUnavailable, "Unseal it (vault operator unseal). "+waits, "Vault at %s is sealed", at)
	case Unreachable:
		return say(controlplane.CodeUnavailable, "See whether it runs, and whether this machine reaches it. "+waits, "Vault at %s does not answer as it should", at)
	case Untrusted:
		return say(controlplane.CodeUnavailable, "Name the authority's certificate in vault.ca_file or VAULT_CACERT, or give Vault a certificate for this name.", "The certificate of Vault at %s is not to be trusted", at)
	case Refused:
		return say(controlplane.CodeUnavailable, "Check vault.role_id, and put a new wrapped secret id into vault.secret_id_file.", "Vault at %s refuses our role id or secret id", at)
	case Unwrapped:
		return say(controlplane.CodeUnavailable, "If nobody of yours did it, somebody else may have our secret id: look into Vault's audit log, and end it. Then put a new wrapped secret id into vault.secret_id_file.",
			"The wrapping token in vault.secret_id_file has ended, or was opened before")
	case Denied:
		return say(controlplane.CodeUnavailable, "Give our role the policy that “ostler secrets policy” prints.", "Vault's policy denies us %s", e.Path)
	case NoMount:
		return say(controlplane.CodeUnavailable, "Enable the engine there, or name the right mount in the settings (vault.transit, vault.kv, vault.auth).", "Vault has no engine at %s", e.Path)
	case NoKey:
		return say(controlplane.CodeUnavailable, "Put it back from Vault's own backup. Nothing that it wraps can be read without it, and no new key is made in its place.", "The key at %s is not in Vault", e.Path)
	case Conflict:
		return say(controlplane.CodeConflict, "Look at what is there now, then try again.", "Somebody else has changed %s in Vault", e.Path)
	case NotOurs:
		return say(controlplane.CodeUnavailable, "Look into Vault's audit log: the key or the value was exchanged.", "What is at %s in Vault is not what we put there", e.Path)
	}
	return fmt.Errorf("vault: %w", e)
}

// scrub keeps of an error what may stand in a log: of an answer of Vault its
// status and sentences, and of others no URL (a proxy's may hold a password).
func scrub(err error) error {
	var r *api.ResponseError
	if errors.As(err, &r) {
		return fmt.Errorf("status %d: %s", r.StatusCode, controlplane.Line(strings.Join(r.Errors, " "), 300))
	}
	type inner interface{ Unwrap() error }
	if u, ok := err.(inner); ok && strings.Contains(fmt.Sprintf("%T", err), "url.Error") {
		return u.Unwrap()
	}
	return err
}
