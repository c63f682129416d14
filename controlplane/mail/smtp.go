package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/wneessen/go-mail/smtp"

	"ostler/controlplane"
)

// lastWord is how long a try that is told to stop still waits for the answer to
// a mail that it has handed over.
const lastWord = 10 * time.Second

// envelope is what goes out, and to whom.
type envelope struct {
	from, to string
	id       string // comes back in reports (ENVID)
	full     []byte
	notice   []byte // in its place where the server offers no encryption; nil: then it waits
}

// result is how a try ended.
type result struct {
	outcome  Outcome
	cause    Cause
	code     int
	reply    string
	queueID  string
	content  Content
	tls      string
	peer     string
	dsn      bool
	talked   bool // the server answered as far as the recipient
	attempt  int  // the stored try, 0 where none was
	stopped  error
	messages []byte
}

// session is a connection to our mail server.
type session struct {
	o      Options
	conn   net.Conn
	smtp   *smtp.Client
	handed atomic.Bool // the final dot may have gone out
	stop   func() bool
	res    result // what is known so far
}

// connect opens a connection and signs in. Where the result has a cause, it did
// not come that far.
func (o Options) connect(ctx context.Context, clear bool) (*session, result) {
	s := &session{o: o, res: result{content: Full}, stop: func() bool { return true }}
	dialing, cancel := context.WithTimeout(ctx, o.Step)
	defer cancel()
	conn, err := o.Dial(dialing, "tcp", o.server())
	if err != nil {
		return s, s.failed(CauseUnreachable, err)
	}
	s.conn = conn
	s.stop = context.AfterFunc(ctx, s.abort)
	if err := conn.SetDeadline(time.Now().Add(o.Step)); err != nil {
		return s, s.failed(CauseUnreachable, err)
	}
	if o.Security == Implicit {
		secure := tls.Client(conn, o.tls())
		if err := secure.HandshakeContext(dialing); err != nil {
			return s, s.failed(tlsCause(err), err)
		}
		conn = secure
	}
	if s.smtp, err = smtp.NewClient(conn, o.Host); err != nil {
		return s, s.failed(CauseUnreachable, err)
	}
	if err := s.step(func() error { return s.smtp.Hello(o.EHLO) }); err != nil {
		return s, s.failed(CauseUnreachable, err)
	}
	if r, ok := s.encrypt(clear); !ok {
		return s, r
	}
	s.res.dsn, _ = s.smtp.Extension("DSN")
	return s, s.login()
}

// encrypt protects the connection; ok is false where mail may not go over it.
func (s *session) encrypt(clear bool) (r result, ok bool) {
	if s.o.Security == StartTLS {
		offered, _ := s.smtp.Extension("STARTTLS")
		switch {
		case !offered && clear:
			s.res.content = Notice
			return s.res, true
		case !offered:
			return s.failed(CauseNoTLS, errors.New("the mail server offers no encryption (STARTTLS)")), false
		}
		if err := s.step(func() error { return s.smtp.StartTLS(s.o.tls()) }); err != nil {
			return s.failed(tlsCause(err), err), false
		}
	}
	if state, ok := s.smtp.TLSConnectionState(); ok {
		s.res.tls = tls.VersionName(state.Version)
		s.res.peer = digest(state.PeerCertificates[0].Raw)
	}
	return s.res, true
}

// tlsCause tells a certificate that does not verify from a server that refuses.
func tlsCause(err error) Cause {
	var cert *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var said *textproto.Error
	switch {
	case errors.As(err, &cert), errors.As(err, new(x509.HostnameError)):
		return CauseCertificate
	case errors.As(err, &record), errors.As(err, &alert), errors.As(err, &said):
		return CauseNoTLS
	}
	return CauseUnreachable
}

// login signs in where a user is configured, never over a clear connection.
func (s *session) login() result {
	if s.o.User == "" || s.res.tls == "" {
		return s.res
	}
	_, offered := s.smtp.Extension("AUTH")
	mechanisms := " " + strings.ToUpper(offered) + " "
	var auth smtp.Auth
	switch {
	case strings.Contains(mechanisms, " SCRAM-SHA-256 "):
		auth = smtp.ScramSHA256Auth(s.o.User, s.o.Password)
	case strings.Contains(mechanisms, " PLAIN "):
		auth = smtp.PlainAuth("", s.o.User, s.o.Password, s.o.Host, false)
	case strings.Contains(mechanisms, " LOGIN "):
		auth = smtp.LoginAuth(s.o.User, s.o.Password, s.o.Host, false)
	default:
		return s.failed(CauseLogin, errors.New("the mail server offers no login that we know (SCRAM-SHA-256, PLAIN, LOGIN)"))
	}
	if err := s.step(func() error { return s.smtp.Auth(auth) }); err != nil {
		return s.failed(reachCause(err, CauseLogin), err)
	}
	return s.res
}

// reachCause is what the server's own word means, and unreachable where it
// said nothing.
func reachCause(err error, said Cause) Cause {
	var e *textproto.Error
	if errors.As(err, &e) && e.Code >= 500 {
		return said
	}
	return CauseUnreachable
}

// step bounds one exchange.
func (s *session) step(do func() error) error {
	if err := s.smtp.UpdateDeadline(s.o.Step); err != nil {
		return err
	}
	return do()
}

