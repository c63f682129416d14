package access

import (
	"strings"
	"time"

	"ostler/controlplane/db"
	"ostler/controlplane/jobs"
)

// enforceChanges has the cluster follow what was changed in lists, in the
// transaction of the change.
func (s *Service) enforceChanges(tx *db.Tx, changes []Change) error {
	if s.cluster == nil {
		return nil
	}
	removal := map[string]bool{}
	for _, c := range changes {
		if c.Column == Listed && c.Way == WayTeleport && c.Source == "grant" && c.Person != "" && (c.Kind == Added || c.Kind == Removed) {
			removal[c.Person] = removal[c.Person] || c.Kind == Removed
		}
	}
	if len(removal) == 0 {
		return nil
	}
	row, _, err := s.clusterIn(tx)
	if err != nil || Mode(row.Mode) != Enforce {
		return err
	}
	for _, c := range changes { // in their order: each person once
		kick, wanted := removal[c.Person]
		if !wanted || c.Column != Listed {
			continue
		}
		delete(removal, c.Person)
		if err := s.enforceLater(tx, c.Person, kick); err != nil {
			return err
		}
	}
	return nil
}

// enforceLeaving locks a person out of the cluster who left, whatever they had.
func (s *Service) enforceLeaving(tx *db.Tx, p Person, _ string) error {
	if s.cluster == nil {
		return nil
	}
	row, _, err := s.clusterIn(tx)
	if err != nil || Mode(row.Mode) != Enforce {
		return err
	}
	return s.enforceLater(tx, p.ID, true)
}

// enforceLater queues the job that makes the cluster follow one person's lists.
// Where something was taken away, sessions that run are to end too.
func (s *Service) enforceLater(tx *db.Tx, person string, removal bool) error {
	if removal {
		k, err := openKick(tx, person)
		if err != nil {
			return err
		}
		if k.ID == "" {
			k = kickRow{ID: strings.TrimPrefix(rowID(), "row_"), Person: person, State: kickWanted, AskedAt: tx.NowMillis()}
			err = db.Insert(tx, &k)
		} else { // a run that is at it read the one before, and must not close this
			k.State, k.Waits, k.AskedAt = kickWanted, 0, max(tx.NowMillis(), k.AskedAt+1)
			err = db.Save(tx, &k)
		}
		if err != nil {
			return err
		}
	}
	_, err := s.jobs.Enqueue(tx, jobs.Spec{Kind: jobEnforce, Executor: jobs.Plane, Resource: "access.person:" + person, Supersedes: jobEnforce + ":" + person,
		Subject: person, Params: struct{}{}, Timeout: 5 * time.Minute, MaxAttempts: enforceAttempts, Title: "job.access_enforce"})
	return err
}
