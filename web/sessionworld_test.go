package web_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/identity"
	"ostler/controlplane/sessions"
	"ostler/controlplane/teleport"
)

// stage is a Teleport cluster that a test plays: its log, and its recordings.
type stage struct {
	mu    sync.Mutex
	log   []teleport.Event
	tapes map[string][]teleport.Event
}

// Events implements sessions.Cluster.
func (c *stage) Events(_ context.Context, from, to time.Time, _ []string, _ int, _ string) (list []teleport.Event, next string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.log {
		if !e.At.Before(from) && e.At.Before(to) {
			list = append(list, e)
		}
	}
	return list, "", nil
}

// Stream implements sessions.Cluster.
func (c *stage) Stream(_ context.Context, sid string, take func(teleport.Event) error) error {
	c.mu.Lock()
	tape, there := c.tapes[sid]
	c.mu.Unlock()
	if !there {
		return fmt.Errorf("read recording: %w", teleport.ErrNotFound)
	}
	for _, e := range tape {
		if err := take(e); err != nil {
			return err
		}
	}
	return nil
}

// Observe implements sessions.Cluster.
func (c *stage) Observe(context.Context) (teleport.State, error) { return teleport.State{}, nil }

// say is an event of the cluster.
func (h *house) say(kind string, at time.Time, fields map[string]any) teleport.Event {
	all := map[string]any{"event": kind, "time": at.UTC().Format(time.RFC3339Nano), "cluster_name": "teleport.example"}
	for k, v := range fields {
		all[k] = v
	}
	raw, err := json.Marshal(all)
	if err != nil {
		h.t.Fatal(err)
	}
	e := teleport.Event{ID: controlplane.NewID("evt_"), Type: kind, At: at, Raw: raw}
	if s, ok := fields["data"].(string); ok {
		e.Data = []byte(s)
	}
	return e
}

// typed is one line that somebody types in a terminal, and what it answers.
type typed struct{ command, answer string }

// played is a session that somebody had, two seconds a command, and its recording
// with us. It returns the session's id.
func (h *house) played(user, login, host string, run ...typed) string {
	h.t.Helper()
	h.clock.Advance(time.Hour)
	begin := h.clock.Now().Add(-30 * time.Minute)
	sid := controlplane.NewID("sid_")
	about := map[string]any{"sid": sid, "user": user, "login": login, "server_hostname": host, "addr.remote": "192.0.2.7:50000", "size": "80:25", "session_recording": "node", "interactive": true}
	tape := []teleport.Event{h.say("session.start", begin, about)}
	ms := 0
	print := func(s string) {
		tape = append(tape, h.say("print", begin.Add(time.Duration(ms)*time.Millisecond), map[string]any{"ms": ms, "data": s}))
	}
	prompt := login + "@" + host + ":~$ "
	print(prompt)
	for _, x := range run {
		ms += 500
		print(x.command)
		ms += 100
		print("\r\n" + x.answer + prompt)
		ms += 1400
	}
	end := begin.Add(time.Duration(ms) * time.Millisecond)
	about["participants"], about["session_start"], about["session_stop"] = []string{user}, begin.UTC().Format(time.RFC3339Nano), end.UTC().Format(time.RFC3339Nano)
	tape = append(tape, h.say("session.end", end, about))
	h.stage.mu.Lock()
	h.stage.tapes[sid] = tape
	h.stage.log = append(h.stage.log, tape[0], tape[len(tape)-1], h.say("session.upload", end.Add(time.Second), map[string]any{"sid": sid}))
	h.stage.mu.Unlock()
	return h.readSession(sid)
}

// readSession has the log read, and what it brings fetched.
func (h *house) readSession(sid string) string {
	h.t.Helper()
	ok[string](h.t)(h.sessions.ReadNow(h.ctx, all))
	for range 3 {
		h.tick()
	}
	items, _, err := h.sessions.List(h.ctx, all, sessions.Filter{Limit: 200})
	if err != nil {
		h.t.Fatal(err)
	}
	for _, s := range items {
		if s.SID == sid {
			return s.ID
		}
	}
	h.t.Fatalf("the session %s was not read; %d others were", sid, len(items))
	return ""
}

