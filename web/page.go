package web

import (
	"strings"
	"time"
)

// Tone is how a state looks: always a word and a shape, colour only helps.
type Tone string

// The tones.
const (
	ToneGood    Tone = "good"    // ● measured, and as it should be
	ToneWarn    Tone = "warn"    // ◆ needs attention
	ToneBad     Tone = "bad"     // ■ needs a person now
	ToneUnknown Tone = "unknown" // ○ not measured: never the same as good
	ToneBusy    Tone = "busy"    // ◐ at work or waiting
)

// Valid reports whether t is a known tone.
func (t Tone) Valid() bool {
	switch t {
	case ToneGood, ToneWarn, ToneBad, ToneUnknown, ToneBusy:
		return true
	}
	return false
}

// State is a word with its tone. Word is already in the reader's language.
type State struct {
	Tone Tone
	Word string
}

// Link is a label with where it leads; an empty Href is plain text.
type Link struct {
	Label string
	Href  string
}

// Viewer is the person who looks at a page. The zero value is nobody: the page
// has no navigation then.
type Viewer struct {
	Name    string
	Company string // the customer's name, or the hosting company's
	Staff   bool
	Auditor bool
	// May holds the permissions that templates ask for ("backup.run").
	May map[string]bool
}

// SignedIn reports whether there is a person.
func (v Viewer) SignedIn() bool { return v.Name != "" }

// Page is what every page has: the sentence it says first, and around it who
// reads, when and where. Every page struct embeds it.
type Page struct {
	Title  string // for the window; the layout adds the product's name
	Say    string // the sentence first
	Sub    string // one quiet line under it
	Tone   Tone   // of the sentence, where it reports something; "" for none
	Nav    string // key of the current entry of the navigation
	Crumbs []Link // the way back, from the top
	Viewer Viewer
	Now    time.Time
	Zone   *time.Location // the reader's; nil is UTC
	Self   string         // path and query of this page, for live parts
	// Live are the topics after whose change the page asks for itself again.
	Live []string
	// LivePart is the id of the one part that asks for itself again, where the
	// rest of the page cannot be asked for twice; "" is the whole page.
	LivePart string
	// Refresh is how often a browser without JavaScript asks again, in
	// seconds; 0 is never.
	Refresh int
	Done    string // what a form did, after its redirect; a text
	// DoneNext is where that leads; its zero value is nowhere.
	DoneNext Link
	// Errors are what is wrong with a form, for the summary at the top.
	Errors    []FieldError
	Problem   *Problem // an error that is not about a field
	RequestID string
	// House is the hosting company's name, shown to whoever is not signed in.
	House string
	// Note is shown on every page, such as "This is a demo".
	Note string
	// Helping is shown on every page while the reader, one of us, may see a
	// customer's files; nil else.
	Helping *Helping
}

// FieldError is one wrong field: Field is the id of its input, "" for the form.
type FieldError struct {
	Field   string
	Message string
}

// Problem is an error for people: its cause and the next step.
type Problem struct {
	Cause string
	Next  string
	Link  Link // where the next step is taken
}

// View is a page struct that the renderer can render.
type View interface {
	// Template names the file in templates/, without its extension.
	Template() string
	base() *Page
}

func (p *Page) base() *Page { return p }

// ErrorOf returns all that is wrong with a field, or "".
func (p *Page) ErrorOf(field string) string {
	var all []string
	for _, e := range p.Errors {
		if e.Field == field {
			all = append(all, e.Message)
		}
	}
	return strings.Join(all, " ")
}

// May reports whether the viewer's role has a permission.
func (p *Page) May(permission string) bool { return p.Viewer.May[permission] }

// zone returns the reader's zone.
func (p *Page) zone() *time.Location {
	if p.Zone == nil {
		return time.UTC
	}
	return p.Zone
}
