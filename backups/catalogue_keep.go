package backups

import (
	"context"
	"fmt"
	"slices"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/jobs"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// restart empties a catalogue: what is stored is deleted from an instant on,
// and what servers are asked for is asked for no more.
func (s *Service) restart(tx *db.Tx, c *catalogueRow, to CatalogueStatus, deleteAt time.Time) error {
	c.State, c.Manifest = string(to), []byte("{}")
	c.Generation++
	c.NextOrdinal, c.LastArrived, c.LastSnapshot, c.Entries, c.Bytes = 0, 0, "", 0, 0
	if err := swapCatalogue(tx, c); err != nil {
		return err
	}
	if err := retireSegments(tx, c.PlanID, deleteAt); err != nil {
		return err
	}
	if err := forgetIndexed(tx, c.PlanID); err != nil {
		return err
	}
	tx.AfterCommit(func() { s.opts.Bus.Publish("customer:"+c.CustomerID, "server:"+c.ServerID) })
	mine := policy.OneCustomer(c.CustomerID)
	return s.jobs.CancelOpen(tx, c.ServerID, c.CustomerID, string(wire.ActionCatalogue), func(snapshot string) (bool, error) {
		snap, err := db.One[snapshotRow](tx, mine, "snapshot", snapshot)
		return err == nil && snap.PlanID == c.PlanID, err
	})
}

func (s *Service) catalogueEntry(tx *db.Tx, c catalogueRow, kind string, data map[string]any) error {
	_, err := s.ledger.Append(tx, ledger.Entry{Customer: c.CustomerID, Server: c.ServerID, Subject: c.PlanID, Kind: kind, Data: data})
	return err
}

// catalogueDamaged has a catalogue made anew, unless that has begun since it was
// read. It works in a transaction of its own, for as long as that takes.
func (s *Service) catalogueDamaged(ctx context.Context, c catalogueRow) error {
	ctx, cancel := context.WithTimeout(controlplane.System(context.WithoutCancel(ctx), "backups.catalogue"), 30*time.Second)
	defer cancel()
	return s.db.Write(ctx, func(tx *db.Tx) error {
		now, ok, err := findCatalogue(tx, policy.AllCustomers("damage"), c.PlanID)
		if err != nil || !ok || !now.on() || now.Generation != c.Generation {
			return err
		}
		p, repo, err := s.planAndRepository(tx, policy.AllCustomers("damage"), c.PlanID)
		if err != nil {
			return err
		}
		if err := s.restart(tx, &now, CatalogueDamaged, tx.Now.Add(keepObsolete)); err != nil {
			return err
		}
		name, err := s.serverName(tx, p.ServerID)
		if err != nil {
			return err
		}
		if err := s.findings.Raise(tx, findings.Finding{Key: failureKey(findings.CatalogueDamaged, p.ID), Customer: p.CustomerID, Server: p.ServerID, Subject: p.ID,
			Kind: findings.CatalogueDamaged, Severity: findings.Warn, Owner: findings.Ops, Link: "/plans/" + p.ID, Args: map[string]string{"server": name, "plan": p.Name}}); err != nil {
			return err
		}
		if err := s.catalogueEntry(tx, now, "catalogue.damaged", map[string]any{"generation": now.Generation}); err != nil {
			return err
		}
		return s.feed(tx, p, repo)
	})
}

// SetCatalogue turns a plan's catalogue on or off; off deletes it. Where the
// customer alone holds the key, only a contact may turn it on. Permission:
// plan.write. Errors: not_found, forbidden, conflict where the customer has left
// the server.
func (s *Service) SetCatalogue(ctx context.Context, scope policy.Scope, plan string, on bool) error {
	a, _ := controlplane.ActorFrom(ctx)
	return s.db.Write(ctx, func(tx *db.Tx) error {
		p, repo, err := s.planAndRepository(tx, scope, plan)
		if err != nil {
			return err
		}
		c, err := s.catalogueFor(tx, p, repo)
		if err != nil {
			return err
		}
		switch {
		case !on:
			return s.turnOff(tx, &c, repo, "")
		case c.on():
			return nil
		case Custody(repo.Custody) != CustodyEscrow && a.Kind != controlplane.ActorContact:
			return controlplane.Errorf(controlplane.CodeForbidden, "Ask the customer to say yes to it on the plan's page.", "The customer alone holds the key to these backups, and decides whether we keep the names of the files")
		}
		ten, err := s.tenancyOf(tx, p)
		if err != nil {
			return err
		}
		if !ten.EndedAt.IsZero() {
			return controlplane.Errorf(controlplane.CodeConflict, "Look into a backup's folders instead: the server is asked for them.", "This customer has left the server")
		}
		if err := s.restart(tx, &c, CatalogueBuilding, tx.Now); err != nil {
			return err
		}
		if err := s.catalogueEntry(tx, c, "catalogue.turned_on", map[string]any{"plan_name": p.Name, "custody": repo.Custody}); err != nil {
			return err
		}
		return s.feed(tx, p, repo)
	})
}

// turnOff deletes a catalogue; why is a word for the ledger where no person did it.
func (s *Service) turnOff(tx *db.Tx, c *catalogueRow, repo repositoryRow, why string) error {
	to := CatalogueOff
	if Custody(repo.Custody) == CustodyCustomer && why == "" {
		to = CatalogueDeclined
	}
	if !c.on() && c.status() == to {
		return nil
	}
	if err := s.restart(tx, c, to, tx.Now); err != nil {
		return err
	}
	if err := s.findings.Close(tx, failureKey(findings.CatalogueDamaged, c.PlanID), "it was turned off"); err != nil {
		return err
	}
	if err := s.tidyLater(tx, *c); err != nil {
		return err
	}
	data := map[string]any{"custody": repo.Custody}
	if why != "" {
		data["cause"] = why
	}
	return s.catalogueEntry(tx, *c, "catalogue.turned_off", data)
}

// tidyLater queues the deletion of what a catalogue has stored and names no more.
func (s *Service) tidyLater(tx *db.Tx, c catalogueRow) error {
	_, err := s.jobs.Enqueue(tx, jobs.Spec{Kind: jobTidy, Executor: jobs.Plane, Server: c.ServerID, Customer: c.CustomerID, Resource: jobTidy + ":" + c.PlanID,
		Key: fmt.Sprintf("%s:%s:%d", jobTidy, c.PlanID, tx.NowMillis()), Subject: c.PlanID, MaxAttempts: 20, Title: "job.catalogue_tidy"})
	return err
}

// RebuildCatalogue has a plan's catalogue made anew from all living snapshots.
// Permission: plan.write. Errors: not_found, conflict where it is off.
func (s *Service) RebuildCatalogue(ctx context.Context, scope policy.Scope, plan string) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		p, repo, err := s.planAndRepository(tx, scope, plan)
		if err != nil {
			return err
		}
		c, err := s.catalogueFor(tx, p, repo)
		if err != nil {
			return err
		}
		if !c.on() {
			return controlplane.Errorf(controlplane.CodeConflict, "Turn it on first.", "This plan has no catalogue")
		}
		if err := s.restart(tx, &c, CatalogueBuilding, tx.Now.Add(keepObsolete)); err != nil {
			return err
		}
		if err := s.catalogueEntry(tx, c, "catalogue.rebuild", map[string]any{"generation": c.Generation}); err != nil {
			return err
		}
		return s.feed(tx, p, repo)
	})
}

