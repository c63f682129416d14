package server

import (
	"context"
	"net/http"
	"time"

	"ostler/certs"
	"ostler/controlplane"
	"ostler/controlplane/policy"
)

// CertAuthority is a certificate authority and our account there.
type CertAuthority struct {
	ID           string   `json:"id"`
	Name         string   `json:"name"`
	Directory    string   `json:"directory"`
	Role         string   `json:"role" enum:"primary,fallback,staging"`
	Contact      string   `json:"contact,omitempty"`
	Profile      string   `json:"profile,omitempty"`
	AccountURL   string   `json:"account_url,omitempty" doc:"Empty before the account was made"`
	Thumbprint   string   `json:"thumbprint,omitempty" doc:"RFC 7638, of the account key"`
	BlockedUntil string   `json:"blocked_until,omitempty" format:"date-time"`
	BlockedWhy   *CertWhy `json:"blocked_why,omitempty"`
	CreatedAt    string   `json:"created_at" format:"date-time"`
}

func viewAuthority(x certs.Authority) CertAuthority {
	return CertAuthority{ID: x.ID, Name: x.Name, Directory: x.Directory, Role: string(x.Role), Contact: x.Contact, Profile: x.Profile, AccountURL: x.AccountURL,
		Thumbprint: x.Thumbprint, BlockedUntil: controlplane.Instant(x.BlockedUntil), BlockedWhy: viewWhy(x.BlockedWhy), CreatedAt: controlplane.Instant(x.CreatedAt)}
}

// NewCertAuthority is what is said of a new authority. Adding one accepts its
// terms of service.
type NewCertAuthority struct {
	Name      string `json:"name"`
	Directory string `json:"directory" format:"uri" doc:"Of RFC 8555, 7.1.1"`
	Role      string `json:"role,omitempty" enum:"primary,fallback,staging" doc:"Empty is primary"`
	Contact   string `json:"contact,omitempty" doc:"An e-mail address"`
	Profile   string `json:"profile,omitempty"`
	Roots     string `json:"roots,omitempty" maxLength:"100000" doc:"PEM; trusted for the directory's own TLS in place of the system's"`
	EABKeyID  string `json:"eab_key_id,omitempty"`
	EABKey    string `json:"eab_key,omitempty" doc:"base64url; never comes back"`
}

// CertAuthorityChange is what changes of an authority; what is absent stays.
type CertAuthorityChange struct {
	Name    *string `json:"name,omitempty"`
	Role    *string `json:"role,omitempty" enum:"primary,fallback,staging"`
	Contact *string `json:"contact,omitempty"`
	Profile *string `json:"profile,omitempty"`
}

func (c *certAPI) registerAuthorities(a *API) {
	Register(a, Op{Method: http.MethodGet, Path: "/certificate-authorities", Name: "authority.list", Summary: "List certificate authorities", Audience: policy.Staff, Permission: policy.CertRead},
		func(ctx context.Context, scope policy.Scope, in *PageIn) (*ListOut[CertAuthority], error) {
			all, err := c.Certs.Authorities(ctx, scope)
			if err != nil {
				return nil, err
			}
			items, next, err := pageOf(all, func(x certs.Authority) string { return x.ID }, *in)
			return listOf(items, next, viewAuthority), err
		})
	type addIn struct{ Body NewCertAuthority }
	Register(a, Op{Method: http.MethodPost, Path: "/certificate-authorities", Name: "authority.add", Summary: "Make a certificate authority known, and accept its terms of service", Audience: policy.Staff,
		Permission: policy.CertAdmin, Status: http.StatusCreated},
		func(ctx context.Context, scope policy.Scope, in *addIn) (*One[CertAuthority], error) {
			b := in.Body
			if b.Role == "" {
				b.Role = string(certs.RolePrimary)
			}
			x, err := c.Certs.AddAuthority(ctx, scope, certs.NewAuthority{Name: b.Name, Directory: b.Directory, Role: certs.AuthorityRole(b.Role), Contact: b.Contact, Profile: b.Profile,
				RootsPEM: []byte(b.Roots), EABKeyID: b.EABKeyID, EABKey: b.EABKey})
			return &One[CertAuthority]{Body: viewAuthority(x)}, err
		})
	type changeIn struct {
		IDIn
		Body CertAuthorityChange
	}
	Register(a, Op{Method: http.MethodPatch, Path: "/certificate-authorities/{id}", Name: "authority.update", Summary: "Change what we say of an authority", Audience: policy.Staff, Permission: policy.CertAdmin},
		func(ctx context.Context, scope policy.Scope, in *changeIn) (*One[CertAuthority], error) {
			ch := certs.AuthorityChange{Name: in.Body.Name, Contact: in.Body.Contact, Profile: in.Body.Profile}
			if in.Body.Role != nil {
				r := certs.AuthorityRole(*in.Body.Role)
				ch.Role = &r
			}
			x, err := c.Certs.UpdateAuthority(ctx, scope, in.ID, ch)
			return &One[CertAuthority]{Body: viewAuthority(x)}, err
		})
	Register(a, Op{Method: http.MethodPost, Path: "/certificate-authorities/{id}/roll", Name: "authority.roll", Summary: "Give our account there a new key", Audience: policy.Staff, Permission: policy.CertAdmin},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*One[CertAuthority], error) {
			x, err := c.Certs.RollAccountKey(ctx, scope, in.ID)
			return &One[CertAuthority]{Body: viewAuthority(x)}, err
		})
}

