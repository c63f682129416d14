package sessions

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/bits"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
	"ostler/controlplane/secrets"
)

// How a day's sample is drawn, and how anybody draws it again:
//
// Before a UTC day begins, the ledger has session.draw_committed with the day, the
// SHA-256 of a seed of 32 random bytes, in hex, the percent that holds where
// nothing else is agreed, and the SHA-256 of a table of the percents that differ
// from it. After the day, session.draw_revealed has the seed itself. A session of
// that day is drawn if
//
//	HMAC-SHA-256(key: the seed, message: the session's id)
//
// read as a big-endian number of its first 8 bytes is less than percent · 2^64 / 100,
// rounded down; at 100 percent all are. percent is the highest one of the terms
// of the session's customers as they stood when the seed was committed to: what a
// customer's chain says in session.terms_changed before that. Nobody lowers it
// afterwards. It stands in the session's entry session.review_wanted, too. A
// session is of the day in which it ended; one without an end, in which it began.
// What has no recording is not drawn: a finding says so already; if a recording
// comes later, its session is drawn, or not, by the same number.
const seedBytes = 32

// ahead is how long before its day a commitment is made at the latest.
const ahead = time.Hour

// seedsAhead is for how many days to come there are seeds: a plane that is down for
// a night misses none.
const seedsAhead = 2

// patience is how long after its day a draw waits for sessions and for the feed.
const patience = 24 * time.Hour

// isDrawn reports whether a seed draws a session.
func isDrawn(seed []byte, session string, percent int) bool {
	switch {
	case percent <= 0:
		return false
	case percent >= 100:
		return true
	}
	mac := hmac.New(sha256.New, seed)
	mac.Write([]byte(session))
	limit, _ := bits.Div64(uint64(percent), 0, 100)
	return binary.BigEndian.Uint64(mac.Sum(nil)) < limit
}

// commitment is what the ledger has of a seed before its day.
func commitment(seed []byte) string {
	sum := sha256.Sum256(seed)
	return hex.EncodeToString(sum[:])
}

// Draws lists the days' samples, the latest first. A seed is shown when its day is
// over and it is revealed. Whoever reads as a customer reads their own percent,
// and counts of their own sessions. Permission: session.read.
func (s *Service) Draws(ctx context.Context, scope policy.Scope, limit int, pageToken string) (items []Draw, next string, err error) {
	if pageToken != "" {
		if _, err := time.Parse(time.DateOnly, pageToken); err != nil {
			return nil, "", controlplane.Invalid(controlplane.Field{Pointer: "/page_token", Message: "This is not a page token of this list; leave it out to begin at the first page."})
		}
	}
	limit = pageSize(limit)
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		rows, err := drawRows(tx, pageToken, limit+1)
		if err != nil {
			return err
		}
		shown := rows[:min(len(rows), limit)]
		next = ""
		if len(rows) > limit {
			next = shown[limit-1].Day
		}
		items = make([]Draw, len(shown))
		for i, r := range shown {
			if items[i], err = s.draw(r, scope); err != nil {
				return err
			}
			if r.Commitment == "" && i+1 < len(rows) {
				items[i].From = dayAfter(rows[i+1].Day)
			}
		}
		if scope.All() {
			return nil
		}
		return countDrawn(tx, scope, inPeriod(ctx, Filter{}), items)
	})
	return items, next, wrap("draws", err)
}

// draw opens a row, as a scope sees it; the seed of a day that is not revealed
// stays closed.
func (s *Service) draw(r drawRow, scope policy.Scope) (Draw, error) {
	out := Draw{ID: r.ID, Day: r.Day, From: r.Day, Commitment: r.Commitment, Percent: int(r.Percent), Of: int(r.OfN), Drawn: int(r.Drawn), RevealedAt: controlplane.FromMillis(r.RevealedAt)}
	if r.Commitment == "" {
		return out, nil
	}
	out.From = ""
	if r.Percents != "" {
		out.Table = commitment([]byte(r.Percents))
		table, err := r.table()
		if err != nil {
			return out, err
		}
		if own := scope.Customers(); !scope.All() && len(own) > 0 {
			out.Percent = table.highest(r.Percent, own)
		}
	}
	if r.RevealedAt == 0 || r.Commitment == "" {
		return out, nil
	}
	seed, err := s.seed(r)
	out.Seed = hex.EncodeToString(seed)
	return out, err
}

