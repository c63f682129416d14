package backups_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"

	"ostler/agents/wire"
	"ostler/backups"
	"ostler/controlplane"
	"ostler/controlplane/bus"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/findings"
	"ostler/controlplane/jobs"
	"ostler/controlplane/jobs/jobstest"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
	"ostler/controlplane/secrets"
)

const (
	agentID  = "agt_00000000000000000000000001"
	password = "ABCDE-FGHJK-MNPQR-STVWX"
)

// house is a plane without its edges, and a host that is played by the test:
// it takes jobs as an agent does and answers what the test says.
type house struct {
	t         *testing.T
	ctx       context.Context // a staff member's
	db        *db.DB
	clock     *dbtest.Clock
	keeper    *secrets.Keeper
	ledger    *ledger.Ledger
	jobs      *jobs.Jobs
	findings  *findings.Findings
	customers *customers.Store
	backups   *backups.Service
	blobs     *blob.Bucket
	htpasswd  string
	sealKey   []byte // the played host's, public
	all       policy.Scope

	server   customers.Server
	customer customers.Customer
	other    customers.Customer
	tenancy  customers.Tenancy

	// lists are the offers to list a snapshot for its plan's catalogue: one
	// follows each backup, and most tests leave it where it is.
	lists []jobstest.Job
}

func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func newHouse(t *testing.T, d *db.DB, clock *dbtest.Clock) *house {
	t.Helper()
	return newHouseWith(t, d, clock, nil)
}

// newHouseWith is newHouse with somebody who takes mail.
func newHouseWith(t *testing.T, d *db.DB, clock *dbtest.Clock, mail backups.Mailer) *house {
	t.Helper()
	ctx := controlplane.WithActor(t.Context(), controlplane.Actor{Kind: controlplane.ActorStaff, ID: "stf_00000000000000000000000001", Role: string(policy.RoleOps)})
	h := &house{t: t, ctx: ctx, db: d, clock: clock, all: policy.AllCustomers("test"), htpasswd: filepath.Join(t.TempDir(), "htpasswd")}
	h.keeper = must[*secrets.Keeper](t)(secrets.OpenFile(ctx, d, filepath.Join(t.TempDir(), "keyring")))
	b := bus.New()
	h.ledger = must[*ledger.Ledger](t)(ledger.New(d, h.keeper, ledger.Options{Origin: "test.invalid/ledger", Bus: b}))
	h.jobs = jobs.New(d, h.keeper, b, jobs.Options{})
	h.findings = findings.New(d, h.keeper, h.ledger, b)
	h.customers = customers.New(d, h.keeper, h.ledger)
	h.blobs = must[*blob.Bucket](t)(fileblob.OpenBucket(t.TempDir(), &fileblob.Options{NoTempDir: true, Metadata: fileblob.MetadataDontWrite}))
	t.Cleanup(func() { _ = h.blobs.Close() })
	h.backups = backups.New(backups.Deps{DB: d, Keeper: h.keeper, Ledger: h.ledger, Jobs: h.jobs, Findings: h.findings, Customers: h.customers, Blobs: h.blobs, Mail: mail},
		backups.Options{Bus: b, SealKey: func(context.Context, policy.Scope, string) ([]byte, error) { return h.sealKey, nil }})
	h.customer = must[customers.Customer](t)(h.customers.CreateCustomer(ctx, h.all, customers.NewCustomer{Slug: "maple", Name: "Maple Bakery", Country: "DE", Zone: "Europe/Berlin"}))
	h.other = must[customers.Customer](t)(h.customers.CreateCustomer(ctx, h.all, customers.NewCustomer{Slug: "harbour", Name: "Harbour Mail", Country: "DE", Zone: "Europe/Berlin"}))
	h.server = must[customers.Server](t)(h.customers.CreateServer(ctx, h.all, customers.NewServer{Name: "maple-1", Location: "Frankfurt", Country: "DE"}))
	h.tenancy = must[customers.Tenancy](t)(h.customers.CreateTenancy(ctx, h.all, customers.NewTenancy{Server: h.server.ID, Customer: h.customer.ID, Paths: []string{"/srv/shop"}}))
	must[backups.OffSite](t)(h.backups.AddStore(ctx, h.all, backups.OffSite{Name: "off-site", URL: "https://127.0.0.1:1", HtpasswdPath: h.htpasswd, Location: "Falkenstein", Country: "DE"}))
	return h
}

