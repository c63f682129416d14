package web

import (
	"time"

	"ostler/backups"
	"ostler/controlplane"
	"ostler/controlplane/policy"
)

// dayEnd is the first instant after a day by the clock of a zone; the zero time
// where the day is that.
func dayEnd(on time.Time, zone *time.Location) time.Time {
	if on.IsZero() {
		return on
	}
	y, m, d := on.Date()
	return time.Date(y, m, d+1, 0, 0, 0, 0, zone)
}

// planZone is the zone of a plan's clock, by which a search takes its days.
func planZone(p backups.Plan) *time.Location {
	zone, err := time.LoadLocation(p.Zone)
	if err != nil {
		return time.UTC
	}
	return zone
}

// copyBefore is a plan's newest copy from before an instant; the newest of all
// where that is zero, and nil where there is none.
func (v *visit) copyBefore(scope policy.Scope, plan string, end time.Time) (*backups.Snapshot, error) {
	if end.IsZero() {
		return v.latestCopy(scope, plan)
	}
	for token := ""; ; {
		snaps, next, err := v.p.Backups.Snapshots(v.ctx, scope, backups.SnapshotFilter{Plan: plan, Limit: 200, PageToken: token})
		if err != nil {
			return nil, err
		}
		for i := range snaps {
			if snaps[i].ArrivedAt.Before(end) {
				return &snaps[i], nil
			}
		}
		if token = next; token == "" {
			return nil, nil
		}
	}
}

// otherDay is where a page of a copy leads when a day is asked for: the same
// path in the newest copy at or before it, by the reader's clock as all times on
// the page. It is "" where none is asked for.
func (v *visit) otherDay(scope policy.Scope, snap backups.Snapshot, page string, full []byte) (to string, err error) {
	said := v.c.QueryParam("on")
	if said == "" {
		return "", nil
	}
	day, ok := v.day(said)
	if !ok {
		return "", controlplane.Invalid(controlplane.Field{Pointer: "/on", Message: v.t("copies.bad_day")})
	}
	s, err := v.copyBefore(scope, snap.Plan, dayEnd(day, v.zone))
	if err != nil {
		return "", err
	}
	if s == nil {
		return "", controlplane.Invalid(controlplane.Field{Pointer: "/on", Message: v.t("copies.none_before", "day", said)})
	}
	return "/snapshots/" + s.ID + page + "?" + pathQuery(full), nil
}
