package sessions_test

import (
	"io"
	"strings"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/policy"
	"ostler/controlplane/sessions"
	"ostler/controlplane/teleport/teleporttest"
)

// From a cluster, by the real engine, to somebody who watches: the recording comes
// late, is stored, and is watched by whoever has opened a viewing. An old cluster
// gives the same, but for the JSON of its events.
func TestRecordingFromTheCluster(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]teleporttest.Options{"new": {}, "old": {OldServer: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
				w := feedWorld(t, d, clock, o)
				w.lists.grants(w.Maple, w.bobPerson)
				w.play(teleporttest.Script{User: "bob", Login: "root", Node: "node-maple-1", Start: clock.Now().Add(-5 * time.Minute), Size: "90:20", UploadAfter: 8 * time.Minute,
					Steps: []teleporttest.Step{
						{After: time.Second, Print: "root@maple-1:~# "}, {After: time.Second, Print: "echo gr\xc3"}, {After: time.Second, Print: "\xbc\xc3\x9fe\r\n"},
						{After: time.Second, Ran: "echo grüße"}, {After: 10 * time.Second, Print: "grüße\r\n"}, {After: time.Second, Resize: "120:40"}}})
				w.run()
				x := w.one(sessions.Filter{})
				if x.State != sessions.Ended || x.Recording != nil {
					t.Fatalf("got %s and %+v, want its recording awaited", x.State, x.Recording)
				}
				for range 5 {
					w.later(2 * time.Minute)
				}
				x = w.one(sessions.Filter{})
				if x.State != sessions.Stored || x.Recording == nil || x.Recording.Partial != "" || x.Recording.Width != 90 || x.Commands != 1 {
					t.Fatalf("got %s, %d commands and %+v", x.State, x.Commands, x.Recording)
				}
				_, err := w.sessions.OpenCast(w.Ctx, w.all, x.ID, "")
				if controlplane.ErrorCode(err) == "" {
					t.Error("it is played without a viewing")
				}
				cleo := w.as(w.cleo, policy.RoleOps)
				v := must[sessions.Viewing](t)(w.sessions.OpenViewing(cleo, w.all, x.ID, "player", "review"))
				c := must[*sessions.Cast](t)(w.sessions.OpenCast(cleo, w.all, x.ID, v.ID))
				b := must[[]byte](t)(io.ReadAll(c))
				if got := string(b); !strings.Contains(got, `"üße\r\n"`) || !strings.Contains(got, `"r","120x40"`) {
					t.Errorf("got %s", got)
				}
				list := must[[]sessions.Moment](t)(w.sessions.Timeline(cleo, w.all, x.ID, v.ID))
				var got []string
				for _, m := range list {
					got = append(got, strings.TrimSpace(m.Kind+" "+m.Read+" "+m.Text))
				}
				same(t, "timeline", got, []string{"idle", "command kernel /usr/bin/echo grüße", "resize  120x40"})
				found, err := w.sessions.SearchCommands(cleo, w.all, sessions.CommandQuery{Text: "echo"})
				if err != nil || len(found.Hits) != 1 {
					t.Errorf("got %+v, %v", found, err)
				}
				must[string](t)(w.sessions.Check(w.Ctx, w.all, x.ID))
				must[string](t)(w.sessions.Fetch(w.Ctx, w.all, x.ID))
				if w.run(); w.one(sessions.Filter{}).Recording.Integrity != sessions.Intact {
					t.Errorf("got %+v", w.one(sessions.Filter{}).Recording)
				}
				same(t, "findings", w.open(""), nil)
			})
		})
	}
}

// A session whose recording never comes is missing when its time is over.
func TestRecordingNeverComes(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := feedWorld(t, d, clock, teleporttest.Options{})
		w.lists.grants(w.Maple, w.bobPerson)
		w.play(teleporttest.Script{User: "bob", Login: "root", Node: "node-maple-1", Start: clock.Now().Add(-5 * time.Minute), NoUpload: true, Steps: []teleporttest.Step{{After: time.Second, Print: "x"}}})
		for range 8 {
			w.later(3 * time.Minute)
		}
		if x := w.one(sessions.Filter{}); x.State != sessions.Missing {
			t.Errorf("got %s, want it missing", x.State)
		}
		same(t, "findings", w.open(""), []string{"session.recording_missing"})
	})
}
