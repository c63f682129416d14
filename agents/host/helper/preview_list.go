package helper

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"slices"

	"ostler/agents/wire"
)

// lister writes the complete list of changes to a job's private staging and
// keeps what a result carries of it.
type lister struct {
	path string
	f    *os.File
	sum  hash.Hash
	size int64
	gz   *gzip.Writer
	enc  *json.Encoder

	changes wire.Changes
	differ  []wire.Change // at most MaxChanges of each
	alike   []wire.Change
}

// listName is the list's name in a job's staging folder.
const listName = "changes.jsonl.gz"

func (h *Local) newLister(job string) (*lister, error) {
	dir := filepath.Join(h.stagingDir(), job)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("helper: make staging: %w", err)
	}
	l := &lister{path: filepath.Join(dir, listName), sum: sha256.New(), changes: wire.Changes{Counts: map[wire.Act]int64{}}}
	var err error
	if l.f, err = os.OpenFile(l.path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600); err != nil {
		return nil, fmt.Errorf("helper: make the list of changes: %w", err)
	}
	l.gz = gzip.NewWriter(l)
	l.enc = json.NewEncoder(l.gz)
	return l, nil
}

// Write takes the packed list.
func (l *lister) Write(p []byte) (int, error) {
	n, err := l.f.Write(p)
	_, _ = l.sum.Write(p[:n])
	l.size += int64(n)
	return n, err
}

func (l *lister) add(c wire.Change) error {
	l.changes.Counts[c.Act]++
	switch c.Act {
	case wire.ActCreate, wire.ActReplace, wire.ActBeside:
		l.changes.Bytes += c.Size
	}
	if c.Act == wire.ActSame {
		l.alike = keepFirst(l.alike, c)
	} else {
		l.differ = keepFirst(l.differ, c)
	}
	if err := l.enc.Encode(c); err != nil {
		return fmt.Errorf("helper: write the list of changes: %w", err)
	}
	return nil
}

func keepFirst(list []wire.Change, c wire.Change) []wire.Change {
	if len(list) == wire.MaxChanges {
		return list
	}
	c.Path = slices.Clone(c.Path)
	return append(list, c)
}

// missing counts what could not be read from the repository.
func (l *lister) missing(p wire.Problem) {
	l.changes.MissingCount++
	if len(l.changes.Missing) < wire.MaxProblems {
		p.Path = slices.Clone(p.Path)
		l.changes.Missing = append(l.changes.Missing, p)
	}
}

// finish closes the list.
func (l *lister) finish() (Changed, error) {
	err := l.gz.Close()
	if cerr := l.f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return Changed{}, fmt.Errorf("helper: write the list of changes: %w", err)
	}
	l.changes.Changes = slices.Concat(l.differ, l.alike)
	l.changes.Changes = l.changes.Changes[:min(len(l.changes.Changes), wire.MaxChanges)]
	l.changes.Upload = wire.Upload{Size: l.size, SHA256: hex.EncodeToString(l.sum.Sum(nil)), Chunks: wire.ChunkCount(l.size)}
	return Changed{Changes: l.changes, List: Staged{Path: l.path, Size: l.size, SHA256: l.changes.SHA256, Mode: 0o600}}, nil
}

// drop gives the list up.
func (l *lister) drop() {
	_ = l.f.Close()
	_ = os.Remove(l.path)
}

var _ io.Writer = (*lister)(nil)
