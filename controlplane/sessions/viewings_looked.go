package sessions

import (
	"fmt"
	"slices"
	"time"
)

// shortest is how long a recording is at most that was watched by being opened:
// a single command that ends at once.
const shortest = 10 * time.Second

// nearMoment is how near to a moment somebody has to have watched to have reached it.
const nearMoment = time.Second

// looked refuses "fine" by whoever did not look. They have looked if they opened
// the recording's transcript or downloaded it; or opened the player and watched
// Options.WatchPercent of the time in which something happened, or every moment
// whose command makes the session risky, where there are some; or if the recording
// has ten seconds at most and they opened it.
func (s *Service) looked(x *reviewing) error {
	ways, err := waysOf(x.tx, x.row.ID, x.actor.ID)
	if err != nil {
		return err
	}
	if slices.Contains(ways, wayTranscript) || slices.Contains(ways, wayDownload) {
		return nil
	}
	if !slices.Contains(ways, wayPlayer) {
		return conflict("Watch its recording or read its transcript, and judge it then.", "You have not looked at this session")
	}
	rec, _, err := recordingOf(x.tx, x.row.ID)
	if err != nil {
		return err
	}
	if time.Duration(rec.DurationMS)*time.Millisecond <= shortest {
		return nil
	}
	spans, err := s.watchedSpans(x.tx, x.row.ID, x.actor.ID)
	if err != nil {
		return err
	}
	flagged, idle, err := s.flagged(x)
	if err != nil {
		return err
	}
	if len(flagged) > 0 && reachedAll(spans, flagged) {
		return nil
	}
	share := activeShare(spans, idle, rec.DurationMS)
	if share >= int64(s.opts.WatchPercent)*10 {
		return nil
	}
	next := "Watch at least %d %% of it, or read its transcript, and judge it then."
	if len(flagged) > 0 {
		next = "Watch at least %d %% of it or every command that makes it risky, or read its transcript, and judge it then."
	}
	return conflict(fmt.Sprintf(next, s.opts.WatchPercent), "You have watched %d %% of what happens in this recording", share/10)
}

// flagged are where commands are run that make a session risky, and the stretches
// in which nothing happens.
func (s *Service) flagged(x *reviewing) (at []int64, idle []span, err error) {
	row, err := commandsOf(x.tx, x.row.ID)
	if err != nil || row.SessionID == "" {
		return nil, nil, err
	}
	for _, c := range []struct {
		name   string
		sealed []byte
	}{{"commands", row.Commands}, {"others", row.Others}} {
		lines, err := s.openMoments(row, c.name, c.sealed)
		if err != nil {
			return nil, nil, err
		}
		moments, err := decodeMoments(lines, nil)
		if err != nil {
			return nil, nil, err
		}
		for _, m := range moments {
			switch {
			case m.Kind == "idle":
				idle = append(idle, span{m.At.Milliseconds(), (m.At + m.For).Milliseconds()})
			case m.Kind == "command" && isRisky(m.Text):
				at = append(at, m.At.Milliseconds())
			}
		}
	}
	return at, idle, nil
}

// reachedAll reports whether each moment was watched.
func reachedAll(watched []span, at []int64) bool {
	near := nearMoment.Milliseconds()
	for _, ms := range at {
		if !slices.ContainsFunc(watched, func(x span) bool { return x[0]-near <= ms && ms <= x[1]+near }) {
			return false
		}
	}
	return true
}

// activeShare is how much of the time in which something happened was watched, in
// parts in a thousand: who skips what is idle watches as much as who does not.
func activeShare(watched, idle []span, duration int64) int64 {
	idle = merged(slices.Clone(idle))
	for i := range idle {
		idle[i][1] = min(idle[i][1], duration)
	}
	busy := duration - length(idle)
	if busy <= 0 {
		return 1000
	}
	return min(max(length(watched)-length(both(watched, idle)), 0)*1000/busy, 1000)
}

// both are where two lists of spans, each in order and without overlaps, overlap.
func both(a, b []span) (out []span) {
	for len(a) > 0 && len(b) > 0 {
		if from, to := max(a[0][0], b[0][0]), min(a[0][1], b[0][1]); from < to {
			out = append(out, span{from, to})
		}
		if a[0][1] < b[0][1] {
			a = a[1:]
		} else {
			b = b[1:]
		}
	}
	return out
}
