package server

import (
	"context"
	"net/http"

	"ostler/controlplane"
	"ostler/controlplane/identity"
	"ostler/controlplane/policy"
)

type apiTokenView struct {
	ID          string   `json:"id"`
	Name        string   `json:"name"`
	Permissions []string `json:"permissions" nullable:"false"`
	CreatedAt   string   `json:"created_at" format:"date-time"`
	ExpiresAt   string   `json:"expires_at" format:"date-time"`
	UsedAt      string   `json:"used_at,omitempty" format:"date-time"`
	Current     bool     `json:"current" doc:"The token that this request came with"`
}

func viewAPIToken(t identity.Token) apiTokenView {
	v := apiTokenView{ID: t.ID, Name: t.Name, Permissions: []string{}, CreatedAt: controlplane.Instant(t.CreatedAt),
		ExpiresAt: controlplane.Instant(t.ExpiresAt), UsedAt: controlplane.Instant(t.UsedAt)}
	for _, p := range t.Permissions {
		v.Permissions = append(v.Permissions, string(p))
	}
	return v
}

type sessionView struct {
	ID        string `json:"id"`
	Method    string `json:"method"`
	CreatedAt string `json:"created_at" format:"date-time"`
	SeenAt    string `json:"seen_at" format:"date-time"`
	ExpiresAt string `json:"expires_at" format:"date-time"`
}

func viewSession(v identity.Session) sessionView {
	return sessionView{ID: v.ID, Method: string(v.Method), CreatedAt: controlplane.Instant(v.CreatedAt),
		SeenAt: controlplane.Instant(v.SeenAt), ExpiresAt: controlplane.Instant(v.ExpiresAt)}
}

// Tokens are made, and browsers signed out, in the portal by a person with a
// second factor: a token does neither.
func (s *Server) registerCredentials() {
	Register(s.api, Op{Method: "GET", Path: "/tokens", Name: "token.list", Summary: "List one's own API tokens", Audience: policy.SignedIn, Permission: policy.SelfRead},
		func(ctx context.Context, _ policy.Scope, _ *struct{}) (*ListOut[apiTokenView], error) {
			items, err := s.Identity.Tokens(ctx)
			actor, _ := controlplane.ActorFrom(ctx)
			return listOf(items, "", func(t identity.Token) apiTokenView {
				v := viewAPIToken(t)
				v.Current = t.ID == actor.Token
				return v
			}), err
		})
	Register(s.api, Op{Method: "DELETE", Path: "/tokens/{id}", Name: "token.revoke", Summary: "Revoke an API token", Audience: policy.SignedIn, Permission: policy.SelfWrite, Status: http.StatusNoContent},
		func(ctx context.Context, _ policy.Scope, in *IDIn) (*Empty, error) {
			return &Empty{}, s.Identity.RevokeToken(ctx, in.ID)
		})
	Register(s.api, Op{Method: "GET", Path: "/account/sessions", Name: "signin.list", Summary: "List one's own signed-in browsers", Audience: policy.SignedIn, Permission: policy.SelfRead},
		func(ctx context.Context, _ policy.Scope, _ *struct{}) (*ListOut[sessionView], error) {
			items, err := s.Identity.Sessions(ctx)
			return listOf(items, "", viewSession), err
		})
}
