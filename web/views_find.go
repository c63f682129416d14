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
	Pager   Pager
	Scope   string // "in 412 copies of shop-1 and shop-2"
	Behind  []BehindRow
	Basket  BasketNote
	Servers []Link // whom the search can be narrowed to: name and id
	Browse  []Link // the newest copy of each plan, to look for it by folder
	AskUs   string // address of the page that has us do it; "" hides it
}

// FindForm is what the search form holds.
type FindForm struct {
	Text, On, Server, Ext, Min, From, To string
	More                                 bool // one of the finer fields is filled in
}

// FoundRow is one file with what is known of it over all copies.
type FoundRow struct {
	Name, Folder []byte
	Dir          bool
	Kind         string // what it is, where it is neither file nor folder
	Href         string // its versions
	Server       string
	Versions     int
	At           time.Time // of its newest copy
	Missing      string    // "missing from the backup of the 19th"; "" where it is in the newest
	Size         int64
	Pick         string // the newest version, as a form's value for the basket
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
	Note       string // copies that it does not know
	Basket     BasketNote
	Folder     string // address of the folder that it is in, in the newest copy
}

// VersionRow is one version of a path.
type VersionRow struct {
	Changed     time.Time
	First, Last time.Time // the copies that have it, by arrival
	Copies      int
	Size        int64
	Type        wire.NodeType
	Href        string // the file in its newest copy
	Pick        string // as a form's value for the basket
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
	Seconds      int64 // an estimate; 0 is none
	Servers      []Link
	Target       BasketTarget
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
	Mail                                        bool
	Example                                     []byte // a name that something put beside would have
}

// Template names the template.
func (*Basket) Template() string { return "basket" }
