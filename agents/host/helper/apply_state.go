package helper

import (
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"ostler/agents/wire"
)

// phase is how far a restore on the server is.
type phase string

const (
	phaseBegun   phase = "begun"   // nothing is changed
	phasePlanned phase = "planned" // its plan is on the disk
	phaseApplied phase = "applied"
	phaseStopped phase = "stopped" // it failed or was cancelled; applying again goes on
	phaseUndoing phase = "undoing"
	phaseUndone  phase = "undone"
	phaseSettled phase = "settled" // its safety copy is being deleted
)

// head is what is known of one restore; it is small, and replaced as a whole.
type head struct {
	Version int    `json:"version"` // 1
	Restore string `json:"restore"`
	// Ask is the checksum of what was asked for: another restore cannot go on
	// under the same name.
	Ask    string         `json:"ask"`
	Phase  phase          `json:"phase"`
	Target wire.Target    `json:"target"`
	Roots  []headRoot     `json:"roots,omitempty"`
	Stages []stageNote    `json:"stages,omitempty"`
	Steps  int64          `json:"steps"`
	Writes int64          `json:"writes"`
	Lost   []wire.Problem `json:"lost,omitempty"`
	// Passing says that nobody takes it back or settles it: a file put back.
	Passing bool `json:"passing,omitempty"`
	// LostCount counts them all.
	LostCount int64 `json:"lost_count"`
}

// headRoot is a wanted path, with what of it has to be restored.
type headRoot struct {
	Sel    int      `json:"sel"`
	Bound  string   `json:"bound"`
	Stage  int      `json:"stage"`
	Covers [][]byte `json:"covers,omitempty"`
}

// stageNote remembers a private folder on the disk of the target, from before
// it is made.
type stageNote struct {
	Parent []byte `json:"parent"` // absolute beneath the root
	Name   string `json:"name"`
	Dev    uint64 `json:"dev"`
	Need   int64  `json:"need"` // bytes that will be written
}

// saved is a restore's state on the disk.
type saved struct {
	dir string
	head
}

func (h *Local) restoresDir() string { return h.dir("restores") }

func (s *saved) file(name string) string { return filepath.Join(s.dir, name) }
func (s *saved) journal() string         { return s.file("journal") }

// load reads a restore's state; nil where there is none.
func (h *Local) load(restore string) (*saved, error) {
	s := &saved{dir: filepath.Join(h.restoresDir(), restore)}
	b, err := os.ReadFile(s.file("head.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &s.head)
	}
	if err != nil {
		return nil, fmt.Errorf("helper: read the restore's state: %w", err)
	}
	return s, nil
}

// save replaces the head, on the disk before it returns.
func (s *saved) save() error {
	err := os.MkdirAll(s.dir, 0o700)
	var b []byte
	if err == nil {
		b, err = json.Marshal(s.head)
	}
	if err == nil {
		err = writeSynced(s.file("head.json.new"), b)
	}
	if err == nil {
		err = os.Rename(s.file("head.json.new"), s.file("head.json"))
	}
	if err == nil {
		err = errors.Join(syncDir(s.dir), syncDir(filepath.Dir(s.dir)))
	}
	if err != nil {
		return fmt.Errorf("helper: write the restore's state: %w", err)
	}
	return nil
}

func writeSynced(name string, b []byte) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// askOf is the checksum of what a restore is asked for.
func askOf(p Preview) (string, error) {
	type selected struct {
		Repository, Snapshot string
		Paths                [][]byte
	}
	ask := struct {
		Selections []selected
		Archive    bool
		Target     wire.Target
	}{Archive: p.Archive != "", Target: p.Target}
	for _, s := range p.Selections {
		ask.Selections = append(ask.Selections, selected{s.Repo.ID, s.Snapshot, s.Paths})
	}
	b, err := json.Marshal(ask)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

// planWriter writes a plan, gzipped, under a passing name.
type planWriter struct {
	s   *saved
	f   *os.File
	gz  *gzip.Writer
	enc *json.Encoder
}

func (s *saved) writePlan() (*planWriter, error) {
	f, err := os.OpenFile(s.file("plan.new"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("helper: write the plan: %w", err)
	}
	gz, _ := gzip.NewWriterLevel(f, gzip.BestSpeed)
	return &planWriter{s: s, f: f, gz: gz, enc: json.NewEncoder(gz)}, nil
}

func (w *planWriter) add(s step) error {
	if err := w.enc.Encode(&s); err != nil {
		return fmt.Errorf("helper: write the plan: %w", err)
	}
	return nil
}

func (w *planWriter) finish() error {
	err := w.gz.Close()
	if err == nil {
		err = w.f.Sync()
	}
	if cerr := w.f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(w.s.file("plan.new"), w.s.file("plan"))
	}
	if err != nil {
		return fmt.Errorf("helper: write the plan: %w", err)
	}
	return nil
}

// planReader reads a plan's steps in order.
type planReader struct {
	f   *os.File
	dec *json.Decoder
}

func (s *saved) readPlan() (*planReader, error) {
	f, err := os.Open(s.file("plan"))
	if err != nil {
		return nil, fmt.Errorf("helper: read the plan: %w", err)
	}
	gz, err := gzip.NewReader(bufio.NewReader(f))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("helper: read the plan: %w", err), f.Close())
	}
	return &planReader{f: f, dec: json.NewDecoder(gz)}, nil
}

// next returns io.EOF at the end.
func (r *planReader) next() (s step, err error) {
	err = r.dec.Decode(&s)
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("helper: read the plan: %w", err)
	}
	return s, err
}

func (r *planReader) close() { _ = r.f.Close() }
