package server

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v4"

	"ostler/controlplane"
)

// Problem is the body of every error of the API and the agents' endpoints:
// RFC 9457, with what to do next. It doubles as wire.Refusal.
type Problem struct {
	Type      string            `json:"type" format:"uri-reference" doc:"Address of this problem's documentation"`
	Title     string            `json:"title" doc:"The sort of problem, in words"`
	Status    int               `json:"status"`
	Code      controlplane.Code `json:"code" enum:"invalid,unauthorized,forbidden,not_found,conflict,expired,unavailable,too_many,internal"`
	Detail    string            `json:"detail" doc:"What went wrong, in plain words"`
	Next      string            `json:"next,omitempty" doc:"What to do about it"`
	RequestID string            `json:"request_id,omitempty" doc:"Names this request in our log"`
	Errors    []ProblemField    `json:"errors,omitempty"`
	// Message repeats Detail for agents, which read wire.Refusal.
	Message string `json:"message,omitempty"`
}

// ProblemField is one wrong part of a request. It never holds the value.
type ProblemField struct {
	Pointer string `json:"pointer" doc:"JSON pointer (RFC 6901) into the body, or /name of a parameter"`
	Message string `json:"message"`
}

// Error returns the detail.
func (p *Problem) Error() string { return p.Detail }

// GetStatus returns the HTTP status.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType makes JSON of a problem application/problem+json.
func (p *Problem) ContentType(ct string) string {
	if ct == "application/json" {
		return "application/problem+json"
	}
	return ct
}

// problemType begins the type of every problem; the documentation has one
// section for each code.
const problemType = "https://ostler.invalid/problems/"

// kindOf says how each code looks from outside.
func kindOf(c controlplane.Code) (status int, title string) {
	switch c {
	case controlplane.CodeInvalid:
		return http.StatusUnprocessableEntity, "Invalid request"
	case controlplane.CodeUnauthorized:
		return http.StatusUnauthorized, "Not signed in"
	case controlplane.CodeForbidden:
		return http.StatusForbidden, "Not allowed"
	case controlplane.CodeNotFound:
		return http.StatusNotFound, "Not found"
	case controlplane.CodeConflict:
		return http.StatusConflict, "Not possible now"
	case controlplane.CodeExpired:
		return http.StatusGone, "Expired"
	case controlplane.CodeUnavailable:
		return http.StatusServiceUnavailable, "Unavailable"
	case controlplane.CodeTooMany:
		return http.StatusTooManyRequests, "Too many requests"
	}
	return http.StatusInternalServerError, "Internal error"
}

// codeOf is the code for a status that a library chose.
func codeOf(status int) controlplane.Code {
	switch status {
	case http.StatusUnauthorized:
		return controlplane.CodeUnauthorized
	case http.StatusForbidden:
		return controlplane.CodeForbidden
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return controlplane.CodeNotFound
	case http.StatusConflict, http.StatusPreconditionFailed:
		return controlplane.CodeConflict
	case http.StatusGone:
		return controlplane.CodeExpired
	case http.StatusTooManyRequests:
		return controlplane.CodeTooMany
	case http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return controlplane.CodeUnavailable
	}
	if status >= 400 && status < 500 {
		return controlplane.CodeInvalid
	}
	return controlplane.CodeInternal
}

