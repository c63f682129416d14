package server

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"ostler/certs"
	"ostler/controlplane"
	"ostler/controlplane/policy"
)

// FoundCertificate is a certificate on a server that somebody else renews.
type FoundCertificate struct {
	ID         string   `json:"id"`
	ServerID   string   `json:"server"`
	CustomerID string   `json:"customer,omitempty" doc:"Whose site it names; empty where it is nobody's"`
	Path       string   `json:"path"`
	Renewer    string   `json:"renewer,omitempty" doc:"certbot, acme.sh, lego, caddy; empty where nobody is known"`
	Lineage    string   `json:"lineage,omitempty" doc:"The renewer's name for it"`
	Names      []string `json:"names" nullable:"false"`
	Issuer     string   `json:"issuer"`
	Serial     string   `json:"serial"`
	LeafSHA256 string   `json:"leaf_sha256"`
	NotBefore  string   `json:"not_before" format:"date-time"`
	NotAfter   string   `json:"not_after" format:"date-time"`
	UsedBy     []string `json:"used_by" nullable:"false" doc:"Configuration files that name it"`
	SeenAt     string   `json:"seen_at" format:"date-time"`
	TakenBy    string   `json:"taken_by,omitempty" doc:"The certificate that took its place"`
}

func viewFoundCert(f certs.Found) FoundCertificate {
	return FoundCertificate{ID: f.ID, ServerID: f.Server, CustomerID: f.Customer, Path: f.Path, Renewer: f.Renewer, Lineage: f.Lineage, Names: append([]string{}, f.Names...),
		Issuer: f.Issuer, Serial: f.Serial, LeafSHA256: f.Leaf, NotBefore: controlplane.Instant(time.UnixMilli(f.NotBefore)), NotAfter: controlplane.Instant(time.UnixMilli(f.NotAfter)),
		UsedBy: append([]string{}, f.UsedBy...), SeenAt: controlplane.Instant(f.SeenAt), TakenBy: f.TakenBy}
}

func (c *certAPI) registerFound(a *API) {
	type listIn struct {
		IDIn
		PageIn
	}
	Register(a, Op{Method: http.MethodGet, Path: "/servers/{id}/found-certificates", Name: "cert.found", Summary: "List the certificates on a server that somebody else renews", Audience: policy.SignedIn, Permission: policy.CertRead},
		func(ctx context.Context, scope policy.Scope, in *listIn) (*ListOut[FoundCertificate], error) {
			s, err := c.Customers.GetServer(ctx, scope, in.ID)
			if err != nil {
				return nil, err
			}
			all, err := c.Certs.Found(ctx, scope, s.ID)
			if err != nil {
				return nil, err
			}
			items, next, err := pageOf(all, func(f certs.Found) string { return f.ID }, in.PageIn)
			return listOf(items, next, viewFoundCert), err
		})
	type takeIn struct {
		IDIn
		Body NewCertificate
	}
	Register(a, Op{Method: http.MethodPost, Path: "/found-certificates/{id}/take-over", Name: "cert.take-over", Summary: "Look after a found certificate; its old renewer is stopped when ours is installed", Audience: policy.SignedIn,
		Permission: policy.CertWrite, Status: http.StatusCreated},
		func(ctx context.Context, scope policy.Scope, in *takeIn) (*One[Certificate], error) {
			x, err := c.Certs.TakeOver(ctx, scope, in.ID, in.Body.input())
			out, err := c.one(ctx, scope, x, err)
			if err == nil {
				out.Location = Base + "/certificates/" + x.ID
			}
			return out, err
		})
	onCert(a, c, "undo-take-over", "Give a certificate back to its old renewer", policy.CertWrite, 0,
		func(ctx context.Context, scope policy.Scope, id string) (*One[Certificate], error) {
			x, err := c.Certs.UndoTakeOver(ctx, scope, id)
			return c.one(ctx, scope, x, err)
		})
}

// answerChallenge is what sites redirect a CA's validator to: the key
// authorization of a token of ours (RFC 8555, 8.3), and nothing else.
func (s *Server) answerChallenge(c echo.Context) error {
	c.Response().Header().Set(echo.HeaderCacheControl, "no-store")
	key, ok, err := s.Certs.Answer(c.Request().Context(), c.Param("token"), "")
	if err != nil {
		return err
	}
	if !ok {
		return c.String(http.StatusNotFound, "There is no such token here.\n")
	}
	return c.Blob(http.StatusOK, "text/plain", []byte(key))
}

// registerAnswer adds the public route of the answers.
func (s *Server) registerAnswer() {
	s.route(s.portal, policy.Route{Method: http.MethodGet, Path: "/.well-known/acme-challenge/:token", Audience: policy.Public, Name: "acme.answer"}, s.answerChallenge)
}
