package sessions

import (
	"context"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
)

// Why nobody can review a session, as Review.Closed has it.
const (
	closedDeleted    = "deleted"    // its recording was let go of before anybody judged
	closedChanged    = "changed"    // a check found it changed
	closedGone       = "gone"       // the store does not have it
	closedMissing    = "missing"    // none came: a finding of its own
	closedUnrecorded = "unrecorded" // the cluster made none
)

// closedTexts say it to people.
var closedTexts = map[string]string{
	closedDeleted:    "Its recording was let go of before anybody had judged it",
	closedChanged:    "Its recording was changed, so nobody can tell what was done",
	closedGone:       "Its recording is not in the place where recordings are kept",
	closedMissing:    "There is no recording of this session",
	closedUnrecorded: "The cluster recorded nothing of this session",
}

// unreviewable refuses an act on a review that has ended without a verdict.
func unreviewable(r reviewRow) error {
	return conflict("Write down what else is known of it; if a whole recording comes, it waits for a review again.", "This session cannot be reviewed: %s", lower(closedTexts[r.ClosedWhy]))
}

// lower is a sentence's part within another one.
func lower(s string) string {
	if s == "" {
		return "nobody can look at it"
	}
	return string(s[0]|0x20) + s[1:]
}

// closedAtOnce is how many reviews one look ends or opens again.
const closedAtOnce = 50

// dueClosed ends the reviews that nobody can make any more, and opens those again
// whose recording came back.
func (s *Service) dueClosed(ctx context.Context) error {
	ctx = asReviews(ctx)
	var rows []hopelessRow
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		rows, err = hopelessReviews(tx, closedAtOnce)
		return err
	})
	for _, r := range rows {
		if err == nil {
			err = s.settleClosed(ctx, r.SessionID)
		}
	}
	return err
}

// settleClosed ends one review, or opens it again, by how its recording is now.
func (s *Service) settleClosed(ctx context.Context, session string) error {
	if err := s.readyFor(ctx, session); err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		x, err := s.reviewing(tx, everybody(), session)
		if err != nil {
			return err
		}
		rec, _, err := recordingOf(tx, session)
		if err != nil {
			return err
		}
		why := closedBy(x.row, rec)
		switch open := x.r.open(); {
		case open && why != "":
			err = s.closeReview(x, rec, why)
		case ReviewState(x.r.State) == Unreviewable && why == "" && State(x.row.State) == Stored:
			err = s.reopen(x)
		default:
			return nil
		}
		if err != nil {
			return err
		}
		if err := saveReview(tx, x.r); err != nil {
			return err
		}
		return saveSession(tx, &x.row)
	})
}

// open reports whether somebody still has to look.
func (r reviewRow) open() bool {
	switch ReviewState(r.State) {
	case Waiting, Claimed, Asked:
		return true
	}
	return false
}

// closedBy is why nobody can look at a session's recording any more; "" is that
// somebody can, or will.
func closedBy(row sessionRow, rec recordingRow) string {
	switch {
	case State(row.State) == Missing:
		return closedMissing
	case State(row.State) == Unrecorded:
		return closedUnrecorded
	case rec.SessionID == "":
		return ""
	case rec.DeletedAt > 0:
		return closedDeleted
	case Integrity(rec.Integrity) == Changed:
		return closedChanged
	case Integrity(rec.Integrity) == Gone:
		return closedGone
	}
	return ""
}

// closeReview ends a review without a verdict. Of what never came a finding says
// so already; what was there and was not looked at in time is one.
func (s *Service) closeReview(x *reviewing, rec recordingRow, why string) error {
	asked := ReviewState(x.r.State) == Asked
	x.r = x.r.unclaimed()
	x.r.State, x.r.ClosedWhy, x.r.ClosedAt = string(Unreviewable), why, x.tx.NowMillis()
	if err := s.tell(x, "session.review_closed", map[string]any{"because": why, "question_open": asked}, nil); err != nil {
		return err
	}
	if why == closedMissing || why == closedUnrecorded {
		return nil
	}
	because := closedTexts[why]
	if why == closedDeleted {
		because = "Its recording was let go of on " + controlplane.FromMillis(rec.DeletedAt).Format("2 January 2006") + ", before anybody had judged it"
	}
	return s.raise(x, findings.SessionReviewImpossible, findings.Warn, map[string]string{"person": personOf(x.data), "where": x.row.Host, "at": clock(controlplane.FromMillis(x.row.StartedAt)), "because": because})
}

// reopen puts a session into the queue again, with its whole time.
func (s *Service) reopen(x *reviewing) error {
	x.r.State, x.r.ClosedWhy, x.r.ClosedAt = string(Waiting), "", 0
	if Verdict(x.r.Verdict) == Question {
		x.r.State = string(Asked)
	}
	x.r.QueuedAt, x.r.DueAt = x.tx.NowMillis(), x.tx.Now.Add(s.opts.ReviewWithin).UnixMilli()
	if err := s.settle(x, findings.SessionReviewImpossible, "its recording is here and whole again"); err != nil {
		return err
	}
	return s.tell(x, "session.review_wanted", map[string]any{"because": x.r.Because, "again": true}, nil)
}
