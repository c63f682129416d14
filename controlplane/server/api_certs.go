package server

import (
	"context"
	"net/http"
	"time"

	"ostler/agents/wire"
	"ostler/certs"
	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/policy"
)

// certAPI translates for the slice of certificates.
type certAPI struct {
	Certs     *certs.Service
	Customers *customers.Store
	refs      func(ctx context.Context, scope policy.Scope, server, customer string) (serverID, customerID string, err error)
}

// registerCerts adds the operations on certificates.
func (s *Server) registerCerts() {
	c := &certAPI{s.Certs, s.Customers, (&backupAPI{s}).refs}
	c.registerCertificates(s.api)
	c.registerIssues(s.api)
	c.registerCertActs(s.api)
	c.registerAuthorities(s.api)
	c.registerLimits(s.api)
	c.registerProviders(s.api)
	c.registerCampaigns(s.api)
	c.registerFound(s.api)
}

// Certificate is a set of names on one server and the certificate that covers them.
type Certificate struct {
	ID           string          `json:"id"`
	CustomerID   string          `json:"customer"`
	CustomerName string          `json:"customer_name"`
	ServerID     string          `json:"server"`
	ServerName   string          `json:"server_name"`
	TenancyID    string          `json:"tenancy"`
	Folder       string          `json:"folder" doc:"Of its files on the server"`
	Names        []string        `json:"names" nullable:"false"`
	Key          string          `json:"key" enum:"ec256,ec384,rsa2048,rsa3072,rsa4096"`
	Challenge    string          `json:"challenge" enum:"http-agent,http-redirect,dns,dns-delegated"`
	Provider     string          `json:"provider,omitempty" doc:"The DNS provider of challenge dns"`
	Authority    string          `json:"authority,omitempty" doc:"The CA to ask first; empty is the primary one"`
	Profile      string          `json:"profile,omitempty"`
	Services     []string        `json:"services" nullable:"false"`
	Endpoints    []CertEndpoint  `json:"endpoints" nullable:"false"`
	State        string          `json:"state" enum:"new,served,unserved,expired,revoked,ended" doc:"served: every endpoint showed the newest when it was last looked at"`
	Issued       *IssuedCert     `json:"issued,omitempty" doc:"What is installed; absent before the first"`
	Renewal      *CertRenewal    `json:"renewal,omitempty"`
	Failing      *CertFailing    `json:"failing,omitempty" doc:"Attempts that failed since the last success"`
	PausedUntil  string          `json:"paused_until,omitempty" doc:"Instant, or “forever”"`
	PauseReason  string          `json:"pause_reason,omitempty"`
	Seen         []CertSeenThere `json:"seen" nullable:"false" doc:"What each endpoint showed when it was last looked at, from its server and from here"`
	Records      []DNSRecord     `json:"records,omitempty" doc:"What must stand in the customer's DNS for dns-delegated; not in lists"`
	OpenIssue    string          `json:"open_issue,omitempty" doc:"The attempt under way"`
	CreatedAt    string          `json:"created_at" format:"date-time"`
	UpdatedAt    string          `json:"updated_at" format:"date-time"`
	EndedAt      string          `json:"ended_at,omitempty" format:"date-time"`
}

// DNSRecord is a record that a customer sets once.
type DNSRecord struct {
	Name  string `json:"name"`
	Type  string `json:"type" enum:"CNAME"`
	Value string `json:"value"`
}

// CertEndpoint is where names are served.
type CertEndpoint struct {
	Address  string `json:"address" maxLength:"300" doc:"host:port"`
	Protocol string `json:"protocol" enum:"tls,smtp,imap,pop3"`
}

// IssuedCert is an issued certificate.
type IssuedCert struct {
	Issue        string `json:"issue"`
	Serial       string `json:"serial"`
	LeafSHA256   string `json:"leaf_sha256"`
	ChainSHA256  string `json:"chain_sha256"`
	SPKISHA256   string `json:"spki_sha256"`
	Issuer       string `json:"issuer"`
	Authority    string `json:"authority"`
	NotBefore    string `json:"not_before" format:"date-time"`
	NotAfter     string `json:"not_after" format:"date-time"`
	RevokedAt    string `json:"revoked_at,omitempty" format:"date-time"`
	RevokeReason int    `json:"revoke_reason,omitempty"`
}

// CertRenewal is the plan for the next renewal.
type CertRenewal struct {
	At          string `json:"at,omitempty" format:"date-time"`
	From        string `json:"from,omitempty" enum:"ari,lifetime,person" doc:"Where the window comes from"`
	Start       string `json:"start,omitempty" format:"date-time"`
	End         string `json:"end,omitempty" format:"date-time"`
	Explanation string `json:"explanation,omitempty" doc:"Where the CA says why"`
	PollAt      string `json:"poll_at,omitempty" format:"date-time" doc:"When the CA is asked again"`
}

