package server

import (
	"context"
	"net/http"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/incidents"
	"ostler/controlplane/incidents/law"
	"ostler/controlplane/policy"
)

// incidentsAPI translates for breach notification.
type incidentsAPI struct {
	*incidents.Service
	refs func(ctx context.Context, scope policy.Scope, server, customer string) (serverID, customerID string, err error)
}

// registerIncidents adds the operations on incidents.
func (s *Server) registerIncidents() {
	x := &incidentsAPI{s.Incidents, (&backupAPI{s}).refs}
	x.registerCases(s.api)
	x.registerCourse(s.api)
	x.registerTheirs(s.api)
	x.registerSecond(s.api)
	x.registerWork(s.api)
	x.registerPapers(s.api)
	x.registerNotices(s.api)
	x.registerAdvisories(s.api)
	x.registerLaw(s.api)
	x.registerFind(s.api)
}

// Incident is a case.
type Incident struct {
	ID            string              `json:"id"`
	Number        string              `json:"number"`
	Title         string              `json:"title"`
	Summary       string              `json:"summary,omitempty"`
	Kinds         []string            `json:"kinds" nullable:"false" doc:"destruction, loss, alteration, disclosure, access: Article 4(12) GDPR"`
	State         string              `json:"state" enum:"open,closed,false_alarm,merged"`
	Drill         bool                `json:"drill" doc:"An exercise: nothing leaves the house"`
	OurData       string              `json:"our_data" enum:"yes,no,unknown" doc:"Whether data of our own staff or billing is touched: then we are controller too. Unknown: nobody has said"`
	Significant   string              `json:"significant" doc:"For NIS2: yes, no or unknown"`
	SignificantIf []string            `json:"significant_because" nullable:"false" doc:"Why, or what is missing to say so"`
	Impact        IncidentImpact      `json:"impact" doc:"What that is judged by"`
	PeopleIn      []string            `json:"people_in" nullable:"false" doc:"Countries in which the people affected live: without an establishment in the Union, each authority there is told"`
	ChannelUnsafe bool                `json:"channel_unsafe"`
	Zone          string              `json:"zone"`
	DetectedAt    string              `json:"detected_at,omitempty" format:"date-time"`
	OccurredFrom  string              `json:"occurred_from,omitempty" format:"date-time"`
	ContainedAt   string              `json:"contained_at,omitempty" format:"date-time"`
	HandledAt     string              `json:"handled_at,omitempty" format:"date-time"`
	OpenedAt      string              `json:"opened_at" format:"date-time"`
	OpenedBy      string              `json:"opened_by"`
	Lead          string              `json:"lead,omitempty"`
	Source        string              `json:"source,omitempty"`
	Servers       []string            `json:"servers" nullable:"false"`
	Affected      []IncidentAffected  `json:"affected" nullable:"false"`
	Awareness     []IncidentAssertion `json:"awareness" nullable:"false"`
	AssessBy      string              `json:"assess_by,omitempty" format:"date-time" doc:"A suspicion is to be decided until then"`
	FrozenUntil   string              `json:"frozen_until,omitempty" format:"date-time"`
	FrozenGround  string              `json:"frozen_because,omitempty"`
	MergedInto    string              `json:"merged_into,omitempty"`
	ClosedAt      string              `json:"closed_at,omitempty" format:"date-time"`
	ClosedWhy     string              `json:"closed_because,omitempty"`
	NextDue       string              `json:"next_due,omitempty" format:"date-time"`
	ShadowDue     string              `json:"shadow_due,omitempty" format:"date-time" doc:"The earliest deadline of what nobody has decided: what would be due were it certain. It may have passed"`
	Late          bool                `json:"late"`
	Tasks         []IncidentTask      `json:"tasks" nullable:"false"`
	Actions       []IncidentAction    `json:"actions" nullable:"false"`
	Decisions     []IncidentDecision  `json:"decisions" nullable:"false"`
	Asked         []IncidentAsked     `json:"asked" nullable:"false" doc:"What takes a clock away: it counts once another person confirms it"`
	Facts         []IncidentCaseFact  `json:"facts" nullable:"false" doc:"What authorities ask beside the facts of Article 33(3)"`
	Version       int64               `json:"version"`
}

