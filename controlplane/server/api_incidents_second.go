package server

import (
	"context"

	"ostler/controlplane"
	"ostler/controlplane/incidents"
	"ostler/controlplane/policy"
)

// IncidentAsked is what takes a clock away, with what became of it.
type IncidentAsked struct {
	ID        string `json:"id"`
	Act       string `json:"act" enum:"false_alarm,clear,not_ours"`
	Customer  string `json:"customer,omitempty" doc:"Whom it is about; absent: the incident"`
	Because   string `json:"because"`
	By        string `json:"by"`
	At        string `json:"at" format:"date-time"`
	State     string `json:"state" enum:"open,confirmed,withdrawn,declined,moot" doc:"While it is open, the clocks run on"`
	SettledBy string `json:"settled_by,omitempty"`
	SettledAt string `json:"settled_at,omitempty" format:"date-time"`
	AloneWhy  string `json:"alone_because,omitempty" doc:"Why it counts without another person"`
}

func viewAsked(a incidents.Asked) IncidentAsked {
	return IncidentAsked{ID: a.ID, Act: string(a.Act), Customer: a.Customer, Because: a.Why, By: a.By, At: controlplane.Instant(a.At), State: string(a.State), SettledBy: a.SettledBy,
		SettledAt: controlplane.Instant(a.SettledAt), AloneWhy: a.AloneWhy}
}

// IncidentAskedRef names what was asked.
type IncidentAskedRef struct {
	Asked string `json:"asked"`
}

// IncidentTheyKnew is since when a customer says that they knew.
type IncidentTheyKnew struct {
	Customer string `json:"customer"`
	Since    string `json:"since" doc:"RFC 3339, or a local time of the incident's zone"`
}

// registerSecond adds the second person, and what customers say of themselves.
func (x *incidentsAPI) registerSecond(a *API) {
	incidentAct(a, "asked/confirm", "incident.confirm_asked", "Confirm, as another person, what takes a clock away", func(ctx context.Context, scope policy.Scope, id string, b IncidentAskedRef) (incidents.Case, error) {
		return x.ConfirmAsked(ctx, scope, id, b.Asked)
	})
	incidentAct(a, "asked/withdraw", "incident.withdraw_asked", "Withdraw what takes a clock away, or say no to it", func(ctx context.Context, scope policy.Scope, id string, b IncidentAskedRef) (incidents.Case, error) {
		return x.WithdrawAsked(ctx, scope, id, b.Asked)
	})
	incidentAct(a, "they-knew", "incident.they_knew", "Write down since when a customer says that they knew of it", func(ctx context.Context, scope policy.Scope, id string, b IncidentTheyKnew) (incidents.Case, error) {
		_, customer, err := x.refs(ctx, scope, "", b.Customer)
		if err != nil {
			return incidents.Case{}, err
		}
		return x.TheyKnew(ctx, scope, id, customer, incidents.At(b.Since))
	})
}