// CertLimit is how one limit of an authority stands.
type CertLimit struct {
	Limit        string `json:"limit" doc:"In words"`
	Scope        string `json:"scope,omitempty" doc:"A domain, a name, a set of names; empty is all of our account"`
	Used         int64  `json:"used"`
	Max          int64  `json:"max"`
	Next         string `json:"next,omitempty" format:"date-time" doc:"When one more is free"`
	BlockedUntil string `json:"blocked_until,omitempty" format:"date-time" doc:"The authority's own word"`
	Said         string `json:"said,omitempty"`
}

// CertForecast is how long limits make so many new certificates take.
type CertForecast struct {
	Authority string `json:"authority"`
	Name      string `json:"name"`
	Sites     int64  `json:"sites"`
	Orders    int64  `json:"orders" doc:"Second tries included"`
	Seconds   int64  `json:"seconds" doc:"Until the last order may be made"`
	Limit     string `json:"limit,omitempty" doc:"The limit that makes it take so long, in words"`
}

func (c *certAPI) registerLimits(a *API) {
	Register(a, Op{Method: http.MethodGet, Path: "/certificate-authorities/{id}/limits", Name: "authority.limits", Summary: "List the limits of an authority that anything is used of", Audience: policy.Staff, Permission: policy.CertRead},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*ListOut[CertLimit], error) {
			lines, err := c.Certs.Limits(ctx, scope, in.ID)
			return listOf(lines, "", func(l certs.LimitLine) CertLimit {
				return CertLimit{l.Limit, l.Scope, l.Used, l.Max, controlplane.Instant(l.Next), controlplane.Instant(l.BlockedUntil), l.Said}
			}), err
		})
	type forecastIn struct {
		Sites     int64  `query:"sites" minimum:"1" maximum:"10000000" required:"true" doc:"New certificates"`
		Authority string `query:"authority" doc:"Empty is the primary one"`
	}
	Register(a, Op{Method: http.MethodGet, Path: "/certificates/forecast", Name: "cert.forecast", Summary: "Say how long an authority's limits make so many new certificates take", Audience: policy.Staff, Permission: policy.CertRead},
		func(ctx context.Context, scope policy.Scope, in *forecastIn) (*One[CertForecast], error) {
			f, err := c.Certs.Forecast(ctx, scope, in.Authority, in.Sites)
			return &One[CertForecast]{Body: CertForecast{f.Authority, f.Name, f.Sites, f.Orders, int64(f.Takes / time.Second), f.Limit}}, err
		})
}

// DNSProvider is where dns-01 records are written. What it was given is sealed
// and does not come back.
type DNSProvider struct {
	ID         string   `json:"id"`
	CustomerID string   `json:"customer,omitempty" doc:"Empty is the company's own"`
	Name       string   `json:"name"`
	Kind       string   `json:"kind"`
	Zone       string   `json:"zone,omitempty" doc:"Of ours, that others delegate to"`
	Fields     []string `json:"fields" nullable:"false" doc:"The names of what is filled in"`
	CreatedAt  string   `json:"created_at" format:"date-time"`
}