// IncidentAffected is one customer in a case.
type IncidentAffected struct {
	Customer    string         `json:"customer"`
	Name        string         `json:"name"`
	State       string         `json:"state" enum:"possible,affected,cleared"`
	Servers     []string       `json:"servers" nullable:"false"`
	Because     string         `json:"because,omitempty"`
	SuspectedAt string         `json:"suspected_at,omitempty" format:"date-time"`
	KnownAt     string         `json:"known_at,omitempty" format:"date-time"`
	ClearedWhy  string         `json:"cleared_because,omitempty"`
	Clock       *IncidentClock `json:"clock,omitempty"`
	ToldAt      string         `json:"told_at,omitempty" format:"date-time"`
	TheyKnewAt  string         `json:"they_knew_at,omitempty" format:"date-time" doc:"Since when they say that they knew of it themselves"`
	TheyKnewBy  string         `json:"they_knew_written_by,omitempty"`
	TheirDue    string         `json:"their_due,omitempty" format:"date-time" doc:"Until when they probably have to tell their authority"`
	Role        string         `json:"role" enum:"unknown,controller,processor"`
	Financial   bool           `json:"financial" doc:"Under DORA"`
	TheySaid    []IncidentStep `json:"they_said" nullable:"false" doc:"What a financial entity told us that it did for its own authority"`
}

// IncidentAssertion is somebody's word about when something was known.
type IncidentAssertion struct {
	ID          string `json:"id"`
	Customer    string `json:"customer,omitempty"`
	Certainty   string `json:"certainty" enum:"suspected,certain"`
	Aware       string `json:"aware_at" format:"date-time"`
	By          string `json:"by"`
	Ground      string `json:"ground"`
	RecordedAt  string `json:"recorded_at" format:"date-time"`
	Supersedes  string `json:"supersedes,omitempty"`
	ConfirmedBy string `json:"confirmed_by,omitempty"`
	ConfirmedAt string `json:"confirmed_at,omitempty" format:"date-time"`
}

// IncidentClock is one duty with its time.
type IncidentClock struct {
	Rule       string   `json:"rule"`
	Title      string   `json:"title"`
	Source     string   `json:"source"`
	Customer   string   `json:"customer,omitempty"`
	State      string   `json:"state" enum:"running,met,met_late,late,not_due,unknown"`
	Shadow     bool     `json:"shadow" doc:"From a suspicion: what would be due were it certain"`
	Before     bool     `json:"before_reopening" doc:"From before it was reopened on new facts, and not met then"`
	Undue      bool     `json:"without_undue_delay"`
	Contract   bool     `json:"contract" doc:"The number is the contract's"`
	Trigger    string   `json:"began_at,omitempty" format:"date-time"`
	Strict     string   `json:"strict,omitempty" format:"date-time" doc:"What alarms and lateness use"`
	Regulation string   `json:"regulation_1182_71,omitempty" format:"date-time"`
	MetAt      string   `json:"met_at,omitempty" format:"date-time"`
	Why        string   `json:"because,omitempty"`
	Steps      []string `json:"steps" nullable:"false"`
}

func viewClock(c incidents.Clock) IncidentClock {
	return IncidentClock{Rule: c.Rule, Title: c.Title, Source: c.Deadline.Rule.Source, Customer: c.Customer, State: string(c.State), Shadow: c.Shadow, Before: c.Before, Undue: c.Deadline.Rule.Undue, Contract: c.Contract,
		Trigger: controlplane.Instant(c.Trigger), Strict: controlplane.Instant(c.Strict), Regulation: controlplane.Instant(c.Regulation), MetAt: controlplane.Instant(c.MetAt), Why: c.Why, Steps: some(c.Steps)}
}

func viewAssertion(a law.Assertion) IncidentAssertion {
	return IncidentAssertion{a.ID, a.Customer, string(a.Certainty), controlplane.Instant(a.At), a.By, a.Ground, controlplane.Instant(a.RecordedAt), a.Supersedes, a.ConfirmedBy, controlplane.Instant(a.ConfirmedAt)}
}

func viewAffected(a incidents.Affected) IncidentAffected {
	v := IncidentAffected{Customer: a.Customer, Name: a.Name, State: string(a.State), Servers: some(a.Servers), Because: a.Because, SuspectedAt: controlplane.Instant(a.SuspectedAt),
		KnownAt: controlplane.Instant(a.KnownAt), ClearedWhy: a.ClearedWhy, ToldAt: controlplane.Instant(a.ToldAt), TheirDue: controlplane.Instant(a.TheirDue), Role: string(a.Role), Financial: a.Financial, TheySaid: each(a.TheySaid, viewTheirStep),
		TheyKnewAt: controlplane.Instant(a.TheyKnewAt), TheyKnewBy: a.TheyKnewBy}
	if a.Clock.Rule != "" {
		c := viewClock(a.Clock)
		v.Clock = &c
	}
	return v
}