// owner returns a context of a contact of the customer, and their scope.
func (h *house) owner(customer string) (context.Context, policy.Scope) {
	a := controlplane.Actor{Kind: controlplane.ActorContact, ID: "con_00000000000000000000000001", Customer: customer, Role: string(policy.RoleOwner)}
	return controlplane.WithActor(h.t.Context(), a), policy.ScopeOf(a)
}

// agent plays the agent of the server.
func (h *house) agent() jobstest.Agent {
	return jobstest.Agent{T: h.t, Jobs: h.jobs, Server: h.server.ID, ID: agentID}
}

// take has the played host take the next job of a kind, and returns its params.
// Lists of a backup's files are set aside until one asks for them.
func (h *house) take(kind wire.Action, params any) wire.JobRef {
	h.t.Helper()
	for range 10 {
		due := h.agent().Offered()
		if kind == wire.ActionCatalogue {
			due, h.lists = append(h.lists, due...), nil
		}
		for i, j := range due {
			if j.Action != kind && j.Action == wire.ActionCatalogue {
				h.lists = append(h.lists, j)
				continue
			}
			if j.Action != kind {
				h.t.Fatalf("offered %s, want %s", j.Action, kind)
			}
			if !h.agent().Accept(j) {
				if kind == wire.ActionCatalogue {
					continue // it was set aside for too long
				}
				h.t.Fatal("accept refused")
			}
			j.Read(h.t, params)
			if kind == wire.ActionCatalogue {
				h.lists = due[i+1:]
			}
			return j.Ref
		}
		h.tick()
	}
	h.t.Fatalf("no %s was offered", kind)
	return wire.JobRef{}
}

func (h *house) finish(ref wire.JobRef, data any) { h.t.Helper(); h.agent().Finish(ref, data) }

func (h *house) end(r wire.Result) { h.t.Helper(); h.agent().End(r) }

// tick has the plane do its own jobs.
func (h *house) tick() { h.t.Helper(); h.agent().Tick() }

func fingerprint(p string) string {
	sum := sha256.Sum256([]byte("ostler key fingerprint v1\n" + p))
	return hex.EncodeToString(sum[:])
}

// prepared answers repository.prepare as a host does.
func (h *house) prepared() { h.t.Helper(); h.preparedWith(password) }

func (h *house) preparedWith(password string) {
	h.t.Helper()
	var p wire.RepoPrepareParams
	ref := h.take(wire.ActionRepoPrepare, &p)
	res := wire.RepoPrepared{StoreHash: "$2a$10$" + strings.Repeat("x", 53), KeyFingerprint: fingerprint(password)}
	if p.EscrowKey != nil {
		res.EscrowSealed = must[[]byte](h.t)(secrets.SealTo(p.EscrowKey, wire.HPKEInfo+p.Repository.ID, []byte(password)))
	}
	if p.RevealKey != nil {
		res.RevealSealed = must[[]byte](h.t)(secrets.SealTo(p.RevealKey, wire.HPKEInfo+p.Repository.ID, []byte(password)))
	}
	h.finish(ref, res)
}

func (h *house) plan(custody backups.Custody) backups.Plan {
	h.t.Helper()
	return must[backups.Plan](h.t)(h.backups.CreatePlan(h.ctx, h.all, backups.PlanInput{Tenancy: h.tenancy.ID, Name: "Everything",
		Paths: []string{"/srv/shop"}, Cron: "15 2 * * *", Zone: "Europe/Berlin", CatchUp: true, Custody: custody}))
}

