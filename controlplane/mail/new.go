package mail

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	netmail "net/mail"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"

	"ostler/controlplane/bus"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/jobs"
	"ostler/controlplane/ledger"
	"ostler/controlplane/secrets"
)

// Security is how the connection to our mail server is protected.
type Security string

// The ways. There is none that sends in clear where encryption is missing.
const (
	StartTLS Security = "starttls" // port 587: encryption is asked for, and required
	Implicit Security = "implicit" // port 465: encrypted from the first byte
	Loopback Security = "loopback" // none; only for a mail server on this machine
)

// Valid reports whether s is a known way.
func (s Security) Valid() bool { return s == StartTLS || s == Implicit || s == Loopback }

// port is where a mail server listens for it.
func (s Security) port() int {
	switch s {
	case Implicit:
		return 465
	case Loopback:
		return 25
	}
	return 587
}

// DKIM is the key that mails are signed with. Its public half stands in DNS at
// SELECTOR._domainkey.DOMAIN.
type DKIM struct {
	Domain, Selector string
	Key              []byte // PEM: RSA or Ed25519
}

// Options say how mail goes out.
type Options struct {
	Host     string // our mail server; "" is none: mails are kept as unsent
	Port     int    // 0 is the usual one of Security
	Security Security
	// Roots verify the server's certificate; nil is the system's.
	Roots          *x509.CertPool
	User, Password string // "" where the server asks for none
	// NoticeWithoutTLS has a mail without content go out, in clear and without
	// the login, where the server offers no encryption; without it such a mail
	// waits. Whoever reads it knows an address and that there is a portal.
	NoticeWithoutTLS bool
	From             string // "Company <noreply@example.org>"
	ReplyTo          string // "" is none: the mails say that answers are not read
	// BouncesTo is the envelope sender, to which reports of failure come back;
	// "" is the address of From.
	BouncesTo string
	EHLO      string // the name that we give ourselves; "" is the machine's
	PortalURL string // without a trailing slash
	Company   string // as customers know the hosting company
	DKIM      *DKIM  // nil leaves mails unsigned
	// Step bounds each step with the server, and Final the wait for its last
	// word on a mail; 0 is 30 s and 5 min.
	Step, Final time.Duration
	Log         *slog.Logger
	Bus         *bus.Bus // wakes pages; may be nil
	// Dial connects; nil is the network.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Moments of a try at which a process may end; tests end it there.
const (
	momentConnected = "connected" // before anything is stored
	momentStored    = "stored"    // the try is stored, the mail is not handed over
	momentHanded    = "handed"    // the server has it, its answer is not stored
	momentRecorded  = "recorded"  // its answer is stored, the job has not ended
)

// Mail queues mails, sends them and keeps what is known about them. It is safe
// for concurrent use.
type Mail struct {
	db       *db.DB
	keys     *secrets.Keeper
	ledger   *ledger.Ledger
	jobs     *jobs.Jobs
	findings *findings.Findings
	o        Options
	from     netmail.Address
	replyTo  *netmail.Address
	bounces  string
	domain   string // of From, for Message-IDs
	dkim     crypto.Signer
	pause    pause
	changed  []func(tx *db.Tx, b Became) error
	hook     func(moment string) error // nil but in tests
}

// New returns the mail of a database and takes over the jobs "mail.send". It
// looks at the options only, not at the network: see Probe for that.
//
// Errors: options that cannot work.
func New(d *db.DB, k *secrets.Keeper, l *ledger.Ledger, j *jobs.Jobs, f *findings.Findings, o Options) (*Mail, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	m := &Mail{db: d, keys: k, ledger: l, jobs: j, findings: f, o: o}
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("mail: %w", err)
	}
	j.Handle(JobSend, jobs.Handler{Run: m.run, Done: m.done, Backoff: backoff, Retry: retry})
	return m, nil
}

// Configured reports whether a mail server is configured.
func (m *Mail) Configured() bool { return m.o.Host != "" }

