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

	"ostler/controlplane"
)

//go:embed text/*.json
var textFiles embed.FS

// texts are the words of each language, read once; they are embedded, and a test
// reads them.
var texts = sync.OnceValues(func() (map[string]map[string]controlplane.Words, error) {
	all := map[string]map[string]controlplane.Words{}
	for _, lang := range []string{english, "de"} {
		raw, err := textFiles.ReadFile("text/" + lang + ".json")
		if err != nil {
			return nil, err
		}
		var t map[string]controlplane.Words
		if err := json.Unmarshal(raw, &t); err != nil {
			return nil, err
		}
		all[lang] = t
	}
	return all, nil
})

// english has every template; other languages have some.
const english = "en"

// wordsOf returns the words of a template and the language that they are in:
// the one asked for, or English where it has no such template.
func wordsOf(template, lang string) (text map[string]controlplane.Words, in string, err error) {
	all, err := texts()
	if err != nil {
		return nil, "", err
	}
	lang, _, _ = strings.Cut(strings.ToLower(lang), "-")
	if t := all[lang]; len(t[template+".body"]) > 0 {
		return t, lang, nil
	}
	return all[english], english, nil
}

// Templates lists the templates that Enqueue takes.
func Templates() []string {
	return []string{RestoreReady, RestorePlaced, RestoreFailed, AskAnswered, CertificateExpiring, CertificateExpired,
		AccessChanged, AccessBreakGlass, AccessApprove, AccessReviewed, AccessFlagged, AccessDecided,
		IncidentNotice, IncidentUpdate, IncidentWithdrawn, IncidentFreeze, IncidentAdvisory, IncidentChange, IncidentChannel,
		IncidentAlarm, IncidentSecond, IncidentConfirm, IncidentReceived, Test}
}

// noticeTemplate is the mail without content.
const noticeTemplate = "notice"

// maxArg bounds an argument, or an entry of a list, in runes.
const maxArg = 200

// maxLong bounds a text of several paragraphs, in runes.
const maxLong = 200_000

// maxEntries bounds a list; the line after it says how many more there are.
const maxEntries = 2000

// letter is a mail in words, before it is one in bytes.
type letter struct {
	Lang, Title, Hello string
	Lines              []paragraph
	Action, Link, Foot string
}

// paragraph is a text, of one line or of several, or a list.
type paragraph struct {
	Text    string
	Long    bool // the line ends in Text are meant
	Entries []string
}

// compose fills a template. An argument that it does not know is an error.
func compose(template, lang, name string, args map[string]string, company, link string, answered bool) (letter, error) {
	text, lang, err := wordsOf(template, lang)
	if err != nil {
		return letter{}, err
	}
	body := text[template+".body"]
	if len(body) == 0 {
		return letter{}, fmt.Errorf("no template %q", template)
	}
	known := controlplane.Blanks(append(slices.Clone(body), text[template+".subject"]...)...)
	for i, name := range known { // lists and long texts
		known[i] = strings.TrimSuffix(strings.TrimSuffix(name, "..."), "¶")
	}
	for arg := range args {
		if !slices.Contains(known, arg) {
			return letter{}, fmt.Errorf("template %s takes no argument %q", template, arg)
		}
	}
	values := map[string]string{}
	for arg, v := range args {
		if !isList(body, arg) && !slices.Contains(body, "{"+arg+"¶}") { // tidying would make one line of it
			values[arg] = tidy(v)
		}
	}
	line := func(key string, values map[string]string) string {
		s, _ := controlplane.Fill(text[key].Line(), values)
		return s
	}
	l := letter{Lang: lang, Link: link, Title: line(template+".subject", values), Action: line(template+".action", nil), Hello: line("hello", nil)}
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
		} else if arg, ok := longOf(p); ok {
			l.Lines = append(l.Lines, long(args[arg])...)
		} else if s, ok := controlplane.Fill(p, values); ok {
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

// longOf returns the argument of a paragraph that is a text of several: "{text¶}".
func longOf(p string) (arg string, ok bool) {
	if arg, ok = strings.CutPrefix(p, "{"); ok {
		arg, ok = strings.CutSuffix(arg, "¶}")
	}
	return arg, ok
}

// long makes safe paragraphs of a text: an empty line stands between them.
func long(v string) (out []paragraph) {
	if r := []rune(v); len(r) > maxLong {
		v = string(r[:maxLong-1]) + "…"
	}
	v = strings.ReplaceAll(v, "\r\n", "\n")
	var lines []string
	end := func() {
		if len(lines) > 0 {
			out = append(out, paragraph{Text: strings.Join(lines, "\n"), Long: true})
		}
		lines = nil
	}
	for line := range strings.SplitSeq(v, "\n") {
		if line = clean(line); line == "" {
			end()
			continue
		}
		lines = append(lines, line)
	}
	end()
	return out
}

func isList(body controlplane.Words, arg string) bool { return slices.Contains(body, "{"+arg+"...}") }

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

// tidy makes one bounded line of a value.
func tidy(s string) string {
	s = clean(s)
	if r := []rune(s); len(r) > maxArg {
		s = string(r[:maxArg-1]) + "…"
	}
	return s
}

// clean makes one line of a value: no control character and nothing that turns
// the direction of writing.
func clean(s string) string {
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
	return strings.Join(strings.Fields(s), " ")
}