// CertFailing is a run of failed attempts.
type CertFailing struct {
	Attempts int     `json:"attempts"`
	Since    string  `json:"since,omitempty" format:"date-time"`
	NextTry  string  `json:"next_try,omitempty" format:"date-time"`
	Why      CertWhy `json:"why"`
}

// CertWhy is a failure or a wait in plain words.
type CertWhy struct {
	Code    string            `json:"code"`
	Message string            `json:"message"`
	Next    string            `json:"next,omitempty"`
	Name    string            `json:"name,omitempty" doc:"The name it is about"`
	Args    map[string]string `json:"args,omitempty"`
	Detail  string            `json:"detail,omitempty"`
	Until   string            `json:"until,omitempty" format:"date-time" doc:"When a wait ends"`
}

// CertSeenThere is what one endpoint served for one name.
type CertSeenThere struct {
	Name        string `json:"name"`
	Address     string `json:"address"`
	Protocol    string `json:"protocol"`
	From        string `json:"from" enum:"host,plane"`
	At          string `json:"at" format:"date-time"`
	Right       bool   `json:"right" doc:"Leaf and chain are those that were issued"`
	LeafSHA256  string `json:"leaf_sha256,omitempty"`
	ChainSHA256 string `json:"chain_sha256,omitempty"`
	NotAfter    string `json:"not_after,omitempty" format:"date-time"`
	Problem     string `json:"problem,omitempty"`
}

func viewWhy(w certs.Why) *CertWhy {
	if w.Code == "" {
		return nil
	}
	message, next := w.Text("en")
	return &CertWhy{Code: w.Code, Message: message, Next: next, Name: w.Name, Args: w.Args, Detail: w.Detail, Until: controlplane.Instant(w.Until)}
}

func viewIssued(i certs.Issued) *IssuedCert {
	if i.Serial == "" {
		return nil
	}
	return &IssuedCert{Issue: i.Issue, Serial: i.Serial, LeafSHA256: i.Leaf, ChainSHA256: i.Chain, SPKISHA256: i.SPKI, Issuer: i.Issuer, Authority: i.Authority,
		NotBefore: controlplane.Instant(i.NotBefore), NotAfter: controlplane.Instant(i.NotAfter), RevokedAt: controlplane.Instant(i.RevokedAt), RevokeReason: i.RevokeReason}
}

func viewSeen(s certs.Seen) CertSeenThere {
	v := CertSeenThere{Name: s.Name, Address: s.Address, Protocol: string(s.Protocol), From: s.From, At: controlplane.Instant(s.At), Right: s.Right,
		LeafSHA256: s.Leaf, ChainSHA256: s.Chain, Problem: s.Problem}
	if s.NotAfter != 0 {
		v.NotAfter = controlplane.Instant(time.UnixMilli(s.NotAfter))
	}
	return v
}

func viewCertificate(c certs.Certificate, customer, server string) Certificate {
	v := Certificate{ID: c.ID, CustomerID: c.Customer, CustomerName: customer, ServerID: c.Server, ServerName: server, TenancyID: c.Tenancy, Folder: c.Folder,
		Names: append([]string{}, c.Names...), Key: string(c.Key), Challenge: string(c.Challenge), Provider: c.Provider, Authority: c.Authority, Profile: c.Profile,
		Services: []string{}, Endpoints: []CertEndpoint{}, State: string(c.State), Issued: viewIssued(c.Issued), PauseReason: c.PauseReason, Seen: []CertSeenThere{},
		OpenIssue: c.Open, CreatedAt: controlplane.Instant(c.CreatedAt), UpdatedAt: controlplane.Instant(c.UpdatedAt), EndedAt: controlplane.Instant(c.EndedAt)}
	for _, s := range c.Services {
		v.Services = append(v.Services, string(s))
	}
	for _, e := range c.Endpoints {
		v.Endpoints = append(v.Endpoints, CertEndpoint{e.Address, string(e.Protocol)})
	}
	for _, s := range c.Seen {
		v.Seen = append(v.Seen, viewSeen(s))
	}
	if v.PausedUntil = controlplane.Instant(c.PausedUntil); c.PausedUntil.Equal(certs.Forever) {
		v.PausedUntil = forever
	}
	if r := c.Renewal; !r.At.IsZero() || !r.PollAt.IsZero() {
		v.Renewal = &CertRenewal{At: controlplane.Instant(r.At), From: string(r.From), Start: controlplane.Instant(r.Start), End: controlplane.Instant(r.End),
			Explanation: r.Explanation, PollAt: controlplane.Instant(r.PollAt)}
	}
	if f := c.Failing; f.Attempts > 0 {
		v.Failing = &CertFailing{Attempts: f.Attempts, Since: controlplane.Instant(f.Since), NextTry: controlplane.Instant(f.NextTry)}
		if w := viewWhy(f.Why); w != nil {
			v.Failing.Why = *w
		}
	}
	return v
}

