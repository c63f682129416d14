package agents

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"ostler/controlplane"
	"ostler/controlplane/bus"
	"ostler/controlplane/db"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// How long a change window lasts.
const (
	WindowLife    = 2 * time.Hour // where nothing is said
	MaxWindowLife = 12 * time.Hour
	minWindowLife = time.Minute
)

// Limits of what is written down of a window, in characters.
const (
	maxTicket = 100
	maxWho    = 200
	maxWhat   = 400
)

// Window is a change window: a time in which somebody changes a server on
// purpose, so that what is found changed then can be explained. It explains and
// allows nothing. It ends by itself at EndsAt.
type Window struct {
	ID, Server string
	ServerName string
	// Ticket, Who and What say why, who at which machine, and with what. They
	// are "" where the scope does not reach every customer: neighbours on a
	// shared server may be named.
	Ticket, Who, What string
	OpenedAt, EndsAt  time.Time
	OpenedBy          string    // actor's id
	ClosedAt          time.Time // zero while it lasts
	ClosedBy          string    // actor's id; "" where its time was over
}

// Open reports whether the window lasts.
func (w Window) Open() bool { return w.ClosedAt.IsZero() }

// NewWindow says which window to open.
type NewWindow struct {
	Server string // id or name
	Ticket string
	Who    string
	What   string        // may be ""
	For    time.Duration // 0 is WindowLife
}

// WindowFilter narrows a list of windows; zero fields do not.
type WindowFilter struct {
	Server    string // id or name
	Open      bool   // only those that last
	Limit     int    // 0 is 50, at most 200
	PageToken string
}

// OpenWindow opens a change window on a server. Others may be open there: who
// opens one closes that one.
//
// Errors: invalid request, not found outside the scope.
func (a *Agents) OpenWindow(ctx context.Context, scope policy.Scope, n NewWindow) (Window, error) {
	if err := n.check(); err != nil {
		return Window{}, err
	}
	if err := a.Keeper.EnsureKey(ctx, ""); err != nil {
		return Window{}, fmt.Errorf("agents: open window: %w", err)
	}
	id := controlplane.NewID(controlplane.PrefixWindow)
	who, err := a.Keeper.Seal("", windowAD(id, "who"), []byte(n.Who))
	if err != nil {
		return Window{}, fmt.Errorf("agents: open window: %w", err)
	}
	what, err := a.Keeper.Seal("", windowAD(id, "what"), []byte(n.What))
	if err != nil {
		return Window{}, fmt.Errorf("agents: open window: %w", err)
	}
	var w Window
	err = a.DB.Write(ctx, func(tx *db.Tx) error {
		s, err := a.Servers.ServerIn(tx, scope, n.Server)
		if err != nil {
			return err
		}
		actor, _ := controlplane.ActorFrom(ctx)
		row := windowRow{ID: id, Server: s.ID, Ticket: n.Ticket, Who: who, What: what, OpenedAt: tx.NowMillis(), OpenedBy: actor.ID,
			EndsAt: tx.Now.Add(n.For).UnixMilli()}
		if err := insertWindow(tx, row); err != nil {
			return fmt.Errorf("agents: open window: %w", err)
		}
		if w, err = a.window(row, s.Name, scope); err != nil {
			return err
		}
		tx.AfterCommit(func() { a.Bus.Publish(bus.TopicServer(s.ID)) })
		_, err = a.Ledger.Append(tx, ledger.Entry{Server: s.ID, Subject: id, Kind: "window.opened",
			Data: map[string]any{"ticket": n.Ticket, "ends_at": controlplane.Instant(w.EndsAt)}, Personal: map[string]string{"who": n.Who, "what": n.What}})
		return err
	})
	return w, err
}

