// Package mailtest is a mail server for tests and for the demo: real SMTP with
// STARTTLS over loopback, which keeps what it takes and delivers nothing. It
// keeps true that a message is in its list if and only if it was taken, however
// the connection ended, so that what arrived twice is seen.
package mailtest

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/mail"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-smtp"

	outgoing "ostler/controlplane/mail"
)

// Options are a sink's; the zero value listens on a free port of loopback with
// STARTTLS, and takes everything.
type Options struct {
	Addr     string   // "" is 127.0.0.1:0
	Names    []string // in its certificate; nil is localhost and 127.0.0.1
	Security outgoing.Security
	// NoTLS has it offer no STARTTLS.
	NoTLS bool
	// User and Password are asked for where they are set.
	User, Password string
	// NoDSN and NoUTF8 have it leave an extension out.
	NoDSN, NoUTF8 bool
	// Dir keeps each message as a file, NNNN.eml; "" keeps them in memory only.
	Dir string
	// Clock is when messages arrived; nil is the process's.
	Clock func() time.Time
}

// Message is what a sink took.
type Message struct {
	From, To   string
	At         time.Time
	Raw        []byte
	MessageID  string // with its angle brackets
	Subject    string // decoded
	TLS        bool
	User       string // who signed in
	EnvelopeID string
	Notify     []string
	QueueID    string
	File       string // "" without Options.Dir
}

// Moment is where a rule of a script applies.
type Moment string

// The moments of a conversation.
const (
	Connect Moment = "connect"
	Mail    Moment = "mail"
	Rcpt    Moment = "rcpt"
	Data    Moment = "data"  // the message was read and is not taken
	Taken   Moment = "taken" // it is taken and not answered
)

// Action is what a script has a sink do; the zero value lets it go on.
type Action struct {
	Code int    // a reply to give instead: 450, 550
	Text string // its text
	Drop bool   // end the connection without a reply
	Wait <-chan struct{}
}

// Script decides at a moment. m has what is known by then.
type Script func(at Moment, m Message) Action

// Sink is a running mail server.
type Sink struct {
	o      Options
	ca     authority
	ln     net.Listener
	server *smtp.Server
	done   chan struct{}

	mu     sync.Mutex
	script Script
	taken  []Message
	seen   int // connections
}

// Start starts a sink. It listens when Start returns.
func Start(o Options) (*Sink, error) {
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	if o.Names == nil {
		o.Names = []string{"localhost", "127.0.0.1"}
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Dir != "" {
		if err := os.MkdirAll(o.Dir, 0o700); err != nil {
			return nil, fmt.Errorf("mailtest: %w", err)
		}
	}
	s := &Sink{o: o, done: make(chan struct{})}
	ca, cert, err := newAuthority(o.Names)
	if err != nil {
		return nil, fmt.Errorf("mailtest: certificate: %w", err)
	}
	s.ca = ca
	if s.ln, err = net.Listen("tcp", o.Addr); err != nil {
		return nil, fmt.Errorf("mailtest: %w", err)
	}
	s.server = smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &session{sink: s, conn: c}, nil }))
	s.server.Domain, s.server.ErrorLog = "mail.demo.invalid", log.New(io.Discard, "", 0)
	s.server.ReadTimeout, s.server.WriteTimeout, s.server.MaxMessageBytes = 5*time.Minute, time.Minute, 10<<20
	s.server.EnableDSN, s.server.EnableSMTPUTF8 = !o.NoDSN, !o.NoUTF8
	s.server.AllowInsecureAuth = false
	config := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	var ln net.Listener = &gate{Listener: s.ln, sink: s}
	switch {
	case o.Security == outgoing.Implicit:
		ln = tls.NewListener(ln, config)
	case !o.NoTLS && o.Security != outgoing.Loopback:
		s.server.TLSConfig = config
	}
	go func() {
		defer close(s.done)
		_ = s.server.Serve(ln) // it ends with Close
	}()
	return s, nil
}

// StartIn starts a sink that keeps its messages in the folder dir, one file
// each, and its authority's certificate beside them: all that a demo needs for
// mail.host, mail.port and mail.ca_file.
func StartIn(dir string) (s *Sink, caFile string, err error) {
	if s, err = Start(Options{Dir: dir}); err != nil {
		return nil, "", err
	}
	caFile = filepath.Join(dir, "ca.pem")
	if err := s.WriteCA(caFile); err != nil {
		_ = s.Close()
		return nil, "", err
	}
	return s, caFile, nil
}

// Close stops it and waits for that.
func (s *Sink) Close() error {
	err := s.server.Close()
	<-s.done
	return err
}

// Addr is its host and port.
func (s *Sink) Addr() string { return s.ln.Addr().String() }

// Options are what a control plane needs to send to it: host, port, roots,
// login.
func (s *Sink) Options() outgoing.Options {
	addr := s.ln.Addr().(*net.TCPAddr) // it listens on tcp
	o := outgoing.Options{Host: addr.IP.String(), Port: addr.Port, Security: s.o.Security, Roots: s.Roots(), User: s.o.User, Password: s.o.Password}
	if o.Security == "" {
		o.Security = outgoing.StartTLS
	}
	return o
}

// Roots verify its certificate.
func (s *Sink) Roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(s.ca.pem)
	return pool
}

// WriteCA writes its authority's certificate to a PEM file, for mail.ca_file.
func (s *Sink) WriteCA(path string) error {
	if err := os.WriteFile(path, s.ca.pem, 0o600); err != nil {
		return fmt.Errorf("mailtest: %w", err)
	}
	return nil
}

// Peer is the SHA-256 of its certificate, hex.
func (s *Sink) Peer() string { return s.ca.leaf }

// Play sets the script; nil takes everything.
func (s *Sink) Play(script Script) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script = script
}

// Messages are what it has taken, in that order.
func (s *Sink) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.taken)
}

// Connections is how often somebody connected.
func (s *Sink) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen
}

// Counts says how often each Message-ID was taken.
func (s *Sink) Counts() map[string]int {
	counts := map[string]int{}
	for _, m := range s.Messages() {
		counts[m.MessageID]++
	}
	return counts
}

// Wait waits until it has taken at least n messages.
func (s *Sink) Wait(ctx context.Context, n int) error {
	for t := time.NewTicker(5 * time.Millisecond); ; {
		if len(s.Messages()) >= n {
			t.Stop()
			return nil
		}
		select {
		case <-ctx.Done():
			t.Stop()
			return fmt.Errorf("mailtest: %d of %d messages: %w", len(s.Messages()), n, ctx.Err())
		case <-t.C:
		}
	}
}

func (s *Sink) decide(at Moment, m Message) Action {
	s.mu.Lock()
	script := s.script
	if at == Connect {
		s.seen++
	}
	s.mu.Unlock()
	if script == nil {
		return Action{}
	}
	a := script(at, m)
	if a.Wait != nil {
		<-a.Wait
	}
	return a
}

// take keeps a message.
func (s *Sink) take(m *Message) error {
	m.At, m.QueueID = s.o.Clock().UTC(), rand.Text()[:11]
	if msg, err := mail.ReadMessage(strings.NewReader(string(m.Raw))); err == nil {
		m.MessageID = msg.Header.Get("Message-Id")
		m.Subject = decode(msg.Header.Get("Subject"))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.o.Dir != "" {
		m.File = filepath.Join(s.o.Dir, fmt.Sprintf("%04d.eml", len(s.taken)+1))
		if err := os.WriteFile(m.File, m.Raw, 0o600); err != nil {
			return err
		}
	}
	s.taken = append(s.taken, *m)
	return nil
}
