package server

import (
	"fmt"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"ostler/controlplane/policy"
)

// CheckRoutes refuses any route of e that stands in none of the tables, or
// whose line there names no audience, or no permission where people need one.
// It is called at start-up, after everything is registered.
func CheckRoutes(e *echo.Echo, tables ...[]policy.Route) error {
	known := map[string]policy.Route{}
	for _, t := range tables {
		for _, r := range t {
			known[r.Method+" "+r.Path] = r
			if r.Method == "GET" {
				known["HEAD "+r.Path] = r
			}
		}
	}
	var bad []string
	for _, r := range e.Routes() {
		if r.Method == echo.RouteNotFound {
			continue // what answers where there is no route
		}
		line, ok := known[r.Method+" "+r.Path]
		switch {
		case !ok:
			bad = append(bad, r.Method+" "+r.Path+" stands in no route table")
		case line.Audience == "" || line.Name == "":
			bad = append(bad, r.Method+" "+r.Path+" has no audience or no name")
		}
	}
	if len(bad) > 0 {
		slices.Sort(bad)
		return fmt.Errorf("server: routes: %s", strings.Join(bad, "; "))
	}
	return nil
}

// Routes is the table of everything that this package answers, on all listeners.
func (s *Server) Routes() []policy.Route {
	return slices.Concat(s.own, s.api.routes)
}

// route registers one handler and its line in the table.
func (s *Server) route(e *echo.Echo, r policy.Route, h echo.HandlerFunc) {
	s.own = append(s.own, r)
	e.Add(r.Method, r.Path, h)
}
