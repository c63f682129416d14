package controlplane

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// LineCut stands at the end of a Line that goes on.
const LineCut = "..."

// Line is a stranger's text (what a server answered, a program said, a
// certificate is called) as one line of at most max characters that no
// terminal, log or page acts on: blanks, line ends and control characters are
// one blank; what cannot be seen or turns the direction of writing is "?", and
// so is each byte that is no UTF-8. It hides no secrets: what may hold some is
// cleaned before.
func Line(s string, max int) string {
	var line []rune
	gap := false
	for i, r := range s {
		if unicode.IsSpace(r) || unicode.IsControl(r) {
			gap = len(line) > 0
			continue
		}
		if !unicode.IsPrint(r) || r == utf8.RuneError && !strings.HasPrefix(s[i:], string(utf8.RuneError)) {
			r = '?'
		}
		if gap {
			line, gap = append(line, ' '), false
		}
		if line = append(line, r); len(line) > max {
			return string(line[:max-min(max, len(LineCut))]) + LineCut[:min(max, len(LineCut))]
		}
	}
	return string(line)
}
