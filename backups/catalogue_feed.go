package backups

import (
	"fmt"
	"regexp"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/jobs"
	"ostler/controlplane/policy"
)

// The snapshots of a plan go into its catalogue one at a time, in the order in
// which they arrived: the server lists one, the list is merged, then comes the
// next. A new backup, an upgrade, a failure and a rebuild are all the same: feed
// looks what is missing and asks for the oldest of it.

const (
	listExpires = 24 * time.Hour // a server that is silent is asked again
	listTimeout = 2 * time.Hour
	listTries   = 3 // of one snapshot, for a cause that is its own
)

func catalogueResource(plan string) string { return "catalogue:" + plan }

// catalogueFor returns a plan's catalogue; the first time it makes its row,
// which says whether there is to be one.
func (s *Service) catalogueFor(tx *db.Tx, p planRow, repo repositoryRow) (catalogueRow, error) {
	c, ok, err := findCatalogue(tx, policy.OneCustomer(p.CustomerID), p.ID)
	if err != nil || ok {
		return c, err
	}
	ten, err := s.tenancyOf(tx, p)
	if err != nil {
		return c, err
	}
	c = catalogueRow{PlanID: p.ID, CustomerID: p.CustomerID, ServerID: p.ServerID, State: string(firstStatus(repo, ten)), Generation: 1,
		Manifest: []byte("{}"), UpdatedAt: tx.NowMillis()}
	return c, db.Insert(tx, &c)
}

// firstStatus is what a catalogue is before anybody chose.
func firstStatus(repo repositoryRow, ten customers.Tenancy) CatalogueStatus {
	switch {
	case !ten.EndedAt.IsZero():
		return CatalogueOff
	case Custody(repo.Custody) == CustodyEscrow:
		return CatalogueBuilding
	}
	return CatalogueDeclined
}

func (s *Service) tenancyOf(tx *db.Tx, p planRow) (customers.Tenancy, error) {
	ten, err := s.customers.TenancyIn(tx, policy.OneCustomer(p.CustomerID), p.TenancyID)
	if err != nil {
		return ten, fmt.Errorf("backups: catalogue: %w", err)
	}
	return ten, nil
}

// feedPlan is feed for a plan by its id.
func (s *Service) feedPlan(tx *db.Tx, plan string) error {
	p, repo, err := s.planAndRepository(tx, policy.AllCustomers("catalogue"), plan)
	if err != nil {
		return err
	}
	return s.feed(tx, p, repo)
}

// feed has the next snapshot of a plan listed by its server, where none is on
// its way; where nothing is missing the catalogue is ready.
func (s *Service) feed(tx *db.Tx, p planRow, repo repositoryRow) error {
	c, err := s.catalogueFor(tx, p, repo)
	if err != nil || !c.on() || RepositoryState(repo.State) != RepositoryReady {
		return err
	}
	way, err := underWay(tx, p.ID)
	if err != nil {
		return err
	}
	if len(way) > 0 {
		w := way[0]
		if indexState(w.State) != indexPending || w.RetryAt == 0 || w.RetryAt > tx.NowMillis() {
			return nil
		}
		snap, err := db.One[snapshotRow](tx, policy.OneCustomer(p.CustomerID), "snapshot", w.SnapshotID)
		if err != nil {
			return err
		}
		return s.askForList(tx, c, repo, snap, w)
	}
	snap, ok, err := nextUnindexed(tx, c)
	if err != nil {
		return err
	}
	if !ok {
		return s.caughtUp(tx, c)
	}
	return s.askForList(tx, c, repo, snap, indexedRow{SnapshotID: snap.ID, CustomerID: c.CustomerID, PlanID: c.PlanID, Generation: c.Generation, Ordinal: -1})
}

// caughtUp makes a catalogue ready that misses nothing more.
func (s *Service) caughtUp(tx *db.Tx, c catalogueRow) error {
	if c.status() == CatalogueReady {
		return nil
	}
	c.State = string(CatalogueReady)
	if err := swapCatalogue(tx, &c); err != nil {
		return err
	}
	tx.AfterCommit(func() { s.opts.Bus.Publish("customer:"+c.CustomerID, "server:"+c.ServerID) })
	return s.findings.Close(tx, failureKey(findings.CatalogueDamaged, c.PlanID), "it was made anew")
}

// askForList queues the job that lists a snapshot on its server.
func (s *Service) askForList(tx *db.Tx, c catalogueRow, repo repositoryRow, snap snapshotRow, row indexedRow) error {
	wr, err := s.wireRepository(tx, repo)
	if err != nil {
		return err
	}
	row.Tries++
	owner := fmt.Sprintf("%s:catalogue:%d:%d", snap.ID, c.Generation, row.Tries)
	job, err := s.jobs.Enqueue(tx, jobs.Spec{Kind: string(wire.ActionCatalogue), Executor: jobs.Agent, Server: snap.ServerID, Customer: snap.CustomerID,
		Resource: catalogueResource(repo.ID), Key: string(wire.ActionCatalogue) + ":" + owner, Subject: snap.ID,
		Params:    wire.CatalogueParams{Repository: wr, SnapshotID: snap.ResticID},
		ExpiresAt: tx.Now.Add(listExpires), Timeout: listTimeout, Title: "job.catalogue_build"})
	if err != nil {
		return err
	}
	if err := s.expectUpload(tx, job, owner); err != nil {
		return err
	}
	row.State, row.RetryAt, row.JobID, row.UpdatedAt = string(indexPending), 0, job.ID, tx.NowMillis()
	return db.Upsert(tx, &row, "snapshot_id")
}

