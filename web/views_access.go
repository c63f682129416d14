package web

import "time"

// Access is a page about who can reach servers: sections of tables, one under
// the other, with what can be done about each.
type Access struct {
	Page
	Parts    []Filter // the pages beside this one
	Needs    []Need
	Facts    []Fact
	Pairs    []Pair
	Acts     []Act
	Filters  []Filter
	AsAt     *AsAt // chooses the instant of a list; nil where there is none
	Sections []Section
	Events   []Event
}

// Template names the template.
func (*Access) Template() string { return "access" }

// AsAt chooses the instant at which a list is read, and how it was known.
type AsAt struct {
	Customer           string // kept in the form, for staff
	On, Time           string // of the list
	KnownOn, KnownTime string
	Known              bool // the second choice is open
	Now                string
	CSV, PDF           string // addresses of the same list
}

// Section is one part of a page: a heading, a sentence, and a table or a list.
type Section struct {
	ID, Title string
	Lead      string
	Notes     []string // quiet lines under the table
	Grid      Grid
	Items     []string // a list of sentences
	Empty     string   // what would be here, where the table has no rows
	Pre       string   // text to copy
	Acts      []Act
	Pager     Pager
}

// Grid is a table. Each cell carries the head of its column, for narrow screens.
type Grid struct {
	Heads []string // the last may be "", for acts
	Rows  []GridRow
	Even  bool // columns stand under those of the page's other tables
}

// GridRow is one row; ID is where links lead to, "" for none.
type GridRow struct {
	ID    string
	Cells []Cell
}

// Cell is what stands in one place of a table, in this order.
type Cell struct {
	Link   Link // leads to one of our own pages, or with Away elsewhere
	Away   bool
	Strong bool
	Code   bool // a name of a machine's
	State  State
	At     time.Time // as a day and a time
	Notes  []string  // quiet lines
	Acts   []Act
	Ask    *Ask1
}

// Act is something that can be done: a link, or a button that sends a form.
type Act struct {
	Label, Href string
	Post        bool
	Strong      bool // the one that the page is for
}

// Ask1 is a small form in a table: one input and up to two answers.
type Ask1 struct {
	Action    string
	ID, Label string
	Yes, No   string // what the buttons say; No may be ""
}

// AccessForm is a form, with what will happen above it. Every form about
// access is one of these.
type AccessForm struct {
	Page
	Action, Back, Do string
	Lines            []string // what will happen
	Answers          []Pair   // what was entered, to be looked at once more
	About            string   // heading of what stands there; "" says to check it
	Hidden           []Pair   // Label is the input's name
	Fields           []FormField
	Change           string // says "change" where answers are looked at once more
	Exercise         string // stands across an exercise; "" for the real thing
	Ways             []Act  // what else can be done; alone where there is no form
}

// Template names the template.
func (*AccessForm) Template() string { return "accessform" }

// FormField is one input of a form. Options make it a choice of one, Radios
// one of a few with a word on each, Ticks any of several.
type FormField struct {
	ID, Label, Hint, Value string
	Type                   string // of the input; "" is text
	Rows                   int    // of a text area; 0 is an input
	Optional               bool
	Options                []Choice
	Radios                 []RoleChoice
	Ticks                  []Choice
}

// Matrix is who reaches whom: persons down, customers across.
type Matrix struct {
	Page
	Parts   []Filter
	Query   string
	Columns []Link
	Rows    []MatrixRow
	Pager   Pager
}

// MatrixRow is one person of the matrix.
type MatrixRow struct {
	Person Link
	Note   string
	Cells  []MatrixCell
}

// MatrixCell is what a person has on one customer; its zero value is nothing.
type MatrixCell struct {
	Text    string
	Href    string
	Until   time.Time
	Differs bool
}

// Template names the template.
func (*Matrix) Template() string { return "accessmatrix" }
