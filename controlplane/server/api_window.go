package server

import (
	"context"
	"net/http"
	"time"

	"ostler/agents"
	"ostler/controlplane"
	"ostler/controlplane/policy"
)

// Window is a change window on a server.
type Window struct {
	ID         string `json:"id"`
	Server     string `json:"server"`
	ServerName string `json:"server_name"`
	State      string `json:"state" enum:"open,closed,ended" doc:"ended: its time was over"`
	Ticket     string `json:"ticket,omitempty" doc:"Staff see it"`
	Who        string `json:"who,omitempty" doc:"Staff see it"`
	What       string `json:"what,omitempty" doc:"Staff see it"`
	OpenedAt   string `json:"opened_at" format:"date-time"`
	EndsAt     string `json:"ends_at" format:"date-time" doc:"When it ends by itself"`
	ClosedAt   string `json:"closed_at,omitempty" format:"date-time"`
}

func viewWindow(w agents.Window) Window {
	v := Window{ID: w.ID, Server: w.Server, ServerName: w.ServerName, State: "open", Ticket: w.Ticket, Who: w.Who, What: w.What,
		OpenedAt: controlplane.Instant(w.OpenedAt), EndsAt: controlplane.Instant(w.EndsAt), ClosedAt: controlplane.Instant(w.ClosedAt)}
	switch {
	case w.Open():
	case w.ClosedAt.Equal(w.EndsAt):
		v.State = "ended"
	default:
		v.State = "closed"
	}
	return v
}

// NewWindow says which change window to open.
type NewWindow struct {
	Server  string `json:"server" maxLength:"253" doc:"Id or name"`
	Ticket  string `json:"ticket" doc:"Why: OPS-1234"`
	Who     string `json:"who" doc:"Who makes the change: ada on bastion-1"`
	What    string `json:"what,omitempty" doc:"With what: a playbook"`
	Minutes int    `json:"minutes,omitempty" minimum:"0" maximum:"720" doc:"When it ends by itself; 0 is 120"`
}

func (s *Server) registerWindows() {
	type openIn struct{ Body NewWindow }
	Register(s.api, Op{Method: http.MethodPost, Path: "/windows", Name: "window.open", Summary: "Open a change window on a server; it ends by itself",
		Audience: policy.Staff, Permission: policy.WindowWrite, Status: http.StatusCreated},
		func(ctx context.Context, scope policy.Scope, in *openIn) (*One[Window], error) {
			w, err := s.Deps.Agents.OpenWindow(ctx, scope, agents.NewWindow{Server: in.Body.Server, Ticket: in.Body.Ticket, Who: in.Body.Who,
				What: in.Body.What, For: time.Duration(in.Body.Minutes) * time.Minute})
			return &One[Window]{Body: viewWindow(w)}, err
		})
	Register(s.api, Op{Method: http.MethodPost, Path: "/windows/{id}/close", Name: "window.close", Summary: "Close a change window; one that has ended stays as it is",
		Audience: policy.Staff, Permission: policy.WindowWrite},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*One[Window], error) {
			w, err := s.Deps.Agents.CloseWindow(ctx, scope, in.ID)
			return &One[Window]{Body: viewWindow(w)}, err
		})
	type listIn struct {
		PageIn
		Server string `query:"server" doc:"Id or name"`
		Open   bool   `query:"open" doc:"Only those that last"`
	}
	Register(s.api, Op{Method: http.MethodGet, Path: "/windows", Name: "window.list", Summary: "List change windows, newest first", Audience: policy.SignedIn, Permission: policy.ServerRead},
		func(ctx context.Context, scope policy.Scope, in *listIn) (*ListOut[Window], error) {
			items, next, err := s.Deps.Agents.Windows(ctx, scope, agents.WindowFilter{Server: in.Server, Open: in.Open, Limit: in.PageSize, PageToken: in.PageToken})
			return listOf(items, next, viewWindow), err
		})
}
