package web

import "time"

// SignIn is the sign-in page: first e-mail and password, then the code.
type SignIn struct {
	Page
	Step  SignInStep
	Email string
	Next  string // where to go afterwards
	// AskCustomer has the form ask which customer is meant: the same address
	// and password are known for several.
	AskCustomer bool
}

// SignInStep is which half of signing in a page shows.
type SignInStep string

// The steps of signing in.
const (
	StepPassword SignInStep = "password"
	StepCode     SignInStep = "code"
	StepSpent    SignInStep = "spent" // a link or invitation that is used up or too old
)

// Valid reports whether s is a known step.
func (s SignInStep) Valid() bool { return s == StepPassword || s == StepCode || s == StepSpent }

// Template names the template.
func (*SignIn) Template() string { return "signin" }

// Setup accepts an invitation: a password and a second factor.
type Setup struct {
	Page
	Token  string // of the invitation, in the form's address
	Name   string
	Email  string
	QR     QR
	Secret string // the same as the drawing, for typing
}

// Template names the template.
func (*Setup) Template() string { return "setup" }

// Codes shows recovery codes, once.
type Codes struct {
	Page
	Codes []string
	Back  string // where it goes on
}

// Template names the template.
func (*Codes) Template() string { return "codes" }

// Today is the ops engineer's list of what needs a person.
type Today struct {
	Page
	Needs    []Need
	More     Link // to the rest, where the list is cut
	LastHour []Event
}

// Template names the template.
func (*Today) Template() string { return "today" }

// Servers is the list of servers.
type Servers struct {
	Page
	Query   string
	Group   string // word of the choice above the list
	Filters []Filter
	Rows    []ServerRow
	Pager   Pager
	None    bool // there is no server at all, with or without filter
}

// Filter is one choice above a list.
type Filter struct {
	Label   string
	Href    string
	Current bool
	Count   int // -1 is not counted
}

// ServerRow is one server in a list.
type ServerRow struct {
	Name, Href string
	Location   string
	State      State
	Seen       time.Time
	Customers  []Link
	Backup     State // of the worst plan
	BackupAt   time.Time
	Findings   int
}

// Template names the template.
func (*Servers) Template() string { return "servers" }

// Server is one server: a strip of facts, then everything that happened.
type Server struct {
	Page
	Strip     []Fact
	Needs     []Need
	Timeline  []Event
	More      string // address of older events
	Disks     []Disk
	Inventory []Pair
	Taken     time.Time // of the inventory
	Simulated []string  // facts that are fixtures
	Tenancies []TenancyRow
	Plans     []PlanRow
	EnrolHref string // where no agent speaks for it yet
	// Of certificates: ours there by days left, and where those of others and
	// the rest of ours are; "" hides them.
	Certs     []CertRow
	CertsMore string
	Others    Link
	Windows   []WindowRow // the newest ones
	Connected Link        // who was on it, in a sentence
}

// WindowRow is a change window: a time in which the server was changed on
// purpose. Staff see for which ticket, by whom and with what.
type WindowRow struct {
	From, Until       time.Time
	State             State
	Ticket, Who, What string
}

// Disk is one file system.
type Disk struct {
	Mount       string
	Size, Free  int64
	UsedPercent int
	State       State
}

// TenancyRow is one customer on a server.
type TenancyRow struct {
	Customer Link
	Server   Link
	Paths    []string
	Sites    []string
	PlanHref string // of its plan
	NewPlan  string // where to make one
	SitesSet string // where its sites are changed; "" hides it
}

// PlanRow is one backup plan in a list.
type PlanRow struct {
	Name, Href string
	Server     Link
	Customer   Link
	State      State
	Latest     time.Time
	Next       time.Time
	NextWhy    string // why no time is said
	Schedule   string
}

// Template names the template.
func (*Server) Template() string { return "server" }

// NewServer is the form that names a new server.
type NewServer struct {
	Page
	Name, Location, Country string
}

// Template names the template.
func (*NewServer) Template() string { return "newserver" }

// Enrol is one enrolment: a command to copy and a live checklist.
type Enrol struct {
	Page
	Server  Link
	Command string // shown while the token is new; "" afterwards
	Expires time.Time
	Steps   []Step
	Again   string // address of the form for a new command; "" hides it
	Fresh   bool   // no command was ever made
	Ready   bool   // it is done
}

// Template names the template.
func (*Enrol) Template() string { return "enrol" }

