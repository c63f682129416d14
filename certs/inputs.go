package certs

import (
	"time"

	"ostler/agents/wire"
)

// NewCertificate is what a certificate is made of.
type NewCertificate struct {
	Tenancy   string
	Names     []string
	Key       wire.KeyType // "" is ec256
	Challenge Challenge    // "" is http-agent
	Provider  string       // dns_; needed where Challenge is dns
	Authority string       // ca_; "" is the primary one
	Profile   string       // "" is the authority's own
	Services  []wire.Service
	// Endpoints are where the names are served; none looks at the addresses that
	// the names resolve to, port 443.
	Endpoints []Endpoint
}

// CertificateChange says what to change; nil stays as it is. Changed names, or
// another kind of key, have it issued anew.
type CertificateChange struct {
	Names     *[]string
	Key       *wire.KeyType
	Challenge *Challenge
	Provider  *string
	Authority *string
	Profile   *string
	Services  *[]wire.Service
	Endpoints *[]Endpoint
	// Version is the version that the change was made from; 0 takes any.
	Version int64
}

// Filter narrows a list of certificates; zero fields do not.
type Filter struct {
	Customer, Server, Tenancy string
	State                     State
	// Text is part of a name, in any case.
	Text string
	// Before leaves those whose installed certificate ends before it, and those
	// that never had one.
	Before time.Time
	// Failing leaves those whose latest attempt failed.
	Failing bool
	// Ended also shows those that are looked after no more.
	Ended     bool
	PageSize  int // 0 is 50, at most 200
	PageToken string
}

// Page is one page of a list.
type Page struct {
	Size  int // 0 is 50, at most 200
	Token string
}

// NewAuthority is what a certificate authority is made of. Adding one is a
// person's consent to its terms of service.
type NewAuthority struct {
	Name      string
	Directory string // "https://acme-v02.api.letsencrypt.org/directory"
	Role      AuthorityRole
	Contact   string // an e-mail address, or ""
	Profile   string
	RootsPEM  []byte // trusted for the directory's own TLS in place of the system's
	// EABKeyID and EABKey are the external account binding (RFC 8555, 7.3.4)
	// where the CA wants one; EABKey is the MAC key, base64url.
	EABKeyID, EABKey string
}

// AuthorityChange says what to change; nil stays as it is.
type AuthorityChange struct {
	Name, Contact, Profile *string
	Role                   *AuthorityRole
}

// Provider is where dns-01 records of a customer's zone are written.
type Provider struct {
	ID       string // dns_
	Customer string // "" is the company's: the zone that others delegate to
	Name     string
	Kind     string // a kind of certs/acme/providers: "cloudflare", "rfc2136", "httpreq"
	// Zone is the zone of ours that _acme-challenge names are delegated to, for
	// the company's own provider; "" for a customer's.
	Zone string
	// Fields are the names of its settings that are filled in; the values are
	// sealed and never come back.
	Fields    []string
	CreatedAt time.Time
}

// NewProvider is what a provider is made of. Config are its settings by name,
// secrets among them; they are sealed.
type NewProvider struct {
	Customer, Name, Kind, Zone string
	Config                     map[string]string
}

// ProviderKind is a kind of DNS provider and the settings it takes.
type ProviderKind struct {
	Kind, Label string
	Fields      []ProviderField
}

// ProviderField is one setting of a kind of DNS provider.
type ProviderField struct {
	Name, Label, Help string
	Secret, Required  bool
	Default           string
	Choices           []string // nil: anything
}

// Replacement asks for a mass re-issue.
type Replacement struct {
	Serials []string // hex, in any case, colons allowed
	Reason  string   // why, for the ledger and the customers
}

// CampaignState is how far a mass re-issue is.
type CampaignState string

// The states of a campaign.
const (
	CampaignRunning   CampaignState = "running"
	CampaignDone      CampaignState = "done"
	CampaignCancelled CampaignState = "cancelled"
)

// Valid reports whether s is a known state.
func (s CampaignState) Valid() bool {
	return s == CampaignRunning || s == CampaignDone || s == CampaignCancelled
}

// Campaign is a mass re-issue and its progress.
type Campaign struct {
	ID     string // cmp_
	Reason string
	State  CampaignState
	// Total is how many certificates it found; Unknown are the serials that are
	// installed nowhere (at most 1,000 are kept).
	Total   int
	Unknown []string
	// Waiting, Open, Served and Failed add up to Total.
	Waiting, Open, Served, Failed int
	StartedBy                     string
	StartedAt, EndedAt            time.Time
}

// Served is what a look at a certificate's endpoints showed.
type Served struct {
	At    time.Time
	Right bool // every endpoint that was asked showed the installed certificate
	Seen  []Seen
}
