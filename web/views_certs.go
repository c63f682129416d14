package web

import "time"

// Certificates is the list of certificates by days left, what was issued
// against what is served.
type Certificates struct {
	Page
	Query   string
	Group   string // word of the choice above the list
	Filters []Filter
	Rows    []CertRow
	Pager   Pager
	None    bool     // there is no certificate at all, with or without filter
	New     string   // addresses; "" hides them
	More    []Filter // other pages of certificates
}

// CertRow is one certificate in a list.
type CertRow struct {
	Name, Href string // its first name
	Others     int    // how many other names it has
	Server     Link
	Customer   Link
	State      State     // issued against served
	Note       string    // why it is as it is: a failure, a pause, an endpoint
	Until      time.Time // zero before the first
	Left       State     // how long that is
	Renews     time.Time // zero where no time is said
	RenewsWhy  string    // why no time is said, or why then
}

// Template names the template.
func (*Certificates) Template() string { return "certificates" }

// Padlocks is the customer's page: whether the padlock of each site is good.
type Padlocks struct {
	Page
	Rows []PadlockRow
	New  string // address of the form for a certificate; "" hides it
	DNS  string // address of the customer's DNS providers
}

// PadlockRow is one site.
type PadlockRow struct {
	Site    string
	State   State
	Note    string // why it is not good
	Until   time.Time
	Renewer string // who renews it, in words
	Change  string // what the customer must do, in one sentence; "" is nothing
	Href    string // its certificate; "" where there is none of ours
	New     string // where one is begun; "" hides it
	Server  Link
}

// Template names the template.
func (*Padlocks) Template() string { return "padlocks" }

// Certificate is one certificate: what is served, what comes next, and every
// attempt there was.
type Certificate struct {
	Page
	Strip    []Fact
	Failed   *Problem // of the latest attempt, where it failed
	TryAgain time.Time
	Why      []WhyRow // why it is not renewed now, in order
	WhyTitle string
	Records  []RecordRow // what must stand in DNS
	Served   []ServedRow
	Attempts []AttemptRow
	Pager    Pager
	Renewal  []string // what happens next, and why then
	Explain  Link     // the CA's own words about it
	Names    []string
	About    []Pair
	Server   Link
	Customer Link
	Acts     CertActs
}

// CertActs are the addresses of what the reader can do; "" hides one.
type CertActs struct {
	Renew, Check, DryRun, Resume          string // forms
	Try                                   bool   // Renew is called a try: there is nothing to renew, or it failed
	Pause, Edit, Revoke, Compromised, End string // pages that say first what will happen
	Undo                                  string // page that gives it back to its old renewer
}

// WhyRow is one reason for which something is not done now.
type WhyRow struct {
	Text  string
	Next  string    // what ends it
	Until time.Time // zero where no time is known
}

// RecordRow is one DNS record to set.
type RecordRow struct {
	ID                string // for copying
	Name, Type, Value string
	State             State // whether it is there; its zero value is not known
}

// ServedRow is one endpoint for one name, looked at from two sides.
type ServedRow struct {
	Name, Address, Protocol string
	Host, Here              Look
}

// Look is what one side saw when.
type Look struct {
	State State
	Note  string
	At    time.Time // zero: it was not looked at yet
}

// AttemptRow is one attempt in plain words.
type AttemptRow struct {
	Title string // "Renewal"
	State State
	At    time.Time
	Took  time.Duration
	Say   string // how it went, in a sentence
	Next  string // what can be done about it
	Who   string // who asked for it; "" for nobody
	Again time.Time
	Steps []AttemptStep
	Facts []Pair
	Open  bool // shown whole at once
}

// AttemptStep is one line of an attempt.
type AttemptStep struct {
	At   time.Time
	Tone Tone
	Text string
}

// Template names the template.
func (*Certificate) Template() string { return "certificate" }

// CertForm is the form of a certificate, new or not.
type CertForm struct {
	Page
	Action     string
	IsNew      bool
	Pick       []Link   // tenancies to choose from: Label in words, Href the id
	Tenancy    string   // chosen; "" where that is asked first
	Sites      []Choice // its sites
	Wildcards  []Choice // over them
	Version    int64    // that it is changed from
	Challenges []RoleChoice
	Providers  []Choice
	Keys       []Choice
	Services   []Choice
	Endpoints  string // one a line
	CAs        []Choice
	Profile    string
	Expert     bool // the reader is one of us: keys, authorities, endpoints
	Open       bool // those are shown at once
	Back       string
	Take       *FoundCertRow // what it takes the place of; nil where nothing
	TakeLines  []string      // what will happen to that
}

// Template names the template.
func (*CertForm) Template() string { return "certform" }

