package host

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"ostler/agents/wire"
)

// JobState is how far a job has come on this host.
type JobState string

// The states of a job in the journal.
const (
	JobStarted  JobState = "started"  // it runs, or ran when the agent stopped
	JobFinished JobState = "finished" // its result is in the spool, not yet acknowledged
	JobAcked    JobState = "acked"    // the plane has the result; the id is remembered
)

// Valid reports whether s is a known state.
func (s JobState) Valid() bool { return s == JobStarted || s == JobFinished || s == JobAcked }

// Entry is the newest that the journal knows of one job.
type Entry struct {
	Job      string       `json:"job"`
	State    JobState     `json:"state"`
	Epoch    int64        `json:"epoch"`
	Action   wire.Action  `json:"action,omitempty"`
	Resource string       `json:"resource,omitempty"`
	Outcome  wire.Outcome `json:"outcome,omitempty"`
	// At is when the state was reached, and Until how long the id is at least
	// remembered; both Unix milliseconds by the host's clock.
	At    int64 `json:"at"`
	Until int64 `json:"until,omitempty"`
}

// Journal bounds.
const (
	// Remember is how long the id of a job that is over is kept, so that it
	// cannot start a second time; a result that the plane never took, too.
	Remember = 30 * 24 * time.Hour
	// compactAt is the size at which the file is rewritten with what is live.
	compactAt = 4 << 20
)

// Journal is the host's append-only record of jobs. Each line is a CRC-32 and
// an Entry as JSON; the last line of a job counts.
type Journal struct {
	path string
	log  *slog.Logger
	now  func() time.Time

	mu      sync.Mutex
	f       *os.File
	size    int64
	entries map[string]Entry
}

// OpenJournal opens dir/journal.jsonl. A damaged tail (a write that a crash cut
// off) is cut, with a line in the log; other damage is kept aside as a copy.
func OpenJournal(dir string, log *slog.Logger, now func() time.Time) (*Journal, error) {
	j := &Journal{path: filepath.Join(dir, "journal.jsonl"), log: log, now: now, entries: map[string]Entry{}}
	data, err := readIfThere(j.path)
	if err != nil {
		return nil, fmt.Errorf("host: read journal: %w", err)
	}
	if err := j.load(data); err != nil {
		return nil, err
	}
	if err := j.compact(); err != nil {
		return nil, fmt.Errorf("host: compact journal: %w", err)
	}
	return j, nil
}

