package web

import (
	"time"

	"ostler/agents/wire"
)

// Find is the search over all copies of a customer, and what it found.
type Find struct {
	Page
	Query   FindForm
	Asked   bool // something was looked for
	Rows    []FoundRow
	Ticks   bool // rows can be ticked for the basket
	Pager   Pager
	Scope   string // "in 412 copies of shop-1 and shop-2"
	None    string // why there are no rows, and what to do
	Behind  []BehindRow
	Basket  BasketNote
	Servers []Link // whom the search can be narrowed to: name and id
	Browse  []Link // the newest copy of each plan, to look for it by folder
	NoCopy  bool   // there is no copy at all
	AskUs   string // address of the page that has us do it; "" hides it
}

// FindForm is what the search form holds.
type FindForm struct {
	Text, On, Server, Type, Ext, Min, From, To string
	More                                       bool // one of the finer fields is filled in
}

// FoundRow is one file with what is known of it over all copies.
type FoundRow struct {
	Name, Folder []byte
	Dir          bool
	Kind         string // what it is, where it is neither file nor folder
	Href         string // its versions
	Server       string
	Versions     int
	At           time.Time // of the newest copy that has what is shown
	Missing      string    // "missing from the backup of the 19th"; "" where it is in the newest
	Size         int64
	Pick         string // the version that is shown, as a form's value for the basket; "" where the reader may not
	InBasket     string // "in your basket, as of …"; "" where it is not
}

// BehindRow says which copies a search did not see, and why.
type BehindRow struct {
	Text string
	Link Link
}

// BasketNote says what is in the basket, at the foot of pages that fill it.
type BasketNote struct {
	Items int
	Text  string
	Href  string
}

// Template names the template.
func (*Find) Template() string { return "find" }

// Files is the history of one path: its versions, newest first.
type Files struct {
	Page
	Name, Path []byte
	Server     string
	Versions   []VersionRow
	Missing    string
	Deep       string      // of a folder: what its versions do not tell of
	Copies     OtherCopies // of a folder: the day to look into
	Unseen     string      // copies that it does not know, and why
	Why        Link        // the plan, which says more of that
	Basket     BasketNote
	Folder     Link // the folder that it is in, or where to look for it
}

// VersionRow is one version of a path.
type VersionRow struct {
	Changed     time.Time
	First, Last time.Time // the copies that have it, by arrival
	Copies      int
	Size        int64
	Type        wire.NodeType
	Kind        string // what it is, where it is neither file nor folder
	Href        string // the file in its newest copy
	Download    string // address of the form; "" where it is no file, or the reader may not
	Pick        string // as a form's value for the basket; "" where the reader may not
	InBasket    bool
}

// Template names the template.
func (*Files) Template() string { return "files" }

// Basket is what a person has chosen, and the ways to have it.
type Basket struct {
	Page
	Items        []BasketRow
	Files, Bytes int64
	Known        bool
	Took         time.Duration // an estimate; 0 is none
	Gone         int           // items whose copy is no longer in the store
	Parts        int           // how many servers they are from: one archive each
	Servers      []Link        // that things can be put on: name and id
	Folders      string        // within which folders there
	Alone        bool          // it is one file, which a zip would only wrap
	Target       BasketTarget
	Mail         MailChoice
	CanRestore   bool
}

// BasketRow is one item of a basket.
type BasketRow struct {
	ID           string
	Name, Folder []byte
	Dir, Gone    bool
	Server       string
	At           time.Time
	Href         string
	Files, Bytes int64
	Known        bool
}

// BasketTarget is what the form says of where things go.
type BasketTarget struct {
	Placement, Conflict, Folder, Server, Format string
	Mail, Special                               bool
	Example                                     []byte // a name that something put beside would have
}

// Template names the template.
func (*Basket) Template() string { return "basket" }

// NamesList is how the list of a plan's names stands: what folders and searches
// are answered from without asking the server.
type NamesList struct {
	State  State
	Text   string // how it stands, in a sentence
	Behind string // which copies are not in it, and why; "" where all are
	Means  string // what having it means for who alone holds the key; "" for others
	On     bool
	Choose string // address of the form; "" where the reader may not
	Yes    bool   // the choice is between yes and no: the reader alone holds the key
	Theirs string // whose choice it is, where it is not the reader's
	Anew   string // address that has it made anew; "" hides it
}
