package web

import "time"

// Restores is the list of what was fetched and put back.
type Restores struct {
	Page
	Rows    []AskedFile
	Another *FindForm // the search
	Asked   string    // address of the page that has us do it; "" hides it
	Asks    string    // address of what we were asked; "" hides it
	Basket  BasketNote
	// Assists are who of us could see files.
	Assists []AssistRow
}

// Template names the template.
func (*Restores) Template() string { return "restores" }

// OnServer is files on their way to a server: what would change, what did, and
// how it is taken back.
type OnServer struct {
	Page
	State     State
	Progress  *Progress
	Why       []string
	Name      []byte // of the first thing
	More      int    // how many other things there are
	From      string // the server that they are from, where it is another one
	Server    string
	Where     string // in words, where no Target is said
	Target    []byte // the file or folder, where it is said
	Rule      string // what happens where something is there already
	Files     []ChangeCount
	List      []ChangeRow
	ListTitle string
	NoList    *Problem // why the list cannot be shown
	Pager     Pager
	Figures   []Fact
	Missing   Missing
	Failed    *Problem
	Confirm   string // address that carries it out
	Resume    bool   // it goes on where it stopped
	Until     time.Time
	Undo      string // address that takes it back
	UndoUntil time.Time
	Cancel    string
	Again     string // address that puts what was chosen into the basket again
	Size      int64  // of the one file
	SHA256    string
	Items     []ItemRow // what was chosen, the first of it
	Asked     []Pair    // who asked, and when
	Helped    string    // who of us did it, and why
	AskUs     string    // address of the form by which we do it; "" hides it
	Another   *FindForm // the search for another file, once it is over
	Back      Link
	JobHref   string
}

// ItemRow is one thing that was chosen for a restore.
type ItemRow struct {
	Path []byte
	Href string    // it in its copy; "" where that is no more
	At   time.Time // when the copy was made; zero where it is no more
	Of   []byte    // what was chosen, where only this part of it is the customer's
}

// ChangeCount is how many paths one thing happens to.
type ChangeCount struct {
	State State
	N     int64
}

// ChangeRow is what happens to one path.
type ChangeRow struct {
	Path  []byte
	State State
	Size  int64 // -1 where it has none
	Note  string
}

// Missing is what was asked for and could not be read from the store.
type Missing struct {
	Count int64
	Text  string
	Rows  [][]byte
	More  int64
}

// Template names the template.
func (*OnServer) Template() string { return "onserver" }
