package web

import (
	"time"

	"ostler/backups"
	"ostler/controlplane"
	"ostler/controlplane/policy"
)

// copyOf is a plan's newest copy at or before the end of a day by the plan's
// clock; the newest of all where the day is zero, and nil where there is none.
func (v *visit) copyOf(scope policy.Scope, p backups.Plan, on time.Time) (*backups.Snapshot, error) {
	if on.IsZero() {
		return v.latestCopy(scope, p.ID)
	}
	zone, err := time.LoadLocation(p.Zone)
	if err != nil {
		zone = time.UTC
	}
	y, m, d := on.Date()
	end := time.Date(y, m, d+1, 0, 0, 0, 0, zone)
	for token := ""; ; {
		snaps, next, err := v.p.Backups.Snapshots(v.ctx, scope, backups.SnapshotFilter{Plan: p.ID, Limit: 200, PageToken: token})
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
// path in the newest copy at or before it. It is "" where none is asked for.
func (v *visit) otherDay(scope policy.Scope, snap backups.Snapshot, page string, full []byte) (to string, err error) {
	said := v.c.QueryParam("on")
	if said == "" {
		return "", nil
	}
	day, ok := v.day(said)
	if !ok {
		return "", controlplane.Invalid(controlplane.Field{Pointer: "/on", Message: v.t("copies.bad_day")})
	}
	plan, err := v.p.Backups.Plan(v.ctx, scope, snap.Plan)
	if err != nil {
		return "", err
	}
	s, err := v.copyOf(scope, plan, day)
	if err != nil {
		return "", err
	}
	if s == nil {
		return "", controlplane.Invalid(controlplane.Field{Pointer: "/on", Message: v.t("copies.none_before", "day", said)})
	}
	return "/snapshots/" + s.ID + page + "?" + pathQuery(full), nil
}
