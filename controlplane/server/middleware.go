package server

import (
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"ostler/controlplane"
)

const (
	handlerTime = 30 * time.Second // of an ordinary request
	waitTime    = 60 * time.Second // of one that waits for a job
	bodyTime    = 60 * time.Second // for a body to arrive
	maxBody     = "2M"
)

// newEcho makes an echo with what every listener has: request ids, a log
// without personal data, recovery, limits, and one error edge.
func (s *Server) newEcho(listener string) *echo.Echo {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.IPExtractor = s.clientAddress(listener)
	e.HTTPErrorHandler = s.handleError
	e.Use(s.observe(listener), s.recoverPanic)
	return e
}

// observe gives the request its id, and logs and measures its answer. The
// log has the route's pattern, never the address or who asked from where.
func (s *Server) observe(listener string) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			start := time.Now()
			id := controlplane.NewID("req_")
			r := c.Request()
			c.SetRequest(r.WithContext(controlplane.WithRequestID(r.Context(), id)))
			c.Response().Header().Set(echo.HeaderXRequestID, id)
			err := next(c)
			if err != nil {
				c.Error(err)
			}
			route := c.Path()
			if route == "" {
				route = "none"
			}
			took := time.Since(start)
			s.metrics.observe(listener, route, r.Method, c.Response().Status, took)
			s.log.InfoContext(c.Request().Context(), "http.request", "listener", listener, "method", r.Method, "route", route,
				"status", c.Response().Status, "took_ms", took.Milliseconds(), "bytes", c.Response().Size, "request_id", id)
			return nil
		}
	}
}

// recoverPanic turns a panic into an internal error, with its stack in the log.
func (s *Server) recoverPanic(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if e, ok := v.(error); ok && errors.Is(e, http.ErrAbortHandler) {
				panic(v) // net/http's own way to cut a response
			}
			s.log.ErrorContext(c.Request().Context(), "http.panic", "request_id", controlplane.RequestID(c.Request().Context()),
				"panic", fmt.Sprint(v), "stack", string(debug.Stack()))
			err = errors.New("server: a handler panicked")
		}()
		return next(c)
	}
}

// limits bounds the body and the time of ordinary requests. Those that long
// says live longer (event streams, downloads) bound themselves.
func limits(long func(path string) bool) []echo.MiddlewareFunc {
	skip := func(c echo.Context) bool { return long != nil && long(c.Request().URL.Path) }
	deadline := func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if c.Request().ContentLength != 0 && !skip(c) {
				// without support there is no deadline: nothing else to do
				_ = http.NewResponseController(c.Response()).SetReadDeadline(time.Now().Add(bodyTime))
			}
			return next(c)
		}
	}
	timed := middleware.ContextTimeoutWithConfig(middleware.ContextTimeoutConfig{Timeout: waitTime, Skipper: skip,
		ErrorHandler: func(err error, _ echo.Context) error { return err }})
	return []echo.MiddlewareFunc{middleware.BodyLimitWithConfig(middleware.BodyLimitConfig{Limit: maxBody, Skipper: skip}), deadline, timed}
}
