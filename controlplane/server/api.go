package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humaecho"
	"github.com/labstack/echo/v4"

	"ostler/controlplane"
	"ostler/controlplane/identity"
	"ostler/controlplane/policy"
)

// Base is the path that every API operation begins with.
const Base = "/api/v1"

// OpenAPIPath is where the API's own description is.
const OpenAPIPath = Base + "/openapi.json"

// Authenticator knows whose bearer token it is; *identity.Store is one.
type Authenticator interface {
	AuthenticateToken(ctx context.Context, secret string) (controlplane.Actor, identity.Token, error)
}

// API is the JSON API while it is being put together. Operations are added
// with Register, at start-up.
type API struct {
	huma   huma.API
	auth   Authenticator
	memory *memory
	log    *slog.Logger
	routes []policy.Route
	// scope is the scope in which the actor of ctx has a permission.
	scope func(ctx context.Context, p policy.Permission) (policy.Scope, error)
}

// Op describes one operation.
type Op struct {
	Method     string
	Path       string // below Base, with {names}: "/servers/{id}"
	Name       string // "server.show"; also the operation's id
	Summary    string
	Audience   policy.Audience   // others get what a missing page gets
	Permission policy.Permission // who lacks it gets 403
	Staff      policy.Permission // what staff must be allowed instead; "" is the same
	Status     int               // of success; 0 is 200
	// Once says that the answer holds a secret that is shown once, so it is
	// not kept for Idempotency-Key: a repeated request is a conflict.
	Once bool
}

func newAPI(e *echo.Echo, auth Authenticator, m *memory, version string, log *slog.Logger) *API {
	if version == "" {
		version = "dev"
	}
	c := huma.DefaultConfig("Ostler", version)
	c.OpenAPIPath, c.DocsPath, c.SchemasPath, c.CreateHooks = "", "", "", nil
	c.RejectUnknownQueryParameters = true
	c.Info.Description = "Lists are {items, next_page_token}. Errors are RFC 9457 problems with code, next and request_id. " +
		"POST takes an Idempotency-Key for 24 hours. What takes time answers 202 with the job's Location."
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{"token": {Type: "http", Scheme: "bearer",
		Description: "An API token, made in the portal"}}
	return &API{huma: humaecho.New(e, c), auth: auth, memory: m, log: log, scope: policy.For}
}

// Register adds an operation and its line in the route table. The handler runs
// for an authenticated actor of the audience with the permission, and gets the
// scope that comes with them. I and O are huma's input and output structs.
func Register[I, O any](a *API, op Op, h func(ctx context.Context, scope policy.Scope, in *I) (*O, error)) {
	path := Base + op.Path
	a.routes = append(a.routes, policy.Route{Method: op.Method, Path: strings.NewReplacer("{", ":", "}", "").Replace(path),
		Audience: op.Audience, Permission: op.Permission, Staff: op.Staff, Name: "api." + op.Name})
	if op.Status == 0 {
		op.Status = http.StatusOK
	}
	noun, _, _ := strings.Cut(op.Name, ".")
	o := huma.Operation{OperationID: op.Name, Method: op.Method, Path: path, Summary: op.Summary, Tags: []string{noun},
		DefaultStatus: op.Status, Security: []map[string][]string{{"token": {}}}, Middlewares: huma.Middlewares{a.guard(op)}}
	if op.Method == http.MethodPost {
		o.Middlewares = append(o.Middlewares, a.idempotent(op))
		o.Parameters = []*huma.Param{{Name: "Idempotency-Key", In: "header", Schema: &huma.Schema{Type: huma.TypeString, MaxLength: new(int)},
			Description: "Repeating a request with its key within 24 hours repeats the answer, not the effect"}}
		*o.Parameters[0].Schema.MaxLength = maxIdempotencyKey
	}
	huma.Register(a.huma, o, func(ctx context.Context, in *I) (*O, error) {
		scope, err := a.allowed(ctx, op)
		if err != nil {
			return nil, ToProblem(ctx, a.log, err)
		}
		out, err := h(ctx, scope, in)
		if err != nil {
			return nil, ToProblem(ctx, a.log, err)
		}
		return out, nil
	})
}

// guard lets a request through to the operation with its actor in the context.
func (a *API) guard(op Op) func(huma.Context, func(huma.Context)) {
	return func(c huma.Context, next func(huma.Context)) {
		c.SetHeader("Cache-Control", "no-store")
		actor, err := a.actor(c)
		if err == nil && !op.Audience.Admits(string(actor.Kind)) {
			err = fromStatus(http.StatusNotFound)
		}
		ctx := controlplane.WithActor(c.Context(), actor)
		if err == nil {
			_, err = a.allowed(ctx, op)
		}
		if err != nil {
			a.refuse(c, err)
			return
		}
		next(huma.WithContext(c, ctx))
	}
}

