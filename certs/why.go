package certs

import (
	"cmp"
	"strings"
)

// sentence is how a code reads: what is so, and the one next step ("" where
// nobody has to do anything). {name} and the arguments are filled in.
type sentence struct{ cause, next string }

// Codes of failures, waits and steps: the closed list.
const (
	WhyInternal = "internal"
)

var sentences = map[string]sentence{
	WhyInternal: {"Something went wrong in our house.", "Look at the control plane's log."},
}

// Text returns the why as sentences: the cause, and the one next step ("" where
// nobody has to do anything). Only "en" is there; any other language reads English.
func (w Why) Text(lang string) (cause, next string) {
	s, ok := sentences[w.Code]
	if !ok {
		s = sentences[WhyInternal]
	}
	args := map[string]string{"name": cmp.Or(w.Name, "this name")}
	for k, v := range w.Args {
		args[k] = v
	}
	return fill(s.cause, args), fill(s.next, args)
}

// Text returns the step as a sentence.
func (s Step) Text(lang string) string {
	cause, _ := Why{Code: s.Code, Args: s.Args}.Text(lang)
	return cause
}

// fill puts arguments into a sentence; one that is missing reads "unknown".
func fill(text string, args map[string]string) string {
	for {
		from := strings.IndexByte(text, '{')
		if from < 0 {
			return text
		}
		to := strings.IndexByte(text[from:], '}')
		if to < 0 {
			return text
		}
		text = text[:from] + cmp.Or(args[text[from+1:from+to]], "unknown") + text[from+to+1:]
	}
}