// crew are who our people are, to sessions.
type crew struct {
	mu     sync.Mutex
	people []sessions.Somebody
	users  map[string]string // name at the cluster: prs_
	ground map[string]sessions.Ground
}

// ByUser implements sessions.Lists.
func (c *crew) ByUser(_ *db.Tx, user string) (out []sessions.Somebody, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.people {
		if p.ID == c.users[user] {
			out = append(out, p)
		}
	}
	return out, nil
}

// ByStaff implements sessions.Lists.
func (c *crew) ByStaff(_ *db.Tx, staff string) (sessions.Somebody, bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.people {
		if p.Staff == staff {
			return p, true, nil
		}
	}
	return sessions.Somebody{}, false, nil
}

// GroundOf implements sessions.Lists.
func (c *crew) GroundOf(_ *db.Tx, _, person, _ string, _ time.Time) (sessions.Ground, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ground[person], nil
}

// LetIn implements sessions.Lists.
func (c *crew) LetIn(*db.Tx, string, string, string, time.Time) (bool, error) { return false, nil }

// Months implements sessions.Lists.
func (c *crew) Months(*db.Tx, string) (int, error) { return 12, nil }

// onCrew is somebody of ours with a name at Teleport and a ground for every server.
func (h *house) onCrew(name, staff, user string) sessions.Somebody {
	h.t.Helper()
	p := sessions.Somebody{ID: controlplane.NewID(controlplane.PrefixPerson), Name: name, Staff: staff}
	h.crew.mu.Lock()
	defer h.crew.mu.Unlock()
	h.crew.people = append(h.crew.people, p)
	h.crew.users[user] = p.ID
	h.crew.ground[p.ID] = sessions.Ground{Grant: controlplane.NewID(controlplane.PrefixGrant), Kind: "normal", Role: "operator", Ticket: "OPS-7", Reason: "Keeps the shop running", Authorisation: controlplane.NewID(controlplane.PrefixAuthorisation)}
	return p
}

// sessionsThere has Tomas, who is nobody's colleague in the portal, restart a web
// server on the customer's machine.
func (h *house) sessionsThere() string {
	h.t.Helper()
	h.onCrew("Tomas Lind", "stf_00000000000000000000000009", "tomas")
	if err := h.d.Write(h.ctx, func(tx *db.Tx) error {
		return tx.Exec("UPDATE tenancies SET created_at = 1").Error // they have always lived there
	}); err != nil {
		h.t.Fatal(err)
	}
	return h.played("tomas", "tomas", "maple-1", typed{"systemctl status nginx", "failed\r\n"}, typed{"sudo systemctl restart nginx", ""}, typed{"exit", "\x1b]0;owned\x07\x1b[2Jlogout\r\n"})
}

// agrees changes what a customer sees of recordings.
func (h *house) agrees(c customers.Customer, watch, commands bool) {
	h.t.Helper()
	t := ok[sessions.Terms](h.t)(h.sessions.TermsOf(h.ctx, all, c.ID))
	t.Watch, t.Commands = watch, commands
	ok[sessions.Terms](h.t)(h.sessions.SetTerms(h.ctx, all, t))
}

// auditorOf is an outside auditor of a customer for some hours.
func (h *house) auditorOf(c customers.Customer, hours int) identity.Person {
	h.t.Helper()
	return ok[identity.Person](h.t)(h.identity.AddAuditor(h.ctx, all, identity.NewAuditor{Customer: c.ID, Name: "Helle Nyberg", Email: strings.ToLower(c.Slug) + "@audit.example", Until: h.clock.Now().Add(time.Duration(hours) * time.Hour)}))
}