// ToProblem is the error edge: the one place where an error becomes what
// people and programs see. Only a controlplane.Error keeps its words; anything
// else is logged with its cause and reads "Internal error" with a request id.
func ToProblem(ctx context.Context, log *slog.Logger, err error) *Problem {
	var done *Problem
	if errors.As(err, &done) {
		return done
	}
	id := controlplane.RequestID(ctx)
	var e *controlplane.Error
	var he *echo.HTTPError
	switch {
	case errors.As(err, &e) && e.Code != controlplane.CodeInternal:
		log.DebugContext(ctx, "http.refused", "request_id", id, "code", e.Code, "error", err)
	case errors.As(err, &he) && he.Code < 500:
		e = fromStatus(he.Code)
	case errors.Is(err, context.DeadlineExceeded):
		log.WarnContext(ctx, "http.timeout", "request_id", id, "error", err)
		e = controlplane.Errorf(controlplane.CodeUnavailable, "Try again in a moment.", "This took too long")
	default:
		log.ErrorContext(ctx, "http.internal", "request_id", id, "error", err)
		e = controlplane.Errorf(controlplane.CodeInternal, "Try again; if it stays, tell us the request id.", "Internal error")
	}
	status, title := kindOf(e.Code)
	if he != nil && he.Code < 500 {
		status = he.Code
	}
	p := &Problem{Type: problemType + string(e.Code), Title: title, Status: status, Code: e.Code,
		Detail: e.Message, Next: e.Next, RequestID: id}
	for _, f := range e.Fields {
		p.Errors = append(p.Errors, ProblemField{Pointer: f.Pointer, Message: f.Message})
	}
	return p
}

// fromStatus puts words to a refusal of the HTTP library.
func fromStatus(status int) *controlplane.Error {
	switch status {
	case http.StatusNotFound:
		return controlplane.NotFound("page or operation")
	case http.StatusMethodNotAllowed:
		return controlplane.Errorf(controlplane.CodeNotFound, "Look it up in the API's description.", "There is no such operation on this address")
	case http.StatusRequestEntityTooLarge:
		return controlplane.Errorf(controlplane.CodeInvalid, "Send less at once.", "The request is too large")
	}
	return controlplane.Errorf(codeOf(status), "Look it up in the API's description.", "The request cannot be used")
}

// newProblem is what huma makes of a request that it refuses by itself. The
// values that it would repeat are left out.
func newProblem(ctx context.Context, status int, msg string, errs ...error) huma.StatusError {
	code := codeOf(status)
	_, title := kindOf(code)
	p := &Problem{Type: problemType + string(code), Title: title, Status: status, Code: code, RequestID: controlplane.RequestID(ctx)}
	if code == controlplane.CodeInternal {
		p.Detail, p.Next = "Internal error", "Try again; if it stays, tell us the request id."
		return p
	}
	e := controlplane.Invalid()
	p.Detail, p.Next = e.Message, e.Next
	if len(errs) == 0 {
		p.Detail = "The request cannot be used: " + msg
	}
	for _, err := range errs {
		if d, ok := err.(huma.ErrorDetailer); ok {
			detail := d.ErrorDetail()
			p.Errors = append(p.Errors, ProblemField{Pointer: pointer(detail.Location), Message: withoutValue(detail.Message)})
		}
	}
	return p
}

// pointer turns huma's "body.items[3].tags" into "/items/3/tags".
func pointer(location string) string {
	for _, p := range []string{"body", "query", "path", "header"} {
		if rest, ok := strings.CutPrefix(location, p); ok && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			location = rest
			break
		}
	}
	r := strings.NewReplacer("~", "~0", "/", "~1", "[", "/", "]", "", ".", "/")
	if location != "" && location[0] != '.' && location[0] != '[' {
		location = "." + location
	}
	return r.Replace(location)
}

// withoutValue cuts what a library's message quotes after a colon.
func withoutValue(msg string) string {
	before, _, _ := strings.Cut(msg, ": ")
	return before
}

// huma has one hook for its errors, and it is global.
func init() {
	huma.NewError = func(status int, msg string, errs ...error) huma.StatusError {
		return newProblem(context.Background(), status, msg, errs...)
	}
	huma.NewErrorWithContext = func(c huma.Context, status int, msg string, errs ...error) huma.StatusError {
		return newProblem(c.Context(), status, msg, errs...)
	}
}

// handleError writes an error of an echo handler as a problem.
func (s *Server) handleError(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	p := ToProblem(c.Request().Context(), s.log, err)
	p.Message = p.Detail
	h := c.Response().Header()
	h.Set(echo.HeaderContentType, "application/problem+json")
	h.Set(echo.HeaderCacheControl, "no-store")
	if c.Request().Method == http.MethodHead {
		_ = c.NoContent(p.Status) // the client is gone if this fails
		return
	}
	_ = c.JSON(p.Status, p)
}
