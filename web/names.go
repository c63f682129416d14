package web

import (
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// NamePart is a stretch of a file's name. Odd stretches stand for bytes that a
// reader could not see or would misread; Text is then their escaped form.
type NamePart struct {
	Text string
	Odd  bool
	Why  string // text key of what is odd
}

// NameParts splits the raw bytes of a name from a customer's server into what
// can be shown as it is and what must be marked: control characters, line
// breaks, marks that turn the direction of writing or have no width, bytes
// that are not UTF-8, and spaces at the edges.
func NameParts(raw []byte) []NamePart {
	var parts []NamePart
	add := func(p NamePart) {
		if n := len(parts); n > 0 && parts[n-1].Odd == p.Odd && parts[n-1].Why == p.Why {
			parts[n-1].Text += p.Text
			return
		}
		parts = append(parts, p)
	}
	for i := 0; i < len(raw); {
		r, size := utf8.DecodeRune(raw[i:])
		edge := i == 0 || i+size == len(raw)
		switch {
		case r == utf8.RuneError && size <= 1:
			add(NamePart{fmt.Sprintf(`\x%02x`, raw[i]), true, "name.bytes"})
			size = 1
		case r == '\n':
			add(NamePart{`\n`, true, "name.newline"})
		case r == '\t':
			add(NamePart{`\t`, true, "name.control"})
		case r == '\r':
			add(NamePart{`\r`, true, "name.control"})
		case unicode.IsControl(r):
			add(NamePart{fmt.Sprintf(`\x%02x`, r), true, "name.control"})
		case isDirection(r):
			add(NamePart{fmt.Sprintf("U+%04X", r), true, "name.direction"})
		case unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029' || r == 0x034f || r == 0x115f || r == 0x1160 || r == 0x3164:
			add(NamePart{fmt.Sprintf("U+%04X", r), true, "name.invisible"})
		case unicode.IsSpace(r) && (r != ' ' || edge):
			add(NamePart{"␣", true, "name.space"})
		default:
			add(NamePart{string(r), false, ""})
		}
		i += size
	}
	return parts
}

// isDirection reports whether r turns the direction of writing.
func isDirection(r rune) bool {
	return r == 0x061c || r == 0x200e || r == 0x200f || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

// PlainName is a name on one line of plain text, for titles and sentences: odd
// parts are escaped.
func PlainName(raw []byte) string {
	var b strings.Builder
	for _, p := range NameParts(raw) {
		b.WriteString(p.Text)
	}
	return b.String()
}

// query writes pairs of name and value for an address, in order; values that
// are "" are left out.
func query(pairs ...string) string {
	var out []string
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			out = append(out, pairs[i]+"="+url.QueryEscape(pairs[i+1]))
		}
	}
	return strings.Join(out, "&")
}

// pathQuery writes "path=..." with the raw bytes of a path percent-encoded, so
// that any name survives a link and a form's action.
func pathQuery(raw []byte) string { return "path=" + url.QueryEscape(string(raw)) }