// check trims what was entered, and fills in what was not.
func (n *NewWindow) check() error {
	n.Ticket, n.Who, n.What = strings.TrimSpace(n.Ticket), strings.TrimSpace(n.Who), strings.TrimSpace(n.What)
	var fields []controlplane.Field
	bad := func(pointer, message string) {
		fields = append(fields, controlplane.Field{Pointer: pointer, Message: message})
	}
	for _, f := range []struct {
		name, text string
		max        int
	}{{"ticket", n.Ticket, maxTicket}, {"who", n.Who, maxWho}, {"what", n.What, maxWhat}} {
		switch {
		case f.text == "" && f.name != "what":
			bad("/"+f.name, "Say it: who looks at a change later asks for it.")
		case utf8.RuneCountInString(f.text) > f.max || f.text != controlplane.Line(f.text, f.max):
			bad("/"+f.name, fmt.Sprintf("Send one line of at most %d characters.", f.max))
		}
	}
	if n.For == 0 {
		n.For = WindowLife
	}
	if n.For < minWindowLife || n.For > MaxWindowLife {
		bad("/minutes", "Choose one minute to 12 hours.")
	}
	if len(fields) > 0 {
		return controlplane.Invalid(fields...)
	}
	return nil
}

// CloseWindow ends a change window now. One that has ended stays as it is.
//
// Errors: not found outside the scope.
func (a *Agents) CloseWindow(ctx context.Context, scope policy.Scope, id string) (Window, error) {
	var w Window
	err := a.DB.Write(ctx, func(tx *db.Tx) error {
		row, err := windowByID(tx, id)
		if err != nil {
			return fmt.Errorf("agents: close window: %w", err)
		}
		if row == nil {
			return controlplane.NotFound("change window")
		}
		s, err := a.Servers.ServerIn(tx, scope, row.Server)
		if controlplane.ErrorCode(err) == controlplane.CodeNotFound {
			return controlplane.NotFound("change window")
		} else if err != nil {
			return err
		}
		if row.ClosedAt == 0 {
			if err := a.endWindow(tx, row, tx.NowMillis()); err != nil {
				return err
			}
		}
		w, err = a.window(*row, s.Name, scope)
		return err
	})
	return w, err
}

// endWindow ends an open window: at its own end where that has passed.
func (a *Agents) endWindow(tx *db.Tx, row *windowRow, now int64) error {
	actor, _ := controlplane.ActorFrom(tx.Context())
	kind := "window.closed"
	row.ClosedAt, row.ClosedBy = now, actor.ID
	if now >= row.EndsAt {
		kind, row.ClosedAt, row.ClosedBy = "window.ended", row.EndsAt, ""
	}
	if err := closeWindow(tx, row); err != nil {
		return fmt.Errorf("agents: end window: %w", err)
	}
	tx.AfterCommit(func() { a.Bus.Publish(bus.TopicServer(row.Server)) })
	_, err := a.Ledger.Append(tx, ledger.Entry{Server: row.Server, Subject: row.ID, Kind: kind,
		Data: map[string]any{"ticket": row.Ticket, "closed_at": controlplane.Instant(controlplane.FromMillis(row.ClosedAt))}})
	return err
}

// sweepWindows ends the windows whose time is over. Most passes find none.
func (a *Agents) sweepWindows(ctx context.Context) error {
	var due []string
	err := a.DB.Read(ctx, func(tx *db.Tx) (err error) {
		due, err = dueWindows(tx)
		return err
	})
	if err != nil {
		return fmt.Errorf("agents: find windows that are over: %w", err)
	}
	var errs []error
	for _, id := range due {
		errs = append(errs, a.DB.Write(ctx, func(tx *db.Tx) error {
			row, err := windowByID(tx, id)
			if err != nil || row == nil || row.ClosedAt != 0 {
				return err
			}
			return a.endWindow(tx, row, tx.NowMillis())
		}))
	}
	return errors.Join(errs...)
}

