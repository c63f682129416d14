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
	"strconv"
	"time"

	"ostler/agents/host/helper"
	"ostler/agents/wire"
)

// download restores one file to staging and sends it to the plane in chunks.
func (a *Agent) download(ctx context.Context, t *task, p wire.DownloadParams, report helper.Report) (any, error) {
	job := t.env.Job
	defer a.discard(ctx, job)
	staged, err := withStore(ctx, a, p.Repository, StoreRead, func(ctx context.Context, r helper.Repo) (helper.Staged, error) {
		return a.o.Helper.Fetch(ctx, helper.Fetch{Job: job, Repo: r, Snapshot: p.SnapshotID, Path: p.Path, MaxBytes: p.MaxBytes}, report)
	})
	if err != nil {
		return nil, err
	}
	up, err := a.upload(ctx, t, staged, report)
	if err != nil {
		return nil, err
	}
	return wire.DownloadResult{Size: up.Size, SHA256: up.SHA256, Chunks: up.Chunks, MTime: staged.MTime, Mode: staged.Mode}, nil
}

// upload sends the chunks of a staged file that the plane does not have, over a
// connection of its own, so that a large file does not hold up the stream.
func (a *Agent) upload(ctx context.Context, t *task, s helper.Staged, report helper.Report) (wire.Upload, error) {
	up := wire.Upload{Size: s.Size, SHA256: s.SHA256, Chunks: wire.ChunkCount(s.Size)}
	f, err := os.Open(s.Path)
	if err != nil {
		return up, fmt.Errorf("host: open staged file: %w", err)
	}
	defer f.Close()
	u, err := a.chunks(t)
	if err != nil {
		return up, err
	}
	defer u.tr.CloseIdleConnections()
	var have []int
	err = u.retry(ctx, func() error {
		have, err = u.have(ctx)
		return err
	})
	if err != nil {
		return up, err
	}
	stored := make(map[int]bool, len(have))
	for _, i := range have {
		stored[i] = true
	}
	for i := range up.Chunks {
		size := min(wire.ChunkSize, s.Size-int64(i)*wire.ChunkSize)
		if !stored[i] {
			section := io.NewSectionReader(f, int64(i)*wire.ChunkSize, size)
			if err := u.retry(ctx, func() error { return u.put(ctx, i, section) }); err != nil {
				return up, err
			}
		}
		report(wire.Progress{Step: "upload", Done: int64(i)*wire.ChunkSize + size, Total: s.Size, Files: 0, TotalFiles: 1})
	}
	return up, nil
}

// chunks is the way of a job's chunks to the plane and back.
func (a *Agent) chunks(t *task) (*chunker, error) {
	conf, err := clientTLS(a.Identity, a.key)
	if err != nil {
		return nil, err
	}
	tr := &http.Transport{TLSClientConfig: conf, Proxy: http.ProxyFromEnvironment, ResponseHeaderTimeout: time.Minute, IdleConnTimeout: 30 * time.Second}
	return &chunker{a: a, t: t, tr: tr, base: a.Identity().StreamURL}, nil
}

// chunker sends and gets the chunks of one job.
type chunker struct {
	a    *Agent
	t    *task
	tr   *http.Transport
	base string
}

// retry repeats f where the way failed; what the plane refuses is final.
func (u *chunker) retry(ctx context.Context, f func() error) error {
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
			return helper.Fail(refusedCause(refused), err, "the control plane refused the file (status %d)", refused.status)
		case n+1 >= u.a.o.ChunkAttempts:
			return helper.Fail(wire.CauseInternal, err, "the control plane could not be reached for the file")
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

// do sends one request and decodes its answer.
func (u *chunker) do(req *http.Request, out any) error {
	_, body, err := u.ask(req, 1<<20)
	if err != nil || out == nil {
		return err
	}
	return json.Unmarshal(body, out)
}

// ask sends one request, returns at most limit bytes of a good answer, and
// decodes a refusal. Statuses of 500 and more but "insufficient storage" are
// worth another try, as is "too many requests".
func (u *chunker) ask(req *http.Request, limit int64) (http.Header, []byte, error) {
	req.Header.Set(wire.HeaderEpoch, strconv.FormatInt(u.a.epochOf(u.t), 10))
	res, err := u.tr.RoundTrip(req)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, limit))
	if err != nil {
		return nil, nil, err
	}
	switch {
	case res.StatusCode/100 == 2:
		return res.Header, body, nil
	case res.StatusCode >= 500 && res.StatusCode != http.StatusInsufficientStorage, res.StatusCode == http.StatusTooManyRequests:
		return nil, nil, fmt.Errorf("host: the plane answered %d", res.StatusCode)
	}
	refused := &refusedError{status: res.StatusCode}
	_ = json.Unmarshal(body, &refused.refusal)
	return nil, nil, refused
}

// have asks which chunks are stored.
func (u *chunker) have(ctx context.Context) ([]int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.base+wire.ChunkPath(u.t.env.Job, -1), nil)
	if err != nil {
		return nil, err
	}
	var h wire.ChunksHave
	err = u.do(req, &h)
	return h.Have, err
}

// put sends one chunk.
func (u *chunker) put(ctx context.Context, index int, chunk *io.SectionReader) error {
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

// get gets one chunk of the job's source, which must be of that size and match
// the sum that comes with it.
func (u *chunker) get(ctx context.Context, index int, size int64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.base+wire.ChunkPath(u.t.env.Job, index), nil)
	if err != nil {
		return nil, err
	}
	head, data, err := u.ask(req, size+1)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	if int64(len(data)) != size || hex.EncodeToString(sum[:]) != head.Get(wire.HeaderChunkSHA256) {
		return nil, errors.New("host: a chunk did not arrive whole")
	}
	return data, nil
}
