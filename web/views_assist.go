package web

import "time"

// Helping is that one of us may see a customer's files: it stands on every page
// until it ends.
type Helping struct {
	Customer Link
	Ticket   string
	Until    time.Time
	End      string // address
}

// NewAssist is the form that asks why one of us has to see a customer's files.
type NewAssist struct {
	Page
	For    string // id of the customer
	Ask    string // id of the request that it is for, "" for none
	Next   string // where it leads to
	Reason string
	Ticket string
	Ends   string // what ends with it; "" for nothing
}

// Template names the template.
func (*NewAssist) Template() string { return "newassist" }

// AssistRow is one of us who could see a customer's files.
type AssistRow struct {
	Who, Reason, Ticket string
	From, Until         time.Time
	State               State
}

// MailChoice is whether a mail comes once something is over. The zero value
// offers none.
type MailChoice struct {
	To     string // the reader's own address
	Chosen bool
	Off    bool // no mail server is set up
}

// Wanted reports whether a mail is to come.
func (m MailChoice) Wanted() bool { return m.To != "" && m.Chosen }

// NewAsk is the form by which a customer has us restore something.
type NewAsk struct {
	Page
	What string
	Mail MailChoice
}

// Template names the template.
func (*NewAsk) Template() string { return "newask" }

// Asks is a list of requests to restore.
type Asks struct {
	Page
	Rows []AskRow
	New  string // address
}

// AskRow is one request.
type AskRow struct {
	What, Href, By string
	Customer       Link
	At             time.Time
	State          State
}

// Template names the template.
func (*Asks) Template() string { return "asks" }

// Ask is one request to restore, and our answer.
type Ask struct {
	Page
	State        State
	What, Answer string
	About        []Pair
	// For us: addresses, "" where there is nothing to do.
	Take      string
	Help      Link
	Answering string
	Draft     string // of the answer
}

// Template names the template.
func (*Ask) Template() string { return "ask" }
