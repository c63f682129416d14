package web

import "time"

// Incidents is a page of lists about breaches: what somebody can say in one
// sentence first, then what needs a person, then the lists.
type Incidents struct {
	Page
	Parts    []Filter // the pages beside this one
	Exercise string   // stands across an exercise; "" for the real thing
	Quick    *BoxForm // "something happened", in one field
	Find     *Seek
	Needs    []Need
	Facts    []Fact
	Acts     []Act
	Sift     *Sift
	Sections []Section
	Load     *BoxForm // after all else: what is done once a year
	Pager    Pager
}

// Template names the template.
func (*Incidents) Template() string { return "incidents" }

// Seek is a search in one field.
type Seek struct {
	Action, Label, Query string
}

// BoxForm is a form on a page that shows more than the form.
type BoxForm struct {
	ID          string // on its page
	Title, Lead string
	Action, Do  string
	Hidden      []Pair // Label is the input's name
	Fields      []FormField
	Quiet       bool // it is not what the page is for
	Sure        string
}

// Incident is one case: what is due next and the one next step, then the
// clocks, and then everything that is known and was done.
type Incident struct {
	Page
	Parts    []Filter // places of this page, and pages of the case
	Exercise string   // what stands across an exercise; "" for the real thing
	Needs    []Need   // the first is the next step
	Clocks   []ClockCard
	AllOf    Link // leads to the clocks that are left out
	Known    []Pair
	Words    string // what is known, as it was written
	KnownDo  []Act
	Sections []Section
	Ends     []Act // what ends, joins or opens a case again
}

// Template names the template.
func (*Incident) Template() string { return "incident" }

// ClockCard is one duty of a case with its time, as people read it.
type ClockCard struct {
	Title  string
	Whose  Link
	State  State
	Big    string // "16 h left", "2 h late", "told"
	Until  string // with the zone
	Passed int    // percent of the time; -1 where there is no number
	Gone   string // how much of it has passed, in words
	Label  string // whose limit it is: the law's, the contract's
	Why    string
	Beside string // the end by Regulation 1182/71
	Steps  []string
	Law    []Pair
	Do     Link
}

// CaseNotice is one notice: as it would be sent, with what to look at first; and
// as it was sent, with who has it.
type CaseNotice struct {
	Page
	Parts    []Filter
	Exercise string
	Facts    []Fact
	Checks   []State // what to look at before sending
	Stopped  bool    // it cannot be sent as it is
	Forms    []BoxForm
	Acts     []Act
	Own      bool   // it is before whom it was sent to
	Text     string // exactly as it is sent
	Sum      string // SHA-256 of it
	Sections []Section
	Pairs    []Pair
}

// Template names the template.
func (*CaseNotice) Template() string { return "casenotice" }

// CasePaper is a document of a case, to be read or printed.
type CasePaper struct {
	Page
	Parts    []Filter
	Exercise string
	Lead     string
	Made     time.Time
	Answers  []PaperAnswer
	Papers   []PaperPart
}

// Template names the template.
func (*CasePaper) Template() string { return "casepaper" }

// PaperAnswer is one question of a form with its answer, or why there is none.
type PaperAnswer struct {
	Question, Answer, Missing string
	Required                  bool
}

// PaperPart is one part of a document.
type PaperPart struct {
	ID, Heading string
	Paragraphs  []string
	Heads       []string
	Rows        [][]string
}
