package mail

import (
	"embed"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
)

//go:embed text/*.json
var textFiles embed.FS

// words is one piece of text: a line, or the paragraphs of a body.
type words []string

// UnmarshalJSON takes a string or a list of strings.
func (w *words) UnmarshalJSON(b []byte) error {
	var one string
	if err := json.Unmarshal(b, &one); err == nil {
		*w = words{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(w))
}

// english is read once; it is embedded, and a test reads it.
var english = sync.OnceValues(func() (map[string]words, error) {
	raw, err := textFiles.ReadFile("text/en.json")
	if err != nil {
		return nil, err
	}
	var t map[string]words
	return t, json.Unmarshal(raw, &t)
})

// Templates lists the templates that Enqueue takes.
func Templates() []string {
	return []string{RestoreReady, RestorePlaced, RestoreFailed, AskAnswered, CertificateExpiring, CertificateExpired,
		AccessChanged, AccessBreakGlass, AccessApprove, AccessReviewed, AccessFlagged, AccessDecided, Test}
}

// noticeTemplate is the mail without content.
const noticeTemplate = "notice"

// maxArg bounds an argument, or an entry of a list, in runes.
const maxArg = 200

// maxEntries bounds a list; the line after it says how many more there are.
const maxEntries = 2000

// letter is a mail in words, before it is one in bytes.
type letter struct {
	Lang, Title, Hello string
	Lines              []paragraph
	Action, Link, Foot string
}

// paragraph is a text or a list.
type paragraph struct {
	Text    string
	Entries []string
}

// compose fills a template. An argument that it does not know is an error.
func compose(template, name string, args map[string]string, company, link string, answered bool) (letter, error) {
	text, err := english()
	if err != nil {
		return letter{}, err
	}
	body := text[template+".body"]
	if len(body) == 0 {
		return letter{}, fmt.Errorf("no template %q", template)
	}
	known := names(append(slices.Clone(body), text[template+".subject"]...))
	for arg := range args {
		if !slices.Contains(known, arg) {
			return letter{}, fmt.Errorf("template %s takes no argument %q", template, arg)
		}
	}
	values := map[string]string{}
	for arg, v := range args {
		if !isList(body, arg) { // tidying would make one line of a list
			values[arg] = tidy(v)
		}
	}
	line := func(key string, values map[string]string) string {
		s, _ := fill(strings.Join(text[key], " "), values)
		return s
	}
	l := letter{Lang: "en", Link: link, Title: line(template+".subject", values), Action: line(template+".action", nil), Hello: line("hello", nil)}
	if name = tidy(name); name != "" {
		l.Hello = line("hello_name", map[string]string{"name": name})
	}
	foot := "sent_by"
	if answered {
		foot = "sent_by_reply"
	}
	l.Foot = line(foot, map[string]string{"company": tidy(company)})
	for _, p := range body {
		if arg, ok := listOf(p); ok {
			if e := entries(args[arg], line); len(e) > 0 {
				l.Lines = append(l.Lines, paragraph{Entries: e})
			}
		} else if s, ok := fill(p, values); ok {
			l.Lines = append(l.Lines, paragraph{Text: s})
		}
	}
	if l.Title == "" {
		return letter{}, fmt.Errorf("template %s: an argument of its subject is missing", template)
	}
	return l, nil
}

// listOf returns the argument of a paragraph that is a list: "{items...}".
func listOf(p string) (arg string, ok bool) {
	if arg, ok = strings.CutPrefix(p, "{"); ok {
		arg, ok = strings.CutSuffix(arg, "...}")
	}
	return arg, ok
}

func isList(body words, arg string) bool { return slices.Contains(body, "{"+arg+"...}") }

// entries makes a safe, bounded line of each line of a list.
func entries(v string, line func(key string, values map[string]string) string) []string {
	var out []string
	more := 0
	for e := range strings.SplitSeq(v, "\n") {
		switch e = tidy(e); {
		case e == "":
		case len(out) == maxEntries:
			more++
		default:
			out = append(out, e)
		}
	}
	if more > 0 {
		out = append(out, line("more", map[string]string{"count": strconv.Itoa(more)}))
	}
	return out
}

// names lists the {names} of texts.
func names(texts []string) []string {
	var all []string
	for _, s := range texts {
		for {
			_, rest, found := strings.Cut(s, "{")
			if !found {
				break
			}
			name, after, _ := strings.Cut(rest, "}")
			all = append(all, strings.TrimSuffix(name, "..."))
			s = after
		}
	}
	return all
}

// fill puts values for {names}; ok is false where one is missing. What a value
// holds is never read as a template.
func fill(s string, values map[string]string) (string, bool) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(s, "{")
		b.WriteString(before)
		if !found {
			return b.String(), true
		}
		name, after, _ := strings.Cut(rest, "}")
		if values[name] == "" {
			return "", false
		}
		b.WriteString(values[name])
		s = after
	}
}

// tidy makes one bounded line of a value: no control character and nothing
// that turns the direction of writing.
func tidy(s string) string {
	s = strings.ToValidUTF8(s, "?")
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		if unicode.Is(unicode.Bidi_Control, r) || r == '\ufeff' {
			return -1
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > maxArg {
		s = string(r[:maxArg-1]) + "…"
	}
	return s
}
