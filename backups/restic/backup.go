package restic

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"sync/atomic"
	"time"

	"ostler/agents/wire"
)

// BackupOptions is one run of a plan.
type BackupOptions struct {
	// Paths are absolute on the server: the agent's root stands before them.
	Paths []string
	// Excludes are restic patterns. One with a leading slash starts at the
	// agent's root. Folders of a restore at work are left out always.
	Excludes []string
	Tags     []string // letters, digits and ._:=@/-
	Host     string   // the snapshot's host: with the paths it selects the parent
	// Time is the snapshot's time, to the second; zero is the host's clock.
	Time time.Time
	// Progress gets at most one report a second, from one goroutine.
	Progress func(wire.Progress)
}

// summary is the last line of a backup, status one of the lines before it.
type summary struct {
	FilesNew        int64     `json:"files_new"`
	FilesChanged    int64     `json:"files_changed"`
	FilesUnmodified int64     `json:"files_unmodified"`
	DataAdded       int64     `json:"data_added"`
	DataAddedPacked int64     `json:"data_added_packed"`
	TotalFiles      int64     `json:"total_files_processed"`
	TotalBytes      int64     `json:"total_bytes_processed"`
	Duration        float64   `json:"total_duration"`
	Start           time.Time `json:"backup_start"`
	SnapshotID      string    `json:"snapshot_id"`
}

type status struct {
	FilesDone    int64    `json:"files_done"`
	TotalFiles   int64    `json:"total_files"`
	BytesDone    int64    `json:"bytes_done"`
	TotalBytes   int64    `json:"total_bytes"`
	Errors       int64    `json:"error_count"`
	CurrentFiles []string `json:"current_files"`
}

// Backup makes a snapshot. A result means that there is one: complete, or
// partial where paths were missing or files could not be read. An error means
// that there is none.
func (r *Repo) Backup(ctx context.Context, o BackupOptions) (wire.BackupResult, error) {
	none := wire.BackupResult{}
	p, err := r.prepared()
	if err != nil {
		return none, err
	}
	present, missing, err := p.sources(o.Paths)
	if err != nil {
		return none, err
	}
	if len(present) == 0 {
		return none, failure(wire.CauseSourceMissing, "none of the plan's paths exists on the server")
	}
	s, err := r.open(ctx, nil)
	if err != nil {
		return none, err
	}
	defer s.close()
	args, err := s.backupArgs(o, present)
	if err != nil {
		return none, err
	}
	b, err := s.backup(ctx, args, o.Progress, 0)
	if hasExit(err, exitLocked) {
		// A lock whose process died on this host is no lock: unlock removes that
		// kind only. Whoever lives is waited for.
		if err := s.unlock(ctx); err != nil {
			return none, err
		}
		b, err = s.backup(ctx, args, o.Progress, s.Limits.Lock)
	}
	if err != nil {
		return none, err
	}
	if b.exit == exitPartial && b.unreadCount == 0 { // a path went away meanwhile
		if _, missing, err = s.sources(o.Paths); err != nil {
			return none, err
		}
	}
	return s.backupResult(ctx, b, missing, o.Time), nil
}

func (s *session) backupArgs(o BackupOptions, present []string) ([]string, error) {
	var args []string
	for _, t := range o.Tags {
		if !word.MatchString(t) {
			return nil, failure(wire.CauseInternal, "a tag has signs that tags cannot have")
		}
		args = append(args, "--tag="+t)
	}
	if o.Host != "" {
		if !word.MatchString(o.Host) {
			return nil, failure(wire.CauseInternal, "the host's name has signs that host names cannot have")
		}
		args = append(args, "--host="+o.Host)
	}
	if !o.Time.IsZero() {
		args = append(args, "--time="+o.Time.UTC().Format(time.DateTime)) // restic runs with TZ=UTC
	}
	name, err := s.patternFile(append(slices.Clone(o.Excludes), ownFolders))
	if err != nil {
		return nil, err
	}
	args = append(args, "--exclude-file="+name)
	return append(append(args, "--"), present...), nil
}

// ownFolders are what a restore on the server has beside the files that it is
// about: half of them and what they replaced. They are no part of a backup. The
// pattern comes last, where no pattern of the plan takes it back.
const ownFolders = ".ostler-restore-*"

// run of a backup, as it is heard.
type backup struct {
	*session
	progress func(wire.Progress)
	beat     atomic.Uint64

	last        status
	seq         int64
	summary     *summary
	exit        int
	unread      []wire.Unread
	unreadCount int64
	damaged     bool
}

