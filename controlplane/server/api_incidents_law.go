package server

import (
	"context"
	"encoding/json"
	"net/http"

	"ostler/controlplane"
	"ostler/controlplane/incidents"
	"ostler/controlplane/incidents/law"
	"ostler/controlplane/policy"
)

// NewAdvisory tells customers of something that is no breach.
type NewAdvisory struct {
	Purpose   string   `json:"purpose" enum:"advisory,change"`
	Title     string   `json:"title"`
	Text      string   `json:"text"`
	Software  string   `json:"software,omitempty" doc:"A package: everybody whose inventory has it is told"`
	Below     string   `json:"below,omitempty" doc:"Versions before this one; absent is all"`
	Customers []string `json:"customers,omitempty" doc:"Told beside those"`
	Ground    string   `json:"because,omitempty" doc:"Why these are told"`
}

// Advisory is one, with why each customer is told.
type Advisory struct {
	ID string `json:"id"`
	NewAdvisory
	MadeAt  string        `json:"made_at" format:"date-time"`
	By      string        `json:"by"`
	SentAt  string        `json:"sent_at,omitempty" format:"date-time"`
	For     []AdvisoryFor `json:"for" nullable:"false"`
	Silent  []string      `json:"silent_servers" nullable:"false" doc:"Whose packages are not known"`
	Told    int           `json:"told"`
	Waiting int           `json:"waiting"`
	// Unwritten is of one advisory, and not of a list.
	Unwritten []string `json:"unwritten,omitempty" doc:"Customers of whom there is no notice yet"`
}

// AdvisoryFor is why one customer is told.
type AdvisoryFor struct {
	Customer string `json:"customer"`
	Server   string `json:"server,omitempty"`
	Package  string `json:"package,omitempty"`
	Version  string `json:"version,omitempty"`
	SeenAt   string `json:"seen_at,omitempty" format:"date-time"`
	Ground   string `json:"because"`
}

func viewAdvisory(n incidents.AdvisoryNote) Advisory {
	return Advisory{ID: n.ID, NewAdvisory: NewAdvisory{string(n.Purpose), n.Title, n.Text, n.Software, n.Below, some(n.Customers), n.Ground}, MadeAt: controlplane.Instant(n.MadeAt), By: n.By,
		SentAt: controlplane.Instant(n.SentAt), Silent: some(n.Silent), Told: n.Told, Waiting: n.Waiting, Unwritten: n.Unwritten,
		For: each(n.For, func(r incidents.Runs) AdvisoryFor {
			return AdvisoryFor{r.Customer, r.Server, r.Package, r.Version, controlplane.Instant(r.SeenAt), r.Ground}
		})}
}

func oneAdvisory(n incidents.AdvisoryNote, err error) (*One[Advisory], error) {
	return &One[Advisory]{Body: viewAdvisory(n)}, err
}

func (x *incidentsAPI) registerAdvisories(a *API) {
	Register(a, Op{Method: http.MethodGet, Path: "/advisories", Name: "advisory.list", Summary: "Advisories and service changes, the latest first", Audience: policy.Staff, Permission: policy.IncidentRead},
		func(ctx context.Context, scope policy.Scope, _ *struct{}) (*ListOut[Advisory], error) {
			items, err := x.Advisories(ctx, scope)
			return listOf(items, "", viewAdvisory), err
		})
	Register(a, Op{Method: http.MethodGet, Path: "/advisories/{id}", Name: "advisory.show", Summary: "Show an advisory, whom it concerns and why", Audience: policy.Staff, Permission: policy.IncidentRead},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*One[Advisory], error) {
			return oneAdvisory(x.AdvisoryOf(ctx, scope, in.ID))
		})
	Register(a, Op{Method: http.MethodPost, Path: "/advisories", Name: "advisory.plan", Summary: "Find whom something concerns, and draft what they are told", Audience: policy.Staff, Permission: policy.IncidentWrite, Status: http.StatusCreated},
		func(ctx context.Context, scope policy.Scope, in *struct{ Body NewAdvisory }) (*One[Advisory], error) {
			b := in.Body
			n := incidents.NewAdvisory{Purpose: incidents.Purpose(b.Purpose), Title: b.Title, Text: b.Text, Software: b.Software, Below: b.Below, Ground: b.Ground}
			for _, ref := range b.Customers {
				_, customer, err := x.refs(ctx, scope, "", ref)
				if err != nil {
					return nil, err
				}
				n.Customers = append(n.Customers, customer)
			}
			return oneAdvisory(x.PlanAdvisory(ctx, scope, n))
		})
	Register(a, Op{Method: http.MethodPost, Path: "/advisories/{id}/send", Name: "advisory.send", Summary: "Send an advisory", Audience: policy.Staff, Permission: policy.IncidentWrite},
		func(ctx context.Context, scope policy.Scope, in *withBody[IncidentSendingAll]) (*One[Advisory], error) {
			return oneAdvisory(x.SendAdvisory(ctx, scope, in.ID, in.Body.sending()))
		})
}