// Customers is the list of customers.
type Customers struct {
	Page
	Query   string
	Group   string // word of the choice above the list
	Filters []Filter
	Rows    []CustomerRow
	Pager   Pager
	None    bool // there is no customer at all, with or without filter
}

// CustomerRow is one customer in a list.
type CustomerRow struct {
	Name, Href string
	Parent     Link
	Servers    int
	State      State
	Since      time.Time
}

// Template names the template.
func (*Customers) Template() string { return "customers" }

// NewCustomer is the form for a new customer.
type NewCustomer struct {
	Page
	Name, Slug, Country, ZoneName string
}

// Template names the template.
func (*NewCustomer) Template() string { return "newcustomer" }

// NewTenancy is the form that puts a customer on a server.
type NewTenancy struct {
	Page
	Action                          string
	Server, Paths, Sites, Databases string
	Dedicated                       bool
	Servers                         []Link // Label is the name, Href the id
}

// Template names the template.
func (*NewTenancy) Template() string { return "newtenancy" }

// Customer is one customer as ops see it.
type Customer struct {
	Page
	Facts      []Pair
	Parent     Link
	Children   []Link
	Needs      []Need
	Contacts   []PersonRow
	Auditors   []AuditorRow
	Tenancies  []TenancyRow
	Plans      []PlanRow
	Events     []Event
	Evidence   string // address
	NewTenancy string // addresses; "" where the reader may not
	NewContact string
	NewAuditor string
	// Of restores for them: where helping begins ("" where the reader may not),
	// their requests, and who of us could see their files.
	Help    Link
	Asks    string
	Assists []AssistRow
	Access  Link // who can reach their servers
	// Connected is who was on their servers, in a sentence.
	Connected Link
}

// Template names the template.
func (*Customer) Template() string { return "customer" }

// Plan is one backup plan, for ops and for its customer.
type Plan struct {
	Page
	Strip     []Fact
	Needs     []Need
	Paths     []string
	Excludes  []string
	Schedule  string // in words
	Cron      string
	ZoneName  string
	Next      []time.Time
	Paused    bool
	Waits     string // what the first run waits for
	Calendar  Calendar
	Runs      []RunRow
	More      string
	RunHref   string // address of "run now"; "" where the reader may not
	EditHref  string
	KeyHref   string // where the recovery key is shown or chosen; "" hides it
	KeyAction string
	Names     *NamesList // nil hides it
}

// RunRow is one run of a plan.
type RunRow struct {
	At       time.Time
	State    State
	Took     time.Duration
	Files    int64
	Bytes    int64
	Added    int64
	Note     string
	Job      string // address
	Snapshot string // address
}

// Template names the template.
func (*Plan) Template() string { return "plan" }

// PlanEdit is the form of a plan, new or not.
type PlanEdit struct {
	Page
	Action   string // address the form is sent to
	Name     string
	Enabled  bool
	Paths    string // one a line
	Excludes string
	Cron     string
	ZoneName string
	Escrow   bool // only for a new one: who keeps the recovery key
	IsNew    bool
	Bounds   []string // the tenancy's paths: nothing outside
}

// Template names the template.
func (*PlanEdit) Template() string { return "planedit" }

// Job is one job, live.
type Job struct {
	Page
	State    State
	Facts    []Pair
	Where    []Link
	Why      []string // why it waits, worst first
	Progress *Progress
	Failed   *Problem
	Detail   string // one line for the expert
	Outcome  []Pair
	Missing  [][]byte // folders of the plan that are not on the server
	PlanHref string   // to the plan of a backup
	Unread   []UnreadFile
	UnreadN  int64
	Events   []Event
	Cancel   string // address; "" hides it
	Retry    string
}

// Progress is how far a job is. Percent is -1 while the total is unknown.
type Progress struct {
	Percent     int
	Step        string
	Done, Total int64
	Files       int64
	TotalFiles  int64
	Current     []byte
	Left        time.Duration // 0 is not known
	Rate        int64         // bytes each second since it began; 0 is not known
	Errors      int64
}

// UnreadFile is a file that a backup could not read.
type UnreadFile struct {
	Path   []byte
	Reason string
}

// Template names the template.
func (*Job) Template() string { return "job" }

// Jobs is the list of jobs.
type Jobs struct {
	Page
	Filters []Filter
	Rows    []JobRow
	Pager   Pager
}

// JobRow is one job in a list.
type JobRow struct {
	Title, Href string
	Server      Link
	Customer    Link
	State       State
	Note        string
	At          time.Time
	Took        time.Duration
}

// Template names the template.
func (*Jobs) Template() string { return "jobs" }
