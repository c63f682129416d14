package incidents

import (
	"context"
	"encoding/json"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// TheyKnew writes down since when a customer says that they knew of it themselves:
// their own time to tell their authority counts from then, where that is earlier than
// our notice. What was written down before stays in the history. Permission:
// incident.write. Errors: invalid, not found, conflict where the case goes on in
// another.
func (s *Service) TheyKnew(ctx context.Context, scope policy.Scope, id, customer string, since At) (Case, error) {
	if since == "" {
		return Case{}, invalid("/since", "Write since when they say that they knew.")
	}
	return s.change(ctx, scope, id, "they knew", func(tx *db.Tx, row *caseRow, _ *caseData) ([]string, error) {
		at, err := s.when("/since", since, zoneNamed(row.Zone), tx.Now)
		if err != nil {
			return nil, err
		}
		all, err := affectedMap(tx, row.ID)
		if err != nil {
			return nil, err
		}
		r, ok := all[customer]
		if !ok || r.RemovedAt > 0 {
			return nil, controlplane.NotFound("customer in this case")
		}
		if r.History, err = withState(r.History, stateAt{At: tx.NowMillis(), TheyKnew: at.UnixMilli(), By: actorOf(ctx).ID}); err != nil {
			return nil, err
		}
		if err := db.Save(tx, &r); err != nil {
			return nil, err
		}
		return nil, s.enter(tx, row.ID, "incident.they_knew", map[string]any{"customer": customer, "since": controlplane.Instant(at)}, nil)
	}, Open, Closed, FalseAlarm)
}

// theyKnew is since when a customer says that they knew, as it was written down last
// by d.known, and who wrote it; zero is that nobody did. What they knew before a case
// was reopened on new facts is not of these.
func (d *dossier) theyKnew(r affectedRow) (at time.Time, by string) {
	ms, by := knewLast(r.History, d.known.UnixMilli(), d.clockFrom())
	return controlplane.FromMillis(ms), by
}

// knewLast is since when a customer says that they knew, as it was written down last
// between two instants, and who wrote it; 0 is that nobody did. All are Unix milliseconds.
func knewLast(written string, until, from int64) (at int64, by string) {
	var history []stateAt
	if err := json.Unmarshal([]byte(written), &history); err != nil {
		return 0, ""
	}
	for _, h := range history {
		if h.TheyKnew > 0 && h.At <= until && h.At >= from {
			at, by = h.TheyKnew, h.By
		}
	}
	return at, by
}
