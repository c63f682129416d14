package web

import "time"

// Entry is one entry of the record by itself, with the proof that it is in it.
type Entry struct {
	Page
	Facts  []Pair
	About  []Link // what it tells of, where there is a page
	Proof  State
	Proven []Pair // places and hashes
	Says   string // what the proof shows, in words
	Leaf   string // as it stands in the record
}

// Template names the template.
func (*Entry) Template() string { return "entry" }

// Evidence is how the record of one customer, or the whole log, stands; how it
// was checked; and what to take away to check it without us.
type Evidence struct {
	Page
	Strip    []Fact
	Check    string // address of the form
	Result   *Checked
	Bundle   string // addresses of the file; Personal "" where the reader may not
	Personal string
	Command  string // that verifies the file
	Signed   string // newest checkpoint, as signed
	Pairs    []Pair // what it says
	Heads    []HeadRow
	Whole    string // address of the whole log's page; for staff
}

// Checked is what the newest check found.
type Checked struct {
	State    State
	At       time.Time
	Text     string
	Problems []Link // the first bad entry first
	Next     string
	Pairs    []Pair
}

// HeadRow is the last entry of a chain on one day.
type HeadRow struct {
	Day     string
	Entries int64
	Hash    string
}

// Template names the template.
func (*Evidence) Template() string { return "evidence" }
