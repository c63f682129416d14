package catalogue

import (
	"bytes"
	"unicode/utf8"
)

// glob is a pattern, folded. It takes time in proportion to the product of the
// lengths at worst, and as often as there are folders in a path where it has a **.
type glob struct {
	tokens []token
	over   func() bool // says that it is given up, and matches nothing; may be nil
}

type token struct {
	kind  tokenKind
	text  []byte // of a literal: one rune, or one byte that is none
	class []rune // pairs of from and to, both included
	not   bool   // what is not in class
}

type tokenKind uint8

const (
	literal    tokenKind = iota
	anyOne               // ?
	anySome              // *, not a slash
	anyDepth             // **, slashes too
	anyFolders           // **/ after a slash or at the beginning: no folder, or some
	oneOf                // [..]
)

// newGlob reads a folded pattern. What is not a whole class is taken as it stands.
func newGlob(p []byte) *glob {
	g := &glob{}
	for len(p) > 0 {
		n := 1
		switch p[0] {
		case '*':
			for n < len(p) && p[n] == '*' {
				n++
			}
			k := anySome
			if n > 1 {
				k = anyDepth
				if n < len(p) && p[n] == '/' && g.afterSlash() {
					k = anyFolders
					n++
				}
			}
			g.tokens = append(g.tokens, token{kind: k})
		case '?':
			g.tokens = append(g.tokens, token{kind: anyOne})
		case '[':
			t, size := class(p)
			g.tokens, n = append(g.tokens, t), size
		default:
			_, n = utf8.DecodeRune(p)
			g.tokens = append(g.tokens, token{text: p[:n]})
		}
		p = p[n:]
	}
	return g
}

// afterSlash reports that a folder's name may begin here.
func (g *glob) afterSlash() bool {
	n := len(g.tokens)
	if n == 0 {
		return true
	}
	last := &g.tokens[n-1]
	return last.kind == anyFolders || last.kind == literal && last.text[0] == '/'
}

// class reads [abc], [a-z], [!a] and []a]; where it has no end, a bracket.
func class(p []byte) (token, int) {
	t := token{kind: oneOf}
	i := 1
	if i < len(p) && (p[i] == '!' || p[i] == '^') {
		t.not = true
		i++
	}
	for first := i; i < len(p); {
		if p[i] == ']' && i > first {
			return t, i + 1
		}
		from, n := decode(p[i:])
		i += n
		to := from
		if i+1 < len(p) && p[i] == '-' && p[i+1] != ']' {
			to, n = decode(p[i+1:])
			i += 1 + n
		}
		t.class = append(t.class, from, to)
	}
	return token{text: p[:1]}, 1
}

// decode returns a rune, or, below zero, a byte that is none.
func decode(p []byte) (rune, int) {
	r, n := utf8.DecodeRune(p)
	if r == utf8.RuneError && n == 1 {
		return -1 - rune(p[0]), 1
	}
	return r, n
}

// one matches one rune, and returns its length; 0 where it does not match.
func (t *token) one(s []byte) int {
	switch t.kind {
	case literal:
		if bytes.HasPrefix(s, t.text) {
			return len(t.text)
		}
		return 0
	case anyOne, oneOf:
		r, n := decode(s)
		if r == '/' {
			return 0
		}
		if t.kind == oneOf && t.in(r) == t.not {
			return 0
		}
		return n
	}
	return 0
}

func (t *token) in(r rune) bool {
	for i := 0; i < len(t.class); i += 2 {
		if t.class[i] <= r && r <= t.class[i+1] {
			return true
		}
	}
	return false
}

// match reports whether the pattern matches all of s, folded.
func (g *glob) match(s []byte) bool {
	var (
		i, at          int // token, place in s
		some, someAt   = -1, 0
		depth, depthAt = -1, 0
		tokens         = g.tokens
	)
	for {
		if i < len(tokens) {
			switch t := &tokens[i]; t.kind {
			case anySome:
				i, some, someAt = i+1, i, at
				continue
			case anyDepth, anyFolders:
				i, depth, depthAt, some = i+1, i, at, -1
				continue
			default:
				if at < len(s) {
					if n := t.one(s[at:]); n > 0 {
						i, at = i+1, at+n
						continue
					}
				}
			}
		} else if at == len(s) {
			return true
		}
		switch { // the star before takes one more
		case some >= 0 && someAt < len(s) && s[someAt] != '/':
			_, n := utf8.DecodeRune(s[someAt:])
			someAt += n
			i, at = some+1, someAt
		case depth >= 0 && depthAt < len(s):
			n := tokens[depth].step(s[depthAt:])
			if n == 0 || g.over != nil && g.over() {
				return false
			}
			depthAt += n
			i, at, some = depth+1, depthAt, -1
		default:
			return false
		}
	}
}

// step is how much more of s a ** takes at least; 0 where there is no more.
func (t *token) step(s []byte) int {
	if t.kind == anyFolders {
		return bytes.IndexByte(s, '/') + 1
	}
	_, n := utf8.DecodeRune(s)
	return n
}

// literal returns the longest text that whatever matches has in it, in its part
// after the last slash; empty where there is none.
func (g *glob) literal() []byte {
	var best, now []byte
	for i := range g.tokens {
		t := &g.tokens[i]
		switch {
		case t.kind == anyDepth, t.kind == anyFolders, t.kind == literal && t.text[0] == '/':
			best, now = nil, nil
		case t.kind == literal:
			now = append(now, t.text...)
			if len(now) > len(best) {
				best = bytes.Clone(now)
			}
		default:
			now = now[:0]
		}
	}
	return best
}
