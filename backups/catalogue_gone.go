package backups

import (
	"fmt"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/jobs"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// compareStore compares the snapshots that a server finds in its store with
// those that we know. Only those count that had arrived before it was asked,
// and a list without the snapshot that was asked for is none.
func (s *Service) compareStore(tx *db.Tx, job jobs.Job, snap snapshotRow, ids []string) error {
	there := make(map[string]bool, len(ids))
	for _, id := range ids {
		there[id] = true
	}
	if !there[snap.ResticID] {
		return nil
	}
	rows, err := snapshotsOfRepository(tx, snap.RepositoryID, controlplane.Millis(job.CreatedAt))
	if err != nil {
		return err
	}
	missing := map[string][]snapshotRow{} // by plan
	changed := map[string]bool{}
	for _, r := range rows {
		if there[r.ResticID] == (r.GoneAt > 0) {
			changed[r.PlanID] = true
			if err := s.setSnapshotGone(tx, r, !there[r.ResticID]); err != nil {
				return err
			}
		}
		if !there[r.ResticID] {
			missing[r.PlanID] = append(missing[r.PlanID], r)
		}
	}
	for plan := range changed {
		if err := recopied(tx, plan); err != nil {
			return err
		}
		if err := s.goneFinding(tx, plan, missing[plan]); err != nil {
			return err
		}
	}
	return nil
}

// setSnapshotGone notes that the store has a snapshot no more, or has it again.
func (s *Service) setSnapshotGone(tx *db.Tx, snap snapshotRow, gone bool) error {
	at, kind := int64(0), "snapshot.returned"
	if gone {
		at, kind = tx.NowMillis(), "snapshot.gone"
	}
	if err := setGone(tx, snap.ID, at); err != nil {
		return err
	}
	if err := moveIndexed(tx, snap.ID, gone); err != nil {
		return err
	}
	tx.AfterCommit(func() { s.opts.Bus.Publish("customer:"+snap.CustomerID, "server:"+snap.ServerID) })
	_, err := s.ledger.Append(tx, ledger.Entry{Customer: snap.CustomerID, Server: snap.ServerID, Subject: snap.ID, Kind: kind,
		Data: map[string]any{"plan": snap.PlanID, "restic_id": snap.ResticID, "arrived_at": controlplane.FromMillis(snap.ArrivedAt)}})
	return err
}

// moveIndexed takes a snapshot out of its plan's catalogue, or back where it is
// still in there.
func moveIndexed(tx *db.Tx, snapshot string, gone bool) error {
	row, ok, err := findIndexed(tx, snapshot)
	if err != nil || !ok {
		return err
	}
	switch {
	case gone:
		row.State, row.RetryAt = string(indexGone), 0
	case row.Ordinal >= 0:
		row.State = string(indexMerged)
	default:
		row.State = string(indexSkipped)
	}
	row.UpdatedAt = tx.NowMillis()
	return db.Save(tx, &row)
}

// goneFinding says which copies of a plan are gone; none closes it.
func (s *Service) goneFinding(tx *db.Tx, plan string, gone []snapshotRow) error {
	p, repo, err := s.planAndRepository(tx, policy.AllCustomers("finding"), plan)
	if err != nil {
		return err
	}
	f := findings.Finding{Kind: findings.SnapshotGone, Customer: p.CustomerID, Server: p.ServerID, Subject: p.ID, Severity: findings.Bad, Owner: findings.Ops, Link: "/plans/" + p.ID}
	if len(gone) == 0 {
		return s.raiseOrClose(tx, f, false, "the store has every copy again")
	}
	if f.Args, err = s.findingArgs(tx, p); err != nil {
		return err
	}
	store, err := db.One[offSiteRow](tx, policy.AllCustomers("the name of a plan's store"), "store", repo.StoreID)
	if err != nil {
		return err
	}
	zone, err := time.LoadLocation(p.Zone)
	if err != nil {
		return fmt.Errorf("backups: %w", err)
	}
	f.Args["store"] = store.Name
	f.Args["since"] = controlplane.FromMillis(gone[len(gone)-1].ArrivedAt).In(zone).Format("2 January 15:04")
	if len(gone) > 1 {
		f.Args["count"] = countOf(int64(len(gone)), "copy", "copies")
	}
	return s.raiseOrClose(tx, f, true, "")
}
