package server

import (
	"context"
	"net/http"

	"ostler/controlplane/incidents"
	"ostler/controlplane/incidents/law"
	"ostler/controlplane/policy"
)

// NewIncidentAssertion is somebody's word about when something was known.
type NewIncidentAssertion struct {
	Customer   string `json:"customer,omitempty" doc:"Absent: the incident as a whole; “incident”: the incident itself, whatever data it touched (NIS2)"`
	Certainty  string `json:"certainty" enum:"suspected,certain"`
	Aware      string `json:"aware_at,omitempty" doc:"RFC 3339, or a local time of the incident's zone; absent is now"`
	Ground     string `json:"ground"`
	Supersedes string `json:"supersedes,omitempty" doc:"The assertion it corrects; to a later time, another person confirms it"`
}

// IncidentConfirmation confirms a correction.
type IncidentConfirmation struct {
	Assertion string `json:"assertion"`
}

// IncidentAffects puts customers into an incident.
type IncidentAffects struct {
	Customers []string `json:"customers,omitempty"`
	Servers   []string `json:"servers,omitempty"`
	State     string   `json:"state" enum:"possible,affected"`
	Since     string   `json:"since,omitempty"`
	Because   string   `json:"because"`
}

// IncidentClearing says that a customer is not in it.
type IncidentClearing struct {
	Customer string `json:"customer"`
	Because  string `json:"because"`
}

// IncidentFact is something that became so, at a time.
type IncidentFact struct {
	At  string `json:"at,omitempty"`
	How string `json:"how"`
}

// IncidentClosing ends an incident.
type IncidentClosing struct {
	State   string `json:"state" enum:"closed,false_alarm"`
	Because string `json:"because"`
}

// IncidentReopening opens one again.
type IncidentReopening struct {
	Wrongly bool   `json:"wrongly_closed,omitempty" doc:"The old clock runs on; otherwise new facts start a new one"`
	Aware   string `json:"aware_at,omitempty"`
	Because string `json:"because"`
}

// IncidentMerging has one go on in another.
type IncidentMerging struct {
	Into    string `json:"into"`
	Because string `json:"because"`
}

// IncidentSplit makes one of a part of another.
type IncidentSplit struct {
	Title     string   `json:"title"`
	Customers []string `json:"customers,omitempty"`
	Servers   []string `json:"servers,omitempty"`
	Because   string   `json:"because"`
}

// incidentAct registers an act on an incident that answers with it.
func incidentAct[B any](a *API, path, name, summary string, do func(ctx context.Context, scope policy.Scope, id string, body B) (incidents.Case, error)) {
	Register(a, Op{Method: http.MethodPost, Path: "/incidents/{id}/" + path, Name: name, Summary: summary, Audience: policy.Staff, Permission: policy.IncidentWrite},
		func(ctx context.Context, scope policy.Scope, in *withBody[B]) (*One[Incident], error) {
			return oneIncident(do(ctx, scope, in.ID, in.Body))
		})
}

// subject is whom an assertion is about: a customer, by id or name, or the incident itself.
func (x *incidentsAPI) subject(ctx context.Context, scope policy.Scope, ref string) (string, error) {
	if ref == law.TheIncident {
		return ref, nil
	}
	_, customer, err := x.refs(ctx, scope, "", ref)
	return customer, err
}