// each views every item, and is never null.
func each[S, T any](items []S, view func(S) T) []T {
	out := make([]T, 0, len(items))
	for _, i := range items {
		out = append(out, view(i))
	}
	return out
}

func viewIncident(c incidents.Case) Incident {
	return Incident{ID: c.ID, Number: c.Number, Title: c.Title, Summary: c.Summary, Kinds: each(c.Kinds, func(k incidents.Kind) string { return string(k) }), State: string(c.State), Drill: c.Drill,
		OurData: string(c.OurData), Significant: string(c.Significant.Answer), SignificantIf: some(c.Significant.Why), Impact: viewImpact(c.Impact), PeopleIn: some(c.PeopleIn), ChannelUnsafe: c.ChannelUnsafe, Zone: c.Zone, DetectedAt: controlplane.Instant(c.DetectedAt),
		OccurredFrom: controlplane.Instant(c.OccurredFrom), ContainedAt: controlplane.Instant(c.ContainedAt), HandledAt: controlplane.Instant(c.HandledAt), OpenedAt: controlplane.Instant(c.OpenedAt),
		OpenedBy: c.OpenedBy, Lead: c.Lead, Source: c.Source, Servers: some(c.Servers), Affected: each(c.Affected, viewAffected), Awareness: each(c.Awareness, viewAssertion),
		AssessBy: controlplane.Instant(c.AssessBy), FrozenUntil: controlplane.Instant(c.FrozenUntil), FrozenGround: c.FrozenGround, MergedInto: c.MergedInto, ClosedAt: controlplane.Instant(c.ClosedAt),
		ClosedWhy: c.ClosedWhy, NextDue: controlplane.Instant(c.NextDue), ShadowDue: controlplane.Instant(c.ShadowDue), Asked: each(c.Asked, viewAsked), Late: c.Late, Tasks: each(c.Tasks, viewTask), Actions: each(c.Actions, viewAction), Decisions: each(c.Decisions, viewDecision),
		Facts: each(c.Facts, viewFact), Version: c.Version}
}

func oneIncident(c incidents.Case, err error) (*One[Incident], error) {
	return &One[Incident]{ETag: etag(c.Version), Body: viewIncident(c)}, err
}

// NewIncident opens a case: one sentence is enough.
type NewIncident struct {
	Title         string   `json:"title" doc:"One sentence: what you think happened"`
	Summary       string   `json:"summary,omitempty"`
	Kinds         []string `json:"kinds,omitempty"`
	Servers       []string `json:"servers,omitempty" doc:"Their customers are in it together until shown otherwise"`
	Customers     []string `json:"customers,omitempty"`
	Detected      string   `json:"detected_at,omitempty" doc:"RFC 3339, or a local time of the company; absent is now"`
	Certainty     string   `json:"certainty,omitempty" enum:"suspected,certain"`
	Aware         string   `json:"aware_at,omitempty"`
	Ground        string   `json:"ground,omitempty"`
	OurData       string   `json:"our_data,omitempty" enum:"yes,no,unknown" doc:"Absent: nobody has said"`
	ChannelUnsafe bool     `json:"channel_unsafe,omitempty"`
	Drill         bool     `json:"drill,omitempty"`
	Lead          string   `json:"lead,omitempty"`
	Source        string   `json:"source,omitempty" doc:"The report it came from"`
}

func (n NewIncident) open() (out incidents.NewCase, err error) {
	kinds, err := words[incidents.Kind]("/kinds", n.Kinds)
	return incidents.NewCase{Title: n.Title, Summary: n.Summary, Kinds: kinds, Servers: n.Servers, Customers: n.Customers, Detected: incidents.At(n.Detected), Certainty: law.Certainty(n.Certainty),
		Aware: incidents.At(n.Aware), Ground: n.Ground, OurData: law.Answer(n.OurData), ChannelUnsafe: n.ChannelUnsafe, Drill: n.Drill, Lead: n.Lead, Source: n.Source}, err
}

// IncidentChange changes a case; what is absent stays.
type IncidentChange struct {
	Title         *string            `json:"title,omitempty"`
	Summary       *string            `json:"summary,omitempty"`
	Kinds         *[]string          `json:"kinds,omitempty"`
	OurData       *string            `json:"our_data,omitempty" enum:"yes,no,unknown"`
	ChannelUnsafe *bool              `json:"channel_unsafe,omitempty"`
	OccurredFrom  *string            `json:"occurred_from,omitempty"`
	Lead          *string            `json:"lead,omitempty"`
	Impact        *IncidentImpact    `json:"impact,omitempty"`
	PeopleIn      *[]string          `json:"people_in,omitempty" doc:"Countries in which the people affected live, by their two letters"`
	Facts         []IncidentCaseFact `json:"facts,omitempty" doc:"Each replaces that of its key; one that says nothing takes it away"`
}