// forever is a pause that only a person ends.
const forever = "forever"

// named views certificates with the names of their customers and servers.
func (c *certAPI) named(ctx context.Context, scope policy.Scope, list []certs.Certificate) ([]Certificate, error) {
	var cus, srv []string
	for _, x := range list {
		cus, srv = append(cus, x.Customer), append(srv, x.Server)
	}
	names, err := c.Customers.Names(ctx, scope, cus)
	if err != nil {
		return nil, err
	}
	servers, err := c.Customers.ServersByIDs(ctx, scope, srv)
	if err != nil {
		return nil, err
	}
	out := make([]Certificate, len(list))
	for i, x := range list {
		out[i] = viewCertificate(x, names[x.Customer], servers[x.Server].Name)
	}
	return out, nil
}

func (c *certAPI) one(ctx context.Context, scope policy.Scope, x certs.Certificate, err error) (*One[Certificate], error) {
	if err != nil {
		return nil, err
	}
	v, err := c.named(ctx, scope, []certs.Certificate{x})
	if err != nil {
		return nil, err
	}
	if x.Challenge == certs.ChallengeDelegate {
		records, err := c.Certs.Delegations(ctx, scope, x.ID)
		if err != nil {
			return nil, err
		}
		for _, r := range records {
			v[0].Records = append(v[0].Records, DNSRecord{r.Name, "CNAME", r.Target})
		}
	}
	return &One[Certificate]{ETag: etag(x.Version), Body: v[0]}, nil
}

// act carries something out on the certificate that ref names by its id or by
// one of its names, and shows it afterwards.
func (c *certAPI) act(ctx context.Context, scope policy.Scope, ref string, do func(id string) (certs.Certificate, error)) (*One[Certificate], error) {
	x, err := c.Certs.Get(ctx, scope, ref)
	if err != nil {
		return nil, err
	}
	x, err = do(x.ID)
	return c.one(ctx, scope, x, err)
}

// NewCertificate is what is said of a new certificate.
type NewCertificate struct {
	TenancyID string         `json:"tenancy"`
	Names     []string       `json:"names,omitempty" maxItems:"100" doc:"Of the tenancy's sites"`
	Key       string         `json:"key,omitempty" enum:"ec256,ec384,rsa2048,rsa3072,rsa4096" doc:"Empty is ec256"`
	Challenge string         `json:"challenge,omitempty" enum:"http-agent,http-redirect,dns,dns-delegated" doc:"Empty is http-agent"`
	Provider  string         `json:"provider,omitempty" doc:"Needed where challenge is dns"`
	Authority string         `json:"authority,omitempty" doc:"Empty is the primary one"`
	Profile   string         `json:"profile,omitempty"`
	Services  []string       `json:"services,omitempty" doc:"nginx, apache, haproxy, postfix, dovecot, caddy"`
	Endpoints []CertEndpoint `json:"endpoints,omitempty" doc:"Empty: the addresses of the names, port 443"`
}

func (n NewCertificate) input() certs.NewCertificate {
	return certs.NewCertificate{Tenancy: n.TenancyID, Names: n.Names, Key: wire.KeyType(n.Key), Challenge: certs.Challenge(n.Challenge), Provider: n.Provider,
		Authority: n.Authority, Profile: n.Profile, Services: certServices(n.Services), Endpoints: certEndpoints(n.Endpoints)}
}

func certServices(names []string) (out []wire.Service) {
	for _, n := range names {
		out = append(out, wire.Service(n))
	}
	return out
}

func certEndpoints(list []CertEndpoint) (out []certs.Endpoint) {
	for _, e := range list {
		out = append(out, certs.Endpoint{Address: e.Address, Protocol: wire.CertProtocol(e.Protocol)})
	}
	return out
}

// CertificateChange is what changes of a certificate; what is absent stays.
type CertificateChange struct {
	Names     *[]string       `json:"names,omitempty" maxItems:"100"`
	Key       *string         `json:"key,omitempty" enum:"ec256,ec384,rsa2048,rsa3072,rsa4096"`
	Challenge *string         `json:"challenge,omitempty" enum:"http-agent,http-redirect,dns,dns-delegated"`
	Provider  *string         `json:"provider,omitempty"`
	Authority *string         `json:"authority,omitempty"`
	Profile   *string         `json:"profile,omitempty"`
	Services  *[]string       `json:"services,omitempty"`
	Endpoints *[]CertEndpoint `json:"endpoints,omitempty"`
}

