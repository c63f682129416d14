package host

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"sync"
	"time"

	"ostler/agents/host/helper"
	"ostler/agents/wire"
)

// defaultTimeout bounds a run whose envelope names no time.
func defaultTimeout(a wire.Action) time.Duration {
	switch a {
	case wire.ActionBackup:
		return 24 * time.Hour
	case wire.ActionDownload, wire.ActionPutBack, wire.ActionArchive, wire.ActionPreview, wire.ActionApply, wire.ActionUndo:
		return 6 * time.Hour
	case wire.ActionCatalogue, wire.ActionSettle:
		return time.Hour
	case wire.ActionRepoInit:
		return 5 * time.Minute
	case wire.ActionCertDeploy, wire.ActionCertLook:
		return 20 * time.Minute
	default:
		return 2 * time.Minute
	}
}

// act runs the action of a task and returns its result type.
func (a *Agent) act(ctx context.Context, t *task) (any, error) {
	r := &reporter{a: a, t: t}
	switch t.env.Action {
	case wire.ActionInventory:
		return a.inventory(ctx), nil
	case wire.ActionRepoPrepare:
		return with(ctx, t, a.prepare)
	case wire.ActionRepoInit:
		return with(ctx, t, a.initialise)
	case wire.ActionBackup:
		return with(ctx, t, func(ctx context.Context, p wire.BackupParams) (any, error) { return a.backup(ctx, p, r.report) })
	case wire.ActionList:
		return with(ctx, t, a.list)
	case wire.ActionDownload:
		return with(ctx, t, func(ctx context.Context, p wire.DownloadParams) (any, error) { return a.download(ctx, t, p, r.report) })
	case wire.ActionPutBack:
		return with(ctx, t, func(ctx context.Context, p wire.PutBackParams) (any, error) {
			return a.putBack(ctx, t.env.Job, p, r.report)
		})
	case wire.ActionArchive:
		return with(ctx, t, func(ctx context.Context, p wire.ArchiveParams) (any, error) { return a.archive(ctx, t, p, r.report) })
	case wire.ActionCatalogue:
		return with(ctx, t, func(ctx context.Context, p wire.CatalogueParams) (any, error) {
			return a.catalogue(ctx, t, p, r.report)
		})
	case wire.ActionPreview:
		return with(ctx, t, func(ctx context.Context, p wire.PreviewParams) (any, error) { return a.preview(ctx, t, p, r.report) })
	case wire.ActionApply:
		return with(ctx, t, func(ctx context.Context, p wire.ApplyParams) (any, error) { return a.apply(ctx, t, p, r.report) })
	case wire.ActionUndo:
		return with(ctx, t, func(ctx context.Context, p wire.UndoParams) (any, error) { return a.undo(ctx, t, p, r.report) })
	case wire.ActionSettle:
		return with(ctx, t, a.settle)
	case wire.ActionAccessScan:
		return a.accessScan(ctx)
	case wire.ActionLoginsScan:
		return with(ctx, t, a.loginsScan)
	case wire.ActionEndLogin:
		return with(ctx, t, a.endLogin)
	case wire.ActionCertRequest:
		return with(ctx, t, a.certRequest)
	case wire.ActionCertDeploy:
		return with(ctx, t, a.certDeploy)
	case wire.ActionCertLook:
		return with(ctx, t, a.certLook)
	case wire.ActionCertTake:
		return with(ctx, t, a.certTake)
	case wire.ActionCertForget:
		return with(ctx, t, a.certForget)
	}
	return nil, helper.Fail(wire.CauseUnsupported, nil, "this agent does not know the action")
}

// with decodes a task's parameters.
func with[P any](ctx context.Context, t *task, f func(context.Context, P) (any, error)) (any, error) {
	var p P
	if err := json.Unmarshal(t.env.Params, &p); err != nil {
		return nil, helper.Fail(wire.CauseUnsupported, err, "the parameters cannot be read")
	}
	return f(ctx, p)
}

// failureOf maps an error to what the plane is told.
func failureOf(err error) *wire.Failure {
	f := helper.Failure(err)
	return &f
}

// diskCause is the cause of an error of the agent's own files.
func diskCause(err error) wire.Cause {
	if helper.FullDisk(err) {
		return wire.CauseDiskFull
	}
	return wire.CauseInternal
}

// reporter sends progress: at most one report a second, the newest one.
type reporter struct {
	a *Agent
	t *task

	mu   sync.Mutex
	seq  int64
	last time.Time
	step string
}

func (r *reporter) report(p wire.Progress) {
	r.mu.Lock()
	now := time.Now()
	if p.Step == r.step && now.Sub(r.last) < time.Second {
		r.mu.Unlock()
		return
	}
	r.seq++
	p.Seq, r.step, r.last = r.seq, p.Step, now
	r.mu.Unlock()
	p.JobRef = wire.JobRef{Job: r.t.env.Job, Epoch: r.a.epochOf(r.t)}
	r.a.send(wire.Frame{Type: wire.FrameProgress, Progress: &p})
}

