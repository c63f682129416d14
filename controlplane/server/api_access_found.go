package server

import (
	"context"
	"net/http"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/access"
	"ostler/controlplane/policy"
)

// AccessFound is a way in that a scan found on a host.
type AccessFound struct {
	ID          string `json:"id"`
	Server      string `json:"server"`
	ServerName  string `json:"server_name"`
	Kind        string `json:"kind" enum:"key,sudo,account,ca,login"`
	Account     string `json:"account" doc:"Login on the host"`
	Fingerprint string `json:"fingerprint,omitempty"`
	Rights      string `json:"rights,omitempty"`
	Others      bool   `json:"others" doc:"Outside of your bounds on a shared server: rights is what you read of it"`
	Comment     string `json:"comment,omitempty" doc:"Of a key"`
	Person      string `json:"person,omitempty" doc:"Whose it is; empty where nobody is known"`
	PersonName  string `json:"person_name,omitempty"`
	Customer    string `json:"customer,omitempty" doc:"The customer who let them in"`
	Confirmed   string `json:"confirmed,omitempty" enum:"yes,no" doc:"What the customer said"`
	ConfirmedBy string `json:"confirmed_by,omitempty"`
	ConfirmedAt string `json:"confirmed_at,omitempty" format:"date-time"`
	Baseline    bool   `json:"baseline" doc:"It was there before us"`
	Owner       string `json:"owner,omitempty" doc:"Who answers for it"`
	ReviewBy    string `json:"review_by,omitempty" format:"date-time"`
	FirstAt     string `json:"first_at" format:"date-time"`
	SeenAt      string `json:"seen_at" format:"date-time"`
	GoneAt      string `json:"gone_at,omitempty" format:"date-time"`
	LastUsed    string `json:"last_used_at,omitempty" format:"date-time"`
}

func viewAccessFound(f access.Found) AccessFound {
	return AccessFound{ID: f.ID, Server: f.Server, ServerName: f.ServerName, Kind: string(f.Kind), Account: f.Account, Fingerprint: f.Fingerprint, Rights: f.Rights, Others: f.Others, Comment: f.Comment,
		Person: f.Person, PersonName: f.PersonName, Customer: f.Customer, Confirmed: f.Confirmed, ConfirmedBy: f.ConfirmedBy, ConfirmedAt: controlplane.Instant(f.ConfirmedAt),
		Baseline: f.Baseline, Owner: f.Owner, ReviewBy: controlplane.Instant(f.ReviewBy), FirstAt: controlplane.Instant(f.FirstAt), SeenAt: controlplane.Instant(f.SeenAt),
		GoneAt: controlplane.Instant(f.GoneAt), LastUsed: controlplane.Instant(f.LastUsed)}
}

func oneFound(f access.Found, err error) (*One[AccessFound], error) {
	return &One[AccessFound]{Body: viewAccessFound(f)}, err
}

// FoundIn narrows what scans found.
type FoundIn struct {
	PageIn
	Server      string `query:"server" doc:"Name or id"`
	Person      string `query:"person"`
	Unexplained bool   `query:"unexplained" doc:"Neither a person's, nor the customer's, nor accepted"`
	Gone        bool   `query:"gone" doc:"Those too that are there no more"`
}

// listFound lists what scans found, of one customer or of the whole scope.
func (x *accessAPI) listFound(ctx context.Context, scope policy.Scope, customer string, in FoundIn) (*ListOut[AccessFound], error) {
	server, customer, err := x.refs(ctx, scope, in.Server, customer)
	if err != nil {
		return nil, err
	}
	items, next, err := x.ListFound(ctx, scope, access.FoundFilter{Customer: customer, Server: server, Person: in.Person, Unexplained: in.Unexplained, Gone: in.Gone, Limit: in.PageSize, PageToken: in.PageToken})
	return listOf(items, next, viewAccessFound), err
}

// AccessExplanation says whose a way in is; with neither it is unexplained.
type AccessExplanation struct {
	Person   string `json:"person,omitempty"`
	Customer string `json:"customer,omitempty" doc:"Slug or id: the customer let them in"`
}

// AccessConfirmation is the customer's word.
type AccessConfirmation struct {
	Yes  bool   `json:"yes"`
	Name string `json:"name,omitempty" doc:"Whom they let in"`
}

// NewAccessBaseline accepts what was found as it was found.
type NewAccessBaseline struct {
	Server string    `json:"server,omitempty" doc:"Name or id; empty is what roles of others enforce in the cluster"`
	Owner  string    `json:"owner" doc:"Who answers for it"`
	Review time.Time `json:"review"`
	Reason string    `json:"reason"`
}

// AccessAccepted is how many were accepted.
type AccessAccepted struct {
	Accepted int `json:"accepted"`
}

