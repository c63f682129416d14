package server

import (
	"context"
	"net/http"
	"time"

	"ostler/certs"
	"ostler/controlplane"
	"ostler/controlplane/policy"
)

// CertIssue is one attempt to have a certificate issued and served.
type CertIssue struct {
	ID          string      `json:"id"`
	Certificate string      `json:"certificate"`
	CustomerID  string      `json:"customer"`
	Round       int64       `json:"round" doc:"Rises with every attempt; each has a key of its own"`
	Reason      string      `json:"reason" enum:"new,renewal,forced,names,replacement,compromise,takeover"`
	DryRun      bool        `json:"dry_run" doc:"At the staging authority; nothing of it is installed"`
	State       string      `json:"state" enum:"waiting,requesting,ordering,deploying,served,rolled_back,failed,cancelled"`
	Over        bool        `json:"over"`
	Authority   string      `json:"authority,omitempty"`
	OrderURL    string      `json:"order_url,omitempty"`
	Requests    int         `json:"requests" doc:"To the CA, so far"`
	Issued      *IssuedCert `json:"issued,omitempty"`
	Why         *CertWhy    `json:"why,omitempty" doc:"Why it failed, or what it waits for"`
	Steps       []CertStep  `json:"steps" nullable:"false"`
	StartedBy   string      `json:"started_by,omitempty"`
	StartedAt   string      `json:"started_at" format:"date-time"`
	EndedAt     string      `json:"ended_at,omitempty" format:"date-time"`
	NextTry     string      `json:"next_try,omitempty" format:"date-time"`
}

// CertStep is one line of an attempt's history.
type CertStep struct {
	At      string            `json:"at" format:"date-time"`
	Code    string            `json:"code"`
	Message string            `json:"message"`
	Args    map[string]string `json:"args,omitempty"`
}

func viewIssue(i certs.Issue) CertIssue {
	v := CertIssue{ID: i.ID, Certificate: i.Certificate, CustomerID: i.Customer, Round: i.Round, Reason: string(i.Reason), DryRun: i.DryRun, State: string(i.State), Over: i.State.Terminal(),
		Authority: i.Authority, OrderURL: i.OrderURL, Requests: i.Requests, Issued: viewIssued(i.Issued), Why: viewWhy(i.Why), Steps: []CertStep{}, StartedBy: i.StartedBy,
		StartedAt: controlplane.Instant(i.StartedAt), EndedAt: controlplane.Instant(i.EndedAt), NextTry: controlplane.Instant(i.NextTry)}
	for _, s := range i.Steps {
		v.Steps = append(v.Steps, CertStep{At: controlplane.Instant(s.At), Code: s.Code, Message: s.Text("en"), Args: s.Args})
	}
	return v
}

func (c *certAPI) registerIssues(a *API) {
	type listIn struct {
		IDIn
		PageIn
	}
	Register(a, Op{Method: http.MethodGet, Path: "/certificates/{id}/issues", Name: "cert.issues", Summary: "List the attempts at a certificate, newest first", Audience: policy.SignedIn, Permission: policy.CertRead},
		func(ctx context.Context, scope policy.Scope, in *listIn) (*ListOut[CertIssue], error) {
			x, err := c.Certs.Get(ctx, scope, in.ID)
			if err != nil {
				return nil, err
			}
			items, next, err := c.Certs.Issues(ctx, scope, x.ID, certs.Page{Size: in.PageSize, Token: in.PageToken})
			return listOf(items, next, viewIssue), err
		})
	Register(a, Op{Method: http.MethodGet, Path: "/issues/{id}", Name: "issue.show", Summary: "Show one attempt with its steps", Audience: policy.SignedIn, Permission: policy.CertRead},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*One[CertIssue], error) {
			i, err := c.Certs.GetIssue(ctx, scope, in.ID)
			return &One[CertIssue]{Body: viewIssue(i)}, err
		})
	Register(a, Op{Method: http.MethodPost, Path: "/issues/{id}/cancel", Name: "issue.cancel", Summary: "Stop an attempt that has not been issued yet", Audience: policy.SignedIn, Permission: policy.CertWrite},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*One[CertIssue], error) {
			i, err := c.Certs.CancelIssue(ctx, scope, in.ID)
			return &One[CertIssue]{Body: viewIssue(i)}, err
		})
	Register(a, Op{Method: http.MethodGet, Path: "/certificates/{id}/why", Name: "cert.why", Summary: "Say why a certificate is not issued or renewed now: every reason, the strongest first", Audience: policy.SignedIn, Permission: policy.CertRead},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*ListOut[*CertWhy], error) {
			x, err := c.Certs.Get(ctx, scope, in.ID)
			if err != nil {
				return nil, err
			}
			items, err := c.Certs.WhyNot(ctx, scope, x.ID)
			return listOf(items, "", viewWhy), err
		})
}

// CertPause says until when a certificate is kept from the CA, and why.
type CertPause struct {
	Until  string `json:"until,omitempty" doc:"Instant; empty is until somebody resumes it"`
	Reason string `json:"reason" maxLength:"500"`
}

// CertRevocation says why a certificate is revoked.
type CertRevocation struct {
	Reason string `json:"reason,omitempty" enum:"unspecified,affiliation_changed,superseded,cessation_of_operation" doc:"Empty is unspecified; for a key that others know there is /compromised"`
}