func (x *incidentsAPI) registerCourse(a *API) {
	incidentAct(a, "awareness", "incident.assert", "Say when it was suspected, or certain", func(ctx context.Context, scope policy.Scope, id string, b NewIncidentAssertion) (incidents.Case, error) {
		customer, err := x.subject(ctx, scope, b.Customer)
		if err != nil {
			return incidents.Case{}, err
		}
		return x.Assert(ctx, scope, id, incidents.NewAssertion{Customer: customer, Certainty: law.Certainty(b.Certainty), Aware: incidents.At(b.Aware), Ground: b.Ground, Supersedes: b.Supersedes})
	})
	incidentAct(a, "awareness/confirm", "incident.confirm", "Confirm a correction to a later time, as another person", func(ctx context.Context, scope policy.Scope, id string, b IncidentConfirmation) (incidents.Case, error) {
		return x.ConfirmAssertion(ctx, scope, id, b.Assertion)
	})
	incidentAct(a, "affected", "incident.affect", "Put customers, or the customers of servers, into it", func(ctx context.Context, scope policy.Scope, id string, b IncidentAffects) (incidents.Case, error) {
		return x.Affect(ctx, scope, id, incidents.Affect{Customers: b.Customers, Servers: b.Servers, State: incidents.AffectedState(b.State), Since: incidents.At(b.Since), Because: b.Because})
	})
	incidentAct(a, "clear", "incident.clear", "Say that a customer is not in it; of who is held certain, another person confirms it", func(ctx context.Context, scope policy.Scope, id string, b IncidentClearing) (incidents.Case, error) {
		_, customer, err := x.refs(ctx, scope, "", b.Customer)
		if err != nil {
			return incidents.Case{}, err
		}
		return x.Clear(ctx, scope, id, customer, b.Because)
	})
	incidentAct(a, "contain", "incident.contain", "Say since when it is contained", func(ctx context.Context, scope policy.Scope, id string, b IncidentFact) (incidents.Case, error) {
		return x.Contain(ctx, scope, id, incidents.At(b.At), b.How)
	})
	incidentAct(a, "handled", "incident.handled", "Say since when it is handled", func(ctx context.Context, scope policy.Scope, id string, b IncidentFact) (incidents.Case, error) {
		return x.Handled(ctx, scope, id, incidents.At(b.At), b.How)
	})
	incidentAct(a, "close", "incident.close", "Close it, or say that it was a false alarm: where somebody is certain, another person confirms it", func(ctx context.Context, scope policy.Scope, id string, b IncidentClosing) (incidents.Case, error) {
		return x.Close(ctx, scope, id, incidents.Closing{State: incidents.State(b.State), Why: b.Because})
	})
	incidentAct(a, "reopen", "incident.reopen", "Open it again", func(ctx context.Context, scope policy.Scope, id string, b IncidentReopening) (incidents.Case, error) {
		return x.Reopen(ctx, scope, id, incidents.Reopening{Wrongly: b.Wrongly, Aware: incidents.At(b.Aware), Why: b.Because})
	})
	incidentAct(a, "merge", "incident.merge", "Have it go on in another one", func(ctx context.Context, scope policy.Scope, id string, b IncidentMerging) (incidents.Case, error) {
		return x.Merge(ctx, scope, id, b.Into, b.Because)
	})
	incidentAct(a, "split", "incident.split", "Make an incident of a part of it", func(ctx context.Context, scope policy.Scope, id string, b IncidentSplit) (incidents.Case, error) {
		return x.Split(ctx, scope, id, incidents.SplitOff{Title: b.Title, Customers: b.Customers, Servers: b.Servers, Why: b.Because})
	})
	incidentAct(a, "freeze", "incident.freeze", "Keep its recordings, logs and backups longer", func(ctx context.Context, scope policy.Scope, id string, b IncidentFreezing) (incidents.Case, error) {
		return x.Freeze(ctx, scope, id, incidents.At(b.Until), b.Because)
	})
	Register(a, Op{Method: http.MethodPost, Path: "/incidents/{id}/thaw", Name: "incident.thaw", Summary: "Let go of what is kept for it", Audience: policy.Staff, Permission: policy.IncidentAdmin},
		func(ctx context.Context, scope policy.Scope, in *withBody[IncidentBecause]) (*One[Incident], error) {
			return oneIncident(x.Thaw(ctx, scope, in.ID, in.Body.Because))
		})
}

// IncidentFreezing keeps longer.
type IncidentFreezing struct {
	Until   string `json:"until"`
	Because string `json:"because"`
}

// IncidentBecause is a reason.
type IncidentBecause struct {
	Because string `json:"because"`
}
