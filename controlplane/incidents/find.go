package incidents

import (
	"context"
	"strings"

	"golang.org/x/text/unicode/norm"

	"ostler/controlplane"
	"ostler/controlplane/policy"
)

const (
	maxFind    = 200 // characters of what is looked for
	findLooked = 2_000
	findShown  = 50
)

// Found is what a search found, the newest first of each.
type Found struct {
	Cases   []Case
	Notices []Notice
	Reports []Report
	// More says that there are more than are listed; Older that cases or notices
	// older than the newest 2,000 were not looked at.
	More, Older bool
}

// Find looks for cases by number, id and title, for notices by id, title and text,
// and for reports by reference and words: all words of the text have to be there,
// upper and lower case alike. What a reference names is found however old it is.
// Permission: incident.read; contacts find the notices sent to them, and nothing
// else. Errors: invalid.
func (s *Service) Find(ctx context.Context, scope policy.Scope, text string) (out Found, err error) {
	text = folded(text)
	if text == "" {
		return out, invalid("/q", "Write a word, or a reference.")
	}
	if len([]rune(text)) > maxFind {
		return out, invalid("/q", "At most 200 characters.")
	}
	if ok, err := s.findOne(ctx, scope, text, &out); ok || err != nil {
		return out, wrap("find", err)
	}
	words := strings.Fields(text)
	if scope.All() {
		if err := s.findCases(ctx, scope, words, &out); err != nil {
			return out, wrap("find", err)
		}
		reports, err := s.Reports(ctx, scope, false)
		if err != nil {
			return out, wrap("find", err)
		}
		for _, r := range reports {
			if hasAll(words, r.ID, r.Text, r.Name, r.Contact) {
				out.Reports = within(out.Reports, r, &out.More)
			}
		}
	}
	return out, wrap("find", s.findNotices(ctx, scope, words, &out))
}

// findOne finds what a reference names.
func (s *Service) findOne(ctx context.Context, scope policy.Scope, ref string, out *Found) (ok bool, err error) {
	switch {
	case controlplane.ValidID(controlplane.PrefixBreachNotice, ref):
		var n Notice
		if n, err = s.Notice(ctx, scope, ref); err == nil {
			out.Notices = []Notice{n}
		}
	case controlplane.ValidID(controlplane.PrefixReport, ref) && scope.All():
		var r Report
		if r, err = s.ReportByID(ctx, scope, ref); err == nil {
			out.Reports = []Report{r}
		}
	case controlplane.ValidID(controlplane.PrefixIncident, ref) && scope.All():
		var c Case
		if c, err = s.Get(ctx, scope, ref); err == nil {
			out.Cases = []Case{c}
		}
	default:
		return false, nil
	}
	if controlplane.ErrorCode(err) == controlplane.CodeNotFound {
		err = nil
	}
	return true, err
}

// findCases looks through the newest cases; a number is found however old.
func (s *Service) findCases(ctx context.Context, scope policy.Scope, words []string, out *Found) error {
	if len(words) == 1 && strings.Contains(words[0], "-") {
		if c, err := s.Get(ctx, scope, words[0]); err == nil {
			out.Cases = append(out.Cases, c)
			return nil
		} else if controlplane.ErrorCode(err) != controlplane.CodeNotFound {
			return err
		}
	}
	f := CaseFilter{Drills: true, Limit: 200}
	return newest(out, func(token string) ([]Case, string, error) { f.Token = token; return s.List(ctx, scope, f) }, func(c Case) {
		if hasAll(words, c.Number, c.ID, c.Title) {
			out.Cases = within(out.Cases, c, &out.More)
		}
	})
}

// findNotices looks through the newest notices that the scope reaches.
func (s *Service) findNotices(ctx context.Context, scope policy.Scope, words []string, out *Found) error {
	f := NoticeFilter{Limit: 200}
	return newest(out, func(token string) ([]Notice, string, error) { f.Token = token; return s.Notices(ctx, scope, f) }, func(n Notice) {
		if hasAll(words, n.ID, n.Title, n.Text) {
			out.Notices = within(out.Notices, n, &out.More)
		}
	})
}

// newest looks at what a list has, page by page from the newest on, as far as a
// search looks; out says whether there is more.
func newest[T any](out *Found, page func(token string) (items []T, next string, err error), look func(T)) error {
	for looked, token := 0, ""; ; {
		items, next, err := page(token)
		if err != nil {
			return err
		}
		for _, x := range items {
			look(x)
		}
		if looked += len(items); next == "" {
			return nil
		}
		if looked >= findLooked {
			out.Older = true
			return nil
		}
		token = next
	}
}

// within adds one that was found, while there is room.
func within[T any](list []T, x T, more *bool) []T {
	if len(list) >= findShown {
		*more = true
		return list
	}
	return append(list, x)
}

// folded is a text as it is compared: one line, lower case.
func folded(s string) string {
	return strings.ToLower(strings.Join(strings.Fields(plainText(norm.NFC.String(strings.ToValidUTF8(s, "?")))), " "))
}

// hasAll reports whether every word is in one of the texts.
func hasAll(words []string, texts ...string) bool {
	all := folded(strings.Join(texts, "\n"))
	for _, w := range words {
		if !strings.Contains(all, w) {
			return false
		}
	}
	return true
}