// allowed returns the scope in which the actor of ctx may run an operation.
func (a *API) allowed(ctx context.Context, op Op) (policy.Scope, error) {
	needs := op.Permission
	if actor, _ := controlplane.ActorFrom(ctx); actor.Kind == controlplane.ActorStaff && op.Staff != "" {
		needs = op.Staff
	}
	return a.scope(ctx, needs)
}

// actor reads the bearer token. Cookies are the portal's and count for nothing here.
func (a *API) actor(c huma.Context) (controlplane.Actor, error) {
	scheme, secret, ok := strings.Cut(c.Header("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") || secret == "" {
		return controlplane.Actor{}, controlplane.Errorf(controlplane.CodeUnauthorized,
			"Send an API token: Authorization: Bearer ost_...", "The request has no API token")
	}
	actor, _, err := a.auth.AuthenticateToken(c.Context(), strings.TrimSpace(secret))
	return actor, err
}

func (a *API) refuse(c huma.Context, err error) {
	p := ToProblem(c.Context(), a.log, err)
	if p.Status == http.StatusUnauthorized {
		c.SetHeader("WWW-Authenticate", `Bearer realm="ostler"`)
	}
	c.SetHeader("Content-Type", "application/problem+json")
	c.SetStatus(p.Status)
	_ = json.NewEncoder(c.BodyWriter()).Encode(p) // the client is gone if this fails
}

// openAPI returns the handler of the API's description, which is written once,
// when everything has been registered.
func (a *API) openAPI() echo.HandlerFunc {
	describe := sync.OnceValues(func() ([]byte, error) { return json.Marshal(a.huma.OpenAPI()) })
	return func(c echo.Context) error {
		data, err := describe()
		if err != nil {
			return fmt.Errorf("server: describe API: %w", err)
		}
		return c.Blob(http.StatusOK, echo.MIMEApplicationJSON, data)
	}
}

// Page is one page of a list.
type Page[T any] struct {
	Items         []T    `json:"items" nullable:"false"`
	NextPageToken string `json:"next_page_token" doc:"Empty on the last page"`
}

// ListOut is the output of a list.
type ListOut[T any] struct{ Body Page[T] }

// PageIn is the input of every list.
type PageIn struct {
	PageToken string `query:"page_token" maxLength:"1000" doc:"next_page_token of the page before"`
	PageSize  int    `query:"page_size" minimum:"1" maximum:"200" default:"50"`
}

// One is the output of one thing.
type One[T any] struct {
	ETag     string `header:"ETag"`
	Location string `header:"Location"`
	Body     T
}

// Empty is the output of an operation without a body.
type Empty struct{}

// IDIn is the input of an operation on one thing.
type IDIn struct {
	ID string `path:"id" maxLength:"200"`
}

// listOf makes the output of a list.
func listOf[S, T any](items []S, next string, view func(S) T) *ListOut[T] {
	out := &ListOut[T]{Body: Page[T]{Items: make([]T, 0, len(items)), NextPageToken: next}}
	for _, i := range items {
		out.Body.Items = append(out.Body.Items, view(i))
	}
	return out
}

// etag is the ETag of a version; an empty If-Match takes any.
func etag(version int64) string { return `"v` + strconv.FormatInt(version, 10) + `"` }

// ifMatch reads the version of an If-Match header; "" and "*" are 0: any.
func ifMatch(header string) (int64, error) {
	if header == "" || header == "*" {
		return 0, nil
	}
	digits, ok := strings.CutPrefix(strings.Trim(header, `"`), "v")
	n, err := strconv.ParseInt(digits, 10, 64)
	if !ok || err != nil || n <= 0 {
		return 0, controlplane.Invalid(controlplane.Field{Pointer: "/If-Match", Message: "Send the ETag of the answer that you change from."})
	}
	return n, nil
}

// waited reads a ?wait= duration.
func waited(s string) (time.Duration, error) {
	if s == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(s)
	if err == nil && (d < 0 || d > handlerTime) {
		err = errors.New("out of range")
	}
	if err != nil {
		return 0, controlplane.Invalid(controlplane.Field{Pointer: "/wait", Message: "Send 0s to 30s."})
	}
	return d, nil
}
