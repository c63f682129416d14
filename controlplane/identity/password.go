package identity

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Bounds of a password.
const (
	MinPassword = 12   // characters, after NFKC
	maxPassword = 1024 // bytes
)

// normal returns a password in Unicode NFKC, so that it is the same from every
// keyboard.
func normal(password string) string { return norm.NFKC.String(password) }

// commonWords are the words that guessed passwords are built on. Digits and
// punctuation around one of them do not make it better.
const commonWords = `password passwort passw0rd p@ssword p@ssw0rd admin administrator root welcome
	willkommen letmein qwerty qwertz azerty qwertyuiop qwertzuiop asdfghjkl yxcvbnm zxcvbnm iloveyou monkey dragon
	football baseball sunshine princess superman master changeme default secret login test testtest hello
	hallo geheim sommer winter summer spring autumn herbst ostler hosting server backup restore`

// PasswordProblem returns what is wrong with a new password in one sentence,
// or "" for a good one. about are words that must not make up the password:
// the person's name and e-mail address.
//
// The rules are few, because length is what helps: at least twelve characters,
// not one of the words everybody tries first, not a run or a repetition, and
// not the person's own name or address.
func PasswordProblem(password string, about ...string) string {
	if !utf8.ValidString(password) || len(password) > maxPassword {
		return "Use plain text of at most 1024 bytes."
	}
	p := strings.ToLower(normal(password))
	if utf8.RuneCountInString(p) < MinPassword {
		return "Use at least 12 characters. Four or five unrelated words are easy to remember."
	}
	if distinct(p) < 5 {
		return "Use more different characters."
	}
	if repeats(p) {
		return "This repeats itself. Use words that have nothing to do with each other."
	}
	if run(p) {
		return "This is a run of neighbouring characters. Use words that have nothing to do with each other."
	}
	core := strings.TrimFunc(p, func(r rune) bool { return !unicode.IsLetter(r) })
	for _, w := range strings.Fields(commonWords) {
		if core == w || strings.ReplaceAll(core, w, "") == "" {
			return "This is one of the passwords that are tried first. Use words that have nothing to do with each other."
		}
	}
	// A name inside a long password is fine; names and little else are not.
	rest := p
	for _, w := range words(about) {
		rest = strings.ReplaceAll(rest, w, "")
	}
	if rest != p && utf8.RuneCountInString(rest) < 6 {
		return "This is little more than your name or e-mail address. Use words that have nothing to do with you."
	}
	return ""
}

// words returns the words of texts from three letters on, the longest first.
func words(texts []string) []string {
	var out []string
	for _, t := range texts {
		out = append(out, strings.FieldsFunc(strings.ToLower(normal(t)), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })...)
	}
	out = slices.DeleteFunc(out, func(w string) bool { return utf8.RuneCountInString(w) < 3 })
	slices.SortFunc(out, func(a, b string) int { return len(b) - len(a) })
	return out
}

func distinct(p string) int {
	seen := map[rune]bool{}
	for _, r := range p {
		seen[r] = true
	}
	return len(seen)
}

// repeats reports whether p is one shorter string over and over.
func repeats(p string) bool {
	return strings.Contains((p + p)[1:2*len(p)-1], p)
}

// run reports whether nearly all neighbours of p follow each other by one step
// up or down, as in "123456789012" or "abcdefghijkl".
func run(p string) bool {
	rs := []rune(p)
	steps := 0
	for i := 1; i < len(rs); i++ {
		if d := rs[i] - rs[i-1]; d == 1 || d == -1 || rs[i-1] == '9' && rs[i] == '0' {
			steps++
		}
	}
	return steps*10 >= (len(rs)-1)*8
}
