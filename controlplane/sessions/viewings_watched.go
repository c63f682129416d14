package sessions

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// fastest is how many times as fast as it was a recording can be played.
const fastest = 16

// sign is how often a player says at least that it plays: time without a word from
// it is no time in which it can have played.
const sign = time.Minute

// maxParts is how many stretches one call can bring.
const maxParts = 1000

// Stretch is a part of a recording that was played.
type Stretch struct{ From, To time.Duration }

// span is a stretch in milliseconds, as it is stored.
type span [2]int64

// merged is the union of spans, in order.
func merged(spans []span) []span {
	slices.SortFunc(spans, func(a, b span) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) })
	var out []span
	for _, x := range spans {
		if n := len(out); n > 0 && x[0] <= out[n-1][1] {
			out[n-1][1] = max(out[n-1][1], x[1])
			continue
		}
		out = append(out, x)
	}
	return out
}

// length is how long spans are together, each overlap counted as often as it is there.
func length(spans []span) (ms int64) {
	for _, x := range spans {
		ms += x[1] - x[0]
	}
	return ms
}

// spansOf cuts stretches to a recording of that length; what is empty or
// backwards is left out.
func spansOf(parts []Stretch, duration time.Duration) []span {
	var out []span
	for _, p := range parts {
		from, to := max(p.From, 0).Milliseconds(), min(p.To, duration).Milliseconds()
		if from < to {
			out = append(out, span{from, to})
		}
	}
	return out
}

// within16 leaves out what cannot have been played in the time that went by, and
// says how much that was.
func within16(spans []span, elapsed time.Duration) (possible []span, dropped int64) {
	room := max(elapsed.Milliseconds(), 0) * fastest
	for _, x := range spans {
		take := min(x[1]-x[0], room)
		room -= take
		dropped += x[1] - x[0] - take
		if take > 0 {
			possible = append(possible, span{x[0], x[0] + take})
		}
	}
	return possible, dropped
}

func parseSpans(text string) (out []span, err error) {
	if err = json.Unmarshal([]byte(text), &out); err != nil {
		err = fmt.Errorf("parts of a viewing: %w", err)
	}
	return out, err
}

// Watched adds what was played since the last call; each second counts once, and
// what cannot have been played since then does not count: at sixteen times the
// speed at most, and of a silence of more than a minute a minute. It keeps a claim
// alive. Errors: not found for a viewing of somebody else, and when a sign-in's
// time is over.
func (s *Service) Watched(ctx context.Context, scope policy.Scope, viewing string, parts []Stretch) (out Viewing, err error) {
	if len(parts) > maxParts {
		return Viewing{}, controlplane.Invalid(controlplane.Field{Pointer: "/parts", Message: "Send at most 1,000 stretches at once."})
	}
	actor, _ := controlplane.ActorFrom(ctx)
	var duration time.Duration
	err = s.db.Read(asReviews(ctx), func(tx *db.Tx) error {
		row, err := s.ownViewing(tx, actor, "", viewing)
		if err != nil {
			return err
		}
		seen, err := s.maySee(tx, actor, scope, row.SessionID)
		if err != nil {
			return err
		}
		rec, err := s.playable(tx, seen.row)
		duration = rec.Duration
		return err
	})
	if controlplane.ErrorCode(err) == controlplane.CodeUnauthorized {
		return Viewing{}, controlplane.NotFound("viewing")
	}
	if err != nil {
		return Viewing{}, wrap("watched", err)
	}
	var dropped int64
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		row, err := s.ownViewing(tx, actor, "", viewing)
		if err != nil {
			return err
		}
		if dropped, err = s.addWatched(tx, &row, spansOf(parts, duration)); err != nil {
			return err
		}
		if err := s.keepClaim(tx, row.SessionID, actor.ID); err != nil {
			return err
		}
		out, err = s.viewing(row)
		return err
	})
	if err == nil && dropped > 0 {
		s.opts.Log.WarnContext(ctx, "sessions.watched_impossible", "viewing", viewing, "dropped_ms", dropped)
	}
	return out, wrap("watched", err)
}

// addWatched merges what was played into a viewing. The time that went by is since
// the last sign of any viewing of the same person and session: two windows play no
// faster than one.
func (s *Service) addWatched(tx *db.Tx, row *viewingRow, spans []span) (dropped int64, err error) {
	last, err := lastSign(tx, row.SessionID, row.ByID)
	if err != nil {
		return 0, err
	}
	have, err := parseSpans(row.Parts)
	if err != nil {
		return 0, err
	}
	if row.Way == wayPlayer {
		spans, dropped = within16(spans, min(tx.Now.Sub(controlplane.FromMillis(last)), sign))
		have = merged(append(have, spans...))
	}
	text, err := json.Marshal(have)
	if err != nil {
		return 0, err
	}
	if have == nil {
		text = []byte("[]")
	}
	row.Parts, row.WatchedMS, row.LastAt = string(text), length(have), tx.NowMillis()
	return dropped, db.Save(tx, row)
}

// keepClaim makes a claim of whoever watches last on.
func (s *Service) keepClaim(tx *db.Tx, session, by string) error {
	return prolongClaim(tx, session, by, tx.Now.Add(s.opts.Claim).UnixMilli())
}

// watchedShare is how much of a recording a person watched, in all of their
// viewings, each minute once; in parts of a thousand.
func (s *Service) watchedShare(tx *db.Tx, row sessionRow, by string) (int64, error) {
	recordings, err := s.recordingsOf(tx, []string{row.ID})
	if err != nil {
		return 0, err
	}
	total := recordings[row.ID].Duration.Milliseconds()
	if total <= shortest.Milliseconds() { // opened is watched
		ways, err := waysOf(tx, row.ID, by)
		if err != nil || !slices.Contains(ways, wayPlayer) {
			return 0, err
		}
		return 1000, nil
	}
	all, err := s.watchedSpans(tx, row.ID, by)
	return min(length(all)*1000/total, 1000), err
}

// watchedSpans is what a person watched of a session in all of their viewings, in order.
func (s *Service) watchedSpans(tx *db.Tx, session, by string) ([]span, error) {
	texts, err := partsOf(tx, session, by)
	if err != nil {
		return nil, err
	}
	var all []span
	for _, text := range texts {
		spans, err := parseSpans(text)
		if err != nil {
			return nil, err
		}
		all = append(all, spans...)
	}
	return merged(all), nil
}
