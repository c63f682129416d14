package sessions_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/ledger"
	"ostler/controlplane/sessions"
	"ostler/controlplane/teleport"
)

// began is when scripted sessions begin.
var began = time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)

// event is an event as the cluster gives it, seconds after began.
func event(kind string, seconds int, fields map[string]any) teleport.Event {
	at := began.Add(time.Duration(seconds) * time.Second)
	all := map[string]any{"event": kind, "time": at.Format(time.RFC3339Nano), "cluster_name": "test", "uid": fmt.Sprintf("%s-%d", kind, seconds)}
	for k, v := range fields {
		all[k] = v
	}
	raw, _ := json.Marshal(all) // strings and numbers always marshal
	return teleport.Event{ID: all["uid"].(string), Type: kind, At: at, Raw: raw}
}

// fields of an event of the one session: bob's on maple-1.
func of(more ...any) map[string]any {
	out := map[string]any{"sid": "sid-1", "user": "bob", "login": "root", "server_hostname": "maple-1"}
	for i := 0; i < len(more); i += 2 {
		out[more[i].(string)] = more[i+1]
	}
	return out
}

// orders calls do with every order of events.
func orders(events []teleport.Event, do func([]teleport.Event)) {
	if len(events) < 2 {
		do(events)
		return
	}
	for i := range events {
		rest := append(append([]teleport.Event{}, events[:i]...), events[i+1:]...)
		orders(rest, func(tail []teleport.Event) { do(append([]teleport.Event{events[i]}, tail...)) })
	}
}

func TestStep(t *testing.T) {
	start := event("session.start", 0, of("size", "80:25", "addr.remote", "192.0.2.1:5000", "session_recording", "node"))
	end := event("session.end", 60, map[string]any{"sid": "sid-1", "user": "bob", "server_hostname": "maple-1", "interactive": true, "participants": []string{"bob"},
		"session_start": began, "session_stop": began.Add(time.Minute)})
	upload := event("session.upload", 62, map[string]any{"sid": "sid-1"})
	at := func(seconds int) time.Time { return began.Add(time.Duration(seconds) * time.Second) }
	bob := sessions.Participant{User: "bob", Joined: at(0)}
	for _, c := range []struct {
		name   string
		events []teleport.Event
		want   sessions.Session
	}{
		{"a session from its beginning to its recording", []teleport.Event{start, end, upload},
			sessions.Session{Kind: sessions.Interactive, State: sessions.Uploaded, StartedAt: at(0), EndedAt: at(60), Login: "root", Address: "192.0.2.1:5000", Participants: []sessions.Participant{bob}}},
		{"it runs", []teleport.Event{start, event("session.command", 5, of()), event("resize", 6, of("size", "120:40"))},
			sessions.Session{Kind: sessions.Interactive, State: sessions.Live, StartedAt: at(0), Login: "root", Address: "192.0.2.1:5000", Participants: []sessions.Participant{bob}}},
		{"no recording yet", []teleport.Event{start, end},
			sessions.Session{Kind: sessions.Interactive, State: sessions.Ended, StartedAt: at(0), EndedAt: at(60), Login: "root", Address: "192.0.2.1:5000", Participants: []sessions.Participant{bob}}},
		{"an end without a start, and without a login", []teleport.Event{end},
			sessions.Session{Kind: sessions.Interactive, State: sessions.Ended, StartedAt: at(0), EndedAt: at(60), Participants: []sessions.Participant{bob}}},
		{"the recording says that it is over", []teleport.Event{start, upload},
			sessions.Session{Kind: sessions.Interactive, State: sessions.Uploaded, StartedAt: at(0), EndedAt: at(62), Login: "root", Address: "192.0.2.1:5000", Participants: []sessions.Participant{bob}}},
		{"somebody joins, leaves and comes again", []teleport.Event{start, event("session.join", 10, of("user", "cleo")), event("session.leave", 20, of("user", "cleo")),
			event("session.join", 30, of("user", "cleo")), end},
			sessions.Session{Kind: sessions.Interactive, State: sessions.Ended, StartedAt: at(0), EndedAt: at(60), Login: "root", Address: "192.0.2.1:5000",
				Participants: []sessions.Participant{bob, {User: "cleo", Joined: at(10)}}}},
		{"somebody joins and leaves", []teleport.Event{start, event("session.join", 10, of("user", "cleo")), event("session.leave", 20, of("user", "cleo"))},
			sessions.Session{Kind: sessions.Interactive, State: sessions.Live, StartedAt: at(0), Login: "root", Address: "192.0.2.1:5000",
				Participants: []sessions.Participant{bob, {User: "cleo", Joined: at(10), Left: at(20)}}}},
		{"a join that nobody told of", []teleport.Event{start, event("session.end", 60, of("interactive", true, "participants", []string{"bob", "cleo"}, "session_stop", at(60)))},
			sessions.Session{Kind: sessions.Interactive, State: sessions.Ended, StartedAt: at(0), EndedAt: at(60), Login: "root", Address: "192.0.2.1:5000",
				Participants: []sessions.Participant{bob, {User: "cleo"}}}},
		{"one command with an id", []teleport.Event{event("exec", 3, of("command", "uptime"))},
			sessions.Session{Kind: sessions.Exec, State: sessions.Ended, StartedAt: at(3), EndedAt: at(3), Login: "root", Command: "uptime", Participants: []sessions.Participant{{User: "bob", Joined: at(3)}}}},
		{"one command with all of its life", []teleport.Event{event("session.start", 0, of("initial_command", []string{"uptime", "-p"})), event("exec", 1, of("command", "uptime -p")),
			event("session.end", 2, of("interactive", false, "session_stop", at(2))), event("session.upload", 4, map[string]any{"sid": "sid-1"})},
			sessions.Session{Kind: sessions.Exec, State: sessions.Uploaded, StartedAt: at(0), EndedAt: at(2), Login: "root", Command: "uptime -p", Participants: []sessions.Participant{bob}}},
		{"files by scp", []teleport.Event{event("scp", 3, of("command", "scp -f /etc/hosts", "path", "/etc/hosts", "action", "download"))},
			sessions.Session{Kind: sessions.SCP, State: sessions.Ended, StartedAt: at(3), EndedAt: at(3), Login: "root", Command: "scp -f /etc/hosts", Participants: []sessions.Participant{{User: "bob", Joined: at(3)}}}},
		{"files by sftp", []teleport.Event{event("sftp", 3, of("path", "/etc/hosts", "action", 1)), event("sftp", 9, of("path", "/etc/passwd", "action", 1))},
			sessions.Session{Kind: sessions.SFTP, State: sessions.Ended, StartedAt: at(3), EndedAt: at(9), Login: "root", Command: "/etc/hosts", Participants: []sessions.Participant{{User: "bob", Joined: at(3)}}}},
		{"a role that records nothing", []teleport.Event{event("session.start", 0, of("size", "80:25", "session_recording", "off")), end},
			sessions.Session{Kind: sessions.Interactive, State: sessions.Unrecorded, StartedAt: at(0), EndedAt: at(60), Login: "root", Participants: []sessions.Participant{bob}}},
		{"a try that was refused is kept and changes nothing", []teleport.Event{start, event("session.rejected", 7, of("user", "mallory"))},
			sessions.Session{Kind: sessions.Interactive, State: sessions.Live, StartedAt: at(0), Login: "root", Address: "192.0.2.1:5000", Participants: []sessions.Participant{bob}}},
		{"a desktop", []teleport.Event{event("windows.desktop.session.start", 0, of()), event("windows.desktop.session.end", 30, of())},
			sessions.Session{Kind: sessions.Other, State: sessions.Ended, StartedAt: at(0), EndedAt: at(30), Login: "root", Participants: []sessions.Participant{bob}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.want.SID, c.want.Host, c.want.User = "sid-1", "maple-1", "bob"
			n := 0
			orders(c.events, func(list []teleport.Event) {
				n++
				twice := append(append([]teleport.Event{}, list...), list[n%len(list)]) // what comes twice counts once
				got, err := sessions.Steps(twice...)
				if err != nil {
					t.Fatal(err)
				}
				if !reflect.DeepEqual(got, c.want) {
					var types []string
					for _, e := range twice {
						types = append(types, e.Type)
					}
					t.Fatalf("%s:\ngot  %+v\nwant %+v", strings.Join(types, " "), got, c.want)
				}
			})
		})
	}
}

