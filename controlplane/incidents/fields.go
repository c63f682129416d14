package incidents

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
)

// What a notice may hold, in characters.
const (
	maxField = 4_000
	maxWords = 20_000
	maxText  = 100_000
)

// isFieldKey reports whether there is such a fact.
func isFieldKey(key string) bool {
	return slices.Contains(FieldKeys(), key) || slices.Contains(csirtKeys(), key)
}

// csirtKeys are what the CSIRT is told beside the facts: Article 23(4)(a) of NIS2.
func csirtKeys() []string { return []string{"unlawful_cause", "cross_border"} }

// neverUnknown are the facts that we always have: whom to ask.
func neverUnknown(key string) bool { return key == "contact" }

// checkField makes a field that somebody wrote one that can be kept. at is the
// pointer of where it stood.
func checkField(at string, f Field, now time.Time) (Field, error) {
	if !isFieldKey(f.Key) {
		return f, invalid(at+"/key", "There is no such field in a notice.")
	}
	if !f.Known.Valid() {
		return f, invalid(at+"/known", "Say whether it is known, a range, or unknown.")
	}
	out := Field{Key: f.Key, Known: f.Known}
	if neverUnknown(f.Key) && f.Known != IsKnown {
		return f, invalid(at+"/known", "Whom to ask is always known: it stands with who we are to the law.")
	}
	switch f.Known {
	case IsKnown:
		out.Value = plainText(f.Value)
		if out.Value == "" {
			return f, invalid(at+"/value", "Say what is known, or that it is not.")
		}
		if len([]rune(out.Value)) > maxField {
			return f, invalid(at+"/value", fmt.Sprintf("At most %d characters.", maxField))
		}
	case IsRange:
		if f.Low < 0 || f.High < f.Low {
			return f, invalid(at+"/high", "Say from how many to how many, the smaller number first.")
		}
		out.Low, out.High = f.Low, f.High
	case IsUnknown:
		if out.Owner = strings.TrimSpace(f.Owner); out.Owner == "" {
			return f, invalid(at+"/owner", "Say who finds it out.")
		}
		if out.By = f.By.UTC().Truncate(time.Millisecond); f.By.IsZero() || !f.By.After(now) {
			return f, invalid(at+"/by", "Say until when, at a time to come.")
		}
	}
	return out, nil
}

// checkEdit makes what somebody wrote into a draft one that can be kept.
func checkEdit(in NoticeEdit, now time.Time) (NoticeEdit, error) {
	out := NoticeEdit{Lang: in.Lang}
	seen := map[string]bool{}
	for i, f := range in.Fields {
		at := fmt.Sprint("/fields/", i)
		if seen[f.Key] {
			return in, invalid(at+"/key", "This field stands here twice.")
		}
		seen[f.Key] = true
		f, err := checkField(at, f, now)
		if err != nil {
			return in, err
		}
		out.Fields = append(out.Fields, f)
	}
	if in.Words != nil {
		words := plainText(*in.Words)
		if len([]rune(words)) > maxWords {
			return in, invalid("/words", fmt.Sprintf("At most %d characters.", maxWords))
		}
		out.Words = &words
	}
	if in.Lang != nil && !slices.Contains(noticeLanguages(), *in.Lang) {
		return in, invalid("/lang", "Notices are written in English (en) or German (de).")
	}
	return out, nil
}

// apply changes fields and words of a draft.
func (in NoticeEdit) apply(r *noticeRow, d *noticeData) {
	for _, f := range in.Fields {
		if i := slices.IndexFunc(d.Fields, func(x Field) bool { return x.Key == f.Key }); i >= 0 {
			d.Fields[i] = f
		} else {
			d.Fields = append(d.Fields, f)
		}
	}
	if in.Words != nil {
		d.Words = *in.Words
	}
	if in.Lang != nil {
		r.Lang = *in.Lang
	}
}

// fieldsFor are the facts that a notice to an audience asks for, empty. The 33(3)
// facts go to who may have to notify; what people are told is 34(2)'s.
func fieldsFor(to Audience) []Field {
	keys := FieldKeys()
	if to == ToPeople {
		keys = []string{"nature", "consequences", "measures", "contact"}
	}
	if to == ToCSIRT {
		keys = append(csirtKeys(), keys...)
	}
	out := make([]Field, len(keys))
	for i, k := range keys {
		out[i].Key = k
	}
	return out
}

// fieldOf finds a field by its key.
func fieldOf(fields []Field, key string) *Field {
	for i := range fields {
		if fields[i].Key == key {
			return &fields[i]
		}
	}
	return nil
}

// plainText is a text of several lines that no terminal, mail or page acts on:
// its line ends stay, other control characters and what turns the direction of
// writing do not.
func plainText(s string) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "?"), "\r\n", "\n")
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case r == '\r' || r == '\u2028' || r == '\u2029':
			return '\n'
		case unicode.IsControl(r):
			return ' '
		case unicode.Is(unicode.Bidi_Control, r) || r == '\ufeff':
			return -1
		}
		return r
	}, s)
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = strings.TrimRightFunc(l, unicode.IsSpace)
	}
	return strings.TrimSpace(strings.Join(lines, "\n"))
}
