package cast

import (
	"strings"
	"unicode/utf8"
)

// decoder makes text of a terminal's bytes. What a chunk ends with and may be the
// beginning of a rune waits for the next one.
type decoder struct {
	tail []byte
}

// decode returns the text of the next bytes; what is no UTF-8 is U+FFFD.
func (d *decoder) decode(data []byte) string {
	if len(d.tail) > 0 {
		data = append(d.tail, data...)
		d.tail = nil
	}
	for i := 1; i <= min(utf8.UTFMax-1, len(data)); i++ {
		b := data[len(data)-i]
		if utf8.RuneStart(b) {
			if !utf8.FullRune(data[len(data)-i:]) {
				d.tail = append([]byte(nil), data[len(data)-i:]...)
				data = data[:len(data)-i]
			}
			break
		}
	}
	return valid(string(data))
}

// rest returns what is left at the end.
func (d *decoder) rest() string {
	s := valid(string(d.tail))
	d.tail = nil
	return s
}

// valid replaces each byte that is no UTF-8 by U+FFFD.
func valid(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for _, r := range s { // an invalid byte is a RuneError of one byte
		b.WriteRune(r)
	}
	return b.String()
}

const hexDigits = "0123456789abcdef"

// appendJSON appends valid text as a JSON string.
func appendJSON(b []byte, s string) []byte {
	b = append(b, '"')
	from := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c != 0x7f {
			continue
		}
		b = append(b, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, `\n`...)
		case '\r':
			b = append(b, `\r`...)
		default:
			b = append(b, `\u00`...)
			b = append(b, hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return append(append(b, s[from:]...), '"')
}