// IncidentTerms is what a customer's contract says about breaches.
type IncidentTerms struct {
	Customer      string            `json:"customer,omitempty" readOnly:"true"`
	Amount        int               `json:"amount" minimum:"0"`
	Unit          string            `json:"unit,omitempty" enum:"hours,days,working_days"`
	FromSuspicion bool              `json:"from_suspicion" doc:"Its time begins with a suspicion, not with certainty"`
	Role          string            `json:"role" enum:"unknown,controller,processor"`
	Jurisdiction  string            `json:"jurisdiction,omitempty" enum:"EU,UK,other" doc:"Of the main establishment"`
	Country       string            `json:"country,omitempty" doc:"Whose public holidays count: DE-BY"`
	Zone          string            `json:"zone,omitempty"`
	Financial     bool              `json:"financial" doc:"Under DORA"`
	Services      map[string]string `json:"services,omitempty" doc:"The role by server, where it differs"`
	Version       int64             `json:"version,omitempty" readOnly:"true"`
}

func oneIncidentTerms(t incidents.Terms, err error) (*One[IncidentTerms], error) {
	v := IncidentTerms{Customer: t.Customer, Amount: t.Amount, Unit: string(t.Unit), FromSuspicion: t.FromSuspicion, Role: string(t.Role), Jurisdiction: t.Jurisdiction, Country: t.Country, Zone: t.Zone,
		Financial: t.Financial, Version: t.Version}
	for server, role := range t.Services {
		if v.Services == nil {
			v.Services = map[string]string{}
		}
		v.Services[server] = string(role)
	}
	return &One[IncidentTerms]{ETag: etag(t.Version), Body: v}, err
}

// IncidentCompany is who we are to the law.
type IncidentCompany struct {
	Name          string   `json:"name"`
	Jurisdiction  string   `json:"jurisdiction" enum:"EU,UK,other"`
	Country       string   `json:"country,omitempty"`
	Zone          string   `json:"zone"`
	Establishment bool     `json:"establishment" doc:"In the Union: not only a representative"`
	Authorities   []string `json:"authorities" nullable:"false" doc:"Where we are established, the lead one first"`
	CSIRT         string   `json:"csirt,omitempty"`
	EntityType    string   `json:"entity_type,omitempty" enum:"unknown,essential,important,not_in_scope" doc:"For NIS2, as national law has it"`
	EntitySize    string   `json:"entity_size,omitempty" enum:"unknown,micro,small,medium,large" doc:"By Recommendation 2003/361/EC"`
	Services      []string `json:"services" nullable:"false" doc:"managed_service, data_centre, cloud, dns, tld"`
	InScope       string   `json:"nis2,omitempty" readOnly:"true" enum:"yes,no,unknown" doc:"Whether the directive is about us, by type, size and services"`
	InScopeWhy    string   `json:"nis2_because,omitempty" readOnly:"true" doc:"Why, or what is missing to say so"`
	Contact       string   `json:"contact" doc:"Data protection officer or other contact: in every notice"`
	ContactEmail  string   `json:"contact_email,omitempty"`
	ContactPhone  string   `json:"contact_phone,omitempty"`
	Telecoms      bool     `json:"telecoms" doc:"A provider of public electronic communications"`
	Version       int64    `json:"version,omitempty" readOnly:"true"`
}

func oneCompany(c incidents.Company, err error) (*One[IncidentCompany], error) {
	e := c.Entity.Recorded()
	in, why := e.InScope()
	return &One[IncidentCompany]{ETag: etag(c.Version), Body: IncidentCompany{c.Name, c.Jurisdiction, c.Country, c.Zone, c.Establishment, some(c.Authorities), c.CSIRT, string(e.Type), string(e.Size),
		each(e.Services, func(s law.Service) string { return string(s) }), string(in), why, c.Contact, c.ContactEmail, c.ContactPhone, c.Telecoms, c.Version}}, err
}

// IncidentRules are the rules of law in use.
type IncidentRules struct {
	Pack   json.RawMessage `json:"pack"`
	SHA256 string          `json:"sha256"`
	Since  string          `json:"since,omitempty" format:"date-time" doc:"Since when it is known; absent: as shipped"`
}