func (x *accessAPI) registerFoundAccess(a *API) {
	type ofCustomer struct {
		IDIn
		FoundIn
	}
	Register(a, Op{Method: http.MethodGet, Path: "/customers/{id}/access/found", Name: "access.found", Summary: "List the ways in that scans found on a customer's servers", Audience: policy.SignedIn, Permission: policy.AccessRead},
		func(ctx context.Context, scope policy.Scope, in *ofCustomer) (*ListOut[AccessFound], error) {
			return x.listFound(ctx, scope, in.ID, in.FoundIn)
		})
	Register(a, Op{Method: http.MethodGet, Path: "/access/found", Name: "found.list", Summary: "List the ways in that scans found, newest first", Audience: policy.SignedIn, Permission: policy.AccessRead},
		func(ctx context.Context, scope policy.Scope, in *FoundIn) (*ListOut[AccessFound], error) {
			return x.listFound(ctx, scope, "", *in)
		})
	Register(a, Op{Method: http.MethodGet, Path: "/access/found/{id}", Name: "found.show", Summary: "Show a way in", Audience: policy.Staff, Permission: policy.AccessRead},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*One[AccessFound], error) {
			return oneFound(x.GetFound(ctx, scope, in.ID))
		})
	Register(a, Op{Method: http.MethodPost, Path: "/access/found/{id}/explain", Name: "found.explain", Summary: "Say whose a way in is", Audience: policy.Staff, Permission: policy.AccessWrite},
		func(ctx context.Context, scope policy.Scope, in *withBody[AccessExplanation]) (*One[AccessFound], error) {
			_, customer, err := x.refs(ctx, scope, "", in.Body.Customer)
			if err != nil {
				return nil, err
			}
			return oneFound(x.Explain(ctx, scope, in.ID, in.Body.Person, customer))
		})
	Register(a, Op{Method: http.MethodPost, Path: "/access/found/{id}/confirm", Name: "found.confirm", Summary: "Say that we let somebody in, or that we did not", Audience: policy.Customers, Permission: policy.AccessConfirm},
		func(ctx context.Context, scope policy.Scope, in *withBody[AccessConfirmation]) (*One[AccessFound], error) {
			return oneFound(x.ConfirmFound(ctx, scope, in.ID, in.Body.Yes, in.Body.Name))
		})
	Register(a, Op{Method: http.MethodPost, Path: "/access/baselines", Name: "found.baseline", Summary: "Accept what no list explains as it was found, with an owner and a review date", Audience: policy.Staff, Permission: policy.AccessAdmin},
		func(ctx context.Context, scope policy.Scope, in *bodyIn[NewAccessBaseline]) (*One[AccessAccepted], error) {
			server, _, err := x.refs(ctx, scope, in.Body.Server, "")
			if err != nil {
				return nil, err
			}
			n, err := x.AcceptBaseline(ctx, scope, server, in.Body.Owner, in.Body.Review, in.Body.Reason)
			return &One[AccessAccepted]{Body: AccessAccepted{n}}, err
		})
}

// AccessEnforcement is how the cluster stands.
type AccessEnforcement struct {
	Configured       bool                  `json:"configured"`
	Fake             bool                  `json:"fake" doc:"The cluster says itself that it is none"`
	Mode             string                `json:"mode" enum:"observe,shadow,enforce"`
	ModeSince        string                `json:"mode_since,omitempty" format:"date-time"`
	ModeBy           string                `json:"mode_by,omitempty"`
	Cluster          string                `json:"cluster,omitempty"`
	Version          string                `json:"version,omitempty"`
	LookedAt         string                `json:"looked_at,omitempty" format:"date-time" doc:"The latest look without trouble"`
	Trouble          string                `json:"trouble,omitempty" doc:"Why it is not looked at now"`
	TroubleNext      string                `json:"trouble_next,omitempty"`
	TroubleSince     string                `json:"trouble_since,omitempty" format:"date-time" doc:"Since when enforcement is unconfirmed"`
	IdentityExpires  string                `json:"identity_expires,omitempty" format:"date-time"`
	LocksRefused     bool                  `json:"locks_refused"`
	Planned          []AccessPlannedChange `json:"planned" nullable:"false" doc:"What enforce would change, or what is not carried out yet"`
	Foreign          []AccessForeignRole   `json:"foreign" nullable:"false" doc:"Roles that are not ours and reach customers' servers"`
	Connector        string                `json:"connector,omitempty" doc:"The mapping that single sign-on users need"`
	ConnectorMissing []string              `json:"connector_missing" nullable:"false"`
}

// AccessPlannedChange is one difference between lists and cluster.
type AccessPlannedChange struct {
	What   string   `json:"what"`
	Role   string   `json:"role,omitempty"`
	User   string   `json:"user,omitempty"`
	Person string   `json:"person,omitempty"`
	Add    []string `json:"add" nullable:"false" doc:"Customers' slugs"`
	Remove []string `json:"remove" nullable:"false" doc:"Customers' slugs"`
	Why    string   `json:"why,omitempty"`
}

