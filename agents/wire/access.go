package wire

// AccessScanParams asks who can get into the host: it changes nothing.
type AccessScanParams struct{}

// AccessScan is who can get into a host, and who is in it.
type AccessScan struct {
	Accounts []HostAccount `json:"accounts"`
	Keys     []HostKey     `json:"keys"`
	Sudo     []HostSudo    `json:"sudo"`
	CAs      []HostCA      `json:"cas"`
	Logins   []HostLogin   `json:"logins"`
	// Passwords, RootLogin and KeyFiles are what sshd's configuration says.
	Passwords bool     `json:"passwords"`  // password sign-in is allowed
	RootLogin string   `json:"root_login"` // PermitRootLogin
	KeyFiles  []string `json:"key_files"`  // AuthorizedKeysFile patterns
	// KeysCommand says that sshd asks a program for keys: what it answers is not known.
	KeysCommand bool `json:"keys_command,omitempty"`
	// Unread are files that could not be read: the scan is then not clean.
	Unread    []string `json:"unread,omitempty"`
	Simulated []string `json:"simulated,omitempty"`
}

// HostAccount is an account with a login shell.
type HostAccount struct {
	Name     string `json:"name"`
	UID      int    `json:"uid"`
	Password bool   `json:"password"` // has a usable password
	Locked   bool   `json:"locked"`   // locked or expired for any sign-in
	Home     string `json:"home,omitempty"`
}

// HostKey is a line of an authorized_keys file. The key itself stays there.
type HostKey struct {
	Account     string `json:"account"`
	Fingerprint string `json:"fingerprint"` // "SHA256:..."
	Type        string `json:"type"`        // "ssh-ed25519"
	Comment     string `json:"comment,omitempty"`
	// Options are those that restrict (command=, from=, restrict ...), by name only.
	Options []string `json:"options,omitempty"`
	// OptionsHash changes with the text of the options, values included.
	OptionsHash string `json:"options_hash,omitempty"`
	Authority   bool   `json:"authority,omitempty"` // cert-authority: whoever it signs comes in
	ExpiresAt   int64  `json:"expires_at,omitempty"`
	File        string `json:"file"`
}

// HostSudo is a right to become somebody else.
type HostSudo struct {
	Who  string `json:"who"`  // account or %group
	Runs string `json:"runs"` // "ALL", or a short list
	As   string `json:"as"`   // "ALL", "root"
	// RunsHash changes with what Runs and As leave out; "" where they are whole.
	RunsHash string `json:"runs_hash,omitempty"`
	// NoPassword is NOPASSWD; Members are the accounts of a group.
	NoPassword bool     `json:"no_password"`
	Members    []string `json:"members,omitempty"`
	File       string   `json:"file"`
}

// HostCA is an authority whose user certificates sshd takes.
type HostCA struct {
	Fingerprint string `json:"fingerprint"`
	File        string `json:"file"`
	// Teleport says that it is the one of a Teleport agent on this host.
	Teleport bool `json:"teleport"`
}

// HostLogin is a session that runs now.
type HostLogin struct {
	Account string `json:"account"`
	Line    string `json:"line"` // terminal
	From    string `json:"from,omitempty"`
	Since   int64  `json:"since"` // Unix milliseconds
	PID     int    `json:"pid"`
	// Teleport says that it came through a Teleport agent on this host.
	Teleport bool `json:"teleport"`
}

// EndLoginParams has the host end sessions of an account that came through
// Teleport: where the cluster refuses locks. Ostler never ends others.
type EndLoginParams struct {
	Account string `json:"account"`
	// TeleportUser is whose sessions are meant, where the host can tell.
	TeleportUser string `json:"teleport_user,omitempty"`
	// Started is when the cluster says that the session began, in milliseconds: what
	// its processes say of themselves, they may have changed. 0 is not known.
	Started int64 `json:"started,omitempty"`
}

// EndedLogins answers EndLoginParams. Left are sessions that could not be ended
// or told apart: they are shown as a gap.
type EndedLogins struct {
	Ended int `json:"ended"`
	Left  int `json:"left"`
}