func viewProvider(p certs.Provider) DNSProvider {
	return DNSProvider{ID: p.ID, CustomerID: p.Customer, Name: p.Name, Kind: p.Kind, Zone: p.Zone, Fields: append([]string{}, p.Fields...), CreatedAt: controlplane.Instant(p.CreatedAt)}
}

// DNSProviderKind is a kind of DNS provider and what it is to be given.
type DNSProviderKind struct {
	Kind   string             `json:"kind"`
	Fields []DNSProviderField `json:"fields" nullable:"false"`
}

// DNSProviderField is one setting of a kind.
type DNSProviderField struct {
	Name     string `json:"name"`
	Help     string `json:"help,omitempty"`
	Secret   bool   `json:"secret"`
	Required bool   `json:"required"`
}

func viewKind(k certs.ProviderKind) DNSProviderKind {
	v := DNSProviderKind{Kind: k.Kind, Fields: []DNSProviderField{}}
	for _, f := range k.Fields {
		v.Fields = append(v.Fields, DNSProviderField{f.Name, f.Help, f.Secret, f.Required})
	}
	return v
}

// NewDNSProvider is what a DNS provider is made of.
type NewDNSProvider struct {
	Customer string            `json:"customer,omitempty" doc:"Slug or id; empty is the company's own, or one's own"`
	Name     string            `json:"name"`
	Kind     string            `json:"kind" doc:"See /dns-providers/kinds"`
	Zone     string            `json:"zone,omitempty" doc:"Of ours, that others delegate to; for the company's own only"`
	Config   map[string]string `json:"config" doc:"Its settings by name; they are sealed, and never come back"`
}

func (c *certAPI) registerProviders(a *API) {
	type listIn struct {
		PageIn
		Customer string `query:"customer" doc:"Slug or id"`
	}
	Register(a, Op{Method: http.MethodGet, Path: "/dns-providers", Name: "provider.list", Summary: "List DNS providers", Audience: policy.SignedIn, Permission: policy.CertRead},
		func(ctx context.Context, scope policy.Scope, in *listIn) (*ListOut[DNSProvider], error) {
			_, customer, err := c.refs(ctx, scope, "", in.Customer)
			if err != nil {
				return nil, err
			}
			all, err := c.Certs.Providers(ctx, scope, customer)
			if err != nil {
				return nil, err
			}
			items, next, err := pageOf(all, func(p certs.Provider) string { return p.ID }, in.PageIn)
			return listOf(items, next, viewProvider), err
		})
	Register(a, Op{Method: http.MethodGet, Path: "/dns-providers/kinds", Name: "provider.kinds", Summary: "List the kinds of DNS providers with their settings", Audience: policy.SignedIn, Permission: policy.CertRead},
		func(context.Context, policy.Scope, *struct{}) (*ListOut[DNSProviderKind], error) {
			return listOf(c.Certs.ProviderKinds(), "", viewKind), nil
		})
	type addIn struct{ Body NewDNSProvider }
	Register(a, Op{Method: http.MethodPost, Path: "/dns-providers", Name: "provider.add", Summary: "Keep a DNS provider's credentials, sealed", Audience: policy.SignedIn,
		Permission: policy.CertWrite, Staff: policy.CertAdmin, Status: http.StatusCreated},
		func(ctx context.Context, scope policy.Scope, in *addIn) (*One[DNSProvider], error) {
			b := in.Body
			if actor, _ := controlplane.ActorFrom(ctx); b.Customer == "" && actor.Kind == controlplane.ActorContact {
				b.Customer = actor.Customer
			}
			if b.Customer != "" {
				cus, err := c.Customers.GetCustomer(ctx, scope, b.Customer)
				if err != nil {
					return nil, err
				}
				b.Customer = cus.ID
			}
			p, err := c.Certs.AddProvider(ctx, scope, certs.NewProvider{Customer: b.Customer, Name: b.Name, Kind: b.Kind, Zone: b.Zone, Config: b.Config})
			return &One[DNSProvider]{Body: viewProvider(p)}, err
		})
	Register(a, Op{Method: http.MethodDelete, Path: "/dns-providers/{id}", Name: "provider.remove", Summary: "Forget a DNS provider and its credentials", Audience: policy.SignedIn,
		Permission: policy.CertWrite, Staff: policy.CertAdmin, Status: http.StatusNoContent},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*Empty, error) {
			return &Empty{}, c.Certs.RemoveProvider(ctx, scope, in.ID)
		})
}

