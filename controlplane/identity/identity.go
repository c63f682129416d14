// Package identity owns the hosting company's staff and everybody's
// credentials: passwords, second factors, invitations, sessions and API tokens.
//
// It keeps true that sign-in always has a second factor (one-time demo links
// excepted, and those exist in a demo only), that nothing in the database signs
// anybody in (secrets are hashed or sealed with a key that is not there), that
// every session and token is listed and can be revoked, that a person who was
// removed is out with their next request, and that an attacker who guesses
// passwords cannot keep the right person out from where they usually sign in.
package identity

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
	"ostler/controlplane/secrets"
)

// How long things live.
const (
	// InviteLife is how long an invitation can be taken up.
	InviteLife = 72 * time.Hour
	// PendingLife is how long the second factor may follow the password.
	PendingLife = 5 * time.Minute
	// StaffIdle and StaffLife end a session of staff: two hours without a
	// request, and a shift in all.
	StaffIdle = 2 * time.Hour
	StaffLife = 12 * time.Hour
	// ContactIdle and ContactLife end a session of a contact or auditor.
	ContactIdle = 12 * time.Hour
	ContactLife = 7 * 24 * time.Hour
	// TokenLife is the longest life of an API token.
	TokenLife = 365 * 24 * time.Hour
	// seenEvery is how coarse "last seen" and "last used" are kept.
	seenEvery = 5 * time.Minute
	// keepEnded is how long ended sessions, links and tokens stay listed.
	keepEnded = 30 * 24 * time.Hour
)

// Options are the settings of a Store; the zero value is fit for production.
type Options struct {
	// Demo allows one-time sign-in links without a second factor.
	Demo bool
	// DemoLinkLife is how long such a link lives; 0 is 30 minutes.
	DemoLinkLife time.Duration
	// Issuer names us in people's authenticator apps; "" is "Ostler".
	Issuer string
	// Hasher hashes passwords; nil is OWASP().
	Hasher Hasher
	// Log receives what goes wrong outside any request; nil discards.
	Log *slog.Logger
}

// Store reads and changes staff, credentials, sessions and tokens.
type Store struct {
	db        *db.DB
	keeper    *secrets.Keeper
	ledger    *ledger.Ledger
	customers *customers.Store
	o         Options
	hasher    Hasher
	decoy     string // a hash of a password that nobody knows
	slots     chan struct{}
}

// New returns a Store on an open database and makes the company's data key if
// it is missing. c owns the contacts to whom credentials may belong.
func New(ctx context.Context, d *db.DB, k *secrets.Keeper, l *ledger.Ledger, c *customers.Store, o Options) (*Store, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Issuer == "" {
		o.Issuer = "Ostler"
	}
	if o.DemoLinkLife == 0 {
		o.DemoLinkLife = 30 * time.Minute
	}
	s := &Store{db: d, keeper: k, ledger: l, customers: c, o: o, hasher: o.Hasher, slots: make(chan struct{}, max(2, runtime.NumCPU()))}
	if s.hasher == nil {
		s.hasher = OWASP()
	}
	if err := k.EnsureKey(ctx, ""); err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	var err error
	if s.decoy, err = s.hasher.Hash(newSecret()); err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	return s, nil
}

// Client is where a request came from. All whose address is not known share one
// counter of the throttle: an edge that does not fill it in shuts everybody out
// with thirty wrong passwords.
type Client struct {
	Address   string // the client's IP address, without a port
	UserAgent string
}

// SignInState says how far a person's sign-in is.
type SignInState string

// The states of a person's sign-in.
const (
	SignInNone    SignInState = "none"    // never invited, or the invitation has run out
	SignInInvited SignInState = "invited" // an invitation is open
	SignInReady   SignInState = "ready"   // has a password and a second factor
)

// Person is somebody who may sign in: staff or a contact.
type Person struct {
	Kind     controlplane.ActorKind
	ID       string // stf_ or con_
	Customer string // of a contact, the first one of an auditor; "" for staff
	// Customers are all whose records an auditor may read, and From and To bound
	// which: sessions that began in that time, To not included; zero is open.
	Customers []string
	From, To  time.Time
	Until     time.Time // when an auditor's sign-in ends; zero for everybody else
	Name      string
	Email     string // "" where the one who looks may not see it
	Role      policy.Role
	Language  string // BCP 47
	Active    bool   // false once disabled or removed
	SignIn    SignInState
	SeenAt    time.Time // last request of any session, to five minutes; zero: never
	Version   int64     // of staff: rises with every change
}

// actor returns the actor that the person acts as.
func (p Person) actor() controlplane.Actor {
	a := controlplane.Actor{Kind: p.Kind, ID: p.ID, Customer: p.Customer, Role: string(p.Role), From: p.From, To: p.To}
	if len(p.Customers) > 1 {
		a.Customers = p.Customers
	}
	return a
}

// Method says how a session was signed in.
type Method string

// The methods of sign-in.
const (
	MethodTOTP     Method = "password_totp"     // password and a code of the authenticator app
	MethodRecovery Method = "password_recovery" // password and a recovery code
	MethodInvite   Method = "invitation"        // just took up an invitation: set both factors
	MethodDemo     Method = "demo_link"         // a demo's one-time link
)

// Valid reports whether m is a known method.
func (m Method) Valid() bool {
	return m == MethodTOTP || m == MethodRecovery || m == MethodInvite || m == MethodDemo
}

// Session is one signed-in browser.
type Session struct {
	ID        string // ses_; not the cookie's value
	Person    string
	Customer  string
	Method    Method
	Address   string // IP address at sign-in
	UserAgent string // at sign-in
	CreatedAt time.Time
	SeenAt    time.Time // to five minutes
	ExpiresAt time.Time // the end however much it is used
	Current   bool      // the session of the one who asks
}

// SignedIn is a fresh session. Secret is the cookie's value: it is returned
// here once and kept as a hash only.
type SignedIn struct {
	Secret  string
	Session Session
	Actor   controlplane.Actor
	// RecoveryLeft is how many recovery codes are unused; warn below three.
	RecoveryLeft int
}

// Pending is a sign-in whose password was right and whose second factor is
// still to come. Secret goes into a cookie of its own; it signs nobody in.
type Pending struct {
	Secret    string
	ExpiresAt time.Time
}

// Link is a one-time link. Secret is its last part; it is returned here once.
type Link struct {
	ID        string
	Secret    string
	Path      string // in the portal: "/invite/<secret>" or "/demo/<secret>"
	ExpiresAt time.Time
}
