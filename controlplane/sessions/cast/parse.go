package cast

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// what is what a token is.
type what int

// The tokens of a terminal's text.
const (
	printed  what = iota // one rune to be shown
	control              // a C0 control: end of line, backspace
	escape               // ESC and one or more characters
	csi                  // ESC [ parameters final
	text                 // a string for the terminal: OSC, DCS, APC, PM, SOS; its end is dropped
	overlong             // a string, or a sequence, that did not end
)

// token is one thing that a terminal acts on.
type token struct {
	what  what
	r     rune   // printed, control: it; escape, csi: the last character
	param string // csi: all between; escape: what stands before the last character
}

// append appends the token as the terminal got it.
func (t token) append(b []byte) []byte {
	switch t.what {
	case escape:
		return utf8.AppendRune(append(append(b, 0x1b), t.param...), t.r)
	case csi:
		return utf8.AppendRune(append(append(b, 0x1b, '['), t.param...), t.r)
	}
	return utf8.AppendRune(b, t.r)
}

// shown reports whether an asciicast may have the token: what paints, and
// nothing that changes a title or clipboard, moves a window, or makes a
// terminal answer as if somebody typed.
func (t token) shown() bool {
	switch t.what {
	case printed:
		return true
	case control:
		return t.r != 0x05 && t.r != 0x07 && t.r != 0x7f // ENQ asks for an answer, BEL rings
	case escape:
		return t.r != 'Z' && (t.r != 'c' || t.param == "") // DECID asks
	case csi:
		if strings.HasPrefix(t.param, "?") {
			return t.private()
		}
		return strings.ContainsRune("@ABCDEFGHIJKLMPSTXZ`abdefghlmrsu", t.r) && t.plain()
	}
	return false
}

// plain reports whether the parameters are numbers that a screen has.
func (t token) plain() bool {
	digits := 0
	for _, r := range t.param {
		switch {
		case r >= '0' && r <= '9':
			if digits++; digits > 4 {
				return false
			}
		case r == ';' || r == ':':
			digits = 0
		default:
			return false
		}
	}
	return true
}

// private reports whether the token sets modes that paint: the other screen,
// the cursor, wrapping. Mouse reports, pasted brackets and the like are left out.
func (t token) private() bool {
	if t.r != 'h' && t.r != 'l' {
		return false
	}
	for p := range strings.SplitSeq(t.param[1:], ";") {
		switch p {
		case "6", "7", "25", "47", "1047", "1048", "1049":
		default:
			return false
		}
	}
	return true
}

// number returns the i-th parameter of a csi, def where it is empty or none.
func (t token) number(i, def int) int {
	for p := range strings.SplitSeq(t.param, ";") {
		if i--; i < 0 {
			n, err := strconv.Atoi(p)
			if err != nil || n <= 0 {
				return def
			}
			return min(n, 10_000)
		}
	}
	return def
}

// alternate reports whether the token enters or leaves the other screen.
func (t token) alternate() (enter, leave bool) {
	if t.what != csi || !strings.HasPrefix(t.param, "?") {
		return false, false
	}
	for p := range strings.SplitSeq(t.param[1:], ";") {
		if p == "47" || p == "1047" || p == "1049" {
			return t.r == 'h', t.r == 'l'
		}
	}
	return false, false
}

// Bounds of what a terminal waits for: what is longer is given up, so that
// nobody hides the rest of a recording behind a string without an end.
const (
	maxParams = 64
	maxString = 4096
)

// parser tells tokens in text.
type parser struct {
	state state
	param []rune
	n     int
	out   [2]token
}

type state int

const (
	ground state = iota
	inEscape
	inCSI
	inString
	inStringEscape // ESC within a string: its end, or the beginning of something else
)

// next takes a rune and returns what it completes; good until the next call.
func (p *parser) next(r rune) []token {
	switch p.state {
	case inEscape:
		return p.escape(r)
	case inCSI:
		return p.csi(r)
	case inString:
		return p.string(r)
	case inStringEscape:
		p.state = ground
		if r == '\\' {
			return p.give(token{what: text})
		}
		p.begin(inEscape)
		return p.escape(r)
	}
	return p.ground(r)
}

func (p *parser) give(t ...token) []token { return p.out[:copy(p.out[:], t)] }

func (p *parser) begin(s state) { p.state, p.param, p.n = s, p.param[:0], 0 }

func (p *parser) ground(r rune) []token {
	switch {
	case r == 0x1b:
		p.begin(inEscape)
	case r == 0x9b:
		p.begin(inCSI)
	case r == 0x90 || r == 0x98 || r == 0x9d || r == 0x9e || r == 0x9f:
		p.begin(inString)
	case r < ' ' || r == 0x7f:
		return p.give(token{what: control, r: r})
	case r >= 0x80 && r < 0xa0: // other C1 controls paint nothing
	default:
		return p.give(token{what: printed, r: r})
	}
	return nil
}

func (p *parser) escape(r rune) []token {
	switch {
	case r == '[' && len(p.param) == 0:
		p.begin(inCSI)
	case strings.ContainsRune("]P_^Xk", r) && len(p.param) == 0: // k: a title, in screen and tmux
		p.begin(inString)
	case r == 0x1b:
		p.begin(inEscape)
	case r < ' ':
		return p.within(r)
	case r < '0' && len(p.param) < maxParams: // intermediate: "(" of a character set
		p.param = append(p.param, r)
	case r <= '~' && r >= '0':
		p.state = ground
		return p.give(token{what: escape, r: r, param: string(p.param)})
	default:
		p.state = ground
		return p.give(token{what: overlong})
	}
	return nil
}

func (p *parser) csi(r rune) []token {
	switch {
	case r == 0x1b:
		p.begin(inEscape)
	case r < ' ':
		return p.within(r)
	case r < '@' && len(p.param) < maxParams:
		p.param = append(p.param, r)
	case r <= '~' && r >= '@':
		p.state = ground
		return p.give(token{what: csi, r: r, param: string(p.param)})
	default:
		p.state = ground
		return p.give(token{what: overlong})
	}
	return nil
}

// within is a control in the middle of a sequence: terminals act on it, and go
// on; CAN and SUB end the sequence.
func (p *parser) within(r rune) []token {
	if r == 0x18 || r == 0x1a {
		p.state = ground
		return nil
	}
	return p.give(token{what: control, r: r})
}

func (p *parser) string(r rune) []token {
	p.n++
	switch {
	case r == 0x07 || r == 0x9c || r == 0x18 || r == 0x1a:
		p.state = ground
		return p.give(token{what: text})
	case r == 0x1b:
		p.state = inStringEscape
	case p.n > maxString:
		p.state = ground
		return p.give(token{what: overlong})
	}
	return nil
}
