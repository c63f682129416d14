package host

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"time"

	"ostler/agents/host/helper"
	"ostler/agents/wire"
)

// download restores one file to staging and sends it to the plane in chunks.
func (a *Agent) download(ctx context.Context, t *task, p wire.DownloadParams, report helper.Report) (any, error) {
	job := t.env.Job
	defer func() {
		if err := a.o.Helper.Discard(context.WithoutCancel(ctx), job); err != nil {
			a.log.Warn("staging.discard", "job", job, "err", err)
		}
	}()
	staged, err := withStore(ctx, a, p.Repository, StoreRead, func(ctx context.Context, r helper.Repo) (helper.Staged, error) {
		return a.o.Helper.Fetch(ctx, helper.Fetch{Job: job, Repo: r, Snapshot: p.SnapshotID, Path: p.Path, MaxBytes: p.MaxBytes}, report)
	})
	if err != nil {
		return nil, err
	}
	if err := a.upload(ctx, t, staged, report); err != nil {
		return nil, err
	}
	return wire.DownloadResult{Size: staged.Size, SHA256: staged.SHA256, Chunks: wire.ChunkCount(staged.Size), MTime: staged.MTime, Mode: staged.Mode}, nil
}

// upload sends the chunks that the plane does not have, over a connection of
// its own, so that a large file does not hold up the stream.
func (a *Agent) upload(ctx context.Context, t *task, s helper.Staged, report helper.Report) error {
	f, err := os.Open(s.Path)
	if err != nil {
		return fmt.Errorf("host: open staged file: %w", err)
	}
	defer f.Close()
	conf, err := clientTLS(a.Identity, a.key)
	if err != nil {
		return err
	}
	tr := &http.Transport{TLSClientConfig: conf, Proxy: http.ProxyFromEnvironment, ResponseHeaderTimeout: time.Minute, IdleConnTimeout: 30 * time.Second}
	defer tr.CloseIdleConnections()
	u := &uploader{a: a, t: t, tr: tr, base: a.Identity().StreamURL}
	var have []int
	err = u.retry(ctx, func() error {
		have, err = u.have(ctx)
		return err
	})
	if err != nil {
		return err
	}
	for i := range wire.ChunkCount(s.Size) {
		size := min(wire.ChunkSize, s.Size-int64(i)*wire.ChunkSize)
		if !slices.Contains(have, i) {
			section := io.NewSectionReader(f, int64(i)*wire.ChunkSize, size)
			if err := u.retry(ctx, func() error { return u.put(ctx, i, section) }); err != nil {
				return err
			}
		}
		report(wire.Progress{Step: "upload", Done: int64(i)*wire.ChunkSize + size, Total: s.Size, Files: 0, TotalFiles: 1})
	}
	return nil
}

// uploader sends the chunks of one job.
type uploader struct {
	a    *Agent
	t    *task
	tr   *http.Transport
	base string
}

// retry repeats f where the way failed; what the plane refuses is final.
func (u *uploader) retry(ctx context.Context, f func() error) error {
	for n := 0; ; n++ {
		err := f()
		var refused *refusedError
		var own *helper.Error
		switch {
		case err == nil:
			return nil
		case errors.As(err, &own):
			return err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.As(err, &refused):
			return helper.Fail(refusedCause(refused), err, "the control plane refused the upload (status %d)", refused.status)
		case n+1 >= u.a.o.ChunkAttempts:
			return helper.Fail(wire.CauseInternal, err, "the control plane could not be reached to take the file")
		}
		u.a.log.Warn("upload.retry", "job", u.t.env.Job, "err", transportError(err))
		if !sleep(ctx, backoff(n, u.a.o.FirstBackoff, time.Minute)) {
			return context.Cause(ctx)
		}
	}
}

func refusedCause(e *refusedError) wire.Cause {
	if e.status == http.StatusInsufficientStorage {
		return wire.CausePlaneFull
	}
	return wire.CauseInternal
}

// do sends one request and decodes a refusal. Statuses of 500 and more but
// "insufficient storage" are worth another try, as is "too many requests".
func (u *uploader) do(req *http.Request, out any) error {
	req.Header.Set(wire.HeaderEpoch, strconv.FormatInt(u.a.epochOf(u.t), 10))
	res, err := u.tr.RoundTrip(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return err
	}
	switch {
	case res.StatusCode/100 == 2:
		if out != nil {
			return json.Unmarshal(body, out)
		}
		return nil
	case res.StatusCode >= 500 && res.StatusCode != http.StatusInsufficientStorage, res.StatusCode == http.StatusTooManyRequests:
		return fmt.Errorf("host: the plane answered %d", res.StatusCode)
	}
	refused := &refusedError{status: res.StatusCode}
	_ = json.Unmarshal(body, &refused.refusal)
	return refused
}

// have asks which chunks are stored.
func (u *uploader) have(ctx context.Context) ([]int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.base+wire.ChunkPath(u.t.env.Job, -1), nil)
	if err != nil {
		return nil, err
	}
	var h wire.ChunksHave
	err = u.do(req, &h)
	return h.Have, err
}

// put sends one chunk.
func (u *uploader) put(ctx context.Context, index int, chunk *io.SectionReader) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(chunk, 0, chunk.Size())); err != nil {
		return helper.Fail(wire.CauseInternal, err, "the staged file cannot be read")
	}
	body := io.NewSectionReader(chunk, 0, chunk.Size())
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, u.base+wire.ChunkPath(u.t.env.Job, index), io.NopCloser(body))
	if err != nil {
		return err
	}
	req.ContentLength = chunk.Size()
	req.Header.Set("Content-Type", "application/octet-stream")
	req.Header.Set(wire.HeaderChunkSHA256, hex.EncodeToString(sum.Sum(nil)))
	return u.do(req, nil)
}
