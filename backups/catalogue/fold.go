package catalogue

import (
	"bytes"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

var nul = []byte{0}

// fold appends s so that what differs in case only, or in how its letters are
// composed, becomes the same. Bytes that are not UTF-8 stay. NULs and slashes
// stay, and none comes in.
func fold(dst, s []byte) []byte {
	for i, b := range s {
		if b >= utf8.RuneSelf {
			return foldUnicode(dst[:len(dst)-i], s)
		}
		dst = append(dst, lower(b))
	}
	return dst
}

func lower(b byte) byte {
	if 'A' <= b && b <= 'Z' {
		return b + 'a' - 'A'
	}
	return b
}

func foldUnicode(dst, s []byte) []byte {
	if !norm.NFC.IsNormal(s) {
		s = norm.NFC.Bytes(s)
	}
	for len(s) > 0 {
		if s[0] < utf8.RuneSelf {
			dst = append(dst, lower(s[0]))
			s = s[1:]
			continue
		}
		r, n := utf8.DecodeRune(s)
		if r == utf8.RuneError && n <= 1 {
			dst = append(dst, s[0])
		} else {
			dst = utf8.AppendRune(dst, foldRune(r))
		}
		s = s[n:]
	}
	return dst
}

// foldRune returns the one that stands for all that simple folding takes for
// the same: an ASCII letter, small, where there is one.
func foldRune(r rune) rune {
	least := r
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		least = min(least, f)
	}
	if least < utf8.RuneSelf {
		return rune(lower(byte(least)))
	}
	return least
}

// folded is a block's names after fold, each with a NUL at its end.
type folded struct{ blob []byte }

// fold folds all names of a block; what is folded already is shared.
func (n *names) fold() *folded {
	out := n.blob
	for i, b := range n.blob {
		if b >= utf8.RuneSelf {
			return n.foldEach()
		}
		if l := lower(b); l != b {
			if &out[0] == &n.blob[0] {
				out = bytes.Clone(n.blob)
			}
			out[i] = l
		}
	}
	return &folded{blob: out}
}

func (n *names) foldEach() *folded {
	out := make([]byte, 0, len(n.blob)+len(n.blob)/16)
	for rest := n.blob; len(rest) > 0; {
		end := bytes.IndexByte(rest, 0)
		out = append(fold(out, rest[:end]), 0)
		rest = rest[end+1:]
	}
	return &folded{blob: out}
}

// with returns the keys whose names contain needle, which may end in a NUL to
// mean the end of a name, and for which ok says so too.
func (f *folded) with(needle []byte, ok func(name []byte) bool) []int {
	var keys []int
	key, begin := 0, 0 // of the name that begins there
	for {
		i := bytes.Index(f.blob[begin:], needle)
		if i < 0 {
			return keys
		}
		hit := begin + i
		key += bytes.Count(f.blob[begin:hit], nul)
		if j := bytes.LastIndexByte(f.blob[begin:hit], 0); j >= 0 {
			begin += j + 1
		}
		end := begin + bytes.IndexByte(f.blob[begin:], 0)
		if ok == nil || ok(f.blob[begin:end]) {
			keys = append(keys, key)
		}
		key, begin = key+1, end+1
	}
}

// each calls ok for the keys from first up to end, and returns those for which
// it is true. from is where the first name begins; next is where the one after
// the last does.
func (f *folded) each(first, end, from int, ok func(name []byte) bool) (keys []int, next int) {
	for key := first; key < end; key++ {
		to := from + bytes.IndexByte(f.blob[from:], 0)
		if ok(f.blob[from:to]) {
			keys = append(keys, key)
		}
		from = to + 1
	}
	return keys, from
}