// Windows lists change windows, newest first, and the token of the next page.
// Those of retired servers are listed where the server is named; of a server
// outside the scope there are none.
//
// Errors: invalid request.
func (a *Agents) Windows(ctx context.Context, scope policy.Scope, f WindowFilter) (items []Window, next string, err error) {
	if f.PageToken != "" && !controlplane.ValidID(controlplane.PrefixWindow, f.PageToken) {
		return nil, "", controlplane.Invalid(controlplane.Field{Pointer: "/page_token", Message: "This is not a token of a page. Begin at the first page."})
	}
	if f.Limit <= 0 {
		f.Limit = 50
	}
	f.Limit = min(f.Limit, 200)
	err = a.DB.Read(ctx, func(tx *db.Tx) error {
		var named string
		if f.Server != "" {
			s, err := a.Servers.ServerIn(tx, scope, f.Server)
			if controlplane.ErrorCode(err) == controlplane.CodeNotFound {
				items, next = nil, ""
				return nil
			} else if err != nil {
				return err
			}
			f.Server, named = s.ID, s.Name
		}
		rows, err := a.listWindows(tx, scope, f)
		if err != nil {
			return fmt.Errorf("agents: list windows: %w", err)
		}
		if named != "" {
			name(rows, named)
		}
		next = ""
		if len(rows) > f.Limit {
			rows = rows[:f.Limit]
			next = rows[f.Limit-1].ID
		}
		items, err = a.windows(rows, scope)
		return err
	})
	return items, next, err
}

// WindowsDuring returns the change windows that lasted at some instant from
// from until until, oldest first: what was found changed between two looks at a
// server was changed in one of them, or outside of all.
//
// Errors: not found for a server outside the scope.
func (a *Agents) WindowsDuring(ctx context.Context, scope policy.Scope, server string, from, until time.Time) (items []Window, err error) {
	err = a.DB.Read(ctx, func(tx *db.Tx) error {
		s, err := a.Servers.ServerIn(tx, scope, server)
		if err != nil {
			return err
		}
		rows, err := windowsDuring(tx, s.ID, from, until)
		if err != nil {
			return fmt.Errorf("agents: windows of a time: %w", err)
		}
		name(rows, s.Name)
		items, err = a.windows(rows, scope)
		return err
	})
	return items, err
}

// WindowsAt is WindowsDuring for one instant: empty where a change then was in
// no window.
func (a *Agents) WindowsAt(ctx context.Context, scope policy.Scope, server string, at time.Time) ([]Window, error) {
	return a.WindowsDuring(ctx, scope, server, at, at)
}

// name names the server of rows that are all of one.
func name(rows []windowRow, server string) {
	for i := range rows {
		rows[i].Name = server
	}
}

func (a *Agents) windows(rows []windowRow, scope policy.Scope) ([]Window, error) {
	out := make([]Window, 0, len(rows))
	for _, r := range rows {
		w, err := a.window(r, r.Name, scope)
		if err != nil {
			return nil, err
		}
		out = append(out, w)
	}
	return out, nil
}

// window opens what is sealed, for those who may see it.
func (a *Agents) window(r windowRow, server string, scope policy.Scope) (Window, error) {
	w := Window{ID: r.ID, Server: r.Server, ServerName: server, OpenedAt: controlplane.FromMillis(r.OpenedAt), EndsAt: controlplane.FromMillis(r.EndsAt),
		ClosedAt: controlplane.FromMillis(r.ClosedAt)}
	if !scope.All() {
		return w, nil
	}
	w.Ticket, w.OpenedBy, w.ClosedBy = r.Ticket, r.OpenedBy, r.ClosedBy
	for column, into := range map[string]*string{"who": &w.Who, "what": &w.What} {
		sealed := r.Who
		if column == "what" {
			sealed = r.What
		}
		plain, err := a.Keeper.Open("", windowAD(r.ID, column), sealed)
		if err != nil {
			return Window{}, fmt.Errorf("agents: read window %s: %w", r.ID, err)
		}
		*into = string(plain)
	}
	return w, nil
}
