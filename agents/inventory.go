package agents

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/dustin/go-humanize"
	"golang.org/x/mod/semver"

	"ostler/agents/wire"
	"ostler/controlplane/bus"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/jobs"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

const (
	inventorySchedule = "agents.inventory"
	inventoryResource = "inventory"
	inventoryExpires  = 24 * time.Hour
	inventoryJitter   = 2 * time.Hour
)

var everyServer = policy.AllCustomers("agents: a server's own facts")

// registerInventory tells jobs what an inventory means.
func (a *Agents) registerInventory() {
	a.Jobs.Handle(string(wire.ActionInventory), jobs.Handler{Done: a.inventoried})
	a.Jobs.HandleSchedule(inventorySchedule, func(tx *db.Tx, s jobs.Schedule, at time.Time) error {
		return a.enqueueInventory(tx, s.Subject, "inventory:"+s.Subject+":"+at.UTC().Format("2006-01-02T15:04"))
	})
}

// wantInventory queues the first inventory of an agent, and a daily one.
func (a *Agents) wantInventory(tx *db.Tx, id Identity) error {
	inv, err := inventoryOf(tx, id.Server)
	if err != nil {
		return fmt.Errorf("agents: find inventory: %w", err)
	}
	if inv != nil && inv.Agent == id.Agent {
		return nil
	}
	if err := a.enqueueInventory(tx, id.Server, "inventory:"+id.Server+":"+id.Agent); err != nil {
		return err
	}
	_, err = a.Jobs.PutSchedule(tx, jobs.Schedule{Key: "inventory:" + id.Server, Kind: inventorySchedule, Subject: id.Server,
		Cron: "15 2 * * *", Jitter: inventoryJitter, CatchUp: true, Enabled: true})
	return err
}

func (a *Agents) enqueueInventory(tx *db.Tx, server, key string) error {
	_, err := a.Jobs.Enqueue(tx, jobs.Spec{Kind: string(wire.ActionInventory), Executor: jobs.Agent, Server: server,
		Resource: inventoryResource, Key: key, Supersedes: "inventory:" + server, Subject: server,
		Params: wire.InventoryParams{}, ExpiresAt: tx.Now.Add(inventoryExpires), Title: "job.inventory"})
	return err
}

// inventoried stores what a server says of itself, in the transaction that
// ends the job.
func (a *Agents) inventoried(tx *db.Tx, job jobs.Job) error {
	key := "inventory.failed:" + job.Server
	if job.State == jobs.Failed || job.State == jobs.Rejected {
		args := map[string]string{}
		if job.Failure != nil {
			args["cause"], args["detail"] = string(job.Failure.Cause), job.Failure.Detail
		}
		return a.raise(tx, findings.Finding{Key: key, Kind: findings.InventoryFailed, Server: job.Server, Subject: job.ID,
			Severity: findings.Unknown, Owner: findings.Ops, Args: args, Link: "/jobs/" + job.ID}, false)
	}
	if job.State != jobs.Succeeded {
		return nil // superseded, expired, cancelled: the next one tells
	}
	var answer wire.InventoryAnswer
	if err := json.Unmarshal(job.Result, &answer); err != nil {
		return a.raise(tx, findings.Finding{Key: key, Kind: findings.InventoryFailed, Server: job.Server, Subject: job.ID,
			Severity: findings.Unknown, Owner: findings.Ops, Args: map[string]string{"detail": "its answer cannot be read"}, Link: "/jobs/" + job.ID}, false)
	}
	before, err := inventoryOf(tx, job.Server)
	if err != nil {
		return fmt.Errorf("agents: find inventory: %w", err)
	}
	inv := answer.Inventory
	data, err := json.Marshal(answer) // our own form, whatever else the host sent
	if err != nil {
		return fmt.Errorf("agents: write inventory: %w", err)
	}
	if err := putInventory(tx, inventoryRow{Server: job.Server, Agent: job.Agent, Job: job.ID, Data: string(data), CollectedAt: tx.NowMillis()}); err != nil {
		return fmt.Errorf("agents: store inventory: %w", err)
	}
	if err := a.Findings.Close(tx, key, "the server sent an inventory"); err != nil {
		return err
	}
	if err := a.judge(tx, job.Server, inv); err != nil {
		return err
	}
	tx.AfterCommit(func() { a.Bus.Publish(bus.TopicServer(job.Server)) })
	if before != nil && before.Data == string(data) {
		return nil
	}
	_, err = a.Ledger.Append(tx, ledger.Entry{Server: job.Server, Subject: job.Server, Kind: "server.inventoried",
		Data: map[string]any{"job": job.ID, "os": inv.OS, "kernel": inv.Kernel, "packages": inv.Packages, "packages_hash": inv.PackagesHash}})
	return err
}

// What an inventory must show.
const (
	wantRestic = "0.19" // dumps of damaged trees end with an error from here on
	lowDisk    = 20     // a disk is low with less than one part in so many free
)

// judge raises and closes what an inventory shows to be wrong.
func (a *Agents) judge(tx *db.Tx, server string, inv wire.Inventory) error {
	old, low := "restic.old:"+server, "server.disk_low:"+server
	f := findings.Finding{Server: server, Subject: server, Severity: findings.Warn, Owner: findings.Ops, Link: serverLink(server)}
	if v := inv.ResticVersion; v != "" && semver.Compare("v"+v, "v"+wantRestic) < 0 {
		f.Key, f.Kind, f.Args = old, findings.ResticOld, map[string]string{"version": v, "want": wantRestic}
		if err := a.raise(tx, f, false); err != nil {
			return err
		}
	} else if err := a.Findings.Close(tx, old, "restic is new enough"); err != nil {
		return err
	}
	for _, d := range inv.Disks {
		if d.SizeBytes > 0 && d.FreeBytes < d.SizeBytes/lowDisk {
			f.Key, f.Kind = low, findings.ServerDiskLow
			f.Args = map[string]string{"free": humanize.Bytes(uint64(max(0, d.FreeBytes))), "size": humanize.Bytes(uint64(d.SizeBytes)) + " at " + d.Mount}
			return a.raise(tx, f, true)
		}
	}
	return a.close(tx, low, server, "there is room again")
}
