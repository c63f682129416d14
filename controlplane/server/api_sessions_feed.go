package server

import (
	"context"
	"net/http"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/policy"
	"ostler/controlplane/sessions"
)

// SessionFeed is how the reading of the cluster's audit log goes.
type SessionFeed struct {
	Configured  bool   `json:"configured"`
	Cluster     string `json:"cluster,omitempty"`
	ReadTo      string `json:"read_to,omitempty" format:"date-time" doc:"Everything until then was read"`
	ReadAt      string `json:"read_at,omitempty" format:"date-time"`
	Events      int64  `json:"events"`
	Quarantined int64  `json:"quarantined" doc:"Events that could not be taken in, and that nobody has looked at"`
	Trouble     string `json:"trouble,omitempty"`
	Since       string `json:"since,omitempty" format:"date-time"`
}

// QuarantinedEvent is an event that could not be taken in.
type QuarantinedEvent struct {
	ID       string `json:"id"`
	Event    string `json:"event,omitempty" doc:"The cluster's own id"`
	Type     string `json:"type,omitempty"`
	At       string `json:"at,omitempty" format:"date-time"`
	SeenAt   string `json:"seen_at" format:"date-time"`
	Reason   string `json:"reason"`
	Bytes    int64  `json:"bytes"`
	Resolved string `json:"resolved_at,omitempty" format:"date-time"`
	By       string `json:"resolved_by,omitempty" doc:"Who looked at it; absent where it was taken in later"`
	Why      string `json:"why,omitempty" doc:"What they found"`
}

// SessionWhy is a reason that a person gives.
type SessionWhy struct {
	Why string `json:"why"`
}

// SessionJob is the job that does what was asked.
type SessionJob struct {
	Job string `json:"job"`
}

func jobOut(job string, err error) (*One[SessionJob], error) {
	return &One[SessionJob]{Location: jobLocation(job), Body: SessionJob{job}}, err
}

func (x *sessionsAPI) registerFeed(a *API) {
	Register(a, Op{Method: http.MethodGet, Path: "/sessions/feed", Name: "session.feed", Summary: "Until when the cluster's audit log was read", Audience: policy.Staff, Permission: policy.SessionRead},
		func(ctx context.Context, scope policy.Scope, _ *struct{}) (*One[SessionFeed], error) {
			f, err := x.Feed(ctx, scope)
			return &One[SessionFeed]{Body: SessionFeed{f.Configured, f.Cluster, controlplane.Instant(f.ReadTo), controlplane.Instant(f.ReadAt), f.Events, f.Quarantined, f.Trouble, controlplane.Instant(f.Since)}}, err
		})
	Register(a, Op{Method: http.MethodPost, Path: "/sessions/feed/read", Name: "session.read", Summary: "Read the cluster's audit log now, with a day's overlap", Audience: policy.Staff, Permission: policy.SessionAdmin, Status: http.StatusAccepted},
		func(ctx context.Context, scope policy.Scope, _ *struct{}) (*One[SessionJob], error) {
			return jobOut(x.ReadNow(ctx, scope))
		})
	Register(a, Op{Method: http.MethodGet, Path: "/sessions/quarantine", Name: "quarantine.list", Summary: "Events that could not be taken in", Audience: policy.Staff, Permission: policy.SessionRead},
		func(ctx context.Context, scope policy.Scope, in *PageIn) (*ListOut[QuarantinedEvent], error) {
			items, next, err := x.Quarantine(ctx, scope, in.PageSize, in.PageToken)
			return listOf(items, next, func(q sessions.Quarantined) QuarantinedEvent {
				return QuarantinedEvent{q.ID, q.Event, q.Type, controlplane.Instant(q.At), controlplane.Instant(q.SeenAt), q.Reason, q.Bytes, controlplane.Instant(q.Resolved), q.By, q.Why}
			}), err
		})
	Register(a, Op{Method: http.MethodPost, Path: "/sessions/quarantine/{id}/dismiss", Name: "quarantine.dismiss", Summary: "Say that a person has looked at it", Audience: policy.Staff, Permission: policy.SessionAdmin, Status: http.StatusNoContent},
		func(ctx context.Context, scope policy.Scope, in *withBody[SessionWhy]) (*Empty, error) {
			return &Empty{}, x.Dismiss(ctx, scope, in.ID, in.Body.Why)
		})
}

