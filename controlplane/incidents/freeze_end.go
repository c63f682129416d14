package incidents

import (
	"context"
	"encoding/json"
	"fmt"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/jobs"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// Thaw lets go of it. Permission: incident.admin. Errors: invalid, not found,
// conflict where nothing is kept.
func (s *Service) Thaw(ctx context.Context, scope policy.Scope, id, why string) (out Case, err error) {
	if why, err = textField("/why", why, maxWhy, true); err != nil {
		return Case{}, err
	}
	if err := s.ready(ctx); err != nil {
		return Case{}, err
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		c, err := caseRowIn(tx, scope, id)
		if err != nil {
			return err
		}
		row, ok, err := freezeOf(tx, c.ID)
		if err != nil {
			return err
		}
		if !ok || row.ThawedAt > 0 {
			return conflict("There is nothing to let go of.", "Nothing is kept because of case %s", c.numberOf())
		}
		if row.Why, err = s.seal("", "incident_freezes", "why", row.CaseID, why); err != nil {
			return err
		}
		if err := s.thawed(tx, row, why); err != nil {
			return err
		}
		if _, err := s.jobs.Enqueue(tx, jobs.Spec{Kind: jobThaw, Executor: jobs.Plane, Resource: "incident:" + c.ID, Key: fmt.Sprintf("%s:%s:%d", jobThaw, c.ID, tx.NowMillis()), Subject: c.ID,
			Params: thawParams{c.ID, why}, MaxAttempts: freezeTries, Title: "job.incident_thaw"}); err != nil {
			return err
		}
		out, err = s.caseIn(tx, scope, c.ID)
		return err
	})
	return out, wrap("thaw", err)
}

type thawParams struct {
	Case string `json:"case"`
	Why  string `json:"why"`
}

// runThaw lets go of what is held, as whoever asked for it.
func (s *Service) runThaw(ctx context.Context, job jobs.Job) (any, error) {
	var p thawParams
	if err := json.Unmarshal(job.Params, &p); err != nil {
		return nil, fmt.Errorf("incidents: thaw: %w", err)
	}
	if s.deps.Holds == nil {
		return nil, nil
	}
	return nil, wrap("thaw", s.deps.Holds.Thaw(controlplane.WithActor(ctx, job.CreatedBy), everyone(), p.Case, p.Why))
}

// thawed writes down that a case's data is kept no more, for everybody whom it concerned.
func (s *Service) thawed(tx *db.Tx, row freezeRow, why string) error {
	row.ThawedAt, row.ThawedBy = tx.NowMillis(), actorOf(tx.Context()).ID
	if err := db.Save(tx, &row); err != nil {
		return err
	}
	if err := setFrozen(tx, row.CaseID, 0); err != nil {
		return err
	}
	if err := s.findings.Close(tx, frozenFinding(row.CaseID), "it was let go of"); err != nil {
		return err
	}
	for _, c := range parted[string](row.Customers) {
		if _, err := s.ledger.Append(tx, ledger.Entry{Customer: c, Subject: row.CaseID, Kind: "incident.thawed"}); err != nil {
			return err
		}
	}
	return s.enter(tx, row.CaseID, "incident.thawed", map[string]any{"until": instant(row.UntilAt)}, map[string]string{"why": why})
}

// freezesDue freezes what is not frozen yet, speaks of freezes that end soon, and
// ends those whose time is over: their holds end by themselves.
func (s *Service) freezesDue(ctx context.Context) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	return wrap("freezes due", s.db.Write(asSystem(ctx), func(tx *db.Tx) error {
		ids, err := unfrozen(tx)
		for _, id := range ids {
			if err == nil {
				err = s.freezeLater(tx, id, "watch")
			}
		}
		if err != nil {
			return err
		}
		over, err := overFreezes(tx)
		for _, r := range over {
			if err == nil {
				err = s.thawed(tx, r, "")
			}
		}
		if err != nil {
			return err
		}
		ending, err := endingFreezes(tx, tx.Now.Add(freezeWarn))
		for _, r := range ending {
			if err == nil {
				err = s.freezeEnds(tx, r)
			}
		}
		return err
	}))
}

// freezeEnds opens the finding that what a case keeps is let go of soon.
func (s *Service) freezeEnds(tx *db.Tx, r freezeRow) error {
	c, err := caseRowIn(tx, everyone(), r.CaseID)
	if err != nil {
		return err
	}
	r.ToldAt = tx.NowMillis()
	if err := db.Save(tx, &r); err != nil || State(c.State) != Open {
		return err
	}
	until := controlplane.FromMillis(r.UntilAt)
	return s.findings.Raise(tx, findings.Finding{Key: frozenFinding(c.ID), Subject: c.ID, Kind: findings.IncidentFrozenEnd, Severity: findings.Warn, Owner: findings.Ops, Link: casePath(c.ID),
		Args: map[string]string{"case": c.numberOf(), "at": shown(until, zoneNamed(c.Zone)), "for": findings.Ago("en", until.Sub(tx.Now))}})
}
