package sessions

import (
	"context"
	"time"

	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// ReviewCounts are figures of a time for the review page.
type ReviewCounts struct {
	Waiting, Overdue, Asked int
	Reviewed, Fine          int
	Questions, Violations   int
	Impossible              int           // ended without a verdict: nobody can look at them
	Watched                 time.Duration // each minute of a recording once
}

// countsOf is how far back the figures go.
const countsOf = 30 * 24 * time.Hour

// Counts returns the figures: what is open now, and what was judged and watched
// in the last 30 days. Permission: session.review.
func (s *Service) Counts(ctx context.Context, scope policy.Scope) (out ReviewCounts, err error) {
	if err := staffOnly(scope); err != nil {
		return out, err
	}
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		out = ReviewCounts{}
		since := tx.Now.Add(-countsOf).UnixMilli()
		rows, err := reviewCounts(tx, since)
		if err != nil {
			return err
		}
		for _, r := range rows {
			out.add(r)
		}
		out.Watched, err = watchedSince(tx, since)
		return err
	})
	return out, wrap("counts", err)
}

func (c *ReviewCounts) add(r countRow) {
	n := int(r.N)
	switch ReviewState(r.State) {
	case Reviewed:
		c.Reviewed += n
		if Verdict(r.Verdict) == Violation {
			c.Violations += n
		} else {
			c.Fine += n
		}
		return
	case Unreviewable:
		c.Impossible += n
		return
	case Asked:
		c.Asked, c.Questions = c.Asked+n, c.Questions+n
	default:
		c.Waiting += n
	}
	if r.Overdue == 1 {
		c.Overdue += n
	}
}

// watchedSince is how much of recordings was watched since an instant, by
// whomever, each minute of each recording once.
func watchedSince(tx *db.Tx, since int64) (time.Duration, error) {
	rows, err := partsSince(tx, since)
	if err != nil {
		return 0, err
	}
	all := map[string][]span{}
	for _, r := range rows {
		spans, err := parseSpans(r.Parts)
		if err != nil {
			return 0, err
		}
		all[r.SessionID] = append(all[r.SessionID], spans...)
	}
	var ms int64
	for _, spans := range all {
		ms += length(merged(spans))
	}
	return time.Duration(ms) * time.Millisecond, nil
}
