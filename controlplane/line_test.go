package controlplane_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"ostler/controlplane"
)

func TestLine(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		max      int
		want     string
	}{
		{"nothing", "", 10, ""},
		{"as it is", "550 no such mailbox", 20, "550 no such mailbox"},
		{"blanks are one, none at the ends", " a \t\n b\r\n", 20, "a b"},
		{"other blanks", "a\u00a0b\u2028c\u2029d\u3000e", 20, "a b c d e"},
		{"a terminal's commands", "\x1b[31mred\x1b[0m\x07\x00\u009b1m", 30, "[31mred [0m 1m"},
		{"turned around", "a\u202egpj.exe\u2066\u200f", 20, "a?gpj.exe??"},
		{"unseen", "a\u200bb\ufeffc\u00add", 20, "a?b?c?d"},
		{"no UTF-8", "a\xff\xfeb\xe2\x82", 20, "a??b??"},
		{"replaced by somebody else", "a\ufffdb", 20, "a\ufffdb"},
		{"other scripts", "Zertifikat für 日本 и 👍", 40, "Zertifikat für 日本 и 👍"},
		{"just fits", "日本語日本語", 6, "日本語日本語"},
		{"one too many", "日本語日本語x", 6, "日本語..."},
		{"blanks at the end are not too many", "abcdef  \n", 6, "abcdef"},
		{"cut at a blank", "abc defg", 7, "abc ..."},
		{"no room for more than the mark", "abcdef", 3, "..."},
		{"no room for the mark", "abcdef", 2, ".."},
		{"no room", "abcdef", 0, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := controlplane.Line(tc.in, tc.max); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func FuzzLine(f *testing.F) {
	f.Add("a\u202eb\xff\n", 4)
	f.Add(strings.Repeat("\x00x", 50), 20)
	f.Fuzz(func(t *testing.T, s string, max int) {
		max = min(max&0xff, 200)
		got := controlplane.Line(s, max)
		if n := utf8.RuneCountInString(got); n > max || !utf8.ValidString(got) {
			t.Errorf("%q: %d characters of %d, or no UTF-8: %q", s, n, max, got)
		}
		if strings.ContainsAny(got, "\n\r\t\x00\x1b\u009b\u202e\u2028\u2066") || strings.Contains(got, "  ") {
			t.Errorf("%q: not one safe line: %q", s, got)
		}
		if again := controlplane.Line(got, max); again != got {
			t.Errorf("%q: %q, and again %q", s, got, again)
		}
	})
}
