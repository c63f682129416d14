package ledger

import (
	"context"
	"time"

	"ostler/controlplane"
)

// within narrows a filter to the period that whoever asks may read: an auditor's.
func within(ctx context.Context, f Filter) Filter {
	a, _ := controlplane.ActorFrom(ctx)
	if f.Since.Before(a.From) {
		f.Since = a.From
	}
	if !a.To.IsZero() && (f.Before.IsZero() || f.Before.After(a.To)) {
		f.Before = a.To
	}
	return f
}

// mayRead refuses an entry of outside that period, as one that does not exist.
func mayRead(ctx context.Context, r entryRow) error {
	if a, _ := controlplane.ActorFrom(ctx); !a.InPeriod(controlplane.FromMillis(r.At)) {
		return controlplane.NotFound("entry")
	}
	return nil
}

// ofPeriod reports whether whoever asks may read a part of the log's time only.
func ofPeriod(ctx context.Context) bool {
	a, _ := controlplane.ActorFrom(ctx)
	return !a.From.IsZero() || !a.To.IsZero()
}

// headsWithin leaves out the days' last entries of outside that period: a day that
// is cut by its end has none.
func headsWithin(ctx context.Context, heads []DailyHead) []DailyHead {
	a, _ := controlplane.ActorFrom(ctx)
	var out []DailyHead
	for _, h := range heads {
		end, err := time.Parse(time.DateOnly, h.Day)
		if err == nil && (a.To.IsZero() || !end.AddDate(0, 0, 1).After(a.To)) {
			out = append(out, h)
		}
	}
	return out
}
