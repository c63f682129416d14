package server

import (
	"context"
	"net/http"

	"ostler/backups"
	"ostler/controlplane"
	"ostler/controlplane/policy"
)

// Assist lets one of us see one customer's files and restore them for a while,
// for a reason and a ticket that the customer sees.
type Assist struct {
	ID        string `json:"id"`
	Customer  string `json:"customer"`
	Staff     string `json:"staff"`
	Reason    string `json:"reason"`
	Ticket    string `json:"ticket"`
	StartedAt string `json:"started_at" format:"date-time"`
	EndsAt    string `json:"ends_at" format:"date-time"`
	EndedAt   string `json:"ended_at,omitempty" format:"date-time" doc:"Where it was ended before"`
}

func viewAssist(a backups.Assist) Assist {
	return Assist{ID: a.ID, Customer: a.Customer, Staff: a.Staff, Reason: a.Reason, Ticket: a.Ticket, StartedAt: controlplane.Instant(a.StartedAt),
		EndsAt: controlplane.Instant(a.EndsAt), EndedAt: controlplane.Instant(a.EndedAt)}
}

// NewAssist says whom we help, and why.
type NewAssist struct {
	Customer string `json:"customer" doc:"Slug or id"`
	Reason   string `json:"reason" maxLength:"4000"`
	Ticket   string `json:"ticket" maxLength:"400"`
}

func (b *backupAPI) registerAssists(a *API) {
	type startIn struct{ Body NewAssist }
	Register(a, Op{Method: http.MethodPost, Path: "/assists", Name: "assist.start", Summary: "Begin to help a customer restore, for four hours; one that is open ends",
		Audience: policy.Staff, Permission: policy.RestoreAssist, Status: http.StatusCreated},
		func(ctx context.Context, _ policy.Scope, in *startIn) (*One[Assist], error) {
			v, err := b.Backups.StartAssist(ctx, in.Body.Customer, in.Body.Reason, in.Body.Ticket)
			return &One[Assist]{Body: viewAssist(v)}, err
		})
	type listIn struct {
		Customer string `query:"customer" doc:"Slug or id"`
		Open     bool   `query:"open" doc:"Only those that last"`
		PageSize int    `query:"page_size" minimum:"1" maximum:"200" default:"50"`
	}
	Register(a, Op{Method: http.MethodGet, Path: "/assists", Name: "assist.list", Summary: "List the newest assists; there are no further pages",
		Audience: policy.SignedIn, Permission: policy.LedgerRead},
		func(ctx context.Context, scope policy.Scope, in *listIn) (*ListOut[Assist], error) {
			_, customer, err := b.refs(ctx, scope, "", in.Customer)
			if err != nil {
				return nil, err
			}
			if a, _ := controlplane.ActorFrom(ctx); a.Kind == controlplane.ActorAuditor { // they are let in to sessions
				return listOf(nil, "", viewAssist), nil
			}
			items, err := b.Backups.Assists(ctx, scope, backups.AssistFilter{Customer: customer, Open: in.Open, Limit: in.PageSize})
			return listOf(items, "", viewAssist), err
		})
	Register(a, Op{Method: http.MethodGet, Path: "/assists/current", Name: "assist.current", Summary: "Show one's own open assist",
		Audience: policy.Staff, Permission: policy.RestoreAssist},
		func(ctx context.Context, _ policy.Scope, _ *struct{}) (*One[Assist], error) {
			v, err := b.Backups.CurrentAssist(ctx)
			if err == nil && v.ID == "" {
				err = controlplane.NotFound("open assist")
			}
			return &One[Assist]{Body: viewAssist(v)}, err
		})
	Register(a, Op{Method: http.MethodPost, Path: "/assists/{id}/end", Name: "assist.end", Summary: "End one's own assist", Audience: policy.Staff,
		Permission: policy.RestoreAssist, Status: http.StatusNoContent},
		func(ctx context.Context, _ policy.Scope, in *IDIn) (*Empty, error) {
			return &Empty{}, b.Backups.EndAssist(ctx, in.ID)
		})
}