// mergeParams say which upload is the list of a snapshot.
type mergeParams struct {
	Owner      string      `json:"owner"`
	Upload     wire.Upload `json:"upload"`
	Generation int64       `json:"generation"`
}

var hexSHA256 = regexp.MustCompile(`^[0-9a-f]{64}$`)

// doneCatalogue takes a server's list: it has it merged, and compares what the
// store has with what we know. What nobody waits for any more is let go of.
func (s *Service) doneCatalogue(tx *db.Tx, job jobs.Job) error {
	owner, err := s.closeListOf(tx, job)
	if err != nil {
		return err
	}
	snap, err := db.One[snapshotRow](tx, policy.AllCustomers("job"), "snapshot", job.Subject)
	if err != nil {
		return err
	}
	res, ok := jobs.Result[wire.CatalogueResult](job)
	if ok {
		if err := s.compareStore(tx, job, snap, res.Snapshots); err != nil {
			return err
		}
	}
	row, waited, err := findIndexed(tx, snap.ID)
	if err != nil {
		return err
	}
	if !waited || row.JobID != job.ID || indexState(row.State) != indexPending {
		return s.dropList(tx, job, owner)
	}
	if !ok || !hexSHA256.MatchString(res.SHA256) || res.Size <= 0 || res.Size > maxList {
		if err := s.dropList(tx, job, owner); err != nil {
			return err
		}
		return s.listFailed(tx, row, wire.Cause(causeOf(job)))
	}
	merge, err := s.jobs.Enqueue(tx, jobs.Spec{Kind: jobMerge, Executor: jobs.Plane, Server: job.Server, Customer: job.Customer, Resource: catalogueResource(snap.PlanID),
		Key: jobMerge + ":" + owner, Subject: snap.ID, Params: mergeParams{Owner: owner, Upload: res.Upload, Generation: row.Generation},
		Timeout: mergeTimeout, Title: "job.catalogue_merge"})
	if err != nil {
		return err
	}
	row.State, row.Cause, row.JobID, row.UpdatedAt = string(indexListed), "", merge.ID, tx.NowMillis()
	return db.Save(tx, &row)
}

// closeListOf ends the upload of a job and returns its owner.
func (s *Service) closeListOf(tx *db.Tx, job jobs.Job) (owner string, err error) {
	ups, err := db.Where[uploadRow](tx, hostUploads(), "owner_id", 1, "job_id = ?", job.ID)
	if err != nil || len(ups) == 0 {
		return "", err
	}
	return ups[0].OwnerID, s.closeUpload(tx, ups[0].OwnerID)
}

// dropList has an upload deleted that nobody needs.
func (s *Service) dropList(tx *db.Tx, job jobs.Job, owner string) error {
	if owner == "" {
		return nil
	}
	_, err := s.jobs.Enqueue(tx, jobs.Spec{Kind: jobDropList, Executor: jobs.Plane, Server: job.Server, Customer: job.Customer, Key: jobDropList + ":" + owner,
		Subject: job.Subject, Params: mergeParams{Owner: owner}, MaxAttempts: 20, Title: "job.catalogue_tidy"})
	return err
}

// ownCauses are about one snapshot: the next one may do better at once.
var ownCauses = map[wire.Cause]bool{wire.CauseNotFound: true, wire.CauseDamaged: true}

// passingCauses are about the server or its store: it is asked for the same
// snapshot again, however often.
var passingCauses = map[wire.Cause]bool{
	wire.CauseStoreUnreachable: true, wire.CauseStoreFull: true, wire.CauseStoreRefused: true, wire.CauseWrongPassword: true, wire.CauseNoRepository: true,
	wire.CauseLocked: true, wire.CauseDiskFull: true, wire.CausePlaneFull: true, wire.CausePolicy: true, wire.CauseSignature: true, wire.CauseUnsupported: true,
	wire.CauseNoKey: true, wire.Cause(jobs.Expired): true, wire.Cause(jobs.Rejected): true,
}

// listFailed leaves a snapshot out and goes on with the next, or has its server
// asked again later.
func (s *Service) listFailed(tx *db.Tx, row indexedRow, cause wire.Cause) error {
	row.Cause, row.UpdatedAt = string(cause), tx.NowMillis()
	if ownCauses[cause] || !passingCauses[cause] && row.Tries >= listTries {
		row.State, row.RetryAt = string(indexFailed), 0
		if err := db.Save(tx, &row); err != nil {
			return err
		}
		return s.feedPlan(tx, row.PlanID)
	}
	row.State, row.RetryAt = string(indexPending), tx.Now.Add(listWait(row.Tries)).UnixMilli()
	return db.Save(tx, &row)
}

// listWait doubles from a quarter of an hour to a day.
func listWait(tries int64) time.Duration {
	return min(15*time.Minute<<min(max(tries-1, 0), 10), 24*time.Hour)
}