func seedAD(id string) secrets.AD { return secrets.AD{Table: "session_draws", Column: "seed", Row: id} }

// seed opens a day's seed, and holds it against what was committed.
func (s *Service) seed(r drawRow) ([]byte, error) {
	seed, err := s.keeper.Open("", seedAD(r.ID), r.Seed)
	if err != nil {
		return nil, fmt.Errorf("seed of %s: %w", r.Day, err)
	}
	if commitment(seed) != r.Commitment {
		return nil, errors.New("the seed of " + r.Day + " is not the one that was committed")
	}
	return seed, nil
}

// dueDraws commits to the seeds of days to come, and reveals those of days that are over.
func (s *Service) dueDraws(ctx context.Context) error {
	ctx = asReviews(ctx)
	var now time.Time
	var last string
	var over []drawRow
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		now = tx.Now
		if last, err = lastDraw(tx); err != nil {
			return err
		}
		over, err = drawsToReveal(tx, now.Format(time.DateOnly))
		return err
	})
	if err != nil {
		return err
	}
	for n := range seedsAhead {
		day := nextDraw(now.AddDate(0, 0, n))
		if last >= day {
			continue
		}
		if err := s.commit(ctx, day); err != nil {
			return err
		}
		last = day
	}
	for _, r := range over {
		if err := s.reveal(ctx, r.Day); err != nil {
			return err
		}
	}
	return nil
}

// nextDraw is the first day whose beginning is far enough ahead.
func nextDraw(now time.Time) string { return now.Add(ahead).AddDate(0, 0, 1).Format(time.DateOnly) }

// commit makes the seed of a day to come and puts its commitment into the ledger. Days
// before it, up to today, that have none say so: the plane was down, or new.
func (s *Service) commit(ctx context.Context, day string) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	seed := make([]byte, seedBytes)
	_, _ = rand.Read(seed) // crypto/rand.Read never returns an error
	row := drawRow{ID: controlplane.NewID(controlplane.PrefixDraw), Day: day, Commitment: commitment(seed), Percent: int64(s.opts.Percent)}
	var err error
	if row.Seed, err = s.keeper.Seal("", seedAD(row.ID), seed); err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		last, err := lastDraw(tx)
		if err != nil || last >= day { // another replica was first
			return err
		}
		if err := s.skip(tx, last, day); err != nil {
			return err
		}
		if row.Percents, err = percentsNow(tx, row.Percent); err != nil {
			return err
		}
		row.CommittedAt = tx.NowMillis()
		if err := db.Insert(tx, &row); err != nil {
			return err
		}
		_, err = s.ledger.Append(tx, ledger.Entry{Subject: row.ID, Kind: entryDrawCommitted,
			Data: map[string]any{"day": day, "commitment": row.Commitment, "percent": row.Percent, "percents_sha256": commitment([]byte(row.Percents))}})
		return err
	})
}

// skip says of which days nothing is drawn: those after the last commitment and
// before a day, from today on or as far back as the last one was.
func (s *Service) skip(tx *db.Tx, last, day string) error {
	from := tx.Now.Format(time.DateOnly)
	if last != "" {
		t, err := time.Parse(time.DateOnly, last)
		if err != nil {
			return err
		}
		from = t.AddDate(0, 0, 1).Format(time.DateOnly)
	}
	if from >= day {
		return nil
	}
	t, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return err
	}
	until := t.AddDate(0, 0, -1).Format(time.DateOnly)
	id := controlplane.NewID(controlplane.PrefixDraw)
	if err := db.Insert(tx, &drawRow{ID: id, Day: until, CommittedAt: tx.NowMillis()}); err != nil {
		return err
	}
	_, err = s.ledger.Append(tx, ledger.Entry{Subject: id, Kind: "session.draw_skipped",
		Data: map[string]any{"from": from, "until": until, "because": "no seed was committed before these days began"}})
	if err != nil || last == "" { // before the first one nothing was promised
		return err
	}
	return s.drawMissed(tx, until, from, until, "No seed was committed before these days began: Ostler did not run then")
}

