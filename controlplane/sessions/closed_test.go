package sessions_test

import (
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/findings"
	"ostler/controlplane/policy"
	"ostler/controlplane/sessions"
)

// A review whose recording is gone or changed does not wait for ever: it ends, and
// says why.
func TestReviewsThatNobodyCanMake(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		cleo := w.as(w.cleo, policy.RoleOps)
		spoil := func(s sessions.Session, columns map[string]any) {
			if err := w.sessions.Spoil(w.Ctx, s.ID, columns); err != nil {
				t.Fatal(err)
			}
		}
		deleted, changed, gone, asked := w.took(), w.took(), w.took(), w.took()
		missing := w.took(func(m *sessions.Made) { m.State = sessions.Missing })
		must[sessions.Session](t)(w.sessions.Claim(cleo, w.all, deleted.ID))
		must[sessions.Session](t)(w.sessions.Judge(cleo, w.all, asked.ID, sessions.Question, "What was this for?", asked.Version))
		spoil(deleted, map[string]any{"deleted_at": clock.Now().UnixMilli()})
		spoil(changed, map[string]any{"integrity": "changed"})
		spoil(gone, map[string]any{"integrity": "gone"})
		spoil(asked, map[string]any{"integrity": "gone"})
		w.run()

		for id, want := range map[string]string{deleted.ID: "deleted", changed.ID: "changed", gone.ID: "gone", asked.ID: "gone", missing.ID: "missing"} {
			r := w.get(id).Review
			if r.State != sessions.Unreviewable || r.Closed != want || r.ClosedAt.IsZero() || r.ClaimedBy != "" {
				t.Errorf("%s: %+v", want, r)
			}
			_, err := w.sessions.Claim(w.Ctx, w.all, id)
			wantCode(t, "claim "+want, err, controlplane.CodeConflict, "cannot be reviewed")
			_, err = w.sessions.Judge(w.Ctx, w.all, id, sessions.Violation, "It was", w.get(id).Version)
			wantCode(t, "judge "+want, err, controlplane.CodeConflict)
		}
		if ids, _ := w.queued(w.Ctx, sessions.QueueFilter{}); len(ids) != 0 {
			t.Errorf("in the queue: %v", ids)
		}
		// What never came has a finding of its own.
		same(t, "findings", w.open(w.Maple.ID), []string{findings.SessionReviewImpossible, findings.SessionReviewImpossible, findings.SessionReviewImpossible, findings.SessionReviewImpossible})
		if got, want := must[sessions.ReviewCounts](t)(w.sessions.Counts(w.Ctx, w.all)), (sessions.ReviewCounts{Impossible: 5}); got != want {
			t.Errorf("counts: %+v, want %+v", got, want)
		}
		w.later(8 * 24 * time.Hour) // past the time that they had
		if got := w.open(w.Maple.ID); len(got) != 4 {
			t.Errorf("later: %v", got)
		}

		// One comes back whole, and of one somebody writes down what is known.
		spoil(changed, map[string]any{"integrity": "intact"})
		spoil(asked, map[string]any{"integrity": "intact"})
		must[sessions.Session](t)(w.sessions.AnswerQuestion(cleo, w.all, deleted.ID, "The ticket has what was done"))
		w.run()
		if r := w.get(changed.ID).Review; r.State != sessions.Waiting || r.Closed != "" || !r.DueAt.After(clock.Now()) {
			t.Errorf("mended: %+v", r)
		}
		if r := w.get(asked.ID).Review; r.State != sessions.Asked || r.Reviewer != "Cleo Clark" || r.Text != "What was this for?" {
			t.Errorf("the question that was open: %+v", r)
		}
		if r := w.get(deleted.ID).Review; r.State != sessions.Unreviewable || r.Answer == "" {
			t.Errorf("written down: %+v", r)
		}
		same(t, "findings", w.open(w.Maple.ID), []string{findings.SessionReviewImpossible})
	})
}
