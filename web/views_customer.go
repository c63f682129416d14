package web

import "time"

// Home is the customer's first page: the worst open fact, then the servers.
type Home struct {
	Page
	Needs     []Need
	Servers   []HomeServer
	Calendars []PlanCalendar
	Recent    []Event
	Query     FindForm // of the search for a file: empty here
	GetBack   string   // address where a file is looked for; "" hides the search
	Asked     []AskedFile
	Access    Link // who can reach the servers, in a sentence
	Connected Link // who was on them, in a sentence
}

// AskedFile is a file that somebody had fetched or put back.
type AskedFile struct {
	Name   []byte
	More   int    // how many other things there are
	Kind   string // where it goes, in words
	Href   string
	Server string
	State  State
	At     time.Time
	Until  time.Time // a download is kept; zero else
	By     string    // who asked for it
}

// HomeServer is one server as its customer sees it.
type HomeServer struct {
	Name     string
	Location string
	State    State
	Backup   State
	BackupAt time.Time
	Href     string // to its backups
	Next     time.Time
	NextWhy  string // why no time is said
}

// PlanCalendar is the calendar of one plan.
type PlanCalendar struct {
	Title    string
	Href     string
	Calendar Calendar
	Note     string
}

// Template names the template.
func (*Home) Template() string { return "home" }

// Backups is all plans of a customer.
type Backups struct {
	Page
	Plans []BackupPlan
	Asked []AskedFile
}

// BackupPlan is one plan as its customer sees it.
type BackupPlan struct {
	Server      string
	Href        string
	State       State
	Newest      time.Time // newest restorable copy
	NewestHref  string
	NewestState State
	Schedule    string
	Next        time.Time
	NextWhy     string // why no time is said
	Calendar    Calendar
	Key         State
	KeyHref     string
	KeyAction   string
	Needs       []Need
}

// Template names the template.
func (*Backups) Template() string { return "backups" }

// Snapshots is the list of copies of one plan.
type Snapshots struct {
	Page
	Calendar Calendar
	Rows     []SnapshotRow
	Pager    Pager
	RunHref  string
	PlanHref string
}

// SnapshotRow is one copy.
type SnapshotRow struct {
	At      time.Time
	Href    string
	State   State
	Files   int64
	Bytes   int64
	Added   int64
	Note    string
	JobHref string
}

// Template names the template.
func (*Snapshots) Template() string { return "snapshots" }

// Folder is one folder of a snapshot, of our list of its names or asked live
// from the server.
type Folder struct {
	Page
	State    FolderState
	Path     []Crumb
	Up       string
	Nodes    []NodeRow
	Pager    Pager
	Cut      int // how many entries the server listed of more; 0 where it listed all
	Waiting  *Waiting
	Snapshot SnapshotRow
	Again    string // address that asks again
	Unread   int64
	Copies   OtherCopies
	Pick     string // the whole folder, as a form's value for the basket; "" where it cannot be chosen
	InBasket bool   // the whole folder is
	Ticks    bool   // entries can be ticked for the basket
	History  string // address of the folder's versions; "" hides it
	Basket   BasketNote
}

// OtherCopies lead to the same place in the copies beside this one, and at any
// date; an empty Link is none.
type OtherCopies struct {
	Earlier, Later Link
	Action         string // address of the form that asks for a day
	Raw            string // the path as a form's value
	On             string // the day that is asked for
}

// FolderState is what is known of a folder.
type FolderState string

// The states. Missing and empty are two things.
const (
	FolderListed  FolderState = "listed"
	FolderEmpty   FolderState = "empty"   // the folder is there, with nothing in it
	FolderMissing FolderState = "missing" // this copy has no such folder
	FolderWaiting FolderState = "waiting" // the server was asked and has not answered yet
	FolderSilent  FolderState = "silent"  // the server did not answer in time
	FolderFailed  FolderState = "failed"  // it answered with a failure
	FolderStart   FolderState = "start"   // nothing is known; a form asks the server
)

// Valid reports whether s is a known state.
func (s FolderState) Valid() bool {
	switch s {
	case FolderListed, FolderEmpty, FolderMissing, FolderWaiting, FolderSilent, FolderFailed, FolderStart:
		return true
	}
	return false
}

// Crumb is one folder on the way: raw bytes, and where it leads.
type Crumb struct {
	Name []byte
	Href string
}

// NodeRow is one entry of a folder.
type NodeRow struct {
	Name    []byte
	Href    string // "" where it cannot be opened
	Dir     bool
	Kind    string // "" for files and folders; else a word, such as "link"
	Target  []byte // of a link
	Size    int64
	Changed time.Time
	Mode    string
	// Pick is a form's value for the basket; "" where it cannot be chosen.
	Pick     string
	InBasket bool
}

// Waiting is what a page says while a job is under way.
type Waiting struct {
	Text  string
	Why   []string
	Since time.Time
	Job   string // address
}

// Template names the template.
func (*Folder) Template() string { return "folder" }

