package server

import (
	"context"
	"net/http"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/access"
	"ostler/controlplane/policy"
)

// AccessGrant lets a person or a team reach one customer's servers in a role.
type AccessGrant struct {
	ID         string           `json:"id"`
	Customer   string           `json:"customer"`
	Person     string           `json:"person,omitempty"`
	Team       string           `json:"team,omitempty"`
	Who        string           `json:"who" doc:"The person's or the team's name"`
	Role       string           `json:"role"`
	Kind       string           `json:"kind" enum:"normal,break_glass,baseline"`
	State      string           `json:"state" enum:"proposed,active,refused,revoked,expired"`
	Reason     string           `json:"reason"`
	Ticket     string           `json:"ticket,omitempty"`
	TicketBy   string           `json:"ticket_by,omitempty" format:"date-time" doc:"By then a ticket is filled in, or the grant ends"`
	From       string           `json:"from" format:"date-time"`
	Until      string           `json:"until" format:"date-time"`
	GrantedBy  string           `json:"granted_by"`
	GrantedAt  string           `json:"granted_at" format:"date-time"`
	Needs      []string         `json:"needs" nullable:"false" doc:"Answers still missing: second, customer"`
	AnswerBy   string           `json:"answer_by,omitempty" format:"date-time" doc:"When silence becomes refusal"`
	Approvals  []AccessApproval `json:"approvals" nullable:"false"`
	EndedAt    string           `json:"ended_at,omitempty" format:"date-time"`
	EndedBy    string           `json:"ended_by,omitempty"`
	EndedWhy   string           `json:"ended_why,omitempty"`
	ReviewBy   string           `json:"review_by,omitempty" format:"date-time"`
	ReviewedBy string           `json:"reviewed_by,omitempty"`
	ReviewedAt string           `json:"reviewed_at,omitempty" format:"date-time"`
	Alone      bool             `json:"alone" doc:"Break-glass taken by one person, with nobody else awake"`
	Owner      string           `json:"owner,omitempty" doc:"Of a baseline: who answers for it"`
}

// AccessApproval is one answer to a proposed grant.
type AccessApproval struct {
	As   string `json:"as" enum:"second,customer"`
	By   string `json:"by"`
	Name string `json:"name"`
	Yes  bool   `json:"yes"`
	Note string `json:"note,omitempty"`
	At   string `json:"at" format:"date-time"`
}

func viewGrant(g access.Grant) AccessGrant {
	v := AccessGrant{ID: g.ID, Customer: g.Customer, Person: g.Person, Team: g.Team, Who: g.Who, Role: g.Role, Kind: string(g.Kind), State: string(g.State), Reason: g.Reason,
		Ticket: g.Ticket, TicketBy: controlplane.Instant(g.TicketBy), From: controlplane.Instant(g.From), Until: controlplane.Instant(g.Until), GrantedBy: g.GrantedBy,
		GrantedAt: controlplane.Instant(g.GrantedAt), Needs: some(g.Needs), AnswerBy: controlplane.Instant(g.AnswerBy), Approvals: []AccessApproval{},
		EndedAt: controlplane.Instant(g.EndedAt), EndedBy: g.EndedBy, EndedWhy: g.EndedWhy, ReviewBy: controlplane.Instant(g.ReviewBy), ReviewedBy: g.ReviewedBy,
		ReviewedAt: controlplane.Instant(g.ReviewedAt), Alone: g.Alone, Owner: g.Owner}
	for _, p := range g.Approvals {
		v.Approvals = append(v.Approvals, AccessApproval{p.As, p.By, p.Name, p.Yes, p.Note, controlplane.Instant(p.At)})
	}
	return v
}

func oneGrant(g access.Grant, err error) (*One[AccessGrant], error) {
	return &One[AccessGrant]{ETag: etag(g.Version), Body: viewGrant(g)}, err
}

// NewAccessGrant is what a grant is made of: a person or a team, not both.
type NewAccessGrant struct {
	Customer      string    `json:"customer" doc:"Slug or id"`
	Person        string    `json:"person,omitempty"`
	Team          string    `json:"team,omitempty"`
	Role          string    `json:"role" doc:"One that GET /access/roles lists"`
	Kind          string    `json:"kind,omitempty" enum:"normal,break_glass" doc:"Empty is normal; break_glass is in force at once, for four hours at most"`
	Reason        string    `json:"reason" doc:"The customer reads it"`
	Ticket        string    `json:"ticket,omitempty"`
	NoTicketUntil time.Time `json:"no_ticket_until,omitzero" doc:"While the ticket system is down: by then the ticket is filled in, 24 hours at most"`
	From          time.Time `json:"from,omitzero" doc:"Empty is now"`
	Until         time.Time `json:"until"`
	Alone         bool      `json:"alone,omitempty" doc:"Break-glass to oneself, with nobody else awake to grant it"`
}

func (n NewAccessGrant) input() access.NewGrant {
	return access.NewGrant{Customer: n.Customer, Person: n.Person, Team: n.Team, Role: n.Role, Kind: access.GrantKind(n.Kind), Reason: n.Reason, Ticket: n.Ticket,
		NoTicketUntil: n.NoTicketUntil, From: n.From, Until: n.Until, Alone: n.Alone}
}

// AccessRole is what a grant can give.
type AccessRole struct {
	Name   string   `json:"name"`
	Title  string   `json:"title"`
	Logins []string `json:"logins" nullable:"false" doc:"On the hosts"`
	MaxTTL int64    `json:"max_ttl_seconds" doc:"Of a certificate with it"`
}

func viewAccessRole(r access.Role) AccessRole {
	return AccessRole{r.Name, r.Title, some(r.Logins), int64(r.MaxTTL / time.Second)}
}