// load reads every good line of data.
func (j *Journal) load(data []byte) error {
	var bad, badTail int // lines that do not check, and those of them at the end
	r := bufio.NewReader(bytes.NewReader(data))
	for {
		line, err := r.ReadBytes('\n')
		if len(line) > 0 {
			if e, ok := parseLine(line); ok {
				j.entries[e.Job] = e
				badTail = 0
			} else {
				bad++
				badTail++
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
	}
	if badTail > 0 {
		j.log.Warn("journal.tail_cut", "lines", badTail)
	}
	if bad > badTail { // not a torn write: somebody should look at it
		aside := fmt.Sprintf("%s.damaged-%d", j.path, j.now().Unix())
		if err := writeFile(aside, data); err != nil {
			return fmt.Errorf("host: keep damaged journal aside: %w", err)
		}
		j.log.Error("journal.damaged", "lines", bad-badTail, "copy", filepath.Base(aside))
	}
	return nil
}

// parseLine checks and decodes one line, which must end in a newline.
func parseLine(line []byte) (e Entry, ok bool) {
	body, whole := bytes.CutSuffix(line, []byte("\n"))
	if !whole || len(body) < 10 || body[8] != ' ' {
		return e, false
	}
	if string(body[:8]) != fmt.Sprintf("%08x", crc32.ChecksumIEEE(body[9:])) {
		return e, false
	}
	if json.Unmarshal(body[9:], &e) != nil || e.Job == "" || !e.State.Valid() {
		return e, false
	}
	return e, true
}

func formatLine(e Entry) ([]byte, error) {
	body, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "%08x %s\n", crc32.ChecksumIEEE(body), body), nil
}

// compact rewrites the file with the live entries, forgets old ids, and leaves
// the file open for appending.
func (j *Journal) compact() error {
	var out []byte
	now := j.now().UnixMilli()
	for id, e := range j.entries {
		if e.State != JobStarted && now > max(e.At+Remember.Milliseconds(), e.Until) {
			delete(j.entries, id)
			continue
		}
		line, err := formatLine(e)
		if err != nil {
			return err
		}
		out = append(out, line...)
	}
	if err := writeFile(j.path, out); err != nil {
		return err
	}
	f, err := os.OpenFile(j.path, os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	if j.f != nil {
		_ = j.f.Close()
	}
	j.f, j.size = f, int64(len(out))
	return nil
}

// put appends e; durable waits until it is on the disk. On an error the file
// is cut back to its last whole line, and the entry is as it was.
func (j *Journal) put(e Entry, durable bool) error {
	e.At = j.now().UnixMilli()
	line, err := formatLine(e)
	if err != nil {
		return err
	}
	if j.f == nil {
		return fmt.Errorf("host: journal: %w", fs.ErrClosed)
	}
	_, err = j.f.Write(line)
	if err == nil && durable {
		err = j.f.Sync()
	}
	if err != nil {
		_ = j.f.Truncate(j.size)
		return fmt.Errorf("host: write journal: %w", err)
	}
	j.size += int64(len(line))
	j.entries[e.Job] = e
	if j.size > compactAt {
		if err := j.compact(); err != nil {
			j.log.Error("journal.compact", "err", err)
		}
	}
	return nil
}

// MayStart reports whether a job of which the journal knows e may start in an
// epoch. What is running, has a result that the plane lacks, or succeeded, may
// not. After a crash only what is idempotent or resumable may. What failed may,
// once the plane has that failure and offers the job anew: that is its next attempt.
func (e Entry) MayStart(epoch int64) bool {
	again := e.Action.Restart() != wire.AtMostOnce
	switch e.State {
	case "":
		return true
	case JobStarted:
		return again
	case JobAcked:
		return epoch > e.Epoch && (e.Outcome == wire.Failed || e.Outcome == wire.Interrupted && again)
	}
	return false
}

// Start records that a job starts, and returns once that is on the disk.
func (j *Journal) Start(e Entry) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.entries[e.Job].MayStart(e.Epoch) {
		return fmt.Errorf("host: job %s: %w", e.Job, ErrStartedBefore)
	}
	e.State, e.Outcome = JobStarted, ""
	return j.put(e, true)
}

// ErrStartedBefore says that a job id has started before and may not again.
var ErrStartedBefore = errors.New("started before")

// Finish records that the result of a job is in the spool. A job that never
// started (expired, cancelled while it waited) is recorded too: it never will.
func (j *Journal) Finish(e Entry) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	e.State = JobFinished
	return j.put(e, true)
}

// Ack records that the plane has the result.
func (j *Journal) Ack(job string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	e, ok := j.entries[job]
	if !ok || e.State != JobFinished {
		return nil
	}
	e.State = JobAcked
	return j.put(e, false) // lost in a crash, the result is sent once more
}

// SetEpoch notes a newer epoch of a job.
func (j *Journal) SetEpoch(job string, epoch int64) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	e, ok := j.entries[job]
	if !ok || epoch <= e.Epoch {
		return nil
	}
	e.Epoch = epoch
	return j.put(e, false)
}

// Get returns what the journal knows of a job.
func (j *Journal) Get(job string) (Entry, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e, ok := j.entries[job]
	return e, ok
}

// In returns the entries in one of the states, in the order of their ids
// (which is that of their making).
func (j *Journal) In(states ...JobState) []Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	return selectEntries(j.entries, states)
}

// Close closes the file.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.f == nil {
		return nil
	}
	err := j.f.Close()
	j.f = nil
	return err
}
