package server

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

const bundlePath = Base + "/ledger-bundle"

type bundleIn struct {
	Customer string `query:"customer" doc:"Whose chain, by slug or id; empty is the whole log, for staff"`
	Personal bool   `query:"personal" doc:"With the personal values, so that they can be compared with what the log commits to"`
}

// begun passes a stream on and knows whether it has begun.
type begun struct {
	c  huma.Context
	ok bool
}

func (b *begun) Write(p []byte) (int, error) {
	if !b.ok {
		b.ok = true
		b.c.SetHeader("Content-Type", "application/jsonl")
		b.c.SetHeader("Content-Disposition", `attachment; filename="ledger.jsonl"`)
		b.c.SetStatus(http.StatusOK)
	}
	return b.c.BodyWriter().Write(p)
}

func (s *Server) registerBundle() {
	Register(s.api, Op{Method: http.MethodGet, Path: bundlePath[len(Base):], Name: "ledger.bundle", Summary: "Export the log so that it verifies without us",
		Audience: policy.SignedIn, Permission: policy.LedgerRead},
		func(ctx context.Context, scope policy.Scope, in *bundleIn) (*contentOut, error) {
			o := ledger.BundleOptions{Personal: in.Personal}
			if in.Personal { // there are names of files among them
				if _, err := policy.For(ctx, policy.FileRead); err != nil {
					return nil, err
				}
			}
			if in.Customer != "" {
				c, err := s.Customers.GetCustomer(ctx, scope, in.Customer)
				if err != nil {
					return nil, err
				}
				o.Customer = c.ID
			}
			return &contentOut{Body: func(c huma.Context) {
				w := &begun{c: c}
				err := s.Ledger.ExportBundle(ctx, scope, w, o)
				if err != nil && !w.ok {
					s.api.refuse(c, err)
				} else if err != nil {
					s.log.ErrorContext(ctx, "http.bundle", "error", err)
					panic(http.ErrAbortHandler) // a bundle that is cut must not look whole
				}
			}}, nil
		})
}