// GrantsIn narrows grants.
type GrantsIn struct {
	PageIn
	Person string   `query:"person"`
	Team   string   `query:"team"`
	State  []string `query:"state,explode" enum:"proposed,active,refused,revoked,expired" doc:"Again for more"`
}

func (in GrantsIn) filter(customer string) access.GrantFilter {
	f := access.GrantFilter{Customer: customer, Person: in.Person, Team: in.Team, Limit: in.PageSize, PageToken: in.PageToken}
	for _, s := range in.State {
		f.States = append(f.States, access.GrantState(s))
	}
	return f
}

func (x *accessAPI) registerGrants(a *API) {
	type ofCustomer struct {
		IDIn
		GrantsIn
	}
	Register(a, Op{Method: http.MethodGet, Path: "/customers/{id}/access/grants", Name: "access.grants", Summary: "List a customer's grants, newest first", Audience: policy.SignedIn, Permission: policy.AccessRead},
		func(ctx context.Context, scope policy.Scope, in *ofCustomer) (*ListOut[AccessGrant], error) {
			items, next, err := x.Grants(ctx, scope, in.filter(in.ID))
			return listOf(items, next, viewGrant), err
		})
	Register(a, Op{Method: http.MethodGet, Path: "/access/grants", Name: "grant.list", Summary: "List grants, newest first", Audience: policy.SignedIn, Permission: policy.AccessRead},
		func(ctx context.Context, scope policy.Scope, in *GrantsIn) (*ListOut[AccessGrant], error) {
			items, next, err := x.Grants(ctx, scope, in.filter(""))
			return listOf(items, next, viewGrant), err
		})
	Register(a, Op{Method: http.MethodGet, Path: "/access/grants/{id}", Name: "grant.show", Summary: "Show a grant", Audience: policy.SignedIn, Permission: policy.AccessRead},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*One[AccessGrant], error) {
			return oneGrant(x.GetGrant(ctx, scope, in.ID))
		})
	Register(a, Op{Method: http.MethodGet, Path: "/access/roles", Name: "grant.roles", Summary: "List what grants can give", Audience: policy.SignedIn, Permission: policy.AccessRead},
		func(context.Context, policy.Scope, *struct{}) (*ListOut[AccessRole], error) {
			return listOf(x.Roles(), "", viewAccessRole), nil
		})
	Register(a, Op{Method: http.MethodPost, Path: "/access/grants", Name: "grant.create", Summary: "Grant access, or propose it where somebody else has to agree", Audience: policy.Staff, Permission: policy.AccessWrite, Status: http.StatusCreated},
		func(ctx context.Context, scope policy.Scope, in *bodyIn[NewAccessGrant]) (*One[AccessGrant], error) {
			out, err := oneGrant(x.Grant(ctx, scope, in.Body.input()))
			if err == nil {
				out.Location = Base + "/access/grants/" + out.Body.ID
			}
			return out, err
		})
}

// AccessAnswer approves or refuses.
type AccessAnswer struct {
	Yes  bool   `json:"yes"`
	Note string `json:"note,omitempty"`
}

// AccessExtension moves a grant's end.
type AccessExtension struct {
	Until  time.Time `json:"until"`
	Reason string    `json:"reason"`
	Ticket string    `json:"ticket,omitempty"`
}

// AccessTicket is the ticket that a grant lacked.
type AccessTicket struct {
	Ticket string `json:"ticket"`
}

// AccessWhy says why something ends.
type AccessWhy struct {
	Why string `json:"why"`
}

// AccessNote is what somebody found at a review.
type AccessNote struct {
	Note string `json:"note"`
}

// onGrant adds an act on one grant.
func onGrant[B any](a *API, verb, summary string, who policy.Audience, perm policy.Permission, do func(ctx context.Context, scope policy.Scope, id string, b B) (access.Grant, error)) {
	Register(a, Op{Method: http.MethodPost, Path: "/access/grants/{id}/" + verb, Name: "grant." + verb, Summary: summary, Audience: who, Permission: perm},
		func(ctx context.Context, scope policy.Scope, in *withBody[B]) (*One[AccessGrant], error) {
			return oneGrant(do(ctx, scope, in.ID, in.Body))
		})
}

func (x *accessAPI) registerGrantActs(a *API) {
	onGrant(a, "answer", "Approve or refuse a proposed grant", policy.SignedIn, policy.AccessApprove,
		func(ctx context.Context, scope policy.Scope, id string, b AccessAnswer) (access.Grant, error) {
			return x.Answer(ctx, scope, id, b.Yes, b.Note)
		})
	onGrant(a, "extend", "Move a grant's end, with a reason of its own", policy.Staff, policy.AccessWrite,
		func(ctx context.Context, scope policy.Scope, id string, b AccessExtension) (access.Grant, error) {
			return x.Extend(ctx, scope, id, b.Until, b.Reason, b.Ticket)
		})
	onGrant(a, "ticket", "Fill in the ticket that a grant lacks", policy.Staff, policy.AccessWrite,
		func(ctx context.Context, scope policy.Scope, id string, b AccessTicket) (access.Grant, error) {
			return x.FillTicket(ctx, scope, id, b.Ticket)
		})
	onGrant(a, "revoke", "End a grant now", policy.Staff, policy.AccessWrite,
		func(ctx context.Context, scope policy.Scope, id string, b AccessWhy) (access.Grant, error) {
			return x.Revoke(ctx, scope, id, b.Why)
		})
	onGrant(a, "review", "Note that somebody else looked at a break-glass grant or a baseline", policy.Staff, policy.AccessApprove,
		func(ctx context.Context, scope policy.Scope, id string, b AccessNote) (access.Grant, error) {
			return x.Review(ctx, scope, id, b.Note)
		})
}
