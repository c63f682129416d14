package controlplane

import (
	"encoding/json"
	"strings"
)

// Words are a piece of text as it is kept: a line, or several paragraphs. In JSON it
// is a string or a list of strings.
type Words []string

// UnmarshalJSON takes a string or a list of strings.
func (w *Words) UnmarshalJSON(b []byte) error {
	var one string
	if err := json.Unmarshal(b, &one); err == nil {
		*w = Words{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(w))
}

// Line is all of it as one line.
func (w Words) Line() string { return strings.Join(w, " ") }

// Fill puts values for the {names} of a text; ok is false where one is missing or
// empty. What a value holds is never read as a template; the full stop that ends it
// stands once where the text has one too.
func Fill(text string, values map[string]string) (filled string, ok bool) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "{")
		b.WriteString(before)
		if !found {
			return b.String(), true
		}
		name, after, _ := strings.Cut(rest, "}")
		value := values[name]
		if value == "" {
			return "", false
		}
		if strings.HasPrefix(after, ".") {
			value = strings.TrimSuffix(value, ".")
		}
		b.WriteString(value)
		text = after
	}
}

// Blanks lists the {names} of texts, as they stand there.
func Blanks(texts ...string) (names []string) {
	for _, text := range texts {
		for {
			_, rest, found := strings.Cut(text, "{")
			if !found {
				break
			}
			name, after, _ := strings.Cut(rest, "}")
			names = append(names, name)
			text = after
		}
	}
	return names
}
