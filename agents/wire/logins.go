package wire

// LoginsScanParams asks what the host's own records say of who came in: it
// changes nothing.
type LoginsScanParams struct {
	// Since is the earliest instant that is wanted, Unix milliseconds: where the
	// host kept a cursor of its own it may tell of less, never of more.
	Since int64 `json:"since"`
	// Max is how many are told at most, the oldest first; 0 is 5,000.
	Max int `json:"max,omitempty"`
}

// LoginsScan is what was found. The records are those of the host: who is root
// there can have changed them.
type LoginsScan struct {
	Logins []SeenLogin `json:"logins"`
	// Sources are the records that were read: "wtmp", "auth.log", "journal".
	Sources []string `json:"sources"`
	// From and To are the time that they cover, Unix milliseconds: they may begin
	// later than Since, where records were rotated away.
	From int64 `json:"from"`
	To   int64 `json:"to"`
	// More says that there were more than Max: ask again from To on.
	More bool `json:"more,omitempty"`
	// Unread are records that exist and could not be read, each with its cause.
	Unread    []string `json:"unread,omitempty"`
	Simulated []string `json:"simulated,omitempty"`
}

// SeenLogin is one time that somebody came in, or became somebody else.
type SeenLogin struct {
	Kind    string `json:"kind"` // "ssh", "console", "sudo"
	Account string `json:"account"`
	Target  string `json:"target,omitempty"` // sudo: the account that they became
	From    string `json:"from,omitempty"`   // address, or terminal
	Key     string `json:"key,omitempty"`    // "SHA256:...", where sshd said so
	Method  string `json:"method,omitempty"` // "publickey", "password", as sshd says
	Line    string `json:"line,omitempty"`   // terminal
	At      int64  `json:"at"`               // Unix milliseconds
	// Teleport says that the login came by a Teleport agent on this host.
	Teleport bool `json:"teleport,omitempty"`
	// Weak says that only a record told of it that any account of the host can write
	// lines into, by the system's logger: auth.log, where there is no journal.
	Weak bool `json:"weak,omitempty"`
}