// prepare makes both passwords of a repository, or finds them.
func (a *Agent) prepare(ctx context.Context, p wire.RepoPrepareParams) (any, error) {
	returned, err := a.returnedKey(p)
	if err != nil {
		return nil, err
	}
	c, err := makeCredential(a.o.State, p.Repository)
	if err != nil {
		return nil, err
	}
	k, err := a.o.Helper.PrepareKey(ctx, helper.KeyRequest{Repository: p.Repository.ID, EscrowKey: p.EscrowKey, RevealKey: p.RevealKey, Returned: returned})
	if err != nil {
		return nil, err
	}
	return wire.RepoPrepared{StoreHash: c.Hash, EscrowSealed: k.EscrowSealed, RevealSealed: k.RevealSealed, KeyFingerprint: k.Fingerprint}, nil
}

func (a *Agent) initialise(ctx context.Context, p wire.RepoInitParams) (any, error) {
	return withStore(ctx, a, p.Repository, StoreInit, a.o.Helper.Init)
}

func (a *Agent) backup(ctx context.Context, p wire.BackupParams, report helper.Report) (any, error) {
	report(wire.Progress{Step: "prepare"})
	return withStore(ctx, a, p.Repository, StoreWrite, func(ctx context.Context, r helper.Repo) (wire.BackupResult, error) {
		return a.o.Helper.Backup(ctx, helper.Backup{Repo: r, Host: a.Identity().Server, Paths: p.Paths, Excludes: p.Excludes, Tags: p.Tags, Time: p.SnapshotTime}, report)
	})
}

func (a *Agent) list(ctx context.Context, p wire.ListParams) (any, error) {
	l, err := withStore(ctx, a, p.Repository, StoreRead, func(ctx context.Context, r helper.Repo) (wire.Listing, error) {
		return a.o.Helper.List(ctx, r, p.SnapshotID, p.Path, p.Limit)
	})
	if err != nil {
		return nil, err
	}
	return fitListing(l)
}

// fitListing shortens a listing until it fits into a frame.
func fitListing(l wire.Listing) (wire.Listing, error) {
	for {
		b, err := json.Marshal(l)
		if err != nil {
			return l, err
		}
		if len(b) < wire.MaxFrame-(64<<10) || len(l.Nodes) == 0 {
			return l, nil
		}
		l.Nodes = l.Nodes[:len(l.Nodes)/2]
		l.Truncated = true
	}
}

func (a *Agent) putBack(ctx context.Context, job string, p wire.PutBackParams, report helper.Report) (any, error) {
	defer a.discard(ctx, job)
	return withStore(ctx, a, p.Repository, StoreRead, func(ctx context.Context, r helper.Repo) (wire.PutBackResult, error) {
		return a.o.Helper.PutBack(ctx, helper.PutBack{Job: job, Repo: r, Snapshot: p.SnapshotID, Path: p.Path, TargetName: p.TargetName, Bounds: p.Bounds}, report)
	})
}

// brokenStore ends a job whose store cannot be used.
type brokenStore struct{ cause wire.Cause }

func (e *brokenStore) Error() string { return "host: the store: " + string(e.cause) }

// withStore serves the job's store on a socket while f runs, and gives the job
// up when the store cannot be used.
func withStore[R any](ctx context.Context, a *Agent, repo wire.Repository, access StoreAccess, f func(context.Context, helper.Repo) (R, error)) (R, error) {
	var none R
	c, ok, err := loadCredential(a.o.State, repo)
	if err != nil {
		return none, err
	}
	if !ok {
		return none, helper.Fail(wire.CauseNoKey, nil, "no password for this store was made on this host")
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	proxy, err := NewStoreProxy(StoreProxyOptions{
		Dir: filepath.Join(a.o.State, "run"), Repository: repo, User: c.User, Password: c.Password, Access: access,
		Idle: a.o.StoreIdle, Stall: a.o.StoreStall, Log: a.log,
		Broken: func(why wire.Cause) { cancel(&brokenStore{why}) },
	})
	if err != nil {
		return none, err
	}
	defer proxy.Close()
	res, err := f(ctx, helper.Repo{ID: repo.ID, Socket: proxy.Socket(), User: repo.User, Name: repo.Name})
	if err == nil {
		return res, nil
	}
	var broken *brokenStore
	if errors.As(context.Cause(ctx), &broken) {
		return none, helper.Fail(broken.cause, err, "%s", storeDetail(broken.cause, proxy.Failing()))
	}
	a.log.Warn("store.job_failed", "bytes", proxy.Moved(), "store", string(proxy.Cause()), "err", helper.Unnamed(err))
	if why := proxy.Failing(); why != "" && helper.Failure(err).Cause == wire.CauseStoreUnreachable {
		return none, helper.Fail(wire.CauseStoreUnreachable, err, "%s", storeDetail(wire.CauseStoreUnreachable, why)) // restic saw our 502 only
	}
	return none, err
}

// storeDetail says why the store cannot be used; why is what the proxy met.
func storeDetail(c wire.Cause, why string) string {
	switch c {
	case wire.CauseStoreFull:
		return "the store has no space left"
	case wire.CauseStoreRefused:
		return "the store does not accept this server's credentials"
	default:
		if why == "" {
			why = "no answer in time"
		}
		return "the store does not answer: " + why
	}
}
