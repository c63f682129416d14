package bench_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"ostler/agents/wire"
	"ostler/backups"
	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
	"ostler/controlplane/secrets"
)

// The house that the pages are measured in.
const (
	houseServers   = 1000
	houseCustomers = 100
	houseDays      = 90 // of runs, for every plan
	openFindings   = 60
)

// house is what fill made, to look at.
type house struct {
	*parts
	rnd      *rand.Rand
	admin    string   // the staff member
	contacts []string // an owner of each customer
	servers  []customers.Server
	plans    []backups.Plan
	lastJob  map[string]string // the latest job of each customer
	now      time.Time
}

// fill makes the house. People, tenancies and plans are made by their slices;
// what a year of agents would have reported is inserted in bulk, sealed and in
// the form in which the slices write it.
func fill(p *parts) *house {
	h := &house{parts: p, rnd: rand.New(rand.NewPCG(1, 2)), lastJob: map[string]string{}, now: must[time.Time](p.b)(p.d.Now(p.ctx))}
	admin, _, err := p.identity.Bootstrap(p.ctx, "ada@host.example", "Ada Keller")
	if err != nil {
		p.b.Fatal(err)
	}
	h.admin = admin.ID
	p.addStore()
	ids := make([]string, houseCustomers)
	for i := range ids {
		c := must[customers.Customer](p.b)(p.customers.CreateCustomer(p.ctx, everyone, customers.NewCustomer{Name: fmt.Sprintf("Customer %03d", i), Country: "DE", Zone: "Europe/Berlin"}))
		ids[i] = c.ID
		owner := must[customers.Contact](p.b)(p.customers.AddContact(p.ctx, everyone, customers.NewContact{Customer: c.ID, Name: "Ines Moreau", Email: "ines@" + c.Slug + ".example", Role: policy.RoleOwner}))
		h.contacts = append(h.contacts, owner.ID)
	}
	for i := range houseServers {
		s := must[customers.Server](p.b)(p.customers.CreateServer(p.ctx, everyone, customers.NewServer{Name: fmt.Sprintf("web-%04d", i), Location: "Frankfurt", Country: "DE"}))
		h.servers = append(h.servers, s)
		path := fmt.Sprintf("/srv/site-%d", i)
		t := must[customers.Tenancy](p.b)(p.customers.CreateTenancy(p.ctx, everyone, customers.NewTenancy{Server: s.ID, Customer: ids[i%len(ids)], Paths: []string{path}}))
		h.plans = append(h.plans, must[backups.Plan](p.b)(p.backups.CreatePlan(p.ctx, everyone, backups.PlanInput{Tenancy: t.ID, Name: "Files", Paths: []string{path},
			Cron: fmt.Sprintf("%d %d * * *", i%60, i%5), Zone: "Europe/Berlin", CatchUp: true, Custody: backups.CustodyEscrow})))
	}
	h.enrolled()
	h.history()
	h.faults()
	must[int](p.b)(p.ledger.Sequence(p.ctx))
	return h
}

// rows inserts rows in statements of many.
func (h *house) rows(table, columns string, rows [][]any) {
	h.b.Helper()
	n := strings.Count(columns, ",") + 1
	one := "(" + strings.TrimSuffix(strings.Repeat("?, ", n), ", ") + ")"
	h.write(func(tx *db.Tx) error {
		for len(rows) > 0 {
			part := rows[:min(len(rows), 20)]
			rows = rows[len(part):]
			args := make([]any, 0, n*len(part))
			for _, r := range part {
				args = append(args, r...)
			}
			values := strings.TrimSuffix(strings.Repeat(one+", ", len(part)), ", ")
			if err := sqlExec(tx, "INSERT INTO "+table+" ("+columns+") VALUES "+values, args...); err != nil {
				return err
			}
		}
		return nil
	})
}

// enrolled gives every server an agent that was heard lately, an inventory, and
// a repository that is ready.
func (h *house) enrolled() {
	var agents, presence, inventories [][]any
	now := h.now.UnixMilli()
	for i, s := range h.servers {
		id, at := controlplane.NewID(controlplane.PrefixAgent), h.now.AddDate(0, -6, 0).UnixMilli()
		inv := must[[]byte](h.b)(json.Marshal(wire.Inventory{OS: "Debian GNU/Linux 12 (bookworm)", OSID: "debian", OSVersion: "12", Kernel: "6.1.0-18-amd64", Arch: "amd64", Hostname: s.Name, CPUs: 4,
			MemoryBytes: 8 << 30, Disks: []wire.Disk{{Mount: "/", SizeBytes: 200 << 30, FreeBytes: 90 << 30}}, Packages: 612, PackagesHash: fmt.Sprintf("%064x", i), ResticVersion: "0.19.1"}))
		silent, connected := int64(0), 1
		if i%100 == 7 {
			silent, connected = now-3600_000, 0
		}
		agents = append(agents, []any{id, s.ID, "enr_1", "active", fmt.Appendf(nil, "key-%d", i), []byte{}, []byte{}, now + 5*86400_000, s.Name, fmt.Sprintf("%032x", i), at, 0})
		presence = append(presence, []any{s.ID, id, 1, connected, "one", "instance", "", fmt.Sprintf("boot-%d", i), fmt.Sprintf("%032x", i), "1.0.0", `["inventory","backup"]`, []byte{1},
			at, 0, now - h.rnd.Int64N(30_000), 12, 90 << 30, 200 << 30, silent, 0, 0})
		inventories = append(inventories, []any{s.ID, id, "job_1", string(inv), now})
	}
	h.rows("agents", "id, server, enrolment, state, key_hash, next_hash, certificate, not_after, hostname, machine_id, created_at, ended_at", agents)
	h.rows("presence", `server, agent, epoch, connected, replica, instance, superseded, boot_id, machine_id, version, actions, seal_key,
		connected_at, disconnected_at, heard_at, skew_ms, disk_free, disk_size, silent_at, skewed_at, frozen_at`, presence)
	h.rows("inventories", "server, agent, job, data, collected_at", inventories)
	h.write(func(tx *db.Tx) error {
		for _, q := range []string{"UPDATE servers SET state = 'active'", "UPDATE backup_repositories SET state = 'ready', restic_id = id", "UPDATE jobs SET state = 'succeeded', finished_at = created_at + 1000",
			"UPDATE backup_plans SET copied_at = created_at"} {
			if err := sqlExec(tx, q); err != nil {
				return err
			}
		}
		return nil
	})
}