// ready makes a plan whose repository is ready, and answers its first run.
func (h *house) ready() (backups.Plan, backups.Snapshot) {
	h.t.Helper()
	p := h.plan(backups.CustodyEscrow)
	h.prepared()
	h.tick() // the plane registers the host at the store
	var init wire.RepoInitParams
	h.finish(h.take(wire.ActionRepoInit, &init), wire.RepoInitialised{ResticID: "abc", Created: true})
	h.backup(wire.BackupResult{Outcome: wire.BackupComplete, TotalFiles: 3, TotalBytes: 99})
	snaps, _, err := h.backups.Snapshots(h.ctx, h.all, backups.SnapshotFilter{Plan: p.ID})
	if err != nil || len(snaps) != 1 {
		h.t.Fatalf("snapshots: %d, %v, want 1", len(snaps), err)
	}
	return must[backups.Plan](h.t)(h.backups.Plan(h.ctx, h.all, p.ID)), snaps[0]
}

func (h *house) backup(res wire.BackupResult) {
	h.t.Helper()
	var p wire.BackupParams
	ref := h.take(wire.ActionBackup, &p)
	sum := sha256.Sum256([]byte(p.Run))
	res.SnapshotID = hex.EncodeToString(sum[:])
	h.finish(ref, res)
}

func (h *house) openKinds() map[string]findings.Finding {
	h.t.Helper()
	items, _, err := h.findings.List(h.ctx, h.all, findings.Filter{})
	if err != nil {
		h.t.Fatal(err)
	}
	out := map[string]findings.Finding{}
	for _, f := range items {
		if f.Open() {
			out[f.Kind] = f
		}
	}
	return out
}

func TestCustomerKeyIsShownOnceAndConfirmed(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		p := h.plan(backups.CustodyOpen)
		ctx, scope := h.owner(h.customer.ID)
		repo := p.Repository.ID
		if got := p.Repository.State; got != backups.RepositoryChoosing {
			t.Fatalf("state %q, want choosing", got)
		}
		if _, err := h.backups.RunNow(ctx, scope, p.ID); controlplane.ErrorCode(err) != controlplane.CodeConflict {
			t.Errorf("run before the key is safe: %v, want conflict", err)
		}
		if err := h.backups.ChooseCustody(ctx, scope, repo, backups.CustodyCustomer); err != nil {
			t.Fatal(err)
		}
		h.prepared()
		if _, ok := h.openKinds()["key.unconfirmed"]; !ok {
			t.Error("no finding says that the key is unconfirmed")
		}
		if err := h.backups.ConfirmKey(ctx, scope, repo, "STVWX"); controlplane.ErrorCode(err) != controlplane.CodeConflict {
			t.Errorf("confirmed before it was shown: %v, want conflict", err)
		}
		key, err := h.backups.RevealKey(ctx, scope, repo)
		if err != nil || key != password {
			t.Fatalf("key %q, %v, want %q", key, err, password)
		}
		if _, err := h.backups.RevealKey(ctx, scope, repo); controlplane.ErrorCode(err) != controlplane.CodeConflict {
			t.Errorf("shown twice: %v, want conflict", err)
		}
		if err := h.backups.ConfirmKey(ctx, scope, repo, "WRONG"); controlplane.ErrorCode(err) != controlplane.CodeInvalid {
			t.Errorf("wrong group: %v, want invalid", err)
		}
		if err := h.backups.ConfirmKey(ctx, scope, repo, " stvwx "); err != nil {
			t.Fatal(err)
		}
		if _, ok := h.openKinds()["key.unconfirmed"]; ok {
			t.Error("the finding about the key is still open")
		}
		h.tick()
		var init wire.RepoInitParams
		h.finish(h.take(wire.ActionRepoInit, &init), wire.RepoInitialised{ResticID: "abc"})
		line, err := os.ReadFile(h.htpasswd)
		if err != nil || !bytes.HasPrefix(line, []byte(repo+":$2a$10$")) {
			t.Errorf("htpasswd %q, %v, want the repository's line", line, err)
		}
		if got := must[backups.Repository](t)(h.backups.Repository(ctx, scope, repo)); got.State != backups.RepositoryReady {
			t.Errorf("state %q, want ready", got.State)
		}
	})
}