func (s *session) backup(ctx context.Context, args []string, progress func(wire.Progress), wait time.Duration) (*backup, error) {
	b := &backup{session: s, progress: progress}
	out := &lines{each: b.line}
	exit, err := s.run(ctx, command{
		verb: "backup", args: append([]string{"--retry-lock=" + wait.String()}, args...),
		lock: true, partial: true, limit: s.Limits.Backup,
		stdout: out, said: b.said, beat: &b.beat,
	})
	out.flush()
	if err != nil {
		return nil, err
	}
	b.exit = exit
	if b.damaged {
		// Measured with 0.19.1: where the parent's folders cannot be read, restic
		// ends with 3 and saves a snapshot all the same. It shares the blobs that
		// are damaged, so it is no backup.
		e := failure(wire.CauseDamaged, "data of an earlier snapshot, which a new one builds on, is missing or damaged")
		e.Exit = exit
		return nil, e
	}
	if b.summary == nil || len(b.summary.SnapshotID) != 64 || checkID(b.summary.SnapshotID) != nil {
		e := failure(wire.CauseInternal, fmt.Sprintf("restic ended with exit code %d and named no snapshot", exit))
		e.Exit = exit
		return nil, e
	}
	return b, nil
}

// line takes a line of stdout. Lines that are cut, or that are not JSON, carry
// nothing we need: without a summary the run fails.
func (b *backup) line(line []byte, cut bool) {
	if cut || line[0] != '{' {
		return
	}
	var m struct {
		Type string `json:"message_type"`
	}
	if json.Unmarshal(line, &m) != nil {
		return
	}
	switch m.Type {
	case "summary":
		var s summary
		if json.Unmarshal(line, &s) == nil {
			b.summary = &s
			b.beat.Add(1)
		}
	case "status":
		var s status
		if json.Unmarshal(line, &s) == nil {
			b.status(s)
		}
	}
}

// status passes progress on. A status whose numbers stand still is a tick of
// restic's clock and no sign of life.
func (b *backup) status(s status) {
	current := ""
	if len(s.CurrentFiles) > 0 {
		current = b.serverPath(s.CurrentFiles[0])
	}
	if s.FilesDone != b.last.FilesDone || s.BytesDone != b.last.BytesDone ||
		s.TotalFiles != b.last.TotalFiles || s.TotalBytes != b.last.TotalBytes {
		b.beat.Add(1)
	}
	s.CurrentFiles, b.last = nil, s
	if b.progress == nil {
		return
	}
	b.seq++
	b.progress(wire.Progress{
		Seq: b.seq, Step: "backup", Done: s.BytesDone, Total: s.TotalBytes,
		Files: s.FilesDone, TotalFiles: s.TotalFiles, Errors: s.Errors, Current: current,
	})
}

// damagedTree is what restic says of a folder of the parent snapshot.
var damagedTree = regexp.MustCompile(`(^|: )tree [0-9a-f]{64} (could not be loaded|is not known); the repository could be damaged`)

// said takes an error about one file. The scan before the backup reports the
// same files again, and does not decide what is read.
func (b *backup) said(m *saying) {
	if m.Type != "error" || m.During == "scan" {
		return
	}
	b.beat.Add(1)
	if damagedTree.MatchString(m.Error.Message) {
		b.damaged = true
	}
	b.unreadCount++
	if len(b.unread) < wire.MaxUnread {
		b.unread = append(b.unread, wire.Unread{Path: b.serverPath(m.Item), Reason: reason(m.Error.Message)})
	}
}

// backupResult completes the summary, and looks whether the store has the
// snapshot as restic wrote it. The snapshot is there even if that fails. (To
// have restic read it takes as long as a small backup: it derives the key again.)
func (s *session) backupResult(ctx context.Context, b *backup, missing []string, at time.Time) wire.BackupResult {
	m := b.summary
	res := wire.BackupResult{
		Outcome: wire.BackupComplete, SnapshotID: m.SnapshotID,
		FilesNew: m.FilesNew, FilesChanged: m.FilesChanged, FilesUnmodified: m.FilesUnmodified,
		TotalFiles: m.TotalFiles, TotalBytes: m.TotalBytes, AddedBytes: m.DataAddedPacked,
		SnapshotAt: m.Start.UnixMilli(), DurationMillis: int64(m.Duration * 1000),
		Unread: b.unread, UnreadCount: b.unreadCount, MissingPaths: missing,
	}
	if !at.IsZero() {
		res.SnapshotAt = at.Truncate(time.Second).UnixMilli()
	}
	if res.AddedBytes == 0 {
		res.AddedBytes = m.DataAdded
	}
	if b.exit == exitPartial || len(missing) > 0 {
		res.Outcome = wire.BackupPartial
	}
	if err := s.relay.holds(ctx, s.Limits.Probe, "snapshots", m.SnapshotID); err != nil {
		s.Log.Warn("snapshot could not be read back", "snapshot", m.SnapshotID, "err", err)
	}
	return res
}