// abort ends the connection when the try is told to stop; what was handed over
// has a moment for its answer.
func (s *session) abort() {
	if s.handed.Load() {
		_ = s.conn.SetReadDeadline(time.Now().Add(lastWord))
		return
	}
	_ = s.conn.Close()
}

func (s *session) close() {
	s.stop()
	if s.smtp != nil && s.smtp.UpdateDeadline(time.Second) == nil {
		_ = s.smtp.Quit()
	}
	if s.conn != nil {
		_ = s.conn.Close()
	}
}

// failed is a result of one cause: the mail is tried again.
func (s *session) failed(c Cause, err error) result {
	r := s.res
	r.outcome, r.cause, r.reply = OutcomeDeferred, c, said(err)
	var e *textproto.Error
	if errors.As(err, &e) {
		r.code = e.Code
	}
	return r
}

// said is an error as the evidence keeps it: one bounded line.
func said(err error) string {
	const most = 500
	var e *textproto.Error
	text := err.Error()
	if errors.As(err, &e) {
		text = fmt.Sprintf("%d %s", e.Code, e.Msg)
	}
	return controlplane.Line(text, most)
}

// send hands a mail over. store is called when the server has taken the
// recipient and nothing of the mail has gone out yet; an error of it ends the try.
func (s *session) send(env envelope, store func(r *result) error) result {
	if r, ok := s.address(env); !ok {
		return r
	}
	s.res.talked = true
	body := env.full
	if s.res.content == Notice {
		body = env.notice
	}
	s.res.messages = body
	if err := store(&s.res); err != nil {
		s.res.stopped = err
		return s.res
	}
	if err := s.smtp.UpdateDeadline(s.o.Step); err != nil {
		return s.failed(CauseLost, err)
	}
	w, err := s.smtp.Data()
	if err != nil {
		return s.answered(err, CauseLost)
	}
	if _, err := w.Write(body); err != nil {
		return s.failed(CauseLost, err)
	}
	if err := s.smtp.UpdateDeadline(s.o.Final); err != nil {
		return s.failed(CauseLost, err)
	}
	s.handed.Store(true) // after the deadline, so that abort's stands
	if err := w.Close(); err != nil {
		return s.answered(err, CauseUnknown)
	}
	r := s.res
	r.outcome, r.cause, r.code = OutcomeAccepted, CauseNone, 250
	if closed, ok := w.(*smtp.DataCloser); ok {
		r.reply = controlplane.Line("250 "+closed.ServerResponse(), 500)
		r.queueID = queueID(closed.ServerResponse())
	}
	return r
}

// address names sender and recipient; ok is false where the server does not
// take them.
func (s *session) address(env envelope) (r result, ok bool) {
	from, to := "MAIL FROM:<"+env.from+">", "RCPT TO:<"+env.to+">"
	if !ascii(env.from + env.to) {
		if utf8, _ := s.smtp.Extension("SMTPUTF8"); !utf8 {
			r = s.res
			r.outcome, r.cause, r.reply = OutcomeRefused, CauseAddress, "the mail server does not take addresses in such letters (SMTPUTF8)"
			return r, false
		}
		from += " SMTPUTF8"
	}
	if s.res.dsn {
		from += " RET=HDRS ENVID=" + xtext(env.id)
		to += " NOTIFY=FAILURE,DELAY"
		if ascii(env.to) {
			to += " ORCPT=rfc822;" + xtext(env.to)
		}
	}
	if err := s.command(from); err != nil {
		r = s.answered(err, CauseLost)
		if r.cause == CauseRefused { // it is us whom the server refuses
			r.outcome, r.cause = OutcomeDeferred, CauseLogin
		}
		return r, false
	}
	if err := s.command(to); err != nil {
		r = s.answered(err, CauseLost)
		r.talked = r.code != 0
		return r, false
	}
	return s.res, true
}

func (s *session) command(line string) error {
	return s.step(func() error {
		id, err := s.smtp.Text.Cmd("%s", line)
		if err != nil {
			return err
		}
		s.smtp.Text.StartResponse(id)
		defer s.smtp.Text.EndResponse(id)
		_, _, err = s.smtp.Text.ReadResponse(25)
		return err
	})
}

// answered is the result of a server's answer, and of silence where it gave none.
func (s *session) answered(err error, silence Cause) result {
	var e *textproto.Error
	if !errors.As(err, &e) {
		r := s.failed(silence, err)
		if silence == CauseUnknown {
			r.outcome = OutcomeUnknown
		}
		return r
	}
	r := s.failed(CauseLater, err)
	if e.Code >= 500 {
		r.outcome, r.cause = OutcomeRefused, CauseRefused
	}
	return r
}

func ascii(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r > 126 || r < 32 }) < 0
}

// xtext is RFC 3461's way to write any text in an SMTP parameter.
func xtext(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c < '!' || c > '~' || c == '+' || c == '=' {
			fmt.Fprintf(&b, "+%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// queueIDs are the ways in which servers name a mail that they took.
var queueIDs = regexp.MustCompile(`(?i)(?:queued as |\bid=|internalid=|^2\.0\.0 )([A-Za-z0-9][A-Za-z0-9.\-]{4,63})(?:\W|$)`)

func queueID(reply string) string {
	if found := queueIDs.FindStringSubmatch(reply); found != nil {
		return found[1]
	}
	return ""
}
