package teleport_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ostler/controlplane/teleport"
	"ostler/controlplane/teleport/teleporttest"
)

func typesOf(list []teleport.Event) []string {
	var out []string
	for _, e := range list {
		out = append(out, e.Type)
	}
	return out
}

// A session from its start to its recording, from a cluster of now and from one
// without the later calls.
func TestEventsAndRecording(t *testing.T) {
	for _, old := range []bool{false, true} {
		t.Run(fmt.Sprintf("old=%v", old), func(t *testing.T) {
			clk := newClock()
			c, cl, _ := acme(t, teleporttest.Options{OldServer: old, Now: clk.now, UploadDelay: 2 * time.Second})
			clk.add(time.Second)
			from := clk.now()
			s := connect(t, c, "anna", "deploy", "n-acme")
			clk.add(time.Second)
			s.Print("héllo")
			clk.add(time.Second)
			s.End()

			collect := func() []teleport.Event {
				list, next, err := cl.Events(reaching(t), from, clk.now().Add(time.Minute), []string{"session.start", "session.end", "session.upload"}, 0, "")
				must(t, err)
				if next != "" {
					t.Errorf("got next key %q, want none", next)
				}
				return list
			}
			if got, want := typesOf(collect()), []string{"session.start", "session.end"}; !slices.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
			if err := cl.Stream(reaching(t), s.ID, func(teleport.Event) error { return nil }); !errors.Is(err, teleport.ErrNotFound) || strings.Contains(err.Error(), "/var") {
				t.Errorf("before the upload: got %v, want ErrNotFound without a path", err)
			}
			clk.add(2 * time.Second)
			list := collect()
			if got, want := typesOf(list), []string{"session.start", "session.end", "session.upload"}; !slices.Equal(got, want) {
				t.Fatalf("got %v, want %v", got, want)
			}
			var start struct {
				User, Login, Sid string
			}
			must(t, json.Unmarshal(list[0].Raw, &start))
			if start.User != "anna" || start.Login != "deploy" || start.Sid != s.ID || !list[0].At.Equal(from) {
				t.Errorf("got %+v at %v, want anna as deploy in %s at %v", start, list[0].At, s.ID, from)
			}
			if again := collect(); list[2].ID == "" || again[2].ID != list[2].ID {
				t.Errorf("got ids %q and %q of an upload, want the same twice", list[2].ID, again[2].ID)
			}

			var tape []teleport.Event
			must(t, cl.Stream(reaching(t), s.ID, func(e teleport.Event) error { tape = append(tape, e); return nil }))
			if got, want := typesOf(tape), []string{"session.start", "print", "session.end"}; !slices.Equal(got, want) || string(tape[1].Data) != "héllo" {
				t.Errorf("got %v, data %q, want %v with what was printed", got, tape[1].Data, want)
			}
			enough := errors.New("enough")
			if err := cl.Stream(reaching(t), s.ID, func(teleport.Event) error { return enough }); !errors.Is(err, enough) {
				t.Errorf("got %v, want the taker's own error", err)
			}
		})
	}
}

// A node that loses its power leaves a start, and nothing after it; a command
// leaves neither start nor end.
func TestEventsThatMiss(t *testing.T) {
	clk := newClock()
	c, cl, _ := acme(t, teleporttest.Options{Now: clk.now})
	clk.add(time.Second)
	from := clk.now()
	s := connect(t, c, "anna", "deploy", "n-acme")
	s.Kill()
	must(t, c.Exec("anna", "deploy", "n-acme", "uptime"))
	clk.add(time.Hour)
	list, _, err := cl.Events(reaching(t), from, clk.now(), []string{"session.start", "session.end", "session.upload", "exec"}, 0, "")
	must(t, err)
	if got, want := typesOf(list), []string{"session.start", "exec"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if err := cl.Stream(reaching(t), s.ID, func(teleport.Event) error { return nil }); !errors.Is(err, teleport.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}

func TestEventPages(t *testing.T) {
	clk := newClock()
	c, cl, _ := acme(t, teleporttest.Options{Now: clk.now})
	clk.add(time.Second)
	from := clk.now()
	for range 7 {
		must(t, c.Exec("anna", "deploy", "n-acme", "uptime"))
		clk.add(time.Second)
	}
	read := func(limit int, key string) ([]teleport.Event, string) {
		list, next, err := cl.Events(reaching(t), from, clk.now(), []string{"exec"}, limit, key)
		must(t, err)
		return list, next
	}
	var all []teleport.Event
	var keys []string
	for key := ""; ; {
		list, next := read(3, key)
		all = append(all, list...)
		if key = next; key == "" {
			break
		}
		keys = append(keys, key)
	}
	if len(all) != 7 || len(keys) != 2 || !slices.IsSortedFunc(all, func(a, b teleport.Event) int { return a.At.Compare(b.At) }) {
		t.Errorf("got %d events in %d pages, want 7 in 3, the oldest first", len(all), len(keys)+1)
	}
	for _, key := range []string{keys[0], "made-up"} { // as the real one does
		if list, next := read(3, key); len(list) != 0 || next != "" {
			t.Errorf("key %q: got %d events, want none and no error", key, len(list))
		}
	}
	if list, _ := read(5000, ""); len(list) != 7 { // more than a cluster gives
		t.Errorf("got %d events, want 7", len(list))
	}
	c.Deny("event", "list")
	if _, _, err := cl.Events(reaching(t), from, clk.now(), nil, 0, ""); !errors.Is(err, teleport.ErrDenied) {
		t.Errorf("got %v, want ErrDenied", err)
	}
}

// "event" alone reads the log and no recordings.
func TestRecordingDenied(t *testing.T) {
	c, _, _ := acme(t, teleporttest.Options{UploadDelay: time.Nanosecond})
	s := connect(t, c, "anna", "deploy", "n-acme")
	s.End()
	c.Deny("session", "read")
	cl := client(t, c, teleporttest.RoleReader)
	if err := cl.Stream(reaching(t), s.ID, func(teleport.Event) error { return nil }); !errors.Is(err, teleport.ErrDenied) {
		t.Errorf("got %v, want ErrDenied", err)
	}
}

// A lock's event does not say whom it keeps out: its name leads to our change.
func TestLockEventsNameTheChange(t *testing.T) {
	clk := newClock()
	_, cl, _ := acme(t, teleporttest.Options{Now: clk.now})
	from := clk.now()
	must(t, cl.PutLock(reaching(t), teleport.Lock{Name: "chg_1", User: "anna"}))
	clk.add(time.Second)
	list, _, err := cl.Events(reaching(t), from, clk.now(), []string{"lock.created"}, 0, "")
	must(t, err)
	if len(list) != 1 || !strings.Contains(string(list[0].Raw), "chg_1") || strings.Contains(string(list[0].Raw), "anna") {
		t.Errorf("got %v, want one event that names chg_1 and not anna", list)
	}
}
