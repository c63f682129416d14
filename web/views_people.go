package web

import "time"

// People is everybody of one company: a customer's for its owners, the hosting
// company's own for staff.
type People struct {
	Page
	Rows     []PersonRow
	Auditors []AuditorRow
	New      string // address of the form; "" where the reader may not
}

// PersonRow is one person of a company.
type PersonRow struct {
	Name, Email, Role, Href string
	State                   State
	Seen                    time.Time
	This                    bool // the reader
}

// AuditorRow is an outside person who may read a customer's record.
type AuditorRow struct {
	Name, Email string
	State       State
	Period      string // which sessions they see; "" is all
	Until       time.Time
	Invite, End string // addresses; "" where the reader may not
}

// Template names the template.
func (*People) Template() string { return "people" }

// Person is one person: what they may do, how far their sign-in is, and what
// can be done about it.
type Person struct {
	Page
	Facts   []Pair
	State   State
	Seen    time.Time
	Roles   []RoleChoice // empty where the reader may not change it
	Save    string       // addresses; "" where the reader may not
	Invite  string
	Again   bool // they have a sign-in already: an invitation replaces it
	SignOut string
	Remove  string
	Enable  string
	Staff   bool
	Why     string // nothing can be changed here: it is oneself
}

// RoleChoice is one role of a form.
type RoleChoice struct {
	Value, Label, Note string
	Chosen             bool
}

// Template names the template.
func (*Person) Template() string { return "person" }

// NewPerson is the form for a person, or for an auditor until a day.
type NewPerson struct {
	Page
	Action      string
	Back        string
	Name, Email string
	Roles       []RoleChoice
	Until       string // day, for an auditor
	Customers   string // further ones, by their short names
	From, To    string // days of an auditor's period; "" is open
	Auditor     bool
}

// Template names the template.
func (*NewPerson) Template() string { return "newperson" }

// Invited shows the link of an invitation, once.
type Invited struct {
	Page
	Link    string
	Expires time.Time
	Back    Link
}

// Template names the template.
func (*Invited) Template() string { return "invited" }

// Password is the form for one's own password.
type Password struct {
	Page
	Email string
}

// Template names the template.
func (*Password) Template() string { return "password" }

// NewCodes is the form for new recovery codes.
type NewCodes struct{ Page }

// Template names the template.
func (*NewCodes) Template() string { return "newcodes" }
