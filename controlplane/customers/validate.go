package customers

import (
	"net/mail"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/language"
	"golang.org/x/text/unicode/norm"

	"ostler/controlplane"
	"ostler/controlplane/policy"
)

// Limits of what people enter, in bytes where nothing else is said.
const (
	maxName  = 200 // characters
	maxSlug  = 63
	maxHost  = 253
	maxEmail = 254
	maxPath  = 4096
	maxList  = 500 // paths, sites or databases of one tenancy
	// maxLists bounds all lists of a tenancy together: they go into one entry
	// of the ledger.
	maxLists = 32 << 10
)

// check collects what is wrong with an input.
type check struct{ fields []controlplane.Field }

func (c *check) add(pointer, message string) {
	c.fields = append(c.fields, controlplane.Field{Pointer: pointer, Message: message})
}

func (c *check) err() error {
	if len(c.fields) == 0 {
		return nil
	}
	return controlplane.Invalid(c.fields...)
}

// text returns s trimmed and in Unicode NFC. Control characters and marks that
// turn the direction of text could make a name look like another one.
func (c *check) text(pointer, s string, needed bool) string {
	s = norm.NFC.String(strings.TrimSpace(s))
	switch {
	case s == "" && needed:
		c.add(pointer, "Enter a name.")
	case !utf8.ValidString(s):
		c.add(pointer, "This is not valid text (UTF-8).")
	case utf8.RuneCountInString(s) > maxName:
		c.add(pointer, "This is too long: at most 200 characters.")
	case strings.ContainsFunc(s, hidden):
		c.add(pointer, "This contains characters that cannot be seen. Type it anew instead of pasting it.")
	}
	return s
}

func hidden(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' || r == '\u200b' || r == '\ufeff'
}

func (c *check) slug(pointer, s string) string {
	if len(s) < 2 || len(s) > maxSlug || !isLabel(s) {
		c.add(pointer, "Use 2 to 63 small letters, digits and single hyphens, beginning and ending with a letter or digit.")
	} else if strings.Contains(s, "--") {
		c.add(pointer, "Use single hyphens only.")
	}
	return s
}

// isLabel reports whether s is letters, digits and inner hyphens, lower case.
func isLabel(s string) bool {
	if s == "" || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

func isHost(s string) bool {
	if len(s) > maxHost {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if !isLabel(label) {
			return false
		}
	}
	return true
}

func (c *check) host(pointer, s string) string {
	s = strings.ToLower(strings.TrimSpace(s))
	if !isHost(s) {
		c.add(pointer, "Enter a host name: letters, digits, hyphens and dots, at most 253 characters.")
	}
	return s
}

func (c *check) country(pointer, s string) string {
	s = strings.ToUpper(strings.TrimSpace(s))
	r, err := language.ParseRegion(s)
	if err != nil || len(s) != 2 || !r.IsCountry() || r.String() != s || r.Canonicalize() != r {
		c.add(pointer, "Enter a country as its two letters (ISO 3166), such as GB or DE.")
	}
	return s
}

func (c *check) zone(pointer, s string) string {
	s = strings.TrimSpace(s)
	if s == "" || s == "Local" {
		c.add(pointer, "Enter a time zone by its name, such as Europe/London.")
	} else if _, err := time.LoadLocation(s); err != nil {
		c.add(pointer, "There is no time zone of this name. Use one such as Europe/London.")
	}
	return s
}

func (c *check) language(pointer, s string) string {
	s = strings.TrimSpace(s)
	if s == "" {
		return "en"
	}
	tag, err := language.Parse(s)
	if err != nil {
		c.add(pointer, "Enter a language by its short name, such as en or de.")
		return s
	}
	return tag.String()
}

func (c *check) email(pointer, s string) string {
	s = norm.NFC.String(strings.TrimSpace(s))
	if !ValidEmail(s) {
		c.add(pointer, "Enter one e-mail address, such as name@example.com.")
	}
	return s
}

// ValidEmail reports whether s is one bare e-mail address: no display name, no
// comment, no list.
func ValidEmail(s string) bool {
	if s == "" || len(s) > maxEmail || !utf8.ValidString(s) || strings.ContainsFunc(s, hidden) || strings.ContainsAny(s, " <>\"") {
		return false
	}
	a, err := mail.ParseAddress(s)
	return err == nil && a.Name == "" && a.Address == s
}

func (c *check) role(pointer string, r policy.Role) {
	if r.Kind() != controlplane.ActorContact {
		c.add(pointer, "Choose owner, restorer or reader.")
	}
}

// paths returns the paths cleaned, sorted and without doubles.
func (c *check) paths(pointer string, in []string, dedicated bool) []string {
	if len(in) == 0 {
		c.add(pointer, "Enter at least one path.")
	}
	return c.list(pointer, in, func(p string) (string, string) {
		switch {
		case !strings.HasPrefix(p, "/"):
			return p, "A path must begin with a slash."
		case len(p) > maxPath || strings.ContainsFunc(p, unicode.IsControl) || !utf8.ValidString(p):
			return p, "A path must be plain text of at most 4096 bytes."
		case slices.Contains(strings.Split(p, "/"), ".."):
			return p, "A path must not contain \"..\"."
		case path.Clean(p) == "/" && !dedicated:
			return p, "The whole server (\"/\") can belong to a customer only where the server is theirs alone."
		}
		return path.Clean(p), ""
	})
}

func (c *check) sites(pointer string, in []string) []string {
	return c.list(pointer, in, func(s string) (string, string) {
		s = strings.ToLower(strings.TrimSpace(s))
		if !isHost(s) {
			return s, "A site must be a host name, such as www.example.com."
		}
		return s, ""
	})
}

func (c *check) databases(pointer string, in []string) []string {
	return c.list(pointer, in, func(s string) (string, string) {
		if s == "" || len(s) > 128 || strings.ContainsFunc(s, func(r rune) bool { return hidden(r) || r == '/' }) || !utf8.ValidString(s) {
			return s, "A database must be a name of at most 128 characters without slashes."
		}
		return s, ""
	})
}

func (c *check) list(pointer string, in []string, one func(string) (value, problem string)) []string {
	if len(in) > maxList {
		c.add(pointer, "These are too many: at most 500.")
		return nil
	}
	out := make([]string, 0, len(in))
	for i, s := range in {
		v, problem := one(s)
		if problem != "" {
			c.add(pointer+"/"+strconv.Itoa(i), problem)
		}
		out = append(out, v)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// size bounds all lists of a tenancy together.
func (c *check) size(lists ...[]string) {
	n := 0
	for _, l := range lists {
		for _, v := range l {
			n += len(v)
		}
	}
	if n > maxLists {
		c.add("/paths", "This is too much for one tenancy: name the folders above, or make a second one.")
	}
}

// within reports whether the cleaned path p is root or lies under it.
func within(p, root string) bool {
	return root == "/" || p == root || strings.HasPrefix(p, root+"/")
}

// overlap reports whether one of the two cleaned paths lies in the other.
func overlap(a, b string) bool { return within(a, b) || within(b, a) }

// slugOf makes a short name of a company's name: letters without their marks,
// digits, single hyphens.
func slugOf(name string) string {
	var b strings.Builder
	for _, r := range norm.NFKD.String(strings.ToLower(name)) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			b.WriteRune(r)
		case r == '\'' || r == '’' || unicode.Is(unicode.Mn, r):
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	s := b.String()
	if len(s) > maxSlug {
		s = s[:maxSlug]
	}
	return strings.Trim(s, "-")
}
