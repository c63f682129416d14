package server

import (
	"context"
	"net/http"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/incidents"
	"ostler/controlplane/policy"
)

// IncidentTask is something to be done in an incident.
type IncidentTask struct {
	ID     string `json:"id"`
	Text   string `json:"text"`
	Owner  string `json:"owner,omitempty"`
	Name   string `json:"owner_name,omitempty"`
	DueAt  string `json:"due_at,omitempty" format:"date-time"`
	DoneAt string `json:"done_at,omitempty" format:"date-time"`
	DoneBy string `json:"done_by,omitempty"`
	Note   string `json:"note,omitempty"`
}

func viewTask(t incidents.Task) IncidentTask {
	return IncidentTask{t.ID, t.Text, t.Owner, t.OwnerName, controlplane.Instant(t.DueAt), controlplane.Instant(t.DoneAt), t.DoneBy, t.Note}
}

// NewIncidentTask is one to be made.
type NewIncidentTask struct {
	Text  string    `json:"text"`
	Owner string    `json:"owner,omitempty"`
	DueAt time.Time `json:"due_at,omitempty"`
}

// IncidentAction is what was done to contain it.
type IncidentAction struct {
	ID     string   `json:"id"`
	Kind   string   `json:"kind" enum:"revoke,lock,rotate,snapshot,done"`
	Target string   `json:"target,omitempty"`
	Why    string   `json:"because"`
	By     string   `json:"by"`
	At     string   `json:"at" format:"date-time"`
	Result string   `json:"result"`
	Failed bool     `json:"failed"`
	Refs   []string `json:"refs" nullable:"false"`
}

func viewAction(a incidents.Action) IncidentAction {
	return IncidentAction{a.ID, string(a.Kind), a.Target, a.Why, a.By, controlplane.Instant(a.At), a.Result, a.Failed, some(a.Refs)}
}

// NewIncidentAction asks for one.
type NewIncidentAction struct {
	Kind   string `json:"kind" enum:"revoke,lock,rotate,snapshot,done"`
	Target string `json:"target,omitempty"`
	Why    string `json:"because"`
}

// IncidentDecision is a risk assessment, or one about another duty.
type IncidentDecision struct {
	ID         string `json:"id,omitempty" readOnly:"true"`
	Likelihood string `json:"likelihood,omitempty" enum:"low,medium,high"`
	Severity   string `json:"severity,omitempty" enum:"low,medium,high"`
	Risk       string `json:"risk,omitempty" enum:"low,medium,high" readOnly:"true"`
	Authority  bool   `json:"tell_authority,omitempty"`
	People     bool   `json:"tell_people,omitempty"`
	Exemption  string `json:"exemption,omitempty" enum:"unintelligible,later_measures,effort" doc:"Article 34(3) GDPR"`
	Reasons    string `json:"reasons"`
	Rule       string `json:"rule,omitempty" doc:"Of another duty alone, as nis2-23-early"`
	NotDue     bool   `json:"not_due,omitempty"`
	By         string `json:"by,omitempty" readOnly:"true"`
	At         string `json:"at,omitempty" format:"date-time" readOnly:"true"`
}

func viewDecision(d incidents.Decision) IncidentDecision {
	return IncidentDecision{d.ID, string(d.Likelihood), string(d.Severity), string(d.Risk), d.Authority, d.People, string(d.Exemption), d.Reasons, d.Rule, d.NotDue, d.By, controlplane.Instant(d.At)}
}

// IncidentMoment is something that happened around the time.
type IncidentMoment struct {
	At       string `json:"at" format:"date-time"`
	Kind     string `json:"kind"`
	Text     string `json:"text"`
	Server   string `json:"server,omitempty"`
	Customer string `json:"customer,omitempty"`
	Ref      string `json:"ref,omitempty"`
	By       string `json:"by,omitempty"`
}

// IncidentTimeline is a stretch of time.
type IncidentTimeline struct {
	Items   []IncidentMoment `json:"items" nullable:"false"`
	Partial []string         `json:"partial" nullable:"false" doc:"What could not be read"`
}

// NewIncidentNote is a line in the timeline.
type NewIncidentNote struct {
	At   string `json:"at,omitempty"`
	Text string `json:"text"`
}

