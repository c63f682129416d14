package mail

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	netmail "net/mail"
	"net/textproto"
	"regexp"
	"strconv"
	"strings"

	"ostler/controlplane"
)

// maxReport bounds a report, in bytes; whatever is returned with it is cut by
// who reports.
const maxReport = 1 << 20

// notification is what a report of RFC 3464 says about one mail of ours.
type notification struct {
	messageIDs []string // that it may be about, without angle brackets
	reporter   string
	action     string
	status     string
	diagnostic string
}

// errNoReport says that bytes are not a delivery status notification.
var errNoReport = errors.New("not a delivery status notification")

// parseReport reads a multipart/report. It trusts nothing in it: every value is
// bounded and of a known form, or left out.
func parseReport(raw []byte) (n notification, err error) {
	if len(raw) > maxReport {
		return n, fmt.Errorf("%w: more than %d bytes", errNoReport, maxReport)
	}
	msg, err := netmail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return n, fmt.Errorf("%w: %w", errNoReport, err)
	}
	kind, params, err := mime.ParseMediaType(msg.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/report" || !strings.EqualFold(params["report-type"], "delivery-status") || params["boundary"] == "" {
		return n, errNoReport
	}
	parts := multipart.NewReader(msg.Body, params["boundary"])
	found := false
	for range maxParts {
		part, err := parts.NextRawPart()
		if err != nil { // the end, or cut off
			break
		}
		body, err := io.ReadAll(decoded(part))
		if err != nil && len(body) == 0 {
			continue
		}
		switch kind, _, _ := mime.ParseMediaType(part.Header.Get("Content-Type")); kind {
		case "message/delivery-status", "message/global-delivery-status":
			found = n.status3464(body) || found
		case "message/rfc822", "message/rfc822-headers", "text/rfc822-headers", "message/global", "message/global-headers":
			n.returned(body)
		}
	}
	if !found {
		return n, fmt.Errorf("%w: it has no status", errNoReport)
	}
	return n, nil
}

const maxParts = 10

func decoded(p *multipart.Part) io.Reader {
	switch strings.ToLower(p.Header.Get("Content-Transfer-Encoding")) {
	case "base64":
		return base64.NewDecoder(base64.StdEncoding, p)
	case "quoted-printable":
		return quotedprintable.NewReader(p)
	}
	return p
}

// actions are those of RFC 3464, the worst first.
var actions = []string{"failed", "delayed", "delivered", "relayed", "expanded"}

var (
	statusForm = regexp.MustCompile(`^[245]\.\d{1,3}\.\d{1,3}`)
	hostForm   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.\-]{0,252}$`)
)

// fieldsOf reads groups of fields. Servers quote others in them: what no field
// may hold must not cost the rest.
func fieldsOf(body []byte) *textproto.Reader {
	body = bytes.Map(func(r rune) rune {
		if r < ' ' && r != '\r' && r != '\n' && r != '\t' || r == 0x7f {
			return ' '
		}
		return r
	}, bytes.TrimLeft(body, "\r\n"))
	return textproto.NewReader(bufio.NewReader(io.MultiReader(bytes.NewReader(body), strings.NewReader("\r\n\r\n"))))
}

// status3464 reads the groups of fields; it reports whether one says what
// became of the mail. A mail of ours has one recipient: of several groups (an
// alias that was expanded) the worst counts.
func (n *notification) status3464(body []byte) bool {
	r := fieldsOf(body)
	for range maxParts {
		fields, err := r.ReadMIMEHeader()
		if len(fields) == 0 && err != nil {
			break
		}
		if id := unxtext(fields.Get("Original-Envelope-Id")); id != "" {
			n.addID(id)
		}
		if host := afterType(fields.Get("Reporting-Mta")); hostForm.MatchString(host) {
			n.reporter = host
		}
		n.recipient(fields)
		if err != nil {
			break
		}
	}
	return n.action != ""
}

func (n *notification) recipient(fields textproto.MIMEHeader) {
	action := strings.ToLower(strings.TrimSpace(fields.Get("Action")))
	rank := index(actions, action)
	if rank < 0 || n.action != "" && rank >= index(actions, n.action) {
		return
	}
	n.action, n.status = action, statusForm.FindString(strings.TrimSpace(fields.Get("Status")))
	n.diagnostic = controlplane.Line(afterType(fields.Get("Diagnostic-Code")), 500)
}

func index(all []string, s string) int {
	for i, x := range all {
		if x == s {
			return i
		}
	}
	return -1
}

// afterType is the value behind "dns;" or "smtp;".
func afterType(s string) string {
	if _, value, ok := strings.Cut(s, ";"); ok {
		s = value
	}
	return strings.TrimSpace(s)
}

// returned takes the Message-ID of the mail that came back.
func (n *notification) returned(body []byte) {
	head, _ := fieldsOf(body).ReadMIMEHeader()
	n.addID(head.Get("Message-Id"))
}

func (n *notification) addID(s string) {
	s = strings.TrimPrefix(strings.Trim(strings.TrimSpace(s), "<>"), noticePrefix)
	if s != "" && len(s) <= maxAddress && s == tidy(s) {
		n.messageIDs = append(n.messageIDs, s)
	}
}

// unxtext is the inverse of xtext; "" for what is none.
func unxtext(s string) string {
	var b strings.Builder
	for s = strings.TrimSpace(s); s != ""; s = s[1:] {
		if s[0] != '+' {
			b.WriteByte(s[0])
			continue
		}
		if len(s) < 3 {
			return ""
		}
		c, err := strconv.ParseUint(s[1:3], 16, 8)
		if err != nil {
			return ""
		}
		b.WriteByte(byte(c))
		s = s[2:]
	}
	return b.String()
}
