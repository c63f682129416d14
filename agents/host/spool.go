package host

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"ostler/agents/wire"
)

// keepAcked is the size up to which an acknowledged result is kept, for a plane
// that was restored from an older backup and asks for it again.
const keepAcked = 64 << 10

// jobName is what a job id looks like; it becomes a file name.
var jobName = regexp.MustCompile(`^[a-z0-9_]{1,64}$`)

// Spool keeps results on the disk, a file for each job.
type Spool struct{ dir string }

// OpenSpool opens the spool in dir, which must exist. Files of jobs that keep
// does not want are removed.
func OpenSpool(dir string, log *slog.Logger, keep func(job string) bool) (*Spool, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("host: read spool: %w", err)
	}
	for _, f := range files {
		job, ok := strings.CutSuffix(f.Name(), ".json")
		if ok && keep(job) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, f.Name())); err != nil {
			log.Warn("spool.sweep", "err", err)
		}
	}
	return &Spool{dir: dir}, nil
}

func (s *Spool) path(job string) string { return filepath.Join(s.dir, job+".json") }

// Put stores a result; it is on the disk when Put returns.
func (s *Spool) Put(r wire.Result) error {
	if !jobName.MatchString(r.Job) {
		return fmt.Errorf("host: spool: a job id cannot be %q", r.Job)
	}
	b, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("host: encode result: %w", err)
	}
	if err := writeFile(s.path(r.Job), b); err != nil {
		return fmt.Errorf("host: spool result: %w", err)
	}
	return nil
}

// Get returns the result of a job; ok is false where there is none, or none
// that can be read.
func (s *Spool) Get(job string) (r wire.Result, ok bool) {
	if !jobName.MatchString(job) {
		return r, false
	}
	b, err := os.ReadFile(s.path(job))
	if err != nil || json.Unmarshal(b, &r) != nil || r.Job != job || !r.Outcome.Valid() {
		return wire.Result{}, false
	}
	return r, true
}

// Remove drops the result of an earlier attempt at a job.
func (s *Spool) Remove(job string) error {
	err := os.Remove(s.path(job))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = syncDir(s.dir)
	}
	return err
}

// Acked drops the result of a job that the plane has, unless it is small and
// worth keeping for a replay. Listings hold file names and are never kept, nor
// are lists of files that a restore changed or could not read.
func (s *Spool) Acked(job string, a wire.Action) {
	if !jobName.MatchString(job) {
		return
	}
	info, err := os.Stat(s.path(job))
	if err == nil && (info.Size() > keepAcked || holdsNames(a)) {
		_ = os.Remove(s.path(job))
	}
}

// holdsNames reports whether an action's result is a list of file names.
func holdsNames(a wire.Action) bool {
	switch a {
	case wire.ActionList, wire.ActionArchive, wire.ActionPreview, wire.ActionApply, wire.ActionUndo:
		return true
	}
	return false
}

// selectEntries returns the entries in one of the states, by id.
func selectEntries(all map[string]Entry, states []JobState) []Entry {
	var out []Entry
	for _, e := range all {
		if slices.Contains(states, e.State) {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b Entry) int { return cmp.Compare(a.Job, b.Job) })
	return out
}
