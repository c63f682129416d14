package web

import (
	"unicode"
	"unicode/utf8"
)

// OpenKind is a sort of open fact. Each slice that can have one has its line
// here, and the headline's test holds them all to the rule.
type OpenKind string

// The kinds of open facts, worst first.
const (
	OpenBad        OpenKind = "bad"        // a finding that is bad
	OpenFailed     OpenKind = "failed"     // the latest backup failed or is missing
	OpenSilent     OpenKind = "silent"     // a server is not heard of
	OpenUnread     OpenKind = "unread"     // a slice could not be asked: nothing is known of it
	OpenWarn       OpenKind = "warn"       // a finding that warns
	OpenPartial    OpenKind = "partial"    // the latest backup left files out
	OpenKey        OpenKind = "key"        // a recovery key nobody has confirmed
	OpenUnknown    OpenKind = "unknown"    // a finding about something not known
	OpenNever      OpenKind = "never"      // a server that no agent has ever spoken for
	OpenNoBackup   OpenKind = "no_backup"  // a server without any backup yet
	OpenUnattested OpenKind = "unattested" // a stretch of time nobody measured
	OpenNoServers  OpenKind = "no_servers" // nothing is looked after yet
)

// openOrder is the kinds, worst first.
var openOrder = []OpenKind{
	OpenBad, OpenFailed, OpenSilent, OpenUnread, OpenWarn, OpenPartial, OpenKey,
	OpenNoBackup, OpenUnknown, OpenNever, OpenUnattested, OpenNoServers,
}

// Valid reports whether k is a known kind.
func (k OpenKind) Valid() bool {
	for _, o := range openOrder {
		if k == o {
			return true
		}
	}
	return false
}

// Tone returns how an open fact of the kind looks. None is ToneGood.
func (k OpenKind) Tone() Tone {
	switch k {
	case OpenSilent, OpenUnread, OpenWarn, OpenPartial, OpenKey, OpenNoBackup:
		return ToneWarn
	case OpenUnknown, OpenNever, OpenUnattested, OpenNoServers:
		return ToneUnknown
	}
	return ToneBad // an unknown kind too
}

// OpenFact is one fact that is open for the reader.
type OpenFact struct {
	Kind OpenKind
	// What names it in a sentence: a finding's title, a server's name, a
	// slice's name for OpenUnread.
	What string
	// Mine says that the reader is who must do something.
	Mine bool
}

// HeadlineFacts is everything that a headline is made from.
type HeadlineFacts struct {
	Servers int // servers the reader can see
	Open    []OpenFact
}

// Said is a headline: its sentence, and its tone.
type Said struct {
	Sentence string
	Tone     Tone
}

// Headline says what the worst open fact is, and how many more there are. It
// says that nothing needs the reader only where there is at least one server
// and no open fact of any kind.
func Headline(tx *Text, f HeadlineFacts) Said {
	open := f.Open
	if f.Servers == 0 {
		open = append(open[:len(open):len(open)], OpenFact{Kind: OpenNoServers})
	}
	worst, mine := worstOf(open)
	if worst == nil {
		return Said{tx.T("headline.nothing", "n", f.Servers), ToneGood}
	}
	if worst.Kind == OpenNoServers && len(open) == 1 {
		return Said{tx.T("headline.no_servers"), ToneUnknown}
	}
	var lead string
	switch {
	case mine == 0:
		lead = tx.T("headline.ours", "n", len(open), "number", capital(tx.Number(len(open))))
	case mine == len(open):
		lead = tx.T("headline.yours", "n", mine, "number", capital(tx.Number(mine)))
	default:
		lead = tx.T("headline.both", "n", mine, "number", capital(tx.Number(mine)), "others", tx.Number(len(open)-mine))
	}
	return Said{lead + " " + openSentence(tx, *worst, len(open)), worst.Kind.Tone()}
}

// worstOf returns the worst open fact, one of the reader's own first among
// equals, and how many are the reader's own. An unknown kind is the worst.
func worstOf(open []OpenFact) (worst *OpenFact, mine int) {
	rank := func(k OpenKind) int {
		for i, o := range openOrder {
			if k == o {
				return i
			}
		}
		return -1
	}
	for i := range open {
		o := &open[i]
		if o.Mine {
			mine++
		}
		if worst == nil || rank(o.Kind) < rank(worst.Kind) || rank(o.Kind) == rank(worst.Kind) && o.Mine && !worst.Mine {
			worst = o
		}
	}
	return worst, mine
}

// openSentence says one open fact; with others beside it, it comes as the first.
func openSentence(tx *Text, o OpenFact, all int) string {
	key := openTexts[o.Kind]
	if key == "" {
		key = "open.other"
	}
	s := tx.T(key, "what", o.What)
	if all > 1 {
		return tx.T("headline.first", "what", s)
	}
	return s
}

var openTexts = map[OpenKind]string{
	OpenBad: "open.finding", OpenWarn: "open.finding", OpenUnknown: "open.finding",
	OpenFailed: "open.failed", OpenSilent: "open.silent", OpenUnread: "open.unread",
	OpenPartial: "open.partial", OpenKey: "open.key", OpenNever: "open.never",
	OpenNoBackup: "open.no_backup", OpenUnattested: "open.unattested", OpenNoServers: "open.no_servers",
}

// capital returns s with a capital first letter.
func capital(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[n:]
}

// lower returns s with a small first letter, to follow a colon.
func lower(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToLower(r)) + s[n:]
}
