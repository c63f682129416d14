package server

import (
	"context"
	"net/http"

	"ostler/backups"
	"ostler/controlplane"
	"ostler/controlplane/policy"
)

// Ask is a customer's wish that we restore something for them.
type Ask struct {
	ID        string `json:"id"`
	Customer  string `json:"customer"`
	By        string `json:"by" doc:"The contact who asks"`
	State     string `json:"state" enum:"open,taken,done"`
	What      string `json:"what"`
	Answer    string `json:"answer,omitempty"`
	MailMe    bool   `json:"mail_me"`
	TakenBy   string `json:"taken_by,omitempty"`
	DoneBy    string `json:"done_by,omitempty"`
	CreatedAt string `json:"created_at" format:"date-time"`
	TakenAt   string `json:"taken_at,omitempty" format:"date-time"`
	DoneAt    string `json:"done_at,omitempty" format:"date-time"`
}

func viewAsk(a backups.Ask) Ask {
	return Ask{ID: a.ID, Customer: a.Customer, By: a.By, State: string(a.State), What: a.What, Answer: a.Answer, MailMe: a.MailMe, TakenBy: a.TakenBy, DoneBy: a.DoneBy,
		CreatedAt: controlplane.Instant(a.CreatedAt), TakenAt: controlplane.Instant(a.TakenAt), DoneAt: controlplane.Instant(a.DoneAt)}
}

// NewAsk says what we are to restore.
type NewAsk struct {
	Customer string `json:"customer,omitempty" doc:"Slug or id; empty is one's own"`
	What     string `json:"what" maxLength:"16000" doc:"What, from when, on which server; at most 4,000 characters"`
	MailMe   bool   `json:"mail_me,omitempty" doc:"Send a mail when it is answered"`
}

func (b *backupAPI) registerAsks(a *API) {
	type newIn struct{ Body NewAsk }
	Register(a, Op{Method: http.MethodPost, Path: "/asks", Name: "ask.new", Summary: "Ask us to restore something", Audience: policy.Customers,
		Permission: policy.RestoreAsk, Status: http.StatusCreated},
		func(ctx context.Context, scope policy.Scope, in *newIn) (*One[Ask], error) {
			v, err := b.Backups.AskUs(ctx, scope, backups.NewAsk{Customer: in.Body.Customer, What: in.Body.What, MailMe: in.Body.MailMe})
			return &One[Ask]{Body: viewAsk(v)}, err
		})
	type listIn struct {
		Customer string `query:"customer" doc:"Slug or id"`
		Waiting  bool   `query:"waiting" doc:"Only those that are not done"`
		PageSize int    `query:"page_size" minimum:"1" maximum:"200" default:"50"`
	}
	Register(a, Op{Method: http.MethodGet, Path: "/asks", Name: "ask.list", Summary: "List the newest requests to restore something; there are no further pages",
		Audience: policy.SignedIn, Permission: policy.RestoreAsk, Staff: policy.RestoreAssist},
		func(ctx context.Context, scope policy.Scope, in *listIn) (*ListOut[Ask], error) {
			_, customer, err := b.refs(ctx, scope, "", in.Customer)
			if err != nil {
				return nil, err
			}
			items, err := b.Backups.Asks(ctx, scope, backups.AskFilter{Customer: customer, Waiting: in.Waiting, Limit: in.PageSize})
			return listOf(items, "", viewAsk), err
		})
	Register(a, Op{Method: http.MethodGet, Path: "/asks/{id}", Name: "ask.show", Summary: "Show a request to restore something", Audience: policy.SignedIn,
		Permission: policy.RestoreAsk, Staff: policy.RestoreAssist},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*One[Ask], error) {
			v, err := b.Backups.Ask(ctx, scope, in.ID)
			return &One[Ask]{Body: viewAsk(v)}, err
		})
	Register(a, Op{Method: http.MethodPost, Path: "/asks/{id}/take", Name: "ask.take", Summary: "Say that one is at it", Audience: policy.Staff, Permission: policy.RestoreAssist},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*One[Ask], error) {
			v, err := b.Backups.TakeAsk(ctx, scope, in.ID)
			return &One[Ask]{Body: viewAsk(v)}, err
		})
	type answerIn struct {
		IDIn
		Body struct {
			Answer string `json:"answer" maxLength:"16000" doc:"What was done; the customer reads it"`
		}
	}
	Register(a, Op{Method: http.MethodPost, Path: "/asks/{id}/answer", Name: "ask.answer", Summary: "Say what was done, which ends it", Audience: policy.Staff,
		Permission: policy.RestoreAssist},
		func(ctx context.Context, scope policy.Scope, in *answerIn) (*One[Ask], error) {
			v, err := b.Backups.AnswerAsk(ctx, scope, in.ID, in.Body.Answer)
			return &One[Ask]{Body: viewAsk(v)}, err
		})
}