// HostLogin is one login that a host's own records tell of.
type HostLogin struct {
	ID      string `json:"id"`
	Server  string `json:"server"`
	Name    string `json:"server_name,omitempty"`
	Kind    string `json:"kind" enum:"ssh,console,sudo"`
	Account string `json:"account"`
	Target  string `json:"target,omitempty" doc:"sudo: who they became"`
	From    string `json:"from,omitempty"`
	Key     string `json:"key,omitempty"`
	At      string `json:"at" format:"date-time"`
	State   string `json:"state" enum:"matched,awaited,outside,customers_own,explained"`
	Session string `json:"session,omitempty"`
	Why     string `json:"why,omitempty"`
	By      string `json:"by,omitempty"`
	Weak    bool   `json:"weak,omitempty" doc:"Only a file of the host tells of it that any account there can write lines into"`
}

func viewHostLogin(l sessions.Login) HostLogin {
	return HostLogin{l.ID, l.Server, l.ServerName, string(l.Kind), l.Account, l.Target, l.From, l.Key, controlplane.Instant(l.At), string(l.State), l.Session, l.Why, l.By, l.Weak}
}

// SessionCoverage is how much of what was seen on a customer's servers is recorded.
type SessionCoverage struct {
	Customer     string   `json:"customer"`
	From         string   `json:"from" format:"date-time"`
	To           string   `json:"to" format:"date-time"`
	Sessions     int      `json:"sessions"`
	Recorded     int      `json:"recorded"`
	Running      int      `json:"running" doc:"Without a recording yet"`
	Logins       int      `json:"logins" doc:"Seen by hosts, the customer's own apart"`
	Outside      int      `json:"outside" doc:"Of these, without a session"`
	CustomersOwn int      `json:"customers_own"`
	Weak         int      `json:"weak" doc:"Of the logins, those of which only a file tells that any account of the host can write lines into"`
	Silent       []string `json:"silent" nullable:"false" doc:"Servers that did not tell for a part of the time"`
	Share        *float64 `json:"share,omitempty" doc:"Recorded of all; absent is unknown"`
}

type loginsIn struct {
	PageIn
	Customer string    `query:"customer"`
	Server   string    `query:"server"`
	State    []string  `query:"state"`
	From     time.Time `query:"from"`
	To       time.Time `query:"to"`
}

type coverageIn struct {
	IDIn
	From time.Time `query:"from"`
	To   time.Time `query:"to"`
}

func (x *sessionsAPI) registerLogins(a *API) {
	Register(a, Op{Method: http.MethodGet, Path: "/logins", Name: "login.list", Summary: "Logins that hosts saw, the latest first", Audience: policy.SignedIn, Permission: policy.SessionRead},
		func(ctx context.Context, scope policy.Scope, in *loginsIn) (*ListOut[HostLogin], error) {
			states, err := words[sessions.LoginState]("/state", in.State)
			if err != nil {
				return nil, err
			}
			server, customer, err := x.refs(ctx, scope, in.Server, in.Customer)
			if err != nil {
				return nil, err
			}
			items, next, err := x.Logins(ctx, scope, sessions.LoginFilter{Customer: customer, Server: server, States: states, From: in.From, To: in.To, Limit: in.PageSize, PageToken: in.PageToken})
			return listOf(items, next, viewHostLogin), err
		})
	Register(a, Op{Method: http.MethodPost, Path: "/logins/{id}/explain", Name: "login.explain", Summary: "Say why a login outside Teleport was right", Audience: policy.Staff, Permission: policy.SessionReview},
		func(ctx context.Context, scope policy.Scope, in *withBody[SessionWhy]) (*One[HostLogin], error) {
			l, err := x.Explain(ctx, scope, in.ID, in.Body.Why)
			return &One[HostLogin]{Body: viewHostLogin(l)}, err
		})
	Register(a, Op{Method: http.MethodGet, Path: "/customers/{id}/sessions/coverage", Name: "session.coverage", Summary: "How much of what was seen on a customer's servers is recorded", Audience: policy.SignedIn, Permission: policy.SessionRead},
		func(ctx context.Context, scope policy.Scope, in *coverageIn) (*One[SessionCoverage], error) {
			_, customer, err := x.refs(ctx, scope, "", in.ID)
			if err != nil {
				return nil, err
			}
			c, err := x.CoverageOf(ctx, scope, customer, in.From, in.To)
			v := SessionCoverage{c.Customer, controlplane.Instant(c.From), controlplane.Instant(c.To), c.Sessions, c.Recorded, c.Running, c.Logins, c.Outside, c.CustomersOwn, c.Weak, some(c.Silent), nil}
			if share, known := c.Share(); known {
				v.Share = &share
			}
			return &One[SessionCoverage]{Body: v}, err
		})
}
