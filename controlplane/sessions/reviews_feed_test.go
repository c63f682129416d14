package sessions_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/policy"
	"ostler/controlplane/sessions"
	"ostler/controlplane/teleport/teleporttest"
)

// From the cluster to the verdict: what was run makes a session wait for a
// review, and neither who began it nor who joined it may give it.
func TestReviewFromTheCluster(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := feedWorld(t, d, clock, teleporttest.Options{})
		w.lists.grants(w.Maple, w.bobPerson)
		w.lists.grants(w.Maple, w.cleoPerson)
		w.play(teleporttest.Script{User: "bob", Login: "root", Node: "node-maple-1", Start: clock.Now().Add(-20 * time.Minute), UploadAfter: time.Second, Steps: []teleporttest.Step{
			{After: time.Second, Join: "cleo"}, {After: time.Second, Ran: "cat /etc/shadow"}, {After: 2 * time.Minute, Print: "root:*:"}, {After: time.Second, Leave: "cleo"}}})
		for range 5 {
			w.later(2 * time.Minute)
		}
		x := w.one(sessions.Filter{})
		if x.State != sessions.Stored || x.Review.State != sessions.Waiting || x.Review.Because != "risk" {
			t.Fatalf("got %s, review %+v, risk %+v", x.State, x.Review, x.Risk)
		}
		for _, want := range []string{"risk.secrets", "risk.root", "risk.joined"} {
			if !slices.Contains(x.Risk.Why, want) {
				t.Errorf("risk %v has no %s", x.Risk.Why, want)
			}
		}
		for who, ctx := range map[string]context.Context{"Bob": w.as(w.bob, policy.RoleOps), "Cleo": w.as(w.cleo, policy.RoleOps)} {
			_, err := w.sessions.Claim(ctx, w.all, x.ID)
			wantCode(t, who, err, controlplane.CodeForbidden, "took part")
		}
		// A new name makes nobody a stranger to what they did under the old one.
		w.lists.renamed(w.bobPerson, "bob", "robert")
		for range 3 {
			w.later(90 * time.Minute) // deep readings
		}
		_, err := w.sessions.Claim(w.as(w.bob, policy.RoleOps), w.all, x.ID)
		wantCode(t, "Bob, whom the cluster calls Robert now", err, controlplane.CodeForbidden, "took part")
		got, _ := w.queued(w.Ctx, sessions.QueueFilter{})
		same(t, "Ada's queue", got, []string{x.ID})
		v := must[sessions.Viewing](t)(w.sessions.OpenViewing(w.Ctx, w.all, x.ID, "player", "review"))
		clock.Advance(time.Minute)
		must[sessions.Viewing](t)(w.sessions.Watched(w.Ctx, w.all, v.ID, []sessions.Stretch{{To: time.Hour}}))
		done := must[sessions.Session](t)(w.sessions.Judge(w.Ctx, w.all, x.ID, sessions.Fine, "", w.get(x.ID).Version))
		if done.Review.Watched != 1 || done.Review.State != sessions.Reviewed {
			t.Errorf("got %+v", done.Review)
		}
	})
}