// revokeReasons are the reasons of RFC 5280, 5.3.1, that a subscriber gives.
var revokeReasons = map[string]int{"": 0, "unspecified": 0, "affiliation_changed": 3, "superseded": 4, "cessation_of_operation": 5}

// started answers for an attempt that has begun.
func started(i certs.Issue, err error) (*One[CertIssue], error) {
	if err != nil {
		return nil, err
	}
	return &One[CertIssue]{Location: Base + "/issues/" + i.ID, Body: viewIssue(i)}, nil
}

// onCert adds a form-like operation without a body on one certificate.
func onCert[O any](a *API, c *certAPI, verb, summary string, perm policy.Permission, status int, do func(ctx context.Context, scope policy.Scope, id string) (*O, error)) {
	Register(a, Op{Method: http.MethodPost, Path: "/certificates/{id}/" + verb, Name: "cert." + verb, Summary: summary, Audience: policy.SignedIn, Permission: perm, Status: status},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*O, error) {
			x, err := c.Certs.Get(ctx, scope, in.ID)
			if err != nil {
				return nil, err
			}
			return do(ctx, scope, x.ID)
		})
}

func (c *certAPI) registerCertActs(a *API) {
	onCert(a, c, "renew", "Start an attempt now, whatever the plan says; limits of the CA still count", policy.CertWrite, http.StatusAccepted,
		func(ctx context.Context, scope policy.Scope, id string) (*One[CertIssue], error) {
			return started(c.Certs.Renew(ctx, scope, id))
		})
	onCert(a, c, "dry-run", "Start an attempt at the staging authority; nothing of it is installed", policy.CertWrite, http.StatusAccepted,
		func(ctx context.Context, scope policy.Scope, id string) (*One[CertIssue], error) {
			return started(c.Certs.DryRun(ctx, scope, id))
		})
	onCert(a, c, "resume", "End a pause", policy.CertWrite, 0, func(ctx context.Context, scope policy.Scope, id string) (*One[Certificate], error) {
		x, err := c.Certs.Resume(ctx, scope, id)
		return c.one(ctx, scope, x, err)
	})
	onCert(a, c, "check", "Look at what every endpoint serves, from here; the server looks too", policy.CertRead, 0,
		func(ctx context.Context, scope policy.Scope, id string) (*One[CertServed], error) {
			s, err := c.Certs.CheckServed(ctx, scope, id)
			return &One[CertServed]{Body: viewServed(s)}, err
		})
	type pauseIn struct {
		IDIn
		Body CertPause
	}
	Register(a, Op{Method: http.MethodPost, Path: "/certificates/{id}/pause", Name: "cert.pause", Summary: "Keep a certificate from the CA", Audience: policy.SignedIn, Permission: policy.CertWrite},
		func(ctx context.Context, scope policy.Scope, in *pauseIn) (*One[Certificate], error) {
			until, err := pauseUntil(in.Body.Until)
			if err != nil {
				return nil, err
			}
			return c.act(ctx, scope, in.ID, func(id string) (certs.Certificate, error) {
				return c.Certs.Pause(ctx, scope, id, until, in.Body.Reason)
			})
		})
	type revokeIn struct {
		IDIn
		Body CertRevocation
	}
	Register(a, Op{Method: http.MethodPost, Path: "/certificates/{id}/revoke", Name: "cert.revoke", Summary: "Revoke what is installed", Audience: policy.SignedIn, Permission: policy.CertWrite},
		func(ctx context.Context, scope policy.Scope, in *revokeIn) (*One[Certificate], error) {
			return c.act(ctx, scope, in.ID, func(id string) (certs.Certificate, error) {
				return c.Certs.Revoke(ctx, scope, id, revokeReasons[in.Body.Reason])
			})
		})
	type compromisedIn struct {
		IDIn
		Body struct {
			Detail string `json:"detail" maxLength:"2000" doc:"How it is known"`
		}
	}
	Register(a, Op{Method: http.MethodPost, Path: "/certificates/{id}/compromised", Name: "cert.compromised", Summary: "Say that others know the key: it is blocked, a new one made, and the old certificate revoked once the new one is served",
		Audience: policy.Staff, Permission: policy.CertAdmin, Status: http.StatusAccepted},
		func(ctx context.Context, scope policy.Scope, in *compromisedIn) (*One[CertIssue], error) {
			x, err := c.Certs.Get(ctx, scope, in.ID)
			if err != nil {
				return nil, err
			}
			return started(c.Certs.Compromised(ctx, scope, x.ID, in.Body.Detail))
		})
}

// CertServed is what a look at a certificate's endpoints showed.
type CertServed struct {
	At    string          `json:"at" format:"date-time"`
	Right bool            `json:"right"`
	Seen  []CertSeenThere `json:"seen" nullable:"false"`
}

func viewServed(s certs.Served) CertServed {
	v := CertServed{At: controlplane.Instant(s.At), Right: s.Right, Seen: []CertSeenThere{}}
	for _, x := range s.Seen {
		v.Seen = append(v.Seen, viewSeen(x))
	}
	return v
}

// pauseUntil reads until when; "" and "forever" are until somebody says so.
func pauseUntil(s string) (time.Time, error) {
	if s == "" || s == forever {
		return certs.Forever, nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return t, controlplane.Invalid(controlplane.Field{Pointer: "/until", Message: "Send an instant such as 2026-12-01T08:00:00Z."})
	}
	return t, nil
}