// DropCatalogues turns all catalogues of a customer off and deletes them, for
// erasure: why is a word for the ledger.
func (s *Service) DropCatalogues(ctx context.Context, scope policy.Scope, customer, why string) error {
	if !scope.Allows(customer) {
		return controlplane.NotFound("customer")
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		rows, err := db.Where[catalogueRow](tx, policy.OneCustomer(customer), "plan_id", 0, "1 = 1")
		if err != nil {
			return err
		}
		return s.dropCatalogues(tx, rows, why)
	})
}

func (s *Service) dropCatalogues(tx *db.Tx, rows []catalogueRow, why string) error {
	for _, c := range rows {
		_, repo, err := s.planAndRepository(tx, policy.OneCustomer(c.CustomerID), c.PlanID)
		if err != nil {
			return err
		}
		if err := s.turnOff(tx, &c, repo, why); err != nil {
			return err
		}
	}
	return nil
}

// cataloguesNarrowed drops the catalogues of a tenancy that has ended. One that
// only lost folders keeps them: the names are those of the customer's own copies.
func (s *Service) cataloguesNarrowed(tx *db.Tx, ten customers.Tenancy) error {
	if ten.EndedAt.IsZero() {
		return nil
	}
	rows, err := db.Where[catalogueRow](tx, policy.OneCustomer(ten.Customer), "plan_id", 0, "plan_id IN (SELECT id FROM backup_plans WHERE tenancy_id = ?)", ten.ID)
	if err != nil {
		return err
	}
	return s.dropCatalogues(tx, rows, "tenancy_ended")
}

