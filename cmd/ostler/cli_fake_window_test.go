package main

import (
	"encoding/json"
	"fmt"
	"net/http"

	"ostler/controlplane"
	"ostler/controlplane/server"
)

// inventory answers whole, then that nothing has changed; then it is down for
// three looks; the sixth one the token may not, and after that it is down again.
func (f *fakeAPI) inventory(w http.ResponseWriter, r *http.Request, _ string) {
	const tag = `"one"`
	switch look := f.look("/inventory"); {
	case look == 1 && r.Header.Get("If-None-Match") == "":
		w.Header().Set("ETag", tag)
		reply(w, 200, server.Hosts{Scope: "all", Items: []server.HostEntry{
			{ID: "srv_1", Name: "web1.example.com", Location: "Frankfurt 1, rack 4", Country: "DE", State: "active", Agent: "connected", Customers: []string{"acme-shop"}, Roles: []string{"web"}},
			{ID: "srv_2", Name: "db1.example.com", Location: "{{ lookup('pipe', 'id') }}", Country: "FI", State: "expected", Agent: "not_enrolled",
				Customers: []string{"acme-shop", "oak"}, Shared: true, Roles: []string{"database", "web"}},
			{ID: "srv_3", Name: "spare1.example.com", Country: "DE", State: "expected", Agent: "not_enrolled", Customers: []string{}, Roles: []string{}},
		}})
	case look == 2 && r.Header.Get("If-None-Match") == tag:
		w.Header().Set("ETag", tag)
		w.WriteHeader(http.StatusNotModified)
	case look != 6:
		refuse(w, controlplane.Errorf(controlplane.CodeUnavailable, "Wait a minute.", "The database does not answer"))
	default:
		refuse(w, controlplane.Errorf(controlplane.CodeForbidden, "Ask us.", "Your role does not include this"))
	}
}

func (f *fakeAPI) windows(w http.ResponseWriter, r *http.Request, rest string) {
	v := server.Window{ID: "win_1", Server: "srv_1", ServerName: "web1.example.com", State: "open", Ticket: "OPS-1", Who: "ada\x1b[2J on bastion-1",
		OpenedAt: "2026-11-21T20:00:00.000Z", EndsAt: "2026-11-21T22:00:00.000Z"}
	switch {
	case r.Method == http.MethodGet && rest == "":
		reply(w, 200, server.Page[server.Window]{Items: []server.Window{v}})
	case r.Method == http.MethodPost && rest == "":
		var in server.NewWindow
		_ = json.NewDecoder(r.Body).Decode(&in)
		if in.Who == "" {
			refuse(w, controlplane.Invalid(controlplane.Field{Pointer: "/who", Message: "Say it."}))
			return
		}
		v.Ticket, v.What, v.Who = in.Ticket, fmt.Sprintf("%s, %d minutes", in.What, in.Minutes), in.Who
		reply(w, 201, v)
	case rest == "win_1/close":
		v.State, v.ClosedAt = "closed", "2026-11-21T20:30:00.000Z"
		reply(w, 200, v)
	default:
		refuse(w, controlplane.NotFound("change window"))
	}
}
