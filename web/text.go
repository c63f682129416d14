package web

import (
	"embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

//go:embed text/*.json
var textFiles embed.FS

// Text is one language's texts for people, by key. A text has places in braces
// ("{name}") and, where it counts, a form for one and a form for other numbers.
type Text struct {
	Lang string
	text map[string]form
}

type form struct{ One, Other string }

// UnmarshalJSON reads a plain string or {"one": ..., "other": ...}.
func (f *form) UnmarshalJSON(b []byte) error {
	if err := json.Unmarshal(b, &f.Other); err == nil {
		f.One = f.Other
		return nil
	}
	var v struct{ One, Other string }
	if err := json.Unmarshal(b, &v); err != nil {
		return fmt.Errorf("a text is a string or {one, other}: %w", err)
	}
	*f = form(v)
	return nil
}

// LoadText reads the texts of a language ("en").
func LoadText(lang string) (*Text, error) {
	b, err := textFiles.ReadFile("text/" + lang + ".json")
	if err != nil {
		return nil, fmt.Errorf("web: load text: %w", err)
	}
	t := &Text{Lang: lang}
	if err := json.Unmarshal(b, &t.text); err != nil {
		return nil, fmt.Errorf("web: load text %s: %w", lang, err)
	}
	return t, nil
}

// Keys returns every key, sorted.
func (t *Text) Keys() []string {
	keys := make([]string, 0, len(t.text))
	for k := range t.text {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// Has reports whether there is a text with the key.
func (t *Text) Has(key string) bool { _, ok := t.text[key]; return ok }

// T returns the text of a key with its places filled from pairs of name and
// value. The number under "n" chooses between one and other. A key without a
// text comes back as it is, in double angle quotes: a test finds it first.
func (t *Text) T(key string, pairs ...any) string {
	f, ok := t.text[key]
	if !ok {
		return "«" + key + "»"
	}
	s := f.Other
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i] == "n" && fmt.Sprint(pairs[i+1]) == "1" {
			s = f.One
		}
	}
	return fill(s, pairs)
}

// fill puts values into their places, in one go: a value with braces stays as
// it is, and so does a place without a value.
func fill(s string, pairs []any) string {
	var b strings.Builder
	for {
		from := strings.IndexByte(s, '{')
		to := from + 1 + strings.IndexByte(s[from+1:], '}')
		if from < 0 || to <= from {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(s[:from])
		value, ok := valueOf(s[from+1:to], pairs)
		if !ok {
			value = s[from : to+1]
		}
		b.WriteString(value)
		s = s[to+1:]
	}
}

func valueOf(name string, pairs []any) (string, bool) {
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i] != name {
			continue
		}
		switch v := pairs[i+1].(type) {
		case string:
			return v, true
		case int:
			return group(int64(v)), true
		case int64:
			return group(v), true
		default:
			return fmt.Sprint(v), true
		}
	}
	return "", false
}

// List joins words as a sentence does: "a", "a and b", "a, b and c".
func (t *Text) List(words []string) string {
	switch len(words) {
	case 0:
		return ""
	case 1:
		return words[0]
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " " + t.T("word.and") + " " + words[last]
}

// Number says small counts in words, as a sentence does: "three"; 13 and more
// in figures.
func (t *Text) Number(n int) string {
	if n < 0 || n > 12 {
		return group(int64(n))
	}
	return strings.Split(t.T("word.numbers"), " ")[n]
}

// group writes a number with a narrow space between thousands.
func group(n int64) string {
	s := fmt.Sprint(n)
	neg := strings.HasPrefix(s, "-")
	s = strings.TrimPrefix(s, "-")
	if len(s) > 4 {
		for i := len(s) - 3; i > 0; i -= 3 {
			s = s[:i] + "\u202f" + s[i:]
		}
	}
	if neg {
		return "−" + s
	}
	return s
}

// Bytes writes a size with three figures and a decimal unit.
func Bytes(n int64) string {
	if n < 0 {
		return "–"
	}
	if n < 1000 {
		return fmt.Sprintf("%d\u00a0B", n)
	}
	v := float64(n)
	for _, unit := range []string{"kB", "MB", "GB", "TB", "PB"} {
		v /= 1000
		if v < 9.995 {
			return fmt.Sprintf("%.1f\u00a0%s", v, unit)
		}
		if v < 999.5 {
			return fmt.Sprintf("%.0f\u00a0%s", v, unit)
		}
	}
	return fmt.Sprintf("%.0f\u00a0PB", v)
}
