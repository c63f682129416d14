package server

import (
	"context"
	"net/http"

	"ostler/controlplane/incidents"
	"ostler/controlplane/policy"
)

// IncidentsFound is what a search found; contacts find the notices sent to them.
type IncidentsFound struct {
	Incidents []Incident       `json:"incidents" nullable:"false"`
	Notices   []IncidentNotice `json:"notices" nullable:"false"`
	Reports   []IncidentReport `json:"reports" nullable:"false"`
	More      bool             `json:"more" doc:"There are more than are listed"`
	Older     bool             `json:"older_not_searched" doc:"Only the newest 2,000 incidents and notices were looked through"`
}

type incidentFindIn struct {
	Query string `query:"q" required:"true" minLength:"1" maxLength:"200" doc:"A number or a reference, or words of a title or text"`
}

// registerFind adds the search.
func (x *incidentsAPI) registerFind(a *API) {
	Register(a, Op{Method: http.MethodGet, Path: "/incident-search", Name: "incident.find", Summary: "Find incidents, notices and reports; contacts find the notices sent to them", Audience: policy.SignedIn, Permission: policy.IncidentRead},
		func(ctx context.Context, scope policy.Scope, in *incidentFindIn) (*One[IncidentsFound], error) {
			f, err := x.Find(ctx, scope, in.Query)
			return &One[IncidentsFound]{Body: foundView(ctx, f)}, err
		})
}

func foundView(ctx context.Context, f incidents.Found) IncidentsFound {
	return IncidentsFound{each(f.Cases, viewIncident), each(f.Notices, viewIncidentNotice(ctx)), each(f.Reports, viewReport), f.More, f.Older}
}