// check completes the options and refuses those that cannot work.
func (m *Mail) check() error {
	u, err := url.Parse(m.o.PortalURL)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || strings.HasSuffix(m.o.PortalURL, "/") {
		return fmt.Errorf("the portal's address is not one that links can begin with: %q", m.o.PortalURL)
	}
	if m.o.Host == "" { // mails are composed all the same, so that what was not sent can be seen
		m.from = netmail.Address{Name: m.o.Company, Address: "unsent@" + invalidDomain}
		m.domain, m.bounces = invalidDomain, m.from.Address
		return nil
	}
	if err := m.checkServer(); err != nil {
		return err
	}
	if err := m.checkSender(); err != nil {
		return err
	}
	if d := m.o.DKIM; d != nil {
		if d.Domain == "" || d.Selector == "" {
			return fmt.Errorf("dkim: domain and selector are needed")
		}
		if m.dkim, err = gomail.PrivKeyFromPEM(d.Key); err != nil {
			return fmt.Errorf("dkim: %w", err)
		}
	}
	return nil
}

// invalidDomain is one that nothing is ever delivered to (RFC 2606).
const invalidDomain = "mail.invalid"

func (m *Mail) checkServer() error {
	o := &m.o
	if o.Security == "" {
		o.Security = StartTLS
	}
	switch {
	case !o.Security.Valid():
		return fmt.Errorf("unknown tls %q: starttls, implicit or loopback", o.Security)
	case o.Security == Loopback && !onLoopback(o.Host):
		return fmt.Errorf("tls: loopback is for a mail server on this machine; %s is not one", o.Host)
	case o.Port < 0 || o.Port > 65535:
		return fmt.Errorf("port %d is none", o.Port)
	case o.User != "" && o.Security == Loopback:
		return fmt.Errorf("a login is not sent over a connection without encryption: leave user out, or use starttls")
	}
	if o.Port == 0 {
		o.Port = o.Security.port()
	}
	if o.EHLO == "" {
		name, err := os.Hostname()
		if err != nil {
			return fmt.Errorf("ehlo: %w", err)
		}
		o.EHLO = name
	}
	if o.EHLO != tidy(o.EHLO) || strings.ContainsAny(o.EHLO, " <>") {
		return fmt.Errorf("ehlo: %q is not the name of a host", o.EHLO)
	}
	if o.Step <= 0 {
		o.Step = 30 * time.Second
	}
	if o.Final <= 0 {
		o.Final = 5 * time.Minute
	}
	if o.Dial == nil {
		o.Dial = (&net.Dialer{}).DialContext
	}
	return nil
}

func onLoopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

func (m *Mail) checkSender() error {
	from, err := sender(m.o.From)
	if err != nil {
		return fmt.Errorf("from: %w", err)
	}
	m.from, m.domain, m.bounces = *from, from.Address[strings.LastIndexByte(from.Address, '@')+1:], from.Address
	if m.o.ReplyTo != "" {
		if m.replyTo, err = sender(m.o.ReplyTo); err != nil {
			return fmt.Errorf("reply_to: %w", err)
		}
	}
	if m.o.BouncesTo != "" {
		back, err := sender(m.o.BouncesTo)
		if err != nil {
			return fmt.Errorf("bounces_to: %w", err)
		}
		m.bounces = back.Address
	}
	return nil
}

func sender(s string) (*netmail.Address, error) {
	a, err := netmail.ParseAddress(s)
	if err != nil {
		return nil, fmt.Errorf("%q is not an address: %w", s, err)
	}
	addr, ok := address(a.Address)
	if !ok {
		return nil, fmt.Errorf("%q is not an address", s)
	}
	return &netmail.Address{Name: tidy(a.Name), Address: addr}, nil
}

// server is our mail server's host and port.
func (o Options) server() string { return net.JoinHostPort(o.Host, strconv.Itoa(o.Port)) }

func (o Options) tls() *tls.Config {
	return &tls.Config{ServerName: o.Host, RootCAs: o.Roots, MinVersion: tls.VersionTLS12}
}
