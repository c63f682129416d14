package mail

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"html/template"
	netmail "net/mail"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
	"golang.org/x/net/idna"
)

// page is the HTML of every mail: as plain as its text.
var page = template.Must(template.New("mail").Parse(`<!doctype html>
<html lang="{{.Lang}}"><head><meta charset="utf-8"><title>{{.Title}}</title></head>
<body>
<p>{{.Hello}}</p>
{{range .Lines}}{{if .Entries}}<ul>{{range .Entries}}<li>{{.}}</li>
{{end}}</ul>{{else if .Long}}<p style="white-space:pre-line">{{.Text}}</p>{{else}}<p>{{.Text}}</p>{{end}}
{{end}}<p>{{.Action}}:<br><a href="{{.Link}}">{{.Link}}</a></p>
<p>{{.Foot}}</p>
</body></html>
`))

// plain is the letter as text.
func (l letter) plain() string {
	var b strings.Builder
	for _, p := range l.Lines {
		b.WriteString(p.Text)
		for i, e := range p.Entries {
			if i > 0 {
				b.WriteByte('\n')
			}
			b.WriteString("- " + e)
		}
		b.WriteString("\n\n")
	}
	return l.Hello + "\n\n" + b.String() + l.Action + ":\n" + l.Link + "\n\n-- \n" + l.Foot + "\n"
}

func (l letter) html() (string, error) {
	var b bytes.Buffer
	err := page.Execute(&b, l)
	return b.String(), err
}

// rendered is a mail as it goes out, byte for byte.
type rendered struct {
	raw    []byte
	sha256 string
	title  string
}

// header is what a letter needs besides its words.
type header struct {
	messageID string // without angle brackets
	to, name  string
	date      time.Time
}

// render writes a letter as the bytes that are sent. They are fixed from then
// on; the boundary is random, so their hash says nothing to who has not got
// them. Signed they are where a DKIM key is configured.
func (m *Mail) render(l letter, h header) (rendered, error) {
	html, err := l.html()
	if err != nil {
		return rendered{}, err
	}
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent(), gomail.WithBoundary(strings.ToLower(rand.Text())))
	msg.SetAddrHeaderFromMailAddress(gomail.HeaderFrom, &m.from)
	msg.SetAddrHeaderFromMailAddress(gomail.HeaderTo, &netmail.Address{Name: tidy(h.name), Address: h.to})
	if m.replyTo != nil {
		msg.SetAddrHeaderFromMailAddress(gomail.HeaderReplyTo, m.replyTo)
	}
	msg.Subject(l.Title)
	msg.SetMessageIDWithValue(h.messageID)
	msg.SetDateWithValue(h.date)
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.SetGenHeader("Content-Language", l.Lang)
	msg.SetBodyString(gomail.TypeTextPlain, l.plain())
	msg.AddAlternativeString(gomail.TypeTextHTML, html)
	if m.dkim != nil {
		signer := gomail.NewDKIMSigner(m.o.DKIM.Domain, m.o.DKIM.Selector, m.dkim)
		signer.NowFunc = func() time.Time { return h.date }
		msg.SetDKIM(signer)
	}
	var b bytes.Buffer
	if _, err := msg.WriteTo(&b); err != nil {
		return rendered{}, fmt.Errorf("render: %w", err)
	}
	return rendered{raw: b.Bytes(), sha256: digest(b.Bytes()), title: l.Title}, nil
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// maxAddress is the longest address that SMTP carries, in bytes.
const maxAddress = 254

// address returns an e-mail address as SMTP takes it; ok is false for what is
// none. A domain in other letters is written in ASCII.
func address(s string) (addr string, ok bool) {
	if s == "" || len(s) > maxAddress || s != tidy(s) || strings.ContainsAny(s, " \t<>()\",;:\\[]") {
		return "", false
	}
	a, err := netmail.ParseAddress(s)
	if err != nil || a.Address != s || a.Name != "" {
		return "", false
	}
	at := strings.LastIndexByte(s, '@')
	domain, err := idna.Lookup.ToASCII(s[at+1:])
	if err != nil || domain == "" {
		return "", false
	}
	return s[:at+1] + domain, true
}

// link is a page of the portal; anything but a path of its own leads home.
func (m *Mail) link(path string) string {
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || path != tidy(path) || strings.ContainsAny(path, " \\\"<>") {
		path = "/"
	}
	return m.o.PortalURL + path
}