// tidyBatch bounds the segments that are taken for deletion at once.
const tidyBatch = 50

// runTidy deletes the segments of a plan whose time has come.
func (s *Service) runTidy(ctx context.Context, job jobs.Job) (any, error) {
	blocks := s.blocksOf(job.Customer, job.Server, job.Subject)
	for {
		var doomed []segmentRow
		err := s.db.Write(ctx, func(tx *db.Tx) (err error) {
			doomed, err = doomedSegments(tx, job.Subject, tidyBatch)
			return err
		})
		if err != nil || len(doomed) == 0 {
			return nil, err
		}
		for _, d := range doomed {
			if err := blocks.Delete(ctx, d.Name); err != nil {
				return nil, err
			}
			if err := s.db.Write(ctx, func(tx *db.Tx) error { return forgetSegment(tx, d.Name) }); err != nil {
				return nil, err
			}
		}
	}
}

const (
	sweepPlans    = 200 // plans of one sweep
	keepIndexJobs = 7 * 24 * time.Hour
)

// sweepCatalogues goes on with what is missing in catalogues, and has deleted
// what they need no more.
func (s *Service) sweepCatalogues(ctx context.Context) error {
	var hungry []string
	var untidy []segmentRow
	var bloated []catalogueRow
	var now time.Time
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		now = tx.Now
		if hungry, err = plansToFeed(tx, sweepPlans); err != nil {
			return err
		}
		if untidy, err = plansToTidy(tx, sweepPlans); err != nil {
			return err
		}
		bloated, err = plansToCompact(tx, sweepPlans)
		return err
	})
	if err != nil {
		return err
	}
	for _, plan := range hungry {
		if err := s.db.Write(ctx, func(tx *db.Tx) error { return s.feedPlan(tx, plan) }); err != nil {
			return err
		}
	}
	for _, r := range untidy {
		if err := s.db.Write(ctx, func(tx *db.Tx) error {
			return s.tidyLater(tx, catalogueRow{PlanID: r.PlanID, CustomerID: r.CustomerID})
		}); err != nil {
			return err
		}
	}
	for _, c := range bloated {
		if err := s.db.Write(ctx, func(tx *db.Tx) error { return s.compactLater(tx, c) }); err != nil {
			return err
		}
	}
	_, err = s.jobs.Forget(ctx, slices.Concat([]string{string(wire.ActionCatalogue)}, indexJobs()), now.Add(-keepIndexJobs))
	return err
}

// indexJobs are the plane's jobs for catalogues.
func indexJobs() []string { return []string{jobMerge, jobCompact, jobTidy, jobDropList} }

// compactLater queues the rewriting of a catalogue, once for each of its versions.
func (s *Service) compactLater(tx *db.Tx, c catalogueRow) error {
	_, err := s.jobs.Enqueue(tx, jobs.Spec{Kind: jobCompact, Executor: jobs.Plane, Server: c.ServerID, Customer: c.CustomerID, Resource: catalogueResource(c.PlanID),
		Key: fmt.Sprintf("%s:%s:%d:%d", jobCompact, c.PlanID, c.Version, tx.NowMillis()/keepListings.Milliseconds()), Subject: c.PlanID, Timeout: mergeTimeout, Title: "job.catalogue_compact"})
	return err
}
