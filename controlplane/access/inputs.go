package access

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"ostler/controlplane"
	"ostler/controlplane/policy"
)

// Bounds of what people enter, in characters.
const (
	maxName   = 200
	maxReason = 1000
	maxShort  = 200 // tickets, references, roles, versions
	maxNames  = 20  // of a person in the cluster, and on hosts
	maxTeam   = 200 // members
	maxBrief  = 20000
)

// inputs gathers what is wrong with what somebody entered.
type inputs struct{ fields []controlplane.Field }

func (in *inputs) add(pointer, message string) {
	in.fields = append(in.fields, controlplane.Field{Pointer: pointer, Message: message})
}

func (in *inputs) err() error {
	if in.fields == nil {
		return nil
	}
	return controlplane.Invalid(in.fields...)
}

// line returns s as one line; needed says what is missing where it is empty.
func (in *inputs) line(pointer, s string, longest int, needed string) string {
	s = norm.NFC.String(strings.TrimSpace(s))
	switch {
	case s == "" && needed != "":
		in.add(pointer, needed)
	case utf8.RuneCountInString(s) > longest:
		in.add(pointer, fmt.Sprintf("This is too long: at most %d characters.", longest))
	case !utf8.ValidString(s) || strings.ContainsFunc(s, unseen):
		in.add(pointer, "This contains characters that cannot be seen. Type it anew instead of pasting it.")
	}
	return s
}

// text is line for what may have several.
func (in *inputs) text(pointer, s string, longest int) string {
	s = norm.NFC.String(strings.TrimSpace(strings.ReplaceAll(s, "\r\n", "\n")))
	seen := func(r rune) bool { return r != '\n' && r != '\t' && unseen(r) }
	switch {
	case utf8.RuneCountInString(s) > longest:
		in.add(pointer, fmt.Sprintf("This is too long: at most %d characters.", longest))
	case !utf8.ValidString(s) || strings.ContainsFunc(s, seen):
		in.add(pointer, "This contains characters that cannot be seen. Type it anew instead of pasting it.")
	}
	return s
}

func unseen(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' || r == '\u200b' || r == '\ufeff'
}

// names returns each once, in their order.
func (in *inputs) names(pointer string, all []string) (out []string) {
	if len(all) > maxNames {
		in.add(pointer, fmt.Sprintf("These are too many: at most %d.", maxNames))
		return nil
	}
	seen := map[string]bool{}
	for i, n := range all {
		n = in.line(fmt.Sprintf("%s/%d", pointer, i), n, maxShort, "Enter a name, or take the line out.")
		if !seen[n] {
			out, seen[n] = append(out, n), true
		}
	}
	return out
}

// actorOf is who does something; a rule that names people needs one.
func actorOf(ctx context.Context) controlplane.Actor {
	a, _ := controlplane.ActorFrom(ctx)
	return a
}

// overAll refuses a scope that is not over all customers.
func overAll(scope policy.Scope) error {
	if scope.All() {
		return nil
	}
	return controlplane.Errorf(controlplane.CodeForbidden, "Ask us to do it.", "Only the hosting company may do this")
}

// may refuses people whose role lacks a permission, whatever the scope they came with.
func may(ctx context.Context, p policy.Permission) error {
	_, err := policy.For(ctx, p)
	return err
}

func conflict(next, format string, args ...any) error {
	return controlplane.Errorf(controlplane.CodeConflict, next, format, args...)
}

// changedSince is the answer to whoever changes what they have not seen.
func changedSince(version, is int64) error {
	if version == 0 || version == is {
		return nil
	}
	return conflict("Load it again, look at what changed, and make your change anew.", "Somebody else changed this in the meantime")
}

// day is an instant as people are told it.
func day(t time.Time) string { return t.UTC().Format("2 January 2006 15:04 MST") }

// sentence is a text that begins with a capital letter.
func sentence(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	if size < 2 && first == utf8.RuneError { // nothing, or no letter
		return text
	}
	return string(unicode.ToUpper(first)) + text[size:]
}

// lowered is a text that begins no sentence.
func lowered(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	if size < 2 && first == utf8.RuneError {
		return text
	}
	return string(unicode.ToLower(first)) + text[size:]
}