type timelineIn struct {
	IDIn
	From time.Time `query:"from"`
	To   time.Time `query:"to"`
}

func (x *incidentsAPI) registerWork(a *API) {
	Register(a, Op{Method: http.MethodPost, Path: "/incidents/{id}/tasks", Name: "incident.task", Summary: "Give somebody a task", Audience: policy.Staff, Permission: policy.IncidentWrite, Status: http.StatusCreated},
		func(ctx context.Context, scope policy.Scope, in *withBody[NewIncidentTask]) (*One[IncidentTask], error) {
			t, err := x.AddTask(ctx, scope, in.ID, incidents.Task{Text: in.Body.Text, Owner: in.Body.Owner, DueAt: in.Body.DueAt})
			return &One[IncidentTask]{Body: viewTask(t)}, err
		})
	Register(a, Op{Method: http.MethodPost, Path: "/incident-tasks/{id}/done", Name: "incident.task_done", Summary: "Say that a task is done", Audience: policy.Staff, Permission: policy.IncidentWrite},
		func(ctx context.Context, scope policy.Scope, in *withBody[NewIncidentNote]) (*One[IncidentTask], error) {
			t, err := x.TaskDone(ctx, scope, in.ID, in.Body.Text)
			return &One[IncidentTask]{Body: viewTask(t)}, err
		})
	Register(a, Op{Method: http.MethodPost, Path: "/incidents/{id}/notes", Name: "incident.note", Summary: "Write a line into its timeline", Audience: policy.Staff, Permission: policy.IncidentWrite, Status: http.StatusNoContent},
		func(ctx context.Context, scope policy.Scope, in *withBody[NewIncidentNote]) (*Empty, error) {
			return &Empty{}, x.Note(ctx, scope, in.ID, incidents.At(in.Body.At), in.Body.Text)
		})
	Register(a, Op{Method: http.MethodGet, Path: "/incidents/{id}/timeline", Name: "incident.timeline", Summary: "What happened around the time, on its servers and in the incident", Audience: policy.Staff, Permission: policy.IncidentRead},
		func(ctx context.Context, scope policy.Scope, in *timelineIn) (*One[IncidentTimeline], error) {
			items, partial, err := x.Timeline(ctx, scope, in.ID, in.From, in.To)
			return &One[IncidentTimeline]{Body: IncidentTimeline{each(items, func(m incidents.Moment) IncidentMoment {
				return IncidentMoment{controlplane.Instant(m.At), m.Kind, m.Text, m.Server, m.Customer, m.Ref, m.By}
			}), some(partial)}}, err
		})
	Register(a, Op{Method: http.MethodPost, Path: "/incidents/{id}/actions", Name: "incident.act", Summary: "Contain it: revoke, lock, rotate, back up now, or record what was done by hand", Audience: policy.Staff, Permission: policy.IncidentWrite, Status: http.StatusCreated},
		func(ctx context.Context, scope policy.Scope, in *withBody[NewIncidentAction]) (*One[IncidentAction], error) {
			act, err := x.Act(ctx, scope, in.ID, incidents.NewAction{Kind: incidents.ActionKind(in.Body.Kind), Target: in.Body.Target, Why: in.Body.Why})
			return &One[IncidentAction]{Body: viewAction(act)}, err
		})
	Register(a, Op{Method: http.MethodPost, Path: "/incidents/{id}/decisions", Name: "incident.decide", Summary: "Assess the risk and decide who is told", Audience: policy.Staff, Permission: policy.IncidentWrite, Status: http.StatusCreated},
		func(ctx context.Context, scope policy.Scope, in *withBody[IncidentDecision]) (*One[IncidentDecision], error) {
			b := in.Body
			d, err := x.Decide(ctx, scope, in.ID, incidents.NewDecision{Likelihood: incidents.Level(b.Likelihood), Severity: incidents.Level(b.Severity), Authority: b.Authority, People: b.People,
				Exemption: incidents.Exemption(b.Exemption), Reasons: b.Reasons, Rule: b.Rule, NotDue: b.NotDue})
			return &One[IncidentDecision]{Body: viewDecision(d)}, err
		})
}
