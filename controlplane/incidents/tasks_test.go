package incidents_test

import (
	"strings"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/findings"
	"ostler/controlplane/incidents"
)

// hostile is a text that a page, a log or a table must not act on.
const hostile = `<script>alert("x")</script> =HYPERLINK("http://x") {case} ` + "\u202e"

// longest is a text of n characters.
func longest(n int) string { return strings.Repeat("ß", n) }

func TestTasks(t *testing.T) {
	each(t, func(w *world) {
		t := w.t
		c := w.open([]customers.Server{w.mapleOne})
		task := must[incidents.Task](t)(w.incidents.AddTask(w.ctx, w.all, c.ID, incidents.Task{Text: "Call the data centre " + hostile, Owner: w.bob.ID, DueAt: w.clock.Now().Add(2 * time.Hour)}))
		if task.OwnerName != "Bob Builder" || task.MadeBy != w.ada.ID || !task.DoneAt.IsZero() {
			t.Errorf("task: got %+v", task)
		}
		w.later(time.Hour)
		same(t, "before it is due", only(w.kinds(), findings.IncidentTaskLate), nil)
		w.later(61 * time.Minute)
		same(t, "past its time", only(w.kinds(), findings.IncidentTaskLate), []string{findings.IncidentTaskLate})
		w.later(time.Hour)
		same(t, "once", only(w.kinds(), findings.IncidentTaskLate), []string{findings.IncidentTaskLate})
		done := must[incidents.Task](t)(w.incidents.TaskDone(w.asBob(), w.all, task.ID, "They are on their way."))
		if done.DoneBy != w.bob.ID || done.Note != "They are on their way." {
			t.Errorf("done: got %+v", done)
		}
		same(t, "when done", only(w.kinds(), findings.IncidentTaskLate), nil)
		again := must[incidents.Task](t)(w.incidents.TaskDone(w.ctx, w.all, task.ID, "Again."))
		if again.DoneBy != w.bob.ID || again.Note != done.Note {
			t.Errorf("done again: got %+v", again)
		}
		if got := w.get(c.ID).Tasks; len(got) != 1 || got[0].ID != task.ID {
			t.Errorf("of the case: got %+v", got)
		}
	})
}

func only(list []string, kind string) (out []string) {
	for _, k := range list {
		if k == kind {
			out = append(out, k)
		}
	}
	return out
}

func TestTasksRefuse(t *testing.T) {
	each(t, func(w *world) {
		t := w.t
		c := w.open(nil)
		for _, tt := range []struct {
			name string
			in   incidents.Task
			want controlplane.Code
		}{
			{"no text", incidents.Task{Text: " "}, controlplane.CodeInvalid},
			{"too long", incidents.Task{Text: longest(501)}, controlplane.CodeInvalid},
			{"the longest", incidents.Task{Text: longest(500)}, ""},
			{"not one of ours", incidents.Task{Text: "x", Owner: w.anna.ID}, controlplane.CodeInvalid},
		} {
			if _, err := w.incidents.AddTask(w.ctx, w.all, c.ID, tt.in); code(err) != tt.want {
				t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
			}
		}
		ctx, own := w.asContact(w.anna)
		if _, err := w.incidents.AddTask(ctx, own, c.ID, incidents.Task{Text: "x"}); code(err) != controlplane.CodeNotFound {
			t.Errorf("a contact: got %v", err)
		}
		if err := w.incidents.Note(ctx, own, c.ID, "", "x"); code(err) != controlplane.CodeNotFound {
			t.Errorf("a contact's note: got %v", err)
		}
		if err := w.incidents.Note(w.ctx, w.all, c.ID, "2099-01-01 10:00", "x"); code(err) != controlplane.CodeInvalid {
			t.Errorf("a note of the future: got %v", err)
		}
		if err := w.incidents.Note(w.ctx, w.all, c.ID, "", longest(4000)); err != nil {
			t.Errorf("the longest note: got %v", err)
		}
	})
}