func TestOutcomesOfARun(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		p, first := h.ready()
		if !first.ArrivedAt.Equal(clock.Now()) {
			t.Errorf("arrived %v, want the plane's %v", first.ArrivedAt, clock.Now())
		}
		run := func(answer func(wire.JobRef, wire.BackupParams)) backups.Run {
			t.Helper()
			clock.Advance(time.Minute)
			r := must[backups.Run](t)(h.backups.RunNow(h.ctx, h.all, p.ID))
			if _, err := h.backups.RunNow(h.ctx, h.all, p.ID); controlplane.ErrorCode(err) != controlplane.CodeConflict {
				t.Errorf("two runs at once: %v, want conflict", err)
			}
			var params wire.BackupParams
			ref := h.take(wire.ActionBackup, &params)
			answer(ref, params)
			return must[backups.Run](t)(h.backups.Run(h.ctx, h.all, r.ID))
		}
		id := strings.Repeat("ab", 32)
		partial := run(func(ref wire.JobRef, _ wire.BackupParams) {
			h.finish(ref, wire.BackupResult{Outcome: wire.BackupPartial, SnapshotID: id, UnreadCount: 2, Unread: []wire.Unread{{Path: "/srv/shop/a", Reason: "permission denied"}}, MissingPaths: []string{"/srv/shop/gone"}})
		})
		if partial.State != backups.RunPartial || partial.UnreadCount != 3 || partial.Unread != nil {
			t.Errorf("run for staff: %+v, want partial, 3 unread, no names", partial)
		}
		ctx, scope := h.owner(h.customer.ID)
		if got := must[backups.Run](t)(h.backups.Run(ctx, scope, partial.ID)); len(got.Unread) != 2 || got.Unread[1].Path != "/srv/shop/a" {
			t.Errorf("unread for the owner: %+v", got.Unread)
		}
		if open := h.openKinds(); open["backup.partial"].Args["count"] != "2 files" || open["backup.folder_missing"].Args["path"] != "/srv/shop/gone" {
			t.Errorf("findings for the partial run: %v", open)
		}
		failed := run(func(ref wire.JobRef, _ wire.BackupParams) {
			h.end(wire.Result{JobRef: ref, Outcome: wire.Failed, Failure: &wire.Failure{Cause: wire.CauseStoreFull}})
		})
		if failed.State != backups.RunFailed || failed.FailureCause != string(wire.CauseStoreFull) || failed.Snapshot != "" {
			t.Errorf("failed run: %+v", failed)
		}
		if open := h.openKinds(); len(open) != 3 || open[findings.StoreFull].Group == open[findings.StoreFull].Key {
			t.Errorf("open findings %v, want store.full in the store's group, and the partial ones", open)
		}
		garbled := run(func(ref wire.JobRef, _ wire.BackupParams) {
			h.finish(ref, map[string]any{"outcome": "complete", "snapshot_id": "../../etc"})
		})
		if garbled.State != backups.RunFailed {
			t.Errorf("a result without a snapshot id is %q, want failed", garbled.State)
		}
		interrupted := run(func(ref wire.JobRef, _ wire.BackupParams) {
			h.end(wire.Result{JobRef: ref, Outcome: wire.Interrupted, Failure: &wire.Failure{Cause: wire.CauseInternal}})
		})
		if interrupted.State != backups.RunInterrupted {
			t.Errorf("interrupted run: %q", interrupted.State)
		}
		open := h.openKinds()
		if _, ok := open["backup.failed"]; !ok {
			t.Errorf("open findings %v, want backup.failed", open)
		}
		complete := run(func(ref wire.JobRef, _ wire.BackupParams) {
			h.finish(ref, wire.BackupResult{Outcome: wire.BackupComplete, SnapshotID: strings.Repeat("cd", 32)})
		})
		if open := h.openKinds(); complete.State != backups.RunComplete || len(open) != 0 {
			t.Errorf("after a complete run: %q, open findings %v", complete.State, open)
		}
	})
}

