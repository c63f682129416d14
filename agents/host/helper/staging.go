package helper

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"ostler/agents/wire"
)

// Fetch implements Helper. Space is checked before the first byte.
func (h *Local) Fetch(ctx context.Context, f Fetch, report Report) (_ Staged, err error) {
	if !idForm.MatchString(f.Job) {
		return Staged{}, Fail(wire.CausePolicy, nil, "the job's id has a form that none has")
	}
	repo, err := h.repo(ctx, f.Repo)
	if err != nil {
		return Staged{}, err
	}
	node, err := repo.Stat(ctx, f.Snapshot, f.Path)
	if err != nil {
		return Staged{}, err
	}
	if node.Type != wire.NodeFile {
		return Staged{}, Fail(wire.CauseUnsafePath, nil, "it is not a regular file in the snapshot")
	}
	if f.MaxBytes > 0 && node.Size > f.MaxBytes {
		return Staged{}, Fail(wire.CausePolicy, nil, "the file has %d bytes, and %d are allowed for one download", node.Size, f.MaxBytes)
	}
	done, err := h.promise(f.Job, node.Size)
	if err != nil {
		return Staged{}, err
	}
	defer done()
	dir := filepath.Join(h.stagingDir(), f.Job)
	if err := os.RemoveAll(dir); err != nil {
		return Staged{}, fmt.Errorf("helper: clear staging: %w", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return Staged{}, fmt.Errorf("helper: make staging: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(dir)
		}
	}()
	path := filepath.Join(dir, "file")
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return Staged{}, fmt.Errorf("helper: make staged file: %w", err)
	}
	w := &hashing{to: out, sum: sha256.New(), limit: node.Size, report: report, total: node.Size}
	_, err = repo.Dump(ctx, f.Snapshot, f.Path, w)
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return Staged{}, err
	}
	return Staged{Path: path, Size: w.done, SHA256: hex.EncodeToString(w.sum.Sum(nil)), MTime: node.MTime, Mode: node.Mode}, nil
}

// Stage implements Helper. The room is kept until Discard.
func (h *Local) Stage(_ context.Context, job string, size int64) (string, error) {
	if size < 0 || !idForm.MatchString(job) {
		return "", Fail(wire.CausePolicy, nil, "the job's id or the file's size has a form that none has")
	}
	if _, err := h.promise(job, size); err != nil {
		return "", err
	}
	return h.emptyStaging(job)
}

// promise keeps size bytes of staging for a job, if the disk and the quota have them.
func (h *Local) promise(job string, size int64) (done func(), err error) {
	h.room.Lock()
	defer h.room.Unlock()
	free, err := h.o.Free(h.stagingDir())
	if err != nil {
		return nil, fmt.Errorf("helper: free space: %w", err)
	}
	var promised int64
	for _, n := range h.promised {
		promised += n
	}
	if need := size + promised + h.o.Reserve; need > free {
		return nil, Fail(wire.CauseDiskFull, nil, "staging the file needs %d bytes free on the server, and there are %d", need, free)
	}
	staged, err := sizeOf(h.stagingDir())
	if err != nil {
		return nil, fmt.Errorf("helper: measure staging: %w", err)
	}
	if size+promised+staged > h.o.StagingQuota {
		return nil, Fail(wire.CauseDiskFull, nil, "the staging folder may hold %d bytes, and with this file it would hold %d", h.o.StagingQuota, size+promised+staged)
	}
	h.promised[job] = size
	return func() {
		h.room.Lock()
		defer h.room.Unlock()
		delete(h.promised, job)
	}, nil
}

// sizeOf is the sum of the files of other jobs in staging; what is being
// written now counts twice, which errs on the safe side.
func sizeOf(dir string) (sum int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return ignoreGone(err)
		}
		info, err := d.Info()
		if err == nil {
			sum += info.Size()
		}
		return ignoreGone(err)
	})
	return sum, err
}

func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Discard implements Helper.
func (h *Local) Discard(_ context.Context, job string) error {
	if job != "" {
		if !idForm.MatchString(job) {
			return nil
		}
		h.room.Lock()
		delete(h.promised, job)
		h.room.Unlock()
		return os.RemoveAll(filepath.Join(h.stagingDir(), job))
	}
	var errs []error
	for _, dir := range []string{h.stagingDir(), h.dir("tmp")} {
		entries, err := os.ReadDir(dir)
		errs = append(errs, err)
		for _, e := range entries {
			errs = append(errs, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	errs = append(errs, h.sweepRestores())
	return errors.Join(errs...)
}

// hashing passes bytes on, sums them, stops at a limit and reports twice a second.
type hashing struct {
	to          io.Writer
	sum         hash.Hash
	limit, done int64
	total       int64
	report      Report
	told        time.Time
}

var errTooLong = errors.New("helper: the file is longer in the repository than its entry says")

func (w *hashing) Write(p []byte) (int, error) {
	if w.done+int64(len(p)) > w.limit {
		return 0, errTooLong
	}
	n, err := w.to.Write(p)
	_, _ = w.sum.Write(p[:n])
	w.done += int64(n)
	if w.report != nil && time.Since(w.told) > 500*time.Millisecond {
		w.told = time.Now()
		w.report(wire.Progress{Step: "restore", Done: w.done, Total: w.total, TotalFiles: 1})
	}
	return n, err
}
