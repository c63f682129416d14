package server

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"ostler/controlplane/policy"
)

// check is one line of /readyz.
type check struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	Next string `json:"next,omitempty"`
}

// report is the answer of /readyz.
type report struct {
	Ready  bool    `json:"ready"`
	Checks []check `json:"checks"`
}

// readiness remembers a report for a second: anybody may ask.
type readiness struct {
	mu   sync.Mutex
	at   time.Time
	last report
}

func (s *Server) registerHealth() {
	s.route(s.portal, policy.Route{Method: "GET", Path: "/healthz", Audience: policy.Public, Name: "health.live"},
		func(c echo.Context) error { return c.String(http.StatusOK, "ok\n") })
	s.route(s.portal, policy.Route{Method: "GET", Path: "/readyz", Audience: policy.Public, Name: "health.ready"},
		func(c echo.Context) error {
			r := s.readiness(c.Request().Context())
			status := http.StatusOK
			if !r.Ready {
				status = http.StatusServiceUnavailable
			}
			c.Response().Header().Set(echo.HeaderCacheControl, "no-store")
			return c.JSON(status, r)
		})
}

// readiness looks at what the process needs. It names no address and no error:
// those stand in the log.
func (s *Server) readiness(ctx context.Context) report {
	s.ready.mu.Lock()
	defer s.ready.mu.Unlock()
	if time.Since(s.ready.at) < time.Second && s.ready.last.Checks != nil && !s.draining.Load() {
		return s.ready.last
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	r := report{Ready: true}
	for _, c := range []struct {
		name, next string
		ok         func() (bool, error)
	}{
		{"database", "See that the database runs and can be reached.", func() (bool, error) { err := s.DB.Ping(ctx); return err == nil, err }},
		{"migrations", "Run ostler migrate.", func() (bool, error) { pending, err := s.DB.Pending(ctx); return err == nil && !pending, err }},
		{"signer", "Start ostler signer: until then no job goes out.", func() (bool, error) { err := s.Deps.Agents.Ready(ctx); return err == nil, err }},
		{"draining", "This process is stopping.", func() (bool, error) { return !s.draining.Load(), nil }},
	} {
		ok, err := c.ok()
		line := check{Name: c.name, OK: ok}
		if !ok {
			line.Next, r.Ready = c.next, false
			s.log.WarnContext(ctx, "server.not_ready", "check", c.name, "error", err)
		}
		r.Checks = append(r.Checks, line)
	}
	s.ready.at, s.ready.last = time.Now(), r
	return r
}