func (x *incidentsAPI) registerLaw(a *API) {
	Register(a, Op{Method: http.MethodGet, Path: "/customers/{id}/incident-terms", Name: "incident.terms", Summary: "What a customer's contract says about breaches", Audience: policy.SignedIn, Permission: policy.IncidentRead},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*One[IncidentTerms], error) {
			return oneIncidentTerms(x.TermsOf(ctx, scope, in.ID))
		})
	Register(a, Op{Method: http.MethodPut, Path: "/customers/{id}/incident-terms", Name: "incident.set_terms", Summary: "Change it; what runs is never counted to a later time", Audience: policy.Staff, Permission: policy.IncidentAdmin},
		func(ctx context.Context, scope policy.Scope, in *putIn[IncidentTerms]) (*One[IncidentTerms], error) {
			version, err := ifMatch(in.IfMatch)
			if err != nil {
				return nil, err
			}
			b := in.Body
			t := incidents.Terms{Customer: in.ID, Amount: b.Amount, Unit: law.Unit(b.Unit), FromSuspicion: b.FromSuspicion, Role: incidents.DataRole(b.Role), Jurisdiction: b.Jurisdiction, Country: b.Country,
				Zone: b.Zone, Financial: b.Financial, Services: map[string]incidents.DataRole{}, Version: version}
			for server, role := range b.Services {
				t.Services[server] = incidents.DataRole(role)
			}
			return oneIncidentTerms(x.SetTerms(ctx, scope, t))
		})
	x.registerCompany(a)
}

func (x *incidentsAPI) registerCompany(a *API) {
	Register(a, Op{Method: http.MethodGet, Path: "/incident-company", Name: "incident.company", Summary: "Who we are to the law", Audience: policy.Staff, Permission: policy.IncidentRead},
		func(ctx context.Context, scope policy.Scope, _ *struct{}) (*One[IncidentCompany], error) {
			return oneCompany(x.CompanyProfile(ctx, scope))
		})
	Register(a, Op{Method: http.MethodPut, Path: "/incident-company", Name: "incident.set_company", Summary: "Change who we are to the law", Audience: policy.Staff, Permission: policy.IncidentAdmin},
		func(ctx context.Context, scope policy.Scope, in *struct {
			IfMatch string `header:"If-Match" doc:"The ETag that the change is made from"`
			Body    IncidentCompany
		}) (*One[IncidentCompany], error) {
			version, err := ifMatch(in.IfMatch)
			if err != nil {
				return nil, err
			}
			b := in.Body
			services, err := words[law.Service]("/services", b.Services)
			if err != nil {
				return nil, err
			}
			return oneCompany(x.SetCompany(ctx, scope, incidents.Company{Name: b.Name, Jurisdiction: b.Jurisdiction, Country: b.Country, Zone: b.Zone, Establishment: b.Establishment, Authorities: b.Authorities,
				CSIRT: b.CSIRT, Entity: law.Entity{Type: law.EntityType(b.EntityType), Size: law.Size(b.EntitySize), Services: services}, Contact: b.Contact, ContactEmail: b.ContactEmail, ContactPhone: b.ContactPhone, Telecoms: b.Telecoms, Version: version}))
		})
	Register(a, Op{Method: http.MethodGet, Path: "/incident-rules", Name: "incident.rules", Summary: "The rules of law in use", Audience: policy.Staff, Permission: policy.IncidentRead},
		func(ctx context.Context, scope policy.Scope, _ *struct{}) (*One[IncidentRules], error) {
			p, sum, since, err := x.Rules(ctx, scope)
			if err != nil {
				return nil, err
			}
			raw, err := json.Marshal(p)
			return &One[IncidentRules]{Body: IncidentRules{raw, sum, controlplane.Instant(since)}}, err
		})
	Register(a, Op{Method: http.MethodPut, Path: "/incident-rules", Name: "incident.set_rules", Summary: "Put another pack of rules into use", Audience: policy.Staff, Permission: policy.IncidentAdmin},
		func(ctx context.Context, scope policy.Scope, in *struct{ Body IncidentPack }) (*One[IncidentRules], error) {
			if _, err := x.LoadRules(ctx, scope, []byte(in.Body.Pack)); err != nil {
				return nil, err
			}
			p, sum, since, err := x.Rules(ctx, scope)
			if err != nil {
				return nil, err
			}
			raw, err := json.Marshal(p)
			return &One[IncidentRules]{Body: IncidentRules{raw, sum, controlplane.Instant(since)}}, err
		})
}

// IncidentPack is a pack of rules, as text: it is kept byte for byte.
type IncidentPack struct {
	Pack string `json:"pack" maxLength:"1000000"`
}
