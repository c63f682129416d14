package server_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/identity"
	"ostler/controlplane/policy"
	"ostler/controlplane/sessions"
	"ostler/controlplane/teleport"
)

// feed is a cluster that has the events it is given, and no recordings.
type feed struct {
	mu     sync.Mutex
	events []teleport.Event
}

// Events implements sessions.Cluster.
func (f *feed) Events(_ context.Context, from, to time.Time, _ []string, _ int, _ string) (list []teleport.Event, next string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range f.events {
		if !e.At.Before(from) && !e.At.After(to) {
			list = append(list, e)
		}
	}
	return list, "", nil
}

// Stream implements sessions.Cluster.
func (*feed) Stream(context.Context, string, func(teleport.Event) error) error {
	return teleport.ErrNotFound
}

// Observe implements sessions.Cluster.
func (*feed) Observe(context.Context) (teleport.State, error) { return teleport.State{}, nil }

// nobody are lists without anybody on them.
type nobody struct{}

// ByUser implements sessions.Lists.
func (nobody) ByUser(*db.Tx, string) ([]sessions.Somebody, error) { return nil, nil }

// ByStaff implements sessions.Lists.
func (nobody) ByStaff(*db.Tx, string) (sessions.Somebody, bool, error) {
	return sessions.Somebody{}, false, nil
}

// GroundOf implements sessions.Lists.
func (nobody) GroundOf(*db.Tx, string, string, string, time.Time) (sessions.Ground, error) {
	return sessions.Ground{}, nil
}

// LetIn implements sessions.Lists.
func (nobody) LetIn(*db.Tx, string, string, string, time.Time) (bool, error) { return false, nil }

// Months implements sessions.Lists.
func (nobody) Months(*db.Tx, string) (int, error) { return 12, nil }

// openSessions wires sessions to a cluster of the test's.
func (w *world) openSessions(d sessions.Deps) {
	w.t.Helper()
	var err error
	d.Lists, d.Cluster = nobody{}, &w.feed
	w.sessions, err = sessions.New(d, sessions.Options{})
	w.must(err)
}

// connected gives tenants a session on their server that was not recorded, and a hold.
func (w *world) connected(tenants ...*tenant) {
	w.t.Helper()
	now, err := w.d.Now(w.ctx)
	w.must(err)
	w.feed.mu.Lock()
	for _, o := range tenants {
		id := "event-" + o.customer.Slug
		w.feed.events = append(w.feed.events, teleport.Event{ID: id, Type: "exec", At: now,
			Raw: fmt.Appendf(nil, `{"ei":0,"uid":%q,"event":"exec","time":%q,"cluster_name":"test","user":"bob","login":"root","command":"uptime","server_hostname":%q}`, id, now.Format(time.RFC3339), o.server.Name)})
	}
	w.feed.mu.Unlock()
	_, err = w.sessions.ReadNow(w.ctx, all)
	w.must(err)
	w.must(w.jobs.Tick(w.ctx))
	for _, o := range tenants {
		list, _, err := w.sessions.List(w.ctx, all, sessions.Filter{Customer: o.customer.ID})
		w.must(err)
		if len(list) != 1 {
			w.t.Fatalf("%s has %d sessions, want one", o.customer.Name, len(list))
		}
		o.session = list[0].ID
		h, err := w.sessions.Hold(w.ctx, all, sessions.Hold{Customer: o.customer.ID, From: now.AddDate(0, 0, -1), To: now, Reason: "A dispute"})
		w.must(err)
		o.hold = h.ID
	}
}

// auditors are one of mine alone, and one of mine and a third one.
func (w *world) auditors(mine, third tenant) {
	w.t.Helper()
	now, err := w.d.Now(w.ctx)
	w.must(err)
	for name, also := range map[string][]string{"auditor": nil, "auditor-of-several": {third.customer.ID}} {
		p, err := w.identity.AddAuditor(w.ctx, all, identity.NewAuditor{Customer: mine.customer.ID, Also: also, Name: "Helle Nyberg", Email: "helle@audit.example", Until: now.AddDate(0, 0, 7)})
		w.must(err)
		a := controlplane.Actor{Kind: controlplane.ActorAuditor, ID: p.ID, Customer: p.Customer, Customers: p.Customers, Role: string(policy.RoleAuditor)}
		if s := policy.ScopeOf(a); s.All() || !s.Allows(mine.customer.ID) || s.Allows(third.customer.ID) != (also != nil) {
			w.t.Fatalf("%s reaches %v", name, s.Customers())
		}
		w.people[name] = a
	}
}
