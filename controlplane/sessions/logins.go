package sessions

import "time"

// LoginKind is how somebody came in on a host.
type LoginKind string

// The kinds of login that hosts see.
const (
	LoginSSH     LoginKind = "ssh"     // by the host's own sshd
	LoginConsole LoginKind = "console" // at the machine, or its virtual console
	LoginSudo    LoginKind = "sudo"    // became another account
)

// Valid reports whether k is a known kind.
func (k LoginKind) Valid() bool { return k == LoginSSH || k == LoginConsole || k == LoginSudo }

// LoginState is what became of a login that a host saw.
type LoginState string

// The states of a login.
const (
	Matched      LoginState = "matched"       // part of a session that the cluster knows
	Awaited      LoginState = "awaited"       // the cluster may still tell of it
	Outside      LoginState = "outside"       // no session of the cluster: a finding
	CustomersOwn LoginState = "customers_own" // of somebody whom the customer let in; not ours to record
	Explained    LoginState = "explained"     // outside, and a person said why
)

// Valid reports whether s is a known state.
func (s LoginState) Valid() bool {
	switch s {
	case Matched, Awaited, Outside, CustomersOwn, Explained:
		return true
	}
	return false
}

// Login is one login that a host's own records tell of.
type Login struct {
	ID     string // lgn_
	Server string
	// ServerName is the server's name; "" where it is none of ours any more.
	ServerName string
	Kind       LoginKind
	Account    string // sealed
	Target     string // sudo: who they became; sealed
	From       string // address, or terminal; sealed
	Key        string // "SHA256:..." where the host's records say with which key
	At         time.Time
	State      LoginState
	Session    string // ssn_: Matched
	Why        string // Explained; sealed
	By         string // stf_: Explained
	// Weak says that only a file of the host told of it that any account there can
	// write lines into.
	Weak bool
}

// Coverage is how much of what was seen on a customer's servers in a time is
// recorded. A server that did not tell makes it unknown: Silent is not empty.
type Coverage struct {
	Customer string
	From, To time.Time
	// Sessions are those of the cluster; Recorded those with a recording, kept or
	// let go; Running have none yet.
	Sessions, Recorded, Running int
	// Logins are those that hosts saw, the customer's own apart; Outside those
	// without a session.
	Logins, Outside, CustomersOwn int
	// Weak are those of Logins of which only a file tells that any account of the
	// host can write lines into.
	Weak int
	// Silent are servers whose records could not be read for a part of the time.
	Silent []string
}

// Share is recorded ÷ all, 0 to 1, and whether it is known: not where a server
// did not tell, and not where there was nothing.
func (c Coverage) Share() (share float64, known bool) {
	all := c.Sessions - c.Running + c.Outside
	if all == 0 || len(c.Silent) > 0 {
		return 0, false
	}
	return float64(c.Recorded) / float64(all), true
}

// Feed is how the reading of the cluster's audit log goes.
type Feed struct {
	Configured bool
	Cluster    string
	// ReadTo is until when everything was read; ReadAt when it was last read well.
	ReadTo, ReadAt time.Time
	Events         int64
	Quarantined    int64
	Trouble        string // why it does not go on, in plain words; "" is fine
	Since          time.Time
}

// Quarantined is an event that could not be taken in. What follows it was.
type Quarantined struct {
	ID     string // qua_
	Event  string // the cluster's id, "" where unknown
	Type   string
	At     time.Time // the event's, zero where unknown
	SeenAt time.Time
	Reason string
	Bytes  int64
	// Resolved says that it was taken in later, or that a person looked at it.
	Resolved time.Time
	By       string // stf_: who looked at it; "" where it was taken in
	Why      string // what they found
}
