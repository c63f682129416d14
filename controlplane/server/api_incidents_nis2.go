package server

import (
	"context"

	"ostler/controlplane"
	"ostler/controlplane/incidents"
	"ostler/controlplane/incidents/law"
	"ostler/controlplane/policy"
)

// IncidentImpact is what NIS2's significance is judged by. What is absent is not known.
type IncidentImpact struct {
	OutageMinutes   *int     `json:"outage_minutes,omitempty" minimum:"0"`
	LimitedMinutes  *int     `json:"limited_minutes,omitempty" minimum:"0"`
	LimitedPercent  *float64 `json:"limited_percent,omitempty" minimum:"0" maximum:"100"`
	LimitedUsers    *int     `json:"limited_users,omitempty" minimum:"0"`
	Malicious       string   `json:"malicious,omitempty" enum:"yes,no,unknown"`
	CompromisedPct  *float64 `json:"compromised_percent,omitempty" minimum:"0" maximum:"100"`
	CompromisedUser *int     `json:"compromised_users,omitempty" minimum:"0"`
	PhysicalAccess  string   `json:"physical_access,omitempty" enum:"yes,no,unknown"`
	LossEUR         *int64   `json:"loss_eur,omitempty" minimum:"0"`
	LossPercent     *float64 `json:"loss_percent,omitempty" minimum:"0"`
	TradeSecrets    string   `json:"trade_secrets,omitempty" enum:"yes,no,unknown" doc:"Trade secrets were taken out"`
	Harm            string   `json:"harm,omitempty" enum:"yes,no,unknown" doc:"Somebody died, or their health was damaged considerably"`
	Intrusion       string   `json:"intrusion,omitempty" enum:"yes,no,unknown" doc:"Unauthorised access, suspected malicious, that can disrupt operations severely"`
	Recurring       string   `json:"recurring,omitempty" enum:"yes,no,unknown"`
	Scheduled       bool     `json:"scheduled,omitempty" doc:"Maintenance that was announced"`
}

// known is a number, or -1 where it is not known; shown is the other way round.
func known[T int | int64 | float64](v *T) T {
	if v == nil {
		return -1
	}
	return *v
}

func shownNumber[T int | int64 | float64](v T) *T {
	if v < 0 {
		return nil
	}
	return &v
}

func knownAnswer(s string) law.Answer {
	if s == "" {
		return law.Unknown
	}
	return law.Answer(s)
}

func (i IncidentImpact) impact() law.Impact {
	return law.Impact{OutageMinutes: known(i.OutageMinutes), LimitedMinutes: known(i.LimitedMinutes), LimitedPercent: known(i.LimitedPercent), LimitedUsers: known(i.LimitedUsers),
		Malicious: knownAnswer(i.Malicious), CompromisedPct: known(i.CompromisedPct), CompromisedUser: known(i.CompromisedUser), PhysicalAccess: knownAnswer(i.PhysicalAccess), LossEUR: known(i.LossEUR),
		LossPercent: known(i.LossPercent), TradeSecrets: knownAnswer(i.TradeSecrets), Harm: knownAnswer(i.Harm), Intrusion: knownAnswer(i.Intrusion), Recurring: knownAnswer(i.Recurring), Scheduled: i.Scheduled}
}

func viewImpact(i law.Impact) IncidentImpact {
	answer := func(a law.Answer) string { return string(knownAnswer(string(a))) }
	return IncidentImpact{shownNumber(i.OutageMinutes), shownNumber(i.LimitedMinutes), shownNumber(i.LimitedPercent), shownNumber(i.LimitedUsers), answer(i.Malicious), shownNumber(i.CompromisedPct),
		shownNumber(i.CompromisedUser), answer(i.PhysicalAccess), shownNumber(i.LossEUR), shownNumber(i.LossPercent), answer(i.TradeSecrets), answer(i.Harm), answer(i.Intrusion), answer(i.Recurring), i.Scheduled}
}

// IncidentStep is what a financial entity told us that it did for its own authority.
type IncidentStep struct {
	Step       string `json:"step" enum:"classified,initial_sent,intermediate_sent,final_sent"`
	At         string `json:"at,omitempty" format:"date-time" doc:"Absent: they did not, after all"`
	ToldBy     string `json:"told_by" doc:"Who of theirs said so"`
	By         string `json:"by"`
	RecordedAt string `json:"recorded_at" format:"date-time"`
}

func viewTheirStep(w incidents.TheirWord) IncidentStep {
	return IncidentStep{string(w.Step), controlplane.Instant(w.At), w.ToldBy, w.By, controlplane.Instant(w.RecordedAt)}
}

// NewIncidentStep writes down what they told us; it takes the place of earlier words
// about the same step.
type NewIncidentStep struct {
	Customer string `json:"customer"`
	Step     string `json:"step" enum:"classified,initial_sent,intermediate_sent,final_sent"`
	At       string `json:"at,omitempty" doc:"RFC 3339, or a local time of the incident's zone; absent is now"`
	NotSo    bool   `json:"not_so,omitempty" doc:"They did not, after all"`
	ToldBy   string `json:"told_by"`
}

func (x *incidentsAPI) registerTheirs(a *API) {
	incidentAct(a, "their-steps", "incident.they_said", "Write down what a financial entity did for its own authority", func(ctx context.Context, scope policy.Scope, id string, b NewIncidentStep) (incidents.Case, error) {
		_, customer, err := x.refs(ctx, scope, "", b.Customer)
		if err != nil {
			return incidents.Case{}, err
		}
		return x.TheySaid(ctx, scope, id, incidents.NewTheirWord{Customer: customer, Step: incidents.TheirStep(b.Step), At: incidents.At(b.At), NotSo: b.NotSo, ToldBy: b.ToldBy})
	})
}
