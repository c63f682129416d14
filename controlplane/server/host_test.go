package server_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"

	"ostler/agents/wire"
	"ostler/backups"
	"ostler/backups/catalogue"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/jobs/jobstest"
	"ostler/controlplane/mail"
	"ostler/controlplane/policy"
	"ostler/controlplane/secrets"
)

const hostAgent = "agt_00000000000000000000000001"

// agent plays a server's agent, which leaves what a test does not ask for.
func (w *world) agent(srv string) jobstest.Agent {
	return jobstest.Agent{T: w.t, Jobs: w.jobs, Server: srv, ID: hostAgent,
		Sign:   func(e wire.Envelope) (wire.SignedEnvelope, error) { return wire.Sign(w.signer.key, e) },
		Leaves: func(wire.Action) bool { return true }}
}

// take has it take the next job of a kind and reads its parameters.
func (w *world) take(srv string, kind wire.Action, params any) wire.JobRef {
	w.t.Helper()
	return w.agent(srv).Next(kind, params)
}

// finish ends a job as the host does: with data, or with a failure.
func (w *world) finish(srv string, ref wire.JobRef, data any, failure *wire.Failure) {
	w.t.Helper()
	if failure != nil {
		w.agent(srv).End(wire.Result{JobRef: ref, Outcome: wire.Failed, Failure: failure})
		return
	}
	w.agent(srv).Finish(ref, data)
}

// tick has the plane do its own jobs.
func (w *world) tick() {
	w.t.Helper()
	w.must(w.jobs.Tick(controlplane.System(w.t.Context(), "test")))
}

const recoveryKey = "ABCDE-FGHJK-MNPQR-STVWX"

// prepared answers repository.prepare: the host makes its password.
func (w *world) prepared(srv string) {
	w.t.Helper()
	var p wire.RepoPrepareParams
	ref := w.take(srv, wire.ActionRepoPrepare, &p)
	sum := sha256.Sum256([]byte("ostler key fingerprint v1\n" + recoveryKey))
	res := wire.RepoPrepared{StoreHash: "$2a$10$" + strings.Repeat("x", 53), KeyFingerprint: hex.EncodeToString(sum[:])}
	var err error
	if p.EscrowKey != nil {
		res.EscrowSealed, err = secrets.SealTo(p.EscrowKey, wire.HPKEInfo+p.Repository.ID, []byte(recoveryKey))
	} else {
		res.RevealSealed, err = secrets.SealTo(p.RevealKey, wire.HPKEInfo+p.Repository.ID, []byte(recoveryKey))
	}
	w.must(err)
	w.finish(srv, ref, res, nil)
}

// backedUp gives a tenant a plan, a partial run with its snapshot, and a
// download that waits for the host.
func (w *world) backedUp(o *tenant) {
	w.t.Helper()
	var err error
	o.plan, err = w.backups.CreatePlan(w.ctx, all, backups.PlanInput{Tenancy: o.tenancy.ID, Name: "Everything", Paths: o.tenancy.Paths,
		Cron: "15 2 * * *", Zone: "Europe/Berlin", Custody: backups.CustodyEscrow})
	w.must(err)
	srv := o.server.ID
	w.prepared(srv)
	w.tick() // the plane registers the host at the store
	var initial wire.RepoInitParams
	w.finish(srv, w.take(srv, wire.ActionRepoInit, &initial), wire.RepoInitialised{ResticID: "abc"}, nil)
	var run wire.BackupParams
	ref := w.take(srv, wire.ActionBackup, &run)
	w.finish(srv, ref, wire.BackupResult{Outcome: wire.BackupPartial, SnapshotID: strings.Repeat("ab", 32), TotalFiles: 3, TotalBytes: 99,
		Unread: []wire.Unread{{Path: o.tenancy.Paths[0] + "/b\nd", Reason: "permission denied"}}, UnreadCount: 1}, nil)
	o.run = run.Run
	snaps, _, err := w.backups.Snapshots(w.ctx, all, backups.SnapshotFilter{Plan: o.plan.ID})
	w.must(err)
	o.snapshot = snaps[0].ID
	r, err := w.backups.StartDownload(w.contact(o), policy.OneCustomer(o.customer.ID), o.snapshot, []byte(o.tenancy.Paths[0]+"/report.ods"))
	w.must(err)
	o.restore = r.ID
	o.plan, err = w.backups.Plan(w.ctx, all, o.plan.ID)
	w.must(err)
}

