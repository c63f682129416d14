package web

import (
	"slices"
	"unicode"
	"unicode/utf8"

	"ostler/backups"
)

// OpenKind is a sort of open fact. Each slice that can have one has its line
// here, and the headline's test holds them all to the rule.
type OpenKind string

// The kinds of open facts, worst first.
const (
	OpenIncident    OpenKind = "incident"    // an incident is open, suspected or certain
	OpenBad         OpenKind = "bad"         // a finding that is bad
	OpenFailed      OpenKind = "failed"      // the latest backup failed or is missing
	OpenExpired     OpenKind = "expired"     // a certificate is installed that is valid no more
	OpenRevoked     OpenKind = "revoked"     // a certificate is installed that was revoked
	OpenUnserved    OpenKind = "unserved"    // a certificate was issued, and something else is served
	OpenSilent      OpenKind = "silent"      // a server is not heard of
	OpenAccess      OpenKind = "access"      // what a list says and what is enforced differ
	OpenUnread      OpenKind = "unread"      // a slice could not be asked: nothing is known of it
	OpenWarn        OpenKind = "warn"        // a finding that warns
	OpenRenewal     OpenKind = "renewal"     // a certificate could not be issued or renewed, or is late
	OpenTold        OpenKind = "told"        // a change of a list was not told in time
	OpenPartial     OpenKind = "partial"     // the latest backup left files out
	OpenKey         OpenKind = "key"         // a recovery key nobody has confirmed
	OpenIssuing     OpenKind = "issuing"     // a certificate that was never issued yet
	OpenUnknown     OpenKind = "unknown"     // a finding about something not known
	OpenNever       OpenKind = "never"       // a server that no agent has ever spoken for
	OpenNoPlan      OpenKind = "no_plan"     // somebody lives on a server, and no plan backs it up
	OpenNoBackup    OpenKind = "no_backup"   // a plan without any backup yet
	OpenUnconfirmed OpenKind = "unconfirmed" // a list that is not confirmed
	OpenUnattested  OpenKind = "unattested"  // a stretch of time nobody measured
	OpenNoServers   OpenKind = "no_servers"  // nothing is looked after yet
)

// openOrder is the kinds, worst first.
var openOrder = []OpenKind{
	OpenIncident, OpenBad, OpenFailed, OpenExpired, OpenRevoked, OpenUnserved, OpenSilent, OpenAccess, OpenUnread, OpenWarn, OpenRenewal, OpenTold, OpenPartial, OpenKey,
	OpenNoPlan, OpenNoBackup, OpenIssuing, OpenUnknown, OpenNever, OpenUnconfirmed, OpenUnattested, OpenNoServers,
}

// Valid reports whether k is a known kind.
func (k OpenKind) Valid() bool { return slices.Contains(openOrder, k) }

// Tone returns how an open fact of the kind looks. None is ToneGood.
func (k OpenKind) Tone() Tone {
	switch k {
	case OpenSilent, OpenAccess, OpenTold, OpenUnread, OpenWarn, OpenRenewal, OpenPartial, OpenKey, OpenNoPlan, OpenNoBackup:
		return ToneWarn
	case OpenIssuing, OpenUnknown, OpenNever, OpenUnconfirmed, OpenUnattested, OpenNoServers:
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

// Covered is what is known of the backups of one customer's part of a server.
// The zero value has no plan.
type Covered struct {
	Repository backups.RepositoryState // "" where there is no plan
	// Latest is the newest run that is over: "" where there is none, or where
	// it was not asked for because a finding says how it went.
	Latest backups.RunState
	Copy   bool // there is a copy to restore from
}

// Open is what is open about it, for every reader and every page alike; "" is
// only where a plan's repository is ready, there is a copy, and the newest run
// neither failed nor left anything out.
func (c Covered) Open() OpenKind {
	switch c.Repository {
	case "":
		return OpenNoPlan
	case backups.RepositoryChoosing, backups.RepositoryUnconfirmed:
		return OpenKey
	case backups.RepositoryFailed:
		return OpenFailed
	case backups.RepositoryReady:
	default: // it is being made; an unknown state too
		return OpenNoBackup
	}
	switch c.Latest {
	case backups.RunPartial:
		return OpenPartial
	case backups.RunComplete, backups.RunCancelled, backups.RunSkipped, "":
		if c.Copy {
			return ""
		}
		return OpenNoBackup
	}
	return OpenFailed
}

// HeadlineFacts is everything that a headline is made from.
type HeadlineFacts struct {
	Servers int // servers the reader can see
	Staff   bool
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
	worst, mine := worstOf(open)
	switch {
	case worst == nil && f.Servers == 0:
		return Said{tx.T("headline.no_servers"), ToneUnknown}
	case worst == nil:
		return Said{tx.T("headline.nothing", "n", f.Servers), ToneGood}
	}
	var lead string
	switch {
	case mine == 0 && f.Staff:
		lead = tx.T("headline.theirs", "n", len(open), "number", capital(tx.Number(len(open))))
	case mine == 0:
		lead = tx.T("headline.ours", "n", len(open), "number", capital(tx.Number(len(open))))
	case mine == len(open):
		lead = tx.T("headline.yours", "n", mine, "number", capital(tx.Number(mine)))
	case f.Staff:
		lead = tx.T("headline.both_staff", "n", mine, "number", capital(tx.Number(mine)), "others", tx.Number(len(open)-mine))
	default:
		lead = tx.T("headline.both", "n", mine, "number", capital(tx.Number(mine)), "others", tx.Number(len(open)-mine))
	}
	return Said{lead + " " + openSentence(tx, *worst, len(open)), worst.Kind.Tone()}
}

// worstOf returns the worst open fact, one of the reader's own first among
// equals, and how many are the reader's own. An unknown kind is the worst.
func worstOf(open []OpenFact) (worst *OpenFact, mine int) {
	for i := range open {
		o := &open[i]
		if o.Mine {
			mine++
		}
		if worst == nil || o.before(*worst) {
			worst = o
		}
	}
	return worst, mine
}

// before reports whether o comes first: it is worse, or as bad and the reader's.
func (o OpenFact) before(x OpenFact) bool {
	a, b := slices.Index(openOrder, o.Kind), slices.Index(openOrder, x.Kind)
	return a < b || a == b && o.Mine && !x.Mine
}

// openSentence says one open fact; with others beside it, it comes as the first.
func openSentence(tx *Text, o OpenFact, all int) string {
	key := openTexts[o.Kind]
	if o.Kind == OpenIncident && o.Mine {
		key = "open.incidents_staff"
	}
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
	OpenIncident: "open.incident", OpenBad: "open.finding", OpenWarn: "open.finding", OpenUnknown: "open.finding",
	OpenFailed: "open.failed", OpenSilent: "open.silent", OpenUnread: "open.unread",
	OpenPartial: "open.partial", OpenKey: "open.key", OpenNever: "open.never",
	OpenExpired: "open.expired", OpenRevoked: "open.revoked", OpenUnserved: "open.unserved", OpenRenewal: "open.renewal", OpenIssuing: "open.issuing",
	OpenAccess: "open.access", OpenTold: "open.access_told", OpenUnconfirmed: "open.access_unconfirmed",
	OpenNoPlan: "open.no_plan", OpenNoBackup: "open.no_backup", OpenUnattested: "open.unattested", OpenNoServers: "open.no_servers",
}

// capital returns s with a capital first letter.
func capital(s string) string {
	if s == "" {
		return ""
	}
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[n:]
}

// lower returns s with a small first letter, to follow a colon.
func lower(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToLower(r)) + s[n:]
}
