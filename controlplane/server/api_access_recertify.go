package server

import (
	"context"
	"net/http"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/access"
	"ostler/controlplane/policy"
)

// AccessRecertification has every line of the lists confirmed by somebody.
type AccessRecertification struct {
	ID        string `json:"id"`
	Title     string `json:"title"`
	StartedAt string `json:"started_at" format:"date-time"`
	StartedBy string `json:"started_by"`
	DueAt     string `json:"due_at" format:"date-time" doc:"What nobody confirmed by then is revoked"`
	EndedAt   string `json:"ended_at,omitempty" format:"date-time"`
	Total     int    `json:"total"`
	Open      int    `json:"open"`
	Kept      int    `json:"kept"`
	Revoked   int    `json:"revoked"`
	Ended     int    `json:"ended" doc:"The access ended by itself before anybody answered"`
}

func viewRecertification(c access.Campaign) AccessRecertification {
	return AccessRecertification{c.ID, c.Title, controlplane.Instant(c.StartedAt), c.StartedBy, controlplane.Instant(c.DueAt), controlplane.Instant(c.EndedAt), c.Total, c.Open, c.Kept, c.Revoked, c.Ended}
}

// AccessRecertificationItem is one line that somebody has to confirm.
type AccessRecertificationItem struct {
	ID         string `json:"id"`
	Campaign   string `json:"recertification"`
	Customer   string `json:"customer,omitempty" doc:"Empty is what reaches more than one"`
	Ground     string `json:"ground" doc:"A grant or an entry"`
	Person     string `json:"person,omitempty" doc:"Empty is a team"`
	Team       string `json:"team,omitempty"`
	Name       string `json:"name"`
	Role       string `json:"role,omitempty"`
	Way        string `json:"way"`
	LastUsed   string `json:"last_used_at,omitempty" format:"date-time" doc:"Absent is unknown"`
	LastOnCall bool   `json:"last_on_call" doc:"The last one who could come"`
	Answer     string `json:"answer,omitempty" enum:"keep,revoke,revoked_silently,ended"`
	AnsweredBy string `json:"answered_by,omitempty"`
	AnsweredAt string `json:"answered_at,omitempty" format:"date-time"`
	Because    string `json:"because,omitempty"`
	RevokeAt   string `json:"revoke_at,omitempty" format:"date-time"`
}

func viewRecertificationItem(i access.CampaignItem) AccessRecertificationItem {
	return AccessRecertificationItem{i.ID, i.Campaign, i.Customer, i.Grant, i.Person, i.Team, i.Name, i.Role, string(i.Way), controlplane.Instant(i.LastUsed), i.LastOnCall, i.Answer,
		i.AnsweredBy, controlplane.Instant(i.AnsweredAt), i.Because, controlplane.Instant(i.RevokeAt)}
}

// NewAccessRecertification starts one.
type NewAccessRecertification struct {
	Title string    `json:"title"`
	Due   time.Time `json:"due"`
}

// AccessItemAnswer keeps or revokes one line.
type AccessItemAnswer struct {
	Keep    bool   `json:"keep"`
	Because string `json:"because"`
}

func (x *accessAPI) registerRecertifications(a *API) {
	registerWhole(a, Op{Method: http.MethodGet, Path: "/access/recertifications", Name: "recertification.list", Summary: "List recertifications, newest first", Audience: policy.Staff, Permission: policy.AccessRead},
		x.Campaigns, func(c access.Campaign) string { return c.ID }, viewRecertification)
	Register(a, Op{Method: http.MethodPost, Path: "/access/recertifications", Name: "recertification.start", Summary: "Have every grant and entry confirmed by a date", Audience: policy.Staff, Permission: policy.AccessAdmin, Status: http.StatusCreated},
		func(ctx context.Context, scope policy.Scope, in *bodyIn[NewAccessRecertification]) (*One[AccessRecertification], error) {
			c, err := x.StartCampaign(ctx, scope, in.Body.Title, in.Body.Due)
			return &One[AccessRecertification]{Body: viewRecertification(c)}, err
		})
	type itemsIn struct {
		IDIn
		PageIn
		Customer string `query:"customer" doc:"Slug or id"`
	}
	Register(a, Op{Method: http.MethodGet, Path: "/access/recertifications/{id}/items", Name: "recertification.items", Summary: "List what a recertification asks, the open ones first", Audience: policy.Staff, Permission: policy.AccessRead},
		func(ctx context.Context, scope policy.Scope, in *itemsIn) (*ListOut[AccessRecertificationItem], error) {
			items, next, err := x.CampaignItems(ctx, scope, in.ID, in.Customer, in.PageSize, in.PageToken)
			return listOf(items, next, viewRecertificationItem), err
		})
	Register(a, Op{Method: http.MethodPost, Path: "/access/recertification-items/{id}/answer", Name: "recertification.answer", Summary: "Keep or revoke one line, with why", Audience: policy.Staff, Permission: policy.AccessApprove},
		func(ctx context.Context, scope policy.Scope, in *withBody[AccessItemAnswer]) (*One[AccessRecertificationItem], error) {
			i, err := x.AnswerItem(ctx, scope, in.ID, in.Body.Keep, in.Body.Because)
			return &One[AccessRecertificationItem]{Body: viewRecertificationItem(i)}, err
		})
}