func (c IncidentChange) change() (out incidents.CaseChange, err error) {
	out = incidents.CaseChange{Title: c.Title, Summary: c.Summary, OurData: (*law.Answer)(c.OurData), ChannelUnsafe: c.ChannelUnsafe, Lead: c.Lead, OccurredFrom: (*incidents.At)(c.OccurredFrom), Facts: facts(c.Facts), PeopleIn: c.PeopleIn}
	if c.Kinds != nil {
		kinds, err := words[incidents.Kind]("/kinds", *c.Kinds)
		if err != nil {
			return out, err
		}
		out.Kinds = &kinds
	}
	if i := c.Impact; i != nil {
		impact := i.impact()
		out.Impact = &impact
	}
	return out, nil
}

type incidentsIn struct {
	PageIn
	State    string `query:"state" enum:"open,closed,false_alarm,merged"`
	Customer string `query:"customer"`
	Server   string `query:"server"`
	Drills   bool   `query:"drills" doc:"Exercises, too"`
}

type incidentIn struct {
	IDIn
	Known time.Time `query:"known_at" doc:"As it was known then: awareness only"`
}

type clocksIn struct {
	IDIn
	Known time.Time `query:"known_at" doc:"As they were known then"`
}

func (x *incidentsAPI) registerCases(a *API) {
	Register(a, Op{Method: http.MethodGet, Path: "/incidents", Name: "incident.list", Summary: "List incidents, the latest first", Audience: policy.Staff, Permission: policy.IncidentRead},
		func(ctx context.Context, scope policy.Scope, in *incidentsIn) (*ListOut[Incident], error) {
			server, customer, err := x.refs(ctx, scope, in.Server, in.Customer)
			if err != nil {
				return nil, err
			}
			items, next, err := x.List(ctx, scope, incidents.CaseFilter{State: incidents.State(in.State), Customer: customer, Server: server, Drills: in.Drills, Limit: in.PageSize, Token: in.PageToken})
			return listOf(items, next, viewIncident), err
		})
	Register(a, Op{Method: http.MethodPost, Path: "/incidents", Name: "incident.open", Summary: "Open an incident", Audience: policy.Staff, Permission: policy.IncidentWrite, Status: http.StatusCreated},
		func(ctx context.Context, scope policy.Scope, in *struct{ Body NewIncident }) (*One[Incident], error) {
			n, err := in.Body.open()
			if err != nil {
				return nil, err
			}
			return oneIncident(x.Open(ctx, scope, n))
		})
	Register(a, Op{Method: http.MethodGet, Path: "/incidents/{id}", Name: "incident.show", Summary: "Show an incident, by id or number", Audience: policy.Staff, Permission: policy.IncidentRead},
		func(ctx context.Context, scope policy.Scope, in *incidentIn) (*One[Incident], error) {
			if !in.Known.IsZero() {
				c, _, err := x.AsKnown(ctx, scope, in.ID, in.Known)
				return oneIncident(c, err)
			}
			return oneIncident(x.Get(ctx, scope, in.ID))
		})
	Register(a, Op{Method: http.MethodPatch, Path: "/incidents/{id}", Name: "incident.change", Summary: "Change what is known of an incident", Audience: policy.Staff, Permission: policy.IncidentWrite},
		func(ctx context.Context, scope policy.Scope, in *putIn[IncidentChange]) (*One[Incident], error) {
			version, err := ifMatch(in.IfMatch)
			if err != nil {
				return nil, err
			}
			change, err := in.Body.change()
			if err != nil {
				return nil, err
			}
			return oneIncident(x.Update(ctx, scope, in.ID, version, change))
		})
	Register(a, Op{Method: http.MethodGet, Path: "/incidents/{id}/clocks", Name: "incident.clocks", Summary: "Every duty of an incident, with its time", Audience: policy.Staff, Permission: policy.IncidentRead},
		func(ctx context.Context, scope policy.Scope, in *clocksIn) (*ListOut[IncidentClock], error) {
			if !in.Known.IsZero() {
				_, items, err := x.AsKnown(ctx, scope, in.ID, in.Known)
				return listOf(items, "", viewClock), err
			}
			items, err := x.Clocks(ctx, scope, in.ID)
			return listOf(items, "", viewClock), err
		})
}