func TestMissedBackupIsAFinding(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		h.ready()
		clock.Advance(41 * time.Hour) // 21 November 02:00 → 22 November 02:00 UTC: one start missed
		if err := h.backups.Sweep(h.ctx); err != nil {
			t.Fatal(err)
		}
		if _, ok := h.openKinds()["backup.missed"]; ok {
			t.Error("one missed start is a finding already")
		}
		clock.Advance(2 * time.Hour)
		if err := h.backups.Sweep(h.ctx); err != nil {
			t.Fatal(err)
		}
		f, ok := h.openKinds()["backup.missed"]
		if !ok || f.Args["for"] != "43 hours" {
			t.Errorf("finding %+v, want backup.missed after 43 hours", f)
		}
	})
}

func TestDownloadArrivesWholeOrNotAtAll(t *testing.T) {
	content := bytes.Repeat([]byte("ostler "), 3<<20) // 21 MiB: three chunks
	sum := sha256.Sum256(content)
	chunk := func(i int) []byte { return content[i*wire.ChunkSize : min(len(content), (i+1)*wire.ChunkSize)] }
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		_, snap := h.ready()
		ctx, scope := h.owner(h.customer.ID)
		start := func() (backups.Restore, wire.JobRef) {
			r := must[backups.Restore](t)(h.backups.StartDownload(ctx, scope, snap.ID, []byte("/srv/shop/big\n\xff.bin")))
			var p wire.DownloadParams
			return r, h.take(wire.ActionDownload, &p)
		}
		put := func(ref wire.JobRef, i int) error {
			s := sha256.Sum256(chunk(i))
			return h.backups.Put(h.ctx, h.server.ID, agentID, ref.Job, ref.Epoch, i, hex.EncodeToString(s[:]), bytes.NewReader(chunk(i)))
		}
		good, ref := start()
		for _, i := range []int{2, 0, 1, 1} {
			if err := put(ref, i); err != nil {
				t.Fatal(err)
			}
		}
		s := sha256.Sum256(chunk(0))
		for name, err := range map[string]error{
			"other server": h.backups.Put(h.ctx, "srv_x", agentID, ref.Job, ref.Epoch, 0, hex.EncodeToString(s[:]), bytes.NewReader(chunk(0))),
			"other agent":  h.backups.Put(h.ctx, h.server.ID, "agt_x", ref.Job, ref.Epoch, 0, hex.EncodeToString(s[:]), bytes.NewReader(chunk(0))),
			"old epoch":    h.backups.Put(h.ctx, h.server.ID, agentID, ref.Job, ref.Epoch-1, 0, hex.EncodeToString(s[:]), bytes.NewReader(chunk(0))),
			"wrong hash":   h.backups.Put(h.ctx, h.server.ID, agentID, ref.Job, ref.Epoch, 0, hex.EncodeToString(s[:]), bytes.NewReader(chunk(2))),
		} {
			if err == nil {
				t.Errorf("%s: the chunk was stored", name)
			}
		}
		if have := must[[]int](t)(h.backups.Have(h.ctx, h.server.ID, agentID, ref.Job)); len(have) != 3 {
			t.Errorf("have %v, want three chunks", have)
		}
		if _, err := h.backups.OpenDownload(ctx, scope, good.ID); controlplane.ErrorCode(err) != controlplane.CodeConflict {
			t.Errorf("opened before it is ready: %v", err)
		}
		h.finish(ref, wire.DownloadResult{Size: int64(len(content)), SHA256: hex.EncodeToString(sum[:]), Chunks: 3})
		h.tick()
		f, err := h.backups.OpenDownload(ctx, scope, good.ID)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(f); err != nil || !bytes.Equal(got, content) {
			t.Errorf("read %d bytes, %v, want %d", len(got), err, len(content))
		}
		if _, err := f.Seek(-5, io.SeekEnd); err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(f); err != nil || !bytes.Equal(got, content[len(content)-5:]) {
			t.Errorf("tail %q, %v", got, err)
		}
		octx, oscope := h.owner(h.other.ID)
		if _, err := h.backups.OpenDownload(octx, oscope, good.ID); controlplane.ErrorCode(err) != controlplane.CodeNotFound {
			t.Errorf("another customer: %v, want not found", err)
		}

		short, ref := start() // a host that says three and sends two
		for _, i := range []int{0, 1} {
			if err := put(ref, i); err != nil {
				t.Fatal(err)
			}
		}
		h.finish(ref, wire.DownloadResult{Size: int64(len(content)), SHA256: hex.EncodeToString(sum[:]), Chunks: 3})
		for range 4 {
			h.tick()
			clock.Advance(10 * time.Minute)
		}
		if r := must[backups.Restore](t)(h.backups.Restore(ctx, scope, short.ID)); r.State != backups.RestoreFailed {
			t.Errorf("a short download is %q, want failed", r.State)
		}

		clock.Advance(25 * time.Hour)
		if err := h.backups.Sweep(h.ctx); err != nil {
			t.Fatal(err)
		}
		h.tick()
		if _, err := h.backups.OpenDownload(ctx, scope, good.ID); controlplane.ErrorCode(err) != controlplane.CodeExpired {
			t.Errorf("after a day: %v, want expired", err)
		}
		it := h.blobs.List(nil)
		if obj, err := it.Next(t.Context()); err != io.EOF {
			t.Errorf("a blob is left: %+v, %v", obj, err)
		}
	})
}

func TestOtherCustomersSeeNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		p, snap := h.ready()
		ctx, scope := h.owner(h.other.ID)
		_, planErr := h.backups.Plan(ctx, scope, p.ID)
		_, repoErr := h.backups.Repository(ctx, scope, p.Repository.ID)
		_, snapErr := h.backups.Snapshot(ctx, scope, snap.ID)
		_, runErr := h.backups.Run(ctx, scope, snap.Run)
		_, nowErr := h.backups.RunNow(ctx, scope, p.ID)
		_, browseErr := h.backups.Browse(ctx, scope, snap.ID, []byte("/"), 0)
		_, dlErr := h.backups.StartDownload(ctx, scope, snap.ID, []byte("/srv/shop/a"))
		_, pbErr := h.backups.StartPutBack(ctx, scope, snap.ID, []byte("/srv/shop/a"))
		_, keyErr := h.backups.RevealKey(ctx, scope, p.Repository.ID)
		for name, err := range map[string]error{"plan": planErr, "repository": repoErr, "snapshot": snapErr, "run": runErr, "run now": nowErr,
			"browse": browseErr, "download": dlErr, "put back": pbErr, "key": keyErr, "custody": h.backups.ChooseCustody(ctx, scope, p.Repository.ID, backups.CustodyEscrow)} {
			if controlplane.ErrorCode(err) != controlplane.CodeNotFound {
				t.Errorf("%s: %v, want not found", name, err)
			}
		}
		if snaps, _, err := h.backups.Snapshots(ctx, scope, backups.SnapshotFilter{}); err != nil || len(snaps) != 0 {
			t.Errorf("snapshots: %d, %v, want none", len(snaps), err)
		}
	})
}