// AccessForeignRole is a role of the cluster that we did not make.
type AccessForeignRole struct {
	Role       string   `json:"role"`
	Users      []string `json:"users" nullable:"false"`
	Reaches    []string `json:"reaches" nullable:"false" doc:"Customers' slugs; * is all"`
	Why        string   `json:"why"`
	AcceptedBy string   `json:"accepted_by,omitempty"`
	Until      string   `json:"until,omitempty" format:"date-time"`
}

func viewEnforcement(e access.Enforcement) AccessEnforcement {
	v := AccessEnforcement{Configured: e.Configured, Fake: e.Fake, Mode: string(e.Mode), ModeSince: controlplane.Instant(e.ModeSince), ModeBy: e.ModeBy, Cluster: e.Cluster, Version: e.Version,
		LookedAt: controlplane.Instant(e.LookedAt), Trouble: e.Trouble, TroubleNext: e.TroubleNext, TroubleSince: controlplane.Instant(e.TroubleSince),
		IdentityExpires: controlplane.Instant(e.IdentityExpires), LocksRefused: e.LocksRefused, Planned: []AccessPlannedChange{}, Foreign: []AccessForeignRole{},
		Connector: e.Connector, ConnectorMissing: some(e.ConnectorMissing)}
	for _, p := range e.Planned {
		v.Planned = append(v.Planned, AccessPlannedChange{p.What, p.Role, p.User, p.Person, some(p.Add), some(p.Remove), p.Why})
	}
	for _, f := range e.Foreign {
		v.Foreign = append(v.Foreign, AccessForeignRole{f.Role, some(f.Users), some(f.Reaches), f.Why, f.AcceptedBy, controlplane.Instant(f.Until)})
	}
	return v
}

// AccessMode changes how the cluster is dealt with.
type AccessMode struct {
	Mode string `json:"mode" enum:"observe,shadow,enforce"`
	Why  string `json:"why"`
}

// AccessLook says what is looked at beside the cluster.
type AccessLook struct {
	Server string `json:"server,omitempty" doc:"Name or id"`
}

// AccessLooking is the job of a look.
type AccessLooking struct {
	Job string `json:"job"`
}

// AccessRoleAnswer is who answers for a role that is not ours.
type AccessRoleAnswer struct {
	Role   string    `json:"role"`
	Owner  string    `json:"owner"`
	Until  time.Time `json:"until"`
	Reason string    `json:"reason"`
}

func (x *accessAPI) registerEnforcement(a *API) {
	Register(a, Op{Method: http.MethodGet, Path: "/access/enforcement", Name: "enforcement.show", Summary: "Show how the cluster stands", Audience: policy.Staff, Permission: policy.AccessRead},
		func(ctx context.Context, scope policy.Scope, _ *struct{}) (*One[AccessEnforcement], error) {
			e, err := x.Enforcement(ctx, scope)
			return &One[AccessEnforcement]{Body: viewEnforcement(e)}, err
		})
	Register(a, Op{Method: http.MethodPost, Path: "/access/enforcement/mode", Name: "enforcement.mode", Summary: "Change how the cluster is dealt with", Audience: policy.Staff, Permission: policy.AccessAdmin},
		func(ctx context.Context, scope policy.Scope, in *bodyIn[AccessMode]) (*One[AccessEnforcement], error) {
			e, err := x.SetMode(ctx, scope, access.Mode(in.Body.Mode), in.Body.Why)
			return &One[AccessEnforcement]{Body: viewEnforcement(e)}, err
		})
	Register(a, Op{Method: http.MethodPost, Path: "/access/enforcement/look", Name: "enforcement.look", Summary: "Look at the cluster now, and at a host", Audience: policy.Staff, Permission: policy.AccessWrite, Status: http.StatusAccepted},
		func(ctx context.Context, scope policy.Scope, in *bodyIn[AccessLook]) (*One[AccessLooking], error) {
			server, _, err := x.refs(ctx, scope, in.Body.Server, "")
			if err != nil {
				return nil, err
			}
			job, err := x.Look(ctx, scope, server)
			return &One[AccessLooking]{Location: jobLocation(job), Body: AccessLooking{job}}, err
		})
	Register(a, Op{Method: http.MethodPost, Path: "/access/enforcement/roles", Name: "enforcement.accept-role", Summary: "Answer for a role of the cluster that is not ours, until a date", Audience: policy.Staff,
		Permission: policy.AccessAdmin, Status: http.StatusNoContent},
		func(ctx context.Context, scope policy.Scope, in *bodyIn[AccessRoleAnswer]) (*Empty, error) {
			return &Empty{}, x.AcceptRole(ctx, scope, in.Body.Role, in.Body.Owner, in.Body.Until, in.Body.Reason)
		})
}
