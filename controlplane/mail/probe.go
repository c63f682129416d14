package mail

import (
	"context"

	"ostler/controlplane"
)

// Probe is what our mail server says of itself.
type Probe struct {
	Server string // host and port
	TLS    string // "TLS 1.3"; "" on this machine
	Peer   string // SHA-256 of its certificate, hex
	DSN    bool   // it reports failures in the way that we ask for
}

// Check connects to the mail server of the options and signs in, and sends
// nothing.
//
// Errors: unavailable, with the server's words; invalid options.
func Check(ctx context.Context, o Options) (Probe, error) {
	m := &Mail{o: o}
	if err := m.check(); err != nil {
		return Probe{}, wrap("check", err)
	}
	if !m.Configured() {
		return Probe{}, controlplane.Errorf(controlplane.CodeUnavailable, "Set the mail section of the configuration.", "No mail server is configured")
	}
	s, res := m.o.connect(ctx, false)
	defer s.close()
	p := Probe{Server: m.o.server(), TLS: res.tls, Peer: res.peer, DSN: res.dsn}
	if res.cause != CauseNone {
		return p, controlplane.Errorf(controlplane.CodeUnavailable, nextOf[res.cause], "The mail server %s cannot be used: %s", p.Server, res.reply)
	}
	return p, nil
}

// nextOf is what to do about a cause between us and our mail server.
var nextOf = map[Cause]string{
	CauseUnreachable: "See that it runs, and that this machine may reach it: host, port, firewall.",
	CauseNoTLS:       "Turn encryption on at the mail server, or use the port that has it (587 with starttls, 465 with implicit).",
	CauseCertificate: "Give the mail server a certificate of its name, or name its authority in mail.ca_file.",
	CauseLogin:       "Check mail.user and mail.password_file.",
}
