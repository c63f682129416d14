package deploy

import (
	"bufio"
	"io"
	"net"
	"strings"

	"ostler/agents/wire"
)

const maxReply = 16 << 10 // bytes of all that a server says before TLS

// startTLSError is a server that does not change to TLS.
type startTLSError struct{ words string }

func (e *startTLSError) Error() string { return "deploy: " + e.words }

// startTLS speaks a protocol up to where TLS begins.
func startTLS(conn net.Conn, p wire.CertProtocol) error {
	if p == wire.ProtocolTLS {
		return nil
	}
	t := &talk{conn: conn, in: bufio.NewReaderSize(io.LimitReader(conn, maxReply), 1024)}
	var err error
	switch p {
	case wire.ProtocolSMTP:
		err = t.smtp()
	case wire.ProtocolIMAP:
		err = t.imap()
	case wire.ProtocolPOP3:
		err = t.pop3()
	default:
		return &startTLSError{"the protocol is not known here"}
	}
	if err == nil && t.in.Buffered() > 0 {
		return &startTLSError{"the server speaks before TLS has begun"}
	}
	return err
}

// talk is a conversation in lines.
type talk struct {
	conn net.Conn
	in   *bufio.Reader
}

func (t *talk) line() (string, error) {
	s, err := t.in.ReadString('\n')
	return strings.TrimRight(s, "\r\n"), err
}

func (t *talk) say(s string) error {
	_, err := io.WriteString(t.conn, s+"\r\n")
	return err
}

// smtp is RFC 3207.
func (t *talk) smtp() error {
	if _, err := t.reply("220"); err != nil {
		return err
	}
	if err := t.say("EHLO ostler-agent.invalid"); err != nil {
		return err
	}
	lines, err := t.reply("250")
	if err != nil {
		return err
	}
	offered := false
	for _, l := range lines {
		offered = offered || strings.EqualFold(strings.TrimSpace(l[4:]), "STARTTLS")
	}
	if !offered {
		return &startTLSError{"the server does not offer STARTTLS"}
	}
	if err := t.say("STARTTLS"); err != nil {
		return err
	}
	_, err = t.reply("220")
	return err
}

// reply reads a reply of one or more lines, which must have a code.
func (t *talk) reply(code string) (lines []string, err error) {
	for {
		l, err := t.line()
		if err != nil {
			return nil, err
		}
		if len(l) == 3 {
			l += " "
		}
		if len(l) < 4 || l[:3] != code {
			return nil, &startTLSError{"the server does not take STARTTLS"}
		}
		lines = append(lines, l)
		if l[3] == ' ' {
			return lines, nil
		}
	}
}

// imap is RFC 9051, 6.2.1.
func (t *talk) imap() error {
	l, err := t.line()
	if err != nil {
		return err
	}
	if !strings.HasPrefix(l, "* OK") {
		return &startTLSError{"what answers does not speak IMAP"}
	}
	if err := t.say("a STARTTLS"); err != nil {
		return err
	}
	for {
		if l, err = t.line(); err != nil {
			return err
		}
		if strings.HasPrefix(l, "* ") {
			continue
		}
		if !strings.HasPrefix(l, "a OK") {
			return &startTLSError{"the server does not take STARTTLS"}
		}
		return nil
	}
}

// pop3 is RFC 2595, 4.
func (t *talk) pop3() error {
	l, err := t.line()
	if err != nil {
		return err
	}
	if !strings.HasPrefix(l, "+OK") {
		return &startTLSError{"what answers does not speak POP3"}
	}
	if err := t.say("STLS"); err != nil {
		return err
	}
	if l, err = t.line(); err != nil {
		return err
	}
	if !strings.HasPrefix(l, "+OK") {
		return &startTLSError{"the server does not take STLS"}
	}
	return nil
}
