// Package acme issues certificates at a certificate authority (RFC 8555), on
// lego's api.Core. It keeps true that an attempt has one order, however often
// the process is killed; that every wait ends with its context; that a CA which
// asks us to wait is not asked again before; and that whatever a CA refuses is
// told by a closed list of kinds, with the name it is about.
//
// It knows no customer and no database: the caller keeps the State.
package acme

import (
	"crypto"
	"log/slog"
	"net/http"
	"time"
)

// Options make a Client.
type Options struct {
	// Directory is the URL of the CA's directory (RFC 8555, 7.1.1), https.
	Directory string
	// HTTP carries the requests; only its Transport is used. Nil is
	// Transport(nil).
	HTTP *http.Client
	// Key is the account's: an *ecdsa.PrivateKey on P-256.
	Key crypto.Signer
	// AccountURL is the account's, "" before Client.Register told it.
	AccountURL string
	// UserAgent names us to the CA: "ostler/1.2".
	UserAgent string
	// Log is told what is odd at a CA, never names; nil discards.
	Log *slog.Logger

	// InFlight is how many requests of orders go on at once, over all of them; 0
	// is 8. RenewalInfo has its own bound, since thousands are asked for in turn;
	// 0 is 64.
	InFlight, RenewalInFlight int
	// Timeout is how long one request may take; 0 is 30 s.
	Timeout time.Duration
	// Patience is how long an order or an authorization may stay undecided
	// before Issue gives up with KindUnreachable; 0 is 10 minutes. The State
	// resumes it.
	Patience time.Duration
	// Now and After are the clock; nil is the real one. A test may hurry them.
	Now   func() time.Time
	After func(time.Duration) <-chan time.Time
}

// EAB binds a new account to one that the CA's operator gave us (RFC 8555, 7.3.4).
type EAB struct {
	KeyID string
	HMAC  string // base64url, as the CA shows it
}

// Registration makes an account, or finds it.
type Registration struct {
	Contact string // "mailto:...", "" for none
	EAB     *EAB   // where Directory.ExternalAccount
	// Existing only finds the account of the key: where there is none, the
	// error's kind is KindAccount.
	Existing bool
}

// Directory is what a CA says about itself.
type Directory struct {
	Profiles        map[string]string // name to description, empty where it has none
	CAAIdentities   []string          // what a CAA record must name
	Terms           string            // URL of its terms of service
	ExternalAccount bool              // it wants an EAB
	RenewalInfo     bool              // it answers RFC 9773
}

// Renewal is when a CA wants a certificate renewed (RFC 9773, 4.2).
type Renewal struct {
	Start, End  time.Time // End is after Start
	Explanation string    // URL of a page that says why, "" for none
	// RetryAfter is when it wants to be asked again, as it said (the caller
	// bounds it); zero where it did not say.
	RetryAfter time.Time
}