// CertConfirm asks for a yes, and says what will happen.
type CertConfirm struct {
	Page
	Action  string
	Lines   []string // what will happen, in order
	Do      string   // of the button
	Back    string
	Reasons []Choice // nil where none is asked
	Words   *CertWords
	Until   bool   // asks until when
	UntilOn string // as it was entered
	Typed   string // what must be typed; "" where nothing
}

// CertWords is a text that a confirmation asks for.
type CertWords struct {
	Label, Hint, Value string
	Optional           bool
}

// Template names the template.
func (*CertConfirm) Template() string { return "certconfirm" }

// CertSettings is where certificates come from: authorities and DNS providers.
type CertSettings struct {
	Page
	Authorities []AuthorityRow
	Providers   []ProviderRow
	NewCA       string // addresses; "" hides them
	Kinds       []Link // kinds of providers to add
	More        []Filter
}

// AuthorityRow is one authority.
type AuthorityRow struct {
	Name, Directory string
	Role            string
	State           State
	Note            string
	Until           time.Time
	Account         string
	Contact         string
}

// ProviderRow is one DNS provider's credentials.
type ProviderRow struct {
	Name, Kind string
	Zone       string // of ours, that others delegate to
	Customer   Link
	Made       time.Time
	Remove     string // address; "" hides it
}

// DNSProviders are a customer's own DNS providers.
type DNSProviders struct {
	Page
	Rows  []ProviderRow
	Kinds []Link // kinds to add
}

// Template names the template.
func (*DNSProviders) Template() string { return "dnsproviders" }

// Template names the template.
func (*CertSettings) Template() string { return "certsettings" }

// CertAdd is the form for an authority or a DNS provider.
type CertAdd struct {
	Page
	Action string
	Back   string
	Fields []AddField
	Roles  []RoleChoice // nil where none is asked
	For    []Choice     // customers; nil where none is asked
	Hidden map[string]string
	Lead   string // what follows from it
}

// AddField is one field of such a form.
type AddField struct {
	ID, Label, Hint, Value string
	Secret                 bool
	Optional               bool
	Rows                   int
}

// Template names the template.
func (*CertAdd) Template() string { return "certadd" }

// CertCampaigns are mass re-issues.
type CertCampaigns struct {
	Page
	Rows []CampaignRow
	New  string
	More []Filter
}

// CampaignRow is one mass re-issue.
type CampaignRow struct {
	Reason, Href    string
	State           State
	Finished, Total int
	At              time.Time
	Who             string
}

// Template names the template.
func (*CertCampaigns) Template() string { return "certcampaigns" }

// CertCampaign is one mass re-issue and how far it is.
type CertCampaign struct {
	Page
	State    State
	Progress *Progress
	Counts   []ChangeCount
	Rows     []CertRow
	Unknown  []string // serials that are none of ours
	About    []Pair
	Pager    Pager
	Cancel   string // address; "" hides it
}

// Template names the template.
func (*CertCampaign) Template() string { return "certcampaign" }

// NewCertCampaign is the form for a mass re-issue.
type NewCertCampaign struct {
	Page
	Serials, Reason string
	Lines           []string // what will happen
}

// Template names the template.
func (*NewCertCampaign) Template() string { return "newcertcampaign" }

// FoundCerts are the certificates on a server that somebody else renews.
type FoundCerts struct {
	Page
	Rows   []FoundCertRow
	Looked time.Time
}

// FoundCertRow is one of them.
type FoundCertRow struct {
	Names    []string
	Path     string
	Issuer   string
	Serial   string
	Renewer  string // in words
	From     time.Time
	Until    time.Time
	State    State // how long it is good
	Lifetime string
	UsedBy   []string
	Customer Link
	Take     string // page that takes it over; "" hides it
	TakeWhy  string // why it cannot be
	Taken    Link   // our certificate in its place
}

// Template names the template.
func (*FoundCerts) Template() string { return "foundcerts" }

// CertLimits are the limits of authorities: what is used, and how long so many
// new sites would take.
type CertLimits struct {
	Page
	Rows     []LimitRow
	Waiting  []CertRow // what a limit keeps waiting
	N        string    // new sites, as entered
	Forecast string    // the answer in a sentence
	Points   []Pair    // how far it would be by when
	More     []Filter
}

// LimitRow is one limit.
type LimitRow struct {
	Limit, Scope string
	Used, Most   int
	State        State
	Free         time.Time // when there is room again; zero where there is
}

// Template names the template.
func (*CertLimits) Template() string { return "certlimits" }

// TenancySites is the form of the sites of a customer on a server.
type TenancySites struct {
	Page
	Action, Back string
	Sites        string // one a line
	Version      int64
}

// Template names the template.
func (*TenancySites) Template() string { return "sites" }