// contact is a request of a tenant's owner.
func (w *world) contact(o *tenant) context.Context {
	return controlplane.WithActor(w.t.Context(), controlplane.Actor{Kind: controlplane.ActorContact, ID: o.contact.ID, Customer: o.customer.ID, Role: string(policy.RoleOwner)})
}

// helped gives a tenant an assist that is over, a request to restore something,
// and a mail.
func (w *world) helped(o *tenant) {
	w.t.Helper()
	assist, err := w.backups.StartAssist(w.ctx, o.customer.ID, "Asked by phone", "OPS-1")
	w.must(err)
	o.assist = assist.ID
	w.must(w.backups.EndAssist(w.ctx, o.assist))
	ask, err := w.backups.AskUs(w.contact(o), policy.OneCustomer(o.customer.ID), backups.NewAsk{What: "The menu of last week"})
	w.must(err)
	o.ask = ask.ID
	w.must(w.d.Write(w.ctx, func(tx *db.Tx) (err error) {
		o.mail, err = w.mail.Enqueue(tx, mail.Message{Customer: o.customer.ID, Person: o.contact.ID, To: o.contact.Email, Template: mail.RestoreReady, Subject: o.restore,
			Args: map[string]string{"server": o.server.Name, "until": "tomorrow"}})
		return err
	}))
}

// arrive has the host send a file for the tenant's download.
func (w *world) arrive(o tenant, content []byte) {
	w.t.Helper()
	var p wire.DownloadParams
	ref := w.take(o.server.ID, wire.ActionDownload, &p)
	up := w.send(o.server.ID, ref, content)
	w.finish(o.server.ID, ref, wire.DownloadResult{Size: up.Size, SHA256: up.SHA256, Chunks: up.Chunks}, nil)
	w.tick() // the plane checks what came
}

// send has the host of a job send up a file in chunks.
func (w *world) send(srv string, ref wire.JobRef, content []byte) wire.Upload {
	w.t.Helper()
	sum := sha256.Sum256(content)
	up := wire.Upload{Size: int64(len(content)), SHA256: hex.EncodeToString(sum[:]), Chunks: wire.ChunkCount(int64(len(content)))}
	for i := range up.Chunks {
		chunk := content[i*wire.ChunkSize : min((i+1)*wire.ChunkSize, len(content))]
		part := sha256.Sum256(chunk)
		w.must(w.backups.Put(w.ctx, srv, hostAgent, ref.Job, ref.Epoch, i, hex.EncodeToString(part[:]), bytes.NewReader(chunk)))
	}
	return up
}

// listed has the host list a tenant's snapshot, which makes its catalogue.
// Paths are sorted as restic walks; those that end in a slash are folders.
func (w *world) listed(o tenant, paths ...string) {
	w.t.Helper()
	var p wire.CatalogueParams
	ref := w.take(o.server.ID, wire.ActionCatalogue, &p)
	var out bytes.Buffer
	l := catalogue.NewListingWriter(&out, catalogue.ListingOptions{TempDir: w.t.TempDir()})
	for _, name := range paths {
		e := catalogue.Entry{Path: []byte(name), Type: wire.NodeFile, Size: 5, Mode: 0o640, MTime: 1_700_000_000_000}
		if folder, ok := strings.CutSuffix(name, "/"); ok {
			e = catalogue.Entry{Path: []byte(folder), Type: wire.NodeDir, Mode: 0o755}
		}
		w.must(l.Add(e))
	}
	w.must(l.Close())
	w.finish(o.server.ID, ref, wire.CatalogueResult{Upload: w.send(o.server.ID, ref, out.Bytes()), Entries: int64(len(paths)), Snapshots: []string{p.SnapshotID}}, nil)
	w.tick() // the plane merges it
}

// changed has the host send a list of changes, and returns what it says of it.
func (w *world) changed(srv string, ref wire.JobRef, list ...wire.Change) wire.Changes {
	w.t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	c := wire.Changes{Counts: map[wire.Act]int64{}, Changes: list}
	for _, ch := range list {
		w.must(json.NewEncoder(z).Encode(ch))
		c.Counts[ch.Act]++
		c.Bytes += ch.Size
	}
	w.must(z.Close())
	c.Upload = w.send(srv, ref, out.Bytes())
	return c
}
