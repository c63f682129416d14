package server

import (
	"context"
	"net/http"

	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/policy"
)

type tenancyView struct {
	ID        string   `json:"id"`
	Server    string   `json:"server"`
	Customer  string   `json:"customer"`
	Dedicated bool     `json:"dedicated"`
	Paths     []string `json:"paths" nullable:"false"`
	Sites     []string `json:"sites" nullable:"false"`
	Databases []string `json:"databases" nullable:"false"`
	CreatedAt string   `json:"created_at" format:"date-time"`
	UpdatedAt string   `json:"updated_at" format:"date-time"`
	EndedAt   string   `json:"ended_at,omitempty" format:"date-time"`
}

func viewTenancy(t customers.Tenancy) tenancyView {
	return tenancyView{ID: t.ID, Server: t.Server, Customer: t.Customer, Dedicated: t.Dedicated, Paths: some(t.Paths), Sites: some(t.Sites),
		Databases: some(t.Databases), CreatedAt: controlplane.Instant(t.CreatedAt), UpdatedAt: controlplane.Instant(t.UpdatedAt), EndedAt: controlplane.Instant(t.EndedAt)}
}

// some is never null in JSON.
func some(v []string) []string {
	if v == nil {
		return []string{}
	}
	return v
}

func oneTenancy(t customers.Tenancy, err error) (*One[tenancyView], error) {
	return &One[tenancyView]{ETag: etag(t.Version), Body: viewTenancy(t)}, err
}

type tenanciesIn struct {
	Server   string `query:"server"`
	Customer string `query:"customer"`
	Ended    bool   `query:"ended" doc:"Also those that have ended"`
}

type newTenancyIn struct {
	Body struct {
		Server    string   `json:"server"`
		Customer  string   `json:"customer"`
		Dedicated bool     `json:"dedicated,omitempty"`
		Paths     []string `json:"paths,omitempty"`
		Sites     []string `json:"sites,omitempty"`
		Databases []string `json:"databases,omitempty"`
	}
}

type changeTenancyIn struct {
	IDIn
	IfMatch string `header:"If-Match"`
	Body    struct {
		Dedicated *bool     `json:"dedicated,omitempty"`
		Paths     *[]string `json:"paths,omitempty"`
		Sites     *[]string `json:"sites,omitempty"`
		Databases *[]string `json:"databases,omitempty"`
	}
}

func (s *Server) registerTenancies() {
	Register(s.api, Op{Method: "GET", Path: "/tenancies", Name: "tenancy.list", Summary: "List who lives where", Audience: policy.SignedIn, Permission: policy.ServerRead},
		func(ctx context.Context, scope policy.Scope, in *tenanciesIn) (*ListOut[tenancyView], error) {
			items, err := s.Customers.Tenancies(ctx, scope, customers.TenancyFilter{Server: in.Server, Customer: in.Customer, Ended: in.Ended})
			return listOf(items, "", viewTenancy), err
		})
	Register(s.api, Op{Method: "GET", Path: "/tenancies/{id}", Name: "tenancy.show", Summary: "Show a tenancy", Audience: policy.SignedIn, Permission: policy.ServerRead},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*One[tenancyView], error) {
			return oneTenancy(s.Customers.GetTenancy(ctx, scope, in.ID))
		})
	Register(s.api, Op{Method: "POST", Path: "/tenancies", Name: "tenancy.create", Summary: "Let a customer live on a server", Audience: policy.Staff, Permission: policy.ServerWrite, Status: http.StatusCreated},
		func(ctx context.Context, scope policy.Scope, in *newTenancyIn) (*One[tenancyView], error) {
			b := in.Body
			return oneTenancy(s.Customers.CreateTenancy(ctx, scope, customers.NewTenancy{Server: b.Server, Customer: b.Customer, Dedicated: b.Dedicated, Paths: b.Paths, Sites: b.Sites, Databases: b.Databases}))
		})
	Register(s.api, Op{Method: "PATCH", Path: "/tenancies/{id}", Name: "tenancy.change", Summary: "Change a tenancy", Audience: policy.Staff, Permission: policy.ServerWrite},
		func(ctx context.Context, scope policy.Scope, in *changeTenancyIn) (*One[tenancyView], error) {
			version, err := ifMatch(in.IfMatch)
			if err != nil {
				return nil, err
			}
			b := in.Body
			return oneTenancy(s.Customers.UpdateTenancy(ctx, scope, in.ID, customers.TenancyChange{Dedicated: b.Dedicated, Paths: b.Paths, Sites: b.Sites, Databases: b.Databases, Version: version}))
		})
	Register(s.api, Op{Method: "POST", Path: "/tenancies/{id}/end", Name: "tenancy.end", Summary: "End a tenancy", Audience: policy.Staff, Permission: policy.ServerWrite},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*One[tenancyView], error) {
			return oneTenancy(s.Customers.EndTenancy(ctx, scope, in.ID))
		})
}
