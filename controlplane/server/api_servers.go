package server

import (
	"context"
	"net/http"

	"ostler/agents"
	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/policy"
)

type serverView struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Location  string `json:"location,omitempty"`
	Country   string `json:"country"`
	State     string `json:"state" enum:"expected,active,retired"`
	Agent     string `json:"agent_state" enum:"not_enrolled,never_connected,connected,disconnected,silent,frozen"`
	HeardAt   string `json:"heard_at,omitempty" format:"date-time"`
	CreatedAt string `json:"created_at" format:"date-time"`
	UpdatedAt string `json:"updated_at" format:"date-time"`
}

func viewServer(v customers.Server, a agents.Status) serverView {
	return serverView{ID: v.ID, Name: v.Name, Location: v.Location, Country: v.Country, State: string(v.State), Agent: string(a.State),
		HeardAt: controlplane.Instant(a.HeardAt), CreatedAt: controlplane.Instant(v.CreatedAt), UpdatedAt: controlplane.Instant(v.UpdatedAt)}
}

// oneServer adds what we know of the server's agent.
func (s *Server) oneServer(ctx context.Context, scope policy.Scope, v customers.Server, err error) (*One[serverView], error) {
	if err != nil {
		return nil, err
	}
	a, err := s.Deps.Agents.Status(ctx, scope, v.ID)
	return &One[serverView]{ETag: etag(v.Version), Body: viewServer(v, a)}, err
}

type serversIn struct {
	PageIn
	Customer string `query:"customer"`
	State    string `query:"state" enum:"expected,active,retired"`
}

type newServerIn struct {
	Body struct {
		Name     string `json:"name" doc:"Its host name"`
		Location string `json:"location,omitempty"`
		Country  string `json:"country"`
	}
}

type changeServerIn struct {
	IDIn
	IfMatch string `header:"If-Match"`
	Body    struct {
		Location *string `json:"location,omitempty"`
		Country  *string `json:"country,omitempty"`
	}
}

func (s *Server) registerServers() {
	Register(s.api, Op{Method: "GET", Path: "/servers", Name: "server.list", Summary: "List servers", Audience: policy.SignedIn, Permission: policy.ServerRead}, s.listServers)
	Register(s.api, Op{Method: "GET", Path: "/servers/{id}", Name: "server.show", Summary: "Show a server, by id or name", Audience: policy.SignedIn, Permission: policy.ServerRead},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*One[serverView], error) {
			v, err := s.Customers.GetServer(ctx, scope, in.ID)
			return s.oneServer(ctx, scope, v, err)
		})
	Register(s.api, Op{Method: "POST", Path: "/servers", Name: "server.create", Summary: "Make a server", Audience: policy.Staff, Permission: policy.ServerWrite, Status: http.StatusCreated},
		func(ctx context.Context, scope policy.Scope, in *newServerIn) (*One[serverView], error) {
			v, err := s.Customers.CreateServer(ctx, scope, customers.NewServer{Name: in.Body.Name, Location: in.Body.Location, Country: in.Body.Country})
			return s.oneServer(ctx, scope, v, err)
		})
	Register(s.api, Op{Method: "PATCH", Path: "/servers/{id}", Name: "server.change", Summary: "Change a server", Audience: policy.Staff, Permission: policy.ServerWrite},
		func(ctx context.Context, scope policy.Scope, in *changeServerIn) (*One[serverView], error) {
			version, err := ifMatch(in.IfMatch)
			if err != nil {
				return nil, err
			}
			v, err := s.Customers.UpdateServer(ctx, scope, in.ID, customers.ServerChange{Location: in.Body.Location, Country: in.Body.Country, Version: version})
			return s.oneServer(ctx, scope, v, err)
		})
	Register(s.api, Op{Method: "POST", Path: "/servers/{id}/retire", Name: "server.retire", Summary: "Stop looking after a server", Audience: policy.Staff, Permission: policy.ServerWrite},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*One[serverView], error) {
			v, err := s.Customers.RetireServer(ctx, scope, in.ID)
			return s.oneServer(ctx, scope, v, err)
		})
	s.registerWindows()
	s.registerInventory()
}

func (s *Server) listServers(ctx context.Context, scope policy.Scope, in *serversIn) (*ListOut[serverView], error) {
	items, next, err := s.Customers.ListServers(ctx, scope, customers.ServerFilter{Customer: in.Customer, State: customers.ServerState(in.State), Limit: in.PageSize, PageToken: in.PageToken})
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(items))
	for i, v := range items {
		ids[i] = v.ID
	}
	states, err := s.Deps.Agents.Statuses(ctx, scope, ids)
	return listOf(items, next, func(v customers.Server) serverView { return viewServer(v, states[v.ID]) }), err
}