// history gives every plan its runs: a job, a run, a snapshot and an entry for
// each day, now and then a partial one or one that failed.
func (h *house) history() {
	for day := houseDays; day > 0; day-- {
		var jobs, runs, snaps [][]any
		var entries []ledger.Entry
		for i, p := range h.plans {
			at := h.now.AddDate(0, 0, -day).Add(time.Duration(h.rnd.IntN(3*3600)) * time.Second).UnixMilli()
			job, run, snap := controlplane.NewID(controlplane.PrefixJob), controlplane.NewID(controlplane.PrefixRun), controlplane.NewID(controlplane.PrefixSnapshot)
			state, jobState, cause, unread := "complete", "succeeded", "", 0
			switch n := h.rnd.IntN(200); {
			case n < 2:
				state, jobState, cause, snap = "failed", "failed", string(wire.CauseStoreUnreachable), ""
			case n < 6:
				state, unread = "partial", 3
			}
			res := must[[]byte](h.b)(json.Marshal(wire.BackupResult{Outcome: wire.BackupComplete, SnapshotID: fmt.Sprintf("%064x", i*1000+day), TotalFiles: 12_000, TotalBytes: 3 << 30, AddedBytes: 4 << 20, SnapshotAt: at}))
			sealedParams := must[[]byte](h.b)(h.keeper.Seal(p.Customer, secrets.AD{Table: "jobs", Column: "params", Row: job}, []byte(`{"run":"`+run+`"}`)))
			sealedResult := must[[]byte](h.b)(h.keeper.Seal(p.Customer, secrets.AD{Table: "jobs", Column: "result", Row: job}, res))
			jobs = append(jobs, []any{job, "backup", "agent", p.Server, p.Customer, "repository:" + p.Repository.ID, job, "", run, "job.backup", sealedParams, jobState, 1, 1, 1,
				at, at + 86400_000, 21600_000, at, at, at, at, at + 40_000, 0, 0, 1, "agt_1", sealedResult, cause, 0, "system", "jobs"})
			runs = append(runs, []any{run, p.Customer, p.ID, p.Server, job, "schedule", state, at, at + 40_000, snap, cause, unread, 12_000, 3 << 30, 4 << 20, 40_000})
			if snap != "" {
				snaps = append(snaps, []any{snap, p.Customer, p.ID, p.Repository.ID, p.Server, run, fmt.Sprintf("%064x", i*1000+day), at, at + 41_000, state, unread, 12_000, 3 << 30, 4 << 20})
			}
			h.lastJob[p.Customer] = job
			entries = append(entries, ledger.Entry{Customer: p.Customer, Server: p.Server, Subject: run, Kind: "backup." + state,
				Data: map[string]any{"plan": p.ID, "plan_name": p.Name, "snapshot": snap, "files": 12_000, "bytes": 3 << 30, "unread_count": unread, "failure_cause": cause}})
		}
		h.rows("jobs", `id, kind, executor, server, customer_id, resource, unique_key, supersede_key, subject, title, params, state, epoch, attempt, max_attempts, not_before,
			expires_at, timeout_ms, created_at, offered_at, accepted_at, started_at, finished_at, lease_until, lost, settled_epoch, agent, result, failure_cause, cancel_asked, actor_kind, actor_id`, jobs)
		h.rows("backup_runs", "id, customer_id, plan_id, server_id, job_id, started_by, state, due_at, finished_at, snapshot_id, failure_cause, unread_count, files, bytes, added_bytes, duration_ms", runs)
		h.rows("backup_snapshots", "id, customer_id, plan_id, repository_id, server_id, run_id, restic_id, claimed_at, arrived_at, outcome, unread_count, files, bytes, added_bytes", snaps)
		h.write(func(tx *db.Tx) error {
			for _, e := range entries {
				if _, err := h.ledger.Append(tx, e); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

// faults opens findings of several kinds, and as many again that are closed.
func (h *house) faults() {
	h.write(func(tx *db.Tx) error {
		for i := range 2 * openFindings {
			p := h.plans[i*7%len(h.plans)]
			f := findings.Finding{Key: fmt.Sprint("bench:", i), Customer: p.Customer, Server: p.Server, Subject: p.ID, Kind: findings.BackupFailed, Severity: findings.Bad, Owner: findings.Ops,
				Args: map[string]string{"server": fmt.Sprintf("web-%04d", i*7%len(h.plans)), "plan": p.Name, "cause": string(wire.CauseStoreUnreachable), "detail": "connection refused"}, Link: "/plans/" + p.ID}
			if i%3 == 1 {
				f.Kind, f.Severity = findings.BackupPartial, findings.Warn
				f.Args = map[string]string{"server": f.Args["server"], "plan": p.Name, "count": "3"}
			}
			if err := h.findings.Raise(tx, f); err != nil {
				return err
			}
			if i%2 == 1 {
				if err := h.findings.Close(tx, f.Key, "a complete backup arrived"); err != nil {
					return err
				}
			}
		}
		return nil
	})
}
