package server

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"ostler/controlplane/customers"
	"ostler/controlplane/policy"
)

// HostEntry is a server as configuration management needs it: what it is, for
// whom, and nothing that changes by the minute.
type HostEntry struct {
	ID        string   `json:"id"`
	Name      string   `json:"name"`
	Location  string   `json:"location,omitempty"`
	Country   string   `json:"country"`
	State     string   `json:"state" enum:"expected,active,retired"`
	Agent     string   `json:"agent_state" enum:"not_enrolled,never_connected,connected,disconnected,silent,frozen"`
	Customers []string `json:"customers" nullable:"false" doc:"Slugs of those who live there and whom you may see"`
	Shared    bool     `json:"shared" doc:"More than one of them lives there"`
	Roles     []string `json:"roles" nullable:"false" doc:"web where there are sites, database where there are databases"`
}

type hostsIn struct {
	IfNoneMatch string `header:"If-None-Match" doc:"The ETag of an answer you keep; 304 says that it is still right"`
}

type hostsOut struct {
	Status int
	ETag   string `header:"ETag"`
	Body   *Hosts
}

// Hosts are all servers that whoever asks sees, and whether that is everything:
// who sees one customer cannot tell whether somebody else lives there too.
type Hosts struct {
	Items         []HostEntry `json:"items" nullable:"false"`
	NextPageToken string      `json:"next_page_token" doc:"Always empty: it is all in one answer"`
	Scope         string      `json:"scope" enum:"all,own" doc:"all where you see every customer, so that shared and customers are the whole truth"`
}

func (s *Server) registerInventory() {
	Register(s.api, Op{Method: http.MethodGet, Path: "/inventory", Name: "inventory.list", Summary: "All servers that are looked after, in one answer, for configuration management",
		Audience: policy.SignedIn, Permission: policy.ServerRead}, s.listHosts)
}

func (s *Server) listHosts(ctx context.Context, scope policy.Scope, in *hostsIn) (*hostsOut, error) {
	items, err := s.hostEntries(ctx, scope)
	if err != nil {
		return nil, err
	}
	body := Hosts{Items: items, Scope: "own"}
	if scope.All() {
		body.Scope = "all"
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("server: inventory: %w", err)
	}
	sum := sha256.Sum256(raw)
	out := &hostsOut{Status: http.StatusOK, ETag: `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`, Body: &body}
	if in.IfNoneMatch == out.ETag {
		out.Status, out.Body = http.StatusNotModified, nil
	}
	return out, nil
}

// hostEntries are the servers that a scope reaches, by name.
func (s *Server) hostEntries(ctx context.Context, scope policy.Scope) ([]HostEntry, error) {
	slugs, err := s.slugs(ctx, scope)
	if err != nil {
		return nil, err
	}
	tenancies, err := s.Customers.Tenancies(ctx, scope, customers.TenancyFilter{})
	if err != nil {
		return nil, err
	}
	on := map[string][]customers.Tenancy{}
	for _, t := range tenancies {
		if t.EndedAt.IsZero() {
			on[t.Server] = append(on[t.Server], t)
		}
	}
	items := []HostEntry{}
	for page, first := "", true; first || page != ""; first = false {
		var servers []customers.Server
		if servers, page, err = s.Customers.ListServers(ctx, scope, customers.ServerFilter{Limit: 200, PageToken: page}); err != nil {
			return nil, err
		}
		ids := make([]string, len(servers))
		for i, v := range servers {
			ids[i] = v.ID
		}
		agents, err := s.Deps.Agents.Statuses(ctx, scope, ids)
		if err != nil {
			return nil, err
		}
		for _, v := range servers {
			if v.State != customers.ServerRetired {
				items = append(items, hostEntry(v, string(agents[v.ID].State), on[v.ID], slugs))
			}
		}
	}
	slices.SortFunc(items, func(a, b HostEntry) int { return cmp.Compare(a.Name, b.Name) })
	return items, nil
}

func hostEntry(v customers.Server, agent string, tenancies []customers.Tenancy, slugs map[string]string) HostEntry {
	e := HostEntry{ID: v.ID, Name: v.Name, Location: v.Location, Country: v.Country, State: string(v.State), Agent: agent, Customers: []string{}, Roles: []string{}}
	for _, t := range tenancies {
		if slug := slugs[t.Customer]; slug != "" {
			e.Customers = append(e.Customers, slug)
		}
		if len(t.Sites) > 0 {
			e.Roles = append(e.Roles, "web")
		}
		if len(t.Databases) > 0 {
			e.Roles = append(e.Roles, "database")
		}
	}
	slices.Sort(e.Customers)
	slices.Sort(e.Roles)
	e.Customers, e.Roles = slices.Compact(e.Customers), slices.Compact(e.Roles)
	e.Shared = len(e.Customers) > 1
	return e
}

// slugs are the customers that a scope reaches, by id.
func (s *Server) slugs(ctx context.Context, scope policy.Scope) (map[string]string, error) {
	slugs := map[string]string{}
	for page, first := "", true; first || page != ""; first = false {
		items, next, err := s.Customers.ListCustomers(ctx, scope, customers.CustomerFilter{Limit: 200, PageToken: page})
		if err != nil {
			return nil, err
		}
		for _, c := range items {
			slugs[c.ID] = c.Slug
		}
		page = next
	}
	return slugs, nil
}