func TestPlanInputIsChecked(t *testing.T) {
	h := newHouse(t, dbtest.SQLite(t, &dbtest.Clock{}), &dbtest.Clock{})
	good := backups.PlanInput{Tenancy: h.tenancy.ID, Name: "Everything", Paths: []string{"/srv/shop"}, Cron: "15 2 * * *", Zone: "Europe/Berlin"}
	for name, tt := range map[string]struct {
		change func(*backups.PlanInput)
		field  string
	}{
		"no name":         {func(in *backups.PlanInput) { in.Name = " " }, "/name"},
		"name unseen":     {func(in *backups.PlanInput) { in.Name = "a\u202eb" }, "/name"},
		"name no text":    {func(in *backups.PlanInput) { in.Name = "a\xff" }, "/name"},
		"name zero":       {func(in *backups.PlanInput) { in.Name = "a\x00" }, "/name"},
		"path no text":    {func(in *backups.PlanInput) { in.Paths = []string{"/srv/shop/\xff"} }, "/paths/0"},
		"far too much":    {func(in *backups.PlanInput) { in.Excludes = slices.Repeat([]string{strings.Repeat("x", 4000)}, 9) }, "/paths"},
		"no path":         {func(in *backups.PlanInput) { in.Paths = nil }, "/paths"},
		"relative path":   {func(in *backups.PlanInput) { in.Paths = []string{"srv/shop"} }, "/paths/0"},
		"dotted path":     {func(in *backups.PlanInput) { in.Paths = []string{"/srv/shop/../../etc"} }, "/paths/0"},
		"other's path":    {func(in *backups.PlanInput) { in.Paths = []string{"/srv/shop", "/srv/harbour"} }, "/paths/1"},
		"name as prefix":  {func(in *backups.PlanInput) { in.Paths = []string{"/srv/shopping"} }, "/paths/0"},
		"exclude newline": {func(in *backups.PlanInput) { in.Excludes = []string{"a\nb"} }, "/excludes/0"},
		"cron":            {func(in *backups.PlanInput) { in.Cron = "61 * * * *" }, "/cron"},
		"zone":            {func(in *backups.PlanInput) { in.Zone = "Mars/Olympus" }, "/cron"},
		"jitter":          {func(in *backups.PlanInput) { in.Jitter = 7 * time.Hour }, "/jitter_seconds"},
		"custody":         {func(in *backups.PlanInput) { in.Custody = "nobody" }, "/custody"},
	} {
		in := good
		tt.change(&in)
		_, err := h.backups.CreatePlan(h.ctx, h.all, in)
		e, ok := err.(*controlplane.Error)
		if !ok || e.Code != controlplane.CodeInvalid || e.Fields[0].Pointer != tt.field {
			t.Errorf("%s: %v, want invalid %s", name, err, tt.field)
		}
	}
}

// The answer to a look into a folder is kept for a day; file names do not
// stay longer with us than they are of use.
func TestListingsAreForgotten(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		_, snap := h.ready()
		ctx, scope := h.owner(h.customer.ID)
		look := func() backups.Folder {
			t.Helper()
			return must[backups.Folder](t)(h.backups.Browse(ctx, scope, snap.ID, []byte("/srv/shop"), 0))
		}
		first := look()
		var p wire.ListParams
		h.finish(h.take(wire.ActionList, &p), wire.Listing{Found: true, Nodes: []wire.Node{{Name: []byte("a"), Type: wire.NodeFile}}})
		if again := look(); again.Job.ID != first.Job.ID || again.Listing == nil || len(again.Listing.Nodes) != 1 {
			t.Errorf("the second look: %+v, want the answer to the first", again)
		}
		clock.Advance(25 * time.Hour)
		if err := h.backups.Sweep(h.ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := h.jobs.Get(h.ctx, h.all, first.Job.ID); controlplane.ErrorCode(err) != controlplane.CodeNotFound {
			t.Errorf("after a day the answer is still kept: %v", err)
		}
		if later := look(); later.Job.ID == first.Job.ID {
			t.Error("a forgotten job was given out")
		}
	})
}
