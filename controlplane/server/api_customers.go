package server

import (
	"context"
	"net/http"

	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/policy"
)

type customerView struct {
	ID        string `json:"id"`
	Slug      string `json:"slug"`
	Name      string `json:"name"`
	Parent    string `json:"parent,omitempty" doc:"The reseller or agency it came with"`
	Country   string `json:"country"`
	Zone      string `json:"zone"`
	CreatedAt string `json:"created_at" format:"date-time"`
	UpdatedAt string `json:"updated_at" format:"date-time"`
}

func viewCustomer(c customers.Customer) customerView {
	return customerView{ID: c.ID, Slug: c.Slug, Name: c.Name, Parent: c.Parent, Country: c.Country, Zone: c.Zone,
		CreatedAt: controlplane.Instant(c.CreatedAt), UpdatedAt: controlplane.Instant(c.UpdatedAt)}
}

func oneCustomer(c customers.Customer, err error) (*One[customerView], error) {
	return &One[customerView]{ETag: etag(c.Version), Body: viewCustomer(c)}, err
}

type customersIn struct {
	PageIn
	Parent string `query:"parent"`
}

type newCustomerIn struct {
	Body struct {
		Name    string `json:"name"`
		Slug    string `json:"slug,omitempty"`
		Parent  string `json:"parent,omitempty"`
		Country string `json:"country"`
		Zone    string `json:"zone"`
	}
}

type changeCustomerIn struct {
	IDIn
	IfMatch string `header:"If-Match"`
	Body    struct {
		Name    *string `json:"name,omitempty"`
		Parent  *string `json:"parent,omitempty"`
		Country *string `json:"country,omitempty"`
		Zone    *string `json:"zone,omitempty"`
	}
}

func (s *Server) registerCustomers() {
	Register(s.api, Op{Method: "GET", Path: "/customers", Name: "customer.list", Summary: "List customers", Audience: policy.SignedIn, Permission: policy.CustomerRead},
		func(ctx context.Context, scope policy.Scope, in *customersIn) (*ListOut[customerView], error) {
			items, next, err := s.Customers.ListCustomers(ctx, scope, customers.CustomerFilter{Parent: in.Parent, Limit: in.PageSize, PageToken: in.PageToken})
			return listOf(items, next, viewCustomer), err
		})
	Register(s.api, Op{Method: "GET", Path: "/customers/{id}", Name: "customer.show", Summary: "Show a customer", Audience: policy.SignedIn, Permission: policy.CustomerRead},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*One[customerView], error) {
			return oneCustomer(s.Customers.GetCustomer(ctx, scope, in.ID))
		})
	Register(s.api, Op{Method: "POST", Path: "/customers", Name: "customer.create", Summary: "Make a customer", Audience: policy.Staff, Permission: policy.CustomerWrite, Status: http.StatusCreated},
		func(ctx context.Context, scope policy.Scope, in *newCustomerIn) (*One[customerView], error) {
			b := in.Body
			return oneCustomer(s.Customers.CreateCustomer(ctx, scope, customers.NewCustomer{Name: b.Name, Slug: b.Slug, Parent: b.Parent, Country: b.Country, Zone: b.Zone}))
		})
	Register(s.api, Op{Method: "PATCH", Path: "/customers/{id}", Name: "customer.change", Summary: "Change a customer", Audience: policy.Staff, Permission: policy.CustomerWrite},
		func(ctx context.Context, scope policy.Scope, in *changeCustomerIn) (*One[customerView], error) {
			version, err := ifMatch(in.IfMatch)
			if err != nil {
				return nil, err
			}
			b := in.Body
			return oneCustomer(s.Customers.UpdateCustomer(ctx, scope, in.ID, customers.CustomerChange{Name: b.Name, Parent: b.Parent, Country: b.Country, Zone: b.Zone, Version: version}))
		})
}
