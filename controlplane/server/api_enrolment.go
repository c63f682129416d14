package server

import (
	"context"
	"net"
	"net/http"
	"net/netip"

	"ostler/agents"
	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/policy"
)

type tokenIn struct {
	IDIn
	Body *struct {
		From string `json:"from,omitempty" doc:"Addresses that may use it, in CIDR form: 192.0.2.0/24"`
	}
}

type enrolTokenView struct {
	Token     string `json:"token" doc:"Shown once"`
	Plane     string `json:"plane" doc:"What the agent dials to enrol: ostler-agent enrol --plane"`
	ExpiresAt string `json:"expires_at" format:"date-time"`
}

type stepView struct {
	Step  string `json:"step" enum:"token,contacted,connected,inventory,ready"`
	State string `json:"state" enum:"done,now,later,failed"`
	At    string `json:"at,omitempty" format:"date-time"`
	Until string `json:"until,omitempty" format:"date-time" doc:"When an unused token ends"`
}

func viewStep(s agents.Step) stepView {
	return stepView{Step: s.Key, State: string(s.State), At: controlplane.Instant(s.At), Until: controlplane.Instant(s.Until)}
}

type inventoryView struct {
	CollectedAt string         `json:"collected_at" format:"date-time"`
	Inventory   wire.Inventory `json:"inventory"`
}

type agentView struct {
	State       string   `json:"state" enum:"not_enrolled,never_connected,connected,disconnected,silent,frozen"`
	ID          string   `json:"id,omitempty"`
	Hostname    string   `json:"hostname,omitempty"`
	Version     string   `json:"version,omitempty"`
	EnrolledAt  string   `json:"enrolled_at,omitempty" format:"date-time"`
	CertExpires string   `json:"certificate_expires_at,omitempty" format:"date-time"`
	ConnectedAt string   `json:"connected_at,omitempty" format:"date-time"`
	HeardAt     string   `json:"heard_at,omitempty" format:"date-time"`
	SilentSince string   `json:"silent_since,omitempty" format:"date-time"`
	SkewMillis  int64    `json:"skew_millis"`
	DiskFree    int64    `json:"disk_free_bytes"`
	DiskSize    int64    `json:"disk_size_bytes"`
	Actions     []string `json:"actions" nullable:"false"`
}

func viewAgent(a agents.Status) agentView {
	v := agentView{State: string(a.State), ID: a.Agent, Hostname: a.Hostname, Version: a.Version, EnrolledAt: controlplane.Instant(a.EnrolledAt),
		CertExpires: controlplane.Instant(a.CertExpires), ConnectedAt: controlplane.Instant(a.ConnectedAt), HeardAt: controlplane.Instant(a.HeardAt),
		SilentSince: controlplane.Instant(a.SilentSince), SkewMillis: a.Skew.Milliseconds(), DiskFree: a.DiskFree, DiskSize: a.DiskSize, Actions: []string{}}
	for _, x := range a.Actions {
		v.Actions = append(v.Actions, string(x))
	}
	return v
}

func (s *Server) registerEnrolment() {
	Register(s.api, Op{Method: "POST", Path: "/servers/{id}/enrolment-tokens", Name: "server.enrol", Summary: "Make an enrolment token, good once and for an hour", Audience: policy.Staff, Permission: policy.ServerEnrol, Status: http.StatusCreated, Once: true}, s.makeEnrolToken)
	Register(s.api, Op{Method: "GET", Path: "/servers/{id}/checklist", Name: "server.checklist", Summary: "How far the enrolment is", Audience: policy.Staff, Permission: policy.ServerRead},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*ListOut[stepView], error) {
			steps, err := s.Deps.Agents.Checklist(ctx, scope, in.ID)
			return listOf(steps, "", viewStep), err
		})
	Register(s.api, Op{Method: "GET", Path: "/servers/{id}/agent", Name: "server.agent", Summary: "Show a server's agent", Audience: policy.SignedIn, Permission: policy.ServerRead},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*One[agentView], error) {
			a, err := s.Deps.Agents.Status(ctx, scope, in.ID)
			return &One[agentView]{Body: viewAgent(a)}, err
		})
	Register(s.api, Op{Method: "POST", Path: "/servers/{id}/agent/unfreeze", Name: "server.unfreeze", Summary: "Let a frozen agent work again, once the copy is gone", Audience: policy.Staff, Permission: policy.ServerEnrol, Status: http.StatusNoContent},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*Empty, error) {
			return &Empty{}, s.Deps.Agents.Unfreeze(ctx, scope, in.ID)
		})
	Register(s.api, Op{Method: "GET", Path: "/servers/{id}/inventory", Name: "server.inventory", Summary: "What a server says of itself", Audience: policy.SignedIn, Permission: policy.ServerRead},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*One[inventoryView], error) {
			a, err := s.Deps.Agents.Status(ctx, scope, in.ID)
			if err == nil && a.Inventory == nil {
				err = controlplane.NotFound("inventory of this server yet")
			}
			if err != nil {
				return nil, err
			}
			return &One[inventoryView]{Body: inventoryView{CollectedAt: controlplane.Instant(a.InventoryAt), Inventory: *a.Inventory}}, nil
		})
}

func (s *Server) makeEnrolToken(ctx context.Context, scope policy.Scope, in *tokenIn) (*One[enrolTokenView], error) {
	var from netip.Prefix
	if in.Body != nil && in.Body.From != "" {
		p, err := netip.ParsePrefix(in.Body.From)
		if err != nil {
			return nil, controlplane.Invalid(controlplane.Field{Pointer: "/from", Message: "Send addresses in CIDR form, like 192.0.2.0/24."})
		}
		from = p
	}
	token, expires, err := s.Deps.Agents.NewTokenFrom(ctx, scope, in.ID, from)
	return &One[enrolTokenView]{Body: enrolTokenView{Token: token, Plane: s.enrolURL(), ExpiresAt: controlplane.Instant(expires)}}, err
}

// enrolURL is the address of the enrolment listener, as agents reach it.
func (s *Server) enrolURL() string {
	addr := s.o.EnrolAddr
	if a := s.Addr(Enrol); a != nil { // port 0 took another one
		addr = a.String()
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil { // the listener is off here
		port = "8445"
	}
	return "https://" + net.JoinHostPort(s.o.AgentNames[0], port)
}