func TestStepWithoutID(t *testing.T) {
	got, err := sessions.Steps(event("exec", 3, map[string]any{"user": "bob", "login": "root", "server_hostname": "maple-1", "command": "uptime"}))
	if err != nil {
		t.Fatal(err)
	}
	if got.Kind != sessions.Exec || got.State != sessions.Unrecorded || !got.EndedAt.Equal(got.StartedAt) {
		t.Errorf("a command without a session's id: got %+v, want one that the cluster recorded nothing of", got)
	}
}

// Who acted under another one's name took part, whatever the order of events.
func TestImpersonator(t *testing.T) {
	t.Parallel()
	events := []teleport.Event{event("session.start", 0, of("size", "80:25", "impersonator", "cleo")), event("session.command", 5, of("impersonator", "cleo")),
		event("session.end", 60, of("interactive", true, "participants", []string{"bob"})), event("exec", 7, of("command", "id", "impersonator", "bob"))}
	orders(events, func(list []teleport.Event) {
		x, err := sessions.Steps(list...)
		if err != nil {
			t.Fatal(err)
		}
		if len(x.Participants) != 2 || x.User != "bob" || x.Participants[0].User != "bob" || x.Participants[0].Mode != "" || x.Participants[1].User != "cleo" ||
			x.Participants[1].Mode != "impersonator" || !x.Participants[1].Joined.Equal(began) {
			t.Fatalf("got %+v, want bob, and cleo who acted as him", x.Participants)
		}
	})
}

// They are a participant by person: on record as one, and named to the customer.
func TestImpersonatorIsSomebody(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		c := &scripted{list: []teleport.Event{event("session.start", 0, of("size", "80:25", "impersonator", "cleo"))}}
		w := newWorld(t, d, clock, func(d *sessions.Deps, _ *sessions.Options) { d.Cluster = c })
		w.lists.grants(w.Maple, w.bobPerson)
		w.Clock.Advance(began.Add(10 * time.Minute).Sub(w.Clock.Now()))
		w.run()
		x := w.one(sessions.Filter{Person: w.cleoPerson.ID})
		if x.Person != w.bobPerson.ID || len(x.Participants) != 2 || x.Participants[1].Name != "Cleo Clark" || !slices.Equal(x.Ground.Lacks, []string{"grant"}) {
			t.Errorf("got %+v, lacks %v; want both, and that one of them has no grant", x.Participants, x.Ground.Lacks)
		}
		items, _, err := w.Ledger.List(w.Ctx, w.all, ledger.Filter{Customer: w.Maple.ID, Kinds: []string{"session.begun"}})
		if err != nil || len(items) != 1 || items[0].Personal["person"] != "Bob Builder" || items[0].Personal["acting"] != "Cleo Clark" || items[0].Personal["user"] != "" {
			t.Errorf("the customer's entry: got %+v, %v", items, err)
		}
	})
}
