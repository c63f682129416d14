package server

import (
	"context"

	"ostler/controlplane"
	"ostler/controlplane/findings"
	"ostler/controlplane/policy"
)

type findingView struct {
	ID       string `json:"id"`
	Kind     string `json:"kind"`
	Severity string `json:"severity" enum:"bad,warn,unknown"`
	Owner    string `json:"owner" enum:"ops,customer"`
	Customer string `json:"customer,omitempty"`
	Server   string `json:"server,omitempty"`
	Subject  string `json:"subject,omitempty"`
	Title    string `json:"title"`
	Cause    string `json:"cause"`
	Next     string `json:"next"`
	Link     string `json:"link,omitempty" doc:"Path in the portal where it is done"`
	OpenedAt string `json:"opened_at" format:"date-time"`
	SeenAt   string `json:"seen_at" format:"date-time"`
	ClosedAt string `json:"closed_at,omitempty" format:"date-time"`
	Closed   string `json:"closed_because,omitempty"`
	Count    int    `json:"count"`
}

// viewFinding words a finding for the one who reads it.
func viewFinding(ctx context.Context) func(findings.Finding) findingView {
	audience := policy.Customers
	if a, ok := controlplane.ActorFrom(ctx); ok && a.Kind == controlplane.ActorStaff {
		audience = policy.Staff
	}
	return func(f findings.Finding) findingView {
		title, cause, next := findings.SentenceFor(audience, "en", f)
		return findingView{ID: f.ID, Kind: f.Kind, Severity: string(f.Severity), Owner: string(f.Owner), Customer: f.Customer, Server: f.Server,
			Subject: f.Subject, Title: title, Cause: cause, Next: next, Link: f.Link, OpenedAt: controlplane.Instant(f.OpenedAt),
			SeenAt: controlplane.Instant(f.SeenAt), ClosedAt: controlplane.Instant(f.ClosedAt), Closed: f.Cause, Count: f.Count}
	}
}

type findingsIn struct {
	PageIn
	Customer string   `query:"customer"`
	Server   string   `query:"server"`
	Kind     []string `query:"kind"`
	Closed   bool     `query:"closed" doc:"Closed ones, newest first, instead of open ones"`
}

func (s *Server) registerFindings() {
	Register(s.api, Op{Method: "GET", Path: "/findings", Name: "finding.list", Summary: "What needs a person, worst first", Audience: policy.SignedIn, Permission: policy.FindingRead},
		func(ctx context.Context, scope policy.Scope, in *findingsIn) (*ListOut[findingView], error) {
			items, next, err := s.Findings.List(ctx, scope, findings.Filter{Customer: in.Customer, Server: in.Server, Kinds: in.Kind, Closed: in.Closed, Limit: in.PageSize, PageToken: in.PageToken})
			return listOf(items, next, viewFinding(ctx)), err
		})
	Register(s.api, Op{Method: "GET", Path: "/findings/{id}", Name: "finding.show", Summary: "Show a finding", Audience: policy.SignedIn, Permission: policy.FindingRead},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*One[findingView], error) {
			f, err := s.Findings.Get(ctx, scope, in.ID)
			if err != nil {
				return nil, err
			}
			return &One[findingView]{Body: viewFinding(ctx)(f)}, nil
		})
}