// reveal draws the sessions of a day that is over and shows its seed, unless
// sessions of it may still come.
func (s *Service) reveal(ctx context.Context, day string) error {
	begin, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return fmt.Errorf("day of a draw: %w", err)
	}
	end := begin.AddDate(0, 0, 1)
	var all []string
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		if wait, err := s.waits(tx, begin, end); err != nil || wait {
			all = nil
			return err
		}
		ids, err := everyCustomerOfDay(tx, begin, end)
		all = append(ids, "")
		return err
	})
	if err != nil || all == nil {
		return err
	}
	if err := s.ready(ctx, all...); err != nil {
		return err
	}
	said, err := s.committed(ctx, day)
	if err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		row, ok, err := drawOf(tx, day)
		if err != nil || !ok || row.RevealedAt > 0 || row.Commitment == "" {
			return err
		}
		seed, why := s.held(row, said)
		if why != "" {
			return s.drawMissed(tx, "changed:"+day, day, day, why)
		}
		if err := s.drawDay(tx, row, seed, begin, end); err != nil {
			return err
		}
		return s.closeMissed(tx, day)
	})
}

// drawDay holds every session of a day against its seed.
func (s *Service) drawDay(tx *db.Tx, row drawRow, seed []byte, begin, end time.Time) error {
	row.RevealedAt = tx.NowMillis()
	ids, err := sessionsOfDay(tx, begin, end)
	if err != nil {
		return err
	}
	lists, err := customersOf(tx, everybody(), ids)
	if err != nil {
		return err
	}
	if err := markDrawn(tx, row.Day, ids); err != nil {
		return err
	}
	percents, err := s.percentsOf(tx, row)
	if err != nil {
		return err
	}
	for _, id := range ids {
		percent, err := percents(lists[id])
		if err != nil {
			return err
		}
		if !isDrawn(seed, id, percent) {
			continue
		}
		x, err := s.reviewing(tx, everybody(), id)
		if err != nil {
			return err
		}
		row.Drawn++
		if err := s.drawn(x, row, percent); err != nil {
			return err
		}
		if err := saveReview(tx, x.r); err != nil {
			return err
		}
	}
	row.OfN = int64(len(ids))
	if err := db.Save(tx, &row); err != nil {
		return err
	}
	_, err = s.ledger.Append(tx, ledger.Entry{Subject: row.ID, Kind: "session.draw_revealed",
		Data: map[string]any{"day": row.Day, "seed": hex.EncodeToString(seed), "percent": row.Percent, "percents_sha256": commitment([]byte(row.Percents)), "of": row.OfN, "drawn": row.Drawn}})
	return err
}

// drawn puts a session into the queue that a day's seed draws.
func (s *Service) drawn(x *reviewing, row drawRow, percent int) error {
	s.want(x, "sample", row.ID)
	return s.tell(x, "session.review_wanted", map[string]any{"because": "sample", "draw": row.ID, "day": row.Day, "percent": percent}, nil)
}

// drawnLate holds a session against the seed of its day where that is revealed
// already: it came late.
func (s *Service) drawnLate(x *reviewing) error {
	ended := x.row.ended()
	if x.r.DrawDay != "" || ended.IsZero() || State(x.row.State) != Stored {
		return nil
	}
	row, ok, err := drawOf(x.tx, ended.Format(time.DateOnly))
	if err != nil || !ok || row.RevealedAt == 0 || row.Commitment == "" {
		return err
	}
	seed, err := s.seed(row)
	if err != nil {
		return err
	}
	lists, err := customersOf(x.tx, everybody(), []string{x.row.ID})
	if err != nil {
		return err
	}
	percents, err := s.percentsOf(x.tx, row)
	if err != nil {
		return err
	}
	percent, err := percents(lists[x.row.ID])
	if err != nil {
		return err
	}
	x.r.DrawDay = row.Day
	row.OfN++
	if isDrawn(seed, x.row.ID, percent) {
		row.Drawn++
		if err := s.drawn(x, row, percent); err != nil {
			return err
		}
	}
	return db.Save(x.tx, &row)
}
