package sessions

import (
	"context"
	"strconv"
	"strings"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/policy"
)

// QueueFilter selects what waits for a review.
type QueueFilter struct {
	Customer  string
	Because   string // "risk", "sample", "asked"
	Mine      bool   // claimed by who asks
	Limit     int
	PageToken string
}

// Queue lists sessions that wait for a review and that whoever asks may review,
// the riskiest first, then the oldest. Own says how many wait that they may not
// review, being a participant. What has no recording does not wait: a finding
// says so. Permission: session.review.
func (s *Service) Queue(ctx context.Context, scope policy.Scope, f QueueFilter) (items []Session, own int, next string, err error) {
	if err := staffOnly(scope); err != nil {
		return nil, 0, "", err
	}
	after, err := f.check()
	if err != nil {
		return nil, 0, "", err
	}
	limit := pageSize(f.Limit)
	actor, _ := controlplane.ActorFrom(ctx)
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		who, _, err := s.lists.ByStaff(tx, actor.ID)
		if err != nil {
			return err
		}
		rows, err := queueRows(tx, f, who.ID, actor.ID, after, limit+1)
		if err != nil {
			return err
		}
		next = ""
		if len(rows) > limit {
			rows = rows[:limit]
			next = rows[limit-1].token()
		}
		if items, err = s.inQueue(tx, scope, rows, who, actor.ID); err != nil {
			return err
		}
		if who.ID == "" {
			return nil
		}
		n, err := ownWaiting(tx, who.ID)
		own = int(n)
		return err
	})
	return items, own, next, wrap("queue", err)
}

// inQueue opens rows of the queue in their order, without those in which the
// reader took part by a name that has become theirs since.
func (s *Service) inQueue(tx *db.Tx, scope policy.Scope, rows []queueRow, who Somebody, staff string) ([]Session, error) {
	ids := make([]string, len(rows))
	for i, r := range rows {
		ids[i] = r.SessionID
	}
	sessions, err := sessionRows(tx, ids)
	if err != nil {
		return nil, err
	}
	known := rechecked{s: s, tx: tx, persons: map[string]Somebody{staff: who}, users: map[string][]Somebody{}}
	var mine []sessionRow
	for _, id := range ids {
		own, err := known.own(sessions[id], staff)
		if err != nil {
			return nil, err
		}
		if !own {
			mine = append(mine, sessions[id])
		}
	}
	return s.filled(tx, scope, mine)
}

func (r queueRow) token() string {
	return strconv.FormatInt(r.RiskScore, 10) + "." + pageToken(r.StartedAt, r.SessionID)
}

// check says what is wrong with a filter, and where its page begins.
func (f QueueFilter) check() (after queuePlace, err error) {
	switch f.Because {
	case "", "risk", "sample", "asked":
	default:
		return after, controlplane.Invalid(controlplane.Field{Pointer: "/because", Message: "Choose risk, sample or asked."})
	}
	if f.PageToken == "" {
		return after, nil
	}
	score, rest, _ := strings.Cut(f.PageToken, ".")
	after.risk, err = strconv.ParseInt(score, 10, 64)
	if err == nil {
		after.started, after.id, err = parsePage(rest)
	}
	if err != nil || after.id == "" {
		return after, controlplane.Invalid(controlplane.Field{Pointer: "/page_token", Message: "This is not a page token of this list; leave it out to begin at the first page."})
	}
	return after, nil
}

// dueReviews gives claims back whose time is over, says what is past its time,
// and holds verdicts against who uses which name.
func (s *Service) dueReviews(ctx context.Context) error {
	ctx = asReviews(ctx)
	var over, recheck bool
	var late overdueRow
	var open []string
	var now time.Time
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		now = tx.Now
		recheck = now.UnixMilli() >= s.reviews.rechecked.Load()+voidEvery.Milliseconds()
		if over, err = anyClaimOver(tx); err != nil {
			return err
		}
		if late, err = overdueReviews(tx); err != nil {
			return err
		}
		open, err = s.findings.OpenKeys(tx, findings.SessionReviewOverdue)
		return err
	})
	if err != nil {
		return err
	}
	// Said again when the number changes, and each hour for how long it is.
	said := late.N<<32 | now.Unix()/3600
	if over || late.N == 0 && len(open) > 0 || late.N > 0 && s.reviews.late.Load() != said {
		if err := s.tellOverdue(ctx, late); err != nil {
			return err
		}
		s.reviews.late.Store(said)
	}
	if !recheck {
		return nil
	}
	if _, err := s.Recheck(ctx, everybody()); err != nil {
		return err
	}
	s.reviews.rechecked.Store(now.UnixMilli())
	return nil
}

// tellOverdue opens or closes the one finding about all that is past its time.
func (s *Service) tellOverdue(ctx context.Context, late overdueRow) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if _, err := giveBack(tx); err != nil {
			return err
		}
		if late.N == 0 {
			return s.findings.Close(tx, findings.SessionReviewOverdue, "nothing is past its time")
		}
		count := "One session"
		if late.N > 1 {
			count = strconv.FormatInt(late.N, 10) + " sessions"
		}
		return s.findings.Raise(tx, findings.Finding{Key: findings.SessionReviewOverdue, Kind: findings.SessionReviewOverdue, Severity: findings.Warn, Owner: findings.Ops,
			Args: map[string]string{"count": count, "for": findings.Ago("en", tx.Now.Sub(controlplane.FromMillis(late.Since))), "where": late.Host}, Link: "/sessions/queue"})
	})
}
