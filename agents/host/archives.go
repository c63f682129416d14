package host

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"

	"ostler/agents/host/helper"
	"ostler/agents/wire"
)

// discard removes what a job staged.
func (a *Agent) discard(ctx context.Context, job string) {
	if err := a.o.Helper.Discard(context.WithoutCancel(ctx), job); err != nil {
		a.log.Warn("staging.discard", "job", job, "err", helper.Unnamed(err))
	}
}

// archive restores files and folders to staging, packs them and sends the
// archive to the plane.
func (a *Agent) archive(ctx context.Context, t *task, p wire.ArchiveParams, report helper.Report) (any, error) {
	job := t.env.Job
	defer a.discard(ctx, job)
	packed, err := withStores(ctx, a, repositoriesOf(p.Selections), func(ctx context.Context, repos []helper.Repo) (helper.Archived, error) {
		in := helper.Archive{Job: job, Format: p.Format, MaxBytes: p.MaxBytes}
		for i, s := range p.Selections {
			in.Selections = append(in.Selections, helper.Labelled{Selected: helper.Selected{Repo: repos[i], Snapshot: s.SnapshotID, Paths: s.Paths}, Label: s.Label})
		}
		return a.o.Helper.Archive(ctx, in, report)
	})
	if err != nil {
		return nil, err
	}
	up, err := a.upload(ctx, t, packed.Staged, report)
	if err != nil {
		return nil, err
	}
	return wire.ArchiveResult{Upload: up, Files: packed.Files, Folders: packed.Folders, Others: packed.Others, Bytes: packed.Bytes,
		Missing: packed.Missing, MissingCount: packed.MissingCount}, nil
}

// catalogue lists a snapshot and sends the listing to the plane.
func (a *Agent) catalogue(ctx context.Context, t *task, p wire.CatalogueParams, report helper.Report) (any, error) {
	job := t.env.Job
	policy, err := LoadPolicy(a.o.PolicyDirs...)
	if err != nil {
		return nil, err
	}
	defer a.discard(ctx, job)
	listed, err := withStore(ctx, a, p.Repository, StoreRead, func(ctx context.Context, r helper.Repo) (helper.Catalogued, error) {
		return a.o.Helper.Catalogue(ctx, helper.Catalogue{Job: job, Repo: r, Snapshot: p.SnapshotID, Within: policy.Paths}, report)
	})
	if err != nil {
		return nil, err
	}
	up, err := a.upload(ctx, t, listed.Staged, report)
	if err != nil {
		return nil, err
	}
	return wire.CatalogueResult{Upload: up, Entries: listed.Entries, Snapshots: listed.Snapshots}, nil
}

// repositoriesOf returns the repository of each selection.
func repositoriesOf(selections []wire.Selection) []wire.Repository {
	var repos []wire.Repository
	for _, s := range selections {
		repos = append(repos, s.Repository)
	}
	return repos
}

// withStores is withStore for reading from several repositories; f gets one for
// each that was given, in that order.
func withStores[R any](ctx context.Context, a *Agent, repos []wire.Repository, f func(context.Context, []helper.Repo) (R, error)) (R, error) {
	return nextStore(ctx, a, repos, map[string]helper.Repo{}, f)
}

// nextStore serves the first repository that is not open yet, and then the rest.
func nextStore[R any](ctx context.Context, a *Agent, repos []wire.Repository, open map[string]helper.Repo, f func(context.Context, []helper.Repo) (R, error)) (R, error) {
	for _, r := range repos {
		if _, ok := open[r.ID]; ok {
			continue
		}
		return withStore(ctx, a, r, StoreRead, func(ctx context.Context, at helper.Repo) (R, error) {
			open[r.ID] = at
			return nextStore(ctx, a, repos, open, f)
		})
	}
	served := make([]helper.Repo, len(repos))
	for i, r := range repos {
		served[i] = open[r.ID]
	}
	return f(ctx, served)
}

// fetchSource gets an archive that another server sent up into private staging,
// whole and compared with its sum. The caller discards the job's staging.
func (a *Agent) fetchSource(ctx context.Context, t *task, src wire.Source, report helper.Report) (path string, err error) {
	if src.Chunks != wire.ChunkCount(src.Size) {
		return "", helper.Fail(wire.CauseUnsupported, nil, "the archive's size and its number of chunks do not agree")
	}
	dir, err := a.o.Helper.Stage(ctx, t.env.Job, src.Size)
	if err != nil {
		return "", err
	}
	path = filepath.Join(dir, "source")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", fmt.Errorf("host: make staged file: %w", err)
	}
	defer f.Close()
	u, err := a.chunks(t)
	if err != nil {
		return "", err
	}
	defer u.tr.CloseIdleConnections()
	sum := sha256.New()
	for i := range src.Chunks {
		size := min(wire.ChunkSize, src.Size-int64(i)*wire.ChunkSize)
		var data []byte
		err := u.retry(ctx, func() (err error) {
			data, err = u.get(ctx, i, size)
			return err
		})
		if err != nil {
			return "", err
		}
		if _, err := f.Write(data); err != nil {
			return "", fmt.Errorf("host: write staged file: %w", err)
		}
		_, _ = sum.Write(data)
		report(wire.Progress{Step: "download", Done: int64(i)*wire.ChunkSize + size, Total: src.Size, TotalFiles: 1})
	}
	if hex.EncodeToString(sum.Sum(nil)) != src.SHA256 {
		return "", helper.Fail(wire.CauseDamaged, nil, "the archive of the other server did not arrive as it was packed")
	}
	if err := f.Close(); err != nil {
		return "", fmt.Errorf("host: write staged file: %w", err)
	}
	return path, nil
}
