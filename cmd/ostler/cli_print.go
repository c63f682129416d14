package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// safe returns text that cannot steer a terminal or be misread: control
// characters, marks that turn the direction of writing or have no width, and
// bytes that are not UTF-8 are escaped as in Go; so is a backslash where
// anything else was, so that nothing is ambiguous.
func safe(s string) string { return escape(s, false) }

// safeName is safe for the name of a file from a server: a backslash is always
// escaped, and spaces at the edges are.
func safeName(raw []byte) string { return escape(string(raw), true) }

func escape(s string, name bool) string {
	odd := name && strings.ContainsRune(s, '\\')
	for i, r := range s {
		if odd = odd || !plain(r) || r == utf8.RuneError && isBadByte(s[i:]); odd {
			break
		}
	}
	edges := name && strings.TrimSpace(s) != s
	if !odd && !edges {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n <= 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
			n = 1
		case r == ' ' && edges && (strings.TrimLeft(s[:i], " ") == "" || strings.TrimRight(s[i:], " ") == ""):
			b.WriteString(`\x20`)
		case r == '\\':
			b.WriteString(`\\`)
		case !plain(r):
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		default:
			b.WriteRune(r)
		}
		i += n
	}
	return b.String()
}

func isBadByte(s string) bool {
	_, n := utf8.DecodeRuneInString(s)
	return n <= 1
}

// plain reports whether a rune shows as what it is. The last ones are letters
// by Unicode's classes that nobody can see.
func plain(r rune) bool {
	return strconv.IsPrint(r) && r != 0x115f && r != 0x1160 && r != 0x3164 && r != 0xffa0 && r != 0x2800 && r != 0x034f
}

// columns is how many columns of a terminal a text takes.
func columns(s string) int {
	n := 0
	for _, r := range s {
		if k := width.LookupRune(r).Kind(); k == width.EastAsianWide || k == width.EastAsianFullwidth {
			n++
		}
		n++
	}
	return n
}

// cell is one value of a table. right aligns it; tone colours it.
type cell struct {
	text  string
	right bool
	tone  string
}

func text(s string) cell   { return cell{text: s} }
func number(s string) cell { return cell{text: s, right: true} }

// The tones of words.
const (
	toneGood = "32"
	toneWarn = "33"
	toneBad  = "31"
)

// state is a word with a tone; the word tells everything, the colour only helps.
func state(s string) cell {
	tone := ""
	switch s {
	case "complete", "succeeded", "ready", "active", "connected", "ok", "undone", "served", "done":
		tone = toneGood
	case "partial", "warn", "unconfirmed", "choosing", "interrupted", "missed", "skipped", "expired", "unknown", "previewed", "cancelled", "building", "declined", "waiting", "ordering", "requesting", "deploying":
		tone = toneWarn
	case "failed", "bad", "silent", "rejected", "damaged", "unserved", "revoked", "rolled_back":
		tone = toneBad
	}
	return cell{text: s, tone: tone}
}

// colour reports whether out may be coloured.
func (c *client) colour() bool {
	return c.outTerm && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// table prints rows under their heads, each column as wide as its widest value.
// On anything but a terminal it looks the same, without colour.
func (c *client) table(heads []string, rows [][]cell) error {
	all := make([][]cell, 0, len(rows)+1)
	head := make([]cell, len(heads))
	for i, h := range heads {
		head[i] = text(h)
		if len(rows) > 0 {
			head[i].right = rows[0][i].right
		}
	}
	all = append(append(all, head), rows...)
	wide := make([]int, len(heads))
	for _, r := range all {
		for i := range r {
			r[i].text = safe(r[i].text)
			wide[i] = max(wide[i], columns(r[i].text))
		}
	}
	var b strings.Builder
	for _, r := range all {
		var line strings.Builder
		for i, v := range r {
			pad := strings.Repeat(" ", wide[i]-columns(v.text))
			shown := v.text
			if v.tone != "" && c.colour() {
				shown = "\x1b[" + v.tone + "m" + shown + "\x1b[0m"
			}
			if i > 0 {
				line.WriteString("  ")
			}
			if v.right {
				line.WriteString(pad + shown)
			} else {
				line.WriteString(shown + pad)
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	_, err := io.WriteString(c.out, b.String())
	return err
}

// pair is one line of a list of facts; those without a value are left out.
type pair struct {
	name  string
	value cell
}

// facts prints what is known of one thing.
func (c *client) facts(pairs ...pair) error {
	wide := 0
	for _, p := range pairs {
		if p.value.text != "" {
			wide = max(wide, len(p.name))
		}
	}
	for _, p := range pairs {
		if p.value.text == "" {
			continue
		}
		shown := safe(p.value.text)
		if p.value.tone != "" && c.colour() {
			shown = "\x1b[" + p.value.tone + "m" + shown + "\x1b[0m"
		}
		if _, err := fmt.Fprintf(c.out, "%-*s  %s\n", wide+1, p.name+":", shown); err != nil {
			return err
		}
	}
	return nil
}

// json prints what the API answered, indented. What could steer a terminal is
// escaped as JSON allows.
func (c *client) json(raw []byte) error {
	var b bytes.Buffer
	if err := json.Indent(&b, bytes.TrimSpace(raw), "", "  "); err != nil {
		return fmt.Errorf("the control plane's answer is not JSON: %w", err)
	}
	b.WriteByte('\n')
	_, err := io.WriteString(c.out, asciiOdd(b.String()))
	return err
}

// asciiOdd escapes what is not plain in JSON; outside of strings JSON has none of it.
func asciiOdd(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r < utf8.RuneSelf && r != 0x7f || plain(r):
			b.WriteRune(r)
		case r > 0xffff:
			r -= 0x10000
			fmt.Fprintf(&b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// say writes one line to standard error: progress, notes, what to do next.
func (c *client) say(format string, args ...any) {
	_, _ = fmt.Fprintln(c.errw, safe(fmt.Sprintf(format, args...)))
}

// when shows an instant of the API: "2026-11-20 02:14:07Z".
func when(instant string) string {
	if len(instant) < 19 || instant[10] != 'T' {
		return instant
	}
	return instant[:10] + " " + instant[11:19] + "Z"
}

// size shows bytes in binary units with three figures, and bytes below 1024 exactly.
func size(n int64) string {
	if n < 1024 {
		return strconv.FormatInt(n, 10) + " B"
	}
	v, unit := float64(n), ""
	for _, unit = range []string{"KiB", "MiB", "GiB", "TiB", "PiB"} {
		v /= 1024
		if v < 1023.5 {
			break
		}
	}
	digits := 0
	switch {
	case v < 9.995:
		digits = 2
	case v < 99.95:
		digits = 1
	}
	return strconv.FormatFloat(v, 'f', digits, 64) + " " + unit
}

func count(n int64) string { return strconv.FormatInt(n, 10) }

// plural is a count with its noun.
func plural(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return count(n) + " " + many
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