// CertCampaign is a mass re-issue and its progress.
type CertCampaign struct {
	ID        string   `json:"id"`
	Reason    string   `json:"reason"`
	State     string   `json:"state" enum:"running,done,cancelled"`
	Total     int      `json:"total" doc:"Certificates that were found"`
	Waiting   int      `json:"waiting"`
	Open      int      `json:"open"`
	Served    int      `json:"served"`
	Failed    int      `json:"failed"`
	Unknown   []string `json:"unknown" nullable:"false" doc:"Serials that are installed nowhere; at most 1,000"`
	StartedBy string   `json:"started_by"`
	StartedAt string   `json:"started_at" format:"date-time"`
	EndedAt   string   `json:"ended_at,omitempty" format:"date-time"`
}

func viewCampaign(x certs.Campaign) CertCampaign {
	return CertCampaign{ID: x.ID, Reason: x.Reason, State: string(x.State), Total: x.Total, Waiting: x.Waiting, Open: x.Open, Served: x.Served, Failed: x.Failed,
		Unknown: append([]string{}, x.Unknown...), StartedBy: x.StartedBy, StartedAt: controlplane.Instant(x.StartedAt), EndedAt: controlplane.Instant(x.EndedAt)}
}

func (c *certAPI) registerCampaigns(a *API) {
	Register(a, Op{Method: http.MethodGet, Path: "/certificate-campaigns", Name: "campaign.list", Summary: "List mass re-issues, newest first", Audience: policy.Staff, Permission: policy.CertAdmin},
		func(ctx context.Context, scope policy.Scope, in *PageIn) (*ListOut[CertCampaign], error) {
			items, next, err := c.Certs.Campaigns(ctx, scope, certs.Page{Size: in.PageSize, Token: in.PageToken})
			return listOf(items, next, viewCampaign), err
		})
	type startIn struct {
		Body struct {
			Serials []string `json:"serials" maxItems:"100000" doc:"Hex, in any case, colons allowed"`
			Reason  string   `json:"reason" maxLength:"500" doc:"For the record and the customers"`
		}
	}
	Register(a, Op{Method: http.MethodPost, Path: "/certificate-campaigns", Name: "campaign.start", Summary: "Issue certificates anew by their serials, in order, within the limits", Audience: policy.Staff,
		Permission: policy.CertAdmin, Status: http.StatusCreated},
		func(ctx context.Context, scope policy.Scope, in *startIn) (*One[CertCampaign], error) {
			x, err := c.Certs.Replace(ctx, scope, certs.Replacement{Serials: in.Body.Serials, Reason: in.Body.Reason})
			return &One[CertCampaign]{Location: Base + "/certificate-campaigns/" + x.ID, Body: viewCampaign(x)}, err
		})
	Register(a, Op{Method: http.MethodGet, Path: "/certificate-campaigns/{id}", Name: "campaign.show", Summary: "Show how far a mass re-issue is", Audience: policy.Staff, Permission: policy.CertAdmin},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*One[CertCampaign], error) {
			x, err := c.Certs.GetCampaign(ctx, scope, in.ID)
			return &One[CertCampaign]{Body: viewCampaign(x)}, err
		})
	type certsIn struct {
		IDIn
		PageIn
	}
	Register(a, Op{Method: http.MethodGet, Path: "/certificate-campaigns/{id}/certificates", Name: "campaign.certificates", Summary: "List the certificates of a mass re-issue in their order", Audience: policy.Staff, Permission: policy.CertAdmin},
		func(ctx context.Context, scope policy.Scope, in *certsIn) (*ListOut[Certificate], error) {
			items, next, err := c.Certs.CampaignCertificates(ctx, scope, in.ID, certs.Page{Size: in.PageSize, Token: in.PageToken})
			if err != nil {
				return nil, err
			}
			views, err := c.named(ctx, scope, items)
			return listOf(views, next, func(v Certificate) Certificate { return v }), err
		})
	Register(a, Op{Method: http.MethodPost, Path: "/certificate-campaigns/{id}/cancel", Name: "campaign.cancel", Summary: "Stop a mass re-issue; what has begun goes on", Audience: policy.Staff, Permission: policy.CertAdmin},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*One[CertCampaign], error) {
			x, err := c.Certs.CancelCampaign(ctx, scope, in.ID)
			return &One[CertCampaign]{Body: viewCampaign(x)}, err
		})
}