func (c CertificateChange) input(version int64) certs.CertificateChange {
	in := certs.CertificateChange{Names: c.Names, Provider: c.Provider, Authority: c.Authority, Profile: c.Profile, Version: version}
	if c.Key != nil {
		k := wire.KeyType(*c.Key)
		in.Key = &k
	}
	if c.Challenge != nil {
		k := certs.Challenge(*c.Challenge)
		in.Challenge = &k
	}
	if c.Services != nil {
		l := certServices(*c.Services)
		in.Services = &l
	}
	if c.Endpoints != nil {
		l := certEndpoints(*c.Endpoints)
		in.Endpoints = &l
	}
	return in
}

// certFilter is what a list of certificates can be narrowed by.
type certFilter struct {
	PageIn
	Server   string    `query:"server" doc:"Name or id"`
	Customer string    `query:"customer" doc:"Slug or id"`
	Tenancy  string    `query:"tenancy"`
	State    string    `query:"state" enum:"new,served,unserved,expired,revoked,ended"`
	Text     string    `query:"q" maxLength:"253" doc:"Part of a name"`
	Before   time.Time `query:"before" doc:"What is installed ends before this instant, or nothing is installed"`
	Failing  bool      `query:"failing" doc:"The latest attempt failed"`
	Ended    bool      `query:"ended" doc:"Those too that are looked after no more"`
}

func (c *certAPI) registerCertificates(a *API) {
	Register(a, Op{Method: http.MethodGet, Path: "/certificates", Name: "cert.list", Summary: "List certificates, those with the fewest days left first", Audience: policy.SignedIn, Permission: policy.CertRead},
		func(ctx context.Context, scope policy.Scope, in *certFilter) (*ListOut[Certificate], error) {
			server, customer, err := c.refs(ctx, scope, in.Server, in.Customer)
			if err != nil {
				return nil, err
			}
			items, next, err := c.Certs.List(ctx, scope, certs.Filter{Customer: customer, Server: server, Tenancy: in.Tenancy, State: certs.State(in.State), Text: in.Text,
				Before: in.Before, Failing: in.Failing, Ended: in.Ended, PageSize: in.PageSize, PageToken: in.PageToken})
			if err != nil {
				return nil, err
			}
			views, err := c.named(ctx, scope, items)
			return listOf(views, next, func(v Certificate) Certificate { return v }), err
		})
	type createIn struct{ Body NewCertificate }
	Register(a, Op{Method: http.MethodPost, Path: "/certificates", Name: "cert.create", Summary: "Have names looked after; the first attempt begins at once", Audience: policy.SignedIn,
		Permission: policy.CertWrite, Status: http.StatusCreated},
		func(ctx context.Context, scope policy.Scope, in *createIn) (*One[Certificate], error) {
			x, err := c.Certs.Create(ctx, scope, in.Body.input())
			out, err := c.one(ctx, scope, x, err)
			if err == nil {
				out.Location = Base + "/certificates/" + x.ID
			}
			return out, err
		})
	Register(a, Op{Method: http.MethodGet, Path: "/certificates/{id}", Name: "cert.show", Summary: "Show a certificate", Audience: policy.SignedIn, Permission: policy.CertRead},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*One[Certificate], error) {
			x, err := c.Certs.Get(ctx, scope, in.ID)
			return c.one(ctx, scope, x, err)
		})
	type updateIn struct {
		IDIn
		IfMatch string `header:"If-Match" doc:"The ETag that the change is made from"`
		Body    CertificateChange
	}
	Register(a, Op{Method: http.MethodPatch, Path: "/certificates/{id}", Name: "cert.update", Summary: "Change a certificate; other names or another key have it issued anew", Audience: policy.SignedIn, Permission: policy.CertWrite},
		func(ctx context.Context, scope policy.Scope, in *updateIn) (*One[Certificate], error) {
			version, err := ifMatch(in.IfMatch)
			if err != nil {
				return nil, err
			}
			return c.act(ctx, scope, in.ID, func(id string) (certs.Certificate, error) {
				return c.Certs.Update(ctx, scope, id, in.Body.input(version))
			})
		})
	Register(a, Op{Method: http.MethodDelete, Path: "/certificates/{id}", Name: "cert.end", Summary: "Look after a certificate no more; what is installed stays", Audience: policy.SignedIn, Permission: policy.CertWrite},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*One[Certificate], error) {
			return c.act(ctx, scope, in.ID, func(id string) (certs.Certificate, error) { return c.Certs.End(ctx, scope, id) })
		})
}