// File is one file of a snapshot: what it is, and the two ways to get it.
type File struct {
	Page
	Path     []Crumb
	Name     []byte
	Size     int64
	Changed  time.Time
	Mode     string
	Owner    string
	Snapshot SnapshotRow
	Download string // address of the form; "" where the reader may not
	PutBack  string
	Target   []byte // the exact path it would be put at
	TooBig   int64  // the limit it exceeds, or 0
	Missing  bool   // this copy has no such file
	Waiting  *Waiting
	Known    bool // size and date are known
	Server   string
	Copies   OtherCopies
	Pick     string // as a form's value for the basket; "" where it cannot be chosen
	InBasket bool
	History  string // address of its versions; "" hides it
	Basket   BasketNote
}

// Template names the template.
func (*File) Template() string { return "file" }

// Download is one file on its way to the browser.
type Download struct {
	Page
	State    State
	Ready    bool
	Progress *Progress
	Why      []string
	Name     []byte
	FileHref string
	Size     int64
	SHA256   string
	Expires  time.Time
	Failed   *Problem
	Again    string
	Cancel   string
	Back     Link
	JobHref  string
	Over     bool // its time is over
	// Of an archive: what it holds, unpacked, and what is missing from it.
	Files, Bytes int64
	Missing      Missing
	Archive      bool
	AskUs        string    // address of the form by which we do it; "" hides it
	Another      *FindForm // the search for another file, once it is over
	Items        []ItemRow // what was chosen, the first of it
	Asked        []Pair    // who asked, and when
	Helped       string    // who of us did it, and why
}

// Template names the template.
func (*Download) Template() string { return "download" }

// RecoveryKey shows the key once, and has it confirmed, or offers that we keep
// a sealed copy.
type RecoveryKey struct {
	Page
	Step    KeyStep
	Key     string // shown once, with its hyphens: as restic wants it
	Action  string // address of the form
	Escrow  string // address of the other choice; "" hides it
	Anew    string // address that has the server send the key again
	Return  string // address that gives the key to a server that lost it; "" hides it
	Typed   bool   // the key has to be typed for that: we have no copy
	Waiting *Waiting
	Plan    Link
	Server  string
	Owners  []PersonRow // whom staff can ask to confirm it
	NoOwner Link        // where one is added, if there is none
	Digest  string      // fingerprint of the key
	At      time.Time
}

// KeyStep is where a recovery key stands.
type KeyStep string

// The steps.
const (
	KeyChoose    KeyStep = "choose"    // who keeps it is not decided
	KeyWaiting   KeyStep = "waiting"   // the host is making it
	KeyReady     KeyStep = "ready"     // it can be shown, once
	KeyShown     KeyStep = "shown"     // here it is, once
	KeyTheirs    KeyStep = "theirs"    // the customer has to confirm it; the reader cannot
	KeyFailed    KeyStep = "failed"    // the repository could not be made
	KeyConfirm   KeyStep = "confirm"   // it was shown and waits to be confirmed
	KeyConfirmed KeyStep = "confirmed" // the customer has it
	KeyEscrowed  KeyStep = "escrowed"  // we keep a sealed copy
)

// Valid reports whether s is a known step.
func (s KeyStep) Valid() bool {
	switch s {
	case KeyChoose, KeyWaiting, KeyReady, KeyShown, KeyTheirs, KeyFailed, KeyConfirm, KeyConfirmed, KeyEscrowed:
		return true
	}
	return false
}

// Template names the template.
func (*RecoveryKey) Template() string { return "recoverykey" }

// Activity is everything that happened, as the ledger has it.
type Activity struct {
	Page
	Filters  []Filter
	Events   []Event
	Pager    Pager
	Show     string // the chosen kind of entries
	By       string // id of the chosen person
	People   []Link // whom one can choose: name and id
	From, To string // days
	Narrowed bool   // by a person or a day
	Evidence string // address
}

// Template names the template.
func (*Activity) Template() string { return "activity" }

// Account is one's own sign-ins.
type Account struct {
	Page
	Email    string
	Role     string
	Sessions []SessionRow
	SignIn   []Pair // password, second factor, recovery codes
	Low      bool   // few recovery codes are left
	Ready    bool   // there is a password and a second factor
	Others   bool   // there are other sessions
	Tokens   []TokenRow
	Secret   string // of a token that was just made, shown once

	// The form for a new token.
	TokenName   string
	Presets     []RoleChoice
	Permissions []Choice
	Choosing    bool // permissions one by one
	TokenDays   []int
	Days        int
}

// TokenRow is one token for programs.
type TokenRow struct {
	Name                string
	May                 []string
	Made, Used, Expires time.Time
	Revoke              string // address
}

// Choice is one box of a form.
type Choice struct {
	Value, Label string
	Chosen       bool
}

// SessionRow is one sign-in.
type SessionRow struct {
	ID      string
	Browser string
	Address string
	Started time.Time
	Seen    time.Time
	Expires time.Time
	This    bool
	Revoke  string // address
}

// Template names the template.
func (*Account) Template() string { return "account" }

// Fault is the page of an error.
type Fault struct {
	Page
	Status int
	Cause  string
	Next   string
	Back   Link
}

// Template names the template.
func (*Fault) Template() string { return "fault" }
