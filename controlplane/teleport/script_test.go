package teleport_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"ostler/controlplane/teleport"
	"ostler/controlplane/teleport/teleporttest"
)

// readAll reads every page of what was between two instants.
func readAll(t *testing.T, cl *teleport.Client, from, to time.Time, limit int) (list []teleport.Event) {
	t.Helper()
	for key := ""; ; {
		page, next, err := cl.Events(reaching(t), from, to, nil, limit, key)
		must(t, err)
		list = append(list, page...)
		if key = next; key == "" {
			return list
		}
	}
}

// A session that was is in the log with whoever joined it, and in the recording
// with all that a terminal showed.
func TestScript(t *testing.T) {
	clk := newClock()
	c, cl, _ := acme(t, teleporttest.Options{Now: clk.now})
	begin := clk.now().Add(-3 * time.Hour).Truncate(time.Millisecond)
	sid, err := c.Play(teleporttest.Script{User: "anna", Login: "root", Node: "n-acme", Start: begin, ClockAhead: time.Hour, Steps: []teleporttest.Step{
		{After: time.Second, Print: "$ "}, {After: 2 * time.Second, Join: "bela"}, {After: time.Second, Ran: "systemctl restart nginx"},
		{After: time.Second, Resize: "120:40"}, {After: time.Second, Leave: "bela"}}})
	must(t, err)
	list := readAll(t, cl, begin.Add(-time.Minute), clk.now().Add(24*time.Hour), 0)
	list = slices.DeleteFunc(list, func(e teleport.Event) bool { return !strings.Contains(string(e.Raw), sid) })
	want := []string{"session.upload", "session.start", "session.join", "session.command", "resize", "session.leave", "session.end"}
	if got := typesOf(list); !slices.Equal(got, want) {
		t.Fatalf("got %v, want %v: an hour ahead, but for the upload", got, want)
	}
	if got, want := list[1].At, begin.Add(time.Hour); !got.Equal(want) {
		t.Errorf("it began at %v, want %v by the node's clock", got, want)
	}
	var tape []teleport.Event
	record := func() {
		tape = nil
		must(t, cl.Stream(reaching(t), sid, func(e teleport.Event) error { tape = append(tape, e); return nil }))
	}
	record()
	if len(tape) != 7 || string(tape[1].Data) != "$ " {
		t.Errorf("got %v, want all of it", typesOf(tape))
	}
	c.ChangeRecording(sid, "$", "#")
	if record(); string(tape[1].Data) != "# " {
		t.Errorf("got %q, want what it was changed to", tape[1].Data)
	}
	c.HideRecording(sid, true)
	if err := cl.Stream(reaching(t), sid, func(teleport.Event) error { return nil }); !errors.Is(err, teleport.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound for a recording that is gone", err)
	}
}

// One event that nobody can read does not keep the others back, nor do events
// that are too large for one answer together.
func TestEventsThatCannotBeRead(t *testing.T) {
	clk := newClock()
	c, cl, _ := acme(t, teleporttest.Options{Now: clk.now})
	from := clk.now().Add(-time.Hour)
	large := strings.Repeat("x", 2<<20)
	for i := range 3 {
		c.PlayExec(teleporttest.Ran{User: "anna", Login: "root", Node: "n-acme", Command: large, At: from.Add(time.Duration(i) * time.Second)})
	}
	c.PlayBad(from.Add(10 * time.Second))
	c.PlayExec(teleporttest.Ran{User: "anna", Login: "root", Node: "n-acme", Command: "uptime", At: from.Add(11 * time.Second), Session: true})
	c.PlayCopy("anna", "root", "n-acme", "/etc/hosts", "download", from.Add(12*time.Second), false)
	c.PlayCopy("anna", "root", "n-acme", "/etc/hosts", "download", from.Add(13*time.Second), true)
	to := from.Add(time.Minute)
	if _, _, err := cl.Events(reaching(t), from, to, nil, 0, ""); !errors.Is(err, teleport.ErrTooMuch) {
		t.Fatalf("got %v, want ErrTooMuch for 6 MiB at once", err)
	}
	list := readAll(t, cl, from, to, 1)
	if got, want := typesOf(list), []string{"exec", "exec", "exec", "exec", "exec", "scp", "sftp"}; !slices.Equal(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	for i, e := range list {
		if bad := e.Bad != nil; bad != (i == 3) {
			t.Errorf("event %d: %v", i, e.Bad)
		}
	}
	if len(list[0].Raw) < len(large) {
		t.Errorf("got %d bytes, want all of the large one", len(list[0].Raw))
	}
}
